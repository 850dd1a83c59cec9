"""The page of all settings: what the environment sets, and every key of crafty.toml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from reference._markdown import Row, code, kind, table, toml, whole_page
from service.config import Config
from service.settings import SECRET_FILES, VARIABLES, Settings
from service.toml_problems import DEFAULT_CONFIG

_ABOUT: Final = """\
Secrets and addresses come from environment variables, or from a file `.env` in the directory that Crafty starts in;
the environment wins. What the team is like stands in one TOML file, `crafty.toml`. `crafty config check` says what to
mend, with key and line; `crafty config schema` prints a JSON Schema for your editor. To start from:
[deploy/env.example](../../deploy/env.example) and [deploy/crafty.example.toml](../../deploy/crafty.example.toml).
"""
_ENVIRONMENT: Final = """\
## Environment variables

Of those marked “or file”, the name with `_FILE` at its end may give the path of a file instead, such as
`CRAFTY_JIRA_TOKEN_FILE=/run/secrets/jira_token`. A name that Crafty does not know is an error, as is a wrong value.
"""
_TOML: Final = """\
## crafty.toml

Every key may be left out unless its default says “needed”. Unknown keys and wrong types are errors. Spans of time have
their units, largest first: `"90s"`, `"2m"`, `"1h 30m"`, `"3d"`.
"""


def page() -> str:
    """The whole page."""
    return whole_page("Configuration", _ABOUT, _ENVIRONMENT, _variables(), _TOML, *_tables())


def _variables() -> str:
    schema = Settings.model_json_schema()
    named: Mapping[str, Any] = schema["properties"]
    by_file = set(SECRET_FILES.values())
    rows = (
        (
            code(variable),
            "or file" if name in by_file else "",
            code(_default(name, named[name])),
            named[name]["description"],
        )
        for variable, name in VARIABLES.items()
    )
    return table(("variable", "secret", "default", "meaning"), rows)


def _default(name: str, schema: Mapping[str, Any]) -> str:
    default = DEFAULT_CONFIG if name == "config" else schema["default"]
    return "" if default is None else str(default)


def _tables() -> Iterator[str]:
    """A section for each table of the file, each kind of table once."""
    schema = Config.model_json_schema()
    yield from _sections("", schema, schema["$defs"], {})


def _sections(
    path: str, schema: Mapping[str, Any], definitions: Mapping[str, Any], told: dict[str, str]
) -> Iterator[str]:
    """A table's own section, then those of the tables in it. told: the headings of kinds that were described before."""
    inner: list[tuple[str, str]] = []
    rows: list[Row] = []
    for key, value in schema["properties"].items():
        name = _table_of(value)
        if name is None:
            rows.append((code(key), kind(value, definitions), _given(key, schema), value["description"]))
            continue
        heading = _heading(path, key, value)
        alike = f" The keys are those of `{told[name]}`." if name in told else ""
        rows.append((code(key), code(heading), _given(key, schema), value["description"] + alike))
        if not alike:
            told[name] = heading
            inner.append((heading, name))
    yield _section(path, schema, rows)
    for heading, name in inner:
        yield from _sections(heading, definitions[name], definitions, told)


def _section(path: str, schema: Mapping[str, Any], rows: list[Row]) -> str:
    heading = f"### `{path}`" if path else "### The tables of the file"
    return f"{heading}\n\n{schema['description']}\n\n{table(('key', 'takes', 'default', 'meaning'), rows)}"


def _table_of(schema: Mapping[str, Any]) -> str | None:
    """The definition of the table, or of the tables, that a key holds; None where it holds a plain value."""
    match schema:
        case {"$ref": str(name)} | {"items": {"$ref": str(name)}} | {"additionalProperties": {"$ref": str(name)}}:
            return name.rpartition("/")[2]
        case _:
            return None


def _heading(path: str, key: str, schema: Mapping[str, Any]) -> str:
    inside = f"{path.strip('[]')}.{key}" if path else key
    if "items" in schema:
        return f"[[{inside}]]"
    return f"[{inside}.NAME]" if "additionalProperties" in schema else f"[{inside}]"


def _given(key: str, schema: Mapping[str, Any]) -> str:
    if key in schema.get("required", ()):
        return "needed"
    value = schema["properties"][key]
    default = value.get("default")
    return code(toml(default)) if _table_of(value) is None or _is_short(default) else ""


def _is_short(default: Any) -> bool:
    """Whether what a table is by default is better told in one line than by its own section."""
    return (
        isinstance(default, dict)
        and 0 < len(default) < 3
        and not any(isinstance(one, dict) for one in default.values())
    )
