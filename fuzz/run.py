"""One source's run: `python -m fuzz.run SOURCE SECONDS FINDS CORPUS` prints a line of JSON.

FINDS, CORPUS: folders for what was found, and for what libFuzzer starts from and learns.
"""

import os
import resource
import sys
import time
import traceback
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path

import atheris
import msgspec

from fuzz.ran import Ran
from fuzz.seeds import Sent, seeds
from service import log

READS_AND_DECIDES = [
    *("service.webhooks", "service.jira_shapes", "service.discourse_shapes", "service.github_shapes"),
    *("service.gitlab_shapes", "service.commands", "service.contributions", "service.engine", "service.rules"),
]

with atheris.instrument_imports(include=READS_AND_DECIDES):
    from fuzz.door import Broken, Door
    from fuzz.mutations import Mutator

LONGEST_SECONDS = 1.0
MOST_BYTES = 64 * 1024
WARM_UP = 2_000
MOST_GROWN = 200 * 1024 * 1024
_PEEK = 1_000
_RSS_UNIT = 1024


class Run:
    """Knocks at one door with whatever comes, and keeps going after a failure."""

    def __init__(self, source: str, seconds: float, folder: Path) -> None:
        self.ran = Ran(source)
        self._door, self._folder = Door(source), folder
        self._started, self._seconds = time.monotonic(), seconds
        self._largest = self._at_first = _largest()

    def execute(self, data: bytes) -> None:
        """One delivery; ends the process when the time is over."""
        before, began = self._largest, time.thread_time()
        try:
            self._knock(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a find
            self._keep(_kind_of(error), data)
        took, self._largest = time.thread_time() - began, _largest()
        self._measure(data, took, self._largest - before)
        self.ran.executions += 1
        if self.ran.executions % _PEEK == 0:
            self._look_around()

    def _knock(self, data: bytes) -> None:
        sent = Sent.unpacked(data)
        self.ran.accepted += self._door.knock(sent.headers, sent.body) == HTTPStatus.ACCEPTED

    def _measure(self, data: bytes, took: float, grown: int) -> None:
        if took > LONGEST_SECONDS:
            self._keep(f"took more than {LONGEST_SECONDS} s", data)
        if grown > MOST_GROWN:
            self._keep(f"took more than {MOST_GROWN >> 20} MiB", data)
        if took > self.ran.slowest:
            self.ran.slowest = took
            (self._folder / f"{self.ran.source}-slowest").write_bytes(data)

    def _keep(self, kind: str, data: bytes) -> None:
        if kind not in self.ran.found:
            path = self._folder / f"{self.ran.source}-{sha256(data).hexdigest()[:12]}"
            path.write_bytes(data)
            self.ran.found[kind] = str(path)

    def _look_around(self) -> None:
        if self.ran.executions <= WARM_UP:
            self._at_first = self._largest
        self.ran.grown = self._largest - self._at_first
        self.ran.seconds = time.monotonic() - self._started
        if self.ran.seconds > self._seconds:
            sys.stdout.write(msgspec.json.encode(self.ran).decode() + "\n")
            sys.stdout.flush()
            os._exit(0)


def _largest() -> int:
    """How many bytes of memory this process ever held at once."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT


def _kind_of(error: Exception) -> str:
    """Failures at one place of one type are one find."""
    if isinstance(error, Broken):
        return f"{error}"[:200]
    at = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}"


def main() -> None:
    """Fuzzes until the time is over, which ends the process."""
    source, seconds, folder, corpus = sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])
    log.configure("json", "CRITICAL")
    start = seeds(source)
    for number, sent in enumerate(start):
        (corpus / f"{number}").write_bytes(sent.packed())
    run, mutator = Run(source, seconds, folder), Mutator(start)
    options = [f"-max_len={MOST_BYTES}", "-timeout=30", "-rss_limit_mb=4096", f"-artifact_prefix={folder}/{source}-"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], run.execute, custom_mutator=mutator.mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
