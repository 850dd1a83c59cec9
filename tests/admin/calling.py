"""The service with a token for an admin and one for a viewer, and what comes in and lies in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from tests.conftest import SetClock
from tests.webhooks.payloads import body, issue_updated
from tests.webhooks.test_answers import app_of, post_jira

ADMIN, VIEWER = "a-token-of-ada", "a-token-of-vic"
TOKENS = {"admin_tokens": SecretStr(f"ada:{ADMIN}"), "viewer_tokens": SecretStr(f"vic:{VIEWER}")}


def app_with_tokens(redis_url: str, clock: SetClock, extra: str = "", **changes: Any) -> FastAPI:
    return app_of(redis_url, clock, extra, **{**TOKENS, **changes})


@asynccontextmanager
async def calling(app: FastAPI, token: str | None = ADMIN) -> AsyncIterator[httpx.AsyncClient]:
    """A client that shows this token, of the running application."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    transport = httpx.ASGITransport(app, client=("203.0.113.7", 40000))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://crafty.test", headers=headers) as client,
    ):
        yield client


async def deliver(client: httpx.AsyncClient, name: str, **changes: Any) -> httpx.Response:
    """A webhook of Jira's about SE-1, under this id."""
    return await post_jira(client, body(issue_updated(**changes)), x_atlassian_webhook_identifier=name)


async def pages(client: httpx.AsyncClient, path: str, **query: Any) -> list[list[Any]]:
    """Every page of a list, to its end."""
    found: list[list[Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await client.get(path, params={**query, **cursor})
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["items"])
        if answer.json()["next"] is None:
            return found
        cursor = {"cursor": answer.json()["next"]}


def told(answer: httpx.Response) -> tuple[int, str]:
    """The status of a problem and its words."""
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    return answer.status_code, answer.json()["detail"]


def wrong(answer: httpx.Response) -> dict[str, str]:
    """What is wrong, by key."""
    assert told(answer)[0] == 422
    return {one["key"]: one["detail"] for one in answer.json()["errors"]}
