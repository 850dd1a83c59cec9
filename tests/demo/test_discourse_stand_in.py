"""The Discourse stand-in keeps topics and posts, answers as the API does, and sends signed webhooks."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import respx

from service.clients.discourse import Discourse, connect
from service.contributions import Note, contribution_from
from service.demo._sender import WebhookSender, WebhookTarget
from service.demo.discourse import DiscourseStandIn, UnknownNameError
from service.events import ContributionNoted
from service.facts import Person
from service.texts import Message, paragraph
from service.webhooks.discourse import parse
from tests.conftest import SetClock

KEY, SECRET = "a key", "a long enough secret"
LONG = "This answer is long enough for the forum."
TITLE = "A title that is long enough"
ANSWER = Message((paragraph("Ask me for help, or why a rule said what it said."),))


@dataclass
class World:
    forum: DiscourseStandIn
    http: httpx.AsyncClient
    clock: SetClock
    requests: list[httpx.Request] = field(default_factory=list)

    async def told(self) -> list[tuple[str, dict[str, Any]]]:
        """The events sent so far, each with the object that it carries."""
        await self.forum.sender.drain()
        bodies = [json.loads(request.content) for request in self.requests]
        return [
            (request.headers["X-Discourse-Event"], body[request.headers["X-Discourse-Event-Type"]])
            for request, body in zip(self.requests, bodies, strict=True)
        ]

    def heard(self) -> dict[str, Note]:
        """The notes that Crafty makes of the webhooks sent so far, by their names."""
        named = [
            (one.headers["X-Discourse-Event"], one.headers["X-Discourse-Event-Type"], one) for one in self.requests
        ]
        events = [parse(name, kind, one.content, {7}, self.clock(), self.forum.base_url) for name, kind, one in named]
        told = [note for event in events if isinstance(event, ContributionNoted) for note in event.notes]
        return {note.name: note for note in told}

    async def post(self, **body: Any) -> httpx.Response:
        return await self.http.post("/posts.json", json=body)


async def build(clock: SetClock, **options: Any) -> AsyncIterator[World]:
    """A forum with Carla and Eli, whose webhooks are collected."""
    requests: list[httpx.Request] = []

    def accept(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(202, json={})

    async with httpx.AsyncClient(transport=httpx.MockTransport(accept)) as outgoing:
        forum = DiscourseStandIn(clock, WebhookSender(outgoing), api_key=KEY, **options)
        forum.sender.target = WebhookTarget("http://crafty.example/webhooks/discourse", SECRET)
        forum.add_person("carla", "Carla")
        forum.add_person("Eli", "Eli")
        headers = {"Api-Key": KEY, "Api-Username": "crafty"}
        transport = httpx.ASGITransport(forum.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://d", headers=headers) as http:
            yield World(forum, http, clock, requests)
            await forum.sender.drain()


@pytest.fixture
async def world(clock: SetClock) -> AsyncIterator[World]:
    async for one in build(clock):
        yield one


async def test_a_new_topic_is_told_as_topic_and_as_post(world: World) -> None:
    topic = await world.forum.open_topic("carla", "How do I install it?", "I *followed* the <manual>.", 7)
    (first, as_topic), (second, as_post) = await world.told()
    assert (first, second) == ("topic_created", "post_created")
    assert (as_topic["id"], as_topic["category_id"], as_topic["archetype"]) == (topic.id, 7, "regular")
    assert (as_topic["created_by"]["username"], "raw" in as_topic) == ("carla", False)
    assert (as_post["topic_id"], as_post["post_number"], as_post["post_type"]) == (topic.id, 1, 1)
    assert (as_post["raw"], as_post["cooked"]) == (
        "I *followed* the <manual>.",
        "<p>I *followed* the &lt;manual&gt;.</p>",
    )
    assert (as_post["username"], as_post["topic_archetype"], as_post["category_id"]) == ("carla", "regular", 7)
    assert as_post["created_at"] == "2026-11-03T09:00:00.000Z"


async def test_headers_and_signature(world: World) -> None:
    await world.forum.open_topic("carla", "How do I install it?", "Grüße", 7)
    first, second = world.requests
    expected = hmac.new(SECRET.encode(), second.content, hashlib.sha256).hexdigest()
    assert second.headers["X-Discourse-Event-Signature"] == f"sha256={expected}"
    assert [request.headers["X-Discourse-Event-Id"] for request in (first, second)] == ["1", "2"]
    assert (second.headers["X-Discourse-Event-Type"], second.headers["X-Discourse-Event"]) == ("post", "post_created")
    assert second.headers["X-Discourse-Instance"] == "https://forum.example.com"


async def test_private_messages_are_sent_along(world: World) -> None:
    await world.forum.private_message("carla", ["eli"], "Between us", "A secret.")
    (_, as_topic), (_, as_post) = await world.told()
    assert (as_topic["archetype"], as_post["topic_archetype"]) == ("private_message", "private_message")
    assert (as_post["category_id"], as_post["raw"]) == (None, "A secret.")


async def test_replies_and_edits_are_told(world: World, clock: SetClock) -> None:
    topic = await world.forum.open_topic("carla", "How do I install it?", "First", 7)
    post = await world.forum.reply(topic.id, "eli", "Second", reply_to=1)
    clock.advance(minutes=1)
    await world.forum.edit_post(post.id, "Third")
    _, _, (_, replied), (event, edited) = await world.told()
    assert (replied["post_number"], replied["reply_to_post_number"], replied["topic_posts_count"]) == (2, 1, 2)
    assert (event, edited["version"], edited["raw"]) == ("post_edited", 2, "Third")
    assert edited["updated_at"] == "2026-11-03T09:01:00.000Z"
    assert [one.raw for one in world.forum.posts(topic.id)] == ["First", "Third"]


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda forum: forum.open_topic("cy", "T", "x", 7), id="an author who is not there"),
        pytest.param(lambda forum: forum.private_message("carla", ["cy"], "T", "x"), id="a reader who is not there"),
        pytest.param(lambda forum: forum.reply(99, "carla", "x"), id="a topic that is not there"),
        pytest.param(lambda forum: forum.edit_post(99, "x"), id="a post that is not there"),
    ],
)
async def test_a_story_that_names_nobody_or_nothing_changes_nothing(world: World, act: Any) -> None:
    with pytest.raises(UnknownNameError):
        await act(world.forum)
    assert (world.forum.topics, await world.told()) == ({}, [])


async def test_the_bots_topic_is_kept_found_by_its_external_id_and_comes_back_as_events(world: World) -> None:
    created = await world.post(title=TITLE, raw=LONG, category=7, external_id="crafty-1")
    topic = world.forum.topics[created.json()["topic_id"]]
    assert (created.status_code, topic.title, topic.category, topic.author) == (200, TITLE, 7, "crafty")
    found = await world.http.get("/t/external_id/crafty-1.json")
    assert (found.status_code, found.headers["Location"]) == (302, f"https://forum.example.com/t/{topic.id}.json")
    assert [(event, content.get("username", "")) for event, content in await world.told()] == [
        ("topic_created", ""),
        ("post_created", "crafty"),
    ]
    assert (await world.http.get("/t/external_id/other.json")).status_code == 404


async def test_the_bot_replies_and_edits_its_post(world: World) -> None:
    topic = await world.forum.open_topic("carla", "How do I install it?", "First", 7)
    reply = (await world.post(topic_id=topic.id, raw=LONG, reply_to_post_number=1)).json()
    assert (reply["post_number"], reply["yours"], reply["raw"]) == (2, True, LONG)
    body = {"post": {"raw": f"{LONG} Truly.", "edit_reason": "clearer"}}
    edited = (await world.http.put(f"/posts/{reply['id']}.json", json=body)).json()["post"]
    assert (edited["version"], edited["raw"], edited["edit_reason"]) == (2, f"{LONG} Truly.", "clearer")
    assert (await world.http.get(f"/posts/{reply['id']}.json")).json()["raw"] == f"{LONG} Truly."
    assert [event for event, _ in await world.told()][2:] == ["post_created", "post_edited"]


async def test_the_bot_writes_private_messages(world: World) -> None:
    body = {"title": "Hi", "raw": "Ten chars.", "target_recipients": "carla,eli", "archetype": "private_message"}
    topic = world.forum.topics[(await world.post(**body)).json()["topic_id"]]
    assert (topic.is_private, topic.participants, topic.category) == (True, ("crafty", "carla", "Eli"), None)


async def test_forms_are_taken_too(world: World) -> None:
    topic = await world.forum.open_topic("carla", "How do I install it?", "First", 7)
    answer = await world.http.post("/posts.json", data={"topic_id": str(topic.id), "raw": LONG})
    assert (answer.status_code, len(world.forum.posts(topic.id))) == (200, 2)


async def test_a_topic_shows_its_first_twenty_posts_and_the_ids_of_all(world: World) -> None:
    topic = await world.forum.open_topic("carla", "How do I install it?", "First", 7)
    for number in range(20):
        await world.forum.reply(topic.id, "eli", f"Answer {number}")
    shown = (await world.http.get(f"/t/{topic.id}.json")).json()
    assert (shown["posts_count"], len(shown["post_stream"]["posts"]), len(shown["post_stream"]["stream"])) == (
        21,
        20,
        21,
    )
    assert (shown["slug"], shown["closed"], "raw" in shown["post_stream"]["posts"][0]) == (
        "how-do-i-install-it",
        False,
        False,
    )


async def test_others_private_messages_are_closed_to_the_bot(world: World) -> None:
    topic = await world.forum.private_message("carla", ["eli"], "Between us", "A secret.")
    post = world.forum.posts(topic.id)[0].id
    answers = [
        await world.http.get(f"/t/{topic.id}.json"),
        await world.http.get(f"/posts/{post}.json"),
        await world.post(topic_id=topic.id, raw=LONG),
    ]
    assert [answer.status_code for answer in answers] == [403, 403, 403]


@pytest.mark.parametrize(("is_staff", "status"), [(False, 403), (True, 200)])
async def test_only_staff_edit_others_posts(clock: SetClock, is_staff: bool, status: int) -> None:
    async for world in build(clock, bot_is_staff=is_staff):
        topic = await world.forum.open_topic("carla", "How do I install it?", "First", 7)
        path = f"/posts/{world.forum.posts(topic.id)[0].id}.json"
        assert (await world.http.put(path, json={"post": {"raw": LONG}})).status_code == status


@pytest.mark.parametrize(
    ("is_staff", "later", "status"),
    [
        pytest.param(False, 4.9, 422, id="the same words within five minutes"),
        pytest.param(False, 5, 200, id="the same words after five minutes"),
        pytest.param(True, 0, 200, id="staff may repeat themselves"),
    ],
)
async def test_identical_posts(clock: SetClock, is_staff: bool, later: float, status: int) -> None:
    async for world in build(clock, bot_is_staff=is_staff):
        topic = await world.forum.open_topic("carla", "How do I install it?", "First", 7)
        await world.post(topic_id=topic.id, raw=LONG)
        clock.advance(minutes=later)
        assert (await world.post(topic_id=topic.id, raw=LONG)).status_code == status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({"title": "x" * 15, "raw": "x" * 20}, 200, id="just long enough"),
        pytest.param({"title": "x" * 14, "raw": "x" * 20}, 422, id="a title too short"),
        pytest.param({"title": "x" * 15, "raw": "x" * 19}, 422, id="a post too short"),
        pytest.param({"title": "How do I INSTALL it?", "raw": LONG}, 422, id="a title that is taken"),
        pytest.param({"title": TITLE, "raw": LONG, "external_id": "taken"}, 422, id="an external id that is taken"),
        pytest.param({"title": TITLE, "raw": LONG, "archetype": "private_message"}, 422, id="a message to nobody"),
        pytest.param(
            {"title": TITLE, "raw": LONG, "archetype": "private_message", "target_recipients": "cy"},
            422,
            id="a message to somebody who is not there",
        ),
        pytest.param({"topic_id": 99, "raw": LONG}, 422, id="a topic that is not there"),
        pytest.param({"topic_id": "x", "raw": LONG}, 400, id="a topic that is no number"),
        pytest.param({"title": 1, "raw": LONG}, 400, id="a title that is a number"),
        pytest.param({"title": TITLE, "raw": LONG, "category": {}}, 200, id="an empty category"),
        pytest.param([], 400, id="a list"),
    ],
)
async def test_what_can_be_posted(world: World, body: Any, status: int) -> None:
    taken = await world.forum.open_topic("carla", "How do I install it?", "First", 7)
    taken.external_id = "taken"
    answer = await world.http.post("/posts.json", json=body)
    assert (answer.status_code, len(world.forum.topics)) == (status, 2 if status == 200 else 1)
    assert status == 200 or answer.json()["errors"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b'{"raw": "\\ud800"}'], ids=["nothing", "half", "bytes", "letter"]
)
async def test_bodies_that_can_not_be_read(world: World, content: bytes) -> None:
    answer = await world.http.post("/posts.json", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error_type"]) == (400, "invalid_parameters")


async def test_an_update_without_a_post_is_refused(world: World) -> None:
    reply = (await world.post(title=TITLE, raw=LONG)).json()
    assert (await world.http.put(f"/posts/{reply['id']}.json", json={"raw": LONG})).status_code == 400


async def test_the_bot_is_told_who_it_is(world: World) -> None:
    me = (await world.http.get("/session/current.json")).json()["current_user"]
    assert (me["username"], me["name"], me["staff"]) == ("crafty", "Crafty", False)


@pytest.mark.parametrize("path", ["/t/99.json", "/posts/99.json", "/t/x.json"])
async def test_what_is_not_there_is_not_found(world: World, path: str) -> None:
    answer = await world.http.get(path)
    assert (answer.status_code, answer.json()["error_type"]) == (404, "not_found")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Api-Key": "wrong", "Api-Username": "crafty"}, id="a wrong key"),
        pytest.param({"Api-Key": KEY, "Api-Username": "carla"}, id="another's name"),
        pytest.param({"Api-Key": KEY, "Api-Username": ""}, id="no name"),
    ],
)
async def test_both_credentials_are_needed(world: World, headers: dict[str, str]) -> None:
    answer = await world.http.get("/session/current.json", headers=headers)
    assert (answer.status_code, answer.json()["error_type"]) == (403, "invalid_access")


@asynccontextmanager
async def crafty(forum: DiscourseStandIn) -> AsyncIterator[Discourse]:
    """Crafty's own client for that forum."""
    client = connect(forum.base_url, KEY, "crafty")
    with respx.mock(base_url=forum.base_url) as router:
        router.route().mock(side_effect=respx.ASGIHandler(forum.app))
        yield client
    await client.aclose()


async def test_webhooks_and_readings_tell_the_same(world: World, clock: SetClock) -> None:
    forum = world.forum
    forum.add_person("mo", "Mo", is_staff=True)
    topic = await forum.open_topic("carla", "How do I install it?", "First", 7)
    for actor, words in (("carla", "Anybody?"), ("mo", "Like this."), ("eli", "Thanks!\n@crafty why")):
        clock.advance(minutes=1)
        await forum.reply(topic.id, actor, words)
    for number in range(20):
        clock.advance(seconds=1)
        await forum.reply(topic.id, "eli", f"Answer {number}")
    for act in (forum.close, forum.reopen, forum.close):
        clock.advance(minutes=1)
        await act(topic.id, "mo")

    async with crafty(forum) as client:
        read = await client.notes(f"topic:{topic.id}")

    assert world.heard() == {note.name: note for note in read}
    about = contribution_from(f"topic:{topic.id}", 7, read)
    assert (about.author, about.opened_at) == (Person(name="Carla", discourse="carla"), topic.created)
    assert (about.closed_at, about.closed_by) == (clock(), Person(name="Mo", discourse="mo"))
    assert (len(about.answers), about.answers[2].text) == (23, "Thanks!\n@crafty why")
    assert [answer.is_member for answer in about.answers[:3]] == [False, True, False]


async def test_recent_topics_come_with_the_opening_that_a_reading_tells(world: World, clock: SetClock) -> None:
    forum = world.forum
    forum.add_person("mo", "Mo", is_staff=True)
    pinned = await forum.open_topic("mo", "Read this before you ask", "First", 7)
    pinned.is_pinned = True
    await forum.open_topic("carla", "A question of long ago", "First", 7)
    clock.advance(days=1)
    await forum.open_topic("carla", "A question somewhere else", "First", 8)
    topics = [await forum.open_topic("carla", f"How do I install {number}?", "First", 7) for number in range(31)]
    topics.append(await forum.open_topic("mo", "How we install it", "First", 7))

    async with crafty(forum) as client:
        found = {one.key: one.opened for one in await client.recent(7, clock())}
        read = [(await client.notes(f"topic:{topic.id}"))[0] for topic in topics]

    assert found == {f"topic:{topic.id}": note for topic, note in zip(topics, read, strict=True)}


async def test_an_answer_is_written_once_however_often_it_is_tried(world: World) -> None:
    forum = world.forum
    topic = await forum.open_topic("carla", "How do I install it?", "@crafty help", 7)
    async with crafty(forum) as client:
        tries = [await client.reply(topic.id, ANSWER, post=1, is_retry=is_retry) for is_retry in (False, True, True)]
    assert tries == [forum.posts(topic.id)[1].id] * 3
    assert [(post.author, post.reply_to) for post in forum.posts(topic.id)] == [("carla", None), ("crafty", 1)]


@pytest.mark.parametrize(("is_staff", "posts"), [(False, 1), (True, 2)])
async def test_only_staff_write_in_a_closed_topic(clock: SetClock, is_staff: bool, posts: int) -> None:
    async for world in build(clock, bot_is_staff=is_staff):
        topic = await world.forum.open_topic("carla", "How do I install it?", "First", 7)
        await world.forum.close(topic.id, "carla")
        answer = await world.post(topic_id=topic.id, raw=LONG)
        assert (answer.status_code, len(topic.written)) == (200 if is_staff else 422, posts)
        assert (await world.http.get(f"/t/{topic.id}.json")).json()["posts_count"] == posts
