"""Commands about crafty.toml."""

from __future__ import annotations

import json
from typing import Final

import typer

from service.cli._session import prepared
from service.engine import config_schema
from service.errors import CraftyError

_EXAMPLE: Final = "describe your team there, as deploy/crafty.example.toml does, or name the file with CRAFTY_CONFIG."

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Checks crafty.toml, or prints its schema.")


@app.command(epilog="Example: crafty config check")
def check() -> None:
    """Validates the settings and crafty.toml; says what to mend, with key and line."""
    ready = prepared()
    source = ready.settings.config.source
    if not source.text:
        raise CraftyError(f"There is nothing in {source.name}, so Crafty watches nothing: {_EXAMPLE}")
    counts = f"Cells: {len(ready.team.cells)}, people: {len(ready.team.members)}, rules: {len(ready.book.rules)}."
    typer.echo(f"{source.name} is fine. {counts}")


@app.command(epilog="Example: crafty config schema > crafty.schema.json")
def schema() -> None:
    """Prints the JSON Schema of crafty.toml, for editors; the rules' own parameters included."""
    typer.echo(json.dumps(config_schema(), indent=2))
