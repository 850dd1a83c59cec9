"""What GitHub and GitLab are answered, row by row of the contract's table, by the application on a real Redis."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from service.ledger import Ledger, Site
from tests import builders
from tests.conftest import SetClock
from tests.webhooks.payloads import GITLAB_CARLA, body, merge_request, pull_request
from tests.webhooks.test_answers import (
    COMMUNITY,
    FIXTURES,
    app_of,
    client_of,
    decision_of,
    is_own_doing,
    keys,
    looks,
    signature,
)

SECRET = "what GitHub signs with"
OLD_SECRET = "what it signed with before"
TOKEN = "what GitLab sends along"
OLD_TOKEN = "what it sent before"
PULL_REQUEST = "github:example-org/poll#12"
MERGE_REQUEST = "gitlab:example-org/poll!3"


def community(repository: str = "Example-Org/Poll") -> str:
    """The cell that looks after that repository, and Mia, who is in it."""
    return COMMUNITY.replace("Example-Org/Poll", repository)


def watching(redis_url: str, clock: SetClock, repository: str = "Example-Org/Poll", **changes: Any) -> FastAPI:
    secrets: dict[str, Any] = {
        "github_webhook_secret": SecretStr(f"{OLD_SECRET},{SECRET}"),
        "gitlab_webhook_secret": SecretStr(f"{OLD_TOKEN},{TOKEN}"),
    }
    return app_of(redis_url, clock, community(repository), **{**secrets, **changes})


@pytest.fixture
async def client(redis: Any, redis_url: str, clock: SetClock) -> AsyncIterator[httpx.AsyncClient]:
    """The service, with the bot's accounts known."""
    await Ledger(redis).keep_site(Site(github_bot="crafty-bot", gitlab_bot="crafty-bot"))
    app = watching(redis_url, clock)
    async with app.router.lifespan_context(app), client_of(app) as http:
        yield http


async def post_github(
    client: httpx.AsyncClient, data: bytes, event: str = "pull_request", **headers: str
) -> httpx.Response:
    usual = {
        "content-type": "application/json",
        "x-github-event": event,
        "x-hub-signature-256": signature(data, SECRET),
    }
    return await client.post("/webhooks/github", content=data, headers={**usual, **_named(headers)})


async def post_gitlab(
    client: httpx.AsyncClient, data: bytes, event: str = "Merge Request Hook", **headers: str
) -> httpx.Response:
    usual = {"content-type": "application/json", "x-gitlab-event": event, "x-gitlab-token": TOKEN}
    return await client.post("/webhooks/gitlab", content=data, headers={**usual, **_named(headers)})


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


async def starts_a_clock(redis: Any, subject: str) -> bool:
    """Whether the rule plans to look again at what waits for an answer."""
    decisions = [one for entry in await Ledger(redis).timeline(subject) for one in entry.decisions]
    return any(action.kind == "recheck" for one in decisions for action in one.actions)


# Who waits for an answer


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        pytest.param({}, "act", id="a stranger's"),
        pytest.param({"author_association": "CONTRIBUTOR"}, "act", id="somebody's who helped before"),
        pytest.param({"author_association": "MEMBER"}, "pass", id="a member's, by GitHub's word"),
        pytest.param({"user": {"login": "Mia-GH", "type": "User"}}, "pass", id="a member's, by crafty.toml"),
        pytest.param({"user": {"login": "some-app", "type": "Bot"}}, "pass", id="a bot's, by its type"),
        pytest.param({"user": {"login": "dependabot", "type": "User"}}, "pass", id="a bot's, by the rule's settings"),
        pytest.param({"draft": True}, "pass", id="a draft"),
        pytest.param({"created_at": "2026-10-05T08:30:00Z"}, "pass", id="one that waited for weeks"),
    ],
)
async def test_whose_pull_request_waits_for_an_answer(
    client: httpx.AsyncClient, redis: Any, changes: dict[str, Any], outcome: str
) -> None:
    answer = await post_github(client, body(pull_request(**changes)))
    assert (answer.status_code, decision_of("community-ack", answer)) == (202, {"outcome": outcome})
    assert await looks(redis) == ({f"community-ack:{PULL_REQUEST}"} if outcome == "act" else set())
    assert await starts_a_clock(redis, PULL_REQUEST) is (outcome == "act")


@pytest.mark.parametrize(
    ("user", "changes", "outcome"),
    [
        pytest.param(GITLAB_CARLA, {}, "act", id="a stranger's"),
        pytest.param({"id": 8, "username": "mia-gl"}, {}, "pass", id="a member's, by crafty.toml"),
        pytest.param({"id": 9, "username": "group_3_bot"}, {}, "pass", id="a bot's, by its name"),
        pytest.param({"id": 9, "username": "renovate"}, {}, "pass", id="a bot's, by the rule's settings"),
        pytest.param(GITLAB_CARLA, {"draft": True}, "pass", id="a draft"),
    ],
)
async def test_whose_merge_request_waits_for_an_answer(
    client: httpx.AsyncClient, redis: Any, user: dict[str, Any], changes: dict[str, Any], outcome: str
) -> None:
    answer = await post_gitlab(client, body(merge_request(user=user, **changes)))
    assert (answer.status_code, decision_of("community-ack", answer)) == (202, {"outcome": outcome})
    assert await looks(redis) == ({f"community-ack:{MERGE_REQUEST}"} if outcome == "act" else set())
    assert await starts_a_clock(redis, MERGE_REQUEST) is (outcome == "act")


async def test_a_draft_waits_from_when_it_is_ready(client: httpx.AsyncClient, redis: Any) -> None:
    await post_github(client, body(pull_request(draft=True)))
    ready = await post_github(client, body(pull_request("ready_for_review")))
    assert decision_of("community-ack", ready) == {"outcome": "act"}
    known = await Ledger(redis).contribution(PULL_REQUEST)
    assert known is not None
    assert (known.is_draft, f"{known.waiting_since:%H:%M}") == (False, "08:59")


async def test_crafty_s_own_doings_on_code_hosts_are_recorded_and_that_is_all(
    client: httpx.AsyncClient, redis: Any
) -> None:
    own = {**pull_request(), "sender": {"login": "Crafty-Bot", "type": "User"}}
    assert await is_own_doing(await post_github(client, body(own)), redis)
    assert await is_own_doing(
        await post_gitlab(client, body(merge_request(user={"id": 1, "username": "crafty-bot"}))), redis
    )
    assert await keys(redis, "contribution:*") == []


@pytest.mark.parametrize("secrecy", [{"private": True}, {"full_name": "example-org/other"}])
async def test_what_no_cell_looks_after_is_dropped_before_it_is_stored(
    client: httpx.AsyncClient, redis: Any, secrecy: dict[str, Any]
) -> None:
    payload = pull_request(title="hush-hush")
    answer = await post_github(client, body({**payload, "repository": {**payload["repository"], **secrecy}}))
    stored = await Ledger(redis).delivery(answer.json()["delivery"])
    assert (answer.status_code, answer.json()["decisions"], stored and stored[1]) == (202, [], b"")
    assert await keys(redis, "contribution:*") == []


# Who may deliver, and what


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 202, id="signed with the newest secret"),
        pytest.param({"x_hub_signature_256": signature(body(pull_request()), OLD_SECRET)}, 202, id="with the older"),
        pytest.param({"x_hub_signature_256": signature(b"{}", SECRET)}, 401, id="another body's signature"),
        pytest.param({"x_hub_signature_256": signature(body(pull_request()), TOKEN)}, 401, id="a wrong secret"),
        pytest.param({"x_hub_signature_256": ""}, 401, id="no signature"),
        pytest.param(
            {"x_hub_signature_256": "", "x_hub_signature": signature(body(pull_request()), SECRET)},
            401,
            id="a signature in the older header alone",
        ),
    ],
)
async def test_who_may_deliver_for_github(client: httpx.AsyncClient, headers: dict[str, str], status: int) -> None:
    assert (await post_github(client, body(pull_request()), **headers)).status_code == status


@pytest.mark.parametrize(
    ("token", "status"),
    [
        pytest.param(TOKEN, 202, id="the newest token"),
        pytest.param(OLD_TOKEN, 202, id="the older one"),
        pytest.param(f"{OLD_TOKEN},{TOKEN}", 401, id="both at once"),
        pytest.param(TOKEN[:-1], 401, id="a part of it"),
        pytest.param("", 401, id="none"),
    ],
)
async def test_who_may_deliver_for_gitlab(client: httpx.AsyncClient, token: str, status: int) -> None:
    answer = await post_gitlab(client, body(merge_request()), x_gitlab_token=token)
    assert answer.status_code == status
    assert TOKEN not in answer.text


@pytest.mark.parametrize("host", ["github", "gitlab"])
async def test_a_code_host_without_a_secret_is_told_what_to_set(redis_url: str, clock: SetClock, host: str) -> None:
    unset: dict[str, Any] = {f"{host}_webhook_secret": SecretStr("")}
    app = watching(redis_url, clock, **unset)
    async with client_of(app) as http:
        answer = await http.post(f"/webhooks/{host}", json={})
    assert answer.status_code == 503
    assert f"CRAFTY_{host.upper()}_WEBHOOK_SECRET" in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("data", "event", "status", "words"),
    [
        pytest.param(b"", "pull_request", 400, "JSON object", id="nothing"),
        pytest.param(b"{", "ping", 400, "JSON object", id="broken JSON, even in a ping"),
        pytest.param(b"[]", "pull_request", 400, "", id="a list"),
        pytest.param(b"payload=%7B%7D", "pull_request", 400, "JSON object", id="the body of a form"),
        pytest.param(b"{}", "pull_request", 422, "repository", id="no repository"),
        pytest.param(body({**pull_request(), "pull_request": {}}), "pull_request", 422, "number", id="no number"),
        pytest.param(body(pull_request()), "issue_comment", 422, "issue", id="another event's body"),
        pytest.param(b'{"zen": "Keep it logically awesome."}', "ping", 202, "", id="a ping"),
        pytest.param(body(pull_request()), "star", 202, "", id="an event of no concern"),
        pytest.param(b"{}", "", 202, "", id="no event's name"),
    ],
)
async def test_bodies_from_github(client: httpx.AsyncClient, data: bytes, event: str, status: int, words: str) -> None:
    answer = await post_github(client, data, event)
    assert (answer.status_code, words in answer.text) == (status, True)
    assert answer.json()["decisions"] == [] if status == 202 else answer.json()["status"] == status


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        pytest.param(b"no JSON", 400, "JSON object", id="no JSON"),
        pytest.param(b'"text"', 400, "", id="a text"),
        pytest.param(b'{"object_kind": "issue"}', 422, "user", id="nobody who did it"),
        pytest.param(body({**merge_request(), "object_attributes": {}}), 422, "iid", id="no number"),
        pytest.param(body({**merge_request(), "object_kind": "pipeline"}), 202, "", id="an event of no concern"),
        pytest.param(b"{}", 202, "", id="an empty object"),
    ],
)
async def test_bodies_from_gitlab(client: httpx.AsyncClient, data: bytes, status: int, words: str) -> None:
    answer = await post_gitlab(client, data)
    assert (answer.status_code, words in answer.text) == (status, True)
    assert answer.json()["decisions"] == [] if status == 202 else answer.json()["status"] == status


async def test_a_hook_that_sends_forms_is_told_to_send_json(client: httpx.AsyncClient) -> None:
    answer = await post_github(client, b"payload=%7B%7D", content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, "application/json" in answer.json()["detail"]) == (415, True)


# What comes twice


async def test_github_s_redelivery_is_a_duplicate(client: httpx.AsyncClient, redis: Any) -> None:
    data = body(pull_request())
    first, again = [await post_github(client, data, x_github_delivery="9aac4b00-81c2") for _ in range(2)]
    other = await post_github(client, data, x_github_delivery="9aac4b00-81c3")
    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 202)
    assert again.json() == {"delivery": "9aac4b00-81c2", "duplicate": True}
    assert len(await Ledger(redis).timeline(PULL_REQUEST)) == 2


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        pytest.param(
            {"idempotency_key": "k1", "x_gitlab_event_uuid": "u1"},
            {"idempotency_key": "k1", "x_gitlab_event_uuid": "u2"},
            200,
            id="the same key is the same delivery",
        ),
        pytest.param(
            {"idempotency_key": "k1", "x_gitlab_event_uuid": "u1"},
            {"idempotency_key": "k2", "x_gitlab_event_uuid": "u1"},
            202,
            id="another key is another one, though hooks share the event",
        ),
        pytest.param(
            {"x_gitlab_event_uuid": "u1"}, {"x_gitlab_event_uuid": "u1"}, 200, id="the same event with the same body"
        ),
        pytest.param(
            {"x_gitlab_event_uuid": "u1"}, {"x_gitlab_event_uuid": "u2"}, 202, id="two events with the same body"
        ),
        pytest.param({}, {}, 200, id="without any id the body counts"),
    ],
)
async def test_what_gitlab_s_deliveries_are_known_by(
    client: httpx.AsyncClient, first: dict[str, str], second: dict[str, str], status: int
) -> None:
    answers = [await post_gitlab(client, body(merge_request()), **headers) for headers in (first, second)]
    assert [one.status_code for one in answers] == [202, status]
    if status == 200:
        assert answers[1].json() == {"delivery": answers[0].json()["delivery"], "duplicate": True}


async def test_two_bodies_of_one_gitlab_event_are_both_stored(client: httpx.AsyncClient, redis: Any) -> None:
    """Related hooks of one event share its id where GitLab is older than Idempotency-Key."""
    opened, closed = body(merge_request()), body(merge_request("close", state="closed"))
    answers = [await post_gitlab(client, data, x_gitlab_event_uuid="u1") for data in (opened, closed, closed)]
    assert [one.status_code for one in answers] == [202, 202, 200]
    known = await Ledger(redis).contribution(MERGE_REQUEST)
    assert known is not None
    assert known.closed_at is not None


# Anything at all, and what really came


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    ANYTHING,
    st.sampled_from(["action", "pull_request", "repository", "sender", "issue", "comment", "review"]),
    st.sampled_from(["pull_request", "issues", "issue_comment", "pull_request_review", "pull_request_review_comment"]),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_json_in_any_place_of_github_s_causes_a_server_error(
    redis_url: str, anything: Any, place: str, event: str
) -> None:
    data = body({**pull_request(), place: anything})
    assert asyncio.run(answered(redis_url, data, event)) in {200, 202, 400, 422}


@given(
    ANYTHING,
    st.sampled_from(["object_kind", "user", "project", "object_attributes", "changes", "merge_request", "issue"]),
    st.sampled_from(["merge_request", "issue", "note"]),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_json_in_any_place_of_gitlab_s_causes_a_server_error(
    redis_url: str, anything: Any, place: str, kind: str
) -> None:
    data = body({**merge_request(), "object_kind": kind, place: anything})
    assert asyncio.run(answered(redis_url, data)) in {200, 202, 400, 422}


async def answered(redis_url: str, data: bytes, event: str | None = None) -> int:
    """What a host is answered: GitHub where an event is named, else GitLab."""
    app = watching(redis_url, SetClock(builders.wall("2026-11-03 10:00")))
    async with app.router.lifespan_context(app), client_of(app) as http:
        answer = await (post_github(http, data, event) if event else post_gitlab(http, data))
    return answer.status_code


MISSING = pytest.mark.skipif(not FIXTURES.is_dir(), reason="the folder of real deliveries is not beside this checkout")
GITHUB_EVENTS = (
    "pull_request_review_thread",
    "pull_request_review_comment",
    "pull_request_review",
    "pull_request",
    "issue_comment",
    "issues",
    "ping",
)


@MISSING
@pytest.mark.parametrize(
    "path",
    [path for path in sorted(FIXTURES.glob("github/*.json")) if not path.stem.endswith(".headers")],
    ids=lambda path: path.stem,
)
async def test_real_deliveries_of_github(redis: Any, redis_url: str, clock: SetClock, path: Path) -> None:
    """A clock starts for what is open, ready and from somebody whom GitHub counts neither as team nor as bot."""
    payload = json.loads(path.read_bytes())
    event = next(name for name in GITHUB_EVENTS if name in path.stem)
    item = payload.get("pull_request") or payload.get("issue") or {"number": 0}
    repository = payload["repository"]["full_name"]
    clock.now = _soon_after(item.get("created_at"), clock)

    async with client_of(watching(redis_url, clock, repository)) as http:
        answer = await post_github(http, path.read_bytes(), event)

    assert answer.status_code == 202
    is_ready = payload.get("action") not in {"closed", "deleted"} and not item.get("draft")
    is_outside = item.get("author_association") not in {"OWNER", "MEMBER", "COLLABORATOR"}
    is_human = item.get("user", {}).get("type") == "User"
    subject = f"github:{repository.lower()}#{item['number']}"
    assert await starts_a_clock(redis, subject) is (is_ready and is_outside and is_human)


@MISSING
@pytest.mark.parametrize("path", sorted(FIXTURES.glob("gitlab/*.json")), ids=lambda path: path.stem)
async def test_real_deliveries_of_gitlab(redis: Any, redis_url: str, clock: SetClock, path: Path) -> None:
    """A clock starts for what was opened in public, since GitLab names the author only then; they are all humans."""
    payload = json.loads(path.read_bytes())
    attributes, project = payload["object_attributes"], payload["project"]
    clock.now = _soon_after(attributes["created_at"], clock)

    async with client_of(watching(redis_url, clock, project["path_with_namespace"])) as http:
        answer = await post_gitlab(http, path.read_bytes(), path.stem.split("__")[1].replace("_", " ").title())

    assert answer.status_code == 202
    mark = "!" if payload["object_kind"] == "merge_request" else "#"
    subject = f"gitlab:{project['path_with_namespace'].lower()}{mark}{attributes.get('iid')}"
    is_opened = attributes.get("action") == "open" and project["visibility_level"] == 20
    assert await starts_a_clock(redis, subject) is (is_opened and not attributes.get("confidential"))


def _soon_after(created: str | None, clock: SetClock) -> datetime:
    """A minute after that was written: what waited for long before Crafty saw it is let be."""
    at = datetime.fromisoformat(created.replace(" UTC", "+00:00")) if created else clock.now
    return at + timedelta(minutes=1)
