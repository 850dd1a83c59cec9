"""Chance plays a sprint: Crafty keeps its promises, and ends at the same place however webhooks come."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import uvloop

from service.contributions import Acknowledgement
from service.demo.simulation.diary import APART, END, START
from service.demo.simulation.outcome import Outcome, Ping, differences
from service.demo.simulation.plan import LAST_DAY, Offer, planned
from service.demo.simulation.play import Webhooks, cast, play
from service.demo.simulation.promises import broken, late_offers

TEAM = cast()
SEED = 7
FEW = 6
EVENING = datetime(2026, 11, 16, 19, tzinfo=UTC)
TUESDAY = datetime(2026, 11, 10, 14, tzinfo=UTC)


def ended(webhooks: Webhooks) -> Outcome:
    """What comes of a few tickets from the last day of planning to the evening of the next sprint's first day."""
    return uvloop.run(play(planned(SEED, TEAM, FEW), TEAM, SEED, webhooks=webhooks, since=LAST_DAY, until=EVENING))


@pytest.fixture(scope="module")
def plain() -> Outcome:
    return ended("on")


def test_crafty_keeps_its_promises(plain: Outcome) -> None:
    assert broken(plain) == []
    assert plain.comments
    assert plain.not_green
    assert plain.commitments


def test_without_any_webhook_sweeps_come_to_the_same_end(plain: Outcome) -> None:
    swept = ended("off")

    assert swept.numbers["webhooks"] == 0
    assert broken(swept) == []
    assert differences(plain.final, swept.final) == []


def test_webhooks_that_come_twice_and_in_any_order_have_the_same_effects(plain: Outcome) -> None:
    shuffled = ended("twice")

    assert shuffled.numbers["webhooks"] > 1.9 * plain.numbers["webhooks"]  # ranking what is first already sends none
    assert broken(shuffled) == []
    assert differences(plain.final, shuffled.final) == []
    assert shuffled.effects == plain.effects


# The promises themselves


def outcome(**facts: Any) -> Outcome:
    """A sprint in which nothing happened, but for these facts."""
    return replace(Outcome(TEAM.members, TEAM.cells[0].calendar, (), START, END), **facts)


def ping(at: datetime = TUESDAY, to: str = "eli", rule: str = "green-ticket", about: str = "SE-1") -> Ping:
    return Ping(to, at, rule, about, is_chat=True)


def line(*, is_missed: bool) -> Acknowledgement:
    return Acknowledgement(
        contribution="github:acme/poll#1",
        cell="Serenity",
        title="Change 1",
        url="https://x.example",
        waiting_since=START,
        is_missed=is_missed,
    )


def offer(hours: int | None) -> Offer:
    return Offer("Change 1", START, answered=None if hours is None else START + timedelta(hours=hours))


ASKED = ("SE-1", "green-ticket:SE-1:sprint-42", TUESDAY)
MISSED = ping(to="#serenity", rule="community-ack", about="github:acme/poll#1:missed:notify:#serenity")


@pytest.mark.parametrize(
    ("facts", "case"),
    [
        pytest.param({"pings": [ping()] * 5}, None, id="five pings on a day"),
        pytest.param({"pings": [ping()] * 6}, "eli got 6 on 2026-11-10", id="six pings on a day"),
        pytest.param({"pings": [ping(to="#serenity")] * 6}, None, id="six messages to a channel"),
        pytest.param({"pings": [ping(TUESDAY.replace(hour=18, minute=59))]}, None, id="a minute before the evening"),
        pytest.param({"pings": [ping(TUESDAY.replace(hour=19))]}, "Eli at 2026-11-10 20:00:00+01:00", id="evening"),
        pytest.param({"comments": [ASKED, ("SE-2", "green-ticket:SE-2:sprint-42", TUESDAY)]}, None, id="one each"),
        pytest.param({"comments": [ASKED, ASKED]}, "SE-1 has 2 of green-ticket:SE-1:sprint-42", id="two comments"),
        pytest.param(
            {"comments": [ASKED, ("SE-1", "green-ticket:SE-1:sprint-42:again", TUESDAY)]},
            "SE-1 has 2 of green-ticket:SE-1:sprint-42",
            id="two comments under two names",
        ),
        pytest.param({"not_green": frozenset({"SE-1"}), "comments": [ASKED]}, None, id="not green, and asked about"),
        pytest.param({"not_green": frozenset({"SE-1", "SE-2"}), "comments": [ASKED]}, "SE-2", id="never asked about"),
        pytest.param({"offers": (offer(24),)}, None, id="answered in the promised time"),
        pytest.param({"offers": (offer(25),)}, "Change 1", id="late, and nobody was told"),
        pytest.param({"offers": (offer(None),)}, "Change 1", id="never answered, and nobody was told"),
        pytest.param(
            {"offers": (offer(25),), "acknowledgements": [line(is_missed=True)], "pings": [MISSED]},
            None,
            id="late, and escalated",
        ),
        pytest.param(
            {"offers": (offer(25),), "acknowledgements": [line(is_missed=True)]},
            "Change 1",
            id="late and counted, but nobody was told",
        ),
        pytest.param(
            {"offers": (offer(24),), "acknowledgements": [line(is_missed=True)], "pings": [MISSED]},
            "Change 1",
            id="escalated, though answered in time",
        ),
        pytest.param({"closed_with": frozenset({"SE-1"})}, "SE-1", id="no line in the ledger"),
        pytest.param({"dead_letters": ["look:spillover:SE-1"]}, "look:spillover:SE-1", id="work that was given up"),
    ],
)
def test_a_broken_promise_is_seen(facts: dict[str, Any], case: str | None) -> None:
    assert [one.partition(": ")[2] for one in broken(outcome(**facts))] == ([case] if case else [])


def test_what_never_was_answered_is_late() -> None:
    assert late_offers(outcome(offers=(offer(None),))) == {"Change 1"}


# The plan


def test_a_seed_draws_the_same_plan_each_time_and_another_seed_another_one() -> None:
    first, again, other = (
        [(deed.at, deed.tell) for deed in planned(seed, TEAM, 60).deeds] for seed in (SEED, SEED, SEED + 1)
    )

    assert first == again != other


def test_there_are_sixty_tickets_and_whatever_concerns_one_of_them_is_hours_apart() -> None:
    deeds = planned(SEED, TEAM, 60).deeds
    about: dict[str, list[datetime]] = {}
    for deed in deeds:
        about.setdefault(deed.about, []).append(deed.at)
    sixty = [moments for key, moments in about.items() if key.startswith(("SE-1", "SE-2"))]

    assert len(sixty) == 60
    assert all(later - at >= APART for moments in sixty for at, later in pairwise(moments))


def test_two_ends_differ_in_what_one_of_them_lacks_or_has_otherwise() -> None:
    first, second = {"a": {"x": 1, "y": 2}, "b": 1}, {"a": {"x": 1, "y": 3}}

    assert differences(first, second) == ["a: y: 2 / 3", "b: 1 / None"]
