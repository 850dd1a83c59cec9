"""Who is asked for the steps of a bug, from when on, and what stands on the ticket then."""

from datetime import datetime
from typing import Any

import pytest

from service.facts import Said
from service.rules._base import Verdict
from service.rules.missing_steps import RULE
from tests.builders import NEXT, SAM, plain, said_after, summary, ticket, verdict_of, wall

MADE = wall("2026-11-05 15:00")  # a Thursday
FRIDAY = wall("2026-11-06 15:00")


def look(now: datetime = FRIDAY, said: Said | None = None, **facts: Any) -> Verdict:
    return verdict_of(RULE, ticket(**{"kind": "Bug", "created_at": MADE, **facts}), now, said=said)


@pytest.mark.parametrize(
    ("now", "actions"),
    [
        pytest.param(wall("2026-11-06 14:59"), ["recheck SE-1 2026-11-06 14:00"], id="a minute before the grace ends"),
        pytest.param(FRIDAY, ["comment SE-1 sprint-41"], id="when it ends"),
        pytest.param(wall("2026-11-06 15:01"), ["comment SE-1 sprint-41"], id="a minute later"),
    ],
)
def test_a_new_bug_has_a_working_day(now: datetime, actions: list[str]) -> None:
    assert summary(look(now)) == actions


@pytest.mark.parametrize(
    ("description", "outcome"),
    [
        pytest.param(None, "act", id="none"),
        pytest.param(9 * "word ", "act", id="nine words"),
        pytest.param(10 * "word ", "pass", id="ten words"),
        pytest.param(11 * "word ", "pass", id="eleven words"),
    ],
)
def test_ten_words_are_enough(description: str | None, outcome: str) -> None:
    assert look(description=description).outcome == outcome


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        pytest.param({"kind": "Story"}, "it is no bug (Story)", id="a story"),
        pytest.param({"sprints": (NEXT,)}, "it is not in the cell's running sprint", id="another sprint"),
    ],
)
def test_nobody_is_asked_without_need(facts: dict[str, Any], reason: str) -> None:
    assert look(**facts) == Verdict.passed(reason)


def test_the_reporter_reads_what_to_do() -> None:
    (text,) = plain(look(reporter=SAM))
    assert text == (
        "Sam, could you add to the description how to see this? A few steps help whoever mends it.\n"
        "Crafty, rule missing-steps. On SE-1: “@crafty why” or “@crafty snooze 2d”."
    )


def test_it_asks_once_and_says_when_all_is_well() -> None:
    said = said_after(look(), FRIDAY)

    assert summary(look(said=said)) == []
    assert summary(look(said=said, description=10 * "word ")) == ["edit_comment SE-1 sprint-41"]
