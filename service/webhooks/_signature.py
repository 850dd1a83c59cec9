"""Whether a delivery comes from who it says; constant-time comparisons over the raw bytes only."""

import hmac
from collections.abc import Iterable, Sequence
from typing import Final

# WebSub lets the sender choose the method; these are the ones that are still safe.
METHODS: Final = frozenset({"sha256", "sha384", "sha512"})


def is_signed(header: str | None, body: bytes, secrets: Sequence[str]) -> bool:
    """Whether `header` (`method=<hex HMAC of the body>`) was made with one of the secrets."""
    named, _, given = (header or "").partition("=")
    method = named.strip().lower()
    if method not in METHODS or not given.isascii():
        return False
    expected = (hmac.digest(secret.encode(), body, method).hex() for secret in secrets)
    return _any_equal(given.strip().lower(), expected)


def is_token(given: str | None, tokens: Sequence[str]) -> bool:
    """Whether this is one of the tokens of a sender that can't sign."""
    return given is not None and _any_equal(given, tokens)


def _any_equal(given: str, expected: Iterable[str]) -> bool:
    matches = [hmac.compare_digest(given.encode(), one.encode()) for one in expected]
    return any(matches)
