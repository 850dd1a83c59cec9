"""The `crafty` command: thin, it reads settings, calls, and prints."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final, NoReturn

import typer

from service.cli import (
    checking,
    configuration,
    forgetting,
    health,
    jobs,
    keeping,
    ledgers,
    rules,
    running,
    simulation,
    story,
    trials,
)
from service.cli._session import WrongUseError
from service.errors import ConfigError, CraftyError
from service.tuning import CannotTuneError

_ABOUT: Final = "Keeps the promises of a sprint: runs the bot, and shows and steers what its rules do."

WRONG_USE: Final = 2
FAILED: Final = 1

_COMMANDS: Final[tuple[tuple[Callable[..., Any], str], ...]] = (
    (running.up, "crafty up"),
    (running.api, "crafty api"),
    (running.worker, "crafty worker"),
    (health.doctor, "crafty doctor --json"),
    (checking.check, "crafty check --json"),
    (health.register_webhooks, "crafty register-webhooks --url https://crafty.example.org --dry-run"),
    (story.why, "crafty why SE-123 --facts"),
    (simulation.simulate, "crafty simulate payload.json --now 2026-11-13T10:00:00Z"),
    (trials.replay, "crafty replay 0f3a7c"),
    (trials.backtest, "crafty backtest --since 14d --set green-ticket.reminder_lead=48h"),
    (ledgers.spillovers, 'crafty spillovers --sprint "SE Sprint 41" --csv'),
    (ledgers.acknowledgements, "crafty acknowledgements --json"),
    (ledgers.warnings, "crafty warnings"),
    (keeping.backup, "crafty backup crafty.rdb"),
    (keeping.restore, "crafty restore crafty.rdb"),
    (forgetting.forget, "crafty forget github:sam-gh"),
)

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=_ABOUT)
for _command, _example in _COMMANDS:
    app.command(epilog=f"Example: {_example}")(_command)
app.add_typer(rules.app, name="rules")
app.add_typer(jobs.app, name="jobs")
app.add_typer(configuration.app, name="config")


def main() -> NoReturn:
    """Runs the command; an expected error is one sentence on stderr."""
    try:
        sys.exit(app(prog_name="crafty", standalone_mode=False))
    except typer.TyperException as error:
        _complain(error.format_message().replace("Value error, ", ""), error.exit_code)
    except typer.Abort:
        _complain("Nothing was done.", FAILED)
    except ConfigError as error:
        _complain(f"The configuration can't be used:\n{error}", WRONG_USE)
    except (WrongUseError, CannotTuneError) as error:
        _complain(str(error), WRONG_USE)
    except CraftyError as error:
        _complain(str(error), FAILED)


def _complain(sentence: str, code: int) -> NoReturn:
    typer.echo(sentence, err=True)
    sys.exit(code)
