"""Where a problem stands in a TOML file, and how it is worded so that people can mend it."""

import re
import tomllib
from bisect import bisect_left
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from pydantic import (
    BaseModel,
    ValidationError,
)
from pydantic_core import ErrorDetails

from service.errors import ConfigError, Problem

TomlPath = tuple[str | int, ...]
"""Where a value stands in a TOML document: keys, and positions in arrays from 0."""

DEFAULT_CONFIG: Final = "crafty.toml"
"""The configuration file that is read when CRAFTY_CONFIG names none."""


def line_of(text: str, path: TomlPath) -> int:
    """The line, counted from 1, on which a value of a TOML document begins.

    A path that the document does not have leads to the nearest table around it, and to line 1 where there is none; so
    does a text that stops being TOML before that place.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    _, document = _readable(lines, len(lines))
    while not _contains(document, path):
        path = path[:-1]
    if not path:
        return 1
    last = bisect_left(range(len(lines)), True, key=lambda count: _contains(_readable(lines, count)[1], path))
    return _readable(lines, last - 1)[0] + 1


def _readable(lines: Sequence[str], count: int) -> tuple[int, dict[str, Any]]:
    """The longest run of at most `count` lines from the first that is TOML, as its length and its content."""
    while True:
        try:
            return count, tomllib.loads("\n".join(lines[:count]))
        except (ValueError, RecursionError):
            count -= 1


def _steps(node: Any) -> Container[str | int]:
    """The keys of a table, the positions of an array."""
    if isinstance(node, list):
        return range(len(node))
    return node if isinstance(node, dict) else ()


def _contains(document: Any, path: TomlPath) -> bool:
    for step in path:
        if step not in _steps(document):
            return False
        document = document[step]
    return True


@dataclass(frozen=True)
class Source:
    """The text of a configuration file, kept to tell where a problem stands. name: as people know the file."""

    name: str = DEFAULT_CONFIG
    text: str = field(default="", repr=False)

    def problem(self, path: TomlPath, what: str) -> Problem:
        """A problem with the value at that path."""
        return Problem(f"{self.name}:{line_of(self.text, path)}", dotted(path), what)


_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def dotted(path: TomlPath) -> str:
    """The path as people write it: `cells[0].board`; keys with other characters than TOML's bare ones are quoted."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{_key(step)}" for step in path).removeprefix(".")


def _key(step: str) -> str:
    return step if _BARE_KEY.fullmatch(step) else f'"{step}"'


def problems_from(
    error: ValidationError, model: type[BaseModel], source: Source, path: TomlPath = ()
) -> tuple[Problem, ...]:
    """What a failed validation of a part of a configuration file found, each with its line and the way to mend it.

    model: what the part was checked against, to suggest known keys; source: the file, as `Config.source` keeps it;
    path: where the part stands in the file, such as ("rules", "green-ticket").
    """
    return tuple(
        source.problem((*path, *details["loc"]), sentence(details, _known_keys(model, details["loc"][:-1])))
        for details in error.errors(include_url=False, include_input=False)
    )


_MENDING: Final = {
    "missing": "is missing; add it to this table",
    "string_type": "should be a text in quotes",
    "string_too_short": "should not be empty",
    "int_type": "should be a whole number, without quotes",
    "int_from_float": "should be a whole number",
    "int_parsing": "should be a whole number",
    "float_type": "should be a number, without quotes",
    "bool_type": "should be true or false, without quotes",
    "tuple_type": "should be a list in square brackets",
    "dict_type": "should be a table of keys and values",
    "model_type": "should be a table of keys and values",
    "date_type": "should be a day such as 2026-12-31, without quotes",
    "datetime_type": "should be a date and time such as 2026-11-02T09:00:00, without quotes",
    "literal_error": "should be {expected}",
    "greater_than_equal": "should be {ge} or more",
    "less_than_equal": "should be {le} or less",
    "too_short": "should have {min_length} or more entries",
    "too_long": "should have {max_length} entries or fewer",
}


def sentence(details: ErrorDetails, known: Iterable[str]) -> str:
    if details["type"] == "extra_forbidden":
        return f"is not a known key{did_you_mean(str(details['loc'][-1]), known)}"
    template = _MENDING.get(details["type"])
    if template is None:
        return details["msg"].removeprefix("Value error, ").replace("Input should", "should")
    return template.format(**details.get("ctx", {}))


def did_you_mean(word: str, known: Iterable[str], prefix: str = "") -> str:
    """What to write instead. prefix: what every name begins with, so that it tells nothing of their likeness."""
    names = sorted(name.removeprefix(prefix) for name in known)
    close = get_close_matches(word.removeprefix(prefix), names, n=1)
    if close:
        return f"; did you mean {prefix}{close[0]}?"
    return f"; known here: {', '.join(names)}" if 0 < len(names) <= 20 else "; correct it or take it out"


def _known_keys(model: type[BaseModel], path: TomlPath) -> list[str]:
    """The keys of the table at that path below a model."""
    schema = model.model_json_schema()
    node = schema
    for step in path:
        node = _resolved(schema, node)
        within = node.get("items") if isinstance(step, int) else node.get("properties", {}).get(step)
        node = within or node.get("additionalProperties") or {}
    return list(_resolved(schema, node).get("properties", {}))


def _resolved(schema: dict[str, Any], node: Any) -> dict[str, Any]:
    reference = node.get("$ref", "") if isinstance(node, dict) else ""
    resolved: dict[str, Any] = schema["$defs"][reference.rpartition("/")[2]] if reference else node
    return resolved if isinstance(resolved, dict) else {}


def text_of(path: Path, where: str) -> str:
    """A file's text; ConfigError, placed at `where`, when it can't be read."""
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise ConfigError(Problem(where, "", f"can't be read: {error.strerror or error}; check {path}")) from None
    except ValueError:
        raise ConfigError(Problem(where, "", f"is not UTF-8 text; save {path} in that encoding")) from None
