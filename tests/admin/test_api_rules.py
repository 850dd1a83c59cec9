"""Rules over the API: how they are set, setting them, and who was faster."""

import asyncio
from typing import Any

import httpx
import jsonschema
import pytest

from tests.admin.calling import app_with_tokens, calling, deliver, pages, told, wrong
from tests.conftest import SetClock
from tests.webhooks.test_answers import decision_of

GREEN = "/api/v1/rules/green-ticket"
REVIEWER = "/api/v1/rules/missing-reviewer"
TWO_CELLS = """
[[cells]]
name = "Falcon"
projects = ["FA"]
[rules.green-ticket]
mode = "dry-run"
[rules.green-ticket.cells.Falcon]
mode = "off"
"""


async def test_the_list_has_every_rule_by_name_with_an_etag(api: httpx.AsyncClient) -> None:
    answer = await api.get("/api/v1/rules")
    names = [rule["name"] for rule in answer.json()["items"]]
    assert names == sorted(names)
    assert {"green-ticket", "task-insertion", "missing-reviewer", "spillover", "community-ack"} <= set(names)
    assert answer.headers["etag"].startswith('"')


async def test_a_rule_tells_what_it_is_and_how_it_is_set(api: httpx.AsyncClient) -> None:
    rule = (await api.get(GREEN)).json()
    assert (rule["name"], rule["title"], rule["mode"], rule["settle"]) == ("green-ticket", "Green ticket", "on", "2m")
    assert rule["doc"].startswith(rule["summary"])
    assert rule["params"] == {"reminder_lead": "24h", "push_unassigned": False}
    assert rule["configured"] == {key: rule[key] for key in ("mode", "settle", "params")}
    assert rule["cells"] == {}
    jsonschema.validate(rule["params"], rule["params_schema"])


async def test_cells_that_differ_are_told(redis: Any, redis_url: str, clock: SetClock) -> None:
    async with calling(app_with_tokens(redis_url, clock, TWO_CELLS)) as client:
        rule = (await client.get(GREEN)).json()
        again = (await client.patch(GREEN, json={"params": {"push_unassigned": True}, "cell": "Serenity"})).json()
    assert (rule["mode"], {cell: own["mode"] for cell, own in rule["cells"].items()}) == ("dry-run", {"Falcon": "off"})
    assert {cell: own["params"]["push_unassigned"] for cell, own in again["cells"].items()} == {
        "Falcon": False,
        "Serenity": True,
    }


async def test_the_counts_are_those_of_the_last_day(api: httpx.AsyncClient, clock: SetClock) -> None:
    await deliver(api, "d-1")
    assert (await api.get(REVIEWER)).json()["counts"] == {"outcomes": {"act": 1}, "effects": {}}
    clock.advance(hours=26)
    assert (await api.get(REVIEWER)).json()["counts"] == {"outcomes": {}, "effects": {}}


async def test_a_rule_that_is_turned_off_is_off_for_the_next_delivery(api: httpx.AsyncClient) -> None:
    before = decision_of("missing-reviewer", await deliver(api, "d-1"))
    changed = await api.patch(REVIEWER, json={"mode": "off"})
    after = decision_of("missing-reviewer", await deliver(api, "d-2"))
    assert (before, changed.json()["mode"], after) == (
        {"outcome": "act"},
        "off",
        {"outcome": "pass", "mode": "off"},
    )


async def test_null_takes_a_change_back(api: httpx.AsyncClient) -> None:
    usual = (await api.get(GREEN)).json()
    wish = {"mode": "off", "settle": "5m", "params": {"reminder_lead": "48h", "push_unassigned": True}}
    changed = (await api.patch(GREEN, json=wish)).json()
    assert {key: changed[key] for key in wish} == wish
    assert (await api.patch(GREEN, json={"params": {"reminder_lead": None}})).json()["params"] == {
        "reminder_lead": "24h",
        "push_unassigned": True,
    }
    assert (await api.patch(GREEN, json={"mode": None, "settle": None, "params": None})).json() == usual


async def test_what_is_left_out_stays_as_it_is(api: httpx.AsyncClient) -> None:
    await api.patch(GREEN, json={"mode": "off"})
    changed = (await api.patch(GREEN, json={"settle": "5m"})).json()
    nothing = (await api.patch(GREEN, json={})).json()
    assert (changed["mode"], changed["settle"], nothing) == ("off", "5m", changed)


@pytest.mark.parametrize(
    ("wish", "key", "words"),
    [
        ({"mode": "maybe"}, "mode", "should be 'on', 'dry-run' or 'off'"),
        ({"mode": True}, "mode", "should be 'on', 'dry-run' or 'off'"),
        ({"settle": "soon"}, "settle", ""),
        ({"settle": 5}, "settle", ""),
        ({"params": {"reminder_laed": "24h"}}, "params.reminder_laed", "did you mean reminder_lead?"),
        ({"params": {"reminder_lead": "tomorrow"}}, "params.reminder_lead", ""),
        ({"params": {"reminder_lead": "-1h"}}, "params.reminder_lead", ""),
        ({"params": {"push_unassigned": "yes"}}, "params.push_unassigned", "should be true or false"),
        ({"params": []}, "params", ""),
        ({"cell": "Sirenity", "mode": "off"}, "cell", "did you mean Serenity?"),
        ({"cell": 7}, "cell", ""),
        ({"moed": "off"}, "moed", "is not a known key"),
    ],
)
async def test_a_wrong_value_is_named_and_changes_nothing(
    api: httpx.AsyncClient, wish: dict[str, Any], key: str, words: str
) -> None:
    before = await api.get(GREEN)
    errors = wrong(await api.patch(GREEN, json=wish))
    after = await api.get(GREEN)
    assert list(errors) == [key]
    assert words in errors[key]
    assert (after.json(), after.headers["etag"]) == (before.json(), before.headers["etag"])


async def test_every_wrong_value_is_named_at_once(api: httpx.AsyncClient) -> None:
    params = {"reminder_lead": 3, "push_unassigned": 1, "x": 1}
    errors = wrong(await api.patch(GREEN, json={"params": params}))
    assert sorted(errors) == sorted(f"params.{name}" for name in params)


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_an_unknown_rule_is_answered_with_those_that_there_are(api: httpx.AsyncClient, method: str) -> None:
    status, detail = told(await api.request(method, "/api/v1/rules/gren-ticket", json={}))
    assert (status, "green-ticket" in detail) == (404, True)


@pytest.mark.parametrize("form", ["{}", "W/{}", '"another", {}', "*", '  W/{} , "b"'])
async def test_whoever_names_the_etag_that_holds_may_change_the_rule(api: httpx.AsyncClient, form: str) -> None:
    etag = (await api.get(GREEN)).headers["etag"]
    answer = await api.patch(GREEN, json={"mode": "off"}, headers={"if-match": form.format(etag)})
    assert (answer.status_code, answer.headers["etag"] == etag) == (200, False)
    assert answer.headers["etag"] == (await api.get(GREEN)).headers["etag"]


@pytest.mark.parametrize("form", ['"another"', "", "W/", "{}x", '"a", "b"'])
async def test_a_stale_etag_changes_nothing(api: httpx.AsyncClient, form: str) -> None:
    etag = (await api.get(GREEN)).headers["etag"]
    answer = await api.patch(GREEN, json={"mode": "off"}, headers={"if-match": form.format(etag)})
    assert told(answer)[0] == 412
    assert (await api.get(GREEN)).json()["mode"] == "on"


async def test_of_many_who_saw_the_same_only_one_changes_it(api: httpx.AsyncClient) -> None:
    etag = (await api.get(GREEN)).headers["etag"]
    leads = [f"{hours}h" for hours in range(30, 40)]
    answers = await asyncio.gather(
        *(api.patch(GREEN, json={"params": {"reminder_lead": one}}, headers={"if-match": etag}) for one in leads)
    )
    (winner,) = [lead for lead, answer in zip(leads, answers, strict=True) if answer.status_code == 200]
    assert sorted({answer.status_code for answer in answers}) == [200, 412]
    assert (await api.get(GREEN)).json()["params"]["reminder_lead"] == winner


async def test_the_lists_etag_changes_with_any_rule(api: httpx.AsyncClient) -> None:
    before = (await api.get("/api/v1/rules")).headers["etag"]
    await api.patch(GREEN, json={"mode": "off"})
    changed = (await api.get("/api/v1/rules")).headers["etag"]
    await api.patch(GREEN, json={"mode": None})
    assert [changed == before, (await api.get("/api/v1/rules")).headers["etag"] == before] == [False, True]


async def test_the_audit_log_tells_who_changed_what_newest_first(api: httpx.AsyncClient, clock: SetClock) -> None:
    await api.patch(GREEN, json={"mode": "off"})
    clock.advance(minutes=1)
    await api.patch(GREEN, json={"params": {"reminder_lead": "48h"}, "cell": "Serenity"})
    await api.patch(GREEN, json={"mode": "never"})
    lines = [line for page in await pages(api, "/api/v1/audit", limit=1) for line in page]
    assert [(line["who"], line["origin"], line["what"], line["before"], line["after"]) for line in lines] == [
        ("ada", "203.0.113.7", "rule green-ticket in Serenity", {}, {"params": {"reminder_lead": "48h"}}),
        ("ada", "203.0.113.7", "rule green-ticket", {}, {"mode": "off"}),
    ]
    assert lines[0]["at"] == "2026-11-03T09:01:00Z"
