"""A worker is killed at each step of each kind of effect; then it is counted how often the effect is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx
from redis.asyncio import Redis

from chaos.cast import FIRE, MANAGER, RUNNING, STRETCH, ahead_of
from chaos.house import clean_environment, is_settled_within, open_store
from chaos.process import Part, Step, work
from chaos.report import Found
from chaos.world import TOKEN, World
from service.actions import (
    Action,
    AddLabel,
    Assign,
    Comment,
    CreateTicket,
    Digest,
    EditComment,
    Link,
    MoveToBacklog,
    MoveToSprint,
    Notify,
    RankTop,
    RemoveLabel,
    Reply,
    SetReviewer,
)
from service.consistency import examine
from service.demo._sender import WebhookSender
from service.demo.discourse import DiscourseStandIn
from service.demo.server import serve
from service.facts import Person
from service.ledger import Ledger
from service.queue import Queue, Wish, perform
from service.texts import Message, item, paragraph, small

RULE: Final = "missing-reviewer"
SOME_STEPS: Final[tuple[Step, ...]] = ("after the write",)
LIFE_SECONDS: Final = 30.0
PATIENCE_SECONDS: Final = 90.0

OCCASION: Final = "chaos"
PROJECT: Final = "CB"
"""Of no configured cell, so that no sweep touches what happens there."""

_TEXT: Final = Message((paragraph("This was wanted once."),))
_PERSON: Final = Person(id=FIRE, name="Fire", jira=f"acc-{FIRE}", mattermost=FIRE, timezone="UTC")
_FORKS: Final = get_context("forkserver")
_FORKS.set_forkserver_preload(["chaos.process"])


@dataclass(frozen=True)
class Scene:
    """Where effects happen."""

    world: World
    forum: DiscourseStandIn

    def edits(self, ticket: str, field: str) -> int:
        """How often Crafty has changed a field of the ticket."""
        history = self.world.jira.issues[ticket].history
        return sum(_is_of(field, one.items) for one in history if one.author == self.world.jira.bot.id)

    def comments(self, ticket: str) -> int:
        """How many of Crafty's comments on the ticket say what was wanted."""
        said = (one.text for one in self.world.jira.comments(ticket) if one.author == self.world.jira.bot.id)
        return sum("wanted once" in text for text in said)

    def links(self, ticket: str) -> int:
        return len(self.world.jira.remote_links(ticket))

    def tickets(self, summary: str) -> int:
        return sum(issue.summary == summary for issue in self.world.jira.issues.values())

    def messages(self, key: str) -> int:
        """How many chat messages have a key that begins like that."""
        return sum(str(one.props.get("crafty")).startswith(key) for one in self.world.chat.messages)

    def replies(self, topic: int) -> int:
        return sum(post.author == self.forum.bot.username for post in self.forum.posts(topic))


@dataclass(frozen=True)
class Case:
    """An effect on a ticket of its own, and the step at which a worker dies over it. count: how often it is there."""

    step: Step
    wish: Wish
    kind: str
    count: Callable[[], int]

    @property
    def name(self) -> str:
        return f"{self.kind}, killed {self.step}"


@dataclass(frozen=True)
class Company:
    """Workers, each in a process that is forked for it."""

    folder: Path
    environ: Mapping[str, str]
    ahead: float
    lease: float

    async def dies_over(self, case: Case) -> bool:
        """Whether a worker that does the effect was killed at its step."""
        part = Part(ahead=self.ahead, lease=self.lease, step=case.step, key=case.wish.key)
        async with self._hired(part) as worker:
            await asyncio.to_thread(worker.join, LIFE_SECONDS)
            return worker.exitcode is not None

    @asynccontextmanager
    async def healthy(self) -> AsyncIterator[None]:
        """One that nobody kills."""
        async with self._hired(Part(ahead=self.ahead, lease=self.lease)):
            yield

    @asynccontextmanager
    async def _hired(self, part: Part) -> AsyncIterator[ForkServerProcess]:
        worker = _FORKS.Process(target=work, args=(part, self.folder, dict(self.environ)))
        worker.start()
        try:
            yield worker
        finally:
            worker.terminate()
            await asyncio.to_thread(worker.join)


@dataclass(frozen=True)
class Stage:
    """All that plays: the scene, the workers, and the Redis that they share."""

    scene: Scene
    company: Company
    redis: Redis


async def die_at_each_step(steps: tuple[Step, ...], lease: float, folder: Path) -> Found:
    """Plays in an empty folder. lease: seconds after which another worker takes up what a dead one had."""
    async with AsyncExitStack() as stack:
        stage = await _set_up(stack, folder, lease)
        clock, company = stage.scene.world.clock, stage.company
        cases = [case for number, step in enumerate(steps) for case in await _cases(stage.scene, step, number)]
        unreached = [case.name for case in cases if not await _killed_over(case, company, Queue(stage.redis, clock))]
        async with company.healthy():
            is_settled = await is_settled_within(PATIENCE_SECONDS, stage.redis, clock)
        inconsistent = await examine(stage.redis, clock)
    counts = {case.name: case.count() for case in cases}
    broken = {
        "not settled in time": [] if is_settled else [f"{PATIENCE_SECONDS:.0f} seconds were not enough"],
        "no worker came that far": unreached,
        "missing": [name for name, count in counts.items() if count < 1],
        "doubled": [f"{name}: {count} times" for name, count in counts.items() if count > 1],
        "inconsistent": [f"{one.kind} {one.about}: {one.what}" for one in inconsistent],
    }
    facts = {"kinds of effects": len(cases) // len(steps), "steps": len(steps), "kills": len(cases) - len(unreached)}
    return Found(facts, broken)


async def _set_up(stack: AsyncExitStack, folder: Path, lease: float) -> Stage:
    ahead = ahead_of(datetime.now(UTC))
    client = await stack.enter_async_context(httpx.AsyncClient())
    scene = await _scene(World(ahead, client, Random(), 0, 0.0), WebhookSender(client))
    store = await stack.enter_async_context(open_store(folder, "always"))
    environ = {**clean_environment(), **await _settings(stack, scene, folder), "CRAFTY_REDIS_URL": store.url}
    redis = Redis.from_url(store.url)
    stack.push_async_callback(redis.aclose)
    company = Company(folder, environ, ahead, lease)
    async with company.healthy():
        await _site_is_known(Ledger(redis))
    return Stage(scene, company, redis)


async def _site_is_known(ledger: Ledger) -> None:
    """Until then Crafty knows no field of Jira, as on its very first day."""
    async with asyncio.timeout(LIFE_SECONDS):
        while (await ledger.site())[0] is None:  # noqa: ASYNC110 - the worker writes it
            await asyncio.sleep(0.05)


async def _killed_over(case: Case, company: Company, queue: Queue) -> bool:
    await queue.want(case.wish)
    return await company.dies_over(case)


async def _scene(world: World, sender: WebhookSender) -> Scene:
    await world.prepare()
    world.chat.add_channel("chaos")
    forum = DiscourseStandIn(world.clock, sender, api_key=TOKEN, bot_is_staff=True)
    forum.add_person("carla", "Carla")
    return Scene(world, forum)


async def _settings(stack: AsyncExitStack, scene: Scene, folder: Path) -> dict[str, str]:
    forum_url = await stack.enter_async_context(serve(scene.forum.app))
    scene.forum.base_url = forum_url
    forum = {"URL": forum_url, "API_KEY": TOKEN, "API_USERNAME": scene.forum.bot.username}
    return {
        **await scene.world.serve(stack, folder, cells=1),
        **{f"CRAFTY_DISCOURSE_{name}": value for name, value in forum.items()},
    }


async def _cases(scene: Scene, step: Step, number: int) -> list[Case]:
    """One for each kind of effect, each on a ticket and in a topic of its own. number: of the step."""
    cases, now = [], scene.world.clock()
    for place, kind in enumerate(_effects("", 0, 0, now)):
        ticket = f"{PROJECT}-{1000 + 100 * number + place}"
        await scene.world.jira.create_issue(ticket, f"acc-{MANAGER}", sprint=RUNNING + number, labels=["old"])
        topic = (await scene.forum.open_topic("carla", f"About {ticket}", "How does it work?", 7)).id
        action, count = _effects(ticket, topic, RUNNING + number, now)[kind]
        if isinstance(action, EditComment):
            before = await scene.world.jira.comment(ticket, scene.world.jira.bot.id, "What stood there before.")
            before.properties["crafty"] = {"key": action.key(RULE, ticket)}
        wish = perform(action, RULE, ticket, now)
        cases.append(Case(step, wish, kind, partial(count, scene)))
    return cases


def _effects(ticket: str, topic: int, sprint: int, now: datetime) -> dict[str, tuple[Action, Callable[[Scene], int]]]:
    """An action of each kind that is done elsewhere, and how often it was done. sprint: that the ticket is in."""
    on: dict[str, Any] = {"ticket": ticket, "occasion": OCCASION}
    to: dict[str, Any] = {"occasion": OCCASION, "message": _TEXT}
    line, footer = item("It was wanted."), small("Once.")
    due = (now + timedelta(days=3)).date()
    return {
        "comment": (Comment(**on, state="said", message=_TEXT), lambda at: at.comments(ticket)),
        "edited comment": (EditComment(**on, state="said", message=_TEXT), lambda at: at.comments(ticket)),
        "assignee": (Assign(**on, person=_PERSON), lambda at: at.edits(ticket, "assignee")),
        "reviewer": (SetReviewer(**on, person=_PERSON, sprint=sprint), lambda at: at.edits(ticket, "Reviewer 1")),
        "move to a sprint": (MoveToSprint(**on, sprint=STRETCH, name="-"), lambda at: at.edits(ticket, "Sprint")),
        "move to the backlog": (MoveToBacklog(**on), lambda at: at.edits(ticket, "Sprint")),
        "rank": (RankTop(**on, sprint=sprint), lambda at: at.edits(ticket, "Rank")),
        "label": (AddLabel(**on, label="new"), lambda at: at.edits(ticket, "labels")),
        "label taken off": (RemoveLabel(**on, label="old"), lambda at: at.edits(ticket, "labels")),
        "link": (Link(**on, url="https://x.example", title="-", global_id="x"), lambda at: at.links(ticket)),
        "new ticket": (
            CreateTicket(project=PROJECT, issue_type="Task", summary=ticket, due=due, **to),
            lambda at: at.tickets(ticket),
        ),
        "message": (Notify(person=_PERSON, **to), lambda at: at.messages(f"{RULE}:{ticket}:")),
        "post in a channel": (Notify(channel="chaos", **to), lambda at: at.messages(f"{RULE}:{ticket}:")),
        "list": (
            Digest(person=_PERSON, occasion=ticket, intro=paragraph("-"), line=line, footer=footer, at=now),
            lambda at: at.messages(f"{RULE}:*:{ticket}:"),
        ),
        "reply": (Reply(topic=topic, post=1, **to), lambda at: at.replies(topic)),
    }


def _is_of(field: str, items: list[dict[str, str]]) -> bool:
    return any(one["field"] == field for one in items)
