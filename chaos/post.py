"""A sender that gives up on nothing: each webhook goes out again, under the same id, until it is accepted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from random import Random
from typing import Final

import httpx

from service.demo._sender import Delivery, WebhookSender

ID: Final = "X-Atlassian-Webhook-Identifier"
AT_ONCE: Final = 12
AGAIN: Final = 0.05
"""The share of webhooks that come once more though they were accepted, as if the answer had been lost."""

_WAITS: Final = (0.1, 0.3, 1.0)


class Postman(WebhookSender):
    """Sends several webhooks at a time, each attempt to one of the API processes.

    urls: their webhook addresses, to be set before the first one is sent; accepted: when each delivery was, by its id
    and the monotonic clock; taken_twice: the ids of those that were accepted anew when they came again.
    """

    def __init__(self, client: httpx.AsyncClient, chance: Random) -> None:
        super().__init__(client)
        self.urls: Sequence[str] = ()
        self.accepted: dict[str, float] = {}
        self.taken_twice: list[str] = []
        self._chance = chance
        self._turns = asyncio.Semaphore(AT_ONCE)

    @property
    def attempts(self) -> int:
        """How many requests were sent."""
        return sum(len(delivery.answers) for delivery in self.deliveries)

    @property
    def refused(self) -> int:
        """How many requests were answered with a 503."""
        answers = (answer for delivery in self.deliveries for answer in delivery.answers)
        return sum(answer.status == httpx.codes.SERVICE_UNAVAILABLE for answer in answers)

    async def drain(self) -> None:
        """Nobody waits for the post: people go on working while Crafty is away."""

    async def all_accepted(self) -> None:
        """Returns when every webhook that was sent by now is accepted."""
        await super().drain()

    async def _deliver(self, delivery: Delivery) -> None:
        name = delivery.headers[ID]
        for number in range(1_000_000):
            async with self._turns:
                if await self._is_taken(delivery, number):
                    break
            await asyncio.sleep(_WAITS[min(number, len(_WAITS) - 1)])
        self.accepted[name] = time.monotonic()
        if (
            self._chance.random() < AGAIN
            and await self._is_taken(delivery, 1)
            and delivery.status == httpx.codes.ACCEPTED
        ):
            self.taken_twice.append(name)

    async def _is_taken(self, delivery: Delivery, number: int) -> bool:
        delivery.url = self._chance.choice(self.urls)
        delivery.answers.append(await self._attempt(delivery, number))
        return httpx.codes.is_success(delivery.status or 0)
