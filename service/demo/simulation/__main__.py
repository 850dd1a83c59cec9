"""`make simulate`: plays a sprint of ten people and sixty tickets by chance; does Crafty keep its promises?

--seed N draws other people's doings; --datacenter plays on that Jira; --webhooks off leaves everything to the sweeps,
--webhooks twice sends each webhook two times, in shuffled order.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Final

import uvloop

from service import log
from service.demo._jira_site import Flavour
from service.demo.simulation.plan import planned
from service.demo.simulation.play import cast, play
from service.demo.simulation.report import show
from service.errors import CraftyError

TICKETS: Final = 60


def main() -> int:
    """The exit code: 0 if every promise was kept."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seed", type=int, default=7, help="what chance draws by")
    parser.add_argument("--datacenter", action="store_true", help="play on Jira Data Center instead of Jira Cloud")
    parser.add_argument("--webhooks", choices=("on", "off", "twice"), default="on", help="how webhooks come")
    chosen = parser.parse_args()
    log.configure("console", "ERROR")
    began, team = time.monotonic(), cast()
    flavour: Flavour = "datacenter" if chosen.datacenter else "cloud"
    try:
        outcome = uvloop.run(play(planned(chosen.seed, team, TICKETS), team, chosen.seed, flavour, chosen.webhooks))
    except CraftyError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    title = f"Seed {chosen.seed}, Jira {flavour}, webhooks {chosen.webhooks}"
    return int(bool(show(outcome, title, time.monotonic() - began)))


if __name__ == "__main__":
    sys.exit(main())
