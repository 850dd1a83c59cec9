"""A toggle by one process holds for the very next delivery at another."""

import httpx
from redis.asyncio import Redis

from service.jira_shapes import FieldMap
from service.ledger import Ledger, Site
from tests.admin.calling import app_with_tokens, calling, deliver
from tests.conftest import SetClock
from tests.webhooks.payloads import FIELDS
from tests.webhooks.test_answers import decision_of

ROUNDS = 200


async def test_no_delivery_is_decided_on_the_mode_before_the_toggle(
    redis: Redis, redis_url: str, clock: SetClock
) -> None:
    await Ledger(redis).keep_site(Site(fields=FieldMap(**FIELDS)))
    one, other = (app_with_tokens(redis_url, clock) for _ in range(2))
    async with calling(one) as first, calling(other) as second:
        wrong = [number for number in range(ROUNDS) if not await holds(number, first, second)]
    assert wrong == []


async def holds(number: int, here: httpx.AsyncClient, there: httpx.AsyncClient) -> bool:
    """Whether a delivery to the other process is decided on the mode that was set here just before."""
    mode = ("off", "dry-run", "on")[number % 3]
    await here.patch("/api/v1/rules/missing-reviewer", json={"mode": mode})
    decided = decision_of("missing-reviewer", await deliver(there, f"d-{number}"))
    return decided.get("mode", "on") == mode
