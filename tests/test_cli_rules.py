"""The rules on the command line: as they are set, set anew, and why they did what they did."""

import getpass
import json
from pathlib import Path

import pytest
from redis.asyncio import Redis

from service.clock import utc_now
from service.current import Current
from service.ledger import Case, Ledger
from service.queue import Queue, Result, look_again
from service.rules import all_rules
from service.steering import Actor, Steering
from tests import builders
from tests.builders import CONFIG
from tests.test_cli import crafty
from tests.test_cli_trials import take_one


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "crafty.toml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
async def served(redis: Redis, redis_url: str) -> dict[str, str]:
    """The way to a Redis that holds one delivery, about SE-1."""
    await take_one(redis)
    return {"CRAFTY_REDIS_URL": redis_url}


@pytest.fixture
def office(redis: Redis) -> Steering:
    return Steering(redis, utc_now, Current(Ledger(redis), builders.book()), ("Serenity",))


async def test_rules_shows_what_holds_now_and_who_set_it(
    folder: Path, office: Steering, served: dict[str, str]
) -> None:
    await office.tune("green-ticket", "", {"mode": "off"}, Actor("sam", "cli"))
    await office.tune("spillover", "Serenity", {"mode": "dry-run"}, Actor("sam", "cli"))

    listed = {one["name"]: one for one in json.loads(crafty(folder, "rules", "--json", environ=served).stdout)}
    table = crafty(folder, "rules", environ=served).stdout

    assert (listed["green-ticket"]["mode"], listed["green-ticket"]["changed"]) == ("off", True)
    assert listed["spillover"]["cells"]["Serenity"]["mode"] == "dry-run"
    assert listed["answers"]["changed"] is False
    assert "an admin" in table
    assert "Serenity: dry-run" in table


def test_rules_without_redis_says_that_this_is_the_configuration(folder: Path) -> None:
    for environ in ({}, {"CRAFTY_REDIS_URL": "unix:///nowhere/redis.sock"}):
        shown = crafty(folder, "rules", "--json", environ=environ)
        assert shown.returncode == 0
        assert [one["name"] for one in json.loads(shown.stdout)] == [rule.name for rule in all_rules()]
        assert "this is what crafty.toml sets" in shown.stderr


async def test_a_rule_that_is_set_holds_at_once_and_is_written_down(
    folder: Path, office: Steering, served: dict[str, str]
) -> None:
    shown = crafty(folder, "rules", "set", "green-ticket", "--mode", "dry-run", environ=served)
    tuned = crafty(
        folder, "rules", "set", "green-ticket", "--param", "reminder_lead=48h", "--cell", "Serenity", environ=served
    )

    assert shown.stdout == "green-ticket is dry-run, reminder_lead = 24h, push_unassigned = false.\n"
    assert tuned.stdout == "green-ticket is dry-run in Serenity, reminder_lead = 48h, push_unassigned = false.\n"
    assert (await office.rule("green-ticket")).settings["mode"] == "dry-run"
    lines = [(line.who, line.origin, line.what) for _, line in await office.audit()]
    assert lines == [
        (getpass.getuser(), "cli", "rule green-ticket in Serenity"),
        (getpass.getuser(), "cli", "rule green-ticket"),
    ]


async def test_it_is_told_where_a_rule_stays_as_it_was(folder: Path, served: dict[str, str]) -> None:
    crafty(folder, "rules", "set", "spillover", "--mode", "dry-run", "--cell", "Serenity", environ=served)
    shown = crafty(folder, "rules", "set", "spillover", "--mode", "off", environ=served)
    assert shown.stdout.startswith("spillover is off, ")
    assert shown.stdout.endswith(". It stays dry-run in Serenity.\n")


async def test_where_no_terminal_cuts_them_lines_are_whole(folder: Path, served: dict[str, str]) -> None:
    shown = crafty(folder, "rules", environ={**served, "COLUMNS": "60"}).stdout
    promises = [one["summary"] for one in json.loads(crafty(folder, "rules", "--json", environ=served).stdout)]
    assert [promise for promise in promises if promise not in shown] == []


async def test_why_without_a_subject_tells_of_none(folder: Path, served: dict[str, str]) -> None:
    assert "SE-1" not in crafty(folder, "why", "", environ=served).stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(("green-ticket",), "Say what to set", id="nothing to set"),
        pytest.param(("green-tickets", "--mode", "off"), "There is no rule green-tickets", id="an unknown rule"),
        pytest.param(("green-ticket", "--mode", "loud"), "'--mode': 'loud' is not one of", id="an unknown mode"),
        pytest.param(("green-ticket", "--mode", "off", "--cell", "X"), "X is not a cell", id="an unknown cell"),
        pytest.param(("green-ticket", "--param", "lead=1h"), "params.lead: is not a parameter", id="no such parameter"),
        pytest.param(("green-ticket", "--param", "reminder_lead=soon"), "params.reminder_lead", id="a wrong value"),
    ],
)
async def test_what_can_not_be_set_is_a_sentence_and_changes_nothing(
    folder: Path, office: Steering, served: dict[str, str], words: tuple[str, ...], sentence: str
) -> None:
    shown = crafty(folder, "rules", "set", *words, environ=served)
    assert (shown.returncode, shown.stdout) == (2, "")
    assert sentence in shown.stderr
    assert shown.stderr.count("\n") == 1
    assert await office.audit() == []


async def test_why_tells_how_things_stand_and_with_which_facts(
    folder: Path, redis: Redis, served: dict[str, str]
) -> None:
    case = Case(
        rule="missing-reviewer",
        subject="SE-1",
        comment="7",
        occasion="sprint-41",
        state="missing reviewer",
        at=utc_now(),
        turns=0,
        open=True,
    )
    queue = Queue(redis, utc_now)
    await queue.want(look_again("missing-reviewer", "SE-1", utc_now()))
    await queue.release(10)
    lease = (await redis.hget("crafty:work:look:missing-reviewer:SE-1", "token") or b"").decode()  # type: ignore[misc]
    work = await queue.claim("look:missing-reviewer:SE-1", lease)
    assert work is not None
    await queue.finish(work, Result(ending="waiting", due=utc_now(), case=case))

    shown = crafty(folder, "why", "SE-1", "--facts", environ=served).stdout

    assert "missing-reviewer: its comment asks for something (“missing reviewer”, since " in shown
    assert "missing-reviewer: looks again at " in shown
    assert "  status: Need Review" in shown


async def test_why_for_scripts_is_an_object_for_each_entry(folder: Path, served: dict[str, str]) -> None:
    (line,) = crafty(folder, "why", "SE-1", "--json", environ=served).stdout.splitlines()
    entry = json.loads(line)
    assert (entry["stage"], entry["delivery"]) == ("webhook", "d-1")


def test_the_configuration_is_enough_for_a_list(tmp_path: Path) -> None:
    (tmp_path / "crafty.toml").write_text(CONFIG + '\n[rules.spillover.cells.Serenity]\nmode = "off"\n')
    listed = {one["name"]: one for one in json.loads(crafty(tmp_path, "rules", "--json").stdout)}
    assert listed["spillover"]["cells"]["Serenity"]["mode"] == "off"
