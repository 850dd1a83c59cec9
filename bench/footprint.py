"""How long the API and a worker take to be ready, and the memory that each holds then."""

import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.servers import command, cpu_seconds, environ, free_port, resident_megabytes

GIVE_UP_SECONDS = 30.0


def measure(folder: Path, socket: Path, rounds: int) -> dict[str, Any]:
    """Seconds from the start of the process, those of them that it used a processor, and megabytes; medians."""
    told: dict[str, Any] = {}
    for name in ("api", "worker"):
        runs = [_started(name, folder, environ(socket)) for _ in range(rounds)]
        for place, what in enumerate(("seconds until ready", "CPU seconds until ready", "resident MB")):
            told[f"{name}: {what}"] = statistics.median(run[place] for run in runs)
    return told


def _started(name: str, folder: Path, variables: Mapping[str, str]) -> tuple[float, float, float]:
    port, log = free_port(), folder / f"{name}.start.log"
    argv = command("crafty", port) if name == "api" else [sys.executable, "-m", "service.cli", "worker"]
    is_ready = (lambda: _answers(port)) if name == "api" else (lambda: "worker.started" in log.read_text())
    with log.open("wb") as out:
        begun = time.perf_counter()
        process = subprocess.Popen(
            argv, cwd=folder, env={**variables, "CRAFTY_PORT": str(port)}, stdout=out, stderr=out
        )
    try:
        _wait(is_ready)
        return time.perf_counter() - begun, cpu_seconds(process.pid), resident_megabytes(process.pid)
    finally:
        process.terminate()
        process.wait()


def _wait(is_ready: Callable[[], bool]) -> None:
    until = time.perf_counter() + GIVE_UP_SECONDS
    while not is_ready():
        if time.perf_counter() > until:
            raise RuntimeError("a process does not become ready")
        time.sleep(0.005)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
