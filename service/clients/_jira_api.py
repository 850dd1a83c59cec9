"""Calls to Jira, which may take a credential that it does not know for a visitor instead of refusing it."""

from __future__ import annotations

from typing import Final

import httpx

from service.clients._http import Api, NotSignedIn
from service.errors import CraftyError, TryLater

SERVER_INFO: Final = "/rest/api/2/serverInfo"
"""What Jira tells to everybody."""

_FAILED: Final = {"AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED"}


class JiraApi(Api):
    """Jira's REST. A visitor gets answers as well: to them a search finds nothing, and no ticket is there.

    So an answer to a visitor is NotSignedIn, whatever it says; the headers tell, which Jira's sign-in sets: the Cloud's
    X-Seraph-LoginReason for a token that it does not take, Data Center's X-AUSERNAME for anybody.
    """

    def _fault(self, response: httpx.Response) -> CraftyError | None:
        fault = super()._fault(response)
        if isinstance(fault, TryLater | NotSignedIn) or not _is_for_a_visitor(response):
            return fault
        said = "does not know the credential and answers as to an anonymous visitor"
        return NotSignedIn(f"{self._service} {said}; check {self._credential.name}.", response.status_code)


def _is_for_a_visitor(response: httpx.Response) -> bool:
    if response.request.url.path.endswith(SERVER_INFO):
        return False
    reasons = {reason.strip() for reason in response.headers.get("X-Seraph-LoginReason", "").split(",")}
    return bool(reasons & _FAILED) or response.headers.get("X-AUSERNAME", "").casefold() == "anonymous"
