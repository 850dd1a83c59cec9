"""GitHub's deliveries into events.

A hook may be set for a whole organisation: only what a public repository that a cell looks after tells of its pull
requests and issues goes further than this module.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final

import msgspec

from service.contributions import Kind, Note, What, contribution_from
from service.events import ContributionNoted, Ignored
from service.facts import Person

Instant = Annotated[datetime, msgspec.Meta(tz=True)]

_TEAM: Final = {"OWNER", "MEMBER", "COLLABORATOR"}
_TURNS: Final[dict[str, What]] = {
    "closed": "closed",
    "deleted": "closed",
    "transferred": "closed",
    "reopened": "reopened",
    "ready_for_review": "readied",
    "converted_to_draft": "drafted",
}


class _Account(msgspec.Struct):
    login: str
    type: str = "User"


class _Written(msgspec.Struct, kw_only=True):
    """Anything that somebody wrote. user: None for a deleted account."""

    user: _Account | None = None
    author_association: str | None = None


class _Item(_Written, kw_only=True):
    """A pull request or an issue. pull_request: set where an issue is GitHub's other view of a pull request."""

    number: int
    title: str
    html_url: str
    created_at: Instant
    updated_at: Instant | None = None
    closed_at: Instant | None = None
    draft: bool = False
    pull_request: Any = None


class _Answer(_Written, kw_only=True):
    id: int
    created_at: Instant | None = None
    submitted_at: Instant | None = None


class _Repository(msgspec.Struct):
    full_name: str
    private: bool = False


class _Place(msgspec.Struct):
    repository: _Repository


class _Delivery(msgspec.Struct, kw_only=True):
    action: str
    sender: _Account | None = None


class _OfPullRequest(_Delivery, kw_only=True):
    item: _Item = msgspec.field(name="pull_request")


class _OfIssue(_Delivery, kw_only=True):
    item: _Item = msgspec.field(name="issue")


class _Comment(_OfIssue, kw_only=True):
    answer: _Answer = msgspec.field(name="comment")
    prefix: ClassVar[str] = "comment"


class _Review(_OfPullRequest, kw_only=True):
    answer: _Answer = msgspec.field(name="review")
    prefix: ClassVar[str] = "review"


class _InlineComment(_OfPullRequest, kw_only=True):
    answer: _Answer = msgspec.field(name="comment")
    prefix: ClassVar[str] = "inline"


_Told = _OfPullRequest | _OfIssue

_ANYTHING: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_PLACE: Final = msgspec.json.Decoder(_Place)
_SHAPES: Final[dict[str, type[_Told]]] = {
    "pull_request": _OfPullRequest,
    "issues": _OfIssue,
    "issue_comment": _Comment,
    "pull_request_review": _Review,
    "pull_request_review_comment": _InlineComment,
}


def parse(name: str, body: bytes, watched: Container[str], received: datetime) -> ContributionNoted | Ignored:
    """What the delivery says.

    name: the `X-GitHub-Event` header, such as pull_request; watched: "owner/name" in lower case of the repositories
    that cells look after; received: stands in for a missing time. Each delivery carries its pull request or issue, so
    each tells by whom and when that was opened, which makes good for one that got lost. Raises msgspec.DecodeError for
    what is no JSON and msgspec.ValidationError, naming the place, for an event without what it must have.
    """
    _ANYTHING.decode(body)
    shape = _SHAPES.get(name)
    if shape is None:
        return Ignored(f"no rule is concerned with “{name[:64]}”" if name else "it names no event")
    repository = _PLACE.decode(body).repository
    if repository.private:
        return Ignored("private repositories are dropped unread")
    place = repository.full_name.lower()
    if place not in watched:
        return Ignored("no cell looks after that repository")
    return _noted(place, msgspec.json.decode(body, type=shape), received)


def _noted(place: str, told: _Told, received: datetime) -> ContributionNoted | Ignored:
    happened = _what_happened(told, received)
    if happened is None and told.item.closed_at:
        return Ignored("it was closed before")
    notes = (*_standing(told), *([happened] if happened else []))
    return ContributionNoted(
        at=happened.at if happened else told.item.updated_at or received,
        actor=_person(told.sender),
        contribution=contribution_from(f"github:{place}#{told.item.number}", place, notes),
        notes=notes,
    )


def _standing(told: _Told) -> Iterator[Note]:
    """What the pull request or issue itself tells: that it was opened, and maybe as a draft."""
    item = told.item
    is_pull_request = isinstance(told, _OfPullRequest) or item.pull_request is not None
    kind: Kind = "pull request" if is_pull_request else "issue"
    yield Note(what="opened", at=item.created_at, title=item.title, url=item.html_url, kind=kind, **_authorship(item))
    if item.draft and told.action != "converted_to_draft":
        yield Note(what="drafted", at=item.created_at, **_account(item.user))


def _what_happened(told: _Told, received: datetime) -> Note | None:
    if isinstance(told, _Comment | _Review | _InlineComment):
        return _answered(told, received)
    if told.action not in _TURNS:
        return None
    ended = told.item.closed_at if told.action == "closed" else None
    return Note(what=_TURNS[told.action], at=ended or told.item.updated_at or received, **_account(told.sender))


def _answered(told: _Comment | _Review | _InlineComment, received: datetime) -> Note | None:
    if told.action not in {"created", "submitted"}:
        return None
    answer = told.answer
    at = answer.submitted_at or answer.created_at or received
    return Note(what="answered", at=at, id=f"{told.prefix}-{answer.id}", **_authorship(answer))


def _authorship(written: _Written) -> dict[str, Any]:
    return {**_account(written.user), "is_member": written.author_association in _TEAM}


def _account(account: _Account | None) -> dict[str, Any]:
    is_bot = account is not None and (account.type == "Bot" or account.login.endswith("[bot]"))
    return {"by": _person(account), "is_bot": is_bot}


def _person(account: _Account | None) -> Person | None:
    return Person(name=account.login, github=account.login) if account else None
