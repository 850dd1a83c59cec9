"""Trying things out from the command line: a payload, a stored delivery, other settings."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from service.clock import utc_now
from service.current import Current
from service.jira_shapes import FieldMap
from service.ledger import Ledger, Site
from service.steering import Actor, Steering
from tests import builders
from tests.builders import CONFIG
from tests.conftest import SetClock
from tests.test_cli import crafty
from tests.test_replay import WATCHED, intake_of, take
from tests.webhooks.payloads import FIELDS, body, issue_fields, issue_updated, post, pull_request

IDS = "\n[jira.fields]\n" + "".join(f'{fact} = "{number}"\n' for fact, number in FIELDS.items())
NOWHERE = {"CRAFTY_REDIS_URL": "unix:///nowhere/redis.sock"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a configuration that gives Jira's fields by their ids, and a payload."""
    (tmp_path / "crafty.toml").write_text(CONFIG + WATCHED + IDS)
    (tmp_path / "payload.json").write_bytes(body(issue_updated()))
    return tmp_path


@pytest.fixture
async def served(redis: Redis, redis_url: str) -> dict[str, str]:
    """The way to a Redis that holds one delivery."""
    await take_one(redis)
    return {"CRAFTY_REDIS_URL": redis_url}


async def take_one(redis: Redis) -> None:
    """The service takes the delivery d-1, about SE-1, a minute ago."""
    await Ledger(redis).keep_site(Site(fields=FieldMap(**FIELDS), jira_bot=("acc-bot",)))
    await Ledger(redis).see_sprints("Serenity", (builders.RUNNING, builders.NEXT))
    clock = SetClock(utc_now())
    clock.advance(minutes=-1)
    await take(intake_of(redis, clock), clock, issue_updated())


def decided(shown: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {one["rule"]: one["outcome"] for one in json.loads(shown.stdout)["decisions"]}


# simulate


@pytest.mark.parametrize("environ", [{}, NOWHERE], ids=["no Redis", "a Redis that is away"])
def test_simulate_works_without_redis(folder: Path, environ: dict[str, str]) -> None:
    shown = crafty(folder, "simulate", "payload.json", "--now", "2026-11-05T10:00:00Z", "--json", environ=environ)
    assert shown.returncode == 0
    assert decided(shown)["missing-reviewer"] == "act"
    assert ("Redis can't be used" in shown.stderr) is bool(environ)
    assert "Traceback" not in shown.stderr


def test_simulate_as_people_read_it(folder: Path) -> None:
    shown = crafty(folder, "simulate", "payload.json", "--now", "2026-11-05T10:00:00Z")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "jira:issue_updated · SE-1" in shown.stdout
    assert "Ann, who could review this ticket? Nobody is named yet." in shown.stdout


def test_simulate_names_the_fields_that_nobody_has_told(folder: Path) -> None:
    (folder / "crafty.toml").write_text(CONFIG)
    shown = crafty(folder, "simulate", "payload.json", "--json")
    assert shown.stderr == (
        "Not known here are Jira's fields for story points, reviewer, core committer, epic link, flagged; "
        "[jira.fields] can name them by their ids.\n"
    )
    assert decided(shown)["missing-reviewer"] == "wait"


@pytest.mark.parametrize(
    ("source", "event", "payload", "subject"),
    [
        pytest.param("github", "pull_request", pull_request(), "github:example-org/poll#12", id="GitHub"),
        pytest.param("discourse", "post_created", post(), "topic:77", id="the forum"),
        pytest.param("jira", "jira:issue_created", issue_updated(webhookEvent=None), "SE-1", id="Jira"),
    ],
)
def test_simulate_takes_the_events_name_where_the_body_has_none(
    folder: Path, source: str, event: str, payload: Any, subject: str
) -> None:
    (folder / "payload.json").write_bytes(body(payload))
    shown = crafty(folder, "simulate", "payload.json", "--source", source, "--event", event, "--json")
    told = json.loads(shown.stdout)["event"]
    assert (told["name"], told["subject"]) == (event, subject)


def test_simulate_says_why_an_event_is_of_no_concern(folder: Path) -> None:
    shown = crafty(folder, "simulate", "payload.json", "--event", "project_created")
    assert (shown.returncode, shown.stdout) == (
        0,
        "project_created is of no concern: no rule is concerned with “project_created”.\n",
    )


def test_simulate_shows_no_sign_that_steers_a_terminal(folder: Path) -> None:
    (folder / "payload.json").write_bytes(
        body(issue_updated(issue_fields(status={"name": "Need \x1b[31m[red]Review"})))
    )
    shown = crafty(folder, "simulate", "payload.json", "--now", "2026-11-05T10:00:00Z")
    assert "Need  [31m[red]Review" in shown.stdout
    assert "\x1b" not in shown.stdout


async def test_simulate_goes_by_what_admins_have_set(folder: Path, served: dict[str, str], redis: Redis) -> None:
    office = Steering(redis, utc_now, Current(Ledger(redis), builders.book(WATCHED)), ("Serenity",))
    await office.tune("missing-reviewer", "", {"mode": "off"}, Actor("sam", "cli"))
    shown = crafty(folder, "simulate", "payload.json", "--now", "2026-11-05T10:00:00Z", "--json", environ=served)
    assert decided(shown)["missing-reviewer"] == "pass"


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        pytest.param(("nowhere.json",), 2, "nowhere.json can't be read", id="no such file"),
        pytest.param(("payload.json", "--now", "tomorrow"), 2, "“tomorrow” is no moment", id="no moment"),
        pytest.param(("payload.json", "--now", "2026-11-05T10:00"), 2, "names no zone", id="no zone"),
        pytest.param(("payload.json", "--now", "1900-12-31T23:59Z"), 2, "in the years 1901 to 2198", id="too early"),
        pytest.param(("payload.json", "--now", "2199-01-01T00:00Z"), 2, "in the years 1901 to 2198", id="too late"),
        pytest.param(("payload.json", "--source", "trello"), 2, "'--source': 'trello' is not one of", id="source"),
        pytest.param(("payload.json", "--fetch"), 1, "--fetch needs Redis", id="nothing to fetch from"),
        pytest.param(("crafty.toml",), 1, "crafty.toml: the JSON is not what this event must have", id="no JSON"),
        pytest.param((), 2, "Missing argument 'file'. `crafty simulate --help` says", id="no file"),
    ],
)
def test_what_simulate_can_not_do_is_a_sentence(folder: Path, words: tuple[str, ...], code: int, sentence: str) -> None:
    shown = crafty(folder, "simulate", *words)
    assert (shown.returncode, shown.stdout) == (code, "")
    assert sentence in shown.stderr
    assert shown.stderr.count("\n") == 1


# replay


async def test_replay_decides_again_and_is_written_down(folder: Path, served: dict[str, str], redis: Redis) -> None:
    shown = crafty(folder, "replay", "d-1", environ=served)
    ledger = Ledger(redis)
    office = Steering(redis, utc_now, Current(ledger, builders.book()), ())

    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("Decided again on d-1: answers pass, green-ticket pass, missing-reviewer ")
    assert [entry.stage for entry in await ledger.timeline("SE-1")] == ["replay", "webhook"]
    ((_, line),) = await office.audit()
    assert (line.what, line.origin) == ("replay delivery d-1", "cli")


async def test_replay_of_what_is_gone_is_a_sentence(folder: Path, served: dict[str, str], redis: Redis) -> None:
    never = crafty(folder, "replay", "d-9", environ=served)
    await redis.delete("crafty:delivery:d-1")
    gone = crafty(folder, "replay", "d-1", environ=served)
    assert (never.returncode, never.stderr) == (2, "There is no delivery d-9.\n")
    assert (gone.returncode, gone.stderr) == (2, "Delivery d-1 is not stored any more.\n")


# backtest


async def test_backtest_tells_what_would_differ(folder: Path, served: dict[str, str], redis: Redis) -> None:
    clock = SetClock(datetime.now(UTC))
    fields = issue_fields(customfield_10020=[{"id": 42, "name": "SE Sprint 42", "state": "future", "boardId": 12}])
    await take(intake_of(redis, clock), clock, issue_updated(fields), "d-2")
    change = ("--since", "1d", "--set", "green-ticket.mode=off", "--set", "green-ticket.push_unassigned=true")

    table = crafty(folder, "backtest", *change, environ=served)
    found = json.loads(crafty(folder, "backtest", *change, "--json", environ=served).stdout)

    assert (table.returncode, table.stderr) == (0, "")
    assert table.stdout.startswith("2 deliveries of the last 1d; 0 concerned no rule, 0 could not be read.\n")
    assert (found["deliveries"], set(found["by_rule"])) == (2, {"green-ticket"})
    assert {one["what"] for one in found["shifts"]} == {"vanishes"}
    assert "vanishes" in table.stdout


async def test_backtest_changes_nothing(folder: Path, served: dict[str, str], redis: Redis) -> None:
    before = {key: await redis.dump(key) for key in await redis.keys("*")}
    crafty(folder, "backtest", "--set", "missing-reviewer.mode=off", environ=served)
    assert {key: await redis.dump(key) for key in await redis.keys("*")} == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param((), "Say what to try with --set", id="nothing to try"),
        pytest.param(("--set", "off"), "“off” sets nothing", id="no value"),
        pytest.param(("--set", "mode=off"), "names no rule", id="no rule"),
        pytest.param(("--set", "green-tickets.mode=off"), "did you mean green-ticket?", id="an unknown rule"),
        pytest.param(("--set", "green-ticket.lead=2h"), "params.lead: is not a parameter", id="an unknown parameter"),
        pytest.param(("--set", "green-ticket.mode=off", "--cell", "X"), "X is not a cell", id="an unknown cell"),
        pytest.param(("--set", "green-ticket.mode=off", "--since", "1y"), "--since: Write the time", id="no time"),
    ],
)
async def test_what_backtest_can_not_try_is_a_sentence(
    folder: Path, served: dict[str, str], words: tuple[str, ...], sentence: str
) -> None:
    shown = crafty(folder, "backtest", *words, environ=served)
    assert (shown.returncode, shown.stdout) == (2, "")
    assert sentence in shown.stderr
    assert shown.stderr.count("\n") == 1
