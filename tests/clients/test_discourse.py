"""Discourse: topics are read whole, and answered once."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import respx

from service.clients.discourse import Discourse, connect
from service.contributions import Listed, Note
from service.errors import CannotAct, NotFound, TryLater
from service.facts import Person
from service.texts import Message, Paragraph, Text

SITE = "https://forum.example"
HELLO = Message((Paragraph((Text("Hello"),)),))
UNREAD: dict[str, Any] = {
    **dict.fromkeys(("reply_count", "quote_count", "incoming_link_count", "reads", "readers_count", "score"), 0),
    **dict.fromkeys(("reviewable_id", "reviewable_score_count", "reviewable_score_pending_count"), 0),
    **dict.fromkeys(("yours", "can_edit", "can_delete", "can_recover", "can_wiki", "bookmarked", "wiki"), False),
    **dict.fromkeys(("flair_name", "flair_url", "flair_bg_color", "flair_color", "user_title", "edit_reason")),
    "avatar_template": "/avatar/{size}.png",
    "cooked": "<p>Words</p>",
    "topic_slug": "hi",
    "actions_summary": [],
    "version": 1,
    "trust_level": 1,
    "can_view_edit_history": True,
}
"""What each post tells and we do not read."""
WRONG = pytest.mark.undocumented("Discourse never answers so")
WAITS = pytest.mark.undocumented("the document knows no post that waits for a moderator, the API does (API.md, 4.3)")
ENQUEUED = {"action": "enqueued", "success": True, "pending_count": 1, "pending_post": {"id": 9, "raw": "Hello"}}
MEMBER = {"id": 5, "username": "carla", "name": "Carla", "avatar_template": "/avatar/{size}.png"}
RIGHTS = ("edit", "move_posts", "delete", "remove_allowed_users", "create_post", "reply_as_new_topic", "convert_topic")
STAFF_RIGHTS = ("review_topic", "close_topic", "archive_topic", "split_merge_topic", "edit_staff_notes")
MORE_RIGHTS = ("toggle_topic_visibility", "pin_unpin_topic", "moderate_category")
TOPIC: dict[str, Any] = {
    **dict.fromkeys(("views", "reply_count", "like_count", "slow_mode_seconds", "draft_sequence", "word_count"), 0),
    **dict.fromkeys(("has_summary", "pinned_globally", "pinned", "has_deleted", "bookmarked"), False),
    **dict.fromkeys(("featured_link", "pinned_at", "pinned_until", "unpinned", "image_url", "thumbnails", "draft")),
    **dict.fromkeys(("deleted_at", "deleted_by", "topic_timer", "slow_mode_enabled_until")),
    **{name: [] for name in ("timeline_lookup", "suggested_topics", "tags", "actions_summary", "bookmarks")},
    "tags_descriptions": {},
    "draft_key": "topic_77",
    "user_id": 5,
    "highest_post_number": 3,
    "participant_count": 1,
    "chunk_size": 20,
    "message_bus_last_id": 0,
    "show_read_indicator": False,
    "visible": True,
    "id": 77,
    "title": "Sprint 12: checkpoint",
    "fancy_title": "Sprint 12: checkpoint",
    "posts_count": 3,
    "category_id": 7,
    "archetype": "regular",
    "closed": False,
    "archived": False,
    "slug": "sprint-12-checkpoint",
    "created_at": "2026-11-03T09:00:00.000Z",
    "last_posted_at": "2026-11-03T12:00:00.000Z",
    "details": {
        **{f"can_{right}": False for right in (*RIGHTS, *STAFF_RIGHTS, *MORE_RIGHTS)},
        "notification_level": 1,
        "can_remove_self_id": 9,
        "created_by": MEMBER,
        "last_poster": MEMBER,
    },
    "post_stream": {"posts": [], "stream": []},
}
OPENED = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
CARLA = Person(name="Carla", discourse="carla")
OURS = Person(name="Crafty", discourse="Crafty")


def post(number: int, **changes: Any) -> dict[str, Any]:
    """A post as a topic shows it, by Carla, the first at nine and then one an hour; its id is 100 and its number."""
    usual: dict[str, Any] = {
        **UNREAD,
        "id": 100 + number,
        "topic_id": 77,
        "post_number": number,
        "post_type": 1,
        "user_id": 5,
        "username": "carla",
        "name": "Carla",
        "display_username": "Carla",
        "admin": False,
        "moderator": False,
        "staff": False,
        "primary_group_name": None,
        "created_at": f"2026-11-03T{8 + number:02}:00:00.000Z",
        "updated_at": f"2026-11-03T{8 + number:02}:00:00.000Z",
        "reply_to_post_number": None,
        "hidden": False,
        "user_deleted": False,
        "deleted_at": None,
        "raw": "Words",
        "read": True,
        "link_counts": [],
    }
    return {**usual, **changes}


def created(**changes: Any) -> dict[str, Any]:
    """The post 501 as its creation is answered."""
    shown = post(4, id=501, username="crafty", posts_count=4, draft_sequence=1, post_url="/t/hi/77/4", **changes)
    return {name: value for name, value in shown.items() if name not in {"read", "link_counts"}}


def topic_of(*posts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A topic whose answer shows all of these posts."""
    return {**TOPIC, "post_stream": {"posts": posts, "stream": [one["id"] for one in posts]}, **changes}


def listed(number: int, hours: float, **changes: Any) -> dict[str, Any]:
    """A topic in a list, by Carla, with its last activity so many hours after nine."""
    usual: dict[str, Any] = {
        "id": number,
        "title": f"Topic {number}",
        "slug": f"topic-{number}",
        "archetype": "regular",
        "category_id": 7,
        "created_at": "2026-11-03T09:00:00.000Z",
        "bumped_at": (OPENED + timedelta(hours=hours)).isoformat(),
        "pinned": False,
        "posters": [{"user_id": 5, "description": "Original Poster"}, {"user_id": 6, "description": "Frequent Poster"}],
    }
    return {**usual, **changes}


def page(*topics: dict[str, Any], more: bool = False) -> dict[str, Any]:
    """A page of a list. more: whether another one follows."""
    users = [{"id": 5, "username": "carla", "name": "Carla"}, {"id": 6, "username": "Crafty", "name": "Crafty"}]
    following = {"more_topics_url": "/latest?page=1"} if more else {}
    return {"users": users, "topic_list": {"topics": topics, **following}}


def opened(**changes: Any) -> Note:
    url = "https://forum.example/t/sprint-12-checkpoint/77"
    usual = {"by": CARLA, "title": "Sprint 12: checkpoint", "url": url, "kind": "topic"}
    return Note(**{"what": "opened", "at": OPENED, **usual, **changes})


def answered(number: int, **changes: Any) -> Note:
    at = OPENED + timedelta(hours=number - 1)
    return Note(**{"what": "answered", "at": at, "by": CARLA, "id": f"post-{number}", **changes})


@pytest.fixture
async def forum() -> AsyncIterator[Discourse]:
    made = connect(f"{SITE}/", "ap1-k3y", "crafty")
    yield made
    await made.aclose()


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=SITE, assert_all_called=False) as router:
        router.get("/session/current.json", name="session").respond(
            json={"current_user": {"id": 5, "username": "crafty", "name": "Crafty Bot"}}
        )
        router.get("/t/77.json", name="topic").respond(json=TOPIC)
        router.get("/t/77/posts.json", name="others")
        router.get("/latest.json", name="latest").respond(json=page())
        router.post("/posts.json", name="posts").respond(json=created())
        yield router


async def test_the_account_is_known_by_its_key(forum: Discourse, server: respx.MockRouter) -> None:
    assert await forum.identify() == Person(name="Crafty Bot", discourse="crafty")
    headers = server["session"].calls.last.request.headers
    assert (headers["Api-Key"], headers["Api-Username"]) == ("ap1-k3y", "crafty")
    assert headers["Accept"] == "application/json"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(404, "", id="a visitor has no session"),
        pytest.param(403, '{"errors":["The API username or key is invalid."]}', id="a wrong key is refused"),
        pytest.param(200, "<html>Log in</html>", id="a login page is no answer"),
    ],
)
async def test_who_is_not_signed_in_is_told_which_settings_to_check(
    forum: Discourse, server: respx.MockRouter, status: int, body: str
) -> None:
    server["session"].respond(status, text=body)
    with pytest.raises(CannotAct, match="CRAFTY_DISCOURSE_API_KEY and CRAFTY_DISCOURSE_API_USERNAME"):
        await forum.identify()


async def test_an_account_without_a_name_goes_by_its_username(forum: Discourse, server: respx.MockRouter) -> None:
    server["session"].respond(json={"current_user": {"id": 5, "username": "crafty", "name": None}})
    assert (await forum.identify()).name == "crafty"


@pytest.mark.parametrize("status", [404, 410], ids=["a topic that never was", "a topic that was deleted"])
async def test_a_topic_that_is_not_there_is_not_found(forum: Discourse, server: respx.MockRouter, status: int) -> None:
    server["topic"].respond(status, json={"errors": ["The requested URL or resource could not be found."]})
    with pytest.raises(NotFound, match="could not be found"):
        await forum.notes("topic:77")


@pytest.mark.parametrize(
    ("topic", "notes"),
    [
        pytest.param(topic_of(post(1)), [opened()], id="nobody answered"),
        pytest.param(
            topic_of(post(1, staff=True, primary_group_name="team")),
            [opened(is_member=True, groups=("team",))],
            id="the author's rights and group",
        ),
        pytest.param(topic_of(post(1), post(2)), [opened(), answered(2)], id="an answer"),
        pytest.param(
            topic_of(post(1), post(2, raw="@crafty why")),
            [opened(), answered(2, text="@crafty why")],
            id="an answer that speaks to us",
        ),
        pytest.param(
            topic_of(post(1), post(2, username="Crafty", name="Crafty", user_id=9)),
            [opened(), answered(2, by=OURS, is_bot=True)],
            id="our own answer is a bot's",
        ),
        pytest.param(
            topic_of(
                post(1), post(2, post_type=4), post(3, hidden=True), post(4, post_type=3, action_code="split_topic")
            ),
            [opened()],
            id="what answers nobody",
        ),
        pytest.param(
            topic_of(post(1), post(2, post_type=3, action_code="closed.enabled"), closed=True),
            [opened(), Note(what="closed", at=OPENED + timedelta(hours=1), by=CARLA)],
            id="somebody closed it",
        ),
        pytest.param(
            topic_of(post(1), closed=True),
            [opened(), Note(what="closed", at=OPENED + timedelta(hours=3))],
            id="closed without a trace",
        ),
        pytest.param(
            topic_of(post(1), archived=True, last_posted_at=None),
            [opened(), Note(what="closed", at=OPENED)],
            id="archived without a trace, and without an answer",
        ),
        pytest.param(
            topic_of(post(1), closed=True, deleted_at="2026-11-03T10:00:00Z", deleted_by={"id": 8, "username": "dan"}),
            [
                opened(),
                Note(what="closed", at=OPENED + timedelta(hours=1), by=Person(name="dan", discourse="dan")),
            ],
            id="deleted, as the staff may see it",
        ),
    ],
)
async def test_a_topic_is_read_as_notes(
    forum: Discourse, server: respx.MockRouter, topic: dict[str, Any], notes: list[Note]
) -> None:
    server["topic"].respond(json=topic)
    assert await forum.notes("topic:77") == tuple(notes)
    assert server["topic"].calls.last.request.url.params["include_raw"] == "true"


async def test_the_posts_that_a_topic_does_not_show_are_read_by_the_hundred(
    forum: Discourse, server: respx.MockRouter
) -> None:
    server["topic"].respond(json={**TOPIC, "post_stream": {"posts": [post(1)], "stream": list(range(101, 252))}})
    server["others"].side_effect = [
        httpx.Response(200, json={"post_stream": {"posts": [post(2)]}}),
        httpx.Response(200, json={"post_stream": {"posts": [post(3)]}}),
    ]
    assert await forum.notes("topic:77") == (opened(), answered(2), answered(3))
    first, second = (call.request.url.params for call in server["others"].calls)
    assert first.get_list("post_ids[]") == [str(number) for number in range(102, 202)]
    assert second.get_list("post_ids[]") == [str(number) for number in range(202, 252)]
    assert (first["include_raw"], second["include_raw"]) == ("true", "true")


async def test_of_a_very_long_topic_the_first_and_the_latest_posts_are_read(
    forum: Discourse, server: respx.MockRouter
) -> None:
    server["topic"].respond(json={**TOPIC, "post_stream": {"posts": [post(1)], "stream": list(range(101, 1101))}})
    server["others"].respond(json={"post_stream": {"posts": []}})
    assert await forum.notes("topic:77") == (opened(),)
    asked = [number for call in server["others"].calls for number in call.request.url.params.get_list("post_ids[]")]
    assert asked == [str(number) for number in range(601, 1101)]


async def test_a_private_message_is_not_read(forum: Discourse, server: respx.MockRouter) -> None:
    server["topic"].respond(json=topic_of(post(1), archetype="private_message", category_id=None))
    with pytest.raises(NotFound, match="private message"):
        await forum.notes("topic:77")


async def test_the_topics_of_a_category_are_listed_by_activity(forum: Discourse, server: respx.MockRouter) -> None:
    server["latest"].respond(json=page(listed(77, 2)))
    topic = opened(title="Topic 77", url="https://forum.example/t/topic-77/77")
    assert await forum.recent(7, OPENED) == (Listed("topic:77", topic, OPENED + timedelta(hours=2)),)
    asked = server["latest"].calls.last.request.url.params
    assert dict(asked) == {"category": "7", "no_subcategories": "true", "order": "activity", "page": "0"}


@pytest.mark.parametrize(
    ("pages", "found"),
    [
        pytest.param([page()], [], id="an empty category"),
        pytest.param([page(listed(1, 0))], [1], id="something was written at that very moment"),
        pytest.param([page(listed(1, -0.01))], [], id="the last thing was written before"),
        pytest.param([page(listed(1, 2), listed(2, 1), more=True), page(listed(3, 1))], [1, 2, 3], id="pages"),
        pytest.param([page(listed(1, 2), listed(2, -1), more=True)], [1], id="an older one ends it"),
        pytest.param(
            [page(listed(1, -9, pinned=True), listed(2, 2), more=True), page(listed(3, 1), listed(4, -1), more=True)],
            [2, 3],
            id="an older one that is pinned does not end it",
        ),
        pytest.param([page(listed(1, 3, pinned=True), listed(2, 1))], [1, 2], id="a pinned one may be recent"),
        pytest.param(
            [page(listed(1, 2), listed(2, 1), more=True), page(listed(2, 1), listed(3, 1))],
            [1, 2, 3],
            id="a topic that moved to the next page meanwhile",
        ),
        pytest.param([page(listed(1, 2), more=True), page(more=True)], [1], id="an empty page"),
    ],
)
async def test_recent_topics(
    forum: Discourse, server: respx.MockRouter, pages: list[dict[str, Any]], found: list[int]
) -> None:
    server["latest"].side_effect = [httpx.Response(200, json=one) for one in pages]
    recent = await forum.recent(7, OPENED)
    assert [one.key for one in recent] == [f"topic:{number}" for number in found]
    assert [call.request.url.params["page"] for call in server["latest"].calls] == [str(n) for n in range(len(pages))]


@pytest.mark.parametrize(
    ("topic", "author", "is_bot"),
    [
        pytest.param(listed(1, 1, posters=[{"user_id": 6}]), OURS, True, id="our own topic is a bot's"),
        pytest.param(listed(1, 1, posters=[]), None, False, id="a topic by nobody"),
        pytest.param(listed(1, 1, posters=[{"user_id": 99}]), None, False, id="an author who is not shown"),
    ],
)
async def test_who_opened_a_recent_topic(
    forum: Discourse, server: respx.MockRouter, topic: dict[str, Any], author: Person | None, is_bot: bool
) -> None:
    server["latest"].respond(json=page(topic))
    (one,) = await forum.recent(7, OPENED)
    assert (one.opened.by, one.opened.is_bot) == (author, is_bot)


@pytest.mark.parametrize(
    ("told", "hours"),
    [
        pytest.param({}, 2, id="a list that does not tell"),
        pytest.param({"last_posted_at": "2026-11-03T10:00:00.000Z"}, 2, id="bumped after the last post"),
        pytest.param({"last_posted_at": "2026-11-03T12:00:00.000Z"}, 3, id="closing leaves a post that bumps nothing"),
    ],
)
async def test_when_a_recent_topic_changed_last(
    forum: Discourse, server: respx.MockRouter, told: dict[str, Any], hours: int
) -> None:
    server["latest"].respond(json=page(listed(1, 2, **told)))
    (one,) = await forum.recent(7, OPENED)
    assert one.changed_at == OPENED + timedelta(hours=hours)


async def test_a_reply_goes_into_its_topic(forum: Discourse, server: respx.MockRouter) -> None:
    assert await forum.reply(77, HELLO) == 501
    assert json.loads(server["posts"].calls.last.request.content) == {"topic_id": 77, "raw": "Hello"}


async def test_a_reply_answers_a_post(forum: Discourse, server: respx.MockRouter) -> None:
    await forum.reply(77, HELLO, post=3)
    body = json.loads(server["posts"].calls.last.request.content)
    assert body == {"topic_id": 77, "raw": "Hello", "reply_to_post_number": 3}
    assert not server["topic"].called


@pytest.mark.parametrize(
    ("answers", "to", "standing"),
    [
        pytest.param([], 3, None, id="nobody answered"),
        pytest.param([post(4, username="Crafty", reply_to_post_number=3)], 3, 104, id="we answered"),
        pytest.param([post(4, username="crafty", reply_to_post_number=2)], 3, None, id="we answered another post"),
        pytest.param([post(4, username="crafty", raw="Hello")], 3, None, id="we wrote the same to nobody"),
        pytest.param([post(4, reply_to_post_number=3)], 3, None, id="somebody else answered"),
        pytest.param([post(4, username="crafty", raw="Hello\n")], None, 104, id="we wrote the same"),
        pytest.param([post(4, username="crafty", raw="Hello there")], None, None, id="we wrote something else"),
        pytest.param([post(4, raw="Hello")], None, None, id="somebody else wrote the same"),
        pytest.param(
            [post(4, username="crafty", reply_to_post_number=3, deleted_at="2026-11-03T14:00:00Z")],
            3,
            104,
            id="our answer was deleted, and does not come back",
        ),
    ],
)
async def test_a_second_try_writes_only_what_does_not_stand_yet(
    forum: Discourse, server: respx.MockRouter, answers: list[dict[str, Any]], to: int | None, standing: int | None
) -> None:
    server["topic"].respond(json=topic_of(post(1), post(2), post(3), *answers))
    assert await forum.reply(77, HELLO, post=to, is_retry=True) == (standing or 501)
    assert server["posts"].called is (standing is None)


async def test_a_second_try_that_can_not_look_writes_nothing(forum: Discourse, server: respx.MockRouter) -> None:
    server["topic"].respond(429, headers={"Retry-After": "60"})
    with pytest.raises(TryLater):
        await forum.reply(77, HELLO, post=3, is_retry=True)
    assert not server["posts"].called


@WAITS
async def test_a_reply_that_waits_for_a_moderator_has_no_id(forum: Discourse, server: respx.MockRouter) -> None:
    server["posts"].respond(json=ENQUEUED)
    assert await forum.reply(77, HELLO) is None


@WRONG
async def test_a_success_without_a_post_is_no_success(forum: Discourse, server: respx.MockRouter) -> None:
    server["posts"].respond(json={"success": "OK"})
    with pytest.raises(CannotAct, match="without a post"):
        await forum.reply(77, HELLO)


async def test_a_refused_text_is_told_in_the_forums_words(forum: Discourse, server: respx.MockRouter) -> None:
    errors = ["Body is too similar to what you recently posted"]
    server["posts"].respond(422, json={"action": "create_post", "errors": errors})
    with pytest.raises(CannotAct, match=r"422 \(Body is too similar"):
        await forum.reply(77, HELLO)


async def test_a_reply_that_may_have_happened_is_not_repeated(forum: Discourse, server: respx.MockRouter) -> None:
    server["posts"].side_effect = httpx.ReadTimeout("no answer")
    with pytest.raises(TryLater, match="ReadTimeout"):
        await forum.reply(77, HELLO)
    assert server["posts"].call_count == 1


@pytest.mark.parametrize(
    "body",
    [
        pytest.param('{"errors":["Slow down"],"error_type":"rate_limit","extras":{"wait_seconds":23}}', id="in JSON"),
        pytest.param("Slow down, too many requests from this IP address", id="in plain text"),
        pytest.param("<html><h1>429 Too Many Requests</h1></html>", id="as the proxy's page"),
    ],
)
async def test_a_rate_limit_says_when_to_come_back(forum: Discourse, server: respx.MockRouter, body: str) -> None:
    server["posts"].respond(429, text=body, headers={"Retry-After": "23"})
    with pytest.raises(TryLater) as fault:
        await forum.reply(77, HELLO)
    assert fault.value.after == 23
