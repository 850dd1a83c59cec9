"""The JSON API under /api/v1, whole: what to call, what it takes, and what it answers."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Depends, FastAPI
from fastapi.openapi.utils import get_openapi

from service.admin.api import decisions, deliveries, jobs, ledgers, rules, simulate, sprints
from service.admin.api.calls import Problem, bearer

ABOUT: Final = """\
Every call needs a token: `Authorization: Bearer <token>`. Viewers may GET, admins may change.
Lists come in pages: `next` is the `cursor` of the page that follows, null on the last one.
Errors are problems of RFC 9457; what is wrong with each value stands in `errors`.
"""


def api_router() -> APIRouter:
    """Every call; the application's state holds the office that answers them."""
    router = APIRouter(prefix="/api/v1", dependencies=[Depends(bearer)])
    for part in (rules, decisions, deliveries, jobs, simulate, sprints, ledgers):
        router.include_router(part.router)
    return router


def described(app: FastAPI) -> dict[str, Any]:
    """The application's OpenAPI document, made once."""
    if app.openapi_schema is None:
        app.openapi_schema = get_openapi(
            title=app.title, version=app.version, summary=app.summary, description=ABOUT, routes=app.routes
        )
        app.openapi_schema["components"]["schemas"]["Problem"] = _flat(Problem.model_json_schema())
    return app.openapi_schema


def _flat(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with its only definition in its place."""
    schema["properties"]["errors"]["items"] = schema.pop("$defs")["Wrong"]
    return schema
