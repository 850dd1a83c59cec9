"""Sends signed webhooks in order, again after passing faults, and keeps a record of each delivery and its answers."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import httpx

_PASSING_FAULTS: Final = {408, 409, 425, 429}


@dataclass(frozen=True)
class WebhookTarget:
    """Where webhooks go. secret: signs them; "" sends them unsigned, as a hook without a secret does."""

    url: str
    secret: str


@dataclass(frozen=True)
class Answer:
    """What one attempt got. status: None where no answer came; content: the JSON of the answer, None without any."""

    status: int | None
    content: Any = None

    @property
    def is_passing_fault(self) -> bool:
        """Whether the real senders would try again."""
        return self.status is None or self.status >= 500 or self.status in _PASSING_FAULTS


@dataclass
class Delivery:
    """One webhook and what came of it.

    event: the vendor's name of the event; retry_header: the header that counts the attempts after the first, "" where
    the vendor has none; answers: one per attempt, oldest first.
    """

    event: str
    url: str
    headers: dict[str, str]
    body: bytes
    retry_header: str = ""
    answers: list[Answer] = field(default_factory=list)

    @property
    def payload(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def status(self) -> int | None:
        """The last attempt's status code; None where none was answered."""
        return self.answers[-1].status if self.answers else None

    @property
    def content(self) -> Any:
        """The last answer's JSON; None without any."""
        return self.answers[-1].content if self.answers else None


@dataclass(frozen=True)
class Habits:
    """How reliably a sender delivers.

    is_silent: nothing is sent or recorded; copies: how often each webhook is sent; shuffle: holds webhooks until they
    are released, and draws the order that they are sent in then.
    """

    is_silent: bool = False
    copies: int = 1
    shuffle: Random | None = None


def signature(secret: str, body: bytes) -> str:
    """`sha256=<hex>`, the HMAC of the raw body that Jira and Discourse send."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


class WebhookSender:
    """Sends one system's webhooks, one after the other, in the order they arose.

    client: makes the calls, its owner closes it; retry_waits: seconds before each further attempt after a passing fault
    (the real senders wait for minutes); habits: may be set anew at any time; target: None means that nobody listens:
    nothing is sent or recorded.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        retry_waits: Sequence[float] = (0.1, 0.3, 1.0),
        habits: Habits = Habits(),
    ) -> None:
        self.target: WebhookTarget | None = None
        self.habits = habits
        self.deliveries: list[Delivery] = []
        self._held: list[Delivery] = []
        self._client = client
        self._retry_waits = retry_waits
        self._turn = asyncio.Lock()
        self._under_way: set[asyncio.Task[None]] = set()

    def send(
        self, event: str, payload: Any, headers: Mapping[str, str], signature_header: str, retry_header: str = ""
    ) -> None:
        """Queues a webhook. payload: becomes the JSON body; needs a running loop."""
        if self.target is None or self.habits.is_silent:
            return
        body = json.dumps(payload, ensure_ascii=False).encode()
        signed = {signature_header: signature(self.target.secret, body)} if self.target.secret else {}
        for _ in range(self.habits.copies):
            delivery = Delivery(event, self.target.url, {**headers, **signed}, body, retry_header)
            if self.habits.shuffle:
                self._held.append(delivery)
            else:
                self._start(delivery)

    async def redeliver(self, delivery: Delivery) -> Delivery:
        """Sends the same bytes and headers once more, and returns the new record when that is answered or given up."""
        again = Delivery(delivery.event, delivery.url, delivery.headers, delivery.body, delivery.retry_header)
        await self._start(again)
        return again

    async def release(self) -> None:
        """Sends what is held in an order that chance draws, and returns when all of it is answered or given up."""
        held, self._held = self._held, []
        if self.habits.shuffle:
            self.habits.shuffle.shuffle(held)
        for delivery in held:
            self._start(delivery)
        await self.drain()

    async def drain(self) -> None:
        """Returns when everything that is queued by now, and not held, is answered or given up."""
        await asyncio.gather(*self._under_way)

    def _start(self, delivery: Delivery) -> asyncio.Task[None]:
        self.deliveries.append(delivery)
        task = asyncio.create_task(self._deliver(delivery))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _deliver(self, delivery: Delivery) -> None:
        async with self._turn:
            for attempt, wait in enumerate((0.0, *self._retry_waits)):
                await asyncio.sleep(wait)
                answer = await self._attempt(delivery, attempt)
                delivery.answers.append(answer)
                if not answer.is_passing_fault:
                    return

    async def _attempt(self, delivery: Delivery, number: int) -> Answer:
        counted = {delivery.retry_header: str(number)} if number and delivery.retry_header else {}
        headers = {**delivery.headers, **counted}
        try:
            response = await self._client.post(delivery.url, content=delivery.body, headers=headers)
        except httpx.TransportError:
            return Answer(status=None)
        return Answer(response.status_code, _json_of(response))


def _json_of(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None
