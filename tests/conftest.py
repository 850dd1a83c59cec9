"""Fixtures: a real Redis for every test that stores, and a clock that tests set."""

import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import settings
from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.exceptions import RedisError
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from service import store
from service.embedded import server_program

# A machine that is busy for a moment fails no property.
settings.register_profile("crafty", deadline=None)
settings.load_profile("crafty")


class SetClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> datetime:
        """Moves on by a timedelta's arguments."""
        self.now += timedelta(**span)
        return self.now


@pytest.fixture(autouse=True, scope="session")
def loggers_follow_every_configuration() -> Iterator[None]:
    """A logger that one test made keeps to that test's settings otherwise."""
    configure = structlog.configure

    def without_cache(**settings: Any) -> None:
        configure(**{**settings, "cache_logger_on_first_use": False})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", without_cache)
        yield


@pytest.fixture
def clock() -> SetClock:
    """Tuesday of a sprint that started on Monday 2 November 2026."""
    return SetClock(datetime(2026, 11, 3, 9, 0, tzinfo=UTC))


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A real server for this test process, started and ended here."""
    with tempfile.TemporaryDirectory(prefix="crafty-test-", ignore_cleanup_errors=True) as folder:
        socket = Path(folder) / "redis.sock"
        options = ["--port", "0", "--unixsocket", str(socket), "--dir", folder, "--save", "", "--appendonly", "yes"]
        server = subprocess.Popen([server_program(), *options], stdout=subprocess.DEVNULL)
        try:
            _wait_for(socket)
            yield f"unix://{socket}"
        finally:
            server.terminate()
            server.wait()


@retry(retry=retry_if_exception_type(RedisError), stop=stop_after_delay(60), wait=wait_fixed(0.02), reraise=True)
def _wait_for(socket: Path) -> None:
    with SyncRedis(unix_socket_path=str(socket)) as client:
        client.ping()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of an empty database."""
    client = Redis(connection_pool=store.connect(redis_url))
    await client.flushall()
    yield client
    await client.aclose(close_connection_pool=True)


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Takes sentences on what a test measured, which stand under the suite's results."""
    return lambda sentence: record_property("report", sentence)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what tests reported."""
    for passed in terminalreporter.getreports("passed"):
        for name, sentence in passed.user_properties:
            if name == "report":
                terminalreporter.write_line(f"{sentence}")
