"""`make bench ARGS=--calls`: how many calls a typical day costs the systems around Crafty, for each thousand webhooks.

docs/limits.md describes that day. It is played on the demo's stage: the real service, between stand-ins that count.
"""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from starlette.types import ASGIApp, Receive, Scope, Send

from service.demo.stage import Scenery, Stage, stage

WEBHOOKS = 1000
SEED = 5

ZONE = ZoneInfo("Europe/Paris")
PLANNED = datetime(2026, 10, 28, 10, tzinfo=ZONE)
MORNING = datetime(2026, 11, 5, 7, tzinfo=ZONE)
"""Thursday of a sprint's first week: no deadline, no weekend, no end of a sprint."""

CELLS = ("AA", "BB", "CC", "DD")
PEOPLE_A_CELL = 10
TICKETS_A_CELL = 40
WATCHED, OTHER = 7, 8
REPOSITORIES = tuple(f"openlearn/{cell.lower()}" for cell in CELLS)
_ONE_OF_MANY = re.compile(r"/(?:[A-Z]+-[0-9]+|[0-9]+)(?=/|\.|$)")


@dataclass
class Tally:
    """What was asked of each system, by method and path."""

    calls: Counter[str] = field(default_factory=Counter)

    def watch(self, name: str, app: Any) -> None:
        """Counts what an application is asked from now on."""
        app.add_middleware(_Counted, tally=self, name=name)


class _Counted:
    def __init__(self, app: ASGIApp, tally: Tally, name: str) -> None:
        self._app, self._tally, self._name = app, tally, name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = _ONE_OF_MANY.sub("/*", scope["path"])
            self._tally.calls[f"{self._name} {scope['method']} {path}"] += 1
        await self._app(scope, receive, send)


async def measure(folder: Path) -> dict[str, float]:
    """Calls of a day on which nobody does anything; those that a thousand webhooks add to it, in all and by path."""
    quiet, _ = await _played(folder, webhooks=0)
    busy, sent = await _played(folder, webhooks=WEBHOOKS)
    share = 1000 / sent
    added = {name: (times - quiet[name]) * share for name, times in sorted(busy.items()) if times > quiet[name]}
    return {
        "webhooks": sent,
        "calls of a day without webhooks": quiet.total(),
        **{f"added: {name}": times for name, times in added.items()},
        "calls per 1,000 webhooks": sum(added.values()),
    }


async def _played(folder: Path, webhooks: int) -> tuple[Counter[str], int]:
    """What was asked of others on that day, and how many webhooks they sent."""
    config, tally = folder / "crafty.toml", Tally()
    config.write_text("\n".join(_config()))

    async def prepare(before: Scenery) -> None:
        for name in ("jira", "forum", "chat", "github"):
            tally.watch(name, getattr(before, name).app)
        await _plan(before)

    async with stage(MORNING, config, prepare=prepare) as on_stage:
        day = _Day(on_stage, Random(SEED))
        await day.begin()
        tally.calls.clear()
        await day.play(webhooks)
        return tally.calls, sum(len(sender.deliveries) for sender in on_stage.senders)


def _config() -> Iterator[str]:
    yield '[calendar]\ntimezone = "Europe/Paris"\nanchor = 2026-11-02T09:00:00'
    for number, cell in enumerate(CELLS):
        yield f'[[cells]]\nname = "{cell}"\nprojects = ["{cell}"]\nboard = {number + 1}\nchannel = "{cell.lower()}"'
        yield f'repositories = ["{REPOSITORIES[number]}"]'
        yield 'forum_categories = [7]\ncontribution_projects = ["CONTRIB"]' if number == 0 else ""
        yield f'[cells.roles]\nsprint_planning_manager = "{cell}0"\ncommunity_liaison = "{cell}1"'
        yield f'[[cells.rotations]]\nrole = "firefighter"\npeople = ["{cell}2", "{cell}3"]'
    for cell in CELLS:
        for one in _people_of(cell):
            yield f'[[people]]\nid = "{one}"\nname = "{one}"\ncell = "{cell}"\njira = "{one}"\ndiscourse = "{one}"'
            yield f'mattermost = "{one.lower()}"\ngithub = "{one}"\ntimezone = "Europe/Paris"'


def _people_of(cell: str) -> list[str]:
    return [f"{cell}{number}" for number in range(PEOPLE_A_CELL)]


async def _plan(before: Scenery) -> None:
    """A sprint that runs as it should, and the next one half planned."""
    before.clock.now = PLANNED
    for person in before.people:
        before.jira.add_person(str(person.jira), person.name)
        before.chat.add_person(str(person.mattermost), person.name)
        before.forum.add_person(str(person.discourse), person.name)
    for stranger in ("carla", "dan"):
        before.jira.add_person(stranger, stranger)
        before.forum.add_person(stranger, stranger)
    for number, cell in enumerate(CELLS):
        await _plan_cell(before, cell, number + 1)
    before.clock.now = datetime(2026, 11, 2, 9, tzinfo=ZONE)
    for board in range(1, len(CELLS) + 1):
        await before.jira.start_sprint(10 * board + 1)
    before.clock.now = MORNING


async def _plan_cell(before: Scenery, cell: str, board: int) -> None:
    jira, people = before.jira, _people_of(cell)
    for sprint, name in ((1, "Sprint 41"), (2, "Sprint 42")):
        await jira.create_sprint(10 * board + sprint, f"{cell} {name}", board=board)
    await jira.create_issue(f"{cell}-1", people[0], summary="An epic", kind="Epic", assignee=people[0])
    states = ("Backlog", "Backlog", "In Progress", "In Progress", "Need Review", "Merged", "Deployed & Delivered")
    for number in range(2, TICKETS_A_CELL + 2):
        await jira.create_issue(
            f"{cell}-{number}",
            people[0],
            summary=f"Work {number}",
            sprint=10 * board + (1 if number % 4 else 2),
            assignee=people[number % 10],
            reviewer=people[(number + 1) % 10],
            epic=f"{cell}-1",
            estimate=3.0,
            status=states[number % len(states)] if number % 4 else "Backlog",
        )


@dataclass
class _Day:
    """What people do from eight to eight, until enough webhooks were sent, and a quiet night."""

    stage: Stage
    random: Random
    pull_requests: list[tuple[str, int]] = field(default_factory=list)

    async def begin(self) -> None:
        """What Crafty reads when it is new to all of it is no part of a typical day."""
        await self._wait_until(MORNING + timedelta(minutes=30))

    async def play(self, webhooks: int) -> None:
        acts, at = self._acts(), MORNING + timedelta(hours=1)
        while self._sent() < webhooks:
            await self._wait_until(at)
            (act,) = self.random.choices(list(acts), list(acts.values()))
            await act()
            await self.stage.settled()
            at += timedelta(seconds=self.random.expovariate(1 / 55))
        await self._wait_until(MORNING + timedelta(days=1))

    def _acts(self) -> dict[Callable[[], Awaitable[Any]], int]:
        """What people do, and how often of a thousand times."""
        return {
            self._edit: 300,
            self._comment: 180,
            self._move_on: 100,
            self._hand_over: 40,
            self._open_ticket: 30,
            self._plan_ticket: 10,
            self._post: 160,
            self._open_topic: 4,
            self._answer_stranger: 6,
            self._review: 120,
            self._open_pull_request: 30,
            self._merge: 20,
        }

    async def _edit(self) -> None:
        """Words, labels, estimates of time."""
        key, person = self._ticket()
        change: dict[str, Any] = self.random.choice(
            [
                {"description": f"Edited {self.random.random()}"},
                {"labels": [f"topic-{self.random.randrange(9)}"]},
                {"remaining_estimate": float(self.random.randrange(1, 20))},
            ]
        )
        await self.stage.jira.edit(key, person, **change)

    async def _comment(self) -> None:
        key, person = self._ticket()
        await self.stage.jira.comment(key, person, "I looked into it, and it is as we thought.")

    async def _move_on(self) -> None:
        """To the status that comes next."""
        key, person = self._ticket()
        status = self.stage.jira.issues[key].status
        flow = ("Backlog", "In Progress", "Need Review", "Merged", "Deployed & Delivered")
        following = flow[min(flow.index(status) + 1, len(flow) - 1)]
        await self.stage.jira.transition(key, person, following)

    async def _hand_over(self) -> None:
        key, person = self._ticket()
        other = self.random.choice(_people_of(key[:2]))
        if self.random.random() < 0.5:
            await self.stage.jira.edit(key, person, assignee=other)
        else:
            await self.stage.jira.edit(key, person, reviewer=other)

    async def _open_ticket(self) -> None:
        """In the backlog; one in twenty comes from a stranger, who is owed an answer."""
        cell = self.random.choice(CELLS)
        if self.random.random() < 1 / 20:
            await self.stage.jira.create_issue(self.stage.jira.next_key("CONTRIB"), "dan", summary="It is broken")
            return
        person = self.random.choice(_people_of(cell))
        await self.stage.jira.create_issue(self.stage.jira.next_key(cell), person, summary="Something new")

    async def _plan_ticket(self) -> None:
        """In the next sprint, and not quite ready: it lacks a reviewer."""
        cell = self.random.choice(CELLS)
        person, sprint = self.random.choice(_people_of(cell)), 10 * (CELLS.index(cell) + 1) + 2
        key = self.stage.jira.next_key(cell)
        await self.stage.jira.create_issue(
            key, person, summary="For later", sprint=sprint, assignee=person, estimate=2.0
        )

    async def _post(self) -> None:
        """Among colleagues, in a category that no rule looks after."""
        person = self.random.choice(self.stage.people)
        mine = [topic.id for topic in self.stage.forum.topics.values() if topic.category == OTHER]
        if not mine:
            await self.stage.forum.open_topic(person.id, "What we did", "This and that.", OTHER)
            return
        await self.stage.forum.reply(self.random.choice(mine), person.id, f"I agree with point {self._sent()}.")

    async def _open_topic(self) -> None:
        title = f"How do I do thing {self._sent()}?"
        await self.stage.forum.open_topic("carla", title, "I followed the manual.", WATCHED)

    async def _answer_stranger(self) -> None:
        person = self.random.choice(self.stage.people).id
        theirs = [topic.id for topic in self.stage.forum.topics.values() if topic.category == WATCHED]
        if theirs:
            words = f"Have you tried version {self._sent()}?"
            await self.stage.forum.reply(self.random.choice(theirs), person, words)

    async def _open_pull_request(self) -> None:
        """One in ten by a stranger."""
        cell = self.random.choice(CELLS)
        is_ours = self.random.random() > 1 / 10
        author = self.random.choice(_people_of(cell)) if is_ours else "maria"
        number = await self.stage.github.open_pull_request(
            self._repository(cell), author, "Mend it", association="MEMBER" if is_ours else "NONE"
        )
        self.pull_requests.append((cell, number))

    async def _review(self) -> None:
        """A comment or a review by a colleague."""
        if not self.pull_requests:
            return await self._open_pull_request()
        cell, number = self.random.choice(self.pull_requests[-12:])
        person, repository = self.random.choice(_people_of(cell)), self._repository(cell)
        act = self.random.choice([self.stage.github.comment, self.stage.github.review])
        return await act(repository, number, person, "What about that line?", association="MEMBER")

    async def _merge(self) -> None:
        if not self.pull_requests:
            return
        cell, number = self.pull_requests.pop(self.random.randrange(len(self.pull_requests)))
        await self.stage.github.close(self._repository(cell), number, f"{cell}0", merged=True)

    async def _wait_until(self, at: datetime) -> None:
        async for _ in self.stage.moments(at):
            pass

    def _ticket(self) -> tuple[str, str]:
        """One of the running sprint, and somebody of its cell."""
        cell = self.random.choice(CELLS)
        numbers = [number for number in range(2, TICKETS_A_CELL + 2) if number % 4]
        return f"{cell}-{self.random.choice(numbers)}", self.random.choice(_people_of(cell))

    def _repository(self, cell: str) -> str:
        return REPOSITORIES[CELLS.index(cell)]

    def _sent(self) -> int:
        return sum(len(sender.deliveries) for sender in self.stage.senders)
