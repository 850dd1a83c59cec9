"""Discourse's deliveries into notes: who opened a topic, who answered it, who closed it; the rest is left unread."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.contributions import Contribution, Note
from service.events import ContributionNoted, Event, Ignored
from service.facts import Person
from service.webhooks.discourse import parse
from tests.webhooks.payloads import body, post

FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures" / "discourse"
REAL = [path for path in sorted(FIXTURES.glob("*.json")) if not path.stem.endswith(".headers")]
RECEIVED = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
WRITTEN = datetime(2026, 11, 3, 8, 59, tzinfo=UTC)
SITE = "https://forum.example"
CARLA = Person(name="Carla", discourse="carla")
DAN = {"id": 8, "username": "dan", "name": "Dan", "avatar_template": "/a/{size}.png"}


def topic(**changes: Any) -> dict[str, Any]:
    """A `topic_created` in a watched category."""
    usual: dict[str, Any] = {
        "id": 77,
        "title": "How do I install it?",
        "slug": "how-do-i-install-it",
        "archetype": "regular",
        "category_id": 7,
        "user_id": 5,
        "closed": False,
        "archived": False,
        "deleted_at": None,
        "created_at": "2026-11-03T08:59:00.000Z",
        "last_posted_at": "2026-11-03T08:59:30.000Z",
        "created_by": {"id": 5, "username": "carla", "name": "Carla", "avatar_template": "/a/{size}.png"},
    }
    return {"topic": {**usual, **changes}}


def opener(**changes: Any) -> dict[str, Any]:
    """The `post_created` of a topic's first post."""
    return post(**{"post_number": 1, "user_id": 5, "topic_slug": "how-do-i-install-it", **changes})


def read(name: str, payload: dict[str, Any], url: str = SITE) -> Event | Ignored:
    return parse(name, name.partition("_")[0], body(payload), {7}, RECEIVED, url)


def notes(name: str, payload: dict[str, Any]) -> tuple[Note, ...]:
    event = read(name, payload)
    return event.notes if isinstance(event, ContributionNoted) else ()


def opened(**changes: Any) -> Note:
    usual: dict[str, Any] = {
        "what": "opened",
        "at": WRITTEN,
        "by": CARLA,
        "title": "How do I install it?",
        "url": "https://forum.example/t/how-do-i-install-it/77",
        "kind": "topic",
    }
    return Note(**{**usual, **changes})


def answered(**changes: Any) -> Note:
    return Note(**{"what": "answered", "at": WRITTEN, "by": CARLA, "id": "post-2", **changes})


def test_the_first_post_opens_a_contribution_of_its_category() -> None:
    event = read("post_created", opener())
    assert isinstance(event, ContributionNoted)
    assert (event.subject, event.contribution.place, event.at, event.actor) == ("topic:77", 7, WRITTEN, CARLA)
    assert (event.contribution.author, event.contribution.answers) == (CARLA, ())


@pytest.mark.parametrize(
    ("name", "payload", "told"),
    [
        pytest.param("post_created", opener(), opened(), id="a topic's first post"),
        pytest.param(
            "post_created", opener(topic_slug=None), opened(url=f"{SITE}/t/-/77"), id="a topic without a slug"
        ),
        pytest.param("post_created", opener(username=None), opened(by=None), id="a topic by nobody"),
        pytest.param("post_created", opener(user_id=-1), opened(is_bot=True), id="a topic of the forum's own"),
        pytest.param("post_created", opener(raw="@crafty help"), opened(), id="a first post that speaks to us"),
        pytest.param(
            "post_edited", opener(topic_title="Wie?"), opened(title="Wie?"), id="a first post under a new title"
        ),
        pytest.param("post_created", opener(admin=True, staff=True), opened(is_member=True), id="an admin's topic"),
        pytest.param("post_created", opener(moderator=True), opened(is_member=True), id="a moderator's topic"),
        pytest.param("post_created", opener(admin=False, staff=False), opened(), id="a visitor's topic"),
        pytest.param(
            "post_created",
            opener(primary_group_name="team"),
            opened(groups=("team",)),
            id="the topic of a group's member",
        ),
        pytest.param("post_created", post(), answered(), id="an answer"),
        pytest.param("post_edited", post(), answered(), id="an answer, edited"),
        pytest.param("post_recovered", post(), answered(), id="an answer, brought back"),
        pytest.param("post_created", post(created_at=None, updated_at=None), answered(at=RECEIVED), id="no time"),
        pytest.param(
            "post_edited",
            post(created_at="2026-11-03T08:59:00.000Z", updated_at="2026-11-03T10:00:00Z"),
            answered(),
            id="an answer is as old as when it was written first",
        ),
        pytest.param(
            "post_created", post(name=None), answered(by=Person(name="carla", discourse="carla")), id="no name"
        ),
        pytest.param("post_created", post(username=None), answered(by=None), id="an answer by nobody"),
        pytest.param("post_created", post(staff=True), answered(is_member=True), id="an answer by the staff"),
        pytest.param("post_created", post(user_id=-2), answered(is_bot=True), id="an answer by discobot"),
        pytest.param("post_created", post(user_id=0), answered(), id="an answer by the first account"),
        pytest.param(
            "post_created",
            post(post_number=3, raw="Thanks!\n@crafty why"),
            answered(id="post-3", text="Thanks!\n@crafty why"),
            id="an answer that speaks to us",
        ),
        pytest.param("post_created", post(raw="@craftywoman, look"), answered(), id="an answer to somebody else"),
        pytest.param("post_created", post(raw=None), answered(), id="an answer whose words did not come along"),
        pytest.param(
            "post_created",
            post(post_type=3, action_code="closed.enabled", raw=""),
            Note(what="closed", at=WRITTEN, by=CARLA),
            id="somebody closed it",
        ),
        pytest.param(
            "post_created",
            post(post_type=3, action_code="autoclosed.enabled", user_id=-1),
            Note(what="closed", at=WRITTEN, by=CARLA, is_bot=True),
            id="its timer closed it",
        ),
        pytest.param(
            "post_created",
            post(post_type=3, action_code="archived.enabled"),
            Note(what="closed", at=WRITTEN, by=CARLA),
            id="somebody archived it",
        ),
        pytest.param(
            "post_created",
            post(post_type=3, action_code="closed.disabled"),
            Note(what="reopened", at=WRITTEN, by=CARLA),
            id="somebody opened it again",
        ),
        pytest.param(
            "topic_destroyed",
            topic(deleted_at="2026-11-03T08:59:59Z", deleted_by=DAN),
            Note(what="closed", at=WRITTEN.replace(second=59), by=Person(name="Dan", discourse="dan")),
            id="somebody deleted it",
        ),
        pytest.param(
            "topic_destroyed",
            topic(),
            Note(what="closed", at=RECEIVED),
            id="an older forum does not tell who deleted it",
        ),
        pytest.param("topic_recovered", topic(), Note(what="reopened", at=RECEIVED), id="it was brought back"),
    ],
)
def test_what_a_delivery_tells(name: str, payload: dict[str, Any], told: Note) -> None:
    assert notes(name, payload) == (told,)


@pytest.mark.parametrize(
    ("name", "payload", "at", "actor"),
    [
        pytest.param("topic_created", topic(), WRITTEN, CARLA, id="a new topic does not tell its author's rights"),
        pytest.param("topic_created", topic(created_at=None, created_by=None), RECEIVED, None, id="nor its author"),
        pytest.param("topic_edited", topic(title="Wie?"), RECEIVED, None, id="a new title"),
        pytest.param("topic_closed_status_updated", topic(closed=True), RECEIVED, None, id="a closed topic"),
        pytest.param("topic_archived_status_updated", topic(archived=True), RECEIVED, None, id="an archived topic"),
    ],
)
def test_what_a_topic_does_not_tell_is_left_to_a_look(
    name: str, payload: dict[str, Any], at: datetime, actor: Person | None
) -> None:
    untold = Contribution(key="topic:77", place=7, ticket=None)
    assert read(name, payload) == ContributionNoted(at=at, actor=actor, contribution=untold, notes=())


def test_an_answer_alone_does_not_tell_whose_topic_it_is() -> None:
    event = read("post_created", post())
    assert isinstance(event, ContributionNoted)
    assert event.contribution.known() == {"key": "topic:77", "place": 7, "ticket": None}


@pytest.mark.parametrize(
    ("address", "link"),
    [
        pytest.param("", "", id="no address, no link"),
        pytest.param(
            "https://forum.example/", "https://forum.example/t/how-do-i-install-it/77", id="a slash at its end"
        ),
        pytest.param("https://x.example/f", "https://x.example/f/t/how-do-i-install-it/77", id="a folder"),
    ],
)
def test_links_lead_to_the_forums_address(address: str, link: str) -> None:
    event = read("post_created", opener(), url=address)
    assert isinstance(event, ContributionNoted)
    assert event.contribution.url == link


@pytest.mark.parametrize(
    ("name", "payload", "reason"),
    [
        pytest.param("topic_created", topic(archetype="private_message"), "private", id="a private message"),
        pytest.param("post_created", post(topic_archetype="private_message"), "private", id="an answer in private"),
        pytest.param("topic_created", topic(category_id=8), "no cell", id="another category"),
        pytest.param("post_created", post(category_id=8), "no cell", id="an answer in another category"),
        pytest.param("topic_created", topic(category_id=None), "no cell", id="no category"),
        pytest.param("post_created", post(category_id=None), "no cell", id="an answer where no category is named"),
        pytest.param("post_destroyed", post(), "deleted", id="a deleted answer"),
        pytest.param("post_created", post(deleted_at="2026-11-03T09:00:00Z"), "hidden", id="deleted meanwhile"),
        pytest.param("post_created", post(hidden=True), "hidden", id="a flagged answer"),
        pytest.param("post_created", post(user_deleted=True), "hidden", id="an answer its author took back"),
        pytest.param("post_created", post(post_type=2), "own", id="a moderator's note"),
        pytest.param("post_created", post(post_type=4), "whisper", id="a whisper"),
        pytest.param(
            "post_created", post(post_type=4, action_code="closed.enabled"), "whisper", id="a whispered action"
        ),
        pytest.param("post_created", post(post_type=3), "own", id="an action without a code"),
        pytest.param("post_created", post(post_type=3, action_code="pinned.enabled"), "own", id="a topic was pinned"),
        pytest.param("post_created", post(post_type=3, action_code="closed"), "own", id="half a code"),
        pytest.param("user_created", {"user": {"id": 1}}, "user_created", id="an account"),
        pytest.param("ping", {"ping": "OK"}, "ping", id="a ping"),
    ],
)
def test_what_is_left_unread(name: str, payload: dict[str, Any], reason: str) -> None:
    event = read(name, payload)
    assert isinstance(event, Ignored)
    assert reason in event.reason


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        pytest.param("topic_created", {}, id="no topic"),
        pytest.param("post_created", {}, id="no post"),
        pytest.param("post_created", {"post": {"id": 900}}, id="a post of no topic"),
        pytest.param("topic_created", topic(title=None), id="a topic without a title"),
        pytest.param("topic_created", topic(created_at="2026-11-03T08:59:00"), id="a time without a zone"),
    ],
)
def test_a_payload_without_what_it_must_have_is_refused(name: str, payload: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(name, payload)


@given(text=st.text())
def test_words_are_kept_only_where_they_speak_to_us(text: str) -> None:
    (note,) = notes("post_created", post(raw=text))
    assert note.text in {"", text}
    assert not note.text or "crafty" in text.casefold()


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="the folder of real deliveries is not beside this checkout")
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_real_deliveries(path: Path) -> None:
    """The posts among them are older than the category in a post's payload, or private messages."""
    headers = json.loads(path.with_suffix(".headers.json").read_text())
    name, kind = headers["x-discourse-event"], headers["x-discourse-event-type"]
    event = parse(name, kind, path.read_bytes(), {44}, RECEIVED, SITE)
    assert isinstance(event, Ignored if kind == "post" else ContributionNoted)


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="the folder of real deliveries is not beside this checkout")
@pytest.mark.parametrize("path", [path for path in REAL if "jellyfish" in path.stem and "post_" in path.stem])
def test_real_posts_as_newer_forums_send_them(path: Path) -> None:
    written = json.loads(path.read_text())["post"]
    told = notes("post_created", {"post": {**written, "category_id": 7}})
    is_public = written["post_type"] == 1 and written["deleted_at"] is None
    assert [(note.name, note.is_member) for note in told] == [(_name(written["post_number"]), True)] * is_public


def _name(number: int) -> str:
    return "opened" if number == 1 else f"answered:post-{number}"
