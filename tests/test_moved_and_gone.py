"""What becomes of a rule's comment when its ticket moves to another project, or is no more."""

import pytest
from redis.asyncio import Redis

from service.rules._base import Verdict
from tests.builders import ticket
from tests.conftest import SetClock
from tests.test_jobs import FOUND, Crafty, ask

NOTHING = Verdict.passed("nothing to do")


@pytest.fixture
async def crafty(redis: Redis, clock: SetClock) -> Crafty:
    desk = Crafty(redis, clock)
    await desk.ledger.keep_site(FOUND)
    return desk


async def test_a_ticket_that_moved_keeps_its_one_comment(crafty: Crafty) -> None:
    await crafty.act(ask())
    moved = ticket(key="OPS-9")
    crafty.jira.tickets |= {"SE-1": moved, "OPS-9": moved}
    await crafty.look(NOTHING)
    said = await crafty.ledger.said("testing", "OPS-9")
    assert said is not None
    assert said.state.startswith("missing")
    assert await crafty.ledger.said("testing", "SE-1") is None
    assert await crafty.ledger.asking() == {"testing:OPS-9"}


async def test_a_ticket_that_moved_keeps_what_was_said_under_its_new_key(crafty: Crafty) -> None:
    moved = ticket(key="SE-2")
    await crafty.look(Verdict.act("it is wanted", ask(state="missing another")), "SE-2")
    await crafty.act(ask())
    crafty.jira.tickets |= {"SE-1": moved}
    await crafty.look(NOTHING)
    said = await crafty.ledger.said("testing", "SE-2")
    assert said is not None
    assert said.state == "missing another"


async def test_a_ticket_that_is_gone_asks_no_more(crafty: Crafty) -> None:
    await crafty.act(ask())
    assert await crafty.ledger.asking() == {"testing:SE-1"}
    del crafty.jira.tickets["SE-1"]
    await crafty.look(NOTHING)
    assert await crafty.ledger.asking() == frozenset()
    case = await crafty.ledger.case("testing", "SE-1")
    assert case is not None
    assert not case.open
