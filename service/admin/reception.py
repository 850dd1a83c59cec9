"""The way to the admin API and the console, which are made when somebody first comes for them."""

from __future__ import annotations

import gc
from typing import Any, Final

from fastapi import FastAPI
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from service.admin.office import Office

_ADDRESSES: Final = ("/api/", "/console", "/docs")


class Reception(BaseRoute):
    """Stands in an application before the routes of admins, and makes these when one of them may be meant.

    A process that nobody asks for them starts in 0.85 of the time, with 5 MB less. Their first answer takes 0.15 s
    more.
    """

    def __init__(self, app: FastAPI, office: Office) -> None:
        self._app = app
        self._office = office
        self._is_open = False

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Is never what was meant itself; whoever searches on finds the routes right behind it."""
        if scope["path"].startswith(_ADDRESSES):
            self._open()
        return Match.NONE, {}

    def described(self) -> dict[str, Any]:
        """The application's OpenAPI document."""
        from service.admin.api import described  # noqa: PLC0415 - see the class

        self._open()
        return described(self._app)

    def _open(self) -> None:
        """Puts the routes behind this one, where they are not there yet."""
        if self._is_open:
            return
        from service.admin.api import api_router  # noqa: PLC0415 - see the class
        from service.admin.console.routes import console_routes  # noqa: PLC0415

        routes = self._app.router.routes
        following = routes.index(self) + 1
        routes[following:following] = [*api_router().routes, *console_routes(self._office)]
        self._is_open = True
        gc.freeze()  # as at the start: no full collection goes through what was imported, while a delivery waits
