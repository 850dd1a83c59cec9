"""What came in: a list, one delivery with its body, and its replay."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from service.admin.console.desk import Done, Page, Refusal, Visit
from service.admin.office import Office
from service.ledger import Delivery, Entry
from service.steering import GoneError

PAGE: Final = 50
_LONGEST_BODY: Final = 200_000


async def deliveries(office: Office, visit: Visit) -> Page:
    """The newest deliveries, a page at a time."""
    first = position(visit.query.get("first", "0"))
    found = await office.ledger.deliveries(first, PAGE + 1)
    values = {"deliveries": found[:PAGE], "first": first, "following": first + PAGE if len(found) > PAGE else 0}
    return Page("deliveries.html", "Deliveries", values)


async def delivery(office: Office, visit: Visit) -> Page:
    """One delivery: what it was about, what was decided on it, and its body."""
    found, body = await _stored(office, visit.path["id"])
    entries = await office.ledger.timeline(found.subject, 500) if found.subject else []
    values = {"delivery": found, "body": _text(body), "decisions": _decisions(entries, found)}
    return Page("delivery.html", f"Delivery {found.id}", values)


async def replay(office: Office, visit: Visit) -> Done:
    """Has the rules decide once more on a delivery; what they did before is not done twice."""
    found, body = await _stored(office, visit.path["id"])
    answer = await office.intake.replay(found, body)
    await office.steering.note(f"replay delivery {found.id}", visit.visitor.actor)
    words = ", ".join(f"{one['rule']}: {one['outcome']}" for one in answer.decisions or ()) or "no rule is concerned"
    return Done(f"/console/deliveries/{quote(found.id)}", f"The rules have looked once more ({words}).")


def position(text: str) -> int:
    """Where a page of a list begins; raises Refusal for what is no such place."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "There is no such page; begin with the first one.")
    return int(text)


async def _stored(office: Office, name: str) -> tuple[Delivery, bytes]:
    found = await office.ledger.delivery(name)
    if found is None and await office.ledger.was_taken(name):
        raise Refusal(HTTPStatus.GONE, "That delivery came in, but it is too old to be kept.")
    if found is None:
        raise GoneError("There is no such delivery.")
    return found


def _decisions(entries: list[Entry], delivery: Delivery) -> list[Entry]:
    return [entry for entry in entries if entry.delivery == delivery.id and entry.decisions]


def _text(body: bytes) -> str:
    """The body as people read it, cut where it is overlong; "" where it was not kept."""
    if not body:
        return ""
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        text = body.decode("utf-8", "replace")
    return text if len(text) <= _LONGEST_BODY else f"{text[:_LONGEST_BODY]}\n… (cut here)"
