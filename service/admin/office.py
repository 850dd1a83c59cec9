"""Everything that the calls and pages of admins need; one value for each process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from service.admin.auth import Doorkeeper
from service.clock import Clock
from service.current import Current
from service.facts import Team
from service.ledger import Ledger
from service.log import Scrub, scrubber
from service.rehearsal import Rehearsal
from service.settings import Settings
from service.steering import Steering
from service.webhooks.intake import Intake


@dataclass(frozen=True)
class Office:
    """What there is to look at and to change; everything in it raises RedisAway when Redis can't be used.

    redis: the client, for what only admins keep there, such as sessions.
    """

    settings: Settings
    team: Team
    clock: Clock
    redis: Any  # redis-py types each answer as awaitable or not, whatever the client
    ledger: Ledger
    current: Current
    steering: Steering
    doorkeeper: Doorkeeper
    intake: Intake
    rehearsal: Rehearsal

    @cached_property
    def scrub(self) -> Scrub:
        """Takes secrets and e-mail addresses out of what an error repeats of a call."""
        return scrubber(self.settings.secret_values)
