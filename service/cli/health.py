"""Commands about the connections to other systems: what is wrong with them, and how webhooks are set up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Annotated, Final

import typer
from redis.asyncio import Redis
from rich.markup import escape
from rich.table import Table

from service import store
from service.cli._printing import show, show_json
from service.cli._session import WrongUseError, prepared, redis_at_hand
from service.clients._http import Refused
from service.clients.jira import Jira
from service.clock import utc_now
from service.connections import connected
from service.doctor import Finding, State, examine, is_well, of_problems
from service.errors import CannotAct, ConfigError, CraftyError, NotFound
from service.registration import (
    Plan,
    Steps,
    base_from,
    carry_out,
    jira_steps,
    known_base,
    other_steps,
    plan_for,
    wish_for,
)
from service.settings import Settings

_FAILED: Final = 1
_COLOURS: Final[dict[State, str]] = {"fine": "green", "doubtful": "yellow", "wrong": "red", "unchecked": "dim"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Whether all is well, and every finding, as JSON.")] = False,
) -> None:
    """Checks the configuration, Redis, and every connected system; says how to mend what is wrong, and then exits 1."""
    try:
        found = asyncio.run(_examined(prepared().settings))
    except ConfigError as error:
        found = of_problems(error)
    if as_json:
        show_json({"ok": is_well(found), "findings": found})
    else:
        show(_table(found))
        typer.echo(_summary(found))
    if not is_well(found):
        raise typer.Exit(_FAILED)


def register_webhooks(
    url: Annotated[
        str | None, typer.Option(help="Crafty's own address as Jira reaches it; needed the first time.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Registers Crafty's webhook with Jira, or brings it up to date, and prints the steps for the other systems."""
    settings = prepared().settings
    base = asyncio.run(_registered(settings, url, dry_run=dry_run))
    for steps in other_steps(settings, base):
        _show_steps(steps)


async def _examined(settings: Settings) -> tuple[Finding, ...]:
    connections, address = connected(settings), redis_at_hand(settings)
    redis = Redis(connection_pool=store.connect(address)) if address else None
    try:
        return await examine(settings, connections, redis, utc_now)
    finally:
        await connections.aclose()
        if redis:
            await redis.aclose(close_connection_pool=True)


def _table(found: Iterable[Finding]) -> Table:
    table = Table("", "check", "of", "what", "how to mend it")
    for one in found:
        colour = _COLOURS[one.state]
        table.add_row(f"[{colour}]{one.state}[/]", *map(escape, (one.check, one.about, one.what, one.mend)))
    return table


def _summary(found: Iterable[Finding]) -> str:
    states = [one.state for one in found]
    wrong, doubtful = states.count("wrong"), states.count("doubtful")
    return f"{wrong} wrong, {doubtful} doubtful, {states.count('fine')} fine."


async def _registered(settings: Settings, url: str | None, *, dry_run: bool) -> str:
    """Crafty's address, once its webhook is registered."""
    connections = connected(settings)
    try:
        if connections.jira is None:
            raise CannotAct("Jira is not configured: set CRAFTY_JIRA_URL, CRAFTY_JIRA_TOKEN and their like.")
        return await _registered_with(connections.jira, settings, url, dry_run=dry_run)
    finally:
        await connections.aclose()


async def _registered_with(jira: Jira, settings: Settings, url: str | None, *, dry_run: bool) -> str:
    base = _base(url, settings) if url else ""
    try:
        webhooks = await jira.webhooks()
        base = base or known_base(webhooks) or _no_address()
        plan = plan_for(wish_for(settings, base, signs=await jira.signs_webhooks()), webhooks)
        if not dry_run:
            await carry_out(plan, jira)
    except (NotFound, Refused) as refusal:
        if base:
            _show_steps(jira_steps(settings, base))
        raise CraftyError(f"The webhook was not registered with Jira. {refusal}") from None
    _show_plan(plan, base, dry_run=dry_run)
    return base


def _base(url: str, settings: Settings) -> str:
    try:
        return base_from(url, is_cloud=settings.jira_kind == "cloud")
    except ValueError as mistake:
        raise WrongUseError(f"--url {mistake}.") from None


def _no_address() -> str:
    raise WrongUseError("Say where Jira reaches Crafty, such as --url https://crafty.example.org.")


def _show_plan(plan: Plan, base: str, *, dry_run: bool) -> None:
    verb = "changed" if plan.standing else "registered"
    typer.echo(f"Jira: the webhook to {base}/webhooks/jira {'would be' if dry_run else 'is'} {verb}.")
    for one in plan.spare:
        typer.echo(f"  Another one sends to the same address: delete “{one.name}” (number {one.id}) in Jira.")
    for one in plan.elsewhere:
        where = one.url.partition("?")[0]
        typer.echo(f"  “{one.name}” (number {one.id}) sends to {where}: delete it in Jira if nobody needs it.")


def _show_steps(steps: Steps) -> None:
    typer.echo(
        f"\n{steps.system}, by hand:\n  URL: {steps.url}\n  Secret: the value of {steps.secret}, the first of several"
    )
    for number, line in enumerate(steps.lines, 1):
        typer.echo(f"  {number}. {line}")
