"""Goes through all that a cell's rules are about, and asks for the looks that no webhook asked for."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from service.actions import ASKING, Recheck
from service.contributions import Contribution, Note, contribution_from, notes_of
from service.current import Current
from service.engine import Decision, Setting, cell_of, evaluate
from service.errors import CannotAct, NotFound, NotSignedInError, TryLater
from service.events import Due
from service.facts import Cell, Sprint, Sprints, Team, Ticket
from service.gather import Gatherer, JiraReader, Readers
from service.ledger import Contributed, Ledger
from service.queue import Wish, look, look_again
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
        """Whether it changed between these moments and nothing told us: no webhook, no deed and no look of ours."""
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
        jql = f"project in ({', '.join(cell.projects)}) AND sprint in ({_ids(matter)}) ORDER BY key"
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
            async for key, notes in self._recent(jira, system, place, now - LOOK_BACK):
                kept = await self.ledger.contribution(key, *notes)
                yield kept or contribution_from(key, place, notes)

    async def _recent(
        self, jira: JiraReader, system: str, place: str | int, since: datetime
    ) -> AsyncIterator[tuple[str, tuple[Note, ...]]]:
        try:
            if system == "jira":
                async for ticket in jira.search(f"project = {place} AND created >= -{LOOK_BACK.days}d ORDER BY key"):
                    yield ticket.key, notes_of(ticket)
            elif system in self.readers:
                for key, opened in await self.readers[system].recent(place, since):
                    await self.ledger.keep_notes(Contributed(key=key, place=place, notes=(opened,)))
                    yield key, (opened,)
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
        looked = await self.ledger.looked(subject.key)
        book, cell = self.current.book, cell_of(subject, self.team)
        modes = [(rule.name, book.setting(rule.name, cell.name if cell else "").mode) for rule in book.rules]
        standings = await self.ledger.standings(modes, subject.key)
        commitments = await self.ledger.commitments(subject.key)
        wishes, due = [], Due(at=now, about=subject)
        for rule, standing in standings.items():
            known = replace(
                situation,
                said=standing.said,
                done=standing.done,
                commitments=commitments,
                bot=self.current.site.bots,
            )
            for decision in evaluate(due, known, team=self.team, book=book, now=now, only=rule):
                setting = book.setting(rule, decision.cell)
                is_new = looked.get(rule) != stamp_of(subject, situation.sprints, setting)
                if decision.outcome == "pass":
                    is_new = _asks(known) and (is_new or isinstance(subject, Contribution))
                if _needs_look(decision, standing.next_look, is_new=is_new):
                    wishes.append(look(decision, _last_edit(subject, now, setting.settle), setting.settle))
        return wishes


def stamp_of(subject: Subject, sprints: Sprints, setting: Setting) -> str:
    """What tells whether a look may find anything new.

    That is how the rule is set, and of a ticket its last update and the sprints around it.
    """
    rule = hashlib.sha256(f"{setting}".encode()).hexdigest()[:8]
    if isinstance(subject, Contribution):
        return rule
    around = (sprints.active, sprints.next, sprints.stretch_goals)
    return f"{subject.known().get('updated_at')} {' '.join(str(one.id if one else '-') for one in around)} {rule}"


def _last_change(subject: Subject) -> datetime | None:
    """When it changed last, as far as a list of its kind tells: of a contribution that is its opening."""
    at: datetime | None = subject.known().get("opened_at" if isinstance(subject, Contribution) else "updated_at")
    return at


def _last_edit(subject: Subject, now: datetime, settle: timedelta) -> datetime:
    """When people edited it last, at most `now`; long ago where nobody says so."""
    edited: datetime = subject.known().get("updated_at", now - settle)
    return min(edited, now)


def _needs_look(decision: Decision, planned: datetime | None, *, is_new: bool) -> bool:
    if decision.mode == "off":
        return False
    if decision.outcome == "act":
        return True
    rechecks = [action.at for action in decision.actions if isinstance(action, Recheck)]
    if not rechecks:
        return is_new
    return planned is None or planned > min(rechecks)


def _asks(situation: Situation) -> bool:
    """Whether the rule's comment asks for something: a search or a list tells too little to say that it is answered."""
    return situation.said is not None and situation.said.state.startswith(ASKING)


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
