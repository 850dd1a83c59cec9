"""What a sender is answered, row by row of the contract's table, by the application on a real Redis."""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from service.app import create_app
from service.jira_shapes import FieldMap
from service.ledger import Ledger, Site
from service.settings import Settings
from service.webhooks._signature import is_signed
from tests import builders
from tests.conftest import SetClock
from tests.webhooks.payloads import (
    ANN,
    FIELDS,
    NEXT,
    body,
    comment_created,
    data_center_comment,
    issue_fields,
    issue_updated,
    post,
    sprint_event,
)

SECRET = "a secret to everybody"
OLD_SECRET = "the secret before"
FORUM_SECRET = "the forum's secret"
FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures"
BOT = {"accountId": "acc-bot", "displayName": "Crafty"}


def settings_of(extra: str = "", **changes: Any) -> Settings:
    usual: dict[str, Any] = {
        "config": builders.config(extra),
        "jira_url": "https://jira.example",
        "jira_webhook_secret": SecretStr(f"{OLD_SECRET},{SECRET}"),
        "jira_webhook_token": SecretStr("a-token-in-the-address"),
        "discourse_webhook_secret": SecretStr(FORUM_SECRET),
    }
    return Settings(**{**usual, **changes})


def app_of(redis_url: str, clock: SetClock, extra: str = "", **changes: Any) -> FastAPI:
    return create_app(settings_of(extra, **changes), redis_url, builders.team(extra), builders.book(extra), clock)


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://crafty.test")


@pytest.fixture
async def client(redis: Any, redis_url: str, clock: SetClock) -> AsyncIterator[httpx.AsyncClient]:
    """The service, with Jira's fields and the bot's accounts known."""
    await Ledger(redis).keep_site(Site(fields=FieldMap(**FIELDS), jira_bot=("acc-bot",), discourse_bot="crafty"))
    app = app_of(redis_url, clock)
    async with app.router.lifespan_context(app), client_of(app) as http:
        yield http


def signature(data: bytes, secret: str = SECRET, method: str = "sha256") -> str:
    return f"{method}={hmac.new(secret.encode(), data, method).hexdigest()}"


async def post_jira(
    client: httpx.AsyncClient, data: bytes, path: str = "/webhooks/jira", **headers: str
) -> httpx.Response:
    usual = {"content-type": "application/json", "x-hub-signature": signature(data)}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(path, content=data, headers={**usual, **named})


async def post_forum(client: httpx.AsyncClient, data: bytes, **headers: str) -> httpx.Response:
    usual = {
        "content-type": "application/json",
        "x-discourse-event-signature": signature(data, FORUM_SECRET),
        "x-discourse-instance": "https://forum.example",
        "x-discourse-event-id": "15",
        "x-discourse-event-type": "post",
        "x-discourse-event": "post_created",
    }
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post("/webhooks/discourse", content=data, headers={**usual, **named})


async def keys(redis: Any, pattern: str) -> list[bytes]:
    return sorted(await redis.keys(f"crafty:{pattern}"))


def decision_of(rule: str, answer: httpx.Response) -> dict[str, str]:
    """What the answer says of one rule."""
    (decision,) = [one for one in answer.json()["decisions"] if one["rule"] == rule]
    return {name: value for name, value in decision.items() if name != "rule"}


async def looks(redis: Any) -> set[str]:
    """The looks that are planned, as "rule:subject"."""
    return {key.decode().partition(":look:")[2] for key in await keys(redis, "work:look:*")}


async def test_an_accepted_delivery_answers_with_its_decisions_and_stores_the_work(
    client: httpx.AsyncClient, redis: Any
) -> None:
    answer = await post_jira(client, body(issue_updated()), x_atlassian_webhook_identifier="abc-1")

    assert answer.status_code == 202
    told = answer.json()
    assert {"rule": "missing-reviewer", "outcome": "act"} in told.pop("decisions")
    assert told == {"delivery": "abc-1", "duplicate": False}
    assert await looks(redis) == {"missing-reviewer:SE-1"}
    timeline = await Ledger(redis).timeline("SE-1")
    reasons = {decision.rule: decision.reason for decision in timeline[0].decisions}
    assert timeline[0].delivery == "abc-1"
    assert "Nobody is named" in reasons["missing-reviewer"]


async def test_the_same_delivery_again_is_a_duplicate_and_changes_nothing(
    client: httpx.AsyncClient, redis: Any
) -> None:
    data = body(issue_updated())
    await post_jira(client, data, x_atlassian_webhook_identifier="abc-1")
    before = await redis.hgetall("crafty:work:look:missing-reviewer:SE-1")
    again = await post_jira(client, data, x_atlassian_webhook_identifier="abc-1", x_atlassian_webhook_retry="1")

    assert (again.status_code, again.json()) == (200, {"delivery": "abc-1", "duplicate": True})
    assert await redis.hgetall("crafty:work:look:missing-reviewer:SE-1") == before
    assert len(await Ledger(redis).timeline("SE-1")) == 1


async def test_without_an_identifier_the_body_is_the_identity(client: httpx.AsyncClient) -> None:
    first, again = [await post_jira(client, body(issue_updated())) for _ in range(2)]
    other = await post_jira(client, body(issue_updated(timestamp=1793696400001)))
    assert [first.status_code, again.status_code, other.status_code] == [202, 200, 202]


async def test_many_of_one_delivery_at_once_are_stored_once(client: httpx.AsyncClient, redis: Any) -> None:
    data = body(issue_updated())
    answers = await asyncio.gather(*(post_jira(client, data, x_atlassian_webhook_identifier="d") for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [202]
    assert len(await Ledger(redis).timeline("SE-1")) == 1


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        pytest.param({}, "", 202, id="signed with the newest secret"),
        pytest.param(
            {"x_hub_signature": signature(body(issue_updated()), OLD_SECRET)}, "", 202, id="with the older one"
        ),
        pytest.param({"x_hub_signature": signature(body(issue_updated()), method="sha512")}, "", 202, id="by sha512"),
        pytest.param({"x_hub_signature": signature(body(issue_updated()), method="sha1")}, "", 401, id="by sha1"),
        pytest.param({"x_hub_signature": signature(b"{}")}, "", 401, id="another body's signature"),
        pytest.param({"x_hub_signature": signature(body(issue_updated()), "")}, "", 401, id="signed with nothing"),
        pytest.param({"x_hub_signature": "sha256="}, "", 401, id="an empty signature"),
        pytest.param({"x_hub_signature": "sha256=ü"}, "", 401, id="a signature that is no ASCII"),
        pytest.param({"x_hub_signature": ""}, "", 401, id="no signature"),
        pytest.param({"x_hub_signature": ""}, "?token=a-token-in-the-address", 202, id="the token in the address"),
        pytest.param({"x_hub_signature": ""}, "?token=another", 401, id="a wrong token"),
        pytest.param({"x_hub_signature": ""}, "?token=", 401, id="an empty token"),
    ],
)
async def test_who_may_deliver(client: httpx.AsyncClient, headers: dict[str, str], query: str, status: int) -> None:
    headers = {name: value.encode("latin-1", "replace").decode("latin-1") for name, value in headers.items()}
    data = body(issue_updated())
    sent = {"content-type": "application/json", "x-hub-signature": signature(data)}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in sent.items()]
    assert (await client.post(f"/webhooks/jira{query}", content=data, headers=raw)).status_code == status


@pytest.mark.parametrize(
    ("data", "headers", "status", "words"),
    [
        pytest.param(b"", {}, 400, "JSON object", id="nothing"),
        pytest.param(b"{", {}, 400, "JSON object", id="broken JSON"),
        pytest.param(b"[]", {}, 400, "", id="a list"),
        pytest.param(b'"text"', {}, 400, "", id="a text"),
        pytest.param('{"a": "ü"}'.encode("utf-16"), {}, 400, "UTF-8", id="UTF-16"),
        pytest.param('{"webhookEvent": "ü"}'.encode("latin-1"), {}, 400, "UTF-8", id="Latin-1"),
        pytest.param(b"[" * 100_000, {}, 400, "", id="a hundred thousand lists"),
        pytest.param(b'{"issue":' * 50_000 + b"}" * 50_000, {}, 400, "", id="fifty thousand objects"),
        pytest.param(b'{"timestamp": 1e999}', {}, 422, "timestamp", id="an infinite number"),
        pytest.param(b'{"timestamp": ' + b"9" * 5000 + b"}", {}, 422, "timestamp", id="a number of 5000 digits"),
        pytest.param(b'{"webhookEvent": "jira:issue_updated"}', {}, 422, "issue", id="an issue event without issue"),
        pytest.param(
            body(issue_updated(issue_fields(assignee=[1]))), {}, 422, "assignee", id="a wrong type deep inside"
        ),
        pytest.param(b"a=b", {"content_type": "text/plain"}, 415, "application/json", id="plain text"),
        pytest.param(b"{}", {"content_type": "application/x-www-form-urlencoded"}, 415, "", id="a form"),
        pytest.param(b"{}", {"content_type": "application/json; charset=utf-8"}, 202, "", id="with a charset"),
        pytest.param(b'{"webhookEvent": "a", "webhookEvent": "b"}', {}, 202, "", id="the same key twice"),
        pytest.param(b'{"webhookEvent": "project_created"}', {}, 202, "", id="an event of no concern"),
        pytest.param(b" " * 6_000_000, {}, 413, "5242880", id="six megabytes"),
    ],
)
async def test_bad_and_odd_bodies(
    client: httpx.AsyncClient, data: bytes, headers: dict[str, str], status: int, words: str
) -> None:
    answer = await post_jira(client, data, **headers)
    assert answer.status_code == status
    assert words in answer.text
    if status != 202:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
    assert (await post_jira(client, body(issue_updated()))).status_code == 202


async def test_a_body_without_a_declared_length_is_cut_off_at_the_limit(redis: Any, redis_url: str) -> None:
    app = app_of(redis_url, SetClock(builders.RUNNING.start), max_body_bytes=10)  # type: ignore[arg-type]
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b"x" * 8

    async with client_of(app) as http:
        answer = await http.post("/webhooks/jira", content=endless())
    assert answer.status_code == 413
    assert read < 10


async def test_no_error_shows_the_body_or_a_secret(client: httpx.AsyncClient) -> None:
    data = body({"webhookEvent": "jira:issue_updated", "issue": {"key": "hush-hush"}, "user": 5})
    for answer in (await post_jira(client, data), await post_jira(client, data, x_hub_signature="sha256=beef")):
        assert "hush" not in answer.text
        assert "beef" not in answer.text
        assert SECRET not in answer.text


async def test_a_source_without_a_secret_refuses_and_is_told_to_come_again(redis: Any, redis_url: str) -> None:
    app = app_of(redis_url, SetClock(builders.RUNNING.start), discourse_webhook_secret=SecretStr(""))  # type: ignore[arg-type]
    async with client_of(app) as http:
        answer = await post_forum(http, body(post()))
        unknown = await http.post("/webhooks/bugzilla", content=b"{}")
    assert (answer.status_code, unknown.status_code) == (503, 404)
    assert "CRAFTY_DISCOURSE_WEBHOOK_SECRET" in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/webhooks/jira", 405, id="a webhook's address, opened in a browser"),
        pytest.param("POST", "/webhooks/jira/more", 404, id="an address that there is not"),
        pytest.param("GET", "/nowhere", 404, id="another one"),
    ],
)
async def test_every_error_is_a_problem_document(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status


async def test_redis_away_is_503_with_retry_after_and_readyz_says_so(clock: SetClock, tmp_path: Path) -> None:
    app = app_of(f"unix://{tmp_path}/nowhere.sock", clock)
    async with client_of(app) as http:
        answer = await post_jira(http, body(issue_updated()))
        ready, alive = await http.get("/readyz"), await http.get("/healthz")
    assert (answer.status_code, ready.status_code, alive.status_code) == (503, 503, 200)
    assert int(answer.headers["retry-after"]) > 0
    assert str(tmp_path) not in answer.text + ready.text


async def is_own_doing(answer: httpx.Response, redis: Any) -> bool:
    """Whether a delivery was recorded as Crafty's own doing, and nothing else came of it."""
    stored = await Ledger(redis).delivery(answer.json()["delivery"])
    assert (answer.status_code, answer.json()["decisions"], await keys(redis, "work:*")) == (202, [], [])
    return stored is not None and stored[0].note == "it is Crafty's own doing"


async def test_crafty_ignores_its_own_doing_but_not_that_of_another_bot(client: httpx.AsyncClient, redis: Any) -> None:
    assert await is_own_doing(await post_jira(client, body(issue_updated(user=BOT))), redis)
    other = await post_jira(client, body(issue_updated(user={**BOT, "accountId": "acc-other-bot"})))
    assert decision_of("missing-reviewer", other) == {"outcome": "act"}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("All is well.", id="its answers"),
        pytest.param("These words work: “@crafty help”", id="its own help"),
        pytest.param("@crafty help", id="words that would be a command of others"),
    ],
)
async def test_crafty_does_not_listen_to_its_own_comments_and_posts(
    client: httpx.AsyncClient, redis: Any, text: str
) -> None:
    comment = {"id": "7", "author": BOT, "updateAuthor": BOT, "body": text}
    assert await is_own_doing(await post_jira(client, body(comment_created(text, comment=comment))), redis)
    assert await is_own_doing(await post_forum(client, body(post(username="Crafty", raw=text))), redis)


async def test_a_project_of_no_cell_is_accepted_without_decisions(client: httpx.AsyncClient) -> None:
    answer = await post_jira(client, body(issue_updated(issue={"key": "OPS-1", "fields": issue_fields()})))
    assert (answer.status_code, answer.json()["decisions"]) == (202, [])


@pytest.mark.parametrize(
    ("table", "decision", "work"),
    [
        pytest.param('mode = "dry-run"', {"outcome": "act", "mode": "dry-run"}, 1, id="a dry run looks, and says so"),
        pytest.param('mode = "off"', {"outcome": "pass", "mode": "off"}, 0, id="off does not even look"),
    ],
)
async def test_modes(
    redis: Any, redis_url: str, clock: SetClock, table: str, decision: dict[str, str], work: int
) -> None:
    await Ledger(redis).keep_site(Site(fields=FieldMap(**FIELDS)))
    app = app_of(redis_url, clock, f"\n[rules.missing-reviewer]\n{table}\n")
    async with client_of(app) as http:
        answer = await post_jira(http, body(issue_updated()))
    assert decision_of("missing-reviewer", answer) == decision
    assert len(await keys(redis, "work:*")) == work


async def test_a_change_of_the_site_holds_for_the_very_next_delivery(client: httpx.AsyncClient, redis: Any) -> None:
    before = await post_jira(client, body(issue_updated()))
    renamed = FieldMap(**{**FIELDS, "reviewer": "customfield_10099"})
    await Ledger(redis).keep_site(Site(fields=renamed, jira_bot=("acc-bot",)))
    after = await post_jira(client, body(issue_updated(timestamp=1)))
    assert [decision_of("missing-reviewer", one)["outcome"] for one in (before, after)] == ["act", "wait"]


# What people tell Crafty, and what else leads to work


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("[~crafty] help", {"answers:SE-1"}, id="by name"),
        pytest.param("[~accountid:acc-bot] help", {"answers:SE-1"}, id="as the Cloud writes a mention"),
        pytest.param("@crafty why", {"answers:SE-1"}, id="as in chat"),
        pytest.param("[~crafty] accept", {"answers:SE-1", "task-insertion:SE-1"}, id="an acceptance"),
        pytest.param("Thanks, looks good to me", set(), id="a plain comment"),
        pytest.param("{quote}[~crafty] help{quote}", set(), id="a quoted command"),
        pytest.param("I asked @crafty help yesterday", {"answers:SE-1"}, id="a command in a sentence"),
    ],
)
async def test_a_comment_that_speaks_to_crafty_is_looked_at(
    client: httpx.AsyncClient, redis: Any, text: str, expected: set[str]
) -> None:
    answer = await post_jira(client, body(comment_created(text)))
    assert (answer.status_code, await looks(redis)) == (202, expected)


@pytest.mark.parametrize(
    ("text", "outcome", "expected"),
    [
        pytest.param("[~crafty] help", "wait", {"answers:SE-1"}, id="a command"),
        pytest.param("Thanks", "pass", set(), id="a plain comment"),
    ],
)
async def test_data_center_tells_of_a_comment_in_an_event_of_its_ticket(
    client: httpx.AsyncClient, redis: Any, text: str, outcome: str, expected: set[str]
) -> None:
    comment = data_center_comment(text)["comment"]
    answer = await post_jira(client, body(issue_updated(issue_event_type_name="issue_commented", comment=comment)))
    assert decision_of("answers", answer) == {"outcome": outcome}
    assert await looks(redis) == expected


async def test_data_center_s_comment_names_no_ticket_so_its_number_is_looked_at(
    client: httpx.AsyncClient, redis: Any
) -> None:
    plain = await post_jira(client, body(data_center_comment("Thanks")))
    assert (plain.json()["decisions"], await looks(redis)) == ([], set())

    command = await post_jira(client, body(data_center_comment("[~crafty] help")))
    assert (command.status_code, command.json()["decisions"]) == (202, [])
    assert {"answers:10013", "spillover:10013", "task-insertion:10013"} <= await looks(redis)


@pytest.mark.parametrize("name", ["sprint_started", "sprint_closed"])
@pytest.mark.parametrize(
    ("board", "expected"),
    [pytest.param(12, [b"crafty:work:sweep:Serenity"], id="of our board"), pytest.param(13, [], id="of another board")],
)
async def test_a_sprint_that_starts_or_closes_asks_for_a_sweep_of_its_cell(
    client: httpx.AsyncClient, redis: Any, name: str, board: int, expected: list[bytes]
) -> None:
    answer = await post_jira(client, body(sprint_event(name, board)))
    assert (answer.status_code, await keys(redis, "work:*")) == (202, expected)


@pytest.mark.parametrize(
    ("created", "outcome"),
    [
        pytest.param("2026-11-12T23:59:00.000+0100", "pass", id="a minute before the deadline"),
        pytest.param("2026-11-13T00:00:00.000+0100", "pass", id="at the deadline"),
        pytest.param("2026-11-13T00:01:00.000+0100", "act", id="a minute after it"),
    ],
)
async def test_a_ticket_that_is_created_in_the_next_sprint_too_late_is_an_insertion(
    client: httpx.AsyncClient, clock: SetClock, created: str, outcome: str
) -> None:
    at = datetime.fromisoformat(created).astimezone(UTC)
    clock.now = at
    fields = issue_fields(created=created, updated=created, creator=ANN, customfield_10020=[NEXT])
    new = issue_updated(fields, webhookEvent="jira:issue_created", timestamp=round(at.timestamp() * 1000))
    answer = await post_jira(client, body(new))
    assert (answer.status_code, decision_of("task-insertion", answer)) == (202, {"outcome": outcome})


COMMUNITY = """
[[cells]]
name = "Community"
projects = ["CM"]
channel = "community"
repositories = ["Example-Org/Poll"]
contribution_projects = ["HELP"]
[cells.roles]
community_liaison = "mia"
[[people]]
id = "mia"
name = "Mia"
cell = "Community"
jira = "acc-mia"
github = "mia-gh"
gitlab = "mia-gl"
"""


CARLA = {"accountId": "acc-carla", "displayName": "Carla"}
MIA = {"accountId": "acc-mia", "displayName": "Mia"}


@pytest.mark.parametrize(
    ("reporter", "outcome", "expected"),
    [
        pytest.param(CARLA, "act", {"community-ack:HELP-1"}, id="a stranger"),
        pytest.param(MIA, "pass", set(), id="a member"),
    ],
)
async def test_a_ticket_of_a_contributions_project_waits_for_an_answer(
    redis: Any, redis_url: str, clock: SetClock, reporter: dict[str, str], outcome: str, expected: set[str]
) -> None:
    await Ledger(redis).keep_site(Site(fields=FieldMap(**FIELDS)))
    created = "2026-11-03T08:30:00.000+0000"
    fields = issue_fields(project={"key": "HELP"}, reporter=reporter, creator=reporter, created=created)
    new = issue_updated(fields, webhookEvent="jira:issue_created", user=reporter)
    async with client_of(app_of(redis_url, clock, COMMUNITY)) as http:
        answer = await post_jira(http, body({**new, "issue": {**new["issue"], "key": "HELP-1"}}))
    assert (answer.status_code, decision_of("community-ack", answer)) == (202, {"outcome": outcome})
    assert await looks(redis) == expected


async def test_a_comment_on_a_ticket_of_a_contributions_project_may_be_the_answer(
    redis: Any, redis_url: str, clock: SetClock
) -> None:
    comment = comment_created("Thank you for writing!")
    async with client_of(app_of(redis_url, clock, COMMUNITY)) as http:
        answer = await post_jira(http, body({**comment, "issue": {**comment["issue"], "key": "HELP-1"}}))
    assert (answer.status_code, await looks(redis)) == (202, {"community-ack:HELP-1"})


# The forum


async def test_a_forum_post_in_a_watched_category_is_stored(client: httpx.AsyncClient, redis: Any) -> None:
    answer = await post_forum(client, body(post()), content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 202
    stored = await Ledger(redis).delivery(answer.json()["delivery"])
    assert stored is not None
    assert (stored[0].subject, stored[0].event, bool(stored[1])) == ("topic:77", "post_created", True)


@pytest.mark.parametrize(
    ("text", "is_answered"),
    [pytest.param("@crafty why", True, id="a command"), pytest.param("Thank you", False, id="a plain post")],
)
async def test_a_post_that_speaks_to_crafty_is_looked_at(
    client: httpx.AsyncClient, redis: Any, text: str, is_answered: bool
) -> None:
    assert (await post_forum(client, body(post(raw=text)))).status_code == 202
    assert ("answers:topic:77" in await looks(redis)) is is_answered


@pytest.mark.parametrize(
    "hidden",
    [
        pytest.param({"topic_archetype": "private_message", "category_id": None}, id="a private message"),
        pytest.param({"topic_archetype": "private_message"}, id="a private message that claims a category"),
        pytest.param({"category_id": 8}, id="a category that nobody watches"),
        pytest.param({"category_id": None}, id="no category"),
        pytest.param({"post_type": 4}, id="a whisper"),
    ],
)
async def test_what_is_not_for_crafty_is_dropped_before_it_is_stored(
    client: httpx.AsyncClient, redis: Any, hidden: dict[str, Any]
) -> None:
    data = body(post(raw="hush-hush", cooked="hush-hush", topic_title="hush-hush", **hidden))
    answer = await post_forum(client, data)
    assert (answer.status_code, answer.json()["decisions"]) == (202, [])
    for key in await redis.keys("*"):
        kind = await redis.type(key)
        stored = await (redis.hgetall(key) if kind == b"hash" else redis.dump(key))
        assert b"hush" not in repr(stored).encode()


async def test_the_forums_retry_comes_with_a_new_id_and_is_still_a_duplicate(client: httpx.AsyncClient) -> None:
    first = await post_forum(client, body(post()))
    retried = await post_forum(client, body(post()), x_discourse_event_id="16")
    edited = await post_forum(client, body(post(version=2)), x_discourse_event_id="17", x_discourse_event="post_edited")
    other_forum = await post_forum(client, body(post()), x_discourse_instance="https://other.example")
    assert [one.status_code for one in (first, retried, edited, other_forum)] == [202, 200, 202, 202]
    assert retried.json()["delivery"] == first.json()["delivery"]


async def test_the_forums_ping_and_unknown_events(client: httpx.AsyncClient) -> None:
    ping = await post_forum(client, b'{"ping": "OK"}', x_discourse_event="ping", x_discourse_event_type="ping")
    named = {"x_discourse_event": "user_created", "x_discourse_event_type": "user", "x_discourse_event_id": "16"}
    user = await post_forum(client, b'{"user": {"id": 1}}', **named)
    broken = await post_forum(client, b'{"post": {"id": "x"}}', x_discourse_event_id="18")
    assert [one.status_code for one in (ping, user, broken)] == [202, 202, 422]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(["issue", "user", "changelog", "comment", "sprint", "timestamp", "webhookEvent"]),
    st.sampled_from(
        ["jira:issue_created", "jira:issue_updated", "comment_created", "sprint_closed", "worklog_created"]
    ),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_json_in_any_place_causes_a_server_error(redis_url: str, anything: Any, place: str, event: str) -> None:
    async def deliver() -> httpx.Response:
        app = app_of(redis_url, SetClock(builders.RUNNING.start))  # type: ignore[arg-type]
        async with app.router.lifespan_context(app), client_of(app) as http:
            return await post_jira(http, body(issue_updated(**{"webhookEvent": event, place: anything})))

    assert asyncio.run(deliver()).status_code in {200, 202, 400, 422}


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="the folder of real deliveries is not beside this checkout")
@pytest.mark.parametrize("path", sorted(FIXTURES.glob("jira/*.json")), ids=lambda path: path.stem)
async def test_real_deliveries_of_jira(client: httpx.AsyncClient, path: Path) -> None:
    answer = await post_jira(client, path.read_bytes())
    assert answer.status_code == 202


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="the folder of real deliveries is not beside this checkout")
@pytest.mark.parametrize(
    "path",
    [path for path in sorted(FIXTURES.glob("discourse/*.json")) if not path.stem.endswith(".headers")],
    ids=lambda path: path.stem,
)
async def test_real_deliveries_of_discourse(client: httpx.AsyncClient, path: Path) -> None:
    kept = json.loads(path.with_suffix(".headers.json").read_text())
    headers = {
        name: value for name, value in kept.items() if name.startswith("x-discourse") and "signature" not in name
    }
    assert (await post_forum(client, path.read_bytes(), **headers)).status_code == 202


def test_the_vendors_own_test_vector() -> None:
    header = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
    assert is_signed(header, b"Hello World!", ["another", "It's a Secret to Everybody"])
    assert not is_signed(header, b"Hello World?", ["It's a Secret to Everybody"])
