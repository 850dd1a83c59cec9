"""The pictures: what they show, where, and that words in them are only words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from xml.etree.ElementTree import Element, fromstring

import pytest

from service.admin.console.charts import Bar, bars, sprint
from tests.builders import cell_with, wall

START, END = wall("2026-11-02 09:00"), wall("2026-11-16 09:00")
WINDOW = cell_with().calendar.sprint_at(START + timedelta(days=1))


def drawn(svg: str, kind: str) -> list[Element]:
    """The elements of a class."""
    return [one for one in fromstring(svg).iter() if kind in one.get("class", "").split()]


def test_the_longest_bar_takes_the_whole_width_and_the_others_their_share() -> None:
    picture = bars([Bar("one", (6, 2)), Bar("two", (2, 0)), Bar("none", (0, 0))])
    first, second = drawn(picture, "series-1"), drawn(picture, "series-2")
    assert [one.get("width") for one in first] == ["75.0%", "25.0%", "0.0%"]
    assert [one.get("width") for one in second] == ["25.0%", "0.0%", "0.0%"]
    assert second[0].get("x") == "75.0%"
    assert [one.text for one in drawn(picture, "label")] == ["one", "two", "none"]


@pytest.mark.parametrize("rows", [[], [Bar("none", (0, 0))]])
def test_nothing_is_drawn_of_nothing(rows: list[Bar]) -> None:
    assert [one.get("width") for one in drawn(bars(rows), "series-1")] == ["0.0%"] * len(rows)


def test_words_in_a_picture_are_only_words_and_long_ones_are_cut() -> None:
    assert "<script>" not in bars([Bar("<script>", (1,))])
    assert [one.text for one in drawn(bars([Bar("n" * 21, (1,))]), "label")] == ["n" * 19 + "…"]


def test_a_picture_is_hidden_from_those_who_get_the_table() -> None:
    assert fromstring(bars([Bar("one", (1,))])).get("aria-hidden") == "true"


@pytest.mark.parametrize(
    ("now", "marks"),
    [(START - timedelta(seconds=1), 0), (START, 1), (END, 1), (END + timedelta(seconds=1), 0)],
)
def test_today_is_marked_while_the_sprint_runs(now: datetime, marks: int) -> None:
    assert len(drawn(sprint(WINDOW, now, []), "today")) == 2 * marks


def test_today_stands_where_it_is_in_time() -> None:
    (line, _) = drawn(sprint(WINDOW, START + (END - START) / 2, []), "today")
    assert float(line.get("x1", "")) == pytest.approx(360, abs=0.1)


def test_days_off_are_shown_as_such() -> None:
    picture = sprint(WINDOW, START, [])
    assert len(drawn(picture, "day")) == 15
    assert len(drawn(picture, "off")) == 4


def test_deadlines_bear_the_numbers_of_their_list() -> None:
    numbers = [one.text for one in drawn(sprint(WINDOW, START, []), "number")]
    assert ", ".join(filter(None, numbers)) == "1, 2, 3, 4, 5, 6, 7, 8, 9"


def test_what_falls_due_outside_of_the_sprint_is_not_drawn() -> None:
    firings = [START - timedelta(days=1), START + timedelta(days=1), END + timedelta(days=1)]
    assert len(drawn(sprint(WINDOW, START, firings), "firing")) == 1


@pytest.mark.parametrize("month", [3, 10])
def test_a_sprint_with_a_change_of_the_clocks_has_all_its_days(month: int) -> None:
    window = cell_with().calendar.sprint_at(datetime(2026, month, 20, tzinfo=UTC))
    days = drawn(sprint(window, window.start, []), "day")
    assert len(days) == 15
    assert min(float(day.get("width", "")) for day in days) > 10
