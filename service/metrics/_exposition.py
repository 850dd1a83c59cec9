"""`GET /metrics`: what Prometheus is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from service.clock import Clock
from service.current import Current
from service.errors import RedisAway
from service.metrics import _catalogue as tell
from service.metrics._answers import Answers
from service.metrics._reading import Reader
from service.metrics._telling import told
from service.release import own_version

log = structlog.get_logger()


def _process() -> Collector:
    """Python's and the operating system's own figures of this process."""
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    return registry


@dataclass(frozen=True)
class Metrics:
    """What one API process tells. answers: how it answers webhooks."""

    reader: Reader
    current: Current
    clock: Clock
    answers: Answers = field(default_factory=Answers)
    process: Collector = field(default_factory=_process)

    async def answer(self) -> Response:
        """All metrics as text; those of the store are left out while Redis can't be used."""
        build = tell.BUILD.told({(own_version(),): 1})
        gathered = _Gathered([build, *self.process.collect(), *self.answers.collect(), *await self._of_store()])
        return Response(generate_latest(gathered), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    async def _of_store(self) -> list[Metric]:
        try:
            reading = await self.reader.read(self.clock())
        except RedisAway as away:
            log.warning("metrics.redis_away", reason=f"{away}")
            return [tell.REDIS_UP.told({})]
        return list(told(reading, [rule.name for rule in self.current.book.rules]))


@dataclass(frozen=True)
class _Gathered(Collector):
    metrics: Sequence[Metric]

    def collect(self) -> Sequence[Metric]:
        return self.metrics


class MetricsPort:
    """The application, which on one of its ports serves `/metrics` and nothing else."""

    def __init__(self, app: ASGIApp, metrics: Metrics, port: int) -> None:
        async def endpoint(_: Request) -> Response:
            return await metrics.answer()

        self._app = app
        self._port = port
        self._metrics = Router([Route("/metrics", endpoint)])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_there = scope["type"] == "http" and scope["server"] and scope["server"][1] == self._port
        await (self._metrics if is_there else self._app)(scope, receive, send)
