"""Commands that decide once more on what was stored: as things are now, or with other settings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.table import Table

from service import rehearsal
from service.cli._printing import progress, show, show_json, words
from service.cli._session import Session, WrongUseError, during, named_value, operator, prepared
from service.clock import utc_now
from service.queue import Queue
from service.rehearsal import BackTest, set_otherwise
from service.steering import GoneError
from service.values import parse_duration
from service.webhooks.intake import Answer, Intake
from service.webhooks.sources import Sources

_SHOWN: Final = 20


def replay(
    delivery: Annotated[str, typer.Argument(help="The delivery's id, as `crafty why` and the API show it.")],
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON.")] = False,
) -> None:
    """Decides again, now, on a stored delivery; what was done for it before is not done twice."""
    ready = prepared()
    answer = during(ready, lambda session: _replayed(session, delivery))
    if as_json:
        show_json(answer)
        return
    decisions = answer.decisions or []
    told = ", ".join(f"{one['rule']} {one['outcome']}" for one in decisions) or "no rule is concerned with it"
    typer.echo(f"Decided again on {answer.delivery}: {told}.")


def backtest(
    since: Annotated[str, typer.Option(help="How far back, such as 14d.")] = "14d",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="RULE.PARAM=VALUE, RULE.mode=VALUE or RULE.settle=VALUE; may be repeated."),
    ] = None,
    cell: Annotated[str, typer.Option(help="Set it only in this cell.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Counts and every action, as JSON.")] = False,
) -> None:
    """Shows which actions would appear, vanish or change on stored deliveries with other settings; does nothing.

    Rules that are in dry-run or off count with --set RULE.mode=on.
    """
    ready = prepared()
    wishes = _wishes(settings or [])
    result = during(ready, lambda session: _backtested(session, since, wishes, cell))
    if as_json:
        show_json({**msgspec.structs.asdict(result), "by_rule": result.by_rule(), "by_person": result.by_person()})
    else:
        _show_backtest(result, since)


async def _replayed(session: Session, name: str) -> Answer:
    found = await session.ledger.delivery(name)
    if found is None:
        was = await session.ledger.was_taken(name)
        raise GoneError(f"delivery {name} is not stored any more" if was else f"there is no delivery {name}")
    ready = session.prepared
    intake = Intake(ready.settings, ready.team, session.current, Queue(session.redis, utc_now))
    answer = await intake.replay(*found)
    await session.steering.note(f"replay delivery {name}", operator())
    return answer


def _wishes(settings: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What is to be set otherwise, by rule, as `tuning.changed` takes it."""
    wishes: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for text in settings:
        name, value = named_value(text)
        rule, dot, key = name.partition(".")
        if not dot:
            raise WrongUseError(f"“{text}” names no rule; write it such as green-ticket.reminder_lead=48h.")
        if key in {"mode", "settle"}:
            wishes[rule][key] = value
        else:
            wishes[rule].setdefault("params", {})[key] = value
    if not wishes:
        raise WrongUseError("Say what to try with --set, such as --set green-ticket.reminder_lead=48h.")
    return wishes


async def _backtested(session: Session, since: str, wishes: Mapping[str, Mapping[str, Any]], cell: str) -> BackTest:
    ready, current, ledger = session.prepared, session.current, session.ledger
    sources = Sources(ready.settings, ready.team)
    await current.reload()
    after = set_otherwise(current.configured, current.tunings, ready.team, wishes, cell)
    first = utc_now() - _span(since)
    with progress("Looking at deliveries", await ledger.count_deliveries(first)) as tell:
        deliveries = ledger.deliveries_since(first)
        return await rehearsal.backtest(deliveries, sources, ready.team, current.site, current.book, after, tell)


def _span(since: str) -> timedelta:
    try:
        return parse_duration(since)
    except ValueError as error:
        raise WrongUseError(f"--since: {error}") from None


def _show_backtest(result: BackTest, since: str) -> None:
    if not result.deliveries:
        typer.echo(f"No delivery of the last {since} is stored, so there is nothing to try it on.")
        return
    left_out = f"{result.unconcerned} concerned no rule, {result.unread} could not be read"
    typer.echo(f"{result.deliveries} deliveries of the last {since}; {left_out}.")
    if not result.shifts:
        typer.echo("Every action would stay as it is.")
        return
    for title, counts in (("rule", result.by_rule()), ("person", result.by_person())):
        table = Table(title, "appear", "vanish", "change")
        for name, count in counts.items():
            numbers = (count["appears"], count["vanishes"], count["changes"])
            table.add_row(words(name or "nobody"), *map(str, numbers))
        show(table)
    table = Table("first at (UTC)", "subject", "rule", "action", "what", "person")
    for one in result.shifts[:_SHOWN]:
        row = (one.subject, one.rule, f"{one.kind} {one.target}", one.what, one.person)
        table.add_row(f"{one.at:%Y-%m-%d %H:%M}", *map(words, row))
    show(table)
    if len(result.shifts) > _SHOWN:
        typer.echo(f"… and {len(result.shifts) - _SHOWN} more; --json shows them all.")
