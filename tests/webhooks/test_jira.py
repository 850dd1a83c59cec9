"""Jira's deliveries, as Cloud and Data Center shape them, become the same events."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.events import CommentPosted, Ignored, SprintChanged, TicketChanged, TicketDeleted
from service.facts import Person, SprintMove, Unknown
from service.jira_shapes import FieldMap, sprint_from_text
from service.webhooks.jira import parse
from tests.webhooks.payloads import ANN, DC_ANN, FIELDS, SAM, body, issue_fields, issue_updated

SITE = "https://jira.example"
RECEIVED = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
MAP = FieldMap(**FIELDS)
FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures" / "jira"


def parsed(payload: Any) -> Any:
    return parse(body(payload), MAP, SITE, RECEIVED)[1]


def test_a_cloud_issue_event_tells_the_whole_ticket() -> None:
    event = parsed(issue_updated())

    assert isinstance(event, TicketChanged)
    assert event.actor == Person(name="Ann", jira="acc-ann", timezone="Asia/Kolkata")
    assert event.at == datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
    ticket = event.ticket
    assert (ticket.key, ticket.project, ticket.url) == ("SE-1", "SE", "https://jira.example/browse/SE-1")
    assert (ticket.status, ticket.is_done, ticket.kind, ticket.is_subtask) == ("Need Review", False, "Story", False)
    assert (ticket.estimate, ticket.reviewer, ticket.flagged, ticket.epic_key) == (3.0, None, False, None)
    assert ticket.running_sprint is not None
    assert (ticket.running_sprint.id, ticket.running_sprint.board) == (41, 12)
    assert ticket.running_sprint.end == datetime(2026, 11, 16, 8, 0, tzinfo=UTC)
    assert ticket.entered_status_at == event.at


def test_an_issue_event_tells_who_made_the_ticket_and_its_estimates_of_time() -> None:
    ticket = parsed(issue_updated(issue_fields(labels=["a"], description="For [~accountid:acc-bob]"))).ticket
    assert (ticket.creator, ticket.labels, ticket.links) == (Person(name="Sam", jira="acc-sam"), ("a",), ())
    assert (ticket.description, ticket.original_estimate, ticket.remaining_estimate) == ("For [~acc-bob]", 8.0, 5.0)


HISTORY = {"sprint_moves", "status_changes", "remarks"}


def test_a_new_ticket_has_a_history_and_it_is_empty() -> None:
    event = parsed(issue_updated(webhookEvent="jira:issue_created"))
    assert (event.changed, event.sprint_move) == (None, None)
    assert [event.ticket.known()[fact] for fact in HISTORY] == [(), (), ()]
    assert event.ticket.entered_status_at == event.at


def test_an_edited_ticket_s_history_is_unknown() -> None:
    assert HISTORY.isdisjoint(parsed(issue_updated()).ticket.known())


def sprint_item(**changes: Any) -> dict[str, Any]:
    usual = {"field": "Sprint", "fieldtype": "custom", "fieldId": "customfield_10020", "from": "40, 41", "to": "40, 42"}
    return {**usual, "fromString": "a, b", "toString": "a, c", **changes}


def edited(*items: dict[str, Any], **changes: Any) -> Any:
    return parsed(issue_updated(changelog={"id": "1", "items": list(items)}, **changes))


def test_an_edit_names_its_fields_and_how_the_sprint_changed() -> None:
    event = edited(sprint_item(), {"field": "labels", "fieldtype": "jira", "fieldId": "labels"})
    assert event.changed == {"sprint", "customfield_10020", "labels"}
    assert event.sprint_move == SprintMove(at=event.at, by=event.actor, before=(40, 41), after=(40, 42))
    assert event.sprint_move.added == {42}
    assert "entered_status_at" not in event.ticket.known()


def test_data_center_names_its_fields_without_ids() -> None:
    item = sprint_item(**{"from": ""})
    del item["fieldId"]
    event = edited(item, user=DC_ANN)
    assert event.changed == {"sprint"}
    assert (event.sprint_move.before, event.sprint_move.by.jira) == ((), "ann")


@pytest.mark.parametrize(
    ("changelog", "changed"),
    [
        pytest.param(None, None, id="no changelog says nothing"),
        pytest.param({"id": "1", "items": []}, frozenset(), id="an empty one says that nothing changed"),
        pytest.param({"id": "1", "items": [{"field": "Rank"}]}, frozenset({"rank"}), id="an edit of something else"),
    ],
)
def test_what_changed_is_known_only_where_jira_says_it(changelog: Any, changed: frozenset[str] | None) -> None:
    event = parsed(issue_updated(changelog=changelog))
    assert (event.changed, event.sprint_move) == (changed, None)


@pytest.mark.parametrize(
    "missing", ["assignee", "customfield_10031", "customfield_10016", "customfield_10020", "parent"]
)
def test_a_field_that_is_not_in_the_payload_is_unknown_and_not_empty(missing: str) -> None:
    fields = issue_fields()
    del fields[missing]
    ticket = parsed(issue_updated(fields)).ticket
    fact = {
        "assignee": "assignee",
        "customfield_10031": "reviewer",
        "customfield_10016": "estimate",
        "customfield_10020": "sprints",
        "parent": "epic_key",
    }[missing]

    with pytest.raises(Unknown) as unknown:
        getattr(ticket, fact)
    assert unknown.value.fact == fact


@pytest.mark.parametrize(
    ("value", "estimate"),
    [
        pytest.param(None, None, id="null is no estimate"),
        pytest.param(0, 0.0, id="zero is an estimate"),
        pytest.param(0.5, 0.5, id="half a point"),
    ],
)
def test_the_estimate(value: Any, estimate: float | None) -> None:
    assert parsed(issue_updated(issue_fields(customfield_10016=value))).ticket.estimate == estimate


def test_a_custom_field_of_another_type_than_expected_is_unknown_and_rejects_nothing() -> None:
    ticket = parsed(issue_updated(issue_fields(customfield_10016={"value": "3"}, customfield_10031="Bob"))).ticket
    assert {"estimate", "reviewer"}.isdisjoint(ticket.known())


def test_data_center_users_sprints_and_epics() -> None:
    text = (
        "com.atlassian.greenhopper.service.sprint.Sprint@1bf[id=444,rapidViewId=158,state=ACTIVE,name=Shredders, 5,"
        "startDate=2026-11-02T09:00:00.000+01:00,endDate=2026-11-16T09:00:00.000+01:00,completeDate=<null>,"
        "sequence=444,goal=]"
    )
    fields = issue_fields(assignee=DC_ANN, customfield_10020=[text], customfield_10014="SE-9")
    del fields["parent"]
    payload = issue_updated(fields, user=DC_ANN)
    del payload["changelog"]["items"][0]["fieldId"]
    event = parsed(payload)

    assert event.actor.jira_ids == {"ann", "JIRAUSER10"}
    assert event.ticket.assignee.jira == "ann"
    assert event.ticket.epic_key == "SE-9"
    sprint = event.ticket.running_sprint
    assert (sprint.id, sprint.name, sprint.board) == (444, "Shredders, 5", 158)
    assert sprint.start == datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
    assert event.ticket.entered_status_at == event.at


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("S@1[id=1,state=FUTURE,name=A [odd] name,goal=x]", "A [odd] name", id="brackets in the name"),
        pytest.param("S@1[name=First,id=1,state=FUTURE]", "First", id="the id not first"),
        pytest.param("S@1[state=CLOSED,goal=do, id or not,name=N,id=1]", "N", id="a comma in the goal"),
    ],
)
def test_a_greenhopper_string_in_any_order(text: str, name: str) -> None:
    sprint = sprint_from_text(text)
    assert sprint is not None
    assert (sprint.id, sprint.name) == (1, name)


@given(st.text())
def test_no_text_in_place_of_a_sprint_breaks_the_parser(text: str) -> None:
    sprint = sprint_from_text(text)
    assert sprint is None or sprint.id >= 0


def test_the_parent_is_the_epic_only_where_it_is_an_epic() -> None:
    epic = {"key": "SE-9", "fields": {"issuetype": {"name": "Epos", "hierarchyLevel": 1}}}
    story = {"key": "SE-8", "fields": {"issuetype": {"name": "Story", "hierarchyLevel": 0}}}
    assert parsed(issue_updated(issue_fields(parent=epic))).ticket.epic_key == "SE-9"
    assert parsed(issue_updated(issue_fields(parent=story))).ticket.epic_key is None


def test_a_comment_event_of_the_cloud_knows_six_fields_and_its_author() -> None:
    six = {name: issue_fields()[name] for name in ("summary", "issuetype", "project", "assignee", "status")}
    comment = {"id": "7", "author": SAM, "updateAuthor": ANN, "body": "hello"}
    event = parsed(
        {"webhookEvent": "comment_created", "timestamp": 1, "comment": comment, "issue": {"key": "SE-1", "fields": six}}
    )

    assert isinstance(event, CommentPosted)
    assert event.actor is not None
    assert (event.subject, event.actor.jira, event.text, event.issue) == ("SE-1", "acc-ann", "hello", "")


DC_COMMENT = {
    "self": "https://jira.example/rest/api/2/issue/10013/comment/7",
    "id": "7",
    "author": DC_ANN,
    "body": "[~crafty] accept\r\nplease",
}


@pytest.mark.parametrize(
    ("address", "subject"),
    [
        pytest.param(DC_COMMENT["self"], "10013", id="its address names the issue's number"),
        pytest.param("https://jira.example/rest/api/2/issue/../comment/7", "comment 7", id="no number in it"),
        pytest.param(None, "comment 7", id="no address"),
    ],
)
def test_a_comment_event_of_data_center_names_no_issue_and_no_user(address: str | None, subject: str) -> None:
    event = parsed({"webhookEvent": "comment_created", "comment": {**DC_COMMENT, "self": address}})
    assert isinstance(event, CommentPosted)
    assert (event.subject, event.ticket, event.at) == (subject, None, RECEIVED)
    assert (event.comment, event.text) == ("7", "[~crafty] accept\nplease")


@pytest.mark.parametrize("kind", ["issue_commented", "issue_comment_edited"])
def test_data_center_s_issue_event_about_a_comment_brings_the_whole_ticket(kind: str) -> None:
    event = parsed(issue_updated(issue_event_type_name=kind, comment=DC_COMMENT, changelog=None, user=DC_ANN))
    assert isinstance(event, CommentPosted)
    assert event.ticket is not None
    assert event.actor is not None
    assert (event.ticket.status, event.actor.jira, event.issue) == ("Need Review", "ann", "")
    assert event.text == "[~crafty] accept\nplease"


@pytest.mark.parametrize(
    ("kind", "comment"),
    [
        pytest.param("issue_comment_deleted", DC_COMMENT, id="a comment that was deleted"),
        pytest.param("issue_generic", DC_COMMENT, id="a transition with a comment"),
        pytest.param("issue_commented", None, id="a comment that is not shown"),
    ],
)
def test_other_issue_events_tell_of_the_ticket(kind: str, comment: Any) -> None:
    assert isinstance(parsed(issue_updated(issue_event_type_name=kind, comment=comment)), TicketChanged)


def test_a_deleted_comment_is_not_posted() -> None:
    assert isinstance(parsed({"webhookEvent": "comment_deleted", "comment": DC_COMMENT}), Ignored)


def test_a_deleted_issue_and_a_closed_sprint() -> None:
    assert isinstance(parsed(issue_updated(webhookEvent="jira:issue_deleted")), TicketDeleted)
    sprint = {"id": 41, "name": "S", "state": "closed", "originBoardId": 12, "self": "https://jira.example"}
    closed = parsed({"webhookEvent": "sprint_closed", "timestamp": 1, "sprint": sprint})
    assert isinstance(closed, SprintChanged)
    assert (closed.change, closed.sprint.board, closed.subject) == ("closed", 12, "sprint 41")


def test_a_post_function_sends_an_issue_without_naming_the_event() -> None:
    payload = issue_updated(comment="")
    del payload["webhookEvent"]
    name, event = parse(body(payload), MAP, SITE, RECEIVED)
    assert name == "jira:issue_updated"
    assert isinstance(event, TicketChanged)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({"webhookEvent": "user_created", "user": ANN}, id="an event that no rule knows"),
        pytest.param({"username": "x", "accountId": "y"}, id="no event at all"),
        pytest.param({}, id="an empty object"),
    ],
)
def test_what_concerns_nobody_is_ignored_with_a_reason(payload: Any) -> None:
    event = parsed(payload)
    assert isinstance(event, Ignored)
    assert event.reason


@pytest.mark.parametrize(
    ("payload", "place"),
    [
        pytest.param({"webhookEvent": "jira:issue_updated"}, "`issue`", id="no issue"),
        pytest.param({"webhookEvent": "comment_created"}, "`comment`", id="no comment"),
        pytest.param({"webhookEvent": "sprint_closed"}, "`sprint`", id="no sprint"),
        pytest.param({"webhookEvent": "sprint_closed", "sprint": {"id": "x"}}, "$.id", id="a sprint's id that is text"),
        pytest.param(issue_updated(user="ann"), "$.user", id="a user that is text"),
        pytest.param(issue_updated(issue=[]), "$.issue", id="an issue that is a list"),
        pytest.param(issue_updated(issue={"key": "../admin"}), "$.issue.key", id="a key that is a path"),
        pytest.param(issue_updated(issue_fields(assignee=5)), "assignee", id="an assignee that is a number"),
        pytest.param(issue_updated(issue_fields(status={"name": None})), "status", id="a status without a name"),
        pytest.param(issue_updated(issue_fields(parent={"key": 1})), "parent", id="a parent's key that is a number"),
        pytest.param(issue_updated(issue={"key": "SE-1", "fields": []}), "$.issue.fields", id="fields that are a list"),
    ],
)
def test_json_that_lacks_what_the_event_must_have_names_the_place(payload: Any, place: str) -> None:
    with pytest.raises(msgspec.ValidationError) as error:
        parsed(payload)
    assert place in str(error.value)


@pytest.mark.parametrize("timestamp", [None, -(10**18), 10**18, 0])
def test_an_absurd_timestamp_is_replaced_by_the_time_of_arrival(timestamp: int | None) -> None:
    at = parsed(issue_updated(timestamp=timestamp)).at
    assert at == (datetime(1970, 1, 1, tzinfo=UTC) if timestamp == 0 else RECEIVED)


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="the folder of real deliveries is not beside this checkout")
@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.json")), ids=lambda path: path.stem)
def test_every_real_delivery_becomes_an_event_or_is_ignored_with_a_reason(path: Path) -> None:
    payload = msgspec.json.decode(path.read_bytes())
    event = parse(path.read_bytes(), MAP, SITE, RECEIVED)[1]
    match event:
        case CommentPosted():
            assert event.text == payload["comment"]["body"].replace("\r\n", "\n").replace("accountid:", "").strip()
            assert event.ticket is not None or event.issue.isdecimal()
        case TicketChanged():
            assert event.changed is None or len(event.changed) >= len(payload["changelog"]["items"])
            assert {"labels", "description", "links"} <= event.ticket.known().keys()
        case TicketDeleted():
            assert payload["webhookEvent"] == "jira:issue_deleted"
        case Ignored():
            assert event.reason
        case _:
            pytest.fail(f"nobody expected {event}")
