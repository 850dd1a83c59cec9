"""How fast webhooks are taken: Crafty beside both baselines, in turns, the load and Redis on a core of their own."""

import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from bench.deliveries import FIELDS, Signed, config, endless, prepared
from bench.load import Measured, pace, saturate
from bench.servers import SECRET, cpu_seconds, environ, server
from service.ledger import Ledger, Site

SERVERS = ("bare", "obvious", "crafty")
WARM_UP_SECONDS = 0.3


@dataclass(frozen=True)
class Used:
    """What a round took, for each delivery: microseconds of the server's and Redis' processor, commands, bytes kept."""

    server: float
    redis: float
    commands: float
    scripts: float
    stored: float


@dataclass(frozen=True)
class Turn:
    """One server's turn: as much as it takes, and half of that."""

    full: Measured
    half: Measured
    used: Used


async def measure(folder: Path, socket: Path, rounds: int, seconds: float) -> dict[str, Any]:
    """Ratios of medians, and what a delivery takes; spreads are the smallest and the largest round's ratio."""
    redis = Redis(unix_socket_path=str(socket))
    await Ledger(redis).keep_site(Site(fields=FIELDS))
    (folder / "crafty.toml").write_text(config())
    turns: dict[str, list[Turn]] = {name: [] for name in SERVERS}
    requests = prepared(SECRET)
    with ExitStack() as stack:
        running = {name: stack.enter_context(server(name, folder, environ(socket))) for name in SERVERS}
        for number in range(rounds):
            for name, (port, pid) in running.items():
                turns[name].append(await _turn(redis, port, pid, requests, f"{name}-{number}", seconds))
    await redis.aclose()
    return _told(turns)


async def _turn(redis: Any, port: int, pid: int, requests: list[Signed], run: str, seconds: float) -> Turn:
    await saturate(port, endless(requests, f"{run}-w"), WARM_UP_SECONDS)
    before, started = await redis.info("all"), cpu_seconds(pid)
    full = await saturate(port, endless(requests, f"{run}-f"), seconds)
    ended, after = cpu_seconds(pid), await redis.info("all")
    half = await pace(port, endless(requests, f"{run}-h"), seconds, full.rate / 2)
    return Turn(full, half, _used(before, after, ended - started, full.count))


def _used(before: Mapping[str, Any], after: Mapping[str, Any], seconds: float, count: int) -> Used:
    def grown(*names: str) -> float:
        return sum(float(after[name]) - float(before[name]) for name in names) / count

    calls = [
        sum(info.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("evalsha", "eval")) for info in (before, after)
    ]
    return Used(
        server=seconds / count * 1e6,
        redis=grown("used_cpu_user", "used_cpu_sys") * 1e6,
        commands=grown("total_commands_processed"),
        scripts=(calls[1] - calls[0]) / count,
        stored=grown("used_memory"),
    )


def _told(turns: Mapping[str, Sequence[Turn]]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for other in ("bare", "obvious"):
        ratios = [own.full.rate / one.full.rate for own, one in zip(turns["crafty"], turns[other], strict=True)]
        told[f"ingest / {other}"] = statistics.median(ratios)
        told[f"ingest / {other}, least and most"] = (min(ratios), max(ratios))
    for name, own in turns.items():
        told[f"{name}: a second"] = statistics.median(turn.full.rate for turn in own)
        told[f"{name}: CPU µs a delivery"] = statistics.median(turn.used.server for turn in own)
        told[f"{name}: p50, p99 ms, saturated"] = _latencies([turn.full for turn in own])
        told[f"{name}: p50, p99 ms, half load"] = _latencies([turn.half for turn in own])
        told[f"{name}: Redis CPU µs a delivery"] = statistics.median(turn.used.redis for turn in own)
    own = turns["crafty"]
    told["crafty: Redis commands a delivery"] = statistics.median(turn.used.commands for turn in own)
    told["crafty: script calls a delivery"] = statistics.median(turn.used.scripts for turn in own)
    told["crafty: Redis bytes a delivery"] = statistics.median(turn.used.stored for turn in own)
    return told


def _latencies(measured: Sequence[Measured]) -> tuple[float, float]:
    return statistics.median(one.p50 for one in measured), statistics.median(one.p99 for one in measured)
