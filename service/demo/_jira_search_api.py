"""Search in the stand-in Jira: by tokens on Cloud, by numbers on Data Center."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI

from service.demo._jira_http import Body, MaxResults, PageToken, Route, StartAt, listed, page_by_token, whole_number
from service.demo._jira_issues import show_issue_with
from service.demo._jira_markup import Json
from service.demo._jira_search import find_issues
from service.demo._jira_site import INVALID, JiraError, JiraIssue, JiraPerson, JiraSite


class SearchApi:
    """`/rest/api/{version}/search`, as the bot sees it."""

    def __init__(self, site: JiraSite, bot: JiraPerson, version: int) -> None:
        self._site = site
        self._bot = bot
        self._version = version

    def add_to(self, app: FastAPI) -> None:
        prefix = f"/rest/api/{self._version}"
        for method, path, endpoint, status in self._routes():
            app.add_api_route(prefix + path, endpoint, methods=[method], status_code=status, response_model=Any)

    def _routes(self) -> list[Route]:
        if not self._site.is_cloud:
            return [("GET", "/search", self._get_search, 200), ("POST", "/search", self._post_search, 200)]
        return [
            ("GET", "/search", self._search_is_gone, 410),
            ("POST", "/search", self._search_is_gone, 410),
            ("GET", "/search/jql", self._get_search_jql, 200),
            ("POST", "/search/jql", self._post_search_jql, 200),
        ]

    def _show(self, issue: JiraIssue, names: Sequence[str], expand: Any) -> Json:
        return show_issue_with(self._site, issue, self._version, names, listed(expand))

    async def _search_is_gone(self) -> Json:
        gone = "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API."
        return {"errorMessages": [gone], "errors": {}}

    async def _get_search_jql(
        self, jql: str, fields: str = "id", expand: str = "", max_results: MaxResults = 50, token: PageToken = ""
    ) -> Json:
        asked = {"jql": jql, "fields": listed(fields), "expand": expand, "maxResults": max_results}
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
        size = min(whole_number(body.get("maxResults", 50)), 100)
        page, more = page_by_token(found, jql, body.get("nextPageToken"), size)
        names = listed(body.get("fields") or ["id"])
        if names == ["id"]:
            return {"issues": [{"id": issue.id} for issue in page], **more}
        return {"issues": [self._show(issue, names, expand) for issue in page], **more}

    async def _get_search(
        self, jql: str = "", fields: str = "*all", expand: str = "", start_at: StartAt = 0, max_results: MaxResults = 50
    ) -> Json:
        asked = {"jql": jql, "fields": listed(fields), "expand": listed(expand)}
        return await self._post_search({**asked, "startAt": start_at, "maxResults": max_results})

    async def _post_search(self, body: Body) -> Json:
        jql, expand = body.get("jql", ""), body.get("expand", [])
        if not isinstance(jql, str) or not isinstance(expand, list):
            raise JiraError(400, INVALID)
        found = find_issues(self._site, jql, self._bot.timezone)
        start, size = whole_number(body.get("startAt", 0)), min(whole_number(body.get("maxResults", 50)), 1000)
        names = listed(body.get("fields") or ["*all"])
        page = [self._show(issue, names, expand) for issue in found[start : start + size]]
        return {"startAt": start, "maxResults": size, "total": len(found), "issues": page}
