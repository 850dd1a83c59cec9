"""What the stand-in Jira remembers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from math import inf
from typing import Final, Literal, TypedDict
from zoneinfo import ZoneInfo

from service.clock import Clock
from service.demo._jira_markup import Json

Flavour = Literal["cloud", "datacenter"]

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
LINK_TYPES: Final = {
    "Blocks": ("blocks", "is blocked by"),
    "Cloners": ("clones", "is cloned by"),
    "Duplicate": ("duplicates", "is duplicated by"),
    "Issue split": ("split to", "split from"),
    "Relates": ("relates to", "relates to"),
    "Replacement": ("replaces", "is replaced by"),
}
"""By name: what the source of a link does to its target, and what the target does to the source."""
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
    active: bool = True


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


@dataclass(frozen=True)
class JiraLink:
    """A link between two issues. type: its name in LINK_TYPES; source, target: keys."""

    id: str
    type: str
    source: str
    target: str

    def phrase_at(self, key: str) -> str:
        """What the issue with that key does to the other one."""
        return LINK_TYPES[self.type][0 if key == self.source else 1]


@dataclass(frozen=True)
class JiraRemoteLink:
    """A link to something elsewhere; one global_id stands for one link on an issue."""

    id: str
    global_id: str
    url: str
    title: str


@dataclass
class JiraIssue:
    """An issue.

    People are account ids, epic is a key, the estimates of time are hours, sprints are all that it ever was in, oldest
    first, remote_links are by their global id.
    """

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
    due: date | None = None
    original_estimate: float | None = None
    remaining_estimate: float | None = None
    labels: list[str] = field(default_factory=list)
    sprints: list[int] = field(default_factory=list)
    history: list[HistoryEntry] = field(default_factory=list)
    comments: dict[str, JiraComment] = field(default_factory=dict)
    properties: Json = field(default_factory=dict)
    remote_links: dict[str, JiraRemoteLink] = field(default_factory=dict)

    @property
    def project(self) -> str:
        return self.key.rpartition("-")[0]

    @property
    def is_done(self) -> bool:
        return STATUSES[self.status] == "done"


class IssueFields(TypedDict, total=False):
    """What people may set on an issue: people by account id, an epic by key, the estimates of time in hours."""

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
    due: date | None
    original_estimate: float | None
    remaining_estimate: float | None
    labels: list[str]


class JiraSite:
    """Everything that one Jira knows."""

    def __init__(self, flavour: Flavour, clock: Clock, zone: ZoneInfo, projects: Sequence[str]) -> None:
        self.flavour = flavour
        self.clock = clock
        self.zone = zone
        self.projects = tuple(projects)
        self.base_url = "https://jira.example.com"
        self.people: dict[str, JiraPerson] = {}
        self.sprints: dict[int, JiraSprint] = {}
        self.issues: dict[str, JiraIssue] = {}
        self.links: list[JiraLink] = []
        self.ranked: list[str] = []
        self.denied: set[str] = set()
        self.webhooks: dict[int, Json] = {}

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

    def links_of(self, issue: JiraIssue) -> list[JiraLink]:
        return [link for link in self.links if issue.key in {link.source, link.target}]

    def next_key(self, project: str) -> str:
        """The key that the next issue of a project gets from Jira."""
        numbers = [int(key.rpartition("-")[2]) for key, issue in self.issues.items() if issue.project == project]
        return f"{project}-{max(numbers, default=0) + 1}"

    def next_sprint(self, board: int) -> JiraSprint | None:
        """A board's future sprint that begins first; those without dates come last, in the order they were made."""
        future = [one for one in self.sprints.values() if one.board == board and one.state == "future"]
        return min(future, key=lambda one: one.start.timestamp() if one.start else inf, default=None)
