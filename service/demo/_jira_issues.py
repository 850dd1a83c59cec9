"""How the stand-in Jira shows whole issues and their history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from service.demo._jira_fields import RANK_FIELD, fields_of
from service.demo._jira_markup import Json
from service.demo._jira_site import HistoryEntry, JiraIssue, JiraSite
from service.demo._jira_views import address_of, show_comment, show_instant, show_link, show_person, show_priority

T = TypeVar("T")
MOST_SHOWN_INSIDE: Final = 100
"""How many comments and changelog entries the Cloud shows inside an issue."""


def show_issue(site: JiraSite, issue: JiraIssue, version: int = 2, names: Sequence[str] | None = None) -> Json:
    """names: the fields asked for by id, `*all`, or with a leading minus those not wanted; None asks for all."""
    shown = {name: show() for name, show in chosen_fields(_fields(site, issue, version), names).items()}
    address = address_of(site, version, f"issue/{issue.id}")
    return {"id": issue.id, "key": issue.key, "self": address, "fields": shown}


def show_issue_with(
    site: JiraSite, issue: JiraIssue, version: int, names: Sequence[str], expand: Sequence[str]
) -> Json:
    """The issue with what a request expands; names: as for `show_issue`."""
    shown = show_issue(site, issue, version, names)
    return {**shown, "changelog": show_history(site, issue)} if "changelog" in expand else shown


def chosen_fields(fields: Mapping[str, T], names: Sequence[str] | None) -> dict[str, T]:
    wanted = {name for name in names or () if not name.startswith("-")}
    unwanted = {name[1:] for name in names or () if name.startswith("-")}
    has_all = not wanted or not wanted.isdisjoint({"*all", "*navigable"})
    return {name: value for name, value in fields.items() if (has_all or name in wanted) and name not in unwanted}


def _fields(site: JiraSite, issue: JiraIssue, version: int) -> dict[str, Callable[[], Any]]:
    """By id, how each field is shown once it is asked for."""
    fields: dict[str, Callable[[], Any]] = {
        one.id: partial(one.shape(site, version).show, getattr(issue, one.fact))
        for one in fields_of(site.flavour)
        if not (one.id == "parent" and issue.epic is None)
    }
    return {
        **fields,
        "project": lambda: _show_project(site, issue, version),
        "priority": lambda: show_priority(site),
        "creator": lambda: show_person(site, site.person(issue.creator)),
        "created": lambda: show_instant(site, issue.created),
        "updated": lambda: show_instant(site, issue.updated),
        "issuelinks": lambda: [show_link(site, link, issue.key, version) for link in site.links_of(issue)],
        "subtasks": list,
        "resolution": lambda: None,
        RANK_FIELD: lambda: f"0|i{site.ranked.index(issue.key) if issue.key in site.ranked else 0:05d}:",
        "comment": lambda: _show_comments(site, issue, version),
    }


def _show_project(site: JiraSite, issue: JiraIssue, version: int) -> Json:
    address = address_of(site, version, f"project/{issue.project}")
    shown = {"self": address, "key": issue.project, "id": "10000", "name": issue.project}
    return {**shown, "projectTypeKey": "software"}


def _show_comments(site: JiraSite, issue: JiraIssue, version: int) -> Json:
    every = list(issue.comments.values())
    inside = every[:MOST_SHOWN_INSIDE] if site.is_cloud else every
    comments = [show_comment(site, issue, comment, version) for comment in inside]
    return {"comments": comments, "maxResults": len(comments), "total": len(every), "startAt": 0}


def show_history(site: JiraSite, issue: JiraIssue) -> Json:
    """As it is expanded with its issue: Cloud lists the newest entries first and cuts, Data Center the oldest first."""
    entries = issue.history[: -MOST_SHOWN_INSIDE - 1 : -1] if site.is_cloud else issue.history
    page = {"startAt": 0, "maxResults": len(entries), "total": len(issue.history)}
    return {**page, "histories": show_entries(site, entries)}


def show_entries(site: JiraSite, entries: Iterable[HistoryEntry]) -> list[Json]:
    return [
        {
            "id": entry.id,
            "author": show_person(site, site.person(entry.author)),
            "created": show_instant(site, entry.created),
            "items": entry.items,
        }
        for entry in entries
    ]
