"""`make chaos`: kills Crafty's processes at random moments, and counts what was lost or done twice.

--short takes half a minute, --seed draws the moments, --json prints the numbers for scripts. Exits with 1 where a
promise was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from chaos.parent import kill_the_parent
from chaos.process import STEPS
from chaos.report import Report, show, show_json
from chaos.steps import SOME_STEPS, die_at_each_step
from chaos.storm import Plan, storm
from service import log

Scenario = Callable[[Path], Coroutine[None, None, Report]]

KILLS: Final = Plan(fsync="always", deliveries=5000, seconds=80, every=2, patience=200, lease=40)
CUTS: Final = Plan(fsync="everysec", deliveries=5000, seconds=80, every=2, patience=200, lease=40)
SHORT: Final = Plan(fsync="always", deliveries=200, seconds=6, every=1, patience=60, lease=6)

PARENT_KILLS: Final = 8
LONGER_THAN_CHATS_REMEMBER: Final = 35.0
"""Mattermost refuses the same message for half a minute by itself."""


def main() -> int:
    """The exit code: 0 if every promise was kept."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few of everything, with short leases")
    parser.add_argument("--seed", type=int, default=7, help="what chance draws by")
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    chosen = parser.parse_args()
    log.configure("console", "CRITICAL")
    reports = []
    for scenario in _scenarios(chosen.seed, is_short=chosen.short):
        reports.append(_played(scenario))
        if not chosen.json:
            show(reports[-1])
    if chosen.json:
        show_json(reports)
    return int(any(report.broken for report in reports))


def _scenarios(seed: int, *, is_short: bool) -> Iterator[Scenario]:
    if is_short:
        yield partial(storm, SHORT, seed)
        yield partial(die_at_each_step, SOME_STEPS, SHORT.lease)
        return
    yield partial(storm, KILLS, seed)
    yield partial(storm, CUTS, seed)
    yield partial(die_at_each_step, STEPS, LONGER_THAN_CHATS_REMEMBER)
    yield partial(kill_the_parent, seed, PARENT_KILLS)


def _played(scenario: Scenario) -> Report:
    """Plays it in a folder of its own, so that no settings of this one count."""
    with tempfile.TemporaryDirectory(prefix="crafty-chaos-") as folder, contextlib.chdir(folder):
        return asyncio.run(scenario(Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
