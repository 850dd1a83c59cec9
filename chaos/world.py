"""Jira and a chat with a team at work; what Crafty has to do there follows from the plan, whatever Crafty stores."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

import httpx

from chaos.cast import (
    CELLS,
    board_of,
    configuration,
    everybody,
    firefighter_of,
    manager_of,
    project_of,
    running_of,
    sprint_start,
    stretch_of,
)
from chaos.post import Postman
from chaos.stories import Kind, Story, stories
from service.demo._jira_markup import Json
from service.demo._jira_site import IssueFields
from service.demo._sender import WebhookTarget
from service.demo.jira import JiraStandIn
from service.demo.mattermost import MattermostStandIn
from service.demo.server import serve

SECRET: Final = "the secret of chaos"
TOKEN: Final = "the-token-of-chaos"

Do = Callable[[], Awaitable[object]]


class World:
    """The stand-ins and the people. deliveries: how many webhooks people cause; seconds: within what time."""

    def __init__(
        self, ahead: float, client: httpx.AsyncClient, chance: Random, deliveries: int, seconds: float
    ) -> None:
        def clock() -> datetime:
            return datetime.now(UTC) + timedelta(seconds=ahead)

        self.clock = clock
        self.postman = Postman(client, chance)
        projects = [project_of(cell) for cell in range(CELLS)]
        self.jira = JiraStandIn("cloud", clock, self.postman, token=TOKEN, projects=projects)
        self.chat = MattermostStandIn(clock, token=TOKEN)
        self.stories = list(stories(chance, deliveries))
        self._chance = chance
        self._seconds = seconds

    async def prepare(self) -> None:
        """People, sprints and boards, before Crafty is there."""
        for person in everybody():
            self.jira.add_person(f"acc-{person}", person.title())
            self.chat.add_person(person, person.title())
        start = sprint_start(self.clock())
        for cell in range(CELLS):
            end = start + timedelta(days=14)
            await self.jira.create_sprint(
                running_of(cell), f"Sprint {cell}", board=board_of(cell), start=start, end=end
            )
            await self.jira.create_sprint(stretch_of(cell), f"Stretch {cell}", board=board_of(cell))
            await self.jira.start_sprint(running_of(cell))

    async def serve(self, stack: AsyncExitStack, folder: Path, cells: int = CELLS) -> dict[str, str]:
        """Answers Crafty for as long as the stack stands; the settings of a Crafty that is configured in the folder."""
        config = folder / "crafty.toml"
        config.write_text(configuration(self.clock(), cells))
        jira_url, chat_url = [await stack.enter_async_context(serve(app)) for app in (self.jira.app, self.chat.app)]
        self.jira.base_url = jira_url
        return {
            "CRAFTY_CONFIG": str(config),
            "CRAFTY_JIRA_URL": jira_url,
            "CRAFTY_JIRA_EMAIL": self.jira.bot.email,
            "CRAFTY_JIRA_TOKEN": TOKEN,
            "CRAFTY_JIRA_WEBHOOK_SECRET": SECRET,
            "CRAFTY_MATTERMOST_URL": chat_url,
            "CRAFTY_MATTERMOST_TOKEN": TOKEN,
        }

    async def play(self, urls: tuple[str, ...]) -> None:
        """Everybody does what is planned, at moments that chance draws; the post goes to these addresses."""
        self.postman.urls = [f"{url}/webhooks/jira" for url in urls]
        self.postman.target = WebhookTarget(self.postman.urls[0], SECRET)
        loop = asyncio.get_running_loop()
        began = loop.time()
        for at, do in self._deeds():
            await asyncio.sleep(max(0.0, began + at - loop.time()))
            await do()

    def sprint_of(self, story: Story) -> int | None:
        """The sprint that the story's ticket is in."""
        return next(iter(self.jira.issues[story.key].sprints), None)

    def moves_of(self, story: Story) -> list[float]:
        """When Crafty moved the story's ticket to another sprint, by the monotonic clock."""
        history = self.jira.issues[story.key].history
        moved = [one.created for one in history if one.author == self.jira.bot.id and _is_move(one.items)]
        return [time.monotonic() - (self.clock() - at).total_seconds() for at in moved]

    def written(self) -> Counter[str]:
        """The keys of all that Crafty has written, comments and messages, and how often each is there."""
        comments = [comment for key in self.jira.issues for comment in self.jira.comments(key)]
        keys = [comment.properties["crafty"]["key"] for comment in comments if comment.author == self.jira.bot.id]
        return Counter([*keys, *(message.props["crafty"] for message in self.chat.messages)])

    def _deeds(self) -> list[tuple[float, Do]]:
        """Each story's steps in their order, all stories at once."""
        deeds: list[tuple[float, Do]] = []
        for story in self.stories:
            steps = self._steps(story)
            moments = sorted(self._chance.uniform(0, self._seconds) for _ in steps)
            deeds += zip(moments, steps, strict=True)
        return sorted(deeds, key=lambda deed: deed[0])

    def _steps(self, story: Story) -> list[Do]:
        key, who, jira = story.key, f"acc-{story.assignee}", self.jira
        manager, reviewer = f"acc-{manager_of(story.cell)}", f"acc-{firefighter_of(story.cell)}"
        running = running_of(story.cell)

        async def create(actor: str = manager, sprint: int | None = running, reviewer: str | None = None) -> None:
            fields: IssueFields = {"summary": f"About {key}", "assignee": who, "reviewer": reviewer, "estimate": 2.0}
            await jira.create_issue(key, actor, sprint=sprint, **fields)

        async def describe() -> None:
            await jira.edit(key, who, description=f"In other words: {self._chance.random()}")

        async def ask() -> None:
            story.remark = (await jira.comment(key, who, "[~crafty] help")).id

        move = [lambda: jira.transition(key, who, "In Progress"), lambda: jira.transition(key, who, "Need Review")]
        late: list[Do] = [lambda: create(who, None), lambda: jira.move(key, running, who)]
        steps: dict[Kind, list[Do]] = {
            "plain": [lambda: create(reviewer=reviewer), describe, describe, describe],
            "review": [create, *move],
            "reviewed": [create, *move, lambda: jira.edit(key, who, reviewer=reviewer)],
            "late": late,
            "accepted": [*late, lambda: jira.comment(key, manager, "[~crafty] accept")],
            "asks": [lambda: create(reviewer=reviewer), ask],
        }
        return steps[story.kind]


def _is_move(items: list[Json]) -> bool:
    return any(item["field"] == "Sprint" for item in items)
