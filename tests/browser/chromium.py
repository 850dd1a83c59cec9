"""Debian's Chromium, as these tests and the screenshots use it."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pytest
from playwright.async_api import Browser, Page, async_playwright

PROGRAM: Final = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
IS_NEEDED: Final = os.environ.get("NEEDS_BROWSER") == "1"
_QUIET: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

needs_chromium = pytest.mark.skipif(
    PROGRAM is None and not IS_NEEDED, reason="no Chromium is installed; Debian's package is called chromium"
)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A headless Chromium of its own, without any network but this machine's."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=PROGRAM, args=list(_QUIET))
        try:
            yield browser
        finally:
            await browser.close()


async def log_in(page: Page, url: str, token: str) -> None:
    """Logs in at the console of the service at `url`; the overview is shown then."""
    await page.goto(f"{url}/console")
    await page.get_by_label("Your token").fill(token)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url(f"{url}/console")
