"""Registrations of webhooks in Jira, in the two forms that its generations have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

OLDER: Final = "/rest/webhooks/1.0/webhook"
"""The Cloud, and Data Center before 10."""

NEWER: Final = "/rest/jira-webhook/1.0/webhooks"
"""Data Center from 10 on."""

_ISSUES: Final = "issue-related-events-section"


@dataclass(frozen=True)
class WebhookWish:
    """A registration as it should be. jql: the issues it tells of; secret: what Jira signs with, "" where it can't."""

    name: str
    url: str = field(repr=False)
    events: tuple[str, ...]
    jql: str
    secret: str = field(repr=False)

    def as_older(self) -> dict[str, Any]:
        """The body of the older form; Data Center before 10 has no secrets, and gets none."""
        signed = {"secret": self.secret} if self.secret else {}
        return {**self._shared(), "excludeBody": False, "enabled": True, **signed}

    def as_newer(self) -> dict[str, Any]:
        """The body of the newer form, which silently ignores a secret that stands where the older form has it."""
        signed = {"SECRET": self.secret} if self.secret else {}
        return {
            **self._shared(),
            "active": True,
            "scopeType": "global",
            "configuration": {"EXCLUDE_BODY": "false", **signed},
        }

    def _shared(self) -> dict[str, Any]:
        return {"name": self.name, "url": self.url, "events": list(self.events), "filters": {_ISSUES: self.jql}}


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A registration as Jira shows it. jql, is_signed: None where Jira does not tell."""

    id: str
    name: str
    url: str
    events: frozenset[str]
    is_enabled: bool
    jql: str | None = None
    is_signed: bool | None = None


class RawWebhook(msgspec.Struct, rename="camel"):
    """Either form: the older one has its number only at the end of its address."""

    name: str
    url: str
    id: int | str | None = None
    address: str = msgspec.field(name="self", default="")
    events: Sequence[str] = ()
    enabled: bool = True
    active: bool = True
    is_signed: bool | None = None
    filters: dict[str, Any] | None = None
    configuration: dict[str, Any] | None = None

    def webhook(self) -> Webhook:
        """The same for whoever asks."""
        jql = (self.filters or {}).get(_ISSUES)
        return Webhook(
            id=self.address.rpartition("/")[2] if self.id is None else f"{self.id}",
            name=self.name,
            url=self.url,
            events=frozenset(self.events),
            is_enabled=self.enabled and self.active,
            jql=jql if isinstance(jql, str) else None,
            is_signed=True if "SECRET" in (self.configuration or {}) else self.is_signed,
        )
