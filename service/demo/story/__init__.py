"""The story of a two-week sprint: what people do, what Crafty makes of it, and whether all of that was seen."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from service.demo._faults import Weather
from service.demo._jira_site import Flavour
from service.demo.stage import CALM, Stage, stage
from service.demo.story.expected import compare
from service.demo.story.scenes import PARIS, SCENES, START, Scene, set_the_scene
from service.demo.story.seen import look_back
from service.demo.timeline import Timeline

CONFIG: Final = Path(__file__).parents[1] / "crafty.toml"
PACE_SECONDS: Final = 1.0
PATIENCE: Final = timedelta(minutes=45)


async def tell(*, once: bool, flavour: Flavour = "cloud", weather: Mapping[str, Weather] = CALM) -> int:
    """Plays the story; 0 if every expected effect was seen, else 1. Without `once` it serves on until Ctrl-C.

    weather: of each vendor that fails at times; what is expected may then come up to PATIENCE later, or a little
    earlier, where a sweep was later and found it first.
    """
    async with stage(START, CONFIG, flavour, prepare=set_the_scene, weather=weather) as on_stage:
        timeline = Timeline(on_stage, PARIS)
        timeline.open()
        for scene in SCENES:
            await _play(scene, on_stage, timeline)
        patience = PATIENCE if weather else timedelta(0)
        timeline.tell_of_the_weather(weather)
        missed = timeline.close(compare(await look_back(on_stage, PARIS, patience)))
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
