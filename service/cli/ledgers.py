"""Commands that show the ledgers: spillovers, acknowledgements, and what an admin should mend."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from service.cli._printing import plain, show, show_json, words
from service.cli._session import during, prepared
from service.commitments import Commitment, Share, clean_shares, matching, to_csv, to_rows
from service.contributions import statistics
from service.values import format_duration


def spillovers(
    sprint: Annotated[str | None, typer.Option(help="Only this sprint, by its name or number.")] = None,
    cell: Annotated[str | None, typer.Option(help="Only this cell.")] = None,
    person: Annotated[str | None, typer.Option(help="Only this person's, by name or id.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Every line and column, as CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same with the shares, as JSON.")] = False,
) -> None:
    """Shows what spilled over from closed sprints and why, and each member's share of clean sprints."""
    ready = prepared()
    found = matching(
        during(ready, lambda session: session.ledger.all_commitments()), sprint=sprint, cell=cell, person=person
    )
    shares = clean_shares(found, {one.id for one in ready.team.members if one.newcomer})
    if as_csv:
        typer.echo(to_csv(found), nl=False)
    elif as_json:
        show_json({"tickets": to_rows(found), "shares": shares})
    elif not found:
        typer.echo("The ledger has no such line; it is written when a sprint is closed.")
    else:
        show(_spillover_table(found))
        show(_share_table(shares))


def acknowledgements(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON; times in seconds.")] = False,
) -> None:
    """Shows how contributions from outside were answered: in time or not, and how long it took."""
    ready = prepared()
    found = statistics(during(ready, lambda session: session.ledger.acknowledgements()))
    if as_json:
        spans = {"median": found.median, "percentile_95": found.percentile_95}
        seconds = {name: None if span is None else span.total_seconds() for name, span in spans.items()}
        show_json({**msgspec.structs.asdict(found), **seconds})
        return
    counts = (found.met, found.missed, found.closed, found.open)
    if not any(counts):
        typer.echo("No contribution has come yet; `community-ack` counts them, from the places that crafty.toml names.")
        return
    table = Table("met", "missed", "closed", "still open", "median", "95 of 100 within")
    table.add_row(*map(str, counts), *(_span(span) for span in (found.median, found.percentile_95)))
    show(table)


def warnings(as_json: Annotated[bool, typer.Option("--json", help="A JSON object.")] = False) -> None:
    """Shows what Crafty met that an admin should mend: boards, sprints, places and people."""
    ready = prepared()
    found = during(ready, lambda session: session.ledger.warnings())
    if as_json:
        show_json(found)
        return
    for about, text in sorted(found.items()):
        typer.echo(plain(f"{about}: {text}"))
    if not found:
        typer.echo("There is nothing to mend.")


def _spillover_table(found: Sequence[Commitment]) -> Table:
    table = Table("sprint", "ticket", "assignee", "status", "reason", title="Spillovers")
    for line in found:
        if line.is_spillover:
            cells = (line.sprint_name, f"{line.ticket} {line.summary}", line.assignee, line.status, line.reason)
            table.add_row(*map(words, cells))
    return table


def _share_table(shares: Sequence[Share]) -> Table:
    table = Table("person", "sprints", "clean", "share", "expected", title="Clean sprints")
    for one in shares:
        table.add_row(words(one.person), str(one.sprints), str(one.clean), f"{one.share:.0%}", f"{one.expected:.0%}")
    return table


def _span(span: timedelta | None) -> str:
    return "-" if span is None else format_duration(span)
