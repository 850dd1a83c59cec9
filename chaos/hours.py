"""Other systems are away for hours, and Crafty for a weekend, by a clock that jumps from one due moment to the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx

from chaos.report import Found
from chaos.stored import Stored, read_all
from service.demo._faults import CUT_AFTER, CUT_BEFORE, Fault, Weather, says
from service.demo._sender import Delivery
from service.demo.jira import JiraStandIn
from service.demo.simulation.outcome import key_of
from service.demo.stage import Scenery, Stage, stage, surroundings

MORNING: Final = datetime(2026, 11, 3, 9, tzinfo=UTC)
FRIDAY: Final = datetime(2026, 11, 6, 10, tzinfo=UTC)
EVENING: Final = FRIDAY + timedelta(hours=10)
MONDAY: Final = datetime(2026, 11, 9, 7, tzinfo=UTC)

PINGS_A_DAY: Final = 5
EDITS: Final = 50
LOOKS_FIRST: Final = "it waited too long, so Crafty looks again first"
FIREFIGHTERS: Final = ("fay", "finn")

_CELL: Final = """
[calendar]
timezone = "Europe/Paris"
anchor = 2026-11-02T09:00:00
[[cells]]
name = "Serenity"
projects = ["SE"]
board = 12
forum_categories = [7]
repositories = ["acme/poll"]
[cells.roles]
sprint_planning_manager = "sam"
[[cells.rotations]]
role = "firefighter"
people = ["fay", "finn"]
"""
_AT_ALL_HOURS: Final = '[messages]\npings_a_day = 100\nquiet_from = "00:00"\nquiet_until = "00:00"\n'
_AT_ONCE: Final = "".join(
    f'[rules.{rule}]\nsettle = "0s"\n' for rule in ("missing-reviewer", "green-ticket", "community-ack")
)
_BACK_IN_ORDER: Final = timedelta(minutes=40)


@dataclass
class Away(Weather):
    """The weather of a system that fails at every call while it is away, in one of these ways."""

    ways: tuple[Fault, ...] = (says(502), says(502, is_done=True), CUT_BEFORE, CUT_AFTER)
    is_away: bool = False

    def fault(self) -> Fault | None:
        return self.chance.choice(self.ways) if self.is_away else None


async def systems_away(hours: int, an_hour: int, seed: int, folder: Path) -> Found:
    """One after the other, each is away for that long; meanwhile people do so many things an hour everywhere."""
    chance = Random(seed)
    weather = {vendor: Away(chance=chance) for vendor in ("jira", "forum", "chat", "github")}
    config = a_team(folder, _AT_ALL_HOURS)
    async with stage(MORNING, config, prepare=a_running_sprint, weather=weather) as on:
        for number, away in enumerate(weather.values()):
            away.is_away = True
            await _ask_for_hours(on, range(number * hours * an_hour, (number + 1) * hours * an_hour), an_hour)
            away.is_away = False
            await pass_time(on, _BACK_IN_ORDER)
        stored, found = await read_all(on.redis, on.clock), written(on)
    things = [called_for(number) for number in range(len(weather) * hours * an_hour)]
    facts = {
        "deliveries": len(_deliveries(on)),
        "systems away, one after the other": len(weather),
        "hours away, each": hours,
        "effects called for": sum(map(len, things)),
    }
    missing = {"missing": sorted(set().union(*things) - found.keys())}
    return Found(facts, _lost(on, stored) | missing | _doubled(found) | stored.cases)


async def weekend_away(tickets: int, folder: Path) -> Found:
    """Crafty is down from Friday evening to Monday morning, while people begin so many tickets without a reviewer.

    What waited in the evening for the morning, as many tickets again, is mended by then.
    """
    async with surroundings(FRIDAY, a_team(folder), prepare=a_running_sprint) as at:
        new = [f"SE-{300 + number}" for number in range(tickets)]
        mended = [f"SE-{100 + number}" for number in range(tickets)]
        async with at.crafty() as on:
            await needs_review(on.jira, "SE-1")
            await pass_time(on, EVENING - on.clock.now)
            for key in mended:
                await needs_review(on.jira, key)
            await on.settled()
            said = len(on.chat.messages)
        await _weekend(at.scenery, new, mended)
        async with at.crafty() as on:
            await pass_time(on, timedelta(hours=4))
            stored, found, told = await read_all(on.redis, on.clock), written(on), on.chat.messages[said:]
            looks = [one for one in await on.ledger.timeline("SE-1") if one.stage == "look" and one.at >= MONDAY]
            dropped = sum([await _dropped(on, key) for key in mended])
            counts = await on.ledger.counts(on.clock.now)
    pings = Counter(who for one in told for who in one.recipients)
    facts = {
        "deliveries": len(_deliveries(on)),
        "hours away": (MONDAY - EVENING) // timedelta(hours=1),
        "deeds that nobody heard of": EDITS + 2 * tickets,
        "tickets that the sweep found changed": counts["missed jira"],
        "messages that waited and were no longer true": dropped,
        "messages on Monday": len(told),
    }
    asked = {f"{key} missing-reviewer:{key}:sprint-41" for key in new}
    cases = {
        "missing": sorted(asked - found.keys()),
        "said though it was over": [one.text for one in told if _names(one.text, mended)],
        "not thanked": [key for key in mended if "Thank you" not in "".join(_said(at.scenery, key))],
        "more messages than a person gets a day": [who for who, count in pings.items() if count > PINGS_A_DAY],
        # The planned look may have just begun when the sweep finds the edits.
        "looks for many edits": [f"{one.at}" for one in looks[2:]],
    }
    return Found(facts, _lost(on, stored) | _doubled(found) | cases | stored.cases)


def a_team(folder: Path, extra: str = "") -> Path:
    """The crafty.toml of a cell that looks after a forum and a repository too, with rules that settle at once."""
    people = [
        f'[[people]]\nid = "{one}"\nname = "{one.title()}"\njira = "acc-{one}"\nmattermost = "{one}"\n'
        for one in ("ann", "bob", "sam", *FIREFIGHTERS)
    ]
    path = folder / "crafty.toml"
    path.write_text("".join([_CELL, *people, _AT_ONCE, extra]))
    return path


async def a_running_sprint(before: Scenery) -> None:
    """The people everywhere, and the sprints of their board."""
    for person in before.people:
        before.jira.add_person(str(person.jira), person.name)
        before.chat.add_person(str(person.mattermost), person.name)
    before.forum.add_person("carla", "Carla")
    for number, name in ((41, "SE Sprint 41"), (42, "SE Sprint 42"), (40, "Stretch Goals")):
        await before.jira.create_sprint(number, name, board=12)
    await before.jira.start_sprint(41)


async def needs_review(jira: JiraStandIn, key: str) -> None:
    """A new ticket in the running sprint that nobody reviews."""
    fields: Any = {"assignee": "acc-ann", "estimate": 3.0, "status": "Need Review"}
    await jira.create_issue(key, "acc-sam", sprint=41, **fields)


async def pass_time(on: Stage, span: timedelta) -> None:
    """What falls due on the way happens at its moment."""
    async for _ in on.moments(on.clock.now + span):
        pass


def written(on: Scenery) -> Counter[str]:
    """All that Crafty has written, by what it is known by: comments, internal tickets, links, messages."""
    issues = on.jira.issues.values()
    comments = (f"{issue.key} {key_of(one)}" for issue in issues for one in issue.comments.values() if key_of(one))
    tickets = (f"ticket {issue.summary}" for issue in issues if issue.reporter == on.jira.bot.id)
    links = (f"link {link.global_id}" for issue in issues for link in issue.remote_links.values())
    told = (f"{who} {one.props['crafty']}" for one in on.chat.messages for who in one.recipients)
    return Counter([*comments, *tickets, *links, *told])


def called_for(number: int) -> set[str]:
    """What the things of that number lead to."""
    asked = f"missing-reviewer:{_ticket(number)}:sprint-41"
    return {
        f"{_ticket(number)} {asked}",
        *(f"{who} {asked}:notify:@{who}" for who in FIREFIGHTERS),
        f"ticket Community topic: Question {number}",
        f"ticket Community pull request: Change {number}",
        f"link crafty=github:acme/poll#{number + 1}",
    }


async def _ask_for_hours(on: Stage, numbers: Iterable[int], an_hour: int) -> None:
    for number in numbers:
        await _ask_everywhere(on, number)
        await pass_time(on, timedelta(hours=1) / an_hour)


async def _ask_everywhere(on: Stage, number: int) -> None:
    """A ticket without a reviewer, a question in the forum, and a pull request."""
    await needs_review(on.jira, _ticket(number))
    await on.forum.open_topic("carla", f"Question {number}", "It does not work for me.", 7)
    await on.github.open_pull_request("acme/poll", "maria-makes", f"Change {number}")
    await on.settled()


def _ticket(number: int) -> str:
    """The numbers between are for the tickets that Crafty makes."""
    return f"SE-{100 * (number + 1)}"


async def _weekend(on: Scenery, new: Iterable[str], mended: Iterable[str]) -> None:
    """What people do while nobody listens."""
    on.clock.now = FRIDAY + timedelta(days=1)
    for _ in range(EDITS):
        await on.jira.edit("SE-1", "acc-ann", estimate=5.0)
        on.clock.now += timedelta(minutes=1)
    for key in mended:
        await on.jira.edit(key, "acc-ann", reviewer="acc-bob")
    for key in new:
        await needs_review(on.jira, key)
    on.clock.now = MONDAY


async def _dropped(on: Stage, key: str) -> int:
    story = await on.ledger.timeline(key)
    return sum(one.effect.reason == LOOKS_FIRST for one in story if one.effect)


def _said(on: Scenery, key: str) -> Iterator[str]:
    return (comment.text for comment in on.jira.comments(key))


def _names(text: str, keys: Iterable[str]) -> bool:
    return any(f"{key}{end}" in text for key in keys for end in (" ", "]"))


def _deliveries(on: Scenery) -> list[Delivery]:
    return [delivery for sender in on.senders for delivery in sender.deliveries]


def _lost(on: Scenery, stored: Stored) -> dict[str, list[str]]:
    """The deliveries that were refused, and those that were accepted and are not stored."""
    deliveries = _deliveries(on)
    taken = [one.content["delivery"] for one in deliveries if httpx.codes.is_success(one.status or 0)]
    return {
        "never accepted": [one.event for one in deliveries if not httpx.codes.is_success(one.status or 0)],
        "lost": [name for name in taken if name not in stored.records],
    }


def _doubled(found: Counter[str]) -> dict[str, list[str]]:
    return {"doubled": [f"{what} is there {count} times" for what, count in found.items() if count > 1]}
