"""A load generator: keep-alive connections that each send one request after the other, at little cost of its own."""

import asyncio
import hmac
import itertools
import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

CONNECTIONS = 16


@dataclass(frozen=True)
class Measured:
    """One round. rate: answers a second; p50, p99: milliseconds."""

    rate: float
    p50: float
    p99: float


def payload() -> dict[str, Any]:
    """A `jira:issue_updated` of about 12 KB, most of it fields that no rule reads."""
    user = {
        "self": "https://jira.example/rest/api/2/user?accountId=acc-ann",
        "accountId": "acc-ann",
        "displayName": "Ann",
        "active": True,
        "avatarUrls": {f"{size}x{size}": f"https://avatars.example/{size}/acc-ann" for size in (16, 24, 32, 48)},
    }
    fields: dict[str, Any] = {
        "summary": "Fix the login",
        "description": "When the session has expired, the form says so only after the second click. " * 40,
        "issuetype": {"name": "Story", "subtask": False},
        "project": {"key": "SE"},
        "status": {"name": "In Progress", "statusCategory": {"key": "indeterminate"}},
        "assignee": user,
        "reporter": user,
        "labels": ["login"],
        "updated": "2026-11-03T10:00:00.000+0100",
        "parent": None,
    }
    fields |= {f"customfield_{number}": user if number % 8 == 0 else None for number in range(10_100, 10_200)}
    changed = {"field": "description", "fieldId": "description", "fromString": "before", "toString": "after"}
    return {
        "timestamp": 1793696400000,
        "webhookEvent": "jira:issue_updated",
        "user": user,
        "issue": {"id": "10001", "key": "SE-1", "fields": fields},
        "changelog": {"id": "1", "items": [changed]},
    }


def requests(secret: str, run: str) -> Iterator[bytes]:
    """Endless signed requests, each for another ticket and with another delivery id."""
    body = json.dumps(payload()).encode()
    for number in itertools.count():
        own = body.replace(b'"SE-1"', f'"SE-{number % 500 + 1}"'.encode())
        signature = hmac.new(secret.encode(), own, "sha256").hexdigest()
        yield (
            f"POST /webhooks/jira HTTP/1.1\r\nHost: crafty\r\nContent-Type: application/json\r\n"
            f"X-Atlassian-Webhook-Identifier: {run}-{number}\r\nX-Hub-Signature: sha256={signature}\r\n"
            f"Content-Length: {len(own)}\r\n\r\n"
        ).encode() + own


async def saturate(port: int, secret: str, run: str, seconds: float) -> Measured:
    """Sends on CONNECTIONS connections for that long; raises RuntimeError for an answer that is no 2xx."""
    source, taken = requests(secret, run), list[float]()
    until = time.perf_counter() + seconds
    await asyncio.gather(*(_connection(port, source, taken, until) for _ in range(CONNECTIONS)))
    cuts = statistics.quantiles(taken, n=100)
    return Measured(len(taken) / seconds, cuts[49] * 1000, cuts[98] * 1000)


async def _connection(port: int, source: Iterator[bytes], taken: list[float], until: float) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        request = next(source)
        start = time.perf_counter()
        writer.write(request)
        await _answer(reader)
        taken.append(time.perf_counter() - start)
    writer.close()


async def _answer(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 20"):
        raise RuntimeError(f"the server answered {head.splitlines()[0].decode()}")
    if b"transfer-encoding: chunked" in head.lower():
        await reader.readuntil(b"0\r\n\r\n")
        return
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))
