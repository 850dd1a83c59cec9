"""People change a ticket while a comment about it is on its way: what the comment says in the end is true."""

from datetime import timedelta
from typing import Any

import pytest

from service.actions import Action, Comment, EditComment
from service.ledger import Case, Delivery, Ledger
from service.queue import Queue, Result, Taken, Wish, Work, look_again, look_key, perform
from service.texts import Message, paragraph
from tests.conftest import SetClock

RULE, TICKET = "missing-reviewer", "SE-1"
LOOK = look_key(RULE, TICKET)


def comment(state: str = "missing") -> Comment:
    return Comment(ticket=TICKET, occasion="sprint-41", state=state, message=Message((paragraph("Who reviews it?"),)))


async def take_up(queue: Queue, redis: Any, key: str) -> Work:
    """Releases what is due and claims one record of it, as a worker does."""
    await queue.release(10)
    work = await queue.claim(key, (await redis.hget(f"crafty:work:{key}", "token")).decode())
    assert work is not None
    return work


async def decide(queue: Queue, redis: Any, clock: SetClock, action: Action) -> Work:
    """A look decides that the comment is to be written; returns the work that writes it, begun and not ended."""
    await queue.want(look_again(RULE, TICKET, clock()))
    look = await take_up(queue, redis, LOOK)
    await queue.finish(look, Result(ending="done", wishes=[perform(action, RULE, TICKET, clock())]))
    return await take_up(queue, redis, action.key(RULE, TICKET))


def passing_event(clock: SetClock) -> Taken:
    """An event on which the rule passes: it wakes a look only where the rule has something open."""
    delivery = Delivery(id="d-2", source="jira", event="jira:issue_updated", subject=TICKET, received=clock())
    look = Wish(
        key=LOOK, kind="look", rule=RULE, subject=TICKET, due=int(clock().timestamp() * 1000), only_if_open=True
    )
    return Taken(delivery=delivery, body=b"", marks=["d-2"], looks=[look])


def written(clock: SetClock) -> Result:
    case = Case(
        rule=RULE, subject=TICKET, comment="7", occasion="sprint-41", state="missing", at=clock(), turns=0, open=True
    )
    return Result(ending="done", case=case)


async def test_an_event_wakes_a_look_though_the_comment_is_not_recorded_yet(redis: Any, clock: SetClock) -> None:
    queue, ledger = Queue(redis, clock), Ledger(redis)
    await decide(queue, redis, clock, comment())
    assert await ledger.case(RULE, TICKET) is None

    await queue.ingest(passing_event(clock), "0")
    assert await redis.zscore("crafty:due", LOOK) is not None


async def test_a_look_waits_for_the_comment_and_goes_on_as_soon_as_it_is_written(redis: Any, clock: SetClock) -> None:
    queue, ledger = Queue(redis, clock), Ledger(redis)
    writing = await decide(queue, redis, clock, comment())
    await queue.ingest(passing_event(clock), "0")
    look = await take_up(queue, redis, LOOK)
    assert await ledger.is_writing(RULE, TICKET)
    await queue.finish(look, Result(ending="blocked", due=clock() + timedelta(minutes=15)))

    await queue.finish(writing, written(clock))
    assert not await ledger.is_writing(RULE, TICKET)
    assert await redis.zscore("crafty:due", LOOK) == clock().timestamp() * 1000


@pytest.mark.parametrize(
    ("ending", "is_writing"),
    [
        pytest.param("retry", True, id="a comment that is tried again is still on its way"),
        pytest.param("failed", False, id="one that is given up is not"),
        pytest.param("done", False, id="one that is done is not"),
    ],
)
async def test_until_when_a_comment_is_on_its_way(redis: Any, clock: SetClock, ending: Any, is_writing: bool) -> None:
    queue, ledger = Queue(redis, clock), Ledger(redis)
    writing = await decide(queue, redis, clock, comment())
    await queue.finish(writing, Result(ending=ending, due=clock()))
    assert await ledger.is_writing(RULE, TICKET) is is_writing


async def test_a_comment_that_is_wanted_otherwise_while_it_is_written_stays_on_its_way(
    redis: Any, clock: SetClock
) -> None:
    queue, ledger = Queue(redis, clock), Ledger(redis)
    writing = await decide(queue, redis, clock, comment())
    await queue.want(perform(comment("missing two"), RULE, TICKET, clock()))
    await queue.finish(writing, written(clock))
    assert await ledger.is_writing(RULE, TICKET)


async def test_an_edit_opens_no_case(redis: Any, clock: SetClock) -> None:
    queue = Queue(redis, clock)
    thanks = EditComment(ticket=TICKET, occasion="sprint-41", state="reviewed", message=Message((paragraph("Thanks"),)))
    await decide(queue, redis, clock, thanks)
    await queue.ingest(passing_event(clock), "0")
    assert await redis.zscore("crafty:due", LOOK) is None
