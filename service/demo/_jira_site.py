"""What the stand-in Jira remembers, how that changes, and how it is shown."""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import Any, ClassVar, Final, Literal, TypedDict
from zoneinfo import ZoneInfo

from service.clock import Clock
from service.demo._jira_markup import MENTION, FieldError, Json, document_of, plain_text, wiki_of_document
from service.demo._sender import WebhookSender

Flavour = Literal["cloud", "datacenter"]
Trace = tuple[str | None, str | None]
"""A changelog's id and words for a value."""

SPRINT_FIELD: Final = "customfield_10020"
EPIC_LINK_FIELD: Final = "customfield_10014"
STORY_POINTS_FIELD: Final = "customfield_10026"
REVIEWER_FIELD: Final = "customfield_10031"
CORE_COMMITTER_FIELD: Final = "customfield_10032"
FLAGGED_FIELD: Final = "customfield_10021"
RANK_FIELD: Final = "customfield_10019"

KINDS: Final = {"Story": "10001", "Task": "10002", "Bug": "10003", "Epic": "10004", "Sub-task": "10005"}
STATUSES: Final = {
    "Backlog": "new",
    "In Progress": "indeterminate",
    "Need Review": "indeterminate",
    "Merged": "indeterminate",
    "External Review / Blocker": "indeterminate",
    "Long External Review": "indeterminate",
    "Recurring": "indeterminate",
    "Deployed & Delivered": "done",
    "Done": "done",
    "Archived": "done",
}
_CATEGORIES: Final = {
    "new": (2, "To Do", "blue-gray"),
    "indeterminate": (4, "In Progress", "yellow"),
    "done": (3, "Done", "green"),
}
SPRINT_STATES: Final = ("closed", "active", "future")
MOST_ISSUES_A_CALL: Final = 50
MOST_COMMENTS_A_PAGE: Final = 100
LARGEST_PROPERTY: Final = 32768
INVALID: Final = "Invalid request payload. Refer to the REST API documentation and try again."


class UnknownNameError(LookupError):
    """A person, issue, sprint, comment, status or type that is not there; its text says which."""


class JiraError(Exception):
    """An answer with an error. status: the HTTP status code; errors: a sentence by field id."""

    def __init__(self, status: int, message: str = "", errors: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.content = {"errorMessages": [message] if message else [], "errors": dict(errors or {})}


@dataclass(frozen=True)
class JiraPerson:
    """An account. id: Cloud's account id or Data Center's user name; key: Data Center's user key; timezone: IANA."""

    id: str
    name: str
    key: str
    email: str
    timezone: str
    account_type: Literal["atlassian", "app"] = "atlassian"


@dataclass
class JiraSprint:
    """A sprint of a board; its instants are aware, None where Jira has none yet."""

    id: int
    name: str
    board: int
    created: datetime
    state: Literal["future", "active", "closed"] = "future"
    start: datetime | None = None
    end: datetime | None = None
    completed: datetime | None = None


@dataclass
class JiraComment:
    """A comment. wiki: its body as REST v2 and webhooks show it; adf: the body that came through REST v3, if it did.

    text: the body without markup but for the bullets of lists; mentions: the ids of the people it mentions.
    """

    id: str
    author: str
    created: datetime
    updated: datetime
    properties: Json
    wiki: str = ""
    adf: Json | None = None
    text: str = ""
    mentions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class HistoryEntry:
    """One edit of an issue. items: changelog items as Jira writes them."""

    id: str
    author: str
    created: datetime
    items: list[Json]


@dataclass
class JiraIssue:
    """An issue. People are account ids, epic is a key, sprints are all that it ever was in, oldest first."""

    id: str
    key: str
    creator: str
    created: datetime
    updated: datetime
    reporter: str | None = None
    summary: str = ""
    description: str | None = None
    kind: str = "Story"
    status: str = "Backlog"
    assignee: str | None = None
    reviewer: str | None = None
    core_committer: str | None = None
    estimate: float | None = None
    flagged: bool = False
    epic: str | None = None
    labels: list[str] = field(default_factory=list)
    sprints: list[int] = field(default_factory=list)
    history: list[HistoryEntry] = field(default_factory=list)
    comments: dict[str, JiraComment] = field(default_factory=dict)
    properties: Json = field(default_factory=dict)

    @property
    def project(self) -> str:
        return self.key.rpartition("-")[0]

    @property
    def is_done(self) -> bool:
        return STATUSES[self.status] == "done"


class IssueFields(TypedDict, total=False):
    """What people may set on an issue: people by account id, an epic by key."""

    summary: str
    description: str | None
    kind: str
    status: str
    assignee: str | None
    reporter: str | None
    reviewer: str | None
    core_committer: str | None
    estimate: float | None
    flagged: bool
    epic: str | None
    labels: list[str]


class JiraSite:
    """Everything one Jira knows, and every way it can change; each change sends its webhooks."""

    def __init__(
        self, flavour: Flavour, clock: Clock, sender: WebhookSender, zone: ZoneInfo, projects: Sequence[str]
    ) -> None:
        self.flavour = flavour
        self.clock = clock
        self.sender = sender
        self.zone = zone
        self.projects = tuple(projects)
        self.base_url = "https://jira.example.com"
        self.people: dict[str, JiraPerson] = {}
        self.sprints: dict[int, JiraSprint] = {}
        self.issues: dict[str, JiraIssue] = {}
        self.ranked: list[str] = []
        self._ids = itertools.count(10001)

    @property
    def is_cloud(self) -> bool:
        return self.flavour == "cloud"

    @property
    def names(self) -> dict[str, str]:
        """Display names by account id."""
        return {person.id: person.name for person in self.people.values()}

    def person(self, account: str) -> JiraPerson:
        if account not in self.people:
            raise UnknownNameError(f"User '{account}' does not exist.")
        return self.people[account]

    def issue(self, key_or_id: str) -> JiraIssue:
        by_id = (issue for issue in self.issues.values() if issue.id == key_or_id)
        found = self.issues.get(key_or_id.upper()) or next(by_id, None)
        if found is None:
            raise UnknownNameError("Issue does not exist or you do not have permission to see it.")
        return found

    def sprint(self, sprint_id: int) -> JiraSprint:
        if sprint_id not in self.sprints:
            raise UnknownNameError(f"Sprint {sprint_id} does not exist.")
        return self.sprints[sprint_id]

    def comment(self, comment_id: str) -> JiraComment:
        for issue in self.issues.values():
            if comment_id in issue.comments:
                return issue.comments[comment_id]
        raise UnknownNameError(f"Can not find a comment for the id: {comment_id}.")

    def in_rank_order(self) -> list[JiraIssue]:
        return [self.issues[key] for key in self.ranked]

    def closed_sprints_of(self, issue: JiraIssue) -> list[int]:
        return [one for one in issue.sprints if self.sprints[one].state == "closed"]

    def add_issue(self, key: str, actor: str, sprint: int | None, fields: IssueFields) -> JiraIssue:
        now, author = self.clock(), self.person(actor).id
        sprints = [] if sprint is None else [self.sprint(sprint).id]
        basis: Json = {"reporter": author, "sprints": sprints, **fields}
        issue = JiraIssue(self._next_id(), key, author, now, now, **basis)
        if issue.project not in self.projects or key in self.issues:
            raise UnknownNameError(f"No new issue can be called '{key}'.")
        _show_fields(self, issue)  # refuses names that are not there before the issue is
        self.issues[key] = issue
        self.ranked.append(key)
        self._announce_issue("jira:issue_created", "issue_created", issue, actor)
        return issue

    def remove_issue(self, issue: JiraIssue, actor: str) -> None:
        del self.issues[issue.key]
        self.ranked.remove(issue.key)
        self._announce_issue("jira:issue_deleted", "issue_deleted", issue, actor)

    def change(self, issue: JiraIssue, actor: str, facts: Mapping[str, Any]) -> None:
        """Sets facts of an issue. What has that value already does not count; if nothing is left, nothing is sent."""
        fields = {one.fact: one for one in fields_of(self.flavour)}
        news = {fact: value for fact, value in facts.items() if getattr(issue, fact) != value}
        items = [_changelog_item(self, fields[fact], getattr(issue, fact), value) for fact, value in news.items()]
        for fact, value in news.items():
            setattr(issue, fact, value)
        if items:
            self._record(issue, actor, items, _event_type(news))

    def move(self, issues: Iterable[JiraIssue], sprint: int | None, actor: str) -> None:
        """Puts issues into a sprint, or with None into the backlog; the closed sprints stay with them."""
        present = [] if sprint is None else [sprint]
        for issue in issues:
            self.change(issue, actor, {"sprints": [*self.closed_sprints_of(issue), *present]})

    def rank(self, issues: Sequence[JiraIssue], pivot: JiraIssue, *, above: bool, actor: str) -> None:
        """Ranks issues right above or below another one, in the order given."""
        moved = [issue.key for issue in issues if issue is not pivot]
        rest = [key for key in self.ranked if key not in moved]
        place = rest.index(pivot.key) + (0 if above else 1)
        self.ranked = [*rest[:place], *moved, *rest[place:]]
        words = f"Ranked {'higher' if above else 'lower'}"
        item = {"field": "Rank", "fieldtype": "custom", "from": "", "fromString": "", "to": "", "toString": words}
        for key in moved:
            self._record(self.issues[key], actor, [item], "issue_updated")

    def add_comment(self, issue: JiraIssue, actor: str, wiki: str, adf: Json | None, properties: Json) -> JiraComment:
        now = self.clock()
        comment = JiraComment(self._next_id(), self.person(actor).id, now, now, properties)
        issue.comments[comment.id] = comment
        self._write(issue, comment, wiki, adf)
        self._announce_comment("comment_created", "issue_commented", issue, comment)
        return comment

    def edit_comment(self, issue: JiraIssue, comment: JiraComment, wiki: str, adf: Json | None) -> None:
        self._write(issue, comment, wiki, adf)
        self._announce_comment("comment_updated", "issue_comment_edited", issue, comment)

    def remove_comment(self, issue: JiraIssue, comment: JiraComment) -> None:
        del issue.comments[comment.id]
        issue.updated = self.clock()
        self._announce_comment("comment_deleted", "issue_comment_deleted", issue, comment)

    def _write(self, issue: JiraIssue, comment: JiraComment, wiki: str, adf: Json | None) -> None:
        comment.wiki, comment.adf = wiki, adf
        comment.text, comment.mentions = plain_text(wiki, self.names), MENTION.findall(wiki)
        comment.updated = issue.updated = self.clock()

    def add_sprint(self, sprint: JiraSprint) -> None:
        self.sprints[sprint.id] = sprint
        self.announce_sprint("sprint_created", sprint)

    def next_sprint(self, board: int) -> JiraSprint | None:
        """A board's future sprint that begins first; those without dates come last, in the order they were made."""
        future = [one for one in self.sprints.values() if one.board == board and one.state == "future"]
        return min(future, key=lambda one: one.start.timestamp() if one.start else inf, default=None)

    def announce_sprint(self, event: str, sprint: JiraSprint) -> None:
        self._announce(event, {"sprint": show_sprint(self, sprint)})

    def _next_id(self) -> str:
        return str(next(self._ids))

    def _record(self, issue: JiraIssue, actor: str, items: list[Json], event_type: str) -> None:
        issue.updated = self.clock()
        entry = HistoryEntry(self._next_id(), self.person(actor).id, issue.updated, items)
        issue.history.append(entry)
        changelog = {"changelog": {"id": entry.id, "items": items}}
        self._announce_issue("jira:issue_updated", event_type, issue, actor, changelog)

    def _announce_issue(
        self, event: str, event_type: str, issue: JiraIssue, actor: str, more: Mapping[str, Any] | None = None
    ) -> None:
        user = show_person(self, self.person(actor))
        shown = show_issue(self, issue, names=["-comment"] if self.is_cloud else None)
        self._announce(event, {"issue_event_type_name": event_type, "user": user, "issue": shown, **(more or {})})

    def _announce_comment(self, event: str, event_type: str, issue: JiraIssue, comment: JiraComment) -> None:
        """Cloud shows six fields of the issue; Data Center none, but sends an issue event with the comment as well."""
        shown = {"comment": show_comment(self, issue, comment)}
        if self.is_cloud:
            few = ("summary", "issuetype", "project", "assignee", "priority", "status")
            self._announce(event, {**shown, "issue": show_issue(self, issue, names=few)})
            return
        self._announce(event, shown)
        self._announce_issue("jira:issue_updated", event_type, issue, comment.author, shown)

    def _announce(self, event: str, payload: Json) -> None:
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "Atlassian Webhook HTTP Client"}
        if self.is_cloud:
            headers |= {"X-Atlassian-Webhook-Identifier": str(uuid.uuid4()), "X-Atlassian-Webhook-Flow": "Primary"}
        stamped = {"timestamp": int(self.clock().timestamp() * 1000), "webhookEvent": event, **payload}
        retry_header = "X-Atlassian-Webhook-Retry" if self.is_cloud else ""
        self.sender.send(event, stamped, headers, "X-Hub-Signature", retry_header)


def _event_type(facts: Mapping[str, Any]) -> str:
    if "status" in facts:
        return "issue_generic"
    return "issue_assigned" if list(facts) == ["assignee"] else "issue_updated"


# --- Fields ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shape:
    """How one kind of field is shown, logged and set. version: of the REST API that the value goes to or comes from."""

    site: JiraSite
    version: int = 2

    schema: ClassVar[Json] = {"type": "string"}

    def show(self, value: Any) -> Any:
        """The JSON of a value; raises UnknownNameError for a name that is not there."""
        return value

    def trace(self, value: Any) -> Trace:
        return None, value

    def read(self, _: Any) -> Any:
        """The value that a request sets; raises FieldError for what Jira refuses."""
        raise FieldError("Field cannot be set. It is not on the appropriate screen, or unknown.")

    @property
    def address(self) -> str:
        return f"{self.site.base_url}/rest/api/{self.version}"


class _Summary(_Shape):
    def read(self, raw: Any) -> str:
        if not isinstance(raw, str) or not raw.strip():
            raise FieldError("You must specify a summary of the issue.")
        if len(raw) > 255 or "\n" in raw:
            raise FieldError("The summary is invalid because it contains newline characters or is too long.")
        return raw


class _Markup(_Shape):
    def show(self, value: str | None) -> Any:
        return document_of(value, self.site.names) if value and self.version == 3 else value

    def read(self, raw: Any) -> str | None:
        return None if raw is None else read_body(raw, self.version)


class AccountField(_Shape):
    schema: ClassVar[Json] = {"type": "user"}

    def show(self, value: str | None) -> Json | None:
        return None if value is None else show_person(self.site, self.site.person(value))

    def trace(self, value: str | None) -> Trace:
        if value is None:
            return None, None
        person = self.site.person(value)
        return person.id if self.site.is_cloud else person.key, person.name

    def read(self, raw: Any) -> str | None:
        if raw is None:
            return None
        names = ("accountId", "id") if self.site.is_cloud else ("name", "key")
        given = [raw[name] for name in names if name in raw] if isinstance(raw, dict) else []
        if not given:
            raise FieldError(f"expected Object containing a '{names[0]}' property")
        return self._find(given[0])

    def _find(self, account: Any) -> str | None:
        """None for nobody and for "-1", which stands for the project's default assignee: here there is none."""
        if account is None or account == "-1":
            return None
        by_key = {person.key: person.id for person in self.site.people.values() if not self.site.is_cloud}
        try:
            return self.site.person(by_key.get(str(account), str(account))).id
        except UnknownNameError as error:
            raise FieldError(str(error)) from None


class _Number(_Shape):
    schema: ClassVar[Json] = {"type": "number"}

    def show(self, value: float | None) -> float | None:
        return None if value is None else float(value)

    def trace(self, value: float | None) -> Trace:
        return None, None if value is None else f"{value:g}"

    def read(self, raw: Any) -> float | None:
        if raw is None:
            return None
        if isinstance(raw, bool) or not isinstance(raw, int | float) or abs(raw) > 1e14:
            raise FieldError("Operation value must be a number")
        return float(raw)


class _Labels(_Shape):
    schema: ClassVar[Json] = {"type": "array", "items": "string"}

    def trace(self, value: list[str]) -> Trace:
        return None, " ".join(value)

    def read(self, raw: Any) -> list[str]:
        if not isinstance(raw, list) or not all(isinstance(label, str) for label in raw):
            raise FieldError("data was not an array")
        spaced = [label for label in raw if re.search(r"\s", label)]
        if spaced:
            raise FieldError(f"The label '{spaced[0]}' contains spaces which is invalid.")
        return list(dict.fromkeys(raw))


class _Flag(_Shape):
    schema: ClassVar[Json] = {"type": "array", "items": "option"}

    def show(self, value: bool) -> list[Json] | None:
        option = {"self": f"{self.address}/customFieldOption/10019", "value": "Impediment", "id": "10019"}
        return [option] if value else None

    def trace(self, value: bool) -> Trace:
        return ("[10019]", "Impediment") if value else ("", "")

    def read(self, raw: Any) -> bool:
        if raw is None or raw == []:
            return False
        if raw in ([{"value": "Impediment"}], [{"id": "10019"}]):
            return True
        raise FieldError("Specify a valid 'id' or 'name' for the checkbox field")


class _EpicKey(_Shape):
    """Data Center's Epic Link."""

    schema: ClassVar[Json] = {"type": "any"}

    def show(self, value: str | None) -> Any:
        return None if value is None else self.site.issue(value).key

    def trace(self, value: str | None) -> Trace:
        return (None, None) if value is None else (self.site.issue(value).id, value)

    def read(self, raw: Any) -> str | None:
        if raw is None:
            return None
        try:
            return self.site.issue(str(raw)).key
        except UnknownNameError as error:
            raise FieldError(str(error)) from None


class _Parent(_EpicKey):
    """Cloud's parent."""

    schema: ClassVar[Json] = {"type": "issuelink"}

    def show(self, value: str | None) -> Json | None:
        if value is None:
            return None
        epic = self.site.issue(value)
        fields = {
            "summary": epic.summary,
            "status": _Status(self.site, self.version).show(epic.status),
            "priority": _priority(self.site),
            "issuetype": _Kind(self.site, self.version).show(epic.kind),
        }
        return {"id": epic.id, "key": epic.key, "self": f"{self.address}/issue/{epic.id}", "fields": fields}

    def read(self, raw: Any) -> str | None:
        if raw is None:
            return None
        key = (raw.get("key") or raw.get("id")) if isinstance(raw, dict) else None
        if not key:
            raise FieldError("data was not an object with a key or an id")
        return super().read(key)


class SprintsField(_Shape):
    schema: ClassVar[Json] = {"type": "array", "items": "json"}

    def show(self, value: list[int]) -> list[Any] | None:
        show = _show_sprint_value if self.site.is_cloud else _show_sprint_text
        return [show(self.site, self.site.sprint(one)) for one in value] or None

    def trace(self, value: list[int]) -> Trace:
        return ", ".join(map(str, value)), ", ".join(self.site.sprint(one).name for one in value)


class _Kind(_Shape):
    schema: ClassVar[Json] = {"type": "issuetype"}

    def show(self, value: str) -> Json:
        kind_id, _ = self.trace(value)
        shown = {"self": f"{self.address}/issuetype/{kind_id}", "id": kind_id, "description": "", "name": value}
        level = {"hierarchyLevel": {"Epic": 1, "Sub-task": -1}.get(value, 0)} if self.site.is_cloud else {}
        return {**shown, "subtask": value == "Sub-task", **level}

    def trace(self, value: str) -> Trace:
        return _id_of(KINDS, value, "issue type"), value

    def read(self, raw: Any) -> str:
        wanted = raw if isinstance(raw, dict) else {}
        found = [name for name, kind_id in KINDS.items() if wanted.get("id") == kind_id or wanted.get("name") == name]
        if not found:
            raise FieldError("The issue type selected is invalid.")
        return found[0]


class _Status(_Shape):
    schema: ClassVar[Json] = {"type": "status"}

    def show(self, value: str) -> Json:
        status_id, _ = self.trace(value)
        number, name, colour = _CATEGORIES[STATUSES[value]]
        category = {"id": number, "key": STATUSES[value], "colorName": colour, "name": name}
        return {
            "self": f"{self.address}/status/{status_id}",
            "description": "",
            "name": value,
            "id": status_id,
            "statusCategory": {"self": f"{self.address}/statuscategory/{number}", **category},
        }

    def trace(self, value: str) -> Trace:
        numbered = {name: str(10000 + index) for index, name in enumerate(STATUSES)}
        return _id_of(numbered, value, "status"), value


def _id_of(ids: Mapping[str, str], name: str, what: str) -> str:
    if name not in ids:
        raise UnknownNameError(f"No {what} '{name}'.")
    return ids[name]


def _priority(site: JiraSite) -> Json:
    return {"self": f"{site.base_url}/rest/api/2/priority/3", "name": "Medium", "id": "3"}


def read_body(raw: Any, version: int) -> str:
    """The wiki markup of a body that a request sends; raises FieldError for the wrong format."""
    if version == 3:
        return wiki_of_document(raw)
    if not isinstance(raw, str):
        raise FieldError("Operation value must be a string")
    return raw


@dataclass(frozen=True)
class JiraField:
    """A field. fact: its name here; id and name: those in Jira; custom: its type, "" for Jira's own fields."""

    fact: str
    id: str
    name: str
    shape: type[_Shape]
    custom: str = ""


_TYPES: Final = "com.atlassian.jira.plugin.system.customfieldtypes:"
_SOFTWARE: Final = "com.pyxis.greenhopper.jira:"
_FIELDS: Final = (
    JiraField("summary", "summary", "Summary", _Summary),
    JiraField("description", "description", "Description", _Markup),
    JiraField("kind", "issuetype", "Issue Type", _Kind),
    JiraField("status", "status", "Status", _Status),
    JiraField("assignee", "assignee", "Assignee", AccountField),
    JiraField("reporter", "reporter", "Reporter", AccountField),
    JiraField("labels", "labels", "Labels", _Labels),
    JiraField("sprints", SPRINT_FIELD, "Sprint", SprintsField, f"{_SOFTWARE}gh-sprint"),
    JiraField("estimate", STORY_POINTS_FIELD, "Story Points", _Number, f"{_TYPES}float"),
    JiraField("reviewer", REVIEWER_FIELD, "Reviewer 1", AccountField, f"{_TYPES}userpicker"),
    JiraField("core_committer", CORE_COMMITTER_FIELD, "Core Committer", AccountField, f"{_TYPES}userpicker"),
    JiraField("flagged", FLAGGED_FIELD, "Flagged", _Flag, f"{_TYPES}multicheckboxes"),
)
_EPICS: Final[dict[Flavour, JiraField]] = {
    "cloud": JiraField("epic", "parent", "Parent", _Parent),
    "datacenter": JiraField("epic", EPIC_LINK_FIELD, "Epic Link", _EpicKey, f"{_SOFTWARE}gh-epic-link"),
}
RANK_ITEM: Final = JiraField("rank", RANK_FIELD, "Rank", _EpicKey, f"{_SOFTWARE}gh-lexo-rank")


def fields_of(flavour: Flavour) -> tuple[JiraField, ...]:
    return (*_FIELDS, _EPICS[flavour])


def _changelog_item(site: JiraSite, one: JiraField, before: Any, after: Any) -> Json:
    """As Jira writes it: Data Center names no fieldId, nor does Cloud for a changed parent."""
    shape = one.shape(site)
    (old, old_words), (new, new_words) = shape.trace(before), shape.trace(after)
    values = {"from": old, "fromString": old_words, "to": new, "toString": new_words}
    if one.id == "parent":
        return {"field": "IssueParentAssociation", "fieldtype": "jira", **values}
    named = {"field": one.name if one.custom else one.id, "fieldtype": "custom" if one.custom else "jira"}
    return {**named, **({"fieldId": one.id} if site.is_cloud else {}), **values}


# --- What is shown --------------------------------------------------------------------------------------------------


def show_instant(site: JiraSite, at: datetime) -> str:
    local = at.astimezone(site.zone)
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03d}{local:%z}"


def _show_sprint_date(site: JiraSite, at: datetime) -> str:
    """Agile dates: Cloud in UTC with a Z, Data Center in the site's zone with a colon in the offset."""
    if site.is_cloud:
        return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return at.astimezone(site.zone).isoformat(timespec="milliseconds")


def show_person(site: JiraSite, person: JiraPerson) -> Json:
    shared = {"displayName": person.name, "active": True, "timeZone": person.timezone}
    if site.is_cloud:
        address = f"{site.base_url}/rest/api/2/user?accountId={person.id}"
        return {"self": address, "accountId": person.id, "accountType": person.account_type, **shared}
    address = f"{site.base_url}/rest/api/2/user?username={person.id}"
    return {"self": address, "name": person.id, "key": person.key, "emailAddress": person.email, **shared}


def _sprint_dates(site: JiraSite, sprint: JiraSprint) -> Json:
    dates = {"startDate": sprint.start, "endDate": sprint.end, "completeDate": sprint.completed}
    return {name: _show_sprint_date(site, at) for name, at in dates.items() if at}


def show_sprint(site: JiraSite, sprint: JiraSprint) -> Json:
    return {
        "id": sprint.id,
        "self": f"{site.base_url}/rest/agile/1.0/sprint/{sprint.id}",
        "state": sprint.state,
        "name": sprint.name,
        **_sprint_dates(site, sprint),
        "createdDate": _show_sprint_date(site, sprint.created),
        "originBoardId": sprint.board,
        "goal": "",
    }


def _show_sprint_value(site: JiraSite, sprint: JiraSprint) -> Json:
    shown = {"id": sprint.id, "name": sprint.name, "state": sprint.state, "boardId": sprint.board, "goal": ""}
    return {**shown, **_sprint_dates(site, sprint)}


def _show_sprint_text(site: JiraSite, sprint: JiraSprint) -> str:
    dates = _sprint_dates(site, sprint)
    values = {
        "id": sprint.id,
        "rapidViewId": sprint.board,
        "state": sprint.state.upper(),
        "name": sprint.name,
        **{name: dates.get(name, "<null>") for name in ("startDate", "endDate", "completeDate")},
        "sequence": sprint.id,
        "goal": "",
    }
    inner = ",".join(f"{name}={value}" for name, value in values.items())
    return f"com.atlassian.greenhopper.service.sprint.Sprint@{sprint.id:x}[{inner}]"


def show_comment(site: JiraSite, issue: JiraIssue, comment: JiraComment, version: int = 2) -> Json:
    author = show_person(site, site.person(comment.author))
    return {
        "self": f"{site.base_url}/rest/api/{version}/issue/{issue.id}/comment/{comment.id}",
        "id": comment.id,
        "author": author,
        "body": comment.wiki if version == 2 else comment.adf or document_of(comment.wiki, site.names),
        "updateAuthor": author,
        "created": show_instant(site, comment.created),
        "updated": show_instant(site, comment.updated),
        **({"jsdPublic": True} if site.is_cloud else {}),
    }


def _show_fields(site: JiraSite, issue: JiraIssue, version: int = 2) -> Json:
    shown = {one.id: one.shape(site, version).show(getattr(issue, one.fact)) for one in fields_of(site.flavour)}
    if issue.epic is None:
        shown.pop("parent", None)
    project = {"self": f"{site.base_url}/rest/api/{version}/project/{issue.project}", "key": issue.project}
    comments = [show_comment(site, issue, comment, version) for comment in issue.comments.values()]
    return {
        **shown,
        "project": {**project, "id": "10000", "name": issue.project, "projectTypeKey": "software"},
        "priority": _priority(site),
        "creator": show_person(site, site.person(issue.creator)),
        "created": show_instant(site, issue.created),
        "updated": show_instant(site, issue.updated),
        "issuelinks": [],
        "subtasks": [],
        "resolution": None,
        "duedate": None,
        "timeestimate": None,
        "timeoriginalestimate": None,
        RANK_FIELD: f"0|i{site.ranked.index(issue.key) if issue.key in site.ranked else 0:05d}:",
        "comment": {"comments": comments, "maxResults": len(comments), "total": len(comments), "startAt": 0},
    }


def show_issue(site: JiraSite, issue: JiraIssue, version: int = 2, names: Sequence[str] | None = None) -> Json:
    """names: the fields asked for by id, `*all`, or with a leading minus those not wanted; None asks for all."""
    address = f"{site.base_url}/rest/api/{version}/issue/{issue.id}"
    fields = chosen_fields(_show_fields(site, issue, version), names)
    return {"id": issue.id, "key": issue.key, "self": address, "fields": fields}


def chosen_fields(fields: Json, names: Sequence[str] | None) -> Json:
    wanted = {name for name in names or () if not name.startswith("-")}
    unwanted = {name[1:] for name in names or () if name.startswith("-")}
    has_all = not wanted or not wanted.isdisjoint({"*all", "*navigable"})
    return {name: value for name, value in fields.items() if (has_all or name in wanted) and name not in unwanted}


def show_history(site: JiraSite, issue: JiraIssue) -> Json:
    """Cloud lists the newest entry first, Data Center the oldest."""
    entries = [
        {
            "id": entry.id,
            "author": show_person(site, site.person(entry.author)),
            "created": show_instant(site, entry.created),
            "items": entry.items,
        }
        for entry in issue.history
    ]
    ordered = entries[::-1] if site.is_cloud else entries
    return {"startAt": 0, "maxResults": len(ordered), "total": len(ordered), "histories": ordered}
