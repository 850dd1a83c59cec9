"""What has to be seen once the story is over, each effect of each rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from service.commitments import Commitment
from service.contributions import Acknowledgement
from service.demo.stage import Stage


@dataclass(frozen=True)
class Seen:
    """The stage after the story, with what is kept in the store."""

    stage: Stage
    commitments: dict[str, Commitment]
    acknowledgements: dict[str, Acknowledgement]
    dead_letters: list[str]


async def look_back(on_stage: Stage) -> Seen:
    lines, answers = await on_stage.ledger.all_commitments(), await on_stage.ledger.acknowledgements()
    return Seen(
        on_stage,
        {line.ticket: line for line in lines},
        {one.contribution: one for one in answers},
        await on_stage.dead_letters(),
    )


Check = Callable[[Seen], bool]
EXPECTED: Final[tuple[tuple[str, Check], ...]] = ()
