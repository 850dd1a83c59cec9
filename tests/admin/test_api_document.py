"""What the OpenAPI document promises holds for whatever is sent, and it tells of every call by an example."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from redis import Redis as SyncRedis
from redis.asyncio import Redis
from schemathesis.config import SchemathesisConfig

from service import store
from service.ledger import Ledger
from service.queue import Queue
from tests.admin.calling import ADMIN, app_with_tokens, calling, deliver
from tests.conftest import SetClock
from tests.test_cli_ledgers import SPILLED
from tests.test_steering import comment, given_up

CLOCK = SetClock(datetime(2026, 11, 3, 9, 0, tzinfo=UTC))
WHAT_NO_SCHEMA_SAYS = ["410", "412", "422"]
"""A schema can't tell which etags and cursors were given out, what a cell is called, and what a rule's params are."""

CONFIG = SchemathesisConfig.from_dict(
    {
        "headers": {"Authorization": f"Bearer {ADMIN}"},
        "checks": {
            "positive_data_acceptance": {"expected-statuses": ["2xx", "401", "403", "404", "409", *WHAT_NO_SCHEMA_SAYS]}
        },
        # An id may be "retry", or end in "/retry", so that these addresses take a DELETE too.
        "operations": [
            {"include-path": path, "checks": {"allow_header_conformance": {"enabled": False}}}
            for path in ("/api/v1/jobs/retry", "/api/v1/jobs/{job_id}/retry")
        ],
    }
)
NOWHERE = app_with_tokens("unix:///nowhere/redis.sock", CLOCK)
DOCUMENT: dict[str, Any] = NOWHERE.openapi()
CALLS = [(method, path) for path, calls in DOCUMENT["paths"].items() for method in calls if path.startswith("/api/v1")]

schema = schemathesis.openapi.from_asgi("/openapi.json", NOWHERE, config=CONFIG)


@pytest.fixture(scope="module")
def service(redis_url: str) -> FastAPI:
    """The service, with something in every list."""
    app = app_with_tokens(redis_url, CLOCK)
    asyncio.run(_filled(redis_url, app))
    return app


async def _filled(redis_url: str, app: FastAPI) -> None:
    redis = Redis(connection_pool=store.connect(redis_url))
    await redis.flushall()
    await given_up(Queue(redis, CLOCK), redis, comment("SE-123"))
    await Ledger(redis).keep_line(SPILLED)
    await Ledger(redis).warn("Serenity", "two sprints are active at once")
    await redis.aclose(close_connection_pool=True)
    async with calling(app) as client:
        await deliver(client, "2b5a1c6e-7d0f-4f2a-9a3e-0c1d2e3f4a5b")


@pytest.fixture(scope="module")
def guesses(redis_url: str) -> Iterator[SyncRedis]:
    """Where wrong tokens are counted: one of the checks shows many."""
    with SyncRedis.from_url(redis_url) as client:
        yield client


@schema.include(path_regex="/api/v1").parametrize()
@settings(max_examples=12, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_the_document_promises(
    case: schemathesis.Case[Any], guesses: SyncRedis, service: FastAPI
) -> None:
    guesses.delete("crafty:guesses:testclient")
    case.call_and_validate(app=service)


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_every_call_is_described_with_examples(method: str, path: str) -> None:
    call = DOCUMENT["paths"][path][method]
    assert call["summary"]
    assert call["description"]
    assert all("example" in str(one["schema"]) for one in call.get("parameters", ()) if one["in"] == "path")
    for status, answer in call["responses"].items():
        for kind, content in answer.get("content", {}).items():
            assert "example" in content, (status, kind)


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_every_example_is_what_its_schema_says(method: str, path: str) -> None:
    for answer in DOCUMENT["paths"][path][method]["responses"].values():
        for content in answer.get("content", {}).values():
            jsonschema.validate(content["example"], {**DOCUMENT, **content["schema"]})


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_the_manual_names_every_call(method: str, path: str) -> None:
    manual = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    assert f"`{method.upper()} {path.removeprefix('/api/v1')}`" in manual
