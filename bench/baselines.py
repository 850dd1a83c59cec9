"""What Crafty's ingest is measured against: the least that a receiver can do, and the obvious way to do it all."""

import hmac
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from arq import create_pool
from arq.connections import ArqRedis, RedisSettings
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict
from starlette.types import Receive, Scope, Send

SECRET = os.environ.get("CRAFTY_JIRA_WEBHOOK_SECRET", "").encode()


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body, verifies its signature, answers 202; stores nothing."""
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        part = await receive()
        body, more = body + part.get("body", b""), part.get("more_body", False)
    given = dict(scope["headers"]).get(b"x-hub-signature", b"").decode()
    is_genuine = hmac.compare_digest(given, f"sha256={hmac.new(SECRET, body, 'sha256').hexdigest()}")
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 202 if is_genuine else 401, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


class User(BaseModel):
    """A user, whole."""

    accountId: str  # noqa: N815 - Jira's name
    displayName: str  # noqa: N815 - Jira's name
    active: bool
    timeZone: str  # noqa: N815 - Jira's name
    avatarUrls: dict[str, str]  # noqa: N815 - Jira's name


class Fields(BaseModel):
    """Every field: those of Jira's own by name, custom ones as they are."""

    model_config = ConfigDict(extra="allow")

    summary: str
    description: str
    issuetype: dict[str, Any]
    project: dict[str, Any]
    status: dict[str, Any]
    assignee: User | None
    reporter: User | None
    creator: User | None
    labels: list[str]
    updated: str


class Issue(BaseModel):
    """A ticket, whole."""

    id: str
    key: str
    fields: Fields


class Payload(BaseModel):
    """The whole payload as a model."""

    timestamp: int
    webhookEvent: str  # noqa: N815 - Jira's name
    issue: Issue
    user: User
    changelog: dict[str, Any] | None = None


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    logging.basicConfig(level=logging.INFO)
    app.state.pool = await create_pool(RedisSettings(unix_socket_path=os.environ["BENCH_REDIS_SOCKET"]))
    yield
    await app.state.pool.aclose()


obvious = FastAPI(lifespan=_lifespan)


@obvious.post("/webhooks/jira", status_code=202)
async def take(request: Request) -> Response:
    """Verifies, parses the whole body, remembers the delivery's id, enqueues one arq job, and logs a line."""
    body = await request.body()
    given = request.headers.get("x-hub-signature", "")
    if not hmac.compare_digest(given, f"sha256={hmac.new(SECRET, body, 'sha256').hexdigest()}"):
        return Response(status_code=401)
    payload = Payload.model_validate_json(body)
    pool: ArqRedis = request.app.state.pool
    delivery = request.headers["x-atlassian-webhook-identifier"]
    if await pool.set(f"seen:{delivery}", "1", nx=True, ex=600_000):
        await pool.enqueue_job("look", payload.model_dump())
    logging.getLogger("webhooks").info("stored %s of %s", delivery, payload.issue.key)
    return Response(b'{"duplicate": false}', 202)
