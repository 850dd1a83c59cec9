"""The Mattermost stand-in keeps what the bot posts and answers as the API does."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from service.demo.mattermost import MattermostStandIn
from tests.conftest import SetClock

TOKEN = "a token"


@pytest.fixture
def chat(clock: SetClock) -> MattermostStandIn:
    """A team with Fay and Finn, and two channels; the bot is in one of them."""
    stand_in = MattermostStandIn(clock, token=TOKEN, team="open")
    for username in ("fay", "finn"):
        stand_in.add_person(username, username.title())
    stand_in.add_channel("serenity")
    stand_in.add_channel("private", has_bot=False)
    return stand_in


@pytest.fixture
async def http(chat: MattermostStandIn) -> AsyncIterator[httpx.AsyncClient]:
    transport, headers = httpx.ASGITransport(chat.app), {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://m/api/v4", headers=headers) as client:
        yield client


async def user_id(http: httpx.AsyncClient, username: str) -> str:
    return str((await http.get(f"/users/username/{username}")).json()["id"])


async def channel_id(http: httpx.AsyncClient, name: str) -> str:
    return str((await http.get(f"/teams/name/open/channels/name/{name}")).json()["id"])


async def direct_id(http: httpx.AsyncClient, username: str) -> str:
    ids = [await user_id(http, "crafty"), await user_id(http, username)]
    return str((await http.post("/channels/direct", json=ids)).json()["id"])


async def test_people_are_found_by_every_name(http: httpx.AsyncClient) -> None:
    fay = (await http.get("/users/username/fay")).json()
    assert (fay["username"], len(fay["id"]), fay["delete_at"]) == ("fay", 26, 0)
    others = [await http.get(f"/users/{fay['id']}"), await http.get("/users/email/fay@example.com")]
    assert [answer.json() for answer in others] == [fay, fay]
    listed = (await http.post("/users/usernames", json=["fay", "nobody"])).json()
    assert listed == [fay]


async def test_me_is_the_bot_and_is_in_the_team(http: httpx.AsyncClient) -> None:
    me, teams = (await http.get("/users/me")).json(), (await http.get("/users/me/teams")).json()
    assert (me["username"], me["is_bot"], [team["name"] for team in teams]) == ("crafty", True, ["open"])


@pytest.mark.parametrize(
    "path",
    ["/users/username/cy", "/users/email/cy@example.com", "/users/cy", "/teams/name/cy/channels/name/serenity"],
)
async def test_who_is_not_there_is_not_found(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert (answer.status_code, answer.json()["status_code"]) == (404, 404)
    assert set(answer.json()) == {"id", "message", "request_id", "status_code"}


async def test_a_channel_is_found_by_either_name_of_its_team(http: httpx.AsyncClient) -> None:
    by_names = (await http.get("/teams/name/open/channels/name/serenity")).json()
    by_id = (await http.get(f"/teams/{by_names['team_id']}/channels/name/serenity")).json()
    assert (by_id, by_names["type"]) == (by_names, "O")
    assert (await http.get(f"/teams/{by_names['team_id']}/channels/name/other")).status_code == 404


async def test_a_conversation_of_two_is_the_same_each_time_and_either_way(http: httpx.AsyncClient) -> None:
    ids = [await user_id(http, "crafty"), await user_id(http, "fay")]
    answers = [await http.post("/channels/direct", json=pair) for pair in (ids, ids[::-1])]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert (answers[0].json()["type"], answers[0].json()["team_id"]) == ("D", "")


async def test_the_bot_can_not_open_others_conversations(http: httpx.AsyncClient) -> None:
    ids = [await user_id(http, "fay"), await user_id(http, "finn")]
    assert (await http.post("/channels/direct", json=ids)).status_code == 403


async def test_posts_are_kept_with_their_recipients(http: httpx.AsyncClient, chat: MattermostStandIn) -> None:
    await http.post("/posts", json={"channel_id": await direct_id(http, "fay"), "message": "Hello"})
    posted = await http.post(
        "/posts", json={"channel_id": await channel_id(http, "serenity"), "message": "All", "props": {"crafty": "k"}}
    )
    assert (posted.status_code, posted.json()["create_at"]) == (201, int(chat.messages[1].at.timestamp() * 1000))
    seen = [(one.recipients, one.text, one.is_direct, one.props) for one in chat.messages]
    assert seen == [(("fay",), "Hello", True, {}), (("#serenity",), "All", False, {"crafty": "k"})]


async def test_a_post_is_edited(http: httpx.AsyncClient, chat: MattermostStandIn, clock: SetClock) -> None:
    body = {"channel_id": await direct_id(http, "fay"), "message": "Hello", "props": {"crafty": "k"}}
    post = (await http.post("/posts", json=body)).json()
    clock.advance(minutes=1)
    edited = await http.put(f"/posts/{post['id']}/patch", json={"message": "Bye"})
    assert (edited.status_code, edited.json()["edit_at"] - post["create_at"]) == (200, 60_000)
    assert [(one.text, one.props) for one in chat.messages] == [("Bye", {"crafty": "k"})]
    assert (await http.put("/posts/unknown/patch", json={"message": "Bye"})).status_code == 403


@pytest.mark.parametrize(
    ("pending", "later", "messages"),
    [
        pytest.param("bot:1", 29.9, 1, id="the same pending id just within half a minute"),
        pytest.param("bot:1", 30, 2, id="the same pending id after half a minute"),
        pytest.param("", 0, 2, id="no pending id"),
    ],
)
async def test_a_pending_id_is_remembered_for_half_a_minute(
    http: httpx.AsyncClient, chat: MattermostStandIn, clock: SetClock, pending: str, later: float, messages: int
) -> None:
    body = {"channel_id": await direct_id(http, "fay"), "message": "Hello", "pending_post_id": pending}
    first = (await http.post("/posts", json=body)).json()
    clock.advance(seconds=later)
    second = (await http.post("/posts", json=body)).json()
    assert (len(chat.messages), first["id"] == second["id"]) == (messages, messages == 1)


async def test_posts_of_a_channel_are_listed_newest_first(http: httpx.AsyncClient) -> None:
    serenity, direct = await channel_id(http, "serenity"), await direct_id(http, "fay")
    for channel, message in ((serenity, "one"), (direct, "aside"), (serenity, "two"), (serenity, "three")):
        await http.post("/posts", json={"channel_id": channel, "message": message})
    pages = [
        (await http.get(f"/channels/{serenity}/posts", params={"per_page": 2, "page": page})).json() for page in (0, 1)
    ]
    assert [[page["posts"][one]["message"] for one in page["order"]] for page in pages] == [["three", "two"], ["one"]]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({"message": "x" * 16383}, 201, id="the longest message"),
        pytest.param({"message": "x" * 16384}, 400, id="one character too many"),
        pytest.param({"message": 1}, 400, id="a message that is a number"),
        pytest.param({"message": "x", "props": []}, 400, id="props that are a list"),
        pytest.param({"message": "x", "channel_id": "other"}, 403, id="a channel that is not there"),
        pytest.param([], 400, id="a list"),
    ],
)
async def test_what_can_be_posted(http: httpx.AsyncClient, chat: MattermostStandIn, body: Any, status: int) -> None:
    serenity = {"channel_id": await channel_id(http, "serenity")}
    answer = await http.post("/posts", json={**serenity, **body} if isinstance(body, dict) else body)
    assert (answer.status_code, len(chat.messages)) == (status, int(status == 201))


async def test_the_bot_posts_only_where_it_is_a_member(http: httpx.AsyncClient, chat: MattermostStandIn) -> None:
    answer = await http.post("/posts", json={"channel_id": await channel_id(http, "private"), "message": "x"})
    assert (answer.status_code, chat.messages) == (403, [])


@pytest.mark.parametrize(
    ("path", "content"),
    [
        pytest.param("/channels/direct", b"{", id="half an object"),
        pytest.param("/channels/direct", b'["a"]', id="a conversation of one"),
        pytest.param("/channels/direct", b"[1, 2]", id="people who are numbers"),
        pytest.param("/users/usernames", b"{}", id="names that are no list"),
        pytest.param("/posts", b'{"message": "\\ud800"}', id="half a letter"),
    ],
)
async def test_malformed_bodies_are_refused(http: httpx.AsyncClient, path: str, content: bytes) -> None:
    answer = await http.post(path, content=content)
    assert (answer.status_code, answer.json()["status_code"]) == (400, 400)


@pytest.mark.parametrize("authorization", ["Bearer wrong", TOKEN, ""])
async def test_without_the_right_token_nothing_is_told(chat: MattermostStandIn, authorization: str) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(chat.app), base_url="http://m/api/v4") as stranger:
        answer = await stranger.get("/users/me", headers={"Authorization": authorization})
    assert (answer.status_code, answer.json()["id"]) == (401, "api.context.session_expired.app_error")


async def test_members_of_a_channel_are_known(chat: MattermostStandIn, http: httpx.AsyncClient) -> None:
    inside, outside = [await channel_id(http, name) for name in ("serenity", "private")]
    assert (await http.get(f"/channels/{inside}/members/me")).json()["user_id"] == chat.bot.id
    assert (await http.get(f"/channels/{outside}/members/me")).status_code == 404
