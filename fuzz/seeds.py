"""What the fuzzer starts from: the tests' own payloads, and real ones where their folder is beside this checkout."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from tests.webhooks import payloads

SOURCES = ("jira", "discourse", "github", "gitlab")
FIXTURES = Path(__file__).parents[2] / "shared" / "fixtures"

_CLOUD_DOCUMENT = {
    "type": "doc",
    "version": 1,
    "content": [
        {
            "type": "paragraph",
            "content": [
                {"type": "mention", "attrs": {"id": "acc-bot", "text": "@Crafty"}},
                {"type": "text", "text": " snooze 2d ", "marks": [{"type": "code"}]},
                {"type": "text", "text": "here", "marks": [{"type": "link", "attrs": {"href": "https://x.example"}}]},
                {"type": "date", "attrs": {"timestamp": "1793696400000"}},
                {"type": "hardBreak"},
                {"type": "emoji", "attrs": {"shortName": ":tada:"}},
            ],
        },
        {
            "type": "blockquote",
            "content": [{"type": "paragraph", "content": [{"type": "text", "text": "said before"}]}],
        },
        {"type": "codeBlock", "content": [{"type": "text", "text": "x = 1"}]},
    ],
}
_GREENHOPPER = (
    "com.atlassian.greenhopper.service.sprint.Sprint@1bf[id=41,rapidViewId=12,state=ACTIVE,name=SE Sprint 41,"
    "startDate=2026-11-02T08:00:00.000Z,endDate=2026-11-16T08:00:00.000Z,completeDate=<null>,sequence=41]"
)
_MOVED = {"field": "Sprint", "fieldId": "customfield_10020", "from": "40", "to": "40, 41"}


class Sent(msgspec.Struct, frozen=True):
    """A delivery without its signature; as bytes: a line for each header, an empty line, the body."""

    headers: dict[str, str]
    body: bytes

    def packed(self) -> bytes:
        """The same as bytes."""
        head = "".join(f"{name}: {value}\n" for name, value in self.headers.items())
        return head.encode("latin-1", "replace") + b"\n" + self.body

    @classmethod
    def unpacked(cls, data: bytes) -> "Sent":
        """From any bytes; what is no header line counts as a header without a value."""
        head, _, body = data.partition(b"\n\n") if not data.startswith(b"\n") else (b"", b"", data[1:])
        lines = (line.partition(": ") for line in head.decode("latin-1").split("\n") if line)
        return cls({name.lower(): value for name, _, value in lines}, body)


def seeds(source: str) -> list[Sent]:
    """Deliveries of that source, in the shapes that it really sends."""
    return [*_OWN[source](), *_real(source)]


def _jira() -> Iterator[Sent]:
    for name in ("jira:issue_created", "jira:issue_updated", "jira:issue_deleted", "jira:worklog_updated"):
        yield _sent(payloads.issue_updated(webhookEvent=name))
    for fields in (
        payloads.issue_fields(description=_CLOUD_DOCUMENT, labels=["crafty"], customfield_10021=[{"value": "x"}]),
        payloads.issue_fields(customfield_10020=[_GREENHOPPER], assignee=payloads.DC_ANN, customfield_10031=[]),
        payloads.issue_fields(parent={"key": "SE-9", "fields": {"issuetype": {"name": "Epic", "hierarchyLevel": 1}}}),
        payloads.issue_fields(customfield_10014="SE-9", issuelinks=[_link("inwardIssue"), _link("outwardIssue")]),
        payloads.issue_fields(customfield_10031=payloads.SAM, status={"name": "In Progress"}, customfield_10016=None),
    ):
        yield _sent(payloads.issue_updated(fields))
        yield _sent(payloads.issue_updated(fields, webhookEvent="jira:issue_created"))
    yield _sent(payloads.issue_updated(changelog={"id": "2", "items": [_MOVED]}))
    help_wanted = {"id": "9", "key": "HELP-1", "fields": payloads.issue_fields()}
    yield _sent(payloads.issue_updated(issue=help_wanted))
    for text in _SPEECHES:
        yield _sent(payloads.comment_created(text))
        yield _sent(payloads.data_center_comment(text))
    yield _sent(payloads.comment_created("", comment={"id": "7", "author": payloads.ANN, "body": _CLOUD_DOCUMENT}))
    yield from (_sent(payloads.sprint_event(f"sprint_{turn}", 12)) for turn in ("started", "closed", "updated"))


_SPEECHES = (
    "[~crafty] help",
    "[~crafty] plan 1h 30m for reviewing this task",
    "[~accountid:acc-bot] <spillover>upstream\nwas slow</spillover>",
    "{quote}@crafty why{quote} `@crafty` @crafty, please snooze for 3 days",
)


def _link(end: str) -> dict[str, Any]:
    return {"type": {"inward": "is blocked by", "outward": "blocks"}, end: {"key": "SE-2"}}


def _discourse() -> Iterator[Sent]:
    topic = {
        "id": 77,
        "title": "How do I install it?",
        "slug": "how-do-i",
        "archetype": "regular",
        "category_id": 7,
        "created_at": "2026-11-03T08:30:00.000Z",
        "created_by": {"id": 5, "username": "carla", "name": "Carla"},
        "deleted_at": None,
        "deleted_by": None,
    }
    for event in ("topic_created", "topic_edited", "topic_destroyed", "topic_recovered", "topic_closed_status_updated"):
        yield _sent({"topic": topic}, **_forum(event, "topic"))
    for changes in (
        {},
        {"post_number": 1, "created_at": "2026-11-03T08:30:00.000Z", "primary_group_name": "core", "user_id": 5},
        {"raw": "@crafty help", "staff": True, "topic_slug": "how-do-i"},
        {"post_type": 3, "action_code": "closed.enabled", "admin": True},
        {"hidden": True, "user_deleted": False, "topic_archetype": "private_message"},
    ):
        for event in ("post_created", "post_edited", "post_destroyed"):
            yield _sent(payloads.post(**changes), **_forum(event, "post"))


def _forum(event: str, kind: str) -> dict[str, str]:
    return {
        "x-discourse-event": event,
        "x-discourse-event-type": kind,
        "x-discourse-event-id": "15",
        "x-discourse-instance": "https://forum.example",
    }


def _github() -> Iterator[Sent]:
    carla, place = payloads.CARLA, {"full_name": "Example-Org/Poll", "private": False}
    told = payloads.pull_request()
    issue = {**told["pull_request"], "pull_request": {"url": "https://api.github.com/x"}}
    comment = {"id": 5, "created_at": "2026-11-03T09:00:00Z", "user": carla, "author_association": "MEMBER"}
    for action in ("opened", "closed", "reopened", "ready_for_review", "converted_to_draft", "synchronize"):
        yield _sent(payloads.pull_request(action, draft=True), **_event("pull_request"))
    for action in ("opened", "closed", "transferred", "deleted"):
        yield _sent({"action": action, "issue": issue, "repository": place, "sender": carla}, **_event("issues"))
    about = {"pull_request": told["pull_request"], "repository": place, "sender": {"login": "x[bot]", "type": "Bot"}}
    commented = {"action": "created", "issue": issue, "comment": comment, "repository": place, "sender": carla}
    yield _sent(commented, **_event("issue_comment"))
    review = {**comment, "submitted_at": "2026-11-03T09:00:00Z", "state": "approved"}
    yield _sent({"action": "submitted", "review": review, **about}, **_event("pull_request_review"))
    yield _sent({"action": "created", "comment": comment, **about}, **_event("pull_request_review_comment"))


def _event(name: str) -> dict[str, str]:
    return {"x-github-event": name, "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"}


def _gitlab() -> Iterator[Sent]:
    headers = {"x-gitlab-event": "Merge Request Hook", "x-gitlab-event-uuid": "13792a34-cac6-4fda-95a8-c58e00a3954e"}
    for action in ("open", "close", "merge", "reopen", "approved", "update"):
        told = payloads.merge_request(action, draft=True)
        yield _sent({**told, "changes": {"draft": {"previous": False, "current": True}}}, **headers)
        yield _sent({**told, "object_kind": "issue"}, **headers, **{"idempotency-key": "a-key"})
    note = {"id": 9, "created_at": "2026-11-03 09:00:00 UTC", "action": "create", "system": False, "internal": False}
    about = payloads.merge_request()
    for place in ("merge_request", "issue"):
        named = {**about, "object_kind": "note", "object_attributes": note, place: {"iid": 3, "confidential": False}}
        yield _sent(named, **headers)


_OWN: dict[str, Callable[[], Iterator[Sent]]] = {
    "jira": _jira,
    "discourse": _discourse,
    "github": _github,
    "gitlab": _gitlab,
}


def _real(source: str) -> Iterator[Sent]:
    """Each as it was sent, and once more as if it told of what the fuzzer's team looks after."""
    for path in sorted((FIXTURES / source).glob("*.json")):
        if not path.name.endswith(".headers.json"):
            payload = json.loads(path.read_bytes())
            yield _sent(payload, **_headers(source, path))
            yield _sent(_at_home(payload), **_headers(source, path))


def _headers(source: str, path: Path) -> dict[str, str]:
    """As they were kept beside the payload; else GitHub's event from the file's name."""
    kept = path.with_suffix(".headers.json")
    if kept.exists():
        return {name.lower(): value for name, value in json.loads(kept.read_text()).items()}
    name = path.stem.split("__")[1].partition(".")[0]
    return _event(name) if source == "github" else {}


_HOMES: dict[str, dict[str, Any]] = {
    "issue": {"key": "SE-1"},
    "repository": {"full_name": "Example-Org/Poll", "private": False},
    "project": {"path_with_namespace": "Example-Org/Poll", "visibility_level": 20},
    "post": {"category_id": 7, "topic_archetype": "regular"},
    "topic": {"category_id": 7},
    "object_attributes": {"confidential": False},
}


def _at_home(payload: dict[str, Any]) -> dict[str, Any]:
    moved = {name: {**payload[name], **home} for name, home in _HOMES.items() if isinstance(payload.get(name), dict)}
    return {**payload, **moved}


def _sent(payload: Any, **headers: str) -> Sent:
    return Sent(headers, payloads.body(payload))
