"""What a set of notes tells of a contribution, and the numbers of how contributions were answered."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.contributions import (
    Acknowledgement,
    Answer,
    Contribution,
    Note,
    Statistics,
    contribution_from,
    statistics,
)
from service.facts import Person, Unknown

ADA = Person(name="Ada", github="ada")
BOB = Person(name="Bob", github="bob")
NINE = datetime(2026, 11, 6, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)

OPENED = Note(
    what="opened",
    at=NINE,
    by=ADA,
    groups=("fans",),
    title="Fix the docs",
    url="https://x.example/12",
    kind="pull request",
)


def note(what: Any, hours: int, **more: Any) -> Note:
    return Note(what=what, at=NINE + hours * HOUR, **more)


def told(*notes: Note) -> Contribution:
    return contribution_from("github:acme/tool#12", "acme/tool", notes)


def test_an_open_contribution() -> None:
    assert told(OPENED) == Contribution(
        key="github:acme/tool#12",
        place="acme/tool",
        kind="pull request",
        title="Fix the docs",
        url="https://x.example/12",
        author=ADA,
        is_member=False,
        is_bot=False,
        groups=("fans",),
        opened_at=NINE,
        waiting_since=NINE,
        is_draft=False,
        closed_at=None,
        closed_by=None,
        answers=(),
        ticket=None,
    )


@pytest.mark.parametrize(
    ("notes", "ticket"),
    [
        pytest.param((), None, id="nothing"),
        pytest.param((note("answered", 1, by=BOB, id="1"),), None, id="an answer"),
        pytest.param((note("ticketed", 1, id="SE-7"), note("closed", 2)), "SE-7", id="its ticket and its end"),
    ],
)
def test_without_its_opening_only_its_ticket_is_known(notes: tuple[Note, ...], ticket: str | None) -> None:
    contribution = told(*notes)

    assert contribution.ticket == ticket
    assert set(contribution.known()) == {"key", "place", "ticket"}
    with pytest.raises(Unknown, match="author"):
        _ = contribution.author


@pytest.mark.parametrize(
    ("notes", "is_draft", "waits_after"),
    [
        pytest.param([], False, 0, id="ready as it is opened"),
        pytest.param([note("drafted", 0)], True, 0, id="a draft"),
        pytest.param([note("drafted", 0), note("readied", 3)], False, 3, id="ready after three hours"),
        pytest.param([note("readied", 3)], False, 3, id="ready, though nobody told that it was a draft"),
        pytest.param([note("readied", 3), note("drafted", 4)], True, 3, id="a draft again"),
        pytest.param([note("readied", 3), note("drafted", 4), note("readied", 5)], False, 5, id="ready again"),
        pytest.param([note("readied", -1)], False, 0, id="ready before it was opened, by its site's clocks"),
    ],
)
def test_a_drafts_clock_starts_when_it_is_ready(notes: list[Note], is_draft: bool, waits_after: int) -> None:
    contribution = told(OPENED, *notes)

    assert contribution.is_draft is is_draft
    assert contribution.waiting_since == NINE + waits_after * HOUR


@pytest.mark.parametrize(
    ("notes", "closed_at", "closed_by"),
    [
        pytest.param([note("closed", 1, by=ADA)], NINE + HOUR, ADA, id="closed"),
        pytest.param([note("closed", 1, by=ADA), note("reopened", 2, by=BOB)], None, None, id="opened again"),
        pytest.param(
            [note("closed", 1, by=ADA), note("reopened", 2), note("closed", 3, by=BOB)],
            NINE + 3 * HOUR,
            BOB,
            id="closed again",
        ),
    ],
)
def test_whether_it_is_closed(notes: list[Note], closed_at: datetime | None, closed_by: Person | None) -> None:
    contribution = told(OPENED, *notes)

    assert (contribution.closed_at, contribution.closed_by) == (closed_at, closed_by)


def test_answers_come_oldest_first_with_all_that_is_known_of_them() -> None:
    second = note("answered", 2, by=BOB, id="2", is_member=True, groups=("core",), text="@crafty why")
    first = note("answered", 1, by=ADA, id="1", is_bot=True)

    assert told(second, OPENED, first).answers == (
        Answer(at=NINE + HOUR, by=ADA, id="1", is_bot=True),
        Answer(at=NINE + 2 * HOUR, by=BOB, id="2", is_member=True, groups=("core",), text="@crafty why"),
    )


@pytest.mark.parametrize(
    "notes",
    [
        pytest.param(
            [note("drafted", 0), note("readied", 1), note("answered", 2, id="1"), note("closed", 3)], id="hours"
        ),
        pytest.param([note("reopened", 1), note("closed", 1), note("closed", 0)], id="closed and opened again at once"),
        pytest.param(
            [note("readied", 1), note("drafted", 1), note("readied", 0)], id="a draft and ready again at once"
        ),
        pytest.param([note("answered", 1, id="2"), note("answered", 1, id="1")], id="two answers at once"),
    ],
)
def test_the_order_in_which_notes_are_heard_makes_no_difference(notes: list[Note]) -> None:
    assert all(told(*heard) == told(OPENED, *notes) for heard in permutations([OPENED, *notes]))


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        pytest.param(OPENED, note("opened", 1, title="Fix them"), True, id="one opening"),
        pytest.param(note("answered", 1, id="1"), note("answered", 2, id="1", text="x"), True, id="an edited answer"),
        pytest.param(note("answered", 1, id="1"), note("answered", 1, id="2"), False, id="two answers"),
        pytest.param(note("closed", 1), note("closed", 1, by=BOB), True, id="one end"),
        pytest.param(note("closed", 1), note("closed", 2), False, id="two ends"),
        pytest.param(note("closed", 1), note("reopened", 1), False, id="an end and a beginning"),
        pytest.param(note("ticketed", 1, id="SE-7"), note("ticketed", 2, id="SE-7"), True, id="one ticket"),
    ],
)
def test_which_notes_are_one(one: Note, other: Note, is_same: bool) -> None:
    assert (one.name == other.name) is is_same


def acknowledged(**outcome: Any) -> Acknowledgement:
    return Acknowledgement(
        contribution="github:acme/tool#12", cell="Serenity", title="", url="", waiting_since=NINE, **outcome
    )


def answered(hours: float, is_missed: bool = False) -> Acknowledgement:
    took = timedelta(hours=hours)
    return acknowledged(answered_at=NINE + took, answered_by="Bob", took=took, is_missed=is_missed)


def counted(lines: list[Acknowledgement]) -> tuple[int, int, int, int]:
    numbers = statistics(lines)
    return numbers.met, numbers.missed, numbers.closed, numbers.open


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        pytest.param(answered(3), (1, 0, 0, 0), id="answered in time"),
        pytest.param(answered(30, is_missed=True), (0, 1, 0, 0), id="answered late"),
        pytest.param(acknowledged(is_missed=True), (0, 1, 0, 1), id="not answered yet"),
        pytest.param(acknowledged(closed=True), (0, 0, 1, 0), id="closed in time"),
        pytest.param(acknowledged(closed=True, is_missed=True), (0, 1, 0, 0), id="closed late"),
    ],
)
def test_what_a_line_counts_as(line: Acknowledgement, counts: tuple[int, int, int, int]) -> None:
    assert counted([line]) == counts
    assert counted([line, line]) == tuple(2 * count for count in counts)


def test_no_lines_have_no_times() -> None:
    assert statistics([]) == Statistics(met=0, missed=0, closed=0, open=0)
    assert statistics([acknowledged(is_missed=True)]).median is None


@pytest.mark.parametrize(
    ("hours", "median", "percentile_95"),
    [
        pytest.param([3], 3, 3, id="one"),
        pytest.param([5, 2], 3.5, 5, id="two"),
        pytest.param([9, 1, 2], 2, 9, id="three, the slowest far off"),
        pytest.param(range(1, 20), 10, 19, id="19: the slowest"),
        pytest.param(range(1, 21), 10.5, 19, id="20: the slowest but one"),
        pytest.param(range(1, 22), 11, 20, id="21: the slowest but one"),
        pytest.param(range(1, 101), 50.5, 95, id="100: the 95th"),
    ],
)
def test_how_long_answers_take(hours: list[int], median: float, percentile_95: int) -> None:
    numbers = statistics([answered(taken) for taken in hours])

    assert (numbers.median, numbers.percentile_95) == (timedelta(hours=median), timedelta(hours=percentile_95))


@given(st.lists(st.floats(0, 1000), min_size=1))
def test_95_of_100_had_their_answer_in_that_time(hours: list[float]) -> None:
    lines = [answered(taken) for taken in hours]
    limit = statistics(lines).percentile_95

    assert limit is not None
    in_time = sum(line.took is not None and line.took <= limit for line in lines)
    faster = sum(line.took is not None and line.took < limit for line in lines)
    assert 100 * in_time >= 95 * len(lines) > 100 * faster
