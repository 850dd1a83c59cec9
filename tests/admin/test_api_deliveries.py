"""Deliveries over the API: the list, one of them, and deciding on it once more."""

from typing import Any

import httpx
from redis.asyncio import Redis

from tests.admin.calling import deliver, pages, told
from tests.conftest import SetClock
from tests.webhooks.payloads import body, issue_updated
from tests.webhooks.test_answers import post_jira

DELIVERIES = "/api/v1/deliveries"


async def ignored(client: httpx.AsyncClient, name: str) -> httpx.Response:
    """A delivery that concerns no rule."""
    data = body({"webhookEvent": "jira:version_released", "timestamp": 1793696400000})
    return await post_jira(client, data, x_atlassian_webhook_identifier=name)


async def test_deliveries_come_newest_first_and_in_pages(api: httpx.AsyncClient, clock: SetClock) -> None:
    for number in range(5):
        await deliver(api, f"d-{number}")
        clock.advance(minutes=1)
    found = await pages(api, DELIVERIES, limit=2)
    assert [[one["id"] for one in page] for page in found] == [["d-4", "d-3"], ["d-2", "d-1"], ["d-0"]]


async def test_a_delivery_tells_what_it_was_with_its_body_and_what_was_decided(api: httpx.AsyncClient) -> None:
    await deliver(api, "d-1")
    found = (await api.get(f"{DELIVERIES}/d-1")).json()
    assert found["body"] == issue_updated()
    assert (found["source"], found["event"], found["subject"]) == ("jira", "jira:issue_updated", "SE-1")
    assert found["received"] == "2026-11-03T09:00:00Z"
    assert "x-hub-signature" not in found["headers"]
    assert {one["delivery"] for one in found["decisions"]} == {"d-1"}
    assert "missing-reviewer" in {one["rule"] for one in found["decisions"]}


async def test_a_delivery_of_no_concern_has_a_reason_and_no_body(api: httpx.AsyncClient) -> None:
    await ignored(api, "d-1")
    found = (await api.get(f"{DELIVERIES}/d-1")).json()
    assert (found["body"], found["decisions"], found["subject"]) == (None, [], None)
    assert found["note"]


async def test_a_delivery_that_never_came_is_not_found(api: httpx.AsyncClient) -> None:
    for method, path in (("GET", "d-404"), ("POST", "d-404/replay")):
        assert told(await api.request(method, f"{DELIVERIES}/{path}")) == (404, "there is no delivery d-404")


async def test_a_delivery_that_is_not_kept_any_more_is_gone(api: httpx.AsyncClient, redis: Redis) -> None:
    await deliver(api, "d-1")
    await redis.delete("crafty:delivery:d-1")
    for method, path in (("GET", "d-1"), ("POST", "d-1/replay")):
        status, detail = told(await api.request(method, f"{DELIVERIES}/{path}"))
        assert (status, detail) == (410, "d-1 came in, but deliveries are kept for 30 days only")


async def test_what_has_no_body_can_not_be_replayed(api: httpx.AsyncClient) -> None:
    await ignored(api, "d-1")
    assert told(await api.post(f"{DELIVERIES}/d-1/replay"))[0] == 410


async def test_a_replay_decides_by_the_rules_as_they_are_now(api: httpx.AsyncClient, clock: SetClock) -> None:
    await deliver(api, "d-1")
    await api.patch("/api/v1/rules/missing-reviewer", json={"mode": "off"})
    clock.advance(hours=1)
    answer = await api.post(f"{DELIVERIES}/d-1/replay")
    decided: dict[str, Any] = {one["rule"]: one for one in answer.json()["decisions"]}
    assert (answer.status_code, answer.json()["delivery"]) == (202, "d-1")
    assert decided["missing-reviewer"] == {"rule": "missing-reviewer", "outcome": "pass", "mode": "off"}
    assert [one["id"] for one in (await api.get(DELIVERIES)).json()["items"]] == ["d-1"]


async def test_a_replay_stands_in_the_audit_log(api: httpx.AsyncClient) -> None:
    await deliver(api, "d-1")
    answer = await api.post(f"{DELIVERIES}/d-1/replay")
    (line,) = (await api.get("/api/v1/audit")).json()["items"]
    assert (line["who"], line["what"]) == ("ada", "replay delivery d-1")
    assert line["after"] == answer.json()["decisions"]
