"""Who is asked for a ticket's epic, from when on, and what stands on the ticket then."""

from datetime import datetime
from typing import Any

import pytest

from service.facts import Said
from service.rules._base import Verdict
from service.rules.missing_epic import RULE
from tests.builders import ANN, NEXT, plain, said_after, summary, ticket, verdict_of, wall

MADE = wall("2026-11-05 15:00")  # a Thursday
FRIDAY = wall("2026-11-06 15:00")


def look(now: datetime = FRIDAY, said: Said | None = None, **facts: Any) -> Verdict:
    return verdict_of(RULE, ticket(created_at=MADE, **facts), now, said=said)


@pytest.mark.parametrize(
    ("now", "actions"),
    [
        pytest.param(wall("2026-11-06 14:59"), ["recheck SE-1 2026-11-06 14:00"], id="a minute before the grace ends"),
        pytest.param(FRIDAY, ["comment SE-1 sprint-41"], id="when it ends"),
        pytest.param(wall("2026-11-06 15:01"), ["comment SE-1 sprint-41"], id="a minute later"),
    ],
)
def test_a_new_ticket_has_a_working_day_to_find_its_epic(now: datetime, actions: list[str]) -> None:
    assert summary(look(now)) == actions


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        pytest.param({"epic_key": "SE-7"}, "it belongs to SE-7", id="an epic"),
        pytest.param({"is_subtask": True}, "needs no epic: Story", id="a sub-task"),
        pytest.param({"kind": "Emergency"}, "needs no epic: Emergency", id="an exempt kind"),
        pytest.param({"sprints": (NEXT,)}, "it is not in the cell's running sprint", id="another sprint"),
    ],
)
def test_nobody_is_asked_without_need(facts: dict[str, Any], reason: str) -> None:
    assert look(**facts) == Verdict.passed(reason)


def test_the_assignee_reads_what_to_do() -> None:
    (text,) = plain(look(assignee=ANN))
    assert text == (
        "Ann, which epic does this ticket belong to? A line in its epic field is all it takes.\n"
        "Crafty, rule missing-epic. On SE-1: “@crafty why” or “@crafty snooze 2d”."
    )


def test_it_asks_once_and_says_when_all_is_well() -> None:
    said = said_after(look(), FRIDAY)

    assert summary(look(said=said)) == []
    assert summary(look(said=said, epic_key="SE-7")) == ["edit_comment SE-1 sprint-41"]
