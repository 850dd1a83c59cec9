"""Dry-run: a rule goes its whole way, step by step, in a shadow of its own, and nothing is written anywhere."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from service.actions import AddLabel, Comment, Digest, MoveToBacklog, Notify
from service.engine import Decision, Mode
from service.facts import Person, Team, Ticket
from service.queue import look, look_again
from service.rules._base import Context, Verdict, asked, passed_and_told, wanted
from service.texts import item, paragraph, small
from tests.builders import BOB, SAM, team, ticket
from tests.conftest import SetClock
from tests.test_jobs import FOUND, RULE, Check, Crafty, ReadableJira, ask, says, tell
from tests.test_queue import taken

PATIENCE = timedelta(hours=1)
BOTH_CELLS = '\n[[cells]]\nname = "Falcon"\nprojects = ["FA"]\nboard = 13\n'
ASKED, REMINDED, CONTENT = "would comment on SE-1", "would tell @bob in chat", "would edit the comment on SE-1"


def asks_then_reminds(about: Ticket, ctx: Context) -> Verdict:
    """A rule with several steps: it asks, an hour later it reminds, and then it is content."""
    if about.reviewer:
        return passed_and_told(about, ctx, "somebody reviews it", "thanks", lambda: says("Thank you!"))
    asked_at = ctx.said.at if ctx.said else ctx.now
    if ctx.is_asking and ctx.now >= asked_at + PATIENCE:
        return wanted(RULE, about.key, ctx, "nobody has answered", tell())
    comment = Comment(ticket=about.key, occasion="sprint-41", state="missing", message=says("Who reviews it?"))
    return asked(about, ctx, "nobody reviews it", comment, again=asked_at + PATIENCE)


@dataclass
class Rehearsing(Crafty):
    """A Crafty whose rule is configured as in dry-run, and an admin."""

    mode: Mode = "dry-run"
    team: Team = field(default_factory=lambda: team(BOTH_CELLS))
    check: Check = asks_then_reminds

    def decide(self, about: Any, ctx: Context) -> Verdict:
        return self.check(about, ctx)

    async def look_at(self, subject: str = "SE-1") -> None:
        await self.queue.want(look_again(RULE, subject, self.clock()))
        await self.work_off()

    async def go_on(self) -> None:
        """Waits for what is planned next, and does it."""
        self.clock.now = await self.next_due() or self.clock()
        await self.work_off()

    def review(self, reviewer: Person | None, subject: str = "SE-1") -> None:
        self.jira.tickets[subject] = ticket(key=subject, reviewer=reviewer)

    async def go_the_whole_way(self) -> list[tuple[str, str]]:
        """From the question to the thanks: what was decided, oldest first."""
        await self.look_at()
        await self.go_on()
        self.review(BOB)
        await self.look_at()
        await self.look_at()
        entries = reversed(await self.ledger.timeline("SE-1"))
        return [(one.outcome, one.reason) for entry in entries for one in entry.decisions]


@pytest.fixture
async def crafty(redis: Redis, clock: SetClock) -> Rehearsing:
    made = Rehearsing(redis, clock, jira=ReadableJira(tickets={}))
    made.review(None)
    await made.ledger.keep_site(FOUND)
    return made


async def test_each_step_is_noted_once_and_nothing_is_written(crafty: Rehearsing) -> None:
    await crafty.go_the_whole_way()
    assert await crafty.effects() == [("would have", step) for step in (ASKED, REMINDED, CONTENT)]
    assert (crafty.comments, crafty.chat.messages) == ([], [])
    assert await crafty.ledger.case(RULE, "SE-1") is None
    assert await crafty.ledger.done_by(RULE, "SE-1") == frozenset()
    assert await crafty.ledger.asking() == frozenset()


async def test_it_decides_as_it_would_if_it_were_on(crafty: Rehearsing, clock: SetClock) -> None:
    start = clock()
    rehearsed = await crafty.go_the_whole_way()
    await crafty.redis.flushall()
    await crafty.ledger.keep_site(FOUND)
    clock.now, crafty.mode = start, "on"
    crafty.review(None)
    assert await crafty.go_the_whole_way() == rehearsed
    assert [result for result, _ in await crafty.effects()] == ["done", "done", "done"]


async def test_the_recheck_is_planned(crafty: Rehearsing, clock: SetClock) -> None:
    await crafty.look_at()
    assert await crafty.next_due() == clock() + PATIENCE


async def test_looking_again_rehearses_nothing_twice(crafty: Rehearsing) -> None:
    for _ in range(3):
        await crafty.look_at()
    assert await crafty.effects() == [("would have", ASKED)]


@pytest.mark.parametrize(
    ("action", "words"),
    [
        pytest.param(tell(), "would tell @bob in chat", id="a message"),
        pytest.param(AddLabel(ticket="SE-1", label="x"), "would label SE-1", id="a label"),
        pytest.param(MoveToBacklog(ticket="SE-1"), "would move SE-1 to the backlog", id="a move"),
    ],
)
async def test_what_a_rule_wants_again_and_again_is_noted_once(
    crafty: Rehearsing, action: Notify | AddLabel | MoveToBacklog, words: str
) -> None:
    crafty.check = lambda *_: Verdict.act("it is wanted", action)
    for _ in range(3):
        await crafty.look_at()
    assert await crafty.effects() == [("would have", words)]


async def test_a_line_of_a_list_is_noted_once_for_each_ticket(crafty: Rehearsing, clock: SetClock) -> None:
    at = clock() + timedelta(hours=1)
    line = Digest(person=SAM, occasion="s", intro=paragraph("Hello"), line=item("x"), footer=small("Bye"), at=at)
    crafty.check = lambda *_: Verdict.act("it is wanted", line)
    crafty.review(None, "FA-1")
    for subject in ("SE-1", "FA-1", "SE-1", "FA-1"):
        await crafty.look_at(subject)
    clock.now = at
    await crafty.work_off()
    for subject in ("SE-1", "FA-1"):
        assert await crafty.effects(subject) == [("would have", "would put a line into a list for @sam")]
    assert crafty.chat.messages == []


async def test_once_it_is_on_it_really_asks(crafty: Rehearsing) -> None:
    await crafty.look_at()
    await crafty.tune(mode="on")
    await crafty.look_at()
    assert crafty.comments == ["Who reviews it?"]
    assert await crafty.effects() == [("would have", ASKED), ("done", "commented on SE-1")]


async def test_what_was_rehearsed_does_not_count_as_done(crafty: Rehearsing) -> None:
    crafty.check = lambda about, ctx: wanted(RULE, about.key, ctx, "it is wanted", tell())
    await crafty.look_at()
    await crafty.tune(mode="on")
    await crafty.look_at()
    assert len(crafty.chat.messages) == 1


async def test_what_was_really_done_is_not_known_to_the_rehearsal_and_stays_as_it_is(crafty: Rehearsing) -> None:
    crafty.mode = "on"
    await crafty.look_at()
    before = await crafty.ledger.case(RULE, "SE-1")
    await crafty.tune(mode="dry-run")
    await crafty.look_at()
    assert await crafty.ledger.case(RULE, "SE-1") == before
    crafty.review(BOB)
    await crafty.look_at()
    assert crafty.comments == ["Who reviews it?"]
    await crafty.tune(mode="on")
    await crafty.look_at()
    assert crafty.comments == ["Thank you!"]


async def test_a_ticket_that_moves_takes_its_rehearsal_along(crafty: Rehearsing) -> None:
    await crafty.look_at()
    crafty.jira.tickets["SE-1"] = crafty.jira.tickets["FA-7"] = ticket(key="FA-7", reviewer=None)
    await crafty.look_at()
    await crafty.look_at("FA-7")
    assert await crafty.effects("FA-7") == []


async def test_a_cell_may_rehearse_while_another_acts(crafty: Rehearsing) -> None:
    crafty.review(None, "FA-1")
    await crafty.tune("Falcon", mode="on")
    for subject in ("SE-1", "FA-1"):
        await crafty.look_at(subject)
    assert {one.ticket: one.text for one in crafty.jira.comments.values()} == {"FA-1": "Who reviews it?"}
    assert await crafty.effects("SE-1") == [("would have", ASKED)]
    assert await crafty.effects("FA-1") == [("done", "commented on FA-1")]


async def test_an_event_after_which_all_is_well_wakes_a_rehearsal_that_asks(crafty: Rehearsing) -> None:
    crafty.check = lambda about, ctx: (
        asks_then_reminds(about, ctx) if about.reviewer else asked(about, ctx, "nobody reviews it", ask())
    )
    await crafty.look_at()
    crafty.review(BOB)
    passed = Decision(
        rule=RULE, subject="SE-1", cell="Serenity", mode="dry-run", outcome="pass", reason="somebody does", facts={}
    )
    looks = [look(passed, crafty.clock(), timedelta(0))]
    version = (await crafty.ledger.site())[1]
    await crafty.queue.ingest(taken(decisions=[passed], looks=looks), version)
    await crafty.work_off()
    assert await crafty.effects() == [("would have", ASKED), ("would have", CONTENT)]
