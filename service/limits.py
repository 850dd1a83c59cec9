"""How often each service may be asked, and how long it wants to be left alone; where that is kept is for a Gate."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Protocol

LONGEST_WAIT: Final = 3600.0
SHORTEST_PAUSE: Final = 1.0
UNTOLD_PAUSE: Final = 30.0
"""Seconds to stay away after a 429 that names no time: the longest wait of Atlassian's own recipe."""

_SCARCE: Final = 0.2
_NUMBER: Final = re.compile(r"[0-9]{1,18}(\.[0-9]{1,9})?")
_EPOCH: Final = 1e9
"""What is larger is no number of seconds to wait but a moment."""

_ONE_OF_MANY: Final = re.compile(r"/(?:[A-Z][A-Z0-9_]*-[0-9]+|[0-9]+)(?=/|$)")
_ISSUE: Final = re.compile(r"/rest/api/[0-9]+/issue/([^/]+)")


@dataclass(frozen=True)
class Window:
    """At most so many calls within any `seconds`."""

    calls: int
    seconds: float


@dataclass(frozen=True)
class Lane:
    """What calls have in common that are limited together; without windows it is only closed at times."""

    name: str
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True)
class Call:
    """A call that is about to be made. path: without its query; json: its body."""

    method: str
    path: str
    json: Any = None


class Gate(Protocol):
    """Where all processes agree on who may call; each method raises RedisAway where it can't be asked."""

    async def enter(self, lanes: Sequence[Lane]) -> float:
        """0 where a call may go through all these lanes now, and is counted in each; else the seconds to wait first."""
        ...

    async def close(self, lane: Lane, seconds: float) -> None:
        """Lets nobody through the lane for that long; a longer pause that is kept already stands."""
        ...

    async def answered(self, lane: Lane, status: int | None) -> None:
        """Counts an answer by its status code, None for a call that got none; lane: that of the whole service."""
        ...


class OpenGate:
    """Lets every call through: for a process that makes a few by hand."""

    async def enter(self, _: Sequence[Lane]) -> float:
        """Never a wait."""
        return 0.0

    async def close(self, lane: Lane, seconds: float) -> None:
        """Nobody is told."""

    async def answered(self, lane: Lane, status: int | None) -> None:
        """Nobody counts."""


OPEN: Final = OpenGate()


class Limits:
    """What one service bears. name: of its lane; windows: how often it may be called at all."""

    def __init__(self, name: str, *windows: Window) -> None:
        self._all = Lane(name, windows)

    def lanes(self, _: Call) -> tuple[Lane, ...]:
        """The lanes that a call goes through; the first one is that of the whole service."""
        return (self._all,)

    def refused(self, call: Call, _: Mapping[str, str]) -> tuple[Lane, ...]:
        """The lanes that close after a 429 with these headers; where nothing says which one, all stops."""
        return self.lanes(call)[:1]


class JiraLimits(Limits):
    """Jira's own: each issue bears so many writes, and an endpoint that is asked too much rests alone.

    See "Rate limiting" in the documentation of Jira Cloud's platform.
    """

    _WRITES = (Window(19, 2), Window(99, 30))
    """One less than what Jira refuses."""

    def __init__(self) -> None:
        super().__init__("jira")

    def lanes(self, call: Call) -> tuple[Lane, ...]:
        """All of Jira, the endpoint, and each issue that is written to."""
        endpoint = Lane(f"jira {call.method} {_ONE_OF_MANY.sub('/*', call.path)}")
        return (*super().lanes(call), endpoint, *(Lane(f"jira {key}", self._WRITES) for key in _written(call)))

    def refused(self, call: Call, headers: Mapping[str, str]) -> tuple[Lane, ...]:
        """What the reason names: the endpoint, or the issues; any other one stops all."""
        whole, endpoint, *issues = self.lanes(call)
        match headers.get("RateLimit-Reason"):
            case "jira-burst-based":
                return (endpoint,)
            case "jira-per-issue-on-write" if issues:
                return tuple(issues)
            case _:
                return (whole,)


DISCOURSE: Final = Limits("discourse", Window(59, 60), Window(49, 10))
"""One less than the 60 a minute of all admin keys, and than the 50 in ten seconds of an address."""

MATTERMOST: Final = Limits("mattermost", Window(99, 10))
"""Ten a second with bursts of a hundred, where an admin has turned that on."""

GITHUB: Final = Limits("github", Window(79, 60))
"""One less than the 80 a minute of what writes; what reads stays below its 5,000 an hour, too."""

GITLAB: Final = Limits("gitlab", Window(119, 60))
"""One less than the 7,200 an hour of an installation that limits calls, minute by minute."""


CHANNEL: Final = Window(1, 1)
"""One message a second to each place of CRAFTY_CHANNELS, as Slack bears it; apprise tells nothing of their limits."""


def answer_class(status: int | None) -> str:
    """How answers are counted: 2xx, 3xx, 4xx, 5xx, 429 on its own, and none for a call that got no answer."""
    if status is None:
        return "none"
    return "429" if status == 429 else f"{status // 100}xx"


def breather(headers: Mapping[str, str]) -> float:
    """Seconds to leave until the next call, so that what is left of a budget lasts until it is full again.

    0 while more than a fifth is left, and where the headers of the answer tell of no budget.
    """
    budget = next(filter(None, (_left(headers, prefix) for prefix in ("X-RateLimit-", "RateLimit-"))), None)
    is_near = headers.get("X-RateLimit-NearLimit", "").lower() == "true"
    if not is_near and (budget is None or budget[1] > budget[0] * _SCARCE):
        return 0.0
    remaining = budget[1] if budget else 0.0
    seconds = _until_full(headers)
    return SHORTEST_PAUSE if seconds is None else min(seconds / (remaining + 1), LONGEST_WAIT)


def until_reset(headers: Mapping[str, str]) -> float | None:
    """Seconds until a budget is full again: told as such, as an epoch or as an ISO instant; None where it is not."""
    told = headers.get("X-RateLimit-Reset") or headers.get("RateLimit-Reset") or ""
    number = _number(told)
    if number is not None and number < _EPOCH:
        return number
    moment = _instant(told) if number is None else number
    now = _sent_at(headers)
    return None if moment is None or now is None else max(moment - now, 0.0)


def _left(headers: Mapping[str, str], prefix: str) -> tuple[float, float] | None:
    """How large a budget is, and what is left of it."""
    limit, remaining = _number(headers.get(f"{prefix}Limit")), _number(headers.get(f"{prefix}Remaining"))
    return None if limit is None or remaining is None else (limit, remaining)


def _until_full(headers: Mapping[str, str]) -> float | None:
    """Jira Data Center tells how often it fills up instead of when."""
    every = _number(headers.get("X-RateLimit-Interval-Seconds"))
    return until_reset(headers) if every is None else every


def _number(told: str | None) -> float | None:
    return float(told) if told and _NUMBER.fullmatch(told.strip()) else None


def _instant(told: str) -> float | None:
    try:
        return datetime.fromisoformat(told).timestamp()
    except (ValueError, OverflowError):
        return None


def _sent_at(headers: Mapping[str, str]) -> float | None:
    """The other side's own moment, so that a wrong clock on either side does no harm."""
    try:
        return parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (ValueError, OverflowError):
        return None


def _written(call: Call) -> list[str]:
    """The issues that a call to Jira writes to: that of its path, or those that it moves."""
    if call.method == "GET":
        return []
    named = _ISSUE.match(call.path)
    moved = call.json.get("issues", []) if isinstance(call.json, dict) and "/agile/" in call.path else []
    return [named[1]] if named else [str(key) for key in moved]
