"""Every line of green-ticket's table, each boundary from both sides, and what people read."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.actions import Digest, Notify
from service.facts import Cell, Person, Said, Sprint, Sprints, Ticket, Unknown
from service.rules._base import Verdict
from service.rules.green_ticket import RULE
from service.texts import Mention, to_mattermost
from tests.builders import (
    ANN,
    BOB,
    ELI,
    FAY,
    NEW_YORK,
    NEXT,
    PARIS,
    RUNNING,
    SAM,
    SPRINTS,
    STRETCH,
    cell,
    cell_with,
    length,
    messages,
    plain,
    said_after,
    summary,
    ticket,
    verdict_of,
    wall,
)

LEAD = wall("2026-11-13 00:00")
DEADLINE = wall("2026-11-14 00:00")
FINAL = wall("2026-11-16 08:00")
START = wall("2026-11-16 09:00")
FRIDAY = wall("2026-11-13 15:00")
MINUTE = timedelta(minutes=1)

ENDS_EARLY = Sprints(active=msgspec.structs.replace(RUNNING, end=wall("2026-11-12 18:00")), next=NEXT)
AT_FIVE = wall("2026-11-11 17:00")

COMMENT = "comment SE-1 sprint-42"
AT_LEAD = "recheck SE-1 2026-11-12 23:00"
AT_DEADLINE = "recheck SE-1 2026-11-13 23:00"
AT_FINAL = "recheck SE-1 2026-11-16 07:00"
LISTS = ["digest @sam sprint-42:yours", "digest @fay sprint-42:list"]
PUSHED = ["move_to_sprint SE-1 sprint-42", COMMENT]
UNASSIGNED = [COMMENT, "digest @sam sprint-42:unassigned"]


def planned(**facts: Any) -> Ticket:
    """A ticket of the next sprint that misses only a reviewer, reported by Sam."""
    return ticket(**{"status": "Backlog", "sprints": (NEXT,), "reviewer": None, **facts})


def said(state: str, occasion: str = "sprint-42", turns: int = 0) -> Said:
    return Said(occasion=occasion, state=state, at=LEAD, turns=turns)


def look(about: Ticket, now: datetime = FRIDAY, **around: Any) -> Verdict:
    return verdict_of(RULE, about, now, **around)


def off(first: date, last: date) -> Person:
    """Sam, with days off."""
    return msgspec.structs.replace(SAM, time_off=((first, last),))


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        pytest.param({"is_subtask": True}, "sub-tasks and epics", id="a sub-task needs none of this"),
        pytest.param({"kind": "Epic"}, "sub-tasks and epics", id="an epic needs none of this"),
        pytest.param({"is_done": True, "status": "Erledigt"}, "finished (Erledigt)", id="a ticket in a done category"),
        pytest.param({"status": "ARCHIVED"}, "finished (ARCHIVED)", id="an archived ticket, however it is written"),
        pytest.param({"sprints": ()}, "not in the next sprint", id="a ticket of the backlog"),
        pytest.param({"sprints": (RUNNING,)}, "its sprint runs already", id="a ticket of the running sprint"),
        pytest.param({"sprints": (STRETCH,)}, "not in the next sprint", id="a ticket of Stretch Goals"),
        pytest.param(
            {"sprints": (Sprint(id=43, name="SE Sprint 43", state="future"),)},
            "not in the next sprint",
            id="a ticket of the sprint after the next",
        ),
        pytest.param({"reviewer": BOB}, "an estimate, an assignee and a reviewer", id="a green ticket"),
        pytest.param({"reviewer": BOB, "estimate": 0.0}, "an estimate", id="an estimate of nothing is an estimate"),
        pytest.param({"core_committer": BOB}, "a reviewer", id="a core committer is a reviewer"),
        pytest.param({"reviewer": ANN, "core_committer": BOB}, "a reviewer", id="a core committer beside the assignee"),
        pytest.param({"reviewer": BOB, "flagged": True}, "an assignee", id="a tentative assignee is an assignee"),
    ],
)
def test_nothing_is_asked_of(facts: dict[str, Any], reason: str) -> None:
    verdict = look(planned(**facts))

    assert verdict.outcome == "pass"
    assert reason in verdict.reason
    assert verdict.actions == ()


@pytest.mark.parametrize(
    ("facts", "missing"),
    [
        pytest.param({}, "reviewer", id="no reviewer"),
        pytest.param({"reviewer": ANN}, "reviewer", id="a reviewer who is the assignee"),
        pytest.param({"core_committer": ANN}, "reviewer", id="a core committer who is the assignee"),
        pytest.param({"reviewer": BOB, "estimate": None}, "estimate", id="no estimate"),
        pytest.param({"reviewer": BOB, "assignee": None}, "assignee", id="no assignee"),
        pytest.param({"estimate": None}, "estimate and reviewer", id="two fields"),
        pytest.param({"estimate": None, "assignee": None}, "estimate, assignee and reviewer", id="all three"),
        pytest.param({"sprints": (RUNNING, NEXT)}, "reviewer", id="a ticket that stands in both sprints"),
    ],
)
def test_what_is_missing_is_asked_for(facts: dict[str, Any], missing: str) -> None:
    verdict = look(planned(**facts))

    assert verdict.outcome == "act"
    assert verdict.reason == f"SE-1 misses {missing} for SE Sprint 42"
    assert summary(verdict) == [COMMENT, AT_DEADLINE]
    assert plain(verdict)[0].startswith(f"Sam, could you fill in the {missing}, so that this ticket is ready for SE")


@pytest.mark.parametrize(
    ("now", "outcome", "reason", "actions"),
    [
        pytest.param(LEAD - MINUTE, "wait", "time enough", [AT_LEAD], id="a minute before the lead"),
        pytest.param(LEAD, "act", "SE Sprint 42", [COMMENT, AT_DEADLINE], id="at the lead"),
        pytest.param(LEAD + MINUTE, "act", "SE Sprint 42", [COMMENT, AT_DEADLINE], id="a minute into the lead"),
        pytest.param(
            DEADLINE - MINUTE, "act", "SE Sprint 42", [COMMENT, AT_DEADLINE], id="a minute before the deadline"
        ),
        pytest.param(DEADLINE, "act", "deadline is over", [COMMENT, *LISTS, AT_FINAL], id="at the deadline"),
        pytest.param(
            DEADLINE + MINUTE, "act", "deadline is over", [COMMENT, *LISTS, AT_FINAL], id="a minute past the deadline"
        ),
        pytest.param(
            wall("2026-11-15 18:00"), "act", "deadline is over", [COMMENT, *LISTS, AT_FINAL], id="on the last evening"
        ),
        pytest.param(
            FINAL - MINUTE, "act", "deadline is over", [COMMENT, *LISTS, AT_FINAL], id="a minute before the final check"
        ),
        pytest.param(FINAL, "act", "final check", [COMMENT], id="at the final check"),
        pytest.param(FINAL + MINUTE, "act", "final check", [COMMENT], id="a minute past the final check"),
        pytest.param(START + MINUTE, "act", "final check", [COMMENT], id="when the sprint is closed late"),
    ],
)
def test_a_ticket_without_reviewer(now: datetime, outcome: str, reason: str, actions: list[str]) -> None:
    verdict = look(planned(), now)

    assert verdict.outcome == outcome
    assert reason in verdict.reason
    assert summary(verdict) == actions


@pytest.mark.parametrize(
    ("now", "push", "actions"),
    [
        pytest.param(FINAL - MINUTE, True, [COMMENT, *LISTS, AT_FINAL], id="a minute before it, it stays"),
        pytest.param(FINAL, True, PUSHED, id="at the final check it moves to Stretch Goals"),
        pytest.param(FINAL + MINUTE, True, PUSHED, id="a minute later too"),
        pytest.param(FINAL - MINUTE, False, [COMMENT, *LISTS, AT_FINAL], id="a minute before it, nobody is told yet"),
        pytest.param(FINAL, False, UNASSIGNED, id="without push_unassigned it is on the planning manager's list"),
        pytest.param(FINAL + MINUTE, False, UNASSIGNED, id="a minute later too, without push_unassigned"),
    ],
)
def test_a_ticket_without_assignee_at_the_final_check(now: datetime, push: bool, actions: list[str]) -> None:
    verdict = look(planned(assignee=None, reviewer=BOB), now, push_unassigned=push)

    assert (verdict.outcome, summary(verdict)) == ("act", actions)


def test_an_assigned_ticket_is_never_pushed() -> None:
    assert summary(look(planned(flagged=True), FINAL, push_unassigned=True)) == [COMMENT]


def test_without_stretch_goals_an_unassigned_ticket_is_on_the_list() -> None:
    verdict = look(planned(assignee=None), FINAL, push_unassigned=True, sprints=Sprints(active=RUNNING, next=NEXT))

    assert summary(verdict) == UNASSIGNED
    assert "moving it to the backlog is fine too" in plain(verdict)[0]


def test_whoever_learnt_of_it_by_a_comment_is_told_in_chat_that_the_ticket_moved() -> None:
    verdict = look(planned(assignee=None), FINAL, push_unassigned=True, said=said("missing assignee"))

    assert summary(verdict) == [*PUSHED, "notify @sam sprint-42:pushed"]


@pytest.mark.parametrize(
    ("sprints", "facts", "outcome", "reason"),
    [
        pytest.param(SPRINTS, {"sprints": (STRETCH,)}, "pass", "may wait", id="it rests in Stretch Goals"),
        pytest.param(
            SPRINTS, {"sprints": (STRETCH,), "assignee": ANN}, "pass", "may wait", id="also once somebody took it"
        ),
        pytest.param(SPRINTS, {}, "pass", "knows best", id="somebody moved it back as it was"),
        pytest.param(SPRINTS, {"assignee": ANN}, "act", "misses reviewer", id="somebody took it and moved it back"),
    ],
)
def test_a_ticket_that_was_pushed_once(sprints: Sprints, facts: dict[str, Any], outcome: str, reason: str) -> None:
    verdict = look(planned(**{"assignee": None, **facts}), FINAL + MINUTE, push_unassigned=True, said=said("pushed"))

    assert verdict.outcome == outcome
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("sprints", "now", "actions"),
    [
        pytest.param(Sprints(active=RUNNING), FRIDAY, [], id="no next sprint: there is nothing to be ready for"),
        pytest.param(Sprints(next=NEXT), LEAD - MINUTE, [AT_LEAD], id="no active sprint: the anchor tells the lead"),
        pytest.param(Sprints(next=NEXT), LEAD, [COMMENT, AT_DEADLINE], id="no active sprint, at the lead"),
        pytest.param(ENDS_EARLY, AT_FIVE - MINUTE, ["recheck SE-1 2026-11-11 16:00"], id="before its early lead"),
        pytest.param(ENDS_EARLY, AT_FIVE, [COMMENT, "recheck SE-1 2026-11-12 16:00"], id="at its early lead"),
        pytest.param(ENDS_EARLY, AT_FIVE + timedelta(days=1), [COMMENT], id="at its final check"),
    ],
)
def test_the_boards_sprints(sprints: Sprints, now: datetime, actions: list[str]) -> None:
    assert summary(look(planned(), now, sprints=sprints)) == actions


def test_between_two_sprints_what_was_asked_stays_as_it_stands() -> None:
    closed = Sprints(next=NEXT, stretch_goals=STRETCH)
    verdict = look(planned(), START + MINUTE, sprints=closed, said=said("missing reviewer at the final check"))

    assert verdict.outcome == "wait"
    assert summary(verdict) == ["recheck SE-1 2026-11-26 23:00"]


UNDATED = Sprints(active=Sprint(id=41, name="SE Sprint 41", state="active"), next=NEXT, stretch_goals=STRETCH)


@pytest.mark.parametrize(
    ("zone", "lead", "deadline", "final"),
    [
        pytest.param(PARIS, "2026-10-30 00:00", "2026-10-31 00:00", "2026-11-02 08:00", id="Paris, October 2026"),
        pytest.param(PARIS, "2027-04-02 00:00", "2027-04-03 00:00", "2027-04-05 08:00", id="Paris, March 2027"),
        pytest.param(
            NEW_YORK, "2026-10-30 00:00", "2026-10-31 00:00", "2026-11-02 08:00", id="New York, November 2026"
        ),
    ],
)
def test_a_change_of_the_clocks_moves_nothing(zone: ZoneInfo, lead: str, deadline: str, final: str) -> None:
    stages = [
        (wall(lead, zone) - MINUTE, f"recheck SE-1 {wall(lead, zone):%Y-%m-%d %H:%M}"),
        (wall(lead, zone), f"recheck SE-1 {wall(deadline, zone):%Y-%m-%d %H:%M}"),
        (wall(deadline, zone) - MINUTE, f"recheck SE-1 {wall(deadline, zone):%Y-%m-%d %H:%M}"),
        (wall(deadline, zone), f"recheck SE-1 {wall(final, zone):%Y-%m-%d %H:%M}"),
        (wall(final, zone) - MINUTE, f"recheck SE-1 {wall(final, zone):%Y-%m-%d %H:%M}"),
        (wall(final, zone), COMMENT),
    ]

    seen = [summary(look(planned(), now, sprints=UNDATED, within=cell_with(zone=zone)))[-1] for now, _ in stages]

    assert seen == [last for _, last in stages]


@pytest.mark.parametrize(
    ("within", "responsible", "hours", "lead"),
    [
        pytest.param(cell(), SAM, 24, "2026-11-13 00:00", id="a working day"),
        pytest.param(cell(), SAM, 23, "2026-11-13 01:00", id="a lead of 23 hours"),
        pytest.param(cell(), SAM, 48, "2026-11-12 00:00", id="a lead of two working days"),
        pytest.param(cell_with(holidays={date(2026, 11, 13)}), SAM, 24, "2026-11-12 00:00", id="Friday is a holiday"),
        pytest.param(cell_with(holidays={date(2026, 11, 11)}), SAM, 24, "2026-11-13 00:00", id="Wednesday is one"),
        pytest.param(
            cell(), off(date(2026, 11, 12), date(2026, 11, 13)), 24, "2026-11-11 00:00", id="Sam is off for two days"
        ),
        pytest.param(
            cell(), off(date(2026, 11, 14), date(2026, 11, 20)), 24, "2026-11-13 00:00", id="Sam is off afterwards"
        ),
        pytest.param(cell(), off(date(2001, 1, 1), date(2100, 1, 1)), 24, "2026-10-30 00:00", id="Sam is off for ever"),
    ],
)
def test_the_lead_is_working_time(within: Cell, responsible: Person, hours: int, lead: str) -> None:
    before, at = (
        look(planned(reporter=responsible), now, within=within, reminder_lead=timedelta(hours=hours))
        for now in (wall(lead) - MINUTE, wall(lead))
    )

    assert (before.outcome, summary(before)) == ("wait", [f"recheck SE-1 {wall(lead):%Y-%m-%d %H:%M}"])
    assert (at.outcome, summary(at)[0]) == ("act", COMMENT)


@pytest.mark.parametrize(
    ("facts", "person"),
    [
        pytest.param({"epic_owner": ELI}, ELI, id="the epic owner first"),
        pytest.param({"epic_owner": ELI, "flagged": True}, ELI, id="the epic owner before a tentative assignee"),
        pytest.param({"flagged": True}, ANN, id="the tentative assignee"),
        pytest.param({}, SAM, id="the reporter, not the assignee of an unflagged ticket"),
        pytest.param({"reporter": BOB}, BOB, id="whoever the reporter is"),
        pytest.param({"reporter": None}, SAM, id="the planning manager where nobody is responsible"),
    ],
)
def test_who_is_asked(facts: dict[str, Any], person: Person) -> None:
    comment = next(messages(look(planned(**facts))))

    assert comment.blocks[0].inlines[0] == Mention(person)  # type: ignore[union-attr]


def test_a_cell_without_planning_manager_greets_nobody_by_name() -> None:
    verdict = look(planned(reporter=None), DEADLINE, within=replace(cell(), roles={}))

    assert plain(verdict)[0].startswith("Hello, could you")
    assert summary(verdict) == [COMMENT, "digest @fay sprint-42:list", AT_FINAL]


@pytest.mark.parametrize(
    ("reporter", "told"),
    [
        pytest.param(BOB, ["@bob yours", "@sam list", "@fay list"], id="somebody else's"),
        pytest.param(SAM, ["@sam yours", "@fay list"], id="the planning manager's own"),
        pytest.param(FAY, ["@fay yours", "@sam list"], id="a firefighter's own"),
    ],
)
def test_each_ticket_is_in_one_list_a_person(reporter: Person, told: list[str]) -> None:
    verdict = look(planned(reporter=reporter), DEADLINE)
    lists = [line.removeprefix("digest ").replace("sprint-42:", "") for line in summary(verdict) if "digest" in line]

    assert lists == told


def test_a_planning_manager_on_firefighter_duty_gets_one_list() -> None:
    verdict = look(planned(reporter=BOB), DEADLINE, within=replace(cell(), roles={"sprint_planning_manager": FAY}))

    assert [line for line in summary(verdict) if "list" in line] == ["digest @fay sprint-42:list"]


def test_lists_leave_ten_minutes_later_so_that_they_gather_all_tickets() -> None:
    digests = [action for action in look(planned(), DEADLINE).actions if isinstance(action, Digest)]

    assert {digest.at for digest in digests} == {DEADLINE + timedelta(minutes=10)}


@pytest.mark.parametrize(
    ("before", "facts", "outcome", "state"),
    [
        pytest.param("missing reviewer", {"reviewer": BOB}, "act", "green", id="it becomes green"),
        pytest.param("green", {"reviewer": BOB}, "pass", None, id="it stays green"),
        pytest.param("missing reviewer", {}, "wait", None, id="the same field is still empty"),
        pytest.param(
            "missing reviewer",
            {"reviewer": ANN},
            "act",
            "missing reviewer (only the assignee)",
            id="the assignee takes the review as well",
        ),
        pytest.param(
            "missing reviewer (only the assignee)", {"reviewer": ANN}, "wait", None, id="it is still the assignee"
        ),
        pytest.param(
            "missing reviewer", {"flagged": True}, "act", "missing reviewer (tentatively Ann)", id="it is flagged"
        ),
        pytest.param(
            "missing reviewer (tentatively Ann)",
            {"flagged": True, "assignee": BOB},
            "act",
            "missing reviewer (tentatively Bob)",
            id="somebody else is tentative",
        ),
        pytest.param("missing reviewer", {"estimate": None}, "act", "missing estimate and reviewer", id="one more"),
        pytest.param("missing estimate and reviewer", {}, "act", "missing reviewer", id="one less"),
        pytest.param("missing reviewer", {"sprints": ()}, "act", "withdrawn", id="it leaves the sprint"),
        pytest.param("green", {"sprints": ()}, "pass", None, id="it leaves the sprint after it was green"),
        pytest.param("withdrawn", {"sprints": ()}, "pass", None, id="it stays outside"),
        pytest.param("missing reviewer", {"is_done": True}, "act", "withdrawn", id="it is finished as it is"),
        pytest.param("green", {"is_done": True}, "pass", None, id="it is finished after it was green"),
        pytest.param("missing reviewer", {"sprints": (RUNNING,)}, "pass", None, id="its sprint begins as it is"),
        pytest.param(
            "missing reviewer", {"sprints": (RUNNING,), "reviewer": BOB}, "act", "green", id="green after the start"
        ),
    ],
)
def test_the_comment_follows_the_ticket_and_pings_nobody(
    before: str, facts: dict[str, Any], outcome: str, state: str | None
) -> None:
    verdict = look(planned(**facts), said=said(before))
    after = said_after(verdict, FRIDAY, said(before))

    assert verdict.outcome == outcome
    assert after == (said(state, turns=1) if state else said(before))
    assert [action for action in verdict.actions if isinstance(action, Notify)] == []


@pytest.mark.parametrize(
    ("now", "actions"),
    [
        pytest.param(LEAD - MINUTE, [COMMENT, AT_LEAD], id="a minute before the lead the comment is edited"),
        pytest.param(LEAD, [COMMENT, "notify @sam sprint-42:again-3", AT_DEADLINE], id="from the lead on Sam is told"),
        pytest.param(
            DEADLINE, [COMMENT, "notify @sam sprint-42:again-3", *LISTS, AT_FINAL], id="and after the deadline"
        ),
        pytest.param(FINAL, [COMMENT, "notify @sam sprint-42:again-3"], id="and at the final check"),
    ],
)
def test_a_ticket_that_was_green_loses_a_field(now: datetime, actions: list[str]) -> None:
    assert summary(look(planned(), now, said=said("green", turns=3))) == actions


def test_what_was_said_for_the_last_sprint_is_no_answer_for_this_one() -> None:
    verdict = look(planned(), said=said("green", occasion="sprint-41"))

    assert summary(verdict) == [COMMENT, AT_DEADLINE]


def test_the_life_of_a_ticket() -> None:
    steps: list[tuple[datetime, dict[str, Any], list[str], str]] = [
        (LEAD, {"estimate": None}, [COMMENT, AT_DEADLINE], "missing estimate and reviewer"),
        (LEAD + MINUTE, {"estimate": None}, [AT_DEADLINE], "missing estimate and reviewer"),
        (FRIDAY, {}, [COMMENT, AT_DEADLINE], "missing reviewer"),
        (FRIDAY + MINUTE, {"reviewer": BOB}, ["edit_comment SE-1 sprint-42"], "green"),
        (FRIDAY + 2 * MINUTE, {}, [COMMENT, "notify @sam sprint-42:again-2", AT_DEADLINE], "missing reviewer"),
        (DEADLINE, {}, [COMMENT, *LISTS, AT_FINAL], "missing reviewer after the deadline"),
        (DEADLINE + MINUTE, {}, [AT_FINAL], "missing reviewer after the deadline"),
        (FINAL, {}, [COMMENT], "missing reviewer at the final check"),
        (FINAL + MINUTE, {}, [], "missing reviewer at the final check"),
        (START, {"reviewer": BOB}, ["edit_comment SE-1 sprint-42"], "green"),
    ]
    standing: Said | None = None

    for now, facts, actions, state in steps:
        verdict = look(planned(**facts), now, said=standing)
        standing = said_after(verdict, now, standing)
        assert summary(verdict) == actions
        assert standing is not None
        assert standing.state == state


@pytest.mark.parametrize(
    ("about", "now", "around", "text"),
    [
        pytest.param(
            planned(estimate=None, assignee=None),
            FRIDAY,
            {},
            "Sam, could you fill in the estimate, assignee and reviewer, so that this ticket is ready for SE Sprint "
            "42?\n[ ] Estimate\n[ ] Assignee\n[ ] Reviewer\n"
            "Planning needs it by the end of Friday 13 November (Europe/Paris). If the ticket can wait, moving it to "
            "Stretch Goals is fine too. This comment follows along.\n"
            "Crafty, rule green-ticket. On SE-1: “@crafty why” or “@crafty snooze 2d”.",
            id="the question",
        ),
        pytest.param(
            planned(reviewer=ANN, flagged=True),
            wall("2026-11-15 18:00"),
            {},
            "Ann, could you fill in the reviewer, so that this ticket is ready for SE Sprint 42?\n"
            "[x] Estimate\n[x] Assignee (tentatively Ann)\n"
            "[ ] Reviewer (so far only the assignee is named; a second pair of eyes is needed)\n"
            "It helps until Monday 16 November at 09:00 (Europe/Paris), the sprint's start. If the ticket can "
            "wait, moving it to Stretch Goals is fine too. This comment follows along.\n"
            "Crafty, rule green-ticket. On SE-1: “@crafty why” or “@crafty snooze 2d”.",
            id="a tentative assignee who stands as reviewer too, on the last evening",
        ),
        pytest.param(
            planned(),
            FINAL,
            {},
            "Sam, could you fill in the reviewer, so that this ticket is ready for SE Sprint 42?\n"
            "[x] Estimate\n[x] Assignee\n[ ] Reviewer\n"
            "The sprint is about to start, and it helps even now. If the ticket can wait, moving it to Stretch Goals "
            "is fine too. This comment follows along.\n"
            "Crafty, rule green-ticket. On SE-1: “@crafty why” or “@crafty snooze 2d”.",
            id="the question at the final check",
        ),
        pytest.param(
            planned(reviewer=BOB),
            FRIDAY,
            {"said": said("missing reviewer")},
            "This ticket is ready: it has an estimate, an assignee and a reviewer. Thank you!\n"
            "Crafty, rule green-ticket. On SE-1: “@crafty why” or “@crafty snooze 2d”.",
            id="the thanks",
        ),
        pytest.param(
            planned(assignee=None),
            FINAL,
            {"push_unassigned": True},
            "Sam, please assign somebody to this ticket and move it back whenever it should go ahead. It waits in "
            "Stretch Goals for now, because nobody was assigned an hour before SE Sprint 42 starts.\n"
            "Crafty, rule green-ticket. On SE-1: “@crafty why” or “@crafty snooze 2d”.",
            id="the move to Stretch Goals",
        ),
    ],
)
def test_what_stands_on_the_ticket(about: Ticket, now: datetime, around: dict[str, Any], text: str) -> None:
    assert plain(look(about, now, **around))[0] == text


REASONS = "Crafty, rule green-ticket."
LINK = "SE-1 Fix the login (https://jira.example/browse/SE-1)"
AT_NINE = "by Monday 16 November at 09:00 (Europe/Paris), when SE Sprint 42 starts?"
FILL_IN = f"could you fill in what is missing here {AT_NINE} What can wait may come later."
FIND = f"could you find somebody for these tickets {AT_NINE} Nobody is assigned."
HAND = f"could you see who might use a hand {AT_NINE} These tickets are not ready yet; their people were asked."


@pytest.mark.parametrize(
    ("about", "now", "standing", "texts"),
    [
        pytest.param(
            planned(),
            FRIDAY,
            said("green"),
            [
                (
                    f"Sam, could you look at {LINK} once more? This is empty again: reviewer. Planning needs it by the "
                    "end of Friday 13 November (Europe/Paris).\n"
                    "Crafty, rule green-ticket. On SE-1: “@crafty why” or “@crafty snooze 2d”."
                )
            ],
            id="a field is empty again",
        ),
        pytest.param(
            planned(reporter=BOB),
            DEADLINE,
            None,
            [
                f"Bob, {FILL_IN}\n[ ] {LINK}: reviewer\n{REASONS}",
                f"Sam, {HAND}\n[ ] {LINK}: reviewer\n{REASONS}",
                f"Fay, {HAND}\n[ ] {LINK}: reviewer\n{REASONS}",
            ],
            id="the lists after the deadline",
        ),
        pytest.param(
            planned(assignee=None),
            FINAL,
            None,
            [
                f"Sam, {FIND}\n[ ] {LINK}: assignee and reviewer\n{REASONS}",
            ],
            id="the list before the start",
        ),
    ],
)
def test_what_people_read_in_chat(about: Ticket, now: datetime, standing: Said | None, texts: list[str]) -> None:
    assert plain(look(about, now, said=standing))[1:] == texts


def test_a_name_with_braces_is_told_as_it_is() -> None:
    text = plain(look(planned(assignee=Person(name="Ö {who} {", jira="acc-x"), flagged=True)))[0]

    assert "[x] Assignee (tentatively Ö {who} {)" in text


def test_a_chat_message_tells_the_time_in_the_readers_zone() -> None:
    again = list(messages(look(planned(), said=said("green"))))[1]

    assert "Saturday 14 November at 04:30 (Asia/Kolkata)" in to_mattermost(again, "Asia/Kolkata").replace("\u200b", "")


def test_an_unknown_epic_owner_puts_off_the_question_and_not_the_look() -> None:
    facts = planned().known()
    del facts["epic_owner"]

    assert summary(look(Ticket(**facts), LEAD - MINUTE)) == [AT_LEAD]
    with pytest.raises(Unknown, match="epic_owner"):
        look(Ticket(**facts), LEAD)


people = st.sampled_from([None, ANN, BOB, SAM, Person(name="Ö @all {who}", jira="x")])
tickets = st.builds(
    planned,
    kind=st.sampled_from(["Story", "Epic"]),
    is_subtask=st.booleans(),
    is_done=st.booleans(),
    status=st.sampled_from(["Backlog", "Done", "In Progress", ""]),
    assignee=people,
    reporter=people,
    reviewer=people,
    core_committer=people,
    epic_owner=people,
    estimate=st.none() | st.floats(),
    flagged=st.booleans(),
    sprints=st.lists(st.sampled_from([RUNNING, NEXT, STRETCH]), unique=True).map(tuple),
    summary=st.text(),
)
moments = st.datetimes(datetime(2026, 10, 25), datetime(2026, 11, 20), timezones=st.just(UTC))  # noqa: DTZ001
sayings = st.none() | st.builds(
    said,
    st.sampled_from(["green", "pushed", "withdrawn", "missing reviewer", "missing assignee at the final check"]),
    st.sampled_from(["sprint-41", "sprint-42"]),
    st.integers(0, 9),
)
boards = st.builds(
    Sprints,
    active=st.sampled_from([None, RUNNING]),
    next=st.sampled_from([None, NEXT]),
    stretch_goals=st.sampled_from([None, STRETCH]),
)


@given(about=tickets, now=moments, standing=sayings, sprints=boards, push=st.booleans())
def test_whatever_the_fields(about: Ticket, now: datetime, standing: Said | None, sprints: Sprints, push: bool) -> None:
    around: dict[str, Any] = {"sprints": sprints, "push_unassigned": push}
    verdict = look(about, now, said=standing, **around)
    keys = [action.key("green-ticket", "SE-1") for action in verdict.actions]

    assert verdict.reason
    assert verdict.outcome != "pass" or not verdict.actions
    assert verdict == look(about, now, said=standing, **around)
    assert len(set(keys)) == len(keys)
    second = look(about, now, said=said_after(verdict, now, standing), **around)
    assert plain(second) == []


@pytest.mark.parametrize("now", [LEAD, FRIDAY, DEADLINE, FINAL])
@pytest.mark.parametrize("standing", [None, said("green"), said("missing estimate")])
@pytest.mark.parametrize("push", [True, False])
def test_a_message_is_short(now: datetime, standing: Said | None, push: bool) -> None:
    about = planned(estimate=None, assignee=None)
    texts = list(messages(look(about, now, said=standing, push_unassigned=push)))

    assert texts
    assert max(map(length, texts)) <= 60
