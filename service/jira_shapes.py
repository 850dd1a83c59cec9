"""Jira's JSON, as webhooks and REST send it, mapped to facts.

One mapping serves both: webhooks carry issues in REST v2 shape. What a payload does not carry stays ABSENT.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec

from service.facts import ABSENT, Person, Sprint, Ticket

T = TypeVar("T")

_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}-[0-9]{1,12}")
_GREENHOPPER: Final = re.compile(r"(?:^|[\[,])(id|rapidViewId|state|name|startDate|endDate|sequence|goal|\w+Date)=")
_GH: Final = "com.pyxis.greenhopper.jira:"


class RawUser(msgspec.Struct, rename="camel"):
    """A user: Cloud names an accountId, Data Center a name and a key; some sites of the years between, all three."""

    account_id: str | None = None
    name: str | None = None
    key: str | None = None
    display_name: str | None = None
    time_zone: str | None = None


class RawIssue(msgspec.Struct):
    """An issue whose fields are read one by one, because custom fields have other ids on each site."""

    key: str
    fields: dict[str, msgspec.Raw] = {}


class RawSprint(msgspec.Struct, rename="camel"):
    """A sprint as agile REST, webhooks and Cloud's sprint field show it (the field calls its board `boardId`)."""

    id: int
    name: str
    state: str
    board_id: int | None = None
    origin_board_id: int | None = None
    start_date: str | None = None
    end_date: str | None = None


class FieldMap(msgspec.Struct, frozen=True, kw_only=True):
    """The ids of the custom fields on this site; None where the field was not found."""

    story_points: str | None = None
    reviewer: str | None = None
    core_committer: str | None = None
    sprint: str | None = None
    epic_link: str | None = None
    flagged: str | None = None

    def ids(self) -> list[str]:
        """Every id that is known."""
        return [value for value in msgspec.structs.astuple(self) if value]


class RawSchema(msgspec.Struct):
    custom: str | None = None


class RawField(msgspec.Struct):
    """One entry of `GET /field`."""

    id: str
    name: str
    schema: RawSchema | None = None


class _Named(msgspec.Struct, rename="camel"):
    name: str = ""
    key: str = ""
    subtask: bool = False
    hierarchy_level: int | None = None


class _Status(msgspec.Struct, rename="camel"):
    name: str
    status_category: _Named | None = None


class _ParentFields(msgspec.Struct):
    issuetype: _Named | None = None


class _Parent(msgspec.Struct):
    key: str
    fields: _ParentFields | None = None


def is_issue_key(key: str) -> bool:
    """Whether this is the shape of an issue key; nothing else may become part of an address or a Redis key."""
    return bool(_KEY.fullmatch(key))


def instant_from(value: str | int | None) -> datetime | None:
    """An instant from Jira's ISO text (offset with or without colon) or epoch milliseconds; None for anything else."""
    try:
        if isinstance(value, int):
            return datetime.fromtimestamp(value / 1000, UTC)
        return datetime.fromisoformat(value).astimezone(UTC) if value else None
    except (ValueError, OverflowError, OSError):
        return None


def person_from(raw: RawUser | None) -> Person | None:
    """A person from a user object; None for nobody and for a user without any account."""
    account = raw and (raw.account_id or raw.name or raw.key)
    if raw is None or not account:
        return None
    return Person(name=raw.display_name or account, jira=account, jira_key=raw.key, timezone=raw.time_zone)


def sprint_from(raw: RawSprint) -> Sprint:
    """A sprint from its object."""
    return Sprint(
        id=raw.id,
        name=raw.name,
        state=raw.state.lower(),
        board=raw.origin_board_id or raw.board_id,
        start=instant_from(raw.start_date),
        end=instant_from(raw.end_date),
    )


def sprint_from_text(text: str) -> Sprint | None:
    """A sprint from Data Center's `…Sprint@1bf[id=444,rapidViewId=158,state=ACTIVE,name=…]`; None if it has no id.

    Names may hold commas and brackets and the keys' order varies, so a value ends where the next known key begins.
    """
    marks = list(_GREENHOPPER.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text) - 1]
    values = {mark[1]: text[mark.end() : end] for mark, end in zip(marks, ends, strict=False)}
    if not values.get("id", "").isdecimal():
        return None
    board = values.get("rapidViewId", "")
    return Sprint(
        id=int(values["id"]),
        name=values.get("name", ""),
        state=values.get("state", "").lower(),
        board=int(board) if board.isdecimal() else None,
        start=instant_from(values.get("startDate")),
        end=instant_from(values.get("endDate")),
    )


def ticket_from(issue: RawIssue, fields: FieldMap, site: str) -> Ticket:
    """The ticket as far as this issue shows it.

    site: the address that people open Jira at. Raises msgspec.ValidationError, naming the field, where a field of
    Jira's own has a shape that it never has; a custom field of an unexpected shape counts as unknown.
    """
    if not is_issue_key(issue.key):
        raise msgspec.ValidationError("the issue's key is not of the form PROJECT-1 - at `$.issue.key`")
    read = _Reader(issue.fields)
    kind = read.own("issuetype", _Named)
    status = read.own("status", _Status)
    return Ticket(
        key=issue.key,
        url=f"{site}/browse/{issue.key}",
        summary=read.own("summary", str),
        kind=_then(kind, lambda it: it.name),
        is_subtask=_then(kind, lambda it: it.subtask),
        status=_then(status, lambda it: it.name),
        is_done=_then(status, lambda it: it.status_category.key == "done" if it.status_category else ABSENT),
        assignee=_then(read.own("assignee", RawUser | None), person_from),
        reporter=_then(read.own("reporter", RawUser | None), person_from),
        reviewer=_then(read.custom(fields.reviewer, RawUser | list[RawUser] | None), _first_person),
        core_committer=_then(read.custom(fields.core_committer, RawUser | list[RawUser] | None), _first_person),
        estimate=read.custom(fields.story_points, float | None),
        flagged=_then(read.custom(fields.flagged, list[Any] | None), bool),
        sprints=_then(read.custom(fields.sprint, list[RawSprint | str] | None), _sprints),
        epic_key=_epic_key(read, fields),
        created_at=_instant(read.own("created", str | int | None)),
        updated_at=_instant(read.own("updated", str | int | None)),
    )


def whole_ticket_from(issue: RawIssue, fields: FieldMap, site: str) -> Ticket:
    """The ticket from an answer to a request that asked for every field of `fields` and Jira's own.

    Jira leaves out a parent that is not there, and sites need not have a second reviewer's field, a flag or epics: what
    is optional and missing here is empty. A missing estimate, reviewer or sprint field stays unknown.
    """
    ticket = ticket_from(issue, fields, site)
    empty = {"core_committer": None, "epic_key": None, "flagged": False}
    return ticket.having(**{fact: value for fact, value in empty.items() if fact not in ticket.known()})


def discover(known: Iterable[RawField], names: Mapping[str, str]) -> tuple[FieldMap, tuple[str, ...]]:
    """The ids of our fields on a site, and one sentence for each that was not found or not told apart.

    known: what `GET /field` answered; names: fact to configured name or id. Sprint and Epic Link are found by the type
    that Jira Software gives them, since names are translated; the others only by name.
    """
    fields = list(known)
    found = {fact: _candidates(fact, wanted, fields) for fact, wanted in names.items()}
    problems = tuple(_problem(fact, names[fact], ids) for fact, ids in found.items() if len(ids) != 1)
    return FieldMap(**{fact: ids[0] for fact, ids in found.items() if len(ids) == 1}), problems


_TYPES: Final = {"sprint": f"{_GH}gh-sprint", "epic_link": f"{_GH}gh-epic-link"}


def _candidates(fact: str, wanted: str, fields: list[RawField]) -> list[str]:
    by_id = [field.id for field in fields if field.id == wanted]
    by_type = [field.id for field in fields if field.schema and field.schema.custom == _TYPES.get(fact, ABSENT)]
    by_name = [field.id for field in fields if field.name.casefold() == wanted.casefold()]
    return by_id or (by_type if len(by_type) == 1 else by_name)


def _problem(fact: str, wanted: str, ids: list[str]) -> str:
    if ids:
        choice = ", ".join(ids)
        return f"jira.fields.{fact}: {len(ids)} fields are named “{wanted}” ({choice}); give the id of the right one"
    return f"jira.fields.{fact}: no field is named “{wanted}”; give its name or id as Jira shows it"


class _Reader:
    """Decodes single fields of one issue."""

    def __init__(self, fields: Mapping[str, msgspec.Raw]) -> None:
        self._fields = fields

    def own(self, name: str, shape: Any) -> Any:
        if name not in self._fields:
            return ABSENT
        try:
            return msgspec.json.decode(self._fields[name], type=shape)
        except msgspec.ValidationError as error:
            raise msgspec.ValidationError(f"{error} in `$.issue.fields.{name}`") from None

    def custom(self, name: str | None, shape: Any) -> Any:
        try:
            return self.own(name, shape) if name else ABSENT
        except msgspec.ValidationError:
            return ABSENT


def _then(value: Any, change: Callable[[Any], T]) -> T:
    return value if value is ABSENT else change(value)


def _instant(value: Any) -> Any:
    return ABSENT if value is ABSENT else instant_from(value) or ABSENT


def _first_person(raw: RawUser | list[RawUser] | None) -> Person | None:
    if isinstance(raw, list):
        return person_from(raw[0]) if raw else None
    return person_from(raw)


def _sprints(raw: list[RawSprint | str] | None) -> tuple[Sprint, ...]:
    read = [sprint_from_text(one) if isinstance(one, str) else sprint_from(one) for one in raw or ()]
    return tuple(sprint for sprint in read if sprint)


def _epic_key(read: _Reader, fields: FieldMap) -> Any:
    """Cloud: the parent, where that is an epic. Data Center: the Epic Link field."""
    parent: Any = read.own("parent", _Parent | None)
    if isinstance(parent, _Parent):
        return parent.key if _is_epic(parent) else None
    linked = read.custom(fields.epic_link, str | None)
    return parent if linked is ABSENT else linked


def _is_epic(parent: _Parent) -> bool:
    kind = parent.fields.issuetype if parent.fields else None
    return kind is not None and (kind.hierarchy_level == 1 or kind.name.casefold() == "epic")
