"""Simulating over the API."""

from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from tests.admin.calling import app_with_tokens, calling, deliver, told, wrong
from tests.conftest import SetClock
from tests.webhooks.payloads import FIELDS, issue_updated

SIMULATE = "/api/v1/simulate"


def posted(**changes: Any) -> dict[str, Any]:
    return {"source": "jira", "headers": {}, "payload": issue_updated(), "now": "2026-11-03T10:00:00Z", **changes}


async def test_a_payload_is_decided_on_and_nothing_is_done(api: httpx.AsyncClient, redis: Redis) -> None:
    before = sorted(await redis.keys("*"))
    found = (await api.post(SIMULATE, json=posted())).json()
    (decision,) = [one for one in found["decisions"] if one["rule"] == "missing-reviewer"]
    assert found["event"]["name"] == "jira:issue_updated"
    assert (decision["mode"], decision["facts"]["status"]) == ("on", "Need Review")
    assert sorted(await redis.keys("*")) == before


async def test_its_actions_are_told_with_kind_and_target(api: httpx.AsyncClient) -> None:
    payload = {**issue_updated(), "changelog": {"items": []}}
    found = (await api.post(SIMULATE, json=posted(payload=payload))).json()
    actions = [action for one in found["decisions"] for action in one["actions"]]
    assert actions
    assert all(action["kind"] and action["target"] for action in actions)


async def test_a_rule_that_is_off_says_so(api: httpx.AsyncClient) -> None:
    await api.patch("/api/v1/rules/missing-reviewer", json={"mode": "off"})
    found = (await api.post(SIMULATE, json=posted())).json()
    (decision,) = [one for one in found["decisions"] if one["rule"] == "missing-reviewer"]
    assert (decision["mode"], decision["outcome"], decision["reason"]) == ("off", "pass", "the rule is off")


async def test_what_is_of_no_concern_has_no_decisions(api: httpx.AsyncClient) -> None:
    found = (await api.post(SIMULATE, json=posted(payload={"webhookEvent": "jira:version_released"}))).json()
    assert (found["decisions"], bool(found["event"]["ignored"])) == ([], True)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"source": "fax"}, "source"),
        ({"payload": []}, "payload"),
        ({"payload": None}, "payload"),
        ({"headers": {"x-github-event": 1}}, "headers.x-github-event"),
        ({"now": "2026-11-03T10:00:00"}, "now"),
        ({"now": "1900-01-01T00:00:00Z"}, "now"),
        ({"fetch": "perhaps"}, "fetch"),
        ({"wehn": "2026-11-03T10:00:00Z"}, "wehn"),
    ],
)
async def test_a_wrong_value_is_named(api: httpx.AsyncClient, change: dict[str, Any], key: str) -> None:
    assert list(wrong(await api.post(SIMULATE, json=posted(**change)))) == [key]


async def test_what_is_missing_is_named(api: httpx.AsyncClient) -> None:
    assert wrong(await api.post(SIMULATE, json={})) == {"source": "is needed", "payload": "is needed"}


async def test_a_payload_without_what_its_event_must_have_is_refused(api: httpx.AsyncClient) -> None:
    answer = await api.post(SIMULATE, json=posted(payload={"webhookEvent": "jira:issue_updated"}))
    assert told(answer)[0] == 422


async def test_nothing_is_fetched_where_nothing_is_connected(api: httpx.AsyncClient) -> None:
    status, _ = told(await api.post(SIMULATE, json=posted(fetch=True)))
    assert status in {422, 503}


async def test_fields_that_are_configured_by_their_ids_are_known_before_jira_was_read(
    redis: Redis, redis_url: str, clock: SetClock
) -> None:
    fields = "\n[jira.fields]\n" + "".join(f'{fact} = "{number}"\n' for fact, number in FIELDS.items())
    async with calling(app_with_tokens(redis_url, clock, fields)) as api:
        found = (await api.post(SIMULATE, json=posted())).json()
    (decision,) = [one for one in found["decisions"] if one["rule"] == "missing-reviewer"]
    assert decision["outcome"] == "act"


async def test_a_simulation_changes_nothing_of_what_comes_later(api: httpx.AsyncClient) -> None:
    await api.post(SIMULATE, json=posted())
    assert (await deliver(api, "d-1")).json()["duplicate"] is False
