"""Each cell's calendar over the API."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from service.facts import Sprint
from service.ledger import Ledger
from tests.admin.calling import app_with_tokens, calling, pages, wrong
from tests.builders import NEXT, RUNNING, STRETCH
from tests.conftest import SetClock

SPRINTS = "/api/v1/sprints"
FALCON = """
[[cells]]
name = "Falcon"
projects = ["FA"]
[cells.calendar]
timezone = "America/New_York"
"""
EARLY = Sprint(
    id=41,
    name="SE Sprint 41",
    state="active",
    start=datetime(2026, 11, 3, 8, 0, tzinfo=UTC),
    end=datetime(2026, 11, 17, 8, 0, tzinfo=UTC),
)


async def calendar(client: httpx.AsyncClient, now: str | None = None, cell: str = "Serenity") -> dict[str, Any]:
    query = {"cell": cell} if now is None else {"cell": cell, "now": now}
    (found,) = (await client.get(SPRINTS, params=query)).json()["items"]
    return dict(found)


async def test_the_deadlines_in_utc_and_in_the_cells_time(api: httpx.AsyncClient) -> None:
    found = await calendar(api, "2026-11-13T10:00:00Z")
    deadlines = {one["name"]: (one["at"], one["local"]) for one in found["deadlines"]}
    assert (found["cell"], found["timezone"], found["day"], found["sprint"]) == ("Serenity", "Europe/Paris", 11, None)
    assert found["now"] == {"at": "2026-11-13T10:00:00Z", "local": "2026-11-13T11:00:00+01:00"}
    assert deadlines["task-insertion"] == ("2026-11-12T23:00:00Z", "2026-11-13T00:00:00+01:00")
    assert deadlines["green-ticket"] == ("2026-11-13T23:00:00Z", "2026-11-14T00:00:00+01:00")
    assert deadlines["spillover"] == ("2026-11-16T07:00:00Z", "2026-11-16T08:00:00+01:00")
    assert (
        found["following"]["start"]
        == found["end"]
        == {
            "at": "2026-11-16T08:00:00Z",
            "local": "2026-11-16T09:00:00+01:00",
        }
    )


@pytest.mark.parametrize(
    ("now", "day", "local"),
    [
        ("2026-10-24T22:00:00+02:00", 5, "2026-10-24T22:00:00+02:00"),
        ("2026-10-25T22:00:00Z", 6, "2026-10-25T23:00:00+01:00"),
        ("2026-11-02T07:59:00Z", 14, "2026-11-02T08:59:00+01:00"),
        ("2026-11-02T08:00:00Z", 0, "2026-11-02T09:00:00+01:00"),
    ],
)
async def test_the_day_is_the_cells_across_the_change_of_the_clocks(
    api: httpx.AsyncClient, now: str, day: int, local: str
) -> None:
    found = await calendar(api, now)
    assert (found["day"], found["now"]["local"]) == (day, local)


@pytest.mark.parametrize(
    "now",
    [
        pytest.param("yesterday", id="no moment"),
        pytest.param("2026-11-13", id="a day"),
        pytest.param("2026-11-13T10:00:00", id="no offset"),
        pytest.param("2026-11-13T10:00:00 01:00", id="a plus that the address makes a blank"),
        pytest.param("2026-13-13T10:00:00Z", id="no such month"),
        pytest.param("1900-12-31T23:59:59Z", id="too early"),
        pytest.param("2199-01-01T00:00:00Z", id="too late"),
    ],
)
async def test_what_is_no_moment_is_told_how_to_write_one(api: httpx.AsyncClient, now: str) -> None:
    assert wrong(await api.get(SPRINTS, params={"now": now})) == {
        "now": "should be a moment with its offset, in the years 1901 to 2198, such as 2026-11-13T10:00:00Z; "
        "in an address, + is written %2B"
    }


@pytest.mark.parametrize("now", ["1901-01-01T00:00:00Z", "2198-12-31T23:59:59-12:00", "2026-11-13t10:00:00z"])
async def test_every_moment_of_two_centuries_can_be_asked_for(api: httpx.AsyncClient, now: str) -> None:
    assert (await api.get(SPRINTS, params={"now": now})).status_code == 200


async def test_jiras_own_dates_win(api: httpx.AsyncClient, redis: Redis, clock: SetClock) -> None:
    await Ledger(redis).see_sprints("Serenity", (STRETCH, EARLY, NEXT))
    found = await calendar(api)
    assert found["sprint"] == {"id": 41, "name": "SE Sprint 41"}
    assert (found["day"], found["start"]["at"]) == (0, "2026-11-03T08:00:00Z")


@pytest.mark.parametrize(
    ("present", "now", "sprint"),
    [
        (datetime(2026, 11, 16, 7, 59, tzinfo=UTC), None, 41),
        (datetime(2026, 11, 18, 8, 0, tzinfo=UTC), None, 41),
        (datetime(2026, 11, 18, 8, 0, tzinfo=UTC), "2026-11-17T08:00:00Z", 41),
        (datetime(2026, 11, 18, 8, 0, tzinfo=UTC), "2026-11-18T08:01:00Z", None),
        (datetime(2026, 11, 3, 8, 0, tzinfo=UTC), "2026-11-16T07:59:00Z", 41),
        (datetime(2026, 11, 3, 8, 0, tzinfo=UTC), "2026-11-16T08:00:00Z", None),
        (datetime(2026, 11, 3, 8, 0, tzinfo=UTC), "2026-11-02T07:59:00Z", None),
    ],
)
async def test_a_sprint_that_nobody_closed_goes_on_to_the_present(
    api: httpx.AsyncClient, redis: Redis, clock: SetClock, present: datetime, now: str | None, sprint: int | None
) -> None:
    clock.now = present
    await Ledger(redis).see_sprints("Serenity", (RUNNING,))
    found = await calendar(api, now)
    assert (found["sprint"] and found["sprint"]["id"]) == sprint


async def test_every_cell_has_its_own_zone(redis: Redis, redis_url: str, clock: SetClock) -> None:
    async with calling(app_with_tokens(redis_url, clock, FALCON)) as client:
        found = await pages(client, SPRINTS, limit=1)
    assert [(one["cell"], one["start"]["local"]) for page in found for one in page] == [
        ("Serenity", "2026-11-02T09:00:00+01:00"),
        ("Falcon", "2026-11-02T09:00:00-05:00"),
    ]
