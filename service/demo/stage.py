"""The whole service in one process, between stand-ins, under a clock that jumps from one due moment to the next."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
from pydantic import SecretStr
from redis.asyncio import Redis

from service import store
from service.app import create_app
from service.config import Config, load_config
from service.demo._faults import Exposed, Weather
from service.demo._jira_site import Flavour
from service.demo._sender import Delivery, Habits, WebhookSender, WebhookTarget
from service.demo.discourse import DiscourseStandIn
from service.demo.github import GitHubStandIn
from service.demo.jira import JiraStandIn
from service.demo.mattermost import MattermostStandIn
from service.demo.server import serve
from service.embedded import embedded_redis
from service.engine import rulebook
from service.facts import Person
from service.ledger import PREFIX, Entry, Ledger
from service.queue import ARQ_QUEUE, Queue
from service.registration import wish_for
from service.roster import team_from
from service.settings import Settings
from service.worker import Worker, worker_from

SECRET: Final = "the demo's webhook secret"  # noqa: S105 - known to everybody, and good for nothing
TOKEN: Final = "the-demo-token"  # noqa: S105 - the same
RELIABLE: Final = Habits()
CALM: Final[Mapping[str, Weather]] = {}
_POLL_SECONDS: Final = 0.005
_START_SECONDS: Final = 30


class StoryClock:
    """A clock that the story sets."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class Scenery:
    """What is there before Crafty is: the stand-ins, and the people of the configuration."""

    clock: StoryClock
    jira: JiraStandIn
    forum: DiscourseStandIn
    chat: MattermostStandIn
    github: GitHubStandIn
    people: tuple[Person, ...]

    @property
    def senders(self) -> tuple[WebhookSender, ...]:
        """Who sends webhooks."""
        return self.jira.sender, self.forum.sender, self.github.sender


Prepare = Callable[[Scenery], Awaitable[None]]


async def _nothing(_: Scenery) -> None:
    return


async def _no_time(_: float) -> None:
    """Only the story's clock lets time pass."""
    await asyncio.sleep(0)


@dataclass(frozen=True)
class Stage(Scenery):
    """Everything that plays. url: where Crafty's API answers; redis: the store itself."""

    url: str
    ledger: Ledger
    queue: Queue
    worker: Worker
    redis: Redis

    async def moments(self, at: datetime) -> AsyncIterator[datetime]:
        """Lets time pass up to `at`; whatever falls due on the way happens at its own moment, which is yielded then."""
        await self.settled()
        while True:
            _, following = await self._outlook()
            moment = at if following is None or following > at else max(following, self.clock.now)
            await self.jump(moment)
            yield moment
            if moment == at:
                return

    async def jump(self, at: datetime) -> None:
        """Sets the clock to `at`; whatever fell due on the way happens then."""
        self.clock.now = at
        await self.queue.want()
        await self.settled()

    async def settled(self) -> None:
        """Returns when every webhook is answered and nothing is due or under way."""
        while not await self._is_settled():  # noqa: ASYNC110 - the store and the stand-ins tell nobody when they are
            await asyncio.sleep(_POLL_SECONDS)

    async def news(self, since: str) -> tuple[str, list[Entry]]:
        """The timeline's entries after the one that `since` names, oldest first, and the name of the last of them."""
        redis: Any = self.redis
        rows = await redis.xrange(f"{PREFIX}timeline", min=f"({since}")
        told = await Ledger(redis).told_in(rows, subject=None)
        return (told[-1][0] if told else since), [entry for _, entry in told]

    async def dead_letters(self) -> list[str]:
        """The keys of the work that was given up."""
        redis: Any = self.redis
        return [key.decode() for key in await redis.zrange(f"{PREFIX}failed", 0, -1)]

    async def _is_settled(self) -> bool:
        """Whether no work is left, and every webhook was answered before that was asked: each may bring new work."""
        await asyncio.gather(*(sender.drain() for sender in self.senders))
        answered = sum(delivery.status is not None for delivery in self._deliveries())
        is_busy, _ = await self._outlook()
        is_idle = self.worker.is_resting and not self.worker.job_counter
        return not is_busy and is_idle and answered == len(self._deliveries())

    def _deliveries(self) -> list[Delivery]:
        return [delivery for sender in self.senders for delivery in sender.deliveries]

    async def _outlook(self) -> tuple[bool, datetime | None]:
        """What the queue's outlook tells, read in one step: otherwise work may be handed out between two reads."""
        redis: Any = self.redis
        async with redis.pipeline(transaction=True) as pipe:
            pipe.zcard(ARQ_QUEUE).zrange(f"{PREFIX}due", 0, 0, withscores=True)
            under_way, first = await pipe.execute()
        following = datetime.fromtimestamp(first[0][1] / 1000, UTC) if first else None
        return bool(under_way) or (following is not None and following <= self.clock.now), following


@dataclass(frozen=True)
class Surroundings:
    """The stand-ins and a store, which stay whether Crafty runs or not."""

    scenery: Scenery
    config: Config
    flavour: Flavour
    redis_url: str

    @asynccontextmanager
    async def crafty(self, weather: Mapping[str, Weather] = CALM) -> AsyncIterator[Stage]:
        """Crafty, as long as it runs; nobody hears a webhook afterwards. weather: as `stage` takes it."""
        async with AsyncExitStack() as stack:
            yield await _set_up(stack, self.redis_url, self.config, self.scenery, self.flavour, weather)
        for sender in self.scenery.senders:
            sender.target = None


@asynccontextmanager
async def surroundings(
    start: datetime,
    config: Path,
    flavour: Flavour = "cloud",
    habits: Habits = RELIABLE,
    prepare: Prepare = _nothing,
) -> AsyncIterator[Surroundings]:
    """What `stage` sets up but for Crafty, which may come and go."""
    with tempfile.TemporaryDirectory(prefix="crafty-demo-") as folder:
        async with embedded_redis(Path(folder)) as redis_url, httpx.AsyncClient() as client:
            domain = load_config(config)
            scenery = _build(domain, StoryClock(start), client, flavour, habits)
            await prepare(scenery)
            yield Surroundings(scenery, domain, flavour, redis_url)


@asynccontextmanager
async def stage(
    start: datetime,
    config: Path,
    flavour: Flavour = "cloud",
    habits: Habits = RELIABLE,
    prepare: Prepare = _nothing,
    weather: Mapping[str, Weather] = CALM,
) -> AsyncIterator[Stage]:
    """Sets everything up at the moment `start`, on an empty store, and takes it down again.

    config: the crafty.toml to play by; habits: how reliably webhooks are delivered; prepare: does what happened before
    Crafty came, of which no webhook tells; weather: of each vendor that fails at times, which begins once Crafty knows
    the site.
    """
    async with surroundings(start, config, flavour, habits, prepare) as at, at.crafty(weather) as on:
        yield on


def _build(config: Config, clock: StoryClock, client: httpx.AsyncClient, flavour: Flavour, habits: Habits) -> Scenery:
    senders = [WebhookSender(client, habits=habits) for _ in range(3)]
    projects = [key for cell in config.cells for key in (*cell.projects, *cell.contribution_projects)]
    repositories = [name for cell in config.cells for name in cell.repositories]
    chat = MattermostStandIn(clock, token=TOKEN)
    for channel in {cell.channel for cell in config.cells if cell.channel}:
        chat.add_channel(channel)
    return Scenery(
        clock=clock,
        jira=JiraStandIn(flavour, clock, senders[0], token=TOKEN, projects=projects),
        forum=DiscourseStandIn(clock, senders[1], api_key=TOKEN),
        chat=chat,
        github=GitHubStandIn(clock, senders[2], token=TOKEN, repositories=repositories),
        people=team_from(config).members,
    )


async def _set_up(
    stack: AsyncExitStack,
    redis_url: str,
    config: Config,
    scenery: Scenery,
    flavour: Flavour,
    weather: Mapping[str, Weather],
) -> Stage:
    jira, forum, clock = scenery.jira, scenery.forum, scenery.clock
    apps = {"jira": jira.app, "forum": forum.app, "chat": scenery.chat.app, "github": scenery.github.app}
    exposed = [Exposed(app, weather[vendor]) if vendor in weather else app for vendor, app in apps.items()]
    urls = [await stack.enter_async_context(serve(app)) for app in exposed]
    jira.base_url, forum.base_url = urls[:2]
    settings = _settings(config, jira.bot.email, flavour, *urls)
    team, book = team_from(config), rulebook(config)
    url = await stack.enter_async_context(serve(create_app(settings, redis_url, team, book, clock)))
    for sender, source in zip(scenery.senders, ("jira", "discourse", "github"), strict=True):
        sender.target = WebhookTarget(f"{url}/webhooks/{source}", SECRET)
    wish = wish_for(settings, url, signs=True)
    jira.webhooks[1] = wish.as_older() if flavour == "cloud" else wish.as_newer()
    worker = worker_from(settings, redis_url, team, book, clock, _no_time)
    await stack.enter_async_context(_running(worker))
    redis = Redis(connection_pool=store.connect(redis_url))
    stack.push_async_callback(redis.aclose, close_connection_pool=True)
    ledger = Ledger(redis)
    await _site_is_known(ledger)
    for one in weather.values():
        one.has_begun = True
    return Stage(**vars(scenery), url=url, ledger=ledger, queue=Queue(redis, clock), worker=worker, redis=redis)


async def _site_is_known(ledger: Ledger) -> None:
    """Until then Crafty knows neither Jira's fields nor its own accounts."""
    async with asyncio.timeout(_START_SECONDS):
        while (await ledger.site())[0] is None:  # noqa: ASYNC110 - the worker writes it
            await asyncio.sleep(_POLL_SECONDS)


def _settings(
    config: Config, email: str, flavour: Flavour, jira_url: str, forum_url: str, chat_url: str, github_url: str
) -> Settings:
    return Settings(
        config=config,
        admin_tokens=SecretStr(f"demo:{TOKEN}"),
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
