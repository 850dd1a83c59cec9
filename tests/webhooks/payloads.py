"""Payloads in the shapes that Jira, Discourse, GitHub and GitLab send, written for these tests."""

import json
from typing import Any

ANN = {"accountId": "acc-ann", "displayName": "Ann", "active": True, "timeZone": "Asia/Kolkata"}
SAM = {"accountId": "acc-sam", "displayName": "Sam", "active": True}
DC_ANN = {"name": "ann", "key": "JIRAUSER10", "displayName": "Ann", "emailAddress": "ann@example.com", "active": True}

FIELDS = {
    "story_points": "customfield_10016",
    "reviewer": "customfield_10031",
    "core_committer": "customfield_10032",
    "sprint": "customfield_10020",
    "epic_link": "customfield_10014",
    "flagged": "customfield_10021",
}

RUNNING = {
    "id": 41,
    "name": "SE Sprint 41",
    "state": "active",
    "boardId": 12,
    "startDate": "2026-11-02T08:00:00.000Z",
    "endDate": "2026-11-16T08:00:00.000Z",
}
NEXT = {"id": 42, "name": "SE Sprint 42", "state": "future", "boardId": 12}

CARLA = {"login": "carla", "type": "User"}
GITLAB_CARLA = {"id": 7, "name": "Carla C.", "username": "carla"}


def issue_fields(**changes: Any) -> dict[str, Any]:
    """The fields of a Cloud issue in need of review that nobody reviews."""
    usual: dict[str, Any] = {
        "summary": "Fix the login",
        "issuetype": {"id": "10001", "name": "Story", "subtask": False, "hierarchyLevel": 0},
        "project": {"key": "SE"},
        "status": {"name": "Need Review", "statusCategory": {"key": "indeterminate"}},
        "assignee": ANN,
        "reporter": SAM,
        "creator": SAM,
        "labels": [],
        "description": None,
        "issuelinks": [],
        "timeoriginalestimate": 28800,
        "timeestimate": 18000,
        "created": "2026-10-20T11:00:00.000+0200",
        "updated": "2026-11-03T10:00:00.000+0100",
        "customfield_10016": 3.0,
        "customfield_10031": None,
        "customfield_10032": None,
        "customfield_10020": [RUNNING],
        "customfield_10021": None,
        "parent": None,
    }
    return {**usual, **changes}


def issue_updated(fields: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A Cloud `jira:issue_updated` that moved SE-1 to Need Review."""
    usual: dict[str, Any] = {
        "timestamp": 1793696400000,
        "webhookEvent": "jira:issue_updated",
        "issue_event_type_name": "issue_generic",
        "user": ANN,
        "issue": {"id": "10001", "key": "SE-1", "fields": issue_fields() if fields is None else fields},
        "changelog": {
            "id": "1",
            "items": [
                {
                    "field": "status",
                    "fieldtype": "jira",
                    "fieldId": "status",
                    "from": "3",
                    "fromString": "In Progress",
                    "to": "4",
                    "toString": "Need Review",
                }
            ],
        },
    }
    return {**usual, **changes}


def comment_created(text: str, **changes: Any) -> dict[str, Any]:
    """A Cloud `comment_created` by Ann on SE-1, which names no user and six of the ticket's fields."""
    six = ("summary", "issuetype", "project", "assignee", "priority", "status")
    fields = {name: value for name, value in issue_fields(priority={"name": "High"}).items() if name in six}
    usual: dict[str, Any] = {
        "timestamp": 1793696400000,
        "webhookEvent": "comment_created",
        "comment": {"id": "7", "author": ANN, "updateAuthor": ANN, "body": text},
        "issue": {"id": "10001", "key": "SE-1", "fields": fields},
    }
    return {**usual, **changes}


def data_center_comment(text: str) -> dict[str, Any]:
    """A Data Center `comment_created`: of the ticket it tells only the number, in the comment's address."""
    address = "https://jira.example/rest/api/2/issue/10013/comment/7"
    comment = {"self": address, "id": "7", "author": DC_ANN, "updateAuthor": DC_ANN, "body": text}
    return {"timestamp": 1793696400000, "webhookEvent": "comment_created", "comment": comment}


def sprint_event(name: str, board: int) -> dict[str, Any]:
    """A `sprint_…` event, which Jira sends for every board of the site."""
    sprint = {"id": 41, "name": "SE Sprint 41", "state": "active", "originBoardId": board}
    return {"timestamp": 1793696400000, "webhookEvent": name, "sprint": sprint}


def pull_request(action: str = "opened", **changes: Any) -> dict[str, Any]:
    """GitHub's `pull_request` event about one that Carla, whom nobody knows, opened half an hour ago."""
    usual: dict[str, Any] = {
        "number": 12,
        "title": "Fix the poll",
        "html_url": "https://github.com/Example-Org/Poll/pull/12",
        "created_at": "2026-11-03T08:30:00Z",
        "updated_at": "2026-11-03T08:59:00Z",
        "closed_at": None,
        "draft": False,
        "user": CARLA,
        "author_association": "NONE",
    }
    repository = {"full_name": "Example-Org/Poll", "private": False}
    return {"action": action, "pull_request": {**usual, **changes}, "repository": repository, "sender": CARLA}


def merge_request(action: str = "open", user: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """GitLab's event about a merge request; who acts is its author."""
    actor = user or GITLAB_CARLA
    usual: dict[str, Any] = {
        "iid": 3,
        "title": "Fix the poll",
        "url": "https://gitlab.example/Example-Org/Poll/-/merge_requests/3",
        "created_at": "2026-11-03 08:30:00 UTC",
        "updated_at": "2026-11-03 08:59:00 UTC",
        "author_id": actor["id"],
        "action": action,
        "state": "opened",
        "draft": False,
    }
    project = {"path_with_namespace": "Example-Org/Poll", "visibility_level": 20}
    return {
        "object_kind": "merge_request",
        "user": actor,
        "project": project,
        "object_attributes": {**usual, **changes},
    }


def post(**changes: Any) -> dict[str, Any]:
    """A Discourse `post_created` in a watched category."""
    usual: dict[str, Any] = {
        "id": 900,
        "topic_id": 77,
        "post_number": 2,
        "post_type": 1,
        "username": "carla",
        "name": "Carla",
        "topic_title": "How do I install it?",
        "topic_archetype": "regular",
        "category_id": 7,
        "raw": "Thank you",
        "cooked": "<p>Thank you</p>",
        "updated_at": "2026-11-03T08:59:00.000Z",
    }
    return {"post": {**usual, **changes}}


def body(payload: Any) -> bytes:
    return json.dumps(payload).encode()
