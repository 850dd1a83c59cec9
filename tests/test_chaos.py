"""What `make chaos` says of its scenarios; the scenarios themselves run in .ci/run, and as tests of outages."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Final

import pytest

from chaos import __main__ as chaos
from chaos.report import Found, report

ROOT: Final = Path(__file__).parent.parent


async def as_promised(_: Path) -> Found:
    return Found({"deliveries": 3}, {"lost": [], "doubled": []})


async def never(_: Path) -> Found:
    await asyncio.Event().wait()
    return Found({}, {})


async def twice(_: Path) -> Found:
    return Found({"deliveries": 3}, {"lost": [], "doubled": ["SE-1 is there 2 times", "SE-2 is there 3 times"]})


async def stuck_on_its_own(_: Path) -> Found:
    raise TimeoutError


def test_each_broken_promise_is_counted_and_told() -> None:
    told = report("A title", asyncio.run(twice(Path())), 1.6)
    assert told.numbers == {"deliveries": 3, "lost": 0, "doubled": 2, "seconds": 2}
    assert told.broken == ["doubled: SE-1 is there 2 times", "doubled: SE-2 is there 3 times"]


def test_a_scenario_that_is_not_over_in_time_is_undecided() -> None:
    told = chaos.played(chaos.Scenario("It lasts", never), time.monotonic() + 0.01)
    assert (told.numbers["undecided"], told.broken) == (
        1,
        ["undecided: it was not over when the time for all scenarios was up"],
    )


def test_a_scenario_that_fails_by_itself_is_not_mistaken_for_a_long_one() -> None:
    with pytest.raises(TimeoutError):
        chaos.played(chaos.Scenario("It fails", stuck_on_its_own), time.monotonic() + 60)


@pytest.mark.parametrize(("play", "code"), [(as_promised, 0), (twice, 1), (never, 1)])
def test_the_exit_code_tells_of_a_broken_promise(monkeypatch: pytest.MonkeyPatch, play: chaos.Play, code: int) -> None:
    monkeypatch.setattr(chaos, "_scenarios_in_short", lambda _: [chaos.Scenario("A title", play)])
    monkeypatch.setattr(chaos, "MOST_SECONDS", 0.2)
    monkeypatch.setattr("service.log.configure", lambda *_: None)
    monkeypatch.setattr("sys.argv", ["chaos", "--short", "--json"])
    assert chaos.main() == code


def test_every_test_that_the_paper_on_reliability_names_is_there() -> None:
    paper = (ROOT / "docs" / "reliability.md").read_text()
    named = re.findall(r"`(?:(tests/\w+\.py)::)?(test_\w+)`", paper)
    unknown = [
        name for file, name in named if f"def {name}(" not in (ROOT / (file or "tests/test_outages.py")).read_text()
    ]
    assert (len(named) > 5, unknown) == (True, [])
