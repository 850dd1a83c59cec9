"""Plays a plan on the stage."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Final, Literal

from service.config import load_config
from service.demo._jira_site import Flavour
from service.demo._sender import Habits
from service.demo.simulation.diary import END, START, Deed
from service.demo.simulation.outcome import Observer, Outcome, conclude
from service.demo.simulation.plan import Plan
from service.demo.stage import Prepare, Scenery, Stage, stage
from service.facts import Team
from service.roster import team_from
from service.rules import all_rules

CONFIG: Final = Path(__file__).parent.parent / "simulation.toml"
Webhooks = Literal["on", "off", "twice"]


def cast() -> Team:
    """The people of the simulation."""
    return team_from(load_config(CONFIG))


async def play(
    plan: Plan,
    team: Team,
    seed: int,
    flavour: Flavour = "cloud",
    webhooks: Webhooks = "on",
    since: datetime = START,
    until: datetime = END,
) -> Outcome:
    """What comes of the plan.

    webhooks: `twice` sends each one two times, in an order that chance draws by `seed`; since: when Crafty comes, which
    gets no webhook of what was done before; until: when the play ends.
    """
    outcome = Outcome(team.members, team.cells[0].calendar, plan.offers, since, until)
    deadline = outcome.calendar.sprint_at(START).green_deadline
    deeds = [deed for deed in plan.deeds if since < deed.at < until]
    before = [deed for deed in plan.deeds if deed.at <= since]
    async with stage(since, CONFIG, flavour, _habits(webhooks, seed), _prepare(before)) as on:
        observer = Observer(on, outcome)
        await _play(on, [deed for deed in deeds if deed.at < deadline], deadline, observer)
        observer.look_at_the_deadline()
        await _play(on, [deed for deed in deeds if deed.at >= deadline], until, observer)
        await conclude(on, outcome, [rule.name for rule in all_rules()])
    return outcome


async def _play(on: Stage, deeds: Iterable[Deed], until: datetime, observer: Observer) -> None:
    for deed in deeds:
        await _pass_time(on, deed.at, observer)
        await deed.do(on)
        await _settle(on, observer)
    await _pass_time(on, until, observer)


def _habits(webhooks: Webhooks, seed: int) -> Habits:
    if webhooks == "twice":
        return Habits(copies=2, shuffle=Random(seed))  # noqa: S311 - plays, keeps no secret
    return Habits(is_silent=webhooks == "off")


async def _pass_time(on: Stage, at: datetime, observer: Observer) -> None:
    async for _ in on.moments(at):
        await _settle(on, observer)


async def _settle(on: Stage, observer: Observer) -> None:
    """Webhooks that are held are let go, those too that follow from them."""
    for sender in on.senders:
        await sender.release()
    await on.settled()
    observer.look()


def _prepare(deeds: Iterable[Deed]) -> Prepare:
    async def prepare(before: Scenery) -> None:
        now = before.clock.now
        _open_accounts(before)
        for deed in deeds:
            before.clock.now = deed.at
            await deed.do(before)
        before.clock.now = now

    return prepare


def _open_accounts(before: Scenery) -> None:
    for person in before.people:
        before.jira.add_person(str(person.jira), person.name)
        before.chat.add_person(str(person.mattermost), person.name)
        before.forum.add_person(str(person.discourse), person.name)
    before.forum.add_person("carla", "Carla")
