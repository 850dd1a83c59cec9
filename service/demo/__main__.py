"""`make demo`: plays the story; --once ends after it, --datacenter plays it on that Jira.

--rough 0.1 lets a tenth of all calls to each vendor fail, which --seed draws.
"""

import argparse
import contextlib
import sys

import uvloop

from service import log
from service.demo._faults import rough
from service.demo._jira_site import Flavour
from service.demo.stage import CALM
from service.demo.story import tell
from service.errors import CraftyError


def main() -> int:
    """The exit code: 0 if every expected effect was seen."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the story instead of serving on")
    parser.add_argument("--datacenter", action="store_true", help="play on Jira Data Center instead of Jira Cloud")
    parser.add_argument("--rough", type=float, default=0.0, help="the share of calls that fail, from 0 to 1")
    parser.add_argument("--seed", type=int, default=7, help="what chance draws the failures by")
    chosen = parser.parse_args()
    weather = rough(chosen.rough, chosen.seed) if chosen.rough else CALM
    flavour: Flavour = "datacenter" if chosen.datacenter else "cloud"
    log.configure("console", "ERROR")
    try:
        with contextlib.suppress(KeyboardInterrupt):
            return uvloop.run(tell(once=chosen.once, flavour=flavour, weather=weather))
    except CraftyError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
