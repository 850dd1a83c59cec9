"""The `crafty` command: thin, it reads settings, calls, and prints."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import msgspec
import typer
import uvloop
from redis.asyncio import Redis
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from service import log, store
from service.commitments import Commitment, Share, clean_shares, matching, to_csv, to_rows
from service.contributions import statistics
from service.embedded import running_at
from service.engine import Rulebook, config_schema, rulebook
from service.errors import ConfigError, CraftyError
from service.facts import Team
from service.ledger import Entry, Ledger
from service.roster import team_from
from service.serve import run_api, run_up, run_worker
from service.settings import Settings, load
from service.values import format_duration

T = TypeVar("T")

WRONG_USE = 2
FAILED = 1

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
config_app = typer.Typer(no_args_is_help=True, help="Check crafty.toml, or print its schema.")
app.add_typer(config_app, name="config")


def main() -> NoReturn:
    """Runs the command; an expected error is one sentence on stderr."""
    try:
        app()
    except ConfigError as error:
        _complain(f"The configuration can't be used:\n{error}", WRONG_USE)
    except CraftyError as error:
        _complain(str(error), FAILED)
    raise AssertionError("typer exits by itself")


@app.command()
def up() -> None:
    """Runs the API and a worker, with an embedded Redis unless CRAFTY_REDIS_URL is set."""
    settings, _, _ = _prepared()
    sys.exit(uvloop.run(run_up(settings)))


@app.command()
def api() -> None:
    """Runs one API process; CRAFTY_REDIS_URL says where Redis is."""
    settings, team, book = _prepared()
    run_api(settings, _redis_url(settings), team, book)


@app.command()
def worker() -> None:
    """Runs one worker process; CRAFTY_REDIS_URL says where Redis is."""
    settings, team, book = _prepared()
    uvloop.run(run_worker(settings, _redis_url(settings), team, book))


@app.command()
def why(
    subject: Annotated[str, typer.Argument(help="A ticket's key, such as SE-123.")],
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many of the latest entries.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each entry.")] = False,
) -> None:
    """Shows the latest decisions about a subject, with their reasons, newest first."""
    settings, _, _ = _prepared()
    entries = _read(settings, lambda ledger: ledger.timeline(subject, limit))
    if as_json:
        for entry in entries:
            typer.echo(msgspec.json.encode(entry))
        return
    if not entries:
        typer.echo(f"Nothing is known of {subject}: no delivery spoke of it, or none in the last 120 days.")
        return
    _print(_timeline_table(subject, entries))


@app.command()
def rules(as_json: Annotated[bool, typer.Option("--json", help="A JSON list.")] = False) -> None:
    """Lists the rules, with the mode that the configuration gives them."""
    _, _, book = _prepared()
    rows = [(rule.name, book.setting(rule.name, "").mode, rule.summary) for rule in book.rules]
    if as_json:
        typer.echo(msgspec.json.encode([{"name": name, "mode": mode, "summary": text} for name, mode, text in rows]))
        return
    table = Table("rule", "mode", "what it promises")
    for row in rows:
        table.add_row(*row)
    _print(table)


@app.command()
def spillovers(
    sprint: Annotated[str | None, typer.Option(help="Only this sprint, by its name or number.")] = None,
    cell: Annotated[str | None, typer.Option(help="Only this cell.")] = None,
    person: Annotated[str | None, typer.Option(help="Only this person's, by name or id.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Every line and column, as CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same with the shares, as JSON.")] = False,
) -> None:
    """Shows what spilled over from closed sprints and why, and each member's share of clean sprints."""
    settings, team, _ = _prepared()
    found = matching(_read(settings, Ledger.all_commitments), sprint=sprint, cell=cell, person=person)
    shares = clean_shares(found, {one.id for one in team.members if one.newcomer})
    if as_csv:
        typer.echo(to_csv(found), nl=False)
    elif as_json:
        typer.echo(msgspec.json.encode({"tickets": to_rows(found), "shares": shares}))
    elif not found:
        typer.echo("The ledger has no such line; it is written when a sprint is closed.")
    else:
        _print(_spillover_table(found))
        _print(_share_table(shares))


@app.command()
def acknowledgements(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON; times in seconds.")] = False,
) -> None:
    """Shows how contributions from outside were answered: in time or not, and how long it took."""
    settings, _, _ = _prepared()
    found = statistics(_read(settings, Ledger.acknowledgements))
    if as_json:
        spans = {"median": found.median, "percentile_95": found.percentile_95}
        seconds = {name: None if span is None else span.total_seconds() for name, span in spans.items()}
        typer.echo(msgspec.json.encode({**msgspec.structs.asdict(found), **seconds}))
        return
    table = Table("met", "missed", "closed", "still open", "median", "95 of 100 within")
    counts = (found.met, found.missed, found.closed, found.open)
    table.add_row(*map(str, counts), *(_span(span) for span in (found.median, found.percentile_95)))
    _print(table)


@app.command()
def warnings(as_json: Annotated[bool, typer.Option("--json", help="A JSON object.")] = False) -> None:
    """Shows what Crafty met that an admin should mend: boards, sprints, places and people."""
    settings, _, _ = _prepared()
    found = _read(settings, Ledger.warnings)
    if as_json:
        typer.echo(msgspec.json.encode(found))
        return
    for about, text in sorted(found.items()):
        typer.echo(f"{about}: {text}")
    if not found:
        typer.echo("There is nothing to mend.")


@config_app.command()
def check() -> None:
    """Validates the settings and crafty.toml; says what to mend, with key and line."""
    settings, team, book = _prepared()
    typer.echo(
        f"{settings.config.source.name} is fine. Cells: {len(team.cells)}, people: {len(team.members)}, "
        f"rules: {len(book.rules)}."
    )


@config_app.command()
def schema() -> None:
    """Prints the JSON Schema of crafty.toml, for editors; the rules' own parameters included."""
    typer.echo(json.dumps(config_schema(), indent=2))


def _prepared() -> tuple[Settings, Team, Rulebook]:
    settings = load(os.environ, Path.cwd())
    log.configure(settings.log_format, settings.log_level, secrets=settings.secret_values)
    return settings, team_from(settings.config), rulebook(settings.config)


def _redis_url(settings: Settings) -> str:
    """Where Redis is: as set, or the embedded one of a `crafty up` that runs on the same data."""
    url = settings.redis_url.get_secret_value()
    if url:
        return url
    running = running_at(settings.data_dir)
    if running is None:
        raise CraftyError("No Redis to talk to: set CRAFTY_REDIS_URL, or start `crafty up`, which brings one.")
    return running


def _read(settings: Settings, ask: Callable[[Ledger], Awaitable[T]]) -> T:
    """What the ledger answers."""

    async def read() -> T:
        redis = Redis(connection_pool=store.connect(_redis_url(settings)))
        try:
            return await ask(Ledger(redis))
        finally:
            await redis.aclose(close_connection_pool=True)

    return asyncio.run(read())


def _timeline_table(subject: str, entries: list[Entry]) -> Table:
    table = Table("when (UTC)", "what", "rule", "outcome", "why", title=subject)
    for entry in entries:
        when = f"{entry.at:%Y-%m-%d %H:%M:%S}"
        if not entry.decisions and not entry.effect:
            table.add_row(
                when, entry.event or entry.stage, "", "", "no rule was concerned with it; is its project a cell's?"
            )
        for decision in entry.decisions:
            table.add_row(when, entry.event or entry.stage, decision.rule, decision.outcome, escape(decision.reason))
        if entry.effect:
            effect = entry.effect
            table.add_row(when, effect.kind, effect.rule, effect.result, escape(effect.reason))
    return table


def _spillover_table(found: Sequence[Commitment]) -> Table:
    table = Table("sprint", "ticket", "assignee", "status", "reason", title="Spillovers")
    for line in found:
        if line.is_spillover:
            cells = (line.sprint_name, f"{line.ticket} {line.summary}", line.assignee, line.status, line.reason)
            table.add_row(*map(escape, cells))
    return table


def _share_table(shares: Sequence[Share]) -> Table:
    table = Table("person", "sprints", "clean", "share", "expected", title="Clean sprints")
    for one in shares:
        table.add_row(escape(one.person), str(one.sprints), str(one.clean), f"{one.share:.0%}", f"{one.expected:.0%}")
    return table


def _span(span: timedelta | None) -> str:
    return "-" if span is None else format_duration(span)


def _print(table: Table) -> None:
    Console(soft_wrap=not sys.stdout.isatty()).print(table)


def _complain(sentence: str, code: int) -> NoReturn:
    typer.echo(sentence, err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
