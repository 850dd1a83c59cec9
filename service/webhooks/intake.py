"""One delivery from its bytes to its answer: verified, parsed, decided on, stored in one step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from service.commands import commands_in
from service.current import Current
from service.engine import Decision, Rulebook, evaluate
from service.errors import Rejected
from service.events import (
    CommentPosted,
    ContributionNoted,
    Event,
    Ignored,
    SprintChanged,
    TicketChanged,
    TicketDeleted,
    Unread,
)
from service.facts import Team
from service.ledger import Contributed, Delivery, Site
from service.log import Gathered
from service.queue import Queue, StaleRules, Taken, Wish, look, look_again, sweep
from service.settings import Settings
from service.webhooks._shape import SMALL_BYTES
from service.webhooks.sources import Posted, Source, Sources, situations

log = structlog.get_logger()

_KEPT_HEADERS: Final = ("content-type", "user-agent", "x-atlassian-webhook-", "x-discourse-", "x-github-", "x-gitlab-")
_NOT_KEPT: Final = ("signature", "token")
_RELOADS: Final = 5
MOST_KEPT_BYTES: Final = 1024 * 1024
"""A body that is larger is not kept, so that the delivery can't be replayed."""
MOST_TOLD_BYTES: Final = 512 * 1024
FAILED_ON: Final = "Crafty failed on it"
"""How the note begins of a delivery that is kept for a version of Crafty which is mended."""

_LONGEST_NAME: Final = 128


class Answer(msgspec.Struct, frozen=True):
    """What the sender is told. decisions: left out for a duplicate."""

    delivery: str
    duplicate: bool
    decisions: list[dict[str, str]] | msgspec.UnsetType = msgspec.UNSET


class Intake:
    """Takes deliveries for all sources; made once per process."""

    def __init__(self, settings: Settings, team: Team, current: Current, queue: Queue) -> None:
        self._sources = Sources(settings, team)
        self._secrets = settings.secret_values
        self._team = team
        self._current = current
        self._queue = queue
        self._stored = Gathered(log, "deliveries.stored", "deliveries")

    def check_configured(self, name: str) -> None:
        """Raises Rejected for a source that there is not, or whose secret is not set."""
        if not self._sources.source(name).is_configured():
            raise Rejected(503, f"{name} is not configured: set CRAFTY_{name.upper()}_WEBHOOK_SECRET")

    async def take(self, name: str, posted: Posted) -> Answer:
        """Stores a delivery with all that follows from it.

        Raises Rejected with nothing stored, or RedisAway when it is not known to be stored: the sender delivers again.
        """
        source = self._sources.source(name)
        if not source.is_genuine(posted):
            raise Rejected(401, "the signature is missing or was not made with a secret that Crafty knows")
        return await self._by_standing_rules(lambda: self._store(name, source, posted))

    async def replay(self, delivery: Delivery, body: bytes) -> Answer:
        """Decides once more, now and by the rules as they are, on a stored delivery; looks follow as for any other.

        Nothing of what is stored of the delivery changes: the decisions stand in
        the timeline under the stage "replay". Raises Rejected where nothing of it was kept or it can't be read any
        more, or RedisAway.
        """
        if not body:
            why = delivery.note or "no rule was concerned with it, or it was too large"
            raise Rejected(410, f"nothing of this delivery was kept: {why}")
        return await self._by_standing_rules(lambda: self._store_again(delivery, body))

    async def _by_standing_rules(self, store: Callable[[], Awaitable[Answer]]) -> Answer:
        """What is stored was decided by the rules as they stand at that moment."""
        for _ in range(_RELOADS):
            try:
                return await store()
            except StaleRules:
                await self._current.reload()
        raise Rejected(503, "the rules' settings keep changing; deliver again")

    async def _store(self, name: str, source: Source, posted: Posted) -> Answer:
        event_name, event, decisions = self._understood(name, posted)
        delivery_id, marks = source.identify(posted)
        delivery = Delivery(
            id=delivery_id,
            source=name,
            event=event_name[:_LONGEST_NAME],
            subject=None if isinstance(event, Ignored) else event.subject,
            received=posted.received,
            headers=_kept(posted.headers, self._secrets),
            note=event.reason if isinstance(event, Ignored) else None,
        )
        taken = Taken(
            delivery=delivery,
            body=_body_to_keep(event, posted.body),
            marks=marks,
            decisions=decisions,
            looks=list(self._looks(event, decisions, posted.received)),
            outdated=_outdated(event),
            noted=_noted(event),
        )
        if len(posted.body) > SMALL_BYTES:
            _check_size(taken)
        first = await self._queue.ingest(taken, self._current.version)
        self._stored.add(delivery=delivery_id, source=name, event_name=delivery.event, duplicate=first is not None)
        if first is not None:
            return Answer(delivery=first, duplicate=True)
        return _told(delivery_id, decisions)

    def _understood(self, name: str, posted: Posted) -> tuple[str, Event | Ignored, tuple[Decision, ...]]:
        """The event's name, the event, and what the rules decide on it.

        A delivery on which Crafty itself fails would fail each time that it is sent again: it is Unread.
        """
        try:
            event_name, event = self._sources.parsed(name, posted, self._current.site)
            return event_name, event, self._decide(event, posted.received)
        except Rejected:
            raise
        except Exception as error:
            log.exception("delivery.failed", source=name)
            return name, Unread(f"{FAILED_ON} ({type(error).__name__})"), ()

    async def _store_again(self, delivery: Delivery, body: bytes) -> Answer:
        now = self._queue.clock()
        posted = Posted(headers=delivery.headers, token=None, body=body, received=delivery.received)
        _, event = self._sources.parsed(delivery.source, posted, self._current.site)
        decisions = self._decide(event, now)
        taken = Taken(
            delivery=delivery,
            decisions=decisions,
            looks=list(self._looks(event, decisions, now)),
            outdated=_outdated(event),
            noted=_noted(event),
            replayed=now,
        )
        await self._queue.ingest(taken, self._current.version)
        log.info("delivery.replayed", delivery=delivery.id, source=delivery.source, event_name=delivery.event)
        return _told(delivery.id, decisions)

    def _decide(self, event: Event | Ignored, now: datetime) -> tuple[Decision, ...]:
        return decided(event, team=self._team, site=self._current.site, book=self._current.book, now=now)

    def _looks(self, event: Event | Ignored, decisions: Iterable[Decision], now: datetime) -> Iterator[Wish]:
        """The looks that follow; what people tell Crafty is looked at at once, what they edit after the settle time."""
        is_settling = isinstance(event, TicketChanged)
        book, bots = self._current.book, self._current.site.bots
        for decision in decisions:
            settle = book.setting(decision.rule, decision.cell).settle if is_settling else timedelta(0)
            if decision.mode != "off":
                yield look(decision, now, settle)
        if isinstance(event, SprintChanged):
            yield from (sweep(cell.name, now) for cell in self._team.cells if cell.board == event.sprint.board)
        if isinstance(event, CommentPosted) and event.ticket is None and commands_in(event.text, bots):
            told = [rule for rule in book.rules if CommentPosted in rule.concerns]
            yield from (look_again(rule.name, event.issue, now) for rule in told if event.issue)


def decided(event: Event | Ignored, *, team: Team, site: Site, book: Rulebook, now: datetime) -> tuple[Decision, ...]:
    """What the rules decide in the request, when nothing is known but what the event tells."""
    if isinstance(event, Ignored):
        return ()
    return tuple(
        decision
        for situation in situations(event, team, site.bots)
        for decision in evaluate(event, situation, team=team, book=book, now=now)
    )


def _body_to_keep(event: Event | Ignored, body: bytes) -> bytes:
    """Nothing of what no rule is concerned with, and of what would take too much room."""
    is_kept = isinstance(event, Event | Unread) and len(body) <= MOST_KEPT_BYTES
    return body if is_kept else b""


def _check_size(taken: Taken) -> None:
    """Raises Rejected where the decisions and notes that follow from a delivery are larger than any real ones."""
    if len(msgspec.json.encode(msgspec.structs.replace(taken, body=b""))) > MOST_TOLD_BYTES:
        raise Rejected(413, "what it tells of takes more room than Crafty gives to one delivery")


def _noted(event: Event | Ignored) -> Contributed | None:
    if not isinstance(event, ContributionNoted):
        return None
    return Contributed(key=event.contribution.key, place=event.contribution.place, notes=event.notes)


def _outdated(event: Event | Ignored) -> list[str]:
    """What was read earlier and is old after this event."""
    match event:
        case SprintChanged():
            return [f"sprints:{event.sprint.board}"]
        case TicketChanged() | TicketDeleted():
            return [f"epic-owner:{event.ticket.key}"]
        case _:
            return []


def _kept(headers: Mapping[str, str], secrets: Iterable[str]) -> dict[str, str]:
    """The headers that tell what a delivery was; never a signature, a credential or an e-mail address."""
    return {
        name: value[:256]
        for name, value in headers.items()
        if name.startswith(_KEPT_HEADERS)
        and not name.endswith(_NOT_KEPT)
        and "@" not in value
        and not any(secret in value for secret in secrets)
    }


def _told(delivery: str, decisions: Iterable[Decision]) -> Answer:
    return Answer(delivery=delivery, duplicate=False, decisions=[_shown(decision) for decision in decisions])


def _shown(decision: Decision) -> dict[str, str]:
    shown: dict[str, str] = {"rule": decision.rule, "outcome": decision.outcome}
    return shown if decision.mode == "on" else {**shown, "mode": decision.mode}
