"""Whether a system answers at all from here, and what time it is there."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from service.findings import Finding, fine, wrong

CHECK: Final = "reach"
CLOCK: Final = "clock"
_SECONDS: Final = 10
_SMALL: Final = timedelta(minutes=1)


async def told_time(url: str) -> datetime | None:
    """The time that the server at `url` tells; None where it tells none. Any answer will do, and none is followed.

    Asks without credentials; raises httpx.HTTPError or ssl.SSLError where nobody answers.
    """
    async with httpx.AsyncClient(timeout=_SECONDS) as client:
        answer = await client.get(url)
    try:
        return parsedate_to_datetime(answer.headers.get("Date", ""))
    except ValueError:
        return None


def of_silence(system: str, fault: Exception) -> Finding:
    """Why nobody answers, as far as the fault tells."""
    words = f"{fault}".casefold()
    if isinstance(fault, ssl.SSLError) or "certificate" in words:
        what, mend = "its certificate is not trusted here", "Give the server a certificate that is publicly trusted."
    elif isinstance(fault, httpx.TimeoutException):
        what, mend = "nobody answers in time", "Let this machine out to it: look at firewalls and proxies."
    elif "name" in words or "address" in words:
        what, mend = "its name can't be looked up", "Look for a slip in its URL, and at this machine's DNS."
    else:
        what, mend = f"no connection ({type(fault).__name__})", "Look at its URL, and whether it lets this machine in."
    return wrong(CHECK, system, what, mend)


def of_answer(system: str, told: datetime | None, now: datetime) -> Iterator[Finding]:
    """Reached, and whether both clocks agree; the header tells whole seconds."""
    yield fine(CHECK, system, "it answers")
    if told is None:
        return
    skew = abs(told - now)
    if skew > _SMALL:
        what = f"its clock and ours are {skew.total_seconds():.0f} seconds apart"
        yield wrong(CLOCK, system, what, "Set this machine's clock by NTP; deadlines are kept by it.")
    else:
        yield fine(CLOCK, system, "its clock and ours agree")
