"""A browser without JavaScript: it keeps cookies, and posts forms with what their page has put into them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape

import httpx

from tests.admin.calling import ADMIN


@dataclass
class Visitor:
    """Somebody at the console. page: the answer that they saw last."""

    http: httpx.AsyncClient
    page: httpx.Response | None = None

    async def open(self, path: str) -> httpx.Response:
        """Goes to a page under /console, wherever that leads."""
        self.page = await self.http.get(f"/console{path}", follow_redirects=True)
        return self.page

    async def send(self, path: str, **fields: str) -> httpx.Response:
        """Posts a form of the page seen last, and goes where that leads."""
        form = {"form_token": self.form_token, **fields}
        self.page = await self.http.post(f"/console{path}", data=form, follow_redirects=True)
        return self.page

    async def log_in(self, token: str = ADMIN, following: str = "/console") -> httpx.Response:
        """Logs in and goes to that address."""
        await self.open("/login")
        return await self.send("/login", token=token, next=following)

    @property
    def form_token(self) -> str:
        """What the forms of the page carry; "" where it has none."""
        found = re.search(r'name="form_token" value="([^"]+)"', self.html)
        return found[1] if found else ""

    @property
    def html(self) -> str:
        return self.page.text if self.page else ""

    @property
    def words(self) -> str:
        """The page as it reads."""
        return " ".join(unescape(re.sub("<[^>]+>", " ", self.html)).split())

    def value_of(self, name: str) -> str:
        """What a hidden field of the page holds."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.html)
        assert found, f"the page has no field {name}"
        return unescape(found[1])
