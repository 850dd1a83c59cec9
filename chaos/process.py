"""`crafty api` and `crafty worker` as they are, but by a scenario's clock and lease, and with a step to die at.

`python -m chaos.process PART COMMAND`, where PART is a Part as JSON.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, get_args
from unittest.mock import patch

import msgspec
import uvloop

from service import cli, jobs, log, queue
from service.clients._http import Api
from service.clock import utc_now
from service.engine import rulebook
from service.jobs import WORK_SECONDS
from service.queue import LEASE, Queue, Result, Work
from service.roster import team_from
from service.serve.worker import run_worker
from service.settings import load

Step = Literal[
    "before it is taken up",
    "before the write",
    "after the write",
    "before the record",
    "after the record",
]
STEPS: Final[tuple[Step, ...]] = get_args(Step)

_READS: Final = ("/search", "/channels/direct")
"""Calls with a body that change nothing, or nothing that anybody sees."""

_SHARE: Final = WORK_SECONDS / LEASE.total_seconds()
"""How much of a lease a piece of work may take."""

LOG: Final = "crafty.log"
_WORKING_ON: Final[ContextVar[str]] = ContextVar("_WORKING_ON", default="")


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What differs from the real program.

    ahead: seconds that its clock is ahead of the machine's; lease: seconds of a lease, to which the time that work may
    take is in proportion; step, key: where it kills itself, and while it works on what; "" never.
    """

    ahead: float
    lease: float
    step: Step | Literal[""] = ""
    key: str = ""

    @property
    def word(self) -> str:
        """The same as an argument of this program."""
        return msgspec.json.encode(self).decode()


def main() -> None:
    """Runs the command for good."""
    part, command = msgspec.json.decode(sys.argv[1], type=Part), sys.argv[2]
    sys.argv = ["crafty", command]
    _log_to(Path(LOG))
    with played(part):
        cli.main()


def work(part: Part, folder: Path, environ: dict[str, str]) -> None:
    """Runs a worker in a process that was forked for it, until it dies."""
    settings = load(environ, folder)
    _log_to(folder / LOG)
    log.configure(settings.log_format, settings.log_level, secrets=settings.secret_values)
    team, book = team_from(settings.config), rulebook(settings.config)
    with played(part):
        uvloop.run(run_worker(settings, settings.redis_url.get_secret_value(), team, book))


def _log_to(path: Path) -> None:
    """What is said of killed processes and a Redis that is away would bury what the scenario says."""
    with path.open("a") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())


@contextmanager
def played(part: Part) -> Iterator[None]:
    """What this process does is done by the scenario's clock and lease, and up to its step."""

    def clock() -> datetime:
        return utc_now() + timedelta(seconds=part.ahead)

    with ExitStack() as stack:
        for module in ("service.serve.api", "service.serve.worker", "service.worker"):
            stack.enter_context(patch(f"{module}.utc_now", clock))
        stack.enter_context(patch.object(queue, "LEASE", timedelta(seconds=part.lease)))
        stack.enter_context(patch.object(jobs, "WORK_SECONDS", part.lease * _SHARE))
        if part.step:
            _expose(stack, part.step, part.key)
        yield


def _expose(stack: ExitStack, step: Step, key: str) -> None:
    die_at = partial(_die, step, key)
    claim, finish, send = Queue.claim, Queue.finish, Api.send

    async def claimed(self: Queue, name: str, token: str) -> Work | None:
        die_at("before it is taken up", name)
        _WORKING_ON.set(name)
        return await claim(self, name, token)

    async def finished(self: Queue, work: Work, result: Result) -> bool:
        die_at("before the record", work.key)
        is_stored = await finish(self, work, result)
        die_at("after the record", work.key)
        return is_stored

    async def sent(self: Api, method: str, path: str, **call: Any) -> Any:
        is_write = method != "GET" and not any(read in path for read in _READS)
        if is_write:
            die_at("before the write", _WORKING_ON.get())
        answer = await send(self, method, path, **call)
        if is_write:
            die_at("after the write", _WORKING_ON.get())
        return answer

    doubles: dict[tuple[type, str], Callable[..., Awaitable[Any]]] = {
        (Queue, "claim"): claimed,
        (Queue, "finish"): finished,
        (Api, "send"): sent,
    }
    for (owner, name), double in doubles.items():
        stack.enter_context(patch.object(owner, name, double))


def _die(step: Step, key: str, at: Step, on: str) -> None:
    if (at, on) == (step, key):
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
