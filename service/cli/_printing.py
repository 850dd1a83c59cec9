"""How commands show what they found: tables that fit a terminal, whole lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

_WHOLE: Final = 10_000
"""More columns than a table has."""


def show(table: Table) -> None:
    """Prints a table."""
    Console(width=None if sys.stdout.isatty() else _WHOLE).print(table)


def plain(text: str) -> str:
    """Words from outside without anything that steers a terminal."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


def words(text: str) -> str:
    """The same for a table's cell, where brackets would be markup."""
    return escape(plain(text))


def show_json(value: Any) -> None:
    """Prints one JSON value on one line."""
    typer.echo(msgspec.json.encode(value))


def remark(sentence: str) -> None:
    """Says something beside the result, on stderr."""
    typer.echo(sentence, err=True)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere; yields what is told how many are done."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
