"""`make fuzz`: almost right deliveries for the four parsers; exit 1 when one fails, is slow or takes much memory.

ARGS: `--seconds 60` for all sources together, `--source jira` for one alone, `--again FILE` for a delivery that was
found before.
"""

import subprocess
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from fuzz.door import Door
from fuzz.ran import Ran
from fuzz.seeds import SOURCES, Sent

FINDS = Path(".fuzz")
MOST_GROWN = 200 * 1024 * 1024
_PATIENCE_SECONDS = 60


def main() -> int:
    """Fuzzes each source in a process of its own, one after the other."""
    wanted = _arguments()
    if wanted.again:
        return _again(wanted.again)
    if find_spec("atheris") is None:
        sys.stderr.write("atheris is not there: it has wheels for Linux on x86-64 only.\n")
        return 2
    sources = [wanted.source] if wanted.source else SOURCES
    FINDS.mkdir(exist_ok=True)
    runs = [_run(source, wanted.seconds / len(sources)) for source in sources]
    _show(runs)
    failures = [f"{ran.source}: {what}: {path}" for ran in runs for what, path in _failures(ran)]
    sys.stderr.writelines(f"{failure}\n" for failure in failures)
    return int(bool(failures))


def _arguments() -> Namespace:
    parser = ArgumentParser(prog="make fuzz")
    parser.add_argument("--seconds", type=float, default=60, help="for all sources together")
    parser.add_argument("--source", choices=SOURCES, help="one alone")
    parser.add_argument("--again", type=Path, help="a delivery that was found before; its name begins with its source")
    return parser.parse_args()


def _again(path: Path) -> int:
    sent = Sent.unpacked(path.read_bytes())
    sys.stdout.write(f"answered {Door(path.name.partition('-')[0]).knock(sent.headers, sent.body)}\n")
    return 0


def _run(source: str, seconds: float) -> Ran:
    """What the run saw; one that ended by itself, or never, is a find."""
    with tempfile.TemporaryDirectory(prefix="crafty-fuzz-") as corpus:
        command = [sys.executable, "-m", "fuzz.run", source, str(seconds), str(FINDS), corpus]
        with (FINDS / f"{source}.log").open("wb") as log:
            try:
                limit = seconds + _PATIENCE_SECONDS
                done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=log, timeout=limit)
            except subprocess.TimeoutExpired:
                return Ran(source, found={"it hung": f"{FINDS}/{source}.log"})
    if done.returncode:
        return Ran(source, found={f"the process ended with {done.returncode}": f"{FINDS}/{source}.log"})
    return msgspec.json.decode(done.stdout, type=Ran)


def _failures(ran: Ran) -> list[tuple[str, str]]:
    grown = [("its memory grew", f"{ran.grown >> 20} MiB")] if ran.grown > MOST_GROWN else []
    return [*ran.found.items(), *grown]


def _show(runs: Sequence[Ran]) -> None:
    columns = ("source", "runs", "a second", "accepted %", "slowest ms", "grown MiB", "finds")
    table = Table(*columns, title="What the fuzzer did")
    for ran in runs:
        table.add_row(*_row(ran))
    table.add_section()
    table.add_row(*_row(_together(runs)))
    Console().print(table)


def _row(ran: Ran) -> list[str]:
    rate = ran.executions / max(ran.seconds, 1)
    accepted = 100 * ran.accepted / max(ran.executions, 1)
    numbers = (ran.executions, rate, accepted, ran.slowest * 1000, ran.grown >> 20, len(ran.found))
    return [ran.source, *(f"{number:,.0f}" for number in numbers)]


def _together(runs: Sequence[Ran]) -> Ran:
    return Ran(
        "all",
        executions=sum(ran.executions for ran in runs),
        accepted=sum(ran.accepted for ran in runs),
        seconds=sum(ran.seconds for ran in runs),
        slowest=max(ran.slowest for ran in runs),
        grown=max(ran.grown for ran in runs),
        found={path: what for ran in runs for what, path in ran.found.items()},
    )


if __name__ == "__main__":
    sys.exit(main())
