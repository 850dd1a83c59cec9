"""The command that takes a person out of all that is stored."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.table import Table

from service.cli._printing import progress, remark, show, show_json, words
from service.cli._session import Session, WrongUseError, during, operator, prepared
from service.forgetting import Forgotten, count_keys, rewrite_file
from service.forgetting import forget as forget_person
from service.traces import SOMEBODY, Traces, UnclearError, traces_of

_CANNOT_BE_UNDONE = "What is erased can't be brought back. Forget {} in everything that Crafty has stored?"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, and what is left to do. changed: as in Forgotten; file_rewritten: whether it leaves the disk."""

    changed: dict[str, int]
    is_configured: bool
    is_set: bool
    file_rewritten: bool


def forget(
    person: Annotated[
        str, typer.Argument(help="An id of crafty.toml, an account, or an account of one system: github:sam-gh.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="What was changed, by kind, as JSON.")] = False,
) -> None:
    """Erases a person from all that is stored, or calls them somebody; docs/privacy.md says what becomes of what."""
    ready = prepared()
    try:
        traces = traces_of(ready.team, person)
    except UnclearError as unclear:
        raise WrongUseError(f"{unclear}") from None
    if not yes:
        typer.confirm(_CANNOT_BE_UNDONE.format(", ".join(sorted(traces.words))), abort=True, err=True)
    told = during(ready, lambda session: _forgotten(session, traces))
    if as_json:
        show_json(told)
    else:
        show_forgotten(told)


async def _forgotten(session: Session, traces: Traces) -> Told:
    with progress("Looking at what is stored", await count_keys(session.redis)) as tell:
        found = await forget_person(session.redis, traces, tell)
    await session.steering.note(f"forget {SOMEBODY}", operator(), after=found.changed)
    return _told(found, traces, file_rewritten=await rewrite_file(session.redis))


def _told(found: Forgotten, traces: Traces, *, file_rewritten: bool) -> Told:
    return Told(
        changed=dict(found.changed),
        is_configured=traces.person.is_member,
        is_set=found.is_set,
        file_rewritten=file_rewritten,
    )


def show_forgotten(told: Told) -> None:
    """Prints what was done, and on stderr what is left to do."""
    if told.changed:
        table = Table("kind", "changed")
        for kind, count in told.changed.items():
            table.add_row(words(kind), str(count))
        show(table)
        typer.echo(f"{sum(told.changed.values())} entries were changed.")
    else:
        typer.echo("Nothing that is stored names them. Is it their id, or their account as that system writes it?")
    typer.echo("The audit log says that somebody was forgotten.")
    if told.is_configured:
        remark("They stand in crafty.toml. Take them out and start Crafty anew, or the next webhook brings them back.")
    if told.is_set:
        remark("A rule's settings name them. `crafty rules` shows which; set it without them.")
    if not told.file_rewritten:
        remark("Redis did not rewrite its file. Where it keeps one, run BGREWRITEAOF, and delete old backups.")
