"""Working hours and mentions: when a person may be written to, on every kind of day, and what a mention becomes."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.attention import Attention, mentioned, without_mention
from service.calendar import SprintCalendar
from service.facts import Person
from service.texts import Checklist, Message, item, paragraph, small, to_plain, to_wiki
from tests.builders import ANN, BOB, NEW_YORK, PARIS, SAM, cell, wall

USUAL = Attention()
KOLKATA = ZoneInfo("Asia/Kolkata")
CALENDAR = replace(cell().calendar, holidays=frozenset({date(2026, 11, 11), date(2026, 11, 27)}))
OF_PARIS = Person(id="pia", name="Pia", timezone="Europe/Paris")
OF_NEW_YORK = BOB
ANYWHERE = SAM


def away(first: date, last: date) -> Person:
    return Person(id="pia", name="Pia", timezone="Europe/Paris", time_off=((first, last),))


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        pytest.param("2026-11-03 07:59", "2026-11-03 08:00", id="a minute before the morning"),
        pytest.param("2026-11-03 08:00", "2026-11-03 08:00", id="the morning begins"),
        pytest.param("2026-11-03 08:01", "2026-11-03 08:01", id="a minute later"),
        pytest.param("2026-11-03 19:59", "2026-11-03 19:59", id="a minute before the evening"),
        pytest.param("2026-11-03 20:00", "2026-11-04 08:00", id="the evening begins"),
        pytest.param("2026-11-03 23:00", "2026-11-04 08:00", id="at night"),
        pytest.param("2026-11-04 00:00", "2026-11-04 08:00", id="at midnight"),
        pytest.param("2026-11-06 19:59", "2026-11-06 19:59", id="before Friday evening"),
        pytest.param("2026-11-06 20:00", "2026-11-09 08:00", id="Friday evening"),
        pytest.param("2026-11-07 12:00", "2026-11-09 08:00", id="on a Saturday"),
        pytest.param("2026-11-08 23:59", "2026-11-09 08:00", id="late on a Sunday"),
        pytest.param("2026-11-10 21:00", "2026-11-12 08:00", id="the evening before a holiday"),
        pytest.param("2026-11-11 12:00", "2026-11-12 08:00", id="on a holiday"),
        pytest.param("2026-11-26 20:00", "2026-11-30 08:00", id="before a holiday that is a Friday"),
    ],
)
@pytest.mark.parametrize(
    ("person", "zone"),
    [
        pytest.param(OF_PARIS, PARIS, id="Paris"),
        pytest.param(OF_NEW_YORK, NEW_YORK, id="New York"),
        pytest.param(ANN, KOLKATA, id="Kolkata"),
        pytest.param(ANYWHERE, PARIS, id="the cell's zone"),
    ],
)
def test_each_has_working_hours_of_their_own_zone(person: Person, zone: ZoneInfo, now: str, opens: str) -> None:
    assert USUAL.opens_at(person, CALENDAR, wall(now, zone)) == wall(opens, zone)


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        pytest.param("2026-11-03 23:00", "2026-11-09 08:00", id="the night before, until the Monday after"),
        pytest.param("2026-11-05 12:00", "2026-11-09 08:00", id="in the middle"),
        pytest.param("2026-11-03 19:59", "2026-11-03 19:59", id="just before"),
        pytest.param("2026-11-09 09:00", "2026-11-09 09:00", id="once back"),
    ],
)
def test_time_off_is_waited_for(now: str, opens: str) -> None:
    absent = away(date(2026, 11, 4), date(2026, 11, 6))

    assert USUAL.opens_at(absent, CALENDAR, wall(now)) == wall(opens)


@pytest.mark.parametrize(
    ("last", "opens"),
    [
        pytest.param(date(2027, 11, 2), "2027-11-03 08:00", id="a year off is waited for"),
        pytest.param(date(2029, 11, 4), "2026-11-04 12:00", id="who never comes back is written to now"),
    ],
)
def test_nobody_is_waited_for_in_vain(last: date, opens: str) -> None:
    assert USUAL.opens_at(away(date(2026, 11, 4), last), CALENDAR, wall("2026-11-04 12:00")) == wall(opens)


@pytest.mark.parametrize(
    ("person", "now", "opens"),
    [
        pytest.param(OF_PARIS, "2026-03-27T19:00Z", "2026-03-30T06:00Z", id="Paris springs forward"),
        pytest.param(OF_PARIS, "2026-10-23T18:00Z", "2026-10-26T07:00Z", id="Paris falls back"),
        pytest.param(OF_NEW_YORK, "2026-03-07T01:00Z", "2026-03-09T12:00Z", id="New York springs forward"),
        pytest.param(OF_NEW_YORK, "2026-10-31T00:00Z", "2026-11-02T13:00Z", id="New York falls back"),
    ],
)
def test_eight_in_the_morning_stays_eight_when_the_clocks_change(person: Person, now: str, opens: str) -> None:
    at = USUAL.opens_at(person, CALENDAR, datetime.fromisoformat(now))

    assert at == datetime.fromisoformat(opens)


@pytest.mark.parametrize(
    ("quiet_from", "quiet_until", "now", "opens"),
    [
        pytest.param("00:00", "00:00", "2026-11-03 03:00", "2026-11-03 03:00", id="never quiet"),
        pytest.param("00:00", "00:00", "2026-11-07 12:00", "2026-11-09 00:00", id="never quiet, on a weekend"),
        pytest.param("01:00", "09:00", "2026-11-03 00:30", "2026-11-03 00:30", id="after midnight, before they begin"),
        pytest.param("01:00", "09:00", "2026-11-03 01:00", "2026-11-03 09:00", id="after midnight, when they begin"),
        pytest.param("12:00", "13:00", "2026-11-03 12:59", "2026-11-03 13:00", id="a siesta"),
        pytest.param("12:00", "13:00", "2026-11-07 12:00", "2026-11-09 00:00", id="a siesta, on a weekend"),
        pytest.param("00:00", "08:00", "2026-11-07 12:00", "2026-11-09 08:00", id="from midnight, on a weekend"),
    ],
)
def test_quiet_hours_are_as_they_are_set(quiet_from: str, quiet_until: str, now: str, opens: str) -> None:
    own = Attention(quiet_from=time.fromisoformat(quiet_from), quiet_until=time.fromisoformat(quiet_until))

    assert own.opens_at(OF_PARIS, CALENDAR, wall(now)) == wall(opens)


@pytest.mark.parametrize(
    ("person", "now", "later"),
    [
        pytest.param(OF_PARIS, "2026-11-03 12:00", "2026-11-04 08:00", id="tomorrow"),
        pytest.param(OF_PARIS, "2026-11-03 00:10", "2026-11-04 08:00", id="not this morning"),
        pytest.param(OF_PARIS, "2026-11-06 12:00", "2026-11-09 08:00", id="on Monday"),
        pytest.param(OF_PARIS, "2026-11-10 12:00", "2026-11-12 08:00", id="after the holiday"),
        pytest.param(
            OF_NEW_YORK, "2026-11-03 01:00", "2026-11-03 14:00", id="tomorrow of New York, where it is Monday"
        ),
    ],
)
def test_a_later_day_is_the_persons_own(person: Person, now: str, later: str) -> None:
    assert USUAL.next_day(person, CALENDAR, wall(now)) == wall(later)


@pytest.mark.parametrize(
    ("person", "day"),
    [
        pytest.param(OF_PARIS, date(2026, 11, 4), id="Paris"),
        pytest.param(OF_NEW_YORK, date(2026, 11, 3), id="New York"),
        pytest.param(ANYWHERE, date(2026, 11, 4), id="the cell's zone"),
    ],
)
def test_a_day_is_the_persons_own(person: Person, day: date) -> None:
    assert USUAL.day_of(person, CALENDAR, wall("2026-11-04 01:00")) == day


# Whatever the hour, the zone, the manners and the days off

MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
ZONES = (
    "Europe/Paris",
    "America/New_York",
    "Asia/Kolkata",
    "Pacific/Kiritimati",
    "Australia/Lord_Howe",
    "America/Santiago",
)
MINUTES = st.times().map(lambda at: at.replace(second=0, microsecond=0))
DAYS = st.dates(date(2024, 1, 1), date(2031, 1, 1))


@st.composite
def absences(draw: st.DrawFn) -> tuple[tuple[date, date], ...]:
    first = draw(st.lists(DAYS, max_size=3))
    return tuple((day, day + timedelta(days=draw(st.integers(0, 60)))) for day in first)


PEOPLE = st.builds(
    lambda zone, time_off: Person(id="pia", name="Pia", timezone=zone, time_off=time_off),
    st.sampled_from((None, *ZONES)),
    absences(),
)
CALENDARS = st.builds(
    lambda zone, holidays: replace(CALENDAR, zone=ZoneInfo(zone), holidays=holidays),
    st.sampled_from(ZONES),
    st.frozensets(DAYS, max_size=5),
)
MANNERS = st.builds(lambda first, last: Attention(quiet_from=first, quiet_until=last), MINUTES, MINUTES)


def is_open(manners: Attention, person: Person, calendar: SprintCalendar, at: datetime) -> bool:
    """Whether that instant suits the person, told by the clock on their wall."""
    zone = ZoneInfo(person.timezone) if person.timezone else calendar.zone
    local, (first, last) = at.astimezone(zone), (manners.quiet_from, manners.quiet_until)
    minutes = [one.hour * 60 + one.minute for one in (local, first, last)]
    is_quiet = (minutes[0] - minutes[1]) % 1440 < (minutes[2] - minutes[1]) % 1440
    is_off = any(start <= local.date() <= end for start, end in person.time_off)
    return not is_quiet and not is_off and local.weekday() < 5 and local.date() not in calendar.holidays


@given(MANNERS, PEOPLE, CALENDARS, MOMENTS)
def test_whoever_is_written_to_is_at_work_and_nobody_before_now(
    manners: Attention, person: Person, calendar: SprintCalendar, now: datetime
) -> None:
    opens = manners.opens_at(person, calendar, now)

    assert opens >= now
    assert is_open(manners, person, calendar, opens)
    assert (opens == now) is is_open(manners, person, calendar, now)
    assert manners.opens_at(person, calendar, opens) == opens


@given(MANNERS, PEOPLE, CALENDARS, MOMENTS, st.floats(0, 0.99))
def test_nobody_waits_longer_than_they_must(
    manners: Attention, person: Person, calendar: SprintCalendar, now: datetime, share: float
) -> None:
    opens = manners.opens_at(person, calendar, now)

    assert opens == now or not is_open(manners, person, calendar, now + (opens - now) * share)


@given(MANNERS, PEOPLE, CALENDARS, MOMENTS)
def test_a_later_day_is_later_and_open(
    manners: Attention, person: Person, calendar: SprintCalendar, now: datetime
) -> None:
    later = manners.next_day(person, calendar, now)

    assert manners.day_of(person, calendar, later) > manners.day_of(person, calendar, now)
    assert is_open(manners, person, calendar, later)


# Mentions

GUEST = Person(name="Zoe", jira="acc-zoe")
ASKS = Message(
    (
        paragraph("{who}, please ask {other} or {guest}.", who=BOB, other=ANN, guest=GUEST),
        Checklist((item("{who} has read it", who=SAM),)),
        paragraph("Thank you, {who}.", who=BOB),
        small("Rule {rule}.", rule="missing-reviewer"),
    )
)


def test_a_message_mentions_each_member_of_its_sentences_once() -> None:
    assert mentioned(ASKS) == (BOB, ANN)


def test_without_a_mention_the_words_are_the_same_and_nobody_else_is_concerned() -> None:
    quiet = without_mention(ASKS, BOB)

    assert mentioned(quiet) == (ANN,)
    assert to_plain(quiet) == to_plain(ASKS)
    assert "[~acc-bob]" not in to_wiki(quiet)
    assert "[~acc-ann]" in to_wiki(quiet)
