"""The command that runs everything."""

from __future__ import annotations

import sys

import uvloop

from service.cli._session import prepared
from service.serve.together import run_up


def up() -> None:
    """Runs the API and a worker, with an embedded Redis unless CRAFTY_REDIS_URL is set."""
    sys.exit(uvloop.run(run_up(prepared(serves=True).settings)))
