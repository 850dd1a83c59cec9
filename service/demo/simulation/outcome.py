"""What was seen of a simulated sprint, and what came of it in the end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from service.calendar import SprintCalendar
from service.commitments import Commitment
from service.contributions import Acknowledgement
from service.demo._jira_site import JiraComment, JiraIssue
from service.demo.simulation.plan import NEXT, RUNNING, Offer
from service.demo.stage import Stage
from service.facts import Person
from service.ledger import Entry

Json = dict[str, Any]

_REMARK: Final = re.compile(r"remark-(\d+)")


@dataclass(frozen=True)
class Ping:
    """A message to a person or a channel, or a mention in a comment that was new.

    to: the id of the configuration, or `#channel`; rule: which rule pinged, `*` for a list of several.
    """

    to: str
    at: datetime
    rule: str
    about: str
    is_chat: bool


@dataclass
class Outcome:
    """What came of a sprint.

    since, end: when Crafty came and when the curtain fell; comments: of the bot, as ticket, what the comment is known
    by, and moment; not_green: the tickets of the next sprint that missed something at the deadline; closed_with: the
    tickets that were in the sprint when it was closed; effects: how often each kind had each result; final: what lasts
    of Crafty's doing, comparable between runs.
    """

    people: tuple[Person, ...]
    calendar: SprintCalendar
    offers: tuple[Offer, ...]
    since: datetime
    end: datetime
    pings: list[Ping] = field(default_factory=list)
    comments: list[tuple[str, str, datetime]] = field(default_factory=list)
    not_green: frozenset[str] = frozenset()
    closed_with: frozenset[str] = frozenset()
    commitments: list[Commitment] = field(default_factory=list)
    acknowledgements: list[Acknowledgement] = field(default_factory=list)
    dead_letters: list[str] = field(default_factory=list)
    effects: Counter[str] = field(default_factory=Counter)
    numbers: dict[str, int] = field(default_factory=dict)
    final: Json = field(default_factory=dict)


class Observer:
    """Watches a stage, since an edited comment does not show any more whom it mentioned when it was new."""

    def __init__(self, on: Stage, outcome: Outcome) -> None:
        self._on = on
        self._outcome = outcome
        self._seen: set[str] = set()

    def look(self) -> None:
        """Has to be called after every moment."""
        for issue in self._on.jira.issues.values():
            for comment in self._new_comments(issue):
                self._note_comment(issue.key, comment)

    def look_at_the_deadline(self) -> None:
        """Notes which tickets are not ready for the next sprint now."""
        issues = self._on.jira.issues.values()
        self._outcome.not_green = frozenset(issue.key for issue in issues if _is_not_green(issue))

    def _new_comments(self, issue: JiraIssue) -> list[JiraComment]:
        ours = (one for one in issue.comments.values() if one.author == self._on.jira.bot.id)
        new = [one for one in ours if one.id not in self._seen]
        self._seen |= {one.id for one in new}
        return new

    def _note_comment(self, ticket: str, comment: JiraComment) -> None:
        key = key_of(comment)
        self._outcome.comments.append((ticket, key, comment.created))
        accounts = {person.jira: person.id for person in self._on.people}
        for account in set(comment.mentions) & accounts.keys():
            ping = Ping(accounts[account], comment.created, key.partition(":")[0], ticket, is_chat=False)
            self._outcome.pings.append(ping)


def key_of(comment: JiraComment) -> str:
    """What the bot's comment is known by: rule, subject and occasion."""
    return str(comment.properties.get("crafty", {}).get("key", ""))


def _is_not_green(issue: JiraIssue) -> bool:
    if NEXT not in issue.sprints or issue.is_done:
        return False
    has_reviewer = any(one and one != issue.assignee for one in (issue.reviewer, issue.core_committer))
    return issue.estimate is None or issue.assignee is None or not has_reviewer


async def conclude(on: Stage, outcome: Outcome, rules: Iterable[str]) -> None:
    """Adds to the outcome what stands at the end."""
    outcome.pings += _chat_pings(on)
    outcome.commitments = await on.ledger.all_commitments()
    outcome.acknowledgements = await on.ledger.acknowledgements()
    outcome.dead_letters = await on.dead_letters()
    _, entries = await on.news("0")
    outcome.effects = Counter(f"{one.effect.kind}, {one.effect.result}" for one in entries if one.effect)
    outcome.numbers = _numbers(on, entries)
    outcome.closed_with = frozenset(key for key, issue in on.jira.issues.items() if RUNNING in issue.sprints)
    outcome.final = {
        "tickets": {key: await _ticket(on, issue, tuple(rules)) for key, issue in _ours(on)},
        "internal tickets": dict(_internal(on)),
        "commitments": {f"{one.ticket} {one.sprint}": _commitment(one) for one in outcome.commitments},
        "answers": {one.title: (one.is_missed, one.closed, one.answered_by) for one in outcome.acknowledgements},
        "warnings": await on.ledger.warnings(),
    }


def _chat_pings(on: Stage) -> Iterator[Ping]:
    names = {person.mattermost: person.id for person in on.people}
    for message in on.chat.messages:
        rule, _, about = str(message.props.get("crafty", "")).partition(":")
        for recipient in message.recipients:
            yield Ping(names.get(recipient, recipient), message.at, rule, about, is_chat=True)


def _numbers(on: Stage, entries: list[Entry]) -> dict[str, int]:
    return {
        "webhooks": sum(len(sender.deliveries) for sender in on.senders),
        "looks": sum(entry.stage == "look" for entry in entries),
        "chat messages": len(on.chat.messages),
    }


def _ours(on: Stage) -> Iterator[tuple[str, JiraIssue]]:
    return ((key, issue) for key, issue in sorted(on.jira.issues.items()) if issue.project == "SE")


async def _ticket(on: Stage, issue: JiraIssue, rules: tuple[str, ...]) -> Json:
    cases = {rule: await on.ledger.case(rule, issue.key) for rule in rules}
    remarks = [one.id for one in issue.comments.values() if one.author != on.jira.bot.id]
    ours = [key_of(one) for one in issue.comments.values() if one.author == on.jira.bot.id]
    said = {rule: (_counted(case.occasion, remarks), case.state) for rule, case in cases.items() if case}
    return {
        "sprints": issue.sprints,
        "labels": sorted(issue.labels),
        "people": (issue.assignee, issue.reviewer),
        "comments": sorted(_counted(key, remarks) for key in ours),
        "says": said,
    }


def _counted(occasion: str, remarks: list[str]) -> str:
    """Remarks by their place among those of people, since Jira numbers them as they come."""
    return _REMARK.sub(lambda found: f"remark {remarks.index(found[1])}", occasion)


def _internal(on: Stage) -> Iterator[tuple[str, Json]]:
    for issue in on.jira.issues.values():
        if issue.project == "HELP":
            links = sorted(link.global_id for link in issue.remote_links.values())
            comments = sorted(key_of(one) for one in issue.comments.values())
            yield (
                issue.summary,
                {"links": links, "comments": comments, "labels": issue.labels, "due": issue.due, "for": issue.assignee},
            )


def _commitment(one: Commitment) -> tuple[str, bool, str, str]:
    return one.status, one.is_spillover, one.assignee_id, one.reason


def differences(first: Json, second: Json, path: str = "") -> list[str]:
    """Where two runs ended differently, each as a line."""
    lines = []
    for name in sorted(first.keys() | second.keys()):
        here, one, other = f"{path}{name}", first.get(name), second.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            lines += differences(one, other, f"{here}: ")
        elif one != other:
            lines.append(f"{here}: {one} / {other}")
    return lines
