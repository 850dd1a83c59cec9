"""What the benchmarks deliver: a realistic update of a Jira ticket, and the team whose rules it concerns."""

import hmac
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from service.jira_shapes import FieldMap

FIELDS = FieldMap(
    story_points="customfield_10101",
    reviewer="customfield_10102",
    core_committer="customfield_10103",
    sprint="customfield_10104",
    flagged="customfield_10105",
)
TICKETS = 500
STARTED = (datetime.now(UTC) - timedelta(days=3)).replace(microsecond=0)
"""The first day of the sprint that the tickets are in; nothing is due yet, as on most days."""
_WORDS = [
    "after",
    "an",
    "expired",
    "form",
    "login",
    "session",
    "says",
    "second",
    "click",
    "only",
    "when",
    "users",
    "browser",
    "cookie",
    "redirect",
    "page",
    "error",
    "message",
    "shown",
    "course",
    "unit",
    "grade",
    "learner",
    "staff",
    "export",
    "import",
    "button",
    "mobile",
    "header",
    "cache",
    "queue",
    "retry",
    "upgrade",
    "release",
    "branch",
]


def config(cells: int = 4, people_a_cell: int = 8) -> str:
    """A crafty.toml with every rule on; the tickets are those of the first cell, whose project is SE."""
    lines = ["[calendar]", f"anchor = {STARTED:%Y-%m-%dT%H:%M:%S}", 'holidays = ["FR"]']
    for number in range(cells):
        project = f"P{number}" if number else "SE"
        lines += ["[[cells]]", f'name = "Cell {number}"', f'projects = ["{project}"]', f"board = {number + 12}"]
        lines += [f'repositories = ["example/{project.lower()}"]', f"forum_categories = [{number + 1}]"]
    for number in range(cells * people_a_cell):
        lines += ["[[people]]", f'id = "p{number}"', f'name = "Person {number}"', f'cell = "Cell {number % cells}"']
        lines += [f'jira = "acc-{number}"', f'github = "gh-{number}"', f'mattermost = "p{number}"']
    return "\n".join(lines)


def payload(number: int = 1) -> dict[str, Any]:
    """A `jira:issue_updated` of about 12 KB that packs to a fifth, as real ones do; most of it no rule reads."""
    chance = Random(number)
    custom: dict[str, Any] = {f"customfield_{one}": None for one in range(10_106, 10_320)}
    custom |= {f"customfield_{one}": f"{chance.getrandbits(64):x}" for one in range(10_320, 10_340)}
    fields = {
        "summary": _words(chance, 6),
        "description": _words(chance, 250),
        "issuetype": {"id": "10002", "name": "Story", "subtask": False},
        "project": {"id": "10000", "key": "SE", "name": "Serenity"},
        "status": {"id": "3", "name": "In Progress", "statusCategory": {"id": 4, "key": "indeterminate"}},
        **{role: _user(chance) for role in ("assignee", "reporter", "creator")},
        "labels": ["login"],
        "created": f"{STARTED - timedelta(days=9):%Y-%m-%dT%H:%M:%S}.000+0000",
        "updated": f"{STARTED + timedelta(days=3):%Y-%m-%dT%H:%M:%S}.000+0000",
        "issuelinks": [],
        "timeoriginalestimate": 14400,
        "timeestimate": 7200,
        "parent": {"id": "10009", "key": "SE-900", "fields": {"issuetype": {"name": "Epic", "hierarchyLevel": 1}}},
        "customfield_10101": 3.0,
        "customfield_10102": _user(chance),
        "customfield_10103": None,
        "customfield_10104": [
            _sprint(41, "closed", STARTED - timedelta(days=14)),
            _sprint(42, "active", STARTED),
        ],
        "customfield_10105": None,
        **custom,
    }
    return {
        "timestamp": int((STARTED + timedelta(days=3)).timestamp() * 1000),
        "webhookEvent": "jira:issue_updated",
        "issue_event_type_name": "issue_updated",
        "user": _user(chance),
        "issue": {"id": f"{10_000 + number}", "key": f"SE-{number}", "fields": fields},
        "changelog": {"id": f"{chance.getrandbits(32)}", "items": [_change(chance)]},
    }


def _words(chance: Random, count: int) -> str:
    return " ".join(chance.choice(_WORDS) for _ in range(count))


def _user(chance: Random) -> dict[str, Any]:
    number = chance.randrange(8)
    return {
        "self": f"https://jira.example/rest/api/2/user?accountId=acc-{number}",
        "accountId": f"acc-{number}",
        "displayName": f"Person {number}",
        "active": True,
        "timeZone": "Europe/Paris",
        "avatarUrls": {f"{size}x{size}": f"https://avatars.example/{size}/acc-{number}" for size in (16, 24, 32, 48)},
    }


def _sprint(number: int, state: str, start: datetime) -> dict[str, Any]:
    return {
        "id": number,
        "name": f"SE Sprint {number}",
        "state": state,
        "boardId": 12,
        "startDate": f"{start:%Y-%m-%dT%H:%M:%S}.000Z",
        "endDate": f"{start + timedelta(days=14):%Y-%m-%dT%H:%M:%S}.000Z",
    }


def _change(chance: Random) -> dict[str, Any]:
    before, after = (_words(chance, 60) for _ in range(2))
    return {"field": "description", "fieldId": "description", "fromString": before, "toString": after}


@dataclass(frozen=True)
class Signed:
    """A request without its delivery id, which the signature does not cover."""

    head: bytes
    rest: bytes

    def numbered(self, delivery: str) -> bytes:
        """The whole request."""
        return self.head + delivery.encode() + self.rest


def signed(secret: str, body: bytes) -> Signed:
    """A request to POST /webhooks/jira with that body."""
    signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
    head = f"POST /webhooks/jira HTTP/1.1\r\nHost: crafty\r\nX-Hub-Signature: sha256={signature}\r\n"
    rest = f"\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return Signed(f"{head}X-Atlassian-Webhook-Identifier: ".encode(), rest.encode() + body)


def prepared(secret: str) -> list[Signed]:
    """One request for each of TICKETS tickets, made before the clock runs."""
    return [signed(secret, json.dumps(payload(number + 1)).encode()) for number in range(TICKETS)]


def endless(requests: list[Signed], run: str) -> Iterator[bytes]:
    """These requests over and over, each with a delivery id of its own."""
    for number, request in enumerate(itertools.cycle(requests)):
        yield request.numbered(f"{run}-{number}")
