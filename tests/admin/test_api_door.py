"""Who is let in to the API, and what every call does with a body, a query or a Redis that can't be right."""

import html
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from service.admin.auth import GUESSES
from tests.admin.calling import ADMIN, VIEWER, app_with_tokens, calling, told, wrong
from tests.conftest import SetClock

GETS = (
    "rules",
    "decisions",
    "deliveries",
    "jobs",
    "sprints",
    "spillovers",
    "acknowledgements",
    "reconciliation",
    "doctor",
)
CHANGES = (
    ("PATCH", "rules/green-ticket"),
    ("POST", "deliveries/d-1/replay"),
    ("POST", "jobs/look:a:b/retry"),
    ("POST", "jobs/retry"),
    ("DELETE", "jobs/look:a:b"),
    ("POST", "simulate"),
)


@pytest.mark.parametrize("path", [*GETS, "audit", "warnings", "why/SE-1", "rules/green-ticket"])
async def test_a_viewer_may_look_at_everything(viewing: httpx.AsyncClient, path: str) -> None:
    assert (await viewing.get(f"/api/v1/{path}")).status_code == 200


@pytest.mark.parametrize(("method", "path"), CHANGES)
async def test_a_viewer_may_change_nothing(viewing: httpx.AsyncClient, method: str, path: str) -> None:
    status, detail = told(await viewing.request(method, f"/api/v1/{path}", json={"mode": "off"}))
    assert (status, detail[:24]) == (403, "vic may look, not change")


@pytest.mark.parametrize(("method", "path"), [*(("GET", path) for path in GETS), *CHANGES])
async def test_nobody_is_let_in_without_a_token(redis_url: str, clock: SetClock, method: str, path: str) -> None:
    async with calling(app_with_tokens(redis_url, clock), None) as client:
        answer = await client.request(method, f"/api/v1/{path}")
    assert told(answer) == (401, "this needs a token; send it as Authorization: Bearer <token>")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("shown", ["Bearer", "Bearer ", f"Basic {ADMIN}", f"Bearer {ADMIN}x", f"Bearer {VIEWER[1:]}"])
async def test_nobody_is_let_in_with_a_wrong_token(api: httpx.AsyncClient, shown: str) -> None:
    answer = await api.get("/api/v1/rules", headers={"authorization": shown})
    assert told(answer)[0] == 401
    assert ADMIN not in answer.text


async def test_without_any_token_set_the_answer_says_which_variable_to_set(
    redis: Any, redis_url: str, clock: SetClock
) -> None:
    app = app_with_tokens(redis_url, clock, admin_tokens=SecretStr(""), viewer_tokens=SecretStr(""))
    async with calling(app) as client:
        status, detail = told(await client.get("/api/v1/rules"))
    assert (status, "CRAFTY_ADMIN_TOKENS" in detail) == (401, True)


async def test_after_twenty_wrong_tokens_an_address_waits_a_minute(api: httpx.AsyncClient) -> None:
    wrong_token = {"authorization": "Bearer guess"}
    assert [(await api.get("/api/v1/rules", headers=wrong_token)).status_code for _ in range(GUESSES)] == [401] * 20
    answer = await api.get("/api/v1/rules")
    assert told(answer)[0] == 429
    assert answer.headers["retry-after"] == "60"


async def test_a_call_without_a_token_is_no_guess(api: httpx.AsyncClient) -> None:
    for _ in range(GUESSES + 1):
        assert (await api.get("/api/v1/rules", headers={"authorization": ""})).status_code == 401
    assert (await api.get("/api/v1/rules")).status_code == 200


async def test_no_body_is_read_before_the_token_is_known(redis: Any, redis_url: str, clock: SetClock) -> None:
    async with calling(app_with_tokens(redis_url, clock), None) as client:
        answer = await client.patch("/api/v1/rules/green-ticket", content=b"{", headers={"content-type": "text/plain"})
    assert told(answer)[0] == 401


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b'{"mode": "off"}', "application/json; charset=utf-8", 200),
        (b'{"mode": "off"}', "application/merge-patch+json", 200),
        (b"mode=off", "application/x-www-form-urlencoded", 415),
        (b'{"mode": "off"}', "text/plain", 415),
        (b'{"mode": ', "application/json", 400),
        (b'{"mode": "\xff"}', "application/json", 400),
        (b'{"settle": NaN}', "application/json", 400),
        (b'{"settle": "\\ud800"}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b"", "application/json", 422),
        (b'{"settle": "' + b"2" * 5_242_880 + b'"}', "application/json", 413),
    ],
)
async def test_a_body_is_a_json_object_of_a_bounded_size(
    api: httpx.AsyncClient, content: bytes, kind: str, status: int
) -> None:
    answer = await api.patch("/api/v1/rules/green-ticket", content=content, headers={"content-type": kind})
    assert answer.status_code == status
    assert status == 200 or told(answer)[0] == status


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("decisions?limit=0", "limit"),
        ("decisions?limit=201", "limit"),
        ("decisions?limit=many", "limit"),
        ("decisions?outcome=maybe", "outcome"),
        ("jobs?state=lost", "state"),
        ("sprints?cell=Sirenity", "cell"),
        ("sprints?now=yesterday", "now"),
        ("sprints?now=2026-11-13T10:00:00", "now"),
        ("sprints?now=0001-01-01T00:00:00Z", "now"),
        ("sprints?now=9999-12-31T23:59:59-14:00", "now"),
        *(
            (f"{path}?cursor={cursor}", "cursor")
            for path in ("decisions", "deliveries", "jobs", "audit", "sprints", "spillovers", "acknowledgements")
            for cursor in ("x", "%C3%A9", "LTE", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5LTAvMA")
        ),
    ],
)
async def test_a_wrong_value_in_the_query_is_named(api: httpx.AsyncClient, path: str, key: str) -> None:
    assert list(wrong(await api.get(f"/api/v1/{path}"))) == [key]


async def test_a_name_that_is_nearly_right_is_told(api: httpx.AsyncClient) -> None:
    assert wrong(await api.get("/api/v1/sprints?cell=Sirenity")) == {
        "cell": "Sirenity is not a cell; did you mean Serenity?"
    }


@pytest.mark.parametrize("path", ["decisions?subject=&rule=&outcome=&cursor=&limit=", "jobs?state=", "sprints?now="])
async def test_what_is_left_blank_counts_as_left_out(api: httpx.AsyncClient, path: str) -> None:
    assert (await api.get(f"/api/v1/{path}")).json() == (await api.get(f"/api/v1/{path.partition('?')[0]}")).json()


@pytest.mark.parametrize(
    ("method", "path", "status", "way_out"),
    [
        ("GET", "nothing", 404, "/docs lists"),
        ("POST", "rules", 405, "Allow names"),
        ("DELETE", "rules/green-ticket", 405, "Allow names"),
    ],
)
async def test_an_unknown_address_or_method_is_a_problem_too(
    api: httpx.AsyncClient, method: str, path: str, status: int, way_out: str
) -> None:
    answer, detail = told(await api.request(method, f"/api/v1/{path}"))
    assert (answer, way_out in detail) == (status, True)


@pytest.mark.parametrize("path", GETS)
async def test_without_redis_every_call_asks_to_come_back(clock: SetClock, path: str) -> None:
    async with calling(app_with_tokens("unix:///nowhere/redis.sock", clock)) as client:
        answer = await client.get(f"/api/v1/{path}")
    assert told(answer)[0] == 503
    assert answer.headers["retry-after"] == "10"
    assert "nowhere" not in answer.text


async def test_the_document_and_its_page_need_no_token(redis_url: str, clock: SetClock) -> None:
    async with calling(app_with_tokens(redis_url, clock), None) as client:
        page, document = await client.get("/docs"), await client.get("/openapi.json")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert all(html.escape(path) in page.text for path in document.json()["paths"])
    assert "http://" not in page.text.replace("http://127.0.0.1", "")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert document.json()["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"


async def test_a_405_names_every_method_that_the_address_takes(api: httpx.AsyncClient) -> None:
    answers = [await api.put(f"/api/v1/{path}") for path in ("rules/green-ticket", "rules", "simulate")]
    assert [answer.headers["allow"] for answer in answers] == ["GET, PATCH", "GET", "POST"]


def test_every_call_of_the_api_has_its_guard(clock: SetClock) -> None:
    app: FastAPI = app_with_tokens("unix:///nowhere/redis.sock", clock)
    calls = app.openapi()["paths"]
    unguarded = [path for path, ops in calls.items() for op in ops.values() if "security" not in op]
    assert sorted(unguarded) == ["/healthz", "/metrics", "/readyz"]
