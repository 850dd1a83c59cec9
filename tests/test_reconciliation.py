"""What only a sweep finds is counted as missed, and as healed once it is looked at; what we were told of is not."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from service.errors import CannotAct
from service.ledger import Delivery
from service.queue import Taken, look_again, source_of, sweep
from service.rules._base import Verdict
from tests.builders import ticket
from tests.conftest import SetClock
from tests.test_gather import FakeHost
from tests.test_jobs import CREATE, FOUND, NOW, RULE, ask
from tests.test_sweeps import BoardJira, Sweeping, opened

CHANGED = NOW + timedelta(minutes=30)
SWEPT = NOW + timedelta(hours=1)
REQUEST = "github:acme/tool#12"


@pytest.fixture
async def crafty(redis: Redis, clock: SetClock) -> Sweeping:
    """The cell was swept at NOW, and SE-1 changes half an hour later; the rule finds all well."""
    board = BoardJira(tickets={"SE-1": ticket()})
    made = Sweeping(redis, clock, jira=board, board=board, check=lambda *_: Verdict.passed("all is well"))
    await made.ledger.keep_site(FOUND)
    await swept(made, NOW)
    board.tickets["SE-1"] = ticket(updated_at=CHANGED)
    return made


async def swept(crafty: Sweeping, at: datetime) -> dict[str, int]:
    """Sweeps at that moment, with all that follows at once; what is counted by then."""
    crafty.clock.now = at
    await crafty.queue.want(sweep(crafty.cell.name, at))
    with capture_logs():
        await crafty.work_off()
    return await counted(crafty)


async def counted(crafty: Sweeping) -> dict[str, int]:
    counts = await crafty.ledger.counts(crafty.clock())
    return {name: times for name, times in counts.items() if name.startswith(("missed", "healed"))}


async def delivered(crafty: Sweeping, at: datetime, subject: str | None = "SE-1") -> None:
    """A webhook about a subject comes in at that moment."""
    crafty.clock.now = at
    delivery = Delivery(id=f"d-{at}", source="jira", event="jira:issue_updated", subject=subject, received=at)
    _, version = await crafty.ledger.site()
    assert await crafty.queue.ingest(Taken(delivery=delivery, marks=[f"{at}"]), version) is None


async def our_own_edit(crafty: Sweeping) -> None:
    """Crafty comments on SE-1 at the moment it changes."""
    crafty.clock.now = CHANGED
    await crafty.want(ask())
    await crafty.work_off()


async def a_look(crafty: Sweeping) -> None:
    """A look that was planned sees the change before any sweep."""
    crafty.clock.now = CHANGED + timedelta(minutes=5)
    await crafty.queue.want(look_again(RULE, "SE-1", crafty.clock()))
    await crafty.work_off()


def at(minutes: float, subject: str | None = "SE-1") -> Callable[[Sweeping], Awaitable[None]]:
    """A webhook that comes so many minutes after the change."""
    return lambda crafty: delivered(crafty, CHANGED + timedelta(minutes=minutes), subject)


async def nothing(_: Sweeping) -> None:
    """Nobody tells."""


@pytest.mark.parametrize(
    ("tell", "is_missed"),
    [
        pytest.param(at(0.05), False, id="told in time"),
        pytest.param(at(25), False, id="told late, and before the sweep"),
        pytest.param(at(-0.5), False, id="told in time, by a clock that is behind"),
        pytest.param(nothing, True, id="never told"),
        pytest.param(at(-20), True, id="only an earlier change was told"),
        pytest.param(at(1, "SE-2"), True, id="another ticket was told of"),
        pytest.param(at(1, None), True, id="a delivery about nothing came"),
        pytest.param(our_own_edit, False, id="our own edit"),
        pytest.param(a_look, True, id="a planned look saw it first"),
    ],
)
async def test_a_change_that_nothing_told_of_is_missed(
    crafty: Sweeping, tell: Callable[[Sweeping], Awaitable[None]], is_missed: bool
) -> None:
    await tell(crafty)
    assert await swept(crafty, SWEPT) == ({"missed jira": 1, "healed jira": 1} if is_missed else {})


async def test_a_webhook_may_be_under_way_for_some_minutes(crafty: Sweeping) -> None:
    assert await swept(crafty, CHANGED + timedelta(minutes=4)) == {}
    assert (await swept(crafty, SWEPT))["missed jira"] == 1


async def test_a_webhook_that_comes_after_the_grace_changes_nothing_any_more(crafty: Sweeping) -> None:
    await swept(crafty, CHANGED + timedelta(minutes=6))
    await delivered(crafty, CHANGED + timedelta(minutes=7))
    assert (await swept(crafty, SWEPT))["missed jira"] == 1


async def test_a_change_is_missed_once(crafty: Sweeping) -> None:
    await swept(crafty, SWEPT)
    await crafty.redis.delete("crafty:swept")
    assert await swept(crafty, SWEPT + timedelta(hours=1)) == {"missed jira": 1, "healed jira": 1}
    assert await swept(crafty, SWEPT + timedelta(hours=2)) == {"missed jira": 1, "healed jira": 1}


async def test_the_first_sweep_misses_nothing_since_no_webhook_can_have_told(crafty: Sweeping) -> None:
    await crafty.redis.delete("crafty:swept")
    assert await swept(crafty, SWEPT) == {}


async def test_what_a_sweep_that_failed_did_not_see_is_found_by_the_next(crafty: Sweeping) -> None:
    crafty.board.broken = {"search": CannotAct("Jira refuses")}
    assert await swept(crafty, SWEPT) == {}
    crafty.board.broken = {}
    assert (await swept(crafty, SWEPT + timedelta(hours=1)))["missed jira"] == 1


@pytest.mark.parametrize(
    ("verdict", "effects"),
    [
        pytest.param(Verdict.act("it is wanted", ask()), ["Who reviews it?"], id="the look does something"),
        pytest.param(Verdict.act("it is wanted"), [], id="the look has nothing to do"),
    ],
)
async def test_what_was_missed_is_healed_by_the_look_that_follows(
    crafty: Sweeping, verdict: Verdict, effects: list[str]
) -> None:
    crafty.check = lambda *_: verdict
    crafty.clock.now = SWEPT
    await crafty.queue.want(sweep(crafty.cell.name, SWEPT))
    await crafty.queue.release(1)
    ((key, token),) = await crafty.leases()
    with capture_logs():
        await crafty.jobs.work(key, token)
        assert await counted(crafty) == {"missed jira": 1}
        await crafty.work_off()
    assert await counted(crafty) == {"missed jira": 1, "healed jira": 1}
    assert crafty.comments == effects


async def test_a_look_that_fails_heals_nothing(crafty: Sweeping) -> None:
    def fails(*_: object) -> Verdict:
        raise ZeroDivisionError

    crafty.check = fails
    assert await swept(crafty, SWEPT) == {"missed jira": 1}


@pytest.mark.parametrize(
    ("is_told", "counts"),
    [pytest.param(True, {}, id="told"), pytest.param(False, {"missed github": 1, "healed github": 1}, id="not told")],
)
async def test_of_a_contribution_its_opening_counts(crafty: Sweeping, is_told: bool, counts: dict[str, int]) -> None:
    crafty.watch(repositories=frozenset({"acme/tool"}))
    crafty.jira.tickets = {}
    crafty.readers = {"github": FakeHost(opened={"acme/tool": ((REQUEST, opened(CHANGED)),)})}
    if is_told:
        await delivered(crafty, CHANGED, REQUEST)
    assert await swept(crafty, SWEPT) == counts
    assert await swept(crafty, SWEPT + timedelta(hours=1)) == counts


async def test_a_ticket_that_we_made_was_not_missed(crafty: Sweeping) -> None:
    crafty.jira.tickets = {}
    crafty.clock.now = CHANGED
    await crafty.want(CREATE, subject=REQUEST)
    await crafty.work_off()
    (made,) = crafty.jira.created
    crafty.jira.tickets = {made: ticket(key=made, updated_at=CHANGED)}
    assert await swept(crafty, SWEPT) == {}


@pytest.mark.parametrize(
    ("subject", "source"),
    [("SE-1", "jira"), (REQUEST, "github"), ("gitlab:acme/tool!3", "gitlab"), ("topic:5", "discourse")],
)
def test_each_subject_has_a_source(subject: str, source: str) -> None:
    assert source_of(subject) == source
