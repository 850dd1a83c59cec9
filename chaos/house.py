"""Crafty's processes and their Redis, started again whenever they fall, and ways to make them fall."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal
from unittest.mock import patch

import httpx
from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from chaos.process import LOG, Part
from service import processes
from service.clock import Clock
from service.embedded import server_program
from service.ledger import PREFIX
from service.processes import Child, Program
from service.queue import PERIODIC

ROOT: Final = Path(__file__).parent.parent
PROMISED_SECONDS: Final = 1.0
"""How much of the past `appendfsync everysec` may lose when the power goes."""

HORIZON: Final = timedelta(minutes=15)
"""What is due within that time is waited for: a try that failed comes back by then, a rule's next look does not."""

SAMPLE_SECONDS: Final = 0.05
_WRITES_MAY_FAIL: Final = 'trap "" XFSZ; exec "$0" "$@"'
"""A file at its limit is a failing write, as on a full disk, and does not end the process."""

_START_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.02
_SETTLE_SECONDS: Final = 0.25

Fsync = Literal["always", "everysec"]
Role = Literal["api", "worker", "redis"]


class Victim(Child):
    """A program that is killed now and then.

    starts: how often it was started; kills: the moments at which it was killed, by the monotonic clock.
    """

    def __init__(self, program: Program, role: Role) -> None:
        super().__init__(program)
        self.role = role
        self.starts = 0
        self.kills: list[float] = []

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """SIGSTOP, and SIGCONT when the context is left."""
        self._send(signal.SIGSTOP)
        try:
            yield
        finally:
            self._send(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, unless it has fallen already and is about to start again."""
        process = self._process
        if process is not None and process.returncode is None and len(self.kills) < self.starts:
            process.kill()
            self.kills.append(time.monotonic())

    def _send(self, number: int) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    async def _once(self) -> int:
        self.starts += 1
        return await super()._once()


class Store(Victim):
    """Redis with an append-only file, which can be away, have a full disk, or no memory left.

    With `everysec` each kill is a cut of the power as well: the file loses what the promised second may lose, which a
    kill alone would leave to the kernel.
    """

    def __init__(self, folder: Path, fsync: Fsync) -> None:
        self.url = f"unix://{folder / 'redis.sock'}"
        super().__init__(Program("redis", _redis(folder, fsync), os.environ, own_session=True), "redis")
        self._files = folder / "appendonlydir"
        self._may_start = asyncio.Event()
        self._may_start.set()
        self._loses = fsync == "everysec"
        self._sizes: deque[tuple[float, dict[Path, int]]] = deque(maxlen=int(5 / SAMPLE_SECONDS))

    async def watch(self) -> None:
        """Notes how long the file is, for as long as it is waited for."""
        while True:
            self._sizes.append((time.monotonic(), {path: path.stat().st_size for path in self._written()}))
            await asyncio.sleep(SAMPLE_SECONDS)

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Killed, and not started before the context is left; it answers again afterwards."""
        self._may_start.clear()
        self.kill()
        try:
            yield
        finally:
            self._may_start.set()
        await _until_it_answers(self.url)

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Its file may not grow any more."""
        self._limit_files(sum(path.stat().st_size for path in self._written()))
        try:
            yield
        finally:
            self._limit_files(resource.RLIM_INFINITY)

    @contextmanager
    def full_memory(self) -> Iterator[None]:
        """It has used up all that it may use, and throws nothing out."""
        with SyncRedis.from_url(self.url) as client:
            client.config_set("maxmemory", "1mb")
            try:
                yield
            finally:
                client.config_set("maxmemory", "0")

    def _limit_files(self, size: int) -> None:
        if self._process is not None:
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    async def _once(self) -> int:
        await self._may_start.wait()
        if self.kills and self._loses:
            self._lose(self.kills[-1] - PROMISED_SECONDS)
        return await super()._once()

    def _lose(self, since: float) -> None:
        then = next((sizes for at, sizes in reversed(self._sizes) if at <= since), {})
        for path in self._written():
            os.truncate(path, min(then.get(path, 0), path.stat().st_size))

    def _written(self) -> Iterator[Path]:
        return self._files.glob("*.incr.aof")


@dataclass(frozen=True)
class House:
    """What runs. urls: where the API processes answer; log: where all of them write what they have to say."""

    store: Store
    apis: tuple[Victim, ...]
    workers: tuple[Victim, ...]
    urls: tuple[str, ...]
    log: Path

    @property
    def victims(self) -> tuple[Victim, ...]:
        return self.store, *self.apis, *self.workers

    def said(self, what: str) -> int:
        """How often that stands in the log."""
        return self.log.read_text().count(what)


@asynccontextmanager
async def open_store(folder: Path, fsync: Fsync) -> AsyncIterator[Store]:
    """A Redis that answers, and is started again however soon it falls."""
    with patch.object(processes, "STEADY_SECONDS", 0.0):
        store = Store(folder, fsync)
        async with _running(store), _watching(store):
            await _until_it_answers(store.url)
            yield store


@asynccontextmanager
async def open_house(folder: Path, fsync: Fsync, part: Part, environ: Mapping[str, str]) -> AsyncIterator[House]:
    """Two API processes and two workers on a Redis of their own; all have ended when the context is left."""
    ports = [free_port() for _ in range(2)]
    async with open_store(folder, fsync) as store:
        settings = {**clean_environment(), **environ, "CRAFTY_REDIS_URL": store.url}
        apis = tuple(_victim("api", part, {**settings, "CRAFTY_PORT": str(port)}) for port in ports)
        workers = tuple(_victim("worker", part, settings) for _ in range(2))
        house = House(store, apis, workers, tuple(f"http://127.0.0.1:{port}" for port in ports), folder / LOG)
        async with _running(*apis, *workers):
            await asyncio.gather(*(until_ready(url) for url in house.urls))
            yield house


async def is_settled_within(seconds: float, redis: Any, clock: Clock) -> bool:
    """Whether nothing is due, under way or to be tried again within that time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not await _is_settled(redis, clock):  # noqa: ASYNC110 - the store tells nobody when it is
                await asyncio.sleep(_SETTLE_SECONDS)
            return True
    return False


async def taken_up(redis: Any) -> frozenset[tuple[bytes, ...]]:
    """The names of the work that somebody has in hand, each with its lease."""
    names = await redis.zrange(f"{PREFIX}due", 0, -1)
    async with redis.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.hmget(f"{PREFIX}work:{name.decode()}", "state", "claimed")
        works = await pipe.execute()
    return frozenset((name, lease) for name, (state, lease) in zip(names, works, strict=True) if state == b"running")


async def _is_settled(redis: Any, clock: Clock) -> bool:
    soon = (clock() + HORIZON).timestamp() * 1000
    async with redis.pipeline(transaction=False) as pipe:
        for key in await redis.zrangebyscore(f"{PREFIX}due", "-inf", soon):
            pipe.hmget(f"{PREFIX}work:{key.decode()}", "kind", "state")
        works = await pipe.execute()
    periodic = {kind.encode() for kind in PERIODIC}
    return all(kind in periodic and state == b"waiting" for kind, state in works)


def clean_environment() -> dict[str, str]:
    """Nothing that this machine's own Crafty is set by, and the repository's modules."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CRAFTY_")}
    return {**kept, "PYTHONPATH": str(ROOT), "CRAFTY_LOG_LEVEL": "WARNING"}


def free_port() -> int:
    """A port that nobody uses at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def _until_it_answers(url: str) -> None:
    """Waits for a Redis."""
    client = Redis.from_url(url)
    async with asyncio.timeout(_START_SECONDS):
        while True:
            with suppress(RedisError, OSError):
                await client.ping()
                break
            await asyncio.sleep(_POLL_SECONDS)
    await client.aclose()


async def until_ready(url: str) -> None:
    async with asyncio.timeout(_START_SECONDS), httpx.AsyncClient() as client:
        while True:
            with suppress(httpx.TransportError):
                if (await client.get(f"{url}/readyz")).is_success:
                    return
            await asyncio.sleep(_POLL_SECONDS)


def _victim(role: Role, part: Part, environ: Mapping[str, str]) -> Victim:
    return Victim(Program(role, [sys.executable, "-m", "chaos.process", part.word, role], environ), role)


def _redis(folder: Path, fsync: Fsync) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": str(folder / "redis.sock"),
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": fsync,
        "save": "",
        "logfile": str(folder / "redis.log"),
    }
    command = [server_program(), *(word for name, value in options.items() for word in (f"--{name}", value))]
    return ["sh", "-c", _WRITES_MAY_FAIL, *command]


@asynccontextmanager
async def _running(*victims: Victim) -> AsyncIterator[None]:
    running = [asyncio.create_task(victim.run()) for victim in victims]
    try:
        yield
    finally:
        await asyncio.gather(*(victim.stop() for victim in victims))
        await asyncio.gather(*running)


@asynccontextmanager
async def _watching(store: Store) -> AsyncIterator[None]:
    watching = asyncio.create_task(store.watch())
    try:
        yield
    finally:
        watching.cancel()
