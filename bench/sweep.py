"""`make bench ARGS=--sweep`: a sweep over ten thousand tickets, read page by page from a Jira in another process."""

import asyncio
import multiprocessing
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import httpx
from pydantic import SecretStr
from redis.asyncio import Redis

from bench.calls import Tally
from service import store
from service.config import load_config
from service.connections import connected
from service.current import Current
from service.demo._sender import WebhookSender
from service.demo.jira import JiraStandIn
from service.demo.server import serve
from service.demo.stage import StoryClock
from service.embedded import embedded_redis
from service.engine import rulebook
from service.gather import Gatherer, find_out
from service.ledger import Ledger
from service.queue import Queue
from service.roster import team_from
from service.settings import Settings
from service.sweeps import Sweeper, Swept

TICKETS = 10_000

TOKEN = "bench"
PEOPLE = ("ann", "bob", "cy", "dee")
STATES = ("Backlog", "In Progress", "Need Review", "Merged", "Deployed & Delivered")
PLANNED = datetime(2026, 10, 28, 10, tzinfo=UTC)
STARTED = datetime(2026, 11, 2, 9, tzinfo=UTC)
MORNING = datetime(2026, 11, 5, 8, tzinfo=UTC)
CONFIG = """
[calendar]
anchor = 2026-11-02T09:00:00
[[cells]]
name = "Bench"
projects = ["SE"]
board = 1
"""


async def measure(folder: Path) -> dict[str, float]:
    """Searches, looks, pace and memory of the first sweep, which is new to all tickets, and of the one after it."""
    with _jira_beside() as (url, searches):
        async with embedded_redis(folder / "data") as redis_url:
            redis = Redis(connection_pool=store.connect(redis_url))
            sweeper = await _sweeper(folder, url, Ledger(redis))
            first, swept = await _timed(sweeper, searches)
            await Queue(redis, lambda: MORNING).want(*swept.wishes)
            following, _ = await _timed(sweeper, searches)
            await redis.aclose(close_connection_pool=True)
    return {**_named("first sweep", first), **_named("next sweep", following)}


async def _sweeper(folder: Path, url: str, ledger: Ledger) -> Sweeper:
    (folder / "crafty.toml").write_text(CONFIG)
    config = load_config(folder / "crafty.toml")
    settings = Settings(
        config=config, jira_url=url, jira_kind="cloud", jira_email="crafty@example.com", jira_token=SecretStr(TOKEN)
    )
    jira, team = connected(settings).jira, team_from(config)
    await ledger.keep_site(await find_out(jira, {}, config.jira.fields_.model_dump(), is_cloud=True))
    current = Current(ledger, rulebook(config))
    await current.reload()
    return Sweeper(Gatherer(jira, {}, team, ledger), {}, ledger, team, current)


async def _timed(sweeper: Sweeper, searches: "Connection[None, int]") -> tuple[dict[str, float], Swept]:
    before, asked, started = _peak(), _count(searches), time.perf_counter()
    swept = await sweeper.sweep(sweeper.team.cells[0], MORNING)
    seconds = time.perf_counter() - started
    measured = {
        "searches": float(_count(searches) - asked),
        "looks": float(len(swept.wishes)),
        "tickets a second": TICKETS / seconds,
        "MB more": _peak() - before,
    }
    return measured, swept


def _named(name: str, measured: dict[str, float]) -> dict[str, float]:
    return {f"{name}: {what}": value for what, value in measured.items()}


def _peak() -> float:
    """The most megabytes that this process ever had in memory."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


# The other process


@contextmanager
def _jira_beside() -> Iterator[tuple[str, "Connection[None, int]"]]:
    """Where it is, and whom to ask how many searches it answered."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_stand_in, args=(theirs,))
    process.start()
    try:
        yield ours.recv(), ours
    finally:
        process.terminate()
        process.join()


def _count(searches: "Connection[None, int]") -> int:
    searches.send(None)
    return searches.recv()


def _stand_in(pipe: "Connection[str | int, None]") -> None:
    asyncio.run(_serve(pipe))


async def _serve(pipe: "Connection[str | int, None]") -> None:
    async with httpx.AsyncClient() as client:
        clock = StoryClock(PLANNED)
        jira = JiraStandIn("cloud", clock, WebhookSender(client), token=TOKEN)
        tally = Tally()
        tally.watch("jira", jira.app)
        await _fill(jira, clock)
        async with serve(jira.app) as url:
            pipe.send(url)
            while True:
                await asyncio.to_thread(pipe.recv)
                pipe.send(sum(times for call, times in tally.calls.items() if "search" in call))


async def _fill(jira: JiraStandIn, clock: StoryClock) -> None:
    """Half of the tickets in the running sprint, half in the next one, all of them as they should be."""
    for person in PEOPLE:
        jira.add_person(person, person.title())
    for number, name in ((41, "Sprint 41"), (42, "Sprint 42")):
        await jira.create_sprint(number, name, board=1)
    for number in range(TICKETS):
        await jira.create_issue(
            f"SE-{number + 1}",
            PEOPLE[0],
            summary=f"Work {number}",
            sprint=41 + number % 2,
            assignee=PEOPLE[number % 4],
            reviewer=PEOPLE[(number + 1) % 4],
            estimate=3.0,
            status=STATES[number // 2 % 5] if number % 2 == 0 else "Backlog",
        )
    clock.now = STARTED
    await jira.start_sprint(41)
    clock.now = MORNING
