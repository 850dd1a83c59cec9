"""Connections to Redis: by socket, and by the master that a real Sentinel names; a Redis that hangs is away."""

import asyncio
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.exceptions import RedisError

from service import store
from service.embedded import server_program
from service.errors import RedisAway
from service.ledger import Ledger


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def serving(port: int, *argv: str) -> Iterator[None]:
    """A server program with these arguments, which answers on `port`."""
    with subprocess.Popen([server_program(), *argv], stdout=subprocess.DEVNULL) as server:
        try:
            while not _answers(port):
                assert server.poll() is None
            yield
        finally:
            server.kill()


def _answers(port: int) -> bool:
    try:
        with SyncRedis(port=port) as client:
            return bool(client.ping())
    except RedisError:
        return False


async def test_a_socket_is_connected_to(redis_url: str) -> None:
    client = Redis(connection_pool=store.connect(redis_url))
    await client.set("kept", "1")
    assert await client.get("kept") == b"1"
    await client.aclose(close_connection_pool=True)


async def test_more_callers_than_connections_wait_for_their_turn(redis_url: str) -> None:
    client = Redis(connection_pool=store.connect(redis_url))
    counts = await asyncio.gather(*(client.incr("counter") for _ in range(5 * store.CONNECTIONS)))
    assert len(set(counts)) == 5 * store.CONNECTIONS
    await client.flushall()
    await client.aclose(close_connection_pool=True)


async def test_the_master_is_found_through_a_sentinel(tmp_path: Path) -> None:
    master, watcher = free_port(), free_port()
    config = tmp_path / "sentinel.conf"
    config.write_text(f"port {watcher}\nbind 127.0.0.1\nsentinel monitor crafty 127.0.0.1 {master} 1\n")
    with (
        serving(master, "--port", str(master), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)),
        serving(watcher, str(config), "--sentinel"),
    ):
        client = Redis(connection_pool=store.connect(f"redis+sentinel://127.0.0.1:{watcher}/crafty/3"))
        await client.set("kept", "1")
        await close(client)
        with SyncRedis(port=master, db=3) as direct:
            assert direct.get("kept") == b"1"


async def close(client: Redis) -> None:
    """Closes the connections to the master and to the sentinels."""
    pool: Any = client.connection_pool
    for sentinel in pool.sentinel_manager.sentinels:
        await sentinel.aclose()
    await client.aclose(close_connection_pool=True)


@pytest.mark.parametrize(
    ("url", "sentinels", "expected"),
    [
        pytest.param(
            "redis+sentinel://one:1,two:2/team/5",
            [("one", 1), ("two", 2)],
            ("team", 5, None, None),
            id="two sentinels, a service and a database",
        ),
        pytest.param(
            "redis+sentinel://one",
            [("one", 26379)],
            ("mymaster", 0, None, None),
            id="what is left out is as usual",
        ),
        pytest.param(
            "redis+sentinel://crafty:p%40ss%2Fw@one:1/team",
            [("one", 1)],
            ("team", 0, "crafty", "p@ss/w"),
            id="a user and a password with signs in it",
        ),
        pytest.param(
            "redis+sentinel://[fd00::1]:1,[fd00::2]/team",
            [("fd00::1", 1), ("fd00::2", 26379)],
            ("team", 0, None, None),
            id="addresses of IPv6",
        ),
    ],
)
def test_the_parts_of_a_sentinel_address(
    url: str, sentinels: list[tuple[str, int]], expected: tuple[str, int, str | None, str | None]
) -> None:
    pool: Any = store.connect(url)
    assert isinstance(pool, SentinelConnectionPool)
    asked = [client.connection_pool.connection_kwargs for client in pool.sentinel_manager.sentinels]
    assert [(one["host"], one["port"]) for one in asked] == sentinels
    options = pool.connection_kwargs
    assert (pool.service_name, options["db"], options["username"], options["password"]) == expected
    assert options["socket_timeout"] == store.TIMEOUT_SECONDS


async def test_a_connection_that_the_server_has_closed_is_made_anew(redis: Redis, redis_url: str) -> None:
    own: Any = Redis(connection_pool=store.connect(redis_url))
    first = await own.client_id()
    await redis.client_kill_filter(_id=first)
    await redis.ping()
    assert await own.client_id() > first
    await own.aclose(close_connection_pool=True)


@pytest.mark.parametrize("turns", range(10))
async def test_what_waits_for_redis_is_given_up_at_once_however_far_it_is(
    monkeypatch: pytest.MonkeyPatch, redis_url: str, turns: int
) -> None:
    monkeypatch.setattr(store, "TIMEOUT_SECONDS", 60.0)
    redis: Any = Redis(connection_pool=store.connect(redis_url))
    await redis.ping()
    waiting = asyncio.create_task(redis.blpop(["doorbell"], timeout=40))
    for _ in range(turns):
        await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await store.give_up(waiting)
    assert waiting.cancelled()
    await redis.aclose(close_connection_pool=True)


async def test_a_redis_that_hangs_is_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(store, "TIMEOUT_SECONDS", 0.05)

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_unix_server(never, tmp_path / "hangs.sock"):
        client = Redis(connection_pool=store.connect(f"unix://{tmp_path}/hangs.sock"))
        with pytest.raises(RedisAway):
            await asyncio.wait_for(Ledger(client).site(), 30)
        await client.aclose(close_connection_pool=True)
