"""Every line of task-insertion's table, each boundary from both sides, and what people read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.actions import Comment, MoveToBacklog, MoveToSprint, Notify, RankTop, Warn
from service.events import CommentPosted, Event, TicketChanged
from service.facts import Cell, Duty, IssueLink, Person, Remark, Said, Sprint, SprintMove, Sprints, Ticket, Unknown
from service.rules._base import Context, Verdict
from service.rules.task_insertion import RULE, Params
from service.situation import Situation
from service.texts import Mention
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
    book,
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
SECOND = timedelta(seconds=1)
DEADLINE = wall("2026-11-13 00:00")
FRIDAY = wall("2026-11-13 15:00")
START = wall("2026-11-16 09:00")
MONDAY = wall("2026-11-16 12:00")
BEFORE_THE_RUNNING_ONE = wall("2026-10-30 00:00")
CRAFTY = Person(name="Crafty", jira="acc-crafty")

CLOSED = Sprint(
    id=41, name="SE Sprint 41", state="closed", board=12, start=RUNNING.start, end=RUNNING.end, completed_at=START
)
STARTED = msgspec.structs.replace(NEXT, state="active", start=START, end=START + timedelta(days=14))
AFTER_THE_START = Sprints(
    active=STARTED, next=Sprint(id=43, name="SE Sprint 43", state="future"), stretch_goals=STRETCH
)

COMMENT = "comment SE-1 sprint-42"
EDIT = "edit_comment SE-1 sprint-42"
BACK = "move_to_sprint SE-1 sprint-42:back-0"
TELL_SAM = "notify @sam sprint-42"
ASK_SAM = "notify @sam sprint-42:confirm"
AT_START = "recheck SE-1 2026-11-16 08:00"
MOVED = "missing acceptance, moved out"
CONFIRM = "missing confirmation"


def moved(at: datetime, by: Person | None = BOB, before: tuple[int, ...] = (), to: int = 42) -> SprintMove:
    return SprintMove(at=at, by=by, before=before, after=(*before, to))


def added(at: datetime = FRIDAY, by: Person | None = BOB, **facts: Any) -> Ticket:
    """A ticket of the next sprint that Bob added on Friday; Eli reported it, and Ann owns its epic."""
    usual = {"sprints": (NEXT,), "status": "Backlog", "reporter": ELI, "creator": ELI, "epic_owner": ANN}
    return ticket(**{**usual, "sprint_moves": (moved(at, by),), **facts})


def split(at: datetime = FRIDAY, **facts: Any) -> Ticket:
    return added(at, **{"links": (IssueLink("split from", "SE-7"),), **facts})


def accepting(at: datetime = FRIDAY + MINUTE, by: Person | None = SAM, text: str = "[~acc-crafty] accept") -> Remark:
    return Remark(id="1", at=at, author=by, text=text)


def said(state: str = MOVED, occasion: str = "sprint-42") -> Said:
    return Said(occasion=occasion, state=state, at=FRIDAY)


def look(about: Ticket, now: datetime = FRIDAY + 2 * MINUTE, **around: Any) -> Verdict:
    return verdict_of(RULE, about, now, **around)


def hear(event: Event, about: Ticket, within: Cell | None = None) -> Verdict:
    """What the rule makes of an event at once, before anybody looks at the ticket itself."""
    situation = Situation(about, SPRINTS, bot=frozenset({"acc-crafty"}))
    return RULE.check(about, Context(Params(), within or cell(), event.at, event, situation))


def partly(about: Ticket, *absent: str) -> Ticket:
    return Ticket(**{name: value for name, value in about.known().items() if name not in absent})


def moving_out(joined: datetime = FRIDAY, sprint: int = 42) -> list[str]:
    occasion = f"sprint-{sprint}:joined-{joined.timestamp():.0f}"
    return [f"move_to_sprint SE-1 {occasion}", f"rank_top SE-1 {occasion}"]


def telling(sprint: int = 42) -> list[str]:
    return [f"comment SE-1 sprint-{sprint}", f"notify @sam sprint-{sprint}"]


INSERTED = [*moving_out(), *telling()]


@pytest.mark.parametrize(
    ("joined", "now", "is_late"),
    [
        pytest.param(DEADLINE - MINUTE, FRIDAY, False, id="a minute before the deadline"),
        pytest.param(DEADLINE, FRIDAY, False, id="at the deadline"),
        pytest.param(DEADLINE + SECOND, FRIDAY, True, id="a second after it"),
        pytest.param(DEADLINE + MINUTE, FRIDAY, True, id="a minute after it"),
        pytest.param(wall("2026-11-13 23:30"), wall("2026-11-16 08:59"), True, id="Friday evening, seen on Monday"),
        pytest.param(wall("2026-11-15 23:00"), wall("2026-11-15 23:01"), True, id="on Sunday"),
    ],
)
def test_the_next_sprint_takes_additions_until_thursday_is_over(joined: datetime, now: datetime, is_late: bool) -> None:
    verdict = look(added(joined), now)

    assert summary(verdict) == ([*moving_out(joined), *telling()] if is_late else [])
    assert verdict.outcome == ("act" if is_late else "pass")


def test_a_reason_names_the_moment_that_it_joined_at() -> None:
    early, late = look(added(DEADLINE - MINUTE)).reason, look(added()).reason

    assert early == "it joined SE Sprint 42 in time: Thursday 12 November at 23:59 (Europe/Paris)"
    assert late.startswith(
        "it joined SE Sprint 42 too late: Friday 13 November at 15:00 (Europe/Paris); additions were "
    )


@pytest.mark.parametrize(
    ("joined", "now", "is_late"),
    [
        pytest.param(BEFORE_THE_RUNNING_ONE - MINUTE, wall("2026-11-02 10:00"), False, id="a minute before"),
        pytest.param(BEFORE_THE_RUNNING_ONE, wall("2026-11-02 10:00"), False, id="at the deadline before it started"),
        pytest.param(
            BEFORE_THE_RUNNING_ONE + MINUTE, wall("2026-11-02 10:00"), True, id="a minute after that deadline"
        ),
        pytest.param(wall("2026-11-02 08:59"), wall("2026-11-02 10:00"), True, id="a minute before its start"),
        pytest.param(wall("2026-11-02 09:00"), wall("2026-11-02 10:00"), True, id="as it starts"),
        pytest.param(wall("2026-11-10 11:00"), wall("2026-11-10 12:00"), True, id="in the middle of it"),
    ],
)
def test_the_running_sprint_takes_nothing_since_the_deadline_before_it(
    joined: datetime, now: datetime, is_late: bool
) -> None:
    about = added(sprints=(RUNNING,), sprint_moves=(moved(joined, to=41),))

    assert summary(look(about, now)) == ([*moving_out(joined, 41), *telling(41)] if is_late else [])


CHANGES = [
    pytest.param(PARIS, "2026-10-19 09:00", "2026-10-30 00:00", id="Paris, when summer time ends"),
    pytest.param(PARIS, "2026-03-23 09:00", "2026-04-03 00:00", id="Paris, when summer time begins"),
    pytest.param(NEW_YORK, "2026-10-26 09:00", "2026-11-06 00:00", id="New York, when summer time ends"),
    pytest.param(NEW_YORK, "2026-03-02 09:00", "2026-03-13 00:00", id="New York, when summer time begins"),
]


@pytest.mark.parametrize(("zone", "start", "deadline"), CHANGES)
@pytest.mark.parametrize(("late_by", "outcome"), [(-MINUTE, "pass"), (timedelta(), "pass"), (MINUTE, "act")])
@pytest.mark.parametrize("is_running", [False, True], ids=["the next sprint", "the running one"])
def test_a_change_of_the_clocks_moves_no_deadline(
    zone: ZoneInfo, start: str, deadline: str, late_by: timedelta, outcome: str, is_running: bool
) -> None:
    local = datetime.fromisoformat(start)
    joined = wall(deadline, zone) + late_by
    begun = wall(start, zone) if not is_running else wall(f"{local + timedelta(days=14)}", zone)
    active = Sprint(id=42 if is_running else 41, name="Now", state="active", start=begun)
    sprints = Sprints(active=active, next=None if is_running else NEXT, stretch_goals=STRETCH)
    about = added(joined, sprints=(active if is_running else NEXT,))

    verdict = look(about, max(joined, begun), within=cell_with(zone=zone, anchor=local), sprints=sprints)

    assert verdict.outcome == outcome


@pytest.mark.parametrize(
    ("started", "joined", "outcome"),
    [
        pytest.param("2026-11-15 22:00", "2026-11-12 16:00", "pass", id="on the evening before: Thursday was in time"),
        pytest.param("2026-11-15 22:00", "2026-11-13 00:01", "act", id="on the evening before: Friday was not"),
        pytest.param("2026-11-17 09:00", "2026-11-13 23:59", "pass", id="a day late: counted from its start"),
        pytest.param("2026-11-17 09:00", "2026-11-14 00:01", "act", id="a day late, and too late for that as well"),
        pytest.param("2026-11-11 09:00", "2026-11-11 08:59", "pass", id="before the planned deadline: all in time"),
        pytest.param("2026-11-11 09:00", "2026-11-11 09:01", "act", id="before the planned deadline, after the start"),
    ],
)
def test_what_was_in_time_stays_so_when_a_sprint_starts_early_or_late(started: str, joined: str, outcome: str) -> None:
    active = msgspec.structs.replace(STARTED, start=wall(started), end=None)
    now = max(wall(started), wall(joined)) + MINUTE
    verdict = look(added(wall(joined), sprints=(active,)), now, sprints=Sprints(active=active, next=None))

    assert verdict.outcome == outcome


@pytest.mark.parametrize(
    ("created", "outcome"),
    [
        pytest.param(DEADLINE - MINUTE, "pass", id="a minute before the deadline"),
        pytest.param(DEADLINE + MINUTE, "act", id="a minute after it"),
    ],
)
def test_a_ticket_that_is_created_in_the_sprint_joins_it_then(created: datetime, outcome: str) -> None:
    assert look(added(sprint_moves=(), created_at=created)).outcome == outcome


def test_whoever_creates_a_ticket_in_the_sprint_adds_it() -> None:
    verdict = look(added(sprint_moves=(), created_at=FRIDAY, creator=SAM))

    assert verdict.outcome == "pass"
    assert verdict.reason == "Sam, the sprint planning manager, added it"


@pytest.mark.parametrize(
    ("moves", "outcome"),
    [
        pytest.param([moved(DEADLINE - MINUTE), moved(FRIDAY, to=40)], "pass", id="another sprint later"),
        pytest.param([moved(DEADLINE - MINUTE), moved(FRIDAY)], "act", id="in time, and again after it had left"),
        pytest.param([moved(DEADLINE + MINUTE, by=SAM), moved(FRIDAY)], "act", id="the manager first, Bob again"),
        pytest.param(
            [moved(DEADLINE - MINUTE), SprintMove(at=FRIDAY, before=(42,), after=(42, 40))],
            "pass",
            id="one more beside",
        ),
    ],
)
def test_the_latest_move_into_the_sprint_counts(moves: list[SprintMove], outcome: str) -> None:
    assert look(added(sprint_moves=tuple(moves))).outcome == outcome


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        pytest.param({"is_subtask": True}, "sub-tasks and epics", id="a sub-task"),
        pytest.param({"kind": "Epic"}, "sub-tasks and epics", id="an epic"),
        pytest.param({"is_done": True, "status": "Erledigt"}, "finished (Erledigt)", id="a ticket in a done category"),
        pytest.param({"status": "ARCHIVED"}, "finished (ARCHIVED)", id="an archived ticket, however it is written"),
        pytest.param({"sprints": ()}, "neither the next nor", id="a ticket of the backlog"),
        pytest.param({"sprints": (STRETCH,)}, "neither the next nor", id="a ticket of Stretch Goals"),
        pytest.param({"sprints": (CLOSED,)}, "in time", id="a ticket whose sprint the board has as running still"),
        pytest.param({"labels": ("injection-accepted",)}, "it is accepted for SE Sprint 42", id="an accepted one"),
        pytest.param({"labels": ("x", "Injection-Accepted")}, "it is accepted", id="however the label is written"),
    ],
)
def test_nothing_happens_to(facts: dict[str, Any], reason: str) -> None:
    verdict = look(added(**facts))

    assert verdict.outcome == "pass"
    assert reason in verdict.reason
    assert verdict.actions == ()


CLOSED_BEFORE = msgspec.structs.replace(CLOSED, id=39, completed_at=FRIDAY - timedelta(days=1))


@pytest.mark.parametrize(
    ("from_", "is_insertion"),
    [
        pytest.param(RUNNING, False, id="it runs"),
        pytest.param(CLOSED_BEFORE, False, id="it was completed a day before"),
        pytest.param(
            msgspec.structs.replace(CLOSED_BEFORE, completed_at=FRIDAY - timedelta(days=1, minutes=1)),
            True,
            id="it was completed a minute earlier than that",
        ),
        pytest.param(
            msgspec.structs.replace(CLOSED_BEFORE, completed_at=FRIDAY + timedelta(days=3)),
            False,
            id="it ran then, and is completed by now",
        ),
        pytest.param(
            msgspec.structs.replace(CLOSED_BEFORE, completed_at=None, end=FRIDAY),
            False,
            id="only its planned end is known",
        ),
        pytest.param(
            msgspec.structs.replace(CLOSED_BEFORE, completed_at=None, end=None),
            True,
            id="nobody knows when it was closed",
        ),
        pytest.param(msgspec.structs.replace(CLOSED_BEFORE, board=13), True, id="it is another board's"),
        pytest.param(msgspec.structs.replace(CLOSED_BEFORE, board=None), False, id="nobody knows whose it is"),
        pytest.param(STRETCH, True, id="it is Stretch Goals"),
    ],
)
def test_what_comes_from_the_sprint_that_is_closing_is_a_spillover(from_: Sprint, is_insertion: bool) -> None:
    verdict = look(added(sprints=(from_, NEXT), sprint_moves=(moved(FRIDAY, before=(from_.id,)),)))

    assert summary(verdict) == (INSERTED if is_insertion else [])
    assert ("a spillover, not an insertion" in verdict.reason) is not is_insertion


def test_what_jira_carries_over_when_a_sprint_is_completed_stays_in_the_one_that_starts() -> None:
    about = added(sprints=(CLOSED, STARTED), sprint_moves=(moved(START, SAM, before=(41,)),), creator=BOB)
    verdict = look(about, MONDAY, sprints=AFTER_THE_START, within=replace(cell(), roles={}))

    assert (verdict.outcome, summary(verdict)) == ("pass", [])
    assert "a spillover" in verdict.reason


@pytest.mark.parametrize(
    ("joined", "before", "board", "is_insertion"),
    [
        pytest.param(FRIDAY, 41, SPRINTS, False, id="while that still runs"),
        pytest.param(FRIDAY, 41, Sprints(next=NEXT, stretch_goals=STRETCH), False, id="that is completed since"),
        pytest.param(FRIDAY, 41, AFTER_THE_START, False, id="that is completed since, and the next one has started"),
        pytest.param(START + MINUTE, 41, AFTER_THE_START, True, id="unknown to the one that runs"),
        pytest.param(FRIDAY, 43, AFTER_THE_START, True, id="that comes later"),
        pytest.param(FRIDAY, 44, SPRINTS, True, id="that nobody knows, while another runs"),
        pytest.param(FRIDAY, 40, AFTER_THE_START, True, id="that is Stretch Goals"),
    ],
)
def test_a_ticket_that_people_took_out_of_a_sprint_does_not_show_that_any_more(
    joined: datetime, before: int, board: Sprints, is_insertion: bool
) -> None:
    inside = STARTED if board is AFTER_THE_START else NEXT
    about = added(sprints=(inside,), sprint_moves=(SprintMove(at=joined, by=BOB, before=(before,), after=(42,)),))

    assert summary(look(about, max(joined, FRIDAY) + MINUTE, sprints=board)) == (
        [*moving_out(joined), *telling()] if is_insertion else []
    )


def test_an_earlier_sprint_that_a_ticket_was_in_once_carries_nothing_over() -> None:
    once = Sprint(id=39, name="SE Sprint 39", state="closed", board=12, completed_at=wall("2026-10-19 09:00"))
    verdict = look(added(sprints=(once, NEXT), sprint_moves=(moved(FRIDAY, before=(39,)),)))

    assert summary(verdict) == INSERTED


URGENT = {"labels": ("Emergency",)}
BY_WEEKS = replace(cell(), duties=(Duty("firefighter", (FAY,), 0, 6), Duty("firefighter", (FINN,), 7, 13)))


@pytest.mark.parametrize(
    ("by", "facts", "reason"),
    [
        pytest.param(SAM, {}, "Sam, the sprint planning manager, added it", id="the planning manager"),
        pytest.param(CRAFTY, {}, "Crafty itself added it", id="Crafty"),
        pytest.param(FINN, URGENT, "Finn added it in an emergency", id="the firefighter, by the label"),
        pytest.param(FINN, {"kind": "EMERGENCY"}, "Finn added it in an emergency", id="the firefighter, by the type"),
        pytest.param(FINN, {}, None, id="the firefighter, without an emergency"),
        pytest.param(FAY, URGENT, None, id="a firefighter who is not on duty"),
        pytest.param(BOB, URGENT, None, id="somebody else in an emergency"),
        pytest.param(Person(name="Sam", jira="acc-x"), {}, None, id="a stranger of the same name"),
        pytest.param(None, URGENT, None, id="nobody knows who"),
    ],
)
def test_who_may_add_a_ticket_at_any_time(by: Person | None, facts: dict[str, Any], reason: str | None) -> None:
    verdict = look(added(by=by, **facts), within=BY_WEEKS)

    assert summary(verdict) == ([] if reason else INSERTED)
    assert reason is None or verdict.reason.startswith(reason)


@pytest.mark.parametrize(
    ("by", "joined", "now", "outcome"),
    [
        pytest.param(FINN, "2026-11-15 23:59", "2026-11-16 12:00", "pass", id="Finn, on the sprint's last Sunday"),
        pytest.param(FAY, "2026-11-15 23:59", "2026-11-16 12:00", "act", id="Fay, before her week"),
        pytest.param(FAY, "2026-11-16 09:30", "2026-11-16 12:00", "pass", id="Fay, in her week"),
        pytest.param(FINN, "2026-11-16 09:30", "2026-11-16 12:00", "act", id="Finn, after his week"),
        pytest.param(FAY, "2026-11-22 23:59", "2026-11-23 09:00", "pass", id="Fay on Sunday, seen on Monday"),
        pytest.param(FINN, "2026-11-22 23:59", "2026-11-23 09:00", "act", id="Finn on Sunday, seen on his Monday"),
    ],
)
def test_a_firefighter_was_on_duty_when_the_ticket_joined(by: Person, joined: str, now: str, outcome: str) -> None:
    about = added(wall(joined), by, sprints=(STARTED,), **URGENT)

    assert look(about, wall(now), sprints=AFTER_THE_START, within=BY_WEEKS).outcome == outcome


@pytest.mark.parametrize(
    ("now", "standing", "outcome"),
    [
        pytest.param("2026-11-18 14:59", None, "act", id="a minute before three working days are over"),
        pytest.param("2026-11-18 15:00", None, "act", id="as they are over"),
        pytest.param("2026-11-18 15:01", None, "pass", id="a minute after"),
        pytest.param("2026-11-18 15:01", said("withdrawn"), "act", id="a minute after, when it was seen before"),
        pytest.param("2026-11-18 15:01", said(occasion="sprint-40"), "act", id="seen before for another sprint"),
    ],
)
def test_what_joined_long_ago_is_let_be(now: str, standing: Said | None, outcome: str) -> None:
    verdict = look(added(sprints=(STARTED,)), wall(now), said=standing, sprints=AFTER_THE_START)

    assert verdict.outcome == outcome


def test_an_insertion_moves_to_the_top_of_stretch_goals_and_people_learn_of_it_afterwards() -> None:
    move, rank, comment, chat = look(added()).actions

    assert isinstance(move, MoveToSprint)
    assert (move.sprint, move.name) == (STRETCH.id, "Stretch Goals")
    assert isinstance(rank, RankTop)
    assert rank.sprint == STRETCH.id
    assert isinstance(comment, Comment)
    assert comment.state == MOVED
    assert isinstance(chat, Notify)
    assert {rank.after, comment.after, chat.after} == {move.key("task-insertion", "SE-1")}


def test_without_stretch_goals_an_insertion_moves_to_the_backlog_and_admins_are_told() -> None:
    move, warning, comment, chat = look(added(), sprints=Sprints(active=RUNNING, next=NEXT)).actions

    assert isinstance(move, MoveToBacklog)
    assert isinstance(warning, Warn)
    assert warning.about == "Serenity"
    assert warning.text.startswith("Serenity has no sprint named “Stretch Goals” on its board")
    assert isinstance(comment, Comment)
    assert isinstance(chat, Notify)
    assert {comment.after, chat.after} == {move.key("task-insertion", "SE-1")}


@pytest.mark.parametrize(
    ("facts", "people"),
    [
        pytest.param({}, [ELI, ANN], id="the reporter and the epic owner"),
        pytest.param({"epic_owner": None}, [ELI], id="the reporter alone"),
        pytest.param({"reporter": None}, [ANN], id="the epic owner alone"),
        pytest.param({"reporter": ANN}, [ANN], id="one person who is both"),
        pytest.param({"reporter": None, "epic_owner": None}, [], id="nobody"),
    ],
)
def test_who_is_told_on_the_ticket(facts: dict[str, Any], people: list[Person]) -> None:
    comment = next(messages(look(added(**facts))))

    assert [one.person for one in comment.blocks[0].inlines if isinstance(one, Mention)] == people  # type: ignore[union-attr]
    assert people or plain(look(added(**facts)))[0].startswith("Hello, if this ticket")


@pytest.mark.parametrize(
    ("facts", "other"),
    [
        pytest.param({"links": (IssueLink("split from", "SE-7"),)}, "SE-7", id="a link: split from"),
        pytest.param({"links": (IssueLink("Replaces", "SE-7"),)}, "SE-7", id="a link, however it is written"),
        pytest.param({"links": (IssueLink("split to", "SE-7"),)}, None, id="a link the other way round"),
        pytest.param({"links": (IssueLink("is replaced by", "SE-7"),)}, None, id="a link: replaced by the other"),
        pytest.param({"links": (IssueLink("clones", "SE-7"),)}, None, id="a clone is no replacement"),
        pytest.param({"links": (IssueLink("relates to", "SE-7"),)}, None, id="a link of another kind"),
        pytest.param({"links": (IssueLink("replaces", "OPS-7"),)}, None, id="a ticket of nobody here"),
        pytest.param(
            {"links": (IssueLink("blocks", "SE-5"), IssueLink("replaces", "SE-7"))}, "SE-7", id="the second link"
        ),
        pytest.param({"description": "This replaces SE-7."}, "SE-7", id="the description: replaces"),
        pytest.param({"description": "Split off from SE-7, see there"}, "SE-7", id="the description: split off"),
        pytest.param({"description": "A replacement\nfor SE-7"}, None, id="another line names the ticket"),
        pytest.param({"description": "We replace the lamp. See SE-7."}, None, id="another sentence names the ticket"),
        pytest.param({"description": "Follows SE-7."}, None, id="no word of replacing"),
        pytest.param({"description": "This replaces OPS-7 and SE-8."}, "SE-8", id="the first key of this cell"),
        pytest.param({"description": "SE-1 replaces something"}, None, id="only its own key"),
        pytest.param({"description": "SE-1 splits SE-12"}, "SE-12", id="a key that begins like its own"),
        pytest.param({"description": "It replaces ASE-7X and se-7"}, None, id="no keys of this cell"),
    ],
)
def test_what_replaces_or_splits_a_ticket_stays_until_it_is_confirmed(facts: dict[str, Any], other: str | None) -> None:
    verdict = look(added(**facts))

    assert summary(verdict) == ([COMMENT, ASK_SAM, AT_START] if other else INSERTED)
    assert other is None or all(f"replaces or splits {other};" in text for text in plain(verdict))


@pytest.mark.parametrize(
    ("now", "sprints", "about", "actions"),
    [
        pytest.param(START - MINUTE, SPRINTS, split(), [AT_START], id="a minute before the sprint starts"),
        pytest.param(START, SPRINTS, split(), [*INSERTED], id="as it should start"),
        pytest.param(START, AFTER_THE_START, split(sprints=(STARTED,)), [*INSERTED], id="as it starts"),
    ],
)
def test_what_nobody_confirmed_moves_out_when_the_sprint_starts(
    now: datetime, sprints: Sprints, about: Ticket, actions: list[str]
) -> None:
    verdict = look(about, now, said=said(CONFIRM), sprints=sprints)

    assert [
        line for line in summary(verdict) if line not in {"notify @eli sprint-42", "notify @ann sprint-42"}
    ] == actions


@pytest.mark.parametrize(
    ("joined", "until"),
    [
        pytest.param("2026-11-17 15:00", "2026-11-18 15:00", id="on a Tuesday"),
        pytest.param("2026-11-20 15:00", "2026-11-23 15:00", id="from Friday to Monday"),
        pytest.param("2026-11-16 09:00", "2026-11-17 09:00", id="as the sprint starts"),
    ],
)
def test_a_split_in_a_running_sprint_waits_a_working_day_for_its_confirmation(joined: str, until: str) -> None:
    about = split(wall(joined), sprints=(STARTED,))
    at_once, before, then = (
        look(about, now, said=standing, sprints=AFTER_THE_START)
        for now, standing in [
            (wall(joined), None),
            (wall(until) - MINUTE, said(CONFIRM)),
            (wall(until), said(CONFIRM)),
        ]
    )
    again = f"recheck SE-1 {wall(until):%Y-%m-%d %H:%M}"

    assert summary(at_once) == [COMMENT, ASK_SAM, again]
    assert summary(before) == [again]
    assert summary(then)[:2] == moving_out(wall(joined))
    assert "nobody confirmed that it replaces SE-7" in then.reason


BETWEEN = Sprints(next=NEXT, stretch_goals=STRETCH)


@pytest.mark.parametrize(
    ("now", "about", "standing", "actions"),
    [
        pytest.param(START - MINUTE, split(), CONFIRM, [AT_START], id="a question, a minute before the start"),
        pytest.param(START, split(), CONFIRM, INSERTED, id="a question, as it should start"),
        pytest.param(START + MINUTE, added(), MOVED, [*moving_out(), TELL_SAM], id="what was moved out is in again"),
        pytest.param(
            START + MINUTE, split(labels=("injection-accepted",)), CONFIRM, [EDIT], id="an acceptance is heard"
        ),
        pytest.param(
            START + MINUTE, added(START - MINUTE), None, [], id="what is new is looked at once the next one runs"
        ),
        pytest.param(START + timedelta(days=7), added(), MOVED, [EDIT], id="half a sprint later it is early again"),
    ],
)
def test_between_two_sprints_what_joined_too_late_stays_so(
    now: datetime, about: Ticket, standing: str | None, actions: list[str]
) -> None:
    verdict = look(about, now, said=said(standing) if standing else None, sprints=BETWEEN)

    assert [line for line in summary(verdict) if line not in {"notify @eli sprint-42", "notify @ann sprint-42"}] == (
        actions
    )


def test_an_edit_pings_nobody_so_people_are_told_in_chat_when_an_unconfirmed_ticket_moves() -> None:
    verdict = look(split(), START, said=said(CONFIRM))

    assert summary(verdict) == [*INSERTED, "notify @eli sprint-42", "notify @ann sprint-42"]
    assert summary(look(split(reporter=SAM), START, said=said(CONFIRM))) == [*INSERTED, "notify @ann sprint-42"]


@pytest.mark.parametrize(
    ("facts", "is_accepted"),
    [
        pytest.param({"labels": ("injection-accepted",)}, True, id="by the label"),
        pytest.param({"remarks": (accepting(),)}, True, id="by a word of the planning manager"),
        pytest.param(
            {"remarks": (accepting(text="fine by me, @crafty accept"),)}, True, id="in the middle of a comment"
        ),
        pytest.param({"remarks": (accepting(FRIDAY),)}, True, id="as it joins"),
        pytest.param({"remarks": (accepting(FRIDAY - MINUTE),)}, False, id="a minute before it joined"),
        pytest.param({"remarks": (accepting(by=BOB),)}, False, id="by somebody else"),
        pytest.param({"remarks": (accepting(by=None),)}, False, id="by nobody who is known"),
        pytest.param({"remarks": (accepting(by=CRAFTY),)}, False, id="in Crafty's own words"),
        pytest.param({"remarks": (accepting(text="accept"),)}, False, id="a word to nobody"),
        pytest.param({"remarks": (accepting(text="[~acc-crafty] why"),)}, False, id="another word"),
    ],
)
def test_who_accepts_a_ticket(facts: dict[str, Any], is_accepted: bool) -> None:
    confirmed = look(split(**facts), said=said(CONFIRM))
    waiting = look(added(sprints=(STRETCH,), **facts), said=said())

    assert summary(confirmed) == ([EDIT] if is_accepted else [AT_START])
    assert summary(waiting) == ([BACK, EDIT] if is_accepted else [])
    assert is_accepted or waiting.reason == "it waits in Stretch Goals for its acceptance into SE Sprint 42"


def test_an_accepted_ticket_moves_back_first_and_then_the_comment_says_thanks() -> None:
    verdict = look(added(sprints=(STRETCH,), remarks=(accepting(),)), said=said())
    back, thanks = verdict.actions

    assert isinstance(back, MoveToSprint)
    assert (back.sprint, back.name) == (42, "SE Sprint 42")
    assert thanks.after == back.key("task-insertion", "SE-1")
    assert said_after(verdict, FRIDAY, said()) == Said(occasion="sprint-42", state="accepted", at=FRIDAY, turns=1)


@pytest.mark.parametrize(
    ("sprints", "board", "standing", "actions"),
    [
        pytest.param((STRETCH,), AFTER_THE_START, said(), [BACK, EDIT], id="its sprint has started by now"),
        pytest.param((), SPRINTS, said(), [BACK, EDIT], id="it is in the backlog"),
        pytest.param((CLOSED_BEFORE, STRETCH), SPRINTS, said(), [BACK, EDIT], id="it was in an earlier sprint too"),
        pytest.param((STRETCH,), SPRINTS, said(occasion="sprint-39"), ["edit_comment SE-1 sprint-39"], id="it is over"),
        pytest.param((STRETCH,), SPRINTS, said("accepted"), [], id="somebody took it out after it was accepted"),
        pytest.param((STRETCH,), SPRINTS, said(CONFIRM), [EDIT], id="somebody moved it there before it was confirmed"),
        pytest.param((STRETCH,), SPRINTS, None, [], id="somebody put it there"),
        pytest.param(
            (Sprint(id=43, name="SE Sprint 43", state="future"),), SPRINTS, said(), [EDIT], id="it has another sprint"
        ),
    ],
)
def test_where_an_accepted_ticket_goes(
    sprints: tuple[Sprint, ...], board: Sprints, standing: Said | None, actions: list[str]
) -> None:
    about = added(sprints=sprints, labels=("injection-accepted",))

    assert summary(look(about, said=standing, sprints=board)) == actions


def test_a_ticket_that_moved_back_already_only_gets_its_thanks() -> None:
    about = added(sprints=(STRETCH,), labels=("injection-accepted",))
    back = look(about, said=said()).actions[0].key("task-insertion", "SE-1")

    assert summary(look(about, said=said(), around={"done": frozenset({back})})) == [EDIT]


@pytest.mark.parametrize("by", [CRAFTY, ELI], ids=["Crafty", "the reporter"])
def test_an_accepted_ticket_may_stay_whoever_put_it_back(by: Person) -> None:
    moves = (moved(FRIDAY), moved(FRIDAY + 9 * MINUTE, by))
    about = added(sprint_moves=moves, remarks=(accepting(FRIDAY + 5 * MINUTE),))

    assert summary(look(about, FRIDAY + 10 * MINUTE, said=said())) == [EDIT]
    assert summary(look(about, FRIDAY + 10 * MINUTE, said=said("accepted"))) == []


def test_a_ticket_that_the_planning_manager_put_back_is_accepted() -> None:
    verdict = look(added(sprint_moves=(moved(FRIDAY), moved(FRIDAY + MINUTE, SAM))), said=said())

    assert plain(verdict)[0].startswith("This ticket is accepted for SE Sprint 42. Thank you!")


@pytest.mark.parametrize(
    ("facts", "standing", "state"),
    [
        pytest.param({"sprints": ()}, CONFIRM, "withdrawn", id="somebody takes it out of the sprint"),
        pytest.param({"is_done": True}, MOVED, "withdrawn", id="it is finished where it waits"),
        pytest.param({"sprints": ()}, "accepted", "accepted", id="it leaves the sprint after it was accepted"),
        pytest.param({"labels": ("injection-accepted",)}, "withdrawn", "withdrawn", id="what was withdrawn stays so"),
    ],
)
def test_a_question_that_is_settled_is_withdrawn(facts: dict[str, Any], standing: str, state: str) -> None:
    verdict = look(split(**facts), said=said(standing))
    after = said_after(verdict, FRIDAY, said(standing))

    assert after is not None
    assert after.state == state
    assert not any(isinstance(action, Notify) for action in verdict.actions)


def test_out_and_in_again_within_minutes_moves_it_again_and_says_nothing_new() -> None:
    again = FRIDAY + 7 * MINUTE
    first = look(added())
    done = frozenset(action.key("task-insertion", "SE-1") for action in first.actions)
    about = added(sprint_moves=(moved(FRIDAY), moved(again)))

    second = look(about, again + MINUTE, said=said_after(first, FRIDAY), around={"done": done})

    assert summary(second) == moving_out(again)


def test_what_is_done_is_not_wanted_again_while_jira_still_shows_the_ticket_in_its_sprint() -> None:
    first = look(added())
    done = frozenset(action.key("task-insertion", "SE-1") for action in first.actions)

    assert look(added(), said=said_after(first, FRIDAY), around={"done": done}).outcome == "pass"


@pytest.mark.parametrize("lost", range(4))
def test_a_crash_between_the_effects_loses_none(lost: int) -> None:
    first = look(added())
    done = first.actions[:lost]
    keys = frozenset(action.key("task-insertion", "SE-1") for action in done)
    standing = said_after(Verdict.act("", *done), FRIDAY)

    again = look(added(), said=standing, around={"done": keys})

    assert again.actions[: 4 - lost] == first.actions[lost:]


def test_another_sprint_is_another_matter() -> None:
    assert summary(look(added(), said=said(occasion="sprint-41"))) == INSERTED


IN_THE_SPRINT = partly(added(), "sprint_moves", "remarks", "epic_owner")


@pytest.mark.parametrize(
    ("changed", "move", "outcome"),
    [
        pytest.param(frozenset({"rank"}), None, "pass", id="its rank"),
        pytest.param(frozenset({"labels", "summary"}), None, "pass", id="other fields"),
        pytest.param(frozenset({"sprint"}), moved(DEADLINE), "pass", id="its sprint, at the deadline"),
        pytest.param(frozenset({"sprint"}), moved(DEADLINE + MINUTE), "look", id="its sprint, a minute later"),
        pytest.param(frozenset({"sprint"}), moved(DEADLINE, before=(42,), to=40), "look", id="its sprint, some other"),
        pytest.param(None, None, "look", id="nobody says what"),
    ],
)
def test_an_event_tells_what_changed_and_when(
    changed: frozenset[str] | None, move: SprintMove | None, outcome: str
) -> None:
    event = TicketChanged(at=FRIDAY, ticket=IN_THE_SPRINT, changed=changed, sprint_move=move)
    if outcome == "look":
        with pytest.raises(Unknown):
            hear(event, IN_THE_SPRINT)
    else:
        assert hear(event, IN_THE_SPRINT).outcome == outcome


def test_the_moment_of_the_change_counts_and_not_that_of_its_arrival() -> None:
    move = moved(DEADLINE - MINUTE)
    event = TicketChanged(at=FRIDAY, ticket=IN_THE_SPRINT, changed=frozenset({"sprint"}), sprint_move=move)

    assert hear(event, IN_THE_SPRINT).reason.startswith("it joined SE Sprint 42 in time: Thursday 12 November at 23:59")


@pytest.mark.parametrize(
    ("created", "outcome"), [pytest.param(DEADLINE, "pass", id="in time"), pytest.param(FRIDAY, "act", id="too late")]
)
def test_the_news_of_a_new_ticket_is_enough_to_decide(created: datetime, outcome: str) -> None:
    about = added(sprint_moves=(), created_at=created)

    assert hear(TicketChanged(at=FRIDAY, ticket=about), about).outcome == outcome


def test_a_change_of_the_sprint_that_does_not_tell_which_is_looked_up() -> None:
    event = TicketChanged(at=FRIDAY, actor=BOB, ticket=added(), changed=frozenset({"sprint"}))

    with pytest.raises(Unknown):
        hear(event, partly(added(), "sprint_moves"))


@pytest.mark.parametrize("about", [added(), added(sprints=(STRETCH,))], ids=["inside", "moved out"])
def test_nothing_moves_while_the_board_cannot_be_read(about: Ticket) -> None:
    unread = Sprints(active=RUNNING, next=NEXT, is_whole=False)
    verdict = look(about, sprints=unread, said=said())

    assert (verdict.outcome, summary(verdict)) == ("wait", ["recheck SE-1 2026-11-13 15:02"])


@pytest.mark.parametrize(
    ("text", "is_looked_at"),
    [
        pytest.param("[~acc-crafty] accept", True, id="accept, to Crafty's account"),
        pytest.param("@crafty accept", True, id="accept, to its name"),
        pytest.param("@crafty why", False, id="another command"),
        pytest.param("I accept this", False, id="a word to nobody"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_only_a_comment_that_accepts_is_worth_a_look(text: str, is_looked_at: bool) -> None:
    about = partly(ticket(), "sprints", "sprint_moves", "remarks", "labels")
    event = CommentPosted(at=FRIDAY, comment="5", ticket=about, text=text)
    if is_looked_at:
        with pytest.raises(Unknown, match="sprints"):
            hear(event, about)
    else:
        assert hear(event, about).reason == "this comment accepts nothing"


@pytest.mark.parametrize("fact", ["sprints", "sprint_moves", "labels", "remarks", "links", "reporter", "epic_owner"])
def test_an_unknown_fact_is_looked_up_before_anything_moves(fact: str) -> None:
    with pytest.raises(Unknown, match=fact):
        look(partly(added(), fact))


def test_names_in_the_configuration_are_lists() -> None:
    table = """
    [rules.task-insertion]
    accepted_label = "ok"
    emergency_labels = ["fire"]
    emergency_kinds = []
    replacing_phrases = ["follows"]
    look_back = "24h"
    """
    params = book(table).setting("task-insertion", "Serenity").params

    assert params == Params(
        accepted_label="ok",
        emergency_labels=("fire",),
        emergency_kinds=(),
        replacing_phrases=("follows",),
        look_back=timedelta(days=1),
    )


def test_a_cell_names_its_own_labels_and_links() -> None:
    follows = added(links=(IssueLink("follows", "SE-7"),))

    assert look(added(labels=("ok",)), accepted_label="ok").outcome == "pass"
    assert look(added(by=FINN, labels=("fire",)), emergency_labels=("fire",)).outcome == "pass"
    assert look(added(by=FINN, kind="Outage"), emergency_kinds=("outage",)).outcome == "pass"
    assert summary(look(follows, replacing_phrases=("Follows",))) == [COMMENT, ASK_SAM, AT_START]


def test_a_cell_without_planning_manager_tells_nobody_in_chat() -> None:
    nobody = replace(cell(), roles={})

    assert summary(look(added(), within=nobody)) == [*moving_out(), COMMENT]
    assert summary(look(split(), within=nobody)) == [COMMENT, AT_START]
    assert summary(look(split(remarks=(accepting(),)), within=nobody, said=said(CONFIRM))) == [AT_START]


def test_the_life_of_a_ticket() -> None:
    again = FRIDAY + 20 * MINUTE
    out = {"sprints": (STRETCH,), "sprint_moves": (moved(FRIDAY),)}
    anew = {"sprint_moves": (moved(FRIDAY), moved(again))}
    yes = {"remarks": (accepting(again + 5 * MINUTE),)}
    steps: list[tuple[datetime, dict[str, Any], list[str], str]] = [
        (FRIDAY + 2 * MINUTE, {}, INSERTED, MOVED),
        (FRIDAY + 4 * MINUTE, out, [], MOVED),
        (again + 2 * MINUTE, anew, moving_out(again), MOVED),
        (again + 4 * MINUTE, {**anew, **out}, [], MOVED),
        (again + 6 * MINUTE, {**anew, "sprints": (STRETCH,), **yes}, [BACK, EDIT], "accepted"),
        (
            again + 8 * MINUTE,
            {"sprint_moves": (moved(FRIDAY), moved(again + 7 * MINUTE, CRAFTY)), **yes},
            [],
            "accepted",
        ),
        (again + 9 * MINUTE, {"sprints": (), **yes}, [], "accepted"),
    ]
    standing: Said | None = None
    done: set[str] = set()

    for now, facts, actions, state in steps:
        verdict = look(added(**facts), now, said=standing, around={"done": frozenset(done)})
        standing = said_after(verdict, now, standing)
        done |= {action.key("task-insertion", "SE-1") for action in verdict.actions}
        assert summary(verdict) == actions
        assert standing is not None
        assert standing.state == state


LINK = "SE-1 Fix the login (https://jira.example/browse/SE-1)"
SIGNED = "\nCrafty, rule task-insertion. On SE-1: “@crafty why”."
DUE = "additions were due by the end of Thursday 12 November (Europe/Paris)."
ON_TOP = f"It waits on top of Stretch Goals: {DUE} Otherwise nothing is needed.{SIGNED}"
IN_BACKLOG = f"It waits in the backlog, for lack of Stretch Goals: {DUE} Otherwise nothing is needed.{SIGNED}"
SAYS_YES = (
    f"or the label injection-accepted says yes. It replaces or splits SE-7; {DUE} Without a yes by Monday 16 November "
    f"at 09:00 (Europe/Paris) it moves to Stretch Goals.{SIGNED}"
)
IN_CHAT = "“@crafty accept” there or the label injection-accepted brings it back."
NO_NAME = "the sprint planning manager"
BACK_BY = "or the label injection-accepted brings it back into SE Sprint 42."


@pytest.mark.parametrize(
    ("about", "around", "texts"),
    [
        pytest.param(
            added(),
            {},
            [
                f"Eli and Ann, if this ticket can't wait, “@crafty accept” from Sam {BACK_BY} {ON_TOP}",
                f"Sam, may {LINK} join SE Sprint 42 after all? {IN_CHAT} {ON_TOP}",
            ],
            id="it moves out",
        ),
        pytest.param(
            added(epic_owner=None),
            {"sprints": Sprints(active=RUNNING, next=NEXT), "within": replace(cell(), roles={})},
            [f"Eli, if this ticket can't wait, “@crafty accept” from {NO_NAME} {BACK_BY} {IN_BACKLOG}"],
            id="there are neither Stretch Goals nor a planning manager",
        ),
        pytest.param(
            split(),
            {},
            [
                f"Sam, may this ticket stay in SE Sprint 42? “@crafty accept” from you {SAYS_YES}",
                f"Sam, may {LINK} stay in SE Sprint 42? “@crafty accept” from you {SAYS_YES}",
            ],
            id="the question",
        ),
        pytest.param(
            split(),
            {"within": replace(cell(), roles={})},
            [f"Hello, may this ticket stay in SE Sprint 42? “@crafty accept” from {NO_NAME} {SAYS_YES}"],
            id="the question to nobody in particular",
        ),
        pytest.param(
            added(sprints=(STRETCH,), labels=("injection-accepted",)),
            {"said": said()},
            [f"This ticket is accepted for SE Sprint 42. Thank you!{SIGNED}"],
            id="the thanks",
        ),
        pytest.param(
            split(sprints=()),
            {"said": said(CONFIRM)},
            [f"No acceptance is needed here any more. Thank you for sorting it out!{SIGNED}"],
            id="the question is settled",
        ),
    ],
)
def test_what_people_read(about: Ticket, around: dict[str, Any], texts: list[str]) -> None:
    assert plain(look(about, **around)) == texts


@pytest.mark.parametrize("about", [added(), split()], ids=["an insertion", "a split"])
@pytest.mark.parametrize("board", [SPRINTS, Sprints(active=RUNNING, next=NEXT)], ids=["Stretch Goals", "none"])
@pytest.mark.parametrize("within", [cell(), replace(cell(), roles={})], ids=["a planning manager", "no manager"])
@pytest.mark.parametrize("now", [FRIDAY, START], ids=["at once", "at the start"])
def test_a_message_is_short(about: Ticket, board: Sprints, within: Cell, now: datetime) -> None:
    texts = list(messages(look(about, now, said=said("withdrawn"), sprints=board, within=within)))

    assert texts
    assert max(map(length, texts)) <= 60


people = st.sampled_from([None, ANN, BOB, SAM, FINN, CRAFTY, Person(name="Ö @all {who}", jira="x")])
moments = st.datetimes(datetime(2026, 10, 25), datetime(2026, 11, 20), timezones=st.just(UTC))  # noqa: DTZ001
moves = st.lists(st.builds(moved, moments, people, st.sampled_from([(), (39,), (41,)]), st.sampled_from([40, 41, 42])))
tickets = st.builds(
    added,
    sprint_moves=moves.map(lambda some: tuple(sorted(some, key=lambda move: move.at))),
    created_at=moments,
    creator=people,
    reporter=people,
    epic_owner=people,
    kind=st.sampled_from(["Story", "Epic", "Emergency"]),
    is_done=st.booleans(),
    sprints=st.lists(st.sampled_from([RUNNING, NEXT, STRETCH, CLOSED_BEFORE]), unique=True).map(tuple),
    labels=st.lists(st.sampled_from(["emergency", "injection-accepted", ""])).map(tuple),
    links=st.lists(st.builds(IssueLink, st.sampled_from(["replaces", "blocks"]), st.sampled_from(["SE-7", "X"]))).map(
        tuple
    ),
    description=st.none() | st.text() | st.just("It replaces SE-7 {who} @all"),
    remarks=st.lists(st.builds(accepting, moments, people)).map(tuple),
    summary=st.text(),
)
sayings = st.none() | st.builds(
    said, st.sampled_from([MOVED, CONFIRM, "accepted", "withdrawn"]), st.sampled_from(["sprint-41", "sprint-42"])
)
boards = st.builds(
    Sprints,
    active=st.sampled_from([None, RUNNING]),
    next=st.sampled_from([None, NEXT]),
    stretch_goals=st.sampled_from([None, STRETCH]),
)


@given(about=tickets, now=moments, standing=sayings, sprints=boards)
def test_whatever_the_fields(about: Ticket, now: datetime, standing: Said | None, sprints: Sprints) -> None:
    assume(all(move.at <= now for move in about.sprint_moves))
    verdict = look(about, now, said=standing, sprints=sprints)
    keys = frozenset(action.key("task-insertion", "SE-1") for action in verdict.actions)

    assert verdict.reason
    assert verdict.outcome != "pass" or not verdict.actions
    assert len(keys) == len(verdict.actions)
    second = look(about, now, said=said_after(verdict, now, standing), sprints=sprints, around={"done": keys})
    assert plain(second) == []
