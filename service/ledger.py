"""What was stored: deliveries, the timeline of each subject, what the bot has said and done, and the site's facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import Any, Final, Literal

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from service.commitments import Commitment
from service.contributions import Acknowledgement, Contribution, Note, contribution_from
from service.engine import Decision, Mode
from service.errors import RedisAway
from service.facts import Person, Said, Sprint
from service.findings import Examined
from service.jira_shapes import FieldMap
from service.packing import packed, unpacked
from service.situation import Told
from service.tuning import Tuning

PREFIX: Final = "crafty:"
FORMAT: Final = 1
"""The format that this version writes; it reads the one before too. See migrations."""

COUNTED_HOURS: Final = 72
"""For how long it is kept how often things happened in an hour."""

TAKEN_OVER: Final = "a newer version of Crafty has taken over; this one waits until it is replaced"


Row = tuple[bytes, Mapping[bytes, bytes]]
"""A row of a stream: its id and its fields."""

_MONTHS: Final = 120 * 86_400
_OVER_A_YEAR: Final = 400 * 86_400
_DOUBTED: Final = "doubted"
_BATCH: Final = 200
_TOLD: Final = 40
"""How many lines of a timeline are searched for the latest decision of each rule."""


def kept_as(rule: str, mode: Mode) -> str:
    """Under which name it is kept what a rule has said and done: a rehearsal is kept apart from what was done."""
    return f"dry-run {rule}" if mode == "dry-run" else rule


def script(name: str) -> str:
    """The Lua script of that name, with what all of them share."""
    folder = files("service") / "scripts"
    shared = f"local FORMAT = {FORMAT}\n" + (folder / "_shared.lua").read_text()
    return shared + (folder / f"{name}.lua").read_text()


@asynccontextmanager
async def redis_or_away() -> AsyncIterator[None]:
    """Turns every failure of Redis into RedisAway, whose text names no address."""
    try:
        yield
    except (RedisError, OSError) as error:
        if str(error).startswith("NEWER"):
            raise RedisAway(TAKEN_OVER) from error
        raise RedisAway(f"Redis can't be used at the moment ({type(error).__name__})") from error


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What came in. note: why no rule was concerned."""

    id: str
    source: str
    event: str
    subject: str | None
    received: datetime
    headers: Mapping[str, str] = {}
    note: str | None = None


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule's comment on a subject says. open: whether it still asks for something."""

    rule: str
    subject: str
    comment: str
    occasion: str
    state: str
    at: datetime
    turns: int
    open: bool


class Contributed(msgspec.Struct, frozen=True, kw_only=True):
    """What is newly known of a contribution. place: as in Contribution, None where that is stored already."""

    key: str
    place: str | int | None = None
    notes: tuple[Note, ...] = ()

    def fields(self) -> dict[str, str]:
        """The same as the fields that are stored."""
        named = {note.name: msgspec.json.encode(note).decode() for note in self.notes}
        return named if self.place is None else {**named, "place": msgspec.json.encode(self.place).decode()}


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a contribution: its notes by their names.

    place: as in Contribution; is_doubted: whether webhooks left something of it untold before.
    """

    key: str
    place: str | int
    notes: dict[str, Note]
    is_doubted: bool = False

    def with_notes(self, *more: Note) -> Contribution:
        """The contribution that these notes and some more tell of."""
        notes = dict(self.notes)
        for note in more:
            notes[note.name] = note.beside(notes[note.name]) if note.name in notes else note
        return contribution_from(self.key, self.place, notes.values())

    def was_told(self, since: datetime) -> bool:
        """Whether webhooks, which were right up to now, have told of it since that instant."""
        has_begun = not self.is_doubted and "opened" in self.notes
        return has_begun and any(note.at >= since for note in self.notes.values())

    def lacks(self, notes: Iterable[Note]) -> bool:
        """Whether one of these notes is not among them."""
        return any(note.name not in self.notes for note in notes)


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an action, for the timeline."""

    rule: str
    kind: str
    target: str
    result: Literal["done", "skipped", "held", "failed", "would have"]
    reason: str


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a subject's timeline: decisions at a stage (webhook or look), or an effect."""

    at: datetime
    subject: str
    stage: str
    delivery: str | None = None
    event: str | None = None
    decisions: tuple[Decision, ...] = ()
    effect: Effect | None = None


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out about the connected systems.

    jira_bot, discourse_bot, github_bot, gitlab_bot: the accounts we act under; problems: one sentence for each field
    that was not found.
    """

    fields: FieldMap = FieldMap()
    jira_bot: tuple[str, ...] = ()
    discourse_bot: str | None = None
    github_bot: str | None = None
    gitlab_bot: str | None = None
    problems: tuple[str, ...] = ()

    @property
    def bots(self) -> frozenset[str]:
        """Every account that we act under, whatever the system."""
        others = (self.discourse_bot, self.github_bot, self.gitlab_bot)
        return frozenset((*self.jira_bot, *(account for account in others if account)))

    def is_ours(self, person: Person) -> bool:
        """Whether that is one of the accounts that we act under; a name counts only in its own system."""
        ours = [("discourse", self.discourse_bot), ("github", self.github_bot), ("gitlab", self.gitlab_bot)]
        known = {(system, account.casefold()) for system, account in ours if account}
        return bool(person.accounts & (known | {("jira", account) for account in self.jira_bot}))


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How far a rule is with a subject.

    seen: what its last look saw, as sweeps store it; next_look: when it looks next, as far as that is planned.
    """

    said: Said | None
    done: frozenset[str]
    seen: str | None
    next_look: datetime | None


class Ledger:
    """Reads what the scripts of the queue store; all methods raise RedisAway when Redis can't be used."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis  # redis-py types each answer as awaitable or not, whatever the client
        self._may_ping = redis.register_script(script("ping"))
        self._total = redis.register_script(script("total"))

    async def case(self, rule: str, subject: str) -> Case | None:
        """What the rule's comment on a subject says, None where it wrote none."""
        return _case(await self._hash(f"case:{rule}:{subject}"))

    async def is_writing(self, rule: str, subject: str) -> bool:
        """Whether the rule's comment is on its way, so that what it says is about to change."""
        async with redis_or_away():
            key: bytes | None = await self._redis.hget(f"{PREFIX}case:{rule}:{subject}", "writing")
            return key is not None and bool(await self._redis.exists(f"{PREFIX}work:{key.decode()}"))

    async def at_hand(self, keys: Iterable[str], now: datetime) -> datetime | None:
        """When the last of this work may be done that is due, under way, or tried again; None where none of it is."""
        async with redis_or_away(), self._redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hmget(f"{PREFIX}work:{key}", "state", "not_before").zscore(f"{PREFIX}due", key)
            found = await pipe.execute()
        moments = (_at_hand(record, due, now) for record, due in zip(found[::2], found[1::2], strict=True))
        return max(filter(None, moments), default=None)

    async def said(self, rule: str, subject: str) -> Said | None:
        """The same, as rules are told of it."""
        return _said(await self.case(rule, subject))

    async def done_by(self, rule: str, subject: str) -> frozenset[str]:
        """The keys of all that the rule has done about a subject."""
        async with redis_or_away():
            keys: set[bytes] = await self._redis.smembers(f"{PREFIX}acts:{rule}:{subject}")
        return frozenset(key.decode() for key in keys)

    async def refused(self, rule: str, subject: str) -> frozenset[str]:
        """The keys of what the rule wanted about a subject within the last day and was not let do."""
        async with redis_or_away():
            keys: set[bytes] = await self._redis.smembers(f"{PREFIX}refused:{rule}:{subject}")
        return frozenset(key.decode() for key in keys)

    async def told(self, subject: str) -> tuple[Told, ...]:
        """The latest decision of each rule about a subject, newest first."""
        latest: dict[str, Told] = {}
        for entry in await self.timeline(subject, _TOLD):
            for one in entry.decisions:
                told = Told(rule=one.rule, at=entry.at, outcome=one.outcome, reason=one.reason)
                latest.setdefault(one.rule, told)
        return tuple(latest.values())

    async def kept(self, key: str) -> Kept | None:
        """What is kept of a contribution; None where nothing is."""
        raw = await self._hash(f"contribution:{key}")
        if "place" not in raw:
            return None
        place = msgspec.json.decode(raw.pop("place"), type=str | int)
        is_doubted = raw.pop(_DOUBTED, "") != ""
        notes = {name: msgspec.json.decode(value, type=Note) for name, value in raw.items()}
        return Kept(key=key, place=place, notes=notes, is_doubted=is_doubted)

    async def contribution(self, key: str) -> Contribution | None:
        """What is known of a contribution; None where nothing is."""
        kept = await self.kept(key)
        return kept.with_notes() if kept else None

    async def keep_notes(self, noted: Contributed) -> bool:
        """Adds what is newly known of a contribution, and tells whether any of it is new.

        A note that is there already stays as it is.
        """
        async with redis_or_away(), self._redis.pipeline(transaction=True) as pipe:
            for name, value in noted.fields().items():
                pipe.hsetnx(f"{PREFIX}contribution:{noted.key}", name, value)
            pipe.expire(f"{PREFIX}contribution:{noted.key}", _OVER_A_YEAR)
            *are_new, _ = await pipe.execute()
        return any(are_new)

    async def doubt(self, key: str) -> None:
        """From now on webhooks alone are not trusted to tell all of that contribution."""
        async with redis_or_away():
            await self._redis.hset(f"{PREFIX}contribution:{key}", _DOUBTED, "1")

    async def commitments(self, ticket: str) -> dict[int, Commitment]:
        """A ticket's lines in the spillover ledger, by sprint."""
        found = await self._hash(f"commitments:{ticket}")
        return {int(sprint): msgspec.json.decode(line, type=Commitment) for sprint, line in found.items()}

    async def all_commitments(self) -> list[Commitment]:
        """The whole spillover ledger."""
        async with redis_or_away():
            tickets: set[bytes] = await self._redis.smembers(f"{PREFIX}committed")
        return [line for ticket in sorted(tickets) for line in (await self.commitments(ticket.decode())).values()]

    async def acknowledgements(self) -> list[Acknowledgement]:
        """How every contribution was answered."""
        found = await self._hash("acknowledgements")
        return [msgspec.json.decode(line, type=Acknowledgement) for line in found.values()]

    async def keep_line(self, line: Commitment | Acknowledgement) -> None:
        """Keeps a ledger's line for good, in the place of an earlier one about the same."""
        text = msgspec.json.encode(line)
        async with redis_or_away(), self._redis.pipeline(transaction=True) as pipe:
            if isinstance(line, Commitment):
                pipe.hset(f"{PREFIX}commitments:{line.ticket}", str(line.sprint), text)
                pipe.sadd(f"{PREFIX}committed", line.ticket)
            else:
                pipe.hset(f"{PREFIX}acknowledgements", line.contribution, text)
            await pipe.execute()

    async def warn(self, about: str, text: str) -> bool:
        """Keeps a warning for admins; whether it is a new one."""
        async with redis_or_away():
            return bool(await self._redis.hset(f"{PREFIX}warnings", about, text))

    async def warnings(self) -> dict[str, str]:
        """What admins should mend, by what it is about."""
        return await self._hash("warnings")

    async def keep_examined(self, part: str, examined: Examined) -> None:
        """Keeps what the latest examination of a part of the installation found, in the place of the one before."""
        async with redis_or_away():
            await self._redis.hset(f"{PREFIX}examined", part, msgspec.json.encode(examined))

    async def examined(self) -> dict[str, Examined]:
        """What the latest examinations found, by the part that they looked at."""
        found = await self._hash("examined")
        return {part: msgspec.json.decode(one, type=Examined) for part, one in found.items()}

    async def told_wrong(self, part: str) -> frozenset[str]:
        """The keys of what was wrong with a part when admins were told last."""
        async with redis_or_away():
            keys: set[bytes] = await self._redis.smembers(f"{PREFIX}told-wrong:{part}")
        return frozenset(key.decode() for key in keys)

    async def keep_told_wrong(self, part: str, keys: Iterable[str]) -> None:
        """Remembers them for the next examination."""
        names = list(keys)
        async with redis_or_away(), self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(f"{PREFIX}told-wrong:{part}")
            if names:
                pipe.sadd(f"{PREFIX}told-wrong:{part}", *names)
            await pipe.execute()

    async def may_ping(self, person: str, day: date, about: str, budget: int) -> bool:
        """Whether that is within the person's budget of pings for their day; each thing counts once."""
        async with redis_or_away():
            return bool(await self._may_ping(args=[person, day.isoformat(), about, budget]))

    async def pings(self, days: Sequence[tuple[str, date]]) -> list[int]:
        """How many pings each of these people, by their id, had on that day of theirs."""
        async with redis_or_away(), self._redis.pipeline(transaction=False) as pipe:
            for person, day in days:
                pipe.scard(f"{PREFIX}pings:{person}:{day.isoformat()}")
            found: list[int] = await pipe.execute()
        return found

    async def sprints_seen(self, cell: str) -> tuple[Sprint, ...]:
        """The sprints of a cell that the last sweep found active, future or just closed."""
        async with redis_or_away():
            raw = await self._redis.get(f"{PREFIX}sprints-seen:{cell}")
        return msgspec.json.decode(raw, type=tuple[Sprint, ...]) if raw else ()

    async def see_sprints(self, cell: str, sprints: Iterable[Sprint]) -> None:
        """Remembers them for the next sweep."""
        async with redis_or_away():
            await self._redis.set(f"{PREFIX}sprints-seen:{cell}", msgspec.json.encode(tuple(sprints)))

    async def swept_until(self, cell: str) -> datetime | None:
        """When the cell was swept last; None where it never was."""
        async with redis_or_away():
            at = await self._redis.hget(f"{PREFIX}swept", cell)
        return datetime.fromtimestamp(int(at) / 1000, UTC) if at else None

    async def swept(self) -> dict[str, datetime]:
        """The same for all cells that were ever swept."""
        found = await self._hash("swept")
        return {cell: datetime.fromtimestamp(int(at) / 1000, UTC) for cell, at in found.items()}

    async def heard(self, subject: str) -> datetime | None:
        """When a webhook, a deed of our own or a sweep told last that a subject has changed."""
        async with redis_or_away():
            at = await self._redis.get(f"{PREFIX}heard:{subject}")
        return datetime.fromtimestamp(int(at) / 1000, UTC) if at else None

    async def standings(self, rules: Sequence[tuple[str, Mode]], subject: str) -> dict[str, Standing]:
        """How far each of these rules, by name and mode, is with a subject; one round trip for all of them."""
        async with redis_or_away(), self._redis.pipeline(transaction=False) as pipe:
            for rule, mode in rules:
                pipe.hgetall(f"{PREFIX}case:{kept_as(rule, mode)}:{subject}")
                pipe.smembers(f"{PREFIX}acts:{kept_as(rule, mode)}:{subject}")
                pipe.hget(f"{PREFIX}looked:{subject}", rule)
                pipe.zscore(f"{PREFIX}due", f"look:{rule}:{subject}")
            answers = await pipe.execute()
        found = zip(rules, *(answers[part::4] for part in range(4)), strict=True)
        return {rule: _standing(*answered) for (rule, _), *answered in found}

    async def asking(self) -> frozenset[str]:
        """Every comment that asks for something, as `rule:subject`."""
        async with redis_or_away():
            names: set[bytes] = await self._redis.smembers(f"{PREFIX}open")
        return frozenset(name.decode() for name in names)

    async def is_done(self, key: str) -> bool:
        """Whether an action of this key was done before."""
        async with redis_or_away():
            return bool(await self._redis.exists(f"{PREFIX}done:{key}"))

    async def has_failed(self, key: str) -> bool:
        """Whether an action of this key was given up, and waits for somebody among the dead letters."""
        async with redis_or_away():
            return await self._redis.zscore(f"{PREFIX}failed", key) is not None

    async def are_planned(self, keys: Iterable[str]) -> bool:
        """Whether work of each of these keys waits for its moment; False where there are no keys."""
        names = list(keys)
        async with redis_or_away():
            moments = await self._redis.zmscore(f"{PREFIX}due", names) if names else [None]
        return None not in moments

    async def lines(self, key: str) -> dict[str, str]:
        """The lines that a digest is about to send, by what they speak of; the same ones each time it tries."""
        return await self._hash(f"sending:{key}")

    async def timeline(self, subject: str | None = None, limit: int = 100) -> list[Entry]:
        """The newest entries of a subject, or of all, newest first."""
        return [entry for _, entry in await self.entries(subject, "+", limit)]

    async def entries(self, subject: str | None, before: str, limit: int) -> list[tuple[str, Entry]]:
        """The same with their ids, from the one before the id `before` on; "+" begins with the newest."""
        name = "timeline" if subject is None else f"timeline:{subject}"
        last = before if before == "+" else f"({before}"
        async with redis_or_away():
            rows = await self._redis.xrevrange(f"{PREFIX}{name}", max=last, count=limit)
        return await self.told_in(rows, subject)

    async def told_in(
        self, rows: list[tuple[bytes, dict[bytes, bytes]]], subject: str | None
    ) -> list[tuple[str, Entry]]:
        """The entries of these rows of a subject's timeline, or of that of all, which says only where they stand.

        Of what has become too old to be kept nothing is left but its subject. The first version kept all in both.
        """
        if subject is not None:
            return [(row.decode(), _entry(fields[b"entry"])) for row, fields in rows]
        async with redis_or_away(), self._redis.pipeline(transaction=False) as pipe:
            for _, fields in rows:
                if b"entry" not in fields:
                    pipe.xrange(f"{PREFIX}timeline:{fields[b'subject'].decode()}", fields[b"id"], fields[b"id"])
            found = iter(await pipe.execute())
        return [
            (row.decode(), _entry(fields[b"entry"]) if b"entry" in fields else _referred(row, fields, next(found)))
            for row, fields in rows
        ]

    async def deliveries(self, first: int, limit: int) -> list[Delivery]:
        """Stored deliveries from the position `first` on, newest first."""
        async with redis_or_away():
            names = await self._redis.zrevrange(f"{PREFIX}deliveries", first, first + limit - 1)
            async with self._redis.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.get(f"{PREFIX}delivery:{name.decode()}")
                found = await pipe.execute()
        return [delivery_from(whole)[0] for whole in found if whole]

    async def count_deliveries(self, since: datetime) -> int:
        """How many deliveries there are from that moment on."""
        async with redis_or_away():
            count: int = await self._redis.zcount(f"{PREFIX}deliveries", since.timestamp() * 1000, "+inf")
        return count

    async def deliveries_since(self, since: datetime) -> AsyncIterator[tuple[Delivery, bytes]]:
        """Stored deliveries with their bodies, oldest first, a few hundred in memory at a time."""
        first = since.timestamp() * 1000
        async with redis_or_away():
            names = await self._redis.zrangebyscore(f"{PREFIX}deliveries", first, "+inf")
        for start in range(0, len(names), _BATCH):
            async with redis_or_away(), self._redis.pipeline(transaction=False) as pipe:
                for name in names[start : start + _BATCH]:
                    pipe.get(f"{PREFIX}delivery:{name.decode()}")
                found = await pipe.execute()
            for whole in filter(None, found):
                yield delivery_from(whole)

    async def was_taken(self, delivery: str) -> bool:
        """Whether that delivery came in lately, though it may not be stored any more."""
        async with redis_or_away():
            return await self._redis.zscore(f"{PREFIX}deliveries", delivery) is not None

    async def counts(self, now: datetime, hours: int = 24) -> Counter[str]:
        """How often each thing happened in the last `hours` hours and the running one.

        Named "<rule> <outcome>" for decisions, "<rule> effect <result>" for effects, "source <name>" for deliveries,
        "calls <system>" for what we asked of others, "missed <source>" for changes that only a sweep found, "healed
        <source>" for those of them that a rule has looked at since, or had no need to, "answered <system> <class>" and
        "waits <system>" for how these calls went, "work <kind> <ending>" and "kind <kind of action> <result>".
        """
        newest = int(now.timestamp()) // 3600
        async with redis_or_away(), self._redis.pipeline(transaction=False) as pipe:
            for hour in range(newest - hours, newest + 1):
                pipe.hgetall(f"{PREFIX}counts:{hour}")
            found = await pipe.execute()
        total: Counter[str] = Counter()
        for one in found:
            total.update({name.decode(): int(times) for name, times in one.items()})
        return total

    async def totals(self, now: datetime, hours: int = COUNTED_HOURS) -> Counter[str]:
        """How often each thing has happened ever, by the names of `counts`.

        hours: how far back what was counted is taken up, with the running hour; what is left out today is taken up by a
        later call that goes further back. Each hour is kept for COUNTED_HOURS.
        """
        async with redis_or_away():
            found: list[bytes] = await self._total(args=[int(now.timestamp() * 1000), hours])
        return Counter(dict(zip((name.decode() for name in found[::2]), map(int, found[1::2]), strict=True)))

    async def last_deliveries(self) -> dict[str, datetime]:
        """When each source delivered last."""
        found = await self._hash("last-delivery")
        return {source: datetime.fromtimestamp(int(at) / 1000, UTC) for source, at in found.items()}

    async def delivery(self, delivery: str) -> tuple[Delivery, bytes] | None:
        """A stored delivery and its body."""
        async with redis_or_away():
            whole: bytes | None = await self._redis.get(f"{PREFIX}delivery:{delivery}")
        return delivery_from(whole) if whole else None

    async def reviews_taken(self, sprint: int) -> dict[str, int]:
        """How many reviews were given to each person in a sprint because nobody took them, by Jira account."""
        given = await self._hash(f"reviews:{sprint}")
        return {person: list(given.values()).count(person) for person in set(given.values())}

    async def take_review(self, sprint: int, ticket: str, person: str) -> None:
        """Notes that this review was given to that person; noting it twice is the same as once."""
        async with redis_or_away():
            await self._redis.hset(f"{PREFIX}reviews:{sprint}", ticket, person)
            await self._redis.expire(f"{PREFIX}reviews:{sprint}", _MONTHS)

    async def site(self) -> tuple[Site | None, str]:
        """What was found out about the connected systems, and the version of all that evaluation rests on."""
        async with redis_or_away():
            raw, version = await self._redis.mget(f"{PREFIX}site", f"{PREFIX}version")
        return (msgspec.json.decode(raw, type=Site) if raw else None), (version or b"0").decode()

    async def standing_rules(self) -> tuple[Site | None, dict[str, dict[str, Tuning]], str]:
        """What evaluation rests on: the site, what admins changed about rules, and the version of both."""
        async with redis_or_away(), self._redis.pipeline(transaction=True) as pipe:
            pipe.mget(f"{PREFIX}site", f"{PREFIX}version").hgetall(f"{PREFIX}tunings")
            (site, version), tunings = await pipe.execute()
        return (
            msgspec.json.decode(site, type=Site) if site else None,
            {rule.decode(): msgspec.json.decode(own, type=dict[str, Tuning]) for rule, own in tunings.items()},
            (version or b"0").decode(),
        )

    async def keep_site(self, site: Site) -> None:
        """Stores it; a change makes every process evaluate by it from the next delivery on."""
        if (await self.site())[0] == site:
            return
        async with redis_or_away(), self._redis.pipeline(transaction=True) as pipe:
            await pipe.set(f"{PREFIX}site", msgspec.json.encode(site)).incr(f"{PREFIX}version").execute()

    async def cached(self, name: str) -> bytes | None:
        """A value that was kept for a while."""
        async with redis_or_away():
            value: bytes | None = await self._redis.get(f"{PREFIX}cache:{name}")
        return value

    async def cache(self, name: str, value: bytes, seconds: int) -> None:
        """Keeps a value for that many seconds."""
        async with redis_or_away():
            await self._redis.set(f"{PREFIX}cache:{name}", value, ex=seconds)

    async def _hash(self, name: str) -> dict[str, str]:
        async with redis_or_away():
            raw: dict[bytes, bytes] = await self._redis.hgetall(f"{PREFIX}{name}")
        return {key.decode(): value.decode() for key, value in raw.items()}


def _at_hand(record: Sequence[bytes | None], due: float | None, now: datetime) -> datetime | None:
    state, not_before = record
    if state == b"running":
        return now
    if due is None:
        return None
    planned = datetime.fromtimestamp(due / 1000, UTC)
    return max(planned, now) if not_before or planned <= now else None


class _Outline(msgspec.Struct, frozen=True, kw_only=True):
    """What every version writes of an entry."""

    at: datetime
    subject: str
    stage: str


def _entry(row: bytes) -> Entry:
    """One that tells of what only another version knows is left with its outline."""
    line = unpacked(row)
    try:
        return msgspec.json.decode(line, type=Entry)
    except msgspec.ValidationError:
        outline = msgspec.json.decode(line, type=_Outline)
        return Entry(at=outline.at, subject=outline.subject, stage=outline.stage)


def whole_of(delivery: Delivery, body: bytes) -> bytes:
    """A delivery with its body, as it is stored: one value, which takes an eighth less than two."""
    return joined(msgspec.json.encode(delivery), body)


def joined(record: bytes, body: bytes) -> bytes:
    """The same from the record's JSON."""
    return packed(b"%b\n%b" % (record, body))


def halves(whole: bytes) -> tuple[bytes, bytes]:
    """The record's JSON and the body of a stored delivery."""
    record, _, body = unpacked(whole).partition(b"\n")
    return record, body


def delivery_from(whole: bytes) -> tuple[Delivery, bytes]:
    """A stored delivery and its body."""
    record, body = halves(whole)
    return msgspec.json.decode(record, type=Delivery), body


def _referred(row: bytes, fields: Mapping[bytes, bytes], own: list[Row]) -> Entry:
    """The entry that a row of the timeline of all stands for. own: its row in the timeline of its subject."""
    if own:
        return _entry(own[0][1][b"entry"])
    at = datetime.fromtimestamp(int(row.partition(b"-")[0]) / 1000, UTC)
    return Entry(at=at, subject=fields[b"subject"].decode(), stage="forgotten")


def _standing(case: dict[bytes, bytes], acts: set[bytes], seen: bytes | None, due: float | None) -> Standing:
    texts = {key.decode(): value.decode() for key, value in case.items()}
    return Standing(
        said=_said(_case(texts)),
        done=frozenset(key.decode() for key in acts),
        seen=seen.decode() if seen else None,
        next_look=None if due is None else datetime.fromtimestamp(due / 1000, UTC),
    )


def _case(raw: dict[str, str]) -> Case | None:
    return msgspec.convert(raw, Case, strict=False) if "comment" in raw else None


def _said(case: Case | None) -> Said | None:
    return Said(occasion=case.occasion, state=case.state, at=case.at, turns=case.turns) if case else None
