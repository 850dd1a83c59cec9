"""The whole service: `crafty up` beside a stand-in of either kind of Jira. .ci/run plays the story, too."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from service.clock import utc_now
from service.demo._jira_site import Flavour, JiraComment
from service.demo._sender import Delivery, WebhookSender, WebhookTarget
from service.demo.jira import JiraStandIn
from service.demo.server import serve
from tests.builders import CONFIG

SECRET = "end-to-end"
TOKEN = "a-token"
SECONDS = 60.0

BOTH = pytest.mark.parametrize("flavour", ["cloud", "datacenter"])


@dataclass(frozen=True)
class Running:
    """A `crafty up` beside its Jira."""

    jira: JiraStandIn
    process: asyncio.subprocess.Process
    url: str

    def own_comments(self, key: str) -> list[JiraComment]:
        return [comment for comment in self.jira.comments(key) if "crafty" in comment.properties]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def eventually(is_so: Callable[[], bool]) -> None:
    """Waits until it is so; fails after SECONDS."""
    async with asyncio.timeout(SECONDS):
        while not is_so():  # noqa: ASYNC110 - the other side is another process
            await asyncio.sleep(0.01)


async def until_ready(client: httpx.AsyncClient, url: str) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                if (await client.get(f"{url}/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def crafty_up(folder: Path, flavour: Flavour) -> AsyncIterator[Running]:
    """Starts the command as an operator would; settles at once."""
    async with httpx.AsyncClient() as client:
        jira = JiraStandIn(flavour, utc_now, WebhookSender(client), token=TOKEN)
        async with serve(jira.app) as jira_url:
            jira.base_url = jira_url
            port = free_port()
            settle = '\n[rules.missing-reviewer]\nsettle = "0s"\n[rules.green-ticket]\nsettle = "0s"\n'
            (folder / "crafty.toml").write_text(CONFIG + settle)
            clean = {name: value for name, value in os.environ.items() if not name.startswith("CRAFTY_")}
            environ = {
                **clean,
                "CRAFTY_PORT": str(port),
                "CRAFTY_JIRA_URL": jira_url,
                "CRAFTY_JIRA_KIND": flavour,
                "CRAFTY_JIRA_EMAIL": jira.bot.email,
                "CRAFTY_JIRA_TOKEN": TOKEN,
                "CRAFTY_JIRA_WEBHOOK_SECRET": SECRET,
            }
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "service.cli", "up", cwd=folder, env=environ, stderr=asyncio.subprocess.DEVNULL
            )
            try:
                url = f"http://127.0.0.1:{port}"
                await until_ready(client, url)
                jira.sender.target = WebhookTarget(f"{url}/webhooks/jira", SECRET)
                yield Running(jira, process, url)
            finally:
                if process.returncode is None:
                    process.terminate()
                await process.wait()


async def in_need_of_review(jira: JiraStandIn) -> Delivery:
    """A running sprint with Ann's ticket, which she moves to Need Review though nobody reviews it."""
    for account, name in (("acc-ann", "Ann"), ("acc-bob", "Bob"), ("acc-sam", "Sam")):
        jira.add_person(account, name)
    await jira.create_sprint(41, "SE Sprint 41", board=12)
    await jira.start_sprint(41)
    await jira.create_issue("SE-1", "acc-sam", sprint=41, summary="Fix the login", assignee="acc-ann", estimate=3.0)
    await jira.transition("SE-1", "acc-ann", "Need Review")
    return jira.sender.deliveries[-1]


@BOTH
async def test_a_ticket_without_a_reviewer_gets_one_comment_that_follows_it(tmp_path: Path, flavour: Flavour) -> None:
    async with crafty_up(tmp_path, flavour) as running:
        jira = running.jira
        delivery = await in_need_of_review(jira)
        assert delivery.status == 202

        await eventually(lambda: len(running.own_comments("SE-1")) == 1)
        (comment,) = running.own_comments("SE-1")
        assert comment.mentions == ["acc-ann"]
        assert comment.properties == {"crafty": {"key": "missing-reviewer:SE-1:sprint-41"}}
        first = comment.text

        again = await jira.sender.redeliver(delivery)
        assert (again.status, again.content["duplicate"]) == (200, True)

        await jira.edit("SE-1", "acc-ann", reviewer="acc-bob")
        await eventually(lambda: running.own_comments("SE-1")[0].text != first)
        await jira.sender.drain()
        (comment,) = running.own_comments("SE-1")
        assert "Bob" in comment.text
        assert comment.properties == {"crafty": {"key": "missing-reviewer:SE-1:sprint-41"}}
        assert {one.status for one in jira.sender.deliveries} <= {200, 202}

        running.process.terminate()
        assert await asyncio.wait_for(running.process.wait(), SECONDS) == 0


async def test_what_was_accepted_survives_a_kill_of_everything(tmp_path: Path) -> None:
    async with crafty_up(tmp_path, "cloud") as running:
        delivery = await in_need_of_review(running.jira)
        assert delivery.status == 202
        await eventually(lambda: len(running.own_comments("SE-1")) == 1)
        body, headers = delivery.body, delivery.headers
        running.process.kill()
        await running.process.wait()

    async with crafty_up(tmp_path, "cloud") as running, httpx.AsyncClient() as client:
        answer = await client.post(f"{running.url}/webhooks/jira", content=body, headers=headers)
        assert (answer.status_code, answer.json()["duplicate"]) == (200, True)
