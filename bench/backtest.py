"""`make bench ARGS=--backtest`: `crafty backtest` over ten thousand stored deliveries, as an operator runs it."""

import json
import os
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from bench.deliveries import FIELDS, payload
from service import store
from service.clock import utc_now
from service.embedded import embedded_redis
from service.ledger import Delivery, Ledger, Site
from service.queue import Queue, Taken

DELIVERIES = 10_000
CHANGE = "green-ticket.reminder_lead=96h"


async def measure(folder: Path) -> dict[str, float]:
    """Seconds, megabytes, and how many deliveries were looked at and actions found to differ."""
    async with embedded_redis(folder / "data") as url:
        await _fill(url)
        return _backtest(folder, url)


async def _fill(url: str) -> None:
    """Stores deliveries of the last thirteen days about two thousand tickets of the next sprint."""
    redis = Redis(connection_pool=store.connect(url))
    await Ledger(redis).keep_site(Site(fields=FIELDS))
    first = datetime.now(UTC) - timedelta(days=13)
    for number in range(DELIVERIES):
        received = first + timedelta(days=13) * number / DELIVERIES
        record = Delivery(
            id=f"d-{number}",
            source="jira",
            event="jira:issue_updated",
            subject=f"SE-{number % 2000}",
            received=received,
        )
        body = json.dumps(_payload(number, received)).encode()
        taken = Taken(delivery=record, body=body, marks=[record.id])
        await Queue(redis, lambda at=received: at).ingest(taken, "1")  # type: ignore[misc] # a clock of that moment
    await redis.aclose(close_connection_pool=True)


def _payload(number: int, at: datetime) -> dict[str, Any]:
    usual = payload(number % 2000 + 1)
    sprint = {"id": 42, "name": "SE Sprint 42", "state": "future", "boardId": 12}
    empty = dict.fromkeys(FIELDS.ids())
    fields = {**usual["issue"]["fields"], **empty, "customfield_10104": [sprint]}
    issue = {"id": f"{number}", "key": f"SE-{number % 2000}", "fields": fields}
    return {**usual, "timestamp": int(at.timestamp() * 1000), "issue": issue}


def _backtest(folder: Path, url: str) -> dict[str, float]:
    anchor = (utc_now() - timedelta(days=14)).strftime("%Y-%m-%dT09:00:00")
    (folder / "crafty.toml").write_text(
        f'[calendar]\nanchor = {anchor}\n[[cells]]\nname = "Bench"\nprojects = ["SE"]\n'
    )
    command = [sys.executable, "-m", "service.cli", "backtest", "--since", "14d", "--set", CHANGE, "--json"]
    environ = {**os.environ, "CRAFTY_REDIS_URL": url, "PYTHONPATH": str(Path(__file__).parents[1])}
    started = time.perf_counter()
    answer = subprocess.run(command, cwd=folder, env=environ, capture_output=True, check=True)
    seconds = time.perf_counter() - started
    result = json.loads(answer.stdout)
    return {
        "back-test seconds": seconds,
        "back-test MB": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        "deliveries": result["deliveries"],
        "actions that differ": len(result["shifts"]),
    }
