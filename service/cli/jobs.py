"""Commands that show outgoing work, and try again what was given up."""

from __future__ import annotations

from typing import Annotated, Final, get_args

import typer
from rich.table import Table

from service.cli._printing import show, show_json, words
from service.cli._session import Session, WrongUseError, during, operator, prepared
from service.steering import Job, State

app = typer.Typer(invoke_without_command=True, add_completion=False)

_MOST: Final = 200
_NOTHING: Final = "Nothing was given up."


@app.callback(epilog="Example: crafty jobs --state deferred")
def jobs(
    ctx: typer.Context,
    state: Annotated[State, typer.Option(help=f"{', '.join(get_args(State))}; what failed was given up.")] = "failed",
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list.")] = False,
) -> None:
    """Lists outgoing work, or tries it again."""
    if ctx.invoked_subcommand:
        return
    found = during(prepared(), lambda session: session.steering.jobs(state, 0, _MOST))
    if as_json:
        show_json(found)
    elif not found:
        typer.echo(_NOTHING if state == "failed" else f"Nothing is {state}.")
    else:
        show(_table(found))


@app.command(epilog="Example: crafty jobs retry --all")
def retry(
    job: Annotated[str | None, typer.Argument(help="Its id, as the list shows it.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that was given up.")] = False,
) -> None:
    """Does work at once, however often it failed; written to the audit log."""
    if (job is None) != everything:
        raise WrongUseError("Say what to try again: the id of one job, or --all.")
    count = during(prepared(), lambda session: _retried(session, job))
    told = f"{count} {'piece' if count == 1 else 'pieces'} of work will be tried again at once."
    typer.echo(told if count else _NOTHING)


async def _retried(session: Session, job: str | None) -> int:
    if job is None:
        return await session.steering.retry_all(operator())
    await session.steering.retry(job, operator())
    return 1


def _table(found: list[Job]) -> Table:
    table = Table("job", "state", "when", "tries", "what went wrong")
    for one in found:
        table.add_row(words(one.id), one.state, f"{one.due:%Y-%m-%d %H:%M} UTC", str(one.tries), words(one.error))
    return table
