"""The only place that enqueues: the atomic ingest, records of outgoing work, their leases, retries and dead letters.

Redis holds one record for each thing that is to be done; arq is only told the record's key when its moment has come.
A record that was handed out and never finished comes back when its lease ends, whatever happened to arq's job.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, Final, Literal

import msgspec
from redis.asyncio import Redis

from service.actions import Action, Comment, Digest, Recheck
from service.batches import Batches
from service.clock import Clock
from service.engine import Decision
from service.errors import RedisAway
from service.jira_shapes import is_issue_key
from service.ledger import PREFIX, Case, Contributed, Delivery, Entry, redis_or_away, script, whole_of
from service.packing import packed

ARQ_QUEUE: Final = "crafty:arq"
LEASE: Final = timedelta(minutes=2)
DIGEST_PATIENCE: Final = timedelta(minutes=10)
MOST_LOST: Final = 5
"""How often a piece of work may be lost with the worker that had taken it up, until it is given up."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

Kind = Literal["look", "perform", "digest", "site", "sweep", "doctor"]
PERIODIC: Final = frozenset({"site", "sweep", "doctor"})
"""The kinds of work that come again by themselves."""

Ending = Literal["done", "waiting", "held", "blocked", "retry", "failed"]


class StaleRules(Exception):
    """The rules' settings have changed since this process read them; version is the one to evaluate by."""

    def __init__(self, version: str) -> None:
        super().__init__(version)
        self.version = version


class Wish(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something to be done at an instant.

    key: wishes of one key are one record; due: epoch milliseconds; cap: for how many milliseconds later wishes may put
    off an earlier one; once: the name in the ledger of effects under which it is done at most once; line: what it adds
    to a digest, under a name; only_if_open: only where the rule's comment asks, or to put off a look that is about to
    happen; in_time: in epoch milliseconds, when a look is soon enough unless the rule's comment asks;
    writes: whether it writes the rule's comment; opens: whether that comment then asks for something.
    """

    key: str
    kind: Kind
    rule: str
    subject: str
    due: int
    payload: str = "null"
    cap: int = 0
    once: str | None = None
    line: tuple[str, str] | None = None
    only_if_open: bool = False
    in_time: int | None = None
    writes: bool = False
    opens: bool = False


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery with all that follows from it.

    body: its bytes; marks: what it is known by: one that was seen in the last 8 days makes it a duplicate;
    outdated: names in the cache that are old after it; noted: what it tells of a contribution; replayed: when it was
    decided on once more, which stores neither the delivery nor its marks again; None for one that has just come in.
    """

    delivery: Delivery
    body: bytes = b""
    marks: Sequence[str] = ()
    decisions: Sequence[Decision] = ()
    looks: Sequence[Wish] = ()
    outdated: Sequence[str] = ()
    noted: Contributed | None = None
    replayed: datetime | None = None


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A record that was leased to us.

    tries: how often it was started since it was wanted; is_retry: whether an effect of this key was started before, and
    may have happened though nobody recorded it; was_held: whether it waited for somebody's working hours; version: that
    of the rules and the site at this moment; kind: one of Kind's, as far as this version knows it; format: that of the
    version which wanted it, 0 before formats were counted.
    """

    key: str
    token: str
    kind: str
    rule: str
    subject: str
    payload: str
    tries: int
    wanted: datetime
    is_retry: bool = False
    was_held: bool = False
    version: str = "0"
    format: int = 0


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """How a piece of work ends.

    ending: blocked waits for the rule's comment to be written, and at most until `due`; held waits until `due` for
    somebody's working hours; due: when to look again, or to try again; wishes: what it wants next; done: entries for
    the ledger of effects; sent: the digest's lines that went out; dropped: those that did not, and may be wanted
    again; noted: what became of a contribution; looked: what a look saw; refused: whether the other side
    does not let us do it, so that a look would only want in vain what it wanted before; that is tried anew a day later;
    gone: whether the subject is no more; moved: the key that it has by now; rehearsed: whether it is only noted as if
    it were done, and kept apart; swept: the moment up to which a sweep has found every change; missed: the subjects of
    which it alone found that they have changed, and whether it wants a look at them.
    """

    ending: Ending
    due: datetime | None = None
    error: str = ""
    entries: Sequence[Entry] = ()
    wishes: Sequence[Wish] = ()
    done: Mapping[str, str] = {}
    case: Case | None = None
    sent: Sequence[str] = ()
    dropped: Sequence[str] = ()
    noted: Contributed | None = None
    looked: str | None = None
    refused: bool = False
    gone: bool = False
    moved: str | None = None
    rehearsed: bool = False
    swept: datetime | None = None
    missed: Mapping[str, bool] = {}


def look_again(rule: str, subject: str, now: datetime) -> Wish:
    """A look at once."""
    return Wish(key=look_key(rule, subject), kind="look", rule=rule, subject=subject, due=_ms(now))


def look_then(rule: str, subject: str, at: datetime) -> Wish:
    """A look at the moment that the rule waits for."""
    return Wish(key=look_key(rule, subject), kind="look", rule=rule, subject=subject, due=_due(at))


def sweep(cell: str, now: datetime) -> Wish:
    """Goes, at once, through all that the cell's rules are about."""
    return Wish(key=f"sweep:{cell}", kind="sweep", rule="", subject=cell, due=_ms(now))


def examination(part: str, now: datetime) -> Wish:
    """Looks, at once, whether anything is wrong with a part of the installation."""
    return Wish(key=f"doctor:{part}", kind="doctor", rule="", subject=part, due=_ms(now))


def site(now: datetime) -> Wish:
    """Finds out, at once, who we are in the connected systems and which field is which."""
    return Wish(key="site", kind="site", rule="", subject="", due=_ms(now))


def look(decision: Decision, now: datetime, settle: timedelta) -> Wish:
    """The look that follows from a decision on an event: after the settle time, put off by later events up to fivefold.

    A rule that passes looks only where its comment asks; one that waits for a moment looks at that moment, or at once
    where its comment asks. Either puts off a look that is about to happen.
    """
    again = next_look(decision.actions) if decision.outcome == "wait" else None
    return Wish(
        key=look_key(decision.rule, decision.subject),
        kind="look",
        rule=decision.rule,
        subject=decision.subject,
        due=_ms(now + settle),
        cap=_ms_of(5 * settle),
        only_if_open=decision.outcome == "pass",
        in_time=_ms(again) if again else None,
    )


def look_key(rule: str, subject: str) -> str:
    """The one record under which a rule looks at a subject."""
    return f"look:{rule}:{subject}"


def perform(action: Action, rule: str, subject: str, now: datetime) -> Wish:
    """The work that does an action, now, or gathers it into its digest."""
    if isinstance(action, Digest):
        return _gather(action, rule, subject, now)
    key = action.key(rule, subject)
    return Wish(
        key=key,
        kind="perform",
        rule=rule,
        subject=subject,
        due=_ms(now),
        payload=msgspec.json.encode(action).decode(),
        once=None if action.is_sticky else key,
        writes=action.is_sticky,
        opens=isinstance(action, Comment) and action.is_asking,
    )


def _gather(digest: Digest, rule: str, subject: str, now: datetime) -> Wish:
    key, name = digest.key(rule, subject), line_name(rule, subject, digest.after)
    return Wish(
        key=key,
        kind="digest",
        rule=rule,
        subject=subject,
        due=_due(digest.at),
        payload=msgspec.json.encode(digest).decode(),
        cap=_due(digest.at) - _ms(now) + _ms_of(DIGEST_PATIENCE),
        once=f"{key}:{name}",
        line=(name, msgspec.json.encode(digest.line).decode()),
    )


def line_name(rule: str, subject: str, deed: str | None = None) -> str:
    """What a digest's line is known by; deed: the key of the action that it tells of."""
    return f"{rule} {subject} {deed}" if deed else f"{rule} {subject}"


def of_line(name: str) -> tuple[str, str, str]:
    """The rule, the subject and the deed of a digest's line, from what it is known by; "" where it tells of none."""
    rule, subject, deed = (*name.split(" ", 2), "")[:3]
    return rule, subject, deed


def next_look(actions: Iterable[Action]) -> datetime | None:
    """When the earliest re-check among these actions is due."""
    return min((action.at for action in actions if isinstance(action, Recheck)), default=None)


class Queue:
    """Everything that is stored and handed out; all methods raise RedisAway when Redis can't be used.

    clock: tells the moments that are stored.
    """

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis: Any = redis  # redis-py types each answer as awaitable or not, whatever the client
        self.clock = clock
        self._ingest = redis.register_script(script("ingest"))
        self._release = redis.register_script(script("release"))
        self._take = redis.register_script(script("take"))
        self._claim = redis.register_script(script("claim"))
        self._finish = redis.register_script(script("finish"))
        self._want = redis.register_script(script("want"))
        self._arrivals = Batches(self._store)
        self._starts = Batches(self._start)
        self._ends = Batches(self._end)

    async def ingest(self, taken: Taken, version: str) -> str | None:
        """Stores all of it in one step; None, or the id of the delivery that was the same one.

        Raises StaleRules, with nothing stored, when `version` is not the version of the rules' settings any more.
        """
        entry = _entry_of(taken)
        call = msgspec.msgpack.encode(_call(taken, entry, version, _ms(self.clock())))
        whole = whole_of(taken.delivery, taken.body) if taken.replayed is None else b""
        answer, *rest = await self._arrivals.add((call, whole, _packed(entry) if entry else b""))
        if answer == b"stale":
            raise StaleRules(rest[0].decode())
        if answer == b"failed":
            raise RedisAway("Redis could not store this delivery")
        return rest[0].decode() if answer == b"duplicate" else None

    async def _store(self, calls: Sequence[tuple[bytes, ...]]) -> list[list[bytes]]:
        """Deliveries that come together are stored by one call, in half the time; each has its own answer."""
        async with redis_or_away():
            answers: list[list[bytes]] = await self._ingest(args=list(chain.from_iterable(calls)))
        return answers

    async def want(self, *wishes: Wish) -> None:
        """Asks for work that no delivery and no other work asks for."""
        async with redis_or_away():
            await self._want(args=[msgspec.json.encode({"now": _ms(self.clock()), "wishes": wishes})])

    async def release(self, limit: int) -> tuple[int, datetime | None]:
        """Hands up to `limit` due records to arq; how many those were, and when the next one is due."""
        now, real = _ms(self.clock()), _ms(datetime.now(UTC))
        async with redis_or_away():
            released, following = await self._release(args=[now, limit, _ms_of(LEASE), real, ARQ_QUEUE, MOST_LOST])
        return released, None if following < 0 else _instant(following)

    async def outlook(self) -> tuple[bool, datetime | None]:
        """Whether anything is due or under way, and when the next record is due."""
        async with redis_or_away():
            under_way = await self._redis.zcard(ARQ_QUEUE)
            first = await self._redis.zrange(f"{PREFIX}due", 0, 0, withscores=True)
        following = _instant(int(first[0][1])) if first else None
        return bool(under_way) or (following is not None and following <= self.clock()), following

    async def ring(self, within: float) -> None:
        """Waits for the doorbell, `within` seconds at most."""
        async with redis_or_away():
            await self._redis.blpop([f"{PREFIX}doorbell"], timeout=within)

    async def take(self, jobs: Sequence[bytes]) -> list[tuple[str, str]]:
        """The keys and tokens of those of arq's jobs that nobody else has taken; in one call, where arq makes five."""
        async with redis_or_away():
            won: list[bytes] = await self._take(args=[ARQ_QUEUE, *jobs]) if jobs else []
        leases = (job.decode().rpartition("@") for job in won)
        return [(key, token) for key, _, token in leases]

    async def claim(self, key: str, token: str) -> Work | None:
        """The record, whose lease counts from now; None if its lease was taken up before, or has passed on."""
        asked = (key, token, f"{_ms(self.clock())}", f"{_ms_of(LEASE)}")
        raw = await self._starts.add(tuple(text.encode() for text in asked))
        if not raw:
            return None
        texts = [text.decode() for text in raw]
        record = dict(zip(texts[::2], texts[1::2], strict=True))
        work = {**record, "key": key, "wanted": _instant(int(record["wanted"]))}
        return msgspec.convert(work, Work, strict=False)

    async def _start(self, calls: Sequence[tuple[bytes, ...]]) -> list[list[bytes]]:
        """What starts together is claimed by one call, and ended by one: three times as many trivial jobs a second."""
        async with redis_or_away():
            records: list[list[bytes]] = await self._claim(args=list(chain.from_iterable(calls)))
        return records

    async def finish(self, work: Work, result: Result) -> bool:
        """Ends the work; False if the lease had passed to somebody else, and nothing of the result was stored."""
        has_looked = work.kind == "look" and result.ending in {"done", "waiting"}
        call = {
            "key": work.key,
            "token": work.token,
            "now": _ms(self.clock()),
            "state": result.ending,
            "due": _due(result.due or self.clock()),
            "error": result.error,
            "told": [entry.subject for entry in result.entries],
            "wishes": result.wishes,
            "done": result.done,
            "sent": result.sent,
            "dropped": result.dropped,
            "notes": _noted(result.noted),
            "refused": result.refused,
            "gone": result.gone,
            "counts": counted(result.entries) + _ended(work, result) + _unheard(result.missed),
            "heard": [*_changed(result), *result.missed],
            "missed": [(subject, source_of(subject)) for subject, needs_look in result.missed.items() if needs_look],
            "has_looked": has_looked,
            "rehearsed": result.rehearsed,
        }
        if result.case:
            call["case"] = _case_fields(result.case)
        if result.looked is not None:
            call["looked"] = result.looked
        if result.moved:
            call["moved"] = result.moved
        if result.swept:
            call["swept"] = _ms(result.swept)
        answer = await self._ends.add((msgspec.json.encode(call), *map(_packed, result.entries)))
        if answer < 0:
            raise RedisAway("Redis could not store what became of this work")
        return bool(answer)

    async def _end(self, calls: Sequence[tuple[bytes, ...]]) -> list[int]:
        async with redis_or_away():
            answers: list[int] = await self._finish(args=list(chain.from_iterable(calls)))
        return answers


def _call(taken: Taken, entry: Entry | None, version: str, now: int) -> dict[str, Any]:
    """What the script is told of a delivery besides all of it and its line in the timeline."""
    delivery = taken.delivery
    came_in = [] if taken.replayed else [f"source {delivery.source}"]
    return {
        "id": delivery.id,
        "now": now,
        "version": version,
        "marks": taken.marks,
        "subject": delivery.subject,
        "looks": taken.looks,
        "source": delivery.source,
        "counts": [*came_in, *(f"{one.rule} {one.outcome}" for one in (entry.decisions if entry else ()))],
        "outdated": taken.outdated,
        "notes": _noted(taken.noted),
        "is_new": taken.replayed is None,
    }


def _entry_of(taken: Taken) -> Entry | None:
    delivery = taken.delivery
    if delivery.subject is None:
        return None
    return Entry(
        at=taken.replayed or delivery.received,
        subject=delivery.subject,
        stage="replay" if taken.replayed else "webhook",
        delivery=delivery.id,
        event=delivery.event,
        decisions=tuple(taken.decisions),
    )


def counted(entries: Iterable[Entry]) -> Counter[str]:
    """How often each rule came to each outcome, and each effect to its result."""
    decided = [f"{one.rule} {one.outcome}" for entry in entries for one in entry.decisions]
    return Counter(
        [*decided, *(f"{entry.effect.rule} effect {entry.effect.result}" for entry in entries if entry.effect)]
    )


def source_of(subject: str) -> str:
    """The system whose webhooks tell of a subject."""
    system = subject.partition(":")[0]
    return {"github": "github", "gitlab": "gitlab", "topic": "discourse"}.get(system, "jira")


def _unheard(missed: Mapping[str, bool]) -> Counter[str]:
    """What only a sweep found; where it sees that there is nothing to do, all is well at once."""
    healed = [f"healed {source_of(subject)}" for subject, needs_look in missed.items() if not needs_look]
    return Counter([*(f"missed {source_of(subject)}" for subject in missed), *healed])


def _ended(work: Work, result: Result) -> Counter[str]:
    """How the work ended, and what became of its actions by their kind."""
    effects = (entry.effect for entry in result.entries if entry.effect)
    return Counter([f"work {work.kind} {result.ending}", *(f"kind {one.kind} {one.result}" for one in effects)])


def _changed(result: Result) -> list[str]:
    """The tickets that we have changed or made ourselves."""
    effects = [entry.effect for entry in result.entries if entry.effect]
    made = [note.id for note in result.noted.notes if note.what == "ticketed"] if result.noted else []
    return [*(one.target for one in effects if one.result == "done" and is_issue_key(one.target)), *made]


def _packed(entry: Entry) -> bytes:
    return packed(msgspec.json.encode(entry))


def _noted(noted: Contributed | None) -> list[tuple[str, str, str]]:
    return [(noted.key, name, value) for name, value in noted.fields().items()] if noted else []


def _case_fields(case: Case) -> list[str]:
    fields = {**msgspec.structs.asdict(case), "at": case.at.isoformat(), "open": "1" if case.open else "0"}
    return [str(part) for pair in fields.items() for part in pair]


def _ms(at: datetime) -> int:
    return (at - _EPOCH) // _MILLISECOND


def _due(at: datetime) -> int:
    """Rounded up, so that nothing is released before its moment and finds that it has to wait."""
    return -((_EPOCH - at) // _MILLISECOND)


def _ms_of(span: timedelta) -> int:
    return span // _MILLISECOND


def _instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
