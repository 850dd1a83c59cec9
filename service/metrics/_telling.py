"""What was read, in Prometheus' words. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from prometheus_client.core import Metric

from service.contributions import Acknowledgement, statistics
from service.findings import Examined
from service.metrics import _catalogue as tell
from service.metrics._catalogue import Measure, Samples
from service.metrics._reading import Reading, Work
from service.rounds import REGISTRATION

_HOUR: Final = 3600.0
_WAITS: Final = tuple(hours * _HOUR for hours in (0.5, 1, 2, 4, 8, 12, 24, 48, 72, 168))
_BY_ONE: Final = {
    "source": tell.DELIVERIES,
    "missed": tell.MISSED,
    "healed": tell.HEALED,
    "calls": tell.CALLS,
    "waits": tell.CALL_WAITS,
}
"""What the ledger counts under a word and one name."""

_BY_TWO: Final = {"answered": tell.CALL_ANSWERS, "work": tell.WORK_ENDED, "kind": tell.ACTIONS}
"""And under a word and two; all else is a rule's."""


def told(reading: Reading, rules: Iterable[str]) -> Iterator[Metric]:
    """All metrics that the store knows of. rules: the names of those that count from 0 on."""
    known: dict[Measure, Samples] = {
        tell.REDIS_UP: {(): 1.0},
        tell.WARNINGS: {(): reading.warnings},
        tell.SWEPT: _moments(reading.swept),
        tell.LAST_DELIVERY: _moments(reading.delivered),
        tell.PINGED: _people(reading.pings, reading.budget),
        tell.ACKNOWLEDGEMENTS: _outcomes(reading.answered),
        **_of_work(reading.work),
        **_of_doctor(reading.examined),
        **_of_totals(reading.totals, rules),
    }
    yield from (measure.told(samples) for measure, samples in known.items())
    yield _waits(reading.answered)


def _of_totals(totals: Mapping[str, int], rules: Iterable[str]) -> Mapping[Measure, Samples]:
    counted = (*_BY_ONE.values(), *_BY_TWO.values(), tell.EFFECTS, tell.VERDICTS)
    found: dict[Measure, dict[tuple[str, ...], float]] = {measure: {} for measure in counted}
    outcomes = tell.VERDICTS.labels["outcome"]
    found[tell.VERDICTS] = {(rule, outcome): 0.0 for rule in rules for outcome in outcomes}
    for name, times in totals.items():
        measure, labels = _meant(name)
        found[measure][labels] = times
    return found


def _meant(name: str) -> tuple[Measure, tuple[str, ...]]:
    """What the ledger counts under that name."""
    first, second, rest = (*name.split(" ", 2), "")[:3]
    match first, second:
        case word, _ if word in _BY_ONE:
            return _BY_ONE[word], (second,)
        case word, _ if word in _BY_TWO:
            return _BY_TWO[word], (second, rest)
        case rule, "effect":
            return tell.EFFECTS, (rule, rest)
        case rule, outcome:
            return tell.VERDICTS, (rule, outcome)


def _of_work(work: Work) -> Mapping[Measure, Samples]:
    oldest: dict[tuple[str, ...], float] = defaultdict(float)
    for kind, seconds in work.due:
        oldest[kind,] = max(oldest[kind,], seconds)
    return {
        tell.WORKER_UP: {(): float(work.is_attended)},
        tell.WORK: {(state,): number for state, number in work.states.items()},
        tell.HANDED_OUT: {(): work.handed_out},
        tell.DUE: {(kind,): number for kind, number in Counter(kind for kind, _ in work.due).items()},
        tell.OLDEST_DUE: oldest,
    }


def _of_doctor(examined: Mapping[str, Examined]) -> Mapping[Measure, Samples]:
    is_well = examined[REGISTRATION].is_well if REGISTRATION in examined else None
    found = Counter((part, finding.state) for part, one in examined.items() for finding in one.findings)
    return {
        tell.REGISTERED: {} if is_well is None else {("jira",): float(is_well)},
        tell.EXAMINED: _moments({part: one.at for part, one in examined.items()}),
        tell.FINDINGS: {(part, state): found[part, state] for part in examined for state in tell.FINDING_STATES},
    }


def _moments(at: Mapping[str, datetime]) -> Samples:
    return {(name,): moment.timestamp() for name, moment in at.items()}


def _people(pings: Sequence[int], budget: int) -> Samples:
    had = Counter(pings)
    return {(str(number),): had[number] for number in range(max([budget, *pings]) + 1)}


def _outcomes(answered: Sequence[Acknowledgement]) -> Samples:
    numbers = statistics(answered)
    return {(state,): getattr(numbers, state) for state in tell.ACKNOWLEDGEMENTS.labels["state"]}


def _waits(answered: Sequence[Acknowledgement]) -> Metric:
    waits = [one.took.total_seconds() for one in answered if one.took is not None]
    fell = Counter(bisect_left(_WAITS, wait) for wait in waits)
    numbers = [fell[bucket] for bucket in range(len(_WAITS) + 1)]
    return tell.histogram(tell.ACKNOWLEDGEMENT_SECONDS, _WAITS, numbers, sum(waits))
