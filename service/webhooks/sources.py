"""The kinds of senders: how each proves who it is and names what it sends, and what its events are about. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from service.calendar import is_believable
from service.contributions import Contribution, contribution_from, notes_of
from service.errors import Rejected
from service.events import CommentPosted, ContributionNoted, Event, Ignored, TicketChanged
from service.facts import Sprints, Team, Ticket, Unknown
from service.ledger import Site
from service.settings import Settings
from service.situation import Situation
from service.webhooks import discourse, github, gitlab, jira
from service.webhooks._shape import check_shape
from service.webhooks._signature import is_signed, is_token

_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


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


class Sources:
    """All kinds of senders, as these settings know them. Reads what they send; pure."""

    def __init__(self, settings: Settings, team: Team) -> None:
        self._settings = settings
        self._categories = frozenset(number for cell in team.cells for number in cell.forum_categories)
        self._repositories = frozenset(name for cell in team.cells for name in cell.repositories)
        self._sources = {
            "jira": self._jira(),
            "discourse": self._discourse(),
            "github": self._github(),
            "gitlab": self._gitlab(),
        }

    def source(self, name: str) -> Source:
        """The source of that name; raises Rejected for one that there is not."""
        if name not in self._sources:
            raise Rejected(404, f"there is no source of that name; the sources are {', '.join(sorted(self._sources))}")
        return self._sources[name]

    def parsed(self, name: str, posted: Posted, site: Site) -> tuple[str, Event | Ignored]:
        """The event's name and the event, without a look at the signature.

        Crafty's own comments and edits come back as events; they are Ignored. Raises Rejected where the body is not
        what that event must have.
        """
        event_name, event = _parsed(self.source(name), posted, site)
        if isinstance(event, Ignored) or event.actor is None or not site.is_ours(event.actor):
            return event_name, event
        return event_name, Ignored("it is Crafty's own doing")

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


def situations(event: Event | Ignored, team: Team, bot: frozenset[str]) -> Iterator[Situation]:
    """What the event is about, as far as it tells; a ticket of a contributions project is a contribution too.

    bot: the accounts that Crafty itself acts under.
    """
    match event:
        case ContributionNoted():
            yield Situation(event.contribution, bot=bot)
        case TicketChanged(ticket=ticket) | CommentPosted(ticket=Ticket() as ticket):
            yield Situation(*_known_of(ticket, team), bot=bot)
            if team.cell_watching(ticket.project):
                yield Situation(_contributed(ticket), bot=bot)


def _parsed_as(
    parse: Callable[[str, bytes, Container[str], datetime], Event | Ignored],
    header: str,
    posted: Posted,
    watched: Container[str],
) -> tuple[str, Event | Ignored]:
    name = posted.headers.get(header, "")
    return name, parse(name, posted.body, watched, posted.received)


def _parsed(source: Source, posted: Posted, site: Site) -> tuple[str, Event | Ignored]:
    check_shape(posted.body)
    try:
        event_name, event = source.parse(posted, site)
    except msgspec.ValidationError as error:
        status = 400 if posted.body.lstrip()[:1] != b"{" else 422
        raise Rejected(status, f"the JSON is not what this event must have: {error}") from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise Rejected(400, "the body is not a JSON object in UTF-8") from None
    if not all(map(is_believable, _moments_of(event))):
        raise Rejected(422, "a time in it lies outside the years 1900 to 2199")
    return event_name, event


def _moments_of(event: Event | Ignored) -> Iterator[datetime]:
    """When it happened, and everything that it tells of a contribution."""
    if not isinstance(event, Ignored):
        yield event.at
    if isinstance(event, ContributionNoted):
        yield from (note.at for note in event.notes)


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
