"""GitLab's JSON, as webhooks and REST send it alike, mapped to notes."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from service.facts import Person

_BOT: Final = re.compile(r"(project|group)_[0-9]+_bot(_\w+)?|ghost", re.IGNORECASE)


class RawAccount(msgspec.Struct):
    """An account; access tokens of projects and groups act as accounts of their own."""

    username: str
    id: int | None = None
    bot: bool = False

    @property
    def is_bot(self) -> bool:
        return self.bot or bool(_BOT.fullmatch(self.username))


def doer(account: RawAccount | None) -> dict[str, Any]:
    """Who did it, in the fields of a note."""
    return {"by": person_from(account), "is_bot": account.is_bot} if account else {}


def person_from(account: RawAccount) -> Person:
    """The person of an account."""
    return Person(name=account.username, gitlab=account.username)
