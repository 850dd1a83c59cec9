"""A failover under load: two servers and a Sentinel, each with its file of deploy/; what was promised is kept."""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.exceptions import RedisError
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from service import store, worker
from service.consistency import examine
from service.embedded import server_program
from service.jira_shapes import FieldMap
from service.ledger import Ledger, Site
from service.worker import MAX_JOBS
from tests.conftest import SetClock
from tests.test_store import free_port
from tests.test_worker import working
from tests.webhooks.payloads import FIELDS, body, issue_fields, issue_updated
from tests.webhooks.test_answers import app_of, client_of, post_jira

DEPLOY: Final = Path(__file__).parents[1] / "deploy"
SECONDS: Final = 60.0
SENDERS: Final = 4
BEFORE: Final = 100
AFTER: Final = 30
"""How many deliveries are accepted before the first server is killed, and how many more after the failover."""

QUICK: Final = {"info-period": 100, "ask-period": 100, "publish-period": 100, "tilt-trigger": 60_000}
"""How often a Sentinel looks, in milliseconds: a tenth of what is usual, so that nobody waits. A pause of its own does
not make it careful: on a busy machine it says nothing."""


class Server:
    """A server on deploy/sentinel/redis.conf, that can be killed and started again on the data that it has."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.port = free_port()
        self._options: tuple[str, ...] = ("--port", str(self.port), "--bind", "127.0.0.1")
        self._config = folder / "redis.conf"
        self._config.write_text(_whole(folder))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        command = [server_program(), str(self._config), *self._options, *options]
        with (self._config.parent / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log)
        self.ask("PING")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @retry(retry=retry_if_exception_type(RedisError), stop=stop_after_delay(SECONDS), wait=wait_fixed(0.02))
    def ask(self, *command: Any) -> Any:
        with SyncRedis(port=self.port, decode_responses=True) as client:
            return client.execute_command(*command)


class Watcher(Server):
    """A Sentinel on deploy/sentinel/sentinel.conf, that alone decides and is in a hurry."""

    def __init__(self, folder: Path, first: Server) -> None:
        super().__init__(folder)
        self._options = ("--sentinel",)
        text = (DEPLOY / "sentinel" / "sentinel.conf").read_text()
        for pattern, ours in (
            (r"^port \d+$", f"port {self.port}\nbind 127.0.0.1"),
            (r"^(sentinel monitor crafty) \S+ \d+ 2$", rf"\1 127.0.0.1 {first.port} 1"),
            (r"^(sentinel down-after-milliseconds crafty) \d+$", r"\1 800"),
            (r"^(sentinel failover-timeout crafty) \d+$", r"\1 3000"),
        ):
            text, count = re.subn(pattern, ours, text, flags=re.MULTILINE)
            assert count == 1, pattern
        self._config.write_text(text)

    def start(self, *options: str) -> None:
        super().start(*options)
        self.ask("SENTINEL", "DEBUG", *(word for pair in QUICK.items() for word in pair))

    def first(self) -> int:
        """The port of the server that takes writes."""
        return int(self.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "crafty")[1])


def _whole(folder: Path) -> str:
    """The file with what it includes, and the data in that folder."""
    included = (DEPLOY / "redis.conf").read_text().replace("dir /data", f"dir {folder}")
    return (DEPLOY / "sentinel" / "redis.conf").read_text().replace("include /etc/crafty/redis.conf", included)


@dataclass(frozen=True)
class House:
    """Two servers, of which the first takes writes, and a Sentinel."""

    one: Server
    other: Server
    watcher: Watcher

    @property
    def url(self) -> str:
        return f"redis+sentinel://127.0.0.1:{self.watcher.port}/crafty/0"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    one, other = Server(tmp_path / "one"), Server(tmp_path / "other")
    made = House(one, other, Watcher(tmp_path / "watcher", one))
    try:
        one.start()
        other.start("--replicaof", "127.0.0.1", str(one.port))
        until(lambda: one.ask("INFO", "replication").get("slave0", {}).get("state") == "online")
        made.watcher.start()
        until(lambda: len(made.watcher.ask("SENTINEL", "REPLICAS", "crafty")) == 1)
        yield made
    finally:
        for server in (made.watcher, other, one):
            server.kill()


def until(is_so: Callable[[], bool]) -> None:
    """Waits until it is so; fails after SECONDS."""
    ends = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.02)


@dataclass
class Load:
    """Senders that deliver again until they are accepted, as fast as they are answered. accepted: in order."""

    http: httpx.AsyncClient
    accepted: list[int] = field(default_factory=list)
    refused: int = 0
    is_over: bool = False

    async def send(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            while not await self._deliver(number):  # noqa: ASYNC110 - a sender waits, too
                await asyncio.sleep(0.02)
            if self.is_over:
                return

    async def _deliver(self, number: int) -> bool:
        issue = {"id": str(number), "key": f"SE-{number}", "fields": issue_fields()}
        answer = await post_jira(
            self.http, body(issue_updated(issue=issue)), x_atlassian_webhook_identifier=f"d-{number}"
        )
        if answer.status_code == 503:
            self.refused += 1
            return False
        assert answer.status_code in {200, 202}
        self.accepted.append(number)
        return True

    async def until(self, count: int) -> None:
        async with asyncio.timeout(SECONDS):
            while len(self.accepted) < count:  # noqa: ASYNC110 - several senders add to it
                await asyncio.sleep(0.005)


@asynccontextmanager
async def loaded(url: str, clock: SetClock) -> AsyncIterator[Load]:
    """The API on that store, under load."""
    app = app_of(url, clock)
    async with app.router.lifespan_context(app), client_of(app) as http:
        load, numbers = Load(http), iter(range(10**9))
        senders = [asyncio.create_task(load.send(numbers)) for _ in range(SENDERS)]
        try:
            yield load
        finally:
            load.is_over = True
            await asyncio.wait_for(asyncio.gather(*senders), SECONDS)


@pytest.fixture
async def redis(house: House) -> AsyncIterator[Redis]:
    """A client of whichever server takes writes, in which the site is known."""
    client = Redis(connection_pool=store.connect(house.url))
    await Ledger(client).keep_site(Site(fields=FieldMap(**FIELDS), jira_bot=("acc-bot",)))
    yield client
    await client.aclose(close_connection_pool=True)


async def test_nothing_that_was_accepted_and_replicated_is_lost_when_the_first_server_dies_under_load(
    house: House, redis: Redis, clock: SetClock, report: Callable[[str], None]
) -> None:
    async with loaded(house.url, clock) as load:
        await load.until(BEFORE)
        promised = list(load.accepted)
        await asyncio.to_thread(replicate, house.one)
        house.one.kill()
        killed = time.monotonic()
        await asyncio.to_thread(until, lambda: house.watcher.first() == house.other.port)
        before = list(load.accepted)
        house.one.start()
        await load.until(len(before) + 1)
        away = time.monotonic() - killed
        await load.until(len(before) + AFTER)
    there = await stored(redis, load.accepted)
    report(
        f"failover: {len(promised)} deliveries accepted and replicated, {len(set(promised) - there)} of them lost; "
        f"{len(before) - len(promised)} accepted in the last moment, {len(set(before) - set(promised) - there)} lost; "
        f"refused for {away:.1f} s"
    )
    assert set(promised) <= there
    assert set(load.accepted) - set(before) <= there
    assert await examine(redis, clock) == ()


async def test_nothing_at_all_is_lost_when_the_servers_change_their_roles_under_load(
    house: House, redis: Redis, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "AWAY_SECONDS", 0.02)
    async with working(house.url) as (_, jobs):
        async with loaded(house.url, clock) as load:
            await load.until(AFTER)
            await asyncio.to_thread(change_roles, house)
            worked_off = len(jobs.done)
            await load.until(len(load.accepted) + AFTER)
        assert await stored(redis, load.accepted) == set(load.accepted)
        await jobs.until(lambda so_far: len(so_far.done) > worked_off + MAX_JOBS)


async def stored(redis: Any, numbers: list[int]) -> set[int]:
    """Which of these deliveries are there."""
    there = await asyncio.gather(*(redis.exists(f"crafty:delivery:d-{number}") for number in numbers))
    return {number for number, is_there in zip(numbers, there, strict=True) if is_there}


def change_roles(house: House) -> None:
    """As docs/operations.md has it: the first server refuses writes until the other one takes them."""
    house.one.ask("CONFIG", "SET", "min-replicas-to-write", 9)
    house.watcher.ask("SENTINEL", "FAILOVER", "crafty")
    until(lambda: house.watcher.first() == house.other.port)


def replicate(server: Server) -> None:
    """Returns when the other server has everything that was written until now."""
    with SyncRedis(port=server.port) as client:
        client.set("mark", "1")
        assert client.wait(1, int(1000 * SECONDS)) == 1
