"""Who is logged in at the console: a secret in a cookie, of which Redis knows only the hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from service.admin.auth import Doorkeeper, Visitor
from service.ledger import PREFIX, redis_or_away

LIFE_SECONDS: Final = 12 * 3600


@dataclass(frozen=True)
class Sessions:
    """All sessions, for all processes together; all methods raise RedisAway when Redis can't be used."""

    redis: Any  # redis-py types each answer as awaitable or not, whatever the client
    doorkeeper: Doorkeeper

    async def begin(self, token: str) -> str:
        """The secret of a new session of twelve hours, for whoever was admitted with that token."""
        secret = secrets.token_urlsafe(32)
        async with redis_or_away():
            await self.redis.set(_key("session", secret), _seal(secret, token), ex=LIFE_SECONDS)
        return secret

    async def visitor(self, secret: str, origin: str) -> Visitor | None:
        """Whose session it is; None for one that is over, or whose token is nobody's any more.

        origin: the address that they come from.
        """
        async with redis_or_away():
            seal: bytes | None = await self.redis.get(_key("session", secret))
        if seal is None:
            return None
        known = self._everybody(origin)
        return next((one for token, one in known if hmac.compare_digest(seal, _seal(secret, token))), None)

    async def end(self, secret: str) -> None:
        """Nobody is logged in by this secret any more."""
        async with redis_or_away():
            await self.redis.delete(_key("session", secret), _key("flash", secret))

    async def leave_word(self, secret: str, word: str) -> None:
        """Keeps a sentence for the next page of that session."""
        async with redis_or_away():
            await self.redis.set(_key("flash", secret), word, ex=LIFE_SECONDS)

    async def take_word(self, secret: str) -> str:
        """The sentence that was left, once; "" where there is none."""
        async with redis_or_away():
            word: bytes | None = await self.redis.getdel(_key("flash", secret))
        return (word or b"").decode()

    def _everybody(self, origin: str) -> Iterator[tuple[str, Visitor]]:
        for one in self.doorkeeper.admins:
            yield one.token, Visitor(one.name, "admin", origin)
        for one in self.doorkeeper.viewers:
            yield one.token, Visitor(one.name, "viewer", origin)


def form_token(secret: str) -> str:
    """What every form of the pages that were shown to the holder of this secret carries, against forged posts."""
    return hmac.new(secret.encode(), b"form", hashlib.sha256).hexdigest()


def _key(kind: str, secret: str) -> str:
    return f"{PREFIX}{kind}:{hashlib.sha256(secret.encode()).hexdigest()}"


def _seal(secret: str, token: str) -> bytes:
    """Ties a session to the token it began with: it ends with the token, and tells nobody which token it is."""
    return hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest().encode()
