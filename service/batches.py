"""Group commit: what concurrent callers hand in goes out together, and each gets its own answer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Generic, TypeVar

Item = tuple[bytes, ...]
Answer = TypeVar("Answer")

MOST_ITEMS: Final = 64
MOST_BYTES: Final = 1 << 20


class Batches(Generic[Answer]):
    """One batch is under way at a time, and the next gathers meanwhile: nobody waits for others to come.

    send: answers each item of a batch, in their order; what it raises is raised to everybody in that batch. A caller
    that is cancelled takes back an item that has not gone out yet.
    """

    def __init__(self, send: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]]) -> None:
        self._send = send
        self._waiting: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._sending: asyncio.Task[Any] | None = None

    async def add(self, item: Item) -> Answer:
        """What `send` answers to this item."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_all())
        return await answer

    async def _send_all(self) -> None:
        while batch := self._next_batch():
            try:
                answers = await self._send([item for item, _ in batch])
            except Exception as error:  # noqa: BLE001 - those who wait are told
                for _, waiting in batch:
                    if not waiting.done():
                        waiting.set_exception(error)
            else:
                for (_, waiting), answer in zip(batch, answers, strict=True):
                    if not waiting.done():
                        waiting.set_result(answer)

    def _next_batch(self) -> list[tuple[Item, asyncio.Future[Answer]]]:
        """The oldest items that somebody waits for: as many as fit, and one that is too large on its own."""
        batch: list[tuple[Item, asyncio.Future[Answer]]] = []
        left = MOST_BYTES
        while self._waiting and len(batch) < MOST_ITEMS and (not batch or _size(self._waiting[0][0]) <= left):
            item, answer = self._waiting.popleft()
            if not answer.done():
                batch.append((item, answer))
                left -= _size(item)
        return batch


def _size(item: Item) -> int:
    return sum(map(len, item))
