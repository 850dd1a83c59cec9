"""Who gets into the console, who may change something there, and what a browser is told to beware of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from service.admin.auth import Doorkeeper
from service.admin.console.sessions import Sessions
from service.settings import AccessToken
from tests.admin.calling import ADMIN, VIEWER, app_with_tokens, calling
from tests.admin.visiting import Visitor
from tests.conftest import SetClock

PAGES = [
    *("", "/rules", "/rules/green-ticket", "/decisions", "/subjects/SE-1", "/deliveries", "/jobs", "/sprints"),
    *("/spillovers", "/acknowledgements", "/audit"),
]
DEEDS = [
    *("/rules/green-ticket", "/rules/green-ticket/mode", "/rules/green-ticket/back", "/deliveries/d-1/replay"),
    *("/jobs/retry", "/jobs/retry-all", "/jobs/drop"),
]


@pytest.fixture
async def visitor(redis: Any, redis_url: str, clock: SetClock) -> AsyncIterator[Visitor]:
    async with calling(app_with_tokens(redis_url, clock), None) as client:
        yield Visitor(client)


@pytest.mark.parametrize("page", [*PAGES, "/login", "/no-such-page"])
async def test_every_page_says_what_browsers_should_beware_of(visitor: Visitor, page: str) -> None:
    await visitor.log_in()
    answer = await visitor.open(page)
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    assert "<style" not in answer.text
    assert " style=" not in answer.text
    assert " onclick=" not in answer.text
    assert '="http' not in answer.text.replace('xmlns="http', "").replace('href="https://jira.example', "")


@pytest.mark.parametrize("page", PAGES)
async def test_a_stranger_is_asked_to_log_in_first_and_comes_back_to_the_page(visitor: Visitor, page: str) -> None:
    answer = await visitor.http.get(f"/console{page}")
    assert answer.status_code == 303
    await visitor.open(page)
    assert "Your token" in visitor.words
    answer = await visitor.send("/login", token=ADMIN, next=visitor.value_of("next"))
    assert (answer.status_code, answer.url.path) == (200, f"/console{page}")


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/consoles",
        "javascript:alert(1)",
        "/console\n/x",
        "",
    ],
)
async def test_logging_in_never_leads_off_the_console(visitor: Visitor, elsewhere: str) -> None:
    answer = await visitor.log_in(following=elsewhere)
    assert (answer.status_code, str(answer.url)) == (200, "http://crafty.test/console")


async def test_a_wrong_token_is_told_at_its_field(visitor: Visitor) -> None:
    answer = await visitor.log_in("a-guess")
    assert answer.status_code == 401
    assert 'aria-invalid="true"' in answer.text
    assert "No admin or viewer has this token" in visitor.words
    assert "a-guess" not in answer.text
    assert "crafty-session" not in visitor.http.cookies


async def test_twenty_wrong_tokens_a_minute_are_enough(visitor: Visitor) -> None:
    for _ in range(20):
        assert (await visitor.log_in("a-guess")).status_code == 401
    answer = await visitor.log_in()
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
    assert "Wait a minute" in visitor.words


@pytest.mark.parametrize(("scheme", "is_secure"), [("http", False), ("https", True)])
async def test_the_cookie_is_for_the_console_alone(
    redis: Any, redis_url: str, clock: SetClock, scheme: str, is_secure: bool
) -> None:
    async with calling(app_with_tokens(redis_url, clock), None) as client:
        client.base_url = httpx.URL(f"{scheme}://crafty.test")
        visitor = Visitor(client)
        await visitor.open("/login")
        answer = await client.post("/console/login", data={"form_token": visitor.form_token, "token": ADMIN})
    flags = {part.strip() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert flags - {"Secure"} == {"HttpOnly", "Max-Age=43200", "Path=/console", "SameSite=strict"}
    assert ("Secure" in flags) == is_secure


async def test_the_store_holds_neither_the_session_nor_the_token(visitor: Visitor, redis: Any) -> None:
    await visitor.log_in()
    secret = visitor.http.cookies["crafty-session"]
    (key,) = await redis.keys("crafty:session:*")
    held = key + await redis.get(key)
    assert secret.encode() not in held
    assert ADMIN.encode() not in held
    assert 0 < await redis.ttl(key) <= 12 * 3600


async def test_whoever_logs_out_is_out_everywhere(visitor: Visitor, redis: Any) -> None:
    await visitor.log_in()
    secret = visitor.http.cookies["crafty-session"]
    await visitor.send("/logout")
    assert "Your token" in visitor.words
    visitor.http.cookies.set("crafty-session", secret, path="/console")
    assert (await visitor.http.get("/console")).status_code == 303
    assert await redis.keys("crafty:session:*") == []


@pytest.mark.parametrize("deed", ["/login", "/logout", *DEEDS])
@pytest.mark.parametrize("form_token", ["", "0" * 64, "é"])
async def test_a_form_without_its_own_token_does_nothing(visitor: Visitor, deed: str, form_token: str) -> None:
    await visitor.log_in()
    answer = await visitor.send(deed, token=ADMIN, mode="off", form_token=form_token)
    assert answer.status_code == 403
    assert "not valid any more" in visitor.words


@pytest.mark.parametrize("deed", DEEDS)
async def test_a_form_without_a_session_does_nothing(visitor: Visitor, deed: str) -> None:
    await visitor.open("/login")
    assert (await visitor.send(deed, mode="off")).status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://crafty.test.evil.example"])
async def test_a_form_from_another_site_does_nothing(visitor: Visitor, origin: str) -> None:
    await visitor.log_in()
    visitor.http.headers["origin"] = origin
    answer = await visitor.send("/rules/green-ticket/mode", mode="off")
    assert (answer.status_code, "another site" in visitor.words) == (403, True)


async def test_a_form_of_our_own_site_is_taken(visitor: Visitor) -> None:
    await visitor.log_in()
    visitor.http.headers["origin"] = "http://crafty.test"
    assert (await visitor.send("/rules/green-ticket/mode", mode="off")).status_code == 200
    assert "green-ticket is off now" in visitor.words


async def test_a_form_that_is_too_large_is_not_read(visitor: Visitor) -> None:
    await visitor.log_in()
    assert (await visitor.send("/jobs/drop", id="x" * 300_000)).status_code == 413


@pytest.mark.parametrize("page", PAGES)
async def test_a_viewer_sees_every_page_and_no_button_that_changes_something(visitor: Visitor, page: str) -> None:
    await visitor.log_in(VIEWER)
    answer = await visitor.open(page)
    assert answer.status_code == 200
    assert [
        line for line in answer.text.split('method="post" action="')[1:] if not line.startswith("/console/logout")
    ] == []


@pytest.mark.parametrize("deed", DEEDS)
async def test_a_viewer_changes_nothing(visitor: Visitor, deed: str) -> None:
    await visitor.log_in(VIEWER)
    answer = await visitor.send(deed, mode="off")
    assert (answer.status_code, "ask an admin" in visitor.words) == (403, True)


ADA, VIC = AccessToken("ada", "token-of-ada"), AccessToken("vic", "token-of-vic")


@pytest.mark.parametrize(
    ("admins", "viewers", "role"),
    [
        pytest.param((ADA,), (VIC,), "admin", id="nothing has changed"),
        pytest.param((), (ADA,), "viewer", id="an admin who only views by now"),
        pytest.param((), (VIC,), None, id="a token that was taken away"),
        pytest.param((AccessToken("ada", "another"),), (), None, id="a token that was renewed"),
    ],
)
async def test_a_session_is_worth_what_its_token_is_worth_by_now(
    redis: Any, admins: tuple[AccessToken, ...], viewers: tuple[AccessToken, ...], role: str | None
) -> None:
    secret = await Sessions(redis, Doorkeeper(redis, (ADA,), ())).begin(ADA.token)
    found = await Sessions(redis, Doorkeeper(redis, admins, viewers)).visitor(secret, "203.0.113.7")
    assert (found.role if found else None) == role


async def test_a_viewer_who_bears_an_admins_name_stays_a_viewer(redis: Any) -> None:
    namesake = AccessToken("ada", "another-token")
    sessions = Sessions(redis, Doorkeeper(redis, (ADA,), (namesake,)))
    found = await sessions.visitor(await sessions.begin(namesake.token), "203.0.113.7")
    assert found is not None
    assert (found.name, found.role) == ("ada", "viewer")


async def test_without_redis_the_console_says_so(clock: SetClock) -> None:
    async with calling(app_with_tokens("unix:///nowhere/redis.sock", clock), None) as client:
        client.cookies.set("crafty-session", "a-session", path="/console")
        answer = await client.get("/console")
    assert (answer.status_code, "Redis can't be used" in answer.text.replace("&#39;", "'")) == (503, True)
    assert "nowhere" not in answer.text


@pytest.mark.parametrize(
    ("name", "kind"),
    [("console.css", "text/css"), ("console.js", "text/javascript"), ("icon.svg", "image/svg+xml")],
)
async def test_what_pages_refer_to_is_served_to_everybody(visitor: Visitor, name: str, kind: str) -> None:
    page = await visitor.open("/login")
    (address,) = {part.split('"')[0] for part in page.text.split('"') if name in part}
    answer = await visitor.http.get(address)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, kind)
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["desk.py", "..%2fdesk.py", "%2e%2e/desk.py"])
async def test_nothing_else_is_served_from_there(visitor: Visitor, name: str) -> None:
    assert (await visitor.http.get(f"/console/static/{name}", follow_redirects=True)).text.count("def ") == 0
