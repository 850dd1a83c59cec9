"""What is examined without being asked for: nearly everything by night, and whether webhooks come by the hour."""

from __future__ import annotations

from redis.asyncio import Redis

from service.clock import Clock
from service.connections import Connections
from service.doctor import _jira, _webhooks
from service.doctor._examination import examine
from service.findings import Finding
from service.settings import Settings


async def examine_by_night(
    settings: Settings, connections: Connections, redis: Redis, clock: Clock
) -> tuple[Finding, ...]:
    """Every finding but those on the registration of webhooks, which has an examination of its own."""
    found = await examine(settings, connections, redis, clock)
    return tuple(one for one in found if one.check != _webhooks.CHECK)


async def examine_registration(settings: Settings, connections: Connections) -> tuple[Finding, ...]:
    """Whether our webhook in Jira is there, enabled and signed: one call; none where there is no Jira.

    Raises what Jira's client raises.
    """
    if connections.jira is None:
        return ()
    return tuple(await _jira.webhooks(connections.jira, settings))
