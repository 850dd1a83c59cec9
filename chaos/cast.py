"""Who is there, and in which cells; all of it from numbers, so that no two runs differ."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

CELLS: Final = 8
RUNNING: Final = 100
STRETCH: Final = 200
"""The first cell's sprints; those of the others follow."""

MANAGER: Final = "manager-0"
FIRE: Final = "fire-0"
HANDS: Final = 5
"""How many people of a cell work on tickets."""

_RULES: Final = ("answers", "green-ticket", "missing-reviewer", "spillover", "task-insertion")


def ahead_of(now: datetime) -> float:
    """Seconds from `now` to a Tuesday morning, when everybody works."""
    tuesday = (now + timedelta(days=(1 - now.weekday()) % 7 + 7)).replace(hour=10, minute=0, second=0, microsecond=0)
    return (tuesday - now).total_seconds()


def sprint_start(now: datetime) -> datetime:
    """The morning before."""
    return now.astimezone(UTC).replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=1)


def configuration(now: datetime, cells: int) -> str:
    """The crafty.toml of that many cells that settle at once; the first one has a firefighter on duty."""
    people = [
        f'[[people]]\nid = "{one}"\nname = "{one.title()}"\njira = "acc-{one}"\nmattermost = "{one}"\ntimezone = "UTC"'
        for one in everybody()
    ]
    parts = [
        f'[calendar]\ntimezone = "UTC"\nanchor = {sprint_start(now):%Y-%m-%dT%H:%M:%S}',
        '[messages]\npings_a_day = 100\nquiet_from = "00:00"\nquiet_until = "00:00"',
        *(_cell(number) for number in range(cells)),
        *people,
        *(f'[rules.{rule}]\nsettle = "0s"' for rule in _RULES),
    ]
    return "\n".join(parts) + "\n"


def _cell(number: int) -> str:
    duty = f'[[cells.rotations]]\nrole = "firefighter"\npeople = ["{FIRE}"]' if number == 0 else ""
    return (
        f'[[cells]]\nname = "Cell {number}"\nprojects = ["{project_of(number)}"]\nboard = {board_of(number)}\n'
        f'stretch_goals = "Stretch {number}"\n[cells.roles]\nsprint_planning_manager = "{manager_of(number)}"\n{duty}'
    )


def everybody() -> Iterator[str]:
    """The ids of all people."""
    for cell in range(CELLS):
        yield from (manager_of(cell), firefighter_of(cell), *(f"hand-{cell}-{number}" for number in range(HANDS)))


def project_of(cell: int) -> str:
    return f"C{chr(ord('A') + cell)}"


def board_of(cell: int) -> int:
    return 10 + cell


def running_of(cell: int) -> int:
    return RUNNING + cell


def stretch_of(cell: int) -> int:
    return STRETCH + cell


def manager_of(cell: int) -> str:
    return f"manager-{cell}"


def firefighter_of(cell: int) -> str:
    return f"fire-{cell}"
