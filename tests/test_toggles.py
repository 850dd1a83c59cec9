"""A toggle holds at once: real processes on one Redis, and not one delivery that is decided on the old mode."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from service.clock import utc_now
from service.demo._jira_site import JiraComment
from service.demo._sender import WebhookSender, WebhookTarget, signature
from service.demo.jira import JiraStandIn
from service.demo.server import serve
from service.engine import Decision, Mode
from service.ledger import Ledger
from service.queue import Queue
from tests.builders import CONFIG
from tests.test_end_to_end import SECONDS, SECRET, TOKEN, eventually, free_port, until_ready
from tests.test_worker import site_is_known
from tests.webhooks.payloads import body, issue_updated

RULE = "missing-reviewer"
TOGGLES = 200
ADMIN = {"Authorization": "Bearer token-of-ada"}
RULES = f"""
[rules.{RULE}]
settle = "0s"
[rules.green-ticket]
mode = "off"
[rules.task-insertion]
mode = "off"
[rules.spillover]
mode = "off"
"""
ANSWERS: dict[Mode, dict[str, str]] = {
    "on": {"rule": RULE, "outcome": "act"},
    "dry-run": {"rule": RULE, "outcome": "act", "mode": "dry-run"},
    "off": {"rule": RULE, "outcome": "pass", "mode": "off"},
}


@dataclass(frozen=True)
class Running:
    """Two API processes and a worker beside their Jira. urls: where the two are served."""

    client: httpx.AsyncClient
    jira: JiraStandIn
    urls: tuple[str, str]
    redis: Redis

    async def toggle(self, mode: Mode, at: str) -> None:
        """Sets the rule at one of the two processes."""
        answer = await self.client.patch(f"{at}/api/v1/rules/{RULE}", json={"mode": mode}, headers=ADMIN)
        assert answer.status_code == 200, answer.text

    async def deliver(self, name: str, to: str) -> dict[str, str]:
        """Delivers that SE-1 waits for review without a reviewer; what the rule decided."""
        content = body(issue_updated())
        headers = {"X-Hub-Signature": signature(SECRET, content), "X-Atlassian-Webhook-Identifier": name}
        answer = await self.client.post(f"{to}/webhooks/jira", content=content, headers=headers)
        assert answer.status_code == 202, answer.text
        return next(one for one in answer.json()["decisions"] if one["rule"] == RULE)

    async def decided(self, stage: str, subject: str | None = None) -> dict[str | None, Decision]:
        """What the rule decided at that stage, by delivery; the newest of those without one."""
        entries = reversed(await Ledger(self.redis).timeline(subject, 20_000))
        told = [(entry.delivery, one) for entry in entries if entry.stage == stage for one in entry.decisions]
        return {delivery: one for delivery, one in told if one.rule == RULE}

    async def idle(self) -> None:
        """Waits until the worker has done all that is due."""
        queue = Queue(self.redis, utc_now)
        async with asyncio.timeout(SECONDS):
            while (await queue.outlook())[0]:  # noqa: ASYNC110 - the worker is another process
                await asyncio.sleep(0.01)

    def comments(self, key: str) -> list[JiraComment]:
        return [comment for comment in self.jira.comments(key) if "crafty" in comment.properties]


@asynccontextmanager
async def process(command: str, folder: Path, environ: dict[str, str]) -> AsyncIterator[None]:
    """A process as an operator would start it."""
    program = [sys.executable, "-m", "service.cli", command]
    started = await asyncio.create_subprocess_exec(
        *program, cwd=folder, env=environ, stderr=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        if started.returncode is None:
            started.terminate()
        await started.wait()


def environ_of(redis_url: str, jira_url: str, jira: JiraStandIn, port: int) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CRAFTY_")}
    return {
        **clean,
        "CRAFTY_PORT": str(port),
        "CRAFTY_REDIS_URL": redis_url,
        "CRAFTY_ADMIN_TOKENS": "ada:token-of-ada",
        "CRAFTY_JIRA_URL": jira_url,
        "CRAFTY_JIRA_EMAIL": jira.bot.email,
        "CRAFTY_JIRA_TOKEN": TOKEN,
        "CRAFTY_JIRA_WEBHOOK_SECRET": SECRET,
    }


@pytest.fixture
async def running(tmp_path: Path, redis: Redis, redis_url: str) -> AsyncIterator[Running]:
    (tmp_path / "crafty.toml").write_text(CONFIG + RULES)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient())
        jira = JiraStandIn("cloud", utc_now, WebhookSender(client), token=TOKEN)
        jira.base_url = await stack.enter_async_context(serve(jira.app))
        ports = (free_port(), free_port())
        for command, port in (("api", ports[0]), ("api", ports[1]), ("worker", ports[0])):
            environ = environ_of(redis_url, jira.base_url, jira, port)
            await stack.enter_async_context(process(command, tmp_path, environ))
        urls = tuple(f"http://127.0.0.1:{port}" for port in ports)
        for url in urls:
            await until_ready(client, url)
        await site_is_known(redis)
        yield Running(client, jira, (urls[0], urls[1]), redis)


async def in_need_of_review(jira: JiraStandIn, key: str) -> None:
    """Ann moves a ticket to Need Review though nobody reviews it."""
    await jira.create_issue(key, "acc-sam", sprint=41, summary="Fix the login", assignee="acc-ann", estimate=3.0)
    await jira.transition(key, "acc-ann", "Need Review")


async def a_running_sprint(jira: JiraStandIn) -> None:
    for account, name in (("acc-ann", "Ann"), ("acc-bob", "Bob"), ("acc-sam", "Sam")):
        jira.add_person(account, name)
    await jira.create_sprint(41, "SE Sprint 41", board=12)
    await jira.start_sprint(41)


def turns(urls: tuple[str, str]) -> Iterator[tuple[str, Mode, str, str]]:
    """Deliveries' names, the mode that is set before each, where it is set, and the other process, which is told."""
    modes: Iterator[Mode] = cycle(("off", "on", "off", "dry-run"))
    for number, (mode, at) in enumerate(zip(modes, cycle(urls), strict=False), 1):
        yield f"delivery-{number}", mode, at, next(url for url in urls if url != at)
        if number == TOGGLES:
            return


async def decide_each_on_the_newest_mode(running: Running) -> None:
    """Toggles and deliveries in turn; what was answered and what was stored are decided on the newest mode."""
    wanted: dict[str | None, Mode] = {}
    for name, mode, at, to in turns(running.urls):
        await running.toggle(mode, at)
        assert await running.deliver(name, to) == ANSWERS[mode], name
        wanted[name] = mode
    decided = await running.decided("webhook")
    assert len(wanted) == TOGGLES
    assert {name: decided[name].mode for name in wanted} == wanted
    assert {decided[name].reason for name, mode in wanted.items() if mode == "off"} == {"the rule is off"}
    assert len(running.comments("SE-1")) <= 1


async def test_no_delivery_is_decided_on_the_old_mode_and_nothing_is_done_while_the_rule_is_off(
    running: Running,
) -> None:
    jira, (here, there) = running.jira, running.urls
    await a_running_sprint(jira)
    await in_need_of_review(jira, "SE-1")
    await decide_each_on_the_newest_mode(running)

    jira.sender.target = WebhookTarget(f"{there}/webhooks/jira", SECRET)
    await running.toggle("off", here)
    await in_need_of_review(jira, "SE-2")
    await jira.sender.drain()
    await running.idle()
    assert {one.mode for one in (await running.decided("webhook", "SE-2")).values()} == {"off"}
    assert running.comments("SE-2") == []

    await running.toggle("on", here)
    await eventually(lambda: bool(running.comments("SE-2")))
    assert [comment.mentions for comment in running.comments("SE-2")] == [["acc-ann"]]
