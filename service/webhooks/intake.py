"""One delivery from its bytes to its answer: verified, parsed, decided on, stored in one step."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from service.clock import Clock
from service.commands import commands_in
from service.contributions import Contribution, contribution_from, notes_of
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
)
from service.facts import Sprints, Team, Ticket, Unknown
from service.ledger import Contributed, Delivery, Ledger, Site
from service.queue import Queue, StaleRules, Taken, Wish, look, look_again, sweep
from service.settings import Settings
from service.situation import Situation
from service.webhooks import discourse, github, gitlab, jira
from service.webhooks._signature import is_signed, is_token

log = structlog.get_logger()

_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_KEPT_HEADERS: Final = ("content-type", "user-agent", "x-atlassian-webhook-", "x-discourse-", "x-github-", "x-gitlab-")
_NOT_KEPT: Final = ("signature", "token")
_RELOADS: Final = 5
_LONGEST_NAME: Final = 128


class Answer(msgspec.Struct, frozen=True):
    """What the sender is told. decisions: left out for a duplicate."""

    delivery: str
    duplicate: bool
    decisions: list[dict[str, str]] | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True)
class Posted:
    """A delivery as it was posted: headers with lower-case names, the `token` of the query, the body's bytes."""

    headers: Mapping[str, str]
    token: str | None
    body: bytes
    received: datetime


@dataclass(frozen=True)
class Source:
    """What is particular to one kind of sender.

    is_configured: whether there is a secret to verify by; is_genuine: whether the sender proved who it is; parse: the
    event's name and the event; marks: the delivery's id, and what else it is recognised by.
    """

    is_configured: Callable[[], bool]
    is_genuine: Callable[[Posted], bool]
    parse: Callable[[Posted, Site], tuple[str, Event | Ignored]]
    identify: Callable[[Posted], tuple[str, list[str]]]


class Intake:
    """Takes deliveries for all sources; made once per process."""

    def __init__(
        self, settings: Settings, team: Team, book: Rulebook, queue: Queue, ledger: Ledger, clock: Clock
    ) -> None:
        self._settings = settings
        self._team = team
        self._book = book
        self._queue = queue
        self._ledger = ledger
        self._clock = clock
        self._categories = frozenset(number for cell in team.cells for number in cell.forum_categories)
        self._repositories = frozenset(name for cell in team.cells for name in cell.repositories)
        self._site = Site()
        self._version = ""
        self._sources = {
            "jira": self._jira(),
            "discourse": self._discourse(),
            "github": self._github(),
            "gitlab": self._gitlab(),
        }

    def check_configured(self, source: str) -> None:
        """Raises Rejected for a source that there is not, or whose secret is not set."""
        if source not in self._sources:
            raise Rejected(404, f"there is no source of that name; the sources are {', '.join(sorted(self._sources))}")
        if not self._sources[source].is_configured():
            raise Rejected(503, f"{source} is not configured: set CRAFTY_{source.upper()}_WEBHOOK_SECRET")

    async def take(self, name: str, posted: Posted) -> Answer:
        """Stores a delivery with all that follows from it.

        Raises Rejected with nothing stored, or RedisAway when it is not known to be stored: the sender delivers again.
        """
        source = self._sources[name]
        if not source.is_genuine(posted):
            raise Rejected(401, "the signature is missing or was not made with a secret that Crafty knows")
        for _ in range(_RELOADS):
            try:
                return await self._store(name, source, posted)
            except StaleRules:
                await self._reload()
        raise Rejected(503, "the rules' settings keep changing; deliver again")

    async def _reload(self) -> None:
        site, self._version = await self._ledger.site()
        self._site = site or Site()

    async def _store(self, name: str, source: Source, posted: Posted) -> Answer:
        event_name, event = _parsed(source, posted, self._site)
        event = self._own_doing(event)
        decisions = self._decide(event, posted.received)
        delivery_id, marks = source.identify(posted)
        delivery = Delivery(
            id=delivery_id,
            source=name,
            event=event_name[:_LONGEST_NAME],
            subject=None if isinstance(event, Ignored) else event.subject,
            received=posted.received,
            headers=_kept(posted.headers),
            note=event.reason if isinstance(event, Ignored) else None,
        )
        taken = Taken(
            delivery=delivery,
            body=b"" if isinstance(event, Ignored) else zlib.compress(posted.body, level=1),
            marks=marks,
            decisions=decisions,
            looks=list(self._looks(event, decisions, posted.received)),
            outdated=_outdated(event),
            noted=_noted(event),
        )
        first = await self._queue.ingest(taken, self._version)
        log.info("delivery.stored", delivery=delivery_id, source=name, event_name=delivery.event, duplicate=bool(first))
        if first is not None:
            return Answer(delivery=first, duplicate=True)
        return Answer(delivery=delivery_id, duplicate=False, decisions=[_shown(decision) for decision in decisions])

    def _decide(self, event: Event | Ignored, now: datetime) -> tuple[Decision, ...]:
        if isinstance(event, Ignored):
            return ()
        return tuple(
            decision
            for situation in self._situations(event)
            for decision in evaluate(event, situation, team=self._team, book=self._book, now=now)
        )

    def _situations(self, event: Event) -> Iterator[Situation]:
        """What the event is about, as far as it tells; a ticket of a contributions project is a contribution too."""
        bot = self._site.bots
        match event:
            case ContributionNoted():
                yield Situation(event.contribution, bot=bot)
            case TicketChanged(ticket=ticket) | CommentPosted(ticket=Ticket() as ticket):
                yield Situation(*_known_of(ticket, self._team), bot=bot)
                if self._team.cell_watching(ticket.project):
                    yield Situation(_contributed(ticket), bot=bot)

    def _looks(self, event: Event | Ignored, decisions: Iterable[Decision], now: datetime) -> Iterator[Wish]:
        """The looks that follow; what people tell Crafty is looked at at once, what they edit after the settle time."""
        is_settling = isinstance(event, TicketChanged)
        for decision in decisions:
            settle = self._book.setting(decision.rule, decision.cell).settle if is_settling else timedelta(0)
            if decision.mode != "off":
                yield look(decision, now, settle)
        if isinstance(event, SprintChanged):
            yield from (sweep(cell.name, now) for cell in self._team.cells if cell.board == event.sprint.board)
        if isinstance(event, CommentPosted) and event.ticket is None and commands_in(event.text, self._site.bots):
            told = [rule for rule in self._book.rules if CommentPosted in rule.concerns]
            yield from (look_again(rule.name, event.issue, now) for rule in told if event.issue)

    def _own_doing(self, event: Event | Ignored) -> Event | Ignored:
        """Crafty's own comments and edits come back as events; they are recorded, and that is all."""
        if isinstance(event, Ignored) or event.actor is None:
            return event
        return Ignored("it is Crafty's own doing") if self._site.is_ours(event.actor) else event

    def _jira(self) -> Source:
        secrets, tokens = self._settings.jira_webhook_secrets, self._settings.jira_webhook_tokens
        return Source(
            is_configured=lambda: bool(secrets or tokens),
            is_genuine=lambda posted: (
                is_signed(posted.headers.get("x-hub-signature"), posted.body, secrets) or is_token(posted.token, tokens)
            ),
            parse=lambda posted, site: jira.parse(
                posted.body, site.fields, self._settings.jira_url or "", posted.received
            ),
            identify=lambda posted: _marked(
                "jira", "", posted.headers.get("x-atlassian-webhook-identifier"), posted.body
            ),
        )

    def _discourse(self) -> Source:
        secrets = self._settings.discourse_webhook_secrets
        return Source(
            is_configured=lambda: bool(secrets),
            is_genuine=lambda posted: is_signed(
                posted.headers.get("x-discourse-event-signature"), posted.body, secrets
            ),
            parse=self._parse_discourse,
            identify=_identify_discourse,
        )

    def _parse_discourse(self, posted: Posted, site: Site) -> tuple[str, Event | Ignored]:
        name, kind = (posted.headers.get(f"x-discourse-event{suffix}", "") for suffix in ("", "-type"))
        url, account = str(self._settings.discourse_url or "").rstrip("/"), site.discourse_bot or ""
        return name, discourse.parse(name, kind, posted.body, self._categories, posted.received, url, account)

    def _github(self) -> Source:
        secrets = self._settings.github_webhook_secrets
        return Source(
            is_configured=lambda: bool(secrets),
            is_genuine=lambda posted: is_signed(posted.headers.get("x-hub-signature-256"), posted.body, secrets),
            parse=lambda posted, _: _parsed_as(github.parse, "x-github-event", posted, self._repositories),
            identify=lambda posted: _marked("github", "", posted.headers.get("x-github-delivery"), posted.body),
        )

    def _gitlab(self) -> Source:
        secrets = self._settings.gitlab_webhook_secrets
        return Source(
            is_configured=lambda: bool(secrets),
            is_genuine=lambda posted: is_token(posted.headers.get("x-gitlab-token"), secrets),
            parse=lambda posted, _: _parsed_as(gitlab.parse, "x-gitlab-event", posted, self._repositories),
            identify=_identify_gitlab,
        )


def _parsed_as(
    parse: Callable[[str, bytes, Container[str], datetime], Event | Ignored],
    header: str,
    posted: Posted,
    watched: Container[str],
) -> tuple[str, Event | Ignored]:
    name = posted.headers.get(header, "")
    return name, parse(name, posted.body, watched, posted.received)


def _parsed(source: Source, posted: Posted, site: Site) -> tuple[str, Event | Ignored]:
    try:
        return source.parse(posted, site)
    except msgspec.ValidationError as error:
        status = 400 if posted.body.lstrip()[:1] != b"{" else 422
        raise Rejected(status, f"the JSON is not what this event must have: {error}") from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise Rejected(400, "the body is not a JSON object in UTF-8") from None


def _known_of(ticket: Ticket, team: Team) -> tuple[Ticket, Sprints]:
    """What a payload tells: the sprints that the ticket names, and that without an epic there is no epic owner."""
    known = ticket.known()
    if known.get("epic_key", "") is None:
        ticket = ticket.having(epic_owner=None)
    cell = team.cell_of(ticket.project)
    return ticket, cell.sprints_among(known["sprints"]) if cell and "sprints" in known else Sprints()


def _contributed(ticket: Ticket) -> Contribution:
    """The ticket as a contribution; where the payload tells too little of it, only which one it is."""
    try:
        return contribution_from(ticket.key, ticket.project, notes_of(ticket))
    except Unknown:
        return Contribution(key=ticket.key, place=ticket.project)


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


def _identify_discourse(posted: Posted) -> tuple[str, list[str]]:
    """The forum's retries bear a new event id, so the content counts too; its ids are small numbers of one instance."""
    instance = posted.headers.get("x-discourse-instance", "")
    given = posted.headers.get("x-discourse-event-id")
    name = f"discourse-{_digest(instance.encode())[:8]}-{given}" if given else None
    event = posted.headers.get("x-discourse-event", "")
    shown, marks = _marked("discourse", instance, name, posted.body)
    return shown, [*marks, f"discourse:{instance}:{event}:{_digest(posted.body)}"]


def _identify_gitlab(posted: Posted) -> tuple[str, list[str]]:
    """Idempotency-Key tells deliveries apart; without one there is only the event's id, which related hooks share."""
    given = posted.headers.get("idempotency-key")
    if given:
        return _marked("gitlab", "", given, posted.body)
    shown, marks = _marked("gitlab", "", posted.headers.get("x-gitlab-event-uuid"), posted.body)
    return shown, [f"{mark}:{_digest(posted.body)}" for mark in marks]


def _marked(source: str, instance: str, given: str | None, body: bytes) -> tuple[str, list[str]]:
    """The id a delivery is shown under, and the mark that it is recognised by; without an id, its content is the id."""
    name = given or f"{source}-{_digest(body)[:32]}"
    shown = name if _PLAIN_ID.fullmatch(name) else f"{source}-{_digest(name.encode())[:32]}"
    return shown, [f"{source}:{instance}:{shown}"]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that tell what a delivery was; never a signature or a credential."""
    return {
        name: value[:256]
        for name, value in headers.items()
        if name.startswith(_KEPT_HEADERS) and not name.endswith(_NOT_KEPT)
    }


def _shown(decision: Decision) -> dict[str, str]:
    shown: dict[str, str] = {"rule": decision.rule, "outcome": decision.outcome}
    return shown if decision.mode == "on" else {**shown, "mode": decision.mode}
