"""What every command starts from: the settings, and where a command needs it, Redis."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from redis.asyncio import Redis

from service import log, store
from service.clock import utc_now
from service.current import Current
from service.embedded import running_at
from service.engine import Rulebook, rulebook
from service.errors import CraftyError
from service.facts import Team
from service.ledger import Ledger
from service.roster import team_from
from service.settings import Settings, load
from service.steering import Actor, Steering, steering

T = TypeVar("T")


class WrongUseError(CraftyError):
    """The command was not called as it can be."""


@dataclass(frozen=True)
class Prepared:
    """The settings and what they say of the team and the rules."""

    settings: Settings
    team: Team
    book: Rulebook


@dataclass(frozen=True)
class Session:
    """The same on a Redis, for as long as a command runs."""

    prepared: Prepared
    redis: Redis
    ledger: Ledger
    current: Current

    @property
    def steering(self) -> Steering:
        """For changing something."""
        cells = (cell.name for cell in self.prepared.team.cells)
        return steering(self.redis, utc_now, self.current, cells)


def prepared(*, serves: bool = False) -> Prepared:
    """Reads the settings and sets up the logs; a command that does not serve logs only what is wrong."""
    settings = load(os.environ, Path.cwd())
    level = settings.log_level if serves else "WARNING"
    log.configure(settings.log_format, level, secrets=settings.secret_values)
    return Prepared(settings, team_from(settings.config), rulebook(settings.config))


def redis_at_hand(settings: Settings) -> str | None:
    """Where Redis is: as set, or the embedded one of a `crafty up` on the same data; None where there is none."""
    return settings.redis_url.get_secret_value() or running_at(settings.data_dir)


def redis_url(settings: Settings) -> str:
    """The same; raises CraftyError where there is none."""
    url = redis_at_hand(settings)
    if url is None:
        raise CraftyError("No Redis to talk to: set CRAFTY_REDIS_URL, or start `crafty up`, which brings one.")
    return url


@asynccontextmanager
async def opened(ready: Prepared, url: str) -> AsyncIterator[Session]:
    """A session on the Redis at that address."""
    redis = Redis(connection_pool=store.connect(url))
    ledger = Ledger(redis)
    try:
        yield Session(ready, redis, ledger, Current(ledger, ready.book))
    finally:
        await redis.aclose(close_connection_pool=True)


def during(ready: Prepared, ask: Callable[[Session], Awaitable[T]]) -> T:
    """What is answered in a session; raises CraftyError where there is no Redis."""
    url = redis_url(ready.settings)

    async def answer() -> T:
        async with opened(ready, url) as session:
            return await ask(session)

    return asyncio.run(answer())


def operator() -> Actor:
    """Whoever runs the command, by their account on this machine."""
    try:
        return Actor(getpass.getuser(), "cli")
    except (KeyError, OSError):
        return Actor(f"uid {os.getuid()}", "cli")


def named_value(text: str) -> tuple[str, Any]:
    """The name and the value of "NAME=VALUE"; a value that is no JSON is a text, so that 48h needs no quotes."""
    name, is_set, value = text.partition("=")
    if not is_set or not name:
        raise WrongUseError(f'“{text}” sets nothing; write it as NAME=VALUE, such as "reminder_lead=48h".')
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value.strip()
