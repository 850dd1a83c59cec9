"""What people wrote in Jira, as plain words: from wiki markup, and from the Atlassian Document Format of REST v3."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

_MENTION: Final = re.compile(r"(?<!\\)\[~(?:accountid:)?([^\]\s|]{1,128})\]", re.IGNORECASE)
_MILLISECONDS: Final = re.compile(r"[0-9]{1,14}")
_LONGEST: Final = 262_144
"""Characters; Jira itself takes 32,767 unless an admin lifts that."""
_LONGEST_QUOTE: Final = 10_000
_HOLD_INLINES: Final = {"paragraph", "heading", "codeBlock", "taskItem", "decisionItem", "caption"}


class Node(msgspec.Struct):
    """A node of a document, or a mark of one."""

    type: str = ""
    text: str = ""
    attrs: dict[str, Any] = {}
    content: list[Node] = []
    marks: list[Node] = []


def words_of(body: Node | str | None) -> str | None:
    """The words of a body, each mention as `[~account]` and links with their addresses; None where there are none.

    What is longer than any comment is cut.
    """
    if body is None:
        return None
    text = _words_in(body) if isinstance(body, Node) else body.replace("\r\n", "\n")
    text = text[:_LONGEST]
    if "[~" in text:  # else the pattern searches 3 KB in vain, two fifths of what reading a ticket takes
        text = _MENTION.sub(r"[~\1]", text)
    return text.strip() or None


def mentions_in(words: str) -> tuple[str, ...]:
    """The accounts that these words mention, each once."""
    return tuple(dict.fromkeys(_MENTION.findall(words)))


def _words_in(node: Node) -> str:
    """The text of a node; a block is a line."""
    if node.type in _WORDS:
        return _WORDS[node.type](node)
    return _joined(node)


def _joined(node: Node) -> str:
    return ("" if node.type in _HOLD_INLINES else "\n").join(map(_words_in, node.content))


def _quoted(node: Node) -> str:
    """What somebody else said, marked as e-mail does it; cut, because quotes in quotes would grow without end."""
    return "\n".join(f"> {line}" for line in _joined(node)[:_LONGEST_QUOTE].split("\n"))


def _linked_words(node: Node) -> str:
    """A text, with the address that it leads to where it does not say it itself; code between backticks."""
    if any(mark.type == "code" for mark in node.marks):
        return f"`{node.text}`"
    address = next((str(mark.attrs.get("href", "")) for mark in node.marks if mark.type == "link"), "")
    return node.text if address in node.text else f"{node.text} {address}"


def _day(node: Node) -> str:
    stamp = str(node.attrs.get("timestamp", ""))
    return f"{datetime.fromtimestamp(int(stamp) / 1000, UTC):%Y-%m-%d}" if _MILLISECONDS.fullmatch(stamp) else ""


def _attribute(name: str) -> Callable[[Node], str]:
    return lambda node: str(node.attrs.get(name, ""))


_WORDS: Final[dict[str, Callable[[Node], str]]] = {
    "text": _linked_words,
    "blockquote": _quoted,
    "codeBlock": lambda node: f"```\n{_joined(node)}\n```",
    "mention": lambda node: f"[~{node.attrs.get('id', '')}]",
    "hardBreak": lambda _: "\n",
    "emoji": _attribute("shortName"),
    "status": _attribute("text"),
    "date": _day,
    "inlineCard": _attribute("url"),
    "blockCard": _attribute("url"),
    "embedCard": _attribute("url"),
}
