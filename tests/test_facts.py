"""What is known, what is absent, and who is who."""

from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.facts import ABSENT, Cell, Duty, Person, Sprint, Sprints, Team, Ticket, Unknown, names_of
from tests.builders import ANN, BOB, ELI, FAY, FINN, NEXT, RUNNING, SAM, STRETCH, cell, team, ticket, wall

FACTS = sorted(ticket().known())


class TestPartial:
    @pytest.mark.parametrize("fact", [name for name in FACTS if name != "key"])
    def test_reading_what_nobody_told_us_names_the_fact(self, fact: str) -> None:
        with pytest.raises(Unknown) as unknown:
            getattr(Ticket(key="SE-1"), fact)

        assert unknown.value.fact == fact

    @pytest.mark.parametrize(
        ("name", "fact"),
        [
            pytest.param("running_sprint", "sprints", id="the running sprint"),
            pytest.param("reviewers", "reviewer", id="the reviewers"),
            pytest.param("is_reviewed_by_assignee", "reviewer", id="whether the assignee reviews"),
            pytest.param("responsible", "epic_owner", id="the responsible person"),
        ],
    )
    def test_what_follows_from_an_absent_fact_is_unknown_too(self, name: str, fact: str) -> None:
        with pytest.raises(Unknown, match=fact):
            getattr(Ticket(key="SE-1"), name)

    @pytest.mark.parametrize(("value", "is_known"), [(None, True), (0.0, True), (3.0, True), (ABSENT, False)])
    def test_nothing_is_not_the_same_as_absent(self, value: Any, is_known: bool) -> None:
        assert ("estimate" in Ticket(key="SE-1", estimate=value).known()) is is_known

    def test_remembers_what_was_read_and_only_that(self) -> None:
        about = ticket().tracked()

        assert about.used() == {}
        assert about.estimate == 3.0
        assert about.responsible == SAM
        assert about.used() == {"estimate": 3.0, "epic_owner": None, "flagged": False, "reporter": SAM}

    def test_an_absent_fact_is_not_used(self) -> None:
        about = Ticket(key="SE-1").tracked()

        with pytest.raises(Unknown):
            about.estimate  # noqa: B018

        assert about.used() == {}

    def test_a_copy_starts_afresh_and_leaves_the_original_alone(self) -> None:
        original = ticket().tracked()
        assert original.estimate == 3.0

        copy = original.having(estimate=5.0)

        assert (copy.estimate, original.estimate) == (5.0, 3.0)
        assert original.having().used() == {}
        assert original.used() == {"estimate": 3.0}

    @pytest.mark.parametrize(
        ("other", "is_equal"),
        [
            pytest.param(ticket(), True, id="the same facts"),
            pytest.param(ticket(estimate=5.0), False, id="another estimate"),
            pytest.param(ticket(estimate=ABSENT), False, id="an unknown estimate"),
            pytest.param("SE-1", False, id="something else"),
        ],
    )
    def test_tickets_are_equal_by_what_is_known(self, other: Any, is_equal: bool) -> None:
        assert (ticket() == other) is is_equal

    def test_shows_what_is_known(self) -> None:
        assert repr(Ticket(key="SE-1", estimate=None)) == "Ticket(key='SE-1', estimate=None)"
        assert repr(ABSENT) == "ABSENT"

    @given(st.sets(st.sampled_from([name for name in FACTS if name != "key"])))
    def test_every_fact_is_either_known_or_raises(self, absent: set[str]) -> None:
        about = ticket(**dict.fromkeys(absent, ABSENT))

        assert about.known().keys() == set(FACTS) - absent
        assert about.having() == about


@pytest.mark.parametrize(
    ("facts", "reviewers", "by_assignee"),
    [
        pytest.param({}, (BOB,), False, id="a reviewer"),
        pytest.param({"core_committer": ELI}, (BOB, ELI), False, id="and a core committer"),
        pytest.param({"reviewer": None}, (), False, id="nobody"),
        pytest.param({"reviewer": ANN}, (), True, id="the assignee"),
        pytest.param({"reviewer": ANN, "core_committer": BOB}, (BOB,), True, id="the assignee and somebody else"),
        pytest.param({"assignee": None}, (BOB,), False, id="a reviewer without assignee"),
        pytest.param(
            {"assignee": Person(name="Ann", jira_key="JIRAUSER1"), "reviewer": Person(name="A.", jira_key="JIRAUSER1")},
            (),
            True,
            id="the assignee by Data Center's user key",
        ),
        pytest.param(
            {"assignee": Person(name="Ann"), "reviewer": Person(name="Ann")},
            (Person(name="Ann"),),
            False,
            id="two of one name without accounts are two people",
        ),
    ],
)
def test_who_reviews_a_ticket(facts: dict[str, Any], reviewers: tuple[Person, ...], by_assignee: bool) -> None:
    about = ticket(**facts)

    assert (about.reviewers, about.is_reviewed_by_assignee) == (reviewers, by_assignee)


@pytest.mark.parametrize(
    ("facts", "person"),
    [
        pytest.param({"epic_owner": ELI, "flagged": True}, ELI, id="the epic owner"),
        pytest.param({"flagged": True}, ANN, id="the tentative assignee"),
        pytest.param({"flagged": True, "assignee": None}, SAM, id="the reporter of a flagged ticket without assignee"),
        pytest.param({}, SAM, id="the reporter"),
        pytest.param({"reporter": None}, None, id="nobody"),
    ],
)
def test_who_answers_for_a_ticket(facts: dict[str, Any], person: Person | None) -> None:
    assert ticket(**facts).responsible == person


@pytest.mark.parametrize(("key", "project"), [("SE-1", "SE"), ("A_B-22", "A_B"), ("odd", "")])
def test_the_project_is_in_the_key(key: str, project: str) -> None:
    assert ticket(key=key).project == project


@pytest.mark.parametrize(
    ("sprints", "running"),
    [
        pytest.param((), None, id="the backlog"),
        pytest.param((RUNNING,), RUNNING, id="the running sprint"),
        pytest.param((NEXT, STRETCH), None, id="two future sprints"),
        pytest.param((Sprint(id=39, name="39", state="closed"), RUNNING), RUNNING, id="a spillover"),
    ],
)
def test_the_running_sprint_of_a_ticket(sprints: tuple[Sprint, ...], running: Sprint | None) -> None:
    assert ticket(sprints=sprints).running_sprint == running


@pytest.mark.parametrize(
    ("sprint", "is_in"),
    [
        pytest.param(RUNNING, True, id="its own"),
        pytest.param(Sprint(id=41, name="renamed", state="closed"), True, id="its own by another name"),
        pytest.param(NEXT, False, id="another one"),
        pytest.param(None, False, id="none"),
    ],
)
def test_whether_a_ticket_is_in_a_sprint(sprint: Sprint | None, is_in: bool) -> None:
    assert ticket().is_in(sprint) is is_in


@pytest.mark.parametrize(
    ("first", "until", "is_away"),
    [
        pytest.param(date(2026, 11, 9), date(2026, 11, 13), True, id="every day of it"),
        pytest.param(date(2026, 11, 8), date(2026, 11, 13), False, id="one day too early"),
        pytest.param(date(2026, 11, 9), date(2026, 11, 14), False, id="one day too long"),
        pytest.param(date(2026, 11, 10), date(2026, 11, 10), True, id="a day in it"),
    ],
)
def test_whether_a_person_is_away(first: date, until: date, is_away: bool) -> None:
    person = Person(name="Bob", time_off=((date(2026, 11, 9), date(2026, 11, 13)), (date(2026, 12, 1),) * 2))

    assert person.is_away_from(first, until) is is_away


def sprint(number: int, name: str = "", start: datetime | None = None) -> Sprint:
    return Sprint(id=number, name=name or f"SE Sprint {number}", state="future", start=start)


class TestSprintsOfACell:
    @pytest.mark.parametrize(
        ("sprints", "expected"),
        [
            pytest.param([], None, id="an empty board"),
            pytest.param([STRETCH], None, id="Stretch Goals alone"),
            pytest.param([STRETCH, NEXT], NEXT, id="a real one after Stretch Goals"),
            pytest.param([sprint(1, " stretch GOALS "), NEXT], NEXT, id="Stretch Goals in other letters"),
            pytest.param([sprint(44), sprint(43)], sprint(44), id="without dates the board's order counts"),
            pytest.param(
                [sprint(44, start=wall("2026-12-14 09:00")), sprint(43, start=wall("2026-11-30 09:00"))],
                sprint(43, start=wall("2026-11-30 09:00")),
                id="with dates the earliest counts",
            ),
            pytest.param(
                [sprint(44), sprint(43, start=wall("2026-11-30 09:00"))],
                sprint(43, start=wall("2026-11-30 09:00")),
                id="one with a date comes before one without",
            ),
        ],
    )
    def test_the_next_sprint(self, sprints: list[Sprint], expected: Sprint | None) -> None:
        assert cell().sprints_among(sprints).next == expected

    def test_active_and_stretch_goals(self) -> None:
        closed = Sprint(id=40, name="SE Sprint 40", state="closed")

        assert cell().sprints_among([closed, STRETCH, RUNNING, NEXT]) == Sprints(
            active=RUNNING, next=NEXT, stretch_goals=STRETCH
        )

    @pytest.mark.parametrize(
        ("sprints", "start", "end"),
        [
            pytest.param(Sprints(), "2026-11-02 09:00", "2026-11-16 09:00", id="the anchor where nothing is active"),
            pytest.param(
                Sprints(active=Sprint(id=41, name="41", state="active", start=wall("2026-11-03 10:00"))),
                "2026-11-03 10:00",
                "2026-11-17 09:00",
                id="Jira's start wins",
            ),
            pytest.param(
                Sprints(
                    active=Sprint(
                        id=41,
                        name="41",
                        state="active",
                        start=wall("2026-11-03 10:00"),
                        end=wall("2026-11-13 17:00"),
                    )
                ),
                "2026-11-03 10:00",
                "2026-11-13 17:00",
                id="and so does its end",
            ),
        ],
    )
    def test_the_window(self, sprints: Sprints, start: str, end: str) -> None:
        window = cell().window(wall("2026-11-05 12:00"), sprints)

        assert (window.start, window.end) == (wall(start), wall(end))


WEEKS = (Duty("firefighter", (FAY,), 0, 6), Duty("firefighter", (FINN,), 7, 13))


@pytest.mark.parametrize(
    ("duties", "role", "day", "people"),
    [
        pytest.param(WEEKS, "firefighter", 0, (FAY,), id="the first day"),
        pytest.param(WEEKS, "firefighter", 6, (FAY,), id="the last day of the first week"),
        pytest.param(WEEKS, "firefighter", 7, (FINN,), id="the first day of the second"),
        pytest.param(WEEKS, "firefighter", 14, (), id="after the sprint"),
        pytest.param(WEEKS, "discovery", 3, (), id="another role"),
        pytest.param((*WEEKS, Duty("firefighter", (BOB,), 3, 3)), "firefighter", 3, (BOB,), id="the newest entry wins"),
    ],
)
def test_who_is_on_duty(duties: tuple[Duty, ...], role: str, day: int, people: tuple[Person, ...]) -> None:
    within: Cell = replace(cell(), duties=duties)

    assert within.on_duty(role, day) == people


class TestTeam:
    @pytest.mark.parametrize(("project", "name"), [("SE", "Serenity"), ("XX", None), ("", None)])
    def test_the_cell_of_a_project(self, project: str, name: str | None) -> None:
        found = team().cell_of(project)

        assert (found.name if found else None) == name

    @pytest.mark.parametrize(
        ("stranger", "known"),
        [
            pytest.param(Person(name="ann@example", jira="acc-ann"), ANN, id="by the Jira account"),
            pytest.param(Person(name="Ann", jira="acc-other"), None, id="never by the name"),
            pytest.param(Person(name="Ann"), None, id="not without an account"),
            pytest.param(Person(name="?", jira="acc-bob", id="ann"), ANN, id="the first one where two would match"),
        ],
    )
    def test_who_somebody_is(self, stranger: Person, known: Person | None) -> None:
        assert team().resolve(stranger) == (known or stranger)

    @pytest.mark.parametrize(
        ("place", "name"),
        [
            pytest.param("acme/tool", "Serenity", id="a repository"),
            pytest.param("Acme/Tool", "Serenity", id="in other letters"),
            pytest.param("acme/other", None, id="another repository"),
            pytest.param(7, "Serenity", id="a forum category"),
            pytest.param(8, None, id="another category"),
            pytest.param("CON", "Falcon", id="a contributions project"),
            pytest.param("SE", None, id="a project of its own, which is no place for contributions"),
        ],
    )
    def test_the_cell_that_looks_after_a_place(self, place: str | int, name: str | None) -> None:
        serenity = replace(cell(), repositories=frozenset({"acme/tool"}))
        falcon = replace(cell(), name="Falcon", forum_categories=frozenset(), contribution_projects=frozenset({"CON"}))
        found = Team((serenity, falcon)).cell_watching(place)

        assert (found.name if found else None) == name

    @pytest.mark.parametrize(
        ("person", "name"),
        [
            pytest.param(BOB, "Falcon", id="a member"),
            pytest.param(Person(name="b", jira="acc-bob"), "Falcon", id="by their account"),
            pytest.param(ANN, "Serenity", id="the first cell for whoever is in none"),
        ],
    )
    def test_where_somebody_is_at_home(self, person: Person, name: str) -> None:
        cells = (cell(), replace(cell(), name="Falcon", members=(BOB,)))

        assert Team(cells).home_of(person).name == name

    def test_introduces_everybody_on_a_ticket_and_leaves_the_rest(self) -> None:
        raw = Ticket(key="SE-1", assignee=Person(name="a", jira="acc-ann"), reviewer=None, estimate=2.0)

        assert team().introduce(raw) == Ticket(key="SE-1", assignee=ANN, reviewer=None, estimate=2.0)

    def test_nobody_is_known_to_an_empty_team(self) -> None:
        assert Team().cell_of("SE") is None
        assert Team().resolve(ANN) == ANN


@pytest.mark.parametrize(
    ("people", "phrase"),
    [
        pytest.param((), "", id="nobody"),
        pytest.param((ANN,), "Ann", id="one"),
        pytest.param((ANN, BOB), "Ann and Bob", id="two"),
        pytest.param((ANN, BOB, ELI), "Ann, Bob and Eli", id="three"),
    ],
)
def test_names_as_a_phrase(people: tuple[Person, ...], phrase: str) -> None:
    assert names_of(people) == phrase
