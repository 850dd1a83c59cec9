"""Every way in which the stand-in Jira can change, and the webhooks that tell of it."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from service.clock import Clock
from service.demo._jira_fields import changelog_item, fields_of
from service.demo._jira_issues import show_issue
from service.demo._jira_markup import MENTION, Json, plain_text
from service.demo._jira_site import (
    Flavour,
    HistoryEntry,
    JiraComment,
    JiraIssue,
    JiraLink,
    JiraRemoteLink,
    JiraSite,
    JiraSprint,
    UnknownNameError,
)
from service.demo._jira_views import show_comment, show_link_event, show_person, show_sprint
from service.demo._sender import WebhookSender


class LiveSite(JiraSite):
    """A Jira that changes; each change sends its webhooks."""

    def __init__(
        self, flavour: Flavour, clock: Clock, sender: WebhookSender, zone: ZoneInfo, projects: Sequence[str]
    ) -> None:
        super().__init__(flavour, clock, zone, projects)
        self.sender = sender
        self._ids = itertools.count(10001)

    def add_issue(self, key: str, actor: str, sprint: int | None, fields: Mapping[str, Any]) -> JiraIssue:
        now, author = self.clock(), self.person(actor).id
        sprints = [] if sprint is None else [self.sprint(sprint).id]
        basis: Json = {"reporter": author, "sprints": sprints, **fields}
        issue = JiraIssue(self._next_id(), key, author, now, now, **basis)
        if issue.project not in self.projects or key in self.issues:
            raise UnknownNameError(f"No new issue can be called '{key}'.")
        show_issue(self, issue)  # refuses names that are not there before the issue is
        self.issues[key] = issue
        self.ranked.append(key)
        self._announce_issue("jira:issue_created", "issue_created", issue, actor)
        return issue

    def remove_issue(self, issue: JiraIssue, actor: str) -> None:
        del self.issues[issue.key]
        self.ranked.remove(issue.key)
        self.links = [link for link in self.links if issue.key not in {link.source, link.target}]
        self._announce_issue("jira:issue_deleted", "issue_deleted", issue, actor)

    def change(self, issue: JiraIssue, actor: str, facts: Mapping[str, Any]) -> None:
        """Sets facts of an issue. What has that value already does not count; if nothing is left, nothing is sent."""
        fields = {one.fact: one for one in fields_of(self.flavour)}
        news = {fact: value for fact, value in facts.items() if getattr(issue, fact) != value}
        items = [changelog_item(self, fields[fact], getattr(issue, fact), value) for fact, value in news.items()]
        for fact, value in news.items():
            setattr(issue, fact, value)
        if items:
            self._record(issue, actor, items, _event_type(news))

    def move(self, issues: Iterable[JiraIssue], sprint: int | None, actor: str) -> None:
        """Puts issues into a sprint, or with None into the backlog; the closed sprints stay with them."""
        present = [] if sprint is None else [sprint]
        for issue in issues:
            self.change(issue, actor, {"sprints": [*self.closed_sprints_of(issue), *present]})

    def rank(self, issues: Sequence[JiraIssue], pivot: JiraIssue, *, above: bool, actor: str) -> None:
        """Ranks issues right above or below another one, in the order given."""
        moved = [issue.key for issue in issues if issue is not pivot]
        rest = [key for key in self.ranked if key not in moved]
        place = rest.index(pivot.key) + (0 if above else 1)
        self.ranked = [*rest[:place], *moved, *rest[place:]]
        words = f"Ranked {'higher' if above else 'lower'}"
        item = {"field": "Rank", "fieldtype": "custom", "from": "", "fromString": "", "to": "", "toString": words}
        for key in moved:
            self._record(self.issues[key], actor, [item], "issue_updated")

    def link(self, source: JiraIssue, link_type: str, target: JiraIssue, actor: str) -> None:
        """Links two issues, once for each type; both have it in their history."""
        if any((one.type, one.source, one.target) == (link_type, source.key, target.key) for one in self.links):
            return
        link = JiraLink(self._next_id(), link_type, source.key, target.key)
        self.links.append(link)
        self._announce("issuelink_created", {"issueLink": show_link_event(self, link)})
        for issue, other in ((source, target), (target, source)):
            words = f"This issue {link.phrase_at(issue.key)} {other.key}"
            item = {"field": "Link", "fieldtype": "jira", "from": None, "fromString": None}
            self._record(issue, actor, [{**item, "to": other.key, "toString": words}], "issue_updated")

    def set_remote_link(self, issue: JiraIssue, global_id: str, url: str, title: str) -> tuple[JiraRemoteLink, bool]:
        """The link that has this global id from now on, and whether it is new; without an id each is new."""
        known = issue.remote_links.get(global_id)
        link = JiraRemoteLink(known.id if known else self._next_id(), global_id, url, title)
        issue.remote_links[global_id or link.id] = link
        return link, known is None

    def add_comment(self, issue: JiraIssue, actor: str, wiki: str, adf: Json | None, properties: Json) -> JiraComment:
        now = self.clock()
        comment = JiraComment(self._next_id(), self.person(actor).id, now, now, properties)
        issue.comments[comment.id] = comment
        self._write(issue, comment, wiki, adf)
        self._announce_comment("comment_created", "issue_commented", issue, comment)
        return comment

    def edit_comment(self, issue: JiraIssue, comment: JiraComment, wiki: str, adf: Json | None) -> None:
        self._write(issue, comment, wiki, adf)
        self._announce_comment("comment_updated", "issue_comment_edited", issue, comment)

    def remove_comment(self, issue: JiraIssue, comment: JiraComment) -> None:
        del issue.comments[comment.id]
        issue.updated = self.clock()
        self._announce_comment("comment_deleted", "issue_comment_deleted", issue, comment)

    def _write(self, issue: JiraIssue, comment: JiraComment, wiki: str, adf: Json | None) -> None:
        comment.wiki, comment.adf = wiki, adf
        comment.text, comment.mentions = plain_text(wiki, self.names), MENTION.findall(wiki)
        comment.updated = issue.updated = self.clock()

    def add_sprint(self, sprint: JiraSprint) -> None:
        self.sprints[sprint.id] = sprint
        self.announce_sprint("sprint_created", sprint)

    def announce_sprint(self, event: str, sprint: JiraSprint) -> None:
        self._announce(event, {"sprint": show_sprint(self, sprint)})

    def _next_id(self) -> str:
        return str(next(self._ids))

    def _record(self, issue: JiraIssue, actor: str, items: list[Json], event_type: str) -> None:
        issue.updated = self.clock()
        entry = HistoryEntry(self._next_id(), self.person(actor).id, issue.updated, items)
        issue.history.append(entry)
        changelog = {"changelog": {"id": entry.id, "items": items}}
        self._announce_issue("jira:issue_updated", event_type, issue, actor, changelog)

    def _announce_issue(
        self, event: str, event_type: str, issue: JiraIssue, actor: str, more: Mapping[str, Any] | None = None
    ) -> None:
        user = show_person(self, self.person(actor))
        shown = show_issue(self, issue, names=["-comment"] if self.is_cloud else None)
        self._announce(event, {"issue_event_type_name": event_type, "user": user, "issue": shown, **(more or {})})

    def _announce_comment(self, event: str, event_type: str, issue: JiraIssue, comment: JiraComment) -> None:
        """Cloud shows six fields of the issue; Data Center none, but sends an issue event with the comment as well."""
        shown = {"comment": show_comment(self, issue, comment)}
        if self.is_cloud:
            few = ("summary", "issuetype", "project", "assignee", "priority", "status")
            self._announce(event, {**shown, "issue": show_issue(self, issue, names=few)})
            return
        self._announce(event, shown)
        self._announce_issue("jira:issue_updated", event_type, issue, comment.author, shown)

    def _announce(self, event: str, payload: Json) -> None:
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "Atlassian Webhook HTTP Client"}
        if self.is_cloud:
            headers |= {"X-Atlassian-Webhook-Identifier": str(uuid.uuid4()), "X-Atlassian-Webhook-Flow": "Primary"}
        stamped = {"timestamp": int(self.clock().timestamp() * 1000), "webhookEvent": event, **payload}
        retry_header = "X-Atlassian-Webhook-Retry" if self.is_cloud else ""
        self.sender.send(event, stamped, headers, "X-Hub-Signature", retry_header)


def _event_type(facts: Mapping[str, Any]) -> str:
    if "status" in facts:
        return "issue_generic"
    return "issue_assigned" if list(facts) == ["assignee"] else "issue_updated"
