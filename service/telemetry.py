"""Who else is told: OpenTelemetry of each delivery and what follows from it, Sentry of errors. Both only where set."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from opentelemetry import context
from opentelemetry.trace import Span, Status, StatusCode, Tracer, get_current_span, get_tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from redis.asyncio import Redis

from service.clock import Clock
from service.errors import ConfigError, Problem, RedisAway
from service.ledger import PREFIX, redis_or_away
from service.log import Scrub, scrubber
from service.queue import Queue, Result, Taken, Work
from service.release import own_version
from service.settings import Settings, variable_of

_DAY: Final = 86_400
_LEFT_OUT: Final = ("request", "user", "breadcrumbs", "server_name")
_PARENTS: Final = TraceContextTextMapPropagator()

Event = Any
"""What Sentry is sent: a table of tables, lists and texts."""


def start(settings: Settings, process: str) -> None:
    """Begins to tell of this process, "api" or "worker"; ConfigError where a setting needs what is not installed."""
    if settings.otlp_url:
        _with_extra("traces", "otlp_url", lambda: _trace(str(settings.otlp_url), process))
    if settings.sentry_dsn:
        _with_extra("sentry", "sentry_dsn", lambda: _report(settings, process))


def queue_of(settings: Settings, redis: Redis, clock: Clock) -> Queue:
    """The queue, which tells of all that goes through it where somebody wants to know."""
    return TracedQueue(redis, clock, get_tracer("crafty")) if settings.otlp_url else Queue(redis, clock)


class TracedQueue(Queue):
    """A queue with a span for each delivery and each piece of work.

    The looks and effects that follow from a delivery belong to its trace: that of the latest one about their subject,
    for a day. Everything else begins a trace of its own.
    """

    def __init__(self, redis: Redis, clock: Clock, tracer: Tracer) -> None:
        super().__init__(redis, clock)
        self._tracer = tracer

    async def ingest(self, taken: Taken, version: str) -> str | None:
        """As in Queue."""
        delivery = taken.delivery
        about = {"crafty.delivery": delivery.id, "crafty.source": delivery.source, "crafty.event": delivery.event}
        with self._tracer.start_as_current_span("delivery", attributes=about, record_exception=False) as span:
            first = await super().ingest(taken, version)
            span.set_attribute("crafty.duplicate", first is not None)
            if first is None and delivery.subject:
                await self._leave(delivery.subject)
            return first

    async def claim(self, key: str, token: str) -> Work | None:
        """As in Queue; what the caller does next happens in the span of the work."""
        work = await super().claim(key, token)
        if work:
            parent = _PARENTS.extract({"traceparent": await self._left(work.subject)})
            span = self._tracer.start_span(work.kind, parent)
            span.set_attributes({"crafty.rule": work.rule, "crafty.subject": work.subject, "crafty.tries": work.tries})
            context.attach(set_span_in_context(span))
        return work

    async def finish(self, work: Work, result: Result) -> bool:
        """As in Queue; ends the span of the work."""
        is_stored = await super().finish(work, result)
        _end(get_current_span(), result)
        return is_stored

    async def _leave(self, subject: str) -> None:
        """A delivery that is stored is not lost over its trace."""
        carrier: dict[str, str] = {}
        _PARENTS.inject(carrier)
        with suppress(RedisAway):
            async with redis_or_away():
                await self._redis.set(f"{PREFIX}trace:{subject}", carrier["traceparent"], ex=_DAY)

    async def _left(self, subject: str) -> str:
        with suppress(RedisAway):
            async with redis_or_away():
                found: bytes | None = await self._redis.get(f"{PREFIX}trace:{subject}")
                return found.decode() if found else ""
        return ""


def _end(span: Span, result: Result) -> None:
    effects = [f"{entry.effect.kind} {entry.effect.result}" for entry in result.entries if entry.effect]
    decisions = [f"{one.rule} {one.outcome}" for entry in result.entries for one in entry.decisions]
    span.set_attributes({"crafty.ending": result.ending, "crafty.effects": effects, "crafty.decisions": decisions})
    if result.ending in {"retry", "failed"}:
        span.set_status(Status(StatusCode.ERROR, result.error))
    span.end()


def for_sentry(scrub: Scrub) -> Callable[[Event, Any], Event]:
    """What Sentry may be sent of an event: nothing of the request, and no secret or e-mail address anywhere."""
    return lambda event, _: _scrubbed({name: value for name, value in event.items() if name not in _LEFT_OUT}, scrub)


def _scrubbed(value: Any, scrub: Scrub) -> Any:
    match value:
        case str():
            return scrub(value)
        case dict():
            return {name: _scrubbed(inner, scrub) for name, inner in value.items()}
        case list() | tuple():
            return [_scrubbed(inner, scrub) for inner in value]
        case _:
            return value


def _trace(url: str, process: str) -> None:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.trace import set_tracer_provider  # noqa: PLC0415

    names = {"service.name": f"crafty-{process}", "service.version": own_version()}
    provider = TracerProvider(resource=Resource.create(names))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{url}/v1/traces")))
    set_tracer_provider(provider)


def _report(settings: Settings, process: str) -> None:
    import sentry_sdk  # noqa: PLC0415 - an extra

    sentry_sdk.init(
        settings.sentry_dsn.get_secret_value(),
        release=f"crafty@{own_version()}",
        before_send=for_sentry(scrubber(settings.secret_values)),
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        send_default_pii=False,
        auto_enabling_integrations=False,
    )
    sentry_sdk.set_tag("process", process)


def _with_extra(extra: str, setting: str, begin: Callable[[], None]) -> None:
    try:
        begin()
    except ImportError as error:
        mend = f"needs more than is installed: pip install 'crafty[{extra}]'"
        raise ConfigError(Problem(variable_of(setting), "", mend)) from error
