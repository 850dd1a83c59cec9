"""The embedded Redis: a real server that keeps its data, whoever is killed."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis.asyncio
from redis import Redis as SyncRedis
from redis.exceptions import RedisError
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from service import embedded, processes
from service.embedded import embedded_redis, running_at, server_program
from service.errors import CraftyError

SECONDS = 60.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data of a team"


def keep(url: str, value: str) -> None:
    with SyncRedis.from_url(url) as client:
        client.set("kept", value)


def kept(url: str) -> bytes | None:
    with SyncRedis.from_url(url) as client:
        value = client.get("kept")
    assert value is None or isinstance(value, bytes)
    return value


def process_id(url: str) -> int:
    with SyncRedis.from_url(url) as client:
        info = client.info("server")
    assert isinstance(info, dict)
    return int(info["process_id"])


@retry(retry=retry_if_exception_type(RedisError), stop=stop_after_delay(SECONDS), wait=wait_fixed(0.01), reraise=True)
async def another_process(url: str, than: int) -> None:
    if process_id(url) == than:
        raise RedisError("it is still there")
    kept(url)  # not while it loads what it had


async def test_it_keeps_its_data_and_is_gone_afterwards(folder: Path) -> None:
    async with embedded_redis(folder) as url:
        assert url == f"unix://{folder}/redis.sock"
        keep(url, "1")
    with pytest.raises(RedisError):
        kept(url)
    async with embedded_redis(folder) as url:
        assert kept(url) == b"1"


async def test_it_refuses_to_forget(folder: Path) -> None:
    async with embedded_redis(folder) as url:
        client = redis.asyncio.Redis.from_url(url)
        settings = await client.config_get("maxmemory-policy", "appendonly", "port")
        await client.aclose()
    assert settings == {"maxmemory-policy": "noeviction", "appendonly": "yes", "port": "0"}


async def test_only_its_owner_may_read_the_data(folder: Path) -> None:
    async with embedded_redis(folder):
        assert folder.stat().st_mode & 0o077 == 0
        assert (folder / "redis.sock").stat().st_mode & 0o077 == 0


async def test_a_server_that_is_killed_comes_back_with_its_data(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STEADY_SECONDS", 0.0)
    monkeypatch.setattr(processes, "RESTART_SECONDS", 0.01)
    async with embedded_redis(folder) as url:
        keep(url, "1")
        first = process_id(url)
        os.kill(first, signal.SIGKILL)
        await another_process(url, first)
        assert kept(url) == b"1"


PARENT = """
import asyncio, sys
from pathlib import Path
from redis import Redis
from service.embedded import embedded_redis

async def main():
    async with embedded_redis(Path(sys.argv[1])) as url:
        Redis.from_url(url).set("kept", "1")
        print(url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_data_survive_a_kill_of_the_parent(folder: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(folder), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    assert (await parent.stdout.readline()).startswith(b"unix://")
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(SECONDS), embedded_redis(folder) as url:
        assert kept(url) == b"1"


async def test_a_second_one_in_the_same_folder_is_told_what_to_do(folder: Path) -> None:
    async with embedded_redis(folder) as url:
        with pytest.raises(CraftyError, match="stop it, or set CRAFTY_DATA_DIR"):
            async with embedded_redis(folder):
                pytest.fail("two servers on one file")
        keep(url, "still there")
        assert kept(url) == b"still there"


async def test_a_folder_with_a_long_path_has_a_short_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 20) / ("deeper" * 10)
    async with embedded_redis(folder) as url:
        socket = Path(url.removeprefix("unix://"))
        assert len(os.fsencode(socket)) <= 100
        keep(url, "1")
    assert not socket.parent.exists()
    async with embedded_redis(folder) as url:
        assert kept(url) == b"1"


@contextmanager
def orphan(folder: Path, socket: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server whose parent is gone, with a value in the folder's data."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "address").write_text(f"unix://{socket}")
    with subprocess.Popen(embedded._command(folder, socket)) as server:
        try:
            while True:
                try:
                    keep(f"unix://{socket}", "by the orphan")
                    break
                except RedisError:
                    assert server.poll() is None
            yield server
        finally:
            server.kill()


@pytest.mark.parametrize("name", ["redis.sock", "elsewhere.sock"], ids=["in the folder", "at the address it noted"])
async def test_an_orphan_gives_its_data_up_first(folder: Path, tmp_path: Path, name: str) -> None:
    socket = (folder if name == "redis.sock" else tmp_path) / name
    with orphan(folder, socket) as server:
        async with embedded_redis(folder) as url:
            assert server.wait(SECONDS) == 0
            assert kept(url) == b"by the orphan"


async def test_where_it_runs_is_known_while_it_runs(folder: Path) -> None:
    assert running_at(folder) is None
    assert not folder.exists()
    async with embedded_redis(folder) as url:
        assert running_at(folder) == url
    assert running_at(folder) is None


async def test_data_that_cannot_be_read_are_not_started_over(folder: Path) -> None:
    broken = folder / "appendonlydir"
    broken.mkdir(parents=True)
    (broken / "appendonly.aof.manifest").write_text("no manifest\n")
    with pytest.raises(CraftyError, match=r"does not start \(exit code 1\)"):
        async with embedded_redis(folder):
            pytest.fail("it runs on broken data")
    assert (broken / "appendonly.aof.manifest").read_text() == "no manifest\n"


async def test_a_folder_that_cannot_be_made_is_told_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    with pytest.raises(CraftyError, match="set CRAFTY_DATA_DIR to a folder of your own"):
        async with embedded_redis(tmp_path / "a file" / "data"):
            pytest.fail("it runs nowhere")


def test_a_server_program_is_found_on_this_machine() -> None:
    assert os.access(server_program(), os.X_OK)


@pytest.mark.parametrize("name", ["valkey-server", "redis-server"])
def test_a_server_of_the_system_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda _: None)
    program = tmp_path / name
    program.touch(mode=0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert server_program() == str(program)


def test_a_server_that_may_not_be_run_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda _: None)
    (tmp_path / "redis-server").touch(mode=0o600)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CraftyError, match="set CRAFTY_REDIS_URL"):
        server_program()
