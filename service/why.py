"""Why Crafty did something, or did not: all that it knows about its own dealings with one subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from service.contributions import Contribution
from service.engine import Rulebook
from service.ledger import Case, Entry, Ledger


@dataclass(frozen=True)
class Why:
    """One subject's story.

    entries: deliveries, decisions with the facts they used, and effects, newest first; planned: when each rule looks
    next; comments: what each rule's comment says; contribution: what is known of it, where the subject is one.
    """

    subject: str
    entries: tuple[Entry, ...]
    planned: Mapping[str, datetime]
    comments: Mapping[str, Case]
    contribution: Contribution | None


async def why(ledger: Ledger, book: Rulebook, subject: str, limit: int = 100) -> Why:
    """The story of a ticket or contribution, with its newest `limit` entries; raises RedisAway."""
    rules = [rule.name for rule in book.rules]
    standings = await ledger.standings([(rule, "on") for rule in rules], subject)
    cases = {rule: await ledger.case(rule, subject) for rule in rules}
    return Why(
        subject=subject,
        entries=tuple(await ledger.timeline(subject, limit)),
        planned={rule: one.next_look for rule, one in standings.items() if one.next_look},
        comments={rule: case for rule, case in cases.items() if case},
        contribution=await ledger.contribution(subject),
    )
