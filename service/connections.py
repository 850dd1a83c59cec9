"""A client for each system that is configured."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.clients import discourse, github, gitlab, jira, mattermost
from service.clients._http import Sleep
from service.clients.discourse import Discourse
from service.clients.github import GitHub
from service.clients.gitlab import GitLab
from service.clients.jira import Jira
from service.clients.mattermost import Mattermost
from service.gather import Readers
from service.limits import OPEN, Gate
from service.settings import Settings

if TYPE_CHECKING:
    from service.clients.channels import Channels


@dataclass(frozen=True)
class Connections:
    """The clients; None for a system that is not configured."""

    jira: Jira | None
    chat: Mattermost | None
    forum: Discourse | None
    github: GitHub | None
    gitlab: GitLab | None
    channels: Channels | None

    @property
    def readers(self) -> Readers:
        """Where contributions can be read."""
        all_of_them = {"topic": self.forum, "github": self.github, "gitlab": self.gitlab}
        return {name: one for name, one in all_of_them.items() if one}

    async def aclose(self) -> None:
        """Ends all connections."""
        for client in (self.jira, self.chat, self.forum, self.github, self.gitlab):
            if client:
                await client.aclose()


def connected(settings: Settings, gate: Gate = OPEN, sleep: Sleep = asyncio.sleep) -> Connections:
    """Clients that connect when they are first used.

    gate: where they keep to each system's limits; sleep: waits between tries.
    """
    return Connections(
        jira=_jira(settings, gate, sleep),
        chat=_mattermost(settings, gate, sleep),
        forum=_discourse(settings, gate, sleep),
        github=_github(settings, gate, sleep),
        gitlab=_gitlab(settings, gate, sleep),
        channels=_channels(settings, gate),
    )


def _jira(settings: Settings, gate: Gate, sleep: Sleep) -> Jira | None:
    if not settings.jira_url or not settings.jira_token:
        return None
    return jira.connect(
        settings.jira_kind,
        settings.jira_url,
        settings.jira_email or "",
        settings.jira_token.get_secret_value(),
        sleep=sleep,
        gate=gate,
        api_url=settings.jira_api_url,
    )


def _mattermost(settings: Settings, gate: Gate, sleep: Sleep) -> Mattermost | None:
    if not settings.mattermost_url or not settings.mattermost_token:
        return None
    token = settings.mattermost_token.get_secret_value()
    return mattermost.connect(settings.mattermost_url, token, sleep=sleep, gate=gate)


def _channels(settings: Settings, gate: Gate) -> Channels | None:
    if not settings.channels:
        return None
    from service.clients.channels import Channels  # noqa: PLC0415 - an extra

    return Channels(settings.channel_addresses, settings.config.addressees, gate)


def _discourse(settings: Settings, gate: Gate, sleep: Sleep) -> Discourse | None:
    if not settings.discourse_url or not settings.discourse_api_key:
        return None
    key, username = settings.discourse_api_key.get_secret_value(), settings.discourse_api_username or ""
    return discourse.connect(settings.discourse_url, key, username, sleep=sleep, gate=gate)


def _github(settings: Settings, gate: Gate, sleep: Sleep) -> GitHub | None:
    token = settings.github_token
    return github.connect(settings.github_url, token.get_secret_value(), sleep=sleep, gate=gate) if token else None


def _gitlab(settings: Settings, gate: Gate, sleep: Sleep) -> GitLab | None:
    token = settings.gitlab_token
    return gitlab.connect(settings.gitlab_url, token.get_secret_value(), sleep=sleep, gate=gate) if token else None
