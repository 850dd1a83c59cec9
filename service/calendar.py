"""Sprint days, deadlines and working time: pure functions of instants and zones.

Instants are aware datetimes: any zone goes in, UTC comes out. A naive one, or one outside the years 1900 to 2199, is a
ValueError. Wall-clock times follow PEP 495 as zoneinfo implements it: a time that the spring change leaves out moves
forward by the gap, and of the two that the autumn change makes the first one counts.
"""

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from operator import itemgetter
from typing import Final, Self
from zoneinfo import ZoneInfo

TimeOff = tuple[tuple[date, date], ...]
"""First and last day of each absence, both included, in the calendar's zone."""

END_OF_DAY: Final = 24 * 60
"""Minutes after midnight at which a day is over."""

_DAY: Final = timedelta(days=1)
_MIDNIGHT: Final = time()
_LONGEST: Final = 366
"""Days that a sprint may last and that a deadline may lie after its start."""

_HORIZON: Final = 3653
"""Days, ten years, after which the search for working time gives up."""

_YEARS: Final = range(1900, 2200)
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")


def is_reckonable(at: datetime) -> bool:
    """Whether that instant, and a year before and after it, are in the years that are reckoned with."""
    return _YEARS[1] <= at.year < _YEARS[-1]


@dataclass(frozen=True)
class Deadline:
    """A wall-clock time on a sprint day, in the cell's zone.

    day: 0 to 366, 0 is the day the sprint starts on; minutes: 0 to 1440 after local midnight, 1440 is the end of that
    day. Anything else is a ValueError.
    """

    day: int
    minutes: int

    def __post_init__(self) -> None:
        if not 0 <= self.day <= _LONGEST:
            raise ValueError(
                f"A deadline's day counts from 0, the sprint's first day, to {_LONGEST}; this is {self.day}."
            )
        if not 0 <= self.minutes <= END_OF_DAY:
            raise ValueError(f"A deadline's time is 0 to {END_OF_DAY} minutes after midnight; this is {self.minutes}.")

    @classmethod
    def at(cls, day: int, time: str) -> Self:
        """The deadline at "HH:MM" on that day, "00:00" to "24:00"; ValueError for any other spelling."""
        if not _TIME.fullmatch(time):
            raise ValueError(f'Write the time as "HH:MM", from "00:00" to "24:00" (end of that day), not {time!r}.')
        hours, minutes = time.split(":")
        return cls(day, int(hours) * 60 + int(minutes))


_CHECK_IN: Final = Deadline(4, END_OF_DAY)
_TEXT_UPDATE: Final = Deadline(7, END_OF_DAY)
_EPIC_UPDATES: Final = Deadline(10, END_OF_DAY)
_FINAL_CHECK_LEAD: Final = timedelta(hours=1)


@dataclass(frozen=True)
class SprintCalendar:
    """A cell's sprints and working days.

    Working days are whole local days other than Saturdays, Sundays, holidays and time off. Working time is the elapsed
    time inside them, so a working day with a change of the clocks has 23 or 25 hours of it.

    zone: the cell's; anchor: naive local start of any sprint; length_days: 1 to 366; holidays: answers `day in
    holidays`. ValueError for an anchor with a zone or outside the years 1900 to 2199, and for any other length.
    """

    zone: ZoneInfo
    anchor: datetime
    length_days: int = 14
    insertion_deadline: Deadline = Deadline(10, END_OF_DAY)
    green_deadline: Deadline = Deadline(11, END_OF_DAY)
    review_deadline: Deadline = Deadline(9, END_OF_DAY)
    holidays: Container[date] = frozenset()

    def __post_init__(self) -> None:
        if self.anchor.tzinfo is not None:
            raise ValueError("The anchor is a local time: write it without an offset, the calendar has the zone.")
        if self.anchor.year not in _YEARS:
            raise ValueError(f"The anchor {self.anchor} lies outside the years 1900 to 2199.")
        if not 1 <= self.length_days <= _LONGEST:
            raise ValueError(f"A sprint lasts 1 to {_LONGEST} days, not {self.length_days}.")

    def sprint_at(self, now: datetime, *, start: datetime | None = None, end: datetime | None = None) -> "SprintWindow":
        """The sprint that runs at an instant.

        start, end: what Jira says of its active sprint, where it says so; they win over the anchor, also when `now` is
        past them, since people start sprints early and complete them late. The one that is missing lies one sprint
        length away at the anchor's wall-clock time. Whoever starts a sprint types its dates freely: an end that does
        not come after the start, and a date outside the years 1900 to 2199, count as missing.
        """
        now, begins, ends = _utc(now), _believable(start), _believable(end)
        if begins is None:
            begins = self._days_on(ends, -self.length_days) if ends else self._planned_start(now)
        if ends is None or ends <= begins:
            ends = self._days_on(begins, self.length_days)
        return SprintWindow(self, begins, ends)

    def is_working_day(self, day: date, time_off: TimeOff = ()) -> bool:
        """Whether that local day is none of Saturday, Sunday, holiday and time off."""
        return (
            day.weekday() < 5 and day not in self.holidays and not any(first <= day <= last for first, last in time_off)
        )

    def add_working_time(self, start: datetime, amount: timedelta, time_off: TimeOff = ()) -> datetime:
        """The first instant of working time, in UTC, at which `amount` of it has passed since `start`.

        What is used up at the end of a Friday is over on Monday at 00:00; nothing added moves `start` to the next
        instant of working time. ValueError for a negative amount, and where ten years hold too little working time.
        """
        start, left = _utc(start), _not_negative(amount)
        today = start.astimezone(self.zone).date()
        for opens, closes in self._spans((today + n * _DAY for n in range(-1, _HORIZON)), time_off):
            begins = max(opens, start)
            if left < closes - begins:
                return begins + left
            left -= max(closes - begins, timedelta())
        raise ValueError(f"There is less than {amount} of working time in the ten years after {start}.")

    def subtract_working_time(self, end: datetime, amount: timedelta, time_off: TimeOff = ()) -> datetime:
        """The last instant of working time, in UTC, from which `amount` of it passes until `end`.

        Undoes `add_working_time`. Nothing subtracted moves `end` to the next instant of working time, as adding does.
        ValueError for a negative amount, and where ten years hold too little working time.
        """
        end, left = _utc(end), _not_negative(amount)
        if not left:
            return self.add_working_time(end, left, time_off)
        today = end.astimezone(self.zone).date()
        for opens, closes in self._spans((today - n * _DAY for n in range(-1, _HORIZON)), time_off):
            stops = min(closes, end)
            if left <= stops - opens:
                return stops - left
            left -= max(stops - opens, timedelta())
        raise ValueError(f"There is less than {amount} of working time in the ten years before {end}.")

    def working_time_between(self, first: datetime, last: datetime, time_off: TimeOff = ()) -> timedelta:
        """The working time that passes from one instant to another; negative when `last` comes before `first`."""
        first, last = _utc(first), _utc(last)
        if last < first:
            return -self.working_time_between(last, first, time_off)
        today = first.astimezone(self.zone).date()
        spans = self._spans((today + n * _DAY for n in range(-1, (last - first).days + 3)), time_off)
        worked = (min(closes, last) - max(opens, first) for opens, closes in spans)
        return sum((part for part in worked if part > timedelta()), timedelta())

    def local(self, at: datetime) -> datetime:
        """The same instant in the calendar's zone."""
        return _utc(at).astimezone(self.zone)

    def instant_of(self, wall: datetime) -> datetime:
        """The instant, in UTC, at which clocks in the calendar's zone show a naive local time."""
        return wall.replace(tzinfo=self.zone, fold=0).astimezone(UTC)

    def _midnight(self, day: date) -> datetime:
        return self.instant_of(datetime.combine(day, _MIDNIGHT))

    def _spans(self, days: Iterable[date], time_off: TimeOff) -> Iterator[tuple[datetime, datetime]]:
        """The first instant of each working day among these, with the one at which it is over."""
        for day in days:
            if self.is_working_day(day, time_off):
                yield self._midnight(day), self._midnight(day + _DAY)

    def _planned_start(self, now: datetime) -> datetime:
        """Start of the sprint that runs now if every sprint keeps to the anchor."""
        since_first_day = (now.astimezone(self.zone).date() - self.anchor.date()).days % self.length_days
        start = self._days_on(now, -since_first_day)
        return start if start <= now else self._days_on(now, -since_first_day - self.length_days)

    def _days_on(self, at: datetime, days: int) -> datetime:
        """The anchor's wall-clock time, that many local days after the day of an instant, or before where negative."""
        day = at.astimezone(self.zone).date() + days * _DAY
        return self.instant_of(datetime.combine(day, self.anchor.time()))


@dataclass(frozen=True)
class SprintWindow:
    """One sprint of a cell.

    start and end: aware, in UTC; the sprint is over at its end.
    """

    calendar: SprintCalendar
    start: datetime
    end: datetime

    def day_of(self, at: datetime) -> int:
        """The sprint day of an instant: whole local dates since the one the sprint started on, negative before it."""
        return (self.calendar.local(at).date() - self._first_day).days

    def deadline(self, deadline: Deadline) -> datetime:
        """The instant, in UTC, at which a deadline of this sprint is reached."""
        midnight = datetime.combine(self._first_day + deadline.day * _DAY, _MIDNIGHT)
        return self.calendar.instant_of(midnight + timedelta(minutes=deadline.minutes))

    @property
    def check_in(self) -> datetime:
        """When every started or waiting ticket has been asked after: the end of day 4."""
        return self.deadline(_CHECK_IN)

    @property
    def text_update(self) -> datetime:
        """When everyone's mid-sprint update stands in the forum: the end of day 7."""
        return self.deadline(_TEXT_UPDATE)

    @property
    def review_deadline(self) -> datetime:
        """When every ticket has reached review by a colleague, as the cell has it."""
        return self.deadline(self.calendar.review_deadline)

    @property
    def epic_updates(self) -> datetime:
        """When every epic in development has its update: the end of day 10."""
        return self.deadline(_EPIC_UPDATES)

    @property
    def insertion_deadline(self) -> datetime:
        """From when on nothing more is added to the next sprint, as the cell has it."""
        return self.deadline(self.calendar.insertion_deadline)

    @property
    def green_deadline(self) -> datetime:
        """When every ticket of the next sprint is green, as the cell has it."""
        return self.deadline(self.calendar.green_deadline)

    @property
    def final_check(self) -> datetime:
        """One hour, by the stopwatch, before the sprint ends."""
        return self.end - _FINAL_CHECK_LEAD

    def following(self) -> "SprintWindow":
        """The sprint that starts when this one ends and lasts to the anchor's wall-clock time a sprint length later."""
        return self.calendar.sprint_at(self.end, start=self.end)

    def deadlines(self) -> tuple[tuple[str, datetime], ...]:
        """Every date of the sprint in order of time: the name of the rule that looks then, and the instant in UTC."""
        dates = (
            ("green-ticket (final)", self.start),
            ("mid-sprint-checkin", self.check_in),
            ("sprint-updates", self.text_update),
            ("spillover (at risk)", self.review_deadline),
            ("epic-update", self.epic_updates),
            ("task-insertion", self.insertion_deadline),
            ("green-ticket", self.green_deadline),
            ("spillover", self.final_check),
            ("sprint-close", self.end),
        )
        return tuple(sorted(dates, key=itemgetter(1)))

    @property
    def _first_day(self) -> date:
        return self.calendar.local(self.start).date()


def _utc(at: datetime) -> datetime:
    if not is_believable(at):
        raise ValueError(f"{at} lies outside the years 1900 to 2199.")
    if at.utcoffset() is None:
        raise ValueError(f"{at} has no zone, so it names no instant.")
    return at.astimezone(UTC)


def is_believable(at: datetime) -> bool:
    """Whether it lies in the years 1900 to 2199; nothing here works with others."""
    return at.year in _YEARS


def _believable(at: datetime | None) -> datetime | None:
    return _utc(at) if at and is_believable(at) else None


def _not_negative(amount: timedelta) -> timedelta:
    if amount < timedelta():
        raise ValueError(f"Working time is added or subtracted in amounts of 0 or more, not {amount}.")
    return amount
