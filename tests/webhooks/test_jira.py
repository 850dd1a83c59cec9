"""Jira's deliveries, as Cloud and Data Center shape them, become the same events."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.events import CommentPosted, Ignored, SprintChanged, TicketChanged, TicketDeleted
from service.facts import Person, Unknown
from service.jira_shapes import FieldMap, sprint_from_text
from service.webhooks.jira import parse
from tests.webhooks.payloads import ANN, DC_ANN, FIELDS, SAM, body, issue_fields, issue_updated

SITE = "https://jira.example"
RECEIVED = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
MAP = FieldMap(**FIELDS)


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
    assert (event.subject, event.actor.jira) == ("SE-1", "acc-ann")


def test_a_comment_event_of_data_center_names_no_issue_and_no_user() -> None:
    event = parsed({"webhookEvent": "comment_created", "comment": {"id": "7", "author": DC_ANN, "body": "hello"}})
    assert isinstance(event, CommentPosted)
    assert (event.subject, event.ticket, event.at) == ("comment 7", None, RECEIVED)


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
