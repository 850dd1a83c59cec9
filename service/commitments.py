"""What a sprint had taken on when it closed: the spillover ledger's lines, and each member's share of clean sprints."""

from __future__ import annotations

import csv
from collections.abc import Container, Iterable
from datetime import datetime
from io import StringIO
from typing import Any, Final

import msgspec

from service.facts import Person

EXPECTED: Final = 0.75
"""The share of clean sprints that is expected of a member."""

EXPECTED_OF_NEWCOMERS: Final = 0.5
"""The same while somebody is on trial."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class Commitment(msgspec.Struct, frozen=True, kw_only=True, tag="commitment"):
    """A ticket that was in a sprint when it closed; a spillover, or kept.

    sprint, sprint_name, closed_at: the sprint and when it was closed; status: the ticket's at that moment; people by
    their names, and assignee_id by the id of the configuration ("" for strangers and where nobody is assigned);
    original_estimate, remaining_estimate: hours; reason, reason_by, reason_at: why it spilled over, "" and None until
    somebody said so.
    """

    ticket: str
    summary: str
    url: str
    cell: str
    sprint: int
    sprint_name: str
    closed_at: datetime
    status: str
    is_spillover: bool
    assignee: str = ""
    assignee_id: str = ""
    reviewers: tuple[str, ...] = ()
    reporter: str = ""
    story_points: float | None = None
    original_estimate: float | None = None
    remaining_estimate: float | None = None
    reason: str = ""
    reason_by: str = ""
    reason_at: datetime | None = None

    def is_of(self, person: Person) -> bool:
        """Whether the person was the assignee when the sprint closed; of strangers nobody knows."""
        return bool(person.id) and person.id == self.assignee_id


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """How many of a person's sprints were clean.

    person: the name; person_id: "" for strangers; sprints: those in which tickets were theirs when they closed; clean:
    those of them without a spillover; share: clean of sprints, 0 to 1; expected: the share that is expected of them.
    """

    person: str
    person_id: str
    sprints: int
    clean: int
    share: float
    expected: float


def clean_shares(lines: Iterable[Commitment], newcomers: Container[str] = ()) -> tuple[Share, ...]:
    """Each assignee's share of clean sprints, ordered by name. newcomers: the ids of those who are on trial."""
    by_person: dict[tuple[str, str], list[Commitment]] = {}
    for line in sorted(lines, key=lambda line: line.closed_at):
        if line.assignee:
            by_person.setdefault((line.assignee_id, "" if line.assignee_id else line.assignee), []).append(line)
    shares = (_share(theirs, newcomers) for theirs in by_person.values())
    return tuple(sorted(shares, key=lambda share: (share.person.casefold(), share.person_id)))


def _share(lines: list[Commitment], newcomers: Container[str]) -> Share:
    latest = lines[-1]
    sprints = {line.sprint for line in lines}
    clean = len(sprints - {line.sprint for line in lines if line.is_spillover})
    return Share(
        person=latest.assignee,
        person_id=latest.assignee_id,
        sprints=len(sprints),
        clean=clean,
        share=clean / len(sprints),
        expected=EXPECTED_OF_NEWCOMERS if latest.assignee_id in newcomers else EXPECTED,
    )


def matching(
    lines: Iterable[Commitment], *, sprint: str | None = None, cell: str | None = None, person: str | None = None
) -> tuple[Commitment, ...]:
    """The lines of a sprint (its name or id), a cell (its name) and an assignee (name or id), newest sprint first.

    None stands for all of them; upper and lower case do not matter.
    """
    chosen = [
        line
        for line in lines
        if _is(sprint, line.sprint_name, str(line.sprint))
        and _is(cell, line.cell)
        and _is(person, line.assignee, line.assignee_id)
    ]
    chosen.sort(key=lambda line: line.ticket)
    chosen.sort(key=lambda line: (line.closed_at, line.sprint), reverse=True)
    return tuple(chosen)


def _is(wanted: str | None, *names: str) -> bool:
    return wanted is None or wanted.casefold() in {name.casefold() for name in names if name}


def to_rows(lines: Iterable[Commitment]) -> list[dict[str, Any]]:
    """The lines as plain JSON values; instants in ISO 8601."""
    encoded = (msgspec.to_builtins(line) for line in lines)
    return [{field: row[field] for field in Commitment.__struct_fields__} for row in encoded]


def to_csv(lines: Iterable[Commitment]) -> str:
    """The lines as CSV (RFC 4180) with a header row of their fields.

    Reviewers stand in one cell, parted by commas; what is not known is empty. A text that a spreadsheet would take for
    a formula begins with an apostrophe.
    """
    file = StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(Commitment.__struct_fields__)
    writer.writerows([_cell(value) for value in row.values()] for row in to_rows(lines))
    return file.getvalue()


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.10g}"
        case tuple():
            return _text(", ".join(value))
        case _:
            return _text(str(value))


def _text(words: str) -> str:
    return f"'{words}" if words.startswith(_FORMULA) else words
