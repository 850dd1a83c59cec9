"""A backup under way, and back: what comes back is what was there, and goes on as if nothing had been."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

import pytest
from redis.asyncio import Redis

from service import store
from service.backup import put_back, take
from service.consistency import examine
from service.embedded import embedded_redis
from service.errors import CraftyError, RedisAway
from service.jira_shapes import FieldMap
from service.ledger import Ledger, Site
from service.queue import Queue
from tests.conftest import SetClock
from tests.test_cli import crafty
from tests.test_deploy import DEPLOY
from tests.test_store import free_port, serving
from tests.webhooks.payloads import FIELDS, body, issue_fields, issue_updated
from tests.webhooks.test_answers import app_of, client_of, post_jira

TICKETS: Final = 40
READ: Final = {
    "string": lambda redis, key: redis.get(key),
    "hash": lambda redis, key: redis.hgetall(key),
    "set": lambda redis, key: redis.smembers(key),
    "zset": lambda redis, key: redis.zrange(key, 0, -1, withscores=True),
    "list": lambda redis, key: redis.lrange(key, 0, -1),
    "stream": lambda redis, key: redis.xrange(key),
}
"""How each type of value is read whole."""


async def contents(redis: Any) -> dict[bytes, tuple[Any, int]]:
    """All that is stored, with the moment at which it expires in epoch milliseconds, or -1."""
    found = {}
    for key in sorted(await redis.keys()):
        kind = (await redis.type(key)).decode()
        found[key] = (await READ[kind](redis, key), await redis.pexpiretime(key))
    return found


async def deliver(redis_url: str, clock: SetClock, numbers: range) -> list[int]:
    """Signed changes of that many tickets come in; how each was answered."""
    app = app_of(redis_url, clock)
    async with app.router.lifespan_context(app), client_of(app) as http:
        return [
            (await post_jira(http, changed(n), x_atlassian_webhook_identifier=f"d-{n}")).status_code for n in numbers
        ]


def changed(number: int) -> bytes:
    return body(issue_updated(issue={"id": str(number), "key": f"SE-{number}", "fields": issue_fields()}))


@pytest.fixture
async def redis(redis: Redis) -> Redis:
    """One that hands out snapshots at once, as those of deploy/ and the embedded one do."""
    await redis.config_set("repl-diskless-sync-delay", 0)
    return redis


@pytest.fixture
async def lived(redis: Redis, redis_url: str, clock: SetClock) -> Redis:
    """A store in which something has happened: deliveries, their looks, one of which is under way."""
    await Ledger(redis).keep_site(Site(fields=FieldMap(**FIELDS), jira_bot=("acc-bot",)))
    assert set(await deliver(redis_url, clock, range(TICKETS))) == {202}
    clock.advance(minutes=20)
    queue = Queue(redis, clock)
    assert (await queue.release(1))[0] == 1
    return redis


@asynccontextmanager
async def started_from(folder: Path) -> AsyncIterator[tuple[Redis, str]]:
    """A client of a server that starts on that folder, and its address."""
    async with embedded_redis(folder) as url:
        client = Redis(connection_pool=store.connect(url))
        yield client, url
        await client.aclose(close_connection_pool=True)


async def test_a_server_that_starts_from_a_backup_has_all_that_was_there(
    lived: Redis, clock: SetClock, tmp_path: Path, report: Callable[[str], None]
) -> None:
    before = await contents(lived)
    size = await take(lived, tmp_path / "crafty.rdb")
    put_back(tmp_path / "crafty.rdb", tmp_path / "data")
    async with started_from(tmp_path / "data") as (restored, url):
        assert await contents(restored) == before
        assert await examine(restored, clock) == ()
        assert set(await deliver(url, clock, range(TICKETS))) == {200}
        assert set(await deliver(url, clock, range(TICKETS, TICKETS + 3))) == {202}
    async with started_from(tmp_path / "data") as (restored, _):
        assert (await contents(restored)).keys() > before.keys()
    report(f"backup and restore: {len(before)} keys in {size} bytes, all of them back and equal")


async def test_a_backup_is_for_nobody_else_to_read_and_replaces_the_one_before(redis: Redis, tmp_path: Path) -> None:
    file = tmp_path / "crafty.rdb"
    file.write_text("the one before")
    assert await take(redis, file) == file.stat().st_size
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["crafty.rdb"]


HALF = b"REDIS0011 half of it"
MARK = b"0123456789" * 4


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        pytest.param(b"\n\n$20\r\n" + HALF, HALF, id="counted, after signs of life"),
        pytest.param(b"$EOF:" + MARK + b"\r\n" + HALF + MARK, HALF, id="up to a mark"),
        pytest.param(b"$21\r\n" + HALF, None, id="counted, and breaks off"),
        pytest.param(b"$EOF:" + MARK + b"\r\n" + HALF + MARK[:-1], None, id="up to a mark, and breaks off"),
    ],
)
async def test_a_snapshot_is_kept_whole_or_not_at_all(tmp_path: Path, sent: bytes, kept: bytes | None) -> None:
    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while b"SYNC" not in await reader.read(2**16):
            writer.write(b"+OK\r\n")
        writer.write(sent)
        writer.close()

    file = tmp_path / "crafty.rdb"
    file.write_bytes(b"the one before")
    async with await asyncio.start_unix_server(server, tmp_path / "redis.sock"):
        client = Redis(connection_pool=store.connect(f"unix://{tmp_path}/redis.sock"))
        with nullcontext() if kept else pytest.raises(RedisAway):
            await take(client, file)
        await client.aclose(close_connection_pool=True)
    assert file.read_bytes() == (kept or b"the one before")
    assert {one.name for one in tmp_path.iterdir()} <= {"crafty.rdb", "redis.sock"}


@pytest.mark.parametrize("command", ["sync", "replconf"])
async def test_an_account_that_may_not_copy_is_told_what_to_do(
    redis: Any, redis_url: str, tmp_path: Path, command: str
) -> None:
    await redis.execute_command("ACL", "SETUSER", "bob", "on", ">secret", "~*", "+@all", f"-{command}")
    client = Redis(connection_pool=store.connect(redis_url.replace("unix://", "unix://bob:secret@")))
    with pytest.raises(CraftyError, match=r"hands out no snapshot.*SYNC"):
        await take(client, tmp_path / "crafty.rdb")
    assert list(tmp_path.iterdir()) == []
    await client.aclose(close_connection_pool=True)
    await redis.execute_command("ACL", "DELUSER", "bob")


async def test_a_place_that_can_t_be_written_to_is_named(redis: Redis, tmp_path: Path) -> None:
    with pytest.raises(CraftyError, match=r"nowhere/crafty\.rdb can't be written \(No such file or directory\)"):
        await take(redis, tmp_path / "nowhere" / "crafty.rdb")


@pytest.mark.parametrize(
    ("content", "there", "words"),
    [
        pytest.param(b"REDIS0011", "appendonlydir", "There is data in", id="data of a newer server"),
        pytest.param(b"REDIS0011", "appendonly.aof", "There is data in", id="data of an older server"),
        pytest.param(b"PK\x03\x04", "lock", "is no snapshot of a Redis", id="some other file"),
        pytest.param(b"", "lock", "is no snapshot of a Redis", id="an empty file"),
        pytest.param(None, "lock", "can't be laid into .* .No such file", id="no file at all"),
    ],
)
def test_nothing_is_restored_over_data_or_from_what_is_no_backup(
    tmp_path: Path, content: bytes | None, there: str, words: str
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / there).touch()
    if content is not None:
        (tmp_path / "crafty.rdb").write_bytes(content)
    with pytest.raises(CraftyError, match=words):
        put_back(tmp_path / "crafty.rdb", folder)
    assert [one.name for one in folder.iterdir()] == [there]


@pytest.mark.usefixtures("redis")
def test_the_commands_take_a_backup_and_bring_it_back(redis_url: str, tmp_path: Path) -> None:
    taken = crafty(tmp_path, "backup", "crafty.rdb", environ={"CRAFTY_REDIS_URL": redis_url})
    size = (tmp_path / "crafty.rdb").stat().st_size
    assert (taken.returncode, taken.stdout) == (0, f"Everything is in crafty.rdb ({size:,} bytes).\n")
    elsewhere = crafty(tmp_path, "restore", "crafty.rdb", environ={"CRAFTY_REDIS_URL": redis_url})
    assert (elsewhere.returncode, elsewhere.stderr.partition(":")[0]) == (
        2,
        "CRAFTY_REDIS_URL names a server whose files Crafty does not have",
    )
    back = crafty(tmp_path, "restore", "crafty.rdb")
    assert (back.returncode, back.stdout) == (0, f"Everything is back in {tmp_path}/.crafty: start `crafty up`.\n")


async def test_a_server_of_deploy_starts_from_a_backup_that_is_laid_into_its_folder_while_it_runs(
    lived: Redis, tmp_path: Path
) -> None:
    """The steps of docs/operations.md, as its shell commands do them."""
    folder, file = tmp_path / "data", tmp_path / "crafty.rdb"
    folder.mkdir()
    before = await contents(lived)
    await take(lived, file)
    port = free_port()
    (tmp_path / "redis.conf").write_text((DEPLOY / "redis.conf").read_text().replace("dir /data", f"dir {folder}"))
    command = (str(tmp_path / "redis.conf"), "--port", str(port), "--bind", "127.0.0.1")
    client = Redis(port=port)
    with serving(port, *command):
        await client.set("of another time", "1")
        (folder / "appendonlydir").rename(folder / "before")
        file.rename(folder / "appendonly.aof")
        await client.shutdown(nosave=True)
    with serving(port, *command):
        assert await contents(client) == before
    await client.aclose()
