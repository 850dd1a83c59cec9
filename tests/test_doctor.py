"""The doctor names what is wrong, and only that, and says how to mend it."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import respx
from fastapi import FastAPI
from pydantic import SecretStr
from redis.asyncio import Redis

from service.clients._jira_webhooks import Webhook
from service.config import Config, MessagesConfig
from service.connections import connected
from service.demo._sender import WebhookSender
from service.demo.discourse import DiscourseStandIn
from service.demo.github import GitHubStandIn
from service.demo.jira import JiraStandIn
from service.demo.mattermost import MattermostStandIn
from service.doctor import (
    Finding,
    _examination,
    examine,
    examine_by_night,
    examine_registration,
    is_well,
    newly_wrong,
    of_problems,
)
from service.doctor._configuration import of_configuration
from service.doctor._examination import Check, _asked
from service.doctor._jira import NEEDED
from service.doctor._others import of_expiry
from service.doctor._reach import of_answer, of_silence
from service.doctor._redis import RedisReading, of_redis, read_redis
from service.doctor._webhooks import of_deliveries, of_webhooks
from service.errors import CannotAct, ConfigError, NotFound, Problem, RedisAway, TryLater
from service.ledger import PREFIX
from service.registration import EVENTS, carry_out, plan_for, wish_for
from service.settings import Settings
from tests.builders import CONFIG
from tests.conftest import SetClock

TOKEN = "the-token"
SECRET = "a long random text"
BASE = "https://crafty.example.org"
HOSTS = ("https://jira.example", "https://forum.example", "https://chat.example", "https://code.example")
NOW = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
CHECKS = {
    *("configuration", "redis", "deliveries", "work", "reach", "clock", "sign-in", "fields", "permissions", "boards"),
    *("people", "webhooks", "channels", "places", "tokens"),
}


@dataclass
class Company:
    """Stand-ins of all systems, in good health. answers: what is answered otherwise, by the path's beginning."""

    jira: JiraStandIn
    forum: DiscourseStandIn
    chat: MattermostStandIn
    github: GitHubStandIn
    clock: SetClock
    settings: Settings
    answers: dict[str, httpx.Response | Exception] = field(default_factory=dict)
    told: datetime = NOW

    async def examined(self, redis: Redis | None = None, examine: Any = examine) -> tuple[Finding, ...]:
        apps = dict(zip(HOSTS, (self.jira.app, self.forum.app, self.chat.app, self.github.app), strict=True))
        with respx.mock() as router:
            for host, app in apps.items():
                router.route(host=urlsplit(host).hostname).mock(side_effect=self._answering(app))
            connections = connected(self.settings)
            try:
                found: tuple[Finding, ...] = await examine(self.settings, connections, redis, self.clock)
                return found
            finally:
                await connections.aclose()

    def _answering(self, app: FastAPI) -> Callable[[httpx.Request], Any]:
        transport = httpx.ASGITransport(app)

        async def answer(request: httpx.Request) -> httpx.Response:
            where = f"{request.url.host}{request.url.path}"
            planted = next((one for begins, one in self.answers.items() if where.startswith(begins)), None)
            if isinstance(planted, Exception):
                raise planted
            if planted:
                return planted
            response = await transport.handle_async_request(request)
            await response.aread()
            response.headers["Date"] = format_datetime(self.told, usegmt=True)
            return response

        return answer


def domain(*changes: tuple[str, str], more: str = "") -> Config:
    """The test team with a repository and chat for everybody; changes: texts of its TOML, and what stands there."""
    text = f'{CONFIG}mattermost = "nia"\n{more}'.replace("[7]", '[7]\nrepositories = ["team/xblock"]')
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return Config.model_validate(tomllib.loads(text))


def settings_with(**changes: Any) -> Settings:
    usual: dict[str, Any] = {
        "config": domain(),
        "admin_tokens": SecretStr("ann:a-token"),
        "jira_url": HOSTS[0],
        "jira_kind": "cloud",
        "jira_email": "crafty@example.com",
        "jira_token": SecretStr(TOKEN),
        "jira_webhook_secret": SecretStr(SECRET),
        "discourse_url": HOSTS[1],
        "discourse_api_key": SecretStr(TOKEN),
        "discourse_api_username": "crafty",
        "discourse_webhook_secret": SecretStr(SECRET),
        "mattermost_url": HOSTS[2],
        "mattermost_token": SecretStr(TOKEN),
        "github_url": HOSTS[3],
        "github_token": SecretStr(TOKEN),
        "github_webhook_secret": SecretStr(SECRET),
    }
    return Settings(**{**usual, **changes})


EVERYBODY = ("ann", "bob", "eli", "sam", "fay", "finn", "nia")


@asynccontextmanager
async def company(clock: SetClock, kind: Any = "cloud", **changes: Any) -> AsyncIterator[Company]:
    """changes: of the settings."""
    async with httpx.AsyncClient() as outgoing:
        sender = WebhookSender(outgoing)
        made = Company(
            jira=JiraStandIn(kind, clock, sender, token=TOKEN),
            forum=DiscourseStandIn(clock, sender, api_key=TOKEN),
            chat=MattermostStandIn(clock, token=TOKEN),
            github=GitHubStandIn(clock, sender, token=TOKEN, repositories=["team/xblock"]),
            clock=clock,
            settings=settings_with(**{"jira_kind": kind, **changes}),
        )
        for name in EVERYBODY:
            made.jira.add_person(f"acc-{name}", name.title())
            made.chat.add_person(name, name.title())
        made.chat.add_channel("serenity")
        await made.jira.create_sprint(40, "Stretch Goals", board=12)
        await made.jira.create_sprint(41, "Sprint 41", board=12)
        await made.jira.start_sprint(41)
        wish = wish_for(settings_with(), BASE, signs=True)
        made.jira.webhooks[1] = wish.as_older() if kind == "cloud" else wish.as_newer()
        yield made


@pytest.fixture
async def team(clock: SetClock) -> AsyncIterator[Company]:
    async with company(clock) as made:
        yield made


def troubles(found: Iterable[Finding]) -> list[tuple[str, str, str]]:
    """State, check and what it is about of all that is not fine; that Jira is silent about its token is no trouble."""
    silent = ("unchecked", "tokens", "Jira")
    seen = [(one.state, one.check, one.about) for one in found if one.state != "fine"]
    return [one for one in seen if one != silent]


async def told_of_everything(redis: Any, now: datetime) -> None:
    millis = int(now.timestamp() * 1000)
    await redis.hset(f"{PREFIX}last-delivery", mapping=dict.fromkeys(("jira", "discourse", "github"), millis))


# --- The whole examination -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["cloud", "datacenter"])
async def test_a_healthy_company_has_no_trouble(clock: SetClock, redis: Redis, kind: str) -> None:
    await told_of_everything(redis, clock())
    async with company(clock, kind) as made:
        found = await made.examined(redis)

    hidden = [("unchecked", "webhooks", "Jira")] if kind == "datacenter" else []
    assert troubles(found) == hidden
    assert is_well(found)
    assert {one.check for one in found} == CHECKS


ANONYMOUS = httpx.Response(200, json={"name": "anonymous", "key": "x"}, headers={"X-AUSERNAME": "anonymous"})
LOGIN_PAGE = httpx.Response(200, html="<html>Log in</html>")
MYSELF, USER = "jira.example/rest/api/3/myself", "code.example/user"
ENDS_SOON = httpx.Response(
    200,
    json={"login": "crafty", "id": 1, "type": "User"},
    headers={"GitHub-Authentication-Token-Expiration": "2026-11-06 09:00:00 UTC"},
)


@pytest.mark.parametrize(
    ("begins", "answer", "trouble"),
    [
        pytest.param("jira.example", httpx.ConnectError("refused"), ("wrong", "reach", "Jira"), id="nobody answers"),
        pytest.param(MYSELF, LOGIN_PAGE, ("wrong", "sign-in", "Jira"), id="a login page"),
        pytest.param(
            "jira.example/rest/api/3/user",
            httpx.Response(403),
            ("unchecked", "people", "Jira"),
            id="people that our account may not look up",
        ),
        pytest.param(
            MYSELF,
            httpx.Response(401, json={}),
            ("wrong", "sign-in", "Jira"),
            id="a bad token",
        ),
        pytest.param(MYSELF, ANONYMOUS, ("wrong", "sign-in", "Jira"), id="the anonymous 200"),
        pytest.param(
            "jira.example/rest/webhooks",
            httpx.Response(403, json={}),
            ("unchecked", "webhooks", "Jira"),
            id="webhooks that our account may not see",
        ),
        pytest.param(
            "jira.example/rest/api/3/field", httpx.Response(503), ("wrong", "fields", "Jira"), id="a list that is away"
        ),
        pytest.param("forum.example/session", httpx.Response(403), ("wrong", "sign-in", "Discourse"), id="a bad key"),
        pytest.param(
            "forum.example/latest", httpx.Response(404), ("wrong", "places", "category 7"), id="a category that is gone"
        ),
        pytest.param(
            "chat.example/api/v4/users/me", httpx.Response(401), ("wrong", "sign-in", "Mattermost"), id="chat"
        ),
        pytest.param(USER, httpx.Response(401), ("wrong", "sign-in", "GitHub"), id="a bad token of a code host"),
        pytest.param(USER, ENDS_SOON, ("wrong", "tokens", "GitHub"), id="a token that ends this week"),
        pytest.param(
            "code.example/repos",
            httpx.Response(404),
            ("wrong", "places", "team/xblock"),
            id="a repository that is gone",
        ),
    ],
)
async def test_an_answer_that_is_wrong_is_named_and_nothing_else_is(
    team: Company, redis: Redis, begins: str, answer: httpx.Response | Exception, trouble: tuple[str, str, str]
) -> None:
    await told_of_everything(redis, team.clock())
    team.answers[begins] = answer
    found = await team.examined(redis)
    assert troubles(found) == [trouble]
    assert all(one.mend for one in found if one.state != "fine")


def _lack(team: Company) -> None:
    team.jira.denied.add("SCHEDULE_ISSUES")


def _lack_sprints(team: Company) -> None:
    team.jira.denied.add("MANAGE_SPRINTS_PERMISSION")


def _hide(team: Company) -> None:
    team.jira.denied.add("BROWSE_PROJECTS")


def _close_account(team: Company) -> None:
    team.jira.close_account("acc-ann")


def _put_out(team: Company) -> None:
    team.chat.add_channel("serenity", has_bot=False)


def _forget_webhook(team: Company) -> None:
    team.jira.webhooks.clear()


def _disable_webhook(team: Company) -> None:
    team.jira.webhooks[1]["enabled"] = False


def _unsign_webhook(team: Company) -> None:
    team.jira.webhooks[1]["secret"] = ""


def _double_webhook(team: Company) -> None:
    team.jira.webhooks[2] = team.jira.webhooks[1]


def _narrow_webhook(team: Company) -> None:
    team.jira.webhooks[1]["events"] = ["jira:issue_created"]


def _set_clock_wrong(team: Company) -> None:
    team.told = NOW + timedelta(minutes=2)


@pytest.mark.parametrize(
    ("plant", "named"),
    [
        pytest.param(_lack, [("wrong", "permissions", "SE")], id="a permission is missing"),
        pytest.param(_lack_sprints, [("doubtful", "permissions", "SE")], id="one that is not needed today"),
        pytest.param(_hide, [("wrong", "permissions", "SE")], id="a project that we may not see"),
        pytest.param(_close_account, [("wrong", "people", "Jira: Ann")], id="an inactive account"),
        pytest.param(_put_out, [("wrong", "channels", "serenity")], id="the bot is not in its channel"),
        pytest.param(_forget_webhook, [("wrong", "webhooks", "Jira")], id="no webhook"),
        pytest.param(_disable_webhook, [("wrong", "webhooks", "Jira")], id="a disabled webhook"),
        pytest.param(_unsign_webhook, [("wrong", "webhooks", "Jira")], id="an unsigned webhook"),
        pytest.param(_double_webhook, [("doubtful", "webhooks", "Jira")], id="two webhooks"),
        pytest.param(_narrow_webhook, [("wrong", "webhooks", "Jira")], id="a webhook that tells too little"),
        pytest.param(
            _set_clock_wrong,
            [("wrong", "clock", name) for name in ("Jira", "Mattermost", "Discourse", "GitHub")],
            id="our clock is wrong",
        ),
    ],
)
async def test_a_fault_in_a_system_is_named_and_nothing_else_is(
    team: Company, redis: Redis, plant: Callable[[Company], None], named: list[tuple[str, str, str]]
) -> None:
    await told_of_everything(redis, team.clock())
    plant(team)
    assert troubles(await team.examined(redis)) == named


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param(
            {"config": domain(more='[jira.fields]\nreviewer = "Prüfer"')},
            [("wrong", "fields", "reviewer")],
            id="a field of another name",
        ),
        pytest.param(
            {"config": domain(more='[jira.fields]\nflagged = "Fahne"')},
            [("doubtful", "fields", "flagged")],
            id="a field that a site need not have",
        ),
        pytest.param(
            {"config": domain(("board = 12", "board = 13"))}, [("wrong", "boards", "Serenity")], id="no such board"
        ),
        pytest.param({"config": domain(("board = 12\n", ""))}, [("doubtful", "boards", "Serenity")], id="no board"),
        pytest.param(
            {"config": domain(("board = 12", 'board = 12\nstretch_goals = "Later"'))},
            [("wrong", "boards", "Serenity: Stretch Goals")],
            id="no Stretch Goals",
        ),
        pytest.param(
            {"config": domain(('jira = "acc-ann"', 'jira = "acc-nobody"'))},
            [("wrong", "people", "Jira: Ann")],
            id="an account that is not there",
        ),
        pytest.param(
            {"config": domain(('jira = "acc-ann"\n', ""))}, [("doubtful", "people", "Jira: Ann")], id="no account"
        ),
        pytest.param(
            {"config": domain(('mattermost = "ann"', 'mattermost = "nobody"'))},
            [("wrong", "people", "Mattermost: Ann")],
            id="a chat account that is not there",
        ),
        pytest.param(
            {"config": domain(('channel = "serenity"', 'channel = "nowhere"'))},
            [("wrong", "channels", "nowhere")],
            id="a channel that is not there",
        ),
        pytest.param(
            {"config": domain(('projects = ["SE"]', 'projects = ["SE", "OC"]'))},
            [("wrong", "permissions", "OC"), ("doubtful", "webhooks", "Jira")],
            id="a project that is not there, nor in the webhook",
        ),
        pytest.param(
            {"jira_webhook_secret": SecretStr("")},
            [("wrong", "configuration", "Jira's secret")],
            id="no secret",
        ),
    ],
)
async def test_a_fault_in_the_settings_is_named_and_nothing_else_is(
    clock: SetClock, redis: Redis, changes: dict[str, Any], named: list[tuple[str, str, str]]
) -> None:
    await told_of_everything(redis, clock())
    async with company(clock, **changes) as made:
        assert troubles(await made.examined(redis)) == named


@pytest.mark.parametrize(("real", "taken_for"), [("cloud", "datacenter"), ("datacenter", "cloud")])
async def test_the_other_kind_of_jira_is_named(clock: SetClock, redis: Redis, real: str, taken_for: str) -> None:
    await told_of_everything(redis, clock())
    async with company(clock, real, jira_kind=taken_for) as made:
        [found] = [one for one in await made.examined(redis) if one.state == "wrong"]
    assert (found.key, found.mend) == ("sign-in: Jira", f"Set CRAFTY_JIRA_KIND={real}.")


@pytest.mark.parametrize(
    ("answer", "changes", "advice"),
    [
        pytest.param(httpx.Response(401), {}, "A scoped one works only with CRAFTY_JIRA_API_URL", id="a scoped token"),
        pytest.param(
            httpx.Response(401), {"jira_api_url": HOSTS[0]}, "Make a new token or key", id="one at its address"
        ),
        pytest.param(httpx.Response(302), {}, "Set its URL to the address at which it answers itself", id="a redirect"),
        pytest.param(ANONYMOUS, {}, "Make a new token or key", id="the anonymous 200"),
    ],
)
async def test_a_sign_in_that_fails_comes_with_what_mends_it(
    clock: SetClock, answer: httpx.Response, changes: dict[str, Any], advice: str
) -> None:
    async with company(clock, **changes) as made:
        made.answers[MYSELF] = answer
        [found] = [one for one in await made.examined() if one.key == "sign-in: Jira"]
    assert (found.state, advice in found.mend) == ("wrong", True)


async def test_with_nothing_configured_there_is_still_something_to_say(clock: SetClock) -> None:
    settings = Settings()
    found = await examine(settings, connected(settings), None, clock)
    assert [(one.state, one.about) for one in found] == [
        ("doubtful", "cells"),
        ("wrong", "Jira"),
        ("doubtful", "admins"),
        ("unchecked", "server"),
    ]


async def test_a_redis_that_is_away_is_named_once(team: Company) -> None:
    async with Redis.from_url("redis://127.0.0.1:1/0") as nobody:
        found = await team.examined(nobody)
    assert troubles(found) == [("wrong", "redis", "server")]


# --- One by one ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refusal", "advice"),
    [
        pytest.param(NotFound("gone"), "docs/connecting.md", id="not found"),
        pytest.param(CannotAct("no"), "docs/connecting.md", id="refused"),
        pytest.param(TryLater("busy"), "run this again", id="busy"),
        pytest.param(RedisAway("away"), "CRAFTY_REDIS_URL", id="Redis away"),
    ],
)
async def test_a_refusal_is_a_finding_with_advice(refusal: Exception, advice: str) -> None:
    async def refuse() -> list[Finding]:
        raise refusal

    [found] = await _asked(Check("fields", "Jira", refuse))
    assert (found.state, found.what) == ("wrong", f"{refusal}")
    assert advice in found.mend


async def test_nothing_is_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_examination, "SECONDS", 0.01)

    async def hang() -> list[Finding]:
        await asyncio.Event().wait()
        return []

    [found] = await _asked(Check("fields", "Jira", hang))
    assert (found.state, found.key) == ("wrong", "fields: Jira")


HEALTHY = RedisReading(
    version="7.2.4",
    is_primary=True,
    is_cluster=False,
    keeps_log=True,
    keeps_snapshots=True,
    is_writing_well=True,
    policy="noeviction",
    used=79,
    limit=100,
)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({}, [], id="healthy"),
        pytest.param({"version": "6.2.14"}, [], id="the oldest that will do"),
        pytest.param({"version": "6.0.9"}, [("wrong", "server")], id="too old"),
        pytest.param({"is_primary": False}, [("wrong", "server")], id="a replica"),
        pytest.param({"is_cluster": True}, [("wrong", "server")], id="a cluster"),
        pytest.param({"keeps_log": False}, [("doubtful", "persistence")], id="snapshots only"),
        pytest.param({"keeps_log": False, "keeps_snapshots": None}, [("doubtful", "persistence")], id="does not tell"),
        pytest.param({"keeps_log": False, "keeps_snapshots": False}, [("wrong", "persistence")], id="keeps nothing"),
        pytest.param({"is_writing_well": False}, [("wrong", "persistence")], id="a full disk"),
        pytest.param({"policy": "allkeys-lru"}, [("wrong", "eviction")], id="a cache"),
        pytest.param({"used": 80}, [], id="four fifths full"),
        pytest.param({"used": 81}, [("wrong", "memory")], id="fuller"),
        pytest.param({"used": 81, "limit": 0}, [], id="no limit"),
    ],
)
def test_redis_is_judged_by_what_it_tells(changes: dict[str, Any], named: list[tuple[str, str]]) -> None:
    found = of_redis(replace(HEALTHY, **changes))
    assert [(one.state, one.about) for one in found if one.state != "fine"] == named


async def test_a_real_redis_tells_it_all(redis: Redis) -> None:
    read = await read_redis(redis)
    assert (read.is_primary, read.keeps_log, read.keeps_snapshots, read.policy) == (True, True, False, "noeviction")
    assert read.used > 0


@pytest.mark.parametrize(
    ("told", "states"),
    [
        pytest.param(None, ["fine"], id="no date"),
        pytest.param(NOW + timedelta(seconds=60), ["fine", "fine"], id="a minute ahead"),
        pytest.param(NOW + timedelta(seconds=61), ["fine", "wrong"], id="more"),
        pytest.param(NOW - timedelta(seconds=61), ["fine", "wrong"], id="behind"),
    ],
)
def test_clocks_are_compared(told: datetime | None, states: list[str]) -> None:
    assert [one.state for one in of_answer("Jira", told, NOW)] == states


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param(
            httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate"), "certificate", id="certificate"
        ),
        pytest.param(httpx.ConnectTimeout("slow"), "in time", id="a timeout"),
        pytest.param(httpx.ConnectError("[Errno -2] Name or service not known"), "looked up", id="a name"),
        pytest.param(httpx.ConnectError("All connection attempts failed"), "no connection", id="a closed port"),
    ],
)
def test_silence_is_explained(fault: Exception, words: str) -> None:
    found = of_silence("Jira", fault)
    assert found.state == "wrong"
    assert words in found.what


@pytest.mark.parametrize(
    ("ends", "state"),
    [
        pytest.param(None, "fine", id="no end"),
        pytest.param(NOW + timedelta(days=30), "fine", id="in a month"),
        pytest.param(NOW + timedelta(days=29), "doubtful", id="within a month"),
        pytest.param(NOW + timedelta(days=7), "doubtful", id="in a week"),
        pytest.param(NOW + timedelta(days=6), "wrong", id="within a week"),
        pytest.param(NOW - timedelta(days=1), "wrong", id="over"),
    ],
)
def test_a_token_near_its_end_is_told(ends: datetime | None, state: str) -> None:
    assert [one.state for one in of_expiry("GitLab", ends, NOW)] == [state]


@pytest.mark.parametrize(
    ("at", "state"),
    [
        pytest.param(None, "doubtful", id="never"),
        pytest.param(NOW - timedelta(days=7), "fine", id="a week ago"),
        pytest.param(NOW - timedelta(days=7, seconds=1), "doubtful", id="longer ago"),
    ],
)
def test_a_silent_source_is_told(at: datetime | None, state: str) -> None:
    settings = Settings(jira_webhook_secret=SecretStr(SECRET))
    assert [one.state for one in of_deliveries(settings, {"jira": at} if at else {}, NOW)] == [state]


def hook(**changes: Any) -> Webhook:
    usual = {"id": "1", "name": "Crafty", "url": f"{BASE}/webhooks/jira", "events": frozenset(EVENTS)}
    return Webhook(**{**usual, "is_enabled": True, "is_signed": True, **changes})


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        pytest.param({}, "fine", id="signed"),
        pytest.param({"is_signed": None}, "unchecked", id="Jira does not tell"),
        pytest.param({"is_signed": False}, "wrong", id="unsigned"),
        pytest.param({"is_signed": False, "url": f"{BASE}/webhooks/jira?token=x"}, "fine", id="a token instead"),
        pytest.param({"jql": "project in (SE)"}, "fine", id="the same issues"),
        pytest.param({"jql": "project in (XX)"}, "doubtful", id="other issues"),
        pytest.param({"url": "https://elsewhere.example/hook"}, "wrong", id="somebody else's"),
    ],
)
def test_a_webhook_is_judged(changes: dict[str, Any], state: str) -> None:
    assert [one.state for one in of_webhooks([hook(**changes)], "project in (SE)")] == [state]


@pytest.mark.parametrize(
    ("changes", "about"),
    [
        pytest.param({}, [], id="whole"),
        pytest.param({"jira_email": None}, ["Jira"], id="no e-mail on the Cloud"),
        pytest.param({"jira_email": None, "jira_kind": "datacenter"}, [], id="no e-mail on Data Center"),
        pytest.param({"mattermost_token": SecretStr("")}, ["Mattermost"], id="a chat without token"),
        pytest.param({"discourse_webhook_secret": SecretStr("short")}, ["Discourse's secret"], id="a short secret"),
        pytest.param({"discourse_webhook_secret": SecretStr("")}, ["Discourse's secret"], id="a forum without secret"),
        pytest.param({"github_webhook_secret": SecretStr("")}, ["GitHub's secret"], id="a host without secret"),
        pytest.param({"gitlab_token": SecretStr(TOKEN)}, ["GitLab's secret"], id="another host without secret"),
        pytest.param({"github_token": SecretStr("")}, ["code hosts"], id="repositories without a host"),
        pytest.param(
            {"mattermost_url": None, "mattermost_token": SecretStr("")}, ["chat"], id="channels without a chat"
        ),
        pytest.param({"admin_tokens": SecretStr("")}, ["admins"], id="no admin"),
    ],
)
def test_settings_that_do_not_fit_are_told(changes: dict[str, Any], about: list[str]) -> None:
    found = of_configuration(settings_with(**changes))
    assert [one.about for one in found if one.state != "fine"] == about


def test_settings_that_cannot_be_used_are_findings() -> None:
    error = ConfigError(
        Problem("crafty.toml:7", "cells.0.name", "is missing"), Problem("CRAFTY_PORT", "", "is no number")
    )
    found = of_problems(error)
    assert [(one.state, one.about) for one in found] == [
        ("wrong", "crafty.toml:7: cells.0.name"),
        ("wrong", "CRAFTY_PORT"),
    ]


def test_only_what_was_not_wrong_before_is_news() -> None:
    old = Finding(check="fields", about="reviewer", state="wrong", what="one of three", mend="…")
    same = Finding(check="fields", about="reviewer", state="wrong", what="one of four", mend="…")
    new = Finding(check="boards", about="Serenity", state="wrong", what="gone", mend="…")
    maybe = Finding(check="people", about="Jira", state="doubtful", what="unknown", mend="…")
    assert newly_wrong({old.key}, [same, new, maybe]) == (new,)
    assert newly_wrong({old.key, new.key}, [same, new]) == ()


async def test_no_finding_shows_a_secret(team: Company, redis: Redis) -> None:
    team.answers[MYSELF] = httpx.Response(401, json={"errorMessages": [f"bad {TOKEN}"]})
    team.jira.webhooks[1]["url"] += f"?token={SECRET}"
    shown = str(await team.examined(redis))
    assert TOKEN not in shown
    assert SECRET not in shown


async def test_by_night_all_is_examined_but_the_registration(team: Company, redis: Redis) -> None:
    await told_of_everything(redis, team.clock())
    team.jira.webhooks.clear()
    by_day = await team.examined(redis)
    by_night = await team.examined(redis, examine_by_night)
    assert set(by_day) - set(by_night) == {one for one in by_day if one.check == "webhooks"}
    assert troubles(by_night) == []


@pytest.mark.parametrize(
    ("sicken", "states"),
    [
        pytest.param(lambda _: None, ["fine"], id="it is well"),
        pytest.param(lambda team: team.jira.webhooks.clear(), ["wrong"], id="it is gone"),
        pytest.param(_disable_webhook, ["wrong"], id="it is disabled"),
        pytest.param(_unsign_webhook, ["wrong"], id="it is unsigned"),
    ],
)
async def test_the_registration_is_examined_with_one_call(
    team: Company, sicken: Callable[[Company], None], states: list[str]
) -> None:
    sicken(team)
    with respx.mock() as router:
        route = router.route().mock(side_effect=team._answering(team.jira.app))
        connections = connected(team.settings)
        found = await examine_registration(team.settings, connections)
        await connections.aclose()
    assert ([one.state for one in found], route.call_count) == (states, 1)


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_scoped_token_can_t_show_the_registration(clock: SetClock, status: int) -> None:
    async with company(clock, jira_api_url=HOSTS[0]) as made:
        made.answers["jira.example/rest/webhooks"] = httpx.Response(status)
        found = await made.examined()
    assert [one.state for one in found if one.check == "webhooks"] == ["unchecked"]


async def test_without_jira_no_registration_is_examined() -> None:
    nothing = Settings(config=domain())
    assert await examine_registration(nothing, connected(nothing)) == ()


async def test_a_channel_of_admins_that_is_not_there_is_found(team: Company, redis: Redis) -> None:
    messages = MessagesConfig(admin_channel="crafty-admins")
    config = team.settings.config.model_copy(update={"messages": messages})
    team.settings = team.settings.model_copy(update={"config": config})
    await told_of_everything(redis, team.clock())
    assert troubles(await team.examined(redis)) == [("wrong", "channels", "crafty-admins")]


async def test_registering_makes_a_sick_webhook_well(team: Company, redis: Redis) -> None:
    await told_of_everything(redis, team.clock())
    _disable_webhook(team)
    _narrow_webhook(team)
    with respx.mock() as router:
        router.route().mock(side_effect=team._answering(team.jira.app))
        connections = connected(team.settings)
        jira = connections.jira
        assert jira
        wish = wish_for(team.settings, BASE, signs=await jira.signs_webhooks())
        await carry_out(plan_for(wish, await jira.webhooks()), jira)
        await connections.aclose()
    assert troubles(await team.examined(redis)) == []


@pytest.mark.parametrize("word", [*NEEDED.values(), *sorted(CHECKS)])
def test_the_documentation_names_each_permission_and_each_check(word: str) -> None:
    text = " ".join((Path(__file__).parents[1] / "docs" / "connecting.md").read_text().split())
    assert word in text
