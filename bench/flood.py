"""`make bench ARGS=--flood`: a hundred senders at once for five minutes, each as fast as it is answered."""

import statistics
from pathlib import Path

from redis.asyncio import Redis

from bench.deliveries import FIELDS, config, endless, prepared
from bench.load import saturate
from bench.servers import SECRET, environ, resident_megabytes, server
from service.embedded import embedded_redis
from service.ledger import Ledger, Site

SENDERS = 100
SLICES = 30
SLICE_SECONDS = 10.0


async def measure(folder: Path) -> dict[str, float]:
    """How many were taken, how long they waited, and the API's memory; raises RuntimeError for any answer but a 2xx."""
    (folder / "crafty.toml").write_text(config())
    async with embedded_redis(folder / "data") as url:
        socket = Path(url.removeprefix("unix://"))
        redis = Redis(unix_socket_path=str(socket))
        await Ledger(redis).keep_site(Site(fields=FIELDS))
        await redis.aclose()
        requests = prepared(SECRET)
        with server("crafty", folder, environ(socket)) as (port, pid):
            turns, memory = [], []
            for number in range(SLICES):
                turns.append(await saturate(port, endless(requests, f"{number}"), SLICE_SECONDS, SENDERS))
                memory.append(resident_megabytes(pid))
    return {
        "flood: taken": float(sum(turn.count for turn in turns)),
        "flood: a second": statistics.median(turn.rate for turn in turns),
        "flood: p50 ms": statistics.median(turn.p50 for turn in turns),
        "flood: p99 ms, the worst ten seconds": max(turn.p99 for turn in turns),
        "flood: MB after ten seconds": memory[0],
        "flood: MB more in the end": memory[-1] - memory[0],
    }
