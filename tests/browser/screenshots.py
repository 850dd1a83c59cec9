"""`make screenshots`: plays the demo's story and takes a picture of every page of the console, wide and narrow."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Page

from service import log
from service.demo.stage import TOKEN, Stage, stage
from service.demo.story import CONFIG
from service.demo.story.scenes import SCENES, START, set_the_scene
from tests.browser.chromium import chromium, log_in

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"
WIDTHS: Final = {"wide": 1280, "narrow": 390}
HEIGHT: Final = 800
"""What lies below is cut off: the pictures show how pages look, not all that is on them."""

PAGES: Final = {
    "overview": "",
    "rules": "/rules",
    "rule": "/rules/green-ticket",
    "decisions": "/decisions",
    "why": "/subjects/SE-106",
    "deliveries": "/deliveries",
    "jobs": "/jobs?state=deferred",
    "sprints": "/sprints",
    "spillovers": "/spillovers",
    "acknowledgements": "/acknowledgements",
    "audit": "/audit",
}
LAST_OF: Final = {"delivery": "/deliveries", "job": "/jobs?state=deferred"}
"""Pages that are reached by the last row of another one."""


async def main() -> None:
    """Overwrites the pictures that docs/console.md shows."""
    log.configure("console", "ERROR")
    IMAGES.mkdir(parents=True, exist_ok=True)
    async with stage(START, CONFIG, prepare=set_the_scene) as on_stage, chromium() as browser:
        await _play(on_stage)
        await _change_something(browser, f"{on_stage.url}/console")
        for name, width in WIDTHS.items():
            page = await _visitor(browser, on_stage.url, width)
            await _take_all(page, f"{on_stage.url}/console", name)


async def _play(on_stage: Stage) -> None:
    for scene in SCENES:
        async for _ in on_stage.moments(scene.at):
            pass
        await scene.happen(on_stage)
        await on_stage.settled()


async def _visitor(browser: Browser, url: str, width: int) -> Page:
    page = await browser.new_page(viewport={"width": width, "height": HEIGHT}, color_scheme="light")
    await page.goto(f"{url}/console")
    await page.screenshot(path=IMAGES / f"login-{'wide' if width > 1000 else 'narrow'}.png")
    await log_in(page, url, TOKEN)
    return page


async def _change_something(browser: Browser, console: str) -> None:
    """So that the audit log has something to show."""
    page = await browser.new_page()
    await log_in(page, console.removesuffix("/console"), TOKEN)
    await page.goto(f"{console}/rules")
    await page.get_by_role("group", name="Mode of community-ack").get_by_role("button", name="dry-run").click()
    await page.goto(f"{console}/rules/green-ticket")
    await page.get_by_label("Reminder lead").fill("36h")
    await page.get_by_role("button", name="Save").click()


async def _take_all(page: Page, console: str, name: str) -> None:
    for what, address in PAGES.items():
        await page.goto(f"{console}{address}")
        await page.screenshot(path=IMAGES / f"{what}-{name}.png")
    for what, address in LAST_OF.items():
        await page.goto(f"{console}{address}")
        await page.locator("tbody th a").last.click()
        await page.screenshot(path=IMAGES / f"{what}-{name}.png")
    await _take_the_mistake(page, console, name)


async def _take_the_mistake(page: Page, console: str, name: str) -> None:
    await page.goto(f"{console}/rules/green-ticket")
    await page.get_by_label("Reminder lead").fill("soon")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("link", name="Reminder lead").click()
    await page.screenshot(path=IMAGES / f"mistake-{name}.png")


if __name__ == "__main__":
    asyncio.run(main())
