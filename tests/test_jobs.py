"""Jobs on a real Redis, with fakes that keep state: what is decided is done once; what fails is on the record."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from service import jobs as jobs_module
from service.actions import (
    Action,
    Comment,
    CreateTicket,
    Digest,
    EditComment,
    MoveToBacklog,
    Notify,
    Recheck,
    SetReviewer,
)
from service.attention import Attention
from service.contributions import Contribution, Note
from service.current import Current
from service.effects import Effects, Elsewhere
from service.engine import Mode, Rulebook, Setting
from service.errors import CannotAct, CraftyError, NotFound, NotSignedInError, RedisAway, TryLater
from service.events import Due, TicketChanged
from service.facts import Person, Sprint, Team, Ticket
from service.gather import Gatherer
from service.jira_shapes import FieldMap, RawField
from service.jobs import FINISH_SECONDS, GIVE_UP, WORK_SECONDS, Jobs
from service.ledger import Contributed, Effect, Entry, Ledger, Site
from service.pings import Pings
from service.queue import ARQ_QUEUE, LEASE, Queue, Result, Wish, Work, look_again, perform, site, sweep
from service.rounds import Examinations, Rounds
from service.rules._base import Context, Rule, RuleParams, Verdict
from service.steering import Actor, steering
from service.sweeps import Sweeper
from service.texts import Message, item, paragraph, small
from service.worker import JOB_SECONDS
from tests.builders import BOB, FAY, NEW, RUNNING, SAM, team, ticket
from tests.conftest import SetClock
from tests.test_effects import FakeChat, FakeJira, Killed

RULE = "testing"
NOW = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
OFF = "the rule is not on any more, so nothing was done"
ALWAYS = Attention(pings_a_day=100, quiet_from=time(), quiet_until=time())
FOUND = Site(fields=FieldMap(reviewer="customfield_7"), jira_bot=("acc-crafty",))


@dataclass
class ReadableJira(FakeJira):
    """The same Jira, with tickets to read.

    faults: raised by the next reads, one each; meanwhile: what happens while it is read; hangs: it never answers.
    """

    tickets: dict[str, Ticket] = field(default_factory=lambda: {"SE-1": ticket(), "SE-2": ticket(key="SE-2")})
    faults: list[Exception] = field(default_factory=list)
    meanwhile: Callable[[], Awaitable[None]] | None = None
    hangs: bool = False
    reads: int = 0

    async def identify(self) -> Person:
        return Person(name="Crafty", jira="acc-crafty")

    async def field_list(self) -> list[RawField]:
        return []

    async def ticket(self, key: str) -> Ticket:
        self.reads += 1
        if self.meanwhile:
            await self.meanwhile()
        if self.hangs:
            await asyncio.Event().wait()
        if self.faults:
            raise self.faults.pop(0)
        if key not in self.tickets:
            raise NotFound(f"there is no {key}")
        return self.tickets[key]

    async def sprints(self, board: int) -> tuple[Sprint, ...]:
        return (RUNNING,)

    async def sprint(self, number: int) -> Sprint:
        raise NotFound(f"there is no sprint {number}")

    async def search(self, jql: str) -> AsyncGenerator[Ticket, None]:
        if self.faults:
            raise self.faults.pop(0)
        for one in self.tickets.values():
            yield one


Check = Callable[[Any, Context], Verdict]


class Params(RuleParams):
    """What can be tuned of the rule."""

    question: str = "Who reviews it?"
    hours: int = 5


def book_of(
    check: Check,
    mode: Mode = "on",
    *,
    about: Any = Ticket,
    settle: timedelta = timedelta(0),
    names: Sequence[str] = (RULE,),
) -> Rulebook:
    """A rulebook of one rule, or of several that are the same but for their names."""
    concerns = frozenset({TicketChanged, Due})
    rules = tuple(Rule(name, concerns, Params, check, "Tests.", subject=about) for name in names)
    return Rulebook(rules, {name: {"": Setting(mode, settle, Params())} for name in names})


class FaultyQueue(Queue):
    """A queue whose endings fail: Redis goes away before they are stored, or before it has said that they are."""

    fails_before = 0
    fails_after = 0

    async def finish(self, work: Work, result: Result) -> bool:
        if self.fails_before:
            self.fails_before -= 1
            raise RedisAway("away")
        stored = await super().finish(work, result)
        if self.fails_after:
            self.fails_after -= 1
            raise RedisAway("away")
        return stored


@dataclass
class Crafty:
    """The jobs with all they need, and a worker that does what is due.

    readers: where contributions are read; about: what the rule decides about; rules: the names of those that it knows.
    """

    redis: Redis
    clock: SetClock
    jira: ReadableJira = field(default_factory=ReadableJira)
    chat: FakeChat = field(default_factory=FakeChat)
    verdict: Verdict = field(default_factory=lambda: Verdict.passed("nothing to do"))
    mode: Mode = "on"
    found: Site | CraftyError = FOUND
    attention: Attention = ALWAYS
    team: Team = field(default_factory=team)
    readers: dict[str, Any] = field(default_factory=dict)
    about: Any = Ticket
    settle: timedelta = timedelta(0)
    examinations: Examinations = field(default_factory=dict)
    admin_channel: str | None = None
    elsewhere: Elsewhere | None = None
    rules: tuple[str, ...] = (RULE,)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.redis)
        self.queue = FaultyQueue(self.redis, self.clock)

    @property
    def current(self) -> Current:
        """What a process that has just started evaluates by."""
        book = book_of(self.decide, self.mode, about=self.about, settle=self.settle, names=self.rules)
        return Current(self.ledger, book)

    @property
    def jobs(self) -> Jobs:
        gatherer = Gatherer(self.jira, self.readers, self.team, self.ledger)
        current, effects = self.current, Effects(self.jira, self.chat, None, self.ledger, self.elsewhere)
        return Jobs(
            queue=self.queue,
            ledger=self.ledger,
            gatherer=gatherer,
            effects=effects,
            pings=Pings(self.attention, self.team, self.ledger),
            sweeper=Sweeper(gatherer, self.readers, self.ledger, self.team, current),
            rounds=Rounds(self.examinations, effects, self.admin_channel, self.ledger, self.team, self.clock),
            find_out=self._find_out,
            team=self.team,
            current=current,
            clock=self.clock,
        )

    def decide(self, about: Any, ctx: Context) -> Verdict:
        """What the rule concludes."""
        return self.verdict

    async def _find_out(self) -> Site:
        if isinstance(self.found, CraftyError):
            raise self.found
        return self.found

    async def tune(self, cell: str = "", **wish: Any) -> None:
        """Sets the rule as an admin does, at another process."""
        admin = steering(self.redis, self.clock, self.current, [cell.name for cell in self.team.cells])
        await admin.tune(RULE, cell, wish, Actor("ada", "cli"))

    async def look(self, verdict: Verdict, subject: str = "SE-1") -> None:
        """Looks at a ticket with that verdict, and does all that follows at once."""
        self.verdict = verdict
        await self.queue.want(look_again(RULE, subject, self.clock()))
        await self.work_off()

    async def act(self, *actions: Action) -> None:
        await self.look(Verdict.act("it is wanted", *actions))

    async def want(self, action: Action, subject: str = "SE-1") -> Wish:
        """Asks for an action as a look would."""
        wish = perform(action, RULE, subject, self.clock())
        await self.queue.want(wish)
        return wish

    async def work_off(self) -> None:
        """Does whatever is due now, and what follows from it."""
        for _ in range(20):
            released, _ = await self.queue.release(100)
            if not released:
                return
            for key, token in await self.leases():
                await self.jobs.work(key, token)
        pytest.fail("it never ends")

    async def leases(self) -> list[tuple[str, str]]:
        names: list[bytes] = await self.redis.zrange(ARQ_QUEUE, 0, -1)
        await self.redis.delete(ARQ_QUEUE)
        pairs = (name.decode().rpartition("@") for name in names)
        return [(key, token) for key, _, token in pairs]

    async def next_due(self) -> datetime | None:
        released, following = await self.queue.release(1)
        assert released == 0
        return following

    async def effects(self, subject: str = "SE-1") -> list[tuple[str, str]]:
        """What became of actions, oldest first."""
        entries = (await self.ledger.timeline(subject))[::-1]
        return [(entry.effect.result, entry.effect.reason) for entry in entries if entry.effect]

    async def dead_letters(self) -> list[str]:
        return [key.decode() for key in await self.redis.zrange("crafty:failed", 0, -1)]

    @property
    def comments(self) -> list[str]:
        return [comment.text for comment in self.jira.comments.values()]


@pytest.fixture
async def crafty(redis: Redis, clock: SetClock) -> Crafty:
    made = Crafty(redis, clock)
    await made.ledger.keep_site(FOUND)
    return made


def says(text: str) -> Message:
    return Message((paragraph(text),))


def ask(text: str = "Who reviews it?", state: str = "missing") -> Comment:
    return Comment(ticket="SE-1", occasion="sprint-41", state=state, message=says(text))


def tell(person: Person = BOB) -> Notify:
    return Notify(person=person, occasion="sprint-41", message=says("Hello"))


def digest(at: datetime, text: str = "x") -> Digest:
    return Digest(person=SAM, occasion="s", intro=paragraph("Hello"), line=item(text), footer=small("Bye"), at=at)


# Looks


async def test_a_look_stores_its_decision_and_does_what_it_wants(crafty: Crafty) -> None:
    await crafty.act(ask(), tell())
    *effects, decided = await crafty.ledger.timeline("SE-1")
    assert (decided.stage, decided.decisions[0].reason) == ("look", "it is wanted")
    assert decided.decisions[0].actions == (ask(), tell())
    assert sorted(entry.effect.reason for entry in effects if entry.effect) == ["commented on SE-1", "told Bob in chat"]
    assert crafty.comments == ["Who reviews it?"]
    assert len(crafty.chat.messages) == 1
    assert await crafty.next_due() is None


async def test_a_look_whose_lease_passed_on_leaves_everything_to_the_next(crafty: Crafty, clock: SetClock) -> None:
    async def too_long() -> None:
        crafty.jira.meanwhile = None
        clock.now += LEASE
        await crafty.queue.release(1)

    crafty.jira.meanwhile = too_long
    crafty.verdict = Verdict.act("it is wanted", ask())
    await crafty.queue.want(look_again(RULE, "SE-1", clock()))
    await crafty.queue.release(1)
    ((key, token),) = await crafty.leases()
    await crafty.jobs.work(key, token)
    assert await crafty.ledger.timeline() == []
    ((key, token),) = await crafty.leases()
    await crafty.jobs.work(key, token)
    await crafty.work_off()
    assert [entry.stage for entry in await crafty.ledger.timeline()] == ["effect", "look"]
    assert crafty.comments == ["Who reviews it?"]


async def test_a_dry_run_decides_and_does_nothing(crafty: Crafty, clock: SetClock) -> None:
    crafty.mode = "dry-run"
    again = clock() + timedelta(hours=1)
    await crafty.act(ask(), tell(), Recheck(subject="SE-1", at=again))
    told, commented, entry = await crafty.ledger.timeline("SE-1")
    assert entry.decisions[0].mode == "dry-run"
    assert [one.effect.result for one in (commented, told) if one.effect] == ["would have", "would have"]
    assert entry.decisions[0].actions[0] == ask()
    assert (crafty.comments, crafty.chat.messages) == ([], [])
    assert await crafty.next_due() == again


async def test_a_recheck_looks_again_at_its_moment(crafty: Crafty, clock: SetClock) -> None:
    at = [clock() + timedelta(hours=hours) for hours in (5, 2)]
    await crafty.look(Verdict.wait("in the grace period", *(Recheck(subject="SE-1", at=one) for one in at)))
    assert await crafty.next_due() == at[1]
    crafty.verdict = Verdict.passed("all is well")
    clock.now = at[1]
    await crafty.work_off()
    newest, _ = await crafty.ledger.timeline("SE-1")
    assert newest.decisions[0].reason == "all is well"
    assert await crafty.next_due() is None


async def test_a_rule_that_raises_is_a_dead_letter_and_others_go_on(crafty: Crafty) -> None:
    def check(about: Ticket, _: Context) -> Verdict:
        if about.key == "SE-1":
            raise ZeroDivisionError
        return Verdict.act("it is wanted", replace_ticket(ask(), "SE-2"))

    jobs = replace(crafty.jobs, current=Current(crafty.ledger, book_of(check)))
    await crafty.queue.want(*(look_again(RULE, key, crafty.clock()) for key in ("SE-1", "SE-2")))
    for _ in range(2):
        await crafty.queue.release(10)
        with capture_logs():
            for key, token in await crafty.leases():
                await jobs.work(key, token)
    assert await crafty.dead_letters() == [f"look:{RULE}:SE-1"]
    assert await crafty.effects("SE-1") == [
        ("failed", "the rule failed (ZeroDivisionError); admins see it among the failed jobs")
    ]
    assert await crafty.effects("SE-2") == [("done", "commented on SE-2")]


def replace_ticket(comment: Comment, key: str) -> Comment:
    return Comment(ticket=key, occasion=comment.occasion, state=comment.state, message=comment.message)


async def test_a_ticket_of_no_cell_ends_quietly(crafty: Crafty) -> None:
    crafty.jira.tickets["XX-1"] = ticket(key="XX-1")
    await crafty.look(Verdict.act("it is wanted", ask()), "XX-1")
    assert await crafty.ledger.timeline() == []
    assert await crafty.next_due() is None


async def test_a_ticket_that_is_gone_ends_quietly_with_the_reason(crafty: Crafty) -> None:
    await crafty.look(Verdict.act("it is wanted", ask()), "SE-77")
    assert await crafty.effects("SE-77") == [("skipped", "there is no SE-77")]
    assert await crafty.dead_letters() == []
    assert await crafty.next_due() is None


async def test_a_look_waits_while_the_rules_comment_is_on_its_way(crafty: Crafty) -> None:
    await crafty.want(ask())
    await crafty.queue.release(1)
    ((key, token),) = await crafty.leases()
    await crafty.look(Verdict.act("it is wanted", ask("Something else", "missing something else")))
    assert crafty.jira.reads == 0
    await crafty.jobs.work(key, token)
    assert crafty.comments == ["Who reviews it?"]
    await crafty.work_off()
    assert crafty.comments == ["Something else"]


# Failures


@pytest.mark.parametrize(
    ("tries", "seconds"),
    [(1, 1), (2, 2), (3, 4), (7, 64), (10, 512), (11, 900), (12, 900), (40, 900)],
    ids=str,
)
async def test_each_wait_is_twice_the_last_up_to_a_quarter_of_an_hour(
    crafty: Crafty, clock: SetClock, tries: int, seconds: float
) -> None:
    crafty.jira.faults = [TryLater("busy") for _ in range(tries)]
    await crafty.look(Verdict.passed("nothing to do"))
    for _ in range(tries - 1):
        clock.now = await crafty.next_due() or clock()
        await crafty.work_off()
    due = await crafty.next_due()
    assert due is not None
    assert seconds * 0.8 <= (due - clock()).total_seconds() <= seconds * 1.2 + 0.001
    assert crafty.jira.faults == []


@pytest.mark.parametrize(
    ("after", "least", "most"),
    [
        pytest.param(None, 0.8, 1.2, id="no time named"),
        pytest.param(0.0, 0.8, 1.2, id="at once, which would be too soon"),
        pytest.param(0.7, 0.8, 1.2, id="less than the usual wait"),
        pytest.param(90.0, 90, 90, id="more than the usual wait"),
        pytest.param(3600.0, 3600, 3600, id="an hour"),
    ],
)
async def test_nobody_is_asked_before_the_time_they_named(
    crafty: Crafty, clock: SetClock, after: float | None, least: float, most: float
) -> None:
    crafty.jira.faults = [TryLater("busy", after=after)]
    await crafty.look(Verdict.passed("nothing to do"))
    due = await crafty.next_due()
    assert due is not None
    assert least <= (due - clock()).total_seconds() <= most + 0.001


@pytest.mark.parametrize(
    ("waited", "is_given_up"),
    [
        pytest.param(timedelta(hours=24), False, id="a day"),
        pytest.param(timedelta(hours=24, seconds=1), True, id="more than a day"),
    ],
)
async def test_an_effect_that_fails_for_a_day_is_given_up(
    crafty: Crafty, clock: SetClock, waited: timedelta, is_given_up: bool
) -> None:
    wish = await crafty.want(digest(clock()))
    crafty.chat.faults = [TryLater("busy"), TryLater("still busy")]
    await crafty.work_off()
    clock.now = NOW + waited
    with capture_logs():
        await crafty.work_off()
    assert await crafty.dead_letters() == ([wish.key] if is_given_up else [])
    assert await crafty.effects() == ([("failed", "given up after a day: still busy")] if is_given_up else [])


async def test_a_look_is_never_given_up_because_jira_is_away(crafty: Crafty, clock: SetClock) -> None:
    crafty.jira.faults = [TryLater("busy"), NotSignedInError("Jira knows no such token")]
    await crafty.look(Verdict.passed("nothing to do"))
    clock.now = NOW + timedelta(days=3)
    await crafty.work_off()
    assert await crafty.dead_letters() == []
    assert await crafty.next_due() == clock() + timedelta(minutes=15)


async def test_a_message_that_waited_for_the_chat_is_sent_while_the_comment_asks(
    crafty: Crafty, clock: SetClock
) -> None:
    crafty.chat.faults = [NotSignedInError("the chat knows no such token")]
    await crafty.act(ask(), tell())
    assert crafty.chat.messages == []
    clock.now = await crafty.next_due() or clock()
    await crafty.work_off()
    assert len(crafty.chat.messages) == 1


async def test_a_digest_that_was_planned_long_ago_is_not_given_up_at_once(crafty: Crafty, clock: SetClock) -> None:
    at = clock() + timedelta(hours=30)
    wish = await crafty.want(digest(at))
    clock.now = at
    crafty.chat.faults = [TryLater("busy")]
    await crafty.work_off()
    assert await crafty.dead_letters() == []
    clock.now = await crafty.next_due() or clock()
    await crafty.work_off()
    assert [key for _, key, _ in crafty.chat.messages] == [f"{wish.key}:{RULE} SE-1"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param(CannotAct("no right to"), "no right to", id="a refusal"),
        pytest.param(ZeroDivisionError("ours"), "unexpected ZeroDivisionError", id="a bug of ours"),
    ],
)
async def test_what_time_does_not_mend_is_a_dead_letter_at_once(crafty: Crafty, fault: Exception, reason: str) -> None:
    crafty.jira.faults = [fault]
    with capture_logs():
        await crafty.look(Verdict.passed("nothing to do"))
    assert await crafty.dead_letters() == [f"look:{RULE}:SE-1"]
    what = Effect(rule=RULE, kind="look", target="SE-1", result="failed", reason=reason)
    assert await crafty.ledger.timeline() == [Entry(at=NOW, subject="SE-1", stage="effect", effect=what)]
    assert await crafty.next_due() is None


async def test_a_ticket_that_moved_to_another_project_is_looked_at_under_its_new_key(crafty: Crafty) -> None:
    crafty.jira.tickets["SE-1"] = crafty.jira.tickets["SE-9"] = ticket(key="SE-9")
    await crafty.look(Verdict.passed("nothing to do"))
    newest, *_ = await crafty.ledger.timeline("SE-9")
    assert [decision.subject for decision in newest.decisions] == ["SE-9"]
    assert await crafty.effects() == [("skipped", "SE-1 is SE-9 now, so Crafty looks there")]
    assert await crafty.next_due() is None


async def test_a_credential_that_is_not_accepted_is_waited_for(crafty: Crafty, clock: SetClock) -> None:
    crafty.jira.faults = [NotSignedInError("Jira knows no such token")]
    with capture_logs():
        await crafty.look(Verdict.passed("nothing to do"))
    assert await crafty.dead_letters() == []
    assert await crafty.next_due() == clock() + timedelta(minutes=15)


async def test_an_action_that_cannot_be_read_waits_for_a_version_that_can_and_is_given_up_after_a_day(
    crafty: Crafty,
) -> None:
    wish = await crafty.want(tell())
    fields: Any = {"payload": json.dumps({"kind": "of another version"})}
    await crafty.redis.hset(f"crafty:work:{wish.key}", mapping=fields)  # type: ignore[misc]
    with capture_logs():
        await crafty.work_off()
        assert (await crafty.dead_letters(), await crafty.effects()) == ([], [])
        crafty.clock.now += GIVE_UP + timedelta(minutes=1)
        await crafty.work_off()
    assert await crafty.dead_letters() == [wish.key]
    ((result, reason),) = await crafty.effects()
    assert (result, reason.partition(":")[0]) == ("failed", "given up after a day")


async def test_work_that_hangs_is_tried_again(crafty: Crafty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "WORK_SECONDS", 0.02)
    crafty.jira.hangs = True
    await crafty.look(Verdict.passed("nothing to do"))
    crafty.jira.hangs = False
    due = await crafty.next_due()
    assert due is not None
    crafty.clock.now = due
    await crafty.work_off()
    assert await crafty.next_due() is None
    assert len(await crafty.ledger.timeline()) == 1


def test_a_lease_outlasts_the_longest_job() -> None:
    assert WORK_SECONDS + FINISH_SECONDS < JOB_SECONDS < LEASE.total_seconds()


@pytest.mark.parametrize(
    ("before", "after"),
    [pytest.param(2, 0, id="before it is stored"), pytest.param(0, 1, id="after it is stored, and nobody heard")],
)
async def test_a_redis_that_goes_away_at_the_end_is_asked_again(crafty: Crafty, before: int, after: int) -> None:
    await crafty.want(ask())
    crafty.queue.fails_before, crafty.queue.fails_after = before, after
    with capture_logs():
        await crafty.work_off()
    assert crafty.comments == ["Who reviews it?"]
    assert await crafty.effects() == [("done", "commented on SE-1")]
    assert await crafty.next_due() is None


async def test_a_lease_that_has_passed_on_starts_nothing(crafty: Crafty) -> None:
    await crafty.queue.want(look_again(RULE, "SE-1", crafty.clock()))
    await crafty.queue.release(1)
    ((key, _),) = await crafty.leases()
    await crafty.jobs.work(key, "0")
    assert crafty.jira.reads == 0


# Performs


@pytest.mark.parametrize(
    ("waited", "looks_first"),
    [
        pytest.param(timedelta(minutes=10), False, id="ten minutes are fresh"),
        pytest.param(timedelta(minutes=10, seconds=1), True, id="more are not"),
    ],
)
async def test_what_waited_too_long_looks_again_first(
    crafty: Crafty, clock: SetClock, waited: timedelta, looks_first: bool
) -> None:
    await crafty.want(ask())
    clock.now += waited
    await crafty.work_off()
    assert (crafty.comments == []) is looks_first
    assert bool(crafty.jira.reads) is looks_first


async def test_what_waited_too_long_and_is_still_wanted_is_done(crafty: Crafty, clock: SetClock) -> None:
    await crafty.want(ask())
    crafty.verdict = Verdict.act("it is wanted", ask("Who could review it?"))
    clock.advance(hours=1)
    await crafty.work_off()
    assert crafty.comments == ["Who could review it?"]


async def test_what_was_done_before_is_not_done_again(crafty: Crafty) -> None:
    wish = await crafty.want(tell())
    await crafty.redis.set(f"crafty:done:{wish.key}", "at another time")
    await crafty.work_off()
    assert crafty.chat.messages == []
    assert await crafty.effects() == [("skipped", "it was done before")]


async def test_an_effect_is_wanted_and_done_once(crafty: Crafty) -> None:
    for _ in range(3):
        await crafty.act(tell(), MoveToBacklog(ticket="SE-1", occasion="sprint-41"))
    assert len(crafty.chat.messages) == 1
    assert [reason for _, reason in await crafty.effects()].count("moved SE-1 to the backlog") == 1


async def kill_and_come_back(crafty: Crafty, minutes: float = 2) -> None:
    """The worker dies in the middle of what is due; another one works on when the lease is over."""
    with pytest.raises(Killed):
        await crafty.work_off()
    crafty.clock.advance(minutes=minutes)
    await crafty.work_off()


async def test_a_comment_that_was_written_before_a_crash_is_not_written_again(crafty: Crafty) -> None:
    await crafty.want(ask())
    crafty.jira.dies_after = "add_comment"
    await kill_and_come_back(crafty)
    assert crafty.comments == ["Who reviews it?"]
    case = await crafty.ledger.case(RULE, "SE-1")
    assert case is not None
    assert (case.comment, case.state) == ("10000", "missing")


async def test_a_comment_is_written_edited_and_left_alone(crafty: Crafty) -> None:
    content = EditComment(ticket="SE-1", occasion="sprint-41", state="reviewed", message=says("Thank you!"))
    for action in (ask(), ask(), ask("Once more?", "missing again"), content, content):
        await crafty.act(action)
    (comment,) = crafty.jira.comments.values()
    assert (comment.text, comment.edits) == ("Thank you!", 2)


async def test_a_review_is_counted_once_though_the_worker_died(crafty: Crafty) -> None:
    await crafty.want(SetReviewer(ticket="SE-1", occasion="sprint-41", person=FAY, sprint=41))
    crafty.jira.dies_after = "set_user_field"
    await kill_and_come_back(crafty)
    assert await crafty.ledger.reviews_taken(41) == {"acc-fay": 1}


@pytest.mark.parametrize("minutes", [2, 60], ids=["as the lease ends", "after an hour, with another look in between"])
async def test_a_message_that_was_sent_before_a_crash_is_not_sent_again(crafty: Crafty, minutes: float) -> None:
    crafty.verdict = Verdict.act("it is wanted", tell())
    wish = await crafty.want(tell())
    crafty.chat.dies_after_posting = True
    await kill_and_come_back(crafty, minutes)
    assert crafty.chat.messages == [("@bob", wish.key, "Hello")]
    assert await crafty.ledger.is_done(wish.key)


async def test_a_message_without_a_clear_answer_is_not_sent_again_though_it_is_wanted_again(
    crafty: Crafty, clock: SetClock
) -> None:
    crafty.chat.faults_after = [TryLater("no answer")]
    await crafty.act(tell())
    await crafty.act(tell())
    clock.advance(minutes=1)
    await crafty.work_off()
    assert len(crafty.chat.messages) == 1


async def test_a_digest_that_was_sent_before_a_crash_is_not_sent_again_and_new_lines_follow(crafty: Crafty) -> None:
    wish = await crafty.want(digest(crafty.clock(), "first"), "SE-1")
    crafty.chat.dies_after_posting = True
    with pytest.raises(Killed):
        await crafty.work_off()
    await crafty.want(digest(crafty.clock(), "second"), "SE-2")
    crafty.clock.advance(minutes=2)
    await crafty.work_off()
    first, second = crafty.chat.messages
    assert [first[1], second[1]] == [f"{wish.key}:{RULE} {subject}" for subject in ("SE-1", "SE-2")]
    assert ("first" in first[2], "second" in first[2]) == (True, False)
    assert ("first" in second[2], "second" in second[2]) == (False, True)


async def test_a_digest_is_one_message_and_on_the_timeline_of_each_ticket(crafty: Crafty, clock: SetClock) -> None:
    at = clock() + timedelta(minutes=10)
    for subject in ("SE-1", "SE-2"):
        await crafty.look(Verdict.act("it is not ready", digest(at, f"{subject} has no estimate")), subject)
    assert crafty.chat.messages == []
    clock.now = at
    await crafty.work_off()
    ((where, _, text),) = crafty.chat.messages
    assert where == "@sam"
    assert all(f"{subject} has no estimate" in text for subject in ("SE-1", "SE-2"))
    for subject in ("SE-1", "SE-2"):
        assert await crafty.effects(subject) == [("done", "told Sam in chat")]


async def test_a_digest_without_lines_sends_nothing(crafty: Crafty) -> None:
    wish = await crafty.want(digest(crafty.clock()))
    await crafty.redis.delete(f"crafty:lines:{wish.key}")
    await crafty.work_off()
    assert crafty.chat.messages == []
    assert await crafty.next_due() is None


async def test_somebody_without_an_account_is_skipped_with_the_reason(crafty: Crafty) -> None:
    await crafty.act(tell(NEW))
    assert crafty.chat.messages == []
    assert await crafty.effects() == [("skipped", "Nia has no chat account in the configuration")]


# The site


@pytest.mark.parametrize(
    ("problems", "hours"),
    [
        pytest.param((), 24, id="a day later where all was found"),
        pytest.param(
            ("jira.fields.sprint: no field is named “Sprynt”",), 1, id="an hour later where something was not"
        ),
    ],
)
async def test_the_site_is_found_out_again(
    crafty: Crafty, clock: SetClock, problems: tuple[str, ...], hours: int
) -> None:
    crafty.found = Site(problems=problems)
    await crafty.queue.want(site(clock()))
    with capture_logs() as logs:
        await crafty.work_off()
    assert (await crafty.ledger.site())[0] == crafty.found
    assert [one["problem"] for one in logs if one["event"] == "site.problem"] == list(problems)
    assert await crafty.next_due() == clock() + timedelta(hours=hours)


async def test_a_site_that_cannot_be_asked_keeps_what_was_known(crafty: Crafty, clock: SetClock) -> None:
    crafty.found = TryLater("busy", after=60)
    await crafty.queue.want(site(clock()))
    await crafty.work_off()
    assert (await crafty.ledger.site())[0] == FOUND
    assert await crafty.next_due() == clock() + timedelta(seconds=60)


async def test_crafty_knows_its_account_in_a_system_that_did_not_tell_of_it_this_time(crafty: Crafty) -> None:
    await crafty.ledger.keep_site(Site(discourse_bot="crafty", github_bot="crafty-then"))
    crafty.found = Site(github_bot="crafty-now", problems=("Discourse answered GET /session/current.json with 502.",))
    await crafty.queue.want(site(crafty.clock()))
    with capture_logs():
        await crafty.work_off()
    known, _ = await crafty.ledger.site()
    assert known is not None
    assert (known.discourse_bot, known.github_bot, known.gitlab_bot) == ("crafty", "crafty-now", None)


async def test_a_site_that_refuses_is_asked_again(crafty: Crafty, clock: SetClock) -> None:
    crafty.found = CannotAct("Jira knows no such token")
    await crafty.queue.want(site(clock()))
    with capture_logs() as logs:
        await crafty.work_off()
    assert [one["reason"] for one in logs if one["event"] == "site.refused"] == ["Jira knows no such token"]
    assert await crafty.next_due() == clock() + timedelta(minutes=15)
    assert await crafty.dead_letters() == []


async def test_a_look_of_a_rule_that_this_version_does_not_know_waits_for_one_that_does(crafty: Crafty) -> None:
    await crafty.queue.want(look_again("of-tomorrow", "SE-1", crafty.clock()))
    with capture_logs():
        await crafty.work_off()
    assert await crafty.dead_letters() == []
    assert NOW < (await crafty.next_due() or NOW) <= NOW + timedelta(seconds=2)


# What is refused


async def test_what_is_refused_is_told_to_admins_and_not_wanted_again_while_the_rest_is_done(
    crafty: Crafty, clock: SetClock
) -> None:
    crafty.chat.faults = [CannotAct("no right to write to Bob")]
    for _ in range(2):
        with capture_logs():
            await crafty.act(tell(), MoveToBacklog(ticket="SE-1", occasion="sprint-41"))
        clock.advance(minutes=5)
    assert crafty.chat.messages == []
    assert sorted(await crafty.effects()) == [
        ("done", "moved SE-1 to the backlog"),
        ("failed", "no right to write to Bob"),
    ]
    assert await crafty.ledger.warnings() == {"notify of testing": "SE-1: no right to write to Bob"}


async def test_what_was_refused_is_tried_anew_when_that_is_forgotten(crafty: Crafty) -> None:
    crafty.chat.faults = [CannotAct("no right")]
    with capture_logs():
        await crafty.act(tell())
    assert 0 < await crafty.redis.ttl(f"crafty:refused:{RULE}:SE-1") <= 86_400
    await crafty.redis.delete(f"crafty:refused:{RULE}:SE-1")
    await crafty.act(tell())
    assert len(crafty.chat.messages) == 1


# Contributions

KEY = "github:acme/tool#12"
OPENED = Note(what="opened", at=NOW, by=Person(name="Ada", github="ada"), title="Fix the docs", url="https://x.example")
CREATE = CreateTicket(
    project="SE",
    issue_type="Task",
    occasion="ticket",
    summary="Answer Ada",
    message=says("Hello"),
    due=date(2026, 11, 17),
)


@pytest.fixture
async def watching(crafty: Crafty) -> Crafty:
    """A Crafty whose cell looks after a repository, and whose rule decides about contributions."""
    (home,) = crafty.team.cells
    crafty.about = Contribution
    crafty.team = replace(crafty.team, cells=(replace(home, repositories=frozenset({"acme/tool"})),))
    await crafty.ledger.keep_notes(Contributed(key=KEY, place="acme/tool", notes=(OPENED,)))
    return crafty


async def internal_ticket(crafty: Crafty) -> str | None:
    known = await crafty.ledger.contribution(KEY)
    return known.ticket if known else None


async def test_a_contributions_ticket_is_made_once_and_looked_at_under_both_names(watching: Crafty) -> None:
    await watching.look(Verdict.act("nobody has answered", CREATE), KEY)
    assert await internal_ticket(watching) == "SE-100"
    assert await watching.effects(KEY) == [("done", "made SE-100")]
    looks = [entry.stage for entry in await watching.ledger.timeline(KEY)].count("look")
    filed = [entry.stage for entry in await watching.ledger.timeline("SE-100")]
    assert (looks, filed) == (2, ["look"])
    assert len(watching.jira.created) == 1


async def test_a_ticket_that_was_made_before_a_crash_is_the_contributions_ticket(watching: Crafty) -> None:
    watching.verdict = Verdict.act("nobody has answered", CREATE)
    await watching.want(CREATE, KEY)
    watching.jira.dies_after = "create_ticket"
    await kill_and_come_back(watching)
    assert list(watching.jira.created) == ["SE-100"]
    assert await internal_ticket(watching) == "SE-100"


async def test_a_ticket_that_jira_made_without_saying_so_is_found_and_not_made_again(
    watching: Crafty, clock: SetClock
) -> None:
    watching.jira.faults_after["create_ticket"] = TryLater("no answer")
    await watching.look(Verdict.act("nobody has answered", CREATE), KEY)
    assert await internal_ticket(watching) is None
    assert await watching.next_due() == clock() + timedelta(seconds=60)
    clock.advance(seconds=60)
    await watching.work_off()
    assert list(watching.jira.created) == ["SE-100"]
    assert await internal_ticket(watching) == "SE-100"


async def test_a_contribution_that_nobody_told_of_ends_quietly_with_the_reason(watching: Crafty) -> None:
    await watching.look(Verdict.act("nobody has answered", CREATE), "github:acme/tool#77")
    assert await watching.effects("github:acme/tool#77") == [("skipped", "nothing is known of github:acme/tool#77")]


# Sweeps


async def test_a_sweep_asks_for_looks_and_comes_again_within_the_hour(crafty: Crafty, clock: SetClock) -> None:
    crafty.jira.tickets = {"SE-1": ticket(reviewer=None)}
    crafty.verdict = Verdict.act("it is wanted", ask())
    await crafty.queue.want(sweep("Serenity", clock()))
    await crafty.work_off()
    assert crafty.comments == ["Who reviews it?"]
    assert await crafty.next_due() == clock() + timedelta(hours=1)


async def test_a_sweep_of_a_cell_that_is_configured_no_more_ends(crafty: Crafty, clock: SetClock) -> None:
    await crafty.queue.want(sweep("Falcon", clock()))
    await crafty.work_off()
    assert await crafty.next_due() is None


@pytest.mark.parametrize(
    ("fault", "minutes"),
    [
        pytest.param(CannotAct("no right to search"), 60, id="a refusal"),
        pytest.param(NotFound("there is no such path"), 60, id="not there"),
        pytest.param(ZeroDivisionError(), 60, id="a bug of ours"),
        pytest.param(NotSignedInError("Jira knows no such token"), 15, id="a credential that is not accepted"),
        pytest.param(TryLater("busy", after=900), 15, id="a Jira that is busy"),
    ],
)
async def test_a_sweep_that_fails_comes_again(crafty: Crafty, clock: SetClock, fault: Exception, minutes: int) -> None:
    crafty.jira.faults = [fault]
    await crafty.queue.want(sweep("Serenity", clock()))
    with capture_logs():
        await crafty.work_off()
    assert await crafty.next_due() == clock() + timedelta(minutes=minutes)
    assert await crafty.dead_letters() == []


async def test_a_sweep_that_is_refused_is_told_to_admins(crafty: Crafty, clock: SetClock) -> None:
    crafty.jira.faults = [CannotAct("no right to search")]
    await crafty.queue.want(sweep("Serenity", clock()))
    with capture_logs():
        await crafty.work_off()
    assert await crafty.ledger.warnings() == {"sweep of Serenity": "no right to search"}


# Rules that admins set while work is under way


async def run(crafty: Crafty) -> tuple[str, str]:
    """Releases the one piece of work that is due, and says which it is."""
    await crafty.queue.release(1)
    ((key, token),) = await crafty.leases()
    return key, token


async def test_what_was_wanted_before_the_rule_was_turned_off_is_not_done_and_says_why(crafty: Crafty) -> None:
    for action in (ask(), tell(), MoveToBacklog(ticket="SE-1")):
        await crafty.want(action)
    await crafty.tune(mode="off")
    await crafty.work_off()
    assert (crafty.comments, crafty.chat.messages) == ([], [])
    assert await crafty.effects() == [("skipped", OFF)] * 3
    assert await crafty.ledger.done_by(RULE, "SE-1") == frozenset()


async def test_what_was_wanted_before_the_rule_went_into_dry_run_is_not_done(crafty: Crafty) -> None:
    await crafty.want(ask())
    await crafty.tune(mode="dry-run")
    await crafty.work_off()
    assert crafty.comments == []
    assert ("skipped", OFF) in await crafty.effects()


@pytest.mark.parametrize(("cell", "is_done"), [("Serenity", False), ("Falcon", True)])
async def test_what_is_off_in_a_cell_is_done_in_the_others(crafty: Crafty, cell: str, is_done: bool) -> None:
    crafty.team = team('\n[[cells]]\nname = "Falcon"\nprojects = ["FA"]\nboard = 13\n')
    await crafty.want(ask())
    await crafty.tune(cell, mode="off")
    await crafty.work_off()
    assert bool(crafty.comments) is is_done


async def test_turned_on_again_the_sweep_finds_what_was_left_undone(crafty: Crafty) -> None:
    crafty.verdict = Verdict.act("it is wanted", ask(), tell())
    for action in (ask(), tell()):
        await crafty.want(action)
    await crafty.tune(mode="off")
    await crafty.work_off()
    await crafty.tune(mode="on")
    crafty.jira.tickets.pop("SE-2")
    await crafty.work_off()
    assert (crafty.comments, len(crafty.chat.messages)) == (["Who reviews it?"], 1)


async def test_what_a_tuned_rule_is_looked_at_for_is_decided_by_the_new_parameter(crafty: Crafty) -> None:
    def check(_: Any, ctx: Context) -> Verdict:
        return Verdict.act("it is wanted", ask(ctx.params.question, f"missing {ctx.params.question}"))

    jobs = replace(crafty.jobs, current=Current(crafty.ledger, book_of(check)))
    for question in ("Who reviews it?", "Who could?"):
        await crafty.tune(params={"question": question})
        await crafty.redis.delete("crafty:due")
        await crafty.queue.want(look_again(RULE, "SE-1", crafty.clock()))
        await jobs.work(*await run(crafty))
        await jobs.work(*await run(crafty))
        assert crafty.comments == [question]


async def test_work_that_finds_a_newer_version_reads_it_before_it_decides(crafty: Crafty) -> None:
    jobs = crafty.jobs
    await jobs.current.reload()
    await crafty.want(ask())
    leased = await run(crafty)
    await crafty.tune(mode="off")
    await jobs.work(*leased)
    assert crafty.comments == []
    assert jobs.current.version == (await crafty.ledger.site())[1]


async def test_a_line_of_a_rule_that_is_off_is_left_out_and_says_why(crafty: Crafty, clock: SetClock) -> None:
    crafty.team = team('\n[[cells]]\nname = "Falcon"\nprojects = ["FA"]\nboard = 13\n')
    at = clock() + timedelta(minutes=10)
    for subject in ("SE-1", "FA-1"):
        await crafty.want(digest(at, f"{subject} has no estimate"), subject)
    await crafty.tune("Falcon", mode="off")
    clock.now = at
    await crafty.work_off()
    ((_, _, text),) = crafty.chat.messages
    assert ("SE-1" in text, "FA-1" in text) == (True, False)
    assert await crafty.effects("SE-1") == [("done", "told Sam in chat")]
    assert await crafty.effects("FA-1") == [("skipped", OFF)]


async def test_a_list_with_nothing_but_lines_of_a_rule_that_is_off_is_not_sent(crafty: Crafty, clock: SetClock) -> None:
    for subject in ("SE-1", "SE-2"):
        await crafty.want(digest(clock()), subject)
    await crafty.tune(mode="off")
    await crafty.work_off()
    assert crafty.chat.messages == []
    assert [await crafty.effects(subject) for subject in ("SE-1", "SE-2")] == [[("skipped", OFF)]] * 2


async def test_a_line_that_was_left_out_is_sent_when_the_rule_is_on_again(crafty: Crafty, clock: SetClock) -> None:
    crafty.jira.tickets.pop("SE-2")
    crafty.verdict = Verdict.act("it is wanted", digest(clock(), "SE-1 has no estimate"))
    await crafty.want(digest(clock(), "SE-1 has no estimate"))
    await crafty.tune(mode="off")
    await crafty.work_off()
    await crafty.tune(mode="on")
    await crafty.work_off()
    ((_, _, text),) = crafty.chat.messages
    assert "SE-1 has no estimate" in text


async def test_a_cells_setting_counts_for_the_contributions_that_it_looks_after(watching: Crafty) -> None:
    await watching.want(CREATE, KEY)
    await watching.tune("Serenity", mode="off")
    await watching.work_off()
    assert watching.jira.created == {}
    assert ("skipped", OFF) in await watching.effects(KEY)


async def test_a_cells_setting_counts_for_tickets_of_the_contributions_project_that_it_looks_after(
    crafty: Crafty,
) -> None:
    crafty.about = Contribution
    serenity = replace(crafty.team.cells[0], contribution_projects=frozenset({"OSPR"}))
    crafty.team = replace(crafty.team, cells=(serenity,))
    opened = Note(what="opened", at=NOW, by=SAM, title="x", url="https://x.example/1", kind="ticket")
    await crafty.ledger.keep_notes(Contributed(key="OSPR-1", place="OSPR", notes=(opened,)))
    await crafty.want(tell(), "OSPR-1")
    await crafty.tune("Serenity", mode="off")
    await crafty.work_off()
    assert crafty.chat.messages == []
    assert ("skipped", OFF) in await crafty.effects("OSPR-1")
