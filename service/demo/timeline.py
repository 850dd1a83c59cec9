"""What the audience sees: the day, what happened, what Crafty decided and why, what it did."""

from __future__ import annotations

import asyncio
import html
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import reduce
from typing import Any, Final
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from service.demo._faults import Weather
from service.demo.stage import TOKEN, Stage
from service.engine import Decision
from service.ledger import Effect, Entry

PLAIN_WIDTH: Final = 120
INDENT: Final = 27
_MENTION: Final = re.compile(r"\[~(?:accountid:)?([^\]]+)\]")
_LINK: Final = re.compile(r"\[([^\]|]+)(?:\]\([^)]*\)|\|[^\]]*\])")
"""As Markdown has them, and as wiki markup does."""
_ESCAPE: Final = re.compile(r"\\([!-/:-@\[-`{-~])|\u200b")
_LAST_LINE: Final = re.compile(r"^(\*|<small>|\{color:[^}]*\})?Crafty, rule ")
_ICONS: Final = {"(/)": "✅", "(x)": "⬜"}
_VERBS: Final = {"pass": "leaves it", "wait": "waits", "act": "acts"}
_STYLES: Final = {"done": "green", "skipped": "dim", "held": "dim", "failed": "red"}


class Timeline:
    """Prints the story as it unfolds. zone: in which times are told."""

    def __init__(self, on_stage: Stage, zone: ZoneInfo) -> None:
        self._stage = on_stage
        self._zone = zone
        self._console = Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
        self._point = ""
        self._last_entry = "0"
        self._last_reasons: dict[tuple[str, str], str] = {}
        self._noted: Counter[str] = Counter()
        self._quoted: set[int] = set()
        self._held: set[tuple[str, str, str]] = set()

    def open(self) -> None:
        """The first lines."""
        self._console.rule("[bold]Crafty: a two-week sprint")
        self._console.print(
            "Real webhooks, signed, to a real service with a real Redis; Jira, the forum and the chat are stand-ins.\n"
            "Times are those of Paris.",
            style="dim",
        )

    def tell_of_the_weather(self, weather: Mapping[str, Weather]) -> None:
        """How many calls failed, and how."""
        for vendor, one in weather.items():
            ways = ", ".join(f"{name} {count}" for name, count in sorted(one.struck.items()))
            self._console.print(f"{vendor}: {one.struck.total()} of {one.calls} calls failed: {ways}", style="dim")

    def tell_what_happens(self, at: datetime, what: str, point: str = "") -> None:
        """A person's deed. point: the rule that is told of from now on also where it leaves things alone."""
        self._point = point
        self._console.print()
        self._line(at, Text(what, style="bold"))

    async def tell_what_crafty_did(self) -> None:
        """Decisions and effects since the last call, oldest first, each effect with the words that were written."""
        for at, line in await self._notes():
            self._line(at, line)
        self._last_entry, entries = await self._stage.news(self._last_entry)
        for entry in entries:
            for decision in entry.decisions:
                self._tell_decision(entry, decision)
            if entry.effect:
                self._tell_effect(entry.at, entry.effect)

    def close(self, expected: Sequence[tuple[str, bool]]) -> list[str]:
        """The list of expected effects; returns those that were not seen."""
        self._console.print()
        self._console.rule("[bold]What was expected, and was it seen?")
        for what, was_seen in expected:
            self._console.print(f"  [green]✔[/] {what}" if was_seen else f"  [red]✘ {what}[/]")
        missed = [what for what, was_seen in expected if not was_seen]
        deliveries = sum(len(sender.deliveries) for sender in self._stage.senders)
        summary = f"{deliveries} webhooks, {len(self._stage.chat.messages)} chat messages, {len(expected)} checks"
        self._console.print(f"\n{summary}, {len(missed)} missed.", style="bold red" if missed else "bold green")
        return missed

    async def stay_open(self) -> None:
        """Says where to look, and stays until Ctrl-C."""
        url = self._stage.url
        self._console.print(f"\nThe console: {url}/console, log in with the token {TOKEN}. The API: {url}/docs.")
        self._console.print("Crafty still runs; Ctrl-C ends it.")
        await asyncio.Event().wait()

    async def _notes(self) -> list[tuple[datetime, Text]]:
        """What was seen before, and what the forum sent in vain: neither leads to a decision, both have a reason."""
        notes = []
        for name, sender in (("jira", self._stage.jira.sender), ("forum", self._stage.forum.sender)):
            for delivery in sender.deliveries[self._noted[name] :]:
                note = await self._note(name, delivery.content or {})
                notes += [(self._stage.clock(), Text.assemble(("Crafty  ", "cyan"), (note, "dim")))] if note else []
            self._noted[name] = len(sender.deliveries)
        return notes

    async def _note(self, source: str, answer: dict[str, Any]) -> str | None:
        if answer.get("duplicate"):
            return "has seen this delivery before, so nothing happens."
        stored = await self._stage.ledger.delivery(str(answer.get("delivery"))) if source == "forum" else None
        return f"{stored[0].event}: {stored[0].note}." if stored and stored[0].note else None

    def _tell_decision(self, entry: Entry, decision: Decision) -> None:
        """What is new of it; the request decides the same as the look that follows, where one follows."""
        is_pass = decision.outcome == "pass"
        is_told = decision.rule == self._point if is_pass else entry.stage == "look"
        if not is_told or self._last_reasons.get((decision.rule, decision.subject)) == decision.reason:
            return
        self._last_reasons[decision.rule, decision.subject] = decision.reason
        why = f"{decision.rule} {_VERBS[decision.outcome]}: {_about(decision)}."
        self._line(entry.at, Text.assemble(("Crafty  ", "cyan"), why))

    def _tell_effect(self, at: datetime, effect: Effect) -> None:
        """What became of an action; where something was written, in its words."""
        if self._is_known(effect):
            return
        text = self._written(effect) if effect.result == "done" else None
        if effect.kind == "digest" and effect.result == "done" and text is None:
            return  # one list has an effect for each ticket in it
        self._line(at, Text.assemble(("      → ", "cyan"), (effect.reason, _STYLES[effect.result])))
        if text:
            self._console.print(Padding(Text(f"“{self._spoken(text)}”", style="italic"), (0, 0, 0, INDENT)))

    def _is_known(self, effect: Effect) -> bool:
        """Whether the audience misses nothing: what waits is asked for hourly, and a look goes where its ticket is."""
        waiting = (effect.rule, effect.target, effect.reason)
        is_told = waiting in self._held
        if effect.result == "held":
            self._held.add(waiting)
        else:
            self._held = {one for one in self._held if one[:2] != waiting[:2]}
        return is_told or (effect.kind == "look" and effect.result == "skipped")

    def _spoken(self, text: str) -> str:
        """The words of a message without their markup, and without the last line, which is the same each time."""
        lines = [line for line in map(self._plain, text.splitlines()) if line]
        return "\n".join(line for line in lines if not _LAST_LINE.match(line))

    def _plain(self, line: str) -> str:
        names = {person.jira: person.name for person in self._stage.people}
        named = _MENTION.sub(lambda found: f"@{names.get(found[1], found[1])}", line)
        words = _ESCAPE.sub(r"\1", html.unescape(_LINK.sub(r"\1", named))).strip()
        return reduce(lambda shown, icon: shown.replace(icon, _ICONS[icon]), _ICONS, words)

    def _written(self, effect: Effect) -> str | None:
        """What an effect has written."""
        match effect.kind:
            case "comment" | "edit_comment":
                return self._commented(effect)
            case "notify" | "digest":
                return self._messaged(effect)
            case "reply":
                return self._stage.forum.posts(int(effect.target.removeprefix("topic ")))[-1].raw
            case "create_ticket":
                return list(self._stage.jira.issues.values())[-1].description
        return None

    def _commented(self, effect: Effect) -> str:
        """The comment that the rule has written or edited last."""
        comments = self._stage.jira.comments(effect.target)
        own = [one for one in comments if _rule_of(one.properties.get("crafty", {}).get("key", "")) == effect.rule]
        return max(own, key=lambda one: (one.updated, int(one.id))).text

    def _messaged(self, effect: Effect) -> str | None:
        """The first message of the rule to that person or channel which was not told of yet."""
        to = effect.target.removeprefix("@")
        for number, message in enumerate(self._stage.chat.messages):
            is_its = to in message.recipients and _rule_of(message.props.get("crafty", "")) in {effect.rule, "*"}
            if is_its and number not in self._quoted:
                self._quoted.add(number)
                return message.text
        return None

    def _line(self, at: datetime, text: Text) -> None:
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(width=16, no_wrap=True, style="dim")
        grid.add_column()
        grid.add_row(f"{at.astimezone(self._zone):%a %d %b %H:%M}", text)
        self._console.print(grid)


def _rule_of(key: str) -> str:
    """Which rule wrote what bears this key; "" for people, "*" for a list of all rules."""
    return key.partition(":")[0]


def _about(decision: Decision) -> str:
    """The reason, with the ticket's key before it where it does not name it."""
    reason = decision.reason.rstrip(".")
    return reason if decision.subject in reason else f"{decision.subject}, {reason}"
