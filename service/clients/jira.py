"""Jira: one client for the Cloud and one for Data Center, alike to whoever uses them."""

from __future__ import annotations

import asyncio
import re
from abc import abstractmethod
from base64 import b64encode
from collections.abc import AsyncGenerator, Iterator, Sequence
from datetime import date
from typing import Any, ClassVar, Final, Literal, TypeVar

import httpx

from service.clients._http import Credential, Refused, Sleep, under
from service.clients._jira_answers import PROPERTY, Created, CreatedTicket, Report, pages
from service.clients._jira_api import JiraApi
from service.clients._jira_history import Changelog, HistoryPage, IssuePage, IssueWithHistory, TokenPage
from service.clients._jira_reading import AGILE, PAGE, JiraReader
from service.clients._jira_webhooks import NEWER, OLDER, RawWebhook, Webhook, WebhookWish
from service.errors import CannotAct, NotFound, TryLater
from service.facts import Person
from service.limits import OPEN, Gate, JiraLimits
from service.texts import Message, to_adf, to_wiki

T = TypeVar("T")
_ISSUES_A_CALL: Final = 50
_LONGEST_SUMMARY: Final = 255


def connect(
    kind: Literal["cloud", "datacenter"],
    url: str,
    email: str,
    token: str,
    sleep: Sleep = asyncio.sleep,
    gate: Gate = OPEN,
    *,
    api_url: str | None = None,
) -> Jira:
    """A client for the Jira that people open at `url` (Data Center: with its context path).

    The Cloud takes an API token together with its owner's e-mail address; Data Center a personal access token alone.
    api_url: where its REST is, unless under `url`: the Cloud takes scoped tokens and those of service accounts only at
    https://api.atlassian.com/ex/jira/ and the site's cloud id, while tickets are still shown at `url`.
    """
    site, limits = url.rstrip("/"), JiraLimits()
    base = (api_url or url).rstrip("/")
    if kind == "datacenter":
        credential = Credential("CRAFTY_JIRA_TOKEN", {"Authorization": f"Bearer {token}"}, (token,))
        return DataCenterJira(JiraApi("Jira", base, credential, sleep, limits, gate), site)
    pair = b64encode(f"{email}:{token}".encode()).decode()
    names = "CRAFTY_JIRA_EMAIL and CRAFTY_JIRA_TOKEN"
    credential = Credential(names, {"Authorization": f"Basic {pair}"}, (token, pair))
    return CloudJira(JiraApi("Jira", base, credential, sleep, limits, gate), site)


class Jira(JiraReader):
    """A Jira site that is read from and written to. Errors of every call: NotFound, TryLater, CannotAct."""

    _signed_at: ClassVar[str]

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
        """Puts the person, and nobody else, into a custom field that holds one user, or several.

        Jira words the refusal of the wrong one in the account's own language, so after any 400 the other is tried.
        """
        account, path = self._account(person), self._issue(ticket)
        try:
            await self._api.send("PUT", path, json={"fields": {field_id: account}})
        except Refused as refusal:
            if refusal.status != httpx.codes.BAD_REQUEST:
                raise
            try:
                await self._api.send("PUT", path, json={"fields": {field_id: [account]}})
            except Refused:
                raise refusal from None

    async def create_ticket(
        self,
        project: str,
        issue_type: str,
        summary: str,
        message: Message,
        *,
        due: date,
        epic: str | None,
        assignee: Person | None,
        labels: Sequence[str],
    ) -> str:
        """Makes a ticket and returns its key.

        issue_type: its name; summary: put on one line and cut to what Jira takes; assignee: nobody, where that person
        has no Jira account. A due date, epic or assignee that Jira refuses (400) is left out in a second try. Jira
        knows no key for doing this once: look with `find_by_label` before a retry.
        """
        needed = {
            "project": {"key": project},
            "issuetype": {"name": issue_type},
            "summary": _one_line(summary),
            "description": self._body(message),
            "labels": list(labels),
        }
        optional = {
            "duedate": due.isoformat(),
            **(self._epic(epic) if epic else {}),
            **({"assignee": self._account(assignee)} if assignee and assignee.jira else {}),
        }
        try:
            return await self._create({**needed, **optional})
        except Refused as refusal:
            taken = {name: value for name, value in optional.items() if not _is_about(name, refusal)}
            if refusal.status != httpx.codes.BAD_REQUEST or len(taken) == len(optional):
                raise
            return await self._create({**needed, **taken})

    async def add_remote_link(self, ticket: str, url: str, title: str, global_id: str) -> None:
        """Shows a link to something elsewhere on the ticket; the one that has this global_id already is changed."""
        link = {"globalId": global_id, "object": {"url": url, "title": title}}
        await self._api.send("POST", self._issue(ticket, "remotelink"), json=link)

    async def edit_labels(self, ticket: str, add: Sequence[str], remove: Sequence[str]) -> None:
        """Adds and removes labels and leaves the others alone, also those that somebody edits at the same time."""
        verbs = [*({"add": label} for label in add), *({"remove": label} for label in remove)]
        if verbs:
            await self._api.send("PUT", self._issue(ticket), json={"update": {"labels": verbs}})

    async def move_to_sprint(self, sprint: int, keys: Sequence[str]) -> None:
        """Moves tickets to an active or future sprint, 50 a call; what moved before an error stays moved."""
        for some in _in_calls(keys):
            await self._rank("POST", f"{AGILE}/sprint/{sprint}/issue", {"issues": some})

    async def move_to_backlog(self, keys: Sequence[str]) -> None:
        """Takes tickets out of every active and future sprint, 50 a call."""
        for some in _in_calls(keys):
            await self._rank("POST", f"{AGILE}/backlog/issue", {"issues": some})

    async def rank_first(self, key: str, before_key: str) -> None:
        """Ranks a ticket right before another one; nothing happens where both are the same."""
        if key != before_key:
            await self._rank("PUT", f"{AGILE}/issue/rank", {"issues": [key], "rankBeforeIssue": before_key})

    async def webhooks(self) -> list[Webhook]:
        """Every webhook that is registered by hand or by such a call; only Jira's administrators may see them."""
        return [one.webhook() for one in (await self._listed_webhooks())[1]]

    async def signs_webhooks(self) -> bool:
        """Whether this Jira can sign what it sends: the Cloud, and Data Center from version 10 on."""
        path, _ = await self._listed_webhooks()
        return path == self._signed_at

    async def add_webhook(self, wish: WebhookWish) -> None:
        """Registers a webhook, whatever is registered already; look with `webhooks` before."""
        path, _ = await self._listed_webhooks()
        await self._api.send("POST", path, json=wish.as_newer() if path == NEWER else wish.as_older())

    async def change_webhook(self, webhook: str, wish: WebhookWish) -> None:
        """Makes the webhook with that id what is wished. Without a secret in the wish, the Cloud keeps the old one."""
        path, _ = await self._listed_webhooks()
        body = wish.as_newer() if path == NEWER else wish.as_older()
        await self._api.send("PUT", under(path, webhook), json=body)

    @abstractmethod
    async def _listed_webhooks(self) -> tuple[str, list[RawWebhook]]:
        """Where this Jira keeps its webhooks, and all of them."""

    @abstractmethod
    def _body(self, message: Message) -> Any:
        """The message as this Jira wants a comment's body."""

    @abstractmethod
    def _account(self, person: Person | None) -> dict[str, str | None]:
        """The person as this Jira wants users; CannotAct for somebody without an account."""

    @abstractmethod
    def _epic(self, epic: str) -> dict[str, Any]:
        """The field that puts a ticket into that epic, with its value; empty where this site has no such field."""

    async def _create(self, fields: dict[str, Any]) -> str:
        made = await self._api.request("POST", f"{self._root}/issue", json={"fields": fields}, into=CreatedTicket)
        return made.key

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
    _account_name = "accountId"
    _signed_at = OLDER

    async def _listed_webhooks(self) -> tuple[str, list[RawWebhook]]:
        return OLDER, await self._api.request("GET", OLDER, into=list[RawWebhook])

    def _body(self, message: Message) -> Any:
        return to_adf(message)

    def _account(self, person: Person | None) -> dict[str, str | None]:
        return {"accountId": _account_of(person)}

    def _epic(self, epic: str) -> dict[str, Any]:
        return {"parent": {"key": epic}}

    async def _changelog(self, issue: IssueWithHistory) -> Changelog | None:
        """The one that came with the issue is cut at about 100 entries; the issue's own list has them all."""
        if issue.changelog is None or issue.changelog.is_complete():
            return issue.changelog
        path = self._issue(issue.key, "changelog")

        async def ask(start: int) -> HistoryPage:
            asked = {"startAt": start, "maxResults": PAGE}
            return await self._api.request("GET", path, params=asked, into=HistoryPage)

        return Changelog([entry async for page in pages(ask) for entry in page.values])

    async def _found(
        self, jql: str, fields: list[str], expand: Sequence[str]
    ) -> AsyncGenerator[IssueWithHistory, None]:
        asked = {"jql": jql, "fields": fields, "expand": ",".join(expand), "maxResults": PAGE}
        tokens: list[str] = []
        while True:
            query = {**asked, **({"nextPageToken": tokens[-1]} if tokens else {})}
            page = await self._page("search/jql", query, TokenPage)
            for issue in page.issues:
                yield issue
            if page.is_last or not page.next_page_token:
                return
            if page.next_page_token in tokens:
                raise CannotAct("Jira's search answers the same page again and again; report it to Atlassian.")
            tokens.append(page.next_page_token)


class DataCenterJira(Jira):
    """Jira Data Center: REST v2, wiki markup, user names."""

    _root = "/rest/api/2"
    _account_name = "username"
    _signed_at = NEWER

    async def _listed_webhooks(self) -> tuple[str, list[RawWebhook]]:
        try:
            return NEWER, await self._paged_webhooks()
        except NotFound:
            return OLDER, await self._api.request("GET", OLDER, into=list[RawWebhook])

    async def _paged_webhooks(self) -> list[RawWebhook]:
        """All of them, until a page tells of none that is new."""
        found: dict[Any, RawWebhook] = {}
        while True:
            asked: dict[str, str | int] = {"start": len(found), "limit": PAGE}
            page = await self._api.request("GET", NEWER, params=asked, into=list[RawWebhook])
            if all(one.id in found for one in page):
                return list(found.values())
            found |= {one.id: one for one in page}

    def _body(self, message: Message) -> Any:
        return to_wiki(message)

    def _account(self, person: Person | None) -> dict[str, str | None]:
        return {"name": _account_of(person)}

    def _epic(self, epic: str) -> dict[str, Any]:
        return {self.fields.epic_link: epic} if self.fields.epic_link else {}

    async def _changelog(self, issue: IssueWithHistory) -> Changelog | None:
        """The one that came with the issue is all there is."""
        return issue.changelog

    async def _found(
        self, jql: str, fields: list[str], expand: Sequence[str]
    ) -> AsyncGenerator[IssueWithHistory, None]:
        async def ask(start: int) -> IssuePage:
            query = {"jql": jql, "fields": fields, "expand": list(expand), "startAt": start, "maxResults": PAGE}
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


def _is_about(field: str, refusal: Refused) -> bool:
    """Whether a refusal names that field; the Cloud calls a parent that does not fit `parentId`."""
    return bool(re.search(rf"\b{re.escape(field)}(Id)?: ", str(refusal)))


def _one_line(summary: str) -> str:
    """Jira counts letters as Java does, in UTF-16."""
    line = " ".join(summary.split()).encode("utf-16-le", "replace")
    return line[: 2 * _LONGEST_SUMMARY].decode("utf-16-le", "ignore")


def _in_calls(keys: Sequence[str]) -> Iterator[list[str]]:
    return (list(keys[start : start + _ISSUES_A_CALL]) for start in range(0, len(keys), _ISSUES_A_CALL))
