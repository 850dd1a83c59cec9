"""Who may look and who may change: tokens, roles, and a limit on guesses."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from service.errors import CraftyError
from service.ledger import PREFIX, redis_or_away
from service.settings import AccessToken, Settings
from service.steering import Actor

Role = Literal["admin", "viewer"]

GUESSES: Final = 20
"""How many wrong tokens an address may show in a minute."""

_TOO_MANY: Final = "too many wrong tokens came from this address; wait a minute and try again"


class WrongTokenError(CraftyError):
    """The token is missing or nobody's."""


class TooManyGuessesError(CraftyError):
    """That address has shown too many wrong tokens within a minute."""


@dataclass(frozen=True)
class Visitor:
    """Somebody who showed a token of theirs. name: as the settings call them; origin: the address they come from."""

    name: str
    role: Role
    origin: str

    @property
    def actor(self) -> Actor:
        """The same, as the audit log names them."""
        return Actor(self.name, self.origin)


@dataclass(frozen=True)
class Doorkeeper:
    """Knows the tokens of all admins and viewers. Wrong ones are counted in Redis, for all processes together."""

    redis: Any  # redis-py types each answer as awaitable or not, whatever the client
    admins: tuple[AccessToken, ...]
    viewers: tuple[AccessToken, ...]

    async def admit(self, token: str, origin: str) -> Visitor:
        """Who shows this token; raises WrongTokenError, TooManyGuessesError or RedisAway.

        token: "" where none is shown, which is no guess; origin: the address that it comes from.
        """
        await self._check_guesses(origin)
        visitor = self._known(token, origin)
        if visitor:
            return visitor
        if token and await self._count_guess(origin) > GUESSES:
            raise TooManyGuessesError(_TOO_MANY)
        raise WrongTokenError("a token is missing, or nobody's; an admin finds the tokens in CRAFTY_ADMIN_TOKENS")

    def _known(self, token: str, origin: str) -> Visitor | None:
        admin, viewer = _owner(token, self.admins), _owner(token, self.viewers)
        if admin:
            return Visitor(admin, "admin", origin)
        return Visitor(viewer, "viewer", origin) if viewer else None

    async def _check_guesses(self, origin: str) -> None:
        async with redis_or_away():
            guesses = await self.redis.get(f"{PREFIX}guesses:{origin}")
        if int(guesses or 0) >= GUESSES:
            raise TooManyGuessesError(_TOO_MANY)

    async def _count_guess(self, origin: str) -> int:
        """How many there were in this minute, with this one."""
        async with redis_or_away(), self.redis.pipeline(transaction=True) as pipe:
            key = f"{PREFIX}guesses:{origin}"
            _, guesses = await pipe.set(key, 0, ex=60, nx=True).incr(key).execute()
            return int(guesses)


def doorkeeper(redis: Any, settings: Settings) -> Doorkeeper:
    """The one who knows the tokens of these settings."""
    return Doorkeeper(redis, settings.admins, settings.viewers)


def _owner(token: str, tokens: Iterable[AccessToken]) -> str | None:
    """Whose token it is; each is compared in the same time, whatever they share."""
    shown = hashlib.sha256(token.encode()).digest()
    found = [one.name for one in tokens if hmac.compare_digest(shown, hashlib.sha256(one.token.encode()).digest())]
    return found[0] if found else None
