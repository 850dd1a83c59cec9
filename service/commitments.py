"""What a sprint had taken on when it closed: the spillover ledger's lines, and each member's share of clean sprints."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Commitment(msgspec.Struct, frozen=True, kw_only=True):
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
