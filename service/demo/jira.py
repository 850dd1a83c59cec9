"""A stand-in for Jira, Cloud or Data Center: it keeps state, answers REST, and sends the real one's webhooks.

Where the flavours differ, so does it: accounts, body formats, changelogs, sprint values, epics, search, log-in.
"""

from __future__ import annotations

import base64
import html
import itertools
import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from math import inf
from typing import Annotated, Any, ClassVar, Final, Literal, TypedDict, Unpack
from zoneinfo import ZoneInfo

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from service.clock import Clock
from service.demo._sender import WebhookSender

Flavour = Literal["cloud", "datacenter"]
Json = dict[str, Any]
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
_SPRINT_STATES: Final = ("closed", "active", "future")
_MOST_ISSUES_A_CALL: Final = 50
_MOST_COMMENTS_A_PAGE: Final = 100
_LARGEST_PROPERTY: Final = 32768
_INVALID: Final = "Invalid request payload. Refer to the REST API documentation and try again."


class UnknownNameError(LookupError):
    """A person, issue, sprint, comment, status or type that is not there; its text says which."""


class _FieldError(ValueError):
    """A value that Jira does not take for a field; its text is the sentence of the answer."""


class _JiraError(Exception):
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


# --- Markup ---------------------------------------------------------------------------------------------------------

_MENTION: Final = re.compile(r"(?<!\\)\[~(?:accountid:)?([^\]\s|]+)\]")
_LINK: Final = re.compile(r"(?<!\\)\[([^|\]\n]+)\|[^\]\n]+\]")
_ESCAPE: Final = re.compile(r"\\([^\w\s])")
_STRONG: Final = re.compile(r"(?<![\w*\\])\*(?=\S)([^*\n]*?[^*\s\\])\*(?![\w*])")
_COLOUR: Final = re.compile(r"(?<!\\)\{color(?::[^}\n]*)?\}")
_SPECIAL: Final = re.compile(r"[\[\]{}*]")
_HOLDS_BLOCKS: Final = {"doc", "panel", "blockquote", "expand", "bulletList", "orderedList", "listItem", "taskList"}
_HOLDS_INLINES: Final = {"paragraph", "heading", "taskItem", "codeBlock"}


def _wiki_of_text(node: Json) -> str:
    if not node["text"]:
        raise ValueError("empty text")
    text = _SPECIAL.sub(r"\\\g<0>", node["text"])
    href = next((mark["attrs"]["href"] for mark in node.get("marks", ()) if mark["type"] == "link"), None)
    return f"[{text}|{href}]" if href else text


def _wiki_of_date(node: Json) -> str:
    return f"{datetime.fromtimestamp(int(node['attrs']['timestamp']) / 1000, UTC):%Y-%m-%d}"


_INLINES: Final[dict[str, Callable[[Json], str]]] = {
    "text": _wiki_of_text,
    "mention": lambda node: "[~accountid:" + node["attrs"]["id"] + "]",
    "emoji": lambda node: str(node["attrs"]["shortName"]),
    "date": _wiki_of_date,
    "inlineCard": lambda node: str(node["attrs"]["url"]),
    "hardBreak": lambda _: "\n",
}


def _wiki_of(node: Json) -> str:
    """The wiki markup that webhooks show for a block of the Atlassian Document Format.

    Raises LookupError, TypeError or ValueError for a node that may not stand there.
    """
    kind = node["type"]
    if kind == "rule":
        return "----"
    if kind in {"taskList", "taskItem"} and not node["attrs"]["localId"]:
        raise ValueError("a task needs an id of its own")
    if kind in _HOLDS_INLINES:
        text = "".join(_INLINES[child["type"]](child) for child in node.get("content", ()))
        return {"DONE": "* (/) ", "TODO": "* "}[node["attrs"]["state"]] + text if kind == "taskItem" else text
    if kind not in _HOLDS_BLOCKS:
        raise ValueError(kind)
    text = "\n".join(_wiki_of(child) for child in node["content"])
    return f"* {text}" if kind == "listItem" else text


def _wiki_of_document(body: Any) -> str:
    """The wiki markup of a whole document; raises _FieldError for what is not one."""
    if not isinstance(body, dict) or body.get("type") != "doc" or body.get("version") != 1:
        raise _FieldError("Operation value must be an Atlassian Document (see the Atlassian Document Format)")
    try:
        return _wiki_of(body)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, OSError, RecursionError):
        raise _FieldError("INVALID_INPUT") from None


def _document_of(wiki: str, names: Mapping[str, str]) -> Json:
    """A document with one paragraph for each line; names: display names by account id."""
    lines = [{"type": "paragraph", "content": list(_inlines_of(line, names))} for line in wiki.split("\n")]
    return {"type": "doc", "version": 1, "content": lines}


def _inlines_of(line: str, names: Mapping[str, str]) -> Iterable[Json]:
    for index, part in enumerate(_MENTION.split(line)):
        if index % 2:
            yield {"type": "mention", "attrs": {"id": part, "text": f"@{names.get(part, part)}"}}
        elif part:
            yield {"type": "text", "text": part}


def _plain(wiki: str, names: Mapping[str, str]) -> str:
    named = _MENTION.sub(lambda found: f"@{names.get(found[1], found[1])}", wiki)
    bare = _COLOUR.sub("", _STRONG.sub(r"\1", _LINK.sub(r"\1", named)))
    return html.unescape(_ESCAPE.sub(r"\1", bare))


# --- State ----------------------------------------------------------------------------------------------------------


class _Site:
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
        fields = {one.fact: one for one in _fields_of(self.flavour)}
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
        comment.text, comment.mentions = _plain(wiki, self.names), _MENTION.findall(wiki)
        comment.updated = issue.updated = self.clock()

    def add_sprint(self, sprint: JiraSprint) -> None:
        self.sprints[sprint.id] = sprint
        self.announce_sprint("sprint_created", sprint)

    def next_sprint(self, board: int) -> JiraSprint | None:
        """A board's future sprint that begins first; those without dates come last, in the order they were made."""
        future = [one for one in self.sprints.values() if one.board == board and one.state == "future"]
        return min(future, key=lambda one: one.start.timestamp() if one.start else inf, default=None)

    def announce_sprint(self, event: str, sprint: JiraSprint) -> None:
        self._announce(event, {"sprint": _show_sprint(self, sprint)})

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
        user = _show_person(self, self.person(actor))
        shown = _show_issue(self, issue, names=["-comment"] if self.is_cloud else None)
        self._announce(event, {"issue_event_type_name": event_type, "user": user, "issue": shown, **(more or {})})

    def _announce_comment(self, event: str, event_type: str, issue: JiraIssue, comment: JiraComment) -> None:
        """Cloud shows six fields of the issue; Data Center none, but sends an issue event with the comment as well."""
        shown = {"comment": _show_comment(self, issue, comment)}
        if self.is_cloud:
            few = ("summary", "issuetype", "project", "assignee", "priority", "status")
            self._announce(event, {**shown, "issue": _show_issue(self, issue, names=few)})
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

    site: _Site
    version: int = 2

    schema: ClassVar[Json] = {"type": "string"}

    def show(self, value: Any) -> Any:
        """The JSON of a value; raises UnknownNameError for a name that is not there."""
        return value

    def trace(self, value: Any) -> Trace:
        return None, value

    def read(self, _: Any) -> Any:
        """The value that a request sets; raises _FieldError for what Jira refuses."""
        raise _FieldError("Field cannot be set. It is not on the appropriate screen, or unknown.")

    @property
    def address(self) -> str:
        return f"{self.site.base_url}/rest/api/{self.version}"


class _Summary(_Shape):
    def read(self, raw: Any) -> str:
        if not isinstance(raw, str) or not raw.strip():
            raise _FieldError("You must specify a summary of the issue.")
        if len(raw) > 255 or "\n" in raw:
            raise _FieldError("The summary is invalid because it contains newline characters or is too long.")
        return raw


class _Markup(_Shape):
    def show(self, value: str | None) -> Any:
        return _document_of(value, self.site.names) if value and self.version == 3 else value

    def read(self, raw: Any) -> str | None:
        return None if raw is None else _read_body(raw, self.version)


class _Account(_Shape):
    schema: ClassVar[Json] = {"type": "user"}

    def show(self, value: str | None) -> Json | None:
        return None if value is None else _show_person(self.site, self.site.person(value))

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
            raise _FieldError(f"expected Object containing a '{names[0]}' property")
        return self._find(given[0])

    def _find(self, account: Any) -> str | None:
        """None for nobody and for "-1", which stands for the project's default assignee: here there is none."""
        if account is None or account == "-1":
            return None
        by_key = {person.key: person.id for person in self.site.people.values() if not self.site.is_cloud}
        try:
            return self.site.person(by_key.get(str(account), str(account))).id
        except UnknownNameError as error:
            raise _FieldError(str(error)) from None


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
            raise _FieldError("Operation value must be a number")
        return float(raw)


class _Labels(_Shape):
    schema: ClassVar[Json] = {"type": "array", "items": "string"}

    def trace(self, value: list[str]) -> Trace:
        return None, " ".join(value)

    def read(self, raw: Any) -> list[str]:
        if not isinstance(raw, list) or not all(isinstance(label, str) for label in raw):
            raise _FieldError("data was not an array")
        spaced = [label for label in raw if re.search(r"\s", label)]
        if spaced:
            raise _FieldError(f"The label '{spaced[0]}' contains spaces which is invalid.")
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
        raise _FieldError("Specify a valid 'id' or 'name' for the checkbox field")


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
            raise _FieldError(str(error)) from None


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
            raise _FieldError("data was not an object with a key or an id")
        return super().read(key)


class _Sprints(_Shape):
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
            raise _FieldError("The issue type selected is invalid.")
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


def _priority(site: _Site) -> Json:
    return {"self": f"{site.base_url}/rest/api/2/priority/3", "name": "Medium", "id": "3"}


def _read_body(raw: Any, version: int) -> str:
    """The wiki markup of a body that a request sends; raises _FieldError for the wrong format."""
    if version == 3:
        return _wiki_of_document(raw)
    if not isinstance(raw, str):
        raise _FieldError("Operation value must be a string")
    return raw


@dataclass(frozen=True)
class _Field:
    """A field. fact: its name here; id and name: those in Jira; custom: its type, "" for Jira's own fields."""

    fact: str
    id: str
    name: str
    shape: type[_Shape]
    custom: str = ""


_TYPES: Final = "com.atlassian.jira.plugin.system.customfieldtypes:"
_SOFTWARE: Final = "com.pyxis.greenhopper.jira:"
_FIELDS: Final = (
    _Field("summary", "summary", "Summary", _Summary),
    _Field("description", "description", "Description", _Markup),
    _Field("kind", "issuetype", "Issue Type", _Kind),
    _Field("status", "status", "Status", _Status),
    _Field("assignee", "assignee", "Assignee", _Account),
    _Field("reporter", "reporter", "Reporter", _Account),
    _Field("labels", "labels", "Labels", _Labels),
    _Field("sprints", SPRINT_FIELD, "Sprint", _Sprints, f"{_SOFTWARE}gh-sprint"),
    _Field("estimate", STORY_POINTS_FIELD, "Story Points", _Number, f"{_TYPES}float"),
    _Field("reviewer", REVIEWER_FIELD, "Reviewer 1", _Account, f"{_TYPES}userpicker"),
    _Field("core_committer", CORE_COMMITTER_FIELD, "Core Committer", _Account, f"{_TYPES}userpicker"),
    _Field("flagged", FLAGGED_FIELD, "Flagged", _Flag, f"{_TYPES}multicheckboxes"),
)
_EPICS: Final[dict[Flavour, _Field]] = {
    "cloud": _Field("epic", "parent", "Parent", _Parent),
    "datacenter": _Field("epic", EPIC_LINK_FIELD, "Epic Link", _EpicKey, f"{_SOFTWARE}gh-epic-link"),
}
_RANK: Final = _Field("rank", RANK_FIELD, "Rank", _EpicKey, f"{_SOFTWARE}gh-lexo-rank")


def _fields_of(flavour: Flavour) -> tuple[_Field, ...]:
    return (*_FIELDS, _EPICS[flavour])


def _changelog_item(site: _Site, one: _Field, before: Any, after: Any) -> Json:
    """As Jira writes it: Data Center names no fieldId, nor does Cloud for a changed parent."""
    shape = one.shape(site)
    (old, old_words), (new, new_words) = shape.trace(before), shape.trace(after)
    values = {"from": old, "fromString": old_words, "to": new, "toString": new_words}
    if one.id == "parent":
        return {"field": "IssueParentAssociation", "fieldtype": "jira", **values}
    named = {"field": one.name if one.custom else one.id, "fieldtype": "custom" if one.custom else "jira"}
    return {**named, **({"fieldId": one.id} if site.is_cloud else {}), **values}


# --- What is shown --------------------------------------------------------------------------------------------------


def _show_instant(site: _Site, at: datetime) -> str:
    local = at.astimezone(site.zone)
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03d}{local:%z}"


def _show_sprint_date(site: _Site, at: datetime) -> str:
    """Agile dates: Cloud in UTC with a Z, Data Center in the site's zone with a colon in the offset."""
    if site.is_cloud:
        return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return at.astimezone(site.zone).isoformat(timespec="milliseconds")


def _show_person(site: _Site, person: JiraPerson) -> Json:
    shared = {"displayName": person.name, "active": True, "timeZone": person.timezone}
    if site.is_cloud:
        address = f"{site.base_url}/rest/api/2/user?accountId={person.id}"
        return {"self": address, "accountId": person.id, "accountType": person.account_type, **shared}
    address = f"{site.base_url}/rest/api/2/user?username={person.id}"
    return {"self": address, "name": person.id, "key": person.key, "emailAddress": person.email, **shared}


def _sprint_dates(site: _Site, sprint: JiraSprint) -> Json:
    dates = {"startDate": sprint.start, "endDate": sprint.end, "completeDate": sprint.completed}
    return {name: _show_sprint_date(site, at) for name, at in dates.items() if at}


def _show_sprint(site: _Site, sprint: JiraSprint) -> Json:
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


def _show_sprint_value(site: _Site, sprint: JiraSprint) -> Json:
    shown = {"id": sprint.id, "name": sprint.name, "state": sprint.state, "boardId": sprint.board, "goal": ""}
    return {**shown, **_sprint_dates(site, sprint)}


def _show_sprint_text(site: _Site, sprint: JiraSprint) -> str:
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


def _show_comment(site: _Site, issue: JiraIssue, comment: JiraComment, version: int = 2) -> Json:
    author = _show_person(site, site.person(comment.author))
    return {
        "self": f"{site.base_url}/rest/api/{version}/issue/{issue.id}/comment/{comment.id}",
        "id": comment.id,
        "author": author,
        "body": comment.wiki if version == 2 else comment.adf or _document_of(comment.wiki, site.names),
        "updateAuthor": author,
        "created": _show_instant(site, comment.created),
        "updated": _show_instant(site, comment.updated),
        **({"jsdPublic": True} if site.is_cloud else {}),
    }


def _show_fields(site: _Site, issue: JiraIssue, version: int = 2) -> Json:
    shown = {one.id: one.shape(site, version).show(getattr(issue, one.fact)) for one in _fields_of(site.flavour)}
    if issue.epic is None:
        shown.pop("parent", None)
    project = {"self": f"{site.base_url}/rest/api/{version}/project/{issue.project}", "key": issue.project}
    comments = [_show_comment(site, issue, comment, version) for comment in issue.comments.values()]
    return {
        **shown,
        "project": {**project, "id": "10000", "name": issue.project, "projectTypeKey": "software"},
        "priority": _priority(site),
        "creator": _show_person(site, site.person(issue.creator)),
        "created": _show_instant(site, issue.created),
        "updated": _show_instant(site, issue.updated),
        "issuelinks": [],
        "subtasks": [],
        "resolution": None,
        "duedate": None,
        "timeestimate": None,
        "timeoriginalestimate": None,
        RANK_FIELD: f"0|i{site.ranked.index(issue.key) if issue.key in site.ranked else 0:05d}:",
        "comment": {"comments": comments, "maxResults": len(comments), "total": len(comments), "startAt": 0},
    }


def _show_issue(site: _Site, issue: JiraIssue, version: int = 2, names: Sequence[str] | None = None) -> Json:
    """names: the fields asked for by id, `*all`, or with a leading minus those not wanted; None asks for all."""
    address = f"{site.base_url}/rest/api/{version}/issue/{issue.id}"
    fields = _chosen(_show_fields(site, issue, version), names)
    return {"id": issue.id, "key": issue.key, "self": address, "fields": fields}


def _chosen(fields: Json, names: Sequence[str] | None) -> Json:
    wanted = {name for name in names or () if not name.startswith("-")}
    unwanted = {name[1:] for name in names or () if name.startswith("-")}
    has_all = not wanted or not wanted.isdisjoint({"*all", "*navigable"})
    return {name: value for name, value in fields.items() if (has_all or name in wanted) and name not in unwanted}


def _show_history(site: _Site, issue: JiraIssue) -> Json:
    """Cloud lists the newest entry first, Data Center the oldest."""
    entries = [
        {
            "id": entry.id,
            "author": _show_person(site, site.person(entry.author)),
            "created": _show_instant(site, entry.created),
            "items": entry.items,
        }
        for entry in issue.history
    ]
    ordered = entries[::-1] if site.is_cloud else entries
    return {"startAt": 0, "maxResults": len(ordered), "total": len(ordered), "histories": ordered}


# --- Search ---------------------------------------------------------------------------------------------------------

_TOKEN: Final = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|>=|[=(),]|[^\s=(),>"'!<~]+)\s*""")
_AGO: Final = re.compile(r"-(\d{1,4})([mhdw])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class _Clause:
    name: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class _Jql:
    """What is understood of JQL: `field = x`, `field in (x, y)` and `updated >= x`, joined by AND, and an order."""

    clauses: tuple[_Clause, ...]
    order: tuple[tuple[str, bool], ...]


def _read_jql(jql: str) -> _Jql:
    tokens = _tokens_of(jql)
    words = [token.lower() for token in tokens]
    cut = next((place for place, pair in enumerate(itertools.pairwise(words)) if pair == ("order", "by")), len(words))
    clauses = [_clause_of(part) for part in _split(tokens[:cut], "and")] if cut else []
    order = [_order_of(part) for part in _split(words[cut + 2 :], ",")] if cut < len(words) else []
    return _Jql(tuple(clauses), tuple(order))


def _tokens_of(jql: str) -> list[str]:
    tokens, place = [], 0
    while place < len(jql):
        found = _TOKEN.match(jql, place)
        if found is None:
            raise _bad_jql(f"the character {place + 1} is not expected")
        tokens.append(found[1])
        place = found.end()
    return tokens


def _split(tokens: list[str], separator: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token.lower() == separator:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _clause_of(tokens: list[str]) -> _Clause:
    match tokens:
        case [name, ("=" | ">=") as operator, value]:
            clause = _Clause(name.lower(), operator, (_unquoted(value),))
        case [name, word, "(", *items, ")"] if word.lower() == "in" and len(items) % 2 and {*items[1::2]} <= {","}:
            clause = _Clause(name.lower(), "=", tuple(_unquoted(value) for value in items[::2]))
        case _:
            raise _bad_jql(f"“{' '.join(tokens)}” is not a condition that this stand-in knows")
    if (clause.operator == ">=") != (clause.name == "updated") or clause.name not in {*_FINDERS, "updated"}:
        raise _bad_jql(f"field “{clause.name}” with this operator is not known to this stand-in")
    return clause


def _order_of(words: list[str]) -> tuple[str, bool]:
    match words:
        case [("rank" | "updated" | "key") as name]:
            return name, False
        case [("rank" | "updated" | "key") as name, ("asc" | "desc") as direction]:
            return name, direction == "desc"
    raise _bad_jql("the order is not one that this stand-in knows")


def _unquoted(token: str) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1]) if token[0] in "\"'" else token


def _bad_jql(why: str) -> _JiraError:
    return _JiraError(400, f"Error in the JQL Query: {why}.")


def _search(site: _Site, jql: str, zone: str) -> list[JiraIssue]:
    """The matching issues. zone: IANA name of the caller's profile zone, which dates in JQL are read in."""
    query = _read_jql(jql)
    if site.is_cloud and not query.clauses:
        raise _JiraError(
            400, "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."
        )
    found = site.in_rank_order()
    for clause in query.clauses:
        matches = _matcher(site, clause, zone)
        found = [issue for issue in found if matches(issue)]
    for name, is_descending in reversed(query.order):
        found.sort(key=partial(_sort_key, site, name), reverse=is_descending)
    return found


def _sort_key(site: _Site, name: str, issue: JiraIssue) -> tuple[Any, ...]:
    if name == "rank":
        return (site.ranked.index(issue.key),)
    project, _, number = issue.key.rpartition("-")
    return (issue.updated,) if name == "updated" else (project, int(number))


def _matcher(site: _Site, clause: _Clause, zone: str) -> Callable[[JiraIssue], bool]:
    if clause.name == "updated":
        since = _instant_in_jql(clause.values[0], site.clock(), ZoneInfo(zone))
        return lambda issue: issue.updated.timestamp() >= since
    known, of_issue = _FINDERS[clause.name]
    names = known(site)
    for value in clause.values:
        if value.casefold() not in names:
            raise _JiraError(400, f"The value '{value}' does not exist for the field '{clause.name}'.")
    targets = {names[value.casefold()] for value in clause.values}
    return lambda issue: not targets.isdisjoint(of_issue(issue))


def _sprint_names(site: _Site) -> dict[str, Any]:
    return {name: one.id for one in site.sprints.values() for name in (one.name.casefold(), str(one.id))}


_FINDERS: Final[dict[str, tuple[Callable[[_Site], dict[str, Any]], Callable[[JiraIssue], Iterable[Any]]]]] = {
    "project": (lambda site: {key.casefold(): key for key in site.projects}, lambda issue: [issue.project]),
    "sprint": (_sprint_names, lambda issue: issue.sprints),
    "status": (lambda _: {name.casefold(): name for name in STATUSES}, lambda issue: [issue.status]),
    "key": (lambda site: {key.casefold(): key for key in site.issues}, lambda issue: [issue.key]),
}
"""By JQL field: the values it may take, by name in lower case, and those that an issue has."""


def _instant_in_jql(value: str, now: datetime, zone: ZoneInfo) -> float:
    """A date literal as epoch seconds."""
    if ago := _AGO.fullmatch(value):
        return (now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})).timestamp()
    for form in ("%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M", "%Y-%m-%d", "%Y/%m/%d"):
        try:
            return datetime.strptime(value, form).replace(tzinfo=zone).timestamp()
        except (ValueError, OverflowError):
            continue
    raise _bad_jql(f"Date value '{value}' for field 'updated' is invalid")


# --- REST -----------------------------------------------------------------------------------------------------------


async def _json_in(request: Request) -> Any:
    try:
        body = json.loads(await request.body())
        json.dumps(body, allow_nan=False, ensure_ascii=False).encode()  # numbers and letters that no answer can show
    except (ValueError, RecursionError):
        raise _JiraError(400, "There was an error parsing JSON. Check that your request body is valid.") from None
    return body


async def _object_in(request: Request) -> Json:
    body = await _json_in(request)
    if not isinstance(body, dict):
        raise _JiraError(400, _INVALID)
    return body


AnyBody = Annotated[Any, Depends(_json_in)]
Body = Annotated[Json, Depends(_object_in)]
StartAt = Annotated[int, Query(alias="startAt", ge=0)]
MaxResults = Annotated[int, Query(alias="maxResults", ge=0)]
NotifyUsers = Annotated[bool, Query(alias="notifyUsers")]
PageToken = Annotated[str, Query(alias="nextPageToken")]
CommentOrder = Annotated[Literal["created", "-created"], Query(alias="orderBy")]


def _listed(names: Any) -> list[str]:
    """Names from a list, or from a text with commas."""
    parts = names.split(",") if isinstance(names, str) else names
    if not isinstance(parts, list) or not all(isinstance(name, str) for name in parts):
        raise _JiraError(400, _INVALID)
    return [name.strip() for name in parts if name.strip()]


def _whole_number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _JiraError(400, _INVALID)
    return value


def _start_of(jql: str, token: Any) -> int:
    """Where the page of a token starts; a token belongs to its query."""
    if not token:
        return 0
    try:
        start, _, same_jql = base64.urlsafe_b64decode(str(token)).decode().partition(":")
    except ValueError:
        start, same_jql = "", ""
    if same_jql != jql or not re.fullmatch(r"[0-9]{1,9}", start):
        raise _JiraError(400, "The provided next page token is invalid or expired.")
    return int(start)


def _page_by_token(found: Sequence[JiraIssue], jql: str, token: Any, size: int) -> tuple[Sequence[JiraIssue], Json]:
    """A page of what was found, and how the answer speaks of the next one."""
    start = _start_of(jql, token)
    end = start + max(size, 1)
    if end >= len(found):
        return found[start:], {"isLast": True}
    return found[start:end], {
        "isLast": False,
        "nextPageToken": base64.urlsafe_b64encode(f"{end}:{jql}".encode()).decode(),
    }


class _Door:
    """Lets in who has the bot's credentials, and says in a header who that is."""

    def __init__(self, site: _Site, bot: JiraPerson, token: str) -> None:
        basic = base64.b64encode(f"{bot.email}:{token}".encode()).decode()
        self._expected = f"Basic {basic}" if site.is_cloud else f"Bearer {token}"
        self._header = "X-AAccountId" if site.is_cloud else "X-AUSERNAME"
        self._bot = bot

    async def __call__(self, request: Request, response: Response) -> None:
        if request.headers.get("authorization") != self._expected:
            raise _JiraError(401, "Authentication is required to perform this operation.")
        response.headers[self._header] = self._bot.id


_Route = tuple[str, str, Callable[..., Any], int]
"""Method, path, endpoint, and the status of success."""


class _Platform:
    """`/rest/api/{version}`: issues, comments, fields and search, as the bot sees them."""

    def __init__(self, site: _Site, bot: JiraPerson, version: int, *, bot_is_admin: bool) -> None:
        self._site = site
        self._bot = bot
        self._version = version
        self._bot_is_admin = bot_is_admin

    def add_to(self, app: FastAPI) -> None:
        prefix = f"/rest/api/{self._version}"
        for method, path, endpoint, status in (*self._routes(), *self._search_routes()):
            app.add_api_route(prefix + path, endpoint, methods=[method], status_code=status, response_model=None)

    def _routes(self) -> list[_Route]:
        comment, property_of = "/issue/{key}/comment/{comment_id}", "/comment/{comment_id}/properties/{name}"
        return [
            ("GET", "/myself", self._myself, 200),
            ("GET", "/field", self._fields, 200),
            ("GET", "/issue/{key}", self._get_issue, 200),
            ("PUT", "/issue/{key}", self._put_issue, 204),
            ("PUT", "/issue/{key}/assignee", self._put_assignee, 204),
            ("GET", "/issue/{key}/properties/{name}", self._get_issue_property, 200),
            ("PUT", "/issue/{key}/properties/{name}", self._put_issue_property, 200),
            ("GET", "/issue/{key}/comment", self._list_comments, 200),
            ("POST", "/issue/{key}/comment", self._post_comment, 201),
            ("GET", comment, self._get_comment, 200),
            ("PUT", comment, self._put_comment, 200),
            ("DELETE", comment, self._delete_comment, 204),
            ("GET", property_of, self._get_comment_property, 200),
            ("PUT", property_of, self._put_comment_property, 200),
        ]

    def _search_routes(self) -> list[_Route]:
        if not self._site.is_cloud:
            return [("GET", "/search", self._get_search, 200), ("POST", "/search", self._post_search, 200)]
        return [
            ("GET", "/search", self._search_is_gone, 410),
            ("POST", "/search", self._search_is_gone, 410),
            ("GET", "/search/jql", self._get_search_jql, 200),
            ("POST", "/search/jql", self._post_search_jql, 200),
        ]

    async def _myself(self) -> Json:
        return {**_show_person(self._site, self._bot), "emailAddress": self._bot.email, "locale": "en_GB"}

    async def _fields(self) -> list[Json]:
        return [self._show_field(one) for one in (*_fields_of(self._site.flavour), _RANK)]

    def _show_field(self, one: _Field) -> Json:
        number = one.id.removeprefix("customfield_")
        kind = {"custom": one.custom, "customId": int(number)} if one.custom else {"system": one.id}
        clauses = [f"cf[{number}]", one.name] if one.custom else [one.id]
        shown = {"id": one.id, "name": one.name, "custom": bool(one.custom), "clauseNames": clauses}
        flags = {"orderable": True, "navigable": True, "searchable": True, "schema": {**one.shape.schema, **kind}}
        return {**shown, **flags, **({"key": one.id} if self._site.is_cloud else {})}

    async def _get_issue(self, key: str, fields: str = "*all", expand: str = "", properties: str = "") -> Json:
        issue, asked = self._site.issue(key), _listed(properties)
        shown = self._show_issue(issue, _listed(fields), _listed(expand))
        if not asked:
            return shown
        wanted = {name: value for name, value in issue.properties.items() if "*all" in asked or name in asked}
        return {**shown, "properties": wanted}

    def _show_issue(self, issue: JiraIssue, names: Sequence[str], expand: Sequence[str]) -> Json:
        shown = _show_issue(self._site, issue, self._version, names)
        return {**shown, "changelog": _show_history(self._site, issue)} if "changelog" in expand else shown

    async def _put_issue(self, key: str, body: Body, *, notify_users: NotifyUsers = True) -> None:
        issue = self._site.issue(key)
        self._check_notify(notify_users=notify_users)
        facts: Json = {}
        errors: dict[str, str] = {}
        for name, value in _requested(issue, body).items():
            try:
                facts |= self._read(issue, name, value)
            except _FieldError as error:
                errors[name] = str(error)
        if errors:
            raise _JiraError(400, errors=errors)
        self._site.change(issue, self._bot.id, facts)

    def _check_notify(self, *, notify_users: bool) -> None:
        if not notify_users and not self._bot_is_admin:
            needed = "either admin or project admin permissions are required"
            raise _JiraError(403, f"To discard the user notification {needed}.")

    def _read(self, issue: JiraIssue, name: str, value: Any) -> Json:
        """The fact that a named field sets, with its new value."""
        one = next((one for one in _fields_of(self._site.flavour) if one.id == name), None)
        if one is None:
            raise _FieldError(f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown.")
        if one.shape is _Sprints:
            return {one.fact: self._read_sprint(issue, value)}
        return {one.fact: one.shape(self._site, self._version).read(value)}

    def _read_sprint(self, issue: JiraIssue, value: Any) -> list[int]:
        """The Sprint field is written as one bare number, though it is read as a list."""
        closed = self._site.closed_sprints_of(issue)
        if value is None:
            return closed
        if isinstance(value, bool) or not isinstance(value, int):
            raise _FieldError("Number value expected as the Sprint id.")
        if value not in self._site.sprints or self._site.sprints[value].state == "closed":
            raise _FieldError(f"Sprint with id '{value}' does not exist or is closed.")
        return [*closed, value]

    async def _put_assignee(self, key: str, body: Body) -> None:
        issue = self._site.issue(key)
        try:
            assignee = _Account(self._site, self._version).read(body)
        except _FieldError as error:
            raise _JiraError(400, errors={"assignee": str(error)}) from None
        self._site.change(issue, self._bot.id, {"assignee": assignee})

    async def _get_issue_property(self, key: str, name: str) -> Json:
        return _property(self._site.issue(key).properties, name)

    async def _put_issue_property(self, key: str, name: str, value: AnyBody, response: Response) -> None:
        response.status_code = _set_property(self._site.issue(key).properties, name, value)

    async def _list_comments(
        self,
        key: str,
        start_at: StartAt = 0,
        max_results: MaxResults = _MOST_COMMENTS_A_PAGE,
        order_by: CommentOrder = "created",
        expand: str = "",
    ) -> Json:
        issue = self._site.issue(key)
        ordered = list(issue.comments.values())[:: -1 if order_by == "-created" else 1]
        size = min(max_results, _MOST_COMMENTS_A_PAGE) if self._site.is_cloud else max_results
        page = [self._show_comment(issue, one, expand) for one in ordered[start_at : start_at + size]]
        return {"startAt": start_at, "maxResults": size, "total": len(ordered), "comments": page}

    def _show_comment(self, issue: JiraIssue, comment: JiraComment, expand: str) -> Json:
        shown = _show_comment(self._site, issue, comment, self._version)
        if "properties" not in _listed(expand):
            return shown
        return {**shown, "properties": [{"key": key, "value": value} for key, value in comment.properties.items()]}

    async def _post_comment(self, key: str, body: Body, expand: str = "") -> Json:
        issue = self._site.issue(key)
        wiki, adf = self._read_comment(body)
        properties = _read_properties(body.get("properties", []))
        comment = self._site.add_comment(issue, self._bot.id, wiki, adf, properties)
        return self._show_comment(issue, comment, expand)

    def _read_comment(self, body: Json) -> tuple[str, Json | None]:
        """The body as wiki markup, and as the document it came as. `properties` in an update count for nothing."""
        try:
            wiki = _read_body(body.get("body"), self._version)
        except _FieldError as error:
            raise _JiraError(400, errors={"comment": str(error)}) from None
        if not wiki.strip():
            raise _JiraError(400, errors={"comment": "Comment body can not be empty!"})
        return wiki, body["body"] if self._version == 3 else None

    async def _get_comment(self, key: str, comment_id: str, expand: str = "") -> Json:
        issue, comment = self._comment_of(key, comment_id)
        return self._show_comment(issue, comment, expand)

    async def _put_comment(
        self, key: str, comment_id: str, body: Body, *, notify_users: NotifyUsers = True, expand: str = ""
    ) -> Json:
        issue, comment = self._comment_of(key, comment_id)
        self._check_notify(notify_users=notify_users)
        self._check_own(comment)
        self._site.edit_comment(issue, comment, *self._read_comment(body))
        return self._show_comment(issue, comment, expand)

    async def _delete_comment(self, key: str, comment_id: str) -> None:
        issue, comment = self._comment_of(key, comment_id)
        self._check_own(comment)
        self._site.remove_comment(issue, comment)

    def _comment_of(self, key: str, comment_id: str) -> tuple[JiraIssue, JiraComment]:
        issue, comment = self._site.issue(key), self._site.comment(comment_id)
        if comment_id not in issue.comments:
            raise UnknownNameError(f"Can not find a comment for the id: {comment_id}.")
        return issue, comment

    def _check_own(self, comment: JiraComment) -> None:
        if comment.author != self._bot.id:
            raise _JiraError(400, f"You do not have the permission for the comment with id: {comment.id}.")

    async def _get_comment_property(self, comment_id: str, name: str) -> Json:
        return _property(self._site.comment(comment_id).properties, name)

    async def _put_comment_property(self, comment_id: str, name: str, value: AnyBody, response: Response) -> None:
        comment = self._site.comment(comment_id)
        self._check_own(comment)
        response.status_code = _set_property(comment.properties, name, value)

    async def _search_is_gone(self) -> Json:
        gone = "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API."
        return {"errorMessages": [gone], "errors": {}}

    async def _get_search_jql(
        self, jql: str, fields: str = "id", expand: str = "", max_results: MaxResults = 50, token: PageToken = ""
    ) -> Json:
        asked = {"jql": jql, "fields": _listed(fields), "expand": expand, "maxResults": max_results}
        return await self._post_search_jql({**asked, "nextPageToken": token})

    async def _post_search_jql(self, body: Body) -> Json:
        """Without `fields` the answer names ids alone."""
        known = {
            "jql",
            "fields",
            "expand",
            "maxResults",
            "nextPageToken",
            "properties",
            "fieldsByKeys",
            "reconcileIssues",
        }
        jql, expand = body.get("jql", ""), body.get("expand", "")
        if body.keys() - known or not isinstance(jql, str) or not isinstance(expand, str):
            raise _JiraError(400, _INVALID)
        found = _search(self._site, jql, self._bot.timezone)
        size = min(_whole_number(body.get("maxResults", 50)), 100)
        page, more = _page_by_token(found, jql, body.get("nextPageToken"), size)
        names = _listed(body.get("fields") or ["id"])
        if names == ["id"]:
            return {"issues": [{"id": issue.id} for issue in page], **more}
        return {"issues": [self._show_issue(issue, names, _listed(expand)) for issue in page], **more}

    async def _get_search(
        self, jql: str = "", fields: str = "*all", expand: str = "", start_at: StartAt = 0, max_results: MaxResults = 50
    ) -> Json:
        asked = {"jql": jql, "fields": _listed(fields), "expand": _listed(expand)}
        return await self._post_search({**asked, "startAt": start_at, "maxResults": max_results})

    async def _post_search(self, body: Body) -> Json:
        jql, expand = body.get("jql", ""), body.get("expand", [])
        if not isinstance(jql, str) or not isinstance(expand, list):
            raise _JiraError(400, _INVALID)
        found = _search(self._site, jql, self._bot.timezone)
        start, size = _whole_number(body.get("startAt", 0)), min(_whole_number(body.get("maxResults", 50)), 1000)
        names = _listed(body.get("fields") or ["*all"])
        page = [self._show_issue(issue, names, _listed(expand)) for issue in found[start : start + size]]
        return {"startAt": start, "maxResults": size, "total": len(found), "issues": page}


def _requested(issue: JiraIssue, body: Json) -> Json:
    """The value that each named field shall have; `update` verbs are carried out on the present value."""
    fields, update = body.get("fields") or {}, body.get("update") or {}
    if not isinstance(fields, dict) or not isinstance(update, dict) or not (fields or update):
        raise _JiraError(400, "one of 'fields' or 'update' required")
    for name in fields.keys() & update.keys():
        raise _JiraError(400, errors={name: f"Field '{name}' cannot appear in both 'fields' and 'update'"})
    return {**fields, **{name: _after_verbs(name, issue.labels, verbs) for name, verbs in update.items()}}


def _after_verbs(name: str, labels: list[str], verbs: Any) -> Any:
    """What a list of `update` verbs makes of a field: `set` on any, `add` and `remove` on labels alone."""
    value: Any = labels
    for verb in verbs if isinstance(verbs, list) and verbs else [None]:
        match verb:
            case {"set": wanted}:
                value = wanted
            case {"add": str(label)} if name == "labels" and isinstance(value, list):
                value = [*value, label]
            case {"remove": str(label)} if name == "labels" and isinstance(value, list):
                value = [one for one in value if one != label]
            case _:
                raise _JiraError(400, errors={name: f"Field '{name}' does not support this operation"})
    return value


def _read_properties(raw: Any) -> Json:
    if not isinstance(raw, list) or not all(isinstance(one, dict) and isinstance(one.get("key"), str) for one in raw):
        raise _JiraError(400, _INVALID)
    return {one["key"]: one.get("value") for one in raw}


def _property(properties: Json, name: str) -> Json:
    if name not in properties:
        raise UnknownNameError(f"The property {name} does not exist.")
    return {"key": name, "value": properties[name]}


def _set_property(properties: Json, name: str, value: Any) -> int:
    """Sets a property, and returns the status that says whether it is new."""
    if len(name) > 255 or len(json.dumps(value)) > _LARGEST_PROPERTY:
        raise _JiraError(400, "The property's key or value is too long.")
    is_new = name not in properties
    properties[name] = value
    return 201 if is_new else 200


class _Agile:
    """`/rest/agile/1.0`, and on Cloud its newer issue list under `/rest/software/1.0`."""

    def __init__(self, site: _Site, bot: JiraPerson) -> None:
        self._site = site
        self._bot = bot

    def add_to(self, app: FastAPI) -> None:
        for method, path, endpoint, status in self._routes():
            app.add_api_route(path, endpoint, methods=[method], status_code=status, response_model=None)

    def _routes(self) -> list[_Route]:
        agile = "/rest/agile/1.0"
        by_token: _Route = ("GET", "/rest/software/1.0/sprint/{sprint}/issue", self._list_issues_by_token, 200)
        return [
            ("GET", f"{agile}/board/{{board}}/sprint", self._list_sprints, 200),
            ("GET", f"{agile}/sprint/{{sprint}}", self._get_sprint, 200),
            ("GET", f"{agile}/sprint/{{sprint}}/issue", self._list_issues, 200),
            ("POST", f"{agile}/sprint/{{sprint}}/issue", self._move_to_sprint, 204),
            ("POST", f"{agile}/backlog/issue", self._move_to_backlog, 204),
            ("PUT", f"{agile}/issue/rank", self._rank, 204),
            *([by_token] if self._site.is_cloud else []),
        ]

    async def _list_sprints(
        self, board: int, state: str = "closed,active,future", start_at: StartAt = 0, max_results: MaxResults = 50
    ) -> Json:
        sprints = [one for one in self._site.sprints.values() if one.board == board]
        if not sprints:
            raise UnknownNameError(f"The requested board cannot be viewed: {board}.")
        wanted = _listed(state)
        if not set(wanted) <= set(_SPRINT_STATES):
            raise _JiraError(400, f"'{state}' is not a list of sprint states.")
        ordered = [one for name in _SPRINT_STATES if name in wanted for one in sprints if one.state == name]
        size = min(max_results, 50)
        shown = [_show_sprint(self._site, one) for one in ordered[start_at : start_at + size]]
        is_last = start_at + size >= len(ordered)
        return {"maxResults": size, "startAt": start_at, "total": len(ordered), "isLast": is_last, "values": shown}

    async def _get_sprint(self, sprint: int) -> Json:
        return _show_sprint(self._site, self._site.sprint(sprint))

    def _issues_in(self, sprint: int, jql: str) -> list[JiraIssue]:
        wanted = self._site.sprint(sprint).id
        found = _search(self._site, jql, self._bot.timezone) if jql else self._site.in_rank_order()
        return [issue for issue in found if wanted in issue.sprints]

    async def _list_issues(
        self, sprint: int, jql: str = "", fields: str = "*all", start_at: StartAt = 0, max_results: MaxResults = 50
    ) -> Json:
        found = self._issues_in(sprint, jql)
        page = [self._show_issue(one, _listed(fields)) for one in found[start_at : start_at + max_results]]
        return {"startAt": start_at, "maxResults": max_results, "total": len(found), "issues": page}

    async def _list_issues_by_token(
        self, sprint: int, jql: str = "", fields: str = "*all", max_results: MaxResults = 50, token: PageToken = ""
    ) -> Json:
        page, more = _page_by_token(self._issues_in(sprint, jql), jql, token, max_results)
        return {"issues": [self._show_issue(one, _listed(fields)) for one in page], **more}

    def _show_issue(self, issue: JiraIssue, names: Sequence[str]) -> Json:
        """Agile answers add the present sprint, the closed ones and the flag under names of their own."""
        shown = _show_issue(self._site, issue)
        sprints = [self._site.sprint(one) for one in issue.sprints]
        present = [_show_sprint(self._site, one) for one in sprints if one.state != "closed"]
        closed = [_show_sprint(self._site, one) for one in sprints if one.state == "closed"]
        own = {"sprint": present[0] if present else None, "closedSprints": closed, "flagged": issue.flagged}
        return {**shown, "fields": _chosen({**shown["fields"], **own}, names)}

    async def _move_to_sprint(self, sprint: int, body: Body) -> None:
        target, issues = self._site.sprint(sprint), self._named(body)
        if target.state == "closed":
            raise _JiraError(400, "Issues can only be moved to an active or a future sprint.")
        pivot = self._pivot(body) if {"rankBeforeIssue", "rankAfterIssue"} & body.keys() else None
        self._site.move(issues, target.id, self._bot.id)
        if pivot:
            self._site.rank(issues, pivot, above="rankBeforeIssue" in body, actor=self._bot.id)

    async def _move_to_backlog(self, body: Body) -> None:
        self._site.move(self._named(body), None, self._bot.id)

    async def _rank(self, body: Body) -> None:
        issues, pivot = self._named(body), self._pivot(body)
        self._site.rank(issues, pivot, above="rankBeforeIssue" in body, actor=self._bot.id)

    def _pivot(self, body: Json) -> JiraIssue:
        given = {"rankBeforeIssue", "rankAfterIssue"} & body.keys()
        if len(given) != 1:
            raise _JiraError(400, "Exactly one of rankBeforeIssue and rankAfterIssue must be given.")
        return self._site.issue(str(body[given.pop()]))

    def _named(self, body: Json) -> list[JiraIssue]:
        keys = list(dict.fromkeys(_listed(body.get("issues"))))
        if not keys or len(keys) > _MOST_ISSUES_A_CALL:
            raise _JiraError(400, f"Between 1 and {_MOST_ISSUES_A_CALL} issues can be given in one call.")
        return [self._site.issue(key) for key in keys]


# --- The stand-in ---------------------------------------------------------------------------------------------------


class JiraStandIn:
    """A Jira of one flavour, with a bot's account and people who act in the story.

    Every action of people returns when the webhooks that it caused are answered or given up; it raises UnknownNameError
    for a person, issue, sprint, status or type that is not there. Writes through `app` are done by the bot and send
    webhooks too, which `sender.drain()` waits for. In comments, `[~id]` mentions a person on either flavour.

    clock: the site's time; sender: sends the webhooks once it has a target; token: the bot logs in with it; zone: the
    site's and the bot's, which timestamps are shown and JQL dates are read in; bot_id: the bot's account; bot_is_admin:
    whether it may edit without notifying people.
    """

    SYSTEM: Final = "system"
    """The account that acts where the story names nobody."""

    def __init__(
        self,
        flavour: Flavour,
        clock: Clock,
        sender: WebhookSender,
        *,
        token: str,
        projects: Sequence[str] = ("SE",),
        zone: str = "Europe/Paris",
        bot_id: str = "crafty",
        bot_is_admin: bool = True,
    ) -> None:
        self._site = _Site(flavour, clock, sender, ZoneInfo(zone), projects)
        self.sender = sender
        self.bot = self.add_person(bot_id, "Crafty", timezone=zone, account_type="app")
        self.add_person(self.SYSTEM, "Jira", account_type="app")
        self.app = self._build_app(token, bot_is_admin=bot_is_admin)

    @property
    def base_url(self) -> str:
        """The address that links and `self` show, without a slash at its end; set it once the app is served."""
        return self._site.base_url

    @base_url.setter
    def base_url(self, url: str) -> None:
        self._site.base_url = url

    @property
    def issues(self) -> dict[str, JiraIssue]:
        """Every issue by key."""
        return self._site.issues

    @property
    def sprints(self) -> dict[int, JiraSprint]:
        """Every sprint by id."""
        return self._site.sprints

    @property
    def ranking(self) -> list[str]:
        """The keys of all issues, the highest rank first."""
        return list(self._site.ranked)

    def comments(self, key: str) -> list[JiraComment]:
        """An issue's comments, oldest first."""
        return list(self._site.issue(key).comments.values())

    def add_person(
        self, account: str, name: str, *, timezone: str = "UTC", account_type: Literal["atlassian", "app"] = "atlassian"
    ) -> JiraPerson:
        """Opens an account. account: the id on Cloud, the user name on Data Center; timezone: an IANA name."""
        key = f"JIRAUSER{10100 + len(self._site.people)}"
        person = JiraPerson(account, name, key, f"{account}@example.com", timezone, account_type)
        self._site.people[account] = person
        return person

    async def create_sprint(
        self, sprint: int, name: str, *, board: int, start: datetime | None = None, end: datetime | None = None
    ) -> JiraSprint:
        """Plans a future sprint. sprint: its id; start and end: aware instants."""
        planned = JiraSprint(sprint, name, board, self._site.clock(), start=start, end=end)
        self._site.add_sprint(planned)
        await self.sender.drain()
        return planned

    async def edit_sprint(self, sprint: int, *, start: datetime, end: datetime) -> None:
        """Sets a sprint's dates, aware instants."""
        edited = self._site.sprint(sprint)
        edited.start, edited.end = start, end
        self._site.announce_sprint("sprint_updated", edited)
        await self.sender.drain()

    async def start_sprint(self, sprint: int) -> None:
        """Starts a sprint; without dates it begins now and lasts 14 days."""
        started = self._site.sprint(sprint)
        started.state = "active"
        started.start = started.start or self._site.clock()
        started.end = started.end or started.start + timedelta(days=14)
        self._site.announce_sprint("sprint_started", started)
        await self.sender.drain()

    async def close_sprint(self, sprint: int, actor: str = SYSTEM) -> None:
        """Closes a sprint; `actor` moves what is unfinished to the board's next sprint, else to the backlog."""
        site, closed = self._site, self._site.sprint(sprint)
        unfinished = [issue for issue in site.in_rank_order() if sprint in issue.sprints and not issue.is_done]
        closed.state, closed.completed = "closed", site.clock()
        site.announce_sprint("sprint_closed", closed)
        following = site.next_sprint(closed.board)
        site.move(unfinished, following.id if following else None, actor)
        await self.sender.drain()

    async def create_issue(
        self, key: str, actor: str, *, sprint: int | None = None, **fields: Unpack[IssueFields]
    ) -> JiraIssue:
        """Opens an issue in one of the site's projects. key: a new one; the actor reports it unless another does."""
        issue = self._site.add_issue(key, actor, sprint, fields)
        await self.sender.drain()
        return issue

    async def edit(self, key: str, actor: str, **fields: Unpack[IssueFields]) -> None:
        """Edits fields of an issue in one go."""
        self._site.change(self._site.issue(key), actor, fields)
        await self.sender.drain()

    async def transition(self, key: str, actor: str, status: str) -> None:
        """Moves an issue to another status."""
        await self.edit(key, actor, status=status)

    async def move(self, key: str, sprint: int | None, actor: str) -> None:
        """Puts an issue into a sprint, or with None into the backlog."""
        target = None if sprint is None else self._site.sprint(sprint).id
        self._site.move([self._site.issue(key)], target, actor)
        await self.sender.drain()

    async def comment(self, key: str, actor: str, text: str) -> JiraComment:
        """Writes a comment. text: wiki markup, in which `[~id]` mentions a person."""
        mention = r"[~accountid:\1]" if self._site.is_cloud else r"[~\1]"
        comment = self._site.add_comment(self._site.issue(key), actor, _MENTION.sub(mention, text), None, {})
        await self.sender.drain()
        return comment

    async def delete_issue(self, key: str, actor: str) -> None:
        """Deletes an issue with all that is on it."""
        self._site.remove_issue(self._site.issue(key), actor)
        await self.sender.drain()

    def _build_app(self, token: str, *, bot_is_admin: bool) -> FastAPI:
        app = FastAPI(openapi_url=None, dependencies=[Depends(_Door(self._site, self.bot, token))])
        for version in (2, 3) if self._site.is_cloud else (2,):
            _Platform(self._site, self.bot, version, bot_is_admin=bot_is_admin).add_to(app)
            app.add_route(f"/rest/api/{version}/serverInfo", self._server_info)
        _Agile(self._site, self.bot).add_to(app)
        app.add_exception_handler(_JiraError, _answer_error)
        app.add_exception_handler(UnknownNameError, _answer_missing)
        app.add_exception_handler(RequestValidationError, _answer_invalid)
        return app

    async def _server_info(self, _: Request) -> JSONResponse:
        """The one answer that strangers get as well."""
        version = "1001.0.0-SNAPSHOT" if self._site.is_cloud else "10.3.2"
        content = {
            "baseUrl": self.base_url,
            "version": version,
            "versionNumbers": [int(part) for part in version.partition("-")[0].split(".")],
            "deploymentType": "Cloud" if self._site.is_cloud else "Server",
            "serverTime": _show_instant(self._site, self._site.clock()),
            "serverTitle": "Jira",
        }
        return JSONResponse(content)


async def _answer_error(_request: Request, error: Exception) -> JSONResponse:
    known = error if isinstance(error, _JiraError) else _JiraError(500, "Internal server error")
    return JSONResponse(known.content, known.status)


async def _answer_missing(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse(_JiraError(404, str(error)).content, 404)


async def _answer_invalid(_request: Request, _error: Exception) -> JSONResponse:
    return JSONResponse(_JiraError(400, "A parameter of the request is not valid.").content, 400)
