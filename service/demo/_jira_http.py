"""What all REST endpoints of the stand-in Jira share: bodies, parameters, pages, and the door."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response

from service.demo._jira_markup import Json
from service.demo._jira_site import INVALID, JiraError, JiraIssue, JiraPerson, JiraSite


async def _json_in(request: Request) -> Any:
    try:
        body = json.loads(await request.body())
        json.dumps(body, allow_nan=False, ensure_ascii=False).encode()  # numbers and letters that no answer can show
    except (ValueError, RecursionError):
        raise JiraError(400, "There was an error parsing JSON. Check that your request body is valid.") from None
    return body


async def _object_in(request: Request) -> Json:
    body = await _json_in(request)
    if not isinstance(body, dict):
        raise JiraError(400, INVALID)
    return body


AnyBody = Annotated[Any, Depends(_json_in)]
Body = Annotated[Json, Depends(_object_in)]
StartAt = Annotated[int, Query(alias="startAt", ge=0)]
MaxResults = Annotated[int, Query(alias="maxResults", ge=0)]
PageToken = Annotated[str, Query(alias="nextPageToken")]


def listed(names: Any) -> list[str]:
    """Names from a list, or from a text with commas."""
    parts = names.split(",") if isinstance(names, str) else names
    if not isinstance(parts, list) or not all(isinstance(name, str) for name in parts):
        raise JiraError(400, INVALID)
    return [name.strip() for name in parts if name.strip()]


def whole_number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise JiraError(400, INVALID)
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
        raise JiraError(400, "The provided next page token is invalid or expired.")
    return int(start)


def page_by_token(found: Sequence[JiraIssue], jql: str, token: Any, size: int) -> tuple[Sequence[JiraIssue], Json]:
    """A page of what was found, and how the answer speaks of the next one."""
    start = _start_of(jql, token)
    end = start + max(size, 1)
    if end >= len(found):
        return found[start:], {"isLast": True}
    return found[start:end], {
        "isLast": False,
        "nextPageToken": base64.urlsafe_b64encode(f"{end}:{jql}".encode()).decode(),
    }


class Door:
    """Lets in who has the bot's credentials, and says in a header who that is."""

    def __init__(self, site: JiraSite, bot: JiraPerson, token: str) -> None:
        basic = base64.b64encode(f"{bot.email}:{token}".encode()).decode()
        self._expected = f"Basic {basic}" if site.is_cloud else f"Bearer {token}"
        self._header = "X-AAccountId" if site.is_cloud else "X-AUSERNAME"
        self._bot = bot

    async def __call__(self, request: Request, response: Response) -> None:
        if request.headers.get("authorization") != self._expected:
            raise JiraError(401, "Authentication is required to perform this operation.")
        response.headers[self._header] = self._bot.id


Route = tuple[str, str, Callable[..., Any], int]
"""Method, path, endpoint, and the status of success."""
