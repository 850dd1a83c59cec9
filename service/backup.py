"""All that Redis holds at one moment, as a file; and the way back."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as BrokenOff
from redis.exceptions import ResponseError

from service.errors import CraftyError
from service.ledger import redis_or_away

PATIENCE_SECONDS: Final = 60.0
"""How long the server may be silent: it sends a sign of life every ten seconds while it prepares the snapshot."""

_CHUNK: Final = 2**20
_BEGINNINGS: Final = (b"REDIS", b"VALKEY")
_NONE_TO_BE_HAD: Final = (
    "This Redis hands out no snapshot: use those of whoever hosts it, or give Crafty's account the right to REPLCONF "
    "and SYNC."
)


async def take(redis: Redis, file: Path) -> int:
    """Writes a snapshot into `file`, in Redis' own format, for nobody else to read; its size in bytes.

    What was there before is replaced once the snapshot is complete. Raises CraftyError where the server hands out none
    or the file can't be written, and RedisAway where Redis breaks off.
    """
    part = file.with_name(f"{file.name}.part")
    try:
        part.unlink(missing_ok=True)
        part.touch(mode=0o600, exist_ok=False)
        with part.open("wb") as out:
            async for chunk in _snapshot(redis):
                out.write(chunk)
            os.fsync(out.fileno())
        return part.replace(file).stat().st_size
    except OSError as error:
        raise CraftyError(f"{file} can't be written ({error.strerror}): choose another place.") from error
    finally:
        part.unlink(missing_ok=True)


def put_back(file: Path, folder: Path) -> None:
    """Lays a snapshot into the data folder of a server that does not run, which holds it once it starts.

    It lies there as the append-only file of older servers, which newer ones take over. Raises CraftyError where the
    file is no snapshot, or the folder has data already.
    """
    if any((folder / name).exists() for name in ("appendonlydir", "appendonly.aof")):
        raise CraftyError(f"There is data in {folder}: move it away first, so that nothing is lost.")
    try:
        _check(file)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = Path(shutil.copyfile(file, folder / "restored.part"))
        part.replace(folder / "appendonly.aof")
    except OSError as error:
        raise CraftyError(f"{file} can't be laid into {folder} ({error.strerror}).") from error


def _check(file: Path) -> None:
    with file.open("rb") as snapshot:
        if not snapshot.read(max(map(len, _BEGINNINGS))).startswith(_BEGINNINGS):
            raise CraftyError(f"{file} is no snapshot of a Redis: `crafty backup FILE` makes one.")


async def _snapshot(redis: Redis) -> AsyncIterator[bytes]:
    """The bytes that the server sends a new replica: straight from its memory, where it can."""
    async with redis_or_away():
        pool = redis.connection_pool
        connection: Any = await pool.get_connection()
        try:
            await connection.send_command("REPLCONF", "capa", "eof")
            await connection.read_response()
            await connection.send_command("SYNC")
            reader: asyncio.StreamReader = connection._reader  # noqa: SLF001 - redis-py reads replies, and this is none
            announced = await _announced(reader)
            mark = announced.removeprefix(b"EOF:")
            async for chunk in _counted(reader, int(mark)) if mark == announced else _marked(reader, mark):
                yield chunk
        except ResponseError as error:
            raise CraftyError(_NONE_TO_BE_HAD) from error
        finally:
            await connection.disconnect()
            await pool.release(connection)


async def _announced(reader: asyncio.StreamReader) -> bytes:
    """How many bytes are to come, or what will follow the last one, once the server is ready."""
    while True:
        async with asyncio.timeout(PATIENCE_SECONDS):
            line = (await reader.readline()).strip()
        if line.startswith(b"$"):
            return line[1:]
        if line or reader.at_eof():
            raise CraftyError(_NONE_TO_BE_HAD)


async def _counted(reader: asyncio.StreamReader, size: int) -> AsyncIterator[bytes]:
    while size:
        chunk = await _read(reader, min(size, _CHUNK))
        size -= len(chunk)
        yield chunk


async def _marked(reader: asyncio.StreamReader, mark: bytes) -> AsyncIterator[bytes]:
    """Everything before the mark, behind which nothing comes."""
    kept = b""
    while not kept.endswith(mark):
        kept += await _read(reader, _CHUNK)
        yield kept[: -len(mark)]
        kept = kept[-len(mark) :]


async def _read(reader: asyncio.StreamReader, size: int) -> bytes:
    async with asyncio.timeout(PATIENCE_SECONDS):
        chunk = await reader.read(size)
    if not chunk:
        raise BrokenOff("the snapshot broke off")
    return chunk
