"""Form fields from JSON Schema, and JSON values from what was typed."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import Field

from service.admin.console.forms import fields, read
from service.rules import all_rules
from service.rules._base import Rule, RuleParams
from service.tuning import Mistake
from service.values import Duration


class Every(RuleParams):
    """One parameter of every kind."""

    span: Duration = Field("1h", validate_default=True, description="How long.")
    flag: bool = Field(False, description="Whether.")
    count: int = Field(3, ge=0, le=10, description="How many.")
    share: float = Field(0.5, description="How much.")
    names: tuple[str, ...] = Field(("a", "b"), description="Who.")
    way: Literal["up", "down"] = Field("up", description="Which way.")
    word: str | None = Field(None, description="Perhaps a word.")
    table: dict[str, int] = Field({"a": 1}, description="What for what.")


SCHEMA = Every.model_json_schema()
VALUES = Every().model_dump(mode="json")


@pytest.mark.parametrize(
    ("name", "kind", "value", "hint"),
    [
        ("span", "text", "1h", "Such as 90s, 2m, 24h, 1h 30m, 3d. Elapsed time by the clock."),
        ("flag", "choice", "no", ""),
        ("count", "number", "3", "From 0 to 10."),
        ("share", "number", "0.5", ""),
        ("names", "lines", "a\nb", "One on each line."),
        ("way", "choice", "up", ""),
        ("word", "text", "", ""),
        ("table", "json", '{\n  "a": 1\n}', "Written as JSON."),
    ],
)
def test_each_kind_of_parameter_has_its_field(name: str, kind: str, value: str, hint: str) -> None:
    (field,) = [one for one in fields(SCHEMA, VALUES, VALUES) if one.key == f"params.{name}"]
    assert (field.kind, field.value, field.hint) == (kind, value, hint)
    assert field.description == SCHEMA["properties"][name]["description"]


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("span", " 90m ", "90m"),
        ("flag", "yes", True),
        ("count", "7", 7),
        ("share", "0.25", 0.25),
        ("names", "a\r\n\r\n  c \r\n", ["a", "c"]),
        ("names", "", []),
        ("way", "down", "down"),
        ("word", "hello", "hello"),
        ("table", '{"a": 2}', {"a": 2}),
    ],
)
def test_what_is_typed_is_read_as_json(name: str, typed: str, value: Any) -> None:
    assert read(SCHEMA, VALUES, {f"params.{name}": typed}) == ({name: value}, ())


@pytest.mark.parametrize(
    ("name", "typed", "told"),
    [
        ("flag", "perhaps", "should be yes or no"),
        ("count", "1.5", "should be a whole number"),
        ("count", "", "should be a whole number"),
        ("share", "half", "should be a number"),
        ("table", "{", "should be JSON; look for a missing quote, comma or bracket"),
    ],
)
def test_what_cannot_be_read_is_a_mistake_at_its_field(name: str, typed: str, told: str) -> None:
    assert read(SCHEMA, VALUES, {f"params.{name}": typed}) == ({}, (Mistake(f"params.{name}", told),))


def test_a_field_shows_what_was_typed_and_what_is_wrong_with_any_part_of_it() -> None:
    wrong = [Mistake("params.names.0", "is odd"), Mistake("params.names.1", "is too long"), Mistake("mode", "is off")]
    found = {one.key: one for one in fields(SCHEMA, VALUES, VALUES, ("params.names",), {"params.names": "x\ny"}, wrong)}
    assert (found["params.names"].value, found["params.names"].error) == ("x\ny", "is odd; is too long")
    assert found["params.names"].is_changed
    assert found["params.names"].configured == "a, b"
    assert {key for key, one in found.items() if one.error} == {"params.names"}


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.name)
def test_a_form_that_is_sent_as_it_came_changes_nothing(rule: Rule) -> None:
    schema, values = rule.params.model_json_schema(), rule.params().model_dump(mode="json")
    typed = {one.key: one.value.replace("\n", "\r\n") for one in fields(schema, values, values)}
    assert typed
    assert read(schema, values, typed) == ({}, ())
