"""GitHub's JSON, as webhooks and REST send it alike, mapped to notes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

from service.contributions import Kind, Note
from service.facts import Person

Instant = Annotated[datetime, msgspec.Meta(tz=True)]

_TEAM: Final = {"OWNER", "MEMBER", "COLLABORATOR"}


class RawAccount(msgspec.Struct):
    """An account; apps have the type "Bot"."""

    login: str
    type: str = "User"


class Written(msgspec.Struct, kw_only=True):
    """Anything that somebody wrote. user: None for a deleted account."""

    user: RawAccount | None = None
    author_association: str | None = None


class RawItem(Written, kw_only=True):
    """A pull request or an issue. pull_request: set where an issue is GitHub's other view of a pull request."""

    number: int
    title: str
    html_url: str
    created_at: Instant
    updated_at: Instant | None = None
    draft: bool = False
    pull_request: Any = None


def opened(item: RawItem, kind: Kind) -> Note:
    """The note that it was opened."""
    return Note(what="opened", at=item.created_at, title=item.title, url=item.html_url, kind=kind, **authorship(item))


def authorship(written: Written) -> dict[str, Any]:
    """Who wrote it, in the fields of a note."""
    return {**doer(written.user), "is_member": written.author_association in _TEAM}


def doer(account: RawAccount | None) -> dict[str, Any]:
    """Who did it, in the fields of a note."""
    is_bot = account is not None and (account.type == "Bot" or account.login.endswith("[bot]"))
    return {"by": person_from(account), "is_bot": is_bot}


def person_from(account: RawAccount | None) -> Person | None:
    """The person of an account; None for a deleted one."""
    return Person(name=account.login, github=account.login) if account else None
