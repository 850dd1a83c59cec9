"""A stand-in for GitHub: public repositories, their pull requests and issues, and the webhooks that it sends."""

from __future__ import annotations

import itertools
import uuid
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from service.clock import Clock
from service.demo._sender import WebhookSender

Json = dict[str, Any]
Association = Literal["OWNER", "MEMBER", "COLLABORATOR", "CONTRIBUTOR", "FIRST_TIME_CONTRIBUTOR", "NONE"]
Verdict = Literal["approved", "changes_requested", "commented"]

_SITE: Final = "https://github.com"
_LARGEST_PAGE: Final = 100


class UnknownNameError(LookupError):
    """A repository, pull request or issue that is not there; its text says which."""


class _GitHubError(Exception):
    """An answer with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.content = {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status)}


@dataclass
class CodeItem:
    """A pull request or an issue, which share their numbers.

    association: what its author is to the repository; timeline: what happened since it was opened, as the API shows it,
    oldest first.
    """

    repository: str
    number: int
    title: str
    author: str
    association: Association
    is_pull_request: bool
    is_draft: bool
    created: datetime
    updated: datetime
    closed: datetime | None = None
    is_merged: bool = False
    timeline: list[Json] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{_SITE}/{self.repository}/{'pull' if self.is_pull_request else 'issues'}/{self.number}"

    @property
    def state(self) -> str:
        return "closed" if self.closed else "open"


class _Site:
    """Everything that GitHub knows, and every way it can change; each change sends its webhook."""

    def __init__(self, clock: Clock, sender: WebhookSender, repositories: Iterable[str]) -> None:
        self.clock = clock
        self.items: dict[str, dict[int, CodeItem]] = {name: {} for name in repositories}
        self._sender = sender
        self._ids = itertools.count(1001)
        self._deliveries = itertools.count(1)

    def name_of(self, repository: str) -> str:
        """Its name as it is written; GitHub does not tell names apart by case."""
        found = next((name for name in self.items if name.lower() == repository.lower()), None)
        if found is None:
            raise UnknownNameError(f"There is no repository '{repository}'.")
        return found

    def item(self, repository: str, number: int) -> CodeItem:
        name = self.name_of(repository)
        if number not in self.items[name]:
            raise UnknownNameError(f"There is no {name}#{number}.")
        return self.items[name][number]

    def open(
        self,
        repository: str,
        title: str,
        author: str,
        association: Association,
        *,
        is_pull_request: bool = False,
        is_draft: bool = False,
    ) -> CodeItem:
        name, now = self.name_of(repository), self.clock()
        number = 1 + len(self.items[name])
        item = CodeItem(name, number, title, author, association, is_pull_request, is_draft, now, now)
        self.items[name][number] = item
        self._announce_turn(item, "opened", author)
        return item

    def mark_ready(self, item: CodeItem, actor: str) -> None:
        item.is_draft = False
        self._turn(item, "ready_for_review", actor)
        self._announce_turn(item, "ready_for_review", actor)

    def close(self, item: CodeItem, actor: str, *, is_merged: bool) -> None:
        item.closed, item.is_merged = self.clock(), is_merged
        if is_merged:
            self._turn(item, "merged", actor)
        self._turn(item, "closed", actor)
        self._announce_turn(item, "closed", actor)

    def reopen(self, item: CodeItem, actor: str) -> None:
        item.closed = None
        self._turn(item, "reopened", actor)
        self._announce_turn(item, "reopened", actor)

    def comment(self, item: CodeItem, actor: str, text: str, association: Association) -> None:
        now = _show_instant(self._touch(item))
        shown = {**self._writing(actor, text, association), "created_at": now, "updated_at": now}
        item.timeline.append({**shown, "event": "commented", "actor": show_account(actor)})
        self._announce("issue_comment", "created", actor, item, {"issue": show_issue(item), "comment": shown})

    def review(self, item: CodeItem, actor: str, text: str, verdict: Verdict, association: Association) -> None:
        now = _show_instant(self._touch(item))
        shown = {**self._writing(actor, text, association), "state": verdict, "submitted_at": now}
        item.timeline.append({**shown, "event": "reviewed"})
        carried = {"pull_request": show_pull_request(item), "review": shown}
        self._announce("pull_request_review", "submitted", actor, item, carried)

    def _touch(self, item: CodeItem) -> datetime:
        item.updated = self.clock()
        return item.updated

    def _writing(self, actor: str, text: str, association: Association) -> Json:
        return {"id": next(self._ids), "user": show_account(actor), "body": text, "author_association": association}

    def _turn(self, item: CodeItem, event: str, actor: str) -> None:
        now = _show_instant(self._touch(item))
        shown = {"id": next(self._ids), "event": event, "actor": show_account(actor), "created_at": now}
        item.timeline.append({**shown, "commit_id": None, "performed_via_github_app": None})

    def _announce_turn(self, item: CodeItem, action: str, actor: str) -> None:
        if item.is_pull_request:
            carried = {"number": item.number, "pull_request": show_pull_request(item)}
            self._announce("pull_request", action, actor, item, carried)
        else:
            self._announce("issues", action, actor, item, {"issue": show_issue(item)})

    def _announce(self, event: str, action: str, actor: str, item: CodeItem, carried: Json) -> None:
        payload = {
            "action": action,
            **carried,
            "repository": show_repository(item.repository),
            "sender": show_account(actor),
        }
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/c0ffee0",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{_SITE}/{next(self._deliveries)}")),
            "X-GitHub-Hook-ID": "1",
        }
        self._sender.send(event, payload, headers, "X-Hub-Signature-256")


# --- What is shown --------------------------------------------------------------------------------------------------


def _show_instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def show_account(login: str) -> Json:
    """An account; those of apps end in `[bot]`."""
    kind = "Bot" if login.endswith("[bot]") else "User"
    return {"login": login, "id": zlib.crc32(login.encode()), "type": kind, "site_admin": False}


def show_repository(name: str) -> Json:
    owner, _, short = name.partition("/")
    shown = {"id": zlib.crc32(name.encode()), "name": short, "full_name": name, "html_url": f"{_SITE}/{name}"}
    return {**shown, "owner": show_account(owner), "private": False, "visibility": "public", "default_branch": "main"}


def _show_item(item: CodeItem) -> Json:
    return {
        "id": zlib.crc32(item.url.encode()),
        "number": item.number,
        "title": item.title,
        "html_url": item.url,
        "user": show_account(item.author),
        "author_association": item.association,
        "state": item.state,
        "draft": item.is_draft,
        "body": None,
        "labels": [],
        "created_at": _show_instant(item.created),
        "updated_at": _show_instant(item.updated),
        "closed_at": _show_instant(item.closed) if item.closed else None,
    }


def show_issue(item: CodeItem) -> Json:
    """What the API calls an issue: also a pull request, as its other view."""
    view = {"pull_request": {"html_url": item.url, **_merge_of(item)}} if item.is_pull_request else {}
    return {**_show_item(item), **view}


def show_pull_request(item: CodeItem) -> Json:
    return {**_show_item(item), "merged": item.is_merged, **_merge_of(item)}


def _merge_of(item: CodeItem) -> Json:
    return {"merged_at": _show_instant(item.closed) if item.closed and item.is_merged else None}


# --- HTTP -----------------------------------------------------------------------------------------------------------

Page = Annotated[int, Query(ge=1)]
PerPage = Annotated[int, Query(ge=1)]


class _Api:
    """What the bot may read."""

    def __init__(self, site: _Site, token: str, login: str) -> None:
        self._site = site
        self._expected = f"Bearer {token}"
        self._login = login

    def build_app(self) -> FastAPI:
        app = FastAPI(openapi_url=None, dependencies=[Depends(self._let_in)])
        for path, endpoint in (
            ("/user", self._get_user),
            ("/repos/{owner}/{name}", self._get_repository),
            ("/repos/{owner}/{name}/issues", self._list_issues),
            ("/repos/{owner}/{name}/issues/{number}", self._get_issue),
            ("/repos/{owner}/{name}/issues/{number}/timeline", self._list_timeline),
        ):
            app.add_api_route(path, endpoint, methods=["GET"], response_model=None)
        return app

    async def _let_in(self, request: Request) -> None:
        if request.headers.get("authorization") != self._expected:
            raise _GitHubError(401, "Bad credentials")

    async def _get_user(self) -> Json:
        return show_account(self._login)

    async def _get_repository(self, owner: str, name: str) -> Json:
        return show_repository(self._site.name_of(f"{owner}/{name}"))

    async def _get_issue(self, owner: str, name: str, number: int) -> Json:
        return show_issue(self._site.item(f"{owner}/{name}", number))

    async def _list_issues(
        self,
        owner: str,
        name: str,
        request: Request,
        response: Response,
        since: datetime | None = None,
        state: str = "open",
        page: Page = 1,
        per_page: PerPage = 30,
    ) -> list[Json]:
        """Issues and pull requests, those that changed last first, as `sort=updated&direction=desc` asks for."""
        found = [
            item
            for item in self._site.items[self._site.name_of(f"{owner}/{name}")].values()
            if state in {"all", item.state} and (since is None or item.updated >= since)
        ]
        newest = sorted(found, key=lambda item: item.updated, reverse=True)
        return _page_of([show_issue(item) for item in newest], page, per_page, request, response)

    async def _list_timeline(
        self,
        owner: str,
        name: str,
        number: int,
        request: Request,
        response: Response,
        page: Page = 1,
        per_page: PerPage = 30,
    ) -> list[Json]:
        timeline = self._site.item(f"{owner}/{name}", number).timeline
        return _page_of(timeline, page, per_page, request, response)


def _page_of(entries: Sequence[Json], page: int, per_page: int, request: Request, response: Response) -> list[Json]:
    """A page never holds more than 100; the Link header leads to the next one."""
    size = min(per_page, _LARGEST_PAGE)
    if page * size < len(entries):
        following = request.url.include_query_params(page=page + 1)
        response.headers["Link"] = f'<{following}>; rel="next"'
    return list(entries[(page - 1) * size : page * size])


# --- The stand-in ---------------------------------------------------------------------------------------------------


class GitHubStandIn:
    """GitHub with some public repositories.

    Every action of people returns when the webhook that it caused is answered or given up; it raises UnknownNameError
    for a repository, pull request or issue that is not there. Everybody has an account: an app's login ends in `[bot]`.
    association: what the person who acts is to the repository.

    clock: GitHub's time; sender: sends the webhooks once it has a target (the real one sends each only once);
    token: the bot calls with it; repositories: each as "owner/name"; bot_login: the bot's account.
    """

    def __init__(
        self,
        clock: Clock,
        sender: WebhookSender,
        *,
        token: str,
        repositories: Iterable[str],
        bot_login: str = "crafty",
    ) -> None:
        self._site = _Site(clock, sender, repositories)
        self.sender = sender
        self.app = _Api(self._site, token, bot_login).build_app()
        self.app.add_exception_handler(_GitHubError, _answer_error)
        self.app.add_exception_handler(UnknownNameError, _answer_missing)
        self.app.add_exception_handler(RequestValidationError, _answer_invalid)

    def item(self, repository: str, number: int) -> CodeItem:
        """A pull request or an issue."""
        return self._site.item(repository, number)

    async def open_pull_request(
        self, repository: str, author: str, title: str, *, draft: bool = False, association: Association = "NONE"
    ) -> int:
        """Opens a pull request and returns its number."""
        item = self._site.open(repository, title, author, association, is_pull_request=True, is_draft=draft)
        await self.sender.drain()
        return item.number

    async def open_issue(self, repository: str, author: str, title: str, *, association: Association = "NONE") -> int:
        """Opens an issue and returns its number."""
        item = self._site.open(repository, title, author, association)
        await self.sender.drain()
        return item.number

    async def mark_ready(self, repository: str, number: int, actor: str) -> None:
        """Ends a pull request's time as a draft."""
        self._site.mark_ready(self.item(repository, number), actor)
        await self.sender.drain()

    async def comment(
        self, repository: str, number: int, actor: str, text: str, *, association: Association = "NONE"
    ) -> None:
        """Writes a comment on a pull request or an issue."""
        self._site.comment(self.item(repository, number), actor, text, association)
        await self.sender.drain()

    async def review(
        self,
        repository: str,
        number: int,
        actor: str,
        text: str,
        *,
        verdict: Verdict = "commented",
        association: Association = "NONE",
    ) -> None:
        """Reviews a pull request."""
        self._site.review(self.item(repository, number), actor, text, verdict, association)
        await self.sender.drain()

    async def close(self, repository: str, number: int, actor: str, *, merged: bool = False) -> None:
        """Closes a pull request or an issue."""
        self._site.close(self.item(repository, number), actor, is_merged=merged)
        await self.sender.drain()

    async def reopen(self, repository: str, number: int, actor: str) -> None:
        """Opens what was closed again."""
        self._site.reopen(self.item(repository, number), actor)
        await self.sender.drain()


async def _answer_error(_request: Request, error: Exception) -> JSONResponse:
    known = error if isinstance(error, _GitHubError) else _GitHubError(500, "Server Error")
    return JSONResponse(known.content, known.status)


async def _answer_missing(request: Request, _error: Exception) -> JSONResponse:
    return await _answer_error(request, _GitHubError(404, "Not Found"))


async def _answer_invalid(request: Request, _error: Exception) -> JSONResponse:
    return await _answer_error(request, _GitHubError(422, "Validation Failed"))
