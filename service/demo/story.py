"""The story of a two-week sprint: what people do, what Crafty makes of it, and whether all of that was seen."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from service.demo._jira_site import Flavour
from service.demo.stage import Stage, stage
from service.demo.timeline import Timeline

PARIS: Final = ZoneInfo("Europe/Paris")
START: Final = datetime(2026, 11, 2, 9, tzinfo=PARIS)
CONFIG: Final = Path(__file__).with_name("crafty.toml")
PACE_SECONDS: Final = 2.5

RUNNING, NEXT, STRETCH = 41, 42, 40
BACKLOG: Final = (
    ("SE-101", "Redirect after login", "acc-ann", "acc-bob", None),
    ("SE-102", "Export grades as CSV", "acc-ann", None, "SE-100"),
    ("SE-103", "Login fails on Safari", "acc-bob", None, None),
    ("SE-104", "Translate the help page", "acc-ann", "acc-nia", None),
)


@dataclass(frozen=True)
class Scene:
    """What happens at a moment. day and time: of the sprint, in Paris; tell: one line for the audience."""

    day: int
    time: str
    tell: str
    happen: Callable[[Stage], Awaitable[None]]

    @property
    def at(self) -> datetime:
        hour, minute = map(int, self.time.split(":"))
        return datetime(2026, 11, 2 + self.day, hour, minute, tzinfo=PARIS)


async def tell(*, once: bool, flavour: Flavour = "cloud") -> int:
    """Plays the story; 0 if every expected effect was seen, else 1. Without `once` it serves on until Ctrl-C."""
    async with stage(START, CONFIG, flavour) as on_stage:
        await _set_the_scene(on_stage)
        timeline = Timeline(on_stage, PARIS)
        timeline.open()
        for scene in SCENES:
            await _play(scene, on_stage, timeline)
        missed = timeline.close([(what, is_seen(on_stage)) for what, is_seen in EXPECTED])
        if not once:
            await timeline.stay_open()
        return int(bool(missed))


async def _set_the_scene(on_stage: Stage) -> None:
    """Who there is, and what stands in Jira before the story begins; webhooks tell of it."""
    on_stage.forum.add_person("carla", "Carla")
    on_stage.forum.add_person("dan", "Dan")
    jira = on_stage.jira
    for person in on_stage.people:
        jira.add_person(str(person.jira), person.name)
        on_stage.chat.add_person(str(person.mattermost), person.name)
    for number, name in ((RUNNING, "Sprint 41"), (NEXT, "Sprint 42"), (STRETCH, "Stretch Goals")):
        await jira.create_sprint(number, name, board=12)
    await jira.create_issue("SE-100", "acc-eli", summary="Grades", kind="Epic", assignee="acc-eli")
    await jira.start_sprint(RUNNING)
    for key, summary, assignee, reviewer, epic in BACKLOG:
        await jira.create_issue(
            key,
            "acc-sam",
            sprint=RUNNING,
            summary=summary,
            assignee=assignee,
            reviewer=reviewer,
            epic=epic,
            estimate=3.0,
        )


async def _play(scene: Scene, on_stage: Stage, timeline: Timeline) -> None:
    async for _ in on_stage.moments(scene.at):
        await timeline.tell_what_crafty_did()
    timeline.tell_what_happens(scene.at, scene.tell)
    await scene.happen(on_stage)
    await on_stage.settled()
    await timeline.tell_what_crafty_did()
    if sys.stdout.isatty():
        await asyncio.sleep(PACE_SECONDS)


async def _export_is_begun(on_stage: Stage) -> None:
    await on_stage.jira.transition("SE-102", "acc-ann", "In Progress")


async def _export_finds_a_reviewer(on_stage: Stage) -> None:
    await on_stage.jira.edit("SE-102", "acc-eli", reviewer="acc-bob")


async def _jira_repeats_itself(on_stage: Stage) -> None:
    await on_stage.jira.sender.redeliver(on_stage.jira.sender.deliveries[-1])


async def _login_waits_for_review(on_stage: Stage) -> None:
    await on_stage.jira.transition("SE-103", "acc-bob", "Need Review")


async def _newcomer_reviews(on_stage: Stage) -> None:
    await on_stage.jira.transition("SE-104", "acc-ann", "Need Review")


async def _somebody_joins_the_newcomer(on_stage: Stage) -> None:
    await on_stage.jira.edit("SE-104", "acc-nia", core_committer="acc-bob")


async def _forum_is_busy(on_stage: Stage) -> None:
    await on_stage.forum.private_message("carla", ["dan"], "Between us", "Please keep this to yourself.")
    await on_stage.forum.open_topic("carla", "How do I install the poll block?", "I followed the manual.", 7)


async def _next_sprint_is_planned(on_stage: Stage) -> None:
    jira = on_stage.jira
    await jira.create_issue("SE-110", "acc-sam", summary="Import grades from a file", reporter="acc-sam", sprint=NEXT)
    await jira.create_issue("SE-111", "acc-eli", summary="Tidy up the old theme", reporter="acc-eli", sprint=NEXT)


async def _import_is_made_ready(on_stage: Stage) -> None:
    await on_stage.jira.edit("SE-110", "acc-ann", estimate=3.0)
    await on_stage.jira.edit("SE-110", "acc-ann", assignee="acc-ann")
    await on_stage.jira.edit("SE-110", "acc-ann", reviewer="acc-bob")


async def _import_loses_its_reviewer(on_stage: Stage) -> None:
    await on_stage.jira.edit("SE-110", "acc-bob", reviewer=None)


async def _import_is_ready_again(on_stage: Stage) -> None:
    await on_stage.jira.edit("SE-110", "acc-sam", reviewer="acc-fay")


async def _nothing(_: Stage) -> None:
    return


async def _sprint_changes(on_stage: Stage) -> None:
    await on_stage.jira.close_sprint(RUNNING)
    await on_stage.jira.start_sprint(NEXT)


SCENES: Final = (
    Scene(0, "09:15", "Sprint 41 has started: four tickets, two of them without a reviewer.", _nothing),
    Scene(1, "10:00", "Ann starts SE-102. Nobody is named to review it yet.", _export_is_begun),
    Scene(2, "11:30", "Eli names Bob as the reviewer of SE-102.", _export_finds_a_reviewer),
    Scene(2, "11:35", "Jira delivers that same webhook once more.", _jira_repeats_itself),
    Scene(3, "14:00", "Ann moves SE-104 to Need Review; its only reviewer is Nia, who is new.", _newcomer_reviews),
    Scene(3, "16:00", "Nia asks Bob to join her as core committer.", _somebody_joins_the_newcomer),
    Scene(4, "16:00", "Friday afternoon: Bob moves SE-103 to Need Review without a reviewer.", _login_waits_for_review),
    Scene(7, "09:00", "Monday morning; the weekend did not count.", _nothing),
    Scene(8, "10:00", "On the forum, a private message and a public question.", _forum_is_busy),
    Scene(
        9,
        "15:00",
        "Sam and Eli plan SE-110 and SE-111 for the next sprint, with fields still empty.",
        _next_sprint_is_planned,
    ),
    Scene(11, "10:00", "The last day to get ready: Ann completes SE-110 in three clicks.", _import_is_made_ready),
    Scene(11, "15:00", "Bob has to step back and empties the reviewer of SE-110.", _import_loses_its_reviewer),
    Scene(11, "15:30", "Sam finds Fay to review it.", _import_is_ready_again),
    Scene(14, "09:00", "Sprint 41 closes, sprint 42 starts.", _sprint_changes),
)


def _comment(ticket: str, rule: str, *words: str) -> Callable[[Stage], bool]:
    """Whether the ticket bears exactly one comment of that rule, and it says all these words."""

    def is_seen(on_stage: Stage) -> bool:
        keys = [
            (comment, comment.properties.get("crafty", {}).get("key", "")) for comment in on_stage.jira.comments(ticket)
        ]
        own = [comment for comment, key in keys if key.startswith(f"{rule}:{ticket}:")]
        return len(own) == 1 and all(word in own[0].text for word in words)

    return is_seen


def _told(person: str, *words: str, times: int = 1) -> Callable[[Stage], bool]:
    """Whether the person got exactly that many chat messages with all these words."""

    def is_seen(on_stage: Stage) -> bool:
        own = [message for message in on_stage.chat.messages if person in message.recipients]
        return len([message for message in own if all(word in message.text for word in words)]) == times

    return is_seen


def _silent_on(ticket: str) -> Callable[[Stage], bool]:
    return lambda on_stage: not on_stage.jira.comments(ticket)


def _no_server_error(on_stage: Stage) -> bool:
    deliveries = (*on_stage.jira.sender.deliveries, *on_stage.forum.sender.deliveries)
    return all(delivery.status in {200, 202} for delivery in deliveries)


EXPECTED: Final[tuple[tuple[str, Callable[[Stage], bool]], ...]] = (
    ("SE-101 was in order all along, and nobody heard of it", _silent_on("SE-101")),
    (
        "SE-102 was asked about once, and its comment says that Bob reviews it",
        _comment("SE-102", "missing-reviewer", "Bob reviews"),
    ),
    (
        "SE-103 got a firefighter as reviewer, and its one comment says so",
        _comment("SE-103", "missing-reviewer", "Fay", "firefighter"),
    ),
    (
        "both firefighters were told of SE-103 in chat",
        lambda seen: _told("fay", "SE-103", "waits")(seen) and _told("finn", "SE-103", "waits")(seen),
    ),
    ("Fay was told that she is the reviewer of SE-103", _told("fay", "you are the reviewer", "SE-103")),
    ("Jira names Fay as the reviewer of SE-103", lambda seen: seen.jira.issues["SE-103"].reviewer == "acc-fay"),
    (
        "SE-104's newcomer was not left alone, and the comment thanks",
        _comment("SE-104", "missing-reviewer", "Thank you"),
    ),
    ("SE-110 is ready, and its one comment says so", _comment("SE-110", "green-ticket", "ready")),
    ("Sam was told once that SE-110 had lost its reviewer", _told("sam", "SE-110", "empty again")),
    (
        "SE-111 moved to Stretch Goals, and its one comment says why",
        _comment("SE-111", "green-ticket", "Stretch Goals"),
    ),
    ("SE-111 is in Stretch Goals", lambda seen: seen.jira.issues["SE-111"].sprints[-1] == STRETCH),
    ("Sam got the list of what was not ready, once", _told("sam", "not ready yet", "SE-111")),
    ("every webhook was accepted", _no_server_error),
)
