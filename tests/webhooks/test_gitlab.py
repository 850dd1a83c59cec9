"""GitLab's deliveries become notes on contributions."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.contributions import Note
from service.events import ContributionNoted, Ignored
from service.facts import Person, Unknown
from service.webhooks.gitlab import parse

FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures" / "gitlab"
REAL = sorted(FIXTURES.glob("*.json"))
RECEIVED = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)
OPENED = datetime(2026, 11, 3, 8, 0, tzinfo=UTC)
CHANGED = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
WATCHED = {"open-craft/tools/poll"}
PROJECT = {"path_with_namespace": "Open-Craft/tools/Poll", "visibility_level": 20}
CARLA = {"id": 7, "name": "Carla C.", "username": "carla", "email": "[REDACTED]"}
BOB = {"id": 8, "name": "Bob B.", "username": "bob"}
ITEM = {
    "iid": 3,
    "title": "Fix the poll",
    "url": "https://gitlab.example/open-craft/tools/poll/-/merge_requests/3",
    "created_at": "2026-11-03 08:00:00 UTC",
    "updated_at": "2026-11-03 09:00:00 UTC",
    "author_id": 7,
}
REMARK = {"id": 501, "note": "Thanks", "noteable_type": "MergeRequest", "created_at": "2026-11-03 08:30:00 UTC"}


def delivery(kind: str, attributes: dict[str, Any], user: Any = CARLA, **parts: Any) -> bytes:
    """A delivery about a public project."""
    usual = {"object_kind": kind, "user": user, "project": PROJECT, "object_attributes": attributes}
    return json.dumps({**usual, **parts}).encode()


def parsed(body: bytes) -> ContributionNoted | Ignored:
    return parse("Some Hook", body, WATCHED, RECEIVED)


def noted(body: bytes) -> ContributionNoted:
    event = parsed(body)
    assert isinstance(event, ContributionNoted)
    return event


def summary(event: ContributionNoted) -> list[str]:
    """Each note in one line: what, when, by whom, and its id."""
    return [f"{n.what} {n.at:%H:%M} {n.by.name if n.by else '-'} {n.id}".strip() for n in event.notes]


def test_a_merge_request_is_a_contribution() -> None:
    event = noted(delivery("merge_request", {**ITEM, "action": "open"}))

    carla = Person(name="carla", gitlab="carla")
    assert event.notes == (
        Note(what="opened", at=OPENED, by=carla, title="Fix the poll", url=str(ITEM["url"]), kind="merge request"),
    )
    about = event.contribution
    assert (about.key, about.place) == ("gitlab:open-craft/tools/poll!3", "open-craft/tools/poll")
    assert (about.author, about.is_member, about.waiting_since) == (carla, False, OPENED)
    assert (event.at, event.actor) == (CHANGED, carla)


@pytest.mark.parametrize(
    ("attributes", "user", "changes", "expected"),
    [
        pytest.param({"action": "open"}, CARLA, None, ["opened 08:00 carla"], id="opened"),
        pytest.param(
            {"action": "open", "draft": True},
            CARLA,
            None,
            ["opened 08:00 carla", "drafted 08:00 carla"],
            id="opened as a draft",
        ),
        pytest.param(
            {"action": "open", "work_in_progress": True},
            CARLA,
            None,
            ["opened 08:00 carla", "drafted 08:00 carla"],
            id="opened as work in progress, as it was once called",
        ),
        pytest.param({"action": "close"}, BOB, None, ["closed 09:00 bob"], id="closed"),
        pytest.param({"action": "merge"}, BOB, None, ["closed 09:00 bob"], id="merged"),
        pytest.param({"action": "reopen"}, BOB, None, ["reopened 09:00 bob"], id="reopened"),
        pytest.param(
            {"action": "close"}, CARLA, None, ["opened 08:00 carla", "closed 09:00 carla"], id="closed by its author"
        ),
        pytest.param(
            {"action": "update"},
            BOB,
            {"draft": {"previous": True, "current": False}},
            ["readied 09:00 bob"],
            id="ready now",
        ),
        pytest.param(
            {"action": "update", "draft": True},
            CARLA,
            {"draft": {"previous": False, "current": True}},
            ["opened 08:00 carla", "drafted 09:00 carla"],
            id="a draft now",
        ),
        pytest.param(
            {"action": "update"}, CARLA, {"title": {}}, ["opened 08:00 carla"], id="edited by its author, who is told"
        ),
        pytest.param({"action": "approved"}, BOB, {}, ["answered 09:30 bob approval-bob"], id="approved"),
        pytest.param({"action": "approval"}, BOB, {}, ["answered 09:30 bob approval-bob"], id="the first of two votes"),
    ],
)
def test_what_happens_to_a_merge_request(
    attributes: dict[str, Any], user: Any, changes: Any, expected: list[str]
) -> None:
    body = delivery("merge_request", {**ITEM, **attributes}, user, changes=changes)
    assert summary(noted(body)) == expected


@pytest.mark.parametrize(
    ("action", "expected"),
    [("open", "opened 08:00 carla"), ("close", "closed 09:00 carla"), ("reopen", "reopened 09:00 carla")],
)
def test_what_happens_to_an_issue(action: str, expected: str) -> None:
    event = noted(delivery("issue", {**ITEM, "action": action}))
    assert (event.contribution.key, event.contribution.kind) == ("gitlab:open-craft/tools/poll#3", "issue")
    assert summary(event)[-1] == expected


def test_who_opened_it_is_unknown_from_anothers_delivery() -> None:
    event = noted(delivery("merge_request", {**ITEM, "action": "close"}, BOB))
    with pytest.raises(Unknown, match="author"):
        _ = event.contribution.author


@pytest.mark.parametrize(
    ("part", "key"),
    [("merge_request", "gitlab:open-craft/tools/poll!3"), ("issue", "gitlab:open-craft/tools/poll#3")],
)
def test_a_note_is_an_answer(part: str, key: str) -> None:
    event = noted(delivery("note", REMARK, BOB, **{part: {"iid": 3}}))
    assert (event.contribution.key, summary(event)) == (key, ["answered 08:30 bob note-501"])


@pytest.mark.parametrize(
    ("kind", "attributes", "parts", "reason"),
    [
        pytest.param("push", {}, {}, "no rule is concerned with “push”", id="a push"),
        pytest.param("", {}, {}, "no rule is concerned with “Some Hook”", id="no kind"),
        pytest.param(
            "issue",
            {**ITEM, "action": "open"},
            {"project": {**PROJECT, "visibility_level": 0}},
            "private repositories are dropped unread",
            id="a private project",
        ),
        pytest.param(
            "issue",
            {**ITEM, "action": "open"},
            {"project": {**PROJECT, "visibility_level": 10}},
            "private repositories are dropped unread",
            id="a project for those with an account",
        ),
        pytest.param(
            "issue",
            {**ITEM, "action": "open"},
            {"project": {"path_with_namespace": "open-craft/poll"}},
            "no cell looks after that repository",
            id="a project of nobody",
        ),
        pytest.param(
            "issue",
            {**ITEM, "action": "open", "confidential": True},
            {},
            "confidential issues are dropped unread",
            id="a confidential issue",
        ),
        pytest.param(
            "merge_request",
            {**ITEM, "author_id": 9, "action": "update"},
            {},
            "it tells nothing new of an answer",
            id="an update by another than the author",
        ),
        pytest.param(
            "merge_request",
            {**ITEM, "state": "merged", "action": "update"},
            {},
            "it was closed before",
            id="an update of what was merged long ago",
        ),
        pytest.param(
            "note",
            REMARK,
            {"commit": {}},
            "no rule is concerned with notes on anything but merge requests and issues",
            id="a note on a commit",
        ),
        pytest.param(
            "note", {**REMARK, "system": True}, {"issue": {"iid": 3}}, "it is no new answer", id="GitLab's own note"
        ),
        pytest.param(
            "note", {**REMARK, "action": "update"}, {"issue": {"iid": 3}}, "it is no new answer", id="an edited note"
        ),
        pytest.param(
            "note",
            {**REMARK, "internal": True},
            {"issue": {"iid": 3}},
            "internal notes are dropped unread",
            id="an internal note",
        ),
        pytest.param(
            "note",
            REMARK,
            {"issue": {"iid": 3, "confidential": True}},
            "internal notes are dropped unread",
            id="a note on a confidential issue",
        ),
    ],
)
def test_what_concerns_no_cell(kind: str, attributes: dict[str, Any], parts: dict[str, Any], reason: str) -> None:
    assert parsed(delivery(kind, attributes, **parts)) == Ignored(reason)


def test_a_delivery_without_any_name_says_so() -> None:
    assert parse("", b"{}", WATCHED, RECEIVED) == Ignored("it names no event")


@pytest.mark.parametrize(
    ("user", "is_bot"),
    [
        pytest.param("carla", False, id="a person"),
        pytest.param("project_12_bot", True, id="a project's access token"),
        pytest.param("project_12_bot_4ffca233d8298ea1", True, id="a newer one"),
        pytest.param("group_3_bot_x", True, id="a group's access token"),
        pytest.param("Ghost", True, id="a deleted account"),
        pytest.param("project_bot", False, id="a name that only looks so"),
        pytest.param("ghostwriter", False, id="a name that only starts so"),
    ],
)
def test_who_is_a_bot_by_name(user: str, is_bot: bool) -> None:
    event = noted(delivery("issue", {**ITEM, "action": "open"}, {"username": user}))
    assert event.contribution.is_bot is is_bot


def test_who_is_a_bot_by_gitlabs_word() -> None:
    assert noted(delivery("issue", {**ITEM, "action": "open"}, {**CARLA, "bot": True})).contribution.is_bot


@pytest.mark.parametrize(
    ("written", "read"),
    [
        pytest.param("2026-11-03 10:00:00 +0100", CHANGED, id="with an offset"),
        pytest.param("2026-11-03T09:00:00.000Z", CHANGED, id="as ISO 8601"),
        pytest.param("2026-11-03 09:00:00", RECEIVED, id="without a zone"),
        pytest.param("yesterday", RECEIVED, id="in words"),
        pytest.param(None, RECEIVED, id="not at all"),
    ],
)
def test_a_time_that_can_not_be_read_is_that_of_the_arrival(written: str | None, read: datetime) -> None:
    assert noted(delivery("issue", {**ITEM, "action": "close", "updated_at": written})).at == read


def test_a_redelivery_tells_the_same() -> None:
    body = delivery("note", REMARK, BOB, merge_request={"iid": 3})
    assert noted(body) == parse("Note Hook", body, WATCHED, datetime(2026, 11, 5, 9, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("body", "place"),
    [
        pytest.param(b'{"object_kind": "issue"}', "user", id="nobody"),
        pytest.param(b'{"object_kind": "issue", "user": {"username": "a"}}', "project", id="no project"),
        pytest.param(delivery("issue", {}), "iid", id="no number"),
        pytest.param(delivery("note", {}, issue={"iid": 3}), "id", id="a note without its number"),
        pytest.param(b"[]", "Expected `object`", id="a list"),
    ],
)
def test_an_event_without_what_it_must_have_is_refused(body: bytes, place: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=place):
        parsed(body)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        parsed(b"{")


class Everywhere:
    """Every project is watched."""

    def __contains__(self, place: object) -> bool:
        return True


def real(path: Path, **project: Any) -> ContributionNoted | Ignored:
    """What a real delivery says. project: what else would hold of its project."""
    payload = json.loads(path.read_bytes())
    payload["project"].update(project)
    return parse("", json.dumps(payload).encode(), Everywhere(), RECEIVED)


@pytest.mark.skipif(not REAL, reason="the real deliveries are not on this machine")
def test_real_deliveries_of_public_projects_are_told() -> None:
    told = {path.stem for path in REAL if isinstance(real(path), ContributionNoted)}
    assert told == {
        "zulip__issue_hook__issue_created_with_two_assignees",
        "zulip__merge_request_hook__merge_request_approved",
        "zulip__merge_request_hook__merge_request_created_with_multiple_assignees",
        "zulip__merge_request_hook__merge_request_reopened",
    }


@pytest.mark.skipif(not REAL, reason="the real deliveries are not on this machine")
def test_real_deliveries_would_tell_what_their_names_say_if_their_projects_were_public() -> None:
    told = {path.stem.removeprefix("zulip__").partition("_hook__")[2]: real(path, visibility_level=20) for path in REAL}
    assert {name: told_of(event) for name, event in told.items()} == {
        "confidential_issue_created_with_assignee": "confidential issues are dropped unread",
        "confidential_issue_reopened": "confidential issues are dropped unread",
        "issue_closed": "closed",
        "issue_created_with_hidden_comment_in_description": "opened",
        "issue_created_with_two_assignees": "opened",
        "issue_created_without_assignee": "opened",
        "merge_request_approval": "answered",
        "merge_request_approved": "answered",
        "merge_request_closed": "closed",
        "merge_request_created_with_multiple_assignees": "opened",
        "merge_request_created_without_assignee": "opened",
        "merge_request_merged": "closed",
        "merge_request_reopened": "reopened",
        "merge_request_unapproved": "it tells nothing new of an answer",
        "commit_note": "no rule is concerned with notes on anything but merge requests and issues",
        "snippet_note": "no rule is concerned with notes on anything but merge requests and issues",
        "issue_test_payload": "it tells nothing new of an answer",
    }


def told_of(event: ContributionNoted | Ignored) -> str:
    return event.reason if isinstance(event, Ignored) else ", ".join(note.what for note in event.notes)
