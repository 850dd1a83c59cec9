"""Commands that show how rules are set, and set them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from service.cli._printing import remark, show, show_json
from service.cli._session import Prepared, WrongUseError, during, named_value, opened, operator, prepared, redis_at_hand
from service.engine import Mode
from service.errors import RedisAway
from service.steering import RuleSettings
from service.tuning import shown

app = typer.Typer(invoke_without_command=True, add_completion=False)


@app.callback(epilog="Example: crafty rules set green-ticket --mode dry-run --cell Serenity")
def rules(ctx: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="A JSON list.")] = False) -> None:
    """Lists the rules as they are set now, or sets one."""
    if ctx.invoked_subcommand:
        return
    rows = _rows(prepared())
    if as_json:
        show_json(rows)
        return
    table = Table("rule", "mode", "in cells", "set by", "what it promises")
    for row in rows:
        cells = ", ".join(f"{cell}: {setting['mode']}" for cell, setting in row["cells"].items())
        table.add_row(row["name"], row["mode"], cells, "an admin" if row["changed"] else "crafty.toml", row["summary"])
    show(table)


@app.command("set", epilog="Example: crafty rules set green-ticket --param reminder_lead=48h")
def set_rule(
    name: Annotated[str, typer.Argument(help="The rule's name, such as green-ticket.")],
    mode: Annotated[Mode | None, typer.Option(help="on, dry-run (decides and records, does nothing) or off.")] = None,
    cell: Annotated[str, typer.Option(help="Only in this cell; in all of them when left out.")] = "",
    param: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE, may be repeated; null takes a change back.")
    ] = None,
) -> None:
    """Sets a rule; it holds for the next event on every process, and is written to the audit log."""
    wish: dict[str, Any] = {"mode": mode} if mode else {}
    if param:
        wish["params"] = dict(map(named_value, param))
    if not wish:
        raise WrongUseError("Say what to set: --mode, or --param KEY=VALUE.")
    settings = during(prepared(), lambda session: session.steering.tune(name, cell, wish, operator()))
    typer.echo(_told(settings, cell))


def _rows(ready: Prepared) -> list[dict[str, Any]]:
    url = redis_at_hand(ready.settings)
    if url is None:
        remark("No Redis is at hand, so this is what crafty.toml sets; admins may have changed it.")
        return _configured(ready)
    try:
        return [_row(one) for one in asyncio.run(_standing(ready, url))]
    except RedisAway as away:
        remark(f"{away}, so this is what crafty.toml sets; admins may have changed it.")
        return _configured(ready)


async def _standing(ready: Prepared, url: str) -> list[RuleSettings]:
    async with opened(ready, url) as session:
        return await session.steering.rules()


def _row(settings: RuleSettings) -> dict[str, Any]:
    rule = settings.rule
    return {
        "name": rule.name,
        **settings.settings,
        "cells": settings.cells,
        "changed": bool(settings.tuned),
        "summary": rule.summary,
    }


def _configured(ready: Prepared) -> list[dict[str, Any]]:
    return [
        {
            "name": rule.name,
            **shown(ready.book.setting(rule.name, "")),
            "cells": {cell: shown(setting) for cell, setting in ready.book.settings[rule.name].items() if cell},
            "changed": False,
            "summary": rule.summary,
        }
        for rule in ready.book.rules
    ]


def _told(settings: RuleSettings, cell: str) -> str:
    now: Mapping[str, Any] = settings.cells.get(cell, settings.settings)
    params = "".join(f", {name} = {_word(value)}" for name, value in now["params"].items())
    where = f" in {cell}" if cell else ""
    others = "" if cell else ", ".join(f"{mode} in {other}" for other, mode in settings.elsewhere().items())
    return f"{settings.rule.name} is {now['mode']}{where}{params}.{f' It stays {others}.' if others else ''}"


def _word(value: Any) -> str:
    """A parameter's value as --param takes it."""
    return value if isinstance(value, str) else json.dumps(value)
