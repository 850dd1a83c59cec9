"""Reads what is true now, and decides what to read for it; the only place that does."""

from __future__ import annotations

from typing import Protocol

import msgspec

from service.errors import CannotAct, NotFound, NotSignedInError, TryLater
from service.facts import Cell, Person, Sprint, Sprints, Team, Ticket
from service.jira_shapes import FieldMap, RawField, discover
from service.ledger import Ledger, Site
from service.situation import Situation

EPIC_SECONDS = 600
SPRINTS_SECONDS = 60

_SPRINTS = msgspec.json.Decoder(tuple[Sprint, ...])
_OWNER = msgspec.json.Decoder(Person | None)


class JiraReader(Protocol):
    """What is read from Jira."""

    fields: FieldMap

    async def identify(self) -> Person: ...
    async def field_list(self) -> list[RawField]: ...
    async def ticket(self, key: str) -> Ticket: ...
    async def sprints(self, board: int) -> tuple[Sprint, ...]: ...


class ForumReader(Protocol):
    """What is read from the forum."""

    async def identify(self) -> Person: ...


class Gatherer:
    """Fresh facts for the worker. Its methods raise NotFound, TryLater, CannotAct, or RedisAway."""

    def __init__(self, jira: JiraReader | None, team: Team, ledger: Ledger) -> None:
        self._jira = jira
        self._team = team
        self._ledger = ledger

    async def situation(self, rule: str, subject: str) -> Situation:
        """All that `rule` needs to know of the ticket `subject`.

        Raises TryLater as long as the site's fields are not found out: a missing field would look like an empty one.
        """
        jira = await self._prepared()
        ticket = await jira.ticket(subject)
        cell = self._team.cell_of(ticket.project)
        if cell is None:
            return Situation(ticket)
        return Situation(
            subject=ticket.having(epic_owner=await self._epic_owner(jira, ticket)),
            sprints=await self._sprints(jira, cell, ticket),
            said=await self._ledger.said(rule, subject),
            reviews_taken=await self._reviews_taken(ticket),
        )

    async def _prepared(self) -> JiraReader:
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

    async def _sprints(self, jira: JiraReader, cell: Cell, ticket: Ticket) -> Sprints:
        """The board's sprints; where the board can't be read, those that the ticket itself names."""
        if cell.board is None:
            return cell.sprints_among(ticket.sprints)
        name = f"sprints:{cell.board}"
        cached = await self._ledger.cached(name)
        if cached is not None:
            return cell.sprints_among(_SPRINTS.decode(cached))
        try:
            sprints = await jira.sprints(cell.board)
        except (NotFound, CannotAct):
            sprints = ticket.sprints
        else:
            await self._ledger.cache(name, msgspec.json.encode(sprints), SPRINTS_SECONDS)
        return cell.sprints_among(sprints)

    async def _reviews_taken(self, ticket: Ticket) -> dict[str, int]:
        running = ticket.running_sprint
        return await self._ledger.reviews_taken(running.id) if running else {}


async def find_out(jira: JiraReader | None, forum: ForumReader | None, names: dict[str, str]) -> Site:
    """Who we are in the connected systems, and which custom field is which.

    names: fact to configured field name or id. Raises what Jira's client raises; a forum that does not answer is one of
    the site's problems, and disturbs nothing else.
    """
    site = Site()
    if jira:
        bot = await jira.identify()
        fields, problems = discover(await jira.field_list(), names)
        site = Site(fields=fields, jira_bot=tuple(sorted(bot.jira_ids)), problems=problems)
    try:
        forum_bot = await forum.identify() if forum else None
    except (NotFound, TryLater, CannotAct) as fault:
        return msgspec.structs.replace(site, problems=(*site.problems, f"{fault}"))
    return msgspec.structs.replace(site, discourse_bot=forum_bot and forum_bot.discourse)
