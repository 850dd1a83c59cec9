"""What is read from Jira, alike for the Cloud and Data Center."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Any, ClassVar, Final, TypeVar

import httpx

from service.clients._http import Api, NotSignedIn, under
from service.clients._jira_answers import (
    Account,
    CommentPage,
    KeyedComment,
    Permissions,
    ServerInfo,
    SprintPage,
    StoredComment,
    pages,
)
from service.clients._jira_api import SERVER_INFO
from service.clients._jira_history import (
    CATEGORY_SINCE,
    Changelog,
    IssueWithHistory,
    ticket_as_found,
    ticket_with_history,
)
from service.errors import CannotAct, NotFound
from service.facts import Person, Sprint, Ticket
from service.jira_shapes import (
    FieldMap,
    RawField,
    RawSprint,
    RawUser,
    is_issue_key,
    person_from,
    sprint_from,
    ticket_from,
)

T = TypeVar("T")
AGILE: Final = "/rest/agile/1.0"
PAGE: Final = 100
_SPRINT_PAGE: Final = 50
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_OWN_FIELDS: Final = (
    "summary",
    "issuetype",
    "status",
    "assignee",
    "reporter",
    "creator",
    "parent",
    "labels",
    "description",
    "issuelinks",
    "timeoriginalestimate",
    "timeestimate",
    "created",
    "updated",
)


class JiraReader(ABC):
    """A Jira site. Errors of every call: NotFound, TryLater, CannotAct.

    fields: which custom field is which on this site; empty until somebody sets what `discover` found.
    """

    _root: ClassVar[str]
    _account_name: ClassVar[str]

    def __init__(self, api: Api, site: str) -> None:
        self._api = api
        self._site = site
        self.fields = FieldMap()

    async def aclose(self) -> None:
        """Ends the connections."""
        await self._api.aclose()

    async def identify(self) -> Person:
        """The account that the token belongs to; NotSignedIn where Jira takes us for an anonymous visitor."""
        person = person_from(await self._api.request("GET", f"{self._root}/myself", into=RawUser))
        if person is None:
            raise NotSignedIn(
                "Jira answers as to a visitor without an account; check CRAFTY_JIRA_TOKEN.", httpx.codes.OK
            )
        return person

    async def is_cloud(self) -> bool:
        """Whether this is Jira Cloud; Jira tells that also to those whom it does not know."""
        return (await self._api.request("GET", SERVER_INFO, into=ServerInfo)).deployment_type == "Cloud"

    async def permissions(self, project: str, wanted: Sequence[str]) -> frozenset[str]:
        """Those of the permissions that our account has in a project, by their keys, such as ADD_COMMENTS.

        NotFound for a project that is not there, or that the account may not see.
        """
        asked = {"projectKey": project, "permissions": ",".join(wanted)}
        found = await self._api.request("GET", f"{self._root}/mypermissions", params=asked, into=Permissions)
        return frozenset(key for key in wanted if key in found.permissions and found.permissions[key].have_permission)

    async def is_active(self, account: str) -> bool:
        """Whether the account is open; NotFound where there is none. account: as Person.jira has it."""
        asked = {self._account_name: account}
        return (await self._api.request("GET", f"{self._root}/user", params=asked, into=Account)).active

    async def field_list(self) -> list[RawField]:
        """Every field of the site, for `discover`."""
        return await self._api.request("GET", f"{self._root}/field", into=list[RawField])

    async def ticket(self, key: str) -> Ticket:
        """The ticket with its comments and its history. key: also Jira's number of it.

        A moved ticket comes with its new key. What one answer does not hold of comments or history is read as well.
        """
        asked = {"fields": ",".join([*self._wanted(), "comment", CATEGORY_SINCE]), "expand": "changelog"}
        issue = await self._api.request("GET", self._issue(key), params=asked, into=IssueWithHistory)
        with _readable():
            comments, changelog = await self._comments(issue), await self._changelog(issue)
            return ticket_with_history(issue, self.fields, self._site, comments, changelog)

    async def search(self, jql: str, fields: Sequence[str] | None = None) -> AsyncGenerator[Ticket, None]:
        """Every ticket that matches, page after page; an ORDER BY something that rarely changes keeps pages apart.

        fields: ids of Jira fields; None for all that a ticket has, with its comments and its past. What was not asked
        for stays unknown, and so do comments and history where Jira cuts them short, which take `ticket`. The Cloud
        refuses JQL without any restriction, and may need some seconds until it finds what has just changed.
        """
        shape = ticket_as_found if fields is None else ticket_from
        wanted = [*self._wanted(), "comment", CATEGORY_SINCE] if fields is None else list(fields)
        expand = ("changelog",) if fields is None else ()
        async with aclosing(self._found(jql, wanted, expand)) as issues:
            async for issue in issues:
                with _readable():
                    ticket = shape(issue, self.fields, self._site)
                yield ticket

    async def find_by_label(self, project: str, label: str) -> str | None:
        """The key of the first ticket of a project that bears the label; `search` says how soon it is found."""
        jql = f"project = {_quoted(project)} AND labels = {_quoted(label)} ORDER BY key"
        async with aclosing(self.search(jql, ["summary"])) as found:
            async for ticket in found:
                return ticket.key
        return None

    async def sprint(self, number: int) -> Sprint:
        """A sprint of any state, by its id."""
        return sprint_from(await self._api.request("GET", f"{AGILE}/sprint/{number}", into=RawSprint))

    async def sprints(self, board: int) -> tuple[Sprint, ...]:
        """The active and future sprints of a scrum board, in its order; CannotAct for a board without sprints (400)."""

        async def ask(start: int) -> SprintPage:
            asked: dict[str, str | int] = {"state": "active,future", "startAt": start, "maxResults": _SPRINT_PAGE}
            return await self._api.request("GET", f"{AGILE}/board/{board}/sprint", params=asked, into=SprintPage)

        return tuple([sprint_from(raw) async for page in pages(ask) for raw in page.values])

    async def first_of_sprint(self, sprint: int) -> str | None:
        """The key of the highest ranked ticket of a sprint; None if it is empty.

        Sub-tasks don't count, because they rank below their parents.
        Asks by JQL, which both kinds of Jira will keep, while the Cloud is moving its lists of a sprint's issues.
        """
        async with aclosing(self.search(f"sprint = {sprint} ORDER BY Rank ASC", ["issuetype"])) as found:
            async for ticket in found:
                if not ticket.known().get("is_subtask", False):
                    return ticket.key
        return None

    async def comments_with_key(self, ticket: str) -> list[KeyedComment]:
        """The comments of a ticket that bear our property, oldest first.

        Relies on `expand=properties`, which Jira does not document for this list but honours on the Cloud and on Data
        Center.
        """
        return [keyed for raw in await self._listed_comments(ticket, "properties") if (keyed := raw.keyed())]

    async def find_comment(self, ticket: str, key: str) -> str | None:
        """The id of our comment with that key; the oldest, should there be several."""
        return next((comment.id for comment in await self.comments_with_key(ticket) if comment.key == key), None)

    @abstractmethod
    async def _changelog(self, issue: IssueWithHistory) -> Changelog | None:
        """The whole changelog of an issue; None where Jira told nothing of it."""

    @abstractmethod
    def _found(self, jql: str, fields: list[str], expand: Sequence[str]) -> AsyncGenerator[IssueWithHistory, None]:
        """Every issue that matches, over all pages."""

    def _wanted(self) -> list[str]:
        return [*_OWN_FIELDS, *self.fields.ids()]

    async def _comments(self, issue: IssueWithHistory) -> Sequence[StoredComment] | None:
        """All comments of an issue; None where Jira told nothing of them."""
        page = issue.comment_page()
        if page is None:
            return None
        return page.comments if page.is_last(page.size()) else await self._listed_comments(issue.key)

    async def _listed_comments(self, ticket: str, expand: str = "") -> list[StoredComment]:
        async def ask(start: int) -> CommentPage:
            asked: dict[str, str | int] = {"orderBy": "created", "startAt": start, "maxResults": PAGE}
            expanded = {**asked, "expand": expand} if expand else asked
            return await self._api.request("GET", self._issue(ticket, "comment"), params=expanded, into=CommentPage)

        return [raw async for page in pages(ask) for raw in page.comments]

    def _issue(self, key: str, *names: str) -> str:
        if not (is_issue_key(key) or _NUMBER.fullmatch(key)):
            raise NotFound(f"“{key[:50]}” is not the key of a Jira issue.")
        return under(f"{self._root}/issue", key, *names)

    async def _page(self, path: str, query: dict[str, Any], into: type[T]) -> T:
        """One page of a search. A search that is gone is no empty result: the other kind of Jira has another one."""
        try:
            return await self._api.request("POST", f"{self._root}/{path}", json=query, into=into)
        except NotFound as gone:
            raise CannotAct(f"{gone} Check that CRAFTY_JIRA_KIND fits the Jira at CRAFTY_JIRA_URL.") from None


@contextmanager
def _readable() -> Iterator[None]:
    """An issue that can't be read is for a person."""
    try:
        yield
    except (ValueError, RecursionError) as error:
        raise CannotAct(f"Jira answered with an issue of another shape ({error}).") from None


def _quoted(value: str) -> str:
    """A value in JQL."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
