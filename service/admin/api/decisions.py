"""`/decisions` and `/why`: what was decided and why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import Field

from service.admin.api.calls import Guarded, OfficeHere, answers
from service.admin.api.shapes import (
    Cursor,
    Limit,
    Outcome,
    Page,
    Shape,
    Verdict,
    cursor_to,
    or_blank,
    position_at,
    verdict_of,
)
from service.contributions import Contribution
from service.engine import Decision
from service.ledger import Entry, Ledger
from service.why import why

router: Final = APIRouter(tags=["decisions"], route_class=Guarded)

_BATCH: Final = 100
_MOST: Final = 1000
"""How many entries of the timeline are searched for one page."""

_ALL: Final = 9999
"""More decisions than an entry has."""

_POSITION: Final = re.compile(r"([0-9]{1,15}-[0-9]{1,15})/([0-9]{1,4})")

_EXAMPLE: Final = {
    "at": "2026-11-12T09:00:00Z",
    "stage": "look",
    "delivery": None,
    "event": None,
    "subject": "SE-123",
    "cell": "Serenity",
    "rule": "missing-reviewer",
    "mode": "on",
    "outcome": "act",
    "reason": "SE-123 waits for a review and nobody is named to do it",
    "facts": {"status": "Need Review", "reviewer": None},
    "actions": [{"kind": "comment", "target": "SE-123", "occasion": "sprint-41", "state": "missing reviewer"}],
    "error": None,
}


_STORY: Final = {
    "subject": "SE-123",
    "entries": [
        {"at": "2026-11-12T09:00:00Z", "stage": "look", "decisions": [_EXAMPLE]},
        {
            "at": "2026-11-12T09:00:01Z",
            "stage": "effect",
            "decisions": [],
            "effect": {
                "rule": "missing-reviewer",
                "kind": "comment",
                "target": "SE-123",
                "result": "done",
                "reason": "written",
            },
        },
    ],
    "planned": {"missing-reviewer": "2026-11-13T09:00:00Z"},
    "comments": {
        "missing-reviewer": {
            "comment": "10042",
            "occasion": "sprint-41",
            "state": "missing reviewer",
            "at": "2026-11-12T09:00:01Z",
            "is_asking": True,
        }
    },
}


@dataclass(frozen=True)
class _Start:
    """Where a page begins: at a decision, by its place in an entry; with the newest where no entry is named."""

    entry: str
    number: int

    @property
    def text(self) -> str:
        return f"{self.entry}/{self.number}"

    @property
    def bound(self) -> str:
        """The id that comes right after the entry's."""
        moment, _, number = self.entry.partition("-")
        return f"{moment}-{int(number) + 1}" if self.entry else "+"


Subject = Annotated[
    str,
    Path(
        description="A ticket's key, or a contribution's such as `github:owner/name#12`, with `%23` for `#`.",
        examples=["SE-123"],
    ),
]


class DecisionShape(Verdict):
    """What one rule concluded about one subject at one moment."""

    at: datetime
    stage: str = Field(description="What made the rule look, such as webhook or look.")
    delivery: str | None = Field(None, description="The delivery that it was decided on.")
    event: str | None = None
    subject: str
    cell: str
    error: str | None = Field(None, description="The exception, where the rule itself failed.")


class EffectShape(Shape):
    """What became of an action."""

    rule: str
    kind: str
    target: str
    result: str = Field(description="done, skipped, held, failed, or would have (a dry run).")
    reason: str


class EntryShape(Shape):
    """One line of a subject's story: the decisions at one moment, or an effect."""

    at: datetime
    stage: str
    delivery: str | None = None
    event: str | None = None
    decisions: list[DecisionShape]
    effect: EffectShape | None = None


class CommentShape(Shape):
    """What a rule's comment says by now."""

    comment: str = Field(description="Its id in Jira.")
    occasion: str
    state: str
    at: datetime = Field(description="Since when it says so.")
    is_asking: bool = Field(description="Whether it still asks for something.")


class WhyShape(Shape):
    """All that Crafty knows about its own dealings with one subject."""

    subject: str
    entries: list[EntryShape] = Field(description="Newest first.")
    planned: dict[str, datetime] = Field(description="When each rule looks next.")
    comments: dict[str, CommentShape] = Field(description="By rule.")
    contribution: dict[str, Any] | None = Field(None, description="What is known of it, where it is a contribution.")


@router.get(
    "/decisions",
    summary="What was decided",
    responses=answers(example={"items": [_EXAMPLE], "next": "MTc4NDUtMC8z"}),
)
async def decisions(
    office: OfficeHere,
    subject: Annotated[str | None, Query(description="Only on this one, such as SE-123.")] = None,
    rule: Annotated[str | None, Query(description="Only by this rule, by its name.")] = None,
    outcome: Annotated[
        Outcome | None, Query(description="Only those that ended so."), or_blank(enum=["act", "wait", "pass"])
    ] = None,
    cell: Annotated[str | None, Query(description="Only in this cell, by its name.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[DecisionShape]:
    """Every decision with its reason, newest first, those to do nothing too.

    A page that filters much may be short, even empty, and still have a `next`.
    """
    wanted = {"rule": rule, "outcome": outcome, "cell": cell}
    start = _start(cursor) if cursor else _Start("", 0)
    items, following = await _search(office.ledger, subject, start, wanted, limit)
    return Page(items=items, next=following and cursor_to(following.text))


@router.get("/why/{subject:path}", summary="The whole story of one subject", responses=answers(404, example=_STORY))
async def why_about(subject: Subject, office: OfficeHere) -> WhyShape:
    """Deliveries, decisions with the facts they used, effects, planned looks, and what the comments say."""
    story = await why(office.ledger, office.current.book, subject)
    return WhyShape(
        subject=story.subject,
        entries=[_entry(entry) for entry in story.entries],
        planned=dict(story.planned),
        comments={
            rule: CommentShape(
                comment=case.comment, occasion=case.occasion, state=case.state, at=case.at, is_asking=case.open
            )
            for rule, case in story.comments.items()
        },
        contribution=_known(story.contribution),
    )


def decided(entry: Entry, decision: Decision) -> DecisionShape:
    """A decision as the API shows it."""
    return DecisionShape(
        **verdict_of(decision),
        at=entry.at,
        stage=entry.stage,
        delivery=entry.delivery,
        event=entry.event,
        subject=decision.subject,
        cell=decision.cell,
        error=decision.error,
    )


def _entry(entry: Entry) -> EntryShape:
    return EntryShape(
        at=entry.at,
        stage=entry.stage,
        delivery=entry.delivery,
        event=entry.event,
        decisions=[decided(entry, one) for one in entry.decisions],
        effect=EffectShape(**msgspec.structs.asdict(entry.effect)) if entry.effect else None,
    )


def _known(contribution: Contribution | None) -> dict[str, Any] | None:
    return msgspec.to_builtins(contribution.known()) if contribution else None


async def _search(
    ledger: Ledger, subject: str | None, start: _Start, wanted: Mapping[str, str | None], limit: int
) -> tuple[list[DecisionShape], _Start | None]:
    """The next decisions that are as wanted, and where the rest begins; None where there is no rest."""
    items: list[DecisionShape] = []
    before = start.bound
    for _ in range(0, _MOST, _BATCH):
        found = await ledger.entries(subject, before, _BATCH)
        for name, entry in found:
            for number, decision in _matching(entry, start.number if name == start.entry else 0, wanted):
                if len(items) == limit:
                    return items, _Start(name, number)
                items.append(decided(entry, decision))
        if len(found) < _BATCH:
            return items, None
        before = found[-1][0]
    return items, _Start(before, _ALL)


def _matching(entry: Entry, first: int, wanted: Mapping[str, str | None]) -> Iterator[tuple[int, Decision]]:
    for number, decision in enumerate(entry.decisions[first:], first):
        if all(value in {None, getattr(decision, name)} for name, value in wanted.items()):
            yield number, decision


def _start(cursor: str) -> _Start:
    entry, number = position_at(cursor, _POSITION).groups()
    return _Start(entry, int(number))
