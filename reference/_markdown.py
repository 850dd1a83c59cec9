"""Markdown as it stands in the pages: headings, tables, code."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

Row = tuple[str, ...]


def table(head: Row, rows: Iterable[Row]) -> str:
    """A table; line breaks and bars in its cells do no harm."""
    lines = (head, ("---",) * len(head), *(tuple(map(_cell, row)) for row in rows))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def code(text: str) -> str:
    """Words as they are typed; nothing where there are none."""
    return f"`{text}`" if text else ""


def toml(value: Any) -> str:
    """A JSON value as crafty.toml would have it; "" for None, which is left out there."""
    match value:
        case None:
            return ""
        case dict():
            return f"{{ {', '.join(f'{key} = {toml(one)}' for key, one in value.items())} }}"
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def whole_page(title: str, about: str, *parts: str) -> str:
    """A whole page, which says that nobody should edit it."""
    note = "<!-- `make docs` writes this page from the code; edits are lost. -->"
    return joined(f"# {title}", note, about, *parts) + "\n"


def joined(*parts: str) -> str:
    """Parts of a page with a blank line between them; empty ones are left out."""
    return "\n\n".join(part.strip("\n") for part in parts if part)


def words(text: str) -> str:
    """Words in which nothing is markup but what stands between backticks."""
    return text.replace("<", "&lt;")


def kind(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What a JSON Schema takes, in words: "a whole number from 1 to 100", "a list; each: text"."""
    match schema:
        case {"$ref": str(name)}:
            return kind(definitions[name.rpartition("/")[2]], definitions)
        case {"anyOf": list(some)}:
            return " or ".join(kind(one, definitions) for one in some if not _is_nothing(one))
        case {"prefixItems": list(items)}:
            return f"a list of {len(items)}: {', '.join(kind(one, definitions) for one in items)}"
        case {"items": items}:
            return f"a list; each: {kind(items, definitions)}"
        case _:
            return _plain_kind(schema)


def _is_nothing(schema: Mapping[str, Any]) -> bool:
    """Whether it stands for a value that is left out, or left blank."""
    return schema.get("type") == "null" or schema.get("const") == ""


def _plain_kind(schema: Mapping[str, Any]) -> str:
    match schema:
        case {"enum": list(values)}:
            return ", ".join(code(json.dumps(value)) for value in values)
        case {"$comment": str(comment)}:
            return comment.partition(":")[0].rstrip(".").lower()
        case {"type": "string", "examples": [example, *_]}:
            return f"text, such as {code(json.dumps(example))}"
        case _:
            return _KINDS[schema.get("format") or schema.get("type", "")] + _limits(schema)


_KINDS: Final[Mapping[str, str]] = {
    "": "anything",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
    "object": "a table",
    "date": "a day, such as `2026-12-31`",
    "date-time": "a moment, such as `2026-11-02T09:00:00`",
    "path": "a path",
}


def _limits(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    words = (f"from {low:g}" if low is not None else "", f"to {high:g}" if high is not None else "")
    return "".join(f" {word}" for word in words if word)
