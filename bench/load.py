"""A load generator: keep-alive connections that each send one request after the other, at little cost of its own."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

CONNECTIONS = 16


@dataclass(frozen=True)
class Measured:
    """One round. count: how many were answered; rate: answers a second; p50, p99: milliseconds."""

    count: int
    rate: float
    p50: float
    p99: float


@dataclass
class Round:
    """What all connections of one round share.

    pause: seconds from one request of a connection to its next, 0 to send as soon as the last one is answered.
    """

    requests: Iterator[bytes]
    until: float
    pause: float = 0.0
    taken: list[float] = field(default_factory=list)


class _Connection(asyncio.Protocol):
    """Times count from the moment a request was planned for, so that a slow answer also counts for those it held up."""

    def __init__(self, shared: Round, first: float) -> None:
        self._round = shared
        self._due = first
        self._answer = b""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._plan()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, _, body = self._answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 20"):
            self._fail(f"the server answered {head[:200]!r}")
        elif b"content-length" in head and len(body) == int(head.partition(b"content-length: ")[2].split(b"\r", 1)[0]):
            self._answer = b""
            self._round.taken.append(time.perf_counter() - self._due)
            self._due = self._due + self._round.pause if self._round.pause else time.perf_counter()
            self._plan()

    def connection_lost(self, _: Exception | None) -> None:
        self._fail("the server closed a connection")

    def _plan(self) -> None:
        now = time.perf_counter()
        if now >= self._round.until:
            self.ended.set_result(None)
            self._transport.close()
        elif self._due > now:
            asyncio.get_running_loop().call_later(self._due - now, self._send)
        else:
            self._send()

    def _send(self) -> None:
        self._transport.write(next(self._round.requests))

    def _fail(self, why: str) -> None:
        if not self.ended.done():
            self.ended.set_exception(RuntimeError(why))


async def saturate(port: int, requests: Iterator[bytes], seconds: float, connections: int = CONNECTIONS) -> Measured:
    """As much as the server answers in that time; raises RuntimeError for an answer that is no 2xx."""
    return await _run(port, Round(requests, time.perf_counter() + seconds), seconds, connections)


async def pace(port: int, requests: Iterator[bytes], seconds: float, rate: float) -> Measured:
    """`rate` requests a second, whether or not earlier ones are answered; raises RuntimeError like `saturate`."""
    shared = Round(requests, time.perf_counter() + seconds, pause=CONNECTIONS / rate)
    return await _run(port, shared, seconds, CONNECTIONS)


async def _run(port: int, shared: Round, seconds: float, connections: int) -> Measured:
    loop, now = asyncio.get_running_loop(), time.perf_counter()
    starts = [now + shared.pause * number / connections for number in range(connections)]
    opened = [
        await loop.create_connection(lambda first=start: _Connection(shared, first), "127.0.0.1", port)  # type: ignore[misc] # mypy can't infer a lambda with a default
        for start in starts
    ]
    await asyncio.gather(*(connection.ended for _, connection in opened))
    cuts = statistics.quantiles(shared.taken, n=100)
    return Measured(len(shared.taken), len(shared.taken) / seconds, cuts[49] * 1000, cuts[98] * 1000)
