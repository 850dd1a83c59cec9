"""The command that checks whether what is stored agrees with itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from service.cli._printing import plain, show, show_json
from service.cli._session import during, prepared
from service.clock import utc_now
from service.consistency import Inconsistency, examine

_FAILED: Final = 1


def check(
    as_json: Annotated[
        bool, typer.Option("--json", help="Whether all is consistent, and what is not, as JSON.")
    ] = False,
) -> None:
    """Checks that nothing stored is lost, done twice or left over; changes nothing, and exits 1 if something is."""
    found = during(prepared(), lambda session: examine(session.redis, utc_now))
    if as_json:
        show_json({"ok": not found, "found": found})
    elif found:
        show(_table(found))
    else:
        typer.echo("All that is stored is consistent.")
    if found:
        raise typer.Exit(_FAILED)


def _table(found: Iterable[Inconsistency]) -> Table:
    table = Table("", "of", "what")
    for one in found:
        table.add_row(one.kind, *(Text(plain(part)) for part in (one.about, one.what)))  # keys have colons, as emoji do
    return table
