"""The rules: on, in dry-run or off with one click, and their parameters in a form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, get_args
from urllib.parse import quote

from pydantic import TypeAdapter

from service.admin.console import forms
from service.admin.console.desk import Done, Page, Visit
from service.admin.office import Office
from service.engine import Mode
from service.rules._base import Outcome
from service.steering import GoneError, RuleSettings, StaleError
from service.tuning import CannotTuneError, Mistake, Tuning, changed
from service.values import Duration

MODES: Final = get_args(Mode)
_SETTLE: Final = {
    **TypeAdapter(Duration).json_schema(),
    "description": "How long after the last change of a subject the rule looks at it.",
}
_STALE: Final = (
    "Somebody else has changed this rule since you opened the page, so nothing is saved yet. What you typed is still "
    "here: look at it once more, then save."
)


async def rules(office: Office, _: Visit) -> Page:
    """All rules with their modes, and what they did in the last 24 hours."""
    counts = await office.ledger.counts(office.clock())
    found = [(one, _lately(counts, one.rule.name)) for one in await office.steering.rules()]
    return Page("rules.html", "Rules", {"rules": found, "modes": MODES})


async def rule(office: Office, visit: Visit) -> Page:
    """One rule, for all cells or for the one that the query names."""
    return await _page(office, visit.path["name"], visit.query.get("cell", ""))


async def set_mode(office: Office, visit: Visit) -> Page | Done:
    """Turns a rule on, to dry-run or off; an empty mode takes a change back."""
    name, cell, mode = visit.path["name"], visit.form.get("cell", ""), visit.form.get("mode", "")
    try:
        after = await office.steering.tune(name, cell, {"mode": mode or None}, visit.visitor.actor)
    except CannotTuneError as error:
        return await _page(office, name, "", HTTPStatus.UNPROCESSABLE_ENTITY, error=f"{error}")
    now = _setting(after, cell)["mode"]
    to = _address(name) if visit.form.get("from") == "rule" else "/console/rules"
    stays = "" if cell else _stays(after)
    return Done(to, f"{name} is {_in_words(now)} now{_where(cell)}. That holds from the next event on.{stays}")


async def save(office: Office, visit: Visit) -> Page | Done:
    """Stores what was changed in the form; what can't be is shown at its field, with all that was typed."""
    name, cell, typed = visit.path["name"], visit.form.get("cell", ""), visit.form
    found = await office.steering.rule(name)
    values, unread = forms.read(_schema(found), _values(_setting(found, cell)), typed)
    mistakes = (*unread, *_mistakes(found, values))
    if mistakes:
        return await _page(office, name, cell, HTTPStatus.UNPROCESSABLE_ENTITY, typed, mistakes)
    if not values:
        return Done(_address(name, cell), "Nothing was different, so nothing was changed.")
    try:
        await office.steering.tune(name, cell, _wish(values), visit.visitor.actor, expected=typed.get("etag"))
    except StaleError:
        return await _page(office, name, cell, HTTPStatus.CONFLICT, typed, error=_STALE)
    words = ", ".join(key.replace("_", " ") for key in values)
    return Done(_address(name, cell), f"Saved: {words}{_where(cell)}. That holds from the next event on.")


async def take_back(office: Office, visit: Visit) -> Page | Done:
    """Takes the change of one key back, so that it holds again what was configured."""
    name, cell, key = visit.path["name"], visit.form.get("cell", ""), visit.form.get("key", "")
    what = key.removeprefix("params.")
    try:
        await office.steering.tune(name, cell, _wish({what: None}), visit.visitor.actor)
    except CannotTuneError as error:
        return await _page(office, name, "", HTTPStatus.UNPROCESSABLE_ENTITY, error=f"{error}")
    return Done(_address(name, cell), f"The change of {what.replace('_', ' ')} is taken back{_where(cell)}.")


async def _page(
    office: Office,
    name: str,
    cell: str,
    status: HTTPStatus = HTTPStatus.OK,
    typed: Mapping[str, str] = MappingProxyType({}),
    mistakes: Iterable[Mistake] = (),
    error: str = "",
) -> Page:
    """One rule's page. typed: what is shown in the fields instead of what holds; error: what stands above them."""
    found = await office.steering.rule(name)
    if cell and cell not in office.steering.cells:
        raise GoneError(f"There is no cell {cell}; the cells are {', '.join(office.steering.cells)}.")
    setting, configured = _values(_setting(found, cell)), _values(found.configured)
    values = {
        "found": found,
        "cell": cell,
        "cells": office.steering.cells,
        "modes": MODES,
        "fields": forms.fields(_schema(found), setting, configured, _changed(found, cell), typed, mistakes),
        "error": error,
        "lately": _lately(await office.ledger.counts(office.clock()), name),
    }
    return Page("rule.html", name, values, status)


def _schema(found: RuleSettings) -> Mapping[str, Any]:
    """The schema of all that the form sets: how long the rule waits, and its parameters."""
    params = found.rule.params.model_json_schema()
    return {**params, "properties": {"settle": _SETTLE, **params.get("properties", {})}}


def _setting(found: RuleSettings, cell: str) -> Mapping[str, Any]:
    return found.cells.get(cell, found.settings) if cell else found.settings


def _values(setting: Mapping[str, Any]) -> dict[str, Any]:
    return {"settle": setting["settle"], **setting["params"]}


def _changed(found: RuleSettings, cell: str) -> set[str]:
    tuning = found.tuned.get(cell, Tuning())
    return {forms.key_of(name) for name in (*tuning.params, *(["settle"] if tuning.settle else []))}


def _wish(values: Mapping[str, Any]) -> dict[str, Any]:
    params = {name: value for name, value in values.items() if name != "settle"}
    return {**({"settle": values["settle"]} if "settle" in values else {}), "params": params}


def _mistakes(found: RuleSettings, values: Mapping[str, Any]) -> tuple[Mistake, ...]:
    try:
        changed(Tuning(), _wish(values), found.rule)
    except CannotTuneError as error:
        return error.mistakes
    return ()


def _lately(counts: Counter[str], rule: str) -> dict[str, int]:
    """How often it decided what, and how often it did something."""
    decided = {outcome: counts[f"{rule} {outcome}"] for outcome in get_args(Outcome)}
    return {**decided, "done": counts[f"{rule} effect done"]}


def _address(name: str, cell: str = "") -> str:
    return f"/console/rules/{quote(name)}" + (f"?cell={quote(cell)}" if cell else "")


def _where(cell: str) -> str:
    return f" in {cell}" if cell else ""


def _stays(found: RuleSettings) -> str:
    """Where a mode that was set in all cells does not hold; a sentence, or ""."""
    modes = ", ".join(f"{_in_words(mode)} in {cell}" for cell, mode in found.elsewhere().items())
    return f" It stays {modes}." if modes else ""


def _in_words(mode: str) -> str:
    return "in dry-run" if mode == "dry-run" else mode
