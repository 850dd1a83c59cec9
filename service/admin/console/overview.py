"""The first page: what needs a hand, and whether all that should run does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from service.admin.console.desk import Page, Visit
from service.admin.office import Office
from service.errors import Rejected
from service.steering import GoneError, Job

_SOURCES: Final = ("jira", "discourse", "github", "gitlab")


@dataclass(frozen=True)
class _Source:
    name: str
    is_configured: bool
    lately: int
    last: datetime | None
    missed: int
    healed: int


@dataclass(frozen=True)
class _Hand:
    """Something that somebody should look at. to: where that is done, "" where it is not in the console."""

    what: str
    to: str = ""


async def overview(office: Office, _: Visit) -> Page:
    """Health at one glance."""
    sources, states = await _sources(office), await office.steering.counts()
    rules = await office.steering.rules()
    values = {
        "hands": [
            *_hands(office, states["failed"], sources),
            *await _findings(office),
            *map(_Hand, (await office.ledger.warnings()).values()),
        ],
        "states": states,
        "sources": sources,
        "sweeps": [(cell.name, await _sweep(office, cell.name)) for cell in office.team.cells],
        "rules": rules,
    }
    return Page("overview.html", "Overview", values)


async def _sources(office: Office) -> list[_Source]:
    counts, last = await office.ledger.counts(office.clock()), await office.ledger.last_deliveries()
    return [
        _Source(
            name,
            _is_configured(office, name),
            lately=counts[f"source {name}"],
            last=last.get(name),
            missed=counts[f"missed {name}"],
            healed=counts[f"healed {name}"],
        )
        for name in _SOURCES
    ]


async def _findings(office: Office) -> list[_Hand]:
    """What the doctor found wrong by itself."""
    wrong = [finding for one in (await office.ledger.examined()).values() for finding in one.wrong]
    return [_Hand(f"{finding.key}: {finding.what.rstrip('.')}. {finding.mend}") for finding in wrong]


def _hands(office: Office, failed: int, sources: list[_Source]) -> Iterator[_Hand]:
    if failed:
        pieces = "1 piece" if failed == 1 else f"{failed} pieces"
        yield _Hand(f"{pieces} of work could not be done.", "/console/jobs?state=failed")
    if not any(one.is_configured for one in sources):
        yield _Hand("Every delivery is refused, since no source has a secret yet: set CRAFTY_JIRA_WEBHOOK_SECRET.")
    yield from map(_Hand, office.current.site.problems)


def _is_configured(office: Office, source: str) -> bool:
    try:
        office.intake.check_configured(source)
    except Rejected:
        return False
    return True


async def _sweep(office: Office, cell: str) -> Job | None:
    """The next look through a cell; None where none is planned."""
    try:
        return await office.steering.job(f"sweep:{cell}")
    except GoneError:
        return None
