"""The stand-in Jira, our client and our parser of webhooks understand each other, in both flavours."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest

from service.clients.jira import Jira, connect
from service.demo._jira_site import Flavour
from service.demo.server import serve
from service.errors import CannotAct
from service.events import CommentPosted, SprintChanged, TicketChanged
from service.facts import IssueLink, Person
from service.jira_shapes import discover
from service.texts import Message, paragraph
from service.webhooks.jira import parse
from tests.conftest import SetClock
from tests.demo.test_jira_stand_in import FLAVOURS, TOKEN, World, build

NAMES = {
    "story_points": "Story Points",
    "reviewer": "Reviewer 1",
    "core_committer": "Core Committer",
    "sprint": "Sprint",
    "epic_link": "Epic Link",
    "flagged": "Flagged",
}
HELLO = Message((paragraph("Hello {who}", who="Cy [~ann]"),))
DUE = date(2026, 11, 17)


@dataclass
class Both:
    """A site as its people see it, and as our client does."""

    world: World
    client: Jira

    async def events(self) -> list[object]:
        """What the webhooks so far say to us."""
        await self.world.jira.sender.drain()
        bodies = [request.content for request in self.world.inbox.requests]
        return [parse(body, self.client.fields, self.world.jira.base_url, datetime.now(UTC))[1] for body in bodies]


@asynccontextmanager
async def connected(world: World, flavour: Flavour) -> AsyncIterator[Both]:
    async with serve(world.jira.app) as url:
        world.jira.base_url = url
        client = connect(flavour, url, world.jira.bot.email, TOKEN)
        client.fields, _ = discover(await client.field_list(), NAMES)
        yield Both(world, client)
        await client.aclose()


@pytest.fixture(params=FLAVOURS)
async def both(request: pytest.FixtureRequest, clock: SetClock) -> AsyncIterator[Both]:
    async for world in build(request.param, clock):
        async with connected(world, request.param) as one:
            yield one


async def test_the_client_and_the_last_webhook_tell_the_same_ticket(both: Both, clock: SetClock) -> None:
    jira = both.world.jira
    await jira.link("SE-2", "split from", "SE-1", "ann")
    clock.advance(hours=1)
    await jira.edit("SE-2", "bob", estimate=3.0, original_estimate=8.0, remaining_estimate=2.5)
    await jira.edit("SE-2", "bob", description="For [~ann]", labels=["a", "b"])
    event = (await both.events())[-1]
    assert isinstance(event, TicketChanged)
    read = (await both.client.ticket("SE-2")).known()
    told = event.ticket.known()
    assert {name: read[name] for name in told} == told
    assert (told["links"], told["labels"]) == ((IssueLink("split from", "SE-1"),), ("a", "b"))
    assert (told["description"], told["original_estimate"], told["remaining_estimate"]) == ("For [~ann]", 8.0, 2.5)
    assert told["creator"].name == "Ann"


async def test_moves_and_statuses_are_one_history_to_webhooks_and_to_the_client(both: Both, clock: SetClock) -> None:
    jira = both.world.jira
    for sprint in (42, 40, None):
        clock.advance(minutes=1)
        await jira.move("SE-2", sprint, "bob")
        await jira.transition("SE-2", "ann", "Need Review" if sprint else "Merged")
    told = [event for event in await both.events() if isinstance(event, TicketChanged)]
    ticket = await both.client.ticket("SE-2")
    assert [event.sprint_move for event in told if event.sprint_move] == list(ticket.sprint_moves)
    assert [(move.before, move.after) for move in ticket.sprint_moves] == [((41,), (42,)), ((42,), (40,)), ((40,), ())]
    assert [(change.before, change.after) for change in ticket.status_changes] == [
        ("Backlog", "Need Review"),
        ("Need Review", "Merged"),
    ]
    assert ticket.entered_status_at == ticket.status_changes[-1].at == clock()


async def test_a_comment_is_found_by_whatever_its_webhook_names(both: Both) -> None:
    await both.world.jira.comment("SE-2", "ann", "[~crafty] accept")
    posted = [event for event in await both.events() if isinstance(event, CommentPosted)]
    assert {event.text for event in posted} == {"[~crafty] accept"}
    for event in posted:
        ticket = await both.client.ticket(event.subject)
        assert (ticket.key, ticket.remarks[0].id) == ("SE-2", event.comment)
        assert (ticket.remarks[0].text, ticket.remarks[0].mentions) == ("[~crafty] accept", ("crafty",))


async def test_long_pasts_are_read_whole(both: Both) -> None:
    jira = both.world.jira
    jira.sender.target = None
    for number in range(101):
        await jira.comment("SE-2", "ann", f"number {number}")
        await jira.edit("SE-2", "ann", status="In Progress" if number % 2 else "Need Review")
    ticket = await both.client.ticket("SE-2")
    assert [remark.text for remark in ticket.remarks] == [f"number {number}" for number in range(101)]
    assert (len(ticket.status_changes), ticket.status_changes[0].before) == (101, "Backlog")


@pytest.mark.parametrize(
    ("into", "expected"), [("next", (41, 42)), (40, (41, 40)), ("backlog", None)], ids=["the next", "another", "none"]
)
async def test_what_a_closing_sprint_leaves_over_moves_in_the_same_act(
    both: Both, clock: SetClock, into: Any, expected: tuple[int, ...] | None
) -> None:
    await both.world.jira.close_sprint(41, "ann", into=into)
    events = await both.events()
    assert isinstance(events[0], SprintChanged)
    assert (events[0].change, events[0].sprint.completed_at) == ("closed", clock())
    assert await both.client.sprint(41) == events[0].sprint
    ticket = await both.client.ticket("SE-2")
    assert ticket.sprints[0] == events[0].sprint
    assert [(move.before, move.after, move.at) for move in ticket.sprint_moves] == (
        [((41,), expected, clock())] if expected else []
    )


async def test_a_ticket_is_made_with_all_that_was_asked_for_and_found_by_its_label(both: Both) -> None:
    ann = Person(name="Ann", jira="ann")
    key = await both.client.create_ticket(
        "SE", "Task", "Answer a\npull request", HELLO, due=DUE, epic="SE-1", assignee=ann, labels=("crafty-abc",)
    )
    made = both.world.jira.issues[key]
    assert (key, made.summary, made.kind, made.due) == ("SE-3", "Answer a pull request", "Task", DUE)
    assert (made.epic, made.assignee, made.labels, made.reporter) == ("SE-1", "ann", ["crafty-abc"], "crafty")
    assert await both.client.find_by_label("SE", "crafty-abc") == key
    assert await both.client.find_by_label("SE", "crafty-other") is None
    event = (await both.events())[-1]
    assert isinstance(event, TicketChanged)
    assert (event.ticket.key, event.ticket.sprint_moves, event.ticket.epic_key) == (key, (), "SE-1")


async def test_a_ticket_is_made_without_the_epic_and_the_assignee_that_jira_does_not_know(both: Both) -> None:
    stranger = Person(name="Zoe", jira="zoe")
    key = await both.client.create_ticket(
        "SE", "Task", "Answer", HELLO, due=DUE, epic="SE-99", assignee=stranger, labels=()
    )
    made = both.world.jira.issues[key]
    assert (made.epic, made.assignee, made.due) == (None, None, DUE)


async def test_a_type_that_jira_does_not_know_makes_no_ticket(both: Both) -> None:
    with pytest.raises(CannotAct, match="issuetype"):
        await both.client.create_ticket("SE", "Saga", "x", HELLO, due=DUE, epic=None, assignee=None, labels=())
    assert set(both.world.jira.issues) == {"SE-1", "SE-2"}


async def test_the_same_remote_link_again_is_one_link(both: Both) -> None:
    for title in ("Opened", "Merged"):
        await both.client.add_remote_link("SE-2", "https://x.example/pull/7", title, "crafty=github:x/y#7")
    [link] = both.world.jira.remote_links("SE-2")
    assert (link.title, link.url, link.global_id) == ("Merged", "https://x.example/pull/7", "crafty=github:x/y#7")
