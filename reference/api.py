"""The page of all calls: what each takes and answers, from the service's own OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from reference._markdown import code, joined, kind, table, whole_page
from service.admin.console.reference import Call, calls_of
from service.app import create_app
from service.clock import utc_now
from service.engine import rulebook
from service.roster import team_from
from service.settings import Settings

_ABOUT: Final = """\
What the service itself shows at `/docs`, and gives to programs at `/openapi.json`. How to use it:
[the API of admins](../api.md). Webhooks and every kind of error: [errors](../errors.md).
"""


def page() -> str:
    """The whole page."""
    told = document()
    calls = (_section(one, told["components"]["schemas"]) for one in calls_of(told))
    return whole_page("Calls", _ABOUT, told["info"]["description"], *calls)


def document() -> Mapping[str, Any]:
    """The OpenAPI document of a service that is not connected to anything."""
    settings = Settings()
    team, book = team_from(settings.config), rulebook(settings.config)
    return create_app(settings, "unix:///nowhere/redis.sock", team, book, utc_now).openapi()


def _section(call: Call, definitions: Mapping[str, Any]) -> str:
    return joined(
        f"## {call.method} {call.path}",
        f"**{call.summary}.** {call.about}",
        _parameters(call, definitions),
        _body(call, definitions),
        table(("answer", "when"), ((code(status), when) for status, when in call.answers.items())),
        f"```json\n{json.dumps(call.example, indent=2, ensure_ascii=False)}\n```" if call.example else "",
    )


def _parameters(call: Call, definitions: Mapping[str, Any]) -> str:
    rows = [
        (
            code(one["name"]),
            one["in"] + ("" if one.get("required") else ", optional"),
            kind(one["schema"], definitions),
            one.get("description", ""),
        )
        for one in call.parameters
    ]
    return table(("parameter", "where", "takes", "meaning"), rows) if rows else ""


def _body(call: Call, definitions: Mapping[str, Any]) -> str:
    if not call.takes or "properties" not in call.takes:
        return ""
    needed = call.takes.get("required", ())
    rows = (
        (
            code(key),
            "body" if key in needed else "body, optional",
            kind(value, definitions),
            value.get("description", ""),
        )
        for key, value in call.takes["properties"].items()
    )
    return table(("key", "where", "takes", "meaning"), rows)
