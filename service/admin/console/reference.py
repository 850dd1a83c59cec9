"""`/docs`: the API's own document as a page for people. Nothing in it comes from another host, and no script runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.admin.console.looks import Looks

PATH = "/docs"


@dataclass(frozen=True)
class Call:
    """One call. takes: the schema of its body; example: an answer to it; both None where there is none."""

    method: str
    path: str
    summary: str
    about: str
    parameters: tuple[Mapping[str, Any], ...]
    takes: Any
    example: Any
    answers: Mapping[str, str]


def reference_route(looks: Looks, headers: Mapping[str, str]) -> Route:
    """The page, for everybody. headers: what every page is sent with."""

    async def endpoint(request: Request) -> Response:
        document = request.app.openapi()
        values = {
            "calls": list(calls_of(document)),
            "about": document["info"]["description"],
            "visitor": None,
            "word": "",
        }
        html = looks.render("reference.html", "API", PATH, values)
        return Response(html, headers=dict(headers), media_type="text/html")

    return Route(PATH, endpoint, methods=["GET"])


def calls_of(document: Mapping[str, Any]) -> Iterator[Call]:
    """Every call that an OpenAPI document describes, in its order."""
    for path, operations in document["paths"].items():
        for method, told in operations.items():
            yield Call(
                method=method.upper(),
                path=path,
                summary=told.get("summary", ""),
                about=told.get("description", ""),
                parameters=tuple(told.get("parameters", ())),
                takes=_resolved(document, _json(told.get("requestBody", {})).get("schema")),
                example=_example(told),
                answers={status: answer["description"] for status, answer in told["responses"].items()},
            )


def _json(part: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = part.get("content", {}).get("application/json", {})
    return found


def _example(told: Mapping[str, Any]) -> Any:
    """What the call answers when all is well."""
    well = (answer for status, answer in told["responses"].items() if status.startswith("2"))
    return next((_json(answer)["example"] for answer in well if "example" in _json(answer)), None)


def _resolved(document: Mapping[str, Any], schema: Any) -> Any:
    """A schema, with the named one that it refers to in its place."""
    name = schema.get("$ref", "").rpartition("/")[2] if schema else ""
    return document["components"]["schemas"][name] if name else schema
