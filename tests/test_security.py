"""Attacks on what comes from outside; docs/security.md lists every input with the test that attacks it."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import respx
from fastapi import FastAPI
from pydantic import SecretStr
from redis.asyncio import Redis
from starlette.routing import Route
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from service.admin.auth import GUESSES, Doorkeeper, WrongTokenError
from service.admin.console.desk import HEADERS
from service.admin.console.sessions import Sessions
from service.app import create_app
from service.clients import discourse, github, gitlab, jira, mattermost
from service.clients._http import Moved
from service.connections import connected
from service.errors import CraftyError, TryLater
from service.gather import Gatherer
from service.jira_shapes import FieldMap
from service.ledger import Ledger, Site
from service.settings import AccessToken, Settings
from service.webhooks._signature import is_signed, is_token
from tests import builders
from tests.admin.calling import ADMIN, TOKENS, calling
from tests.admin.visiting import Visitor
from tests.conftest import SetClock
from tests.webhooks.payloads import FIELDS, body, issue_fields, issue_updated, merge_request, post, pull_request
from tests.webhooks.test_answers import FIXTURES, signature

ROOT: Final = Path(__file__).parent.parent
PAPER: Final = (ROOT / "docs" / "security.md").read_text()
OLD, NEW = "the secret before", "the secret that is new"
PLACES: Final = """
[[cells]]
name = "Outside"
projects = ["OUT"]
repositories = ["Example-Org/Poll"]
forum_categories = [8]
"""
URLS: Final = {
    "jira_url": "https://jira.example",
    "discourse_url": "https://forum.example",
    "mattermost_url": "https://chat.example",
    "github_url": "https://github.example",
    "gitlab_url": "https://gitlab.example",
}
HOSTS: Final = {httpx.URL(url).host for url in URLS.values()}
CREDENTIALS: Final = ("jira_token", "discourse_api_key", "mattermost_token", "github_token", "gitlab_token")
NOW: Final = builders.wall("2026-11-03 10:00")
EVIL: Final = "http://169.254.169.254/latest/meta-data"


def settings_of(secrets: str = f"{OLD},{NEW}", **changes: Any) -> Settings:
    webhooks = {f"{source}_webhook_secret": SecretStr(secrets) for source in PAYLOADS}
    tokens = {name: SecretStr(f"token-{name}") for name in CREDENTIALS}
    usual = {**URLS, **webhooks, **tokens, **TOKENS, "jira_email": "crafty@example.org"}
    return Settings(**{**usual, "config": builders.config(PLACES), **changes})


PAYLOADS: Final[dict[str, Any]] = {
    "jira": issue_updated(),
    "discourse": post(),
    "github": pull_request(),
    "gitlab": merge_request(),
}
NAMED: Final[dict[str, dict[str, str]]] = {
    "jira": {},
    "discourse": {"x-discourse-event": "post_created", "x-discourse-event-type": "post"},
    "github": {"x-github-event": "pull_request"},
    "gitlab": {"x-gitlab-event": "Merge Request Hook"},
}
PROOFS: Final = {
    "jira": "x-hub-signature",
    "discourse": "x-discourse-event-signature",
    "github": "x-hub-signature-256",
    "gitlab": "x-gitlab-token",
}


def proof(source: str, data: bytes, secret: str) -> dict[str, str]:
    """The header by which a source proves who it is."""
    return {PROOFS[source]: secret if source == "gitlab" else signature(data, secret)}


async def send(client: httpx.AsyncClient, source: str, data: bytes, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {"content-type": "application/json", **NAMED[source], **named}
    return await client.post(f"/webhooks/{source}", content=data, headers=sent)


@pytest.fixture
async def client(redis: Redis, redis_url: str, clock: SetClock) -> AsyncIterator[httpx.AsyncClient]:
    """The service with every source and system configured, as an admin calls it."""
    await Ledger(redis).keep_site(Site(fields=FieldMap(**FIELDS), jira_bot=("acc-bot",)))
    async with serving(settings_of(), redis_url, clock) as http:
        yield http


def app_of(chosen: Settings, redis_url: str, clock: SetClock) -> FastAPI:
    return create_app(chosen, redis_url, builders.team(PLACES), builders.book(PLACES), clock)


def serving(chosen: Settings, redis_url: str, clock: SetClock) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    return calling(app_of(chosen, redis_url, clock))


def routes_of(app: FastAPI) -> list[tuple[str, set[str]]]:
    """The path and methods of each plain route: webhooks, pages and forms."""
    app.openapi()  # has those made that wait until they are asked for
    return [(one.path, one.methods or set()) for one in app.routes if isinstance(one, Route)]


# Who may deliver


FORGED: Final[dict[str, Callable[[str, bytes], dict[str, str]]]] = {
    "both secrets as one": lambda source, data: proof(source, data, f"{OLD},{NEW}"),
    "another secret": lambda source, data: proof(source, data, "another"),
    "an empty secret": lambda source, data: proof(source, data, ""),
    "nothing": lambda source, data: {},
    "a longer one": lambda source, data: {PROOFS[source]: f"{proof(source, data, NEW)[PROOFS[source]]}0"},
    "a part of it": lambda source, data: {PROOFS[source]: proof(source, data, NEW)[PROOFS[source]][:-1]},
    "a weak method": lambda source, data: {PROOFS[source]: signature(data, NEW, "sha1")},
    "an admin's token": lambda source, data: {"authorization": f"Bearer {ADMIN}"},
}


@pytest.mark.parametrize("source", PAYLOADS)
async def test_only_who_knows_a_secret_of_the_source_may_deliver(
    client: httpx.AsyncClient, redis: Any, source: str
) -> None:
    data = body(PAYLOADS[source])
    forged = {how: await send(client, source, data, **forge(source, data)) for how, forge in FORGED.items()}
    assert {how: answer.status_code for how, answer in forged.items()} == dict.fromkeys(FORGED, 401)
    assert await redis.keys("crafty:delivery:*") == []
    genuine = [await send(client, source, data, **proof(source, data, secret)) for secret in (NEW, OLD)]
    assert [answer.status_code for answer in genuine] == [202, 200]


@pytest.mark.parametrize("source", ["jira", "discourse", "github"])
async def test_a_signature_holds_for_its_body_alone(client: httpx.AsyncClient, source: str) -> None:
    data = body(PAYLOADS[source])
    for changed in (data + b" ", data.replace(b":", b": ", 1), b""):
        assert (await send(client, source, changed, **proof(source, data, NEW))).status_code == 401


@pytest.mark.parametrize("source", PAYLOADS)
async def test_a_secret_that_was_taken_away_opens_nothing(
    redis: Redis, redis_url: str, clock: SetClock, source: str
) -> None:
    data = body(PAYLOADS[source])
    async with serving(settings_of(NEW), redis_url, clock) as http:
        assert (await send(http, source, data, **proof(source, data, OLD))).status_code == 401
        assert (await send(http, source, data, **proof(source, data, NEW))).status_code == 202


# Replays: no vendor signs the moment or the id


async def test_a_delivery_is_remembered_for_eight_days(client: httpx.AsyncClient, redis: Any) -> None:
    data = body(issue_updated())
    for _ in range(2):
        answer = await send(client, "jira", data, **proof("jira", data, NEW), x_atlassian_webhook_identifier="d-1")
    assert answer.json()["duplicate"]
    assert [await redis.ttl(key) for key in await redis.keys("crafty:seen:*")] == [8 * 86_400]


@pytest.mark.parametrize(
    ("source", "name"),
    [("jira", "x-atlassian-webhook-identifier"), ("github", "x-github-delivery"), ("gitlab", "idempotency-key")],
)
async def test_a_captured_delivery_under_a_new_id_only_asks_for_the_look_that_is_planned(
    client: httpx.AsyncClient, redis: Any, source: str, name: str
) -> None:
    """What a look does is decided on what is true then, under a key that is done once."""
    data = body(PAYLOADS[source])
    works = []
    for number in range(3):
        answer = await send(client, source, data, **proof(source, data, NEW), **{name: f"captured-{number}"})
        assert answer.status_code == 202
        works.append({key: await redis.hget(key, "kind") for key in sorted(await redis.keys("crafty:work:*"))})
    assert works[0] == works[1] == works[2]
    assert set(works[0].values()) == {b"look"}


# Tokens


def test_every_secret_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them, with hmac.compare_digest, also after one was right."""
    compared: list[tuple[Any, Any]] = []

    def recorded(first: Any, second: Any) -> bool:
        compared.append((first, second))
        return bool(first == second)

    monkeypatch.setattr(hmac, "compare_digest", recorded)
    admins = tuple(AccessToken(name, f"token-of-{name}") for name in ("ada", "grace", "vera"))
    assert is_signed(signature(b"{}", OLD), b"{}", [OLD, NEW])
    assert is_token(OLD, [OLD, NEW])
    assert Doorkeeper(None, admins, admins)._known("token-of-ada", "203.0.113.7")
    assert len(compared) == 2 + 2 + 3 + 3
    assert all(len(first) == len(second) for first, second in compared[4:])


async def test_a_forged_forwarded_header_gives_no_more_guesses(redis: Redis, redis_url: str, clock: SetClock) -> None:
    """The header counts where the proxy on this machine sets it, and from nobody else."""
    app: Any = app_of(settings_of(), redis_url, clock)
    proxied: Any = ProxyHeadersMiddleware(app)
    transport = httpx.ASGITransport(proxied, client=("203.0.113.7", 40000))
    async with httpx.AsyncClient(transport=transport, base_url="http://crafty.test") as stranger:
        headers = {"authorization": "Bearer guess"}
        answers = [
            await stranger.get("/api/v1/rules", headers={**headers, "x-forwarded-for": f"198.51.100.{number}"})
            for number in range(GUESSES + 1)
        ]
    assert [answer.status_code for answer in answers] == [401] * GUESSES + [429]


async def test_nothing_that_opens_a_door_is_stored(client: httpx.AsyncClient, redis: Any) -> None:
    visitor = Visitor(client)
    await visitor.log_in(ADMIN)
    await send(client, "jira", b"{}", **proof("jira", b"{}", "a guess"))
    secret = visitor.http.cookies["crafty-session"]
    keys = await redis.keys("*")
    stored = b" ".join([*keys, *[await redis.get(key) or b"" for key in keys if await redis.type(key) == b"string"]])
    shown = [word for word in (ADMIN, secret, visitor.form_token, OLD, NEW, *CREDENTIALS) if word.encode() in stored]
    assert shown == []


async def test_a_session_s_key_is_no_session(redis: Any) -> None:
    """Who reads the store learns hashes, and a hash opens nothing."""
    keeper = Doorkeeper(redis, (AccessToken("ada", ADMIN),), ())
    sessions = Sessions(redis, keeper)
    await sessions.begin(ADMIN)
    (key,) = await redis.keys("crafty:session:*")
    seal = await redis.get(key)
    for guess in (key.decode().rpartition(":")[2], seal.decode(), ADMIN):
        assert await sessions.visitor(guess, "203.0.113.7") is None
    with pytest.raises(WrongTokenError):
        await keeper.admit(seal.decode(), "203.0.113.7")


# Pages


async def test_every_page_that_there_is_has_the_headers_that_browsers_need(client: httpx.AsyncClient) -> None:
    transport: Any = client._transport
    paths = [path for path, _ in routes_of(transport.app) if path.startswith(("/console", "/docs"))]
    pages = sorted({re.sub(r"\{[^}]+\}", "x", path) for path in paths if "/static/" not in path})
    assert len(pages) > 15
    for visitor in (Visitor(client), Visitor(client)):
        for path in pages:
            for answer in (await client.get(path), await client.post(path, data={"mode": "off"})):
                sent = {name: answer.headers.get(name) for name in HEADERS}
                is_page = "html" in answer.headers.get("content-type", "") or answer.is_redirect
                assert not is_page or sent == HEADERS, path
        await visitor.log_in(ADMIN)


# Where requests go


def hostile(value: Any, key: str = "") -> Any:
    """The same payload with an address of ours to lose in every field that holds, or is called like, one."""
    match value:
        case dict():
            return {name: hostile(one, name) for name, one in value.items()}
        case list():
            return [hostile(one, key) for one in value]
        case str() if value.startswith(("http", "git@", "//", "/")) or re.search(r"url|href|link|self|avatar", key):
            return EVIL
        case _:
            return value


def real_payloads() -> Iterator[tuple[str, Any]]:
    """Some of the real deliveries, as if they came from places that we watch."""
    for path in sorted(FIXTURES.glob("*/*.json"))[::3] if FIXTURES.is_dir() else []:
        if path.stem.endswith(".headers"):
            continue
        payload = json.loads(path.read_bytes())
        for name, changes in WATCHED.items():
            if isinstance(payload.get(name), dict):
                payload[name] = {**payload[name], **changes}
        yield path.parent.name, payload


WATCHED: Final[dict[str, dict[str, Any]]] = {
    "issue": {"key": "SE-1"},
    "post": {"category_id": 7},
    "topic": {"category_id": 7},
    "repository": {"full_name": "Example-Org/Poll", "private": False},
    "project": {"path_with_namespace": "example-org/poll", "visibility_level": 20},
}
LINKS: Final = {"link": f'<{EVIL}>; rel="next"', "location": EVIL, "refresh": f"0; url={EVIL}"}
TICKET: Final = {"id": "10001", "key": "SE-1", "fields": hostile(issue_fields())}
ANSWER: Final = {
    **TICKET,
    "self": EVIL,
    "nextPage": EVIL,
    "more_topics_url": EVIL,
    "isLast": False,
    "nextPageToken": EVIL,
}


async def test_no_request_goes_to_an_address_that_a_payload_or_an_answer_names(
    client: httpx.AsyncClient, redis: Any
) -> None:
    """Whatever URL, link or header: what is delivered, looked at and simulated asks only the configured systems."""
    payloads = [*PAYLOADS.items(), *real_payloads()]
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=ANSWER, headers=LINKS)

    with respx.mock(assert_all_called=False) as server:
        server.route(host__regex=".*").mock(side_effect=answer)
        for number, (source, payload) in enumerate(payloads):
            data = body({**hostile(payload), "number": number})
            await send(client, source, data, **proof(source, data, NEW), referer=EVIL, x_forwarded_host="evil.example")
            simulated = {"source": source, "headers": NAMED[source], "payload": json.loads(data), "fetch": True}
            await client.post("/api/v1/simulate", json=simulated)
        await look_at_all(redis)
    assert len(asked) > 5
    assert {request.url.host for request in asked} <= HOSTS
    assert {request.url.scheme for request in asked} == {"https"}


async def look_at_all(redis: Any) -> None:
    """Reads what each look that is due would read."""
    connections, ledger = connected(settings_of()), Ledger(redis)
    team, book = builders.team(PLACES), builders.book(PLACES)
    gatherer = Gatherer(connections.jira, connections.readers, team, ledger)
    for name in await redis.zrange("crafty:due", 0, -1):
        kind, _, rest = name.decode().partition(":")
        rule, _, subject = rest.partition(":")
        if kind == "look":
            with suppress(CraftyError):
                await gatherer.situation(book.rule(rule), subject, book, NOW)  # type: ignore[arg-type]
    await connections.aclose()


async def _no_time(_: float) -> None:
    return


CLIENTS: Final[dict[str, Callable[[str], Any]]] = {
    "jira": lambda url: jira.connect("cloud", url, "crafty@example.org", "a-token", _no_time),
    "data center": lambda url: jira.connect("datacenter", url, "", "a-token", _no_time),
    "discourse": lambda url: discourse.connect(url, "a-token", "crafty", _no_time),
    "mattermost": lambda url: mattermost.connect(url, "a-token", _no_time),
    "github": lambda url: github.connect(url, "a-token", _no_time),
    "gitlab": lambda url: gitlab.connect(url, "a-token", _no_time),
}


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_credential_goes_nowhere_that_a_redirect_leads(name: str) -> None:
    client = CLIENTS[name]("https://vendor.example")
    with respx.mock(assert_all_called=False) as server:
        stolen = server.route(host="evil.example").mock(httpx.Response(200, json={}))
        for status in (301, 302, 303, 307, 308):
            answer = httpx.Response(status, headers={"location": "https://evil.example/"})
            server.route(host="vendor.example").mock(answer)
            with pytest.raises(Moved):
                await client.identify()
    assert not stolen.called
    await client.aclose()


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_server_whose_certificate_nobody_vouches_for_is_told_nothing(name: str) -> None:
    """It answers with a certificate of its own making, and gets no byte of a request."""
    received: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(1))
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(ROOT / "tests" / "self_signed.pem")
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        client = CLIENTS[name](f"https://localhost:{port}")
        with pytest.raises(TryLater, match="gave no answer"):
            await client.identify()
        await client.aclose()
    assert received == []


# The paper


def test_every_attack_that_the_paper_names_is_a_test() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAPER))
    texts = {path: (ROOT / path).read_text() for path, _ in named}
    assert (
        sorted(test for path, test in named if not re.search(rf"^(?:async )?def {test}\(", texts[path], re.MULTILINE))
        == []
    )


def test_every_input_of_the_paper_has_its_attack() -> None:
    table = PAPER.partition("| input | attack | test |\n")[2].partition("\n\n")[0]
    _, *rows = table.splitlines()
    assert len(rows) > 60
    assert [row for row in rows if not re.search(r"\| `tests/[\w/]+\.py::\w+` \|$", row)] == []


def test_the_paper_has_every_webhook() -> None:
    assert [source for source in PAYLOADS if f"`POST /webhooks/{source}`" not in PAPER] == []


def test_the_paper_has_every_call_of_the_api_and_every_form_of_the_console(clock: SetClock) -> None:
    app = app_of(settings_of(), "unix:///nowhere", clock)
    paths = app.openapi()["paths"].items()
    calls = [f"{method.upper()} {path.removeprefix('/api/v1')}" for path, ops in paths for method in ops]
    forms = [f"POST {path}" for path, methods in routes_of(app) if path.startswith("/console") and "POST" in methods]
    assert len(forms) > 7
    assert [call for call in (*calls, *forms) if f"`{call}`" not in PAPER] == []
