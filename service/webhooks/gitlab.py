"""GitLab's deliveries into events.

Only what a public project that a cell looks after tells of its merge requests and issues goes further than this module;
confidential issues and internal notes do not.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import datetime
from typing import Final

import msgspec

from service.contributions import Kind, Note, What, contribution_from
from service.events import ContributionNoted, Ignored
from service.gitlab_shapes import RawAccount, doer, person_from

_PUBLIC: Final = 20
_TURNS: Final[dict[str, What]] = {"close": "closed", "merge": "closed", "reopen": "reopened"}
_APPROVALS: Final = {"approved", "approval"}
_KINDS: Final[dict[str, tuple[str, Kind]]] = {"merge_request": ("!", "merge request"), "issue": ("#", "issue")}


class _Project(msgspec.Struct):
    """visibility_level: 0 private, 10 for whoever has an account, 20 public."""

    path_with_namespace: str
    visibility_level: int = _PUBLIC


class _Change(msgspec.Struct):
    current: bool | None = None


class _Changes(msgspec.Struct):
    draft: _Change | None = None


class _Item(msgspec.Struct, kw_only=True):
    """A merge request or an issue. What the hook's test button sends has neither an address nor an action."""

    iid: int
    title: str
    url: str = ""
    created_at: str
    updated_at: str | None = None
    author_id: int | None = None
    action: str = ""
    state: str | None = None
    draft: bool = False
    work_in_progress: bool = False
    confidential: bool | None = None

    @property
    def is_draft(self) -> bool:
        return self.draft or self.work_in_progress


class _Remark(msgspec.Struct, kw_only=True):
    id: int
    created_at: str | None = None
    action: str = "create"
    system: bool = False
    internal: bool | None = None
    confidential: bool | None = None


class _Noteable(msgspec.Struct):
    iid: int
    confidential: bool | None = None


class _Envelope(msgspec.Struct):
    object_kind: str = ""


class _Delivery(msgspec.Struct, kw_only=True):
    user: RawAccount
    project: _Project


class _OfItem(_Delivery, kw_only=True):
    object_kind: str
    object_attributes: _Item
    changes: _Changes | None = None


class _OfRemark(_Delivery, kw_only=True):
    """A note; neither of the two where it is about a commit or a snippet."""

    object_attributes: _Remark
    merge_request: _Noteable | None = None
    issue: _Noteable | None = None


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_PLACE: Final = msgspec.json.Decoder(_Delivery)
_ITEM: Final = msgspec.json.Decoder(_OfItem)
_REMARK: Final = msgspec.json.Decoder(_OfRemark)


def parse(name: str, body: bytes, watched: Container[str], received: datetime) -> ContributionNoted | Ignored:
    """What the delivery says; the body's `object_kind` tells which event it is.

    name: the `X-Gitlab-Event` header, for the reason of an ignored one; watched: "group/name" in lower case of the
    projects that cells look after; received: stands in for a missing time. GitLab says nothing of memberships, and
    names an author by number alone: who opened something is told only by that person's own deliveries. Raises
    msgspec.DecodeError for what is no JSON and msgspec.ValidationError, naming the place, for an event without what it
    must have.
    """
    kind = _ENVELOPE.decode(body).object_kind
    if kind not in {*_KINDS, "note"}:
        return Ignored(f"no rule is concerned with “{(kind or name)[:64]}”" if kind or name else "it names no event")
    project = _PLACE.decode(body).project
    if project.visibility_level != _PUBLIC:
        return Ignored("private repositories are dropped unread")
    place = project.path_with_namespace.lower()
    if place not in watched:
        return Ignored("no cell looks after that repository")
    if kind == "note":
        return _remarked(place, _REMARK.decode(body), received)
    return _moved(place, _ITEM.decode(body), received)


def _moved(place: str, told: _OfItem, received: datetime) -> ContributionNoted | Ignored:
    item = told.object_attributes
    if item.confidential:
        return Ignored("confidential issues are dropped unread")
    happened = _what_happened(told, received)
    if happened is None and item.state in {"closed", "merged"}:
        return Ignored("it was closed before")
    notes = (*_standing(told, happened, received), *([happened] if happened else []))
    if not notes:
        return Ignored("it tells nothing new of an answer")
    mark, _ = _KINDS[told.object_kind]
    at = happened.at if happened else _instant(item.updated_at, received)
    return _noted(f"gitlab:{place}{mark}{item.iid}", place, told.user, at, notes)


def _standing(told: _OfItem, happened: Note | None, received: datetime) -> Iterator[Note]:
    """That it was opened, and maybe as a draft, where the delivery names its author."""
    item = told.object_attributes
    is_by_author = item.action == "open" or (item.author_id is not None and item.author_id == told.user.id)
    if not is_by_author:
        return
    at, (_, kind) = _instant(item.created_at, received), _KINDS[told.object_kind]
    yield Note(what="opened", at=at, title=item.title, url=item.url, kind=kind, **doer(told.user))
    if item.is_draft and not (happened and happened.what == "drafted"):
        yield Note(what="drafted", at=at, **doer(told.user))


def _what_happened(told: _OfItem, received: datetime) -> Note | None:
    """A turn, or an approval, which leaves the time of the last update as it was."""
    item = told.object_attributes
    if item.action in _APPROVALS:
        return Note(what="answered", at=received, id=f"approval-{told.user.username}", **doer(told.user))
    what = _TURNS.get(item.action) or _new_readiness(told)
    return Note(what=what, at=_instant(item.updated_at, received), **doer(told.user)) if what else None


def _new_readiness(told: _OfItem) -> What | None:
    if told.object_attributes.action != "update" or not told.changes or not told.changes.draft:
        return None
    return "drafted" if told.changes.draft.current else "readied"


def _remarked(place: str, told: _OfRemark, received: datetime) -> ContributionNoted | Ignored:
    remark, about = told.object_attributes, told.merge_request or told.issue
    if about is None:
        return Ignored("no rule is concerned with notes on anything but merge requests and issues")
    if remark.system or remark.action != "create":
        return Ignored("it is no new answer")
    if remark.internal or remark.confidential or about.confidential:
        return Ignored("internal notes are dropped unread")
    at = _instant(remark.created_at, received)
    note = Note(what="answered", at=at, id=f"note-{remark.id}", **doer(told.user))
    return _noted(f"gitlab:{place}{'!' if told.merge_request else '#'}{about.iid}", place, told.user, at, (note,))


def _noted(key: str, place: str, user: RawAccount, at: datetime, notes: tuple[Note, ...]) -> ContributionNoted:
    about = contribution_from(key, place, notes)
    return ContributionNoted(at=at, actor=person_from(user), contribution=about, notes=notes)


def _instant(text: str | None, received: datetime) -> datetime:
    """GitLab writes "2018-09-15 19:33:44 UTC", and in some payloads ISO 8601."""
    try:
        at = datetime.fromisoformat(text.replace(" UTC", "+00:00")) if text else received
    except ValueError:
        return received
    return at if at.tzinfo else received
