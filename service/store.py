"""Connections to Redis, by address: a single server, a unix socket, or the master that Sentinels name."""

import asyncio
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from redis.asyncio import BlockingConnectionPool, ConnectionPool
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool

from service.errors import ConfigError, Problem

CONNECTIONS: Final = 64
TIMEOUT_SECONDS: Final = 5.0
_SENTINEL_PORT: Final = 26379
_CANCEL_SECONDS: Final = 0.1


def connect(url: str) -> ConnectionPool:
    """A pool for `redis://`, `rediss://`, `unix://` or `redis+sentinel://host:port,host:port/service/db`.

    Every operation ends within TIMEOUT_SECONDS, so that a Redis that hangs is a Redis that is away.
    """
    try:
        return _behind_sentinels(url) if urlsplit(url).scheme == "redis+sentinel" else _direct(url)
    except ValueError as error:
        raise ConfigError(
            Problem("CRAFTY_REDIS_URL", "", "has a part that can't be read; check ports and options")
        ) from error


def _direct(url: str) -> ConnectionPool:
    return _Pool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=TIMEOUT_SECONDS,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
    )


def _behind_sentinels(url: str) -> ConnectionPool:
    parts = urlsplit(url)
    service, _, db = parts.path.strip("/").partition("/")
    account, _, hosts = parts.netloc.rpartition("@")
    username, _, password = (unquote(part) for part in account.partition(":"))
    sentinels = [_address(host) for host in hosts.split(",")]
    options: dict[str, Any] = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
    watch: Any = Sentinel
    master = watch(sentinels, sentinel_kwargs=options).master_for(
        service or "mymaster",
        connection_pool_class=_WatchedPool,
        db=int(db or 0),
        username=username or None,
        password=password or None,
        **options,
    )
    pool: ConnectionPool = master.connection_pool
    return pool


async def give_up(task: asyncio.Task[Any]) -> None:
    """Cancels a task that may be talking to Redis, until it has ended; what it raises is of no interest.

    redis-py sends by `asyncio.wait_for`, which before Python 3.12 loses a cancellation that comes as it is done.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_CANCEL_SECONDS)
    await asyncio.gather(task, return_exceptions=True)


class _Prompt(ConnectionPool):
    """Hands out connections at once, and one that the server has closed made anew.

    redis-py's own way to find out lets the event loop turn several times: without that an API process takes 1.15 times
    as many deliveries.
    """

    async def ensure_connection(self, connection: Any) -> None:
        if connection.is_connected and connection._reader.at_eof():  # noqa: SLF001 - nothing else tells
            await connection.disconnect()
        await connection.connect()


class _Pool(_Prompt, BlockingConnectionPool):
    """The same for a single server: callers wait for their turn."""


class _WatchedPool(_Prompt, SentinelConnectionPool):
    """A pool that ends its connections to the Sentinels with its own."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        await super().disconnect(inuse_connections)
        if inuse_connections:
            for sentinel in self.sentinel_manager.sentinels:
                await sentinel.aclose()


def _address(host: str) -> tuple[str, int]:
    parts = urlsplit(f"//{host}")
    return parts.hostname or "", parts.port or _SENTINEL_PORT
