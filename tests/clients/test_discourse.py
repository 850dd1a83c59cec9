"""Discourse: topics are read, answered and opened once."""

import json
import re
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import respx

from service.clients.discourse import Discourse, Topic, connect
from service.errors import CannotAct, NotFound, TryLater
from service.facts import Person
from service.texts import Message, Paragraph, Text

SITE = "https://forum.example"
HELLO = Message((Paragraph((Text("Hello"),)),))
POST = {"id": 501, "topic_id": 77, "post_number": 4, "username": "crafty", "cooked": "<p>Hello</p>", "topic_slug": "hi"}
ENQUEUED = {"action": "enqueued", "success": True, "pending_count": 1, "pending_post": {"id": 9, "raw": "Hello"}}
TOPIC = {
    "id": 77,
    "title": "Sprint 12: checkpoint",
    "posts_count": 3,
    "category_id": 7,
    "archetype": "regular",
    "closed": False,
    "archived": False,
    "post_stream": {"posts": [], "stream": [1, 2, 3]},
}


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
        router.get(path__startswith="/t/external_id/", name="external").respond(404)
        router.post("/posts.json", name="posts").respond(json=POST)
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


async def test_a_topic_is_read(forum: Discourse, server: respx.MockRouter) -> None:
    assert await forum.topic(77) == Topic(
        id=77,
        title="Sprint 12: checkpoint",
        category=7,
        posts=3,
        is_private=False,
        is_closed=False,
        is_archived=False,
    )


async def test_a_private_message_has_no_category(forum: Discourse, server: respx.MockRouter) -> None:
    server["topic"].respond(json={**TOPIC, "archetype": "private_message", "category_id": None, "closed": True})
    topic = await forum.topic(77)
    assert (topic.is_private, topic.category, topic.is_closed) == (True, None, True)


@pytest.mark.parametrize("status", [404, 410], ids=["a topic that never was", "a topic that was deleted"])
async def test_a_topic_that_is_not_there_is_not_found(forum: Discourse, server: respx.MockRouter, status: int) -> None:
    server["topic"].respond(status, json={"errors": ["The requested URL or resource could not be found."]})
    with pytest.raises(NotFound, match="could not be found"):
        await forum.topic(77)


async def test_a_reply_goes_into_its_topic(forum: Discourse, server: respx.MockRouter) -> None:
    assert await forum.reply(77, HELLO) == 501
    assert json.loads(server["posts"].calls.last.request.content) == {"topic_id": 77, "raw": "Hello"}


async def test_a_reply_that_waits_for_a_moderator_has_no_id(forum: Discourse, server: respx.MockRouter) -> None:
    server["posts"].respond(json=ENQUEUED)
    assert await forum.reply(77, HELLO) is None


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


async def test_a_new_topic_bears_its_external_id(forum: Discourse, server: respx.MockRouter) -> None:
    assert await forum.create_topic("Sprint 13", HELLO, 7, "checkpoint:sprint-13") == 77
    body = json.loads(server["posts"].calls.last.request.content)
    assert (body["title"], body["raw"], body["category"]) == ("Sprint 13", "Hello", 7)
    assert re.fullmatch(r"[\w-]{1,50}", body["external_id"])
    assert server["external"].calls.last.request.url.path == f"/t/external_id/{body['external_id']}.json"


async def test_two_external_ids_are_two_topics(forum: Discourse, server: respx.MockRouter) -> None:
    for key in ("one", "two", "one"):
        await forum.create_topic("Sprint 13", HELLO, 7, key)
    first, second, third = (json.loads(call.request.content)["external_id"] for call in server["posts"].calls)
    assert first == third != second


async def test_a_topic_that_waits_for_a_moderator_has_no_id(forum: Discourse, server: respx.MockRouter) -> None:
    server["posts"].respond(json=ENQUEUED)
    assert await forum.create_topic("Sprint 13", HELLO, 7, "k") is None


@pytest.mark.parametrize(
    ("status", "location"),
    [
        pytest.param(301, f"{SITE}/t/sprint-13/88.json?page=", id="an address with site and page"),
        pytest.param(302, "/t/sprint-13/88.json", id="a path"),
        pytest.param(301, "/forum/t/13/88", id="a slug of digits in a subfolder"),
        pytest.param(301, "/t/88.json", id="no slug"),
    ],
)
async def test_a_topic_that_stands_is_not_opened_again(
    forum: Discourse, server: respx.MockRouter, status: int, location: str
) -> None:
    server["external"].respond(status, headers={"Location": location})
    assert await forum.create_topic("Sprint 13", HELLO, 7, "k") == 88
    assert not server["posts"].called


@pytest.mark.parametrize(
    ("status", "location"),
    [
        pytest.param(302, "/login", id="a redirect to the login page"),
        pytest.param(302, None, id="a redirect to nowhere"),
        pytest.param(403, None, id="a missing permission"),
        pytest.param(200, None, id="no redirect at all"),
    ],
)
async def test_no_topic_is_opened_while_it_is_unsure_whether_one_stands(
    forum: Discourse, server: respx.MockRouter, status: int, location: str | None
) -> None:
    server["external"].respond(status, headers={"Location": location} if location else {})
    with pytest.raises(CannotAct, match=r"/t/external_id"):
        await forum.create_topic("Sprint 13", HELLO, 7, "k")
    assert not server["posts"].called
