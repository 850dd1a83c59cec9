"""Each method of each client that asks a vendor, called once against the vendor's stand-in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

import httpx
import respx
from fastapi import FastAPI

from service.clients import discourse, jira, mattermost
from service.clients._jira_webhooks import WebhookWish
from service.clients.discourse import Discourse
from service.clients.jira import Jira
from service.clients.mattermost import Mattermost
from service.demo._jira_fields import (
    CORE_COMMITTER_FIELD,
    EPIC_LINK_FIELD,
    FLAGGED_FIELD,
    REVIEWER_FIELD,
    SPRINT_FIELD,
    STORY_POINTS_FIELD,
)
from service.demo._jira_site import Flavour
from service.demo.mattermost import MattermostStandIn
from service.errors import NotFound
from service.facts import Person, Ticket
from service.jira_shapes import FieldMap
from service.texts import Message, paragraph
from tests.conftest import SetClock
from tests.demo import test_discourse_stand_in as forum
from tests.demo import test_jira_stand_in as site

Exchange = tuple[httpx.Request, httpx.Response]
Client = Jira | Discourse | Mattermost
Call = Callable[[Any], Awaitable[Any]]

SITE = "https://vendor.example"
NOW = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
TOKEN = "a token"
ANN = Person(name="Ann", jira="ann")
LONG = Message((paragraph("Hello {who}, these words are long enough for every forum.", who=ANN),))
BOB = Person(name="Bob", jira="bob")
KEY = "rule:SE-2:sprint-41"
HOOK = WebhookWish(
    "Crafty", "https://crafty.example.org/webhooks/jira", ("jira:issue_updated",), "project in (SE)", "a secret"
)
FIELDS = FieldMap(
    story_points=STORY_POINTS_FIELD,
    reviewer=REVIEWER_FIELD,
    core_committer=CORE_COMMITTER_FIELD,
    sprint=SPRINT_FIELD,
    epic_link=EPIC_LINK_FIELD,
    flagged=FLAGGED_FIELD,
)


async def _search(one: Jira) -> list[Ticket]:
    return [ticket async for ticket in one.search("project = SE ORDER BY key")]


async def _edit_comment(one: Jira) -> None:
    await one.edit_comment("SE-2", await one.add_comment("SE-2", LONG, KEY), LONG)


async def _assign(one: Jira) -> None:
    await one.assign("SE-2", BOB)
    await one.assign("SE-2", None)


async def _create_ticket(one: Jira) -> None:
    await one.create_ticket(
        "SE", "Task", "Answer", LONG, due=date(2026, 11, 17), epic="SE-1", assignee=BOB, labels=["a"]
    )


async def _post(one: Mattermost) -> None:
    root = await one.post("serenity", LONG, key=KEY)
    await one.post("serenity", LONG, key="another", root_id=root, is_retry=True)


async def _notes(one: Discourse) -> None:
    """Of a topic of a category, and of a private message."""
    await one.notes("topic:11")
    with suppress(NotFound):
        await one.notes("topic:12")


async def _change_webhook(one: Jira) -> None:
    await one.add_webhook(HOOK)
    await one.change_webhook("1", HOOK)


JIRA: dict[str, Call] = {
    "is_cloud": lambda one: one.is_cloud(),
    "permissions": lambda one: one.permissions("SE", ["BROWSE_PROJECTS", "EDIT_ISSUES"]),
    "is_active": lambda one: one.is_active("ann"),
    "webhooks": lambda one: one.webhooks(),
    "signs_webhooks": lambda one: one.signs_webhooks(),
    "add_webhook": lambda one: one.add_webhook(HOOK),
    "change_webhook": _change_webhook,
    "identify": lambda one: one.identify(),
    "field_list": lambda one: one.field_list(),
    "ticket": lambda one: one.ticket("SE-2"),
    "search": _search,
    "find_by_label": lambda one: one.find_by_label("SE", "a"),
    "sprint": lambda one: one.sprint(41),
    "sprints": lambda one: one.sprints(12),
    "first_of_sprint": lambda one: one.first_of_sprint(41),
    "comments_with_key": lambda one: one.comments_with_key("SE-2"),
    "find_comment": lambda one: one.find_comment("SE-2", KEY),
    "add_comment": lambda one: one.add_comment("SE-2", LONG, KEY),
    "edit_comment": _edit_comment,
    "assign": _assign,
    "set_user_field": lambda one: one.set_user_field("SE-2", REVIEWER_FIELD, BOB),
    "create_ticket": _create_ticket,
    "add_remote_link": lambda one: one.add_remote_link("SE-2", "https://x.example/pull/7", "A pull request", KEY),
    "edit_labels": lambda one: one.edit_labels("SE-2", ["a"], ["b"]),
    "move_to_sprint": lambda one: one.move_to_sprint(42, ["SE-2"]),
    "move_to_backlog": lambda one: one.move_to_backlog(["SE-2"]),
    "rank_first": lambda one: one.rank_first("SE-2", "SE-1"),
}
DISCOURSE: dict[str, Call] = {
    "identify": lambda one: one.identify(),
    "notes": _notes,
    "recent": lambda one: one.recent(7, NOW),
    "reply": lambda one: one.reply(11, LONG, post=1, is_retry=True),
}
MATTERMOST: dict[str, Call] = {
    "identify": lambda one: one.identify(),
    "find_user": lambda one: one.find_user("fay"),
    "is_in": lambda one: one.is_in("serenity"),
    "direct_message": lambda one: one.direct_message("fay", LONG, key=KEY, is_retry=True),
    "post": _post,
}


async def _exchanged(app: FastAPI, client: Client, calls: Mapping[str, Call]) -> dict[str, list[Exchange]]:
    """What each call asks at SITE, one after the other, with the app's answers."""
    transport, found = httpx.ASGITransport(app), {name: list[Exchange]() for name in calls}
    for name, call in calls.items():

        async def answer(request: httpx.Request, name: str = name) -> httpx.Response:
            response = await transport.handle_async_request(request)
            await response.aread()
            found[name].append((request, response))
            return response

        with respx.mock(base_url=SITE) as router:
            router.route().mock(side_effect=answer)
            await call(client)
    await client.aclose()
    return found


async def _of_jira(flavour: Flavour) -> dict[str, list[Exchange]]:
    """The ticket SE-2 has so many comments and changes that one answer does not hold them."""
    found: dict[str, list[Exchange]] = {}
    async for world in site.build(flavour, SetClock(NOW)):
        world.jira.base_url, world.jira.sender.target = SITE, None
        for number in range(101):
            await world.jira.comment("SE-2", "ann", "[~bob] Hello")
            await world.jira.edit("SE-2", "ann", labels=[] if number % 2 else ["a"])
        client = jira.connect(flavour, SITE, world.jira.bot.email, site.TOKEN)
        client.fields = FIELDS
        found = await _exchanged(world.jira.app, client, JIRA)
    return found


async def _of_discourse() -> dict[str, list[Exchange]]:
    """The topic 11 has more posts than it shows, and traces of actions among the first."""
    found: dict[str, list[Exchange]] = {}
    async for world in forum.build(SetClock(NOW), bot_is_staff=True):
        world.forum.base_url, world.forum.sender.target = SITE, None
        await world.forum.open_topic("carla", forum.TITLE, forum.LONG, 7)
        await world.forum.close(11, "carla")
        await world.forum.reopen(11, "carla")
        for _ in range(25):
            await world.forum.reply(11, "eli", forum.LONG, 1)
        await world.forum.private_message("carla", ["crafty"], forum.TITLE, forum.LONG)
        found = await _exchanged(world.forum.app, discourse.connect(SITE, forum.KEY, "crafty"), DISCOURSE)
    return found


async def _of_mattermost() -> dict[str, list[Exchange]]:
    chat = MattermostStandIn(SetClock(NOW), token=TOKEN)
    chat.add_person("fay", "Fay")
    chat.add_channel("serenity")
    return await _exchanged(chat.app, mattermost.connect(SITE, TOKEN), MATTERMOST)


async def every_exchange() -> dict[tuple[str, str], list[Exchange]]:
    """What each method of each client asked, and what the stand-in answered; by the client's and the method's name."""
    of = {
        "cloud": await _of_jira("cloud"),
        "datacenter": await _of_jira("datacenter"),
        "discourse": await _of_discourse(),
        "mattermost": await _of_mattermost(),
    }
    return {(client, method): pairs for client, methods in of.items() for method, pairs in methods.items()}


def _rare(method: str, path: str, status: int, body: Any, answer: Any) -> Exchange:
    headers = {"Authorization": "Basic x", "Api-Key": forum.KEY, "Api-Username": "crafty"}
    return httpx.Request(method, f"{SITE}{path}", headers=headers, json=body), httpx.Response(status, json=answer)


RARE: tuple[Exchange, ...] = (
    _rare("POST", "/rest/agile/1.0/sprint/42/issue", 207, {"issues": ["SE-2"]}, {"entries": []}),
    _rare("POST", "/rest/api/3/search/jql", 200, {"jql": "project = SE"}, {"issues": [], "nextPageToken": None}),
    _rare("GET", "/t/11.json", 200, None, {"deleted_by": {"id": 8, "username": "dan"}}),
)
"""What vendors answer at times and no stand-in does."""
