"""How long it takes from a webhook to the comment that follows: `crafty up` beside a Jira, with nothing else to do."""

import asyncio
import gc
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.servers import everywhere
from service.clock import utc_now
from service.demo._sender import WebhookSender, WebhookTarget
from service.demo.jira import JiraStandIn
from service.demo.server import serve

SECRET = "bench-secret"
TOKEN = "bench"
START_SECONDS = 30
PAUSE_SECONDS = 0.1
CONFIG = """
[calendar]
anchor = 2026-11-02T09:00:00
[[cells]]
name = "Bench"
projects = ["SE"]
board = 1
[[people]]
id = "ann"
name = "Ann"
cell = "Bench"
jira = "ann"
[rules.missing-reviewer]
settle = "0s"
"""


class _Arrivals:
    """Notes when a comment is asked for."""

    def __init__(self, app: ASGIApp, arrivals: "asyncio.Queue[float]") -> None:
        self._app, self._arrivals = app, arrivals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].endswith("/comment"):
            self._arrivals.put_nowait(time.perf_counter())
        await self._app(scope, receive, send)


async def measure(folder: Path, port: int, samples: int) -> list[float]:
    """Milliseconds from sending the webhook of a change to the request that comments on it, for one after another.

    The first one waits until Crafty knows its way about this Jira, and does not count. All have the whole machine, and
    the collector of this process, in which Jira is, does not go through what was measured before.
    """
    everywhere(0)
    gc.collect()
    gc.freeze()
    arrivals: asyncio.Queue[float] = asyncio.Queue()
    async with _beside(folder, port, arrivals) as jira:
        _, *timed = [await _timed(jira, f"SE-{number}", arrivals) for number in range(1, samples + 2)]
    return timed


async def _timed(jira: JiraStandIn, key: str, arrivals: "asyncio.Queue[float]") -> float:
    """A ticket that needs a review and names nobody for it."""
    await jira.create_issue(key, "ann", summary="Work", sprint=1, assignee="ann", estimate=1.0)
    await asyncio.sleep(PAUSE_SECONDS)
    started = time.perf_counter()
    changing = asyncio.create_task(jira.transition(key, "ann", "Need Review"))
    milliseconds = (await arrivals.get() - started) * 1000
    await changing
    await jira.sender.drain()
    return milliseconds


@asynccontextmanager
async def _beside(folder: Path, port: int, arrivals: "asyncio.Queue[float]") -> AsyncIterator[JiraStandIn]:
    async with httpx.AsyncClient() as client:
        jira = JiraStandIn("cloud", utc_now, WebhookSender(client), token=TOKEN)
        jira.app.add_middleware(_Arrivals, arrivals=arrivals)
        jira.add_person("ann", "Ann")
        await jira.create_sprint(1, "Sprint 1", board=1)
        await jira.start_sprint(1)
        async with serve(jira.app) as url, _crafty_up(folder, port, url, jira.bot.email):
            jira.base_url = url
            await _until_ready(client, port)
            jira.sender.target = WebhookTarget(f"http://127.0.0.1:{port}/webhooks/jira", SECRET)
            yield jira


@asynccontextmanager
async def _crafty_up(folder: Path, port: int, jira_url: str, email: str) -> AsyncIterator[None]:
    (folder / "crafty.toml").write_text(CONFIG)
    environ = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "CRAFTY_PORT": str(port),
        "CRAFTY_JIRA_URL": jira_url,
        "CRAFTY_JIRA_KIND": "cloud",
        "CRAFTY_JIRA_EMAIL": email,
        "CRAFTY_JIRA_TOKEN": TOKEN,
        "CRAFTY_JIRA_WEBHOOK_SECRET": SECRET,
        "CRAFTY_LOG_LEVEL": "ERROR",
    }
    command = (sys.executable, "-m", "service.cli", "up")
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=environ)
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def _until_ready(client: httpx.AsyncClient, port: int) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                if (await client.get(f"http://127.0.0.1:{port}/readyz")).is_success:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)
