"""What the stand-in Jira tells of rights and accounts, and its webhooks as administrators register them by REST."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import FastAPI, Query

from service.demo._jira_http import Body, Route, listed
from service.demo._jira_live import LiveSite
from service.demo._jira_markup import Json
from service.demo._jira_site import JiraError, JiraPerson, UnknownNameError
from service.demo._jira_views import show_person

ProjectKey = Annotated[str, Query(alias="projectKey")]
AccountId = Annotated[str, Query(alias="accountId")]

PERMISSIONS: Final = (
    "BROWSE_PROJECTS",
    "CREATE_ISSUES",
    "EDIT_ISSUES",
    "ASSIGN_ISSUES",
    "SCHEDULE_ISSUES",
    "LINK_ISSUES",
    "ADD_COMMENTS",
    "EDIT_OWN_COMMENTS",
    "MANAGE_SPRINTS_PERMISSION",
)
_NEWER: Final = "/rest/jira-webhook/1.0/webhooks"
_OLDER: Final = "/rest/webhooks/1.0/webhook"
_SECRET: Final = "SECRET"  # noqa: S105 - the name of a setting


class AdminApi:
    """Permissions and users, and the webhooks under the address of the site's generation.

    has_newer: whether webhooks live where Data Center has them from version 10 on.
    """

    def __init__(self, site: LiveSite, bot: JiraPerson, *, bot_is_admin: bool, has_newer: bool) -> None:
        self._site = site
        self._bot = bot
        self._bot_is_admin = bot_is_admin
        self._has_newer = has_newer

    def add_to(self, app: FastAPI) -> None:
        for method, path, endpoint, status in self._routes():
            app.add_api_route(path, endpoint, methods=[method], status_code=status, response_model=None)

    def _routes(self) -> list[Route]:
        versions, path = ((2, 3) if self._site.is_cloud else (2,)), _NEWER if self._has_newer else _OLDER
        return [
            *(("GET", f"/rest/api/{version}/mypermissions", self._permissions, 200) for version in versions),
            *(("GET", f"/rest/api/{version}/user", self._get_user, 200) for version in versions),
            ("GET", path, self._list_webhooks, 200),
            ("POST", path, self._post_webhook, 201),
            ("PUT", f"{path}/{{number}}", self._put_webhook, 200),
        ]

    async def _permissions(self, project_key: ProjectKey = "", permissions: str = "") -> Json:
        asked = listed(permissions)
        if self._site.is_cloud and not asked:
            raise JiraError(400, "The 'permissions' query parameter is required.")
        if unknown := [name for name in asked if name not in PERMISSIONS]:
            raise JiraError(400, f"Unrecognized permissions: {', '.join(unknown)}")
        if project_key not in self._site.projects or "BROWSE_PROJECTS" in self._site.denied:
            raise JiraError(404, f"No project could be found with key '{project_key}'.")
        return {"permissions": {name: self._show_permission(name) for name in asked or PERMISSIONS}}

    def _show_permission(self, name: str) -> Json:
        shown = {"id": str(PERMISSIONS.index(name) + 10), "key": name, "name": name, "type": "PROJECT"}
        return {**shown, "description": "", "havePermission": name not in self._site.denied}

    async def _get_user(self, account_id: AccountId = "", username: str = "") -> Json:
        person = self._site.people.get(account_id if self._site.is_cloud else username)
        if person is None:
            raise UnknownNameError("Specified user does not exist or you do not have required permissions")
        return show_person(self._site, person)

    async def _list_webhooks(self, start: int = 0, limit: int = 25) -> list[Json]:
        """Those of the newer kind come in pages."""
        self._check_admin()
        shown = [self._show_webhook(number, body) for number, body in self._site.webhooks.items()]
        return shown[start : start + limit] if self._has_newer else shown

    async def _post_webhook(self, body: Body) -> Json:
        self._check_admin()
        _check_webhook(body)
        number = max(self._site.webhooks, default=0) + 1
        self._site.webhooks[number] = body
        return self._show_webhook(number, body)

    async def _put_webhook(self, number: int, body: Body) -> Json:
        """What is not named stays, also the secret."""
        self._check_admin()
        if number not in self._site.webhooks:
            raise UnknownNameError(f"Webhook {number} does not exist.")
        self._site.webhooks[number] |= body
        return self._show_webhook(number, self._site.webhooks[number])

    def _show_webhook(self, number: int, body: Mapping[str, Any]) -> Json:
        """A secret can't be read again; the older kind tells that there is one, and the Cloud alone has one there."""
        shown = {name: body[name] for name in ("name", "url", "events", "filters") if name in body}
        if not self._has_newer:
            address = f"{self._site.base_url}{_OLDER}/{number}"
            signed = {"isSigned": bool(body.get("secret"))} if self._site.is_cloud else {}
            return {**shown, "self": address, "enabled": body.get("enabled", True), "excludeBody": False, **signed}
        settings = {name: value for name, value in body.get("configuration", {}).items() if name != _SECRET}
        return {**shown, "id": number, "active": body.get("active", True), "configuration": settings}

    def _check_admin(self) -> None:
        if not self._bot_is_admin:
            raise JiraError(403, "You are not authorized to perform this operation. Administrator privilege required.")


def _check_webhook(body: Mapping[str, Any]) -> None:
    missing = [name for name in ("name", "url") if not isinstance(body.get(name), str) or not body[name]]
    if missing:
        raise JiraError(400, errors=dict.fromkeys(missing, "must not be empty"))
