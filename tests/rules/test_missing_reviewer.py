"""Every line of missing-reviewer's table, each boundary from both sides, and what people read."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.actions import ASKING, Notify, SetReviewer
from service.facts import Cell, Duty, Person, Said, Sprint, Sprints, Ticket
from service.rules._base import Verdict
from service.rules.missing_reviewer import RULE
from tests.builders import (
    ANN,
    BOB,
    ELI,
    FAY,
    FINN,
    NEW,
    NEW_YORK,
    NEXT,
    PARIS,
    RUNNING,
    SAM,
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

MINUTE = timedelta(minutes=1)
FRIDAY = wall("2026-11-06 15:00")
MONDAY = wall("2026-11-09 15:00")
TUESDAY = wall("2026-11-10 15:00")

COMMENT = "comment SE-1 sprint-41"
TOLD = ["notify @fay sprint-41", "notify @finn sprint-41"]
TOLD_AGAIN = ["notify @fay sprint-41:again", "notify @finn sprint-41:again"]
ON_MONDAY = "recheck SE-1 2026-11-09 14:00"
FIREFIGHTERS = (FAY, FINN)

NOBODY = "Nobody is named yet"
BOB_IS_AWAY = "Bob is away until after the sprint"


def begun(**facts: Any) -> Ticket:
    """Ann's ticket of the running sprint, in progress since Friday at 15:00, without reviewer."""
    return ticket(**{"reviewer": None, "entered_status_at": FRIDAY, **facts})


def waiting(**facts: Any) -> Ticket:
    """The same, waiting for review since then."""
    return begun(**{"status": "Need Review", **facts})


def said(state: str, at: datetime = FRIDAY, occasion: str = "sprint-41", turns: int = 0) -> Said:
    return Said(occasion=occasion, state=state, at=at, turns=turns)


ANOTHER_ACTIVE = Sprint(id=77, name="SE Sprint 41b", state="active", board=12)
ASKED = said(f"missing reviewer, waits for review: {NOBODY}")
ASKED_AGAIN = said(f"missing reviewer, asked again: {NOBODY}", turns=1)
TAKEN = said("taken by Fay", turns=1)


def look(about: Ticket, now: datetime, **around: Any) -> Verdict:
    return verdict_of(RULE, about, now, **around)


def off(person: Person, first: date, last: date) -> Person:
    """The person with days off."""
    return msgspec.structs.replace(person, time_off=((first, last),))


def on_duty(*people: Person) -> Cell:
    """The test team's cell with these firefighters."""
    return replace(cell(), duties=(Duty("firefighter", people, 0, 13),))


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        pytest.param({"is_subtask": True}, "need no reviewer", id="a sub-task"),
        pytest.param({"status": "RECURRING"}, "need no reviewer", id="a recurring ticket, however it is written"),
        pytest.param({"sprints": ()}, "not in the cell's running sprint", id="a ticket of the backlog"),
        pytest.param({"sprints": (NEXT,)}, "not in the cell's running sprint", id="a ticket of the next sprint"),
        pytest.param({"sprints": (STRETCH,)}, "not in the cell's running sprint", id="a ticket of Stretch Goals"),
        pytest.param(
            {"sprints": (ANOTHER_ACTIVE,)}, "not in the cell's running sprint", id="a ticket of another active sprint"
        ),
        pytest.param(
            {"sprints": (Sprint(id=39, name="SE Sprint 39", state="closed"),)},
            "not in the cell's running sprint",
            id="a ticket of a closed sprint",
        ),
        pytest.param({"status": "Backlog"}, "Backlog needs no reviewer", id="work that has not begun"),
        pytest.param({"status": "External Review"}, "External Review needs", id="work that is reviewed elsewhere"),
        pytest.param({"status": "Done", "is_done": True}, "Done needs no reviewer", id="work that is done"),
        pytest.param({"reviewer": BOB}, "Bob can review it", id="a ticket with its reviewer"),
        pytest.param({"core_committer": BOB}, "Bob can review it", id="a core committer counts"),
        pytest.param({"reviewer": ANN, "core_committer": BOB}, "Bob can review it", id="one beside the assignee"),
        pytest.param({"reviewer": NEW, "core_committer": BOB}, "Nia and Bob can", id="a newcomer beside somebody"),
        pytest.param({"assignee": None, "reviewer": BOB}, "Bob can review it", id="a reviewer and no assignee"),
    ],
)
@pytest.mark.parametrize("now", [FRIDAY + MINUTE, TUESDAY])
def test_nothing_is_asked_of(facts: dict[str, Any], reason: str, now: datetime) -> None:
    verdict = look(waiting(**facts), now)

    assert verdict.outcome == "pass"
    assert reason in verdict.reason
    assert verdict.actions == ()


@pytest.mark.parametrize(
    ("facts", "shortcoming"),
    [
        pytest.param({}, NOBODY, id="nobody"),
        pytest.param({"assignee": None}, NOBODY, id="neither assignee nor reviewer"),
        pytest.param({"reviewer": ANN}, "So far only the assignee is named", id="the assignee as reviewer"),
        pytest.param({"core_committer": ANN}, "So far only the assignee is named", id="the assignee as core committer"),
        pytest.param({"reviewer": NEW}, "Nia is new here", id="a newcomer alone"),
        pytest.param({"reviewer": NEW, "core_committer": ANN}, "Nia is new here", id="a newcomer beside the assignee"),
        pytest.param(
            {"reviewer": NEW, "core_committer": off(BOB, date(2026, 11, 1), date(2026, 11, 30))},
            "Nia is new here",
            id="a newcomer beside somebody who is away",
        ),
    ],
)
def test_who_is_no_reviewer(facts: dict[str, Any], shortcoming: str) -> None:
    verdict = look(waiting(**facts), FRIDAY)

    assert verdict.outcome == "act"
    assert verdict.reason.startswith("SE-1 is in Need Review and has no reviewer who can do it")
    assert shortcoming in verdict.reason
    assert shortcoming in plain(verdict)[0]
    assert summary(verdict) == [COMMENT, *TOLD, ON_MONDAY]


@pytest.mark.parametrize(
    ("first", "last", "now", "is_away"),
    [
        pytest.param("2026-11-01", "2026-11-30", FRIDAY, True, id="away until after the sprint"),
        pytest.param("2026-11-07", "2026-11-16", wall("2026-11-06 23:59"), False, id="still there today"),
        pytest.param("2026-11-09", "2026-11-16", wall("2026-11-07 00:01"), True, id="off from Monday on, on Saturday"),
        pytest.param("2026-11-06", "2026-11-16", FRIDAY, True, id="away until the very end"),
        pytest.param("2026-11-06", "2026-11-15", FRIDAY, True, id="back only on the morning of its last hours"),
        pytest.param("2026-11-06", "2026-11-13", FRIDAY, True, id="back on its last week-end"),
        pytest.param("2026-11-06", "2026-11-12", FRIDAY, False, id="back on its last Friday"),
        pytest.param("2026-11-01", "2026-11-05", FRIDAY, False, id="back already"),
        pytest.param("2026-11-13", "2026-11-13", wall("2026-11-13 20:59"), True, id="off on its last working day"),
        pytest.param("2026-11-13", "2026-11-13", wall("2026-11-13 21:00"), True, id="with half a day left for others"),
        pytest.param("2026-11-13", "2026-11-13", wall("2026-11-13 21:01"), False, id="too late for anybody"),
    ],
)
def test_a_reviewer_who_is_away(first: str, last: str, now: datetime, is_away: bool) -> None:
    bob = off(BOB, date.fromisoformat(first), date.fromisoformat(last))
    verdict = look(waiting(reviewer=bob), now)

    assert (BOB_IS_AWAY in verdict.reason) is is_away
    assert (verdict.outcome == "pass") is not is_away


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        pytest.param("2026-11-16 11:59", "act", id="less than half a day is not enough"),
        pytest.param("2026-11-16 12:00", "pass", id="half a day is enough"),
        pytest.param("2026-11-16 12:01", "pass", id="and so is more"),
    ],
)
def test_a_reviewer_who_is_back_on_the_last_morning(end: str, outcome: str) -> None:
    running = msgspec.structs.replace(RUNNING, end=wall(end))
    about = waiting(reviewer=off(BOB, date(2026, 11, 1), date(2026, 11, 15)), sprints=(running,))

    assert look(about, FRIDAY, sprints=Sprints(active=running)).outcome == outcome


def test_two_reviewers_who_are_away() -> None:
    bob, eli = (off(one, date(2026, 11, 1), date(2026, 11, 30)) for one in (BOB, ELI))

    assert "Bob and Eli are away" in look(waiting(reviewer=bob, core_committer=eli), FRIDAY).reason


@pytest.mark.parametrize(
    ("now", "outcome", "reason", "actions"),
    [
        pytest.param(FRIDAY, "wait", "grace period", [ON_MONDAY], id="as work begins"),
        pytest.param(FRIDAY + timedelta(hours=24), "wait", "grace period", [ON_MONDAY], id="a day later, on Saturday"),
        pytest.param(MONDAY - MINUTE, "wait", "grace period", [ON_MONDAY], id="after 23 h 59 of working time"),
        pytest.param(MONDAY, "act", NOBODY, [COMMENT], id="after 24 h of working time"),
        pytest.param(MONDAY + MINUTE, "act", NOBODY, [COMMENT], id="after 24 h 01 of working time"),
    ],
)
def test_a_ticket_in_progress(now: datetime, outcome: str, reason: str, actions: list[str]) -> None:
    verdict = look(begun(), now)

    assert verdict.outcome == outcome
    assert reason in verdict.reason
    assert summary(verdict) == actions


@pytest.mark.parametrize(
    ("zone", "begin", "due"),
    [
        pytest.param(PARIS, "2026-10-23 15:00", "2026-10-26 15:00", id="Paris, October 2026"),
        pytest.param(PARIS, "2027-03-26 15:00", "2027-03-29 15:00", id="Paris, March 2027"),
        pytest.param(NEW_YORK, "2026-10-30 15:00", "2026-11-02 15:00", id="New York, November 2026"),
    ],
)
def test_a_change_of_the_clocks_on_the_weekend_moves_nothing(zone: ZoneInfo, begin: str, due: str) -> None:
    running = Sprint(id=41, name="SE Sprint 41", state="active")
    about = begun(entered_status_at=wall(begin, zone), sprints=(running,))
    around = {"sprints": Sprints(active=running), "within": cell_with(zone=zone)}

    outcomes = [look(about, wall(due, zone) + step, **around).outcome for step in (-MINUTE, timedelta(), MINUTE)]

    assert outcomes == ["wait", "act", "act"]


@pytest.mark.parametrize(
    ("within", "assignee", "hours", "due"),
    [
        pytest.param(cell(), ANN, 24, "2026-11-09 15:00", id="a working day"),
        pytest.param(cell(), ANN, 4, "2026-11-06 19:00", id="a grace of four hours"),
        pytest.param(cell(), ANN, 0, "2026-11-06 15:00", id="no grace"),
        pytest.param(cell_with(holidays={date(2026, 11, 9)}), ANN, 24, "2026-11-10 15:00", id="Monday is a holiday"),
        pytest.param(
            cell(),
            off(ANN, date(2026, 11, 9), date(2026, 11, 10)),
            24,
            "2026-11-11 15:00",
            id="Ann is off for two days",
        ),
        pytest.param(
            cell(), off(ANN, date(2026, 11, 5), date(2026, 11, 6)), 24, "2026-11-10 00:00", id="Ann is off on Friday"
        ),
        pytest.param(
            cell(), off(ANN, date(2001, 1, 1), date(2100, 1, 1)), 24, "2026-11-18 00:00", id="Ann is off for ever"
        ),
        pytest.param(cell(), None, 24, "2026-11-09 15:00", id="nobody is assigned"),
    ],
)
def test_the_grace_is_working_time(within: Cell, assignee: Person | None, hours: int, due: str) -> None:
    before, at = (
        look(begun(assignee=assignee), now, within=within, grace=timedelta(hours=hours))
        for now in (wall(due) - MINUTE, wall(due))
    )

    assert (before.outcome, summary(before)) == ("wait", [f"recheck SE-1 {wall(due):%Y-%m-%d %H:%M}"])
    assert (at.outcome, summary(at)) == ("act", [COMMENT])


@pytest.mark.parametrize(
    ("params", "now", "standing", "actions"),
    [
        pytest.param({}, FRIDAY, None, [COMMENT, *TOLD, ON_MONDAY], id="it is asked at once"),
        pytest.param({}, FRIDAY + MINUTE, ASKED, [ON_MONDAY], id="and not a minute later again"),
        pytest.param({}, MONDAY - MINUTE, ASKED, [ON_MONDAY], id="23 h 59 later it waits"),
        pytest.param({}, MONDAY, ASKED, [COMMENT, *TOLD_AGAIN], id="24 h later the firefighters are asked again"),
        pytest.param({}, MONDAY + MINUTE, ASKED, [COMMENT, *TOLD_AGAIN], id="or 24 h 01 later"),
        pytest.param({}, TUESDAY, ASKED_AGAIN, [], id="and not a third time"),
        pytest.param(
            {"assign_firefighter": True},
            MONDAY - MINUTE,
            ASKED,
            [ON_MONDAY],
            id="23 h 59 later no firefighter is assigned",
        ),
        pytest.param(
            {"assign_firefighter": True},
            MONDAY,
            ASKED,
            ["set_reviewer SE-1 sprint-41:taken-0", COMMENT, "notify @fay sprint-41:taken-0"],
            id="24 h later one is assigned",
        ),
        pytest.param(
            {"assign_firefighter": True}, TUESDAY, TAKEN, [COMMENT, *TOLD_AGAIN], id="who took their name out again"
        ),
        pytest.param(
            {"assign_firefighter": True}, TUESDAY, ASKED_AGAIN, [], id="whereupon nobody is assigned in this sprint"
        ),
        pytest.param(
            {"patience": timedelta(hours=1)}, FRIDAY + timedelta(hours=1), ASKED, [COMMENT, *TOLD_AGAIN], id="patience"
        ),
        pytest.param(
            {},
            TUESDAY,
            said(f"missing reviewer, waits for review: {NOBODY}", occasion="sprint-40"),
            [COMMENT, *TOLD, "recheck SE-1 2026-11-11 14:00"],
            id="what was asked in the last sprint is another matter",
        ),
    ],
)
def test_a_ticket_that_waits_for_review(
    params: dict[str, Any], now: datetime, standing: Said | None, actions: list[str]
) -> None:
    verdict = look(waiting(), now, said=standing, **params)

    assert summary(verdict) == actions
    assert verdict.outcome == ("act" if len(actions) > 1 else "wait")


def test_what_was_asked_in_progress_does_not_use_up_the_patience() -> None:
    long_ago = said(f"missing reviewer: {NOBODY}", at=wall("2026-11-03 09:00"))

    assert summary(look(waiting(), FRIDAY, said=long_ago)) == [COMMENT, *TOLD, ON_MONDAY]
    assert summary(look(waiting(), MONDAY, said=long_ago)) == [COMMENT, *TOLD_AGAIN]


@pytest.mark.parametrize(
    ("duty", "about", "taken", "reviewer"),
    [
        pytest.param(FIREFIGHTERS, waiting(), {}, FAY, id="the first of those who took none"),
        pytest.param(FIREFIGHTERS, waiting(), {"acc-fay": 1}, FINN, id="the one who took fewest"),
        pytest.param(FIREFIGHTERS, waiting(), {"acc-fay": 1, "acc-finn": 1}, FAY, id="the first of those who took one"),
        pytest.param(FIREFIGHTERS, waiting(assignee=FAY), {}, FINN, id="never the assignee"),
        pytest.param(
            (off(FAY, date(2026, 11, 9), date(2026, 11, 9)), FINN), waiting(), {}, FINN, id="nobody who is off today"
        ),
        pytest.param((NEW, FINN), waiting(), {}, FINN, id="no newcomer"),
        pytest.param((Person(name="Zoe"), FINN), waiting(), {}, FINN, id="nobody without a Jira account"),
        pytest.param((FAY,), waiting(assignee=FAY), {}, None, id="nobody where the assignee is alone on duty"),
        pytest.param((), waiting(), {}, None, id="nobody where nobody is on duty"),
    ],
)
def test_which_firefighter_is_assigned(
    duty: tuple[Person, ...], about: Ticket, taken: dict[str, int], reviewer: Person | None
) -> None:
    asked = {"said": ASKED, "within": on_duty(*duty), "around": {"reviews_taken": taken}}
    verdict = look(about, MONDAY, **asked, assign_firefighter=True)

    assigned = [action for action in verdict.actions if isinstance(action, SetReviewer)]

    assert [(action.person, action.sprint) for action in assigned] == ([(reviewer, 41)] if reviewer else [])
    assert COMMENT in summary(verdict)


def test_where_jira_does_not_take_the_firefighter_they_are_asked_again() -> None:
    asked = {"said": ASKED, "within": on_duty(FAY, FINN), "assign_firefighter": True}
    give = next(action for action in look(waiting(), MONDAY, **asked).actions if isinstance(action, SetReviewer))

    verdict = look(waiting(), MONDAY, **asked, around={"refused": frozenset({give.key("missing-reviewer", "SE-1")})})

    assert summary(verdict) == [COMMENT, *TOLD_AGAIN]


@pytest.mark.parametrize(
    ("now", "told"),
    [
        pytest.param("2026-10-30 10:00", FAY, id="a sprint that was started before its date has its first ones"),
        pytest.param("2026-11-08 23:59", FAY, id="the first week"),
        pytest.param("2026-11-09 00:00", FINN, id="the second week"),
        pytest.param("2026-11-16 08:00", FINN, id="the last hours have those of the last day"),
        pytest.param("2026-11-17 10:00", FINN, id="and so has a sprint that is closed late"),
    ],
)
def test_which_firefighters_are_told(now: str, told: Person) -> None:
    weeks = (Duty("firefighter", (FAY,), 0, 6), Duty("firefighter", (FINN,), 7, 13))
    verdict = look(waiting(), wall(now), within=replace(cell(), duties=weeks))

    assert [action.person for action in verdict.actions if isinstance(action, Notify)] == [told]


@pytest.mark.parametrize(
    ("before", "about", "outcome", "state"),
    [
        pytest.param(ASKED, waiting(reviewer=BOB), "act", "reviewed by Bob", id="a reviewer appears"),
        pytest.param(said("reviewed by Bob"), waiting(reviewer=BOB), "pass", None, id="and stays"),
        pytest.param(said("reviewed by Bob"), waiting(reviewer=ELI), "act", "reviewed by Eli", id="and is another one"),
        pytest.param(TAKEN, waiting(reviewer=FAY), "pass", None, id="a firefighter took it"),
        pytest.param(TAKEN, waiting(reviewer=BOB), "act", "reviewed by Bob", id="Bob relieves the firefighter"),
        pytest.param(ASKED, waiting(status="Backlog"), "act", "withdrawn", id="work stops"),
        pytest.param(ASKED, waiting(status="Done"), "act", "withdrawn", id="it is done without a review"),
        pytest.param(ASKED, waiting(status="Recurring"), "act", "withdrawn", id="it becomes a recurring one"),
        pytest.param(ASKED, waiting(sprints=(NEXT,)), "act", "withdrawn", id="it leaves the sprint"),
        pytest.param(said("reviewed by Bob"), waiting(status="Done"), "pass", None, id="it is done after its review"),
        pytest.param(said("withdrawn"), waiting(status="Done"), "pass", None, id="it stays done"),
    ],
)
def test_the_comment_follows_the_ticket_and_pings_nobody(
    before: Said, about: Ticket, outcome: str, state: str | None
) -> None:
    verdict = look(about, MONDAY, said=before)
    after = said_after(verdict, MONDAY, before)

    since = before.at if before.state.startswith(ASKING) else MONDAY
    assert verdict.outcome == outcome
    assert after == (
        msgspec.structs.replace(before, state=state, at=since, turns=before.turns + 1) if state else before
    )
    assert [action for action in verdict.actions if isinstance(action, Notify)] == []


def test_the_life_of_a_ticket() -> None:
    steps: list[tuple[datetime, Ticket, list[str]]] = [
        (FRIDAY, begun(), [ON_MONDAY]),
        (MONDAY, begun(), [COMMENT]),
        (MONDAY + MINUTE, begun(), []),
        (TUESDAY, waiting(entered_status_at=TUESDAY), [COMMENT, *TOLD, "recheck SE-1 2026-11-11 14:00"]),
        (TUESDAY + MINUTE, waiting(entered_status_at=TUESDAY), ["recheck SE-1 2026-11-11 14:00"]),
        (
            wall("2026-11-11 15:00"),
            waiting(entered_status_at=TUESDAY),
            ["set_reviewer SE-1 sprint-41:taken-1", COMMENT, "notify @fay sprint-41:taken-1"],
        ),
        (wall("2026-11-11 15:01"), waiting(entered_status_at=TUESDAY, reviewer=FAY), []),
        (
            wall("2026-11-12 10:00"),
            waiting(entered_status_at=TUESDAY, reviewer=BOB),
            ["edit_comment SE-1 sprint-41"],
        ),
        (wall("2026-11-12 10:01"), waiting(entered_status_at=TUESDAY, reviewer=BOB), []),
    ]
    standing: Said | None = None

    for now, about, actions in steps:
        verdict = look(about, now, said=standing, assign_firefighter=True)
        standing = said_after(verdict, now, standing)
        assert summary(verdict) == actions


@pytest.mark.parametrize(
    ("now", "is_named"),
    [
        pytest.param(wall("2026-11-11 23:59"), True, id="a minute before it"),
        pytest.param(wall("2026-11-12 00:00"), False, id="at the review deadline"),
        pytest.param(wall("2026-11-12 00:01"), False, id="a minute past it"),
    ],
)
def test_a_deadline_is_named_while_it_lies_ahead(now: datetime, is_named: bool) -> None:
    assert ("by the end of Wednesday 11 November" in plain(look(begun(), now))[0]) is is_named


REASONS = "Crafty, rule missing-reviewer. On SE-1: “@crafty why” or “@crafty snooze 2d”."
LINK = "SE-1 Fix the login (https://jira.example/browse/SE-1)"


@pytest.mark.parametrize(
    ("about", "now", "around", "text"),
    [
        pytest.param(
            begun(epic_owner=ELI),
            MONDAY,
            {},
            "Ann and Eli, who could review this ticket? Nobody is named yet.\nA name in the reviewer field by the end "
            "of Wednesday 11 November (Europe/Paris) is all it takes. The firefighters can help to find somebody: Fay "
            "and Finn.",
            id="in progress: assignee and epic owner",
        ),
        pytest.param(
            begun(epic_owner=ANN, reviewer=ANN),
            wall("2026-11-12 09:00"),
            {"within": on_duty()},
            "Ann, who could review this ticket? So far only the assignee is named; another "
            "pair of eyes helps.\nA name in the reviewer field is all it takes; this comment follows along. If nobody "
            "comes to mind, the team's channel may know somebody.",
            id="in progress on the tenth day: one person in both roles, and nobody on duty",
        ),
        pytest.param(
            begun(assignee=None),
            MONDAY,
            {"within": on_duty(FAY)},
            "Sam, who could review this ticket? Nobody is named yet.\nA name in the reviewer field by the end of "
            "Wednesday 11 November (Europe/Paris) is all it takes. The firefighters can help to find somebody: Fay.",
            id="in progress without an assignee: the reporter",
        ),
        pytest.param(
            begun(assignee=None, reporter=None),
            MONDAY,
            {"within": on_duty(FAY)},
            "Hello, who could review this ticket? Nobody is named yet.\nA name in the reviewer field by the end of "
            "Wednesday 11 November (Europe/Paris) is all it takes. The firefighters can help to find somebody: Fay.",
            id="in progress without anybody",
        ),
        pytest.param(
            waiting(reviewer=NEW),
            FRIDAY,
            {},
            "Ann, who could review this ticket? Nia is new here, so somebody experienced is needed as well.\nA name "
            "in the reviewer field by Monday 9 November at 15:00 (Europe/Paris) is all it takes. After that the "
            "firefighters step in: Fay and Finn.",
            id="waiting beside a newcomer",
        ),
        pytest.param(
            waiting(reviewer=off(BOB, date(2026, 11, 1), date(2026, 11, 30))),
            FRIDAY,
            {},
            "Ann, who could review this ticket? Bob is away until after the sprint.\nA name in the reviewer field by "
            "Monday 9 November at 15:00 (Europe/Paris) is all it takes. After that the firefighters step in: Fay and "
            "Finn.",
            id="waiting while the reviewer is away",
        ),
        pytest.param(
            waiting(),
            MONDAY,
            {"said": ASKED},
            "Ann, who could review this ticket? Nobody is named yet.\nA name in the reviewer field is all it takes; "
            "this comment follows along. The firefighters have been asked once more: Fay and Finn.",
            id="asked again",
        ),
        pytest.param(
            waiting(),
            MONDAY,
            {"said": ASKED, "assign_firefighter": True},
            "Fay, on firefighter duty, reviews this ticket now, since nobody else was found. Thank you!",
            id="taken",
        ),
        pytest.param(
            waiting(reviewer=BOB), MONDAY, {"said": ASKED}, "Bob reviews this ticket. Thank you!", id="one reviewer"
        ),
        pytest.param(
            waiting(reviewer=BOB, core_committer=ELI),
            MONDAY,
            {"said": ASKED},
            "Bob and Eli review this ticket. Thank you!",
            id="two reviewers",
        ),
        pytest.param(
            waiting(status="Done"),
            MONDAY,
            {"said": ASKED},
            "This ticket needs no reviewer any more. Thank you!",
            id="no reviewer is needed any more",
        ),
    ],
)
def test_what_stands_on_the_ticket(about: Ticket, now: datetime, around: dict[str, Any], text: str) -> None:
    assert plain(look(about, now, **around))[0] == f"{text}\n{REASONS}"


@pytest.mark.parametrize(
    ("now", "around", "text"),
    [
        pytest.param(
            FRIDAY,
            {},
            f"Fay, could you review {LINK}, or find somebody who can? It waits for review. Nobody is named yet.",
            id="at once",
        ),
        pytest.param(
            MONDAY,
            {"said": ASKED},
            f"Fay, could one of you review {LINK}? Nobody was found since the first question.",
            id="again",
        ),
        pytest.param(
            MONDAY,
            {"said": ASKED, "assign_firefighter": True},
            f"Fay, you are the reviewer of {LINK} now: nobody else was found, and you are on firefighter duty. Should "
            "it not suit you, put another name in its reviewer field. Thank you!",
            id="assigned",
        ),
    ],
)
def test_what_a_firefighter_reads_in_chat(now: datetime, around: dict[str, Any], text: str) -> None:
    assert plain(look(waiting(), now, **around))[1] == f"{text}\n{REASONS}"


people = st.sampled_from(
    [None, ANN, BOB, SAM, NEW, off(ELI, date(2026, 11, 5), date(2027, 1, 1)), Person(name="Ö{who}@all", jira="x")]
)
tickets = st.builds(
    begun,
    is_subtask=st.booleans(),
    status=st.sampled_from(["In Progress", "Need Review", "Recurring", "Done", "", "İn Review"]),
    assignee=people,
    reporter=people,
    reviewer=people,
    core_committer=people,
    epic_owner=people,
    sprints=st.lists(st.sampled_from([RUNNING, NEXT, STRETCH]), unique=True).map(tuple),
    summary=st.text(),
)
moments = st.datetimes(datetime(2026, 11, 1), datetime(2026, 11, 20), timezones=st.just(UTC))  # noqa: DTZ001
sayings = st.none() | st.builds(
    said,
    st.sampled_from([ASKED.state, ASKED_AGAIN.state, "taken by Fay", "reviewed by Bob", "withdrawn"]),
    occasion=st.sampled_from(["sprint-40", "sprint-41"]),
    turns=st.integers(0, 9),
)


@given(about=tickets, now=moments, standing=sayings, assign=st.booleans())
def test_whatever_the_fields(about: Ticket, now: datetime, standing: Said | None, assign: bool) -> None:
    verdict = look(about, now, said=standing, assign_firefighter=assign)
    keys = [action.key("missing-reviewer", "SE-1") for action in verdict.actions]

    assert verdict.reason
    assert verdict.outcome != "pass" or not verdict.actions
    assert verdict == look(about, now, said=standing, assign_firefighter=assign)
    assert len(set(keys)) == len(keys)
    for text in messages(verdict):
        assert length(text) <= 60 + len(about.summary.split())


@given(about=tickets, now=moments, standing=sayings)
def test_nobody_is_asked_the_same_thing_twice(about: Ticket, now: datetime, standing: Said | None) -> None:
    first = look(about, now, said=standing)
    second = look(about, now, said=said_after(first, now, standing))

    assert plain(second) == []


def test_a_reviewer_who_steps_back_leaves_the_patience_whole() -> None:
    days_ago = said("reviewed by Bob", at=FRIDAY - timedelta(days=2))
    verdict = look(waiting(reviewer=None), FRIDAY, said=days_ago, assign_firefighter=True)
    assert [action.kind for action in verdict.actions if action.kind == "set_reviewer"] == []
    assert [action.kind for action in verdict.actions][:1] == ["comment"]
