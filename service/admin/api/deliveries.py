"""`/deliveries`: what came in, and deciding on it once more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Path
from pydantic import Field

from service.admin.api.calls import CHANGES, ForgottenError, Guarded, OfficeHere, VisitorHere, answers
from service.admin.api.decisions import DecisionShape, decided
from service.admin.api.shapes import Cursor, Limit, Page, Shape, read_page
from service.admin.office import Office
from service.ledger import Delivery
from service.steering import GoneError

router: Final = APIRouter(tags=["deliveries"], route_class=Guarded)

_ENTRIES: Final = 500
"""As many entries as the timeline of a subject has at most."""

_EXAMPLE: Final = {
    "id": "2b5a1c6e-7d0f-4f2a-9a3e-0c1d2e3f4a5b",
    "source": "jira",
    "event": "jira:issue_updated",
    "subject": "SE-123",
    "received": "2026-11-12T08:58:00Z",
    "note": None,
    "headers": {"content-type": "application/json"},
}


DeliveryId = Annotated[str, Path(description="As the sender was answered.", examples=[_EXAMPLE["id"]])]


class DeliveryShape(Shape):
    """Something that a source sent."""

    id: str
    source: str
    event: str
    subject: str | None = Field(None, description="The ticket or contribution that it is about.")
    received: datetime
    note: str | None = Field(None, description="Why no rule was concerned, where none was.")
    headers: dict[str, str] = Field(description="Those that tell what it is; never a signature or a token.")


class WholeDelivery(DeliveryShape):
    """The same with its body."""

    body: Any = Field(description="As JSON; null where no rule was concerned, so that it was not kept.")
    decisions: list[DecisionShape] = Field(description="What was decided on it.")


class Replayed(Shape):
    """What was decided once more, by the rules as they are now."""

    delivery: str
    decisions: list[dict[str, str]]


@router.get("/deliveries", summary="What came in", responses=answers(example={"items": [_EXAMPLE], "next": "NTA"}))
async def deliveries(office: OfficeHere, cursor: Cursor = None, limit: Limit = 50) -> Page[DeliveryShape]:
    """Deliveries of the last 30 days, newest first. Those that come in meanwhile push the others down the pages."""
    found, following = await read_page(office.ledger.deliveries, cursor, limit)
    return Page(items=[DeliveryShape(**_shown(one)) for one in found], next=following)


@router.get(
    "/deliveries/{delivery_id}",
    summary="One delivery, whole",
    responses=answers(404, 410, example={**_EXAMPLE, "body": {"webhookEvent": "jira:issue_updated"}, "decisions": []}),
)
async def delivery(delivery_id: DeliveryId, office: OfficeHere) -> WholeDelivery:
    """What came, and what every rule decided on it; 410 for one that is too old to be kept."""
    found, body = await _stored(delivery_id, office)
    entries = await office.ledger.entries(found.subject, "+", _ENTRIES) if found.subject else []
    return WholeDelivery(
        **_shown(found),
        body=msgspec.json.decode(body) if body else None,
        decisions=[decided(one, it) for _, one in entries if one.delivery == found.id for it in one.decisions],
    )


@router.post(
    "/deliveries/{delivery_id}/replay",
    summary="Decide on a delivery once more",
    status_code=202,
    responses=answers(
        404,
        410,
        *CHANGES,
        status=202,
        example={"delivery": _EXAMPLE["id"], "decisions": [{"rule": "green-ticket", "outcome": "act"}]},
    ),
)
async def replay(delivery_id: DeliveryId, office: OfficeHere, visitor: VisitorHere) -> Replayed:
    """Evaluates it by the rules as they are now. What was done before is not done again.

    422 where it can't be read any more, 410 where its body was not kept.
    """
    found, body = await _stored(delivery_id, office)
    answer = await office.intake.replay(found, body)
    told = [] if answer.decisions is msgspec.UNSET else answer.decisions
    await office.steering.note(f"replay delivery {delivery_id}", visitor.actor, after=told)
    return Replayed(delivery=delivery_id, decisions=told)


async def _stored(delivery_id: str, office: Office) -> tuple[Delivery, bytes]:
    """The delivery and its body; raises GoneError for one that never came, ForgottenError for an old one."""
    found = await office.ledger.delivery(delivery_id)
    if found:
        return found
    if await office.ledger.was_taken(delivery_id):
        raise ForgottenError(f"{delivery_id} came in, but deliveries are kept for 30 days only")
    raise GoneError(f"there is no delivery {delivery_id}")


def _shown(delivery: Delivery) -> Mapping[str, Any]:
    return {name: getattr(delivery, name) for name in DeliveryShape.model_fields}
