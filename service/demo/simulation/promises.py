"""What Crafty promises whatever people do, each as a function from an outcome to the cases in which it was broken."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from service.attention import Attention
from service.demo.simulation.diary import PARIS
from service.demo.simulation.outcome import Outcome
from service.facts import Person

MANNERS: Final = Attention()
PROMISED: Final = timedelta(hours=24)
"""Working time within which a contribution is answered."""

_SPRINT: Final = re.compile(r"(:sprint-\d+(?::reason)?).*")
"""What tells a rule's comments on a ticket apart: the sprint, and the reason that is asked for once it is over."""


def pings_a_day(outcome: Outcome) -> Counter[tuple[str, date]]:
    """How many pings each person got on each of their days."""
    people = {person.id: person for person in outcome.people}
    return Counter((one.to, _local(people[one.to], one.at).date()) for one in outcome.pings if one.to in people)


def late_offers(outcome: Outcome) -> set[str]:
    """The titles of what waited longer than promised, as the plan has it."""
    worked = outcome.calendar.working_time_between
    ended = ((offer, offer.answered or offer.closed or outcome.end) for offer in outcome.offers)
    return {offer.title for offer, end in ended if worked(offer.since, end) > PROMISED}


def _within_budget(outcome: Outcome) -> Iterator[str]:
    for (who, day), count in pings_a_day(outcome).items():
        if count > MANNERS.pings_a_day:
            yield f"{who} got {count} on {day}"


def _within_working_hours(outcome: Outcome) -> Iterator[str]:
    people = {person.id: person for person in outcome.people}
    for one in outcome.pings:
        person = people.get(one.to) if one.is_chat else None
        if person and MANNERS.opens_at(person, outcome.calendar, one.at) != one.at:
            yield f"{person.name} at {_local(person, one.at)}"


def _one_comment(outcome: Outcome) -> Iterator[str]:
    matters = Counter((ticket, _SPRINT.sub(r"\1", key)) for ticket, key, _ in outcome.comments)
    for (ticket, matter), count in matters.items():
        if count > 1:
            yield f"{ticket} has {count} of {matter}"


def _asked_about(outcome: Outcome) -> Iterator[str]:
    asked = {ticket for ticket, key, _ in outcome.comments if key.startswith("green-ticket:")}
    yield from sorted(outcome.not_green - asked)


def _escalated(outcome: Outcome) -> Iterator[str]:
    missed = {one.title: one.contribution for one in outcome.acknowledgements if one.is_missed}
    told = [one.about for one in outcome.pings if one.to.startswith("#") and one.rule == "community-ack"]
    new = {offer.title for offer in outcome.offers if offer.since >= outcome.since}
    for title in sorted(late_offers(outcome) & new):
        if title not in missed or not any(about.startswith(f"{missed[title]}:missed:") for about in told):
            yield title


def _not_escalated(outcome: Outcome) -> Iterator[str]:
    missed = {one.title for one in outcome.acknowledgements if one.is_missed}
    yield from sorted(missed - late_offers(outcome))


def _recorded(outcome: Outcome) -> Iterator[str]:
    lines = {one.ticket for one in outcome.commitments}
    yield from sorted(outcome.closed_with - lines)


def _given_up(outcome: Outcome) -> Iterator[str]:
    yield from outcome.dead_letters


PROMISES: Final[dict[str, Callable[[Outcome], Iterator[str]]]] = {
    "nobody gets more pings a day than the budget": _within_budget,
    "nobody is written to outside their working hours": _within_working_hours,
    "no rule writes two comments on a ticket about one sprint": _one_comment,
    "every ticket that was not green at the deadline was asked about": _asked_about,
    "every contribution that was answered late was escalated": _escalated,
    "no contribution that was answered in time was escalated": _not_escalated,
    "every ticket of the closed sprint is in the ledger": _recorded,
    "no work was given up": _given_up,
}


def broken(outcome: Outcome) -> list[str]:
    """Each case in which a promise was broken, as a line."""
    return [f"{promise}: {case}" for promise, cases in PROMISES.items() for case in cases(outcome)]


def _local(person: Person, at: datetime) -> datetime:
    return at.astimezone(ZoneInfo(person.timezone or PARIS.key))
