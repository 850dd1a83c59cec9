"""`/simulate`: what the rules would decide on a payload."""

from __future__ import annotations

import json
from typing import Any, Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from service.admin.api.calls import BODY, CHANGES, Guarded, OfficeHere, answers
from service.admin.api.shapes import Instant, Shape, Verdict, verdict_of

router: Final = APIRouter(tags=["simulate"], route_class=Guarded)

_PAYLOAD: Final[dict[str, Any]] = {
    "webhookEvent": "jira:issue_updated",
    "timestamp": 1794564000000,
    "issue": {"key": "SE-123"},
}
_EXAMPLE: Final = {
    "event": {"name": "jira:issue_updated", "subject": "SE-123"},
    "decisions": [
        {
            "rule": "green-ticket",
            "mode": "on",
            "outcome": "wait",
            "reason": "not known yet: the ticket's status",
            "facts": {},
            "actions": [],
        }
    ],
}


class Posted(BaseModel):
    """A delivery as a source would send it; no signature is needed."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"source": "jira", "payload": _PAYLOAD, "now": "2026-11-13T10:00:00Z", "fetch": False}]
        },
    )

    source: Literal["jira", "discourse", "github", "gitlab"]
    headers: dict[str, str] = Field(
        {}, description="Those that name the event, such as X-GitHub-Event; Jira names it in the payload."
    )
    payload: dict[str, Any]
    now: Instant | None = Field(None, description="The moment to decide at; now, where none is given.")
    fetch: StrictBool = Field(False, description="Whether what the payload lacks is read fresh from the source.")


class Simulated(Shape):
    """What the rules would decide."""

    event: dict[str, Any]
    decisions: list[Verdict]


@router.post(
    "/simulate",
    summary="What the rules would decide on a payload",
    responses=answers(*CHANGES, *BODY, example=_EXAMPLE),
)
async def simulate(posted: Posted, office: OfficeHere) -> Simulated:
    """What the final look at it would decide at `now`, with the settle time over; does nothing."""
    body = json.dumps(posted.payload).encode()
    found = await office.rehearsal.simulate(posted.source, posted.headers, body, posted.now, fetch=posted.fetch)
    return Simulated(event=found.event, decisions=[Verdict(**verdict_of(one)) for one in found.decisions])
