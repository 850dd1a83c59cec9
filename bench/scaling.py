"""What a second API process adds: both on all cores, which they share with the load and Redis."""

import asyncio
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.deliveries import Signed, endless, prepared
from bench.load import CONNECTIONS, saturate
from bench.servers import SECRET, cpu_seconds, environ, everywhere, server


async def measure(folder: Path, socket: Path, rounds: int, seconds: float) -> dict[str, float]:
    """Ratios of two processes to one, medians of turns: deliveries a second, and processor time for each."""
    requests = prepared(SECRET)
    rates, costs = [], []
    with ExitStack() as stack:
        processes = [stack.enter_context(server("crafty", folder, environ(socket))) for _ in range(2)]
        for _, pid in processes:
            everywhere(pid)
        for number in range(rounds):
            one = await _taken(processes[:1], requests, f"one-{number}", seconds)
            two = await _taken(processes, requests, f"two-{number}", seconds)
            rates.append(two[0] / one[0])
            costs.append(two[1] / one[1])
    return {
        "two API processes / one: deliveries a second": statistics.median(rates),
        "two API processes / one: CPU a delivery": statistics.median(costs),
    }


async def _taken(
    processes: Sequence[tuple[int, int]], requests: list[Signed], run: str, seconds: float
) -> tuple[float, float]:
    """How many deliveries a second the processes took together, and their processor's seconds for one."""
    started = sum(cpu_seconds(pid) for _, pid in processes)
    each = CONNECTIONS // len(processes)
    measured = await asyncio.gather(
        *(saturate(port, endless(requests, f"{run}-{port}"), seconds, each) for port, _ in processes)
    )
    used = sum(cpu_seconds(pid) for _, pid in processes) - started
    return sum(one.rate for one in measured), used / sum(one.count for one in measured)
