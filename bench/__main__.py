"""`make bench`: prints a table and JSON, and fails where a number is beyond its guard; --short is a quick look.

With one of these it measures something else instead: --backtest ten thousand stored deliveries, --calls how often a
typical day makes Crafty ask other systems, --sweep ten thousand tickets, --storage what deliveries take in Redis,
--flood a hundred senders for five minutes.
"""

import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from bench import (
    backtest,
    calls,
    evaluation,
    flood,
    footprint,
    idle,
    ingest,
    latency,
    pickup,
    scaling,
    storage,
    sweep,
    throughput,
)
from bench.servers import LOAD, free_port, pin
from service import log
from service.embedded import embedded_redis

LEAST = {
    "ingest / bare": 0.04,
    "ingest / obvious": 0.8,
    "worker / arq's defaults": 5.0,
}
MOST = {
    "pick-up ms, median": 10.0,
    "event to effect ms, median": 100.0,
    "idle: commands a second": 5.0,
    "evaluation: twice the rules": 4.0,
    "evaluation: 200 cells and 2,000 people / 2 and 20": 3.0,
    "crafty: script calls a delivery": 1.0,
    "crafty: Redis bytes a delivery": 7000.0,
    "api: resident MB": 110.0,
    "worker: resident MB": 110.0,
    "back-test seconds": 30.0,
    "back-test MB": 300.0,
    "calls per 1,000 webhooks": 60.0,
    "first sweep: searches": 110.0,
    "first sweep: MB more": 50.0,
    "flood: MB more in the end": 20.0,
}
"""Guards against falling far back, as one run on a busy machine may tell; docs/performance.md has the goals."""

OTHERS: Mapping[str, Callable[[Path], Coroutine[Any, Any, dict[str, float]]]] = {
    "--backtest": backtest.measure,
    "--calls": calls.measure,
    "--sweep": sweep.measure,
    "--storage": storage.measure,
    "--flood": flood.measure,
}


def main() -> int:
    """Measures everything once; 1 where something is beyond its guard."""
    log.configure("console", "ERROR")
    chosen = next((option for option in OTHERS if option in sys.argv), None)
    with tempfile.TemporaryDirectory(prefix="crafty-bench-") as folder:
        if chosen:
            result = uvloop.run(OTHERS[chosen](Path(folder)))
        else:
            is_short = "--short" in sys.argv
            rounds, seconds = (2, 0.6) if is_short else (5, 2.0)
            result = uvloop.run(_measure(Path(folder), rounds, seconds))
    _show(result)
    beyond = [name for name, least in LEAST.items() if result.get(name, least) < least]
    beyond += [name for name, most in MOST.items() if result.get(name, most) > most]
    if beyond:
        sys.stderr.write(f"beyond what is promised: {', '.join(beyond)}\n")
    return int(bool(beyond))


async def _measure(folder: Path, rounds: int, seconds: float) -> dict[str, Any]:
    pin(0, LOAD)
    evaluated = evaluation.measure()
    async with embedded_redis(folder / "taken") as url:
        path = Path(url.removeprefix("unix://"))
        taken = await ingest.measure(folder, path, rounds, seconds)
        started = footprint.measure(folder, path, rounds - 1)
        scaled = await scaling.measure(folder, path, rounds, seconds)
    async with embedded_redis(folder / "worked") as url:
        path = Path(url.removeprefix("unix://"))
        own = await pickup.crafty(path, samples=rounds * 8)
        arq = await pickup.arq_defaults(path, samples=rounds * 3)
        worked = await throughput.measure(path, jobs=rounds * 300)
        idled = await idle.measure(path, seconds=seconds * 4)
    effects = await latency.measure(folder, free_port(), samples=rounds * 15)
    return {
        **taken,
        **evaluated,
        **started,
        **scaled,
        **worked,
        **idled,
        "event to effect ms, median": statistics.median(effects),
        "event to effect ms, p99": statistics.quantiles(effects, n=100)[98],
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
