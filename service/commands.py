"""What people say to Crafty in a comment or a post, from their words.

A command follows Crafty's name, `[~crafty]` or `@crafty`, on the same line. Teams also use the older directives
`<spillover>…</spillover>`, which may run over several lines, and `plan 1h 30m for reviewing this task`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final, Literal

import msgspec

from service.facts import Remark

Name = Literal["help", "why", "accept", "urgent", "snooze", "spillover", "plan", "unknown"]

OUR_NAME: Final = "crafty"
LONGEST_SNOOZE: Final = timedelta(days=14)

_ADDRESSED: Final = re.compile(r"(?:\[~(?P<account>[^\]\s]{1,128})\]|(?<![\w@])@(?P<handle>[\w.-]{1,64}))[:,]?[ \t]*")
_SPILLOVER: Final = re.compile(r"<spillover>(?P<reason>.{0,2000}?)</spillover>", re.IGNORECASE | re.DOTALL)
_PLAN: Final = re.compile(r"plan\s+(?P<span>(?:\d{1,3}\s*[hm]\s*){1,2})for\s+review", re.IGNORECASE)
_SNOOZE: Final = re.compile(r"snooze\s+(?P<count>\d{1,3})\s*(?P<unit>[hdw])", re.IGNORECASE)
_SPAN: Final = re.compile(r"(\d{1,3})\s*([hm])", re.IGNORECASE)
_WORD: Final = re.compile(r"[a-z]{1,32}", re.IGNORECASE)
_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_PLAIN: Final[dict[str, Name]] = {"help": "help", "why": "why", "accept": "accept", "urgent": "urgent"}


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that Crafty was told.

    text: the reason of `spillover`, the word of `unknown`; span: of `snooze` (two weeks at most) and `plan`.
    """

    name: Name
    text: str = ""
    span: timedelta = timedelta()


class Spoken(msgspec.Struct, frozen=True, kw_only=True):
    """A command with the remark that it stands in."""

    command: Command
    remark: Remark


def commands_in(text: str, accounts: Iterable[str] = ()) -> tuple[Command, ...]:
    """The commands in a text, in the order they are written; accounts: those that Crafty acts under."""
    names = {OUR_NAME, *(account.casefold() for account in accounts)}
    calls = [call for call in _ADDRESSED.finditer(text) if (call["account"] or call["handle"]).casefold() in names]
    ends = [call.start() for call in calls[1:]] + [len(text)]
    return tuple(_command(text[call.end() : end]) for call, end in zip(calls, ends, strict=True))


def said_to_us(remarks: Iterable[Remark], accounts: frozenset[str]) -> Iterator[Spoken]:
    """Every command that people wrote, oldest first; what Crafty wrote itself is none."""
    for remark in remarks:
        is_ours = remark.author is not None and bool(remark.author.jira_ids & accounts)
        for command in () if is_ours else commands_in(remark.text, accounts):
            yield Spoken(command=command, remark=remark)


def _command(words: str) -> Command:
    directive = _SPILLOVER.search(words)
    if directive:
        return Command(name="spillover", text=" ".join(directive["reason"].split()))
    line = words.split("\n", 1)[0].strip()
    snooze, plan = _SNOOZE.match(line), _PLAN.match(line)
    if snooze:
        return Command(name="snooze", span=min(int(snooze["count"]) * _UNITS[snooze["unit"].lower()], LONGEST_SNOOZE))
    if plan:
        parts = _SPAN.findall(plan["span"])
        return Command(name="plan", span=sum((int(n) * _UNITS[unit.lower()] for n, unit in parts), timedelta()))
    word = _WORD.match(line)
    name = _PLAIN.get(word[0].lower()) if word else None
    return Command(name=name) if name else Command(name="unknown", text=word[0].lower() if word else "")
