"""Whether work was given up or a delivery could not be read, which somebody has to look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from service.findings import Finding, fine, wrong
from service.ledger import Delivery
from service.steering import Job
from service.webhooks.intake import FAILED_ON

CHECK: Final = "work"


def of_given_up(jobs: Sequence[Job]) -> Iterator[Finding]:
    """A finding for each rule with such work, which comes newest first."""
    if not jobs:
        yield fine(CHECK, "all", "nothing was given up")
    for rule, own in groupby(sorted(jobs, key=lambda job: job.rule), key=lambda job: job.rule):
        yield _of_rule(rule, list(own))


def of_unread(lately: Sequence[Delivery]) -> Iterator[Finding]:
    """A finding where Crafty failed on some of the deliveries that came last, newest first."""
    unread = [one for one in lately if (one.note or "").startswith(FAILED_ON)]
    if unread:
        newest = unread[0]
        what = f"{len(unread)} of the last {len(lately)}, such as {newest.source}'s {newest.id}: {newest.note}"
        yield wrong(CHECK, "deliveries", what, "Tell Crafty's makers, and replay them with a version that is mended.")


def _of_rule(rule: str, jobs: Sequence[Job]) -> Finding:
    newest = jobs[0]
    pieces = "1 piece of work was" if len(jobs) == 1 else f"{len(jobs)} pieces of work were"
    what = f"{pieces} given up, the last about {newest.subject}: {newest.error}"
    return wrong(CHECK, rule or "Crafty", what, "Mend the reason, then try it again: `crafty jobs retry --all`.")
