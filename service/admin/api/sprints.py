"""`/sprints`: each cell's calendar."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import Field

from service.admin.api.calls import Guarded, OfficeHere, WrongCallError, answers
from service.admin.api.shapes import Cursor, Instant, Limit, Page, Shape, cut_page, or_blank
from service.calendar import SprintCalendar, SprintWindow
from service.clock import Clock
from service.facts import Cell, Sprint, Team
from service.toml_problems import did_you_mean
from service.tuning import Mistake

router: Final = APIRouter(tags=["sprints"], route_class=Guarded)

_MOMENT: Final = {"at": "2026-11-14T23:00:00Z", "local": "2026-11-15T00:00:00+01:00"}
_PERIOD: Final = {"start": _MOMENT, "end": _MOMENT, "deadlines": [{"name": "green-ticket", **_MOMENT}]}
_EXAMPLE: Final = {
    "cell": "Serenity",
    "timezone": "Europe/Paris",
    "now": {"at": "2026-11-13T10:00:00Z", "local": "2026-11-13T11:00:00+01:00"},
    "sprint": {"id": 41, "name": "SE Sprint 41"},
    "day": 11,
    **_PERIOD,
    "following": _PERIOD,
}


class MomentShape(Shape):
    """An instant. at: in UTC; local: the same in the cell's zone, in ISO 8601 with its offset."""

    at: datetime
    local: str


class DeadlineShape(MomentShape):
    """When a rule looks. name: that of the rule, or sprint-close."""

    name: str


class Period(Shape):
    """From a sprint's start to its end."""

    start: MomentShape
    end: MomentShape
    deadlines: list[DeadlineShape] = Field(description="In order of time.")


class SprintShape(Shape):
    """A sprint as Jira knows it."""

    id: int
    name: str


class CalendarShape(Period):
    """The sprint of a cell that runs at a moment, and the one that follows it."""

    cell: str
    timezone: str
    now: MomentShape
    sprint: SprintShape | None = Field(None, description="Null where the dates are crafty.toml's and not yet Jira's.")
    day: int = Field(description="0 is the day on which the sprint starts.")
    following: Period


@router.get("/sprints", summary="Each cell's calendar", responses=answers(example={"items": [_EXAMPLE], "next": None}))
async def sprints(
    office: OfficeHere,
    cell: Annotated[str | None, Query(description="Only this cell, by its name.")] = None,
    now: Annotated[
        Instant | None, Query(description="The moment to tell of; now."), or_blank(type="string", format="date-time")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[CalendarShape]:
    """The sprint and its day at `now`, and each deadline in UTC and in the cell's local time.

    Jira's own dates, as the last sweep found them, win over the configured ones.
    """
    cells, following = cut_page(_cells(office.team, cell), cursor, limit)
    return Page(
        items=[_calendar(one, await office.ledger.sprints_seen(one.name), now, office.clock) for one in cells],
        next=following,
    )


def _cells(team: Team, name: str | None) -> list[Cell]:
    found = [cell for cell in team.cells if name in {None, cell.name}]
    if name and not found:
        known = [cell.name for cell in team.cells]
        raise WrongCallError(Mistake("cell", f"{name} is not a cell{did_you_mean(name, known)}"))
    return found


def _calendar(cell: Cell, seen: Iterable[Sprint], asked: datetime | None, clock: Clock) -> CalendarShape:
    present = clock()
    now = asked or present
    sprint = _running(cell, seen, now, present)
    start, end = (sprint.start, sprint.end) if sprint else (None, None)
    window = cell.calendar.sprint_at(now, start=start, end=end)
    return CalendarShape(
        cell=cell.name,
        timezone=cell.calendar.zone.key,
        now=MomentShape(**_moment(cell.calendar, now)),
        sprint=SprintShape(id=sprint.id, name=sprint.name) if sprint else None,
        day=window.day_of(now),
        following=Period(**_period(window.following())),
        **_period(window),
    )


def _running(cell: Cell, seen: Iterable[Sprint], now: datetime, present: datetime) -> Sprint | None:
    """The sprint whose dates hold that moment; one that nobody has closed yet goes on to the present."""
    for one in seen:
        if one.start and one.end and one.start <= now and not cell.is_stretch_goals(one):
            is_overdue = one.state == "active" and now <= present
            if now < one.end or is_overdue:
                return one
    return None


def _period(window: SprintWindow) -> dict[str, Any]:
    calendar = window.calendar
    return {
        "start": MomentShape(**_moment(calendar, window.start)),
        "end": MomentShape(**_moment(calendar, window.end)),
        "deadlines": [DeadlineShape(name=name, **_moment(calendar, at)) for name, at in window.deadlines()],
    }


def _moment(calendar: SprintCalendar, at: datetime) -> dict[str, Any]:
    return {"at": at, "local": calendar.local(at).isoformat()}
