"""Jira's JSON, as webhooks and REST send it, mapped to facts.

One mapping serves both: webhooks carry issues in REST v2 shape. What a payload does not carry stays ABSENT.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, TypeVar

import msgspec

from service.calendar import is_believable
from service.facts import ABSENT, IssueLink, Person, Remark, Sprint, SprintMove, StatusChange, Ticket, visible_name
from service.jira_shapes._words import Node, mentions_in, words_of

T = TypeVar("T")

_NULL: Final = msgspec.Raw(b"null")
_NO_FIELDS: Final = msgspec.Raw(b"{}")
_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}-[0-9]{1,12}")
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_SECONDS_AN_HOUR: Final = 3600
_GREENHOPPER: Final = re.compile(r"(?:^|[\[,])(id|rapidViewId|state|name|startDate|endDate|sequence|goal|\w+Date)=")
_LONGEST_SPRINT: Final = 10_000
_GH: Final = "com.pyxis.greenhopper.jira:"


class RawUser(msgspec.Struct, rename="camel"):
    """A user: Cloud names an accountId, Data Center a name and a key; some sites of the years between, all three."""

    account_id: str | None = None
    name: str | None = None
    key: str | None = None
    display_name: str | None = None
    time_zone: str | None = None


class RawIssue(msgspec.Struct):
    """An issue whose fields are read later, because custom fields have other ids on each site."""

    key: str
    fields: msgspec.Raw = _NO_FIELDS

    def field(self, name: str) -> msgspec.Raw:
        """One field as it is; null where it is not there."""
        fields = msgspec.json.decode(self.fields, type=dict[str, msgspec.Raw])
        return fields.get(name, _NULL)


class RawSprint(msgspec.Struct, rename="camel"):
    """A sprint as agile REST, webhooks and Cloud's sprint field show it (the field calls its board `boardId`)."""

    id: int
    name: str
    state: str
    board_id: int | None = None
    origin_board_id: int | None = None
    start_date: str | None = None
    end_date: str | None = None
    complete_date: str | None = None


class RawComment(msgspec.Struct, rename="camel"):
    """A comment. body: wiki markup, or a document where REST v3 shows it; address: its own, under that of its issue."""

    id: str
    author: RawUser | None = None
    update_author: RawUser | None = None
    body: msgspec.Raw = _NULL
    created: str | None = None
    address: str | None = msgspec.field(name="self", default=None)


class RawChange(msgspec.Struct, rename="camel"):
    """One changed field of a changelog; only the Cloud names the field's id, and not always."""

    field: str = ""
    field_id: str | None = None
    fieldtype: str = "jira"
    before: Any = msgspec.field(name="from", default=None)
    after: Any = msgspec.field(name="to", default=None)
    before_words: Any = msgspec.field(name="fromString", default=None)
    after_words: Any = msgspec.field(name="toString", default=None)

    @property
    def names(self) -> set[str]:
        """The field's id and its name, in lower case."""
        return {name.casefold() for name in (self.field_id, self.field) if name}

    @property
    def is_of_status(self) -> bool:
        """Whether it is Jira's own status field, and not a custom one of that name."""
        return self.fieldtype != "custom" and (self.field_id or self.field).casefold() == "status"

    def is_of_sprint(self, fields: FieldMap) -> bool:
        return (self.field_id or self.field).casefold() in {"sprint", fields.sprint}


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
    """What a field holds. custom: the kind of a custom field, as its maker calls it."""

    type: str = ""
    items: str | None = None
    custom: str | None = None

    @property
    def holds(self) -> str | None:
        """What it has one or several of."""
        return self.items if self.type == "array" else self.type


class RawField(msgspec.Struct):
    """One entry of `GET /field`. untranslated: the name that it was made with, where the Cloud tells it."""

    id: str
    name: str
    schema: RawSchema | None = None
    untranslated: str | None = msgspec.field(name="untranslatedName", default=None)

    @property
    def is_custom(self) -> bool:
        return self.id.startswith("customfield_")

    def is_of_type(self, custom: str | None) -> bool:
        return custom is not None and self.schema is not None and self.schema.custom == custom

    def may_hold(self, thing: str | None) -> bool:
        """Whether it holds that, as far as Jira tells."""
        return thing is None or self.schema is None or self.schema.holds in {"", thing}

    def is_named(self, name: str) -> bool:
        return name.casefold() in {self.name.casefold(), (self.untranslated or "").casefold()}

    def __str__(self) -> str:
        return f"{self.id} “{' '.join(self.name.split())[:_NAME_LENGTH]}”"


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


class _LinkType(msgspec.Struct):
    inward: str = ""
    outward: str = ""


class _Linked(msgspec.Struct):
    key: str


class _Link(msgspec.Struct, rename="camel"):
    type: _LinkType
    inward_issue: _Linked | None = None
    outward_issue: _Linked | None = None


class _Own(msgspec.Struct):
    """Jira's own fields, as far as they are read; with each decoded on its own, reading an event takes 1.3 times."""

    issuetype: _Named = ABSENT
    status: _Status = ABSENT
    summary: str = ABSENT
    assignee: RawUser | None = ABSENT
    reporter: RawUser | None = ABSENT
    creator: RawUser | None = ABSENT
    created: str | int | None = ABSENT
    updated: str | int | None = ABSENT
    labels: list[str] | None = ABSENT
    description: Node | str | None = ABSENT
    parent: _Parent | None = ABSENT
    issuelinks: list[_Link] | None = ABSENT
    timeoriginalestimate: float | None = ABSENT
    timeestimate: float | None = ABSENT


# Kept, because making a decoder, or only its type, takes longer than decoding by it.
_OWN: Final = msgspec.json.Decoder(_Own)
_PEOPLE: Final = msgspec.json.Decoder(RawUser | list[RawUser] | None)
_NUMBERS: Final = msgspec.json.Decoder(float | None)
_TEXTS: Final = msgspec.json.Decoder(str | None)
_OPTIONS: Final = msgspec.json.Decoder(list[Any] | None)
_SPRINTS: Final = msgspec.json.Decoder(list[RawSprint | str] | None)


def is_issue_key(key: str) -> bool:
    """Whether this is the shape of an issue key; nothing else may become part of an address or a Redis key."""
    return bool(_KEY.fullmatch(key))


def jql_list(keys: Iterable[str]) -> str:
    """Project keys as JQL's `in` takes them; quoted, since some, such as GO, are words of its own."""
    return ", ".join(f'"{key}"' for key in keys)


def instant_from(value: str | int | None) -> datetime | None:
    """An instant from Jira's ISO text (offset with or without colon) or epoch milliseconds; None for anything else."""
    try:
        at = _instant_of(value)
    except (ValueError, OverflowError, OSError):
        return None
    return at if at and is_believable(at) else None


def _instant_of(value: str | int | None) -> datetime | None:
    if isinstance(value, int):
        return datetime.fromtimestamp(value / 1000, UTC)
    return datetime.fromisoformat(value).astimezone(UTC) if value else None


def person_from(raw: RawUser | None) -> Person | None:
    """A person from a user object; None for nobody and for a user without any account."""
    account = raw and (raw.account_id or raw.name or raw.key)
    if raw is None or not account:
        return None
    return Person(name=visible_name(raw.display_name, account), jira=account, jira_key=raw.key, timezone=raw.time_zone)


def sprint_from(raw: RawSprint) -> Sprint:
    """A sprint from its object."""
    return Sprint(
        id=raw.id,
        name=raw.name,
        state=raw.state.lower(),
        board=raw.origin_board_id or raw.board_id,
        start=instant_from(raw.start_date),
        end=instant_from(raw.end_date),
        completed_at=instant_from(raw.complete_date),
    )


def sprint_from_text(text: str) -> Sprint | None:
    """A sprint from Data Center's `…Sprint@1bf[id=444,rapidViewId=158,state=ACTIVE,name=…]`; None if it has no id.

    Names may hold commas and brackets and the keys' order varies, so a value ends where the next known key begins.
    """
    text = text[:_LONGEST_SPRINT]
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
        completed_at=instant_from(values.get("completeDate")),
    )


def text_from(body: msgspec.Raw) -> str:
    """The plain words of a body: wiki markup as it is, a document's text with the addresses of its links.

    A mention reads `[~account]` in both. Raises msgspec.ValidationError for what is neither.
    """
    return words_of(msgspec.json.decode(body, type=Node | str | None)) or ""


def remark_from(raw: RawComment) -> Remark:
    """The remark that a comment is; raises msgspec.ValidationError for one that has no date or no body."""
    at = instant_from(raw.created)
    if at is None:
        raise msgspec.ValidationError("Expected a date - at `$.created` of a comment")
    text = text_from(raw.body)
    return Remark(id=raw.id, at=at, author=person_from(raw.author), text=text, mentions=mentions_in(text))


def sprint_move_from(
    changes: Iterable[RawChange], fields: FieldMap, at: datetime, by: Person | None
) -> SprintMove | None:
    """How the Sprint field changed, by its ids; None where it did not, or where the changelog names no ids."""
    change = next((change for change in changes if change.is_of_sprint(fields)), None)
    if change is None:
        return None
    before, after = _numbers(change.before), _numbers(change.after)
    return SprintMove(at=at, by=by, before=before, after=after) if before or after else None


def status_change_from(changes: Iterable[RawChange], at: datetime, by: Person | None) -> StatusChange | None:
    """How the status changed, by its names; None where it did not."""
    change = next((change for change in changes if change.is_of_status), None)
    if change is None:
        return None
    return StatusChange(at=at, by=by, before=str(change.before_words or ""), after=str(change.after_words or ""))


def ticket_from(issue: RawIssue, fields: FieldMap, site: str) -> Ticket:
    """The ticket as far as this issue shows it.

    site: the address that people open Jira at. Raises msgspec.ValidationError, naming the field, where a field of
    Jira's own has a shape that it never has; a custom field of an unexpected shape counts as unknown.
    """
    if not is_issue_key(issue.key):
        raise msgspec.ValidationError("the issue's key is not of the form PROJECT-1 - at `$.issue.key`")
    own, custom = _own_from(issue.fields), _Custom(issue.fields, fields)
    kind, status = own.issuetype, own.status
    return Ticket(
        key=issue.key,
        url=f"{site}/browse/{issue.key}",
        summary=own.summary,
        kind=_then(kind, lambda it: it.name),
        is_subtask=_then(kind, lambda it: it.subtask),
        status=_then(status, lambda it: it.name),
        is_done=_then(status, lambda it: it.status_category.key == "done" if it.status_category else ABSENT),
        assignee=_then(own.assignee, person_from),
        reporter=_then(own.reporter, person_from),
        reviewer=_then(custom.read(fields.reviewer, _PEOPLE), _first_person),
        core_committer=_then(custom.read(fields.core_committer, _PEOPLE), _first_person),
        estimate=custom.read(fields.story_points, _NUMBERS),
        flagged=_then(custom.read(fields.flagged, _OPTIONS), bool),
        sprints=_then(custom.read(fields.sprint, _SPRINTS), _sprints),
        epic_key=_epic_key(own.parent, custom.read(fields.epic_link, _TEXTS)),
        created_at=_instant(own.created),
        updated_at=_instant(own.updated),
        creator=_then(own.creator, person_from),
        labels=_then(own.labels, lambda it: tuple(it or ())),
        description=_then(own.description, words_of),
        links=_then(own.issuelinks, _links),
        original_estimate=_then(own.timeoriginalestimate, _hours),
        remaining_estimate=_then(own.timeestimate, _hours),
    )


def whole_ticket_from(issue: RawIssue, fields: FieldMap, site: str) -> Ticket:
    """The ticket from an answer to a request that asked for every field of `fields` and Jira's own.

    Jira leaves out a parent that is not there, and sites need not have a second reviewer's field, a flag, epics, links,
    labels or time tracking: what is optional and missing here is empty. A missing estimate, reviewer or sprint field
    stays unknown.
    """
    ticket = ticket_from(issue, fields, site)
    return ticket.having(**{fact: value for fact, value in _OPTIONAL.items() if fact not in ticket.known()})


def discover(known: Iterable[RawField], names: Mapping[str, str]) -> tuple[FieldMap, tuple[str, ...]]:
    """The ids of our fields on a site, and one sentence for each that was not found or not told apart.

    known: what `GET /field` answered; names: fact to configured name or id. An id is taken as it is. Sprint and Epic
    Link are found by the type that Jira Software gives them, since names are translated; the others by name among the
    fields that hold such a thing, and story points by their type where no field has the name.
    """
    fields = list(known)
    found = {fact: _candidates(fact, wanted, fields) for fact, wanted in names.items()}
    problems = tuple(_problem(fact, names[fact], some, fields) for fact, some in found.items() if len(some) != 1)
    return FieldMap(**{fact: some[0].id for fact, some in found.items() if len(some) == 1}), problems


_OPTIONAL: Final[dict[str, Any]] = {
    "core_committer": None,
    "epic_key": None,
    "flagged": False,
    "labels": (),
    "description": None,
    "links": (),
    "original_estimate": None,
    "remaining_estimate": None,
}
_TYPES: Final = {"sprint": f"{_GH}gh-sprint", "epic_link": f"{_GH}gh-epic-link"}
_LAST_RESORTS: Final = {"story_points": f"{_GH}jsw-story-points"}
_HELD: Final = {"story_points": "number", "reviewer": "user", "core_committer": "user", "flagged": "option"}
_NAME_LENGTH: Final = 60
_MOST_CHOICES: Final = 10


def _candidates(fact: str, wanted: str, fields: list[RawField]) -> list[RawField]:
    by_id = [field for field in fields if field.id == wanted]
    by_type = [field for field in fields if field.is_of_type(_TYPES.get(fact))]
    if by_id or len(by_type) == 1:
        return by_id or by_type
    by_name = [field for field in by_type or fields if field.is_named(wanted) and field.may_hold(_HELD.get(fact))]
    return by_name or [field for field in fields if field.is_of_type(_LAST_RESORTS.get(fact))]


def _problem(fact: str, wanted: str, some: list[RawField], fields: list[RawField]) -> str:
    if some:
        return (
            f"jira.fields.{fact}: {len(some)} fields may be “{wanted}”; give the id of the right one: {_listed(some)}"
        )
    fitting = [field for field in fields if field.is_custom and field.may_hold(_HELD.get(fact, _TYPES.get(fact)))]
    advice = f"give the id of the right one: {_listed(fitting)}" if fitting else "make one in Jira, or give its id"
    other = next((field for field in fields if field.is_named(wanted)), None)
    if other:
        return f"jira.fields.{fact}: {other} is a field of another kind; {advice}"
    return f"jira.fields.{fact}: no field is named “{wanted}”; {advice}"


def _listed(fields: Sequence[RawField]) -> str:
    more = len(fields) - _MOST_CHOICES
    return ", ".join(map(str, fields[:_MOST_CHOICES])) + (f" and {more} more" if more > 0 else "")


def _own_from(fields: msgspec.Raw) -> _Own:
    try:
        return _OWN.decode(fields)
    except msgspec.ValidationError as error:
        raise msgspec.ValidationError(f"{error} in `$.issue.fields`") from None


@cache
def _picked(ids: FieldMap) -> tuple[tuple[str, ...], msgspec.json.Decoder[Any]]:
    """A site's custom fields, and what decodes just these, each as it is, and skips the hundreds of others."""
    names = tuple(dict.fromkeys(ids.ids()))  # two facts may stand in one field
    fields = [(f"_{n}", msgspec.Raw, msgspec.field(name=name, default=ABSENT)) for n, name in enumerate(names)]
    return names, msgspec.json.Decoder(msgspec.defstruct("Picked", fields))


class _Custom:
    """Decodes the custom fields of one issue; one of an unexpected shape counts as unknown."""

    def __init__(self, fields: msgspec.Raw, ids: FieldMap) -> None:
        names, decoder = _picked(ids)
        self._fields = dict(zip(names, msgspec.structs.astuple(decoder.decode(fields)), strict=True))

    def read(self, name: str | None, decoder: msgspec.json.Decoder[Any]) -> Any:
        raw = self._fields[name] if name else ABSENT
        try:
            return raw if raw is ABSENT else decoder.decode(raw)
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


def _epic_key(parent: Any, linked: Any) -> Any:
    """Cloud: the parent, where that is an epic. Data Center: the Epic Link field."""
    if isinstance(parent, _Parent):
        return parent.key if _is_epic(parent) else None
    return parent if linked is ABSENT else linked


def _is_epic(parent: _Parent) -> bool:
    kind = parent.fields.issuetype if parent.fields else None
    return kind is not None and (kind.hierarchy_level == 1 or kind.name.casefold() == "epic")


def _links(raw: list[_Link] | None) -> tuple[IssueLink, ...]:
    return tuple(link for one in raw or () if (link := _link(one)))


def _link(raw: _Link) -> IssueLink | None:
    """The other ticket's end is the one that Jira shows, so its phrase is what this ticket does to it."""
    if raw.outward_issue:
        return IssueLink(raw.type.outward, raw.outward_issue.key)
    return IssueLink(raw.type.inward, raw.inward_issue.key) if raw.inward_issue else None


def _hours(seconds: float | None) -> float | None:
    return None if seconds is None else seconds / _SECONDS_AN_HOUR


def _numbers(text: Any) -> tuple[int, ...]:
    """The ids in a changelog's `76, 79`; none in anything else."""
    return tuple(map(int, _NUMBER.findall(text))) if isinstance(text, str) else ()
