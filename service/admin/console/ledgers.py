"""The ledgers as charts: spillovers by sprint and person, and how contributions were answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

from service.admin.console import charts
from service.admin.console.desk import Page, Visit
from service.admin.office import Office
from service.commitments import Commitment, clean_shares, matching
from service.contributions import Acknowledgement, statistics

_SPRINTS, _WEEKS, _LINES = 12, 12, 100
"""How many of each are shown; the newest ones."""


async def spillovers(office: Office, visit: Visit) -> Page:
    """How many tickets of each sprint spilled over, and whose sprints were clean."""
    wanted = {name: visit.query.get(name, "").strip() for name in ("sprint", "cell", "person")}
    every = await office.ledger.all_commitments()
    lines = matching(every, **{name: value or None for name, value in wanted.items()})
    shares = clean_shares(lines, {person.id for person in office.team.members if person.newcomer})
    rows = _by_sprint(lines)
    values = {
        "wanted": wanted,
        "cells": office.steering.cells,
        "rows": rows,
        "chart": charts.bars([charts.Bar(name, (ready, spilled)) for name, ready, spilled in rows]),
        "shares": shares,
        "share_chart": charts.bars([charts.Bar(one.person, (one.clean, one.sprints - one.clean)) for one in shares]),
        "spilled": [line for line in lines if line.is_spillover][:_LINES],
    }
    return Page("spillovers.html", "Spillovers", values)


async def acknowledgements(office: Office, _: Visit) -> Page:
    """How soon contributions were answered, by week."""
    lines = await office.ledger.acknowledgements()
    rows = _by_week(lines)
    values = {
        "numbers": statistics(lines),
        "rows": rows,
        "chart": charts.bars([charts.Bar(week, (met, missed, closed)) for week, met, missed, closed in rows]),
        "lines": sorted(lines, key=lambda line: line.waiting_since, reverse=True)[:_LINES],
    }
    return Page("acknowledgements.html", "Answers", values)


def _by_sprint(lines: Iterable[Commitment]) -> list[tuple[str, int, int]]:
    """The newest sprints: name, tickets that were ready, tickets that spilled over."""
    counts: dict[str, Counter[bool]] = {}
    for line in lines:
        counts.setdefault(line.sprint_name, Counter())[line.is_spillover] += 1
    return [(name, one[False], one[True]) for name, one in list(counts.items())[:_SPRINTS]]


def _by_week(lines: Iterable[Acknowledgement]) -> list[tuple[str, int, int, int]]:
    """The newest weeks, by their Monday: answered in time, missed, closed before anybody answered."""
    counts: dict[str, Counter[str]] = {}
    for line in sorted(lines, key=lambda line: line.waiting_since, reverse=True):
        monday = (line.waiting_since - timedelta(days=line.waiting_since.weekday())).date()
        counts.setdefault(monday.isoformat(), Counter())[_how(line)] += 1
    return [(week, one["met"], one["missed"], one["closed"]) for week, one in list(counts.items())[:_WEEKS]]


def _how(line: Acknowledgement) -> str:
    if line.is_missed:
        return "missed"
    return "met" if line.answered_at else "closed"
