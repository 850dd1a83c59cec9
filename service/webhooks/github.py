"""GitHub's deliveries into events.

A hook may be set for a whole organisation: only what a public repository that a cell looks after tells of its pull
requests and issues goes further than this module.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import datetime
from typing import ClassVar, Final

import msgspec

from service.contributions import Note, What, contribution_from
from service.events import ContributionNoted, Ignored
from service.github_shapes import Instant, RawAccount, RawItem, Written, authorship, doer, opened, person_from

_TURNS: Final[dict[str, What]] = {
    "closed": "closed",
    "deleted": "closed",
    "transferred": "closed",
    "reopened": "reopened",
    "ready_for_review": "readied",
    "converted_to_draft": "drafted",
}


class _Item(RawItem, kw_only=True):
    updated_at: Instant | None = None
    closed_at: Instant | None = None


class _Answer(Written, kw_only=True):
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
    sender: RawAccount | None = None


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
        actor=person_from(told.sender),
        contribution=contribution_from(f"github:{place}#{told.item.number}", place, notes),
        notes=notes,
    )


def _standing(told: _Told) -> Iterator[Note]:
    """What the pull request or issue itself tells: that it was opened, and maybe as a draft."""
    item = told.item
    is_pull_request = isinstance(told, _OfPullRequest) or item.pull_request is not None
    yield opened(item, "pull request" if is_pull_request else "issue")
    if item.draft and told.action != "converted_to_draft":
        yield Note(what="drafted", at=item.created_at, **doer(item.user))


def _what_happened(told: _Told, received: datetime) -> Note | None:
    if isinstance(told, _Comment | _Review | _InlineComment):
        return _answered(told, received)
    if told.action not in _TURNS:
        return None
    ended = told.item.closed_at if told.action == "closed" else None
    return Note(what=_TURNS[told.action], at=ended or told.item.updated_at or received, **doer(told.sender))


def _answered(told: _Comment | _Review | _InlineComment, received: datetime) -> Note | None:
    if told.action not in {"created", "submitted"}:
        return None
    answer = told.answer
    at = answer.submitted_at or answer.created_at or received
    return Note(what="answered", at=at, id=f"{told.prefix}-{answer.id}", **authorship(answer))
