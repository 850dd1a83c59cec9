"""`python -m bench.storage`: what 100,000 deliveries of Jira's take in Redis, in memory and on disk.

It takes ten thousand in, and counts: each tells of one of a thousand tickets, in 12 KB with words drawn by chance.
"""

import asyncio
import json
import sys
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from pydantic import SecretStr
from redis.asyncio import Redis
from rich.console import Console
from rich.table import Table

from bench.deliveries import FIELDS, payload
from service import store
from service.clock import utc_now
from service.config import Config
from service.current import Current
from service.embedded import embedded_redis
from service.engine import rulebook
from service.ledger import PREFIX, Ledger, Site
from service.queue import Queue
from service.roster import team_from
from service.settings import Settings
from service.webhooks.intake import Intake
from service.webhooks.sources import Posted

DELIVERIES = 10_000
TOLD = 100_000
TICKETS = 1_000
ENTRIES_OF_ALL = 50_000
"""At which the timeline of all subjects is cut."""

OF_ALL = "timeline of all"

BATCH = 500
SECRET = "bench-secret"
TOKEN = "bench-token"
CONFIG = Config.model_validate({"cells": [{"name": "Bench", "projects": ["SE"]}]})
MEGABYTE = 1024 * 1024


async def measure(folder: Path) -> dict[str, float]:
    """Megabytes for 100,000 deliveries: of each family of keys in memory, of all of them, and of the file on disk."""
    async with embedded_redis(folder / "data") as url:
        redis: Any = Redis(connection_pool=store.connect(url))
        await _fill(redis)
        sizes, disk = await _sizes(redis), await _on_disk(redis)
        await redis.aclose(close_connection_pool=True)
    told = {f"{name}, MB": size * _times(name) / MEGABYTE for name, size in sizes.most_common() if size > MEGABYTE}
    return {**told, "all in memory, MB": sum(told.values()), "on disk at most, MB": disk * _times("") / MEGABYTE}


def _times(family: str) -> float:
    """How much more of it there is with all deliveries."""
    return (ENTRIES_OF_ALL if family == OF_ALL else TOLD) / DELIVERIES


async def _fill(redis: Any) -> None:
    """Takes them in as the service does, spread over thirteen days."""
    ledger = Ledger(redis)
    await ledger.keep_site(Site(fields=FIELDS))
    settings = Settings(config=CONFIG, jira_webhook_token=SecretStr(TOKEN))
    current = Current(ledger, rulebook(CONFIG))
    await current.reload()
    intake = Intake(settings, team_from(CONFIG), current, Queue(redis, utc_now))
    chance, first = Random(7), utc_now() - timedelta(days=13)
    words = ["".join(chance.choices("abcdefghijklmnoprstuvw", k=chance.randint(2, 9))) for _ in range(3_000)]
    for number in range(DELIVERIES):
        body = json.dumps(_payload(number, chance.choices(words, k=500))).encode()
        headers = {
            "content-type": "application/json",
            "user-agent": "Atlassian Webhook HTTP Client",
            "x-atlassian-webhook-identifier": f"3f2504e0-4f89-11d3-9a0c-{number:012}",
        }
        at = first + timedelta(days=13) * number / DELIVERIES
        await intake.take("jira", Posted(headers=headers, token=TOKEN, body=body, received=at))


def _payload(number: int, words: list[str]) -> dict[str, Any]:
    usual = payload()
    sprint = {"id": 42, "name": "SE Sprint 42", "state": "future", "boardId": 12}
    fields = {**usual["issue"]["fields"], **dict.fromkeys(FIELDS.ids()), "customfield_4": [sprint]}
    told = {"description": " ".join(words), "summary": " ".join(words[:6])}
    issue = {"id": f"{number}", "key": f"SE-{number % TICKETS + 1}", "fields": {**fields, **told}}
    return {**usual, "timestamp": 1793696400000 + number, "issue": issue}


async def _sizes(redis: Any) -> Counter[str]:
    """The bytes of each family of keys."""
    sizes: Counter[str] = Counter()
    keys = [key async for key in redis.scan_iter(f"{PREFIX}*", count=BATCH)]
    for start in range(0, len(keys), BATCH):
        async with redis.pipeline(transaction=False) as pipe:
            for key in keys[start : start + BATCH]:
                pipe.memory_usage(key, samples=0)
            taken = await pipe.execute()
        for key, size in zip(keys[start : start + BATCH], taken, strict=True):
            name = key.decode().removeprefix(PREFIX)
            sizes[OF_ALL if name == "timeline" else name.partition(":")[0]] += size or 0
    return sizes


async def _on_disk(redis: Any) -> int:
    """The bytes of the append-only file once it is written anew."""
    await redis.bgrewriteaof()
    while (found := await redis.info("persistence"))["aof_rewrite_in_progress"]:  # noqa: ASYNC110 - Redis tells nobody
        await asyncio.sleep(0.1)
    return int(found["aof_current_size"])


def main() -> int:
    """Prints the measured sizes as a table and as JSON."""
    with tempfile.TemporaryDirectory(prefix="crafty-bench-") as folder:
        result = asyncio.run(measure(Path(folder)))
    table = Table("for 100,000 deliveries", "MB", title="What Crafty stores")
    for name, value in result.items():
        table.add_row(name.removesuffix(", MB"), f"{value:.0f}")
    Console().print(table)
    sys.stdout.write(json.dumps({name: round(value, 1) for name, value in result.items()}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
