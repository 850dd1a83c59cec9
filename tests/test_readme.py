"""The README's way to connect a Jira, pasted block by block into a shell, with a stopwatch."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from service.clock import utc_now
from service.demo._sender import WebhookSender, WebhookTarget
from service.demo.jira import JiraStandIn
from service.demo.server import serve
from tests.test_end_to_end import free_port, until_ready

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
TOKEN = "its-api-token"
ANN = "5d0000000000000000000001"


def blocks(heading: str) -> list[str]:
    """What the README has to paste under a heading."""
    part = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [re.sub("^ {3}", "", block, flags=re.MULTILINE) for block in re.findall(r"```\n(.*?)```", part, re.DOTALL)]


@dataclass(frozen=True)
class Shell:
    """A shell that somebody pastes into."""

    process: asyncio.subprocess.Process

    async def paste(self, block: str) -> str:
        """What it printed; the last command must not fail."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{block}\nprintf '\\nends with %s\\n' $?\n".encode())
        printed = (await self.process.stdout.readuntil(b"\nends with ")).decode()
        assert await self.process.stdout.readline() == b"0\n", printed
        return printed


@asynccontextmanager
async def shell(folder: Path, **environ: str) -> AsyncIterator[Shell]:
    """Everything that was started in it ends with it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CRAFTY_")}
    process = await asyncio.create_subprocess_exec(
        "bash",
        cwd=folder,
        env={**clean, "NO_COLOR": "1", **environ},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield Shell(process)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        await process.wait()


@asynccontextmanager
async def a_jira() -> AsyncIterator[JiraStandIn]:
    """A site with a running sprint, which nobody has told of Crafty."""
    async with httpx.AsyncClient() as client:
        jira = JiraStandIn("cloud", utc_now, WebhookSender(client), token=TOKEN)
        for account, name in ((ANN, "Ann"), ("acc-bob", "Bob")):
            jira.add_person(account, name)
        await jira.create_sprint(41, "SE Sprint 41", board=12)
        await jira.create_sprint(42, "Stretch Goals", board=12)
        await jira.start_sprint(41)
        async with serve(jira.app) as jira.base_url:
            yield jira


def with_own(block: str, own: Mapping[str, str]) -> str:
    """A block with what is ours put in; whoever runs this test has set everything up."""
    for theirs, ours in own.items():
        block = block.replace(theirs, ours)
    return block.removeprefix("make setup\n")


async def test_a_jira_is_connected_in_five_minutes_by_what_the_readme_says(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    async with a_jira() as jira, shell(tmp_path, CRAFTY_PORT=port) as terminal:
        own = {
            "https://example.atlassian.net": jira.base_url,
            "crafty@example.org": jira.bot.email,
        }
        settings, start, tell, ask = (
            with_own(block, own) for block in blocks("Connect it to your Jira in five minutes")
        )
        begun = time.monotonic()
        assert "crafty.toml is fine" in await terminal.paste(settings)
        await terminal.paste(start)
        async with httpx.AsyncClient() as client:
            await until_ready(client, url)
        assert "doubtful" in await terminal.paste(tell), "nothing came in yet"
        (registered,) = jira.webhooks.values()
        jira.sender.target = WebhookTarget(f"{url}/webhooks/jira", registered["secret"])
        await jira.create_issue("SE-123", "acc-bob", sprint=41, assignee=ANN, estimate=3.0)
        await jira.transition("SE-123", "acc-bob", "Need Review")
        why = await terminal.paste(ask)
        minutes = (time.monotonic() - begun) / 60
    assert registered["url"] == "https://crafty.example.org/webhooks/jira"
    assert "missing-reviewer" in why
    assert jira.comments("SE-123") == [], "a dry run"
    assert minutes < 5
    report(f"the README's way: a Jira connected, and the first decision explained, in {minutes * 60:.0f} s")
