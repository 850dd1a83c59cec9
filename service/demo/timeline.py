"""What the audience sees: the day, what happened, what Crafty decided and why, what it did."""

from __future__ import annotations

import asyncio
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from service.demo.stage import Stage
from service.engine import Decision
from service.ledger import Effect, Entry

LATEST: Final = 10_000
PLAIN_WIDTH: Final = 120
INDENT: Final = 27
_LINK: Final = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_ESCAPE: Final = re.compile(r"\\([!-/:-@\[-`{-~])|\u200b")
_VERBS: Final = {"pass": "leaves it", "wait": "waits", "act": "acts"}


class Timeline:
    """Prints the story as it unfolds. zone: in which times are told."""

    def __init__(self, on_stage: Stage, zone: ZoneInfo) -> None:
        self._stage = on_stage
        self._zone = zone
        self._console = Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
        self._told = 0
        self._deliveries = {"jira": 0, "forum": 0}
        self._quoted: Counter[str] = Counter()
        self._last_reasons: dict[tuple[str, str], str] = {}

    def open(self) -> None:
        """The first lines."""
        self._console.rule("[bold]Crafty: a two-week sprint")
        self._console.print(
            "Real webhooks, signed, to a real service with a real Redis; Jira, the forum and the chat are stand-ins.\n"
            "Times are those of Paris.",
            style="dim",
        )

    def tell_what_happens(self, at: datetime, what: str) -> None:
        """A person's deed."""
        self._console.print()
        self._line(at, Text(what, style="bold"))

    async def tell_what_crafty_did(self) -> None:
        """Decisions and effects since the last call, oldest first, each effect with the words that were written."""
        for at, line in await self._notes():
            self._line(at, line)
        for entry in await self._news():
            for line in self._lines(entry):
                self._line(entry.at, line)
            if entry.effect and entry.effect.result == "done":
                self._quote(entry.effect)

    def close(self, expected: Sequence[tuple[str, bool]]) -> list[str]:
        """The list of expected effects; returns those that were not seen."""
        self._console.print()
        self._console.rule("[bold]What was expected, and was it seen?")
        for what, was_seen in expected:
            self._console.print(f"  [green]✔[/] {what}" if was_seen else f"  [red]✘ {what}[/]")
        missed = [what for what, was_seen in expected if not was_seen]
        deliveries = len(self._stage.jira.sender.deliveries) + len(self._stage.forum.sender.deliveries)
        summary = f"{deliveries} webhooks, {len(self._stage.chat.messages)} chat messages, {len(expected)} checks"
        self._console.print(f"\n{summary}, {len(missed)} missed.", style="bold red" if missed else "bold green")
        return missed

    async def stay_open(self) -> None:
        """Says where to look, and stays until Ctrl-C."""
        self._console.print(
            f"\nCrafty still runs at {self._stage.url} (its API: {self._stage.url}/docs). Ctrl-C ends it."
        )
        await asyncio.Event().wait()

    async def _notes(self) -> list[tuple[datetime, Text]]:
        """What was seen before, and what the forum sent: neither leads to a decision, both have a reason."""
        notes = []
        for name, sender in (("jira", self._stage.jira.sender), ("forum", self._stage.forum.sender)):
            for delivery in sender.deliveries[self._deliveries[name] :]:
                note = await self._note(name, delivery.content or {})
                notes += [(self._stage.clock(), Text.assemble(("Crafty  ", "cyan"), (note, "dim")))] if note else []
            self._deliveries[name] = len(sender.deliveries)
        return notes

    async def _note(self, source: str, answer: dict[str, Any]) -> str | None:
        if answer.get("duplicate"):
            return "has seen this delivery before, so nothing happens."
        stored = await self._stage.ledger.delivery(str(answer.get("delivery"))) if source == "forum" else None
        if stored is None:
            return None
        return f"{stored[0].event}: {stored[0].note or 'kept; no rule is concerned with it'}."

    async def _news(self) -> list[Entry]:
        newest = await self._stage.ledger.timeline(limit=LATEST)
        entries = list(reversed(newest))[self._told :]
        self._told = len(newest)
        return entries

    def _lines(self, entry: Entry) -> Iterator[Text]:
        """What the worker decided that is new, and effects; what the request decided is the same, earlier."""
        for decision in entry.decisions if entry.stage == "look" else ():
            if self._last_reasons.get((decision.rule, decision.subject)) != decision.reason:
                self._last_reasons[decision.rule, decision.subject] = decision.reason
                why = f"{decision.rule} {_VERBS[decision.outcome]}: {_about(decision)}."
                yield Text.assemble(("Crafty  ", "cyan"), why)
        if entry.effect:
            style = {"done": "green", "skipped": "dim", "failed": "red"}[entry.effect.result]
            yield Text.assemble(("      → ", "cyan"), (entry.effect.reason, style))

    def _quote(self, effect: Effect) -> None:
        """The text of a comment or a message, as its reader meets it."""
        for text in self._written(effect):
            self._console.print(Padding(Text(f"“{_spoken(text)}”", style="italic"), (0, 0, 0, INDENT)))

    def _written(self, effect: Effect) -> Iterator[str]:
        if effect.kind in {"comment", "edit_comment"}:
            comments = self._stage.jira.comments(effect.target)
            yield from (one.text for one in comments if _rule_of(one.properties) == effect.rule)
        if effect.kind in {"notify", "digest"}:
            person = effect.target.removeprefix("@")
            messages = [one for one in self._stage.chat.messages if person in one.recipients]
            count = self._quoted[person] = self._quoted[person] + 1
            yield messages[count - 1].text

    def _line(self, at: datetime, text: Text) -> None:
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(width=16, no_wrap=True, style="dim")
        grid.add_column()
        grid.add_row(f"{at.astimezone(self._zone):%a %d %b %H:%M}", text)
        self._console.print(grid)


def _spoken(text: str) -> str:
    """The words of a message without their markup, and without the last line, which is the same each time."""
    lines = [_ESCAPE.sub(r"\1", _LINK.sub(r"\1", line)).strip() for line in text.splitlines()]
    return "\n".join(line for line in lines if line and not line.lstrip("*").startswith("Crafty, rule"))


def _rule_of(properties: dict[str, Any]) -> str:
    """Which rule wrote a comment; "" for people's."""
    return str(properties.get("crafty", {}).get("key", "")).partition(":")[0]


def _about(decision: Decision) -> str:
    """The reason, with the ticket's key before it where it does not name it."""
    reason = decision.reason.rstrip(".")
    return reason if decision.subject in reason else f"{decision.subject}, {reason}"
