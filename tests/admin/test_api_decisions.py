"""Decisions and a subject's story over the API."""

from datetime import UTC, datetime

import httpx
import pytest
from redis.asyncio import Redis

from service.contributions import Note
from service.ledger import Contributed, Ledger
from tests.admin.calling import deliver, pages
from tests.conftest import SetClock

DECISIONS = "/api/v1/decisions"


async def test_a_decision_tells_what_why_and_what_follows(api: httpx.AsyncClient) -> None:
    await deliver(api, "d-1")
    (found,) = (await api.get(DECISIONS, params={"rule": "missing-reviewer"})).json()["items"]
    comment = found["actions"][0]
    assert {
        key: found[key] for key in ("subject", "cell", "rule", "mode", "outcome", "stage", "delivery", "event")
    } == {
        "subject": "SE-1",
        "cell": "Serenity",
        "rule": "missing-reviewer",
        "mode": "on",
        "outcome": "act",
        "stage": "webhook",
        "delivery": "d-1",
        "event": "jira:issue_updated",
    }
    assert (found["at"], found["facts"]["status"], found["error"]) == ("2026-11-03T09:00:00Z", "Need Review", None)
    assert found["reason"]
    assert (comment["kind"], comment["target"], comment["ticket"]) == ("comment", "SE-1", "SE-1")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 200])
async def test_the_pages_have_every_decision_once_newest_first(
    api: httpx.AsyncClient, clock: SetClock, limit: int
) -> None:
    for number in range(4):
        await deliver(api, f"d-{number}")
        clock.advance(minutes=1)
    whole = (await api.get(DECISIONS, params={"limit": 200})).json()["items"]
    found = await pages(api, DECISIONS, limit=limit)
    assert [one for page in found for one in page] == whole
    assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
    assert list(dict.fromkeys(one["delivery"] for one in whole)) == ["d-3", "d-2", "d-1", "d-0"]


async def test_what_comes_in_meanwhile_moves_no_page(api: httpx.AsyncClient) -> None:
    await deliver(api, "d-0")
    await deliver(api, "d-1")
    whole = (await api.get(DECISIONS)).json()["items"]
    first = (await api.get(DECISIONS, params={"limit": 1})).json()
    await deliver(api, "d-2")
    rest = (await api.get(DECISIONS, params={"cursor": first["next"]})).json()
    assert [*first["items"], *rest["items"]] == whole


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"subject": "SE-1"}, True),
        ({"subject": "SE-2"}, False),
        ({"cell": "Serenity", "outcome": "act"}, True),
        ({"cell": "Falcon"}, False),
        ({"rule": "spillover", "outcome": "act"}, False),
        ({"rule": "no-such-rule"}, False),
    ],
)
async def test_only_the_decisions_that_are_asked_for(
    api: httpx.AsyncClient, query: dict[str, str], found: bool
) -> None:
    await deliver(api, "d-1")
    items = (await api.get(DECISIONS, params=query)).json()["items"]
    assert bool(items) == found
    assert all(one[key] == value for one in items for key, value in query.items())


async def test_a_page_that_filters_much_is_short_and_goes_on(api: httpx.AsyncClient, redis: Redis) -> None:
    await deliver(api, "d-1")
    async with redis.pipeline() as pipe:
        for _ in range(1000):
            pipe.xadd("crafty:timeline", {"subject": "SE-2", "id": "1-1"})
        await pipe.execute()
    found = await pages(api, DECISIONS, outcome="act")
    assert [len(page) for page in found] == [0, 1]


async def test_the_story_of_a_ticket(api: httpx.AsyncClient, redis: Redis, clock: SetClock) -> None:
    await deliver(api, "d-1")
    story = (await api.get("/api/v1/why/SE-1")).json()
    assert story["subject"] == "SE-1"
    assert [(one["stage"], one["delivery"]) for one in story["entries"]] == [("webhook", "d-1")]
    assert story["planned"]["missing-reviewer"] == "2026-11-03T09:02:00Z"
    assert (story["comments"], story["contribution"]) == ({}, None)


async def test_the_story_of_a_contribution_whose_key_has_a_slash(api: httpx.AsyncClient, redis: Redis) -> None:
    opened = Note(what="opened", at=datetime(2026, 11, 3, 8, 0, tzinfo=UTC), title="Fix", url="https://x.example")
    await Ledger(redis).keep_notes(Contributed(key="github:a/b#1", place="a/b", notes=(opened,)))
    story = (await api.get("/api/v1/why/github:a%2Fb%231")).json()
    assert (story["subject"], story["contribution"]["title"]) == ("github:a/b#1", "Fix")


async def test_nothing_is_known_of_what_nothing_spoke_of(api: httpx.AsyncClient) -> None:
    answer = await api.get("/api/v1/why/SE-404")
    assert (answer.status_code, answer.json()["entries"], answer.json()["planned"]) == (200, [], {})
