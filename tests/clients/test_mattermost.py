"""Mattermost: who is written to, where, and with which post."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import respx

from service.clients.mattermost import Mattermost, connect
from service.errors import CannotAct, NotFound, TryLater
from service.facts import Person
from service.texts import Message, Paragraph, Text

SITE = "https://chat.example"
BOT = {"id": "b0tb0tb0tb0tb0tb0tb0tb0tb0", "username": "crafty", "is_bot": True, "delete_at": 0}
SAM = {"id": "s4ms4ms4ms4ms4ms4ms4ms4ms4", "username": "sam", "email": "", "delete_at": 0}
CHANNEL = {"id": "c4nc4nc4nc4nc4nc4nc4nc4nc4", "name": "serenity", "type": "O", "delete_at": 0}
POST = {"id": "p0sp0sp0sp0sp0sp0sp0sp0sp0", "channel_id": CHANNEL["id"], "message": "Hello", "create_at": 1794564000000}
HELLO = Message((Paragraph((Text("Hello"),)),))


@pytest.fixture
async def chat() -> AsyncIterator[Mattermost]:
    made = connect(f"{SITE}/", "b0t-t0ken")
    yield made
    await made.aclose()


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=f"{SITE}/api/v4", assert_all_called=False) as router:
        router.get("/users/me", name="me").respond(json=BOT)
        router.get("/users/username/sam", name="sam").respond(json=SAM)
        router.get("/users/me/teams", name="teams").respond(
            json=[{"id": "t1", "name": "zeta"}, {"id": "t2", "name": "ops"}]
        )
        router.get("/teams/name/ops/channels/name/serenity", name="channel").respond(json=CHANNEL)
        router.get(f"/channels/{CHANNEL['id']}/posts", name="recent").respond(json={"order": [], "posts": {}})
        router.post("/posts", name="posts").respond(201, json=POST)
        yield router


def sent(route: respx.Route) -> dict[str, str]:
    body = json.loads(route.calls.last.request.content)
    assert isinstance(body, dict)
    return body


async def test_the_bot_knows_itself(chat: Mattermost, server: respx.MockRouter) -> None:
    assert await chat.identify() == Person(name="crafty", mattermost="crafty")
    assert server["me"].calls.last.request.headers["Authorization"] == "Bearer b0t-t0ken"


async def test_an_unknown_token_names_the_setting(chat: Mattermost, server: respx.MockRouter) -> None:
    server["me"].respond(401, json={"id": "api.context.session_expired", "message": "Invalid or expired session."})
    with pytest.raises(CannotAct, match=r"\(Invalid or expired session\)\. Check CRAFTY_MATTERMOST_TOKEN"):
        await chat.identify()


async def test_a_user_is_found_by_name(chat: Mattermost, server: respx.MockRouter) -> None:
    assert await chat.find_user("sam") == SAM["id"]


async def test_a_user_who_is_not_there_is_not_found(chat: Mattermost, server: respx.MockRouter) -> None:
    server["sam"].respond(404, json={"message": "Unable to find the user.", "status_code": 404})
    with pytest.raises(NotFound, match="Unable to find the user"):
        await chat.find_user("sam")


async def test_a_deactivated_user_would_read_nothing(chat: Mattermost, server: respx.MockRouter) -> None:
    server["sam"].respond(json={**SAM, "delete_at": 1794564000000})
    with pytest.raises(NotFound, match="deactivated"):
        await chat.direct_message("sam", HELLO, key="k")
    assert not server["posts"].called


@pytest.mark.parametrize(
    ("hours", "asked"), [pytest.param(23.9, 1, id="within a day"), pytest.param(24, 2, id="a day")]
)
async def test_who_gets_messages_is_asked_for_once_a_day(server: respx.MockRouter, hours: float, asked: int) -> None:
    direct = server.post("/channels/direct").respond(201, json={"id": "d1r", "type": "D"})
    moments = iter([0.0, hours * 3600])
    chat = connect(SITE, "b0t-t0ken", seconds=lambda: next(moments))
    for key in ("first", "second"):
        await chat.direct_message("sam", HELLO, key=key)
    await chat.aclose()
    assert (direct.call_count, server["sam"].call_count) == (1, asked)


async def test_a_direct_message_goes_into_the_channel_of_the_two(chat: Mattermost, server: respx.MockRouter) -> None:
    direct = server.post("/channels/direct", json=[BOT["id"], SAM["id"]]).respond(201, json={"id": "d1r", "type": "D"})
    assert await chat.direct_message("sam", HELLO, "Asia/Kolkata", key="rule:SE-1:sprint") == POST["id"]
    assert direct.called
    body = sent(server["posts"])
    assert (body["channel_id"], body["message"]) == ("d1r", "Hello")
    assert body["pending_post_id"].startswith(f"{BOT['id']}:")


@pytest.mark.parametrize(
    "channel",
    [
        pytest.param("serenity", id="a channel alone is in the bot's first team by name"),
        pytest.param("ops/serenity", id="a channel with its team"),
    ],
)
async def test_a_post_goes_into_the_channel_of_that_name(
    chat: Mattermost, server: respx.MockRouter, channel: str
) -> None:
    assert await chat.post(channel, HELLO, key="k") == POST["id"]
    body = sent(server["posts"])
    assert (body["channel_id"], body["message"]) == (CHANNEL["id"], "Hello")
    assert "root_id" not in body


async def test_a_named_team_is_not_asked_for(chat: Mattermost, server: respx.MockRouter) -> None:
    await chat.post("ops/serenity", HELLO, key="k")
    assert not server["teams"].called


async def test_an_answer_names_the_post_that_it_answers(chat: Mattermost, server: respx.MockRouter) -> None:
    await chat.post("serenity", HELLO, key="k", root_id="r00t")
    assert sent(server["posts"])["root_id"] == "r00t"


async def test_ids_are_asked_for_once(chat: Mattermost, server: respx.MockRouter) -> None:
    for key in ("first", "second"):
        await chat.post("serenity", HELLO, key=key)
    assert [server[name].call_count for name in ("me", "teams", "channel", "posts")] == [1, 1, 1, 2]


async def test_one_key_is_one_pending_post_and_two_are_two(chat: Mattermost, server: respx.MockRouter) -> None:
    for key in ("one", "one", "two"):
        await chat.post("serenity", HELLO, key=key)
    pending = [json.loads(call.request.content)["pending_post_id"] for call in server["posts"].calls]
    assert pending[0] == pending[1] != pending[2]


async def test_a_post_bears_its_key(chat: Mattermost, server: respx.MockRouter) -> None:
    await chat.post("serenity", HELLO, key="rule:SE-1:sprint")
    assert json.loads(server["posts"].calls.last.request.content)["props"] == {"crafty": "rule:SE-1:sprint"}
    assert not server["recent"].called


WRONG = pytest.mark.undocumented("Mattermost never answers so")
STANDING = {"id": "st4nd1ng", "user_id": BOT["id"], "message": "Hello", "props": {"from_bot": "true", "crafty": "k"}}


@pytest.mark.parametrize(
    ("post", "is_posted"),
    [
        pytest.param(STANDING, False, id="our own post with that key stands there"),
        pytest.param({**STANDING, "props": {"crafty": "other"}}, True, id="ours with another key"),
        pytest.param({**STANDING, "user_id": SAM["id"]}, True, id="somebody else's with our mark"),
        pytest.param({**STANDING, "props": {}}, True, id="a post without a mark"),
        pytest.param({**STANDING, "props": None}, True, id="a post without props", marks=WRONG),
        pytest.param({**STANDING, "props": {"crafty": ["k"]}}, True, id="a mark of another shape"),
    ],
)
async def test_a_retry_looks_for_its_post_before_it_posts(
    chat: Mattermost, server: respx.MockRouter, post: dict[str, Any], is_posted: bool
) -> None:
    server["recent"].respond(json={"order": [post["id"]], "posts": {post["id"]: post}})
    posted = await chat.post("serenity", HELLO, key="k", is_retry=True)
    assert posted == (POST["id"] if is_posted else "st4nd1ng")
    assert server["posts"].called is is_posted
    assert dict(server["recent"].calls.last.request.url.params) == {"per_page": "60"}


async def test_a_retry_in_an_empty_channel_posts(chat: Mattermost, server: respx.MockRouter) -> None:
    assert await chat.post("serenity", HELLO, key="k", is_retry=True) == POST["id"]


async def test_a_retried_direct_message_is_looked_for_in_the_channel_of_the_two(
    chat: Mattermost, server: respx.MockRouter
) -> None:
    server.post("/channels/direct").respond(201, json={"id": "d1r", "type": "D"})
    direct = server.get("/channels/d1r/posts").respond(json={"order": ["x"], "posts": {"st4nd1ng": STANDING}})
    assert await chat.direct_message("sam", HELLO, key="k", is_retry=True) == "st4nd1ng"
    assert direct.called
    assert not server["posts"].called


async def test_a_retry_that_cannot_look_does_not_post(chat: Mattermost, server: respx.MockRouter) -> None:
    server["recent"].respond(500, json={"message": "oops"})
    with pytest.raises(TryLater):
        await chat.post("serenity", HELLO, key="k", is_retry=True)
    assert not server["posts"].called


async def test_a_bot_without_a_team_says_what_to_do(chat: Mattermost, server: respx.MockRouter) -> None:
    server["teams"].respond(json=[])
    with pytest.raises(CannotAct, match="add it to"):
        await chat.post("serenity", HELLO, key="k")


@pytest.mark.parametrize("channel", ["ops/", "ops/.."], ids=["no channel", "a channel that leads elsewhere"])
async def test_a_channel_without_a_proper_name_is_not_found(
    chat: Mattermost, server: respx.MockRouter, channel: str
) -> None:
    with pytest.raises(NotFound, match="names nothing"):
        await chat.post(channel, HELLO, key="k")


async def test_a_channel_that_is_not_there_is_looked_for_again_next_time(
    chat: Mattermost, server: respx.MockRouter
) -> None:
    server["channel"].side_effect = [httpx.Response(404), httpx.Response(200, json=CHANNEL)]
    with pytest.raises(NotFound):
        await chat.post("serenity", HELLO, key="k")
    assert await chat.post("serenity", HELLO, key="k") == POST["id"]


async def test_a_rate_limit_in_plain_text_says_when_to_come_back(chat: Mattermost, server: respx.MockRouter) -> None:
    headers = {"X-RateLimit-Reset": "30", "Retry-After": "30"}
    server["posts"].respond(429, text="limit exceeded", headers=headers)
    with pytest.raises(TryLater) as fault:
        await chat.post("serenity", HELLO, key="k")
    assert fault.value.after == 30
    assert server["posts"].call_count == 1


async def test_a_post_that_may_have_happened_is_not_repeated(chat: Mattermost, server: respx.MockRouter) -> None:
    server["posts"].respond(500, json={"message": "oops"})
    with pytest.raises(TryLater):
        await chat.post("serenity", HELLO, key="k")
    assert server["posts"].call_count == 1


@pytest.mark.parametrize(("status", "is_in"), [(200, True), (404, False)])
async def test_the_bot_is_in_a_channel_or_not(
    chat: Mattermost, server: respx.MockRouter, status: int, is_in: bool
) -> None:
    server.get(f"/channels/{CHANNEL['id']}/members/me").respond(status, json={})
    assert await chat.is_in("serenity") is is_in


async def test_a_channel_that_we_do_not_see_is_not_found(chat: Mattermost, server: respx.MockRouter) -> None:
    server.get("/teams/name/ops/channels/name/nowhere").respond(404)
    with pytest.raises(NotFound):
        await chat.is_in("nowhere")
