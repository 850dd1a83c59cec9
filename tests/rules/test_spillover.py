"""Every line of spillover's table, each boundary from both sides, and what people read."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from service.actions import AddLabel, Digest, Notify, Record, RemoveLabel
from service.commitments import Commitment
from service.events import CommentPosted
from service.facts import Cell, Duty, Person, Remark, Said, Sprint, Sprints, StatusChange, Ticket, Unknown
from service.rules._base import Context, Verdict
from service.rules.spillover import RULE, Params
from service.situation import Situation
from service.texts import to_adf
from tests.builders import (
    ANN,
    BOB,
    ELI,
    FAY,
    FINN,
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

MINUTE = timedelta(minutes=1)
CRAFTY = Person(name="Crafty", jira="acc-crafty")
ZOE = Person(name="Zoe", jira="acc-zoe")

DEADLINE = wall("2026-11-12 00:00")
THURSDAY = wall("2026-11-12 10:00")
AT_DEADLINE = "recheck SE-1 2026-11-11 23:00"
FLAGGED = [
    "add_label SE-1 sprint-41:0",
    "comment SE-1 sprint-41",
    "digest @fay sprint-41:list",
    "digest @finn sprint-41:list",
]

CLOSE = wall("2026-11-16 09:00")
ANOTHER_ACTIVE = msgspec.structs.replace(RUNNING, id=77, name="SE Sprint 41b")
CLOSED = msgspec.structs.replace(RUNNING, state="closed", completed_at=CLOSE)
NOW_RUNNING = msgspec.structs.replace(NEXT, state="active", start=CLOSE, end=wall("2026-11-30 09:00"))
AFTER = Sprints(active=NOW_RUNNING, next=Sprint(id=43, name="SE Sprint 43", state="future"), stretch_goals=STRETCH)
SOON = CLOSE + timedelta(hours=1)
IN_TEN_MINUTES = "recheck SE-1 2026-11-16 09:10"
QUESTION = "comment SE-1 sprint-41:reason"
ASKED_WHY = [
    "record SE-1 sprint-41",
    "add_label SE-1 sprint-41",
    QUESTION,
]


def said(state: str, occasion: str = "sprint-41", turns: int = 0) -> Said:
    return Said(occasion=occasion, state=state, at=DEADLINE, turns=turns)


AT_RISK = said("missing review")
AT_RISK_AGAIN = said("missing review", occasion="sprint-42")
NOT_AT_RISK = said("not at risk", turns=1)
WHY = said("missing reason", occasion="sprint-41:reason")
WHY_AND_FIRST = said("missing reason, first in the next", occasion="sprint-41:reason", turns=1)
THANKED = said("reason", occasion="sprint-41:reason", turns=1)


def look(about: Ticket, now: datetime, **around: Any) -> Verdict:
    return verdict_of(RULE, about, now, **around)


def remark(author: Person | None, at: str, text: str = "", *mentions: str, number: str = "1") -> Remark:
    return Remark(id=number, at=wall(at), author=author, text=text, mentions=mentions)


def reason(author: Person | None, at: str, text: str = "It grew", number: str = "7") -> Remark:
    return remark(author, at, f"[~crafty]: <spillover>{text}</spillover>", number=number)


def off(person: Person, first: date, last: date) -> Person:
    """The person with days off."""
    return msgspec.structs.replace(person, time_off=((first, last),))


def spilled(**facts: Any) -> Ticket:
    """Ann's ticket that was in progress when sprint 41 was closed, and is in no other sprint."""
    return ticket(**{"sprints": (CLOSED,), **facts})


def line(**fields: Any) -> Commitment:
    """What the ledger says of that."""
    return msgspec.structs.replace(
        Commitment(
            ticket="SE-1",
            summary="Fix the login",
            url="https://jira.example/browse/SE-1",
            cell="Serenity",
            sprint=41,
            sprint_name="SE Sprint 41",
            closed_at=CLOSE,
            status="In Progress",
            is_spillover=True,
            assignee="Ann",
            assignee_id="ann",
            reviewers=("Bob",),
            reporter="Sam",
            story_points=3.0,
            original_estimate=8.0,
            remaining_estimate=5.0,
        ),
        **fields,
    )


GREW = {"reason": "It grew", "reason_by": "Ann", "reason_at": wall("2026-11-16 11:00")}


def account(about: Ticket, now: datetime = SOON, **around: Any) -> Verdict:
    """What the rule says once sprint 41 is closed and sprint 42 runs."""
    return look(about, now, **{"sprints": AFTER, **around})


def recorded(verdict: Verdict) -> list[Any]:
    return [action.line for action in verdict.actions if isinstance(action, Record)]


# At risk


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        pytest.param({"is_subtask": True}, "sub-tasks and epics", id="a sub-task"),
        pytest.param({"kind": "EPIC"}, "sub-tasks and epics", id="an epic, however it is written"),
        pytest.param({"sprints": ()}, "not in the cell's running sprint", id="a ticket of the backlog"),
        pytest.param({"sprints": (NEXT,)}, "not in the cell's running sprint", id="a ticket of the next sprint"),
        pytest.param({"sprints": (STRETCH,)}, "not in the cell's running sprint", id="a ticket of Stretch Goals"),
        pytest.param(
            {"sprints": (ANOTHER_ACTIVE,)}, "not in the cell's running sprint", id="a ticket of another active sprint"
        ),
        pytest.param({"status": "Need Review"}, "Need Review is no risk", id="a ticket in review"),
        pytest.param({"status": "Merged"}, "Merged is no risk", id="a ticket that is merged"),
        pytest.param({"status": "External Review"}, "External Review is no risk", id="a ticket that others review"),
        pytest.param({"status": "Recurring"}, "Recurring is no risk", id="a recurring ticket"),
        pytest.param({"status": "Done", "is_done": True}, "Done is no risk", id="a ticket that is done"),
    ],
)
def test_no_risk(facts: dict[str, Any], reason: str) -> None:
    verdict = look(ticket(**facts), THURSDAY)

    assert verdict.outcome == "pass"
    assert reason in verdict.reason
    assert verdict.actions == ()


def test_of_two_active_sprints_the_boards_running_one_counts() -> None:
    both = ticket(sprints=(ANOTHER_ACTIVE, RUNNING))

    assert summary(look(both, DEADLINE)) == FLAGGED
    assert summary(look(ticket(sprints=(RUNNING,)), DEADLINE, sprints=Sprints(next=NEXT))) == FLAGGED


@pytest.mark.parametrize("status", ["In Progress", "BACKLOG", "To Do"])
@pytest.mark.parametrize(
    ("now", "outcome", "actions"),
    [
        pytest.param(DEADLINE - MINUTE, "wait", [AT_DEADLINE], id="a minute before day 9 is over"),
        pytest.param(DEADLINE, "act", FLAGGED, id="as day 9 is over"),
        pytest.param(DEADLINE + MINUTE, "act", FLAGGED, id="a minute later"),
        pytest.param(wall("2026-11-16 10:00"), "act", FLAGGED, id="while the sprint is closed late"),
    ],
)
def test_a_ticket_that_is_not_in_review(status: str, now: datetime, outcome: str, actions: list[str]) -> None:
    verdict = look(ticket(status=status), now)

    assert verdict.outcome == outcome
    assert summary(verdict) == actions
    assert [one.label for one in verdict.actions if isinstance(one, AddLabel)] == ["spillover-risk"] * (
        outcome == "act"
    )


@pytest.mark.parametrize(
    ("zone", "start", "deadline"),
    [
        pytest.param(PARIS, "2026-10-19 09:00", "2026-10-29 00:00", id="Paris, October 2026"),
        pytest.param(PARIS, "2027-03-22 09:00", "2027-04-01 00:00", id="Paris, March 2027"),
        pytest.param(NEW_YORK, "2026-10-26 09:00", "2026-11-05 00:00", id="New York, November 2026"),
        pytest.param(NEW_YORK, "2027-03-08 09:00", "2027-03-18 00:00", id="New York, March 2027"),
    ],
)
def test_a_change_of_the_clocks_moves_no_deadline(zone: ZoneInfo, start: str, deadline: str) -> None:
    running = Sprint(id=41, name="SE Sprint 41", state="active", start=wall(start, zone))
    around = {"sprints": Sprints(active=running), "within": cell_with(zone=zone)}

    outcomes = [
        look(ticket(sprints=(running,)), wall(deadline, zone) + step, **around).outcome
        for step in (-MINUTE, timedelta(), MINUTE)
    ]

    assert outcomes == ["wait", "act", "act"]


@pytest.mark.parametrize("holidays", [frozenset(), {date(2026, 11, 11)}])
def test_a_holiday_moves_no_deadline(holidays: frozenset[date]) -> None:
    within = cell_with(holidays=holidays)

    assert [look(ticket(), DEADLINE + step, within=within).outcome for step in (-MINUTE, MINUTE)] == ["wait", "act"]


def test_an_assignee_who_is_off_is_asked_all_the_same() -> None:
    ann = off(ANN, date(2026, 11, 9), date(2026, 11, 13))

    assert summary(look(ticket(assignee=ann), DEADLINE)) == FLAGGED


@pytest.mark.parametrize(
    ("before", "facts", "actions"),
    [
        pytest.param(AT_RISK, {"labels": ("spillover-risk",)}, [], id="it is asked already"),
        pytest.param(AT_RISK, {"labels": ()}, [], id="somebody took the label away"),
        pytest.param(None, {"labels": ("spillover-risk",)}, FLAGGED[1:], id="it bears the label already"),
        pytest.param(said("missing review", "sprint-40"), {}, FLAGGED, id="it was at risk in another sprint"),
        pytest.param(
            NOT_AT_RISK, {}, ["add_label SE-1 sprint-41:2", "comment SE-1 sprint-41"], id="it comes back from review"
        ),
    ],
)
def test_nobody_is_asked_twice(before: Said | None, facts: dict[str, Any], actions: list[str]) -> None:
    verdict = look(ticket(**facts), THURSDAY, said=before)

    assert summary(verdict) == actions
    assert verdict.outcome == ("act" if actions else "wait")


UNLABELLED = "remove_label SE-1 sprint-41:1"
EDITED = "edit_comment SE-1 sprint-41"


@pytest.mark.parametrize(
    ("before", "facts", "actions"),
    [
        pytest.param(AT_RISK, {"status": "Need Review"}, [UNLABELLED, EDITED], id="it is in review"),
        pytest.param(AT_RISK, {"status": "Done"}, [UNLABELLED, EDITED], id="it is done"),
        pytest.param(AT_RISK, {"sprints": (NEXT,)}, [UNLABELLED, EDITED], id="it moved to the next sprint"),
        pytest.param(AT_RISK, {"sprints": (STRETCH,)}, [UNLABELLED, EDITED], id="it moved to Stretch Goals"),
        pytest.param(AT_RISK, {"sprints": ()}, [UNLABELLED, EDITED], id="it moved to the backlog"),
        pytest.param(AT_RISK, {"status": "Need Review", "labels": ()}, [EDITED], id="somebody took the label away"),
        pytest.param(NOT_AT_RISK, {"status": "Need Review"}, [UNLABELLED], id="the label still has to go"),
        pytest.param(NOT_AT_RISK, {"status": "Need Review", "labels": ()}, [], id="nothing is left to do"),
        pytest.param(None, {"status": "Need Review"}, ["remove_label SE-1 "], id="no comment stands"),
    ],
)
def test_a_ticket_that_moves_on(before: Said | None, facts: dict[str, Any], actions: list[str]) -> None:
    verdict = look(ticket(**{"labels": ("spillover-risk", "backend"), **facts}), THURSDAY, said=before)

    assert summary(verdict) == actions
    assert {one.label for one in verdict.actions if isinstance(one, RemoveLabel)} <= {"spillover-risk"}
    assert verdict.outcome == ("act" if actions else "pass")


def test_a_label_that_was_put_back_stays() -> None:
    about = ticket(status="Need Review", labels=("spillover-risk",))
    done = frozenset({"spillover:SE-1:sprint-41:1:remove_label:SE-1:spillover-risk"})

    assert look(about, THURSDAY, said=NOT_AT_RISK, around={"done": done}).actions == ()


def test_a_ticket_that_bears_the_label_too_early_loses_it() -> None:
    verdict = look(ticket(labels=("spillover-risk",)), DEADLINE - MINUTE)

    assert summary(verdict) == ["remove_label SE-1 ", AT_DEADLINE]


def test_the_labels_are_the_cells_own() -> None:
    names: dict[str, Any] = {"risk_label": "late", "label": "spilt"}
    labels = [
        one.label
        for verdict in (look(ticket(), DEADLINE, **names), account(spilled(), **names))
        for one in verdict.actions
        if isinstance(one, AddLabel)
    ]

    assert labels == ["late", "spilt"]


@pytest.mark.parametrize("label", ["", "two words"])
def test_a_label_that_jira_refuses_is_refused_at_the_start(label: str) -> None:
    with pytest.raises(ValidationError, match="should match"):
        Params(label=label)


# Silence

ASKED = remark(SAM, "2026-11-10 15:00", "[~acc-ann] does it work?", "acc-ann")
DUE = wall("2026-11-12 15:00")
AT_DUE = "recheck SE-1 2026-11-12 14:00"
ASK_BOB = "notify @bob sprint-41:silence-1"
ALARM = ["notify @fay sprint-41:urgent-2", "notify @finn sprint-41:urgent-2"]


def silent(*remarks: Remark, **facts: Any) -> Ticket:
    return ticket(**{"remarks": remarks, "labels": ("spillover-risk",), **facts})


@pytest.mark.parametrize(
    ("now", "actions"),
    [
        pytest.param(DUE - MINUTE, [AT_DUE], id="47 h 59 after the question"),
        pytest.param(DUE, [ASK_BOB], id="48 h after it"),
        pytest.param(DUE + MINUTE, [ASK_BOB], id="48 h 01 after it"),
    ],
)
def test_a_question_that_nobody_answers(now: datetime, actions: list[str]) -> None:
    verdict = look(silent(ASKED), now, said=AT_RISK)

    assert summary(verdict) == actions
    assert verdict.outcome == ("act" if actions == [ASK_BOB] else "wait")


def test_the_reviewers_are_asked_once() -> None:
    done = frozenset({f"spillover:SE-1:sprint-41:silence-1:notify:@{who}" for who in ("bob", "eli")})
    about = silent(ASKED, core_committer=ELI)

    assert summary(look(about, DUE, said=AT_RISK)) == [ASK_BOB, "notify @eli sprint-41:silence-1"]
    verdict = look(about, DUE, said=AT_RISK, around={"done": done})
    assert (verdict.outcome, verdict.actions) == ("wait", ())


@pytest.mark.parametrize(
    ("asked", "within", "assignee", "hours", "due"),
    [
        pytest.param("2026-11-06 19:00", cell(), ANN, 48, "2026-11-10 19:00", id="from Friday evening to Tuesday"),
        pytest.param("2026-11-06 19:00", cell(), ANN, 5, "2026-11-09 00:00", id="the rest of a Friday"),
        pytest.param(
            "2026-11-06 19:00",
            cell_with(holidays={date(2026, 11, 9)}),
            ANN,
            24,
            "2026-11-10 19:00",
            id="a Monday that is a holiday",
        ),
        pytest.param(
            "2026-11-10 15:00",
            cell(),
            off(ANN, date(2026, 11, 11), date(2026, 11, 11)),
            48,
            "2026-11-13 15:00",
            id="off",
        ),
        pytest.param("2026-11-10 15:00", cell(), ANN, 24, "2026-11-11 15:00", id="a shorter patience"),
    ],
)
def test_silence_is_working_time(asked: str, within: Cell, assignee: Person, hours: int, due: str) -> None:
    calendar = replace(within.calendar, review_deadline=replace(within.calendar.review_deadline, day=1))
    around = {"within": replace(within, calendar=calendar), "said": AT_RISK, "silence": timedelta(hours=hours)}
    about = silent(remark(SAM, asked, "", "acc-ann"), assignee=assignee)

    before, at, later = (summary(look(about, wall(due) + step, **around)) for step in (-MINUTE, timedelta(), MINUTE))

    assert before == [f"recheck SE-1 {wall(due):%Y-%m-%d %H:%M}"]
    assert at == later == [ASK_BOB]


@pytest.mark.parametrize(
    ("remarks", "facts"),
    [
        pytest.param((), {}, id="nothing was said"),
        pytest.param((remark(SAM, "2026-11-10 15:00", "Nice"),), {}, id="nobody was asked"),
        pytest.param((remark(SAM, "2026-11-10 15:00", "", "acc-bob"),), {}, id="somebody else was asked"),
        pytest.param((remark(ANN, "2026-11-10 15:00", "", "acc-ann"),), {}, id="Ann asks herself"),
        pytest.param((remark(CRAFTY, "2026-11-10 15:00", "", "acc-ann"),), {}, id="Crafty asked"),
        pytest.param((remark(None, "2026-11-10 15:00", "", "acc-ann"),), {}, id="nobody knows who asked"),
        pytest.param((ASKED, remark(ANN, "2026-11-10 15:01", "Yes", number="2")), {}, id="Ann answered"),
        pytest.param(
            (ASKED,),
            {"status_changes": (StatusChange(at=wall("2026-11-10 15:01"), by=ANN, before="Backlog", after="x"),)},
            id="Ann moved the ticket since",
        ),
        pytest.param((ASKED,), {"assignee": None}, id="it is nobody's by now"),
        pytest.param((ASKED,), {"assignee": ELI}, id="it is Eli's by now"),
        pytest.param((ASKED,), {"reviewer": None}, id="there is no reviewer to ask"),
        pytest.param((remark(SAM, "2026-11-02 08:59", "", "acc-ann"),), {}, id="it was asked in another sprint"),
    ],
)
def test_no_question_waits(remarks: tuple[Remark, ...], facts: dict[str, Any]) -> None:
    verdict = look(silent(*remarks, **facts), DUE, said=AT_RISK)

    assert (verdict.outcome, verdict.actions) == ("wait", ())


@pytest.mark.parametrize(
    ("remarks", "facts"),
    [
        pytest.param((remark(ANN, "2026-11-10 14:59"), ASKED), {}, id="Ann wrote before it"),
        pytest.param((ASKED, remark(SAM, "2026-11-11 15:00")), {}, id="somebody else wrote since"),
        pytest.param(
            (remark(BOB, "2026-11-09 15:00", "", "acc-ann", number="0"), ASKED), {}, id="it is the second one"
        ),
        pytest.param((remark(SAM, "2026-11-02 09:00", "", "acc-ann"),), {}, id="it was asked as the sprint began"),
        pytest.param(
            (ASKED,),
            {"status_changes": (StatusChange(at=wall("2026-11-11 15:00"), by=SAM, before="Backlog", after="x"),)},
            id="somebody else moved the ticket since",
        ),
        pytest.param(
            (remark(SAM, "2026-11-10 15:00", "", "ann-key"),),
            {"assignee": msgspec.structs.replace(ANN, jira_key="ann-key")},
            id="Ann was asked by the key that Data Center knows her by",
        ),
    ],
)
def test_a_question_waits(remarks: tuple[Remark, ...], facts: dict[str, Any]) -> None:
    assert summary(look(silent(*remarks, **facts), DUE, said=AT_RISK)) == [ASK_BOB]


def test_a_ticket_that_is_not_at_risk_has_no_silence() -> None:
    early = look(silent(ASKED, labels=()), DEADLINE - MINUTE, silence=timedelta(hours=1))
    in_review = look(silent(ASKED, labels=(), status="Need Review"), DUE)

    assert (summary(early), summary(in_review)) == ([AT_DEADLINE], [])


URGENT = remark(BOB, "2026-11-12 15:30", "@crafty urgent", number="2")


@pytest.mark.parametrize(
    ("remarks", "now", "actions"),
    [
        pytest.param((ASKED, URGENT), "2026-11-12 15:31", ALARM, id="the reviewer says so"),
        pytest.param(
            (ASKED, remark(BOB, "2026-11-11 15:00", "[~crafty] urgent", number="2")),
            "2026-11-11 15:01",
            [AT_DEADLINE],
            id="but not before it is at risk",
        ),
        pytest.param(
            (ASKED, remark(BOB, "2026-11-12 09:00", "[~crafty] urgent", number="2")),
            "2026-11-12 09:01",
            ALARM,
            id="before anybody asked the reviewer",
        ),
        pytest.param(
            (remark(BOB, "2026-11-12 09:00", "[~acc-ann] [~crafty] urgent", "acc-ann", number="2"),),
            "2026-11-12 09:01",
            ALARM,
            id="in the question itself",
        ),
        pytest.param(
            (ASKED, remark(SAM, "2026-11-12 15:30", "@crafty urgent", number="2")),
            "2026-11-12 15:31",
            [ASK_BOB],
            id="somebody who does not review it says so",
        ),
        pytest.param(
            (remark(BOB, "2026-11-10 14:59", "@crafty urgent", number="0"), ASKED),
            "2026-11-12 15:31",
            [ASK_BOB],
            id="the reviewer said so before the question",
        ),
        pytest.param(
            (ASKED, URGENT, remark(ANN, "2026-11-12 15:31", "Here I am", number="3")),
            "2026-11-12 15:32",
            [],
            id="Ann is there again",
        ),
        pytest.param(
            (
                ASKED,
                URGENT,
                remark(ANN, "2026-11-12 16:00", number="3"),
                remark(SAM, "2026-11-13 09:00", "", "acc-ann"),
            ),
            "2026-11-13 09:01",
            ["recheck SE-1 2026-11-17 08:00"],
            id="a new question waits anew",
        ),
    ],
)
def test_who_calls_it_urgent(remarks: tuple[Remark, ...], now: str, actions: list[str]) -> None:
    about = silent(*remarks, labels=() if actions == [AT_DEADLINE] else ("spillover-risk",))
    standing = None if actions == [AT_DEADLINE] else AT_RISK

    assert summary(look(about, wall(now), said=standing)) == actions


@pytest.mark.parametrize(
    ("remarks", "now", "actions"),
    [
        pytest.param((URGENT,), "2026-11-12 15:31", ALARM, id="nobody asked anything"),
        pytest.param(
            (remark(BOB, "2026-11-12 00:00", "@crafty urgent", number="2"),),
            "2026-11-12 15:31",
            ALARM,
            id="at the review deadline",
        ),
        pytest.param(
            (remark(BOB, "2026-11-11 23:59", "@crafty urgent", number="2"),),
            "2026-11-12 15:31",
            [],
            id="a minute before it was at risk",
        ),
        pytest.param(
            (ASKED, remark(ANN, "2026-11-12 09:00", number="0"), URGENT),
            "2026-11-12 15:31",
            ALARM,
            id="the question has its answer",
        ),
        pytest.param(
            (URGENT, remark(BOB, "2026-11-12 16:00", "@crafty urgent", number="3")),
            "2026-11-12 16:01",
            ALARM,
            id="said twice",
        ),
        pytest.param((URGENT, remark(ANN, "2026-11-12 15:31", number="3")), "2026-11-12 15:32", [], id="Ann is there"),
        pytest.param(
            (remark(SAM, "2026-11-12 15:30", "@crafty urgent", number="2"),),
            "2026-11-12 15:31",
            [],
            id="somebody who does not review it",
        ),
    ],
)
def test_the_firefighters_hear_of_an_urgent_ticket_at_risk(
    remarks: tuple[Remark, ...], now: str, actions: list[str]
) -> None:
    assert summary(look(silent(*remarks), wall(now), said=AT_RISK)) == actions


def test_the_firefighters_hear_of_it_once() -> None:
    done = frozenset({f"spillover:SE-1:sprint-41:urgent-2:notify:@{who}" for who in ("fay", "finn")})

    for assignee in (ANN, ELI):
        about = silent(ASKED, URGENT, assignee=assignee)
        assert look(about, DUE + timedelta(hours=1), said=AT_RISK, around={"done": done}).actions == ()


# The sprint was closed


@pytest.mark.parametrize(
    ("status", "is_spillover"),
    [
        pytest.param("Backlog", True, id="not begun"),
        pytest.param("in progress", True, id="in progress, however it is written"),
        pytest.param("Need Review", True, id="in review"),
        pytest.param("Merged", True, id="merged"),
        pytest.param("External Review", False, id="reviewed by others"),
        pytest.param("Long External Review", False, id="reviewed by others for long"),
        pytest.param("Recurring", False, id="recurring"),
        pytest.param("Deployed & Delivered", False, id="delivered"),
        pytest.param("Done", False, id="done"),
        pytest.param("Archived", False, id="archived"),
    ],
)
def test_every_ticket_of_the_sprint_gets_its_line(status: str, is_spillover: bool) -> None:
    verdict = account(spilled(status=status))

    assert recorded(verdict) == [line(status=status, is_spillover=is_spillover)]
    assert summary(verdict) == (
        [*ASKED_WHY, "recheck SE-1 2026-11-16 09:10"] if is_spillover else ["record SE-1 sprint-41"]
    )
    assert [one.label for one in verdict.actions if isinstance(one, AddLabel)] == ["spillover"] * is_spillover
    assert ("spilled over from" if is_spillover else "was ready in") in verdict.reason


def change(at: datetime, before: str, after: str) -> StatusChange:
    return StatusChange(at=at, by=ANN, before=before, after=after)


@pytest.mark.parametrize(
    ("changes", "at_close"),
    [
        pytest.param((), "Done", id="it never changed"),
        pytest.param((change(CLOSE - MINUTE, "In Progress", "Done"),), "Done", id="a minute before the close"),
        pytest.param((change(CLOSE, "In Progress", "Done"),), "Done", id="at the close"),
        pytest.param((change(CLOSE + MINUTE, "In Progress", "Done"),), "In Progress", id="a minute after it"),
        pytest.param(
            (change(CLOSE + MINUTE, "Merged", "Need Review"), change(SOON, "Need Review", "Done")),
            "Merged",
            id="twice after it",
        ),
        pytest.param(
            (change(CLOSE - MINUTE, "Backlog", "Merged"), change(SOON, "Merged", "Done")), "Merged", id="around it"
        ),
    ],
)
def test_the_status_at_the_close_counts(changes: tuple[StatusChange, ...], at_close: str) -> None:
    (told,) = recorded(account(spilled(status="Done", status_changes=changes)))

    assert (told.status, told.is_spillover) == (at_close, at_close != "Done")


def test_a_line_of_a_ticket_with_nobody_and_nothing() -> None:
    bare = spilled(
        assignee=None,
        reporter=None,
        reviewer=None,
        estimate=None,
        original_estimate=None,
        remaining_estimate=None,
    )
    empty = {"story_points": None, "original_estimate": None, "remaining_estimate": None}

    assert recorded(account(bare)) == [line(assignee="", assignee_id="", reviewers=(), reporter="", **empty)]


@pytest.mark.parametrize(
    ("now", "is_accounted"),
    [
        pytest.param(CLOSE - MINUTE, True, id="by a clock that is a little behind"),
        pytest.param(CLOSE, True, id="at once"),
        pytest.param(CLOSE + timedelta(days=14), True, id="14 days later"),
        pytest.param(CLOSE + timedelta(days=14, minutes=1), False, id="14 days and a minute later"),
    ],
)
def test_how_long_the_rule_looks_back(now: datetime, is_accounted: bool) -> None:
    assert bool(recorded(look(spilled(), now))) is is_accounted


def test_a_reason_counts_however_late() -> None:
    now = CLOSE + timedelta(days=40)
    about = spilled(remarks=(reason(ANN, "2026-12-20 09:00"),))

    assert recorded(look(about, now, around={"commitments": {41: line()}})) == [
        line(reason="It grew", reason_by="Ann", reason_at=wall("2026-12-20 09:00"))
    ]


@pytest.mark.parametrize(
    ("sprints", "sprint"),
    [
        pytest.param((msgspec.structs.replace(CLOSED, board=99),), None, id="a sprint of another board"),
        pytest.param((msgspec.structs.replace(CLOSED, board=None),), 41, id="a sprint of a board that is not known"),
        pytest.param((msgspec.structs.replace(CLOSED, completed_at=None),), None, id="closed nobody knows when"),
        pytest.param(
            (CLOSED, msgspec.structs.replace(CLOSED, id=40, completed_at=CLOSE - timedelta(days=14))),
            41,
            id="the later one of two, whatever their order",
        ),
        pytest.param((CLOSED, RUNNING), None, id="a sprint that was opened again"),
    ],
)
def test_which_sprint_is_accounted_for(sprints: tuple[Sprint, ...], sprint: int | None) -> None:
    verdict = account(spilled(sprints=sprints, status="Done"))

    assert [told.sprint for told in recorded(verdict)] == ([sprint] if sprint else [])


@pytest.mark.parametrize(
    ("labels", "actions"),
    [
        pytest.param((), ASKED_WHY, id="no label"),
        pytest.param(("spillover",), [ASKED_WHY[0], QUESTION], id="it spilled over before"),
        pytest.param(("spillover-risk",), [*ASKED_WHY, "remove_label SE-1 sprint-41:1"], id="it was at risk"),
    ],
)
def test_the_labels_of_a_spillover(labels: tuple[str, ...], actions: list[str]) -> None:
    verdict = account(spilled(labels=labels), CLOSE, said=AT_RISK)

    assert summary(verdict) == [*actions, "recheck SE-1 2026-11-16 08:10"]


@pytest.mark.parametrize(
    ("standing", "commitments", "outcome"),
    [
        pytest.param(WHY, {41: line()}, "wait", id="the question stands"),
        pytest.param(AT_RISK, {41: line()}, "act", id="another comment stands, which is kept true"),
        pytest.param(None, {41: line()}, "pass", id="no comment stands, and the line does"),
        pytest.param(THANKED, {41: line(**GREW)}, "pass", id="the reason is known"),
        pytest.param(None, {41: line(status="Done", is_spillover=False)}, "pass", id="it was kept"),
    ],
)
def test_the_account_is_made_once(standing: Said | None, commitments: dict[int, Commitment], outcome: str) -> None:
    verdict = account(spilled(), said=standing, around={"commitments": commitments})

    assert verdict.outcome == outcome
    assert recorded(verdict) == []
    assert QUESTION not in summary(verdict)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(reason(ANN, "2026-11-02 09:00"), id="as the sprint began"),
        pytest.param(reason(ANN, "2026-11-13 09:00"), id="before the close"),
        pytest.param(reason(ANN, "2026-11-16 09:30"), id="since"),
        pytest.param(reason(SAM, "2026-11-13 09:00"), id="by the sprint planning manager"),
        pytest.param(reason(FINN, "2026-11-13 09:00"), id="by a firefighter"),
        pytest.param(remark(ANN, "2026-11-13 09:00", "@crafty <spillover>It  grew</spillover>"), id="in other words"),
    ],
)
def test_nobody_is_asked_for_a_reason_that_stands_already(given: Remark) -> None:
    verdict = account(spilled(remarks=(given,)))
    (told,) = recorded(verdict)

    author = given.author.name if given.author else ""
    assert (told.reason, told.reason_by, told.reason_at) == ("It grew", author, given.at)
    assert [action.kind for action in verdict.actions] == ["record", "add_label"]


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(reason(ANN, "2026-11-02 08:59"), id="before the sprint"),
        pytest.param(reason(ZOE, "2026-11-13 09:00"), id="by a stranger"),
        pytest.param(reason(BOB, "2026-11-13 09:00"), id="by somebody without a role"),
        pytest.param(reason(CRAFTY, "2026-11-13 09:00"), id="by Crafty, which shows how"),
        pytest.param(reason(None, "2026-11-13 09:00"), id="by nobody"),
        pytest.param(reason(ANN, "2026-11-13 09:00", text=" "), id="empty"),
        pytest.param(remark(ANN, "2026-11-13 09:00", "<spillover>It grew</spillover>"), id="not to Crafty"),
        pytest.param(remark(ANN, "2026-11-13 09:00", "@crafty urgent"), id="something else"),
    ],
)
def test_what_is_no_reason(given: Remark) -> None:
    verdict = account(spilled(remarks=(given,)))

    assert recorded(verdict) == [line()]
    assert QUESTION in summary(verdict)


def test_the_last_reason_wins() -> None:
    remarks = (
        reason(ANN, "2026-11-13 09:00", "It was big", number="5"),
        reason(SAM, "2026-11-16 09:20", "Sam was off", number="6"),
        reason(ZOE, "2026-11-16 09:30", "No idea", number="7"),
    )

    assert [told.reason for told in recorded(account(spilled(remarks=remarks)))] == ["Sam was off"]


ANSWERED = spilled(remarks=(reason(ANN, "2026-11-16 11:00"),))
LATER = wall("2026-11-16 11:01")


@pytest.mark.parametrize(
    ("standing", "known", "about", "kinds"),
    [
        pytest.param(WHY, line(), ANSWERED, ["record", "edit_comment"], id="a reason arrives"),
        pytest.param(WHY, line(**GREW), ANSWERED, ["edit_comment"], id="the ledger has it already"),
        pytest.param(THANKED, line(**GREW), ANSWERED, [], id="and the thanks stand"),
        pytest.param(
            AT_RISK, line(), ANSWERED, ["record", "edit_comment"], id="the warning that it was at risk stands"
        ),
        pytest.param(None, line(), ANSWERED, ["record"], id="no comment stands"),
        pytest.param(
            THANKED,
            line(**GREW),
            spilled(remarks=(*ANSWERED.remarks, reason(SAM, "2026-11-17 11:00", "Sam was off", number="8"))),
            ["record"],
            id="a better one arrives",
        ),
        pytest.param(
            THANKED,
            line(**GREW),
            spilled(remarks=(reason(ANN, "2026-11-16 11:00", "It grew a lot"),)),
            ["record"],
            id="somebody mends it",
        ),
        pytest.param(THANKED, line(**GREW), spilled(), [], id="somebody deletes the remark"),
        pytest.param(
            THANKED,
            line(**GREW),
            spilled(remarks=(reason(ANN, "2026-11-13 09:00", "It is big", number="3"),)),
            [],
            id="only an older one is left",
        ),
    ],
)
def test_a_reason_completes_the_line(standing: Said | None, known: Commitment, about: Ticket, kinds: list[str]) -> None:
    now = wall("2026-11-17 11:01")
    verdict = account(about, now, said=standing, around={"commitments": {41: known}})

    assert [action.kind for action in verdict.actions if action.kind != "recheck"] == kinds
    for told in recorded(verdict):
        assert told == msgspec.structs.replace(
            known, reason=told.reason, reason_by=told.reason_by, reason_at=told.reason_at
        )
        assert told.reason != known.reason


@pytest.mark.parametrize(
    ("by", "kinds"),
    [
        pytest.param(ANN, ["record", "edit_comment"], id="whose ticket it was at the close, and who was asked"),
        pytest.param(ELI, ["record", "edit_comment"], id="whose ticket it is now"),
        pytest.param(BOB, [], id="somebody else"),
        pytest.param(ZOE, [], id="a stranger"),
    ],
)
def test_who_explains_a_ticket_that_changed_hands(by: Person, kinds: list[str]) -> None:
    about = spilled(assignee=ELI, remarks=(reason(by, "2026-11-16 11:00"),))
    verdict = account(about, LATER, said=WHY, around={"commitments": {41: line()}})

    assert [action.kind for action in verdict.actions if action.kind != "recheck"] == kinds


def test_a_line_of_nobody_known_is_explained_by_no_stranger() -> None:
    about = spilled(assignee=None, remarks=(reason(ZOE, "2026-11-16 11:00"),))
    verdict = account(about, LATER, said=WHY, around={"commitments": {41: line(assignee="", assignee_id="")}})

    assert recorded(verdict) == []


def test_the_ledger_keeps_what_it_said_of_the_close() -> None:
    known = line(status="Merged", remaining_estimate=1.0)
    (told,) = recorded(account(ANSWERED, LATER, said=WHY, around={"commitments": {41: known}}))

    assert (told.status, told.remaining_estimate, told.reason) == ("Merged", 1.0, "It grew")


def test_each_reason_is_an_action_of_its_own() -> None:
    texts = [("7", "It grew"), ("7", "It grew a lot"), ("8", "It grew")]
    verdicts = [
        account(spilled(remarks=(reason(ANN, "2026-11-16 11:00", text, number=number),)), LATER)
        for number, text in texts
    ]
    keys = {action.key("spillover", "SE-1") for one in verdicts for action in one.actions if isinstance(action, Record)}

    assert len(keys) == 3


SPILT_TWICE = msgspec.structs.replace(NOW_RUNNING, state="closed", completed_at=wall("2026-11-30 09:00"))
THIRD = Sprints(active=Sprint(id=43, name="SE Sprint 43", state="active", start=wall("2026-11-30 09:00")))


@pytest.mark.parametrize(
    ("remarks", "asked"),
    [
        pytest.param((reason(ANN, "2026-11-16 11:00"),), True, id="the reason of the sprint before explains that one"),
        pytest.param(
            (reason(ANN, "2026-11-16 11:00"), reason(ANN, "2026-11-27 11:00", "It grew again", number="9")),
            False,
            id="a new one explains the new one",
        ),
    ],
)
def test_a_ticket_that_spills_over_twice(remarks: tuple[Remark, ...], asked: bool) -> None:
    about = ticket(sprints=(CLOSED, SPILT_TWICE), remarks=remarks)
    verdict = look(about, wall("2026-11-30 10:00"), sprints=THIRD, around={"commitments": {41: line(**GREW)}})

    assert [told.sprint for told in recorded(verdict)] == [42]
    assert ("comment SE-1 sprint-42:reason" in summary(verdict)) is asked


@pytest.mark.parametrize(
    ("at", "known", "is_about_the_closed_sprint"),
    [
        pytest.param("2026-11-25 23:59", GREW, True, id="a minute before the review deadline"),
        pytest.param("2026-11-26 00:00", GREW, False, id="at the review deadline"),
        pytest.param("2026-11-26 00:01", {}, True, id="after it, where the last sprint has none yet"),
    ],
)
def test_which_sprint_a_reason_is_about(at: str, known: dict[str, Any], is_about_the_closed_sprint: bool) -> None:
    about = ticket(
        status="Need Review",
        sprints=(CLOSED, NOW_RUNNING),
        remarks=(reason(ANN, at, "It grew again", number="9"),),
    )
    verdict = account(about, wall("2026-11-27 09:00"), around={"commitments": {41: line(**known)}})

    assert bool(recorded(verdict)) is is_about_the_closed_sprint


@pytest.mark.parametrize(
    ("sprints", "standing", "known", "state"),
    [
        pytest.param((NOW_RUNNING,), WHY, line(), "missing reason, first in the next", id="the running sprint"),
        pytest.param((AFTER.next,), WHY, line(), "missing reason, first in the next", id="the next sprint"),
        pytest.param((NOW_RUNNING,), WHY_AND_FIRST, line(), None, id="and it says so already"),
        pytest.param((NOW_RUNNING,), THANKED, line(**GREW), "reason, first in the next", id="after the thanks"),
        pytest.param((STRETCH,), WHY, line(), None, id="Stretch Goals"),
        pytest.param((), WHY, line(), None, id="the backlog"),
        pytest.param((), WHY_AND_FIRST, line(), "missing reason", id="out again"),
        pytest.param((NOW_RUNNING,), AT_RISK, line(**GREW), "reason, first in the next", id="instead of the warning"),
        pytest.param((NOW_RUNNING,), AT_RISK_AGAIN, line(**GREW), "not at risk", id="not instead of a later warning"),
        pytest.param((NOW_RUNNING,), None, line(**GREW), None, id="where no comment stands"),
    ],
)
def test_a_spillover_comes_first_in_the_sprint_it_enters(
    sprints: tuple[Sprint, ...], standing: Said | None, known: Commitment, state: str | None
) -> None:
    about = spilled(sprints=(CLOSED, *sprints))
    verdict = account(about, said=standing, around={"commitments": {41: known}})
    after = said_after(verdict, SOON, standing)

    assert (after.state if after and after != standing else None) == state
    assert [action for action in verdict.actions if isinstance(action, Notify | Digest)] == []


def test_the_question_says_at_once_that_it_comes_first() -> None:
    verdict = account(spilled(sprints=(CLOSED, NOW_RUNNING)))

    assert "This ticket comes first in SE Sprint 42." in plain(verdict)[0]


def test_one_comment_at_a_time() -> None:
    about = ticket(sprints=(CLOSED, NOW_RUNNING))
    late = wall("2026-11-27 10:00")

    first = account(about, late)
    then = account(about, late, said=WHY_AND_FIRST, around={"commitments": {41: line()}})

    assert summary(first) == [*ASKED_WHY, "recheck SE-1 2026-11-27 09:10"]
    assert summary(then)[:2] == ["add_label SE-1 sprint-42:0", "comment SE-1 sprint-42"]


# Comments


def posted(text: str, about: Ticket) -> Verdict:
    event = CommentPosted(at=THURSDAY, comment="9", ticket=about, text=text)
    situation = Situation(about, SPRINTS, bot=frozenset({"acc-crafty"}))
    return RULE.check(about, Context(Params(), cell(), THURSDAY, event, situation))


@pytest.mark.parametrize(
    "text", ["Looks good", "[~crafty] why", "<spillover>It grew</spillover>", "urgent, I think", ""]
)
def test_most_comments_tell_the_rule_nothing(text: str) -> None:
    verdict = posted(text, Ticket(key="SE-1"))

    assert (verdict.outcome, verdict.reason) == ("pass", "the comment tells this rule nothing")


@pytest.mark.parametrize("text", ["@crafty urgent", "[~acc-crafty]: <spillover>It grew</spillover>"])
def test_a_comment_to_crafty_needs_a_look(text: str) -> None:
    with pytest.raises(Unknown):
        posted(text, Ticket(key="SE-1"))


def test_a_comment_to_crafty_on_a_ticket_that_is_known() -> None:
    assert summary(posted("@crafty urgent", ticket())) == FLAGGED


# Words

LINK = "SE-1 Fix the login (https://jira.example/browse/SE-1)"
ON_DUTY_NOBODY = replace(cell(), duties=())


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        pytest.param(
            look(ticket(), THURSDAY),
            "Ann, could you ask for help here, or move this ticket to SE Sprint 42 or Stretch Goals? Either is fine. "
            "Its status is In Progress; review was planned by the end of Wednesday 11 November (Europe/Paris). Fay and "
            "Finn can help.",
            id="at risk",
        ),
        pytest.param(
            look(
                ticket(assignee=None, status="Backlog"),
                THURSDAY,
                sprints=Sprints(active=RUNNING),
                within=ON_DUTY_NOBODY,
            ),
            "Sam, could you ask for help here, or move this ticket to the backlog? Either is fine. Its status is "
            "Backlog; review was planned by the end of Wednesday 11 November (Europe/Paris). The team's channel can "
            "help.",
            id="at risk with nobody assigned, nobody on duty and no other sprint",
        ),
        pytest.param(
            look(ticket(status="Need Review"), THURSDAY, said=AT_RISK),
            "This ticket is not at risk any more, so nothing is needed here. Thank you!",
            id="not at risk any more",
        ),
        pytest.param(
            account(spilled(assignee=ZOE)),
            "Zoe, could you tell in a line what kept this ticket from being ready in SE Sprint 41? Like this: "
            "“[~crafty]: <spillover>reason</spillover>”. It helps to plan the next one, and spilling over is nothing "
            "to worry about.",
            id="why it spilled over, from somebody we do not know",
        ),
        pytest.param(
            account(ANSWERED, LATER, said=WHY, around={"commitments": {41: line()}}),
            "Thank you, Ann! The reason is noted for SE Sprint 41.",
            id="the reason is given",
        ),
        pytest.param(
            account(spilled(sprints=(CLOSED, NOW_RUNNING), remarks=(reason(ANN, "2026-11-13 09:00"),)), said=AT_RISK),
            "Thank you, Ann! The reason is noted for SE Sprint 41. This ticket comes first in SE Sprint 42.",
            id="the reason was given while it was at risk",
        ),
    ],
)
def test_what_stands_on_the_ticket(verdict: Verdict, text: str) -> None:
    words, small = plain(verdict)[0].rsplit("\n", 1)

    assert words == text
    assert small.startswith("Crafty, rule spillover.")


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        pytest.param(
            look(silent(ASKED), DUE, said=AT_RISK),
            f"Bob, is {LINK} urgent? If so, write “@crafty urgent” there, and the firefighters hear of it. Ann was "
            "asked something there on Tuesday 10 November at 15:00 (Europe/Paris) and may be busy elsewhere. If it can "
            "wait, nothing is needed.",
            id="the reviewer",
        ),
        pytest.param(
            look(silent(ASKED, URGENT), THURSDAY, said=AT_RISK),
            f"Fay, could one of you help with {LINK}? Bob says that it is urgent. A question to Ann waits there "
            "since Tuesday 10 November at 15:00 (Europe/Paris).",
            id="a firefighter",
        ),
        pytest.param(
            look(silent(URGENT), THURSDAY, said=AT_RISK),
            f"Fay, could one of you help with {LINK}? Bob says that it is urgent.",
            id="a firefighter, where no question waits",
        ),
    ],
)
def test_what_people_read_in_chat(verdict: Verdict, text: str) -> None:
    assert plain(verdict)[0].rsplit("\n", 1)[0] == text


def test_the_list_of_the_firefighters() -> None:
    digests = [action for action in look(ticket(), DEADLINE).actions if isinstance(action, Digest)]

    assert {digest.at for digest in digests} == {DEADLINE + timedelta(minutes=10)}
    assert plain(look(ticket(), DEADLINE))[1] == (
        "Fay, could you see who might use a hand by Monday 16 November at 09:00 (Europe/Paris), when SE Sprint 41 "
        f"ends? These tickets are not in review yet; their people were asked.\n[ ] {LINK}: Ann, In Progress\n"
        "Crafty, rule spillover."
    )
    assert f"{LINK}: nobody, Backlog" in plain(look(ticket(assignee=None, status="Backlog"), DEADLINE))[1]


@pytest.mark.parametrize(
    ("now", "told"),
    [
        pytest.param("2026-11-12 00:00", FINN, id="of the second week"),
        pytest.param("2026-11-17 10:00", FINN, id="still, where the sprint is closed late"),
    ],
)
def test_which_firefighters_are_told(now: str, told: Person) -> None:
    weeks = replace(cell(), duties=(Duty("firefighter", (FAY,), 0, 6), Duty("firefighter", (FINN,), 7, 13)))
    verdict = look(ticket(), wall(now), within=weeks)

    assert [action.person for action in verdict.actions if isinstance(action, Digest)] == [told]


def test_the_assignee_is_notified_in_jira() -> None:
    (first, *_) = messages(look(ticket(), DEADLINE))

    assert to_adf(first)["content"][0]["content"][0] == {
        "type": "mention",
        "attrs": {"id": "acc-ann", "text": "@Ann"},
    }


# Whatever comes

people = st.sampled_from(
    [None, ANN, BOB, SAM, off(ELI, date(2026, 11, 5), date(2027, 1, 1)), Person(name="Ö{who}@all", jira="x")]
)
moments = st.datetimes(datetime(2026, 11, 1), datetime(2026, 12, 1), timezones=st.just(UTC))  # noqa: DTZ001
remarks = st.lists(
    st.builds(
        Remark,
        id=st.sampled_from(["1", "2", "3"]),
        at=moments,
        author=people | st.just(CRAFTY),
        text=st.sampled_from(["hm", "@crafty urgent", "@crafty <spillover>It {grew}</spillover>"]),
        mentions=st.sampled_from([(), ("acc-ann",), ("x",)]),
    ),
    max_size=4,
).map(lambda found: tuple(sorted(found, key=lambda one: one.at)))
statuses = st.sampled_from(["Backlog", "In Progress", "Need Review", "Merged", "Done", "Recurring", ""])
tickets = st.builds(
    ticket,
    status=statuses,
    assignee=people,
    reporter=people,
    reviewer=people,
    epic_owner=people,
    labels=st.lists(st.sampled_from(["spillover", "spillover-risk", "x"]), unique=True).map(tuple),
    sprints=st.lists(st.sampled_from([RUNNING, NEXT, STRETCH, CLOSED, NOW_RUNNING]), unique=True).map(tuple),
    summary=st.text(max_size=40),
    remarks=remarks,
    status_changes=st.lists(st.builds(change, moments, statuses, statuses), max_size=3).map(tuple),
)
sayings = st.none() | st.builds(
    said,
    st.sampled_from(["missing review", "not at risk", "missing reason", "reason", "reason, first in the next"]),
    occasion=st.sampled_from(["sprint-41", "sprint-41:reason", "sprint-42"]),
    turns=st.integers(0, 9),
)
ledgers = st.sampled_from([{}, {41: line()}, {41: line(**GREW)}, {41: line(is_spillover=False)}])


@given(about=tickets, now=moments, standing=sayings, ledger=ledgers, sprints=st.sampled_from([SPRINTS, AFTER]))
def test_whatever_the_fields(
    about: Ticket, now: datetime, standing: Said | None, ledger: dict[int, Commitment], sprints: Sprints
) -> None:
    around = {"said": standing, "sprints": sprints, "around": {"commitments": ledger}}
    verdict = look(about, now, **around)
    keys = [action.key("spillover", "SE-1") for action in verdict.actions]

    assert verdict.reason
    assert verdict.outcome != "pass" or not verdict.actions
    assert verdict == look(about, now, **around)
    assert len(set(keys)) == len(keys)
    assert sum(action.is_sticky for action in verdict.actions) <= 1
    for text in messages(verdict):
        assert length(text) <= 60 + len(about.summary.split())


@given(about=tickets, now=moments, standing=sayings, sprints=st.sampled_from([SPRINTS, AFTER]))
def test_nobody_is_told_the_same_thing_twice(
    about: Ticket, now: datetime, standing: Said | None, sprints: Sprints
) -> None:
    done: frozenset[str] = frozenset()
    ledger: dict[int, Commitment] = {}
    told: list[str] = []
    for _ in range(6):
        verdict = look(about, now, said=standing, sprints=sprints, around={"done": done, "commitments": ledger})
        told += [action.key("spillover", "SE-1") for action in verdict.actions if isinstance(action, Notify | Digest)]
        standing = said_after(verdict, now, standing)
        done |= {action.key("spillover", "SE-1") for action in verdict.actions if not action.is_sticky}
        ledger |= {one.sprint: one for one in recorded(verdict)}

    assert plain(verdict) == []
    assert recorded(verdict) == []
    assert len(set(told)) == len(told)
