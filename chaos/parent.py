"""`crafty up` itself is killed, and started again at once: nothing that it left may be in the way."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Final

import httpx

from chaos.cast import configuration
from chaos.house import clean_environment, free_port, until_ready
from chaos.report import Found
from chaos.world import SECRET
from service.clock import utc_now
from service.embedded import running_at

STARTING_SECONDS: Final = 3.0
STOP_SECONDS: Final = 60.0
_BODY: Final = b'{"webhookEvent": "chaos_began"}'
_HEADERS: Final = {
    "Content-Type": "application/json",
    "X-Atlassian-Webhook-Identifier": "kept-through-all-of-it",
    "X-Hub-Signature": f"sha256={hmac.new(SECRET.encode(), _BODY, hashlib.sha256).hexdigest()}",
}


class _Up:
    """A `crafty up` in a folder, on a port."""

    def __init__(self, folder: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._folder = folder
        self._environ = {
            **clean_environment(),
            "CRAFTY_PORT": str(port),
            "CRAFTY_JIRA_WEBHOOK_SECRET": SECRET,
        }

    async def start(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "service.cli", "up"),
            cwd=self._folder,
            env=self._environ,
            stderr=asyncio.subprocess.PIPE,
        )

    async def deliver(self) -> int:
        """The status that the one delivery is answered with."""
        async with httpx.AsyncClient() as client:
            return (await client.post(f"{self.url}/webhooks/jira", content=_BODY, headers=_HEADERS)).status_code


async def kill_the_parent(seed: int, kills: int, folder: Path) -> Found:
    """Plays in an empty folder: every other time it is killed once it runs, else while it starts."""
    chance, port = Random(seed), free_port()
    (folder / "crafty.toml").write_text(configuration(utc_now(), cells=1))
    up, refused = _Up(folder, port), list[str]()
    for number in range(kills):
        process = await up.start()
        if number % 2:
            await asyncio.sleep(chance.uniform(0.0, STARTING_SECONDS))
        else:
            await until_ready(up.url)
            await up.deliver()
        refused += await _killed(process)
    process = await up.start()
    await until_ready(up.url)
    is_remembered = await up.deliver() == httpx.codes.OK
    process.terminate()
    await asyncio.wait_for(process.communicate(), STOP_SECONDS)
    cases = {
        "starts that failed": refused,
        "forgotten": [] if is_remembered else ["the delivery that was accepted before the first kill"],
        "ended badly": [f"exit code {process.returncode}"] if process.returncode else [],
        "left over in the end": list(_left(folder, port)),
    }
    return Found({"kills": kills}, cases)


async def _killed(process: asyncio.subprocess.Process) -> list[str]:
    """What it said where it had ended by itself."""
    if process.returncode is not None:
        _, said = await process.communicate()
        return [said.decode()]
    process.kill()
    await process.wait()
    return []


def _left(folder: Path, port: int) -> Iterator[str]:
    if running_at(folder / ".crafty"):
        yield "the lock on the data"
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        yield f"something that listens on port {port}"
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink() == folder and int(process.name) != os.getpid():
                yield f"process {process.name}"
