"""The servers that are measured, each a process of its own, and what they use of the machine."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
SECRET = "bench-secret"
LOAD, LOADED = 0, 1
"""The core of the load generator and of Redis, and that of the server that is measured."""

_POLLS = 2000
_TICKS = os.sysconf("SC_CLK_TCK")


def environ(redis: Path) -> dict[str, str]:
    """What all of them are told."""
    return {
        **os.environ,
        "BENCH_REDIS_SOCKET": str(redis),
        "PYTHONPATH": str(ROOT),
        "CRAFTY_REDIS_URL": f"unix://{redis}",
        "CRAFTY_JIRA_WEBHOOK_SECRET": SECRET,
    }


def command(name: str, port: int) -> list[str]:
    """How the server of that name is started: two of bench.baselines, and Crafty's own API."""
    uvicorn = [sys.executable, "-m", "uvicorn", f"bench.baselines:{name}", "--port", str(port), "--loop", "uvloop"]
    quiet = ["--no-access-log", "--log-level", "warning", "--lifespan", "off"]
    commands = {"bare": [*uvicorn, *quiet], "obvious": uvicorn, "crafty": [sys.executable, "-m", "service.cli", "api"]}
    return commands[name]


@contextmanager
def server(name: str, folder: Path, variables: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    """Runs it on the last core, its log in a file; yields its port and process id once it listens."""
    port = free_port()
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            command(name, port), cwd=folder, env={**variables, "CRAFTY_PORT": str(port)}, stdout=log, stderr=log
        )
    try:
        pin(process.pid, LOADED)
        _until_it_listens(port, process)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def pin(pid: int, core: int) -> None:
    """Keeps a process and its children to come to one core, where the system can and has several."""
    if hasattr(os, "sched_setaffinity") and core < (os.cpu_count() or 1):
        os.sched_setaffinity(pid, {core})


def everywhere(pid: int) -> None:
    """Lets a process run on every core, where the system can tell them apart."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(pid, range(os.cpu_count() or 1))


def cpu_seconds(pid: int) -> float:
    """The processor time a process has used; 0 where the system has no /proc."""
    stat = Path(f"/proc/{pid}/stat")
    fields = stat.read_text().rpartition(") ")[2].split() if stat.exists() else ["0"] * 13
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_megabytes(pid: int) -> float:
    """The memory a process holds; 0 where the system has no /proc."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(_POLLS):
        if process.poll() is not None:
            raise RuntimeError(f"a server ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise RuntimeError(f"nothing listens on port {port}")
