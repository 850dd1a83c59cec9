"""The whole service in one process, between stand-ins, under a clock that jumps from one due moment to the next."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import httpx
from pydantic import SecretStr
from redis.asyncio import Redis

from service import store
from service.app import create_app
from service.config import Config, load_config
from service.demo._jira_site import Flavour
from service.demo._sender import Habits, WebhookSender, WebhookTarget
from service.demo.discourse import DiscourseStandIn
from service.demo.github import GitHubStandIn
from service.demo.jira import JiraStandIn
from service.demo.mattermost import MattermostStandIn
from service.demo.server import serve
from service.embedded import embedded_redis
from service.engine import rulebook
from service.facts import Person
from service.ledger import Ledger
from service.queue import Queue
from service.roster import team_from
from service.settings import Settings
from service.worker import Worker, worker_from

SECRET: Final = "the demo's webhook secret"  # noqa: S105 - known to everybody, and good for nothing
TOKEN: Final = "the-demo-token"  # noqa: S105 - the same
RELIABLE: Final = Habits()
_POLL_SECONDS: Final = 0.005


class StoryClock:
    """A clock that the story sets."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class Stage:
    """Everything that plays. url: where Crafty's API answers."""

    clock: StoryClock
    jira: JiraStandIn
    forum: DiscourseStandIn
    chat: MattermostStandIn
    github: GitHubStandIn
    url: str
    ledger: Ledger
    queue: Queue
    worker: Worker
    people: tuple[Person, ...]

    async def moments(self, at: datetime) -> AsyncIterator[datetime]:
        """Lets time pass up to `at`; whatever falls due on the way happens at its own moment, which is yielded then."""
        await self.settled()
        while True:
            _, following = await self.queue.outlook()
            moment = at if following is None or following > at else max(following, self.clock.now)
            await self._jump(moment)
            yield moment
            if moment == at:
                return

    async def settled(self) -> None:
        """Returns when every webhook is answered and nothing is due or under way."""
        while True:
            await asyncio.gather(*(sender.drain() for sender in self.senders))
            is_busy, _ = await self.queue.outlook()
            if not is_busy and not self.worker.job_counter and self._is_quiet():
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _jump(self, at: datetime) -> None:
        self.clock.now = at
        await self.queue.want()
        await self.settled()

    def _is_quiet(self) -> bool:
        return not any(delivery.status is None for sender in self.senders for delivery in sender.deliveries)

    @property
    def senders(self) -> tuple[WebhookSender, ...]:
        """Who sends webhooks."""
        return self.jira.sender, self.forum.sender, self.github.sender


@asynccontextmanager
async def stage(
    start: datetime, config: Path, flavour: Flavour = "cloud", habits: Habits = RELIABLE
) -> AsyncIterator[Stage]:
    """Sets everything up at the moment `start`, on an empty store, and takes it down again.

    config: the crafty.toml to play by; habits: how reliably webhooks are delivered.
    """
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="crafty-demo-"))
        redis_url = await stack.enter_async_context(embedded_redis(Path(folder)))
        yield await _set_up(stack, redis_url, StoryClock(start), load_config(config), flavour, habits)


async def _set_up(
    stack: AsyncExitStack, redis_url: str, clock: StoryClock, config: Config, flavour: Flavour, habits: Habits
) -> Stage:
    client = await stack.enter_async_context(httpx.AsyncClient())
    jira = JiraStandIn(flavour, clock, WebhookSender(client, habits=habits), token=TOKEN)
    forum = DiscourseStandIn(clock, WebhookSender(client, habits=habits), api_key=TOKEN)
    chat = MattermostStandIn(clock, token=TOKEN)
    repositories = [name for cell in config.cells for name in cell.repositories]
    github = GitHubStandIn(clock, WebhookSender(client, habits=habits), token=TOKEN, repositories=repositories)
    urls = [await stack.enter_async_context(serve(stand_in.app)) for stand_in in (jira, forum, chat, github)]
    jira.base_url, forum.base_url = urls[:2]
    settings = _settings(config, jira.bot.email, flavour, *urls)
    team, book = team_from(config), rulebook(config)
    url = await stack.enter_async_context(serve(create_app(settings, redis_url, team, book, clock)))
    jira.sender.target = WebhookTarget(f"{url}/webhooks/jira", SECRET)
    forum.sender.target = WebhookTarget(f"{url}/webhooks/discourse", SECRET)
    github.sender.target = WebhookTarget(f"{url}/webhooks/github", SECRET)
    worker = worker_from(settings, redis_url, team, book, clock)
    await stack.enter_async_context(_running(worker))
    redis = Redis(connection_pool=store.connect(redis_url))
    stack.push_async_callback(redis.aclose, close_connection_pool=True)
    return Stage(clock, jira, forum, chat, github, url, Ledger(redis), Queue(redis, clock), worker, team.members)


def _settings(
    config: Config, email: str, flavour: Flavour, jira_url: str, forum_url: str, chat_url: str, github_url: str
) -> Settings:
    return Settings(
        config=config,
        jira_url=jira_url,
        jira_kind=flavour,
        jira_email=email,
        jira_token=SecretStr(TOKEN),
        jira_webhook_secret=SecretStr(SECRET),
        discourse_url=forum_url,
        discourse_api_key=SecretStr(TOKEN),
        discourse_api_username="crafty",
        discourse_webhook_secret=SecretStr(SECRET),
        mattermost_url=chat_url,
        mattermost_token=SecretStr(TOKEN),
        github_url=github_url,
        github_token=SecretStr(TOKEN),
        github_webhook_secret=SecretStr(SECRET),
    )


@asynccontextmanager
async def _running(worker: Worker) -> AsyncIterator[None]:
    running = asyncio.create_task(worker.main())
    try:
        yield
    finally:
        worker.stop()
        await running
