"""`/jobs`: outgoing work, and what to do about what failed."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import Field

from service.admin.api.calls import CHANGES, Guarded, OfficeHere, VisitorHere, answers
from service.admin.api.shapes import Cursor, Limit, Page, Shape, or_blank, read_page
from service.steering import Job, State

router: Final = APIRouter(tags=["jobs"], route_class=Guarded)

_EXAMPLE: Final = {
    "id": "missing-reviewer:SE-123:sprint-41",
    "state": "failed",
    "kind": "perform",
    "rule": "missing-reviewer",
    "subject": "SE-123",
    "due": "2026-11-12T09:00:00Z",
    "tries": 6,
    "error": "Jira does not let us comment on SE-123; ask its admin for the permission",
    "payload": {"kind": "comment", "ticket": "SE-123"},
}


JobId = Annotated[str, Path(description="With `%2F` for `/` and `%23` for `#`.", examples=[_EXAMPLE["id"]])]


class JobShape(Shape):
    """A piece of outgoing work."""

    id: str = Field(description="In an address, its `/` and `#` are written as `%2F` and `%23`.")
    state: State
    kind: str = Field(description="look, perform, digest, sweep, site or doctor.")
    rule: str
    subject: str
    due: datetime = Field(description="When it is done; of what failed, when it was given up.")
    tries: int
    error: str = Field(description="What went wrong the last time.")
    payload: Any = Field(description="The action that it does.")


class RetriedShape(Shape):
    """What is tried again."""

    retried: int = Field(description="How many pieces of work were given up, and are queued now.")


@router.get("/jobs", summary="Outgoing work", responses=answers(example={"items": [_EXAMPLE], "next": None}))
async def jobs(
    office: OfficeHere,
    state: Annotated[
        State, Query(description="Due, planned, or given up."), or_blank(enum=["queued", "deferred", "failed"])
    ] = "failed",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[JobShape]:
    """Work that is due (`queued`), planned (`deferred`), or was given up (`failed`, the dead letters).

    What is due soonest comes first, and of what was given up the latest.
    """
    found, following = await read_page(partial(office.steering.jobs, state), cursor, limit)
    return Page(items=[_shown(job) for job in found], next=following)


@router.post(
    "/jobs/{job_id:path}/retry",
    summary="Do a piece of work now",
    status_code=202,
    responses=answers(404, 409, *CHANGES, status=202, example={**_EXAMPLE, "state": "queued", "tries": 0}),
)
async def retry(job_id: JobId, office: OfficeHere, visitor: VisitorHere) -> JobShape:
    """Tries it at once, however often it failed; 409 while it is under way."""
    job = await office.steering.job(job_id)
    await office.steering.retry(job_id, visitor.actor)
    return _shown(msgspec.structs.replace(job, state="queued", due=office.clock(), tries=0))


@router.post(
    "/jobs/retry",
    summary="Do everything now that was given up",
    status_code=202,
    responses=answers(*CHANGES, status=202, example={"retried": 3}),
)
async def retry_all(office: OfficeHere, visitor: VisitorHere) -> RetriedShape:
    """Tries all dead letters at once, each as if it were new."""
    return RetriedShape(retried=await office.steering.retry_all(visitor.actor))


@router.delete(
    "/jobs/{job_id:path}", summary="Drop a piece of work", status_code=204, responses=answers(404, 409, *CHANGES)
)
async def drop(job_id: JobId, office: OfficeHere, visitor: VisitorHere) -> None:
    """Takes it away for good; 409 while it is under way, and for what comes again by itself."""
    await office.steering.drop(job_id, visitor.actor)


def _shown(job: Job) -> JobShape:
    return JobShape(**msgspec.structs.asdict(job))
