"""Whether systems send us what happens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from service.clients._jira_webhooks import Webhook
from service.findings import Finding, doubtful, fine, unchecked, wrong
from service.registration import EVENTS, brings_token, ours
from service.settings import Settings

CHECK: Final = "webhooks"
_QUOTED: Final = 200
_LONG: Final = timedelta(days=7)
_AGAIN: Final = "Run `crafty register-webhooks` with an account of a Jira administrator."


def hidden() -> Finding:
    """For an account that may not see webhooks, or a token that may not."""
    what = "only administrators of Jira may see its webhooks, which our account is none of, and no scoped token may"
    return unchecked(CHECK, "Jira", what, "Look at System, WebHooks in Jira yourself, or at the last delivery below.")


def of_webhooks(webhooks: Iterable[Webhook], scope: str) -> Iterator[Finding]:
    """Whether one of ours is there, enabled, signed, and tells of what we need. scope: the JQL that it should have."""
    known = ours(webhooks)
    enabled = [one for one in known if one.is_enabled]
    if not known:
        mend = "Run `crafty register-webhooks --url https://…` with Crafty's address."
        yield wrong(CHECK, "Jira", "no webhook sends to Crafty", mend)
    elif not enabled:
        yield wrong(CHECK, "Jira", "the webhook to Crafty is disabled", _AGAIN)
    elif len(enabled) > 1:
        what = f"{len(enabled)} webhooks send to a Crafty; to the same one each event comes more than once"
        yield doubtful(CHECK, "Jira", what, "Delete those in Jira that nobody needs.")
    else:
        yield from _of_one(enabled[0], scope)


def _of_one(webhook: Webhook, scope: str) -> Iterator[Finding]:
    missing = [event for event in EVENTS if event not in webhook.events]
    if webhook.is_signed is False and not brings_token(webhook):
        yield wrong(CHECK, "Jira", "the webhook to Crafty is not signed, so its deliveries are refused", _AGAIN)
    elif missing:
        yield wrong(CHECK, "Jira", f"the webhook to Crafty does not tell of {', '.join(missing)}", _AGAIN)
    elif webhook.jql and scope and webhook.jql != scope:
        what = (
            f"the webhook to Crafty tells of other issues ({webhook.jql[:_QUOTED]}) than crafty.toml's cells ({scope})"
        )
        yield doubtful(CHECK, "Jira", what, _AGAIN)
    elif webhook.is_signed is None and not brings_token(webhook):
        yield unchecked(CHECK, "Jira", "it is registered and enabled; Jira does not tell whether it is signed", _AGAIN)
    else:
        yield fine(CHECK, "Jira", "it is registered, enabled, and tells of all that Crafty needs")


def of_deliveries(settings: Settings, last: Mapping[str, datetime], now: datetime) -> Iterator[Finding]:
    """When each source that is configured sent something last."""
    configured = {
        "jira": settings.jira_webhook_secrets or settings.jira_webhook_tokens,
        "discourse": settings.discourse_webhook_secrets,
        "github": settings.github_webhook_secrets,
        "gitlab": settings.gitlab_webhook_secrets,
    }
    for source in (source for source, secrets in configured.items() if secrets):
        at = last.get(source)
        mend = f"Look at its list of webhooks; `crafty register-webhooks` tells how {source} is connected."
        if at is None:
            yield doubtful("deliveries", source, "nothing came in yet", mend)
        elif now - at > _LONG:
            yield doubtful("deliveries", source, f"nothing came in since {at:%Y-%m-%d %H:%M} UTC", mend)
        else:
            yield fine("deliveries", source, f"the last came in at {at:%Y-%m-%d %H:%M} UTC")
