"""The list of the story's effects: a check holds where its effect was seen, and fails where any of it is missing."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from service.commitments import Commitment
from service.contributions import Acknowledgement
from service.demo._jira_site import JiraComment, JiraIssue, JiraRemoteLink
from service.demo._sender import Answer, Delivery
from service.demo.discourse import ForumPost, ForumTopic
from service.demo.mattermost import ChatMessage
from service.demo.story.checks import (
    Check,
    admins_have_nothing_to_mend,
    got_messages,
    got_posts,
    has_comment,
    has_comments,
    has_internal_ticket,
    has_labels,
    has_lines,
    has_replies,
    has_shares,
    is_answered,
    is_counted,
    is_in,
    is_let_be,
    is_ranked,
    is_reviewed_by,
    is_told,
    made_tickets,
    nobody_gets_more_a_day_than,
    nobody_is_disturbed,
    nothing_is_given_up,
    spilled_over,
    was_ready,
    webhooks_are_accepted,
    wrote_comments,
)
from service.demo.story.expected import EXPECTED, compare
from service.demo.story.scenes import SCENES
from service.demo.story.seen import Seen

NOON = datetime(2026, 11, 4, 11, tzinfo=UTC)
HOUR = timedelta(hours=1)
ASKED = JiraComment(
    "1", "crafty", NOON, NOON, {"crafty": {"key": "green-ticket:SE-1:sprint-42"}}, text="Ann, fill it in"
)
SAID = JiraComment("2", "acc-ann", NOON, NOON, {}, text="I do")
LINK = JiraRemoteLink("1", "crafty=topic:12", "https://forum.example/t/12", "Help")


def issue(key: str = "SE-1", *comments: JiraComment, **fields: Any) -> JiraIssue:
    return JiraIssue("1", key, "acc-sam", NOON, NOON, comments={one.id: one for one in comments}, **fields)


def there(*issues: JiraIssue, **around: Any) -> Seen:
    return Seen(tickets={one.key: one for one in issues}, ranking=[one.key for one in issues], **around)


def told(*messages: ChatMessage) -> Seen:
    return Seen(messages=list(messages), zones={"ann": ZoneInfo("Asia/Kolkata"), "bob": ZoneInfo("Europe/Paris")})


TO_ANN = ChatMessage(("ann",), "Ann, look at SE-1", NOON, is_direct=True)
"""At 16:30 on her clock."""
POSTED = ChatMessage(("#serenity",), "Ann, look at SE-1", NOON, is_direct=False)


def sent(*statuses: int, is_duplicate: bool = False) -> Delivery:
    answers = [Answer(status, {"duplicate": is_duplicate}) for status in statuses]
    return Delivery("issue_updated", "https://crafty.example", {}, b"{}", answers=answers)


TWICE = [sent(202), sent(200, is_duplicate=True)]
TOPIC = ForumTopic(12, "How do I install it?", "carla", NOON, posts=[ForumPost(1, 12, 1, "carla", "Hello", NOON, NOON)])
REPLY = ForumPost(2, 12, 2, "crafty", "@carla, hello", NOON, NOON)
ANSWERED = Acknowledgement(
    contribution="topic:12",
    cell="Serenity",
    title="Help",
    url="https://forum.example/t/12",
    waiting_since=NOON,
    answered_at=NOON + HOUR,
    answered_by="Bob",
    took=HOUR,
)
SPILT = Commitment(
    ticket="SE-1",
    summary="Fix the login",
    url="https://jira.example/browse/SE-1",
    cell="Serenity",
    sprint=41,
    sprint_name="Sprint 41",
    closed_at=NOON,
    status="In Progress",
    is_spillover=True,
    assignee="Ann",
    assignee_id="ann",
    reason="It grew",
    reason_by="Ann",
)
READY = msgspec.structs.replace(SPILT, is_spillover=False, status="Done", reason="", reason_by="")


def accounted(line: Commitment) -> Seen:
    return Seen(commitments={line.ticket: line})


def answered(line: Acknowledgement) -> Seen:
    return Seen(acknowledgements={line.contribution: line})


def on_forum(*replies: ForumPost) -> Seen:
    return Seen(topics={12: replace(TOPIC, posts=[*TOPIC.posts, *replies])})


ONE_COMMENT = has_comment("SE-1", "green-ticket", "fill", since="Wed 04 Nov 12:00")
IN_HOURS = nobody_is_disturbed(8, 20, frozenset({date(2026, 11, 11)}))


@pytest.mark.parametrize(
    ("check", "seen", "holds"),
    [
        pytest.param(ONE_COMMENT, there(issue("SE-1", ASKED, SAID)), True, id="one comment"),
        pytest.param(ONE_COMMENT, there(issue("SE-1", SAID)), False, id="no comment of Crafty"),
        pytest.param(ONE_COMMENT, there(issue("SE-1", ASKED, replace(ASKED, id="3"))), False, id="two comments"),
        pytest.param(ONE_COMMENT, there(issue("SE-1", replace(ASKED, text="Done"))), False, id="another text"),
        pytest.param(ONE_COMMENT, there(issue("SE-1", replace(ASKED, created=NOON + HOUR))), False, id="too late"),
        pytest.param(has_comment("SE-1", "spillover"), there(issue("SE-1", ASKED)), False, id="another rule's comment"),
        pytest.param(has_comments("SE-1", "green-ticket", "Ann"), there(issue("SE-1", ASKED)), True, id="it begins so"),
        pytest.param(
            has_comments("SE-1", "green-ticket", "Bob"), there(issue("SE-1", ASKED)), False, id="or otherwise"
        ),
        pytest.param(has_comments("SE-1", "green-ticket", "A", "B"), there(issue("SE-1", ASKED)), False, id="too few"),
        pytest.param(is_let_be("SE-1"), there(issue("SE-1", SAID)), True, id="let be"),
        pytest.param(is_let_be("SE-1"), there(issue("SE-1", ASKED)), False, id="not let be"),
        pytest.param(is_let_be("SE-1", "SE-2"), there(issue("SE-1")), False, id="one is not there"),
        pytest.param(wrote_comments(1), there(issue("SE-1", ASKED, SAID), issue("SE-2")), True, id="one in all"),
        pytest.param(wrote_comments(1), there(issue("SE-1", ASKED), issue("SE-2", ASKED)), False, id="two in all"),
        pytest.param(is_in("SE-1", 42), there(issue(sprints=[41, 42])), True, id="in the sprint"),
        pytest.param(is_in("SE-1", 41), there(issue(sprints=[41, 42])), False, id="no more in the sprint"),
        pytest.param(is_ranked(40, "B"), there(issue("A"), issue("B", sprints=[40])), True, id="on top of its sprint"),
        pytest.param(is_ranked(40, "B"), there(issue("A", sprints=[40]), issue("B", sprints=[40])), False, id="below"),
        pytest.param(has_labels("SE-1", "x"), there(issue(labels=["crafty-1", "x"])), True, id="the label"),
        pytest.param(has_labels("SE-1", "x"), there(issue(labels=["x", "y"])), False, id="one label too many"),
        pytest.param(has_labels("SE-1"), Seen(), False, id="no ticket"),
        pytest.param(is_reviewed_by("SE-1", "acc-ann"), there(issue(reviewer="acc-ann")), True, id="the reviewer"),
        pytest.param(is_reviewed_by("SE-1", "acc-ann"), there(issue(reviewer=None)), False, id="no reviewer"),
        pytest.param(is_told("ann", "Wed 04 Nov 16:30", "SE-1"), told(TO_ANN), True, id="told at that time of hers"),
        pytest.param(is_told("ann", "Wed 04 Nov 12:00", "SE-1"), told(TO_ANN), False, id="told at another time"),
        pytest.param(is_told("ann", "Wed 04 Nov 16:30", "SE-2"), told(TO_ANN), False, id="told something else"),
        pytest.param(is_told("ann", "Wed 04 Nov 16:30", "SE-1"), told(TO_ANN, TO_ANN), False, id="told twice"),
        pytest.param(is_told("bob", "Wed 04 Nov 12:00", "SE-1"), told(TO_ANN), False, id="somebody else was told"),
        pytest.param(got_messages(ann=1), told(TO_ANN, POSTED), True, id="so many messages"),
        pytest.param(got_messages(ann=1), told(TO_ANN, TO_ANN), False, id="one message too many"),
        pytest.param(got_messages(ann=1), told(TO_ANN, replace(TO_ANN, recipients=("bob",))), False, id="also to Bob"),
        pytest.param(got_posts("serenity", 1), told(TO_ANN, POSTED), True, id="one post"),
        pytest.param(got_posts("serenity", 1), told(POSTED, POSTED), False, id="two posts"),
        pytest.param(got_posts("liberty", 1), told(POSTED), False, id="a post in another channel"),
        pytest.param(IN_HOURS, told(TO_ANN), True, id="in the afternoon"),
        pytest.param(IN_HOURS, told(replace(TO_ANN, at=NOON + 4 * HOUR)), False, id="after eight in her evening"),
        pytest.param(IN_HOURS, told(replace(TO_ANN, at=NOON + timedelta(days=3))), False, id="on a Saturday"),
        pytest.param(IN_HOURS, told(replace(TO_ANN, at=NOON + timedelta(days=7))), False, id="on the holiday"),
        pytest.param(nobody_gets_more_a_day_than(2), told(TO_ANN, TO_ANN, POSTED), True, id="two a day"),
        pytest.param(nobody_gets_more_a_day_than(2), told(TO_ANN, TO_ANN, TO_ANN), False, id="three a day"),
        pytest.param(
            has_internal_ticket("topic:12", "SE-1", "acc-fay", date(2026, 11, 24)),
            there(issue(assignee="acc-fay", due=date(2026, 11, 24), remote_links={LINK.global_id: LINK})),
            True,
            id="its ticket",
        ),
        pytest.param(
            has_internal_ticket("topic:12", "SE-1", "acc-fay", date(2026, 11, 24)),
            there(issue(assignee="acc-fay", due=date(2026, 11, 24))),
            False,
            id="its ticket without a link",
        ),
        pytest.param(made_tickets("community", 1), there(issue(labels=["community"]), issue("SE-2")), True, id="one"),
        pytest.param(made_tickets("community", 1), there(issue()), False, id="none"),
        pytest.param(is_answered("topic:12", "Bob", HOUR), answered(ANSWERED), True, id="answered"),
        pytest.param(is_answered("topic:12", "Ann", HOUR), answered(ANSWERED), False, id="answered by somebody else"),
        pytest.param(is_answered("topic:12", "Bob", 2 * HOUR), answered(ANSWERED), False, id="after another time"),
        pytest.param(is_answered("topic:12", "Bob", HOUR, is_missed=True), answered(ANSWERED), False, id="in time"),
        pytest.param(is_counted("topic:12"), answered(ANSWERED), True, id="counted"),
        pytest.param(is_counted("topic:12", "topic:13"), answered(ANSWERED), False, id="one is not counted"),
        pytest.param(spilled_over("SE-1", "In Progress", "It grew", "Ann"), accounted(SPILT), True, id="spilled over"),
        pytest.param(spilled_over("SE-1", "In Progress", "It grew", "Bob"), accounted(SPILT), False, id="who said so?"),
        pytest.param(spilled_over("SE-1", "Done", "", ""), accounted(READY), False, id="no spillover"),
        pytest.param(was_ready("SE-1", "Done"), accounted(READY), True, id="ready"),
        pytest.param(was_ready("SE-1", "In Progress"), accounted(SPILT), False, id="not ready"),
        pytest.param(has_lines("SE-1"), accounted(SPILT), True, id="the line"),
        pytest.param(has_lines("SE-1", "SE-2"), accounted(SPILT), False, id="a line too few"),
        pytest.param(has_shares(ann=0), accounted(SPILT), True, id="no clean sprint"),
        pytest.param(has_shares(ann=0), accounted(READY), False, id="a clean sprint"),
        pytest.param(has_replies("install", 1, "@carla"), on_forum(REPLY), True, id="one reply"),
        pytest.param(has_replies("install", 1, "@carla"), on_forum(REPLY, REPLY), False, id="two replies"),
        pytest.param(has_replies("install", 0), on_forum(), True, id="no reply"),
        pytest.param(has_replies("install", 0), Seen(), False, id="no topic"),
        pytest.param(webhooks_are_accepted(1), Seen(deliveries=TWICE), True, id="accepted"),
        pytest.param(webhooks_are_accepted(1), Seen(deliveries=TWICE[:1]), False, id="the duplicate was taken for new"),
        pytest.param(webhooks_are_accepted(1), Seen(deliveries=[*TWICE, sent(503, 202)]), False, id="the second time"),
        pytest.param(webhooks_are_accepted(1), Seen(deliveries=[*TWICE, sent(401)]), False, id="refused"),
        pytest.param(nothing_is_given_up, Seen(dead_letters=["a"]), False, id="given up"),
        pytest.param(admins_have_nothing_to_mend, Seen(warnings={"a": "b"}), False, id="a warning"),
    ],
)
def test_what_a_check_asks(check: Check, seen: Seen, holds: bool) -> None:
    assert check(seen) is holds


def test_where_nothing_was_seen_nothing_is_fulfilled() -> None:
    assert [what for what, was_seen in compare(Seen()) if was_seen] == [
        "No work was given up",
        "Admins have nothing to mend",
    ]


def test_each_effect_is_told_of_once() -> None:
    words = [what for what, *_ in EXPECTED]

    assert len(set(words)) == len(words)


def test_the_scenes_follow_each_other() -> None:
    times = [scene.at for scene in SCENES]

    assert times == sorted(set(times))
