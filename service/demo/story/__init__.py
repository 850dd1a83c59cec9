"""The story of a two-week sprint: what people do, what Crafty makes of it, and whether all of that was seen."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final

from service.demo._jira_site import Flavour
from service.demo.stage import Stage, stage
from service.demo.story.expected import compare
from service.demo.story.scenes import PARIS, SCENES, START, Scene, set_the_scene
from service.demo.story.seen import look_back
from service.demo.timeline import Timeline

CONFIG: Final = Path(__file__).parents[1] / "crafty.toml"
PACE_SECONDS: Final = 1.0


async def tell(*, once: bool, flavour: Flavour = "cloud") -> int:
    """Plays the story; 0 if every expected effect was seen, else 1. Without `once` it serves on until Ctrl-C."""
    async with stage(START, CONFIG, flavour, prepare=set_the_scene) as on_stage:
        timeline = Timeline(on_stage, PARIS)
        timeline.open()
        for scene in SCENES:
            await _play(scene, on_stage, timeline)
        missed = timeline.close(compare(await look_back(on_stage, PARIS)))
        if not once:
            await timeline.stay_open()
        return int(bool(missed))


async def _play(scene: Scene, on_stage: Stage, timeline: Timeline) -> None:
    async for _ in on_stage.moments(scene.at):
        await timeline.tell_what_crafty_did()
    timeline.tell_what_happens(scene.at, scene.tell, scene.point)
    await scene.happen(on_stage)
    await on_stage.settled()
    await timeline.tell_what_crafty_did()
    if sys.stdout.isatty():
        await asyncio.sleep(PACE_SECONDS)
