"""How this process answers webhooks, counted at its door: a few microseconds for each, so by hand."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from typing import Final

from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.metrics._catalogue import SOURCES, WEBHOOK_ANSWERS, WEBHOOK_SECONDS, histogram

_LIMITS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Answers(Collector):
    """What was answered by this process, and how fast."""

    def __init__(self) -> None:
        self._times = Counter[tuple[str, int]]()
        self._fell = [0] * (len(_LIMITS) + 1)
        self._seconds = 0.0

    def counted(self, webhooks: ASGIApp) -> ASGIApp:
        """The application that takes webhooks, whose answers count from now on."""
        return self._counting(webhooks)

    def collect(self) -> Iterator[Metric]:
        """The metrics of all answers so far."""
        yield WEBHOOK_ANSWERS.told({(source, str(status)): times for (source, status), times in self._times.items()})
        yield histogram(WEBHOOK_SECONDS, _LIMITS, self._fell, self._seconds)

    def _counting(self, app: ASGIApp) -> ASGIApp:
        async def counting(scope: Scope, receive: Receive, send: Send) -> None:
            status, begun = 500, time.perf_counter()

            async def noting(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            try:
                await app(scope, receive, noting)
            finally:
                self._note(scope["path"].rpartition("/")[2], status, time.perf_counter() - begun)

        return counting

    def _note(self, source: str, status: int, seconds: float) -> None:
        self._times[source if source in SOURCES else "unknown", status] += 1
        self._fell[bisect_left(_LIMITS, seconds)] += 1
        self._seconds += seconds
