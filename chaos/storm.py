"""Processes are killed at random moments."""

from __future__ import annotations

import asyncio
import time
from random import Random
from typing import Final

from chaos.house import House, Role
from chaos.report import Found

_TURNS: Final[tuple[Role, ...]] = ("redis", "api", "worker", "api", "worker")


async def storm(kills: int, seconds: float, house: House, chance: Random) -> Found:
    """Kills one process after the other, at moments that chance draws; how many were killed, by role."""
    moments = sorted(chance.uniform(0, seconds) for _ in range(kills))
    roles: list[Role] = [_TURNS[number % len(_TURNS)] for number in range(kills)]
    chance.shuffle(roles)
    began = time.monotonic()
    for at, role in zip(moments, roles, strict=True):
        await asyncio.sleep(max(0.0, began + at - time.monotonic()))
        chance.choice([victim for victim in house.victims if victim.role == role]).kill()
    kinds = sorted(set(_TURNS))
    killed = {f"kills: {kind}": sum(len(one.kills) for one in house.victims if one.role == kind) for kind in kinds}
    return Found(killed, {})
