"""A delivery and what follows from it are one trace; Sentry is sent nothing that it should not see."""

import builtins
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr
from redis.asyncio import Redis

from service import store, telemetry
from service.errors import ConfigError, RedisAway
from service.ledger import Delivery
from service.log import scrubber
from service.queue import Queue, Result, Taken, look_again
from service.telemetry import TracedQueue, for_sentry, queue_of
from tests.conftest import SetClock
from tests.test_ledger import effect
from tests.webhooks.test_answers import settings_of

RULE = "missing-reviewer"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(spans: InMemorySpanExporter) -> Iterator[TracerProvider]:
    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(spans))
    yield made
    made.shutdown()


async def delivered(queue: Queue, name: str, subject: str = "SE-1") -> None:
    delivery = Delivery(id=name, source="jira", event="jira:issue_updated", subject=subject, received=queue.clock())
    await queue.ingest(Taken(delivery=delivery, marks=[name]), "0")


async def worked_off(queue: Queue, redis: Any, result: Result, subject: str = "SE-1") -> None:
    await queue.want(look_again(RULE, subject, queue.clock()))
    await queue.release(1)
    work = await queue.claim(f"look:{RULE}:{subject}", (await redis.get("crafty:leases")).decode())
    assert work is not None
    assert await queue.finish(work, result)


def named(spans: InMemorySpanExporter, name: str) -> ReadableSpan:
    (found,) = [span for span in spans.get_finished_spans() if span.name == name]
    return found


async def test_what_follows_from_a_delivery_is_in_its_trace(
    redis: Redis, clock: SetClock, provider: TracerProvider, spans: InMemorySpanExporter
) -> None:
    api, worker = (TracedQueue(redis, clock, provider.get_tracer("crafty")) for _ in range(2))
    await delivered(api, "d-1")
    await worked_off(worker, redis, Result(ending="done", entries=[effect(1)]))
    delivery, look = named(spans, "delivery"), named(spans, "look")
    assert look.parent is not None
    assert delivery.context is not None
    assert (look.parent.trace_id, look.parent.span_id) == (delivery.context.trace_id, delivery.context.span_id)
    assert delivery.attributes == {
        "crafty.delivery": "d-1",
        "crafty.source": "jira",
        "crafty.event": "jira:issue_updated",
        "crafty.duplicate": False,
    }
    assert look.attributes is not None
    assert look.attributes["crafty.effects"] == ("comment done",)
    assert look.status.is_unset


async def test_work_that_no_delivery_asked_for_has_a_trace_of_its_own_and_says_when_it_failed(
    redis: Redis, clock: SetClock, provider: TracerProvider, spans: InMemorySpanExporter
) -> None:
    queue = TracedQueue(redis, clock, provider.get_tracer("crafty"))
    await delivered(queue, "d-1", "SE-2")
    await worked_off(queue, redis, Result(ending="failed", error="because"))
    look = named(spans, "look")
    assert look.parent is None
    assert look.status.description == "because"


async def test_a_duplicate_says_so_and_takes_over_no_trace(
    redis: Redis, clock: SetClock, provider: TracerProvider, spans: InMemorySpanExporter
) -> None:
    queue = TracedQueue(redis, clock, provider.get_tracer("crafty"))
    await delivered(queue, "d-1")
    await delivered(queue, "d-1")
    await worked_off(queue, redis, Result(ending="done"))
    first, second = (span for span in spans.get_finished_spans() if span.name == "delivery")
    look = named(spans, "look")
    assert second.attributes is not None
    assert second.attributes["crafty.duplicate"] is True
    assert look.parent is not None
    assert first.context is not None
    assert look.parent.trace_id == first.context.trace_id


async def test_a_delivery_that_can_not_be_stored_fails_as_ever(
    tmp_path: Path, clock: SetClock, provider: TracerProvider
) -> None:
    away = Redis(connection_pool=store.connect(f"unix://{tmp_path}/nowhere.sock"))
    with pytest.raises(RedisAway):
        await delivered(TracedQueue(away, clock, provider.get_tracer("crafty")), "d-1")


async def test_nobody_is_told_unless_it_is_set(redis: Redis, clock: SetClock) -> None:
    assert type(queue_of(settings_of(), redis, clock)) is Queue
    assert type(queue_of(settings_of(otlp_url="http://collector:4318"), redis, clock)) is TracedQueue


def test_sentry_sees_no_request_no_secret_and_no_address() -> None:
    event = {
        "request": {"url": "https://crafty.example/webhooks/jira?token=hush"},
        "user": {"id": "ann"},
        "exception": {"values": [{"type": "ValueError", "value": "bad token hush of ann@example.org"}]},
        "level": "error",
        "timestamp": 5.0,
    }
    told = for_sentry(scrubber(["hush"]))(event, {})
    assert told == {
        "exception": {"values": [{"type": "ValueError", "value": "bad token [redacted] of [redacted]"}]},
        "level": "error",
        "timestamp": 5.0,
    }


def test_sentry_begins_with_what_crafty_says_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: dict[str, Any] = {}
    monkeypatch.setattr(sentry_sdk, "init", lambda dsn, **how: begun.update(how, dsn=dsn))
    telemetry.start(settings_of(sentry_dsn=SecretStr("https://key@errors.example/1")), "api")
    assert begun["dsn"] == "https://key@errors.example/1"
    assert begun["before_send"]({"message": "with https://key@errors.example/1", "request": {}}, {}) == {
        "message": "with [redacted]"
    }


@pytest.mark.parametrize(
    ("setting", "extra"),
    [
        pytest.param({"otlp_url": "http://collector:4318"}, "CRAFTY_OTLP_URL.*crafty.traces", id="traces"),
        pytest.param({"sentry_dsn": SecretStr("https://k@x/1")}, "CRAFTY_SENTRY_DSN.*crafty.sentry", id="Sentry"),
    ],
)
def test_an_extra_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, setting: dict[str, Any], extra: str
) -> None:
    usual = builtins.__import__

    def lacking(name: str, *rest: Any) -> Any:
        if name.startswith(("sentry_sdk", "opentelemetry.exporter")):
            raise ImportError(name)
        return usual(name, *rest)

    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(ConfigError, match=extra):
        telemetry.start(settings_of(**setting), "api")
