"""Wiki markup and Atlassian documents, from one to the other, as far as comments need it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

Json = dict[str, Any]


class FieldError(ValueError):
    """A value that Jira does not take for a field; its text is the sentence of the answer."""


MENTION: Final = re.compile(r"(?<!\\)\[~(?:accountid:)?([^\]\s|]+)\]")
_LINK: Final = re.compile(r"(?<!\\)\[([^|\]\n]+)\|[^\]\n]+\]")
_ESCAPE: Final = re.compile(r"\\([^\w\s])")
_STRONG: Final = re.compile(r"(?<![\w*\\])\*(?=\S)([^*\n]*?[^*\s\\])\*(?![\w*])")
_COLOUR: Final = re.compile(r"(?<!\\)\{color(?::[^}\n]*)?\}")
_SPECIAL: Final = re.compile(r"[\[\]{}*]")
_HOLDS_BLOCKS: Final = {"doc", "panel", "blockquote", "expand", "bulletList", "orderedList", "listItem", "taskList"}
_HOLDS_INLINES: Final = {"paragraph", "heading", "taskItem", "codeBlock"}


def _wiki_of_text(node: Json) -> str:
    if not node["text"]:
        raise ValueError("empty text")
    text = _SPECIAL.sub(r"\\\g<0>", node["text"])
    href = next((mark["attrs"]["href"] for mark in node.get("marks", ()) if mark["type"] == "link"), None)
    return f"[{text}|{href}]" if href else text


def _wiki_of_date(node: Json) -> str:
    return f"{datetime.fromtimestamp(int(node['attrs']['timestamp']) / 1000, UTC):%Y-%m-%d}"


_INLINES: Final[dict[str, Callable[[Json], str]]] = {
    "text": _wiki_of_text,
    "mention": lambda node: "[~accountid:" + node["attrs"]["id"] + "]",
    "emoji": lambda node: str(node["attrs"]["shortName"]),
    "date": _wiki_of_date,
    "inlineCard": lambda node: str(node["attrs"]["url"]),
    "hardBreak": lambda _: "\n",
}


def _wiki_of(node: Json) -> str:
    """The wiki markup that webhooks show for a block of the Atlassian Document Format.

    Raises LookupError, TypeError or ValueError for a node that may not stand there.
    """
    kind = node["type"]
    if kind == "rule":
        return "----"
    if kind in {"taskList", "taskItem"} and not node["attrs"]["localId"]:
        raise ValueError("a task needs an id of its own")
    if kind in _HOLDS_INLINES:
        text = "".join(_INLINES[child["type"]](child) for child in node.get("content", ()))
        return {"DONE": "* (/) ", "TODO": "* "}[node["attrs"]["state"]] + text if kind == "taskItem" else text
    if kind not in _HOLDS_BLOCKS:
        raise ValueError(kind)
    text = "\n".join(_wiki_of(child) for child in node["content"])
    return f"* {text}" if kind == "listItem" else text


def wiki_of_document(body: Any) -> str:
    """The wiki markup of a whole document; raises FieldError for what is not one."""
    if not isinstance(body, dict) or body.get("type") != "doc" or body.get("version") != 1:
        raise FieldError("Operation value must be an Atlassian Document (see the Atlassian Document Format)")
    try:
        return _wiki_of(body)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, OSError, RecursionError):
        raise FieldError("INVALID_INPUT") from None


def document_of(wiki: str, names: Mapping[str, str]) -> Json:
    """A document with one paragraph for each line; names: display names by account id."""
    lines = [{"type": "paragraph", "content": list(_inlines_of(line, names))} for line in wiki.split("\n")]
    return {"type": "doc", "version": 1, "content": lines}


def _inlines_of(line: str, names: Mapping[str, str]) -> Iterable[Json]:
    for index, part in enumerate(MENTION.split(line)):
        if index % 2:
            yield {"type": "mention", "attrs": {"id": part, "text": f"@{names.get(part, part)}"}}
        elif part:
            yield {"type": "text", "text": part}


def plain_text(wiki: str, names: Mapping[str, str]) -> str:
    named = MENTION.sub(lambda found: f"@{names.get(found[1], found[1])}", wiki)
    bare = _COLOUR.sub("", _STRONG.sub(r"\1", _LINK.sub(r"\1", named)))
    return html.unescape(_ESCAPE.sub(r"\1", bare))
