"""`make bench`: prints a table and JSON; with --short it fails when a ratio has fallen far.

With --backtest it measures a back-test over ten thousand deliveries instead, with --calls how often a typical day makes
Crafty ask other systems; both fail above what is promised.
"""

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import backtest, calls, pickup
from bench.load import Measured, saturate
from service.embedded import embedded_redis

SECRET = "bench-secret"
ROOT = Path(__file__).parent.parent
LEAST = {"ingest / bare": 0.05, "ingest / obvious": 0.6}
MOST_PICKUP_MS = 10.0

CONFIG = """
[calendar]
anchor = 2026-11-02T09:00:00
[[cells]]
name = "Bench"
projects = ["SE"]
"""


def main() -> int:
    """Measures everything once; 1 when a short run falls below what is promised."""
    if "--backtest" in sys.argv:
        return _measure_backtest()
    if "--calls" in sys.argv:
        return _measure_calls()
    short = "--short" in sys.argv
    with tempfile.TemporaryDirectory(prefix="crafty-bench-") as folder:
        result = asyncio.run(_measure(Path(folder), rounds=2 if short else 5, seconds=1.0 if short else 4.0))
    _show(result)
    fallen = [name for name, least in LEAST.items() if result[name] < least]
    fallen += ["pick-up"] if result["pick-up ms, median"] > MOST_PICKUP_MS else []
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


async def _measure(folder: Path, rounds: int, seconds: float) -> dict[str, float]:
    async with embedded_redis(folder / "data") as url:
        path = Path(url.removeprefix("unix://"))
        measured = await _ingest(folder, path, rounds, seconds)
        own = await pickup.crafty(path, samples=rounds * 10)
        arq = await pickup.arq_defaults(path, samples=rounds * 5)
    rates = {name: statistics.median(one.rate for one in runs) for name, runs in measured.items()}
    crafty = measured["crafty"]
    return {
        "ingest / bare": rates["crafty"] / rates["bare"],
        "ingest / obvious": rates["crafty"] / rates["obvious"],
        "ingest p50 ms, saturated": statistics.median(one.p50 for one in crafty),
        "ingest p99 ms, saturated": statistics.median(one.p99 for one in crafty),
        "pick-up ms, median": statistics.median(own),
        "pick-up ms of arq's defaults, median": statistics.median(arq),
    }


async def _ingest(folder: Path, redis: Path, rounds: int, seconds: float) -> dict[str, list[Measured]]:
    """Interleaved rounds of the three servers, each pinned to one core where the system can, the load on another."""
    measured: dict[str, list[Measured]] = {"bare": [], "obvious": [], "crafty": []}
    (folder / "crafty.toml").write_text(CONFIG)
    environ = {
        **os.environ,
        "BENCH_REDIS_SOCKET": str(redis),
        "PYTHONPATH": str(ROOT),
        "CRAFTY_REDIS_URL": f"unix://{redis}",
        "CRAFTY_JIRA_WEBHOOK_SECRET": SECRET,
        "CRAFTY_LOG_LEVEL": "WARNING",
    }
    with ExitStack() as stack:
        ports = {name: stack.enter_context(_server(name, folder, environ)) for name in measured}
        for number in range(rounds):
            for name, port in ports.items():
                measured[name].append(await saturate(port, SECRET, f"{name}-{number}", seconds))
    return measured


@contextmanager
def _server(name: str, folder: Path, environ: Mapping[str, str]) -> Iterator[int]:
    port = _free_port()
    options = ["--port", str(port), "--no-access-log", "--log-level", "warning", "--loop", "uvloop"]
    commands = {
        "bare": [sys.executable, "-m", "uvicorn", "bench.baselines:bare", *options, "--lifespan", "off"],
        "obvious": [sys.executable, "-m", "uvicorn", "bench.baselines:obvious", *options],
        "crafty": [sys.executable, "-m", "service.cli", "api"],
    }
    process = subprocess.Popen(commands[name], cwd=folder, env={**environ, "CRAFTY_PORT": str(port)})
    try:
        _pin(process.pid)
        _until_it_listens(port, process)
        yield port
    finally:
        process.terminate()
        process.wait()


def _pin(pid: int) -> None:
    if hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(pid, {max(os.sched_getaffinity(0))})


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(400):
        if process.poll() is not None:
            raise RuntimeError(f"a server ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"nothing listens on port {port}")


def _show(result: Mapping[str, float]) -> None:
    table = Table("measured", "value", title="Crafty's benchmark (ratios of one run)")
    for name, value in result.items():
        table.add_row(name, f"{value:.2f}")
    Console().print(table)
    sys.stdout.write(json.dumps({name: round(value, 3) for name, value in result.items()}) + "\n")


if __name__ == "__main__":
    sys.exit(main())
