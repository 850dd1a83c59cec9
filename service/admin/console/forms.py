"""Form fields from JSON Schema, and JSON values from what was typed into them. Pure."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, Literal

from service.tuning import Mistake

Kind = Literal["choice", "text", "number", "lines", "json"]

_YES_NO: Final = ("yes", "no")
_HINTS: Final[Mapping[Kind, str]] = {"lines": "One on each line.", "json": "Written as JSON."}


@dataclass(frozen=True)
class Field:
    """One field of a form.

    key: such as `params.reminder_lead`; value: the text in it; hint: how to fill it in; choices: of a choice; error:
    what is wrong with the text; configured: the text of what holds when a change is taken back; is_changed: whether
    there is a change to take back.
    """

    key: str
    label: str
    kind: Kind
    value: str
    description: str = ""
    hint: str = ""
    choices: tuple[str, ...] = ()
    error: str = ""
    configured: str = ""
    is_changed: bool = False


def fields(
    schema: Mapping[str, Any],
    values: Mapping[str, Any],
    configured: Mapping[str, Any],
    changed: Container[str] = (),
    typed: Mapping[str, str] = MappingProxyType({}),
    mistakes: Iterable[Mistake] = (),
) -> tuple[Field, ...]:
    """A field for each property of an object's schema.

    values, configured: JSON values by property; changed: the keys of those with a change; typed: what was posted, by
    key, which is shown again; mistakes: what is wrong with it.
    """
    errors = _errors(mistakes)
    plain = (
        _field(name, _resolved(part, schema), values.get(name), configured.get(name))
        for name, part in schema["properties"].items()
    )
    return tuple(
        replace(one, value=typed.get(one.key, one.value), error=errors.get(one.key, ""), is_changed=one.key in changed)
        for one in plain
    )


def read(
    schema: Mapping[str, Any], values: Mapping[str, Any], typed: Mapping[str, str]
) -> tuple[dict[str, Any], tuple[Mistake, ...]]:
    """The properties that were changed, as JSON values, and what can't be read at all.

    values: the JSON values that the form showed; typed: what was posted, by key; other keys are left alone.
    """
    changed: dict[str, Any] = {}
    mistakes = []
    for name, part in schema["properties"].items():
        text = typed.get(key_of(name))
        if text is None or _lines(text) == _lines(_text(values.get(name), _kind(_resolved(part, schema)))):
            continue
        try:
            changed[name] = _value(text.strip(), _resolved(part, schema))
        except ValueError as error:
            mistakes.append(Mistake(key_of(name), f"{error}"))
    return changed, tuple(mistakes)


def key_of(name: str) -> str:
    """The key of a property: all but `settle` are a rule's parameters."""
    return name if name == "settle" else f"params.{name}"


def _field(name: str, part: Mapping[str, Any], value: Any, configured: Any) -> Field:
    kind = _kind(part)
    return Field(
        key=key_of(name),
        label=name.replace("_", " ").capitalize(),
        kind=kind,
        value=_text(value, kind),
        description=part.get("description", ""),
        hint=" ".join(_hints(part, kind)),
        choices=_choices(part),
        configured=", ".join(_text(configured, kind).splitlines()) or "nothing",
    )


def _errors(mistakes: Iterable[Mistake]) -> dict[str, str]:
    """By field; what is wrong with a part of its value stands at the field."""
    errors: dict[str, str] = {}
    for one in mistakes:
        key = ".".join(one.key.split(".")[:2])
        errors[key] = "; ".join((*([errors[key]] if key in errors else []), one.what))
    return errors


def _resolved(part: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of a property with what it refers to; of one that may be null, the schema of its other values."""
    options = [one for one in part.get("anyOf", ()) if one.get("type") != "null"]
    inner = options[0] if len(options) == 1 else part
    reference = inner.get("$ref", "").rpartition("/")[2]
    return {**part, **inner, **schema.get("$defs", {}).get(reference, {})}


def _kind(part: Mapping[str, Any]) -> Kind:
    if part.get("type") == "boolean" or "enum" in part:
        return "choice"
    if part.get("type") in {"integer", "number"}:
        return "number"
    if part.get("type") == "string":
        return "text"
    is_list_of_texts = part.get("type") == "array" and part.get("items", {}).get("type") == "string"
    return "lines" if is_list_of_texts else "json"


def _choices(part: Mapping[str, Any]) -> tuple[str, ...]:
    return _YES_NO if part.get("type") == "boolean" else tuple(map(str, part.get("enum", ())))


def _hints(part: Mapping[str, Any], kind: Kind) -> Iterator[str]:
    if "minimum" in part and "maximum" in part:
        yield f"From {part['minimum']} to {part['maximum']}."
    if examples := part.get("examples"):
        yield f"Such as {', '.join(map(str, examples))}."
    if comment := part.get("$comment"):
        yield comment
    if kind in _HINTS:
        yield _HINTS[kind]


def _text(value: Any, kind: Kind) -> str:
    match kind:
        case "lines":
            return "\n".join(value or ())
        case "json":
            return json.dumps(value, indent=2, ensure_ascii=False)
        case _ if isinstance(value, bool):
            return "yes" if value else "no"
        case _:
            return "" if value is None else str(value)


def _value(text: str, part: Mapping[str, Any]) -> Any:
    """The JSON value that the text stands for; ValueError says what it should be."""
    match _kind(part):
        case "choice" if part.get("type") == "boolean":
            return _chosen(text)
        case "number":
            return _number(text, part["type"])
        case "lines":
            return _lines(text)
        case "json":
            return _json(text)
        case _:
            return text


def _chosen(text: str) -> bool:
    if text not in _YES_NO:
        raise ValueError("should be yes or no")
    return text == "yes"


def _number(text: str, kind: str) -> int | float:
    try:
        return int(text) if kind == "integer" else float(text)
    except ValueError:
        raise ValueError("should be a whole number" if kind == "integer" else "should be a number") from None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError("should be JSON; look for a missing quote, comma or bracket") from None


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
