"""`make chaos`: kills Crafty's processes, takes away what they need, and counts what was lost or done twice.

--short takes less than a minute, --only picks scenarios, --seed draws the moments, --json prints the numbers for
scripts. Exits with 1 where a promise was broken, or a scenario was not over in time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from chaos.hours import systems_away, weekend_away
from chaos.ordeal import Plan, endure
from chaos.outages import redis_away, redis_full, worker_asleep
from chaos.parent import kill_the_parent
from chaos.process import STEPS
from chaos.report import Found, Report, report, show, show_json
from chaos.steps import SOME_STEPS, die_at_each_step
from chaos.storm import storm
from service import log

MOST_SECONDS: Final = 570.0
"""For all of it; whatever is not over by then is not decided."""

KILLS: Final = Plan(fsync="always", deliveries=5000, seconds=60, patience=120, lease=15)
CUTS: Final = Plan(fsync="everysec", deliveries=5000, seconds=60, patience=120, lease=15)
AWAY: Final = Plan(fsync="always", deliveries=600, seconds=100, patience=60, lease=6)
FULL: Final = Plan(fsync="everysec", deliveries=1000, seconds=25, patience=60, lease=6)
ASLEEP: Final = Plan(fsync="always", deliveries=1000, seconds=20, patience=60, lease=4)
SHORT: Final = Plan(fsync="always", deliveries=200, seconds=6, patience=60, lease=6)
SHORT_OF_DISK: Final = Plan(fsync="everysec", deliveries=150, seconds=4, patience=60, lease=4)

STORM_KILLS: Final = 40
PARENT_KILLS: Final = 8
LONGER_THAN_CHATS_REMEMBER: Final = 35.0
"""Mattermost refuses the same message for half a minute by itself."""


Play = Callable[[Path], Coroutine[None, None, Found]]


@dataclass(frozen=True)
class Scenario:
    """play: what happens in an empty folder."""

    title: str
    play: Play


def main() -> int:
    """The exit code: 0 if every promise was kept."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few of everything, with short leases")
    parser.add_argument("--seed", type=int, default=7, help="what chance draws by")
    parser.add_argument(
        "--only", default="", metavar="WORDS", help="only the scenarios that have these words in their title"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    chosen = parser.parse_args()
    log.configure("console", "CRITICAL")
    reports, ends = [], time.monotonic() + MOST_SECONDS
    scenarios = _scenarios_in_short(chosen.seed) if chosen.short else _scenarios(chosen.seed)
    for scenario in (one for one in scenarios if chosen.only.lower() in one.title.lower()):
        reports.append(played(scenario, ends))
        if not chosen.json:
            show(reports[-1])
    if chosen.json:
        show_json(reports)
    return int(any(report.broken for report in reports))


def _scenarios_in_short(seed: int) -> Iterator[Scenario]:
    yield Scenario("API, workers and Redis are killed", partial(endure, partial(storm, 6, SHORT.seconds), SHORT, seed))
    yield Scenario("A worker is killed over each kind of effect", partial(die_at_each_step, SOME_STEPS, SHORT.lease))
    full = partial(redis_full, ("disk",), 2.0)
    yield Scenario("The disk under Redis is full", partial(endure, full, SHORT_OF_DISK, seed))


def _scenarios(seed: int) -> Iterator[Scenario]:
    kills = partial(storm, STORM_KILLS, KILLS.seconds)
    yield Scenario("API, workers and Redis are killed (appendfsync always)", partial(endure, kills, KILLS, seed))
    yield Scenario("The same, and each time the power goes (appendfsync everysec)", partial(endure, kills, CUTS, seed))
    steps = partial(die_at_each_step, STEPS, LONGER_THAN_CHATS_REMEMBER)
    yield Scenario("A worker is killed at each step of each kind of effect", steps)
    parent = partial(kill_the_parent, seed, PARENT_KILLS)
    yield Scenario("`crafty up` itself is killed, and started again at once", parent)
    yield Scenario("Jira, the forum, the chat and GitHub are away for hours", partial(systems_away, 3, 2, seed))
    yield Scenario("Redis is away for a minute and a half", partial(endure, partial(redis_away, 5.0, 90.0), AWAY, seed))
    full = partial(redis_full, ("disk", "memory"), 6.0)
    yield Scenario("The disk under Redis is full, then its memory", partial(endure, full, FULL, seed))
    asleep = partial(worker_asleep, 3, ASLEEP.lease)
    yield Scenario("A worker is stopped past its lease, and wakes up", partial(endure, asleep, ASLEEP, seed))
    yield Scenario("Crafty is down for a weekend", partial(weekend_away, 60))


def played(scenario: Scenario, ends: float) -> Report:
    """Plays it in a folder of its own, so that no settings of this one count. ends: when, by the monotonic clock."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crafty-chaos-") as folder, contextlib.chdir(folder):
        found = asyncio.run(_found(scenario, Path(folder), ends - began))
    return report(scenario.title, found, time.monotonic() - began)


async def _found(scenario: Scenario, folder: Path, seconds: float) -> Found:
    try:
        async with asyncio.timeout(seconds) as limit:
            return await scenario.play(folder)
    except TimeoutError:
        if not limit.expired():
            raise
        return Found({}, {"undecided": ["it was not over when the time for all scenarios was up"]})


if __name__ == "__main__":
    sys.exit(main())
