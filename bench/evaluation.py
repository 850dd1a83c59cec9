"""How long the rules take for one event, and how that grows with rules, cells and people."""

import statistics
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bench.deliveries import FIELDS, config, payload
from service.config import load_config
from service.engine import Rulebook, rulebook
from service.events import Event, Ignored
from service.facts import Team
from service.ledger import Site
from service.roster import team_from
from service.webhooks import jira
from service.webhooks.intake import decided

SITE = Site(fields=FIELDS)
TIMES = 300


def measure() -> dict[str, Any]:
    """Microseconds of processor time for an event of a ticket: medians of several rounds."""
    small, large = _installed(cells=2, people_a_cell=10), _installed(cells=200, people_a_cell=10)
    team, book = small
    doubled = replace(book, rules=(*book.rules, *book.rules))
    events = _events()
    once = _microseconds(events, team, book)
    return {
        "evaluation µs, all rules": once,
        "evaluation: twice the rules": _microseconds(events, team, doubled) / once,
        "evaluation: 200 cells and 2,000 people / 2 and 20": _microseconds(events, *large) / once,
    }


def _installed(cells: int, people_a_cell: int) -> tuple[Team, Rulebook]:
    with tempfile.TemporaryDirectory(prefix="crafty-bench-") as folder:
        path = Path(folder) / "crafty.toml"
        path.write_text(config(cells, people_a_cell))
        loaded = load_config(path)
    return team_from(loaded), rulebook(loaded)


def _events() -> list[Event | Ignored]:
    bodies = [msgspec.json.encode(payload(number)) for number in range(1, 51)]
    return [jira.parse(body, FIELDS, "https://jira.example", datetime.now(UTC))[1] for body in bodies]


def _microseconds(events: list[Event | Ignored], team: Team, book: Rulebook) -> float:
    now = datetime.now(UTC)
    rounds = []
    for _ in range(TIMES // len(events) + 1):
        start = time.process_time()
        for event in events:
            decided(event, team=team, site=SITE, book=book, now=now)
        rounds.append((time.process_time() - start) / len(events) * 1e6)
    return statistics.median(rounds)
