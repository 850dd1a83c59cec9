"""Prints what came of a simulated sprint."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.table import Table

from service.contributions import statistics
from service.demo.simulation.outcome import Outcome
from service.demo.simulation.promises import MANNERS, PROMISES, broken, late_offers, pings_a_day

WIDTH: Final = 120


def show(outcome: Outcome, title: str, seconds: float) -> list[str]:
    """Prints the numbers and the promises; returns the cases in which one was broken. seconds: how long it took."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in _numbers(outcome):
        table.add_row(name, value)
    table.add_row("seconds", f"{seconds:.0f}")
    console.print(table)
    cases = broken(outcome)
    for promise in PROMISES:
        is_kept = not any(case.startswith(f"{promise}: ") for case in cases)
        console.print(f"[green]✔[/] {promise}" if is_kept else f"[red]✘ {promise}[/]")
    for case in cases:
        console.print(f"  [red]{case}[/]")
    return cases


def _numbers(outcome: Outcome) -> Iterator[tuple[str, str]]:
    for name, count in outcome.numbers.items():
        yield name, str(count)
    for name, count in sorted(outcome.effects.items()):
        yield f"effects: {name}", str(count)
    yield "comments by Crafty", str(len(outcome.comments))
    yield "tickets asked about", str(len({ticket for ticket, _, _ in outcome.comments}))
    yield from _pings(outcome)
    yield "not green at the deadline", str(len(outcome.not_green))
    answers = statistics(outcome.acknowledgements)
    yield "contributions: met, missed, closed", f"{answers.met}, {answers.missed}, {answers.closed}"
    yield "contributions: late by the plan", str(len(late_offers(outcome)))
    yield "spillovers", str(sum(line.is_spillover for line in outcome.commitments))
    yield "dead letters", str(len(outcome.dead_letters))


def _pings(outcome: Outcome) -> Iterator[tuple[str, str]]:
    counts = pings_a_day(outcome).values()
    mean = sum(counts) / len(counts) if counts else 0
    yield "pings a person and day: most", f"{max(counts, default=0)} of {MANNERS.pings_a_day}"
    yield "pings a person and day: mean, of days with any", f"{mean:.1f}"
