"""Child processes that are started again when they fall, stop in order, and never outlive their parent."""

from __future__ import annotations

import asyncio
import ctypes
import faulthandler
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

log = structlog.get_logger()

STOP_SECONDS: Final = 40.0
RESTART_SECONDS: Final = 0.5
STEADY_SECONDS: Final = 5.0
STUCK_SECONDS: Final = 60.0

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Program:
    """What to run.

    environ: the whole environment of the child; own_session: whether a Ctrl-C in the terminal passes it by, because
    others need it until they have ended.
    """

    name: str
    argv: Sequence[str]
    environ: Mapping[str, str]
    own_session: bool = False


class Child:
    """A program that runs until it is told to stop."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._process: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()
        self._stopping = asyncio.Event()

    async def run(self) -> int:
        """Runs the program, again and again if it falls; ends when stopped, or when it can't even start.

        Returns the last exit code, 0 where it was never started: a program that fails within STEADY_SECONDS of its
        first start is not started again.
        """
        loop = asyncio.get_running_loop()
        has_been_steady = False
        code = 0
        while not self._stopping.is_set():
            started = loop.time()
            code = await self._once()
            has_been_steady = has_been_steady or loop.time() - started > STEADY_SECONDS
            if self._stopping.is_set() or not has_been_steady:
                return code
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), RESTART_SECONDS)
                return code
            log.error("process.fell", process=self._program.name, code=code)
        return code

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Asks it to end, and makes it end after that many seconds."""
        self._stopping.set()
        async with self._starting:
            process = self._process
        if process is None or process.returncode is not None:
            return
        _signal(process, signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), seconds)
        except TimeoutError:
            log.warning("process.killed", process=self._program.name, after_seconds=seconds)
            _signal(process, signal.SIGKILL)
            await process.wait()

    async def _once(self) -> int:
        async with self._starting:
            self._process = process = await asyncio.create_subprocess_exec(
                *self._program.argv,
                env=dict(self._program.environ),
                start_new_session=self._program.own_session,
                preexec_fn=partial(_end_with_parent, os.getpid()),
            )
        return await process.wait()


async def end_when_stuck() -> None:
    """Ends this process, with a traceback, once its loop has stood still for STUCK_SECONDS: some code never returns.

    Whoever supervises the process starts it again, and what it worked on comes back.
    """
    while True:
        faulthandler.dump_traceback_later(STUCK_SECONDS, exit=True)
        await asyncio.sleep(STUCK_SECONDS / 4)


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    """Its own methods would collect the exit code of one that is just ending, and asyncio would never hear of it."""
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)


def _end_with_parent(parent: int) -> None:
    """Linux sends the child SIGTERM when its parent dies, however that happens; one that died before is noticed."""
    if _LIBC is None:
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
