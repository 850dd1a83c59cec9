"""`/rules`: how each rule is set, and setting it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from service.admin.api.calls import BODY, CHANGES, Guarded, OfficeHere, VisitorHere, answers
from service.admin.api.shapes import Mode, Page, Shape
from service.steering import RuleSettings, StaleError

router: Final = APIRouter(tags=["rules"], route_class=Guarded)

_ETAG: Final = {"ETag": {"description": "Changes with the settings.", "schema": {"type": "string"}}}
_SET: Final = {"mode": "on", "settle": "2m", "params": {"reminder_lead": "24h", "push_unassigned": False}}
_EXAMPLE: Final = {
    "name": "green-ticket",
    "title": "Green ticket",
    "summary": "A ticket of the next sprint is ready in time: it has an estimate, an assignee and a reviewer.",
    "doc": "A ticket of the next sprint is ready in time. …",
    **_SET,
    "params_schema": {
        "type": "object",
        "properties": {"push_unassigned": {"type": "boolean", "default": False, "description": "Whether …"}},
    },
    "configured": _SET,
    "cells": {"Serenity": {**_SET, "mode": "dry-run"}},
    "counts": {"outcomes": {"act": 3, "wait": 12, "pass": 80}, "effects": {"done": 3}},
}


Name = Annotated[str, Path(description="The rule's name.", examples=["green-ticket"])]


class SettingsShape(Shape):
    """How a rule is set."""

    mode: Mode
    settle: str = Field(description="How long after the last change it looks, such as 2m.")
    params: dict[str, Any]


class Counts(Shape):
    """How often each thing happened in the last 24 hours; what never did is left out."""

    outcomes: dict[str, int] = Field(description="By outcome: act, wait, pass.")
    effects: dict[str, int] = Field(description="By result: done, skipped, held, failed, would have.")


class RuleShape(SettingsShape):
    """A rule, and how it is set where a cell has nothing of its own."""

    name: str
    title: str
    summary: str
    doc: str
    params_schema: dict[str, Any] = Field(description="The JSON Schema of `params`.")
    configured: SettingsShape = Field(description="How crafty.toml sets it.")
    cells: dict[str, SettingsShape] = Field(description="How the cells have it that differ, by name.")
    counts: Counts


class Wish(BaseModel):
    """What is to be set; what is left out stays as it is, and null goes back to what crafty.toml says."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"mode": "off"},
                {"mode": "dry-run", "cell": "Serenity"},
                {"params": {"reminder_lead": "48h"}, "settle": None},
            ]
        },
    )

    mode: Mode | None = None
    settle: str | None = Field(None, description="How long after the last change it looks, such as 2m.")
    params: dict[str, Any] | None = Field(
        None, description="By name; `params_schema` of the rule tells what they take."
    )
    cell: str = Field("", description="Only in this cell; without one, in all that have nothing of their own.")


@router.get(
    "/rules",
    summary="How every rule is set",
    responses=answers(example={"items": [_EXAMPLE], "next": None}, headers=_ETAG),
)
async def rules(office: OfficeHere, response: Response) -> Page[RuleShape]:
    """All rules by name, in one page. The `ETag` changes with any setting of any of them."""
    found = await office.steering.rules()
    counts = await office.ledger.counts(office.clock())
    response.headers["ETag"] = _tag(hashlib.sha256("".join(one.etag for one in found).encode()).hexdigest()[:16])
    return Page(items=[_shown(one, counts) for one in found])


@router.get("/rules/{name}", summary="How one rule is set", responses=answers(404, example=_EXAMPLE, headers=_ETAG))
async def rule(name: Name, office: OfficeHere, response: Response) -> RuleShape:
    """The rule with its parameters and their schema. Send the `ETag` as `If-Match` to change what you saw."""
    return await _answered(await office.steering.rule(name), office, response)


@router.patch(
    "/rules/{name}", summary="Set a rule", responses=answers(404, 412, *CHANGES, *BODY, example=_EXAMPLE, headers=_ETAG)
)
async def set_rule(
    name: Name,
    wish: Wish,
    office: OfficeHere,
    visitor: VisitorHere,
    response: Response,
    if_match: Annotated[
        str | None, Header(description="The `ETag` that was seen; 412 if it is another by now.")
    ] = None,
) -> RuleShape:
    """Turns a rule on, to dry-run or off, or tunes it. It holds for the very next event on every process.

    The audit log tells who did it, when, from where, and what it was before.
    """
    found = await office.steering.rule(name)
    wanted = wish.model_dump(exclude_unset=True, exclude={"cell"})
    if "params" in wanted and wanted["params"] is None:
        wanted["params"] = dict.fromkeys(found.rule.params.model_fields)
    expected = _expected(if_match, found)
    after = await office.steering.tune(name, wish.cell, wanted, visitor.actor, expected=expected)
    return await _answered(after, office, response)


async def _answered(settings: RuleSettings, office: OfficeHere, response: Response) -> RuleShape:
    response.headers["ETag"] = _tag(settings.etag)
    return _shown(settings, await office.ledger.counts(office.clock()))


def _expected(if_match: str | None, found: RuleSettings) -> str | None:
    """The etag on which the change rests, None for any; raises StaleError where none of those named holds."""
    if if_match is None:
        return None
    named = {tag.strip().removeprefix("W/").strip('"') for tag in if_match.split(",")}
    if "*" in named:
        return None
    if found.etag not in named:
        raise StaleError("somebody has changed this rule since you read it; look at it again, then change it")
    return found.etag


def _tag(etag: str) -> str:
    return f'"{etag}"'


def _shown(settings: RuleSettings, counts: Counter[str]) -> RuleShape:
    rule = settings.rule
    return RuleShape(
        **settings.settings,
        name=rule.name,
        title=rule.name.replace("-", " ").capitalize(),
        summary=rule.summary,
        doc=rule.doc.strip(),
        params_schema=rule.params.model_json_schema(),
        configured=SettingsShape(**settings.configured),
        cells={cell: SettingsShape(**own) for cell, own in settings.cells.items()},
        counts=_counts(rule.name, counts.items()),
    )


def _counts(rule: str, counts: Iterable[tuple[str, int]]) -> Counts:
    own = {name.removeprefix(f"{rule} "): times for name, times in counts if name.startswith(f"{rule} ")}
    effects = {name.removeprefix("effect "): times for name, times in own.items() if name.startswith("effect ")}
    return Counts(outcomes={name: own[name] for name in own if not name.startswith("effect ")}, effects=effects)
