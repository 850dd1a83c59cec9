"""What came of a scenario, for people and for scripts."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

_MOST: Final = 20
_WIDTH: Final = 120


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario. numbers: by what was counted; broken: each case in which a promise was not kept, as a line."""

    title: str
    numbers: dict[str, int]
    broken: list[str]


@dataclass(frozen=True)
class Found:
    """What came of a scenario. facts: what only counts; cases: by promise, each in which it was broken."""

    facts: Mapping[str, int]
    cases: Mapping[str, Sequence[str]]

    @property
    def broken(self) -> list[str]:
        """Each case as a line."""
        return [f"{promise}: {case}" for promise, each in self.cases.items() for case in each]


def report(title: str, found: Found, seconds: float) -> Report:
    """seconds: that it took."""
    counts = {promise: len(each) for promise, each in found.cases.items()}
    numbers = {**found.facts, **counts, "seconds": round(seconds)}
    return Report(title=title, numbers=numbers, broken=found.broken)


def show(report: Report) -> None:
    """Prints it as a table, with what was broken below."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    console.print(_table(report))
    for line in report.broken[:_MOST]:
        console.print(Text(f"✘ {line}", style="red"))
    if len(report.broken) > _MOST:
        console.print(Text(f"✘ and {len(report.broken) - _MOST} more", style="red"))


def show_json(reports: Sequence[Report]) -> None:
    """Prints them as one JSON array on one line."""
    sys.stdout.write(f"{msgspec.json.encode(reports).decode()}\n")


def _table(report: Report) -> Table:
    table = Table(title=report.title, title_justify="left", show_header=False, min_width=len(report.title))
    table.add_column()
    table.add_column(justify="right")
    for name, number in report.numbers.items():
        table.add_row(name, f"{number:,}")
    return table
