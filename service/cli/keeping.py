"""The commands that keep a copy of all that is stored, and bring it back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from service import backup as backups
from service.cli._session import WrongUseError, during, prepared
from service.embedded import running_at
from service.errors import CraftyError

_ELSEWHERE: Final = (
    "CRAFTY_REDIS_URL names a server whose files Crafty does not have: stop that server, empty its data folder, copy "
    "the file there as appendonly.aof, and start it again (see docs/operations.md)."
)


def backup(file: Annotated[Path, typer.Argument(help="Where to keep it; an older one there is replaced.")]) -> None:
    """Writes all that Redis holds at this moment into a file, while Crafty runs; it holds what people wrote."""
    size = during(prepared(), lambda session: backups.take(session.redis, file))
    typer.echo(f"Everything is in {file} ({size:,} bytes).")


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `crafty backup` wrote.", exists=True, dir_okay=False)],
) -> None:
    """Lays a backup into CRAFTY_DATA_DIR, while Crafty does not run; `crafty up` starts from it."""
    settings = prepared().settings
    if settings.redis_url:
        raise WrongUseError(_ELSEWHERE)
    if running_at(settings.data_dir):
        raise CraftyError(f"A Crafty uses the data in {settings.data_dir}: stop it first.")
    backups.put_back(file, settings.data_dir)
    typer.echo(f"Everything is back in {settings.data_dir}: start `crafty up`.")
