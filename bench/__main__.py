"""`make bench`: prints a table and JSON; with --short it fails when a ratio has fallen far.

With --backtest it measures a back-test over ten thousand deliveries instead, with --calls how often a typical day makes
Crafty ask other systems; both fail above what is promised.
"""

import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from bench import backtest, calls, evaluation, footprint, ingest, pickup
from bench.servers import LOAD, pin
from service.embedded import embedded_redis

LEAST = {"ingest / bare": 0.05, "ingest / obvious": 1.0}
MOST = {
    "pick-up ms, median": 10.0,
    "evaluation: twice the rules": 2.5,
    "evaluation: 200 cells and 2,000 people / 2 and 20": 1.3,
    "crafty: script calls a delivery": 1.0,
    "crafty: Redis bytes a delivery": 7000.0,
    "api: resident MB": 110.0,
    "worker: resident MB": 110.0,
}
"""Guards against falling back; docs/performance.md tells the goals."""


def main() -> int:
    """Measures everything once; 1 when a short run falls below what is promised."""
    if "--backtest" in sys.argv:
        return _measure_backtest()
    if "--calls" in sys.argv:
        return _measure_calls()
    short = "--short" in sys.argv
    with tempfile.TemporaryDirectory(prefix="crafty-bench-") as folder:
        result = uvloop.run(_measure(Path(folder), rounds=2 if short else 5, seconds=0.6 if short else 2.0))
    _show(result)
    fallen = [name for name, least in LEAST.items() if result[name] < least]
    fallen += [name for name, most in MOST.items() if result[name] > most]
    if fallen:
        sys.stderr.write(f"below what is promised: {', '.join(fallen)}\n")
    return int(bool(fallen))


def _measure_backtest() -> int:
    with tempfile.TemporaryDirectory(prefix="crafty-bench-") as folder:
        result = asyncio.run(backtest.measure(Path(folder)))
    _show(result)
    is_slow = result["back-test seconds"] > backtest.MOST_SECONDS
    is_large = result["back-test MB"] > backtest.MOST_MEGABYTES
    return int(is_slow or is_large)


def _measure_calls() -> int:
    with tempfile.TemporaryDirectory(prefix="crafty-bench-") as folder:
        result = asyncio.run(calls.measure(Path(folder)))
    _show(result)
    return int(result["calls per 1,000 webhooks"] > calls.MOST_CALLS)


async def _measure(folder: Path, rounds: int, seconds: float) -> dict[str, Any]:
    pin(0, LOAD)
    evaluated = evaluation.measure()
    async with embedded_redis(folder / "data") as url:
        path = Path(url.removeprefix("unix://"))
        taken = await ingest.measure(folder, path, rounds, seconds)
        started = footprint.measure(folder, path, rounds - 1)
        own = await pickup.crafty(path, samples=rounds * 8)
        arq = await pickup.arq_defaults(path, samples=rounds * 3)
    return {
        **taken,
        **evaluated,
        **started,
        "pick-up ms, median": statistics.median(own),
        "pick-up ms of arq's defaults, median": statistics.median(arq),
    }


def _show(result: Mapping[str, Any]) -> None:
    table = Table("measured", "value", title="Crafty's benchmark (ratios of one run)")
    for name, value in result.items():
        table.add_row(name, " to ".join(f"{one:.2f}" for one in value) if isinstance(value, tuple) else f"{value:.2f}")
    Console().print(table)
    sys.stdout.write(json.dumps(result, default=float) + "\n")


if __name__ == "__main__":
    sys.exit(main())
