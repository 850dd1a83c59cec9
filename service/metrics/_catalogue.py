"""Every metric of Crafty's own: its name, what it tells, and its labels. Values and reference rest on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, product
from typing import Final, Literal, get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from service.findings import State as FindingState
from service.queue import Ending, Kind
from service.rules._base import Outcome
from service.steering import State

Scope = Literal["all", "process"]
"""Whether a value is that of all processes, the same wherever it is asked for, or only of the process that is asked."""

Samples = Mapping[tuple[str, ...], float]
"""Values by their labels."""

SOURCES: Final = ("jira", "discourse", "github", "gitlab")
_SYSTEMS: Final = ("jira", "discourse", "mattermost", "apprise", "github", "gitlab")
FINDING_STATES: Final = get_args(FindingState)
_ANSWERS: Final = ("2xx", "3xx", "4xx", "429", "5xx", "none")


@dataclass(frozen=True, eq=False)
class Measure:
    """A metric. name: as Prometheus shows it; labels: each with the values that are always there, () where none are."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scope: Scope = "all"

    def told(self, samples: Samples) -> Metric:
        """The metric, no histogram, with these values, and 0 for what is always there and not among them."""
        kind = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        family = kind(self.name, self.help, labels=list(self.labels))
        zeros = dict.fromkeys(product(*self.labels.values()), 0.0)
        for labels, value in {**zeros, **samples}.items():
            family.add_metric(labels, value)
        return family


def histogram(measure: Measure, limits: Sequence[float], fell: Sequence[int], total: float) -> Metric:
    """The metric with buckets. fell: how many values are within each limit alone, and beyond the last."""
    names = (*map(str, limits), "+Inf")
    buckets = [(name, float(number)) for name, number in zip(names, accumulate(fell), strict=True)]
    return HistogramMetricFamily(measure.name, measure.help, buckets=buckets, sum_value=total)


REDIS_UP: Final = Measure(
    "crafty_redis_up", "gauge", "1 where Redis can be used, else 0; what all share is missing then.", scope="process"
)
WORKER_UP: Final = Measure(
    "crafty_worker_up", "gauge", "1 where a worker was at work within the last 11 seconds, else 0."
)
BUILD: Final = Measure(
    "crafty_build_info", "gauge", "Always 1; the label tells which Crafty runs.", {"version": ()}, "process"
)

DELIVERIES: Final = Measure(
    "crafty_deliveries_total", "counter", "Deliveries that were stored, each once.", {"source": SOURCES}
)
LAST_DELIVERY: Final = Measure(
    "crafty_last_delivery_timestamp_seconds", "gauge", "When a source delivered last.", {"source": ()}
)
WEBHOOK_ANSWERS: Final = Measure(
    "crafty_webhook_answers_total",
    "counter",
    "Answers to webhooks by status code: 202 accepted, 200 a duplicate, all others refused.",
    {"source": (), "status": ()},
    "process",
)
WEBHOOK_SECONDS: Final = Measure(
    "crafty_webhook_seconds", "histogram", "How long a webhook waited for its answer.", scope="process"
)
VERDICTS: Final = Measure(
    "crafty_verdicts_total",
    "counter",
    "What rules decided, in the request and at each look; those in dry-run count like any other.",
    {"rule": (), "outcome": get_args(Outcome)},
)
EFFECTS: Final = Measure(
    "crafty_effects_total",
    "counter",
    "What became of what rules wanted: done, skipped, held until somebody works, failed, would have (dry-run).",
    {"rule": (), "result": ()},
)
ACTIONS: Final = Measure(
    "crafty_actions_total", "counter", "The same by the kind of action, or of work.", {"kind": (), "result": ()}
)

WORK: Final = Measure(
    "crafty_work",
    "gauge",
    "Pieces of work: queued are due, deferred are planned for later or under way, failed were given up (dead letters).",
    {"state": get_args(State)},
)
HANDED_OUT: Final = Measure("crafty_work_handed_out", "gauge", "Pieces of work that workers have or are about to take.")
DUE: Final = Measure(
    "crafty_work_due",
    "gauge",
    "Pieces of work that are due, among the thousand that are due the longest.",
    {"kind": get_args(Kind)},
)
OLDEST_DUE: Final = Measure(
    "crafty_work_oldest_due_seconds",
    "gauge",
    "For how long the oldest of them has been due.",
    {"kind": get_args(Kind)},
)
WORK_ENDED: Final = Measure(
    "crafty_work_ended_total",
    "counter",
    "How pieces of work ended: retry comes back after a fault, failed was given up; waiting, held, blocked go on.",
    {"kind": get_args(Kind), "ending": get_args(Ending)},
)

CALLS: Final = Measure("crafty_calls_total", "counter", "Calls to other systems.", {"system": _SYSTEMS})
CALL_ANSWERS: Final = Measure(
    "crafty_call_answers_total",
    "counter",
    "How calls were answered, by the class of the status code; none: not at all.",
    {"system": _SYSTEMS, "answer": _ANSWERS},
)
CALL_WAITS: Final = Measure(
    "crafty_call_waits_total",
    "counter",
    "How often a call had to wait for its turn, or was put off, to keep to a system's limits.",
    {"system": _SYSTEMS},
)

MISSED: Final = Measure(
    "crafty_missed_total", "counter", "Changes that only a sweep found; no webhook told of them.", {"source": SOURCES}
)
HEALED: Final = Measure(
    "crafty_healed_total",
    "counter",
    "Those of them that a rule has looked at since, or had no need to.",
    {"source": SOURCES},
)
SWEPT: Final = Measure(
    "crafty_swept_timestamp_seconds", "gauge", "The moment up to which a sweep has found every change.", {"cell": ()}
)
REGISTERED: Final = Measure(
    "crafty_webhook_registered",
    "gauge",
    "1 where the webhook is registered, active and signed, 0 where it is not; missing where a system does not tell.",
    {"source": ()},
)
EXAMINED: Final = Measure(
    "crafty_examined_timestamp_seconds", "gauge", "When the doctor came last, by what was looked at.", {"part": ()}
)
FINDINGS: Final = Measure(
    "crafty_findings", "gauge", "What the doctor found then, by how bad it is.", {"part": (), "state": ()}
)
WARNINGS: Final = Measure("crafty_warnings", "gauge", "Things that an admin should mend, as the console lists them.")

ACKNOWLEDGEMENTS: Final = Measure(
    "crafty_acknowledgements",
    "gauge",
    "Contributions that were answered in time (met), were not (missed), or closed before; open: missed, still waiting.",
    {"state": ("met", "missed", "closed", "open")},
)
ACKNOWLEDGEMENT_SECONDS: Final = Measure(
    "crafty_acknowledgement_seconds",
    "histogram",
    "How long contributors waited for their answer, in the time that counts for the promise.",
)
PINGED: Final = Measure(
    "crafty_people_pinged",
    "gauge",
    "How many people had so many messages and mentions in their own day so far.",
    {"pings": ()},
)

OWN: Final[tuple[Measure, ...]] = tuple(value for value in globals().values() if isinstance(value, Measure))
"""All of them, in the order of this page."""
