"""What Crafty's Redis holds after a scenario."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from service.clock import Clock
from service.consistency import examine
from service.ledger import PREFIX, Delivery, Ledger

_BATCH: Final = 500


@dataclass
class Stored:
    """What Redis holds. decided: the ids of deliveries that are on the timeline; inconsistent: as lines."""

    records: dict[str, Delivery] = field(default_factory=dict)
    decided: set[str] = field(default_factory=set)
    dead_letters: list[str] = field(default_factory=list)
    inconsistent: list[str] = field(default_factory=list)

    @property
    def undecided(self) -> list[str]:
        """The ids of the deliveries that nothing was decided on."""
        return [name for name, one in self.records.items() if one.subject and name not in self.decided]

    @property
    def cases(self) -> dict[str, list[str]]:
        """By promise, each case in which what is stored breaks it."""
        return {"undecided": self.undecided, "dead letters": self.dead_letters, "inconsistent": self.inconsistent}


async def read_all(redis: Any, clock: Clock) -> Stored:
    """All of it, by the scenario's clock."""
    letters = [key.decode() for key in await redis.zrange(f"{PREFIX}failed", 0, -1)]
    inconsistent = [f"{one.kind} {one.about}: {one.what}" for one in await examine(redis, clock)]
    stored = Stored(dead_letters=letters, inconsistent=inconsistent)
    ledger = Ledger(redis)
    rows = await redis.xrange(f"{PREFIX}timeline")
    for start in range(0, len(rows), _BATCH):
        told = await ledger.told_in(rows[start : start + _BATCH], subject=None)
        stored.decided |= {entry.delivery for _, entry in told if entry.delivery}
    for name in await redis.zrange(f"{PREFIX}deliveries", 0, -1):
        found = await ledger.delivery(name.decode())
        if found:
            stored.records[name.decode()] = found[0]
    return stored
