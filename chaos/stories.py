"""What people do on a ticket, and what that calls for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

from chaos.cast import CELLS, FIRE, HANDS, manager_of, project_of, running_of, stretch_of

Kind = Literal["plain", "review", "reviewed", "late", "accepted", "asks"]
_SHARES: Final[dict[Kind, int]] = {"plain": 10, "review": 7, "reviewed": 3, "late": 3, "accepted": 1, "asks": 2}
_DELIVERIES: Final[dict[Kind, int]] = {"plain": 4, "review": 3, "reviewed": 4, "late": 2, "accepted": 3, "asks": 2}
"""How many webhooks tell of a ticket of each kind."""


@dataclass
class Story:
    """A ticket and what becomes of it. remark: the id of the comment that asks for help, once it is written."""

    kind: Kind
    key: str
    cell: int
    assignee: str
    remark: str = ""

    @property
    def occasion(self) -> str:
        return f"{self.key}:sprint-{running_of(self.cell)}"

    def called(self) -> Counter[str]:
        """The keys of the comments and messages that it calls for, each once."""
        match self.kind:
            case "review":
                ask = f"missing-reviewer:{self.occasion}"
                return Counter([ask, *([f"{ask}:notify:@{FIRE}"] if self.cell == 0 else [])])
            case "late":
                ask = f"task-insertion:{self.occasion}"
                return Counter([ask, f"{ask}:notify:@{manager_of(self.cell)}"])
            case "asks":
                return Counter([f"answers:{self.key}:remark-{self.remark}"])
            case _:
                return Counter()

    def allowed(self, key: str) -> bool:
        """Whether it may have led to this, depending on who was faster."""
        match self.kind:
            case "reviewed":
                return key.startswith(f"missing-reviewer:{self.occasion}")
            case "accepted":
                return key.startswith((f"task-insertion:{self.occasion}", f"answers:{self.key}:remark-"))
            case _:
                return key in self.called()

    @property
    def sprint(self) -> int:
        """In which sprint the ticket is in the end."""
        return stretch_of(self.cell) if self.kind == "late" else running_of(self.cell)

    def moves(self, count: int) -> bool:
        """Whether Crafty may have moved the ticket that often."""
        return count == 1 if self.kind == "late" else count in {0, 2} if self.kind == "accepted" else count == 0


def stories(chance: Random, deliveries: int) -> Iterator[Story]:
    """As many as it takes; the cells take turns."""
    kinds, number, left = [kind for kind, share in _SHARES.items() for _ in range(share)], 0, deliveries
    while left > 0:
        kind, cell = kinds[number * 7 % len(kinds)], number % CELLS
        yield Story(kind, f"{project_of(cell)}-{number + 1}", cell, f"hand-{cell}-{chance.randrange(HANDS)}")
        number, left = number + 1, left - _DELIVERIES[kind]
