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

COMMENT = "comment SE-1 sprint-42"
AT_LEAD = "recheck SE-1 2026-11-12 23:00"
AT_DEADLINE = "recheck SE-1 2026-11-13 23:00"
AT_FINAL = "recheck SE-1 2026-11-16 07:00"
LISTS = ["digest @sam sprint-42:yours", "digest @sam sprint-42:list", "digest @fay sprint-42:list"]
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
        pytest.param(
            {"reviewer": ANN, "core_committer": BOB}, "a reviewer", id="a core committer beside the assignee"
        ),
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


UNDATED = Sprints(active=Sprint(id=41, name="SE Sprint 41", state="active"), next=NEXT, stretch_goals=STRETCH)


@pytest.mark.parametrize(
    ("zone", "lead", "deadline", "final"),
    [
        pytest.param(PARIS, "2026-10-30 00:00", "2026-10-31 00:00", "2026-11-02 08:00", id="Paris, October 2026"),
        pytest.param(PARIS, "2027-04-02 00:00", "2027-04-03 00:00", "2027-04-05 08:00", id="Paris, March 2027"),
        pytest.param(NEW_YORK, "2026-10-30 00:00", "2026-10-31 00:00", "2026-11-02 08:00", id="New York, November 2026"),
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
        pytest.param(
            cell_with(holidays={date(2026, 11, 13)}), SAM, 24, "2026-11-12 00:00", id="Friday is a holiday"
        ),
        pytest.param(cell_with(holidays={date(2026, 11, 11)}), SAM, 24, "2026-11-13 00:00", id="Wednesday is one"),
        pytest.param(
            cell(), off(date(2026, 11, 12), date(2026, 11, 13)), 24, "2026-11-11 00:00", id="Sam is off for two days"
        ),
        pytest.param(
            cell(), off(date(2026, 11, 14), date(2026, 11, 20)), 24, "2026-11-13 00:00", id="Sam is off afterwards"
        ),
        pytest.param(
            cell(), off(date(2001, 1, 1), date(2100, 1, 1)), 24, "2026-10-30 00:00", id="Sam is off for ever"
        ),
    ],
)
def test_the_lead_is_working_time(within: Cell, responsible: Person, hours: int, lead: str) -> None:
    about, around = planned(reporter=responsible), {"within": within, "reminder_lead": timedelta(hours=hours)}

    before, at = look(about, wall(lead) - MINUTE, **around), look(about, wall(lead), **around)

    assert (before.outcome, summary(before)[-1]) == EXPECTED_BEFORE.format(wall(lead))
    assert (at.outcome, summary(at)[0]) == ("act", COMMENT)
