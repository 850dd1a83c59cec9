"""Child processes: real ones, that fall, are stubborn, or lose their parent."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from service import processes
from service.processes import Child, Program

SECONDS = 60.0
NOTES_AND_WAITS = "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); time.sleep(60)"
NOTES_AND_FAILS = "import os, sys; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); sys.exit(3)"
STUBBORN = (
    "import os, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); time.sleep(60)"
)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Where each start of a program notes its process id."""
    return tmp_path / "starts"


def child_of(code: str, notes: Path) -> Child:
    return Child(Program("tested", [sys.executable, "-I", "-S", "-c", code, str(notes)], os.environ))


def pids(notes: Path) -> list[int]:
    return [int(line) for line in notes.read_text().splitlines()] if notes.is_file() else []


async def eventually(is_so: Callable[[], bool]) -> None:
    """Waits until it is so; fails after SECONDS."""
    async with asyncio.timeout(SECONDS):
        while not is_so():  # noqa: ASYNC110 - the other side is another process
            await asyncio.sleep(0.005)


async def ended(running: asyncio.Task[int]) -> int:
    return await asyncio.wait_for(running, SECONDS)


@pytest.fixture
async def waiting(notes: Path) -> AsyncIterator[tuple[Child, asyncio.Task[int]]]:
    """A program that runs until it is stopped."""
    child = child_of(NOTES_AND_WAITS, notes)
    running = asyncio.create_task(child.run())
    await eventually(lambda: len(pids(notes)) == 1)
    yield child, running
    await child.stop()
    await ended(running)


async def test_a_program_that_falls_is_started_again(
    waiting: tuple[Child, asyncio.Task[int]], notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "STEADY_SECONDS", 0.0)
    monkeypatch.setattr(processes, "RESTART_SECONDS", 0.01)
    for falls in (1, 2):
        os.kill(pids(notes)[-1], signal.SIGKILL)
        await eventually(lambda enough=falls + 1: len(pids(notes)) == enough)  # type: ignore[misc]
    assert not waiting[1].done()


@pytest.mark.parametrize("own_session", [True, False])
async def test_a_program_in_a_session_of_its_own_hears_no_ctrl_c(notes: Path, own_session: bool) -> None:
    argv = [sys.executable, "-I", "-S", "-c", NOTES_AND_WAITS, str(notes)]
    child = Child(Program("tested", argv, os.environ, own_session=own_session))
    running = asyncio.create_task(child.run())
    await eventually(lambda: len(pids(notes)) == 1)
    assert (os.getpgid(pids(notes)[0]) != os.getpgid(0)) is own_session
    await child.stop()
    await ended(running)


async def test_a_program_that_fails_at_once_is_not_started_again(notes: Path) -> None:
    child = child_of(NOTES_AND_FAILS, notes)
    assert await asyncio.wait_for(child.run(), SECONDS) == 3
    assert len(pids(notes)) == 1
    await child.stop()


async def test_a_program_that_fails_at_once_after_a_steady_start_is_started_again(
    notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "STEADY_SECONDS", 0.0)
    monkeypatch.setattr(processes, "RESTART_SECONDS", 0.01)
    child = child_of(NOTES_AND_FAILS, notes)
    running = asyncio.create_task(child.run())
    await eventually(lambda: len(pids(notes)) >= 2)
    monkeypatch.setattr(processes, "STEADY_SECONDS", 60.0)
    await eventually(lambda: len(pids(notes)) >= 4)
    await child.stop()
    assert await ended(running) in {3, -signal.SIGTERM}


async def test_a_stopped_program_ends_and_stays_so(
    waiting: tuple[Child, asyncio.Task[int]], notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "STEADY_SECONDS", 0.0)
    child, running = waiting
    await child.stop()
    assert await ended(running) == -signal.SIGTERM
    assert len(pids(notes)) == 1


async def test_a_stubborn_program_is_killed_in_time(notes: Path) -> None:
    child = child_of(STUBBORN, notes)
    running = asyncio.create_task(child.run())
    await eventually(lambda: bool(pids(notes)))
    await child.stop(seconds=0.05)
    assert await ended(running) == -signal.SIGKILL


async def test_a_program_stopped_before_its_start_never_starts(notes: Path) -> None:
    child = child_of(NOTES_AND_WAITS, notes)
    await child.stop()
    assert await asyncio.wait_for(child.run(), SECONDS) == 0
    assert pids(notes) == []


async def test_a_program_stopped_while_it_starts_ends(notes: Path) -> None:
    child = child_of(NOTES_AND_WAITS, notes)
    running = asyncio.create_task(child.run())
    await asyncio.sleep(0)
    await child.stop()
    assert await ended(running) == -signal.SIGTERM


async def test_a_program_stopped_between_two_starts_is_not_started_again(
    waiting: tuple[Child, asyncio.Task[int]], notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "STEADY_SECONDS", 0.0)
    monkeypatch.setattr(processes, "RESTART_SECONDS", 60.0)
    child, running = waiting
    os.kill(pids(notes)[0], signal.SIGKILL)
    process = child._process
    assert process is not None
    await asyncio.wait_for(process.wait(), SECONDS)
    await child.stop()
    assert await ended(running) == -signal.SIGKILL
    assert len(pids(notes)) == 1


PARENT = """
import asyncio, os, sys
from service.processes import Child, Program

code = "import time; print('ready', flush=True); time.sleep(60)"
asyncio.run(Child(Program("child", [sys.executable, "-I", "-S", "-c", code], os.environ)).run())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_a_child_ends_with_a_killed_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        parent.kill()
        assert parent.communicate(timeout=SECONDS)[0] == b"", "the pipe ends when nobody holds it any more"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_a_child_whose_parent_died_before_it_could_ask_ends_too() -> None:
    code = "import time; from service.processes import _end_with_parent; _end_with_parent(1 << 22); time.sleep(60)"
    ended = subprocess.run([sys.executable, "-c", code], timeout=SECONDS, check=False)
    assert ended.returncode == -signal.SIGTERM
