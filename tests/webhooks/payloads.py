"""Payloads in the shapes that Jira and Discourse send, written for these tests."""

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
