"""Each cell's sprint as a picture: today, deadlines, and what falls due next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from markupsafe import Markup

from service.admin.console import charts
from service.admin.console.desk import Page, Visit
from service.admin.office import Office
from service.calendar import SprintWindow
from service.engine import cell_of
from service.facts import Cell, Ticket
from service.jira_shapes import is_issue_key
from service.steering import Job

_READ: Final = 1_000
_SHOWN: Final = 10


@dataclass(frozen=True)
class _Running:
    """A cell's running sprint. deadlines: number, rule, instant, and whether it is over; firings: the next ones."""

    cell: Cell
    name: str
    window: SprintWindow
    day: int
    deadlines: list[tuple[int, str, datetime, bool]]
    firings: list[Job]
    picture: Markup


async def sprints(office: Office, _: Visit) -> Page:
    """All cells with their running sprints."""
    looks = [job for job in await office.steering.jobs("deferred", 0, _READ) if job.kind == "look"]
    found = [await _running(office, cell, looks) for cell in office.team.cells]
    return Page("sprints.html", "Sprints", {"sprints": found})


async def _running(office: Office, cell: Cell, looks: list[Job]) -> _Running:
    now = office.clock()
    known = cell.sprints_among(await office.ledger.sprints_seen(cell.name))
    window = cell.window(now, known)
    own = [job for job in looks if await _is_in(office, job.subject, cell)]
    return _Running(
        cell=cell,
        name=known.active.name if known.active else "Running sprint",
        window=window,
        day=window.day_of(now),
        deadlines=[(number, what, at, at <= now) for number, (what, at) in enumerate(window.deadlines(), 1)],
        firings=own[:_SHOWN],
        picture=charts.sprint(window, now, [job.due for job in own]),
    )


async def _is_in(office: Office, subject: str, cell: Cell) -> bool:
    about = Ticket(key=subject) if is_issue_key(subject) else await office.ledger.contribution(subject)
    return about is not None and cell_of(about, office.team) == cell
