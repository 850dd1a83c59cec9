"""Goes through all that a cell's rules are about, and asks for the looks that no webhook asked for."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from service.actions import ASKING, Recheck
from service.contributions import Contribution, Note, contribution_from, notes_of
from service.current import Current
from service.engine import Decision, Setting, cell_of, evaluate
from service.errors import CannotAct, NotFound, NotSignedInError, TryLater
from service.events import Due
from service.facts import Cell, Sprint, Sprints, Team, Ticket
from service.gather import Gatherer, JiraReader, Readers
from service.jira_shapes import jql_list
from service.ledger import Contributed, Ledger
from service.queue import Wish, look, look_again, look_then, next_look
from service.situation import Situation, Subject

log = structlog.get_logger()

EVERY: Final = timedelta(hours=1)
REMEMBERED: Final = timedelta(days=14)
"""How long a closed sprint is still gone through."""

LOOK_BACK: Final = timedelta(days=5)
"""How far back contributions are listed: longer than a promise of a working day lasts over a weekend with holidays."""

GRACE: Final = timedelta(minutes=5)
"""How long a webhook may be under way before it counts as missed."""

_APART: Final = timedelta(minutes=1)
"""How far the clocks of other systems may be from ours."""

_CHANGED: Final[Mapping[type, str]] = {Ticket: "updated_at", Contribution: "changed_at"}
"""The fact that tells when a subject changed last, in what a sweep found of it."""

_HOSTS: Final = {"github", "gitlab"}
"""A repository's name does not say on which of these it is."""


@dataclass(frozen=True)
class Swept:
    """What a sweep found.

    again: when the next one is due; wishes: the looks that are wanted; missed: the subjects whose latest change no
    webhook told of, and whether a look at them is among the wishes.
    """

    again: datetime
    wishes: tuple[Wish, ...]
    missed: Mapping[str, bool]


@dataclass(frozen=True)
class Sweeper:
    """Sweeps cells. A contribution's place that can't be read is left out, with a warning for admins."""

    gatherer: Gatherer
    readers: Readers
    ledger: Ledger
    team: Team
    current: Current

    async def sweep(self, cell: Cell, now: datetime) -> Swept:
        """Asks every rule about every subject of the cell; raises TryLater, CannotAct or RedisAway where it can't."""
        since = await self.ledger.swept_until(cell.name)
        wishes: dict[str, Wish] = {}
        missed: dict[str, bool] = {}
        async for subject, looks in self._found(cell, now):
            wishes.update({look.key: look for look in looks})
            if since and subject and await self._is_missed(subject, since, now - GRACE):
                missed[subject.key] = bool(looks)
        log.info("sweep.done", cell=cell.name, looks=len(wishes), missed=len(missed))
        sprints = cell.sprints_among(await self.ledger.sprints_seen(cell.name))
        return Swept(_next(cell, sprints, now), tuple(wishes.values()), missed)

    async def _found(self, cell: Cell, now: datetime) -> AsyncIterator[tuple[Subject | None, list[Wish]]]:
        """Each subject with the looks that it needs; None for what can't be read from here."""
        jira = await self.gatherer.jira()
        swept = set()
        async for situation in self._tickets(jira, cell, now):
            swept.add(situation.subject.key)
            yield situation.subject, await self._looks(situation, now)
        left = await self._left_behind(cell, swept)
        async for situation in self._named(jira, cell, {key for _, key in left}):
            swept.add(situation.subject.key)
            yield situation.subject, await self._looks(situation, now)
        yield None, [look_again(rule, key, now) for rule, key in left if key not in swept]
        async for contribution in self._contributions(jira, cell, now):
            yield contribution, await self._looks(Situation(contribution), now)

    async def _is_missed(self, subject: Subject, since: datetime, until: datetime) -> bool:
        """Whether it changed between these moments and nothing told us: neither a webhook nor a deed of our own."""
        changed = _last_change(subject)
        if changed is None or not since < changed <= until:
            return False
        heard = await self.ledger.heard(subject.key)
        return heard is None or heard < changed - _APART

    async def _tickets(self, jira: JiraReader, cell: Cell, now: datetime) -> AsyncIterator[Situation]:
        """Every ticket of the sprints that matter, with what its search result tells."""
        sprints = await self._sprints(jira, cell, now)
        matter = [sprint for sprint in sprints if not cell.is_stretch_goals(sprint)]
        if not matter:
            return
        around = cell.sprints_among(sprints)
        jql = f"project in ({jql_list(cell.projects)}) AND sprint in ({_ids(matter)}) ORDER BY key"
        async for ticket in jira.search(jql):
            yield Situation(self._known(ticket), around)

    async def _named(self, jira: JiraReader, cell: Cell, keys: Collection[str]) -> AsyncIterator[Situation]:
        """These tickets, in one search; none of them where Jira refuses it, because one of them is no more."""
        if not keys:
            return
        around = cell.sprints_among(await self.ledger.sprints_seen(cell.name))
        try:
            async for ticket in jira.search(f"key in ({', '.join(sorted(keys))}) ORDER BY key"):
                yield Situation(self._known(ticket), around)
        except NotSignedInError:
            raise
        except CannotAct:
            return

    def _known(self, ticket: Ticket) -> Ticket:
        return ticket.having(epic_owner=None) if ticket.known().get("epic_key", "") is None else ticket

    async def _sprints(self, jira: JiraReader, cell: Cell, now: datetime) -> list[Sprint]:
        """The board's sprints, and those that have closed since they were seen last."""
        open_now = await self.gatherer.sprints(jira, cell, anew=True)
        if not open_now:
            return []
        await self._check(cell, open_now)
        known = {sprint.id for sprint in open_now}
        gone = [sprint for sprint in await self.ledger.sprints_seen(cell.name) if sprint.id not in known]
        closed = [sprint async for sprint in self._closed(jira, gone, now)]
        await self.ledger.see_sprints(cell.name, (*open_now, *closed))
        return [*open_now, *closed]

    async def _closed(self, jira: JiraReader, gone: Iterable[Sprint], now: datetime) -> AsyncIterator[Sprint]:
        for sprint in gone:
            try:
                found = sprint if sprint.completed_at else await jira.sprint(sprint.id)
            except NotFound:
                continue
            if found.state != "closed" or now - (found.completed_at or now) < REMEMBERED:
                yield found

    async def _check(self, cell: Cell, sprints: Iterable[Sprint]) -> None:
        active = [sprint for sprint in sprints if sprint.state == "active"]
        if len(active) > 1:
            names = " and ".join(sprint.name for sprint in active)
            text = f"{names} are active at once; Crafty takes {active[0].name} for the running one"
            await self.ledger.warn(f"board of {cell.name}", text)
        for sprint in active:
            if not (sprint.start and sprint.end):
                await self.ledger.warn(
                    f"sprint {sprint.name}", "it has no dates in Jira; the calendar of crafty.toml counts"
                )

    async def _left_behind(self, cell: Cell, swept: set[str]) -> list[tuple[str, str]]:
        """Where a comment still asks for something, on a ticket that is in none of these sprints any more."""
        asking = (name.split(":", 1) for name in await self.ledger.asking())
        return [
            (rule, key)
            for rule, key in asking
            if key not in swept and key.rpartition("-")[0] in cell.projects and self.current.book.rule(rule)
        ]

    async def _contributions(self, jira: JiraReader, cell: Cell, now: datetime) -> AsyncIterator[Contribution]:
        """What came in lately in the places that the cell looks after."""
        for system, place in _places(cell):
            async for key, notes, changed_at in self._recent(jira, system, place, now - LOOK_BACK):
                kept = await self.ledger.kept(key)
                known = kept.with_notes(*notes) if kept else contribution_from(key, place, notes)
                yield known.having(changed_at=changed_at)

    async def _recent(
        self, jira: JiraReader, system: str, place: str | int, since: datetime
    ) -> AsyncIterator[tuple[str, tuple[Note, ...], datetime]]:
        """The key of each contribution that changed since then, what a list tells of it, and when it changed."""
        try:
            if system == "jira":
                jql = f"project in ({jql_list([f'{place}'])}) AND created >= -{LOOK_BACK.days}d ORDER BY key"
                async for ticket in jira.search(jql):
                    yield ticket.key, notes_of(ticket), ticket.updated_at
            elif system in self.readers:
                for one in await self.readers[system].recent(place, since):
                    if await self.ledger.keep_notes(Contributed(key=one.key, place=place, notes=(one.opened,))):
                        await self.ledger.doubt(one.key)
                    yield one.key, (one.opened,), one.changed_at
        except NotFound:
            if len(_HOSTS & self.readers.keys()) < 2:
                await self.ledger.warn(f"{place}", f"there is no {place} on {system}, or Crafty may not see it")
        except (TryLater, NotSignedInError) as fault:
            log.warning("sweep.place_away", place=place, reason=f"{fault}")
        except CannotAct as refusal:
            await self.ledger.warn(f"{place}", f"it can't be read: {refusal}")

    async def _looks(self, situation: Situation, now: datetime) -> list[Wish]:
        """The looks that a subject needs: where a rule would act, or where something changed since it looked last."""
        subject = situation.subject
        book, cell = self.current.book, cell_of(subject, self.team)
        modes = [(rule.name, book.setting(rule.name, cell.name if cell else "").mode) for rule in book.rules]
        standings = await self.ledger.standings(modes, subject.key)
        commitments = await self.ledger.commitments(subject.key)
        wishes, due = [], Due(at=now, about=subject)
        for rule, standing in standings.items():
            known = msgspec.structs.replace(
                situation,
                said=standing.said,
                done=standing.done,
                commitments=commitments,
                bot=self.current.site.bots,
            )
            for decision in evaluate(due, known, team=self.team, book=book, now=now, only=rule):
                setting = book.setting(rule, decision.cell)
                is_new = await self._is_new(known, setting, standing.seen)
                if await self._needs_look(decision, known, standing.next_look, is_new=is_new):
                    wishes.append(_look(decision, subject, now, setting.settle))
        return wishes

    async def _is_new(self, situation: Situation, setting: Setting, seen: str | None) -> bool:
        """Whether a look may find anything that the rule's last one has not seen and no webhook told of."""
        before, standing = seen_from(seen), _standing(situation, setting)
        if before is None or before.standing != standing:
            return True
        changed = situation.subject.known().get(_CHANGED[type(situation.subject)])
        if changed is None or changed <= before.until:
            return False
        heard = await self.ledger.heard(situation.subject.key)
        return heard is None or heard < changed

    async def _needs_look(
        self, decision: Decision, situation: Situation, planned: datetime | None, *, is_new: bool
    ) -> bool:
        if decision.mode == "off":
            return False
        if decision.outcome == "act":
            return is_new or not await self._is_under_way(decision)
        again = next_look(decision.actions)
        if again:
            return planned is None or planned > again
        return is_new and (decision.outcome != "pass" or _may_turn(situation))

    async def _is_under_way(self, decision: Decision) -> bool:
        """Whether all that the rule wants is in the queue, as a message is that waits for somebody's working hours."""
        wanted = [action for action in decision.actions if not isinstance(action, Recheck)]
        return await self.ledger.are_planned(action.key(decision.rule, decision.subject) for action in wanted)


class Seen(msgspec.Struct, frozen=True):
    """What a look saw: all changes up to an instant, with its rule and the sprints around it standing like this."""

    until: datetime
    standing: str


def seen_by(situation: Situation, setting: Setting, now: datetime) -> str:
    """What a look of `now` saw, as it is stored: a ticket as of its last update, a contribution as of now."""
    until: datetime = situation.subject.known().get("updated_at", now)
    return msgspec.json.encode(Seen(until, _standing(situation, setting))).decode()


def seen_from(stored: str | None) -> Seen | None:
    """The same as it was stored; None where nothing was, or by a version that wrote it otherwise."""
    try:
        return msgspec.json.decode(stored, type=Seen) if stored else None
    except msgspec.DecodeError:
        return None


def _standing(situation: Situation, setting: Setting) -> str:
    rule = hashlib.sha256(f"{setting}".encode()).hexdigest()[:8]
    if isinstance(situation.subject, Contribution):
        return rule
    around = (situation.sprints.active, situation.sprints.next, situation.sprints.stretch_goals)
    return f"{' '.join(str(one.id if one else '-') for one in around)} {rule}"


def _last_change(subject: Subject) -> datetime | None:
    """When it changed last, as far as a list of its kind tells: of a contribution that is its opening."""
    at: datetime | None = subject.known().get("opened_at" if isinstance(subject, Contribution) else "updated_at")
    return at


def _look(decision: Decision, subject: Subject, now: datetime, settle: timedelta) -> Wish:
    """At the moment that the rule waits for, else once people had time to finish editing."""
    again = next_look(decision.actions) if decision.outcome == "wait" else None
    if again:
        return look_then(decision.rule, decision.subject, again)
    return look(decision, _last_edit(subject, now, settle), settle)


def _last_edit(subject: Subject, now: datetime, settle: timedelta) -> datetime:
    """When people edited it last, at most `now`; long ago where nobody says so."""
    edited: datetime = subject.known().get("updated_at", now - settle)
    return min(edited, now)


def _may_turn(situation: Situation) -> bool:
    """Whether a list tells too little to leave it alone: the rule's comment asks for something, or it was a draft."""
    if situation.said is not None and situation.said.state.startswith(ASKING):
        return True
    return situation.subject.known().get("is_draft", False) is True


def _places(cell: Cell) -> Iterator[tuple[str, str | int]]:
    for repository in sorted(cell.repositories):
        yield "github", repository
        yield "gitlab", repository
    yield from (("topic", category) for category in sorted(cell.forum_categories))
    yield from (("jira", project) for project in sorted(cell.contribution_projects))


def _ids(sprints: Iterable[Sprint]) -> str:
    return ", ".join(str(sprint.id) for sprint in sprints)


def _next(cell: Cell, sprints: Sprints, now: datetime) -> datetime:
    """An hour later, or at the cell's next deadline where that comes first."""
    window = cell.window(now, sprints)
    deadlines = (at for _, at in (*window.deadlines(), *window.following().deadlines()) if at > now)
    return min(now + EVERY, *deadlines)
