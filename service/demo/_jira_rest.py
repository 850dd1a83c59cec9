"""The REST side of the stand-in Jira: issues, comments and fields, in versions 2 and 3 of the platform API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from fastapi import FastAPI, Query, Response

from service.demo._jira_fields import RANK_ITEM, AccountField, JiraField, SprintsField, fields_of, read_body
from service.demo._jira_http import AnyBody, Body, MaxResults, Route, StartAt, listed
from service.demo._jira_issues import show_entries, show_issue_with
from service.demo._jira_live import LiveSite
from service.demo._jira_markup import FieldError, Json
from service.demo._jira_site import (
    INVALID,
    LARGEST_PROPERTY,
    MOST_COMMENTS_A_PAGE,
    JiraComment,
    JiraError,
    JiraIssue,
    JiraPerson,
    UnknownNameError,
)
from service.demo._jira_views import address_of, show_comment, show_person, show_remote_link

NotifyUsers = Annotated[bool, Query(alias="notifyUsers")]
CommentOrder = Annotated[Literal["created", "-created"], Query(alias="orderBy")]
GlobalId = Annotated[str, Query(alias="globalId")]

_NEEDED: Final = {
    "project": "valid project is required",
    "issuetype": "Specify an issue type",
    "summary": "You must specify a summary of the issue.",
}


class PlatformApi:
    """`/rest/api/{version}`: issues, comments and fields, as the bot sees them."""

    def __init__(self, site: LiveSite, bot: JiraPerson, version: int, *, bot_is_admin: bool) -> None:
        self._site = site
        self._bot = bot
        self._version = version
        self._bot_is_admin = bot_is_admin

    def add_to(self, app: FastAPI) -> None:
        prefix = f"/rest/api/{self._version}"
        for method, path, endpoint, status in self._routes():
            app.add_api_route(prefix + path, endpoint, methods=[method], status_code=status, response_model=None)

    def _routes(self) -> list[Route]:
        comment, property_of = "/issue/{key}/comment/{comment_id}", "/comment/{comment_id}/properties/{name}"
        return [
            ("GET", "/myself", self._myself, 200),
            ("GET", "/field", self._fields, 200),
            ("POST", "/issue", self._post_issue, 201),
            ("GET", "/issue/{key}", self._get_issue, 200),
            ("PUT", "/issue/{key}", self._put_issue, 204),
            ("PUT", "/issue/{key}/assignee", self._put_assignee, 204),
            ("GET", "/issue/{key}/properties/{name}", self._get_issue_property, 200),
            ("PUT", "/issue/{key}/properties/{name}", self._put_issue_property, 200),
            ("GET", "/issue/{key}/remotelink", self._list_remote_links, 200),
            ("POST", "/issue/{key}/remotelink", self._post_remote_link, 201),
            ("GET", "/issue/{key}/comment", self._list_comments, 200),
            ("POST", "/issue/{key}/comment", self._post_comment, 201),
            ("GET", comment, self._get_comment, 200),
            ("PUT", comment, self._put_comment, 200),
            ("DELETE", comment, self._delete_comment, 204),
            ("GET", property_of, self._get_comment_property, 200),
            ("PUT", property_of, self._put_comment_property, 200),
            *([("GET", "/issue/{key}/changelog", self._list_history, 200)] if self._site.is_cloud else []),
        ]

    async def _myself(self) -> Json:
        return {**show_person(self._site, self._bot), "emailAddress": self._bot.email, "locale": "en_GB"}

    async def _fields(self) -> list[Json]:
        return [self._show_field(one) for one in (*fields_of(self._site.flavour), RANK_ITEM)]

    def _show_field(self, one: JiraField) -> Json:
        number = one.id.removeprefix("customfield_")
        kind = {"custom": one.custom, "customId": int(number)} if one.custom else {"system": one.id}
        clauses = [f"cf[{number}]", one.name] if one.custom else [one.id]
        shown = {"id": one.id, "name": one.name, "custom": bool(one.custom), "clauseNames": clauses}
        flags = {"orderable": True, "navigable": True, "searchable": True, "schema": {**one.shape.schema, **kind}}
        return {**shown, **flags, **({"key": one.id} if self._site.is_cloud else {})}

    async def _get_issue(self, key: str, fields: str = "*all", expand: str = "", properties: str = "") -> Json:
        issue, asked = self._site.issue(key), listed(properties)
        shown = show_issue_with(self._site, issue, self._version, listed(fields), listed(expand))
        if not asked:
            return shown
        wanted = {name: value for name, value in issue.properties.items() if "*all" in asked or name in asked}
        return {**shown, "properties": wanted}

    async def _list_history(self, key: str, start_at: StartAt = 0, max_results: MaxResults = 100) -> Json:
        """Cloud's own list of an issue's history, the oldest entry first."""
        history = self._site.issue(key).history
        size = min(max_results, 100)
        page = show_entries(self._site, history[start_at : start_at + size])
        is_last = start_at + size >= len(history)
        return {"startAt": start_at, "maxResults": size, "total": len(history), "isLast": is_last, "values": page}

    async def _post_issue(self, body: Body) -> Json:
        fields = body.get("fields")
        if not isinstance(fields, dict):
            raise JiraError(400, "one of 'fields' or 'update' required")
        values = {name: value for name, value in fields.items() if name not in _NEEDED or value is not None}
        missing = {name: words for name, words in _NEEDED.items() if name not in values}
        project = _key_in(values.pop("project", None))
        if project not in self._site.projects:
            missing["project"] = _NEEDED["project"]
        facts = self._read_all(values, [], missing)
        issue = self._site.add_issue(self._site.next_key(project), self._bot.id, None, facts)
        return {"id": issue.id, "key": issue.key, "self": address_of(self._site, self._version, f"issue/{issue.id}")}

    async def _put_issue(self, key: str, body: Body, *, notify_users: NotifyUsers = True) -> None:
        issue = self._site.issue(key)
        self._check_notify(notify_users=notify_users)
        facts = self._read_all(_requested(issue, body), self._site.closed_sprints_of(issue))
        self._site.change(issue, self._bot.id, facts)

    def _check_notify(self, *, notify_users: bool) -> None:
        if not notify_users and not self._bot_is_admin:
            needed = "either admin or project admin permissions are required"
            raise JiraError(403, f"To discard the user notification {needed}.")

    def _read_all(self, values: Json, closed: list[int], refused: Mapping[str, str] | None = None) -> Json:
        """The facts that named fields set; raises JiraError for all that are refused, with those that are already.

        closed: the closed sprints that the issue stays in.
        """
        facts: Json = {}
        errors = dict(refused or {})
        for name, value in values.items():
            try:
                facts |= self._read(name, value, closed)
            except FieldError as error:
                errors[name] = str(error)
        if errors:
            raise JiraError(400, errors=errors)
        return facts

    def _read(self, name: str, value: Any, closed: list[int]) -> Json:
        """The fact that a named field sets, with its new value."""
        one = next((one for one in fields_of(self._site.flavour) if one.id == name), None)
        if one is None:
            raise FieldError(f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown.")
        if one.shape is SprintsField:
            return {one.fact: [*closed, *self._read_sprint(value)]}
        return {one.fact: one.shape(self._site, self._version).read(value)}

    def _read_sprint(self, value: Any) -> list[int]:
        """The Sprint field is written as one bare number, though it is read as a list."""
        if value is None:
            return []
        if isinstance(value, bool) or not isinstance(value, int):
            raise FieldError("Number value expected as the Sprint id.")
        if value not in self._site.sprints or self._site.sprints[value].state == "closed":
            raise FieldError(f"Sprint with id '{value}' does not exist or is closed.")
        return [value]

    async def _put_assignee(self, key: str, body: Body) -> None:
        issue = self._site.issue(key)
        try:
            assignee = AccountField(self._site, self._version).read(body)
        except FieldError as error:
            raise JiraError(400, errors={"assignee": str(error)}) from None
        self._site.change(issue, self._bot.id, {"assignee": assignee})

    async def _get_issue_property(self, key: str, name: str) -> Json:
        return _property(self._site.issue(key).properties, name)

    async def _put_issue_property(self, key: str, name: str, value: AnyBody, response: Response) -> None:
        response.status_code = _set_property(self._site.issue(key).properties, name, value)

    async def _list_remote_links(self, key: str, global_id: GlobalId = "") -> list[Json]:
        issue = self._site.issue(key)
        links = [one for one in issue.remote_links.values() if global_id in {"", one.global_id}]
        return [show_remote_link(self._site, issue, one, self._version) for one in links]

    async def _post_remote_link(self, key: str, body: Body, response: Response) -> Json:
        """The same `globalId` again changes the link that has it (200)."""
        issue, thing = self._site.issue(key), body.get("object")
        given = thing if isinstance(thing, dict) else {}
        missing = [name for name in ("url", "title") if not isinstance(given.get(name), str) or not given[name]]
        if missing:
            raise JiraError(400, errors={name: f"'{name}' is required." for name in missing})
        global_id = str(body.get("globalId") or "")
        if len(global_id) > 255:
            raise JiraError(400, errors={"globalId": "'globalId' is too long."})
        link, is_new = self._site.set_remote_link(issue, global_id, given["url"], given["title"])
        response.status_code = 201 if is_new else 200
        shown = show_remote_link(self._site, issue, link, self._version)
        return {"id": shown["id"], "self": shown["self"]}

    async def _list_comments(
        self,
        key: str,
        start_at: StartAt = 0,
        max_results: MaxResults = MOST_COMMENTS_A_PAGE,
        order_by: CommentOrder = "created",
        expand: str = "",
    ) -> Json:
        issue = self._site.issue(key)
        ordered = list(issue.comments.values())[:: -1 if order_by == "-created" else 1]
        size = min(max_results, MOST_COMMENTS_A_PAGE) if self._site.is_cloud else max_results
        page = [self._show_comment(issue, one, expand) for one in ordered[start_at : start_at + size]]
        return {"startAt": start_at, "maxResults": size, "total": len(ordered), "comments": page}

    def _show_comment(self, issue: JiraIssue, comment: JiraComment, expand: str) -> Json:
        shown = show_comment(self._site, issue, comment, self._version)
        if "properties" not in listed(expand):
            return shown
        return {**shown, "properties": [{"key": key, "value": value} for key, value in comment.properties.items()]}

    async def _post_comment(self, key: str, body: Body, expand: str = "") -> Json:
        issue = self._site.issue(key)
        wiki, adf = self._read_comment(body)
        properties = _read_properties(body.get("properties", []))
        comment = self._site.add_comment(issue, self._bot.id, wiki, adf, properties)
        return self._show_comment(issue, comment, expand)

    def _read_comment(self, body: Json) -> tuple[str, Json | None]:
        """The body as wiki markup, and as the document it came as. `properties` in an update count for nothing."""
        try:
            wiki = read_body(body.get("body"), self._version)
        except FieldError as error:
            raise JiraError(400, errors={"comment": str(error)}) from None
        if not wiki.strip():
            raise JiraError(400, errors={"comment": "Comment body can not be empty!"})
        return wiki, body["body"] if self._version == 3 else None

    async def _get_comment(self, key: str, comment_id: str, expand: str = "") -> Json:
        issue, comment = self._comment_of(key, comment_id)
        return self._show_comment(issue, comment, expand)

    async def _put_comment(
        self, key: str, comment_id: str, body: Body, *, notify_users: NotifyUsers = True, expand: str = ""
    ) -> Json:
        issue, comment = self._comment_of(key, comment_id)
        self._check_notify(notify_users=notify_users)
        self._check_own(comment)
        self._site.edit_comment(issue, comment, *self._read_comment(body))
        return self._show_comment(issue, comment, expand)

    async def _delete_comment(self, key: str, comment_id: str) -> None:
        issue, comment = self._comment_of(key, comment_id)
        self._check_own(comment)
        self._site.remove_comment(issue, comment)

    def _comment_of(self, key: str, comment_id: str) -> tuple[JiraIssue, JiraComment]:
        issue, comment = self._site.issue(key), self._site.comment(comment_id)
        if comment_id not in issue.comments:
            raise UnknownNameError(f"Can not find a comment for the id: {comment_id}.")
        return issue, comment

    def _check_own(self, comment: JiraComment) -> None:
        if comment.author != self._bot.id:
            raise JiraError(400, f"You do not have the permission for the comment with id: {comment.id}.")

    async def _get_comment_property(self, comment_id: str, name: str) -> Json:
        return _property(self._site.comment(comment_id).properties, name)

    async def _put_comment_property(self, comment_id: str, name: str, value: AnyBody, response: Response) -> None:
        comment = self._site.comment(comment_id)
        self._check_own(comment)
        response.status_code = _set_property(comment.properties, name, value)


def _key_in(named: Any) -> str:
    return str(named.get("key", "")) if isinstance(named, dict) else ""


def _requested(issue: JiraIssue, body: Json) -> Json:
    """The value that each named field shall have; `update` verbs are carried out on the present value."""
    fields, update = body.get("fields") or {}, body.get("update") or {}
    if not isinstance(fields, dict) or not isinstance(update, dict) or not (fields or update):
        raise JiraError(400, "one of 'fields' or 'update' required")
    for name in fields.keys() & update.keys():
        raise JiraError(400, errors={name: f"Field '{name}' cannot appear in both 'fields' and 'update'"})
    return {**fields, **{name: _after_verbs(name, issue.labels, verbs) for name, verbs in update.items()}}


def _after_verbs(name: str, labels: list[str], verbs: Any) -> Any:
    """What a list of `update` verbs makes of a field: `set` on any, `add` and `remove` on labels alone."""
    value: Any = labels
    for verb in verbs if isinstance(verbs, list) and verbs else [None]:
        match verb:
            case {"set": wanted}:
                value = wanted
            case {"add": str(label)} if name == "labels" and isinstance(value, list):
                value = [*value, label]
            case {"remove": str(label)} if name == "labels" and isinstance(value, list):
                value = [one for one in value if one != label]
            case _:
                raise JiraError(400, errors={name: f"Field '{name}' does not support this operation"})
    return value


def _read_properties(raw: Any) -> Json:
    if not isinstance(raw, list) or not all(isinstance(one, dict) and isinstance(one.get("key"), str) for one in raw):
        raise JiraError(400, INVALID)
    return {one["key"]: one.get("value") for one in raw}


def _property(properties: Json, name: str) -> Json:
    if name not in properties:
        raise UnknownNameError(f"The property {name} does not exist.")
    return {"key": name, "value": properties[name]}


def _set_property(properties: Json, name: str, value: Any) -> int:
    """Sets a property, and returns the status that says whether it is new."""
    if len(name) > 255 or len(json.dumps(value)) > LARGEST_PROPERTY:
        raise JiraError(400, "The property's key or value is too long.")
    is_new = name not in properties
    properties[name] = value
    return 201 if is_new else 200
