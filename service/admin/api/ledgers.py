"""The ledgers: spillovers, acknowledgements, what came and what was missed, who changed what, and what to mend."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from service.admin.api.calls import Guarded, OfficeHere, answers
from service.admin.api.shapes import Cursor, Limit, Page, Shape, cursor_to, cut_page, position_at
from service.commitments import clean_shares, matching, to_csv, to_rows
from service.contributions import Acknowledgement, statistics
from service.findings import State
from service.rounds import REGISTRATION

router: Final = APIRouter(tags=["ledgers"], route_class=Guarded)

SOURCES: Final = ("discourse", "github", "gitlab", "jira")
_LINE: Final = re.compile(r"[0-9]{1,15}-[0-9]{1,15}")

_SPILLOVER: Final = {
    "ticket": "SE-123",
    "summary": "Fix the login",
    "url": "https://jira.example/browse/SE-123",
    "cell": "Serenity",
    "sprint": 41,
    "sprint_name": "SE Sprint 41",
    "closed_at": "2026-11-16T08:00:00Z",
    "status": "In Progress",
    "is_spillover": True,
    "assignee": "Ann",
    "assignee_id": "ann",
    "reviewers": ["Bob"],
    "reporter": "Sam",
    "story_points": 3.0,
    "original_estimate": 8.0,
    "remaining_estimate": 5.0,
    "reason": "the vendor answered late",
    "reason_by": "Ann",
    "reason_at": "2026-11-16T09:00:00Z",
}
_SHARE: Final = {"person": "Ann", "person_id": "ann", "sprints": 4, "clean": 3, "share": 0.75, "expected": 0.75}
_ACKNOWLEDGEMENT: Final = {
    "contribution": "github:owner/name#12",
    "cell": "Serenity",
    "title": "Fix the typo",
    "url": "https://github.com/owner/name/pull/12",
    "waiting_since": "2026-11-12T09:00:00Z",
    "answered_at": "2026-11-12T12:00:00Z",
    "answered_by": "Ann",
    "took": 10800.0,
    "is_missed": False,
    "closed": False,
}
_STATISTICS: Final = {"open": 1, "met": 9, "missed": 1, "closed": 2, "median": 10800.0, "percentile_95": 82000.0}
_SOURCE: Final = {
    "source": "jira",
    "by_webhook": 420,
    "missed": 0,
    "healed": 0,
    "registered": True,
    "checked_at": "2026-11-12T09:30:00Z",
    "last_delivery": "2026-11-12T09:00:00Z",
}
_CHANGE: Final = {
    "id": "1794564000000-0",
    "at": "2026-11-13T10:00:00Z",
    "who": "sam",
    "origin": "203.0.113.7",
    "what": "rule green-ticket in Serenity",
    "before": {},
    "after": {"mode": "off"},
}
_FINDING: Final = {
    "check": "permissions",
    "about": "SE",
    "state": "wrong",
    "what": "our account lacks: Assign issues",
    "mend": "Give them to the account in the permission scheme of SE.",
    "checked_at": "2026-11-12T03:00:00Z",
}
_WARNING: Final = {"about": "Serenity", "text": "the board has no sprint named Stretch Goals; make one"}


_OR_CSV: Final = answers(example={"items": [_SPILLOVER], "next": None, "shares": [_SHARE]})
_OR_CSV[200]["content"]["text/csv"] = {"schema": {"type": "string"}, "example": ",".join(_SPILLOVER)}


class CommitmentShape(Shape):
    """A ticket that was in a sprint when it closed; estimates in hours."""

    ticket: str
    summary: str
    url: str
    cell: str
    sprint: int
    sprint_name: str
    closed_at: datetime
    status: str
    is_spillover: bool
    assignee: str
    assignee_id: str
    reviewers: list[str]
    reporter: str
    story_points: float | None = None
    original_estimate: float | None = None
    remaining_estimate: float | None = None
    reason: str
    reason_by: str
    reason_at: datetime | None = None


class ShareShape(Shape):
    """How many of a person's sprints were clean; share and expected are 0 to 1."""

    person: str
    person_id: str
    sprints: int
    clean: int
    share: float
    expected: float


class Spillovers(Page[CommitmentShape]):
    """The ledger, newest sprint first, and the shares of clean sprints in all that was asked for."""

    shares: list[ShareShape]


class AcknowledgementShape(Shape):
    """How a contribution was answered. took: seconds that count for the promise."""

    contribution: str
    cell: str
    title: str
    url: str
    waiting_since: datetime
    answered_at: datetime | None = None
    answered_by: str
    took: float | None = None
    is_missed: bool
    closed: bool


class Acknowledgements(Page[AcknowledgementShape]):
    """Every contribution, the latest first, and the numbers of all of them; times in seconds."""

    open: int = Field(description="Not answered, and not closed.")
    met: int = Field(description="Answered in the promised time.")
    missed: int = Field(description="That time passed first.")
    closed: int = Field(description="Closed before it passed, without an answer.")
    median: float | None = None
    percentile_95: float | None = None


class SourceShape(Shape):
    """How well a source reaches us."""

    source: str
    by_webhook: int = Field(description="Deliveries of the last 24 hours.")
    missed: int = Field(description="Changes that only a sweep found in that time, because no webhook told of them.")
    healed: int = Field(description="Those that a rule has looked at since, or had no need to.")
    registered: bool | None = Field(
        None, description="Whether our webhook is there, enabled and signed; null: not checked, or it can't be seen."
    )
    checked_at: datetime | None = Field(None, description="When that was looked at.")
    last_delivery: datetime | None = None


class ChangeShape(Shape):
    """A line of the audit log."""

    id: str
    at: datetime
    who: str = Field(description="The name of the token, or the account on the machine.")
    origin: str = Field(description="An address, or cli.")
    what: str
    before: Any
    after: Any


class FindingShape(Shape):
    """What the doctor found."""

    check: str
    about: str = Field(description="What was looked at, such as a project or a person.")
    state: State = Field(description="doubtful: it works but may surprise; unchecked: it can't be told from here.")
    what: str
    mend: str = Field(description="How to mend it; empty where it is fine.")
    checked_at: datetime


class WarningShape(Shape):
    """Something that an admin should mend."""

    about: str
    text: str


@router.get(
    "/spillovers",
    summary="What sprints took on, and what spilled over",
    response_model=Spillovers,
    responses=_OR_CSV,
)
async def spillovers(
    request: Request,
    office: OfficeHere,
    response: Response,
    sprint: Annotated[str | None, Query(description="By its name or number.")] = None,
    cell: Annotated[str | None, Query(description="By its name.")] = None,
    person: Annotated[str | None, Query(description="By their name or id.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Any:
    """The ledger, newest sprint first, with each member's share of clean sprints.

    With `Accept: text/csv` all lines as CSV, in one piece.
    """
    found = matching(await office.ledger.all_commitments(), sprint=sprint, cell=cell, person=person)
    if _wants_csv(request.headers.get("accept", "")):
        return Response(to_csv(found), media_type="text/csv", headers={"Vary": "Accept"})
    lines, following = cut_page(found, cursor, limit)
    newcomers = {one.id for one in office.team.members if one.newcomer}
    response.headers["Vary"] = "Accept"
    return {
        "items": to_rows(lines),
        "next": following,
        "shares": [msgspec.structs.asdict(share) for share in clean_shares(found, newcomers)],
    }


@router.get(
    "/acknowledgements",
    summary="How contributions were answered",
    responses=answers(example={"items": [_ACKNOWLEDGEMENT], "next": None, **_STATISTICS}),
)
async def acknowledgements(office: OfficeHere, cursor: Cursor = None, limit: Limit = 50) -> Acknowledgements:
    """The numbers, and every contribution, the latest first."""
    found = sorted(await office.ledger.acknowledgements(), key=lambda one: one.waiting_since, reverse=True)
    lines, following = cut_page(found, cursor, limit)
    numbers = statistics(found)
    return Acknowledgements(
        items=[_acknowledged(line) for line in lines],
        next=following,
        open=numbers.open,
        met=numbers.met,
        missed=numbers.missed,
        closed=numbers.closed,
        median=numbers.median and numbers.median.total_seconds(),
        percentile_95=numbers.percentile_95 and numbers.percentile_95.total_seconds(),
    )


@router.get(
    "/reconciliation",
    summary="What came by webhook, and what only a sweep found",
    responses=answers(example={"items": [_SOURCE], "next": None}),
)
async def reconciliation(office: OfficeHere) -> Page[SourceShape]:
    """Each source in the last 24 hours. The registration is looked at each hour, and only Jira shows it."""
    counts, last = await office.ledger.counts(office.clock()), await office.ledger.last_deliveries()
    checked = {"jira": (await office.ledger.examined()).get(REGISTRATION)}
    return Page(
        items=[
            SourceShape(
                source=name,
                by_webhook=counts[f"source {name}"],
                missed=counts[f"missed {name}"],
                healed=counts[f"healed {name}"],
                registered=one and one.is_well,
                checked_at=one and one.at,
                last_delivery=last.get(name),
            )
            for name, one in ((name, checked.get(name)) for name in SOURCES)
        ]
    )


@router.get("/audit", summary="Who changed what", responses=answers(example={"items": [_CHANGE], "next": None}))
async def audit(office: OfficeHere, cursor: Cursor = None, limit: Limit = 50) -> Page[ChangeShape]:
    """Every change by an admin, newest first, with what it was before."""
    before = position_at(cursor, _LINE)[0] if cursor else "+"
    found = await office.steering.audit(before, limit + 1)
    shown = [ChangeShape(id=name, **msgspec.structs.asdict(change)) for name, change in found[:limit]]
    return Page(items=shown, next=cursor_to(shown[-1].id) if len(found) > limit else None)


@router.get(
    "/doctor",
    summary="What the doctor found by itself",
    responses=answers(example={"items": [_FINDING], "next": None}),
)
async def doctor(office: OfficeHere) -> Page[FindingShape]:
    """What `crafty doctor` would show, as it was last night; the registration of webhooks as it was within the hour."""
    return Page(
        items=[
            FindingShape(**msgspec.structs.asdict(finding), checked_at=one.at)
            for _, one in sorted((await office.ledger.examined()).items())
            for finding in one.findings
        ]
    )


@router.get(
    "/warnings", summary="What an admin should mend", responses=answers(example={"items": [_WARNING], "next": None})
)
async def warnings(office: OfficeHere) -> Page[WarningShape]:
    """Boards, sprints, places and people that Crafty could not make sense of; each says how to mend it."""
    found = await office.ledger.warnings()
    return Page(items=[WarningShape(about=about, text=text) for about, text in sorted(found.items())])


def _wants_csv(accept: str) -> bool:
    """Whether CSV is named before JSON."""
    named = [kind.partition(";")[0].strip().lower() for kind in accept.split(",")]
    return "text/csv" in named and "application/json" not in named[: named.index("text/csv")]


def _acknowledged(line: Acknowledgement) -> AcknowledgementShape:
    facts = {**msgspec.structs.asdict(line), "took": line.took and line.took.total_seconds()}
    return AcknowledgementShape(**facts)
