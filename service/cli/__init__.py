"""The `crafty` command: thin, it reads settings, calls, and prints."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, NoReturn

import typer
from typer.core import TyperGroup

from service.cli._session import WrongUseError
from service.errors import ConfigError, CraftyError, RedisAway
from service.release import own_version
from service.steering import GoneError
from service.tuning import CannotTuneError

_ABOUT: Final = "Keeps the promises of a sprint: runs the bot, and shows and steers what its rules do."

WRONG_USE: Final = 2
FAILED: Final = 1

_COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "up": ("up", "crafty up"),
    "api": ("api", "crafty api"),
    "worker": ("worker", "crafty worker"),
    "doctor": ("health", "crafty doctor --json"),
    "check": ("checking", "crafty check --json"),
    "register-webhooks": ("health", "crafty register-webhooks --url https://crafty.example.org --dry-run"),
    "why": ("story", "crafty why SE-123 --facts"),
    "simulate": ("simulation", "crafty simulate payload.json --now 2026-11-13T10:00:00Z"),
    "replay": ("trials", "crafty replay 0f3a7c"),
    "backtest": ("trials", "crafty backtest --since 14d --set green-ticket.reminder_lead=48h"),
    "spillovers": ("ledgers", 'crafty spillovers --sprint "SE Sprint 41" --csv'),
    "acknowledgements": ("ledgers", "crafty acknowledgements --json"),
    "warnings": ("ledgers", "crafty warnings"),
    "backup": ("keeping", "crafty backup crafty.rdb"),
    "restore": ("keeping", "crafty restore crafty.rdb"),
    "forget": ("forgetting", "crafty forget github:sam-gh"),
}
"""The module of each command, and an example."""

_GROUPS: Final = {"rules": "rules", "jobs": "jobs", "config": "configuration"}
"""The module of each group of commands."""


class _WhenCalled(Mapping[str, Any]):
    """All commands by name. Each is imported when it is called: nobody waits for what the others import."""

    def __getitem__(self, name: str) -> Any:
        if name in _GROUPS:
            return _made(_module(_GROUPS[name]).app, name)
        module, example = _COMMANDS[name]
        alone = typer.Typer(add_completion=False)
        alone.command(name, epilog=f"Example: {example}")(getattr(_module(module), name.replace("-", "_")))
        return _made(alone, name)

    def __iter__(self) -> Iterator[str]:
        return iter((*_COMMANDS, *_GROUPS))

    def __len__(self) -> int:
        return len(_COMMANDS) + len(_GROUPS)


class _Commands(TyperGroup):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.commands = _WhenCalled()  # type: ignore[assignment] # Typer only reads it


def _module(name: str) -> Any:
    gc.disable()  # what is imported stays: looking for what does not takes a fifth of the API's start
    module = importlib.import_module(f"service.cli.{name}")
    gc.freeze()
    gc.enable()
    return module


def _made(app: typer.Typer, name: str) -> Any:
    command = typer.main.get_command(app)
    command.name = name
    return command


app = typer.Typer(
    cls=_Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=_ABOUT
)


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(own_version())
        raise typer.Exit


@app.callback()
def _any(
    _: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Makes it a group, which needs a callback while it has no commands of its own."""


def main() -> NoReturn:
    """Runs the command; an expected error is one sentence on stderr."""
    try:
        sys.exit(app(prog_name="crafty", standalone_mode=False))
    except typer.TyperException as error:
        _complain(f"{error.format_message().replace('Value error, ', '')}{_way_out(error)}", error.exit_code)
    except typer.Abort:
        _complain("Nothing was done.", FAILED)
    except ConfigError as error:
        _complain(f"The configuration can't be used:\n{error}", WRONG_USE)
    except (WrongUseError, CannotTuneError) as error:
        _complain(str(error), WRONG_USE)
    except GoneError as gone:
        _complain(_sentence(str(gone)), WRONG_USE)
    except RedisAway as away:
        _complain(f"{away}: look whether it runs, and whether CRAFTY_REDIS_URL is right.", FAILED)
    except CraftyError as error:
        _complain(str(error), FAILED)


def _sentence(told: str) -> str:
    """What the API tells without a capital and a full stop."""
    return f"{told[:1].upper()}{told[1:].removesuffix('.')}."


def _way_out(error: typer.TyperException) -> str:
    command = getattr(getattr(error, "ctx", None), "command_path", None)
    return f" `{command} --help` says what there is." if command else ""


def _complain(sentence: str, code: int) -> NoReturn:
    typer.echo(sentence, err=True)
    sys.exit(code)
