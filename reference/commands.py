"""The page of all commands: what each does and takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import typer

from reference._markdown import code, joined, table, whole_page, words
from service.cli import FAILED, WRONG_USE, app

_ABOUT: Final = f"""\
Each command ends with 0 when all is well, with {FAILED} when something failed or is wrong, and with {WRONG_USE} when it
was not used right or the settings can't be used; what went wrong is one sentence on standard error. Tables become plain
lines where the output is no terminal, and `--json` is for scripts. Where settings come from:
[configuration](configuration.md).
"""


def page() -> str:
    """The whole page."""
    every = list(_commands("crafty", typer.main.get_command(app)))
    rows = ((f"[{name}](#{name.replace(' ', '-')})", _first(command)) for name, command in every)
    return whole_page("Commands", _ABOUT, table(("command", "does"), rows), *(_section(*one) for one in every))


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Every command that does something, with the words that call it."""
    inner = getattr(command, "commands", {})
    if not inner or command.invoke_without_command:
        yield name, command
    for word, one in inner.items():
        yield from _commands(f"{name} {word}", one)


def _first(command: Any) -> str:
    return str(command.help).partition("\n\n")[0]


def _section(name: str, command: Any) -> str:
    arguments = " ".join(_word(one) for one in command.params if one.param_type_name == "argument")
    return joined(
        f"## {name}",
        words(command.help),
        f"```\n{name} {arguments}".rstrip() + "\n```",
        _takes(command),
        command.epilog.replace("Example: ", "Example: `") + "`",
    )


def _word(argument: Any) -> str:
    name = str(argument.name).upper()
    return name if argument.required else f"[{name}]"


def _takes(command: Any) -> str:
    rows = [
        (
            code(", ".join(one.opts) if one.param_type_name == "option" else str(one.name).upper()),
            code(_default(one)),
            str(getattr(one, "help", "") or ""),
        )
        for one in command.params
        if one.name != "help"
    ]
    return table(("takes", "default", "meaning"), rows) if rows else ""


def _default(parameter: Any) -> str:
    return str(parameter.default) if parameter.default and isinstance(parameter.default, str | int | float) else ""
