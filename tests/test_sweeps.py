"""Sweeps: what no webhook told of is found, what is planned is left alone, and what can't be read disturbs nothing."""

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from service.actions import Comment, EditComment, Recheck
from service.contributions import Contribution, Note
from service.errors import CannotAct, CraftyError, NotFound, NotSignedInError, TryLater
from service.facts import Cell, Person, Remark, Sprint, Ticket
from service.ledger import Contributed
from service.queue import look_again, look_key, sweep
from service.rules._base import Context, Verdict
from service.sweeps import Swept
from service.texts import Message, paragraph
from tests.builders import NEXT, RUNNING, SPRINTS, STRETCH, ticket, wall
from tests.conftest import SetClock
from tests.test_gather import FakeHost
from tests.test_jobs import FOUND, NOW, RULE, Check, Crafty, ReadableJira

HISTORY = ("remarks", "sprint_moves", "status_changes", "entered_status_at", "epic_owner")
CLOSED_AT = NOW + timedelta(days=1)
CLOSED = msgspec.structs.replace(RUNNING, state="closed", completed_at=CLOSED_AT)
FOLLOWING = msgspec.structs.replace(NEXT, state="active", start=CLOSED_AT, end=CLOSED_AT + timedelta(days=14))
REQUEST = "github:acme/tool#12"
ADA = Person(name="Ada", github="ada")


@dataclass
class BoardJira(ReadableJira):
    """A Jira with boards, whose search answers the two questions that a sweep asks, and leaves a ticket's history out.

    closed: sprints that no board shows any more; broken: raised by the reading of that name.
    """

    boards: dict[int, tuple[Sprint, ...]] = field(default_factory=lambda: {12: (RUNNING, NEXT, STRETCH)})
    closed: dict[int, Sprint] = field(default_factory=dict)
    broken: dict[str, CraftyError] = field(default_factory=dict)
    now: datetime = NOW

    async def sprints(self, board: int) -> tuple[Sprint, ...]:
        self._fail("board")
        return self.boards[board]

    async def sprint(self, number: int) -> Sprint:
        if number not in self.closed:
            raise NotFound(f"there is no sprint {number}")
        return self.closed[number]

    async def search(self, jql: str) -> AsyncGenerator[Ticket, None]:
        self._fail("search")
        for one in list(self.tickets.values()):
            if self._matches(one, jql):
                yield Ticket(**{name: value for name, value in one.known().items() if name not in HISTORY})

    def _matches(self, one: Ticket, jql: str) -> bool:
        in_sprints = re.fullmatch(r"project in \(([^)]+)\) AND sprint in \(([\d, ]+)\) ORDER BY key", jql)
        named = re.fullmatch(r"key in \(([^)]+)\) ORDER BY key", jql)
        lately = re.fullmatch(r'project in \("(\S+)"\) AND created >= -(\d+)d ORDER BY key', jql)
        if in_sprints:
            wanted = {int(number) for number in in_sprints[2].split(", ")}
            return f'"{one.project}"' in in_sprints[1].split(", ") and any(
                sprint.id in wanted for sprint in one.sprints
            )
        if named:
            unknown = set(named[1].split(", ")) - self.tickets.keys()
            if unknown:
                raise CannotAct(f"there is no {unknown}")
            return one.key in named[1].split(", ")
        assert lately, jql
        return one.project == lately[1] and one.created_at >= self.now - timedelta(days=int(lately[2]))

    def _fail(self, what: str) -> None:
        if what in self.broken:
            raise self.broken[what]


@dataclass
class Sweeping(Crafty):
    """A Crafty whose rule decides as a test wants, with the cell's sweeps."""

    board: BoardJira = field(default_factory=BoardJira)
    check: Check = field(default=lambda *_: Verdict.act("it is wanted"))

    def decide(self, about: Any, ctx: Context) -> Verdict:
        return self.check(about, ctx)

    @property
    def cell(self) -> Cell:
        return self.team.cells[0]

    async def sweep(self) -> Swept:
        with capture_logs():
            return await self.jobs.sweeper.sweep(self.cell, self.clock())

    async def looks(self) -> list[str]:
        """The subjects that a sweep wants the rule to look at."""
        return sorted(wish.subject for wish in (await self.sweep()).wishes)

    async def sweep_and_look(self) -> list[str]:
        """The same, with the looks done."""
        swept = await self.sweep()
        await self.queue.want(*swept.wishes)
        await self.work_off()
        return sorted(wish.subject for wish in swept.wishes)

    def watch(self, **places: Any) -> None:
        """Lets the cell look after these places, and the rule decide about contributions."""
        self.about = Contribution
        self.team = replace(self.team, cells=(replace(self.cell, forum_categories=frozenset(), **places),))


@pytest.fixture
async def crafty(redis: Redis, clock: SetClock) -> Sweeping:
    board = BoardJira(tickets={"SE-1": ticket()})
    made = Sweeping(redis, clock, jira=board, board=board)
    await made.ledger.keep_site(FOUND)
    return made


def wait(*hours: int) -> Check:
    """A check that waits, with re-checks so many hours after the first sweep."""
    return lambda about, _: Verdict.wait(
        "not yet", *(Recheck(subject=about.key, at=NOW + timedelta(hours=one)) for one in hours)
    )


def says(text: str) -> Message:
    return Message((paragraph(text),))


def opened(at: datetime = NOW) -> Note:
    return Note(what="opened", at=at, by=ADA, title="Fix the docs", url="https://x.example/12", kind="pull request")


# Which tickets


@pytest.mark.parametrize(
    ("sprints", "is_swept"),
    [
        pytest.param((RUNNING,), True, id="in the running sprint"),
        pytest.param((NEXT,), True, id="in the next one"),
        pytest.param((CLOSED, NEXT), True, id="carried over from a closed one"),
        pytest.param((STRETCH,), False, id="in Stretch Goals"),
        pytest.param((), False, id="in the backlog"),
    ],
)
async def test_the_tickets_of_the_sprints_that_matter_are_swept(
    crafty: Sweeping, sprints: tuple[Sprint, ...], is_swept: bool
) -> None:
    crafty.jira.tickets = {"SE-1": ticket(sprints=sprints)}
    assert await crafty.looks() == (["SE-1"] if is_swept else [])


async def test_a_ticket_of_another_cells_project_is_not_swept(crafty: Sweeping) -> None:
    crafty.jira.tickets["XX-1"] = ticket(key="XX-1")
    assert await crafty.looks() == ["SE-1"]


# Which looks


@pytest.mark.parametrize(
    ("check", "is_wanted"),
    [
        pytest.param(lambda *_: Verdict.act("it is wanted"), True, id="the rule would act"),
        pytest.param(lambda *_: Verdict.passed("all is well"), False, id="the rule passes"),
        pytest.param(wait(), True, id="the rule waits for something that it does not know"),
        pytest.param(wait(5), True, id="the rule waits for a moment that nobody planned"),
        pytest.param(lambda about, _: Verdict.passed(f"{about.remarks}"), True, id="the search tells too little"),
        pytest.param(lambda about, _: 1 / 0, True, id="the rule fails"),
    ],
)
async def test_a_look_is_wanted_where_it_may_do_something(crafty: Sweeping, check: Check, is_wanted: bool) -> None:
    crafty.check = check
    assert await crafty.looks() == (["SE-1"] if is_wanted else [])


async def test_a_rule_that_is_off_looks_at_nothing(crafty: Sweeping) -> None:
    crafty.mode = "off"
    assert await crafty.looks() == []


@pytest.mark.parametrize(
    ("planned", "is_wanted"),
    [
        pytest.param(None, True, id="nothing is planned"),
        pytest.param(2, False, id="earlier"),
        pytest.param(3, False, id="at that moment"),
        pytest.param(4, True, id="later"),
    ],
)
async def test_a_planned_look_is_left_alone_unless_it_comes_too_late(
    crafty: Sweeping, planned: int | None, is_wanted: bool
) -> None:
    crafty.check = wait(5, 3)
    if planned:
        crafty.check, check = wait(planned), crafty.check
        await crafty.sweep_and_look()
        crafty.check = check
    assert await crafty.looks() == (["SE-1"] if is_wanted else [])


async def test_the_look_plans_what_the_sweep_missed(crafty: Sweeping) -> None:
    crafty.check = wait(5)
    assert await crafty.sweep_and_look() == ["SE-1"]
    assert await crafty.next_due() == NOW + timedelta(hours=5)
    assert await crafty.looks() == []


@pytest.mark.parametrize(
    ("changes", "board", "is_wanted"),
    [
        pytest.param({}, (RUNNING, NEXT, STRETCH), False, id="nothing changed"),
        pytest.param({"updated_at": NOW}, (RUNNING, NEXT, STRETCH), True, id="the ticket changed"),
        pytest.param({}, (RUNNING, STRETCH), True, id="there is no next sprint any more"),
        pytest.param({}, (RUNNING, NEXT), True, id="Stretch Goals are gone"),
    ],
)
async def test_what_was_unknown_is_looked_at_once_until_something_changes(
    crafty: Sweeping, changes: dict[str, Any], board: tuple[Sprint, ...], is_wanted: bool
) -> None:
    crafty.check = lambda about, _: Verdict.wait(f"{len(about.remarks)} remarks")
    assert await crafty.sweep_and_look() == ["SE-1"]
    crafty.clock.advance(hours=1)
    crafty.jira.tickets["SE-1"] = ticket(**changes)
    crafty.board.boards[12] = board
    assert await crafty.sweep_and_look() == (["SE-1"] if is_wanted else [])
    crafty.clock.advance(hours=1)
    assert await crafty.looks() == []


@pytest.mark.parametrize(
    ("ago", "due"),
    [
        pytest.param(timedelta(seconds=30), timedelta(seconds=90), id="edited just now"),
        pytest.param(timedelta(minutes=2), timedelta(0), id="settled"),
    ],
)
async def test_a_look_waits_until_people_have_done_editing(crafty: Sweeping, ago: timedelta, due: timedelta) -> None:
    crafty.settle = timedelta(minutes=2)
    crafty.jira.tickets = {"SE-1": ticket(updated_at=NOW - ago)}
    await crafty.queue.want(*(await crafty.sweep()).wishes)
    at = await crafty.redis.zscore("crafty:due", look_key(RULE, "SE-1"))
    assert at == (NOW + due).timestamp() * 1000


# Sprints


async def sprint_closes(crafty: Sweeping) -> None:
    """The running sprint closes a day after the first sweep, and no webhook tells of it."""
    await crafty.sweep()
    crafty.board.boards[12] = (FOLLOWING, STRETCH)
    crafty.board.closed[RUNNING.id] = CLOSED
    crafty.jira.tickets = {"SE-1": ticket(sprints=(CLOSED,))}


@pytest.mark.parametrize(
    ("since", "is_swept"),
    [
        pytest.param(timedelta(minutes=1), True, id="a minute after it closed"),
        pytest.param(timedelta(days=14) - timedelta(minutes=1), True, id="just within two weeks"),
        pytest.param(timedelta(days=14), False, id="after two weeks"),
    ],
)
async def test_a_sprint_that_closed_unnoticed_is_gone_through_for_two_weeks(
    crafty: Sweeping, since: timedelta, is_swept: bool
) -> None:
    await sprint_closes(crafty)
    crafty.clock.now = CLOSED_AT + since
    for _ in range(2):
        assert await crafty.looks() == (["SE-1"] if is_swept else [])


async def test_a_closed_sprint_is_asked_for_once(crafty: Sweeping) -> None:
    await sprint_closes(crafty)
    crafty.clock.now = CLOSED_AT
    await crafty.sweep()
    crafty.board.closed.clear()
    assert await crafty.looks() == ["SE-1"]


async def test_a_sprint_that_was_deleted_is_forgotten(crafty: Sweeping) -> None:
    await sprint_closes(crafty)
    crafty.board.closed.clear()
    assert await crafty.looks() == []
    assert [sprint.id for sprint in await crafty.ledger.sprints_seen("Serenity")] == [FOLLOWING.id, STRETCH.id]


async def test_a_rule_is_told_which_accounts_are_our_own(crafty: Sweeping) -> None:
    seen = []

    def look(_: Ticket, ctx: Context) -> Verdict:
        seen.append(ctx.situation.bot)
        return Verdict.passed("seen")

    crafty.check = look
    await crafty.queue.want(sweep(crafty.cell.name, crafty.clock()))
    await crafty.work_off()
    assert seen == [FOUND.bots]


async def test_a_rule_is_told_of_the_boards_sprints(crafty: Sweeping) -> None:
    seen = []

    def look(_: Ticket, ctx: Context) -> Verdict:
        seen.append(ctx.sprints)
        return Verdict.passed("seen")

    crafty.check = look
    await crafty.sweep()
    assert seen == [SPRINTS]


@pytest.mark.parametrize(
    ("board", "warnings"),
    [
        pytest.param((RUNNING, NEXT, STRETCH), {}, id="a board in order"),
        pytest.param(
            (RUNNING, FOLLOWING),
            {
                "board of Serenity": (
                    "SE Sprint 41 and SE Sprint 42 are active at once; Crafty takes SE Sprint 41 for the running one"
                )
            },
            id="two active sprints",
        ),
        pytest.param(
            (msgspec.structs.replace(RUNNING, end=None),),
            {"sprint SE Sprint 41": "it has no dates in Jira; the calendar of crafty.toml counts"},
            id="an active sprint without dates",
        ),
    ],
)
async def test_admins_are_warned_once_of_a_board_that_is_odd_and_it_is_swept_all_the_same(
    crafty: Sweeping, board: tuple[Sprint, ...], warnings: dict[str, str]
) -> None:
    crafty.board.boards[12] = board
    for _ in range(2):
        assert await crafty.looks() == ["SE-1"]
    assert await crafty.ledger.warnings() == warnings


@pytest.mark.parametrize(
    ("now", "again"),
    [
        pytest.param("2026-11-10 10:00", "2026-11-10 11:00", id="an hour later"),
        pytest.param("2026-11-13 23:00", "2026-11-14 00:00", id="an hour before a deadline"),
        pytest.param("2026-11-13 23:01", "2026-11-14 00:00", id="at the deadline"),
        pytest.param("2026-11-14 00:00", "2026-11-14 01:00", id="an hour after it"),
        pytest.param("2026-11-16 07:59", "2026-11-16 08:00", id="at the final check"),
        pytest.param("2026-11-16 08:30", "2026-11-16 09:00", id="at the sprint's end"),
        pytest.param("2026-11-20 23:30", "2026-11-21 00:00", id="at a deadline of a sprint that is late to start"),
    ],
)
async def test_the_next_sweep_comes_at_every_deadline_and_hourly_between(
    crafty: Sweeping, now: str, again: str
) -> None:
    crafty.clock.now = wall(now)
    assert (await crafty.sweep()).again == wall(again)


async def test_the_sprints_own_dates_win(crafty: Sweeping) -> None:
    crafty.board.boards[12] = (msgspec.structs.replace(RUNNING, end=wall("2026-11-12 15:30")),)
    crafty.clock.now = wall("2026-11-12 14:00")
    assert (await crafty.sweep()).again == wall("2026-11-12 14:30")


# Comments that still ask


def question(key: str) -> Comment:
    return Comment(ticket=key, occasion="sprint-41", state="missing reviewer", message=says("Who reviews it?"))


async def asks_on(crafty: Sweeping, key: str) -> None:
    """The rule's comment asks something on that ticket, which is in no sprint."""
    crafty.jira.tickets = {key: ticket(key=key, sprints=())}
    crafty.check = lambda about, ctx: (
        Verdict.wait("asked already") if ctx.said else Verdict.act("it is wanted", question(about.key))
    )
    await crafty.queue.want(look_again(RULE, key, crafty.clock()))
    await crafty.work_off()


def edit(crafty: Sweeping, key: str) -> None:
    """A second later somebody changes the ticket, and no webhook tells of it."""
    crafty.jira.tickets[key] = crafty.jira.tickets[key].having(updated_at=crafty.clock.advance(seconds=1))


async def test_a_comment_that_still_asks_on_a_ticket_that_left_is_looked_at(crafty: Sweeping) -> None:
    await asks_on(crafty, "SE-5")
    assert crafty.comments == ["Who reviews it?"]
    edit(crafty, "SE-5")
    assert await crafty.looks() == ["SE-5"]


@pytest.mark.parametrize(
    ("edited", "looks"),
    [
        pytest.param(False, [], id="as the last look saw it"),
        pytest.param(True, ["SE-5"], id="edited since"),
    ],
)
async def test_a_ticket_that_left_is_looked_at_again_once_it_has_changed(
    crafty: Sweeping, edited: bool, looks: list[str]
) -> None:
    await asks_on(crafty, "SE-5")
    crafty.check = lambda *_: Verdict.passed("it waits in Stretch Goals for its acceptance")
    await crafty.sweep_and_look()
    if edited:
        edit(crafty, "SE-5")
    assert await crafty.looks() == looks


async def test_a_comment_that_asks_no_more_is_let_be(crafty: Sweeping) -> None:
    await asks_on(crafty, "SE-5")
    thanks = EditComment(ticket="SE-5", occasion="sprint-41", state="reviewed", message=says("Thank you!"))
    crafty.check = lambda *_: Verdict.act("it is reviewed", thanks)
    assert await crafty.sweep_and_look() == ["SE-5"]
    assert await crafty.looks() == []


async def test_a_comment_on_a_ticket_that_is_gone_asks_no_more(crafty: Sweeping) -> None:
    await asks_on(crafty, "SE-5")
    del crafty.jira.tickets["SE-5"]
    assert await crafty.sweep_and_look() == ["SE-5"]
    assert await crafty.looks() == []


async def test_a_comment_on_a_ticket_that_moved_is_looked_at_under_its_new_key(crafty: Sweeping) -> None:
    await asks_on(crafty, "SE-5")
    moved = ticket(key="SE-50", sprints=())
    crafty.jira.tickets = {"SE-5": moved, "SE-50": moved}
    assert await crafty.sweep_and_look() == ["SE-5"]
    edit(crafty, "SE-50")
    assert await crafty.looks() == ["SE-50"]
    assert crafty.comments == ["Who reviews it?"]


async def test_a_comment_in_another_cells_project_is_not_this_sweeps_concern(crafty: Sweeping) -> None:
    await asks_on(crafty, "SE-5")
    crafty.team = replace(crafty.team, cells=(replace(crafty.cell, projects=("OPS",)),))
    assert await crafty.looks() == []


async def test_a_board_that_cannot_be_read_empties_nothing_and_hides_no_comment(crafty: Sweeping) -> None:
    await crafty.sweep()
    await asks_on(crafty, "SE-5")
    edit(crafty, "SE-5")
    crafty.board.broken["board"] = CannotAct("no right to")
    assert await crafty.looks() == ["SE-5"]
    assert await crafty.ledger.warnings() == {"board of Serenity": "Board 12 can't be read: no right to"}
    del crafty.board.broken["board"]
    crafty.jira.tickets["SE-1"] = ticket()
    assert await crafty.looks() == ["SE-1", "SE-5"]


@pytest.mark.parametrize("what", ["board", "search"])
async def test_a_jira_that_is_away_is_left_to_the_queue(crafty: Sweeping, what: str) -> None:
    crafty.board.broken[what] = TryLater("busy")
    with pytest.raises(TryLater):
        await crafty.sweep()


# Contributions


@pytest.mark.parametrize(
    ("place", "system", "key"),
    [
        pytest.param({"repositories": frozenset({"acme/tool"})}, "github", REQUEST, id="on GitHub"),
        pytest.param({"repositories": frozenset({"acme/tool"})}, "gitlab", "gitlab:acme/tool!3", id="on GitLab"),
        pytest.param({"forum_categories": frozenset({7})}, "topic", "topic:123", id="in the forum"),
    ],
)
async def test_what_came_in_lately_is_found_and_known_from_then_on(
    crafty: Sweeping, place: dict[str, Any], system: str, key: str
) -> None:
    where = next(iter(next(iter(place.values()))))
    host = FakeHost(opened={where: ((key, opened()),)}, kept={key: (opened(),)})
    crafty.about, crafty.readers = Contribution, {system: host}
    crafty.team = replace(crafty.team, cells=(replace(crafty.cell, **place),))
    crafty.check = lambda about, _: Verdict.act(f"{about.title} at {about.place}")
    assert await crafty.sweep_and_look() == [key]
    (entry,) = await crafty.ledger.timeline(key)
    assert entry.decisions[0].reason == f"Fix the docs at {where}"
    known = await crafty.ledger.contribution(key)
    assert known is not None
    assert known.author == ADA


async def test_what_webhooks_told_counts_in_a_sweep(crafty: Sweeping) -> None:
    answer = Note(what="answered", at=NOW, by=Person(name="Bob", github="bob"), id="c-1")
    await crafty.ledger.keep_notes(Contributed(key=REQUEST, place="acme/tool", notes=(answer,)))
    crafty.watch(repositories=frozenset({"acme/tool"}))
    crafty.readers = {"github": FakeHost(opened={"acme/tool": ((REQUEST, opened()),)})}
    crafty.check = lambda about, _: Verdict.passed("fine") if about.answers else Verdict.act("nobody answered")
    assert await crafty.looks() == []


async def test_a_draft_that_is_ready_by_now_is_found_without_a_webhook(crafty: Sweeping) -> None:
    crafty.watch(repositories=frozenset({"acme/tool"}))
    drafted, readied = Note(what="drafted", at=NOW), Note(what="readied", at=NOW + timedelta(hours=1))
    host = FakeHost(opened={"acme/tool": ((REQUEST, opened()),)}, kept={REQUEST: (opened(), drafted)})
    crafty.readers = {"github": host}
    crafty.check = lambda about, _: Verdict.passed("a draft") if about.is_draft else Verdict.act("it waits")
    await crafty.sweep_and_look()
    host.kept[REQUEST] = (opened(), drafted, readied)
    await crafty.sweep_and_look()
    decided = [entry.decisions[0].reason for entry in await crafty.ledger.timeline(REQUEST)]
    assert decided == ["it waits", "a draft"]


async def test_a_draft_that_a_webhook_told_of_is_read_again_once_it_has_changed(crafty: Sweeping) -> None:
    crafty.watch(repositories=frozenset({"acme/tool"}))
    drafted = Note(what="drafted", at=NOW)
    await crafty.ledger.keep_notes(Contributed(key=REQUEST, place="acme/tool", notes=(opened(), drafted)))
    host = FakeHost(opened={"acme/tool": ((REQUEST, opened()),)})
    crafty.readers = {"github": host}
    crafty.check = lambda about, _: Verdict.passed("a draft") if about.is_draft else Verdict.act("it waits")
    host.kept[REQUEST] = (opened(), drafted)
    await crafty.sweep_and_look()
    assert await crafty.looks() == []
    readied = Note(what="readied", at=crafty.clock.advance(hours=1))
    host.changed[REQUEST], host.kept[REQUEST] = readied.at, (opened(), drafted, readied)
    assert await crafty.sweep_and_look() == [REQUEST]
    decided = [entry.decisions[0].reason for entry in await crafty.ledger.timeline(REQUEST)]
    assert decided == ["it waits", "a draft"]


async def test_what_waits_without_a_moment_is_looked_at_once(crafty: Sweeping) -> None:
    crafty.watch(repositories=frozenset({"acme/tool"}))
    host = FakeHost(opened={"acme/tool": ((REQUEST, opened()),)}, kept={REQUEST: (opened(),)})
    crafty.readers, crafty.check = {"github": host}, wait()
    assert await crafty.sweep_and_look() == [REQUEST]
    assert await crafty.looks() == []


@pytest.mark.parametrize(
    ("state", "keys"),
    [
        pytest.param("missing answer", [REQUEST], id="somebody is asked to answer it"),
        pytest.param("answered", [], id="all is said"),
    ],
)
async def test_what_waits_for_a_late_answer_is_looked_at_though_nothing_is_left_to_do(
    crafty: Sweeping, state: str, keys: list[str]
) -> None:
    crafty.watch(repositories=frozenset({"acme/tool"}))
    host = FakeHost(opened={"acme/tool": ((REQUEST, opened()),)}, kept={REQUEST: (opened(),)})
    crafty.readers = {"github": host}
    told = Comment(ticket="SE-7", occasion="answer", state=state, message=says("Could somebody answer?"))
    crafty.check = lambda _, ctx: Verdict.passed("nothing is left to do") if ctx.said else Verdict.act("late", told)
    assert await crafty.sweep_and_look() == [REQUEST]
    assert await crafty.looks() == []
    host.changed[REQUEST] = crafty.clock.advance(hours=1)
    assert await crafty.sweep_and_look() == keys
    assert await crafty.looks() == []


@pytest.mark.parametrize(
    ("age", "is_found"),
    [
        pytest.param(timedelta(days=5), True, id="five days ago"),
        pytest.param(timedelta(days=5, seconds=1), False, id="more than five days ago"),
    ],
)
async def test_how_far_back_a_sweep_looks(crafty: Sweeping, age: timedelta, is_found: bool) -> None:
    crafty.watch(repositories=frozenset({"acme/tool"}), contribution_projects=frozenset({"CON"}))
    crafty.readers = {"github": FakeHost(opened={"acme/tool": ((REQUEST, opened(NOW - age)),)})}
    crafty.jira.tickets = {"CON-5": ticket(key="CON-5", created_at=NOW - age, reporter=ADA)}
    assert await crafty.looks() == (["CON-5", REQUEST] if is_found else [])


async def test_a_ticket_of_a_contributions_project_is_looked_at_with_its_comments(crafty: Sweeping) -> None:
    crafty.watch(contribution_projects=frozenset({"CON"}))
    remark = Remark(id="7", at=NOW, text="Thanks, we look at it")
    crafty.jira.tickets = {"CON-5": ticket(key="CON-5", created_at=NOW, remarks=(remark,))}
    crafty.check = lambda about, _: Verdict.act(f"{len(about.answers)} answers")
    assert await crafty.sweep_and_look() == ["CON-5"]
    (entry,) = await crafty.ledger.timeline("CON-5")
    assert entry.decisions[0].reason == "1 answers"


NO_RIGHT = {"acme/tool": "it can't be read: no right to"}


@pytest.mark.parametrize(
    ("readers", "warnings"),
    [
        pytest.param({}, {}, id="no host is configured"),
        pytest.param({"github": CannotAct("no right to")}, NO_RIGHT, id="a host that refuses"),
        pytest.param({"github": TryLater("busy")}, {}, id="a host that is away for a moment"),
        pytest.param(
            {"github": NotSignedInError("a login page")}, {}, id="a host that shows a login page for a moment"
        ),
        pytest.param(
            {"github": NotFound("gone")},
            {"acme/tool": "there is no acme/tool on github, or Crafty may not see it"},
            id="it is not on the only host",
        ),
        pytest.param({"github": NotFound("gone"), "gitlab": None}, {}, id="it is on the other one of two hosts"),
    ],
)
async def test_a_place_that_cannot_be_read_is_told_to_admins_and_the_others_are_swept(
    crafty: Sweeping, readers: dict[str, CraftyError | None], warnings: dict[str, str]
) -> None:
    crafty.watch(repositories=frozenset({"acme/tool"}), contribution_projects=frozenset({"CON"}))
    crafty.readers = {name: FakeHost(broken=fault) for name, fault in readers.items()}
    crafty.jira.tickets = {"CON-5": ticket(key="CON-5", created_at=NOW)}
    for _ in range(2):
        assert await crafty.looks() == ["CON-5"]
    assert await crafty.ledger.warnings() == warnings


# What admins change


def since_when(about: Ticket, ctx: Context) -> Verdict:
    """Waits for a moment that follows from what a search leaves out, and from a parameter."""
    at = about.entered_status_at + timedelta(hours=ctx.params.hours + 24)
    return Verdict.wait("not yet", Recheck(subject=about.key, at=at))


async def planned(crafty: Sweeping) -> datetime | None:
    """When the rule looks at SE-1 next."""
    return (await crafty.ledger.standings([(RULE, "on")], "SE-1"))[RULE].next_look


@pytest.mark.parametrize(
    "wishes",
    [
        pytest.param([{"params": {"hours": 2}}], id="a parameter"),
        pytest.param([{"mode": "dry-run"}], id="rehearsed from now on"),
        pytest.param([{"mode": "dry-run"}, {"mode": "on"}], id="rehearsed before"),
        pytest.param([{"mode": "off"}, {"mode": "on"}], id="off before"),
    ],
)
async def test_what_admins_change_is_looked_at_anew(crafty: Sweeping, wishes: list[dict[str, Any]]) -> None:
    crafty.check = lambda about, _: Verdict.wait(f"not since {about.entered_status_at}")
    assert await crafty.sweep_and_look() == ["SE-1"]
    assert await crafty.sweep_and_look() == []
    for wish in wishes[:-1]:
        await crafty.tune(**wish)
        await crafty.queue.want(look_again(RULE, "SE-1", crafty.clock()))
        await crafty.work_off()
    before = crafty.jira.reads
    await crafty.tune(**wishes[-1])
    await crafty.work_off()
    assert crafty.jira.reads == before + 1
    newest, *_ = await crafty.ledger.timeline("SE-1")
    assert newest.decisions[0].mode == wishes[-1].get("mode", "on")


@pytest.mark.parametrize(("hours", "is_sooner"), [(1, True), (9, False)])
async def test_a_planned_look_follows_a_changed_parameter(crafty: Sweeping, hours: int, is_sooner: bool) -> None:
    crafty.check = since_when
    await crafty.sweep_and_look()
    before = await planned(crafty)
    await crafty.tune(params={"hours": hours})
    await crafty.work_off()
    after = await planned(crafty)
    assert before is not None
    assert after == before + timedelta(hours=hours - 5)
    assert (after < before) is is_sooner
