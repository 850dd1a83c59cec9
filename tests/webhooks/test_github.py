"""GitHub's deliveries become notes on contributions."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.contributions import Note
from service.events import ContributionNoted, Ignored
from service.facts import Person
from service.webhooks.github import parse

FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures" / "github"
REAL = sorted(path for path in FIXTURES.glob("*.json") if not path.name.endswith(".headers.json"))
RECEIVED = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)
OPENED = datetime(2026, 11, 3, 8, 0, tzinfo=UTC)
CHANGED = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
WATCHED = {"open-craft/xblock-poll"}
CARLA = {"login": "carla", "type": "User"}
BOB = {"login": "bob", "type": "User"}
ITEM = {
    "number": 12,
    "title": "Fix the poll",
    "html_url": "https://github.com/open-craft/xblock-poll/pull/12",
    "created_at": "2026-11-03T08:00:00Z",
    "updated_at": "2026-11-03T09:00:00Z",
    "closed_at": None,
    "draft": False,
    "user": CARLA,
    "author_association": "NONE",
}
ANSWER = {"id": 501, "user": BOB, "author_association": "MEMBER", "created_at": "2026-11-03T08:30:00Z"}


def delivery(action: str, *, sender: Any = CARLA, private: bool = False, **parts: Any) -> bytes:
    """A delivery about a public repository; parts: pull_request, issue, comment, review."""
    repository = {"full_name": "open-craft/XBlock-Poll", "private": private}
    return json.dumps({"action": action, **parts, "repository": repository, "sender": sender}).encode()


def pull_request(action: str, sender: Any = CARLA, **changes: Any) -> ContributionNoted:
    return noted("pull_request", delivery(action, sender=sender, pull_request={**ITEM, **changes}))


def noted(name: str, body: bytes) -> ContributionNoted:
    event = parse(name, body, WATCHED, RECEIVED)
    assert isinstance(event, ContributionNoted)
    return event


def summary(event: ContributionNoted) -> list[str]:
    """Each note in one line: what, when, by whom, and its id."""
    return [f"{n.what} {n.at:%H:%M} {n.by.name if n.by else '-'} {n.id}".strip() for n in event.notes]


def test_a_pull_request_by_a_stranger_is_a_contribution() -> None:
    event = pull_request("opened")

    carla = Person(name="carla", github="carla")
    assert event.notes == (
        Note(
            what="opened",
            at=OPENED,
            by=carla,
            title="Fix the poll",
            url="https://github.com/open-craft/xblock-poll/pull/12",
            kind="pull request",
        ),
    )
    about = event.contribution
    assert (about.key, about.place) == ("github:open-craft/xblock-poll#12", "open-craft/xblock-poll")
    assert (about.author, about.waiting_since, about.is_draft, about.closed_at) == (carla, OPENED, False, None)
    assert (event.at, event.actor) == (CHANGED, carla)


@pytest.mark.parametrize(
    ("action", "changes", "expected"),
    [
        pytest.param("opened", {"draft": True}, ["drafted 08:00 carla"], id="opened as a draft"),
        pytest.param("ready_for_review", {}, ["readied 09:00 bob"], id="ready now"),
        pytest.param("converted_to_draft", {"draft": True}, ["drafted 09:00 bob"], id="a draft now"),
        pytest.param("closed", {"closed_at": "2026-11-03T08:59:59Z"}, ["closed 08:59 bob"], id="closed"),
        pytest.param("closed", {"updated_at": None}, ["closed 09:30 bob"], id="closed at no known time"),
        pytest.param("reopened", {}, ["reopened 09:00 bob"], id="reopened"),
        pytest.param("labeled", {}, [], id="labelled, where the opening got lost"),
        pytest.param("synchronize", {"draft": True}, ["drafted 08:00 carla"], id="pushed to a draft that got lost"),
    ],
)
def test_every_delivery_tells_of_the_opening_and_of_what_happened(
    action: str, changes: dict[str, Any], expected: list[str]
) -> None:
    assert summary(pull_request(action, BOB, **changes)) == ["opened 08:00 carla", *expected]


@pytest.mark.parametrize("action", ["closed", "deleted", "transferred"])
def test_an_issue_that_is_closed_or_gone_waits_no_more(action: str) -> None:
    event = noted("issues", delivery(action, sender=BOB, issue=ITEM))
    assert (event.contribution.kind, event.contribution.closed_at) == ("issue", CHANGED)
    assert event.contribution.closed_by == Person(name="bob", github="bob")


def test_a_label_on_what_was_closed_long_ago_says_nothing() -> None:
    body = delivery("labeled", issue={**ITEM, "closed_at": "2026-11-03T08:59:59Z"})
    assert parse("issues", body, WATCHED, RECEIVED) == Ignored("it was closed before")


@pytest.mark.parametrize(
    ("name", "action", "parts", "expected"),
    [
        pytest.param("issue_comment", "created", {"issue": ITEM, "comment": ANSWER}, "comment-501", id="a comment"),
        pytest.param(
            "pull_request_review",
            "submitted",
            {"pull_request": ITEM, "review": {**ANSWER, "created_at": None, "submitted_at": "2026-11-03T08:30:00Z"}},
            "review-501",
            id="a review",
        ),
        pytest.param(
            "pull_request_review_comment",
            "created",
            {"pull_request": ITEM, "comment": ANSWER},
            "inline-501",
            id="a comment on a line",
        ),
    ],
)
def test_answers(name: str, action: str, parts: dict[str, Any], expected: str) -> None:
    event = noted(name, delivery(action, sender=BOB, **parts))
    (answer,) = event.contribution.answers
    assert (answer.id, answer.at, answer.is_member) == (expected, datetime(2026, 11, 3, 8, 30, tzinfo=UTC), True)
    assert (answer.by, event.contribution.opened_at) == (Person(name="bob", github="bob"), OPENED)


@pytest.mark.parametrize(
    ("name", "action", "parts"),
    [
        pytest.param("issue_comment", "edited", {"issue": ITEM, "comment": ANSWER}, id="an edited comment"),
        pytest.param("issue_comment", "deleted", {"issue": ITEM, "comment": ANSWER}, id="a deleted comment"),
        pytest.param("pull_request_review", "dismissed", {"pull_request": ITEM, "review": ANSWER}, id="dismissed"),
    ],
)
def test_what_is_done_to_an_answer_is_no_answer_and_closes_nothing(
    name: str, action: str, parts: dict[str, Any]
) -> None:
    assert summary(noted(name, delivery(action, **parts))) == ["opened 08:00 carla"]


@pytest.mark.parametrize(
    ("issue", "kind"),
    [
        pytest.param(ITEM, "issue", id="an issue"),
        pytest.param({**ITEM, "pull_request": {"url": "x"}}, "pull request", id="a pull request in its other view"),
    ],
)
def test_a_comment_tells_pull_requests_and_issues_apart(issue: dict[str, Any], kind: str) -> None:
    event = noted("issue_comment", delivery("created", issue=issue, comment=ANSWER))
    assert (event.contribution.kind, event.contribution.key) == (kind, "github:open-craft/xblock-poll#12")


@pytest.mark.parametrize(
    ("association", "is_member"),
    [
        ("OWNER", True),
        ("MEMBER", True),
        ("COLLABORATOR", True),
        ("CONTRIBUTOR", False),
        ("FIRST_TIMER", False),
        ("FIRST_TIME_CONTRIBUTOR", False),
        ("MANNEQUIN", False),
        ("NONE", False),
        (None, False),
    ],
)
def test_who_counts_as_a_member(association: str | None, is_member: bool) -> None:
    event = pull_request("opened", author_association=association)
    assert event.contribution.is_member is is_member


@pytest.mark.parametrize(
    ("user", "is_bot"),
    [
        pytest.param(CARLA, False, id="a person"),
        pytest.param({"login": "renovate", "type": "Bot"}, True, id="by its type"),
        pytest.param({"login": "dependabot[bot]"}, True, id="by its name"),
        pytest.param({"login": "talbot"}, False, id="a name that only sounds so"),
    ],
)
def test_who_is_a_bot(user: dict[str, str], is_bot: bool) -> None:
    assert pull_request("opened", user=user).contribution.is_bot is is_bot


def test_a_deleted_account_is_nobody() -> None:
    event = pull_request("opened", None, user=None)
    assert (event.actor, event.contribution.author) == (None, None)


def test_a_redelivery_tells_the_same() -> None:
    body = delivery("created", issue=ITEM, comment=ANSWER)
    first = noted("issue_comment", body)
    later = parse("issue_comment", body, WATCHED, datetime(2026, 11, 5, 9, 30, tzinfo=UTC))
    assert first == later


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        pytest.param("ping", b'{"zen": "Speak like a human."}', "no rule is concerned with “ping”", id="a ping"),
        pytest.param("", b"{}", "it names no event", id="no name"),
        pytest.param(
            "issues",
            delivery("opened", private=True, issue=ITEM),
            "private repositories are dropped unread",
            id="a private repository",
        ),
        pytest.param(
            "issues",
            delivery("opened", issue=ITEM).replace(b"XBlock-Poll", b"other"),
            "no cell looks after that repository",
            id="a repository of nobody",
        ),
    ],
)
def test_what_concerns_no_cell(name: str, body: bytes, reason: str) -> None:
    assert parse(name, body, WATCHED, RECEIVED) == Ignored(reason)


@pytest.mark.parametrize(
    ("name", "body", "place"),
    [
        pytest.param("issues", b'{"action": "opened"}', "repository", id="no repository"),
        pytest.param("issues", delivery("opened"), "issue", id="no issue"),
        pytest.param("pull_request", delivery("opened", issue=ITEM), "pull_request", id="no pull request"),
        pytest.param("issue_comment", delivery("created", issue=ITEM), "comment", id="no comment"),
        pytest.param("pull_request_review", delivery("submitted", pull_request=ITEM), "review", id="no review"),
        pytest.param("issues", delivery("opened", issue={**ITEM, "number": "12"}), "number", id="a number in words"),
        pytest.param(
            "issues", delivery("opened", issue={**ITEM, "created_at": "yesterday"}), "created_at", id="no instant"
        ),
    ],
)
def test_an_event_without_what_it_must_have_is_refused(name: str, body: bytes, place: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=place):
        parse(name, body, WATCHED, RECEIVED)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        parse("ping", b"{", WATCHED, RECEIVED)


class Everywhere:
    """Every repository is watched."""

    def __contains__(self, place: object) -> bool:
        return True


def real(path: Path) -> ContributionNoted | Ignored:
    """What a real delivery says; its event stands in the file's name."""
    names = ("pull_request_review_comment", "pull_request_review_thread", "pull_request_review", "issue_comment")
    known = (*names, "pull_request", "issues", "ping")
    name = next(name for name in known if path.stem.partition("__")[2].startswith(name))
    return parse(name, path.read_bytes(), Everywhere(), RECEIVED)


@pytest.mark.skipif(not REAL, reason="the real deliveries are not on this machine")
def test_real_deliveries_tell_what_their_names_say() -> None:
    told = {path.stem.partition(".with-")[0]: real(path) for path in REAL}
    noted = {name: event for name, event in told.items() if isinstance(event, ContributionNoted)}

    assert {name: [note.what for note in event.notes[1:]] for name, event in noted.items() if len(event.notes) > 1} == {
        "octokit__issue_comment.created": ["answered"],
        "octokit__issues.deleted": ["closed"],
        "octokit__pull_request.converted_to_draft": ["drafted"],
        "octokit__pull_request.ready_for_review": ["readied"],
        "octokit__pull_request.reopened": ["reopened"],
        "octokit__pull_request_review.submitted": ["answered"],
        "octokit__pull_request_review_comment.created": ["answered"],
        "zulip__pull_request__closed": ["closed"],
        "zulip__pull_request__merged": ["closed"],
        "zulip__pull_request__ready_for_review": ["readied"],
        "zulip__pull_request_review__empty_body": ["answered"],
        "zulip__pull_request_review_comment": ["answered"],
    }
    assert set(told) - set(noted) == {"octokit__ping", "octokit__pull_request_review_thread.unresolved"}
    assert {event.notes[0].what for event in noted.values()} == {"opened"}


@pytest.mark.skipif(not REAL, reason="the real deliveries are not on this machine")
def test_in_real_deliveries_strangers_are_told_from_members() -> None:
    events = [event for event in map(real, REAL) if isinstance(event, ContributionNoted)]
    strangers = {event.contribution.author for event in events if not event.contribution.is_member}
    assert strangers == {Person(name=login, github=login) for login in ("baxterthehacker", "gsong", "singhsourabh")}
    assert not any(event.contribution.is_bot for event in events)


@pytest.mark.skipif(not REAL, reason="the real deliveries are not on this machine")
@pytest.mark.parametrize("name", ["issues", "pull_request", "issue_comment", "pull_request_review", "push", ""])
def test_a_real_delivery_under_any_name_is_told_ignored_or_refused(name: str) -> None:
    outcomes = [outcome_of(name, path.read_bytes()) for path in REAL]
    assert {ContributionNoted, Ignored, msgspec.ValidationError}.issuperset(outcomes)


def outcome_of(name: str, body: bytes) -> type:
    try:
        return type(parse(name, body, Everywhere(), RECEIVED))
    except msgspec.ValidationError as refused:
        return type(refused)
