"""What a doctor finds: one line for each thing that it looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Literal

import msgspec

State = Literal["fine", "doubtful", "wrong", "unchecked"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found.

    check: its name, such as permissions; about: what it looked at, such as SE; state: doubtful is what works but may
    surprise, unchecked what can't be told from here; what: one sentence; mend: how to mend it, "" where it is fine.
    """

    check: str
    about: str
    state: State
    what: str
    mend: str = ""

    @property
    def key(self) -> str:
        """What tells it from other findings, whatever its words: the same trouble has the same key each night."""
        return f"{self.check}: {self.about}"


def fine(check: str, about: str, what: str) -> Finding:
    return Finding(check=check, about=about, state="fine", what=what)


def doubtful(check: str, about: str, what: str, mend: str) -> Finding:
    return Finding(check=check, about=about, state="doubtful", what=what, mend=mend)


def wrong(check: str, about: str, what: str, mend: str) -> Finding:
    return Finding(check=check, about=about, state="wrong", what=what, mend=mend)


def unchecked(check: str, about: str, what: str, mend: str = "") -> Finding:
    return Finding(check=check, about=about, state="unchecked", what=what, mend=mend)


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """All that one examination found, and when."""

    at: datetime
    findings: tuple[Finding, ...]

    @property
    def is_well(self) -> bool | None:
        """Whether nothing is wrong; None where nothing could be checked."""
        checked = [one for one in self.findings if one.state != "unchecked"]
        return is_well(checked) if checked else None

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """What somebody has to mend."""
        return tuple(one for one in self.findings if one.state == "wrong")


def is_well(findings: Iterable[Finding]) -> bool:
    """Whether nothing is wrong; what is doubtful does not count."""
    return all(one.state != "wrong" for one in findings)


def newly_wrong(known: Collection[str], findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """What is wrong now and was not the last time. known: the keys of what was wrong then."""
    return tuple(one for one in findings if one.state == "wrong" and one.key not in known)
