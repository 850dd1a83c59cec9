"""Crafty's webhook is registered once, kept up to date, and signed where that is possible."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from service.clients._jira_webhooks import Webhook, WebhookWish
from service.clients.jira import connect
from service.demo._jira_site import Flavour
from service.demo._sender import WebhookSender
from service.demo.jira import JiraStandIn
from service.demo.server import serve
from service.errors import CannotAct
from service.events import Ignored
from service.jira_shapes import FieldMap
from service.registration import (
    EVENTS,
    Plan,
    base_from,
    brings_token,
    carry_out,
    known_base,
    other_steps,
    ours,
    plan_for,
    scope_of,
    wish_for,
)
from service.settings import Settings
from service.webhooks.jira import parse
from tests.builders import CONFIG, config
from tests.conftest import SetClock
from tests.test_cli import crafty

BASE = "https://crafty.example.org"
SECRET, TOKEN, LOGIN = "a long random text", "another/one", "the-token"
WISH = WebhookWish("Crafty", f"{BASE}/webhooks/jira", EVENTS, "project in (SE)", SECRET)


def settings(**changes: Any) -> Settings:
    return Settings(**{"config": config(), "jira_webhook_secret": SecretStr(SECRET), **changes})


def hook(number: int = 1, **changes: Any) -> Webhook:
    usual = {"id": f"{number}", "name": "Crafty", "url": WISH.url, "events": frozenset(EVENTS), "is_enabled": True}
    return Webhook(**{**usual, **changes})


@pytest.mark.parametrize(
    ("text", "is_cloud", "base"),
    [
        pytest.param(BASE, True, BASE, id="as it is"),
        pytest.param(f" {BASE}/ ", True, BASE, id="with a slash"),
        pytest.param(f"{BASE}/webhooks/jira", True, BASE, id="the whole address"),
        pytest.param(f"{BASE}/crafty", True, f"{BASE}/crafty", id="under a path"),
        pytest.param("http://crafty:8000", False, "http://crafty:8000", id="inside, for Data Center"),
    ],
)
def test_an_address_is_taken(text: str, is_cloud: bool, base: str) -> None:
    assert base_from(text, is_cloud=is_cloud) == base


@pytest.mark.parametrize(
    ("text", "is_cloud", "words"),
    [
        pytest.param("crafty.example.org", False, "own address", id="no scheme"),
        pytest.param("https://", False, "own address", id="no host"),
        pytest.param("https://sam:pw@crafty.example.org", False, "own address", id="a password"),
        pytest.param(f"{BASE}?token=x", False, "own address", id="a query"),
        pytest.param("https://[crafty", False, "own address", id="a broken host"),
        pytest.param("http://crafty.example.org", True, "https://", id="the Cloud sends to https alone"),
        pytest.param("https://localhost:8000", True, "can't reach", id="this machine"),
        pytest.param("https://192.168.1.7", True, "can't reach", id="a private address"),
    ],
)
def test_an_address_that_jira_cannot_send_to_is_refused(text: str, is_cloud: bool, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        base_from(text, is_cloud=is_cloud)


def test_the_issues_of_every_cell_are_asked_for() -> None:
    more = '\n[[cells]]\nname = "Bebop"\nprojects = ["BB"]\ncontribution_projects = ["GUEST"]\n'
    assert scope_of(settings(config=config(more))) == 'project in ("BB", "GUEST", "SE")'
    assert scope_of(Settings()) == ""


@pytest.mark.parametrize(
    ("changes", "signs", "url", "secret"),
    [
        pytest.param({}, True, WISH.url, SECRET, id="a secret"),
        pytest.param({"jira_webhook_secret": SecretStr("new, old")}, True, WISH.url, "new", id="the first of two"),
        pytest.param(
            {"jira_webhook_token": SecretStr(TOKEN)}, True, WISH.url, SECRET, id="a secret rather than a token"
        ),
        pytest.param(
            {"jira_webhook_token": SecretStr(TOKEN)}, False, f"{WISH.url}?token=another%2Fone", "", id="a token at last"
        ),
    ],
)
def test_what_is_wished_for(changes: dict[str, Any], signs: bool, url: str, secret: str) -> None:
    wish = wish_for(settings(**changes), BASE, signs=signs)
    assert (wish.url, wish.secret, wish.jql) == (url, secret, 'project in ("SE")')


@pytest.mark.parametrize(
    ("made", "signs", "variable"),
    [
        pytest.param(Settings(), True, "CRAFTY_JIRA_WEBHOOK_SECRET", id="nothing"),
        pytest.param(settings(), False, "CRAFTY_JIRA_WEBHOOK_TOKEN", id="a secret for a Jira that can't sign"),
    ],
)
def test_what_nobody_could_trust_is_not_registered(made: Settings, signs: bool, variable: str) -> None:
    with pytest.raises(CannotAct, match=variable):
        wish_for(made, BASE, signs=signs)


@pytest.mark.parametrize(
    ("known", "plan"),
    [
        pytest.param([], Plan(WISH, None, (), ()), id="none"),
        pytest.param([hook()], Plan(WISH, hook(), (), ()), id="ours"),
        pytest.param([hook(name="By hand")], Plan(WISH, hook(name="By hand"), (), ()), id="ours by another name"),
        pytest.param(
            [hook(url=f"{WISH.url}/?token=x")], Plan(WISH, hook(url=f"{WISH.url}/?token=x"), (), ()), id="with a token"
        ),
        pytest.param(
            [hook(url="HTTPS://Crafty.example.ORG/webhooks/jira")],
            Plan(WISH, hook(url="HTTPS://Crafty.example.ORG/webhooks/jira"), (), ()),
            id="in capitals",
        ),
        pytest.param([hook(1), hook(2)], Plan(WISH, hook(1), (hook(2),), ()), id="twice"),
        pytest.param(
            [hook(url="https://old.example/webhooks/jira")],
            Plan(WISH, None, (), (hook(url="https://old.example/webhooks/jira"),)),
            id="at another address",
        ),
        pytest.param([hook(url="https://ci.example/hook")], Plan(WISH, None, (), ()), id="somebody else's"),
        pytest.param([hook(url="https://[broken/webhooks/jira")], Plan(WISH, None, (), ()), id="no address at all"),
    ],
)
def test_ours_is_found_again_by_its_address(known: list[Webhook], plan: Plan) -> None:
    assert plan_for(WISH, known) == plan


@pytest.mark.parametrize(
    ("urls", "base"),
    [
        pytest.param([], None, id="none"),
        pytest.param([f"{BASE}/webhooks/jira?token=x"], BASE, id="one"),
        pytest.param([f"{BASE}/webhooks/jira", f"{BASE}/webhooks/jira/"], BASE, id="one, twice"),
        pytest.param([f"{BASE}/webhooks/jira", "https://old.example/webhooks/jira"], None, id="two"),
        pytest.param(["https://ci.example/hook"], None, id="somebody else's"),
    ],
)
def test_an_address_need_not_be_said_twice(urls: list[str], base: str | None) -> None:
    assert known_base(hook(url=url) for url in urls) == base


def test_ours_are_those_that_send_to_a_crafty() -> None:
    known = [hook(1), hook(2, url="https://ci.example/hook")]
    assert ours(known) == (hook(1),)
    assert not brings_token(hook())


@pytest.mark.parametrize("event", EVENTS)
def test_each_event_that_is_asked_for_is_one_that_we_read(event: str, clock: SetClock) -> None:
    body = (
        f'{{"webhookEvent": "{event}", "issue": {{"key": "SE-1", "fields": {{}}}}, '
        '"comment": {"id": "1", "body": "x", "created": "2026-11-02T10:00:00.000+0100"}, '
        '"sprint": {"id": 41, "name": "Sprint 41", "state": "active"}}'
    )
    name, said = parse(body.encode(), FieldMap(), "https://jira.example", clock())
    assert name == event
    assert not isinstance(said, Ignored)


def test_the_steps_for_others_name_variables_and_places_but_no_secret() -> None:
    made = settings(
        discourse_webhook_secret=SecretStr("forum-secret-1"),
        github_webhook_secret=SecretStr("github-secret"),
        gitlab_token=SecretStr("gitlab-token"),
    )
    steps = other_steps(made, BASE)
    assert [(one.system, one.url, one.secret) for one in steps] == [
        ("Discourse", f"{BASE}/webhooks/discourse", "CRAFTY_DISCOURSE_WEBHOOK_SECRET"),
        ("GitHub", f"{BASE}/webhooks/github", "CRAFTY_GITHUB_WEBHOOK_SECRET"),
        ("GitLab", f"{BASE}/webhooks/gitlab", "CRAFTY_GITLAB_WEBHOOK_SECRET"),
    ]
    assert any(line.endswith(": 7") for line in steps[0].lines)
    assert not [secret for secret in made.secret_values if secret in f"{steps}"]


def test_systems_that_are_not_in_use_need_no_steps() -> None:
    assert other_steps(settings(), BASE) == ()


# --- In a Jira -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def outgoing() -> AsyncIterator[WebhookSender]:
    async with httpx.AsyncClient() as http:
        yield WebhookSender(http)


@pytest.mark.parametrize(
    ("kind", "is_old", "kept"),
    [
        pytest.param("cloud", False, {"secret": SECRET}, id="on the Cloud"),
        pytest.param(
            "datacenter", False, {"configuration": {"EXCLUDE_BODY": "false", "SECRET": SECRET}}, id="on Data Center"
        ),
        pytest.param(
            "datacenter", True, {"url": f"{WISH.url}?token=another%2Fone"}, id="on a Data Center that can't sign"
        ),
    ],
)
async def test_registering_again_and_again_leaves_one(
    clock: SetClock, outgoing: WebhookSender, kind: Flavour, is_old: bool, kept: dict[str, Any]
) -> None:
    jira = JiraStandIn(kind, clock, outgoing, token=LOGIN, has_old_webhooks=is_old)
    made = settings(jira_webhook_token=SecretStr(TOKEN))
    async with serve(jira.app) as url:
        client = connect(kind, url, jira.bot.email, LOGIN)
        for _ in range(3):
            wish = wish_for(made, BASE, signs=await client.signs_webhooks())
            await carry_out(plan_for(wish, await client.webhooks()), client)
        await client.aclose()
    [registered] = jira.webhooks.values()
    assert kept.items() <= registered.items()
    assert "secret" not in registered or kind == "cloud"


@pytest.fixture
async def world(clock: SetClock, outgoing: WebhookSender, tmp_path: Path) -> AsyncIterator[tuple[JiraStandIn, Any]]:
    """A Jira, and the command with an environment that connects it."""
    (tmp_path / "crafty.toml").write_text(CONFIG)
    jira = JiraStandIn("cloud", clock, outgoing, token=LOGIN)
    async with serve(jira.app) as url:
        environ = {
            "CRAFTY_JIRA_URL": url,
            "CRAFTY_JIRA_EMAIL": jira.bot.email,
            "CRAFTY_JIRA_TOKEN": LOGIN,
            "CRAFTY_JIRA_WEBHOOK_SECRET": SECRET,
            "CRAFTY_GITHUB_WEBHOOK_SECRET": "github-secret",
        }

        async def run(*words: str, **more: str) -> CompletedProcess[str]:
            return await asyncio.to_thread(crafty, tmp_path, *words, environ={**environ, **more})

        yield jira, run


async def test_the_command_registers_once_and_then_knows_the_address(world: tuple[JiraStandIn, Any]) -> None:
    jira, run = world
    tried = await run("register-webhooks", "--url", BASE, "--dry-run")
    assert (tried.returncode, jira.webhooks) == (0, {})
    assert f"Jira: the webhook to {BASE}/webhooks/jira would be registered." in tried.stdout

    first = await run("register-webhooks", "--url", BASE)
    again = await run("register-webhooks")

    assert f"{BASE}/webhooks/jira is registered." in first.stdout
    assert f"{BASE}/webhooks/jira is changed." in again.stdout
    assert list(jira.webhooks) == [1]
    assert "GitHub, by hand:" in again.stdout
    assert SECRET not in first.stdout + again.stdout


@pytest.mark.parametrize(
    ("words", "environ", "code", "sentence"),
    [
        pytest.param((), {}, 2, "Say where Jira reaches Crafty", id="no address"),
        pytest.param(("--url", "http://crafty.example.org"), {}, 2, "--url should begin with https://", id="no https"),
        pytest.param(
            ("--url", BASE), {"CRAFTY_JIRA_WEBHOOK_SECRET": ""}, 1, "CRAFTY_JIRA_WEBHOOK_SECRET", id="no secret"
        ),
        pytest.param(("--url", BASE), {"CRAFTY_JIRA_TOKEN": ""}, 1, "Jira is not configured", id="no Jira"),
    ],
)
async def test_what_keeps_the_command_from_registering_is_a_sentence(
    world: tuple[JiraStandIn, Any], words: tuple[str, ...], environ: dict[str, str], code: int, sentence: str
) -> None:
    jira, run = world
    shown = await run("register-webhooks", *words, **environ)
    assert (shown.returncode, jira.webhooks) == (code, {})
    assert sentence in shown.stderr
    assert "Traceback" not in shown.stderr


async def test_an_account_without_the_right_is_told_the_steps_by_hand(
    clock: SetClock, outgoing: WebhookSender, tmp_path: Path
) -> None:
    jira = JiraStandIn("cloud", clock, outgoing, token=LOGIN, bot_is_admin=False)
    async with serve(jira.app) as url:
        environ = {
            "CRAFTY_JIRA_URL": url,
            "CRAFTY_JIRA_EMAIL": jira.bot.email,
            "CRAFTY_JIRA_TOKEN": LOGIN,
            "CRAFTY_JIRA_WEBHOOK_SECRET": SECRET,
        }
        shown = await asyncio.to_thread(crafty, tmp_path, "register-webhooks", "--url", BASE, environ=environ)
    assert shown.returncode == 1
    assert "Jira, by hand:" in shown.stdout
    assert "Administrator privilege required" in shown.stderr


async def test_the_doctor_shows_a_table_and_fails_when_something_is_wrong(world: tuple[JiraStandIn, Any]) -> None:
    _, run = world
    shown = await run("doctor")
    assert shown.returncode == 1
    assert "no webhook sends to Crafty" in shown.stdout
    assert "crafty register-webhooks" in shown.stdout
    assert (shown.stderr, SECRET in shown.stdout) == ("", False)


async def test_the_doctor_says_the_same_as_json(world: tuple[JiraStandIn, Any]) -> None:
    _, run = world
    told = json.loads((await run("doctor", "--json")).stdout)
    assert told["ok"] is False
    assert {"check", "about", "state", "what", "mend"} == told["findings"][0].keys()


def test_the_doctor_speaks_with_nothing_configured(tmp_path: Path) -> None:
    shown = crafty(tmp_path, "doctor")
    assert (shown.returncode, shown.stderr) == (1, "")
    assert "Jira is not configured" in shown.stdout


def test_the_doctor_shows_settings_that_cannot_be_used(tmp_path: Path) -> None:
    for mistake in ("nonsense", "[rules.green-ticket]\nlead = 1"):
        (tmp_path / "crafty.toml").write_text(f"{CONFIG}\n{mistake}\n")
        shown = crafty(tmp_path, "doctor")
        assert (shown.returncode, shown.stderr) == (1, "")
        assert "crafty.toml:5" in shown.stdout
