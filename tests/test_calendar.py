"""Sprint days, deadlines and working time, over changes of the clocks and over days off."""

# ruff: noqa: DTZ001 - anchors are naive local times, and hypothesis adds the zone to its bounds

from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from holidays import country_holidays
from hypothesis import given
from hypothesis import strategies as st

from service.calendar import Deadline, SprintCalendar, SprintWindow, TimeOff

PARIS = ZoneInfo("Europe/Paris")
NEW_YORK = ZoneInfo("America/New_York")
CAIRO = ZoneInfo("Africa/Cairo")
BEIRUT = ZoneInfo("Asia/Beirut")
HAVANA = ZoneInfo("America/Havana")
SANTIAGO = ZoneInfo("America/Santiago")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
APIA = ZoneInfo("Pacific/Apia")
KOLKATA = ZoneInfo("Asia/Kolkata")

CALENDAR = SprintCalendar(zone=PARIS, anchor=datetime(2026, 11, 2, 9))
ARMISTICE = frozenset({date(2026, 11, 11)})


def wall(text: str, zone: ZoneInfo = PARIS, fold: int = 0) -> datetime:
    """A local time, "2026-11-06 15:00", as an instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


def calendar_in(zone: ZoneInfo, anchor: str = "2026-11-02 09:00") -> SprintCalendar:
    return SprintCalendar(zone=zone, anchor=datetime.fromisoformat(anchor))


def first_sprint(zone: ZoneInfo, anchor: str) -> SprintWindow:
    calendar = calendar_in(zone, anchor)
    return calendar.sprint_at(wall(anchor, zone))


zones = st.sampled_from([PARIS, NEW_YORK, CAIRO, BEIRUT, HAVANA, SANTIAGO, LORD_HOWE, KOLKATA])
dates = st.dates(date(2011, 1, 1), date(2030, 12, 31))
instants = st.datetimes(datetime(2011, 1, 1), datetime(2030, 12, 31), timezones=st.just(UTC))
distances = st.timedeltas(timedelta(days=-100), timedelta(days=100))
amounts = st.timedeltas(timedelta(), timedelta(days=40))
absences = st.lists(
    st.builds(lambda first, days: (first, first + timedelta(days=days)), dates, st.integers(0, 30)), max_size=3
).map(tuple)
calendars = st.builds(
    SprintCalendar,
    zone=zones,
    anchor=st.datetimes(datetime(2001, 1, 1), datetime(2040, 1, 1)),
    length_days=st.integers(1, 30),
    holidays=st.frozensets(dates, max_size=30),
)


class TestDeadline:
    @pytest.mark.parametrize(
        ("text", "minutes"),
        [
            pytest.param("00:00", 0, id="midnight starts the day"),
            pytest.param("09:05", 545, id="a morning"),
            pytest.param("23:59", 1439, id="the last minute"),
            pytest.param("24:00", 1440, id="midnight ends the day"),
        ],
    )
    def test_reads_a_time(self, text: str, minutes: int) -> None:
        assert Deadline.at(3, text) == Deadline(3, minutes)

    @pytest.mark.parametrize(
        "text", ["24:01", "25:00", "12:60", "9:00", "09.00", "", "09:00 ", "09:00\n", "-1:00", "٠٩:٠٠"]
    )
    def test_says_how_to_write_a_time(self, text: str) -> None:
        with pytest.raises(ValueError, match='"HH:MM", from "00:00" to "24:00"'):
            Deadline.at(3, text)

    @pytest.mark.parametrize(
        ("day", "minutes"),
        [
            pytest.param(-1, 0, id="a day before the sprint"),
            pytest.param(367, 0, id="a day more than a year later"),
            pytest.param(0, -1, id="a minute before midnight"),
            pytest.param(0, 1441, id="a minute after the day"),
        ],
    )
    def test_refuses_what_lies_outside(self, day: int, minutes: int) -> None:
        with pytest.raises(ValueError, match="A deadline's"):
            Deadline(day, minutes)

    def test_accepts_both_ends(self) -> None:
        assert (Deadline(0, 0).day, Deadline(366, 1440).day) == (0, 366)


class TestSprintCalendar:
    @pytest.mark.parametrize(
        ("anchor", "length_days", "what"),
        [
            pytest.param(datetime(2026, 11, 2, 9, tzinfo=UTC), 14, "without an offset", id="an anchor with a zone"),
            pytest.param(datetime(1, 1, 1), 14, "1900 to 2199", id="an anchor in year one"),
            pytest.param(datetime(2200, 1, 1), 14, "1900 to 2199", id="an anchor too far ahead"),
            pytest.param(datetime(2026, 11, 2), 0, "1 to 366 days", id="a sprint without a day"),
            pytest.param(datetime(2026, 11, 2), 367, "1 to 366 days", id="a sprint of more than a year"),
        ],
    )
    def test_refuses_what_cannot_be(self, anchor: datetime, length_days: int, what: str) -> None:
        with pytest.raises(ValueError, match=what):
            SprintCalendar(zone=PARIS, anchor=anchor, length_days=length_days)

    @pytest.mark.parametrize(
        ("at", "what"),
        [
            pytest.param(datetime(2026, 11, 2), "no zone", id="naive"),
            pytest.param(datetime.min.replace(tzinfo=UTC), "1900 to 2199", id="the first datetime"),
            pytest.param(datetime.max.replace(tzinfo=UTC), "1900 to 2199", id="the last datetime"),
        ],
    )
    def test_refuses_what_is_no_usable_instant(self, at: datetime, what: str) -> None:
        fine = wall("2026-11-02 09:00")
        for call in (
            lambda: CALENDAR.local(at),
            lambda: CALENDAR.sprint_at(at),
            lambda: CALENDAR.sprint_at(at, start=fine, end=fine),
            lambda: CALENDAR.sprint_at(fine).day_of(at),
            lambda: CALENDAR.add_working_time(at, timedelta()),
            lambda: CALENDAR.subtract_working_time(at, timedelta()),
            lambda: CALENDAR.working_time_between(fine, at),
            lambda: CALENDAR.working_time_between(at, fine),
        ):
            with pytest.raises(ValueError, match=what):
                call()

    def test_local_is_the_same_instant_in_the_zone(self) -> None:
        local = CALENDAR.local(datetime(2026, 11, 2, 8, tzinfo=UTC))
        assert (local.isoformat(), local.tzinfo) == ("2026-11-02T09:00:00+01:00", PARIS)


class TestSprintAt:
    @pytest.mark.parametrize(
        ("now", "start", "end"),
        [
            pytest.param("2026-11-02 08:59", "2026-10-19 09:00", "2026-11-02 09:00", id="a minute before the anchor"),
            pytest.param("2026-11-02 09:00", "2026-11-02 09:00", "2026-11-16 09:00", id="at the anchor"),
            pytest.param("2026-11-16 08:59", "2026-11-02 09:00", "2026-11-16 09:00", id="in the last minute"),
            pytest.param("2026-11-16 09:00", "2026-11-16 09:00", "2026-11-30 09:00", id="at the next start"),
            pytest.param("2027-07-01 12:00", "2027-06-28 09:00", "2027-07-12 09:00", id="in the next summer"),
            pytest.param("2026-03-20 12:00", "2026-03-09 09:00", "2026-03-23 09:00", id="long before the anchor"),
            pytest.param("1999-12-31 23:59", "1999-12-20 09:00", "2000-01-03 09:00", id="in another century"),
        ],
    )
    def test_counts_from_the_anchor(self, now: str, start: str, end: str) -> None:
        assert CALENDAR.sprint_at(wall(now)) == SprintWindow(CALENDAR, wall(start), wall(end))

    def test_an_anchor_far_in_the_past_keeps_its_wall_clock(self) -> None:
        window = calendar_in(PARIS, "1999-12-20 09:00").sprint_at(wall("2027-07-01 12:00"))
        assert (window.start, window.end) == (wall("2027-06-28 09:00"), wall("2027-07-12 09:00"))

    @pytest.mark.parametrize(
        ("start", "end", "expected_start", "expected_end"),
        [
            pytest.param(
                "2026-11-04 10:37",
                "2026-11-17 18:00",
                "2026-11-04 10:37",
                "2026-11-17 18:00",
                id="both win over the anchor",
            ),
            pytest.param(
                "2026-11-04 10:37",
                None,
                "2026-11-04 10:37",
                "2026-11-18 09:00",
                id="a start alone ends at the anchor's time",
            ),
            pytest.param(
                None,
                "2026-11-18 18:00",
                "2026-11-04 09:00",
                "2026-11-18 18:00",
                id="an end alone starts at the anchor's time",
            ),
            pytest.param(
                "2026-11-04 10:37",
                "2026-11-04 10:37",
                "2026-11-04 10:37",
                "2026-11-18 09:00",
                id="an end at the start is none",
            ),
            pytest.param(
                "2026-11-04 10:37",
                "2026-11-04 10:38",
                "2026-11-04 10:37",
                "2026-11-04 10:38",
                id="a minute is a sprint",
            ),
            pytest.param(
                "0001-01-01 00:00",
                "9999-12-31 12:00",
                "2026-11-02 09:00",
                "2026-11-16 09:00",
                id="impossible dates are none",
            ),
            pytest.param(
                "2026-12-24 09:00",
                None,
                "2026-12-24 09:00",
                "2027-01-07 09:00",
                id="a start that was moved ahead holds",
            ),
        ],
    )
    def test_dates_of_jira_win(
        self, start: str | None, end: str | None, expected_start: str, expected_end: str
    ) -> None:
        offset = timezone(timedelta(hours=1))
        from_jira = {
            name: datetime.fromisoformat(text).replace(tzinfo=offset)
            for name, text in (("start", start), ("end", end))
            if text
        }
        window = CALENDAR.sprint_at(wall("2026-11-05 12:00"), **from_jira)
        assert (window.start, window.end) == (wall(expected_start), wall(expected_end))

    def test_a_date_of_jira_without_a_zone_is_refused(self) -> None:
        with pytest.raises(ValueError, match="no zone"):
            CALENDAR.sprint_at(wall("2026-11-05 12:00"), start=datetime(2026, 11, 4))

    def test_a_start_in_another_zone_falls_on_the_local_date(self) -> None:
        sunday_evening = datetime(2026, 11, 1, 20, tzinfo=ZoneInfo("America/Los_Angeles"))
        window = CALENDAR.sprint_at(wall("2026-11-05 12:00"), start=sunday_evening)
        assert window.start == wall("2026-11-02 05:00")
        assert window.start.tzinfo is UTC
        assert window.day_of(wall("2026-11-02 00:00")) == 0
        assert window.day_of(wall("2026-11-01 23:59")) == -1

    @pytest.mark.parametrize("with_end", [pytest.param(True, id="end known"), pytest.param(False, id="end unknown")])
    def test_a_sprint_closed_late_stays_that_sprint(self, with_end: bool) -> None:
        start, end = wall("2026-11-02 09:00"), wall("2026-11-16 09:00")
        now = wall("2026-11-18 10:00")
        window = CALENDAR.sprint_at(now, start=start, end=end if with_end else None)
        assert (window.start, window.end, window.day_of(now)) == (start, end, 16)

    @pytest.mark.parametrize(
        ("now", "fold", "start"),
        [
            pytest.param("2026-10-25 02:29", 0, "2026-10-11 02:30", id="before the first half past two"),
            pytest.param("2026-10-25 02:30", 0, "2026-10-25 02:30", id="at the first half past two"),
            pytest.param("2026-10-25 02:29", 1, "2026-10-25 02:30", id="just before the second half past two"),
        ],
    )
    def test_a_start_in_the_doubled_hour_is_its_first(self, now: str, fold: int, start: str) -> None:
        calendar = calendar_in(PARIS, "2026-10-11 02:30")
        assert calendar.sprint_at(wall(now, fold=fold)).start == wall(start)

    @pytest.mark.parametrize(
        ("now", "start"),
        [
            pytest.param("2026-03-29 03:29", "2026-03-15 02:30", id="before the moved start"),
            pytest.param("2026-03-29 03:30", "2026-03-29 03:30", id="at the moved start"),
        ],
    )
    def test_a_start_in_the_missing_hour_moves_by_the_gap(self, now: str, start: str) -> None:
        assert calendar_in(PARIS, "2026-03-15 02:30").sprint_at(wall(now)).start == wall(start)

    def test_the_fold_of_an_anchor_is_of_no_account(self) -> None:
        folded = SprintCalendar(zone=PARIS, anchor=datetime(2026, 10, 25, 2, 30, fold=1))
        assert folded.sprint_at(wall("2026-10-25 12:00")).start == wall("2026-10-25 02:30", fold=0)

    @given(calendars, instants)
    def test_the_sprint_runs_now_and_the_next_follows(self, calendar: SprintCalendar, now: datetime) -> None:
        window = calendar.sprint_at(now)
        assert window.start <= now < window.end
        assert window.following() == calendar.sprint_at(window.end)
        assert 0 <= window.day_of(now) <= calendar.length_days

    @given(calendars, instants)
    def test_sprints_start_a_whole_number_of_lengths_from_the_anchor(
        self, calendar: SprintCalendar, now: datetime
    ) -> None:
        first_day = calendar.local(calendar.sprint_at(now).start).date()
        assert (first_day - calendar.anchor.date()).days % calendar.length_days == 0


class TestSprintDays:
    @pytest.mark.parametrize(
        ("at", "day"),
        [
            pytest.param("2026-10-31 12:00", -2, id="two days before"),
            pytest.param("2026-11-01 23:59", -1, id="the minute before day 0"),
            pytest.param("2026-11-02 00:00", 0, id="day 0 starts at midnight, before the sprint does"),
            pytest.param("2026-11-02 23:59", 0, id="day 0 ends at midnight"),
            pytest.param("2026-11-03 00:00", 1, id="day 1"),
            pytest.param("2026-11-16 08:59", 14, id="the last morning is day 14"),
            pytest.param("2026-12-02 09:00", 30, id="days count on"),
        ],
    )
    def test_are_local_dates(self, at: str, day: int) -> None:
        assert CALENDAR.sprint_at(wall("2026-11-05 12:00")).day_of(wall(at)) == day

    @pytest.mark.parametrize(
        ("zone", "anchor", "at", "fold", "day"),
        [
            pytest.param(PARIS, "2026-10-19 09:00", "2026-10-25 23:59", 0, 6, id="Paris, end of the long Sunday"),
            pytest.param(PARIS, "2026-10-19 09:00", "2026-10-26 00:00", 0, 7, id="Paris, after the long Sunday"),
            pytest.param(PARIS, "2026-03-23 09:00", "2026-03-29 23:59", 0, 6, id="Paris, end of the short Sunday"),
            pytest.param(PARIS, "2026-03-23 09:00", "2026-03-30 00:00", 0, 7, id="Paris, after the short Sunday"),
            pytest.param(NEW_YORK, "2026-03-02 09:00", "2026-03-09 00:00", 0, 7, id="New York, spring"),
            pytest.param(NEW_YORK, "2026-10-26 09:00", "2026-11-02 00:00", 0, 7, id="New York, autumn"),
            pytest.param(CAIRO, "2026-04-20 09:00", "2026-04-24 01:00", 0, 4, id="Cairo, a Friday without midnight"),
            pytest.param(
                CAIRO, "2026-10-26 09:00", "2026-10-29 23:30", 1, 3, id="Cairo, the second last hour of Thursday"
            ),
        ],
    )
    def test_keep_to_dates_over_a_change_of_the_clocks(
        self, zone: ZoneInfo, anchor: str, at: str, fold: int, day: int
    ) -> None:
        assert first_sprint(zone, anchor).day_of(wall(at, zone, fold)) == day

    @given(calendars, instants, instants)
    def test_agree_with_dates(self, calendar: SprintCalendar, now: datetime, at: datetime) -> None:
        window = calendar.sprint_at(now)
        first_day = calendar.local(window.start).date()
        assert first_day + timedelta(days=window.day_of(at)) == calendar.local(at).date()


class TestDeadlines:
    def test_stand_in_order_of_time(self) -> None:
        assert CALENDAR.sprint_at(wall("2026-11-05 12:00")).deadlines() == (
            ("green-ticket (final)", wall("2026-11-02 09:00")),
            ("mid-sprint-checkin", wall("2026-11-07 00:00")),
            ("sprint-updates", wall("2026-11-10 00:00")),
            ("spillover (at risk)", wall("2026-11-12 00:00")),
            ("epic-update", wall("2026-11-13 00:00")),
            ("task-insertion", wall("2026-11-13 00:00")),
            ("green-ticket", wall("2026-11-14 00:00")),
            ("spillover", wall("2026-11-16 08:00")),
            ("sprint-close", wall("2026-11-16 09:00")),
        )

    def test_follow_the_cell(self) -> None:
        calendar = SprintCalendar(
            zone=NEW_YORK,
            anchor=datetime(2026, 11, 2, 9),
            insertion_deadline=Deadline.at(3, "12:00"),
            green_deadline=Deadline.at(2, "17:30"),
            review_deadline=Deadline.at(1, "00:00"),
        )
        window = calendar.sprint_at(wall("2026-11-05 12:00", NEW_YORK))
        assert window.insertion_deadline == wall("2026-11-05 12:00", NEW_YORK)
        assert window.green_deadline == wall("2026-11-04 17:30", NEW_YORK)
        assert window.review_deadline == wall("2026-11-03 00:00", NEW_YORK)
        names = [name for name, _ in window.deadlines()]
        assert names[1:4] == ["spillover (at risk)", "green-ticket", "task-insertion"]

    @pytest.mark.parametrize(
        ("zone", "anchor", "deadline", "expected"),
        [
            pytest.param(
                PARIS,
                "2026-03-23 09:00",
                Deadline(6, 1440),
                "2026-03-29T22:00+00:00",
                id="Paris, spring: end of Sunday",
            ),
            pytest.param(
                PARIS,
                "2026-03-23 09:00",
                Deadline(6, 119),
                "2026-03-29T00:59+00:00",
                id="Paris, spring: before the gap",
            ),
            pytest.param(
                PARIS,
                "2026-03-23 09:00",
                Deadline(6, 150),
                "2026-03-29T01:30+00:00",
                id="Paris, spring: 02:30 becomes 03:30",
            ),
            pytest.param(
                PARIS,
                "2026-10-19 09:00",
                Deadline(6, 150),
                "2026-10-25T00:30+00:00",
                id="Paris, autumn: the first 02:30",
            ),
            pytest.param(
                PARIS,
                "2026-10-19 09:00",
                Deadline(6, 180),
                "2026-10-25T02:00+00:00",
                id="Paris, autumn: after the fold",
            ),
            pytest.param(
                PARIS,
                "2026-10-19 09:00",
                Deadline(10, 1440),
                "2026-10-29T23:00+00:00",
                id="Paris, autumn: end of Thursday",
            ),
            pytest.param(
                NEW_YORK, "2026-03-02 09:00", Deadline(6, 150), "2026-03-08T07:30+00:00", id="New York, spring: 02:30"
            ),
            pytest.param(
                NEW_YORK,
                "2026-10-26 09:00",
                Deadline(6, 90),
                "2026-11-01T05:30+00:00",
                id="New York, autumn: the first 01:30",
            ),
            pytest.param(
                CAIRO,
                "2026-04-20 09:00",
                Deadline(3, 1440),
                "2026-04-23T22:00+00:00",
                id="Cairo: Thursday ends at 01:00",
            ),
            pytest.param(
                BEIRUT,
                "2026-03-23 09:00",
                Deadline(5, 1440),
                "2026-03-28T22:00+00:00",
                id="Beirut: Saturday ends at 01:00",
            ),
            pytest.param(
                HAVANA, "2026-10-26 09:00", Deadline(5, 1440), "2026-11-01T04:00+00:00", id="Havana: the first midnight"
            ),
        ],
    )
    def test_hold_their_wall_clock(self, zone: ZoneInfo, anchor: str, deadline: Deadline, expected: str) -> None:
        assert first_sprint(zone, anchor).deadline(deadline).isoformat(timespec="minutes") == expected

    def test_the_final_check_is_an_hour_of_real_time_before_the_end(self) -> None:
        window = first_sprint(PARIS, "2026-03-15 03:30")
        assert window.following().start == wall("2026-03-29 03:30")
        assert window.final_check == wall("2026-03-29 01:30")

    @given(calendars, instants, st.integers(0, 366), st.integers(4, 23), st.integers(0, 59))
    def test_never_move_where_no_clock_changes(
        self, calendar: SprintCalendar, now: datetime, day: int, hour: int, minute: int
    ) -> None:
        window = calendar.sprint_at(now)
        local = calendar.local(window.deadline(Deadline(day, hour * 60 + minute)))
        assert (window.day_of(local), local.time()) == (day, time(hour, minute))

    @given(calendars, instants, st.integers(0, 366))
    def test_at_the_end_of_a_day_are_the_first_instant_of_the_next(
        self, calendar: SprintCalendar, now: datetime, day: int
    ) -> None:
        window = calendar.sprint_at(now)
        deadline = window.deadline(Deadline.at(day, "24:00"))
        assert window.day_of(deadline) == day + 1
        assert window.day_of(deadline - timedelta(microseconds=1)) == day

    @given(calendars, instants)
    def test_are_sorted_and_in_utc(self, calendar: SprintCalendar, now: datetime) -> None:
        dates = [at for _, at in calendar.sprint_at(now).deadlines()]
        assert dates == sorted(dates)
        assert {at.tzinfo for at in dates} == {UTC}


class TestWorkingDays:
    @pytest.mark.parametrize(
        ("day", "is_working_day"),
        [
            pytest.param(date(2026, 11, 6), True, id="a Friday"),
            pytest.param(date(2026, 11, 7), False, id="a Saturday"),
            pytest.param(date(2026, 11, 8), False, id="a Sunday"),
            pytest.param(date(2026, 11, 9), True, id="a Monday"),
            pytest.param(date(2026, 11, 11), False, id="a holiday"),
            pytest.param(date(2026, 11, 16), True, id="the day before time off"),
            pytest.param(date(2026, 11, 17), False, id="the first day off"),
            pytest.param(date(2026, 11, 18), False, id="the last day off"),
            pytest.param(date(2026, 11, 19), True, id="the day after time off"),
        ],
    )
    @pytest.mark.parametrize(
        "holidays", [pytest.param(ARMISTICE, id="days"), pytest.param(country_holidays("FR"), id="country")]
    )
    def test_skip_weekends_holidays_and_time_off(
        self, holidays: frozenset[date] | dict[date, str], day: date, is_working_day: bool
    ) -> None:
        calendar = SprintCalendar(zone=PARIS, anchor=datetime(2026, 11, 2, 9), holidays=holidays)
        time_off = ((date(2026, 11, 17), date(2026, 11, 18)),)
        assert calendar.is_working_day(day, time_off) is is_working_day


WORKING_TIME = pytest.mark.parametrize(
    ("zone", "start", "hours", "end"),
    [
        pytest.param(PARIS, "2026-11-02 15:00", 1, "2026-11-02 16:00", id="within a day"),
        pytest.param(PARIS, "2026-11-02 15:00", 24, "2026-11-03 15:00", id="overnight"),
        pytest.param(PARIS, "2026-11-06 15:00", 8.5, "2026-11-06 23:30", id="Friday night"),
        pytest.param(PARIS, "2026-11-06 15:00", 9, "2026-11-09 00:00", id="to the end of Friday"),
        pytest.param(PARIS, "2026-11-06 15:00", 9.5, "2026-11-09 00:30", id="just over Friday"),
        pytest.param(PARIS, "2026-11-06 15:00", 24, "2026-11-09 15:00", id="over a weekend"),
        pytest.param(PARIS, "2026-11-09 00:00", 24, "2026-11-10 00:00", id="one whole day"),
        pytest.param(PARIS, "2026-11-02 15:00", 120, "2026-11-09 15:00", id="a working week"),
        pytest.param(PARIS, "2026-11-10 15:00", 24, "2026-11-12 15:00", id="over a holiday"),
        pytest.param(PARIS, "2026-11-16 15:00", 24, "2026-11-19 15:00", id="over two days off"),
        pytest.param(PARIS, "2026-11-26 15:00", 24, "2026-11-30 15:00", id="over a day off before a weekend"),
        pytest.param(PARIS, "2026-03-27 15:00", 24, "2026-03-30 15:00", id="Paris, over the spring change"),
        pytest.param(PARIS, "2026-10-23 15:00", 24, "2026-10-26 15:00", id="Paris, over the autumn change"),
        pytest.param(NEW_YORK, "2026-03-06 15:00", 24, "2026-03-09 15:00", id="New York, over the spring change"),
        pytest.param(NEW_YORK, "2026-10-30 15:00", 24, "2026-11-02 15:00", id="New York, over the autumn change"),
        pytest.param(BEIRUT, "2026-03-27 15:00", 24, "2026-03-30 15:00", id="Beirut, over a Sunday without midnight"),
        pytest.param(CAIRO, "2026-04-23 12:00", 12, "2026-04-24 01:00", id="Cairo, to a Friday that starts at one"),
        pytest.param(CAIRO, "2026-04-23 12:00", 24, "2026-04-24 13:00", id="Cairo, into the Friday of 23 hours"),
        pytest.param(CAIRO, "2026-04-24 01:00", 23, "2026-04-27 00:00", id="Cairo, the Friday of 23 hours"),
        pytest.param(CAIRO, "2026-10-29 00:00", 25, "2026-10-30 00:00", id="Cairo, the Thursday of 25 hours"),
        pytest.param(CAIRO, "2026-10-29 12:00", 24, "2026-10-30 11:00", id="Cairo, out of the Thursday of 25 hours"),
        pytest.param(APIA, "2011-12-29 12:00", 24, "2012-01-02 12:00", id="Apia, over the Friday that never was"),
    ],
)
DAYS_OFF: TimeOff = ((date(2026, 11, 17), date(2026, 11, 18)), (date(2026, 11, 27), date(2026, 11, 27)))


class TestWorkingTime:
    @WORKING_TIME
    def test_is_added(self, zone: ZoneInfo, start: str, hours: float, end: str) -> None:
        calendar = SprintCalendar(zone=zone, anchor=datetime(2026, 11, 2, 9), holidays=ARMISTICE)
        due = calendar.add_working_time(wall(start, zone), timedelta(hours=hours), DAYS_OFF)
        assert (due, due.tzinfo) == (wall(end, zone), UTC)

    @WORKING_TIME
    def test_is_subtracted(self, zone: ZoneInfo, start: str, hours: float, end: str) -> None:
        calendar = SprintCalendar(zone=zone, anchor=datetime(2026, 11, 2, 9), holidays=ARMISTICE)
        since = calendar.subtract_working_time(wall(end, zone), timedelta(hours=hours), DAYS_OFF)
        assert (since, since.tzinfo) == (wall(start, zone), UTC)

    @WORKING_TIME
    def test_is_measured(self, zone: ZoneInfo, start: str, hours: float, end: str) -> None:
        calendar = SprintCalendar(zone=zone, anchor=datetime(2026, 11, 2, 9), holidays=ARMISTICE)
        first, last = wall(start, zone), wall(end, zone)
        assert calendar.working_time_between(first, last, DAYS_OFF) == timedelta(hours=hours)
        assert calendar.working_time_between(last, first, DAYS_OFF) == -timedelta(hours=hours)

    @pytest.mark.parametrize(
        ("at", "moved"),
        [
            pytest.param("2026-11-06 23:59", "2026-11-06 23:59", id="the last minute of Friday stays"),
            pytest.param("2026-11-07 00:00", "2026-11-09 00:00", id="the first of Saturday becomes Monday"),
            pytest.param("2026-11-08 12:00", "2026-11-09 00:00", id="Sunday noon becomes Monday"),
            pytest.param("2026-11-09 00:00", "2026-11-09 00:00", id="the first of Monday stays"),
        ],
    )
    def test_no_amount_moves_to_the_next_working_time(self, at: str, moved: str) -> None:
        assert CALENDAR.add_working_time(wall(at), timedelta()) == wall(moved)
        assert CALENDAR.subtract_working_time(wall(at), timedelta()) == wall(moved)
        assert CALENDAR.working_time_between(wall(at), wall(moved)) == timedelta()

    @pytest.mark.parametrize(
        ("end", "hours", "since"),
        [
            pytest.param("2026-11-08 12:00", 1, "2026-11-06 23:00", id="an hour before Sunday"),
            pytest.param("2026-11-08 12:00", 24, "2026-11-06 00:00", id="a day before Sunday"),
            pytest.param("2026-11-08 12:00", 25, "2026-11-05 23:00", id="a day and an hour before Sunday"),
            pytest.param("2026-11-09 01:00", 1, "2026-11-09 00:00", id="Monday, not the weekend before it"),
        ],
    )
    def test_before_a_weekend(self, end: str, hours: int, since: str) -> None:
        assert CALENDAR.subtract_working_time(wall(end), timedelta(hours=hours)) == wall(since)

    def test_takes_instants_of_any_zone(self) -> None:
        tokyo = datetime(2026, 11, 6, 23, tzinfo=ZoneInfo("Asia/Tokyo"))
        assert CALENDAR.add_working_time(tokyo, timedelta(hours=24)) == wall("2026-11-09 15:00")

    @pytest.mark.parametrize(
        "amount",
        [
            pytest.param(timedelta(microseconds=-1), id="a little"),
            pytest.param(timedelta.min, id="as much as can be"),
        ],
    )
    def test_refuses_negative_amounts(self, amount: timedelta) -> None:
        with pytest.raises(ValueError, match="0 or more"):
            CALENDAR.add_working_time(wall("2026-11-06 15:00"), amount)
        with pytest.raises(ValueError, match="0 or more"):
            CALENDAR.subtract_working_time(wall("2026-11-06 15:00"), amount)

    @pytest.mark.parametrize(
        ("amount", "time_off"),
        [
            pytest.param(timedelta.max, (), id="an amount without end"),
            pytest.param(timedelta(hours=1), ((date.min, date.max),), id="time off without end"),
        ],
    )
    def test_gives_up_after_ten_years(self, amount: timedelta, time_off: TimeOff) -> None:
        with pytest.raises(ValueError, match="in the ten years after"):
            CALENDAR.add_working_time(wall("2026-11-06 15:00"), amount, time_off)
        with pytest.raises(ValueError, match="in the ten years before"):
            CALENDAR.subtract_working_time(wall("2026-11-06 15:00"), amount, time_off)

    def test_is_nothing_where_nobody_works(self) -> None:
        first, last = wall("2026-11-06 15:00"), wall("2027-11-06 15:00")
        assert CALENDAR.working_time_between(first, last, ((date.min, date.max),)) == timedelta()

    @given(calendars, instants, amounts, absences)
    def test_ends_inside_working_time(
        self, calendar: SprintCalendar, start: datetime, amount: timedelta, time_off: TimeOff
    ) -> None:
        due = calendar.add_working_time(start, amount, time_off)
        since = calendar.subtract_working_time(start, amount, time_off)
        assert calendar.is_working_day(calendar.local(due).date(), time_off)
        assert calendar.is_working_day(calendar.local(since).date(), time_off)
        assert start + amount <= due

    @given(calendars, instants, amounts, amounts, absences)
    def test_is_additive(
        self, calendar: SprintCalendar, start: datetime, first: timedelta, second: timedelta, time_off: TimeOff
    ) -> None:
        halfway = calendar.add_working_time(start, first, time_off)
        assert calendar.add_working_time(halfway, second, time_off) == calendar.add_working_time(
            start, first + second, time_off
        )

    @given(calendars, instants, instants, amounts, absences)
    def test_is_monotone_in_the_start(
        self, calendar: SprintCalendar, one: datetime, other: datetime, amount: timedelta, time_off: TimeOff
    ) -> None:
        early, late = sorted((one, other))
        assert calendar.add_working_time(early, amount, time_off) <= calendar.add_working_time(late, amount, time_off)

    @given(calendars, instants, amounts, amounts, absences)
    def test_is_strictly_monotone_in_the_amount(
        self, calendar: SprintCalendar, start: datetime, one: timedelta, other: timedelta, time_off: TimeOff
    ) -> None:
        due, other_due = (calendar.add_working_time(start, amount, time_off) for amount in (one, other))
        assert (due < other_due) is (one < other)

    @given(calendars, instants, amounts, absences)
    def test_measuring_and_subtracting_undo_adding(
        self, calendar: SprintCalendar, start: datetime, amount: timedelta, time_off: TimeOff
    ) -> None:
        due = calendar.add_working_time(start, amount, time_off)
        assert calendar.working_time_between(start, due, time_off) == amount
        begun = calendar.add_working_time(start, timedelta(), time_off)
        assert calendar.subtract_working_time(due, amount, time_off) == begun

    @given(calendars, instants, amounts, absences)
    def test_adding_and_measuring_undo_subtracting(
        self, calendar: SprintCalendar, end: datetime, amount: timedelta, time_off: TimeOff
    ) -> None:
        since = calendar.subtract_working_time(end, amount, time_off)
        assert calendar.working_time_between(since, end, time_off) == amount
        assert calendar.add_working_time(since, amount, time_off) == calendar.add_working_time(
            end, timedelta(), time_off
        )

    @given(calendars, instants, distances, distances, absences)
    def test_parts_make_the_whole(
        self, calendar: SprintCalendar, first: datetime, one: timedelta, other: timedelta, time_off: TimeOff
    ) -> None:
        between, last = first + one, first + one + other
        assert calendar.working_time_between(first, last, time_off) == (
            calendar.working_time_between(first, between, time_off)
            + calendar.working_time_between(between, last, time_off)
        )
