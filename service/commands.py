"""What people say to Crafty in a comment or a post, from their words.

A command follows Crafty's name, `[~crafty]` or `@crafty`, on the same line. Teams also use the older directives
`<spillover>…</spillover>`, which may run over several lines, and `plan 1h 30m for reviewing this task`. What is quoted
or shown as code was said elsewhere, and is no command.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import cache
from typing import Final, Literal

import msgspec

from service.facts import Remark

Name = Literal["help", "why", "accept", "urgent", "snooze", "spillover", "plan", "unknown"]

OUR_NAME: Final = "crafty"
LONGEST_SNOOZE: Final = timedelta(days=14)
LONGEST_TEXT: Final = 32_768
"""How many characters of a text are read: as many as a comment of Jira or a post of the forum may have."""

# In the markups of Jira, the forum and e-mail. What is never closed runs to the end, which also bounds the search.
_QUOTED: Final = re.compile(
    r"\{(?P<macro>quote|code|noformat)\b[^}\n]{0,200}\}.*?(?:\{(?P=macro)\}|\Z)"
    r"|\[quote\b[^]\n]{0,200}\].*?(?:\[/quote\]|\Z)"
    r"|```.*?(?:```|\Z)|`[^`\n]*`|\{\{[^}\n]{0,200}\}\}"
    r"|^[^\S\n]*(?:>|bq\.)[^\n]*",
    re.IGNORECASE | re.DOTALL | re.MULTILINE,
)
_CALL: Final = (
    r"""(?<!["'“„‘«])(?:\[~(?:accountid:)?(?:NAMES)\]|(?<![\w@])@(?:NAMES)(?![\w@]|[.-]\w))(?:[^\S\n]|[:,;.!*_–—-])*"""
    r"(?:\s*[^\n<@[]{0,200}<spillover>(?P<reason>(?:(?!<spillover>).){0,8000}?)</spillover>|(?=(?P<line>[^\n]*)))"
)
_GREETING: Final = re.compile(r"\W*(?:(?:dear|hello|hey|hi|ok|please)\W+)?", re.IGNORECASE)
_COURTESY: Final = re.compile(r"(?:(?:please|can you|could you)\s+)*", re.IGNORECASE)
_PLAN: Final = re.compile(r"plan\s+(?P<span>(?:\d{1,3}\s*[hm]\s*){1,2})for\s+review", re.IGNORECASE)
_SNOOZE: Final = re.compile(
    r"snooze\s+(?:for\s+)?(?P<count>\d{1,3})\s*(?P<unit>h(?:ours?)?|d(?:ays?)?|w(?:eeks?)?)\b", re.IGNORECASE
)
_SPAN: Final = re.compile(r"(\d{1,3})\s*([hm])", re.IGNORECASE)
_WORD: Final = re.compile(r"[^\W_]{1,32}")
_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_PLAIN: Final[dict[str, Name]] = {"help": "help", "why": "why", "accept": "accept", "urgent": "urgent"}
_THANKS: Final = {"thank", "thanks", "thx"}


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that Crafty was told.

    text: the reason of `spillover`, the word of `unknown`, "" where there was none; span: of `snooze` (two weeks at
    most, nothing to end one) and `plan`.
    """

    name: Name
    text: str = ""
    span: timedelta = timedelta()


class Spoken(msgspec.Struct, frozen=True, kw_only=True):
    """A command with the remark that it stands in."""

    command: Command
    remark: Remark


def commands_in(text: str, accounts: Iterable[str] = ()) -> tuple[Command, ...]:
    """The commands in a text, in the order they are written; accounts: those that Crafty acts under.

    Other words after the name are an unknown command only where the name begins the line: else people speak of Crafty.
    """
    said = _QUOTED.sub(" ", text[:LONGEST_TEXT])
    found = (_command(call, said) for call in _calls(frozenset(filter(None, accounts))).finditer(said))
    return tuple(command for command in found if command)


def said_to_us(remarks: Iterable[Remark], accounts: frozenset[str]) -> Iterator[Spoken]:
    """Every command that people wrote, oldest first; what Crafty wrote itself is none."""
    for remark in remarks:
        for command in () if is_ours(remark, accounts) else commands_in(remark.text, accounts):
            yield Spoken(command=command, remark=remark)


def is_ours(remark: Remark, accounts: frozenset[str]) -> bool:
    """Whether Crafty itself wrote it; accounts: those that it acts under."""
    return remark.author is not None and bool(remark.author.jira_ids & accounts)


@cache
def _calls(accounts: frozenset[str]) -> re.Pattern[str]:
    """Finds Crafty's name in each of its forms, with the directive after it or else the rest of the line."""
    names = "|".join(map(re.escape, sorted({OUR_NAME, *accounts}, key=len, reverse=True)))
    return re.compile(_CALL.replace("NAMES", names), re.IGNORECASE | re.DOTALL)


def _command(call: re.Match[str], text: str) -> Command | None:
    if call["reason"] is not None:
        return Command(name="spillover", text=" ".join(call["reason"].split()))
    line = _COURTESY.sub("", call["line"], count=1)
    before = text[: call.start()].rpartition("\n")[2]
    return _timed(line) or _plain(line, is_spoken_to=_GREETING.fullmatch(before) is not None)


def _timed(line: str) -> Command | None:
    snooze, plan = _SNOOZE.match(line), _PLAN.match(line)
    if snooze:
        span = int(snooze["count"]) * _UNITS[snooze["unit"][0].lower()]
        return Command(name="snooze", span=min(span, LONGEST_SNOOZE))
    if plan:
        parts = _SPAN.findall(plan["span"])
        return Command(name="plan", span=sum((int(n) * _UNITS[unit.lower()] for n, unit in parts), timedelta()))
    return None


def _plain(line: str, *, is_spoken_to: bool) -> Command | None:
    found = _WORD.match(line)
    word = found[0].lower() if found else ""
    if word in _PLAIN:
        return Command(name=_PLAIN[word])
    return Command(name="unknown", text=word) if is_spoken_to and word not in _THANKS else None
