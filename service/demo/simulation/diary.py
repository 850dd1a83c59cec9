"""Who does what when, drawn by chance: within people's working hours, and never two deeds about one thing at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

from service.demo.stage import Scenery
from service.facts import Person, Team

PARIS: Final = ZoneInfo("Europe/Paris")
PLANNED: Final = datetime(2026, 10, 29, 10, tzinfo=PARIS)
START: Final = datetime(2026, 11, 2, 9, tzinfo=PARIS)
CLOSE: Final = datetime(2026, 11, 16, 9, 4, tzinfo=PARIS)
END: Final = datetime(2026, 11, 18, 19, tzinfo=PARIS)

APART: Final = timedelta(hours=3)
"""What lies at least between two deeds about one thing: three sweeps."""

STEPPING_IN: Final = timedelta(hours=22), timedelta(hours=28)
"""Working time after a ticket began to wait for review in which nobody touches it: the firefighters step in a working
day after Crafty asked, and a sweep asks up to an hour later than a webhook."""

_TRIES: Final = 300

Do = Callable[[Scenery], Awaitable[object]]


@dataclass(frozen=True)
class Deed:
    """What somebody does at a moment. about: the ticket or contribution that it concerns; tell: in words."""

    at: datetime
    about: str
    tell: str
    do: Do


class Diary:
    """Draws people and moments, and keeps the deeds. What is drawn depends on `chance` alone."""

    def __init__(self, chance: Random, team: Team) -> None:
        self.chance = chance
        self.people = {person.id: person for person in team.members}
        self.deeds: list[Deed] = []
        self._calendar = team.cells[0].calendar
        self._waiting: dict[str, datetime] = {}

    def happens(self, share: float) -> bool:
        """Whether something happens that happens in this share of cases, 0 to 1."""
        return self.chance.random() < share

    def anybody(self, *but: Person) -> Person:
        """One of the people, but none of these."""
        return self.chance.choice([person for person in self.people.values() if person not in but])

    def moment(self, who: Person, about: str, after: datetime, before: datetime) -> datetime | None:
        """A minute of the person's working hours that is apart from all deeds about the same thing; None without any.

        It is never close to a full hour, when sweeps go round, nor to the sprint's end.
        """
        for _ in range(_TRIES):
            at = self.instant(after, before)
            if self._works(who, at) and self._is_apart(about, at):
                return at
        return None

    def instant(self, after: datetime, before: datetime) -> datetime:
        """Any minute between the two, of day and night."""
        at = (after + (before - after) * self.chance.random()).astimezone(PARIS)
        return at.replace(minute=5 + at.minute % 50, second=0, microsecond=0)

    def note(self, at: datetime, about: str, tell: str, do: Do) -> None:
        """Keeps a deed."""
        self.deeds.append(Deed(at, about, tell, do))

    def waits_for_review(self, ticket: str, since: datetime) -> None:
        """Keeps the hours free in which the firefighters step in."""
        self._waiting[ticket] = since

    def create(self, at: datetime, key: str, by: Person, sprint: int | None, **fields: Any) -> None:
        told = f"{by.name} creates {key} in sprint {sprint}: {fields}"
        self.note(at, key, told, lambda on: on.jira.create_issue(key, account(by), sprint=sprint, **fields))

    def edit(self, at: datetime, key: str, by: Person, **fields: Any) -> None:
        self.note(at, key, f"{by.name} edits {key}: {fields}", lambda on: on.jira.edit(key, account(by), **fields))

    def say(self, at: datetime, key: str, by: Person, text: str) -> None:
        self.note(at, key, f"{by.name} writes on {key}: {text}", lambda on: on.jira.comment(key, account(by), text))

    def _works(self, who: Person, at: datetime) -> bool:
        local = at.astimezone(ZoneInfo(who.timezone or PARIS.key))
        return 9 <= local.hour < 17 and self._calendar.is_working_day(local.date(), who.time_off)

    def _is_apart(self, about: str, at: datetime) -> bool:
        others = [CLOSE, END, *(deed.at for deed in self.deeds if deed.about == about)]
        return all(abs(at - other) >= APART for other in others) and not self._is_stepping_in(about, at)

    def _is_stepping_in(self, about: str, at: datetime) -> bool:
        since, (first, last) = self._waiting.get(about), STEPPING_IN
        return since is not None and first <= self._calendar.working_time_between(since, at) <= last


def account(person: Person) -> str:
    """The person's account in Jira."""
    return str(person.jira)
