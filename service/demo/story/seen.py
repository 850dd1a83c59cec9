"""What is there once the story is over: in Jira, in the chat, on the forum, and in Crafty's own store."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from service.commitments import Commitment
from service.contributions import Acknowledgement
from service.demo._jira_site import JiraComment, JiraIssue
from service.demo._sender import Delivery
from service.demo.discourse import ForumTopic
from service.demo.mattermost import ChatMessage
from service.demo.stage import Stage


@dataclass(frozen=True)
class Seen:
    """The end of the story.

    tickets, commitments and acknowledgements by key; ranking: the keys of all tickets, the highest first; zones: in
    which the chat's members live, by user name; dead_letters: the keys of the work that was given up; patience: how far
    from its moment in calm weather a thing may have happened.
    """

    tickets: dict[str, JiraIssue] = field(default_factory=dict)
    ranking: list[str] = field(default_factory=list)
    messages: list[ChatMessage] = field(default_factory=list)
    topics: dict[int, ForumTopic] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    zones: dict[str, ZoneInfo] = field(default_factory=dict)
    commitments: dict[str, Commitment] = field(default_factory=dict)
    acknowledgements: dict[str, Acknowledgement] = field(default_factory=dict)
    dead_letters: list[str] = field(default_factory=list)
    warnings: dict[str, str] = field(default_factory=dict)
    patience: timedelta = timedelta(0)

    def own_comments(self, *keys: str) -> list[JiraComment]:
        """What Crafty wrote on these tickets, or on all; tickets that are not there have none."""
        tickets = [self.tickets[key] for key in keys or self.tickets if key in self.tickets]
        return [comment for ticket in tickets for comment in ticket.comments.values() if rule_of(comment)]

    def messages_to(self, recipient: str) -> list[ChatMessage]:
        """recipient: a user name, or `#` and a channel's name."""
        return [message for message in self.messages if message.recipients == (recipient,)]

    def local(self, message: ChatMessage) -> datetime:
        """When it came, on the clock of whoever got it alone."""
        (recipient,) = message.recipients
        return message.at.astimezone(self.zones[recipient])


def rule_of(comment: JiraComment) -> str:
    """The rule that wrote a comment; "" for people."""
    key: str = comment.properties.get("crafty", {}).get("key", "")
    return key.partition(":")[0]


async def look_back(on_stage: Stage, zone: ZoneInfo, patience: timedelta = timedelta(0)) -> Seen:
    """zone: of people who say of none; patience: as in Seen."""
    ledger = on_stage.ledger
    return Seen(
        tickets=on_stage.jira.issues,
        ranking=on_stage.jira.ranking,
        messages=on_stage.chat.messages,
        topics=on_stage.forum.topics,
        deliveries=[delivery for sender in on_stage.senders for delivery in sender.deliveries],
        zones={str(one.mattermost): ZoneInfo(one.timezone) if one.timezone else zone for one in on_stage.people},
        commitments={line.ticket: line for line in await ledger.all_commitments()},
        acknowledgements={one.contribution: one for one in await ledger.acknowledgements()},
        dead_letters=await on_stage.dead_letters(),
        warnings=await ledger.warnings(),
        patience=patience,
    )
