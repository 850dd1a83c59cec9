"""The agile side of the stand-in Jira's REST: boards, sprints, moves and ranks."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI

from service.demo._jira_http import Body, MaxResults, PageToken, Route, StartAt, listed, page_by_token
from service.demo._jira_issues import chosen_fields, show_issue
from service.demo._jira_live import LiveSite
from service.demo._jira_markup import Json
from service.demo._jira_search import find_issues
from service.demo._jira_site import (
    MOST_ISSUES_A_CALL,
    SPRINT_STATES,
    JiraError,
    JiraIssue,
    JiraPerson,
    UnknownNameError,
)
from service.demo._jira_views import show_sprint


class AgileApi:
    """`/rest/agile/1.0`, and on Cloud its newer issue list under `/rest/software/1.0`."""

    def __init__(self, site: LiveSite, bot: JiraPerson) -> None:
        self._site = site
        self._bot = bot

    def add_to(self, app: FastAPI) -> None:
        for method, path, endpoint, status in self._routes():
            app.add_api_route(path, endpoint, methods=[method], status_code=status, response_model=None)

    def _routes(self) -> list[Route]:
        agile = "/rest/agile/1.0"
        by_token: Route = ("GET", "/rest/software/1.0/sprint/{sprint}/issue", self._list_issues_by_token, 200)
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
        wanted = listed(state)
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
        page = [self._show_issue(one, listed(fields)) for one in found[start_at : start_at + max_results]]
        return {"startAt": start_at, "maxResults": max_results, "total": len(found), "issues": page}

    async def _list_issues_by_token(
        self, sprint: int, jql: str = "", fields: str = "*all", max_results: MaxResults = 50, token: PageToken = ""
    ) -> Json:
        page, more = page_by_token(self._issues_in(sprint, jql), jql, token, max_results)
        return {"issues": [self._show_issue(one, listed(fields)) for one in page], **more}

    def _show_issue(self, issue: JiraIssue, names: Sequence[str]) -> Json:
        """Agile answers add the present sprint, the closed ones and the flag under names of their own."""
        shown = show_issue(self._site, issue, names=names)
        sprints = [self._site.sprint(one) for one in issue.sprints]
        present = [show_sprint(self._site, one) for one in sprints if one.state != "closed"]
        closed = [show_sprint(self._site, one) for one in sprints if one.state == "closed"]
        own = {"sprint": present[0] if present else None, "closedSprints": closed, "flagged": issue.flagged}
        return {**shown, "fields": {**shown["fields"], **chosen_fields(own, names)}}

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
        keys = list(dict.fromkeys(listed(body.get("issues"))))
        if not keys or len(keys) > MOST_ISSUES_A_CALL:
            raise JiraError(400, f"Between 1 and {MOST_ISSUES_A_CALL} issues can be given in one call.")
        return [self._site.issue(key) for key in keys]
