"""Whether the settings and crafty.toml fit together; what they name elsewhere, other checks look up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from service.config import VIA
from service.errors import ConfigError
from service.findings import Finding, doubtful, fine, unchecked, wrong
from service.registration import SHORTEST_FORUM_SECRET
from service.settings import Settings

CHECK: Final = "configuration"


def of_problems(error: ConfigError) -> tuple[Finding, ...]:
    """Settings that can't be used at all, one finding for each problem; the sentences tell how to mend them."""
    return tuple(
        wrong(CHECK, f"{one.where}: {one.key}" if one.key else one.where, one.what, f"Correct it in {one.where}.")
        for one in error.problems
    )


def of_configuration(settings: Settings) -> Iterator[Finding]:
    """What is missing, or missing its other half; one line that all is well where nothing is."""
    troubles = [*_cells(settings), *_halves(settings), *_secrets(settings), *_uses(settings), *_doors(settings)]
    config = settings.config
    yield from troubles or [
        fine(CHECK, config.source.name, f"cells: {len(config.cells)}, people: {len(config.people)}")
    ]


def _cells(settings: Settings) -> Iterator[Finding]:
    if not settings.config.cells:
        mend = "Describe your team in crafty.toml, or name the file with CRAFTY_CONFIG."
        yield doubtful(CHECK, "cells", "there is no cell, so no rule is concerned with anything", mend)


def _halves(settings: Settings) -> Iterator[Finding]:
    """Systems of which only one setting of several is there."""
    needed = {
        "Jira": ("jira_url", "jira_token", *(["jira_email"] if settings.jira_kind == "cloud" else [])),
        "Discourse": ("discourse_url", "discourse_api_key", "discourse_api_username"),
        "Mattermost": ("mattermost_url", "mattermost_token"),
    }
    for system, names in needed.items():
        missing = [f"CRAFTY_{name.upper()}" for name in names if not getattr(settings, name)]
        if missing and len(missing) < len(names):
            yield wrong(CHECK, system, f"{' and '.join(missing)} is not set", f"Set {' and '.join(missing)} as well.")
    if not (settings.jira_url or settings.jira_token):
        yield wrong(CHECK, "Jira", "Jira is not configured", "Set CRAFTY_JIRA_URL, CRAFTY_JIRA_TOKEN and their like.")


def _secrets(settings: Settings) -> Iterator[Finding]:
    """Sources whose deliveries are refused, or come unsigned."""
    if settings.jira_url and not (settings.jira_webhook_secrets or settings.jira_webhook_tokens):
        yield _without_secret("Jira", "CRAFTY_JIRA_WEBHOOK_SECRET")
    if settings.discourse_url and not settings.discourse_webhook_secrets:
        yield _without_secret("Discourse", "CRAFTY_DISCOURSE_WEBHOOK_SECRET")
    if settings.github_token and not settings.github_webhook_secrets:
        yield _without_secret("GitHub", "CRAFTY_GITHUB_WEBHOOK_SECRET")
    if settings.gitlab_token and not settings.gitlab_webhook_secrets:
        yield _without_secret("GitLab", "CRAFTY_GITLAB_WEBHOOK_SECRET")
    if any(len(secret) < SHORTEST_FORUM_SECRET for secret in settings.discourse_webhook_secrets):
        what = f"Discourse signs only with a secret of {SHORTEST_FORUM_SECRET} letters or more"
        yield wrong(CHECK, "Discourse's secret", what, "Choose a longer CRAFTY_DISCOURSE_WEBHOOK_SECRET.")


def _without_secret(system: str, variable: str) -> Finding:
    what = f"webhooks from {system} are refused, because nothing tells which are genuine"
    return wrong(CHECK, f"{system}'s secret", what, f"Set {variable} to a long random text, here and in {system}.")


def _uses(settings: Settings) -> Iterator[Finding]:
    """What crafty.toml speaks of and no setting connects."""
    cells = settings.config.cells
    if any(cell.channel and not cell.channel.startswith(VIA) for cell in cells) and not settings.mattermost_url:
        yield doubtful(
            CHECK,
            "chat",
            "cells have a channel, but there is no chat: nobody gets a message",
            "Set CRAFTY_MATTERMOST_URL.",
        )
    if any(cell.forum_categories for cell in cells) and not settings.discourse_url:
        yield doubtful(
            CHECK,
            "forum",
            "cells have forum categories, but there is no forum",
            "Set CRAFTY_DISCOURSE_URL and its key.",
        )
    if any(cell.repositories for cell in cells) and not (settings.github_token or settings.gitlab_token):
        what = "cells have repositories, but no code host can be read: only webhooks tell of them"
        yield doubtful(CHECK, "code hosts", what, "Set CRAFTY_GITHUB_TOKEN or CRAFTY_GITLAB_TOKEN.")


def _doors(settings: Settings) -> Iterator[Finding]:
    if not settings.admins:
        what = "nobody can log in to the console or use the API to change something"
        yield doubtful(CHECK, "admins", what, "Set CRAFTY_ADMIN_TOKENS to name:token pairs.")


def of_expiries(settings: Settings) -> Iterator[Finding]:
    """Credentials that can expire and whose end nobody tells us."""
    if settings.jira_token:
        what = "Jira does not tell when its token expires; the Cloud's live a year at most"
        yield unchecked("tokens", "Jira", what, "Note its date in a calendar of your own when you make it.")
