"""Who has changed what."""

from __future__ import annotations

from typing import Final

from service.admin.console.decisions import cursor
from service.admin.console.desk import Page, Visit
from service.admin.office import Office

PAGE: Final = 50


async def audit(office: Office, visit: Visit) -> Page:
    """The newest lines of the audit log, a page at a time."""
    found = await office.steering.audit(cursor(visit.query.get("before", "+")), PAGE + 1)
    following = found[PAGE - 1][0] if len(found) > PAGE else ""
    return Page("audit.html", "Audit log", {"changes": [change for _, change in found[:PAGE]], "following": following})
