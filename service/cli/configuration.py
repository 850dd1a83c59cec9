"""Commands about crafty.toml."""

from __future__ import annotations

import json

import typer

from service.cli._session import prepared
from service.engine import config_schema

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Check crafty.toml, or print its schema.")


@app.command(epilog="Example: crafty config check")
def check() -> None:
    """Validates the settings and crafty.toml; says what to mend, with key and line."""
    ready = prepared()
    typer.echo(
        f"{ready.settings.config.source.name} is fine. Cells: {len(ready.team.cells)}, "
        f"people: {len(ready.team.members)}, rules: {len(ready.book.rules)}."
    )


@app.command(epilog="Example: crafty config schema > crafty.schema.json")
def schema() -> None:
    """Prints the JSON Schema of crafty.toml, for editors; the rules' own parameters included."""
    typer.echo(json.dumps(config_schema(), indent=2))
