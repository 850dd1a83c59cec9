"""What admins change about rules while the service runs, on top of what the configuration sets. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from pydantic import TypeAdapter, ValidationError

from service.engine import Mode, Rulebook, Setting
from service.errors import CraftyError
from service.rules._base import Rule, RuleParams
from service.toml_problems import did_you_mean, sentence
from service.values import Duration, format_duration

_SETTLE: Final = TypeAdapter(Duration)
_MODE: Final = TypeAdapter(Mode)


class Tuning(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was changed of one rule; what is None or not among the params holds as it is configured.

    mode: one of Mode's, as far as this version knows it; settle: as `parse_duration` reads it; params: JSON values by
    name.
    """

    mode: str | None = None
    settle: str | None = None
    params: Mapping[str, Any] = {}


Tunings = Mapping[str, Mapping[str, Tuning]]
"""By rule and then by cell. What stands under the cell "" holds in every cell, but for what a cell's own entry says."""


class Mistake(msgspec.Struct, frozen=True):
    """One thing that can't be set. key: such as `mode` or `params.reminder_lead`; what: how to mend it."""

    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.key}: {self.what}"


class CannotTuneError(CraftyError):
    """A change that is not possible, with each mistake in it."""

    def __init__(self, *mistakes: Mistake) -> None:
        super().__init__("; ".join(map(str, mistakes)))
        self.mistakes = mistakes


def tuned(book: Rulebook, tunings: Tunings) -> Rulebook:
    """The rules as `book` sets them, with what admins changed; a value that no rule takes any more is left out."""
    return Rulebook(
        book.rules, {rule.name: dict(_settings(rule, book, tunings.get(rule.name, {}))) for rule in book.rules}
    )


def changed(before: Tuning, wish: Mapping[str, Any], rule: Rule) -> Tuning:
    """What a rule's tuning becomes by a wish with any of `mode`, `settle` and `params`; null takes a change back.

    Raises CannotTuneError that names each key with a wrong value, and each parameter that the rule does not have.
    """
    mistakes = [*_mistakes_of(wish), *_mistaken(rule, wish.get("params") or {})]
    if mistakes:
        raise CannotTuneError(*mistakes)
    params = {**before.params, **(wish.get("params") or {})}
    return Tuning(
        mode=wish.get("mode", before.mode),
        settle=_as_text(wish["settle"]) if "settle" in wish else before.settle,
        params={name: value for name, value in params.items() if value is not None},
    )


def shown(setting: Setting) -> dict[str, Any]:
    """A setting as JSON values: mode, settle and params."""
    params = setting.params.model_dump(mode="json")
    return {"mode": setting.mode, "settle": format_duration(setting.settle), "params": params}


def _settings(rule: Rule, book: Rulebook, own: Mapping[str, Tuning]) -> Iterator[tuple[str, Setting]]:
    for cell in {"", *book.settings[rule.name], *own}:
        setting = book.setting(rule.name, cell)
        for where in dict.fromkeys(("", cell)):
            setting = _overlaid(rule, setting, own.get(where, Tuning()))
        yield cell, setting


def _as_text(settle: Any) -> str | None:
    """The same span in the words that everybody writes; 0 is one too."""
    return None if settle is None else format_duration(_SETTLE.validate_python(settle))


def _overlaid(rule: Rule, setting: Setting, tuning: Tuning) -> Setting:
    wrong = {mistake.key for mistake in _mistakes_of({"mode": tuning.mode, "settle": tuning.settle})}
    mode = None if "mode" in wrong else tuning.mode
    settle = None if "settle" in wrong else tuning.settle
    return Setting(
        mode=setting.mode if mode is None else _MODE.validate_python(mode),
        settle=setting.settle if settle is None else _SETTLE.validate_python(settle),
        params=_params(rule, setting.params, tuning.params),
    )


def _params(rule: Rule, base: RuleParams, changes: Mapping[str, Any]) -> RuleParams:
    sound = {name: value for name, value in changes.items() if not list(_mistaken(rule, {name: value}))}
    if not sound:
        return base
    return rule.params.model_validate({**base.model_dump(), **sound})


def _mistakes_of(wish: Mapping[str, Any]) -> Iterator[Mistake]:
    """What is wrong with a new mode and settle time."""
    for key, kind in (("mode", _MODE), ("settle", _SETTLE)):
        try:
            if wish.get(key) is not None:
                kind.validate_python(wish[key], strict=True)
        except ValidationError as error:
            yield Mistake(key, sentence(error.errors(include_url=False, include_input=False)[0], ()))


def _mistaken(rule: Rule, params: Mapping[str, Any]) -> Iterator[Mistake]:
    """What is wrong with new values of a rule's parameters; None, which takes a change back, is right for each."""
    known = rule.params.model_fields
    for name in sorted(params.keys() - known.keys()):
        yield Mistake(f"params.{name}", f"is not a parameter of {rule.name}{did_you_mean(name, known)}")
    try:
        rule.params.model_validate({key: value for key, value in params.items() if key in known and value is not None})
    except ValidationError as error:
        for details in error.errors(include_url=False, include_input=False):
            key = ".".join(map(str, ("params", *details["loc"])))
            yield Mistake(key, sentence(details, ()))
