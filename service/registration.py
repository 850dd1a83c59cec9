"""Crafty's webhooks: how each system should send them, and the steps to get there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

from service.clients._jira_webhooks import Webhook, WebhookWish
from service.clients.jira import Jira
from service.errors import CannotAct
from service.jira_shapes import jql_list
from service.settings import Settings

NAME: Final = "Crafty"
EVENTS: Final = (
    "jira:issue_created",
    "jira:issue_updated",
    "jira:issue_deleted",
    "comment_created",
    "comment_updated",
    "sprint_created",
    "sprint_updated",
    "sprint_deleted",
    "sprint_started",
    "sprint_closed",
)
"""What the rules of a Jira ticket are about."""

_JIRA: Final = "/webhooks/jira"
SHORTEST_FORUM_SECRET: Final = 12
"""Letters; with fewer Discourse does not sign."""


@dataclass(frozen=True)
class Plan:
    """What is to be done in Jira.

    standing: our registration at the wanted address, None where there is none; spare: more of them, by which each event
    comes once more; elsewhere: those of our name that send to another address.
    """

    wish: WebhookWish
    standing: Webhook | None
    spare: tuple[Webhook, ...]
    elsewhere: tuple[Webhook, ...]


@dataclass(frozen=True)
class Steps:
    """How somebody connects a system by hand. secret: the variable that holds what it signs with, never its value."""

    system: str
    url: str
    secret: str
    lines: tuple[str, ...]


def base_from(text: str, *, is_cloud: bool) -> str:
    """Crafty's own address, without a slash at its end; ValueError with a sentence for one that Jira can't send to."""
    parts = _parts(text.strip())
    if is_cloud and parts.scheme != "https":
        raise ValueError("should begin with https://, because Jira Cloud sends to no other")
    if is_cloud and _is_inside(parts.hostname or ""):
        raise ValueError(
            f"names {parts.hostname}, which Jira Cloud can't reach; give the address that the internet sees"
        )
    return text.strip().rstrip("/").removesuffix(_JIRA)


def known_base(webhooks: Iterable[Webhook]) -> str | None:
    """Where our registration sends to already; None where there is none, or where they name several places."""
    bases = {_address(one.url).removesuffix(_JIRA) for one in ours(webhooks) if one.name == NAME}
    return bases.pop() if len(bases) == 1 else None


def ours(webhooks: Iterable[Webhook]) -> tuple[Webhook, ...]:
    """Those that send to a Crafty."""
    return tuple(one for one in webhooks if _address(one.url).endswith(_JIRA))


def brings_token(webhook: Webhook) -> bool:
    """Whether it sends a token in its address, as it does where Jira can't sign."""
    return "token=" in urlsplit(webhook.url).query


def scope_of(settings: Settings) -> str:
    """The JQL of the issues that a cell is concerned with; "" where there is no cell."""
    cells = settings.config.cells
    projects = sorted({key for cell in cells for key in (*cell.projects, *cell.contribution_projects)})
    return f"project in ({jql_list(projects)})" if projects else ""


def wish_for(settings: Settings, base: str, *, signs: bool) -> WebhookWish:
    """The registration that Jira should have; CannotAct where the settings have nothing to know its deliveries by.

    signs: whether this Jira can sign; where it can't, a token goes into the address. Of several the first is taken.
    """
    secrets, tokens = settings.jira_webhook_secrets, settings.jira_webhook_tokens
    if signs and secrets:
        return WebhookWish(NAME, f"{base}{_JIRA}", EVENTS, scope_of(settings), secrets[0])
    if tokens:
        address = f"{base}{_JIRA}?token={quote(tokens[0], safe='')}"
        return WebhookWish(NAME, address, EVENTS, scope_of(settings), "")
    if secrets:
        raise CannotAct(
            "This Jira can't sign what it sends: set CRAFTY_JIRA_WEBHOOK_TOKEN to a long random text as well."
        )
    raise CannotAct(
        "Crafty would not trust what Jira sends: set CRAFTY_JIRA_WEBHOOK_SECRET to a long random text first."
    )


def plan_for(wish: WebhookWish, webhooks: Iterable[Webhook]) -> Plan:
    """Ours are found again by their address; what stands behind its "?" does not count."""
    known = ours(webhooks)
    here = tuple(one for one in known if _address(one.url) == _address(wish.url))
    elsewhere = tuple(one for one in known if one.name == NAME and one not in here)
    return Plan(wish, here[0] if here else None, here[1:], elsewhere)


async def carry_out(plan: Plan, jira: Jira) -> None:
    """Changes the registration that stands, or makes the first; raises what Jira's client raises."""
    if plan.standing:
        await jira.change_webhook(plan.standing.id, plan.wish)
    else:
        await jira.add_webhook(plan.wish)


def jira_steps(settings: Settings, base: str) -> Steps:
    """For an account that may not register webhooks: an administrator does it in the browser."""
    return Steps(
        "Jira",
        f"{base}{_JIRA}",
        "CRAFTY_JIRA_WEBHOOK_SECRET",
        (
            "In Jira: System, WebHooks, Create a WebHook; it takes an administrator of Jira.",
            "Where Jira has no field for a secret: ?token= and the value of CRAFTY_JIRA_WEBHOOK_TOKEN behind the URL.",
            f"Issue related events, with the JQL: {scope_of(settings) or 'none, as long as crafty.toml has no cell'}",
            "Tick Issue: created, updated, deleted. Comment: created, updated.",
            "Tick Sprint: created, updated, deleted, started, closed. Leave “Exclude body” as it is.",
        ),
    )


def other_steps(settings: Settings, base: str) -> tuple[Steps, ...]:
    """The steps for the systems that are in use and that Crafty does not register itself with."""
    cells = settings.config.cells
    categories = sorted({number for cell in cells for number in cell.forum_categories})
    repositories = sorted({name for cell in cells for name in cell.repositories})
    steps = []
    if settings.discourse_url or settings.discourse_webhook_secrets:
        steps.append(_forum_steps(base, categories))
    if settings.github_token or settings.github_webhook_secrets:
        steps.append(_github_steps(base, repositories))
    if settings.gitlab_token or settings.gitlab_webhook_secrets:
        steps.append(_gitlab_steps(base, repositories))
    return tuple(steps)


def _forum_steps(base: str, categories: Iterable[int]) -> Steps:
    numbers = ", ".join(map(str, categories)) or "none yet; add forum_categories to a cell"
    return Steps(
        "Discourse",
        f"{base}/webhooks/discourse",
        "CRAFTY_DISCOURSE_WEBHOOK_SECRET",
        (
            "In the forum: Admin, API, Webhooks, New Webhook; content type application/json.",
            f"The secret has {SHORTEST_FORUM_SECRET} letters at least, or Discourse does not sign.",
            "Tick the Topic and the Post events, each with all of its kinds.",
            f"Choose the categories with these numbers, or private messages are sent as well: {numbers}",
        ),
    )


def _github_steps(base: str, repositories: Iterable[str]) -> Steps:
    return Steps(
        "GitHub",
        f"{base}/webhooks/github",
        "CRAFTY_GITHUB_WEBHOOK_SECRET",
        (
            "In each repository, or once in its organisation: Settings, Webhooks, Add webhook.",
            "Content type application/json.",
            "Tick: Issues, Issue comments, Pull requests, Pull request reviews, Pull request review comments.",
            _where(repositories),
        ),
    )


def _gitlab_steps(base: str, repositories: Iterable[str]) -> Steps:
    return Steps(
        "GitLab",
        f"{base}/webhooks/gitlab",
        "CRAFTY_GITLAB_WEBHOOK_SECRET",
        (
            "In each project, or once in its group: Settings, Webhooks; the secret goes into “Secret token”.",
            "Tick: Comments, Issues events, Merge request events.",
            _where(repositories),
        ),
    )


def _where(repositories: Iterable[str]) -> str:
    return f"Of crafty.toml: {', '.join(repositories) or 'none yet; add repositories to a cell'}"


def _parts(address: str) -> SplitResult:
    wrong = ValueError("should be Crafty's own address, such as https://crafty.example.org")
    try:
        parts = urlsplit(address)
    except ValueError:
        raise wrong from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise wrong
    return parts


def _address(url: str) -> str:
    """What tells one place from another: host and path; "" for what is no address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc.casefold()}{parts.path.rstrip('/')}"


def _is_inside(host: str) -> bool:
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))
