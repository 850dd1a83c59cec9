"""The console in a real browser: an admin's walk, with and without JavaScript, and whether everybody can use it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped] # it has no types
from playwright.async_api import Browser, Page, expect

from service.commitments import Commitment
from service.contributions import Acknowledgement
from service.demo.stage import TOKEN, Stage, stage
from service.demo.story import CONFIG
from service.demo.story.scenes import START, set_the_scene
from tests.browser.chromium import chromium, log_in, needs_chromium

pytestmark = needs_chromium
expect.set_options(timeout=60_000)

PAGES: Final = [
    *("", "/rules", "/rules/community-ack", "/rules/green-ticket?cell=Serenity", "/decisions", "/decisions?subject=X"),
    *(
        "/subjects/SE-102",
        "/subjects/SE-999",
        "/deliveries",
        "/jobs",
        "/jobs?state=deferred",
        "/sprints",
        "/spillovers",
    ),
    *("/acknowledgements", "/audit", "/nowhere"),
]
ONE_OF: Final = ["/deliveries", "/jobs?state=deferred"]
"""Lists whose last row leads to a page of its own."""

NARROW: Final = 320
"""The width at which a page must still not scroll sideways (WCAG 2.1, 1.4.10)."""


@pytest.fixture
async def on_stage() -> AsyncIterator[Stage]:
    """The whole service between its stand-ins, at the start of a sprint."""
    async with stage(START, CONFIG, prepare=set_the_scene) as everything:
        await everything.settled()
        yield everything


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as one:
        yield one


async def need_review(on_stage: Stage, ticket: str) -> None:
    """Jira sends a signed webhook: a ticket waits for review, and nobody reviews it."""
    await on_stage.jira.transition(ticket, "acc-ann", "Need Review")
    await on_stage.settled()


async def set_mode(page: Page, mode: str) -> None:
    """Two clicks from any page: Rules, then the mode."""
    await page.get_by_role("navigation", name="Pages").get_by_role("link", name="Rules").click()
    modes = page.get_by_role("group", name="Mode of missing-reviewer")
    await modes.get_by_role("button", name=mode, exact=True).click()
    await expect(page.get_by_role("status")).to_contain_text(f"missing-reviewer is {mode} now")
    await expect(modes.get_by_role("button", name=mode, exact=True)).to_have_attribute("aria-pressed", "true")


async def ask_why(page: Page, ticket: str) -> None:
    """From any page: looks a ticket up."""
    await page.get_by_role("link", name="Crafty", exact=True).click()
    await page.get_by_label("Why did Crafty do something, or not?").fill(ticket)
    await page.get_by_role("button", name="Look it up").click()
    await page.get_by_role("main").get_by_role("link", name=ticket).first.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(ticket)


@pytest.mark.parametrize("has_javascript", [True, False], ids=["with JavaScript", "without JavaScript"])
async def test_an_admin_turns_a_rule_off_sees_why_it_is_silent_and_is_told_of_a_wrong_value(
    on_stage: Stage, browser: Browser, has_javascript: bool
) -> None:
    context = await browser.new_context(java_script_enabled=has_javascript, viewport={"width": NARROW, "height": 740})
    page = await context.new_page()
    page.set_default_timeout(60_000)
    await log_in(page, on_stage.url, TOKEN)

    await set_mode(page, "off")
    await need_review(on_stage, "SE-102")
    await ask_why(page, "SE-102")
    card = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="missing-reviewer"))
    await expect(card).to_contain_text("the rule is off")
    assert on_stage.jira.comments("SE-102") == []

    await set_mode(page, "on")
    await on_stage.settled()
    await need_review(on_stage, "SE-103")
    async for _ in on_stage.moments(on_stage.clock.now + timedelta(minutes=10)):
        pass
    await ask_why(page, "SE-103")
    await expect(page.get_by_role("link", name="See the comment").first).to_be_visible()

    await page.get_by_role("link", name="missing-reviewer").first.click()
    grace = page.get_by_label("Grace")
    await grace.fill("soon")
    await page.get_by_role("button", name="Save").click()
    await expect(grace).to_have_value("soon")
    await expect(grace).to_have_attribute("aria-invalid", "true")
    await expect(grace).to_have_accessible_description(re.compile("Write the time with its units"))
    await grace.fill("36h")
    await grace.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("Saved: grace.")
    await page.get_by_role("button", name="Back to 24h").click()
    await expect(page.get_by_label("Grace")).to_have_value("24h")


async def test_the_keyboard_is_enough(on_stage: Stage, browser: Browser) -> None:
    page = await browser.new_page()
    await page.goto(f"{on_stage.url}/console/rules")
    await page.get_by_label("Your token").focus()
    await page.keyboard.type(TOKEN)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{on_stage.url}/console/rules")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    for _ in range(4):
        await page.keyboard.press("Tab")
    off = page.get_by_role("group", name="Mode of answers").get_by_role("button", name="off")
    await expect(off).to_be_focused()
    assert await off.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("answers is off now")


async def test_everybody_can_use_every_page_in_light_and_dark(on_stage: Stage, browser: Browser) -> None:
    await fill(on_stage)
    page = await browser.new_page(viewport={"width": NARROW, "height": 740}, reduced_motion="reduce")
    page.set_default_timeout(60_000)
    await page.goto(f"{on_stage.url}/console")
    found = await hindrances(page)
    await log_in(page, on_stage.url, TOKEN)
    for address in PAGES:
        await page.goto(f"{on_stage.url}/console{address}")
        found += await hindrances(page)
    for address in ONE_OF:
        await page.goto(f"{on_stage.url}/console{address}")
        await page.locator("tbody th a").last.click()
        found += await hindrances(page)
    await page.goto(f"{on_stage.url}/console/rules/green-ticket")
    await page.get_by_label("Reminder lead").fill("soon")
    await page.get_by_role("button", name="Save").click()
    found += await hindrances(page)
    assert found == []


async def fill(on_stage: Stage) -> None:
    """Something to be seen on every page."""
    await need_review(on_stage, "SE-102")
    now = on_stage.clock.now
    spilled = Commitment(
        ticket="SE-90",
        summary="A summary",
        url="",
        cell="Serenity",
        sprint=40,
        sprint_name="Sprint 40",
        closed_at=now,
        status="In Progress",
        is_spillover=True,
        assignee="Ann",
    )
    answered = Acknowledgement(
        contribution="topic:1", cell="Serenity", title="A question", url="", waiting_since=now, answered_at=now
    )
    for line in (spilled, answered):
        await on_stage.ledger.keep_line(line)


async def hindrances(page: Page) -> list[str]:
    """What keeps people from using the page, of what axe calls serious or critical, or a page that scrolls sideways."""
    await page.emulate_media(color_scheme="light")
    answers = [await Axe().run(page)]
    await page.emulate_media(color_scheme="dark")
    answers.append(await Axe().run(page, options={"runOnly": ["color-contrast"]}))
    found = [
        f"{page.url}: {one['id']}: {node['html']}"
        for answer in answers
        for one in answer.response["violations"]
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]
    width = await page.evaluate("document.documentElement.scrollWidth")
    return found if width <= NARROW else [*found, f"{page.url}: {width} wide"]


async def test_what_keeps_people_from_using_a_page_is_noticed(browser: Browser) -> None:
    page = await browser.new_page(viewport={"width": NARROW, "height": 740}, reduced_motion="reduce")
    await page.set_content(
        "<html lang=en><title>A</title><style>p { color: #bbb; width: 900px }</style><p>Faint<input>"
    )
    found = " ".join(await hindrances(page))
    assert all(name in found for name in ("color-contrast", "label", "wide"))
