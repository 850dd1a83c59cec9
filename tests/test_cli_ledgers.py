"""What the command line tells of the ledgers: spillovers, acknowledgements, warnings."""

import csv
import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from service.commitments import Commitment
from service.contributions import Acknowledgement
from service.ledger import Ledger
from tests.builders import CONFIG
from tests.test_cli import crafty

CLOSED_AT = datetime(2026, 11, 16, 8, 0, tzinfo=UTC)


def line(ticket: str, **facts: Any) -> Commitment:
    usual: dict[str, Any] = {
        "ticket": ticket,
        "summary": f"Summary of {ticket}",
        "url": f"https://jira.example/browse/{ticket}",
        "cell": "Serenity",
        "sprint": 41,
        "sprint_name": "SE Sprint 41",
        "closed_at": CLOSED_AT,
        "status": "Done",
        "is_spillover": False,
        "assignee": "Ann",
        "assignee_id": "ann",
    }
    return Commitment(**{**usual, **facts})


SPILLED = line(
    "SE-2",
    status="In Progress",
    is_spillover=True,
    reason="waiting [for] the vendor",
    assignee="Bob",
    assignee_id="bob",
)


@pytest.fixture
async def told(redis: Redis, redis_url: str, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A folder with the team's configuration, and the way to a Redis that holds two lines of each ledger."""
    ledger = Ledger(redis)
    for one in (line("SE-1"), SPILLED):
        await ledger.keep_line(one)
    await ledger.keep_line(
        Acknowledgement(
            contribution="github:a/b#1",
            cell="Serenity",
            title="Fix",
            url="https://x.example",
            waiting_since=CLOSED_AT,
            answered_at=CLOSED_AT + timedelta(hours=3),
            took=timedelta(hours=3),
        )
    )
    await ledger.warn("board of Serenity", "two sprints are active at once")
    (tmp_path / "crafty.toml").write_text(CONFIG)
    return tmp_path, {"CRAFTY_REDIS_URL": redis_url}


async def test_spillovers_as_people_read_them(told: tuple[Path, dict[str, str]]) -> None:
    folder, environ = told
    shown = crafty(folder, "spillovers", environ=environ).stdout
    assert "SE-2 Summary of SE-2" in shown
    assert "waiting [for] the vendor" in shown
    assert "SE-1 " not in shown
    assert "100%" in shown


async def test_spillovers_as_csv_and_json(told: tuple[Path, dict[str, str]]) -> None:
    folder, environ = told
    rows = list(csv.DictReader(StringIO(crafty(folder, "spillovers", "--csv", environ=environ).stdout)))
    found = json.loads(crafty(folder, "spillovers", "--json", environ=environ).stdout)
    assert [(row["ticket"], row["is_spillover"]) for row in rows] == [("SE-1", "no"), ("SE-2", "yes")]
    assert [row["ticket"] for row in found["tickets"]] == ["SE-1", "SE-2"]
    assert [one["share"] for one in found["shares"]] == [1.0, 0.0]


@pytest.mark.parametrize(
    ("choice", "tickets"),
    [
        (("--sprint", "SE Sprint 41"), ["SE-1", "SE-2"]),
        (("--sprint", "42"), []),
        (("--person", "bob"), ["SE-2"]),
        (("--cell", "Falcon"), []),
    ],
)
async def test_the_lines_that_are_asked_for(
    told: tuple[Path, dict[str, str]], choice: tuple[str, str], tickets: list[str]
) -> None:
    folder, environ = told
    rows = json.loads(crafty(folder, "spillovers", *choice, "--json", environ=environ).stdout)["tickets"]
    assert [row["ticket"] for row in rows] == tickets


async def test_nothing_in_the_ledger_is_said_in_a_sentence(told: tuple[Path, dict[str, str]]) -> None:
    folder, environ = told
    shown = crafty(folder, "spillovers", "--sprint", "42", environ=environ)
    assert (shown.returncode, shown.stdout) == (
        0,
        "The ledger has no such line; it is written when a sprint is closed.\n",
    )


async def test_how_contributions_were_answered(told: tuple[Path, dict[str, str]]) -> None:
    folder, environ = told
    found = json.loads(crafty(folder, "acknowledgements", "--json", environ=environ).stdout)
    assert found == {"met": 1, "missed": 0, "closed": 0, "open": 0, "median": 10800.0, "percentile_95": 10800.0}
    assert "3h" in crafty(folder, "acknowledgements", environ=environ).stdout


async def test_what_an_admin_should_mend(told: tuple[Path, dict[str, str]]) -> None:
    folder, environ = told
    assert crafty(folder, "warnings", environ=environ).stdout == "board of Serenity: two sprints are active at once\n"
    assert json.loads(crafty(folder, "warnings", "--json", environ=environ).stdout) == {
        "board of Serenity": "two sprints are active at once"
    }
