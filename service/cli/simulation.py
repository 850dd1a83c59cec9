"""The command that tells what the rules would decide on a payload."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
import typer
from rich.table import Table

from service.actions import Action
from service.calendar import is_reckonable
from service.cli._printing import plain, remark, show, show_json, words
from service.cli._session import Prepared, WrongUseError, opened, prepared, redis_at_hand
from service.connections import connected
from service.errors import CraftyError, RedisAway, Rejected
from service.gather import Gatherer
from service.jira_shapes import FieldMap
from service.ledger import Ledger, Site
from service.rehearsal import Basis, Configured, Rehearsal, Simulated, fields_told
from service.texts import Message, to_plain
from service.webhooks.sources import Sources

Source = Literal["jira", "discourse", "github", "gitlab"]

_HEADERS: Final = {"discourse": "x-discourse-event", "github": "x-github-event", "gitlab": "x-gitlab-event"}


@dataclass(frozen=True)
class _Payload:
    source: Source
    headers: Mapping[str, str]
    body: bytes
    now: datetime | None


def simulate(
    file: Annotated[str, typer.Argument(help="A file with the delivery's JSON body; - reads stdin.")],
    source: Annotated[Source, typer.Option(help="Who would send it.")] = "jira",
    event: Annotated[str, typer.Option(help="The event's name, where the body does not tell it.")] = "",
    now: Annotated[str | None, typer.Option(help="The moment to decide at, as ISO 8601; the event's own.")] = None,
    fetch: Annotated[bool, typer.Option("--fetch", help="Read what the payload lacks from Jira.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The event and the decisions as JSON.")] = False,
) -> None:
    """Shows what the rules would decide on a payload when the settle time is over; does nothing.

    Works without Redis and Jira; then only the configuration and the payload count.
    """
    ready = prepared()
    headers, body = _as_posted(source, event, _read(file))
    payload = _Payload(source, headers, body, _moment(now))
    try:
        simulated = asyncio.run(_simulated(ready, payload, fetch=fetch))
    except Rejected as refused:
        raise CraftyError(f"{file}: {refused.detail}.") from None
    if as_json:
        show_json(simulated.shown())
    else:
        _show_simulated(simulated)


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise WrongUseError(f"{file} can't be read: {error.strerror or error}.") from None


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        raise WrongUseError(f"“{text}” is no moment; write it such as 2026-11-13T10:00:00Z.") from None
    if moment and moment.tzinfo is None:
        raise WrongUseError(f"“{text}” names no zone; write it such as 2026-11-13T10:00:00Z.")
    if moment and not is_reckonable(moment):
        raise WrongUseError(f"“{text}” is too far away; name a moment in the years 1901 to 2198.")
    return moment


def _as_posted(source: Source, event: str, body: bytes) -> tuple[dict[str, str], bytes]:
    """The headers and the body as that source sends them when they are about such an event."""
    if source == "jira":
        return {}, _named(event, body) if event else body
    if not event:
        remark("Such a sender names the event beside the body; say which it is with --event.")
    return {_HEADERS[source]: event, "x-discourse-event-type": event.partition("_")[0]}, body


def _named(event: str, body: bytes) -> bytes:
    """Jira's payload with that event; what is no JSON object is left for the parser to refuse."""
    try:
        return msgspec.json.encode({**msgspec.json.decode(body), "webhookEvent": event})
    except (msgspec.DecodeError, TypeError):
        return body


async def _simulated(ready: Prepared, payload: _Payload, *, fetch: bool) -> Simulated:
    url = redis_at_hand(ready.settings)
    if url:
        try:
            return await _with_redis(ready, url, payload, fetch=fetch)
        except RedisAway as away:
            remark(f"{away}, so only the configuration and the payload count.")
    if fetch:
        raise CraftyError("--fetch needs Redis: set CRAFTY_REDIS_URL, or start `crafty up`, which brings one.")
    return await _rehearsed(ready, payload, Configured(ready.book, Site()), None, None, fetch=False)


async def _with_redis(ready: Prepared, url: str, payload: _Payload, *, fetch: bool) -> Simulated:
    connections = connected(ready.settings)
    try:
        async with opened(ready, url) as session:
            await session.current.reload()
            gatherer = Gatherer(connections.jira, connections.readers, ready.team, session.ledger)
            return await _rehearsed(ready, payload, session.current, session.ledger, gatherer, fetch=fetch)
    finally:
        await connections.aclose()


async def _rehearsed(
    ready: Prepared,
    payload: _Payload,
    standing: Basis,
    ledger: Ledger | None,
    gatherer: Gatherer | None,
    *,
    fetch: bool,
) -> Simulated:
    names = ready.settings.config.jira.fields_.model_dump()
    if payload.source == "jira" and not standing.site.fields.ids():
        _tell_unknown(fields_told(names, payload.body))
    rehearsal = Rehearsal(Sources(ready.settings, ready.team), ready.team, standing, ledger, gatherer, names)
    return await rehearsal.simulate(payload.source, payload.headers, payload.body, payload.now, fetch=fetch)


def _tell_unknown(fields: FieldMap) -> None:
    """Says which of Jira's fields neither the configuration nor the payload tells."""
    unknown = [name.replace("_", " ") for name in FieldMap.__struct_fields__ if getattr(fields, name) is None]
    if unknown:
        remark(f"Not known here are Jira's fields for {', '.join(unknown)}; [jira.fields] can name them by their ids.")


def _show_simulated(simulated: Simulated) -> None:
    event = simulated.event
    if "ignored" in event:
        typer.echo(plain(f"{event['name'] or 'It'} is of no concern: {event['ignored']}."))
        return
    if not simulated.decisions:
        typer.echo(plain(f"{event['name']}: no rule is concerned with {event['subject']}; is its project a cell's?"))
        return
    table = Table("rule", "mode", "outcome", "why", "it would", title=words(f"{event['name']} · {event['subject']}"))
    for one in simulated.decisions:
        table.add_row(one.rule, one.mode, one.outcome, words(one.reason), words(_listed(one.actions)))
    show(table)
    for one in simulated.decisions:
        for action in one.actions:
            _show_words(one.rule, action)


def _listed(actions: Iterable[Action]) -> str:
    return "\n".join(f"{action.kind} {action.target}" for action in actions)


def _show_words(rule: str, action: Action) -> None:
    message = getattr(action, "message", None)
    if isinstance(message, Message):
        typer.echo(f"\n{rule}, {action.kind} {action.target}:\n{to_plain(message)}")
