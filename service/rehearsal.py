"""What the rules would decide: on a payload, at a moment, or with other settings. Does nothing."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal, Protocol

import msgspec

from service.actions import Action, Comment, Reply
from service.clock import Clock, utc_now
from service.engine import Decision, Rulebook, cell_of, evaluate
from service.errors import CannotAct, NotFound, Rejected, TryLater
from service.events import ContributionNoted, Due, Event, Ignored
from service.facts import Person, Sprints, Team, Ticket
from service.gather import Gatherer, around
from service.jira_shapes import FieldMap, RawField, RawSchema, discover
from service.ledger import Delivery, Ledger, Site
from service.rules._base import Rule
from service.situation import Situation
from service.texts import Mention, Message, Paragraph
from service.toml_problems import did_you_mean
from service.tuning import CannotTuneError, Mistake, Tuning, Tunings, changed, tuned
from service.webhooks.intake import decided
from service.webhooks.sources import Posted, Sources, situations

_ID: Final = re.compile(r"customfield_[0-9]{1,10}")
_SPRINTS: Final = RawSchema(custom="com.pyxis.greenhopper.jira:gh-sprint")

Kind = Literal["appears", "vanishes", "changes"]


# Simulation


class Basis(Protocol):
    """What rules are evaluated by, as `current.Current` knows it."""

    @property
    def site(self) -> Site: ...

    @property
    def book(self) -> Rulebook: ...

    async def reload(self) -> None: ...


@dataclass(frozen=True)
class Configured:
    """The same where there is no Redis: what a configuration and a payload tell."""

    book: Rulebook
    site: Site

    async def reload(self) -> None:
        """Nothing changes it."""


class Simulated(msgspec.Struct, frozen=True):
    """What the rules would decide. event: JSON values: its name and, where it is of no concern, why it is ignored; else
    its subject, its moment and who did it.
    """

    event: dict[str, Any]
    decisions: tuple[Decision, ...] = ()

    def shown(self) -> dict[str, Any]:
        """The same as JSON values; each action with its kind and target."""
        return {"event": self.event, "decisions": [_shown(one) for one in self.decisions]}


@dataclass(frozen=True)
class Rehearsal:
    """Decides as the service would and does nothing.

    ledger: None where there is no Redis, so that no rule has said or done anything; gatherer: reads from Jira and the
    others, None where it can't; names: of Jira's fields, fact to configured name or id, for as long as they were not
    read from Jira.
    """

    sources: Sources
    team: Team
    current: Basis
    ledger: Ledger | None
    gatherer: Gatherer | None
    names: Mapping[str, str]
    clock: Clock = utc_now

    async def simulate(
        self, source: str, headers: Mapping[str, str], body: bytes, now: datetime | None, *, fetch: bool
    ) -> Simulated:
        """What the look that follows such a delivery would decide at `now`, without one at the event's own moment.

        Each rule that this kind of event concerns is asked as that last look asks it, when the settle time is over.
        What the payload tells is true; what it lacks is not known yet, but for the sprints that the last sweep saw and
        what Crafty itself has said and done. fetch: what the payload lacks is read now. Raises Rejected for a payload
        that can't be read or something that can't be fetched, and RedisAway.
        """
        await self.current.reload()
        lowered = {name.lower(): value for name, value in headers.items()}
        posted = Posted(headers=lowered, token=None, body=body, received=now or self.clock())
        name, event = self.sources.parsed(source, posted, self._site(source, body))
        if isinstance(event, Ignored):
            return Simulated({"name": name, "ignored": event.reason})
        decisions = [one async for one in self._decisions(event, now or event.at, fetch=fetch)]
        return Simulated(_told(name, event), tuple(decisions))

    def _site(self, source: str, body: bytes) -> Site:
        """The site; where Jira's fields were not read yet, with what the configuration and the payload tell of them."""
        site = self.current.site
        if source != "jira" or site.fields.ids():
            return site
        return msgspec.structs.replace(site, fields=fields_told(self.names, body))

    async def _decisions(self, event: Event, now: datetime, *, fetch: bool) -> AsyncIterable[Decision]:
        book = self.current.book
        for told in situations(event, self.team, self.current.site.bots):
            for rule in book.concerned(event, told.subject, None):
                situation = await self._situation(rule, told, event, now, fetch=fetch)
                due = Due(at=now, about=situation.subject)
                for decision in evaluate(due, situation, team=self.team, book=book, now=now, only=rule.name):
                    yield decision

    async def _situation(self, rule: Rule, told: Situation, event: Event, now: datetime, *, fetch: bool) -> Situation:
        if cell_of(told.subject, self.team) is None:
            return told
        if fetch:
            return await self._fetched(rule, told, now)
        return await self._remembered(self.ledger, rule, told, event) if self.ledger else told

    async def _remembered(self, ledger: Ledger, rule: Rule, told: Situation, event: Event) -> Situation:
        subject = told.subject
        known = await around(ledger, self.team, rule, subject, self.current.book)
        if isinstance(subject, Ticket):
            lines = await ledger.commitments(subject.key)
            return msgspec.structs.replace(known, sprints=_beside(told.sprints, known.sprints), commitments=lines)
        notes = event.notes if isinstance(event, ContributionNoted) else ()
        kept = await ledger.kept(subject.key)
        return msgspec.structs.replace(known, subject=kept.with_notes(*notes) if kept else subject)

    async def _fetched(self, rule: Rule, told: Situation, now: datetime) -> Situation:
        if self.gatherer is None:
            raise Rejected(422, "there is nothing to read from: neither Jira nor another system is connected")
        fresh = await _answered(self.gatherer.situation(rule, told.subject.key, self.current.book, now))
        if not isinstance(told.subject, Ticket):
            return fresh
        return msgspec.structs.replace(fresh, subject=fresh.subject.having(**told.subject.known()))


async def _answered(reading: Awaitable[Situation]) -> Situation:
    try:
        return await reading
    except TryLater as fault:
        raise Rejected(503, f"what the payload lacks can't be read at the moment: {fault}") from fault
    except (NotFound, CannotAct) as refusal:
        raise Rejected(422, f"what the payload lacks can't be read: {refusal}") from refusal


def _beside(told: Sprints, seen: Sprints) -> Sprints:
    """What a payload tells, and where it is silent what was seen."""
    return msgspec.structs.replace(
        seen,
        active=told.active or seen.active,
        next=told.next or seen.next,
        stretch_goals=told.stretch_goals or seen.stretch_goals,
    )


def _told(name: str, event: Event) -> dict[str, Any]:
    actor = event.actor.name if event.actor else None
    return {"name": name, "subject": event.subject, "at": event.at.isoformat(), "actor": actor}


def _shown(decision: Decision) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(decision)
    actions = [{**msgspec.to_builtins(action), "target": action.target} for action in decision.actions]
    return {**shown, "actions": actions}


def fields_told(names: Mapping[str, str], body: bytes) -> FieldMap:
    """Jira's custom fields as far as the configuration and a payload of Jira's tell.

    names: fact to configured name or id. An id counts as it is, a name where the changelog tells the field's id beside
    it; the field of the sprints is known by what it holds.
    """
    known = {wanted: RawField(id=wanted, name=wanted) for wanted in names.values() if _ID.fullmatch(wanted)}
    for one in _fields_in(body):
        known[one.id] = one
    fields, _ = discover(known.values(), names)
    return fields


def _fields_in(body: bytes) -> Iterator[RawField]:
    try:
        payload = msgspec.json.decode(body)
        fields, items = payload["issue"]["fields"], (payload.get("changelog") or {}).get("items", ())
        named = {item.get("fieldId"): item["field"] for item in items if item.get("fieldtype") == "custom"}
        for key in filter(_ID.fullmatch, {**fields, **{key: None for key in named if key}}):
            schema = _SPRINTS if _are_sprints(fields.get(key)) else None
            yield RawField(id=key, name=named.get(key, key), schema=schema)
    except (msgspec.DecodeError, LookupError, TypeError, AttributeError):
        return


def _are_sprints(value: Any) -> bool:
    """Whether a field's value is a list of sprints, as the Cloud or Data Center writes them."""
    return isinstance(value, list) and bool(value) and all(_is_sprint(one) for one in value)


def _is_sprint(value: Any) -> bool:
    if isinstance(value, str):
        return "greenhopper" in value and "[" in value and "state=" in value
    return isinstance(value, dict) and {"id", "name", "state"} <= value.keys()


# Back-test


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """An action that is another one, or none, with other settings.

    what: appears, vanishes, or changes, which is other words or another moment; kind, target: as of Action; person: who
    is addressed, else the assignee, "" for nobody; delivery, at: the first one at which it differs, and its moment.
    """

    what: Kind
    rule: str
    subject: str
    kind: str
    target: str
    person: str
    delivery: str
    at: datetime


class BackTest(msgspec.Struct, frozen=True, kw_only=True):
    """How deliveries would have been decided on with other settings.

    deliveries: how many there were; unconcerned: how many of them concerned no rule, so that nothing of them is stored;
    unread: how many can't be read any more; shifts: each action once, in the order in which they differ first.
    """

    deliveries: int
    unconcerned: int
    unread: int
    shifts: tuple[Shift, ...]

    def by_rule(self) -> dict[str, Counter[Kind]]:
        """How many actions appear, vanish and change for each rule."""
        return self._counted(lambda shift: shift.rule)

    def by_person(self) -> dict[str, Counter[Kind]]:
        """The same for each person."""
        return self._counted(lambda shift: shift.person)

    def _counted(self, name: Callable[[Shift], str]) -> dict[str, Counter[Kind]]:
        counts: defaultdict[str, Counter[Kind]] = defaultdict(Counter)
        for shift in self.shifts:
            counts[name(shift)][shift.what] += 1
        return dict(sorted(counts.items()))


@dataclass
class _Comparison:
    """What was wanted so far, by the actions' keys, and the first difference of each action."""

    before: set[str] = field(default_factory=set)
    after: set[str] = field(default_factory=set)
    differing: dict[str, Shift] = field(default_factory=dict)

    def add(self, delivery: Delivery, before: Iterable[Decision], after: Iterable[Decision]) -> None:
        old, new = _wanted(before), _wanted(after)
        self.before |= old.keys()
        self.after |= new.keys()
        for key in {**old, **new}:
            then, now = old.get(key), new.get(key)
            if then is None or now is None or then[1] != now[1]:
                self.differing.setdefault(key, _shift(delivery, *(now or old[key])))

    def shifts(self) -> Iterator[Shift]:
        for key, shift in self.differing.items():
            what: Kind = "appears" if key not in self.before else "changes" if key in self.after else "vanishes"
            yield msgspec.structs.replace(shift, what=what)


def set_otherwise(
    configured: Rulebook, tunings: Tunings, team: Team, wishes: Mapping[str, Mapping[str, Any]], cell: str
) -> Rulebook:
    """The rules as they would be if an admin had one more set of wishes, in one cell or under "" in all.

    tunings: what admins have changed of the configured rules; wishes: by rule, as in `tuning.changed`. Raises
    CannotTuneError, for a rule or cell that there is not as well.
    """
    cells = [one.name for one in team.cells]
    if cell and cell not in cells:
        raise CannotTuneError(Mistake("cell", f"{cell} is not a cell{did_you_mean(cell, cells)}"))
    after = dict(tunings)
    for name, wish in wishes.items():
        rule = configured.rule(name)
        if rule is None:
            names = [known.name for known in configured.rules]
            raise CannotTuneError(Mistake(name, f"is not a rule{did_you_mean(name, names)}"))
        own = after.get(name, {})
        after[name] = {**own, cell: changed(own.get(cell, Tuning()), wish, rule)}
    return tuned(configured, after)


async def backtest(
    deliveries: AsyncIterable[tuple[Delivery, bytes]],
    sources: Sources,
    team: Team,
    site: Site,
    before: Rulebook,
    after: Rulebook,
    progress: Callable[[int], None],
) -> BackTest:
    """What would have been decided on each delivery when it came in, with the settings `before` and `after`.

    deliveries: with their bodies; progress: is told how many are done. Decisions are those of the request, on
    what the delivery itself tells, so that a settle time makes no difference. Only what a rule that is on wants counts
    as an action, and each key of an action counts once.
    """
    old, new = _differing(before, after, team)
    comparison, unconcerned, unread, done = _Comparison(), 0, 0, 0
    async for delivery, body in deliveries:
        event = _event_of(sources, delivery, body, site) if body else None
        if isinstance(event, Event):
            once, again = (
                decided(event, team=team, site=site, book=book, now=delivery.received) for book in (old, new)
            )
            comparison.add(delivery, once, again)
        unconcerned += not body
        unread += bool(body) and event is None
        done += 1
        progress(done)
    shifts = tuple(comparison.shifts())
    return BackTest(deliveries=done, unconcerned=unconcerned, unread=unread, shifts=shifts)


def _differing(before: Rulebook, after: Rulebook, team: Team) -> tuple[Rulebook, Rulebook]:
    """Both with only those rules that are not set alike: the others decide alike."""
    cells = ["", *(cell.name for cell in team.cells)]
    rules = tuple(
        rule
        for rule in after.rules
        if any(before.setting(rule.name, cell) != after.setting(rule.name, cell) for cell in cells)
    )
    return replace(before, rules=rules), replace(after, rules=rules)


def _event_of(sources: Sources, delivery: Delivery, body: bytes, site: Site) -> Event | Ignored | None:
    """What the delivery says; None where it can't be read any more."""
    try:
        posted = Posted(headers=delivery.headers, token=None, body=body, received=delivery.received)
        return sources.parsed(delivery.source, posted, site)[1]
    except Rejected:
        return None


def _wanted(decisions: Iterable[Decision]) -> dict[str, tuple[Decision, Action]]:
    """What is to be done, by the actions' keys."""
    return {
        action.key(decision.rule, decision.subject): (decision, action)
        for decision in decisions
        if decision.mode == "on"
        for action in decision.actions
    }


def _shift(delivery: Delivery, decision: Decision, action: Action) -> Shift:
    return Shift(
        what="changes",
        rule=decision.rule,
        subject=decision.subject,
        kind=action.kind,
        target=action.target,
        person=_addressee(decision, action),
        delivery=delivery.id,
        at=delivery.received,
    )


def _addressee(decision: Decision, action: Action) -> str:
    person = getattr(action, "person", None) or _spoken_to(action)
    if person is None:
        return str((decision.facts.get("assignee") or {}).get("name", ""))
    return str(person.name)


def _spoken_to(action: Action) -> Person | None:
    """Whom a text addresses: the first one that it mentions."""
    if not isinstance(action, Comment | Reply):
        return None
    return next(_mentioned(action.message), None)


def _mentioned(message: Message) -> Iterator[Person]:
    for block in message.blocks:
        if isinstance(block, Paragraph):
            yield from (inline.person for inline in block.inlines if isinstance(inline, Mention))
