"""Reads what is true now, and decides what to read for it; the only place that does."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec

from service.contributions import Contribution, Listed, Note, contribution_from, notes_of
from service.engine import Rulebook, cell_of
from service.errors import CannotAct, NotFound, NotSignedInError, TryLater
from service.facts import Cell, Person, Sprint, Sprints, Team, Ticket
from service.jira_shapes import FieldMap, RawField, discover, is_issue_key
from service.ledger import Contributed, Ledger, Site, kept_as
from service.rules._base import Rule
from service.situation import Situation

EPIC_SECONDS = 600
SPRINTS_SECONDS = 60
TOLD_LATELY = timedelta(minutes=10)
"""How long a look trusts what webhooks told of a contribution, instead of reading it."""

_SPRINTS = msgspec.json.Decoder(tuple[Sprint, ...])
_OWNER = msgspec.json.Decoder(Person | None)


class JiraReader(Protocol):
    """What is read from Jira."""

    fields: FieldMap

    async def identify(self) -> Person: ...
    async def field_list(self) -> list[RawField]: ...
    async def ticket(self, key: str) -> Ticket: ...
    async def sprints(self, board: int) -> tuple[Sprint, ...]: ...
    async def sprint(self, number: int) -> Sprint: ...
    def search(self, jql: str) -> AsyncGenerator[Ticket, None]: ...


class ContributionReader(Protocol):
    """What is read from a code host or the forum."""

    async def identify(self) -> Person: ...
    async def notes(self, key: str) -> tuple[Note, ...]: ...
    async def recent(self, place: Any, since: datetime) -> tuple[Listed, ...]: ...


Readers = Mapping[str, ContributionReader]
"""Where contributions are read, by what their keys begin with: github, gitlab, topic."""


class Gatherer:
    """Fresh facts for the worker. Its methods raise NotFound, TryLater, CannotAct, or RedisAway."""

    def __init__(self, jira: JiraReader | None, readers: Readers, team: Team, ledger: Ledger) -> None:
        self._jira = jira
        self._readers = readers
        self._team = team
        self._ledger = ledger

    async def situation(self, rule: Rule, subject: str, book: Rulebook, now: datetime) -> Situation:
        """All that `rule`, as `book` sets it, needs to know of the ticket or contribution `subject` at that instant.

        Raises TryLater as long as the site's fields are not found out: a missing field would look like an empty one.
        """
        if not is_issue_key(subject) and not subject.isdecimal():
            return await around(self._ledger, self._team, rule, await self._contribution(subject, now), book)
        jira = await self.jira()
        ticket = await jira.ticket(subject)
        if rule.subject is Contribution:
            return await around(self._ledger, self._team, rule, await self._contributed_ticket(ticket), book)
        cell = self._team.cell_of(ticket.project)
        if cell is None:
            return Situation(ticket)
        known = ticket.having(epic_owner=await self._epic_owner(jira, ticket))
        return msgspec.structs.replace(
            await around(self._ledger, self._team, rule, known, book),
            sprints=await self._sprints_around(jira, cell, ticket),
            reviews_taken=await self._reviews_taken(ticket),
            commitments=await self._ledger.commitments(ticket.key),
        )

    async def _contribution(self, key: str, now: datetime) -> Contribution:
        """What webhooks told and what can be read now; only what they told where they did so a moment ago.

        What is read is not kept: a draft that is ready by now, without a webhook, would stay a draft for sweeps. But it
        shows whether webhooks told all; where they did not, the contribution is read each time from then on.
        """
        kept, reader = await self._ledger.kept(key), self._readers.get(key.partition(":")[0])
        if kept is None:
            raise NotFound(f"nothing is known of {key}")
        if reader is None or kept.was_told(since=now - TOLD_LATELY):
            return kept.with_notes()
        read = await reader.notes(key)
        if kept.lacks(read):
            await self._ledger.doubt(key)
        return kept.with_notes(*read)

    async def _contributed_ticket(self, ticket: Ticket) -> Contribution:
        """The ticket tells of itself; its place is kept, under which notes of our own are found again."""
        notes = notes_of(ticket)
        await self._ledger.keep_notes(Contributed(key=ticket.key, place=ticket.project))
        kept = await self._ledger.kept(ticket.key)
        return kept.with_notes(*notes) if kept else contribution_from(ticket.key, ticket.project, notes)

    async def jira(self) -> JiraReader:
        """Jira, with its fields known."""
        if self._jira is None:
            raise CannotAct("Jira is not configured; set CRAFTY_JIRA_URL and CRAFTY_JIRA_TOKEN")
        site, _ = await self._ledger.site()
        if site is None:
            raise TryLater("Jira's fields are not known yet", after=2)
        self._jira.fields = site.fields
        return self._jira

    async def _epic_owner(self, jira: JiraReader, ticket: Ticket) -> Person | None:
        if ticket.epic_key is None:
            return None
        name = f"epic-owner:{ticket.epic_key}"
        cached = await self._ledger.cached(name)
        if cached is not None:
            known: Person | None = _OWNER.decode(cached)
            return known
        try:
            owner = (await jira.ticket(ticket.epic_key)).assignee
        except NotSignedInError:
            raise
        except (NotFound, CannotAct):
            owner = None
        await self._ledger.cache(name, msgspec.json.encode(owner), EPIC_SECONDS)
        return owner

    async def _sprints_around(self, jira: JiraReader, cell: Cell, ticket: Ticket) -> Sprints:
        """Those of the cell's board; where that can't be read, those that the ticket names."""
        board = await self.sprints(jira, cell)
        sprints = cell.sprints_among(board or ticket.sprints)
        return msgspec.structs.replace(sprints, is_whole=bool(board) or cell.board is None)

    async def sprints(self, jira: JiraReader, cell: Cell, *, anew: bool = False) -> tuple[Sprint, ...]:
        """The active and future sprints of the cell's board; none where it has no board, or one that can't be read.

        anew: what was read within the last minute does not count.
        """
        if cell.board is None:
            return ()
        name = f"sprints:{cell.board}"
        cached = None if anew else await self._ledger.cached(name)
        if cached is not None:
            known: tuple[Sprint, ...] = _SPRINTS.decode(cached)
            return known
        try:
            sprints = await jira.sprints(cell.board)
        except NotSignedInError:
            raise
        except (NotFound, CannotAct) as refusal:
            await self._ledger.warn(f"board of {cell.name}", f"Board {cell.board} can't be read: {refusal}")
            return ()
        await self._ledger.cache(name, msgspec.json.encode(sprints), SPRINTS_SECONDS)
        return sprints

    async def _reviews_taken(self, ticket: Ticket) -> dict[str, int]:
        running = ticket.running_sprint
        return await self._ledger.reviews_taken(running.id) if running else {}


async def around(ledger: Ledger, team: Team, rule: Rule, subject: Ticket | Contribution, book: Rulebook) -> Situation:
    """What is stored that `rule`, as `book` sets it, needs to know of a subject."""
    site, _ = await ledger.site()
    cell = cell_of(subject, team)
    mode = book.setting(rule.name, cell.name if cell else "").mode
    kept = kept_as(rule.name, mode)
    return Situation(
        subject,
        sprints=cell.sprints_among(await ledger.sprints_seen(cell.name)) if cell else Sprints(),
        said=await ledger.said(kept, subject.key),
        done=await ledger.done_by(kept, subject.key),
        refused=await ledger.refused(rule.name, subject.key),
        told=await ledger.told(subject.key),
        bot=site.bots if site else frozenset(),
    )


async def find_out(
    jira: JiraReader | None, readers: Readers, names: Mapping[str, str], *, is_cloud: bool = False
) -> Site:
    """Who we are in the connected systems, and which custom field is which.

    names: fact to configured field name or id; is_cloud: of Jira, whose epics are parents, so that Epic Link may be
    missing. Raises what Jira's client raises; another system that does not answer is one of the site's problems, and
    disturbs nothing else.
    """
    site = Site()
    if jira:
        bot = await jira.identify()
        known = await jira.field_list()
        fields, _ = discover(known, names)
        needed = {fact: name for fact, name in names.items() if not (is_cloud and fact == "epic_link")}
        _, problems = discover(known, needed)
        site = Site(fields=fields, jira_bot=tuple(sorted(bot.jira_ids)), problems=problems)
    for reader in readers.values():
        try:
            site = _known_as(site, await reader.identify())
        except (NotFound, TryLater, CannotAct) as fault:
            site = msgspec.structs.replace(site, problems=(*site.problems, f"{fault}"))
    return site


def _known_as(site: Site, bot: Person) -> Site:
    accounts = {"discourse_bot": bot.discourse, "github_bot": bot.github, "gitlab_bot": bot.gitlab}
    return msgspec.structs.replace(site, **{name: account for name, account in accounts.items() if account})
