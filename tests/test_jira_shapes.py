"""What Jira's JSON says, in our own words: texts, links, histories and estimates, of both kinds of Jira."""

from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.commands import commands_in
from service.facts import IssueLink, Person, SprintMove, StatusChange, Ticket
from service.jira_shapes import (
    FieldMap,
    RawChange,
    RawComment,
    RawIssue,
    remark_from,
    sprint_from_text,
    sprint_move_from,
    status_change_from,
    text_from,
    ticket_from,
)

T = TypeVar("T")
SITE = "https://jira.example"
AT = datetime(2026, 11, 3, 9, tzinfo=UTC)
ANN = Person(name="Ann", jira="acc-ann")


def read(json: Any, shape: type[T]) -> T:
    return msgspec.json.decode(msgspec.json.encode(json), type=shape)


def ticket(**fields: Any) -> Ticket:
    return ticket_from(read({"key": "SE-1", "fields": fields}, RawIssue), FieldMap(), SITE)


def test_a_fact_may_stand_in_a_field_of_another_or_in_one_of_jiras_own() -> None:
    fields = FieldMap(reviewer="customfield_1", core_committer="customfield_1", story_points="timeestimate")
    issue = {"key": "SE-1", "fields": {"customfield_1": {"accountId": "acc-ann"}, "timeestimate": 7200}}
    found = ticket_from(read(issue, RawIssue), fields, SITE)
    assert found.reviewer == found.core_committer == Person(name="acc-ann", jira="acc-ann")
    assert (found.estimate, found.remaining_estimate) == (7200, 2)


def doc(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"type": "doc", "version": 1, "content": list(blocks)}


def line(*inlines: dict[str, Any] | str) -> dict[str, Any]:
    nodes = [{"type": "text", "text": one} if isinstance(one, str) else one for one in inlines]
    return {"type": "paragraph", "content": nodes}


def link(words: str, address: str) -> dict[str, Any]:
    return {"type": "text", "text": words, "marks": [{"type": "link", "attrs": {"href": address}}]}


CRAFTY = {"type": "mention", "attrs": {"id": "acc-crafty", "text": "@Crafty"}}
CARD = {"type": "inlineCard", "attrs": {"url": f"{SITE}/browse/SE-7"}}

WORDS = [
    pytest.param("split from SE-7", "split from SE-7", id="words"),
    pytest.param("for [~accountid:557058:ab-1] and [~bob]", "for [~557058:ab-1] and [~bob]", id="both mentions"),
    pytest.param("one\r\ntwo", "one\ntwo", id="lines of Windows"),
    pytest.param(r"\[~accountid:x] stays", r"\[~accountid:x] stays", id="an escaped mention is none"),
    pytest.param("", None, id="nothing"),
    pytest.param(" \n", None, id="blanks"),
    pytest.param(None, None, id="null"),
    pytest.param(doc(), None, id="an empty document"),
    pytest.param(doc(line("one"), line("two")), "one\ntwo", id="paragraphs are lines"),
    pytest.param(doc(line("a", {"type": "hardBreak"}, "b")), "a\nb", id="a break"),
    pytest.param(doc(line(CRAFTY, " accept")), "[~acc-crafty] accept", id="a mention in a document"),
    pytest.param(doc(line("split from ", CARD)), f"split from {SITE}/browse/SE-7", id="a card"),
    pytest.param(doc({"type": "blockCard", "attrs": {"url": SITE}}), SITE, id="a card of its own"),
    pytest.param(doc(line(link("SE-7", SITE), ".")), f"SE-7 {SITE}.", id="a link with its address"),
    pytest.param(doc(line(link(SITE, SITE))), SITE, id="a link that is its address"),
    pytest.param(doc(line({"type": "date", "attrs": {"timestamp": "1793696400000"}})), "2026-11-03", id="a date"),
    pytest.param(doc(line({"type": "date", "attrs": {"timestamp": "soon"}}, "x")), "x", id="not a date that is none"),
    pytest.param(
        doc({"type": "bulletList", "content": [{"type": "listItem", "content": [line(one)]} for one in "ab"]}),
        "a\nb",
        id="a list",
    ),
    pytest.param(
        doc({"type": "panel", "content": [{"type": "taskList", "content": [{"type": "taskItem", "content": []}]}]}),
        None,
        id="blocks without words",
    ),
    pytest.param(
        doc({"type": "blockquote", "content": [line(CRAFTY, " accept"), line("b")]}, line("c")),
        "> [~acc-crafty] accept\n> b\nc",
        id="what somebody else said",
    ),
    pytest.param(
        doc({"type": "codeBlock", "content": [{"type": "text", "text": "a\nb"}]}),
        "```\na\nb\n```",
        id="a block of code",
    ),
    pytest.param(
        doc(line("run ", {"type": "text", "text": "@crafty why", "marks": [{"type": "code"}]})),
        "run `@crafty why`",
        id="code in a line",
    ),
    pytest.param(doc(line("a", {"type": "placeholder"}, "b")), "ab", id="an inline node that we do not know"),
]


@pytest.mark.parametrize(("body", "words"), WORDS)
def test_a_description_becomes_plain_words(body: Any, words: str | None) -> None:
    assert ticket(description=body).description == words


@pytest.mark.parametrize(("body", "words"), WORDS)
def test_a_comment_says_the_same_words(body: Any, words: str | None) -> None:
    assert text_from(msgspec.Raw(msgspec.json.encode(body))) == (words or "")


@pytest.mark.parametrize("body", [7, [], {"type": "doc", "content": "x"}], ids=["a number", "a list", "no nodes"])
def test_a_body_that_is_neither_text_nor_document_is_refused(body: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        ticket(description=body)


@given(st.text())
def test_no_text_breaks_the_reader_of_words(text: str) -> None:
    words = ticket(description=text).description
    assert words is None or words == words.strip() != ""


def comment(**changes: Any) -> RawComment:
    usual = {"id": "7", "author": {"accountId": "acc-ann", "displayName": "Ann"}, "created": "2026-11-03T10:00+0100"}
    return read({**usual, "body": "[~accountid:bob], [~cy] and [~bob]", **changes}, RawComment)


def test_a_remark_has_its_author_its_date_and_each_mention_once() -> None:
    remark = remark_from(comment(updateAuthor={"accountId": "acc-sam"}, updated="2026-11-04T10:00+0100"))
    assert (remark.id, remark.at, remark.author) == ("7", AT, ANN)
    assert (remark.text, remark.mentions) == ("[~bob], [~cy] and [~bob]", ("bob", "cy"))


def test_a_document_is_a_remark_too() -> None:
    remark = remark_from(comment(body=doc(line(CRAFTY, " why")), author=None))
    assert (remark.text, remark.mentions, remark.author) == ("[~acc-crafty] why", ("acc-crafty",), None)


def test_what_a_document_quotes_or_shows_as_code_is_no_command() -> None:
    quote = {"type": "blockquote", "content": [line(CRAFTY, " accept")]}
    code = {"type": "codeBlock", "content": [{"type": "text", "text": "@crafty accept"}]}
    remark = remark_from(comment(body=doc(quote, code, line(CRAFTY, " why"))))
    assert [command.name for command in commands_in(remark.text, {"acc-crafty"})] == ["why"]


@pytest.mark.parametrize("created", [None, "", "yesterday"])
def test_a_comment_without_a_date_is_no_remark(created: str | None) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.created"):
        remark_from(comment(created=created))


SPLIT = {"id": "1", "name": "Issue split", "inward": "split from", "outward": "split to"}


@pytest.mark.parametrize(
    ("raw", "links"),
    [
        pytest.param([], (), id="none"),
        pytest.param(None, (), id="null"),
        pytest.param(
            [{"type": SPLIT, "outwardIssue": {"key": "SE-7"}}], (IssueLink("split to", "SE-7"),), id="it is the source"
        ),
        pytest.param(
            [{"type": SPLIT, "inwardIssue": {"key": "SE-7"}}], (IssueLink("split from", "SE-7"),), id="it is the target"
        ),
        pytest.param([{"type": SPLIT}], (), id="a link whose other end is hidden"),
    ],
)
def test_a_link_says_what_this_ticket_does_to_the_other(raw: Any, links: tuple[IssueLink, ...]) -> None:
    assert ticket(issuelinks=raw).links == links


@pytest.mark.parametrize(("seconds", "hours"), [(None, None), (0, 0.0), (5400, 1.5), (28800, 8.0)])
def test_estimates_of_time_are_hours(seconds: int | None, hours: float | None) -> None:
    about = ticket(timeoriginalestimate=seconds, timeestimate=seconds)
    assert (about.original_estimate, about.remaining_estimate) == (hours, hours)


def test_what_the_issue_does_not_show_stays_unknown() -> None:
    about = ticket(labels=["a"], creator={"accountId": "acc-ann", "displayName": "Ann"})
    assert about.known().keys() == {"key", "url", "labels", "creator"}
    assert (about.labels, about.creator) == (("a",), ANN)


@pytest.mark.parametrize(
    ("value", "completed_at"),
    [
        pytest.param("2026-11-03T10:00:00.000+01:00", AT, id="closed"),
        pytest.param("<null>", None, id="not closed yet"),
    ],
)
def test_a_sprint_of_data_center_says_when_it_was_closed(value: str, completed_at: datetime | None) -> None:
    sprint = sprint_from_text(f"Sprint@1[id=41,state=CLOSED,name=S,completeDate={value},sequence=41]")
    assert sprint is not None
    assert sprint.completed_at == completed_at


def change(**item: Any) -> RawChange:
    return read(item, RawChange)


@pytest.mark.parametrize(
    ("item", "before", "after"),
    [
        pytest.param(
            {"field": "Sprint", "fieldtype": "custom", "fieldId": "customfield_9", "from": "76, 79", "to": "76, 80"},
            (76, 79),
            (76, 80),
            id="the Cloud's, by the field's id",
        ),
        pytest.param({"field": "Sprint", "from": "41", "to": ""}, (41,), (), id="Data Center's, into the backlog"),
        pytest.param({"field": "Sprint", "from": None, "to": "41"}, (), (41,), id="out of the backlog"),
        pytest.param(
            {"field": "Sprint", "from": "1", "fromString": "Team 5, 6", "to": "2", "toString": "7"},
            (1,),
            (2,),
            id="ids alone",
        ),
    ],
)
def test_a_move_names_every_sprint_by_its_id(item: Any, before: tuple[int, ...], after: tuple[int, ...]) -> None:
    changes = [change(field="labels"), change(**item)]
    move = sprint_move_from(changes, FieldMap(sprint="customfield_9"), AT, ANN)
    assert move == SprintMove(at=AT, by=ANN, before=before, after=after)


@pytest.mark.parametrize(
    "item",
    [
        pytest.param({"field": "status", "from": "1", "to": "2"}, id="another field"),
        pytest.param(
            {"field": "Sprint", "fieldId": "customfield_8", "from": "1", "to": "2"}, id="another of that name"
        ),
        pytest.param({"field": "Sprint", "fromString": "Sprint 1", "toString": "Sprint 2"}, id="no ids"),
    ],
)
def test_what_moves_nothing_is_no_move(item: Any) -> None:
    assert sprint_move_from([change(**item)], FieldMap(sprint="customfield_9"), AT, ANN) is None


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        pytest.param(
            {"field": "status", "from": "1", "fromString": "Backlog", "to": "3", "toString": "In progress"},
            StatusChange(at=AT, by=ANN, before="Backlog", after="In progress"),
            id="Data Center's",
        ),
        pytest.param(
            {"field": "Status", "fieldId": "status", "fromString": None, "toString": "Done"},
            StatusChange(at=AT, by=ANN, before="", after="Done"),
            id="the Cloud's, by the field's id",
        ),
        pytest.param({"field": "Status", "fieldtype": "custom", "toString": "ok"}, None, id="a custom field named so"),
    ],
)
def test_a_status_change_names_both_statuses(item: Any, expected: StatusChange | None) -> None:
    assert status_change_from([change(**item)], AT, ANN) == expected
