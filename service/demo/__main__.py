"""`make demo`: plays the story; --once ends after it, --datacenter plays it on that Jira."""

import argparse
import contextlib
import sys

import uvloop

from service import log
from service.demo.story import tell
from service.errors import CraftyError


def main() -> int:
    """The exit code: 0 if every expected effect was seen."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the story instead of serving on")
    parser.add_argument("--datacenter", action="store_true", help="play on Jira Data Center instead of Jira Cloud")
    chosen = parser.parse_args()
    log.configure("console", "ERROR")
    try:
        with contextlib.suppress(KeyboardInterrupt):
            return uvloop.run(tell(once=chosen.once, flavour="datacenter" if chosen.datacenter else "cloud"))
    except CraftyError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
