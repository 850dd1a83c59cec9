"""The command that tells why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.table import Table

from service.cli._printing import plain, remark, show, show_json, words
from service.cli._session import during, prepared
from service.engine import Decision
from service.ledger import Entry
from service.why import Why
from service.why import why as story_of


def why(
    subject: Annotated[str, typer.Argument(help="A ticket's key, such as SE-123.")],
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many of the latest entries.")] = 20,
    facts: Annotated[bool, typer.Option("--facts", help="Show the facts that each decision used.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each entry.")] = False,
) -> None:
    """Shows how things stand with a subject, and the latest decisions about it with their reasons, newest first."""
    ready = prepared()
    story = during(ready, lambda session: story_of(session.ledger, ready.book, subject, limit))
    if as_json:
        for entry in story.entries:
            show_json(entry)
        return
    if not story.entries:
        typer.echo(f"Nothing is known of {subject}: no delivery spoke of it, or none in the last 120 days.")
        remark("Should there be one? `crafty doctor` says whether webhooks arrive.")
        return
    for line in _standing(story):
        typer.echo(line)
    show(_table(story, with_facts=facts))


def _standing(story: Why) -> Iterator[str]:
    """Where things stand now, in a line each."""
    for rule, case in story.comments.items():
        asks = "asks for something" if case.open else "asks for nothing"
        yield plain(f"{rule}: its comment {asks} (“{case.state}”, since {case.at:%Y-%m-%d %H:%M} UTC).")
    for rule, at in sorted(story.planned.items(), key=lambda one: one[1]):
        yield f"{rule}: looks again at {at:%Y-%m-%d %H:%M} UTC."
    if story.contribution:
        known = story.contribution.known()
        yield plain(f"It is a contribution: {known.get('title', '')} {known.get('url', '')}".rstrip())


def _table(story: Why, *, with_facts: bool) -> Table:
    table = Table("when (UTC)", "what", "rule", "outcome", "why", title=story.subject)
    for entry in story.entries:
        when = f"{entry.at:%Y-%m-%d %H:%M:%S}"
        for row in _rows(entry, with_facts=with_facts):
            table.add_row(when, *map(words, row))
    return table


def _rows(entry: Entry, *, with_facts: bool) -> Iterator[tuple[str, str, str, str]]:
    happened = f"replay of {entry.event}" if entry.stage == "replay" else entry.event or entry.stage
    if entry.effect:
        effect = entry.effect
        yield effect.kind, effect.rule, effect.result, effect.reason
    elif not entry.decisions:
        yield happened, "", "", "no rule was concerned with it; is its project a cell's?"
    for one in entry.decisions:
        mode = "" if one.mode == "on" else f" ({one.mode})"
        yield happened, one.rule, f"{one.outcome}{mode}", "\n".join(_reason(one, with_facts=with_facts))


def _reason(decision: Decision, *, with_facts: bool) -> Iterator[str]:
    yield decision.reason
    if with_facts:
        yield from (f"  {name.replace('_', ' ')}: {_short(value)}" for name, value in decision.facts.items())


def _short(value: Any) -> str:
    """A fact in few words; people and sprints by their names."""
    match value:
        case None | [] | ():
            return "none"
        case bool():
            return "yes" if value else "no"
        case {"name": name}:
            return str(name)
        case list() | tuple():
            return ", ".join(map(_short, value))
        case _:
            return str(value)
