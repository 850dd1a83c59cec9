"""What admins do: rules are set at all processes at once, work is tried again or dropped, and each deed is noted."""

import asyncio
import os
import signal
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from service import processes, store
from service.actions import Comment, Digest
from service.current import Current
from service.embedded import embedded_redis
from service.errors import RedisAway
from service.ledger import Ledger
from service.queue import (
    ARQ_QUEUE,
    LEASE,
    Queue,
    Result,
    Wish,
    Work,
    examination,
    look_again,
    look_key,
    perform,
    site,
    sweep,
)
from service.steering import Actor, Change, GoneError, StaleError, State, Steering, UnderWayError, steering
from service.texts import Message, item, paragraph, small
from service.tuning import CannotTuneError, Tuning
from tests.builders import SAM, book
from tests.conftest import SetClock

RULE = "missing-reviewer"
CELL = "Serenity"
LOOK = look_key(RULE, "SE-1")
ADA = Actor("ada", "192.0.2.7")
CLI = Actor("root", "cli")


def process(redis: Redis, clock: SetClock, *cells: str) -> Steering:
    """One process of its own."""
    return steering(redis, clock, Current(Ledger(redis), book()), cells or (CELL, "Falcon"))


@pytest.fixture
def admin(redis: Redis, clock: SetClock) -> Steering:
    return process(redis, clock)


@pytest.fixture
def other(redis: Redis, clock: SetClock) -> Steering:
    return process(redis, clock)


@pytest.fixture
def queue(redis: Redis, clock: SetClock) -> Queue:
    return Queue(redis, clock)


def comment(subject: str = "SE-1") -> Wish:
    action = Comment(ticket=subject, occasion="s", state="missing", message=Message((paragraph("Who?"),)))
    return perform(action, RULE, subject, datetime.fromtimestamp(0).astimezone())


def planned(wish: Wish) -> Wish:
    """The same, which may wait for its moment."""
    return msgspec.structs.replace(wish, cap=10**9)


async def started(queue: Queue, redis: Any) -> Work:
    """The one piece of work that is due, taken up."""
    await queue.release(1)
    (name,) = await redis.zrange(ARQ_QUEUE, 0, -1)
    await redis.delete(ARQ_QUEUE)
    key, _, token = name.decode().rpartition("@")
    work = await queue.claim(key, token)
    assert work is not None
    return work


async def given_up(queue: Queue, redis: Redis, *wishes: Wish) -> None:
    """Makes dead letters of them, in this order."""
    for wish in wishes:
        await queue.want(wish)
        await queue.finish(await started(queue, redis), Result(ending="failed", error="no right to", refused=True))


async def lines(admin: Steering) -> list[Change]:
    """The audit log, oldest first."""
    return [change for _, change in reversed(await admin.audit())]


# Rules


async def test_a_rule_is_shown_as_it_is_configured(admin: Steering) -> None:
    found = await admin.rule(RULE)
    assert found.rule.name == RULE
    assert found.settings == found.configured
    assert (found.settings["mode"], found.settings["settle"], found.settings["params"]["grace"]) == ("on", "2m", "24h")
    assert (found.cells, found.tuned) == ({}, {})
    assert [one.rule.name for one in await admin.rules()] == [rule.name for rule in book().rules]


async def test_a_change_holds_at_every_process_and_is_told_apart_from_what_is_configured(
    admin: Steering, other: Steering
) -> None:
    await admin.tune(RULE, "", {"mode": "dry-run", "params": {"grace": "8h"}}, ADA)
    found = await other.rule(RULE)
    assert (found.settings["mode"], found.settings["params"]["grace"]) == ("dry-run", "8h")
    assert (found.configured["mode"], found.configured["params"]["grace"]) == ("on", "24h")
    assert found.tuned == {"": Tuning(mode="dry-run", params={"grace": "8h"})}
    assert found.cells == {}


async def test_a_change_for_a_cell_is_shown_under_the_cell(admin: Steering, other: Steering) -> None:
    await admin.tune(RULE, CELL, {"mode": "off"}, ADA)
    found = await other.rule(RULE)
    assert found.settings["mode"] == "on"
    assert {cell: setting["mode"] for cell, setting in found.cells.items()} == {CELL: "off"}


async def test_null_takes_a_change_back(admin: Steering) -> None:
    before = await admin.rule(RULE)
    await admin.tune(RULE, "", {"mode": "off", "settle": "9m"}, ADA)
    after = await admin.tune(RULE, "", {"mode": None, "settle": None}, ADA)
    assert (after.settings, after.tuned, after.etag) == (before.settings, {}, before.etag)


@pytest.mark.parametrize("is_expected", [True, False])
async def test_a_change_may_name_what_it_expects(admin: Steering, is_expected: bool) -> None:
    seen = (await admin.rule(RULE)).etag if is_expected else None
    assert (await admin.tune(RULE, "", {"mode": "off"}, ADA, expected=seen)).settings["mode"] == "off"


@pytest.mark.parametrize(
    ("cell", "wish"),
    [
        pytest.param("", {"mode": "dry-run"}, id="for all cells"),
        pytest.param(CELL, {"mode": "dry-run"}, id="for one cell"),
        pytest.param("", {"settle": "9m"}, id="another key"),
        pytest.param("", {"params": {"grace": "9h"}}, id="a parameter"),
        pytest.param("", {"mode": "on"}, id="what is configured anyway"),
    ],
)
async def test_a_change_that_expects_what_is_not_so_any_more_is_refused(
    admin: Steering, other: Steering, cell: str, wish: dict[str, Any]
) -> None:
    seen = (await other.rule(RULE)).etag
    await admin.tune(RULE, cell, wish, ADA)
    with pytest.raises(StaleError):
        await other.tune(RULE, "", {"mode": "off"}, CLI, expected=seen)
    assert len(await lines(admin)) == 1


async def test_the_etag_is_the_same_at_every_process_and_new_with_every_change(
    admin: Steering, other: Steering
) -> None:
    seen = [(await admin.rule(RULE)).etag]
    wishes: list[tuple[str, dict[str, Any]]] = [
        ("", {"mode": "off"}),
        (CELL, {"mode": "off"}),
        (CELL, {"params": {"grace": "9h"}}),
    ]
    for cell, wish in wishes:
        seen.append((await admin.tune(RULE, cell, wish, ADA)).etag)
        assert (await other.rule(RULE)).etag == seen[-1]
    assert len(set(seen)) == len(seen)


async def test_the_etag_of_another_rule_stays(admin: Steering) -> None:
    before = (await admin.rule("green-ticket")).etag
    await admin.tune(RULE, "", {"mode": "off"}, ADA)
    assert (await admin.rule("green-ticket")).etag == before


async def test_admins_that_change_a_rule_at_once_lose_nothing_of_each_other(redis: Redis, clock: SetClock) -> None:
    wishes: list[tuple[str, dict[str, Any]]] = [
        ("", {"mode": "dry-run"}),
        ("", {"settle": "9m"}),
        ("", {"params": {"grace": "9h"}}),
        (CELL, {"mode": "off"}),
        ("Falcon", {"params": {"patience": "3h"}}),
    ]
    admins = [process(redis, clock) for _ in wishes]
    together = zip(admins, wishes, strict=True)
    await asyncio.gather(*(one.tune(RULE, cell, wish, ADA) for one, (cell, wish) in together))
    assert (await admins[0].rule(RULE)).tuned == {
        "": Tuning(mode="dry-run", settle="9m", params={"grace": "9h"}),
        CELL: Tuning(mode="off"),
        "Falcon": Tuning(params={"patience": "3h"}),
    }
    assert len(await lines(admins[0])) == len(wishes)


async def test_of_admins_that_expect_the_same_at_once_one_succeeds(redis: Redis, clock: SetClock) -> None:
    admins = [process(redis, clock) for _ in range(4)]
    seen = (await admins[0].rule(RULE)).etag
    changes = (one.tune(RULE, "", {"settle": f"{n}m"}, ADA, expected=seen) for n, one in enumerate(admins, 5))
    found = await asyncio.gather(*changes, return_exceptions=True)
    assert sorted(type(one).__name__ for one in found) == ["RuleSettings", *["StaleError"] * 3]


@pytest.mark.parametrize(
    ("rule", "cell", "wish", "error", "words"),
    [
        pytest.param(
            "gone", "", {"mode": "off"}, GoneError, "there is no rule gone; the rules are ", id="no such rule"
        ),
        pytest.param(
            RULE,
            "Serenty",
            {"mode": "off"},
            CannotTuneError,
            "cell: Serenty is not a cell; did you mean Serenity?",
            id="no such cell",
        ),
        pytest.param(
            RULE, "", {"mode": "maybe"}, CannotTuneError, "mode: should be 'on', 'dry-run' or 'off'", id="mode"
        ),
        pytest.param(RULE, CELL, {"params": {"grace": 1}}, CannotTuneError, "params.grace: ", id="a parameter"),
    ],
)
async def test_what_cannot_be_set_changes_nothing_and_is_named(
    admin: Steering, rule: str, cell: str, wish: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as caught:
        await admin.tune(rule, cell, wish, ADA)
    assert str(caught.value).startswith(words)
    assert await lines(admin) == []
    assert (await admin.rule(RULE)).tuned == {}


async def test_a_rule_that_there_is_not_is_gone(admin: Steering) -> None:
    with pytest.raises(GoneError, match="there is no rule gone"):
        await admin.rule("gone")


@pytest.mark.parametrize(("cell", "swept"), [("", ["sweep:Falcon", "sweep:Serenity"]), (CELL, ["sweep:Serenity"])])
async def test_a_change_asks_for_a_sweep_of_the_cells_that_it_concerns(
    admin: Steering, redis: Any, queue: Queue, clock: SetClock, cell: str, swept: list[str]
) -> None:
    later = clock() + timedelta(minutes=50)
    await queue.want(planned(sweep(CELL, later)), planned(sweep("Falcon", later)))
    await admin.tune(RULE, cell, {"mode": "dry-run"}, ADA)
    now = clock().timestamp() * 1000
    assert sorted(name.decode() for name in await redis.zrangebyscore("crafty:due", now, now)) == swept


async def test_a_wish_that_changes_nothing_is_no_change(admin: Steering, redis: Redis) -> None:
    await admin.tune(RULE, "", {"mode": "off"}, ADA)
    version = await redis.get("crafty:version")
    await admin.tune(RULE, "", {"mode": "off"}, ADA)
    await admin.tune(RULE, "", {}, ADA)
    assert await redis.get("crafty:version") == version
    assert len(await lines(admin)) == 1


# The audit log


async def test_each_change_is_a_line_that_says_who_when_from_where_and_from_what_to_what(
    admin: Steering, clock: SetClock
) -> None:
    first = clock()
    await admin.tune(RULE, "", {"mode": "off"}, ADA)
    second = clock.advance(minutes=1)
    await admin.tune(RULE, CELL, {"params": {"grace": "9h"}}, CLI)
    await admin.tune(RULE, "", {"mode": None}, CLI)
    assert await lines(admin) == [
        Change(at=first, who="ada", origin="192.0.2.7", what=f"rule {RULE}", before={}, after={"mode": "off"}),
        Change(
            at=second,
            who="root",
            origin="cli",
            what=f"rule {RULE} in {CELL}",
            before={},
            after={"params": {"grace": "9h"}},
        ),
        Change(at=second, who="root", origin="cli", what=f"rule {RULE}", before={"mode": "off"}, after={}),
    ]


async def test_the_audit_log_is_read_in_pages_newest_first(admin: Steering) -> None:
    for number in range(5):
        await admin.note(f"deed {number}", ADA, after=number)
    first = await admin.audit(limit=2)
    second = await admin.audit(first[-1][0], limit=2)
    third = await admin.audit(second[-1][0], limit=2)
    assert [change.after for _, change in (*first, *second, *third)] == [4, 3, 2, 1, 0]
    assert await admin.audit(third[-1][0]) == []


@retry(retry=retry_if_exception_type(RedisError), stop=stop_after_delay(60), wait=wait_fixed(0.01), reraise=True)
async def process_id(redis: Any, other_than: int = 0) -> int:
    """Once the server has loaded what it had; of another process than that one."""
    await redis.ping()
    found = int((await redis.info("server"))["process_id"])
    if found == other_than:
        raise RedisError("it is still there")
    return found


async def test_changes_and_their_lines_survive_a_redis_that_is_killed(
    tmp_path: Path, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "STEADY_SECONDS", 0.0)
    monkeypatch.setattr(processes, "RESTART_SECONDS", 0.01)
    async with embedded_redis(tmp_path) as url:
        redis = Redis(connection_pool=store.connect(url))
        admin = process(redis, clock)
        await admin.tune(RULE, "", {"mode": "off"}, ADA)
        before = await admin.audit()
        first = await process_id(redis)
        os.kill(first, signal.SIGKILL)
        await process_id(redis, first)
        assert await admin.audit() == before
        assert (await admin.rule(RULE)).settings["mode"] == "off"
        await redis.aclose(close_connection_pool=True)


# Jobs


async def test_work_is_listed_by_its_state(admin: Steering, queue: Queue, redis: Redis, clock: SetClock) -> None:
    await given_up(queue, redis, comment("SE-1"), comment("SE-2"))
    soon, late = clock() + timedelta(minutes=1), clock() + timedelta(hours=1)
    looks = [look_again(RULE, "SE-5", late), look_again(RULE, "SE-4", soon), look_again(RULE, "SE-3", clock())]
    await queue.want(*map(planned, looks))
    found = {state: [job.subject for job in await admin.jobs(state, 0, 10)] for state in STATES}
    assert found == {"queued": ["SE-3"], "deferred": ["SE-4", "SE-5"], "failed": ["SE-2", "SE-1"]}
    assert await admin.counts() == {"queued": 1, "deferred": 2, "failed": 2}


STATES: tuple[State, ...] = ("queued", "deferred", "failed")


@pytest.mark.parametrize("state", STATES)
async def test_work_is_listed_in_pages(
    admin: Steering, queue: Queue, redis: Redis, clock: SetClock, state: State
) -> None:
    names = [f"SE-{number}" for number in range(5)]
    if state == "failed":
        await given_up(queue, redis, *(comment(name) for name in names[::-1]))
    else:
        await queue.want(*(look_again(RULE, name, clock()) for name in names))
        clock.advance(seconds=0 if state == "queued" else -1)
    pages = [[job.subject for job in await admin.jobs(state, first, 2)] for first in (0, 2, 4, 6)]
    assert sorted(name for page in pages for name in page) == names
    assert [len(page) for page in pages] == [2, 2, 1, 0]


async def test_a_job_says_what_it_is(admin: Steering, queue: Queue, redis: Redis, clock: SetClock) -> None:
    wish = comment()
    await given_up(queue, redis, wish)
    found = await admin.job(wish.key)
    assert (found.id, found.state, found.kind, found.rule) == (wish.key, "failed", "perform", RULE)
    assert (found.subject, found.tries, found.error, found.due) == ("SE-1", 1, "no right to", clock())
    assert found.payload["kind"] == "comment"


async def test_a_dead_letter_that_is_tried_again_is_due_at_once_as_if_new(
    admin: Steering, queue: Queue, redis: Redis, clock: SetClock
) -> None:
    wish = comment()
    await given_up(queue, redis, wish)
    clock.advance(days=3)
    await admin.retry(wish.key, ADA)
    assert await admin.counts() == {"queued": 1, "deferred": 0, "failed": 0}
    work = await started(queue, redis)
    assert (work.key, work.tries, work.wanted) == (wish.key, 1, clock())
    assert await Ledger(redis).refused(RULE, "SE-1") == frozenset()
    await queue.finish(work, Result(ending="done"))
    with pytest.raises(GoneError):
        await admin.job(wish.key)
    (line,) = await lines(admin)
    assert (line.who, line.what, line.before) == ("ada", f"retry job {wish.key}", "failed")


async def test_work_that_is_planned_for_later_can_be_done_at_once(
    admin: Steering, queue: Queue, redis: Redis, clock: SetClock
) -> None:
    await queue.want(planned(look_again(RULE, "SE-1", clock() + timedelta(days=1))))
    assert await queue.release(1) == (0, clock() + timedelta(days=1))
    await admin.retry(LOOK, ADA)
    assert (await started(queue, redis)).key == LOOK


async def test_work_that_waits_out_a_fault_can_be_done_at_once(
    admin: Steering, queue: Queue, redis: Redis, clock: SetClock
) -> None:
    await queue.want(look_again(RULE, "SE-1", clock()))
    work = await started(queue, redis)
    await queue.finish(work, Result(ending="retry", due=clock() + timedelta(minutes=15), error="busy"))
    await admin.retry(LOOK, ADA)
    assert (await started(queue, redis)).tries == 1


async def test_what_is_dropped_is_gone_and_keeps_no_look_waiting(
    admin: Steering, queue: Queue, redis: Redis, clock: SetClock
) -> None:
    wish = comment()
    await queue.want(wish)
    assert await Ledger(redis).is_writing(RULE, "SE-1")
    await admin.drop(wish.key, ADA)
    assert not await Ledger(redis).is_writing(RULE, "SE-1")
    assert await admin.counts() == {"queued": 0, "deferred": 0, "failed": 0}
    assert await queue.release(10) == (0, None)
    (line,) = await lines(admin)
    assert (line.what, line.before) == (f"drop job {wish.key}", "queued")


async def test_a_dead_letter_can_be_dropped(admin: Steering, queue: Queue, redis: Redis) -> None:
    wish = comment()
    await given_up(queue, redis, wish)
    await admin.drop(wish.key, ADA)
    assert await admin.jobs("failed", 0, 10) == []


async def test_a_list_that_is_dropped_loses_its_lines(
    admin: Steering, queue: Queue, redis: Redis, clock: SetClock
) -> None:
    later = clock() + timedelta(hours=1)
    intro, footer = paragraph("Hello"), small("Bye")
    action = Digest(person=SAM, occasion="s", intro=intro, line=item("SE-1"), footer=footer, at=later)
    wish = perform(action, RULE, "SE-1", clock())
    await queue.want(wish)
    await admin.drop(wish.key, ADA)
    assert await redis.keys("crafty:*:*digest*") == []


@pytest.mark.parametrize("key", ["site", f"sweep:{CELL}", "doctor:everything"])
async def test_what_always_comes_again_cannot_be_dropped_but_done_at_once(
    admin: Steering, queue: Queue, clock: SetClock, key: str
) -> None:
    later = clock() + timedelta(minutes=50)
    await queue.want(*(planned(one) for one in (site(later), sweep(CELL, later), examination("everything", later))))
    with pytest.raises(UnderWayError, match="comes again by itself"):
        await admin.drop(key, ADA)
    await admin.retry(key, ADA)
    assert [job.id for job in await admin.jobs("queued", 0, 10)] == [key]


@pytest.mark.parametrize("deed", ["retry", "drop"])
async def test_what_runs_is_let_be(admin: Steering, queue: Queue, redis: Redis, clock: SetClock, deed: str) -> None:
    await queue.want(look_again(RULE, "SE-1", clock()))
    work = await started(queue, redis)
    with pytest.raises(UnderWayError, match="is under way at this moment"):
        await getattr(admin, deed)(LOOK, ADA)
    assert await queue.finish(work, Result(ending="done"))
    assert await lines(admin) == []


@pytest.mark.parametrize("deed", ["retry", "drop"])
async def test_what_is_done_cannot_be_steered_any_more(admin: Steering, deed: str) -> None:
    with pytest.raises(GoneError, match=f"there is no job {LOOK}"):
        await getattr(admin, deed)(LOOK, ADA)
    assert await lines(admin) == []


async def test_what_a_lost_worker_held_is_shown_with_its_lease(
    admin: Steering, queue: Queue, redis: Redis, clock: SetClock
) -> None:
    await queue.want(look_again(RULE, "SE-1", clock()))
    await started(queue, redis)
    assert ((await admin.job(LOOK)).state, (await admin.job(LOOK)).due) == ("deferred", clock() + LEASE)


async def test_a_redis_that_is_away_is_one_kind_of_error(clock: SetClock, tmp_path: Path) -> None:
    away = Redis(unix_socket_path=str(tmp_path / "no.sock"))
    admin = process(away, clock)
    for call in (
        admin.rules(),
        admin.rule(RULE),
        admin.tune(RULE, "", {"mode": "off"}, ADA),
        admin.jobs("failed", 0, 1),
        admin.job(LOOK),
        admin.counts(),
        admin.retry(LOOK, ADA),
        admin.drop(LOOK, ADA),
        admin.audit(),
        admin.note("a deed", ADA),
    ):
        with pytest.raises(RedisAway):
            await call
    await away.aclose()


async def test_all_dead_letters_are_tried_again_at_once_and_each_is_noted(
    admin: Steering, queue: Queue, redis: Redis
) -> None:
    await given_up(queue, redis, *(comment(f"SE-{number}") for number in range(3)))
    assert await admin.retry_all(ADA) == 3
    assert await admin.counts() == {"queued": 3, "deferred": 0, "failed": 0}
    assert sorted(line.what for line in await lines(admin)) == [
        f"retry job missing-reviewer:SE-{number}:s" for number in range(3)
    ]
