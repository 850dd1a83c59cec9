"""A secret or an e-mail address that is planted anywhere shows up in no log, error, page, answer or repr.

The only places for an e-mail address are the delivery that brought it, and the words of a ticket that hold it.
"""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
import respx
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from service import log
from service.app import create_app
from service.clients import discourse, github, gitlab, jira, mattermost
from service.errors import CraftyError
from service.settings import SECRET_FILES, Settings, load, variable_of
from tests import builders
from tests.admin.visiting import Visitor
from tests.conftest import SetClock
from tests.webhooks.payloads import body, issue_fields, issue_updated, pull_request
from tests.webhooks.test_answers import signature

EMAIL: Final = "planted.person+work@mail.example.org"
AWKWARD: Final = {
    "jira_token": "hush+/ 1",
    "admin_tokens": "ada:hush+/admin",
    "viewer_tokens": "vic:hush'\"2",
    "channels": "team=json://ann:hush+channels@chat.example",
}
SECRETS: Final = {
    variable_of(name): AWKWARD.get(name, f"hush+{name}") for name in SECRET_FILES.values() if name != "redis_url"
}
PLANTED: Final = (EMAIL, *(secret.rpartition(":")[2].partition("@")[0] for secret in SECRETS.values()))
ADMIN: Final = "hush+/admin"
HEADERS: Final = (
    *("authorization", "proxy-authorization", "cookie", "referer", "user-agent", "x-forwarded-for", "x-request-id"),
    *("x-hub-signature", "x-hub-signature-256", "x-discourse-event-signature", "x-gitlab-token", "x-github-hook-id"),
    *("x-discourse-user", "x-atlassian-webhook-retry", "content-type", "origin"),
)

PLANT: Final = " ".join(PLANTED)
"""All of them in one text; what is cut off counts as shown too."""

SEGMENT: Final = " ".join(word for word in PLANTED if "/" not in word)
"""Those that fit between two slashes of an address."""


def settings_with_secrets(directory: Path) -> Settings:
    environ = {**SECRETS, "CRAFTY_JIRA_URL": "https://jira.example", "CRAFTY_JIRA_EMAIL": EMAIL}
    return load(environ, directory)


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_with_secrets(tmp_path_factory.mktemp("redaction"))


@contextmanager
def logged(chosen: Settings) -> Iterator[io.StringIO]:
    """What is logged meanwhile, as the service would log it; logging is put back afterwards as it was."""
    root, written, usual = logging.getLogger(), io.StringIO(), sys.stderr
    before = (root.handlers, root.level)
    try:
        sys.stderr = written
        log.configure("json", "DEBUG", chosen.secret_values)
        yield written
    finally:
        sys.stderr = usual
        root.handlers, root.level = before
        structlog.reset_defaults()


def fragments(*texts: str) -> list[str]:
    """Whatever these texts show of what was planted, with a few words around it."""
    return [found[0] for text in texts for found in re.finditer(r".{0,60}(?:hush|planted).{0,60}", text)]


def told(answer: httpx.Response) -> str:
    return f"{answer.text} {dict(answer.headers)}"


def signed(data: bytes, source: str) -> dict[str, str]:
    """Headers that make a delivery genuine."""
    with_key = signature(data, f"hush+{source}_webhook_secret")
    return {
        "content-type": "application/json",
        "x-hub-signature": with_key,
        "x-hub-signature-256": with_key,
        "x-discourse-event-signature": with_key,
        "x-gitlab-token": "hush+gitlab_webhook_secret",
        "x-github-event": "pull_request",
        "x-gitlab-event": "Merge Request Hook",
        "x-discourse-event": "post_created",
        "x-discourse-event-type": "post",
    }


@pytest.fixture
async def client(redis: Any, redis_url: str, chosen: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Anybody who calls the running service."""
    clock = SetClock(builders.wall("2026-11-03 10:00"))
    app = create_app(chosen, redis_url, builders.team(), builders.book(), clock)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("203.0.113.7", 40000))
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://crafty") as it:
        yield it


SOURCES: Final = ("jira", "discourse", "github", "gitlab")
AS_ADMIN: Final = {"authorization": f"Bearer {ADMIN}"}


@pytest.mark.parametrize("is_genuine", [True, False])
async def test_nothing_in_a_header_of_a_delivery_is_shown(
    client: httpx.AsyncClient, chosen: Settings, is_genuine: bool
) -> None:
    with logged(chosen) as written:
        for number, (source, header) in enumerate(product(SOURCES, HEADERS)):
            data = body(issue_updated(timestamp=number))
            headers = signed(data, source) if is_genuine else {"content-type": "application/json"}
            answer = await client.post(f"/webhooks/{source}", content=data, headers={**headers, header: PLANT})
            assert fragments(told(answer)) == []
        listed = await client.get("/api/v1/deliveries?limit=200", headers=AS_ADMIN)
        metrics = await client.get("/metrics")
    assert (len(listed.json()["items"]) > 20) == is_genuine
    assert fragments(listed.text, metrics.text, written.getvalue()) == []


async def test_nothing_in_an_address_is_shown(client: httpx.AsyncClient, chosen: Settings) -> None:
    addresses = [
        "/webhooks/{}",
        f"/webhooks/{'x' * 20}{{}}",
        "/webhooks/jira?token={}",
        "/webhooks/github?x={}",
        "/{}",
        "/console/{}",
        "/docs?x={}",
    ]
    with logged(chosen) as written:
        for address in addresses:
            for word in (PLANT, SEGMENT):
                path = address.format(quote(word, safe=""))
                for answer in (await client.post(path, content=b"{}"), await client.get(path)):
                    assert fragments(answer.text) == []
        metrics = await client.get("/metrics")
    assert fragments(metrics.text, written.getvalue()) == []


BODIES: Final = (
    PLANT.encode(),
    json.dumps([PLANT]).encode(),
    json.dumps({PLANT: PLANT}).encode(),
    json.dumps({"webhookEvent": PLANT, "issue": PLANT}).encode(),
    body(issue_updated(issue={"id": "1", "key": {PLANT: 1}})),
    body(issue_updated(user={"accountId": 7, "emailAddress": PLANT})),
    body(issue_updated(issue_fields(summary=PLANT, created=PLANT, customfield_10020=[{"id": PLANT}]))),
    body(issue_updated(issue_fields(assignee={"emailAddress": PLANT, "displayName": "Ann"}))),
    body(pull_request(user={"login": "carla", "email": PLANT}, created_at=PLANT)),
    json.dumps({"post": {"id": PLANT, "email": PLANT}}).encode(),
    json.dumps({"object_kind": "note", "user": {"email": PLANT}, "project": PLANT}).encode(),
)


@pytest.mark.parametrize("source", SOURCES)
async def test_nothing_in_a_body_is_answered_or_logged(
    client: httpx.AsyncClient, chosen: Settings, source: str
) -> None:
    with logged(chosen) as written:
        answers = [
            await client.post(f"/webhooks/{source}", content=data, headers=signed(data, source)) for data in BODIES
        ]
        metrics = await client.get("/metrics")
    assert {answer.status_code for answer in answers} <= {202, 400, 422}
    assert fragments(written.getvalue(), metrics.text, *map(told, answers)) == []


CALLS: Final = (
    *(("GET", path) for path in ("rules/{}", "deliveries/{}", "why/{}?limit=0", "decisions?subject={}&limit=0")),
    *(("GET", f"{path}?cursor={{}}") for path in ("decisions", "deliveries", "jobs", "audit", "spillovers")),
    *(("GET", f"sprints?{name}={{}}") for name in ("cell", "now")),
    *(("POST", path) for path in ("deliveries/{}/replay", "jobs/{}/retry", "simulate?x={}", "{}")),
    *((method, "rules/{}") for method in ("PATCH", "DELETE")),
    *(("PATCH", "rules/green-ticket?x={}"), ("DELETE", "jobs/{}")),
)
SENT: Final[tuple[dict[str, Any], ...]] = (
    {"json": {"mode": PLANT, "cell": PLANT, "source": PLANT, "payload": PLANT, "params": {PLANT: PLANT}}},
    {"json": {PLANT: PLANT}},
    {"content": PLANT.encode(), "headers": {"content-type": "application/json"}},
    {"content": PLANT.encode(), "headers": {"content-type": PLANT, "if-match": PLANT, "x-forwarded-for": PLANT}},
)


async def test_nothing_in_a_call_of_the_api_is_shown_by_an_error(client: httpx.AsyncClient, chosen: Settings) -> None:
    with logged(chosen) as written:
        for (method, path), sent in product(CALLS, SENT):
            headers = {**sent.get("headers", {}), **AS_ADMIN}
            address = f"/api/v1/{path.format(quote(PLANT, safe=''))}"
            answer = await client.request(method, address, **{**sent, "headers": headers})
            assert not answer.is_error or fragments(answer.text) == [], address
        stranger = await client.get("/api/v1/rules", headers={"authorization": f"Bearer {PLANT}"})
    assert fragments(written.getvalue(), told(stranger)) == []


async def test_nothing_in_an_address_of_the_console_is_shown_by_an_error(
    client: httpx.AsyncClient, chosen: Settings
) -> None:
    visitor = Visitor(client)
    with logged(chosen) as written:
        assert fragments(told(await visitor.log_in(PLANT))) == []
        await visitor.log_in(ADMIN)
        for path in ("/rules/{}", "/deliveries/{}", "/jobs/one?id={}", "/{}", "/sprints?cell={}", "/audit?before={}"):
            page = await visitor.open(path.format(quote(PLANT, safe="")))
            assert not page.is_error or fragments(page.text) == [], path
    assert fragments(written.getvalue()) == []


async def _no_time(_: float) -> None:
    return


CLIENTS: Final[dict[str, Callable[[str], Any]]] = {
    "jira": lambda token: jira.connect("cloud", "https://vendor.example", EMAIL, token, _no_time),
    "data center": lambda token: jira.connect("datacenter", "https://vendor.example", "", token, _no_time),
    "discourse": lambda token: discourse.connect("https://vendor.example", token, "crafty", _no_time),
    "mattermost": lambda token: mattermost.connect("https://vendor.example", token, _no_time),
    "github": lambda token: github.connect("https://vendor.example", token, _no_time),
    "gitlab": lambda token: gitlab.connect("https://vendor.example", token, _no_time),
}
TOKEN: Final = "hush+/ 1"
ANSWERS: Final[list[Callable[[str], Any]]] = [
    lambda word: {"json": {"errorMessages": [f"no user {word}"], "errors": {word: f"is {word}"}, "message": word}},
    lambda word: {"json": {"errors": [word], "message": f"{word}."}},
    lambda word: {"text": f"<html>{word}"},
    lambda word: {"text": f'{{"accountId": "{word}'},
    lambda word: {"json": [word]},
    lambda word: {"json": {"username": [word], "current_user": {"username": {word: word}}, "login": {word: 1}}},
    lambda word: {
        "headers": {"location": f"https://elsewhere.example/{quote(word)}?q={quote(word)}", "retry-after": word}
    },
]


@pytest.mark.parametrize("name", CLIENTS)
async def test_nothing_in_a_vendors_answer_is_told_by_an_error(chosen: Settings, name: str) -> None:
    """The client's own token, and e-mail addresses, whatever the status."""
    client, word = CLIENTS[name](TOKEN), f"{TOKEN} {EMAIL}"
    with logged(chosen) as written, respx.mock(assert_all_called=False) as server:
        for make, status in product(ANSWERS, (200, 302, 400, 401, 403, 404, 429, 500)):
            server.route().mock(httpx.Response(status, **make(word)))
            error = await _error_of(client.identify())
            structlog.get_logger("crafty").warning("work.retry", reason=f"{error}", error=error)
            assert fragments(f"{error} {error!r}") == [], status
    assert fragments(written.getvalue()) == []
    await client.aclose()


async def _error_of(asked: Awaitable[Any]) -> CraftyError | None:
    try:
        await asked
    except CraftyError as error:
        return error
    return None


@given(st.sampled_from(PLANTED), st.text(max_size=5), st.text(max_size=5))
@settings(max_examples=50)
def test_no_log_line_shows_it_wherever_it_stands(chosen: Settings, word: str, before: str, after: str) -> None:
    text = f"{before} {word} {after}"
    with logged(chosen) as written:
        logger = structlog.get_logger("crafty")
        logger.info(text, reason=text, nested={text: [text, (text,)]}, raw=text.encode(), error=ValueError(text))
        logging.getLogger("library").warning("%s", text)
        with suppress(ValueError):
            _fail(logger, text)
    assert written.getvalue().count("\n") == 3
    assert fragments(written.getvalue()) == []


def _fail(logger: Any, text: str) -> None:
    try:
        int(text)
    except ValueError:
        logger.exception("work.failed")
        raise


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(EMAIL, id="as it is"),
        pytest.param(f"<{EMAIL}>,", id="in brackets"),
        pytest.param(quote(EMAIL), id="in an address"),
        pytest.param("zoë@exämple.org", id="other letters"),
    ],
)
def test_an_email_address_is_hidden_whoevers_it_is(text: str) -> None:
    hidden = log.scrubber(())(f"to {text} now")
    assert log.REDACTED in hidden
    assert "@" not in hidden
    assert "%40" not in hidden


@pytest.mark.parametrize("text", ["notify:@sam", "look:green-ticket:SE-1@7", "2 @ 3", "a" * 200_000])
def test_what_is_no_email_address_is_left_alone(text: str) -> None:
    assert log.scrubber(())(text) == text


def test_no_repr_of_the_settings_shows_any(chosen: Settings) -> None:
    assert fragments(f"{chosen!r} {chosen} {chosen.admins} {chosen.viewers}") == []


def test_every_secret_that_is_set_is_known_to_the_log(chosen: Settings) -> None:
    assert set(PLANTED) - {EMAIL} <= set(chosen.secret_values)
