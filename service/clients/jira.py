"""Jira: one client for the Cloud and one for Data Center, alike to whoever uses them."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from typing import Any, ClassVar, Final, Literal, TypeVar

import httpx

from service.clients._http import Api, Credential, Refused, Sleep, under
from service.clients._jira_answers import (
    CATEGORY_SINCE,
    PROPERTY,
    CommentPage,
    Created,
    IssuePage,
    IssueWithHistory,
    KeyedComment,
    Report,
    SprintPage,
    TokenPage,
    pages,
    with_status_age,
)
from service.errors import CannotAct, NotFound, TryLater
from service.facts import Person, Sprint, Ticket
from service.jira_shapes import (
    FieldMap,
    RawField,
    RawIssue,
    RawUser,
    is_issue_key,
    person_from,
    sprint_from,
    ticket_from,
    whole_ticket_from,
)
from service.texts import Message, to_adf, to_wiki

T = TypeVar("T")
_AGILE: Final = "/rest/agile/1.0"
_PAGE: Final = 100
_SPRINT_PAGE: Final = 50
_ISSUES_A_CALL: Final = 50
_OWN_FIELDS: Final = ("summary", "issuetype", "status", "assignee", "reporter", "parent", "created", "updated")


def connect(
    kind: Literal["cloud", "datacenter"], url: str, email: str, token: str, sleep: Sleep = asyncio.sleep
) -> Jira:
    """A client for the Jira at `url` (Data Center: with its context path).

    The Cloud takes an API token together with its owner's e-mail address; Data Center a personal access token alone.
    """
    site = url.rstrip("/")
    if kind == "datacenter":
        credential = Credential("CRAFTY_JIRA_TOKEN", {"Authorization": f"Bearer {token}"}, (token,))
        return DataCenterJira(Api("Jira", site, credential, sleep), site)
    pair = b64encode(f"{email}:{token}".encode()).decode()
    names = "CRAFTY_JIRA_EMAIL and CRAFTY_JIRA_TOKEN"
    return CloudJira(
        Api("Jira", site, Credential(names, {"Authorization": f"Basic {pair}"}, (token, pair)), sleep), site
    )


class Jira(ABC):
    """A Jira site. Errors of every call: NotFound, TryLater, CannotAct.

    fields: which custom field is which on this site; empty until somebody sets what `discover` found.
    """

    _root: ClassVar[str]

    def __init__(self, api: Api, site: str) -> None:
        self._api = api
        self._site = site
        self.fields = FieldMap()

    async def aclose(self) -> None:
        """Ends the connections."""
        await self._api.aclose()

    async def identify(self) -> Person:
        """The account that the token belongs to.

        CannotAct for a visitor: Data Center may answer 200 to a token that it does not know, and treat the caller as
        anonymous, which its X-AUSERNAME header tells.
        """
        answer = await self._api.send("GET", f"{self._root}/myself")
        person = person_from(self._api.read(answer, RawUser))
        if person is None or answer.headers.get("X-AUSERNAME", "").casefold() == "anonymous":
            raise CannotAct(
                "Jira does not know this token and answers as to an anonymous visitor; check CRAFTY_JIRA_TOKEN."
            )
        return person

    async def field_list(self) -> list[RawField]:
        """Every field of the site, for `discover`."""
        return await self._api.request("GET", f"{self._root}/field", into=list[RawField])

    async def ticket(self, key: str) -> Ticket:
        """The ticket with its status' age. A moved ticket comes with its new key."""
        asked = {"fields": ",".join([*self._wanted(), CATEGORY_SINCE]), "expand": "changelog"}
        issue = await self._api.request("GET", self._issue(key), params=asked, into=IssueWithHistory)
        return with_status_age(_mapped(whole_ticket_from, issue, self.fields, self._site), issue)

    async def search(self, jql: str, fields: Sequence[str] | None = None) -> AsyncGenerator[Ticket, None]:
        """Every ticket that matches, page after page; an ORDER BY something that rarely changes keeps pages apart.

        fields: ids of Jira fields; None for all that a ticket has. What was not asked for stays unknown, and so does
        the age of the status, which takes `ticket`. The Cloud refuses JQL without any restriction, and may need some
        seconds until it finds what has just changed.
        """
        shape = whole_ticket_from if fields is None else ticket_from
        wanted = self._wanted() if fields is None else list(fields)
        async with aclosing(self._found(jql, wanted)) as issues:
            async for issue in issues:
                yield _mapped(shape, issue, self.fields, self._site)

    async def sprints(self, board: int) -> tuple[Sprint, ...]:
        """The active and future sprints of a scrum board, in its order; CannotAct for a board without sprints (400)."""

        async def ask(start: int) -> SprintPage:
            asked: dict[str, str | int] = {"state": "active,future", "startAt": start, "maxResults": _SPRINT_PAGE}
            return await self._api.request("GET", f"{_AGILE}/board/{board}/sprint", params=asked, into=SprintPage)

        return tuple([sprint_from(raw) async for page in pages(ask) for raw in page.values])

    async def comments_with_key(self, ticket: str) -> list[KeyedComment]:
        """The comments of a ticket that bear our property, oldest first.

        Relies on `expand=properties`, which Jira does not document for this list but honours on the Cloud and on Data
        Center.
        """

        async def ask(start: int) -> CommentPage:
            asked: dict[str, str | int] = {
                "expand": "properties",
                "orderBy": "created",
                "startAt": start,
                "maxResults": _PAGE,
            }
            return await self._api.request("GET", self._issue(ticket, "comment"), params=asked, into=CommentPage)

        return [keyed async for page in pages(ask) for raw in page.comments if (keyed := raw.keyed())]

    async def find_comment(self, ticket: str, key: str) -> str | None:
        """The id of our comment with that key; the oldest, should there be several."""
        return next((comment.id for comment in await self.comments_with_key(ticket) if comment.key == key), None)

    async def add_comment(self, ticket: str, message: Message, key: str) -> str:
        """Writes a comment that bears the key, in one call, and returns the comment's id."""
        body = {"body": self._body(message), "properties": [{"key": PROPERTY, "value": {"key": key}}]}
        return (await self._api.request("POST", self._issue(ticket, "comment"), json=body, into=Created)).id

    async def edit_comment(self, ticket: str, comment_id: str, message: Message) -> None:
        """Gives a comment new words, without notifying anyone where that is allowed; its property stays.

        Only an administrator of the project may edit without notifying. Jira words that refusal in the account's own
        language, so any 400 or 403 is tried once more the ordinary way, which then fails for its true reason.
        """
        path, body = self._issue(ticket, "comment", comment_id), {"body": self._body(message)}
        try:
            await self._api.send("PUT", path, params={"notifyUsers": "false"}, json=body)
        except Refused as refusal:
            if refusal.status not in {400, 403}:
                raise
            await self._api.send("PUT", path, json=body)

    async def assign(self, ticket: str, person: Person | None) -> None:
        """Makes that person the assignee; None leaves the ticket unassigned."""
        await self._api.send("PUT", self._issue(ticket, "assignee"), json=self._account(person))

    async def set_user_field(self, ticket: str, field_id: str, person: Person) -> None:
        """Puts the person into a custom field that holds one user."""
        await self._api.send("PUT", self._issue(ticket), json={"fields": {field_id: self._account(person)}})

    async def edit_labels(self, ticket: str, add: Sequence[str], remove: Sequence[str]) -> None:
        """Adds and removes labels and leaves the others alone, also those that somebody edits at the same time."""
        verbs = [*({"add": label} for label in add), *({"remove": label} for label in remove)]
        if verbs:
            await self._api.send("PUT", self._issue(ticket), json={"update": {"labels": verbs}})

    async def move_to_sprint(self, sprint: int, keys: Sequence[str]) -> None:
        """Moves tickets to an active or future sprint, 50 a call; what moved before an error stays moved."""
        for some in _in_calls(keys):
            await self._rank("POST", f"{_AGILE}/sprint/{sprint}/issue", {"issues": some})

    async def move_to_backlog(self, keys: Sequence[str]) -> None:
        """Takes tickets out of every active and future sprint, 50 a call."""
        for some in _in_calls(keys):
            await self._rank("POST", f"{_AGILE}/backlog/issue", {"issues": some})

    async def rank_first(self, key: str, before_key: str) -> None:
        """Ranks a ticket right before another one; nothing happens where both are the same."""
        if key != before_key:
            await self._rank("PUT", f"{_AGILE}/issue/rank", {"issues": [key], "rankBeforeIssue": before_key})

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

    @abstractmethod
    def _body(self, message: Message) -> Any:
        """The message as this Jira wants a comment's body."""

    @abstractmethod
    def _account(self, person: Person | None) -> dict[str, str | None]:
        """The person as this Jira wants users; CannotAct for somebody without an account."""

    @abstractmethod
    def _found(self, jql: str, fields: list[str]) -> AsyncGenerator[RawIssue, None]:
        """Every issue that matches, over all pages."""

    def _wanted(self) -> list[str]:
        return [*_OWN_FIELDS, *self.fields.ids()]

    def _issue(self, key: str, *names: str) -> str:
        if not is_issue_key(key):
            raise NotFound(f"“{key[:50]}” is not the key of a Jira issue.")
        return under(f"{self._root}/issue", key, *names)

    async def _page(self, path: str, query: dict[str, Any], into: type[T]) -> T:
        """One page of a search. A search that is gone is no empty result: the other kind of Jira has another one."""
        try:
            return await self._api.request("POST", f"{self._root}/{path}", json=query, into=into)
        except NotFound as gone:
            raise CannotAct(f"{gone} Check that CRAFTY_JIRA_KIND fits the Jira at CRAFTY_JIRA_URL.") from None

    async def _rank(self, method: str, path: str, body: dict[str, Any]) -> None:
        self._check_each(await self._api.send(method, path, json=body))

    def _check_each(self, answer: httpx.Response) -> None:
        """Jira says 207, a success, also where it refused some or all issues."""
        if answer.status_code != httpx.codes.MULTI_STATUS:
            return
        refused = [one for one in self._api.read(answer, Report).entries if one.is_refused()]
        if not refused:
            return
        detail = f"Jira left some tickets where they were ({self._api.presentable(', '.join(map(str, refused)))})."
        raise (TryLater if all(one.is_passing() for one in refused) else CannotAct)(detail)


class CloudJira(Jira):
    """Jira Cloud: REST v3, Atlassian Document Format, account ids."""

    _root = "/rest/api/3"

    def _body(self, message: Message) -> Any:
        return to_adf(message)

    def _account(self, person: Person | None) -> dict[str, str | None]:
        return {"accountId": _account_of(person)}

    async def _found(self, jql: str, fields: list[str]) -> AsyncGenerator[RawIssue, None]:
        token: str | None = None
        while True:
            query = {"jql": jql, "fields": fields, "maxResults": _PAGE, **({"nextPageToken": token} if token else {})}
            page = await self._page("search/jql", query, TokenPage)
            for issue in page.issues:
                yield issue
            if page.is_last or not page.next_page_token:
                return
            if page.next_page_token == token:
                raise CannotAct("Jira's search answers the same page again and again; report it to Atlassian.")
            token = page.next_page_token


class DataCenterJira(Jira):
    """Jira Data Center: REST v2, wiki markup, user names."""

    _root = "/rest/api/2"

    def _body(self, message: Message) -> Any:
        return to_wiki(message)

    def _account(self, person: Person | None) -> dict[str, str | None]:
        return {"name": _account_of(person)}

    async def _found(self, jql: str, fields: list[str]) -> AsyncGenerator[RawIssue, None]:
        async def ask(start: int) -> IssuePage:
            query = {"jql": jql, "fields": fields, "startAt": start, "maxResults": _PAGE}
            return await self._page("search", query, IssuePage)

        async for page in pages(ask):
            for issue in page.issues:
                yield issue


def _account_of(person: Person | None) -> str | None:
    if person is None:
        return None
    if not person.jira:
        raise CannotAct(f"{person.name} has no Jira account in our configuration; add it under [[people]].")
    return person.jira


def _mapped(shape: Callable[[Any, FieldMap, str], Ticket], issue: RawIssue, fields: FieldMap, site: str) -> Ticket:
    try:
        return shape(issue, fields, site)
    except (ValueError, RecursionError) as error:
        raise CannotAct(f"Jira answered with an issue of another shape ({error}).") from None


def _in_calls(keys: Sequence[str]) -> Iterator[list[str]]:
    return (list(keys[start : start + _ISSUES_A_CALL]) for start in range(0, len(keys), _ISSUES_A_CALL))
