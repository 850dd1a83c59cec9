"""A stand-in for Jira, Cloud or Data Center: it keeps state, answers REST, and sends the real one's webhooks.

Where the flavours differ, so does it: accounts, body formats, changelogs, sprint values, epics, search, log-in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Literal, Unpack
from zoneinfo import ZoneInfo

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from service.clock import Clock
from service.demo._jira_admin import AdminApi
from service.demo._jira_agile import AgileApi
from service.demo._jira_http import Door
from service.demo._jira_live import LiveSite
from service.demo._jira_markup import MENTION, Json
from service.demo._jira_rest import PlatformApi
from service.demo._jira_search_api import SearchApi
from service.demo._jira_site import (
    LINK_TYPES,
    Flavour,
    IssueFields,
    JiraComment,
    JiraError,
    JiraIssue,
    JiraLink,
    JiraPerson,
    JiraRemoteLink,
    JiraSprint,
    UnknownNameError,
)
from service.demo._jira_views import show_instant
from service.demo._sender import WebhookSender


class JiraStandIn:
    """A Jira of one flavour, with a bot's account and people who act in the story.

    Every action of people returns when the webhooks that it caused are answered or given up; it raises UnknownNameError
    for a person, issue, sprint, status, type or phrase that is not there. Writes through `app` are done by the bot and
    send webhooks too, which `sender.drain()` waits for. In comments, `[~id]` mentions a person on either flavour.

    clock: the site's time; sender: sends the webhooks once it has a target; token: the bot logs in with it; zone: the
    site's and the bot's, which timestamps are shown and JQL dates are read in; bot_id: the bot's account; bot_is_admin:
    whether it may edit without notifying people, and register webhooks; has_old_webhooks: whether this Data Center is
    from before version 10, whose webhooks can't be signed.
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
        has_old_webhooks: bool = False,
    ) -> None:
        self._site = LiveSite(flavour, clock, sender, ZoneInfo(zone), projects)
        self.sender = sender
        self.bot = self.add_person(bot_id, "Crafty", timezone=zone, account_type="app")
        self.add_person(self.SYSTEM, "Jira", account_type="app")
        has_newer = not (self._site.is_cloud or has_old_webhooks)
        self.app = self._build_app(token, bot_is_admin=bot_is_admin, has_newer=has_newer)

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
    def webhooks(self) -> dict[int, Json]:
        """Every registration of a webhook by its number, as it was sent; nothing is delivered to it."""
        return self._site.webhooks

    @property
    def denied(self) -> set[str]:
        """The permissions that the bot lacks in every project, by their keys."""
        return self._site.denied

    @property
    def ranking(self) -> list[str]:
        """The keys of all issues, the highest rank first."""
        return list(self._site.ranked)

    def comments(self, key: str) -> list[JiraComment]:
        """An issue's comments, oldest first."""
        return list(self._site.issue(key).comments.values())

    def links(self, key: str) -> list[JiraLink]:
        """The links that an issue has to others, oldest first."""
        return self._site.links_of(self._site.issue(key))

    def remote_links(self, key: str) -> list[JiraRemoteLink]:
        """An issue's links to elsewhere, oldest first."""
        return list(self._site.issue(key).remote_links.values())

    def next_key(self, project: str) -> str:
        """The key that the next issue of a project gets when the bot creates it; stories may take it for theirs."""
        return self._site.next_key(project)

    def add_person(
        self, account: str, name: str, *, timezone: str = "UTC", account_type: Literal["atlassian", "app"] = "atlassian"
    ) -> JiraPerson:
        """Opens an account. account: the id on Cloud, the user name on Data Center; timezone: an IANA name."""
        key = f"JIRAUSER{10100 + len(self._site.people)}"
        person = JiraPerson(account, name, key, f"{account}@example.com", timezone, account_type)
        self._site.people[account] = person
        return person

    def close_account(self, account: str) -> None:
        """Closes somebody's account; what they have done stays theirs."""
        self._site.people[account] = replace(self._site.person(account), active=False)

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

    async def close_sprint(
        self, sprint: int, actor: str = SYSTEM, *, into: int | Literal["next", "backlog"] = "next"
    ) -> None:
        """Closes a sprint; in the same act `actor` moves what is unfinished.

        into: the id of a sprint; or the board's next one, and the backlog where there is none; or the backlog.
        """
        closed = self._site.sprint(sprint)
        target = self._target(into, closed.board)
        unfinished = [issue for issue in self._site.in_rank_order() if sprint in issue.sprints and not issue.is_done]
        closed.state, closed.completed = "closed", self._site.clock()
        self._site.announce_sprint("sprint_closed", closed)
        self._site.move(unfinished, target, actor)
        await self.sender.drain()

    def _target(self, into: int | Literal["next", "backlog"], board: int) -> int | None:
        if isinstance(into, int):
            return self._site.sprint(into).id
        following = self._site.next_sprint(board) if into == "next" else None
        return following.id if following else None

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

    async def label(self, key: str, actor: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Adds and removes labels, and leaves the others alone."""
        kept = [label for label in self._site.issue(key).labels if label not in remove]
        await self.edit(key, actor, labels=list(dict.fromkeys([*kept, *add])))

    async def transition(self, key: str, actor: str, status: str) -> None:
        """Moves an issue to another status."""
        await self.edit(key, actor, status=status)

    async def move(self, key: str, sprint: int | None, actor: str) -> None:
        """Puts an issue into a sprint, or with None into the backlog."""
        target = None if sprint is None else self._site.sprint(sprint).id
        self._site.move([self._site.issue(key)], target, actor)
        await self.sender.drain()

    async def link(self, key: str, phrase: str, other: str, actor: str) -> None:
        """Links two issues. phrase: what the first one does to the other, such as "split from" or "blocks"."""
        site = self._site
        issue, linked = site.issue(key), site.issue(other)
        for name, (outward, inward) in LINK_TYPES.items():
            if phrase in {outward, inward}:
                source, target = (issue, linked) if phrase == outward else (linked, issue)
                site.link(source, name, target, actor)
                return await self.sender.drain()
        raise UnknownNameError(f"No link says '{phrase}'.")

    async def comment(self, key: str, actor: str, text: str) -> JiraComment:
        """Writes a comment. text: wiki markup, in which `[~id]` mentions a person."""
        mention = r"[~accountid:\1]" if self._site.is_cloud else r"[~\1]"
        comment = self._site.add_comment(self._site.issue(key), actor, MENTION.sub(mention, text), None, {})
        await self.sender.drain()
        return comment

    async def delete_issue(self, key: str, actor: str) -> None:
        """Deletes an issue with all that is on it."""
        self._site.remove_issue(self._site.issue(key), actor)
        await self.sender.drain()

    def _build_app(self, token: str, *, bot_is_admin: bool, has_newer: bool) -> FastAPI:
        app = FastAPI(openapi_url=None, dependencies=[Depends(Door(self._site, self.bot, token))])
        for version in (2, 3) if self._site.is_cloud else (2,):
            PlatformApi(self._site, self.bot, version, bot_is_admin=bot_is_admin).add_to(app)
            SearchApi(self._site, self.bot, version).add_to(app)
            app.add_route(f"/rest/api/{version}/serverInfo", self._server_info)
        AgileApi(self._site, self.bot).add_to(app)
        AdminApi(self._site, self.bot, bot_is_admin=bot_is_admin, has_newer=has_newer).add_to(app)
        app.add_exception_handler(JiraError, _answer_error)
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
            "serverTime": show_instant(self._site, self._site.clock()),
            "serverTitle": "Jira",
        }
        return JSONResponse(content)


async def _answer_error(_request: Request, error: Exception) -> JSONResponse:
    known = error if isinstance(error, JiraError) else JiraError(500, "Internal server error")
    return JSONResponse(known.content, known.status)


async def _answer_missing(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse(JiraError(404, str(error)).content, 404)


async def _answer_invalid(_request: Request, _error: Exception) -> JSONResponse:
    return JSONResponse(JiraError(400, "A parameter of the request is not valid.").content, 400)
