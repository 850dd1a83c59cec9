"""How the stand-in Jira shows what stands beside its issues: people, sprints, statuses, types, comments, links."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from service.demo._jira_markup import Json, document_of
from service.demo._jira_site import (
    KINDS,
    LINK_TYPES,
    STATUSES,
    JiraComment,
    JiraIssue,
    JiraLink,
    JiraPerson,
    JiraRemoteLink,
    JiraSite,
    JiraSprint,
    UnknownNameError,
)

_CATEGORIES: Final = {
    "new": (2, "To Do", "blue-gray"),
    "indeterminate": (4, "In Progress", "yellow"),
    "done": (3, "Done", "green"),
}
STATUS_IDS: Final = {name: str(10000 + index) for index, name in enumerate(STATUSES)}
_LINK_TYPE_IDS: Final = {name: str(10000 + index) for index, name in enumerate(LINK_TYPES)}


def id_of(ids: Mapping[str, str], name: str, what: str) -> str:
    """The id of a name; raises UnknownNameError, which says what is not there."""
    if name not in ids:
        raise UnknownNameError(f"No {what} '{name}'.")
    return ids[name]


def address_of(site: JiraSite, version: int, path: str) -> str:
    return f"{site.base_url}/rest/api/{version}/{path}"


def show_priority(site: JiraSite) -> Json:
    return {"self": address_of(site, 2, "priority/3"), "name": "Medium", "id": "3"}


def show_kind(site: JiraSite, kind: str, version: int) -> Json:
    kind_id = id_of(KINDS, kind, "issue type")
    address = address_of(site, version, f"issuetype/{kind_id}")
    level = {"hierarchyLevel": {"Epic": 1, "Sub-task": -1}.get(kind, 0)} if site.is_cloud else {}
    return {"self": address, "id": kind_id, "description": "", "name": kind, "subtask": kind == "Sub-task", **level}


def show_status(site: JiraSite, status: str, version: int) -> Json:
    status_id = id_of(STATUS_IDS, status, "status")
    number, name, colour = _CATEGORIES[STATUSES[status]]
    category = {"id": number, "key": STATUSES[status], "colorName": colour, "name": name}
    return {
        "self": address_of(site, version, f"status/{status_id}"),
        "description": "",
        "name": status,
        "id": status_id,
        "statusCategory": {"self": address_of(site, version, f"statuscategory/{number}"), **category},
    }


def show_other(site: JiraSite, key: str, version: int) -> Json:
    """An issue as another one shows it, that is linked to it or belongs to it."""
    issue = site.issue(key)
    fields = {
        "summary": issue.summary,
        "status": show_status(site, issue.status, version),
        "priority": show_priority(site),
        "issuetype": show_kind(site, issue.kind, version),
    }
    return {"id": issue.id, "key": key, "self": address_of(site, version, f"issue/{issue.id}"), "fields": fields}


def show_link(site: JiraSite, link: JiraLink, key: str, version: int) -> Json:
    """A link as the issue with that key shows it: with the other end alone."""
    outward, inward = LINK_TYPES[link.type]
    kind = {"id": _LINK_TYPE_IDS[link.type], "name": link.type, "inward": inward, "outward": outward}
    is_source = key == link.source
    other = show_other(site, link.target if is_source else link.source, version)
    address = address_of(site, version, f"issueLink/{link.id}")
    return {"id": link.id, "self": address, "type": kind, "outwardIssue" if is_source else "inwardIssue": other}


def show_link_event(site: JiraSite, link: JiraLink) -> Json:
    """A link as the webhooks about links show it."""
    outward, inward = LINK_TYPES[link.type]
    kind = {"id": int(_LINK_TYPE_IDS[link.type]), "name": link.type, "outwardName": outward, "inwardName": inward}
    return {
        "id": int(link.id),
        "sourceIssueId": int(site.issue(link.source).id),
        "destinationIssueId": int(site.issue(link.target).id),
        "issueLinkType": {**kind, "isSubTaskLinkType": False, "isSystemLinkType": False},
        "systemLink": False,
    }


def show_remote_link(site: JiraSite, issue: JiraIssue, link: JiraRemoteLink, version: int) -> Json:
    address = address_of(site, version, f"issue/{issue.id}/remotelink/{link.id}")
    shown = {"url": link.url, "title": link.title, "icon": {}, "status": {"icon": {}}}
    return {"id": int(link.id), "self": address, "globalId": link.global_id, "application": {}, "object": shown}


def show_instant(site: JiraSite, at: datetime) -> str:
    local = at.astimezone(site.zone)
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03d}{local:%z}"


def _show_sprint_date(site: JiraSite, at: datetime) -> str:
    """Agile dates: Cloud in UTC with a Z, Data Center in the site's zone with a colon in the offset."""
    if site.is_cloud:
        return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return at.astimezone(site.zone).isoformat(timespec="milliseconds")


def show_person(site: JiraSite, person: JiraPerson) -> Json:
    shared = {"displayName": person.name, "active": person.active, "timeZone": person.timezone}
    if site.is_cloud:
        address = f"{site.base_url}/rest/api/2/user?accountId={person.id}"
        return {"self": address, "accountId": person.id, "accountType": person.account_type, **shared}
    address = f"{site.base_url}/rest/api/2/user?username={person.id}"
    return {"self": address, "name": person.id, "key": person.key, "emailAddress": person.email, **shared}


def _sprint_dates(site: JiraSite, sprint: JiraSprint) -> Json:
    dates = {"startDate": sprint.start, "endDate": sprint.end, "completeDate": sprint.completed}
    return {name: _show_sprint_date(site, at) for name, at in dates.items() if at}


def show_sprint(site: JiraSite, sprint: JiraSprint) -> Json:
    return {
        "id": sprint.id,
        "self": f"{site.base_url}/rest/agile/1.0/sprint/{sprint.id}",
        "state": sprint.state,
        "name": sprint.name,
        **_sprint_dates(site, sprint),
        "createdDate": _show_sprint_date(site, sprint.created),
        "originBoardId": sprint.board,
        "goal": "",
    }


def show_sprint_value(site: JiraSite, sprint: JiraSprint) -> Json:
    shown = {"id": sprint.id, "name": sprint.name, "state": sprint.state, "boardId": sprint.board, "goal": ""}
    return {**shown, **_sprint_dates(site, sprint)}


def show_sprint_text(site: JiraSite, sprint: JiraSprint) -> str:
    dates = _sprint_dates(site, sprint)
    values = {
        "id": sprint.id,
        "rapidViewId": sprint.board,
        "state": sprint.state.upper(),
        "name": sprint.name,
        **{name: dates.get(name, "<null>") for name in ("startDate", "endDate", "completeDate")},
        "sequence": sprint.id,
        "goal": "",
    }
    inner = ",".join(f"{name}={value}" for name, value in values.items())
    return f"com.atlassian.greenhopper.service.sprint.Sprint@{sprint.id:x}[{inner}]"


def show_comment(site: JiraSite, issue: JiraIssue, comment: JiraComment, version: int = 2) -> Json:
    author = show_person(site, site.person(comment.author))
    return {
        "self": f"{site.base_url}/rest/api/{version}/issue/{issue.id}/comment/{comment.id}",
        "id": comment.id,
        "author": author,
        "body": comment.wiki if version == 2 else comment.adf or document_of(comment.wiki, site.names),
        "updateAuthor": author,
        "created": show_instant(site, comment.created),
        "updated": show_instant(site, comment.updated),
        **({"jsdPublic": True} if site.is_cloud else {}),
    }
