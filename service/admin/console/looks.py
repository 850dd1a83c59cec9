"""How pages are made: the templates with what they may use, and the files they refer to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.facts import Team
from service.values import format_duration

_KINDS: Final = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_ASSETS: Final = {name: (files(__package__) / "static" / name).read_bytes() for name in _KINDS}
_PLACES: Final = (
    ("/console", "Overview"),
    ("/console/rules", "Rules"),
    ("/console/decisions", "Decisions"),
    ("/console/deliveries", "Deliveries"),
    ("/console/jobs", "Jobs"),
    ("/console/sprints", "Sprints"),
    ("/console/spillovers", "Spillovers"),
    ("/console/acknowledgements", "Answers"),
    ("/console/audit", "Audit"),
)


class Looks:
    """Renders pages. Words from outside are escaped in all of them; instants are shown in one zone."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._env = _environment(zone)

    def render(self, template: str, title: str, path: str, values: Mapping[str, Any]) -> str:
        """The page's HTML. path: the address it is shown at."""
        return self._env.get_template(template).render(title=title, here=_place_of(path), **values)


@cache
def _environment(zone: ZoneInfo) -> Environment:
    """Kept, because it keeps the templates that it has read."""
    env = Environment(
        loader=PackageLoader("service.admin.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals.update(places=_PLACES, zone=zone.key, asset=_asset)
    env.filters.update(
        moment=lambda at: _moment(at, zone), span=format_duration, pretty=_pretty, segment=_segment, code=_code
    )
    return env


def zone_of(team: Team) -> ZoneInfo:
    """The zone that the console shows instants in: the first cell's."""
    return team.cells[0].calendar.zone if team.cells else ZoneInfo("UTC")


def asset_route() -> Route:
    """Serves the style sheet, the script and the icon to everybody."""

    async def endpoint(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _ASSETS:
            return Response("There is no such file.", 404, media_type="text/plain")
        headers = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
        return Response(_ASSETS[name], headers=headers, media_type=_KINDS[name])

    return Route("/console/static/{name}", endpoint, methods=["GET"])


def _asset(name: str) -> str:
    """Its address, which changes with its content, so that browsers may keep it for good."""
    return f"/console/static/{name}?v={hashlib.sha256(_ASSETS[name]).hexdigest()[:12]}"


def _place_of(path: str) -> str:
    """The address in the navigation that a page belongs to."""
    if path.startswith("/console/subjects"):
        return "/console/decisions"
    return max((place for place, _ in _PLACES if path == place or path.startswith(f"{place}/")), key=len, default="")


def _moment(at: datetime, zone: ZoneInfo) -> Markup:
    local = at.astimezone(zone)
    words = f"{local:%a} {local.day} {local:%b %Y, %H:%M}"
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(timespec="seconds"), words)


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=_shown)


def _shown(value: Any) -> str:
    return format_duration(value) if isinstance(value, timedelta) else str(value)


def _code(text: str) -> Markup:
    """The text with what stands between backticks as code."""
    parts = text.split("`")
    return Markup().join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    )


def _segment(text: str) -> str:
    """A text as one part of an address, whatever is in it."""
    return quote(text, safe=":")
