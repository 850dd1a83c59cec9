"""The spillover ledger's mathematics, and what is exported of it."""

import csv
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.commitments import Commitment, Share, clean_shares, matching, to_csv, to_rows
from service.facts import Person

CLOSED = datetime(2026, 11, 16, 8, 0, tzinfo=UTC)
EARLIER = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)


def line(**fields: Any) -> Commitment:
    """Ann's ticket, ready when sprint 41 was closed."""
    usual: dict[str, Any] = {
        "ticket": "SE-1",
        "summary": "Fix the login",
        "url": "https://jira.example/browse/SE-1",
        "cell": "Serenity",
        "sprint": 41,
        "sprint_name": "SE Sprint 41",
        "closed_at": CLOSED,
        "status": "Done",
        "is_spillover": False,
        "assignee": "Ann",
        "assignee_id": "ann",
    }
    return Commitment(**{**usual, **fields})


@pytest.mark.parametrize(
    ("assignee_id", "person_id", "expected"),
    [
        pytest.param("ann", "ann", True, id="the assignee at the close"),
        pytest.param("ann", "bob", False, id="somebody else"),
        pytest.param("", "", False, id="strangers"),
    ],
)
def test_whose_a_line_is(assignee_id: str, person_id: str, expected: bool) -> None:
    assert line(assignee_id=assignee_id).is_of(Person(name="Ann", id=person_id)) is expected


SPILLED = {"status": "In Progress", "is_spillover": True}
BEFORE: dict[str, Any] = {"sprint": 40, "sprint_name": "SE Sprint 40", "closed_at": EARLIER}


def share(sprints: int, clean: int, expected: float = 0.75, person: str = "Ann", person_id: str = "ann") -> Share:
    return Share(
        person=person, person_id=person_id, sprints=sprints, clean=clean, share=clean / sprints, expected=expected
    )


@pytest.mark.parametrize(
    ("lines", "newcomers", "shares"),
    [
        pytest.param([], (), (), id="an empty ledger"),
        pytest.param([line()], (), (share(1, 1),), id="a clean sprint"),
        pytest.param([line(**SPILLED)], (), (share(1, 0),), id="a spillover"),
        pytest.param([line(), line(ticket="SE-2", **SPILLED)], (), (share(1, 0),), id="one spillover is enough"),
        pytest.param([line(**SPILLED), line(**BEFORE)], (), (share(2, 1),), id="one clean sprint of two"),
        pytest.param([line()], {"ann"}, (share(1, 1, 0.5),), id="a newcomer on trial"),
        pytest.param([line()], {"bob"}, (share(1, 1),), id="somebody else on trial"),
        pytest.param([line(assignee="", assignee_id="")], (), (), id="a ticket that was nobody's"),
        pytest.param(
            [line(), line(assignee="Zoe", assignee_id="", **SPILLED)],
            (),
            (share(1, 1), share(1, 0, person="Zoe", person_id="")),
            id="a stranger counts by name",
        ),
        pytest.param(
            [line(), line(assignee="ann", assignee_id="")],
            (),
            (share(1, 1, person="ann", person_id=""), share(1, 1)),
            id="a stranger whose name is somebody's id",
        ),
        pytest.param(
            [line(assignee="Ann Lee"), line(assignee="Ann Old", **BEFORE)],
            (),
            (share(2, 2, person="Ann Lee"),),
            id="somebody with a new name",
        ),
    ],
)
def test_shares_of_clean_sprints(lines: list[Commitment], newcomers: set[str], shares: tuple[Share, ...]) -> None:
    assert clean_shares(lines, newcomers) == shares


ANNS = line()
BOBS = line(ticket="SE-2", assignee="Bob", assignee_id="bob")
OLD = line(ticket="SE-3", **BEFORE)
OTHERS = line(ticket="FAL-1", cell="Falcon", sprint=77, sprint_name="Falcon 12", assignee="Zoe", assignee_id="")
LEDGER = [OLD, BOBS, OTHERS, ANNS]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param({}, (OTHERS, ANNS, BOBS, OLD), id="everything, newest sprint first"),
        pytest.param({"sprint": "SE Sprint 40"}, (OLD,), id="a sprint by its name"),
        pytest.param({"sprint": "se sprint 40"}, (OLD,), id="whatever its case"),
        pytest.param({"sprint": "41"}, (ANNS, BOBS), id="a sprint by its id"),
        pytest.param({"sprint": "4"}, (), id="not by a part of it"),
        pytest.param({"cell": "serenity"}, (ANNS, BOBS, OLD), id="a cell"),
        pytest.param({"person": "bob"}, (BOBS,), id="a person by id or name"),
        pytest.param({"person": "zoe"}, (OTHERS,), id="a stranger by name"),
        pytest.param({"person": ""}, (), id="nobody is no name"),
        pytest.param({"sprint": "41", "cell": "Serenity", "person": "Ann"}, (ANNS,), id="all at once"),
    ],
)
def test_what_is_asked_for(wanted: dict[str, str], found: tuple[Commitment, ...]) -> None:
    assert matching(LEDGER, **wanted) == found


def test_the_csv_of_a_line() -> None:
    told = line(
        summary='=HYPERLINK("http://evil", "x")',
        reviewers=("Bob", "Eli"),
        reporter="@Sam",
        story_points=3.0,
        remaining_estimate=0.5,
        reason="Two lines\nof why",
        reason_by="Ann",
        reason_at=CLOSED,
        **SPILLED,
    )
    header, row = csv.reader(StringIO(to_csv([told]), newline=""))

    assert dict(zip(header, row, strict=True)) == {
        "ticket": "SE-1",
        "summary": '\'=HYPERLINK("http://evil", "x")',
        "url": "https://jira.example/browse/SE-1",
        "cell": "Serenity",
        "sprint": "41",
        "sprint_name": "SE Sprint 41",
        "closed_at": "2026-11-16T08:00:00Z",
        "status": "In Progress",
        "is_spillover": "yes",
        "assignee": "Ann",
        "assignee_id": "ann",
        "reviewers": "Bob, Eli",
        "reporter": "'@Sam",
        "story_points": "3",
        "original_estimate": "",
        "remaining_estimate": "0.5",
        "reason": "Two lines\nof why",
        "reason_by": "Ann",
        "reason_at": "2026-11-16T08:00:00Z",
    }


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
def test_no_text_is_a_formula(first: str) -> None:
    _, row = csv.reader(StringIO(to_csv([line(reviewers=(f"{first}1",), reason=f"{first}1")]), newline=""))

    assert row.count(f"'{first}1") == 2


def test_an_empty_ledger_has_its_header() -> None:
    assert to_csv([]).startswith("ticket,summary,url,")


def test_the_json_of_a_line() -> None:
    (row,) = to_rows([line(story_points=0.0, reviewers=("Bob",))])

    assert row["closed_at"] == "2026-11-16T08:00:00Z"
    assert (row["is_spillover"], row["story_points"], row["original_estimate"]) == (False, 0.0, None)
    assert list(row["reviewers"]) == ["Bob"]
    assert tuple(row) == Commitment.__struct_fields__


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(["=1", "a\r\nb", '"', "a,b"])
ledgers = st.lists(
    st.builds(
        line,
        ticket=st.sampled_from(["SE-1", "SE-2", "SE-3"]),
        summary=words,
        sprint=st.integers(1, 4),
        is_spillover=st.booleans(),
        assignee=words,
        assignee_id=st.sampled_from(["", "ann", "bob"]),
        reviewers=st.lists(words, max_size=2).map(tuple),
        story_points=st.none() | st.integers(0, 40).map(lambda half: half / 2),
        reason=words,
    ),
    max_size=6,
)


@given(ledger=ledgers, newcomers=st.sets(st.sampled_from(["ann", "bob"])))
def test_a_share_lies_between_nothing_and_everything(ledger: list[Commitment], newcomers: set[str]) -> None:
    for one in clean_shares(ledger, newcomers):
        assert 0 <= one.clean <= one.sprints
        assert 0 <= one.share <= 1
        assert one.expected == (0.5 if one.person_id in newcomers else 0.75)


@given(ledger=ledgers)
def test_the_csv_reads_back_to_the_same_cells(ledger: list[Commitment]) -> None:
    read = list(csv.DictReader(StringIO(to_csv(ledger), newline="")))

    assert [row["ticket"] for row in read] == [one.ticket for one in ledger]
    for row, one in zip(read, ledger, strict=True):
        for field in ("summary", "reason", "assignee"):
            assert row[field].removeprefix("'") == getattr(one, field).removeprefix("'")
            assert not row[field].startswith(("=", "+", "-", "@", "\t", "\r"))
        assert row["story_points"] == ("" if one.story_points is None else f"{one.story_points:g}")
