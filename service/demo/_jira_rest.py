"""The REST side of the stand-in Jira: the platform API in versions 2 and 3, and the agile one."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Request, Response

from service.demo._jira_markup import FieldError, Json
from service.demo._jira_search import find_issues
from service.demo._jira_site import (
    INVALID,
    LARGEST_PROPERTY,
    MOST_COMMENTS_A_PAGE,
    MOST_ISSUES_A_CALL,
    RANK_ITEM,
    SPRINT_STATES,
    AccountField,
    JiraComment,
    JiraError,
    JiraField,
    JiraIssue,
    JiraPerson,
    JiraSite,
    SprintsField,
    UnknownNameError,
    chosen_fields,
    fields_of,
    read_body,
    show_comment,
    show_history,
    show_issue,
    show_person,
    show_sprint,
)


async def _json_in(request: Request) -> Any:
    try:
        body = json.loads(await request.body())
        json.dumps(body, allow_nan=False, ensure_ascii=False).encode()  # numbers and letters that no answer can show
    except (ValueError, RecursionError):
        raise JiraError(400, "There was an error parsing JSON. Check that your request body is valid.") from None
    return body


async def _object_in(request: Request) -> Json:
    body = await _json_in(request)
    if not isinstance(body, dict):
        raise JiraError(400, INVALID)
    return body


AnyBody = Annotated[Any, Depends(_json_in)]
Body = Annotated[Json, Depends(_object_in)]
StartAt = Annotated[int, Query(alias="startAt", ge=0)]
MaxResults = Annotated[int, Query(alias="maxResults", ge=0)]
NotifyUsers = Annotated[bool, Query(alias="notifyUsers")]
PageToken = Annotated[str, Query(alias="nextPageToken")]
CommentOrder = Annotated[Literal["created", "-created"], Query(alias="orderBy")]


def _listed(names: Any) -> list[str]:
    """Names from a list, or from a text with commas."""
    parts = names.split(",") if isinstance(names, str) else names
    if not isinstance(parts, list) or not all(isinstance(name, str) for name in parts):
        raise JiraError(400, INVALID)
    return [name.strip() for name in parts if name.strip()]


def _whole_number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise JiraError(400, INVALID)
    return value


def _start_of(jql: str, token: Any) -> int:
    """Where the page of a token starts; a token belongs to its query."""
    if not token:
        return 0
    try:
        start, _, same_jql = base64.urlsafe_b64decode(str(token)).decode().partition(":")
    except ValueError:
        start, same_jql = "", ""
    if same_jql != jql or not re.fullmatch(r"[0-9]{1,9}", start):
        raise JiraError(400, "The provided next page token is invalid or expired.")
    return int(start)


def _page_by_token(found: Sequence[JiraIssue], jql: str, token: Any, size: int) -> tuple[Sequence[JiraIssue], Json]:
    """A page of what was found, and how the answer speaks of the next one."""
    start = _start_of(jql, token)
    end = start + max(size, 1)
    if end >= len(found):
        return found[start:], {"isLast": True}
    return found[start:end], {
        "isLast": False,
        "nextPageToken": base64.urlsafe_b64encode(f"{end}:{jql}".encode()).decode(),
    }


class Door:
    """Lets in who has the bot's credentials, and says in a header who that is."""

    def __init__(self, site: JiraSite, bot: JiraPerson, token: str) -> None:
        basic = base64.b64encode(f"{bot.email}:{token}".encode()).decode()
        self._expected = f"Basic {basic}" if site.is_cloud else f"Bearer {token}"
        self._header = "X-AAccountId" if site.is_cloud else "X-AUSERNAME"
        self._bot = bot

    async def __call__(self, request: Request, response: Response) -> None:
        if request.headers.get("authorization") != self._expected:
            raise JiraError(401, "Authentication is required to perform this operation.")
        response.headers[self._header] = self._bot.id


_Route = tuple[str, str, Callable[..., Any], int]
"""Method, path, endpoint, and the status of success."""


class PlatformApi:
    """`/rest/api/{version}`: issues, comments, fields and search, as the bot sees them."""

    def __init__(self, site: JiraSite, bot: JiraPerson, version: int, *, bot_is_admin: bool) -> None:
        self._site = site
        self._bot = bot
        self._version = version
        self._bot_is_admin = bot_is_admin

    def add_to(self, app: FastAPI) -> None:
        prefix = f"/rest/api/{self._version}"
        for method, path, endpoint, status in (*self._routes(), *self._search_routes()):
            app.add_api_route(prefix + path, endpoint, methods=[method], status_code=status, response_model=None)

    def _routes(self) -> list[_Route]:
        comment, property_of = "/issue/{key}/comment/{comment_id}", "/comment/{comment_id}/properties/{name}"
        return [
            ("GET", "/myself", self._myself, 200),
            ("GET", "/field", self._fields, 200),
            ("GET", "/issue/{key}", self._get_issue, 200),
            ("PUT", "/issue/{key}", self._put_issue, 204),
            ("PUT", "/issue/{key}/assignee", self._put_assignee, 204),
            ("GET", "/issue/{key}/properties/{name}", self._get_issue_property, 200),
            ("PUT", "/issue/{key}/properties/{name}", self._put_issue_property, 200),
            ("GET", "/issue/{key}/comment", self._list_comments, 200),
            ("POST", "/issue/{key}/comment", self._post_comment, 201),
            ("GET", comment, self._get_comment, 200),
            ("PUT", comment, self._put_comment, 200),
            ("DELETE", comment, self._delete_comment, 204),
            ("GET", property_of, self._get_comment_property, 200),
            ("PUT", property_of, self._put_comment_property, 200),
        ]

    def _search_routes(self) -> list[_Route]:
        if not self._site.is_cloud:
            return [("GET", "/search", self._get_search, 200), ("POST", "/search", self._post_search, 200)]
        return [
            ("GET", "/search", self._search_is_gone, 410),
            ("POST", "/search", self._search_is_gone, 410),
            ("GET", "/search/jql", self._get_search_jql, 200),
            ("POST", "/search/jql", self._post_search_jql, 200),
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
        issue, asked = self._site.issue(key), _listed(properties)
        shown = self._show_issue(issue, _listed(fields), _listed(expand))
        if not asked:
            return shown
        wanted = {name: value for name, value in issue.properties.items() if "*all" in asked or name in asked}
        return {**shown, "properties": wanted}

    def _show_issue(self, issue: JiraIssue, names: Sequence[str], expand: Sequence[str]) -> Json:
        shown = show_issue(self._site, issue, self._version, names)
        return {**shown, "changelog": show_history(self._site, issue)} if "changelog" in expand else shown

    async def _put_issue(self, key: str, body: Body, *, notify_users: NotifyUsers = True) -> None:
        issue = self._site.issue(key)
        self._check_notify(notify_users=notify_users)
        facts: Json = {}
        errors: dict[str, str] = {}
        for name, value in _requested(issue, body).items():
            try:
                facts |= self._read(issue, name, value)
            except FieldError as error:
                errors[name] = str(error)
        if errors:
            raise JiraError(400, errors=errors)
        self._site.change(issue, self._bot.id, facts)

    def _check_notify(self, *, notify_users: bool) -> None:
        if not notify_users and not self._bot_is_admin:
            needed = "either admin or project admin permissions are required"
            raise JiraError(403, f"To discard the user notification {needed}.")

    def _read(self, issue: JiraIssue, name: str, value: Any) -> Json:
        """The fact that a named field sets, with its new value."""
        one = next((one for one in fields_of(self._site.flavour) if one.id == name), None)
        if one is None:
            raise FieldError(f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown.")
        if one.shape is SprintsField:
            return {one.fact: self._read_sprint(issue, value)}
        return {one.fact: one.shape(self._site, self._version).read(value)}

    def _read_sprint(self, issue: JiraIssue, value: Any) -> list[int]:
        """The Sprint field is written as one bare number, though it is read as a list."""
        closed = self._site.closed_sprints_of(issue)
        if value is None:
            return closed
        if isinstance(value, bool) or not isinstance(value, int):
            raise FieldError("Number value expected as the Sprint id.")
        if value not in self._site.sprints or self._site.sprints[value].state == "closed":
            raise FieldError(f"Sprint with id '{value}' does not exist or is closed.")
        return [*closed, value]

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
        if "properties" not in _listed(expand):
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

    async def _search_is_gone(self) -> Json:
        gone = "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API."
        return {"errorMessages": [gone], "errors": {}}

    async def _get_search_jql(
        self, jql: str, fields: str = "id", expand: str = "", max_results: MaxResults = 50, token: PageToken = ""
    ) -> Json:
        asked = {"jql": jql, "fields": _listed(fields), "expand": expand, "maxResults": max_results}
        return await self._post_search_jql({**asked, "nextPageToken": token})

    async def _post_search_jql(self, body: Body) -> Json:
        """Without `fields` the answer names ids alone."""
        known = {
            "jql",
            "fields",
            "expand",
            "maxResults",
            "nextPageToken",
            "properties",
            "fieldsByKeys",
            "reconcileIssues",
        }
        jql, expand = body.get("jql", ""), body.get("expand", "")
        if body.keys() - known or not isinstance(jql, str) or not isinstance(expand, str):
            raise JiraError(400, INVALID)
        found = find_issues(self._site, jql, self._bot.timezone)
        size = min(_whole_number(body.get("maxResults", 50)), 100)
        page, more = _page_by_token(found, jql, body.get("nextPageToken"), size)
        names = _listed(body.get("fields") or ["id"])
        if names == ["id"]:
            return {"issues": [{"id": issue.id} for issue in page], **more}
        return {"issues": [self._show_issue(issue, names, _listed(expand)) for issue in page], **more}

    async def _get_search(
        self, jql: str = "", fields: str = "*all", expand: str = "", start_at: StartAt = 0, max_results: MaxResults = 50
    ) -> Json:
        asked = {"jql": jql, "fields": _listed(fields), "expand": _listed(expand)}
        return await self._post_search({**asked, "startAt": start_at, "maxResults": max_results})

    async def _post_search(self, body: Body) -> Json:
        jql, expand = body.get("jql", ""), body.get("expand", [])
        if not isinstance(jql, str) or not isinstance(expand, list):
            raise JiraError(400, INVALID)
        found = find_issues(self._site, jql, self._bot.timezone)
        start, size = _whole_number(body.get("startAt", 0)), min(_whole_number(body.get("maxResults", 50)), 1000)
        names = _listed(body.get("fields") or ["*all"])
        page = [self._show_issue(issue, names, _listed(expand)) for issue in found[start : start + size]]
        return {"startAt": start, "maxResults": size, "total": len(found), "issues": page}


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


class AgileApi:
    """`/rest/agile/1.0`, and on Cloud its newer issue list under `/rest/software/1.0`."""

    def __init__(self, site: JiraSite, bot: JiraPerson) -> None:
        self._site = site
        self._bot = bot

    def add_to(self, app: FastAPI) -> None:
        for method, path, endpoint, status in self._routes():
            app.add_api_route(path, endpoint, methods=[method], status_code=status, response_model=None)

    def _routes(self) -> list[_Route]:
        agile = "/rest/agile/1.0"
        by_token: _Route = ("GET", "/rest/software/1.0/sprint/{sprint}/issue", self._list_issues_by_token, 200)
        return [
            ("GET", f"{agile}/board/{{board}}/sprint", self._list_sprints, 200),
            ("GET", f"{agile}/sprint/{{sprint}}", self._get_sprint, 200),
            ("GET", f"{agile}/sprint/{{sprint}}/issue", self._list_issues, 200),
            ("POST", f"{agile}/sprint/{{sprint}}/issue", self._move_to_sprint, 204),
            ("POST", f"{agile}/backlog/issue", self._move_to_backlog, 204),
            ("PUT", f"{agile}/issue/rank", self._rank, 204),
            *([by_token] if self._site.is_cloud else []),
        ]

    async def _list_sprints(
        self, board: int, state: str = "closed,active,future", start_at: StartAt = 0, max_results: MaxResults = 50
    ) -> Json:
        sprints = [one for one in self._site.sprints.values() if one.board == board]
        if not sprints:
            raise UnknownNameError(f"The requested board cannot be viewed: {board}.")
        wanted = _listed(state)
        if not set(wanted) <= set(SPRINT_STATES):
            raise JiraError(400, f"'{state}' is not a list of sprint states.")
        ordered = [one for name in SPRINT_STATES if name in wanted for one in sprints if one.state == name]
        size = min(max_results, 50)
        shown = [show_sprint(self._site, one) for one in ordered[start_at : start_at + size]]
        is_last = start_at + size >= len(ordered)
        return {"maxResults": size, "startAt": start_at, "total": len(ordered), "isLast": is_last, "values": shown}

    async def _get_sprint(self, sprint: int) -> Json:
        return show_sprint(self._site, self._site.sprint(sprint))

    def _issues_in(self, sprint: int, jql: str) -> list[JiraIssue]:
        wanted = self._site.sprint(sprint).id
        found = find_issues(self._site, jql, self._bot.timezone) if jql else self._site.in_rank_order()
        return [issue for issue in found if wanted in issue.sprints]

    async def _list_issues(
        self, sprint: int, jql: str = "", fields: str = "*all", start_at: StartAt = 0, max_results: MaxResults = 50
    ) -> Json:
        found = self._issues_in(sprint, jql)
        page = [self._show_issue(one, _listed(fields)) for one in found[start_at : start_at + max_results]]
        return {"startAt": start_at, "maxResults": max_results, "total": len(found), "issues": page}

    async def _list_issues_by_token(
        self, sprint: int, jql: str = "", fields: str = "*all", max_results: MaxResults = 50, token: PageToken = ""
    ) -> Json:
        page, more = _page_by_token(self._issues_in(sprint, jql), jql, token, max_results)
        return {"issues": [self._show_issue(one, _listed(fields)) for one in page], **more}

    def _show_issue(self, issue: JiraIssue, names: Sequence[str]) -> Json:
        """Agile answers add the present sprint, the closed ones and the flag under names of their own."""
        shown = show_issue(self._site, issue)
        sprints = [self._site.sprint(one) for one in issue.sprints]
        present = [show_sprint(self._site, one) for one in sprints if one.state != "closed"]
        closed = [show_sprint(self._site, one) for one in sprints if one.state == "closed"]
        own = {"sprint": present[0] if present else None, "closedSprints": closed, "flagged": issue.flagged}
        return {**shown, "fields": chosen_fields({**shown["fields"], **own}, names)}

    async def _move_to_sprint(self, sprint: int, body: Body) -> None:
        target, issues = self._site.sprint(sprint), self._named(body)
        if target.state == "closed":
            raise JiraError(400, "Issues can only be moved to an active or a future sprint.")
        pivot = self._pivot(body) if {"rankBeforeIssue", "rankAfterIssue"} & body.keys() else None
        self._site.move(issues, target.id, self._bot.id)
        if pivot:
            self._site.rank(issues, pivot, above="rankBeforeIssue" in body, actor=self._bot.id)

    async def _move_to_backlog(self, body: Body) -> None:
        self._site.move(self._named(body), None, self._bot.id)

    async def _rank(self, body: Body) -> None:
        issues, pivot = self._named(body), self._pivot(body)
        self._site.rank(issues, pivot, above="rankBeforeIssue" in body, actor=self._bot.id)

    def _pivot(self, body: Json) -> JiraIssue:
        given = {"rankBeforeIssue", "rankAfterIssue"} & body.keys()
        if len(given) != 1:
            raise JiraError(400, "Exactly one of rankBeforeIssue and rankAfterIssue must be given.")
        return self._site.issue(str(body[given.pop()]))

    def _named(self, body: Json) -> list[JiraIssue]:
        keys = list(dict.fromkeys(_listed(body.get("issues"))))
        if not keys or len(keys) > MOST_ISSUES_A_CALL:
            raise JiraError(400, f"Between 1 and {MOST_ISSUES_A_CALL} issues can be given in one call.")
        return [self._site.issue(key) for key in keys]
