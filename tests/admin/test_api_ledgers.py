"""The ledgers over the API: spillovers, acknowledgements, reconciliation, warnings."""

import csv
from datetime import timedelta
from io import StringIO
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from service.commitments import Commitment
from service.contributions import Acknowledgement
from service.findings import Examined, Finding, doubtful, fine, unchecked, wrong
from service.ledger import Ledger
from service.queue import Queue, Result, sweep
from service.rounds import EVERYTHING, REGISTRATION
from tests.admin.calling import deliver, pages
from tests.conftest import SetClock
from tests.test_cli_ledgers import CLOSED_AT, SPILLED, line

SPILLOVERS = "/api/v1/spillovers"


def acknowledged(number: int, **facts: Any) -> Acknowledgement:
    usual: dict[str, Any] = {
        "contribution": f"github:a/b#{number}",
        "cell": "Serenity",
        "title": "Fix",
        "url": "https://x.example",
        "waiting_since": CLOSED_AT + timedelta(hours=number),
    }
    return Acknowledgement(**{**usual, **facts})


async def keep(redis: Redis, *lines: Commitment | Acknowledgement) -> None:
    for one in lines:
        await Ledger(redis).keep_line(one)


async def test_spillovers_with_the_shares_of_clean_sprints(api: httpx.AsyncClient, redis: Redis) -> None:
    await keep(redis, line("SE-1"), SPILLED)
    found = (await api.get(SPILLOVERS)).json()
    assert [(one["ticket"], one["is_spillover"], one["reason"]) for one in found["items"]] == [
        ("SE-1", False, ""),
        ("SE-2", True, "waiting [for] the vendor"),
    ]
    assert [(one["person"], one["share"], one["expected"]) for one in found["shares"]] == [
        ("Ann", 1.0, 0.75),
        ("Bob", 0.0, 0.75),
    ]


@pytest.mark.parametrize(
    ("query", "tickets"),
    [
        ({"sprint": "se sprint 41"}, ["SE-1", "SE-2"]),
        ({"sprint": "41", "person": "bob"}, ["SE-2"]),
        ({"sprint": "42"}, []),
        ({"cell": "Falcon"}, []),
        ({"cell": "Serenity", "person": "Ann"}, ["SE-1"]),
    ],
)
async def test_the_lines_that_are_asked_for(
    api: httpx.AsyncClient, redis: Redis, query: dict[str, str], tickets: list[str]
) -> None:
    await keep(redis, line("SE-1"), SPILLED)
    answer = await api.get(SPILLOVERS, params=query)
    exported = await api.get(SPILLOVERS, params=query, headers={"accept": "text/csv"})
    assert [one["ticket"] for one in answer.json()["items"]] == tickets
    assert [row["ticket"] for row in csv.DictReader(StringIO(exported.text))] == tickets


async def test_the_shares_are_of_all_lines_and_not_of_a_page(api: httpx.AsyncClient, redis: Redis) -> None:
    await keep(redis, line("SE-1"), SPILLED)
    first = (await api.get(SPILLOVERS, params={"limit": 1})).json()
    assert ([one["ticket"] for one in first["items"]], len(first["shares"])) == (["SE-1"], 2)
    assert [[one["ticket"] for one in page] for page in await pages(api, SPILLOVERS, limit=1)] == [["SE-1"], ["SE-2"]]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/csv", "text/csv; charset=utf-8"),
        ("text/csv; header=present, application/json", "text/csv; charset=utf-8"),
        ("application/json, text/csv", "application/json"),
        ("*/*", "application/json"),
        ("", "application/json"),
    ],
)
async def test_whoever_asks_for_csv_gets_csv(api: httpx.AsyncClient, accept: str, kind: str) -> None:
    answer = await api.get(SPILLOVERS, headers={"accept": accept})
    assert (answer.headers["content-type"], answer.headers["vary"]) == (kind, "Accept")


async def test_the_csv_has_every_column_and_no_formula(api: httpx.AsyncClient, redis: Redis) -> None:
    await keep(redis, line("SE-1", summary="=1+1", reviewers=("Bob", "Eli")))
    answer = await api.get(SPILLOVERS, headers={"accept": "text/csv"})
    (row,) = csv.DictReader(StringIO(answer.text))
    assert list(row) == list(Commitment.__struct_fields__)
    assert (row["summary"], row["reviewers"]) == ("'=1+1", "Bob, Eli")


async def test_how_contributions_were_answered(api: httpx.AsyncClient, redis: Redis) -> None:
    met = acknowledged(1, answered_at=CLOSED_AT, answered_by="Ann", took=timedelta(hours=3))
    late = acknowledged(2, answered_at=CLOSED_AT, answered_by="Bob", took=timedelta(hours=29), is_missed=True)
    await keep(redis, met, late, acknowledged(3), acknowledged(4, closed=True))
    found = (await api.get("/api/v1/acknowledgements")).json()
    assert {key: found[key] for key in ("open", "met", "missed", "closed", "median", "percentile_95")} == {
        "open": 1,
        "met": 1,
        "missed": 1,
        "closed": 1,
        "median": 16 * 3600,
        "percentile_95": 29 * 3600,
    }
    assert [(one["contribution"][-1], one["took"]) for one in found["items"]] == [
        ("4", None),
        ("3", None),
        ("2", 29 * 3600),
        ("1", 3 * 3600),
    ]


async def test_without_contributions_there_is_no_median(api: httpx.AsyncClient) -> None:
    found = (await api.get("/api/v1/acknowledgements")).json()
    assert (found["items"], found["median"], found["percentile_95"], found["met"]) == ([], None, None, 0)


async def test_each_source_with_what_came_and_when(api: httpx.AsyncClient) -> None:
    await deliver(api, "d-1")
    found = {one.pop("source"): one for one in (await api.get("/api/v1/reconciliation")).json()["items"]}
    unknown = {"registered": None, "checked_at": None}
    quiet = {"by_webhook": 0, "missed": 0, "healed": 0, **unknown, "last_delivery": None}
    assert found == {
        "discourse": quiet,
        "github": quiet,
        "gitlab": quiet,
        "jira": {**quiet, "by_webhook": 1, "last_delivery": "2026-11-03T09:00:00Z"},
    }


async def test_what_only_a_sweep_found(api: httpx.AsyncClient, redis: Any, clock: SetClock) -> None:
    queue = Queue(redis, clock)
    await queue.want(sweep("Serenity", clock()))
    await queue.release(1)
    token = await redis.hget("crafty:work:sweep:Serenity", "token")
    work = await queue.claim("sweep:Serenity", token.decode())
    assert work
    await queue.finish(work, Result(ending="waiting", missed={"SE-1": True, "SE-2": False, "topic:5": False}))
    found = {one["source"]: one for one in (await api.get("/api/v1/reconciliation")).json()["items"]}
    assert {name: (one["missed"], one["healed"]) for name, one in found.items()} == {
        "discourse": (1, 1),
        "github": (0, 0),
        "gitlab": (0, 0),
        "jira": (2, 1),
    }


@pytest.mark.parametrize(
    ("found", "registered"),
    [
        pytest.param((fine("webhooks", "Jira", "it is registered"),), True, id="it is there"),
        pytest.param((doubtful("webhooks", "Jira", "two send", "Delete one."),), True, id="it is there twice"),
        pytest.param((wrong("webhooks", "Jira", "it is disabled", "Enable it."),), False, id="it is disabled"),
        pytest.param((unchecked("webhooks", "Jira", "we may not see it"),), None, id="it can't be seen"),
        pytest.param((), None, id="there is no Jira"),
    ],
)
async def test_whether_jira_has_our_webhook(
    api: httpx.AsyncClient, redis: Redis, clock: SetClock, found: tuple[Finding, ...], registered: bool | None
) -> None:
    await Ledger(redis).keep_examined(REGISTRATION, Examined(at=clock(), findings=found))
    shown = {one["source"]: one for one in (await api.get("/api/v1/reconciliation")).json()["items"]}
    assert (shown["jira"]["registered"], shown["jira"]["checked_at"]) == (registered, "2026-11-03T09:00:00Z")
    assert (shown["github"]["registered"], shown["github"]["checked_at"]) == (None, None)


async def test_what_the_doctor_found(api: httpx.AsyncClient, redis: Redis, clock: SetClock) -> None:
    ledger = Ledger(redis)
    await ledger.keep_examined(REGISTRATION, Examined(at=clock(), findings=(fine("webhooks", "Jira", "well"),)))
    await ledger.keep_examined(EVERYTHING, Examined(at=clock(), findings=(wrong("tokens", "GitHub", "old", "Renew."),)))
    token, webhook = (await api.get("/api/v1/doctor")).json()["items"]
    assert token == {
        "check": "tokens",
        "about": "GitHub",
        "state": "wrong",
        "what": "old",
        "mend": "Renew.",
        "checked_at": "2026-11-03T09:00:00Z",
    }
    assert (webhook["check"], webhook["state"], webhook["mend"]) == ("webhooks", "fine", "")


async def test_what_an_admin_should_mend(api: httpx.AsyncClient, redis: Redis) -> None:
    await Ledger(redis).warn("board of Serenity", "two sprints are active at once")
    assert (await api.get("/api/v1/warnings")).json() == {
        "items": [{"about": "board of Serenity", "text": "two sprints are active at once"}],
        "next": None,
    }
