"""What the bot writes: one message model, rendered for each place it goes to.

Words are data in every place, our own as well as those from outside. What may notify, link or format is only what
the model says: a Mention, a Link, a Strong. Everything else is shown and does nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import accumulate, chain, repeat
from string import Formatter
from typing import Any, Final
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

import msgspec

from service.facts import Person


class Text(msgspec.Struct, frozen=True, tag="text"):
    """Words, ours or from outside; they never become markup."""

    text: str


class Strong(msgspec.Struct, frozen=True, tag="strong"):
    """Words that stand out."""

    text: str


class Mention(msgspec.Struct, frozen=True, tag="mention"):
    """A person, notified where they have an account in that place, else named in plain text."""

    person: Person


class Link(msgspec.Struct, frozen=True, tag="link"):
    """A link that we chose. url: http or https."""

    text: str
    url: str


class Moment(msgspec.Struct, frozen=True, tag="moment"):
    """An instant, shown in words. zone: the IANA name it is shown in unless the reader's own is known."""

    at: datetime
    zone: str


Inline = Text | Strong | Mention | Link | Moment


class Paragraph(msgspec.Struct, frozen=True, tag="paragraph"):
    inlines: tuple[Inline, ...]


class Item(msgspec.Struct, frozen=True):
    inlines: tuple[Inline, ...]
    is_done: bool = False


class Checklist(msgspec.Struct, frozen=True, tag="checklist"):
    items: tuple[Item, ...]


class Small(msgspec.Struct, frozen=True, tag="small"):
    """The last line: which rule this is, and how to ask why."""

    inlines: tuple[Inline, ...]


Block = Paragraph | Checklist | Small


class Message(msgspec.Struct, frozen=True):
    blocks: tuple[Block, ...]


# Composing

Value = str | int | float | Person | tuple[Person, ...] | Inline
"""What a field of a template can be filled with; a tuple of people is named as "Ann, Bob and Cy"."""


def paragraph(template: str, **values: Value) -> Paragraph:
    """A paragraph in our own words, its `{name}` fields filled with these values.

    Raises KeyError when fields and values don't match, ValueError when a field has a format or a conversion.
    """
    return Paragraph(_composed(template, values))


def item(template: str, is_done: bool = False, **values: Value) -> Item:
    """One line of a checklist, filled in like a paragraph."""
    return Item(_composed(template, values), is_done)


def small(template: str, **values: Value) -> Small:
    """The small last line, filled in like a paragraph."""
    return Small(_composed(template, values))


def _composed(template: str, values: dict[str, Value]) -> tuple[Inline, ...]:
    parts = list(Formatter().parse(template))
    if any(spec or conversion for _, _, spec, conversion in parts):
        raise ValueError(f"fields have names only: {template}")
    if unused := values.keys() - {name for _, name, _, _ in parts}:
        raise KeyError(*sorted(unused))
    return tuple(inline for literal, name, _, _ in parts for inline in _filled(literal, name, values))


def _filled(literal: str, name: str | None, values: dict[str, Value]) -> Iterator[Inline]:
    if literal:
        yield Text(literal)
    if name is not None:
        yield from _inlines(values[name])


def _inlines(value: Value) -> Iterator[Inline]:
    match value:
        case str() | int():
            yield Text(str(value))
        case float():
            yield Text(f"{value:.10g}")
        case Person():
            yield Mention(value)
        case tuple():
            yield from _listed(value)
        case _:
            yield value


def _listed(people: tuple[Person, ...]) -> Iterator[Inline]:
    joints = [*[", "] * (len(people) - 2), " and "]
    for before, person in enumerate(people):
        if before:
            yield Text(joints[before - len(people)])
        yield Mention(person)


# Words, the same in every place

_TEXT_LIMIT: Final = 500
_READ_LIMIT: Final = 10_000
_URL_LIMIT: Final = 2_000
_URL_SAFE: Final = ":/?#&=%+,-._~"
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def in_words(at: datetime, zone: str) -> str:
    """The instant as people say it: "Friday 13 November at 15:00 (Europe/Paris)".

    at: aware; zone: IANA name, UTC when there is none of that name. Midnight is told as the end of the day before.
    An instant outside the calendar's range comes as it is, in ISO 8601.
    """
    try:
        local, name = _localised(at, zone)
        if (local.hour, local.minute) == (0, 0):
            return f"the end of {_day(local - timedelta(days=1))} ({name})"
    except OverflowError:
        return at.isoformat()
    return f"{_day(local)} at {local:%H:%M} ({name})"


def _localised(at: datetime, zone: str) -> tuple[datetime, str]:
    try:
        return at.astimezone(ZoneInfo(zone)), zone
    except (LookupError, ValueError, OSError):
        return at.astimezone(UTC), "UTC"


def _day(local: datetime) -> str:
    return f"{_DAYS[local.weekday()]} {local.day} {_MONTHS[local.month - 1]}"


def _words(inline: Inline, zone: str | None) -> str:
    match inline:
        case Mention():
            return _tamed(inline.person.name)
        case Moment():
            return _tamed(in_words(inline.at, zone or inline.zone))
        case Link():
            return _tamed(inline.text).strip() or _tamed(inline.url)
        case _:
            return _tamed(inline.text)


def _tamed(text: str) -> str:
    """The text as one line of visible characters, cut where it is overlong."""
    line = re.sub(" +", " ", "".join(map(_tamed_character, text[:_READ_LIMIT])))
    is_whole = len(line) <= _TEXT_LIMIT and len(text) <= _READ_LIMIT
    return line if is_whole else line[: _TEXT_LIMIT - 1].rstrip() + "…"


@lru_cache(maxsize=4096)
def _tamed_character(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] == "Z" or category == "Cc":
        return " "
    is_invisible = category in {"Cf", "Co", "Cs"} or _is_noncharacter(ord(character))
    return "" if is_invisible else character


def _is_noncharacter(code: int) -> bool:
    return code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF


def _href(url: str) -> str | None:
    """The URL with all that could end or nest a link percent-encoded; None when it is not one we link to."""
    if len(url) > _URL_LIMIT:
        return None
    href = quote(url, safe=_URL_SAFE, errors="replace")
    parts = urlsplit(href)
    return href if parts.scheme in {"http", "https"} and parts.netloc and len(href) <= _URL_LIMIT else None


# Text formats

_LINE_LIMIT: Final = 8_000
# Mattermost's, the lowest of all the places.
_MESSAGE_LIMIT: Final = 16_383
_CUT: Final = "\n\n…"
# A zero-width space: it parts a sign from the name after it, and is needless before a space, a comma or the end.
_BREAK: Final = "\u200b"
_NEEDLESS_BREAK: Final = re.compile(f"{_BREAK}+(?=[ ,]|$)|(?<={_BREAK}){_BREAK}|(?<![^ (]){_BREAK}(?=@)")
_JIRA_ACCOUNT: Final = re.compile(r"[\w.@+:-]+(?: [\w.@+:-]+)*")
# These three names would notify everyone.
_CHAT_ACCOUNT: Final = re.compile(r"(?!(?:all|channel|here)$)\w[\w.-]{0,63}", re.IGNORECASE)


@dataclass(frozen=True)
class _Place:
    """How a text format writes each part of the model; `{}` stands for the words, already escaped.

    mention: how a person is notified there, None where they have no account that can be.
    """

    escape: Callable[[str], str]
    mention: Callable[[Person], str | None]
    strong: str
    link: str
    done: str
    todo: str
    small: str
    gap: str = "\n\n"


def to_wiki(message: Message) -> str:
    """The message in the wiki markup of Jira Data Center.

    Special characters become numeric character references: Jira's renderer looks for its constructs before it escapes
    HTML, and leaves the references it finds as they are.
    """
    return _rendered(message, _WIKI)


def to_mattermost(message: Message, zone: str | None = None) -> str:
    """The message in Mattermost's Markdown, never over its 16,383 characters. zone: the reader's own.

    Mattermost finds mentions after all escaping is undone, so a zero-width space parts the sign from the name.
    """
    return _rendered(message, _MATTERMOST, zone)


def to_discourse(message: Message, zone: str | None = None) -> str:
    """The message in Discourse's Markdown. zone: the reader's own.

    Discourse finds mentions, hashtags, emoji, dates and bare domains after all escaping is undone.
    """
    return _rendered(message, _DISCOURSE, zone)


def to_plain(message: Message) -> str:
    """The message in words alone, for terminals and logs; no control character is in it but the line feeds."""
    return _rendered(message, _PLAIN)


def to_words(message: Message, zone: str | None = None) -> str:
    """The message in words alone, for a service whose markup we do not know. zone: the reader's own.

    Nobody is mentioned: a zero-width space parts what Slack, Discord or Teams could read as a mention or a link.
    """
    return _rendered(message, _WORDS, zone)


def _rendered(message: Message, place: _Place, zone: str | None = None) -> str:
    chunks = [chunk for block in message.blocks for chunk in _chunks(block, place, zone)]
    limit = _MESSAGE_LIMIT + len(place.gap)
    text = "".join(chunks)
    if len(text) > limit:
        text = _leading(chunks, limit - len(_CUT)) + _CUT
    return text.removeprefix(place.gap)


def _chunks(block: Block, place: _Place, zone: str | None) -> Iterator[str]:
    """The block's lines, each with what parts it from the line before."""
    for gap, line in zip(chain([place.gap], repeat("\n")), _lines(block, place, zone), strict=False):
        yield gap + line


def _leading(pieces: list[str], limit: int) -> str:
    """The whole pieces from the first one on that fit into so many characters."""
    lengths = accumulate(map(len, pieces))
    return "".join(piece for piece, length in zip(pieces, lengths, strict=True) if length <= limit)


def _lines(block: Block, place: _Place, zone: str | None) -> Iterator[str]:
    for frame, inlines in _frames(block, place):
        if line := _line([_marked_up(inline, place, zone) for inline in inlines]):
            yield frame.format(line)


def _frames(block: Block, place: _Place) -> Iterable[tuple[str, tuple[Inline, ...]]]:
    match block:
        case Checklist():
            return [(place.done if item.is_done else place.todo, item.inlines) for item in block.items]
        case Small():
            return [(place.small, block.inlines)]
        case Paragraph():
            return [("{}", block.inlines)]


def _line(pieces: list[str]) -> str:
    line = "".join(pieces)
    if len(line) > _LINE_LIMIT:
        line = _leading(pieces, _LINE_LIMIT - 1) + "…"
    return _NEEDLESS_BREAK.sub("", line).strip()


def _marked_up(inline: Inline, place: _Place, zone: str | None) -> str:
    words = _words(inline, zone)
    match inline:
        case Strong() if strong := words.strip():
            return place.strong.format(place.escape(strong))
        case Mention() if mention := place.mention(inline.person):
            return mention
        case Link() if href := _href(inline.url):
            return place.link.format(place.escape(words), href)
        case _:
            return place.escape(words)


# Dots are special where they could begin a heading or a quotation ("h1.", "bq."), hyphens but inside lower-case words.
_WIKI_SPECIAL: Final = re.compile(r"[!-&(-+/:-@[-`{-~]|(?<![a-z])-|-(?![a-z])|(?:^|(?<=[\dqQ]))\.")


def _wiki_escaped(words: str) -> str:
    return _WIKI_SPECIAL.sub(lambda found: f"&#{ord(found[0])};", words)


def _wiki_mention(person: Person) -> str | None:
    account = person.jira or ""
    return f"[~{account}]" if _JIRA_ACCOUNT.fullmatch(account) else None


# The end of the words counts as followed by anything, because the next part's words may begin with it.
_MARKDOWN_SPECIAL: Final = re.compile(
    r"[]\\`*_#+!|~[&<>$@]"
    r"|-(?!\w)"
    r"|(?:^|(?<=\d))\)"
    r"|^\.|(?<=\d)\.(?!\d)|\.(?=[^\W\d_]|$)"
    r"|:(?!\s)(?!(?<=\d:)\d)"
    r"|(?<!\w)/"
)
# Mattermost knows no backslash before these.
_MARKDOWN_REFERENCES: Final = "&<>$/"
_MARKDOWN_BROKEN: Final = "@#~[:./"


def _markdown_escaped(words: str) -> str:
    return _MARKDOWN_SPECIAL.sub(lambda found: _markdown_character(found[0]), words)


def _markdown_character(character: str) -> str:
    is_broken = character in _MARKDOWN_BROKEN
    return _markdown_literal(character) + (_BREAK if is_broken else "")


def _markdown_literal(character: str) -> str:
    if character in _MARKDOWN_REFERENCES:
        return f"&#{ord(character)};"
    return character if character in "@:" else f"\\{character}"


# Where a mention or a link begins: @here, <!channel>, <@U1>, <at>all</at>, [text](address).
_WORDS_BROKEN: Final = re.compile(r"[@<]|\](?=\()")


def _chat_mention(account: str | None) -> str | None:
    return f"{_BREAK}@{account}{_BREAK}" if account and _CHAT_ACCOUNT.fullmatch(account) else None


_WIKI: Final = _Place(
    escape=_wiki_escaped,
    mention=_wiki_mention,
    strong="*{}*",
    link="[{}|{}]",
    done="* (/) {}",
    todo="* (x) {}",
    small="{{color:#6b778c}}{}{{color}}",
)
_MATTERMOST: Final = _Place(
    escape=_markdown_escaped,
    mention=lambda person: _chat_mention(person.mattermost),
    strong="**{}**",
    link="[{}]({})",
    done="- ✅ {}",
    todo="- ⬜ {}",
    small="*{}*",
)
_DISCOURSE: Final = _Place(
    escape=_markdown_escaped,
    mention=lambda person: _chat_mention(person.discourse),
    strong="**{}**",
    link="[{}]({})",
    done="- ✅ {}",
    todo="- ⬜ {}",
    small="<small>{}</small>",
)
_WORDS: Final = _Place(
    escape=lambda words: _WORDS_BROKEN.sub(rf"\g<0>{_BREAK}", words),
    mention=lambda _: None,
    strong="{}",
    link="{} ({})",
    done="✅ {}",
    todo="⬜ {}",
    small="{}",
)
_PLAIN: Final = _Place(
    escape=str,
    mention=lambda _: None,
    strong="{}",
    link="{} ({})",
    done="[x] {}",
    todo="[ ] {}",
    small="{}",
    gap="\n",
)


# Atlassian Document Format

Node = dict[str, Any]


def to_adf(message: Message) -> Node:
    """The message as an Atlassian Document Format document, for Jira Cloud's REST API version 3.

    A text node never mentions anyone and is never parsed for markup; an empty one is invalid, so none is made.
    """
    content = [node for block in message.blocks for node in _adf_block(block)]
    return {"type": "doc", "version": 1, "content": content}


def _adf_block(block: Block) -> list[Node]:
    match block:
        case Checklist():
            items = [_adf_item(item) for item in block.items]
            return [{"type": "bulletList", "content": items}] if items else []
        case Small():
            content = _adf_inlines(block.inlines, {"type": "em"})
        case Paragraph():
            content = _adf_inlines(block.inlines)
    return [{"type": "paragraph", "content": content}] if content else []


def _adf_item(item: Item) -> Node:
    box: Node = {"type": "text", "text": "✅ " if item.is_done else "⬜ "}
    return {"type": "listItem", "content": [{"type": "paragraph", "content": [box, *_adf_inlines(item.inlines)]}]}


def _adf_inlines(inlines: tuple[Inline, ...], *marks: Node) -> list[Node]:
    return [node for inline in inlines for node in _adf_inline(inline, marks)]


def _adf_inline(inline: Inline, marks: tuple[Node, ...]) -> Iterator[Node]:
    words = _words(inline, None)
    if isinstance(inline, Mention) and _JIRA_ACCOUNT.fullmatch(inline.person.jira or ""):
        yield {"type": "mention", "attrs": {"id": inline.person.jira, "text": f"@{words}"}}
    elif words:
        all_marks = [*_adf_marks(inline), *marks]
        yield {"type": "text", "text": words} | ({"marks": all_marks} if all_marks else {})


def _adf_marks(inline: Inline) -> list[Node]:
    match inline:
        case Strong():
            return [{"type": "strong"}]
        case Link() if href := _href(inline.url):
            return [{"type": "link", "attrs": {"href": href}}]
        case _:
            return []
