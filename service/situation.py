"""Everything that a rule is told of its subject besides the moment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from service.commitments import Commitment
from service.contributions import Contribution
from service.facts import Said, Sprints, Ticket

Subject = Ticket | Contribution


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule decided last about a subject, for whoever asks why."""

    rule: str
    at: datetime
    outcome: str
    reason: str


class Situation(msgspec.Struct, frozen=True):
    """A subject with what is known around it.

    said: what the rule's own comment says, None where it wrote none; reviews_taken: how many reviews that nobody took
    were given to a person in this sprint, by Jira account; done: the keys of what the rule has done about the subject;
    refused: the keys of what it was not let do since yesterday; commitments: the subject's lines in the spillover
    ledger, by sprint; told: the latest decision of each rule about the subject; bot: the accounts that Crafty itself
    acts under.
    """

    subject: Subject
    sprints: Sprints = Sprints()
    said: Said | None = None
    reviews_taken: Mapping[str, int] = {}
    done: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    commitments: Mapping[int, Commitment] = {}
    told: tuple[Told, ...] = ()
    bot: frozenset[str] = frozenset()
