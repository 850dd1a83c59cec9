"""Whether what is stored agrees with itself: nothing lost, nothing done twice, nothing left over. Changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

import msgspec
from redis.asyncio import Redis

from service.actions import Digest, Recheck
from service.clock import Clock
from service.engine import Decision
from service.ledger import PREFIX, Delivery, Entry, Ledger, delivery_from, redis_or_away
from service.queue import LEASE, line_name, look_key

_BATCH: Final = 500
_STORED: Final = timedelta(days=30)
"""How long a delivery itself is stored; that it came in is known for longer."""

_DROPPED: Final = "drop job "
_STICKY: Final = frozenset({"comment", "edit_comment"})

Kind = Literal["lost", "double", "orphan"]


class Inconsistency(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Something that can't be in a ledger that is well.

    kind: lost is what was promised and is done by nobody, double what was done twice, orphan what belongs to nothing
    any more; about: the key that it is found under; what: one sentence.
    """

    kind: Kind
    about: str
    what: str


class Wanted(NamedTuple):
    """An action that a look has decided on. line: what it adds to a digest, under a name; None where it is none."""

    at: datetime
    rule: str
    subject: str
    key: str
    kind: str
    target: str
    line: str | None = None


class Became(NamedTuple):
    """What became of an action, or of a look at something that has gone or moved."""

    at: datetime
    rule: str
    subject: str
    kind: str
    target: str
    result: str


class Told(NamedTuple):
    """When an event made a rule want to act on a subject."""

    at: datetime
    rule: str
    subject: str


@dataclass
class History:
    """What the timeline tells, in no order.

    since: the moment of its oldest entry, None where it is empty; told: the decisions to act on an event; looked: when
    each rule looked last at a subject; taken: the deliveries that were decided on.
    """

    since: datetime | None = None
    wanted: list[Wanted] = field(default_factory=list)
    became: list[Became] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    looked: dict[tuple[str, str], datetime] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def add(self, entry: Entry) -> None:
        """Notes the next entry."""
        self.since = min(self.since or entry.at, entry.at)
        if entry.delivery:
            self.taken.add(entry.delivery)
        if entry.effect:
            one = entry.effect
            self.became.append(Became(entry.at, one.rule, entry.subject, one.kind, one.target, one.result))
            if one.kind == "look":
                self._saw(entry.at, one.rule, entry.subject)
        for decision in entry.decisions:
            self._decided(entry, decision)

    def _decided(self, entry: Entry, decision: Decision) -> None:
        if entry.stage == "look":
            self._saw(entry.at, decision.rule, decision.subject)
            self.wanted += _wanted(entry.at, decision) if decision.mode == "on" else ()
        elif decision.outcome == "act" and decision.mode != "off":
            self.told.append(Told(entry.at, decision.rule, decision.subject))

    def _saw(self, at: datetime, *own: str) -> None:
        rule, subject = own
        self.looked[rule, subject] = max(self.looked.get((rule, subject), at), at)


def _wanted(at: datetime, decision: Decision) -> Iterator[Wanted]:
    for action in decision.actions:
        if isinstance(action, Recheck):
            continue
        rule, subject = decision.rule, decision.subject
        line = line_name(rule, subject, action.after) if isinstance(action, Digest) else None
        yield Wanted(at, rule, subject, action.key(rule, subject), action.kind, action.target, line)


@dataclass(frozen=True)
class Snapshot:
    """All that is stored, as it was read at `now`.

    works: the records of work, by key; due: when each is due, or its lease ends, in epoch milliseconds; failed: the
    keys of what was given up; cases: by "rule:subject"; asking: the cases that ask for something, by the same; lines:
    the keys of digests that have lines; done: the names of what is done at most once; deliveries: those that came in
    within the time for which they are stored, with None for one that is not; dropped: the keys of what admins have
    dropped.
    """

    now: datetime
    works: Mapping[str, Mapping[str, str]]
    due: Mapping[str, float]
    failed: frozenset[str]
    cases: Mapping[str, Mapping[str, str]]
    asking: frozenset[str]
    lines: frozenset[str]
    done: frozenset[str]
    deliveries: Mapping[str, Delivery | None]
    dropped: frozenset[str]
    history: History


def found(snapshot: Snapshot) -> tuple[Inconsistency, ...]:
    """Every inconsistency, sorted."""
    return tuple(sorted(one for look in _LOOKS for one in look(snapshot)))


async def examine(redis: Redis, clock: Clock) -> tuple[Inconsistency, ...]:
    """What is inconsistent, sorted; raises RedisAway when Redis can't be used.

    Work goes on while it is read, so that a record may seem to be without its other half: what is found counts where a
    second reading finds it too.
    """
    first = found(await read(redis, clock()))
    second = frozenset(found(await read(redis, clock()))) if first else frozenset()
    return tuple(one for one in first if one in second)


# What is lost


def _out_of_reach(snapshot: Snapshot) -> Iterator[Inconsistency]:
    for key, work in snapshot.works.items():
        if work.get("state") == "failed" and key not in snapshot.failed:
            yield _lost(key, "it was given up, and is not among the dead letters")
        elif work.get("state") != "failed" and key not in snapshot.due:
            yield _lost(key, "this work is stored, and will never be taken up: no moment is set for it")


def _undone(snapshot: Snapshot) -> Iterator[Inconsistency]:
    """A decision to act leaves work, an effect, a comment, or the reason why there was none."""
    told, commented = _by_deed(snapshot.history.became), _commented(snapshot)
    for one in snapshot.history.wanted:
        names = {one.key, f"{one.key}:{one.line}"}
        is_there = not names.isdisjoint(snapshot.works.keys() | snapshot.done | snapshot.dropped)
        if is_there or (one.kind in _STICKY and one.key in commented):
            continue
        if not any(it.at >= one.at or it.result == "failed" for it in told[_deed(one)]):
            yield _lost(one.key, f"a look decided to {one.kind} ({one.target}), and nothing came of it")


def _commented(snapshot: Snapshot) -> frozenset[str]:
    """The keys of the comments that stand."""
    return frozenset(f"{name}:{case['occasion']}" for name, case in snapshot.cases.items() if "occasion" in case)


def _unseen(snapshot: Snapshot) -> Iterator[Inconsistency]:
    """An event that calls for something leads to a look."""
    for one in snapshot.history.told:
        key, looked = look_key(one.rule, one.subject), snapshot.history.looked.get((one.rule, one.subject))
        is_there = key in snapshot.works or key in snapshot.dropped
        if not is_there and (looked is None or looked < one.at):
            yield _lost(key, "an event called for something, and nobody looked")


def _unspoken(snapshot: Snapshot) -> Iterator[Inconsistency]:
    """A case that asks has a comment, or one that is on its way, or a reason why there is none."""
    reasons = {(one.rule, one.subject) for one in snapshot.history.became if one.kind in _STICKY}
    tried = {
        (work.get("rule"), work.get("subject")) for work in snapshot.works.values() if work.get("kind") == "perform"
    }
    for name, case in snapshot.cases.items():
        rule, _, subject = name.partition(":")
        is_rehearsed = f"dry-run {name}" in snapshot.cases
        if case.get("open") != "1" or "comment" in case or is_rehearsed or (rule, subject) in reasons | tried:
            continue
        if not any(key.startswith(f"{name}:") for key in snapshot.dropped):
            yield _lost(name, "it asks for something by a comment that is neither written nor on its way")


def _untaken(snapshot: Snapshot) -> Iterator[Inconsistency]:
    since = snapshot.history.since or snapshot.now
    for name, delivery in snapshot.deliveries.items():
        if delivery is None:
            yield _lost(name, "this delivery was accepted, and is not stored")
        elif delivery.subject and delivery.received > since and name not in snapshot.history.taken:
            yield _lost(name, "this delivery is stored, and was never decided on")


# What was done twice


def _repeated(snapshot: Snapshot) -> Iterator[Inconsistency]:
    """As many effects of a kind on a target as decisions called for, at most; comments are edited any number of times.

    What began before the timeline does can't be counted.
    """
    called = defaultdict(list)
    for wanted in snapshot.history.wanted:
        called[_deed(wanted)].append(wanted)
    for deed, effects in _by_deed(snapshot.history.became).items():
        keys, done = {one.key for one in called[deed]}, [one.at for one in effects if one.result == "done"]
        is_countable = deed[2] not in {"comment", "digest"} and keys and done
        if is_countable and len(done) > len(keys) and min(done) >= min(one.at for one in called[deed]):
            yield Inconsistency(
                kind="double", about=min(keys), what=f"it was done {len(done)} times, and called for {len(keys)} times"
            )


# What belongs to nothing


def _dangling(snapshot: Snapshot) -> Iterator[Inconsistency]:
    for key in snapshot.due.keys() - snapshot.works.keys():
        yield _orphan(key, "a moment is set for this work, of which there is no record")
    for key in snapshot.failed - snapshot.works.keys():
        yield _orphan(key, "it is among the dead letters, and there is no record of it")
    for key in snapshot.lines - snapshot.works.keys():
        yield _orphan(key, "this list has lines, and nobody is going to send it")


def _out_of_place(snapshot: Snapshot) -> Iterator[Inconsistency]:
    for key in snapshot.failed & snapshot.works.keys():
        state = snapshot.works[key].get("state")
        if state != "failed":
            yield _orphan(key, f"it is among the dead letters, and its record says that it is {state}")
    for key in snapshot.due.keys() & snapshot.works.keys():
        if snapshot.works[key].get("state") == "failed":
            yield _orphan(key, "it was given up, and a moment is set for it")


def _abandoned(snapshot: Snapshot) -> Iterator[Inconsistency]:
    longest = (snapshot.now - LEASE).timestamp() * 1000
    for key, work in snapshot.works.items():
        if work.get("state") == "running" and snapshot.due.get(key, longest) < longest:
            yield _orphan(key, "whoever worked on it is gone, and no worker took it back; does one run?")


def _unwritten(snapshot: Snapshot) -> Iterator[Inconsistency]:
    for name, case in snapshot.cases.items():
        if "writing" in case and case["writing"] not in snapshot.works:
            yield _orphan(name, "its comment is said to be on its way, and there is no such work")
    for name in snapshot.asking:
        if snapshot.cases.get(name, {}).get("open") != "1":
            yield _orphan(name, "it is listed as asking for something, and its case does not ask")


_LOOKS: Final[tuple[Callable[[Snapshot], Iterator[Inconsistency]], ...]] = (
    _out_of_reach,
    _undone,
    _unseen,
    _unspoken,
    _untaken,
    _repeated,
    _dangling,
    _out_of_place,
    _abandoned,
    _unwritten,
)


def _lost(about: str, what: str) -> Inconsistency:
    return Inconsistency(kind="lost", about=about, what=what)


def _orphan(about: str, what: str) -> Inconsistency:
    return Inconsistency(kind="orphan", about=about, what=what)


_Deed = tuple[str, str, str, str]


def _deed(one: Wanted | Became) -> _Deed:
    """By which a decision and its effect find each other; a comment that is edited stays the same comment."""
    return one.rule, one.subject, "comment" if one.kind in _STICKY else one.kind, one.target


def _by_deed(became: Iterable[Became]) -> defaultdict[_Deed, list[Became]]:
    told: defaultdict[_Deed, list[Became]] = defaultdict(list)
    for one in became:
        told[_deed(one)].append(one)
    return told


# Reading


async def read(redis: Redis, now: datetime) -> Snapshot:
    """All that the checks need; raises RedisAway when Redis can't be used."""
    store: Any = redis  # redis-py types each answer as awaitable or not, whatever the client
    async with redis_or_away():
        names = await _names(store)
        return Snapshot(
            now=now,
            works=await _hashes(store, "work", names["work"]),
            due=dict(await _scored(store, "due")),
            failed=frozenset(name for name, _ in await _scored(store, "failed")),
            cases=await _hashes(store, "case", names["case"]),
            asking=frozenset(name.decode() for name in await store.smembers(f"{PREFIX}open")),
            lines=frozenset({*names["lines"], *names["sending"]}),
            done=frozenset(names["done"]),
            deliveries=await _deliveries(store, now - _STORED),
            dropped=frozenset([key async for key in _dropped(store)]),
            history=await _history(Ledger(redis)),
        )


async def _names(store: Any) -> Mapping[str, list[str]]:
    """What there is of each kind of key, by what follows the kind."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    async for raw in store.scan_iter(match=f"{PREFIX}*", count=_BATCH):
        kind, _, name = raw.decode().removeprefix(PREFIX).partition(":")
        if kind in {"work", "case", "lines", "sending", "done"}:
            names[kind].append(name)
    return names


async def _hashes(store: Any, kind: str, names: list[str]) -> dict[str, dict[str, str]]:
    """Those that are still there."""
    hashes: dict[str, dict[str, str]] = {}
    for start in range(0, len(names), _BATCH):
        part = names[start : start + _BATCH]
        async with store.pipeline(transaction=False) as pipe:
            for name in part:
                pipe.hgetall(f"{PREFIX}{kind}:{name}")
            answers = await pipe.execute()
        for name, raw in zip(part, answers, strict=True):
            if raw:
                hashes[name] = {key.decode(): value.decode() for key, value in raw.items()}
    return hashes


async def _scored(store: Any, name: str) -> list[tuple[str, float]]:
    return [(key.decode(), score) for key, score in await store.zrange(f"{PREFIX}{name}", 0, -1, withscores=True)]


async def _deliveries(store: Any, since: datetime) -> dict[str, Delivery | None]:
    names = await store.zrangebyscore(f"{PREFIX}deliveries", since.timestamp() * 1000, "+inf")
    deliveries: dict[str, Delivery | None] = {}
    for start in range(0, len(names), _BATCH):
        part = names[start : start + _BATCH]
        async with store.pipeline(transaction=False) as pipe:
            for name in part:
                pipe.get(f"{PREFIX}delivery:{name.decode()}")
            found = await pipe.execute()
        for name, whole in zip(part, found, strict=True):
            deliveries[name.decode()] = delivery_from(whole)[0] if whole else None
    return deliveries


async def _dropped(store: Any) -> AsyncIterator[str]:
    """What admins have dropped, by their audit log."""
    for _, fields in await store.xrange(f"{PREFIX}audit"):
        what: str = msgspec.json.decode(fields[b"change"])["what"]
        if what.startswith(_DROPPED):
            yield what.removeprefix(_DROPPED)


async def _history(ledger: Ledger) -> History:
    history, before = History(), "+"
    while entries := await ledger.entries(None, before, _BATCH):
        before = entries[-1][0]
        for _, entry in entries:
            history.add(entry)
    return history
