"""What several calls answer with, and how long lists are cut into pages."""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

import msgspec
from fastapi import Query
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)

from service import engine
from service.actions import Action
from service.admin.api.calls import WrongCallError
from service.calendar import is_reckonable
from service.tuning import Mistake

T = TypeVar("T")

_POSITION: Final = re.compile(r"[0-9]{1,9}")

_WRITTEN: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ].+")

Mode = Literal["on", "dry-run", "off"]
Outcome = Literal["act", "wait", "pass"]


def or_blank(**schema: Any) -> WithJsonSchema:
    """What the document tells of a value of the query that may be left blank, which is the same as left out."""
    return WithJsonSchema({"anyOf": [schema, {"const": ""}]})


def _instant(value: object, read: ValidatorFunctionWrapHandler) -> datetime:
    try:
        at: datetime | None = read(value) if isinstance(value, str) and _WRITTEN.fullmatch(value) else None
    except ValidationError:
        at = None
    if at is None or not is_reckonable(at):
        raise ValueError(
            "should be a moment with its offset, in the years 1901 to 2198, such as 2026-11-13T10:00:00Z; "
            "in an address, + is written %2B"
        )
    return at


Instant = Annotated[
    AwareDatetime,
    WrapValidator(_instant),
    Field(
        description="A moment in ISO 8601 with its offset, in the years 1901 to 2198.",
        examples=["2026-11-13T10:00:00Z"],
    ),
]
Cursor = Annotated[
    str | None, Query(description="Where the page begins: the `next` of the page before; none begins at the start.")
]
Limit = Annotated[
    int,
    Query(ge=1, le=200, description="How many items a page has at most."),
    or_blank(type="integer", minimum=1, maximum=200),
]


class Shape(BaseModel):
    """An object of the API."""

    model_config = ConfigDict(frozen=True)


class Page(Shape, Generic[T]):
    """A part of a list."""

    items: list[T]
    next: str | None = Field(None, description="The `cursor` of the page that follows; null on the last one.")


class ActionShape(Shape):
    """Something that a rule wants done; each kind has more keys of its own."""

    model_config = ConfigDict(extra="allow")

    kind: str
    target: str = Field(description="The ticket's key, topic, person or channel that it acts on.")


class Verdict(Shape):
    """What one rule concluded."""

    rule: str
    mode: Mode
    outcome: Outcome
    reason: str
    facts: dict[str, Any] = Field(description="What the rule knew of the subject and used.")
    actions: list[ActionShape]


def verdict_of(decision: engine.Decision) -> dict[str, Any]:
    """The keys of a Verdict."""
    return {
        "rule": decision.rule,
        "mode": decision.mode,
        "outcome": decision.outcome,
        "reason": decision.reason,
        "facts": decision.facts,
        "actions": [action_of(action) for action in decision.actions],
    }


def action_of(action: Action) -> ActionShape:
    """An action with all of its keys, as JSON values."""
    return ActionShape(**msgspec.to_builtins(action), target=action.target)


def cursor_to(position: str) -> str:
    """A position as callers are shown it."""
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def position_at(cursor: str, form: re.Pattern[str]) -> re.Match[str]:
    """The position that a cursor stands for; raises WrongCallError for one that we did not give out."""
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode("ascii")
    except ValueError:
        text = ""
    found = form.fullmatch(text)
    if found is None:
        raise WrongCallError(Mistake("cursor", "should be the `next` of an earlier page; leave it out to begin anew"))
    return found


async def read_page(
    read: Callable[[int, int], Awaitable[Sequence[T]]], cursor: str | None, limit: int
) -> tuple[Sequence[T], str | None]:
    """A page of what `read` gives from a position on, up to so many, and the cursor of the page that follows."""
    first = int(position_at(cursor, _POSITION)[0]) if cursor else 0
    found = await read(first, limit + 1)
    return found[:limit], cursor_to(str(first + limit)) if len(found) > limit else None


def cut_page(lines: Sequence[T], cursor: str | None, limit: int) -> tuple[Sequence[T], str | None]:
    """The same of a list that is at hand whole."""
    first = int(position_at(cursor, _POSITION)[0]) if cursor else 0
    return lines[first : first + limit], cursor_to(str(first + limit)) if len(lines) > first + limit else None
