"""The Jira stand-in keeps state, answers like its flavour, and sends signed webhooks in order."""

import hashlib
import hmac
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from random import Random
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from service.demo._jira_fields import (
    CORE_COMMITTER_FIELD,
    EPIC_LINK_FIELD,
    FLAGGED_FIELD,
    REVIEWER_FIELD,
    SPRINT_FIELD,
    STORY_POINTS_FIELD,
)
from service.demo._jira_site import Flavour, UnknownNameError
from service.demo._sender import Habits, WebhookSender, WebhookTarget, signature
from service.demo.jira import JiraStandIn
from service.demo.server import serve
from tests.conftest import SetClock

TOKEN = "a token"
SECRET = "It's a Secret to Everybody"
FLAVOURS: tuple[Flavour, ...] = ("cloud", "datacenter")


@dataclass
class Inbox:
    """Receives webhooks. statuses: what it answers, one after the other; then it accepts."""

    statuses: list[int | None] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        status = self.statuses.pop(0) if self.statuses else 202
        if status is None:
            raise httpx.ConnectError("nobody listens")
        return httpx.Response(status, json={"number": len(self.requests)})

    def payloads(self, event: str = "") -> list[dict[str, Any]]:
        every = [json.loads(request.content) for request in self.requests]
        return [payload for payload in every if not event or payload["webhookEvent"] == event]

    @property
    def events(self) -> list[str]:
        return [payload["webhookEvent"] for payload in self.payloads()]


@dataclass
class World:
    jira: JiraStandIn
    inbox: Inbox
    http: httpx.AsyncClient
    version: int

    async def ask(self, method: str, path: str, body: Any = None, **query: Any) -> httpx.Response:
        """A call of the flavour's own REST version."""
        url = path if path.startswith("/rest") else f"/rest/api/{self.version}{path}"
        return await self.http.request(method, url, json=body, params=query)

    async def get(self, path: str, **query: Any) -> Any:
        response = await self.ask("GET", path, **query)
        assert response.status_code == 200, response.text
        return response.json()

    def body(self, text: str) -> Any:
        if self.version == 2:
            return text
        inline = [{"type": "text", "text": text}]
        return {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": inline}]}


async def build(flavour: Flavour, clock: SetClock, **options: Any) -> AsyncIterator[World]:
    """A site with two people, an epic, and a story of the running sprint; webhooks go to the inbox from then on."""
    inbox = Inbox()
    async with httpx.AsyncClient(transport=httpx.MockTransport(inbox)) as outgoing:
        sender = WebhookSender(outgoing, retry_waits=(0.0, 0.0))
        jira = JiraStandIn(flavour, clock, sender, token=TOKEN, **options)
        for account in ("ann", "bob"):
            jira.add_person(account, account.title(), timezone="Europe/Paris")
        for sprint, name in ((41, "Sprint 41"), (42, "Sprint 42, the long one"), (40, "Stretch Goals")):
            await jira.create_sprint(sprint, name, board=12)
        await jira.start_sprint(41)
        await jira.create_issue("SE-1", "ann", summary="Grades", kind="Epic", assignee="bob")
        await jira.create_issue("SE-2", "ann", summary="Import grades", epic="SE-1", sprint=41, reviewer="bob")
        sender.target = WebhookTarget("http://crafty.example/webhooks/jira", SECRET)
        headers = {} if flavour == "cloud" else {"Authorization": f"Bearer {TOKEN}"}
        auth = (jira.bot.email, TOKEN) if flavour == "cloud" else None
        transport = httpx.ASGITransport(jira.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://j", headers=headers, auth=auth) as http:
            yield World(jira, inbox, http, 3 if flavour == "cloud" else 2)
            await sender.drain()


@pytest.fixture(params=FLAVOURS)
async def world(request: pytest.FixtureRequest, clock: SetClock) -> AsyncIterator[World]:
    async for one in build(request.param, clock):
        yield one


@pytest.fixture
async def cloud(clock: SetClock) -> AsyncIterator[World]:
    async for one in build("cloud", clock):
        yield one


@pytest.fixture
async def datacenter(clock: SetClock) -> AsyncIterator[World]:
    async for one in build("datacenter", clock):
        yield one


# --- Sending --------------------------------------------------------------------------------------------------------


def test_the_signature_is_the_one_of_the_vendors_example() -> None:
    assert signature(SECRET, b"Hello World!") == (
        "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
    )


async def test_every_webhook_is_signed_over_its_raw_bytes(world: World) -> None:
    await world.jira.edit("SE-2", "ann", summary="Grädes “quoted”")
    [request] = world.inbox.requests
    expected = hmac.new(SECRET.encode(), request.content, hashlib.sha256).hexdigest()
    assert request.headers["X-Hub-Signature"] == f"sha256={expected}"


@pytest.mark.parametrize(
    ("statuses", "attempts", "last"),
    [
        pytest.param([202], 1, 202, id="accepted at once"),
        pytest.param([503, 202], 2, 202, id="503 is tried again"),
        pytest.param([429, 500, 200], 3, 200, id="twice refused for now, then accepted"),
        pytest.param([None, 202], 2, 202, id="nobody listens at first"),
        pytest.param([None, None, None], 3, None, id="given up when nobody ever listens"),
        pytest.param([503, 503, 503, 202], 3, 503, id="given up after the last wait"),
        pytest.param([401, 202], 1, 401, id="401 is not tried again"),
        pytest.param([422, 202], 1, 422, id="422 is not tried again"),
    ],
)
async def test_passing_faults_are_tried_again(
    cloud: World, statuses: list[int | None], attempts: int, last: int | None
) -> None:
    cloud.inbox.statuses = list(statuses)
    await cloud.jira.edit("SE-2", "ann", summary="New")
    [delivery] = cloud.jira.sender.deliveries
    assert (len(delivery.answers), delivery.status) == (attempts, last)
    assert {request.content for request in cloud.inbox.requests} == {delivery.body}


async def test_retries_keep_their_identifier_and_are_counted(cloud: World) -> None:
    cloud.inbox.statuses = [503, 503]
    await cloud.jira.edit("SE-2", "ann", summary="New")
    headers = [request.headers for request in cloud.inbox.requests]
    assert [one.get("X-Atlassian-Webhook-Retry") for one in headers] == [None, "1", "2"]
    assert len({one["X-Atlassian-Webhook-Identifier"] for one in headers}) == 1


async def test_a_retried_webhook_does_not_lose_its_place(cloud: World) -> None:
    cloud.inbox.statuses = [503]
    await cloud.jira.edit("SE-2", "ann", summary="First")
    await cloud.jira.edit("SE-2", "ann", summary="Second")
    seen = [payload["issue"]["fields"]["summary"] for payload in cloud.inbox.payloads()]
    assert seen == ["First", "First", "Second"]


async def test_a_delivery_keeps_what_was_answered(cloud: World) -> None:
    await cloud.jira.edit("SE-2", "ann", summary="New")
    [delivery] = cloud.jira.sender.deliveries
    assert (delivery.event, delivery.status, delivery.content) == ("jira:issue_updated", 202, {"number": 1})
    assert delivery.payload == cloud.inbox.payloads()[0]


async def test_a_redelivery_repeats_bytes_and_headers(cloud: World) -> None:
    await cloud.jira.edit("SE-2", "ann", summary="New")
    again = await cloud.jira.sender.redeliver(cloud.jira.sender.deliveries[0])
    first, second = cloud.inbox.requests
    assert (first.content, first.headers) == (second.content, second.headers)
    assert (again.status, len(cloud.jira.sender.deliveries)) == (202, 2)


async def test_nothing_is_sent_while_nobody_is_to_be_told(cloud: World) -> None:
    cloud.jira.sender.target = None
    await cloud.jira.edit("SE-2", "ann", summary="New")
    assert (cloud.jira.sender.deliveries, cloud.inbox.requests) == ([], [])


async def edited(world: World, *summaries: str) -> list[str]:
    """Edits the summary again and again; returns which summaries have arrived by then."""
    for summary in summaries:
        await world.jira.edit("SE-2", "ann", summary=summary)
    return [payload["issue"]["fields"]["summary"] for payload in world.inbox.payloads()]


async def test_a_silent_sender_sends_and_records_nothing_until_it_speaks_again(cloud: World) -> None:
    cloud.jira.sender.habits = Habits(is_silent=True)
    assert await edited(cloud, "lost") == []
    cloud.jira.sender.habits = Habits()
    assert await edited(cloud, "told") == ["told"]
    assert len(cloud.jira.sender.deliveries) == 1


async def test_every_webhook_twice_is_the_same_bytes_and_headers_twice(cloud: World) -> None:
    cloud.jira.sender.habits = Habits(copies=2)
    assert await edited(cloud, "a", "b") == ["a", "a", "b", "b"]
    first, second, *_ = cloud.inbox.requests
    assert (first.content, first.headers) == (second.content, second.headers)


async def test_shuffled_webhooks_wait_until_they_are_released_and_the_seed_draws_their_order(clock: SetClock) -> None:
    orders = []
    for seed in (1, 1, 2):
        async for world in build("cloud", clock):
            world.jira.sender.habits = Habits(copies=2, shuffle=Random(seed))
            assert (await edited(world, *"abcdef"), world.jira.sender.deliveries) == ([], [])
            await world.jira.sender.release()
            orders.append(await edited(world))
            await world.jira.sender.release()
            assert await edited(world) == orders[-1]
    assert [sorted(order) for order in orders] == [sorted("aabbccddeeff")] * 3
    assert orders[0] == orders[1] != orders[2]
    assert orders[0] != sorted(orders[0])


async def test_a_hook_without_a_secret_is_unsigned(cloud: World) -> None:
    cloud.jira.sender.target = WebhookTarget("http://crafty.example/webhooks/jira?token=x", "")
    await cloud.jira.edit("SE-2", "ann", summary="New")
    assert "X-Hub-Signature" not in cloud.inbox.requests[0].headers


async def test_an_app_is_served_on_a_port_of_its_own_and_gone_afterwards() -> None:
    app = FastAPI()
    app.add_api_route("/hello", lambda: "world")
    async with httpx.AsyncClient() as client:
        async with serve(app) as first, serve(app) as second:
            answers = [(await client.get(f"{url}/hello")).json() for url in (first, second)]
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{first}/hello")
    assert (answers, first == second) == (["world", "world"], False)


# --- What webhooks carry --------------------------------------------------------------------------------------------


async def test_headers_differ_between_the_flavours(world: World) -> None:
    await world.jira.edit("SE-2", "ann", summary="New")
    identifier = world.inbox.requests[0].headers.get("X-Atlassian-Webhook-Identifier")
    if world.version == 3:
        assert str(uuid.UUID(identifier)) == identifier
    else:
        assert identifier is None


async def test_an_edit_is_told_with_clock_user_and_whole_issue(world: World, clock: SetClock) -> None:
    clock.advance(hours=1)
    await world.jira.edit("SE-2", "bob", summary="New")
    [payload] = world.inbox.payloads()
    assert payload["timestamp"] == int(clock().timestamp() * 1000)
    assert (payload["webhookEvent"], payload["issue_event_type_name"]) == ("jira:issue_updated", "issue_updated")
    assert payload["user"]["accountId" if world.version == 3 else "name"] == "bob"
    assert payload["issue"]["fields"]["summary"] == "New"
    assert payload["issue"]["fields"]["updated"] == "2026-11-03T11:00:00.000+0100"
    assert "/rest/api/2/" in payload["issue"]["self"]


async def test_accounts_show_what_their_flavour_shows(world: World) -> None:
    await world.jira.edit("SE-2", "bob", summary="New")
    user = world.inbox.payloads()[0]["user"]
    cloud = {"self", "accountId", "accountType", "displayName", "active", "timeZone"}
    assert set(user) == (
        cloud if world.version == 3 else (cloud - {"accountId", "accountType"}) | {"name", "key", "emailAddress"}
    )


@pytest.mark.parametrize(
    ("change", "cloud_item", "datacenter_item"),
    [
        pytest.param(
            {"summary": "New"},
            ("summary", "summary", None, "Import grades", None, "New"),
            ("summary", None, None, "Import grades", None, "New"),
            id="text",
        ),
        pytest.param(
            {"assignee": "ann"},
            ("assignee", "assignee", None, None, "ann", "Ann"),
            ("assignee", None, None, None, "JIRAUSER10102", "Ann"),
            id="assignee by account or user key",
        ),
        pytest.param(
            {"reviewer": None},
            ("Reviewer 1", REVIEWER_FIELD, "bob", "Bob", None, None),
            ("Reviewer 1", None, "JIRAUSER10103", "Bob", None, None),
            id="reviewer emptied",
        ),
        pytest.param(
            {"estimate": 0.5},
            ("Story Points", STORY_POINTS_FIELD, None, None, None, "0.5"),
            ("Story Points", None, None, None, None, "0.5"),
            id="estimate",
        ),
        pytest.param(
            {"labels": ["a", "b"]},
            ("labels", "labels", None, "", None, "a b"),
            ("labels", None, None, "", None, "a b"),
            id="labels",
        ),
        pytest.param(
            {"flagged": True},
            ("Flagged", FLAGGED_FIELD, "", "", "[10019]", "Impediment"),
            ("Flagged", None, "", "", "[10019]", "Impediment"),
            id="flag",
        ),
        pytest.param(
            {"epic": None},
            ("IssueParentAssociation", None, "10001", "SE-1", None, None),
            ("Epic Link", None, "10001", "SE-1", None, None),
            id="epic",
        ),
        pytest.param(
            {"kind": "Bug"},
            ("issuetype", "issuetype", "10001", "Story", "10003", "Bug"),
            ("issuetype", None, "10001", "Story", "10003", "Bug"),
            id="type",
        ),
    ],
)
@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_the_changelog_names_what_changed(
    flavour: Flavour, clock: SetClock, change: Any, cloud_item: Sequence[Any], datacenter_item: Sequence[Any]
) -> None:
    async for world in build(flavour, clock):
        await world.jira.edit("SE-2", "ann", **change)
        [item] = world.inbox.payloads()[0]["changelog"]["items"]
        names = ("field", "fieldId", "from", "fromString", "to", "toString")
        assert tuple(item.get(name) for name in names) == (cloud_item if flavour == "cloud" else datacenter_item)


@pytest.mark.parametrize(
    ("change", "item"),
    [
        pytest.param({"remaining_estimate": 1.5}, ("timeestimate", None, None, "5400", "5400"), id="hours as seconds"),
        pytest.param(
            {"due": date(2026, 11, 17)},
            ("duedate", None, None, "2026-11-17", "2026-11-17 00:00:00.0"),
            id="the due date",
        ),
        pytest.param({"description": "Why"}, ("description", None, None, None, "Why"), id="the description"),
    ],
)
async def test_the_changelog_of_times_and_texts(world: World, change: Any, item: tuple[str | None, ...]) -> None:
    await world.jira.edit("SE-2", "ann", **change)
    [told] = world.inbox.payloads()[0]["changelog"]["items"]
    assert tuple(told[name] for name in ("field", "from", "fromString", "to", "toString")) == item


async def test_labels_come_and_go_and_leave_the_others_alone(world: World) -> None:
    await world.jira.edit("SE-2", "ann", labels=["theirs", "old"])
    await world.jira.label("SE-2", "bob", add=["new", "theirs"], remove=["old"])
    assert world.jira.issues["SE-2"].labels == ["theirs", "new"]
    item = world.inbox.payloads()[-1]["changelog"]["items"][0]
    assert (item["field"], item["fromString"], item["toString"]) == ("labels", "theirs old", "theirs new")


@pytest.mark.parametrize(
    ("phrase", "seen_there"),
    [("split from", "split to"), ("replaces", "is replaced by"), ("blocks", "is blocked by"), ("relates to",) * 2],
)
async def test_a_link_is_told_for_itself_and_by_both_issues(world: World, phrase: str, seen_there: str) -> None:
    await world.jira.link("SE-2", phrase, "SE-1", "ann")
    await world.jira.link("SE-2", phrase, "SE-1", "ann")
    made, *edits = world.inbox.payloads()
    assert (made["webhookEvent"], "user" in made, "issue" in made) == ("issuelink_created", False, False)
    told = {one["issue"]["key"]: one["changelog"]["items"][0]["toString"] for one in edits}
    assert told == {"SE-2": f"This issue {phrase} SE-1", "SE-1": f"This issue {seen_there} SE-2"}
    [link] = next(one["issue"] for one in edits if one["issue"]["key"] == "SE-2")["fields"]["issuelinks"]
    end = "outwardIssue" if "outwardIssue" in link else "inwardIssue"
    assert (link["type"][end.removesuffix("Issue")], link[end]["key"]) == (phrase, "SE-1")
    assert len(world.jira.links("SE-1")) == 1


async def test_a_deleted_issue_takes_its_links_with_it(world: World) -> None:
    await world.jira.link("SE-2", "blocks", "SE-1", "ann")
    await world.jira.delete_issue("SE-1", "ann")
    assert world.jira.links("SE-2") == []


async def test_sprint_changes_list_all_sprints_ever(world: World) -> None:
    await world.jira.close_sprint(41, "ann")
    await world.jira.move("SE-2", 40, "bob")
    item = world.inbox.payloads("jira:issue_updated")[-1]["changelog"]["items"][0]
    assert (item["from"], item["to"]) == ("41, 42", "41, 40")
    assert item["toString"] == "Sprint 41, Stretch Goals"


@pytest.mark.parametrize(
    ("facts", "event_type"),
    [
        pytest.param({"assignee": "bob"}, "issue_assigned", id="only the assignee"),
        pytest.param({"assignee": "bob", "summary": "New"}, "issue_updated", id="more than the assignee"),
        pytest.param({"status": "Need Review"}, "issue_generic", id="a transition"),
    ],
)
async def test_the_event_type_follows_what_was_done(cloud: World, facts: Any, event_type: str) -> None:
    await cloud.jira.edit("SE-2", "ann", **facts)
    assert [payload["issue_event_type_name"] for payload in cloud.inbox.payloads()] == [event_type]


async def test_a_change_to_the_same_value_is_none(world: World) -> None:
    await world.jira.edit("SE-2", "ann", summary="Import grades")
    assert (world.inbox.events, world.jira.issues["SE-2"].history) == ([], [])


async def test_cloud_tells_of_a_comment_with_six_fields_of_its_issue(cloud: World) -> None:
    await cloud.jira.comment("SE-2", "bob", "Thanks, [~ann]: see [the page|https://x.example]")
    [payload] = cloud.inbox.payloads()
    assert set(payload["issue"]["fields"]) == {"summary", "issuetype", "project", "assignee", "priority", "status"}
    assert payload["comment"]["body"] == "Thanks, [~accountid:ann]: see [the page|https://x.example]"
    assert (payload["webhookEvent"], "user" in payload) == ("comment_created", False)


async def test_data_center_tells_of_a_comment_twice_and_once_without_the_issue(datacenter: World) -> None:
    await datacenter.jira.comment("SE-2", "bob", "Thanks, [~ann]")
    bare, full = datacenter.inbox.payloads()
    assert (bare["webhookEvent"], set(bare)) == ("comment_created", {"timestamp", "webhookEvent", "comment"})
    assert (full["webhookEvent"], full["issue_event_type_name"]) == ("jira:issue_updated", "issue_commented")
    assert full["comment"] == bare["comment"]
    assert f"/issue/{datacenter.jira.issues['SE-2'].id}/comment/" in bare["comment"]["self"]
    assert (bare["comment"]["body"], "changelog" in full) == ("Thanks, [~ann]", False)


async def test_sprints_are_told_without_a_user(world: World) -> None:
    await world.jira.create_sprint(43, "Sprint 43", board=12)
    await world.jira.edit_sprint(
        43, start=datetime(2026, 11, 16, 8, tzinfo=UTC), end=datetime(2026, 11, 30, 8, tzinfo=UTC)
    )
    await world.jira.start_sprint(43)
    assert world.inbox.events == ["sprint_created", "sprint_updated", "sprint_started"]
    created, updated, _ = world.inbox.payloads()
    assert ("user" in created, "startDate" in created["sprint"]) == (False, False)
    expected = "2026-11-16T08:00:00.000Z" if world.version == 3 else "2026-11-16T09:00:00.000+01:00"
    assert (updated["sprint"]["startDate"], updated["sprint"]["originBoardId"]) == (expected, 12)


async def test_closing_a_sprint_moves_what_is_unfinished_to_the_next_one(world: World) -> None:
    await world.jira.create_issue("SE-3", "ann", summary="Done already", status="Done", sprint=41)
    world.inbox.requests.clear()
    await world.jira.close_sprint(41, "bob")
    assert world.inbox.events == ["sprint_closed", "jira:issue_updated"]
    assert {key: issue.sprints for key, issue in world.jira.issues.items()} == {
        "SE-1": [],
        "SE-2": [41, 42],
        "SE-3": [41],
    }
    assert world.inbox.payloads()[0]["sprint"]["state"] == "closed"


async def test_dated_sprints_come_before_undated_ones(cloud: World) -> None:
    await cloud.jira.edit_sprint(
        40, start=datetime(2026, 11, 16, 8, tzinfo=UTC), end=datetime(2026, 11, 30, 8, tzinfo=UTC)
    )
    await cloud.jira.close_sprint(41)
    assert cloud.jira.issues["SE-2"].sprints == [41, 40]


async def test_without_a_next_sprint_the_unfinished_go_to_the_backlog(cloud: World) -> None:
    await cloud.jira.create_sprint(50, "Lone", board=13)
    await cloud.jira.start_sprint(50)
    await cloud.jira.create_issue("SE-3", "ann", summary="Lone", sprint=50)
    await cloud.jira.close_sprint(50)
    await cloud.jira.move("SE-2", None, "ann")
    assert (cloud.jira.issues["SE-3"].sprints, cloud.jira.issues["SE-2"].sprints) == ([50], [])


async def test_creating_and_deleting_are_told(world: World) -> None:
    await world.jira.create_issue("SE-3", "bob", summary="New")
    await world.jira.delete_issue("SE-3", "ann")
    assert world.inbox.events == ["jira:issue_created", "jira:issue_deleted"]
    assert (await world.ask("GET", "/issue/SE-3")).status_code == 404


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda jira: jira.edit("SE-9", "ann", summary="x"), id="an issue that is not there"),
        pytest.param(lambda jira: jira.edit("SE-2", "ann", assignee="cy"), id="an assignee who is not there"),
        pytest.param(lambda jira: jira.comment("SE-2", "cy", "x"), id="an author who is not there"),
        pytest.param(lambda jira: jira.transition("SE-2", "ann", "Sleeping"), id="a status that is not there"),
        pytest.param(lambda jira: jira.move("SE-2", 99, "ann"), id="a sprint that is not there"),
        pytest.param(lambda jira: jira.close_sprint(41, "ann", into=99), id="a sprint to move into that is not there"),
        pytest.param(lambda jira: jira.link("SE-2", "adores", "SE-1", "ann"), id="a phrase that no link says"),
        pytest.param(lambda jira: jira.create_issue("SE-2", "ann", summary="x"), id="a key that is taken"),
        pytest.param(lambda jira: jira.create_issue("XX-1", "ann", summary="x"), id="a project that is not there"),
        pytest.param(lambda jira: jira.create_issue("SE-3", "ann", summary="x", kind="Saga"), id="an unknown type"),
        pytest.param(lambda jira: jira.create_issue("SE-3", "ann", summary="x", epic="SE-9"), id="an unknown epic"),
    ],
)
async def test_a_story_that_names_nobody_or_nothing_changes_nothing(cloud: World, act: Any) -> None:
    with pytest.raises(UnknownNameError):
        await act(cloud.jira)
    assert (cloud.inbox.events, set(cloud.jira.issues)) == ([], {"SE-1", "SE-2"})
    assert cloud.jira.comments("SE-2") == []


# --- The bot's own deeds --------------------------------------------------------------------------------------------


async def test_the_bots_comment_is_kept_with_its_property_and_comes_back_as_an_event(world: World) -> None:
    properties = [{"key": "crafty", "value": {"key": "green-ticket:SE-2:41"}}]
    answer = await world.ask(
        "POST", "/issue/SE-2/comment", {"body": world.body("Who reviews?"), "properties": properties}
    )
    await world.jira.sender.drain()
    [comment] = world.jira.comments("SE-2")
    assert (answer.status_code, answer.json()["id"]) == (201, comment.id)
    assert (comment.text, comment.author, comment.mentions) == ("Who reviews?", "crafty", [])
    assert comment.properties == {"crafty": {"key": "green-ticket:SE-2:41"}}
    told = world.inbox.payloads("comment_created")[0]["comment"]
    assert (told["body"], told["author"]["displayName"], "properties" in told) == ("Who reviews?", "Crafty", False)


async def test_the_bots_edits_come_back_as_events_of_the_bot(world: World) -> None:
    account = {"accountId": "ann"} if world.version == 3 else {"name": "ann"}
    await world.ask("PUT", "/issue/SE-2/assignee", account)
    await world.ask("PUT", "/issue/SE-2", {"fields": {REVIEWER_FIELD: account}})
    await world.jira.sender.drain()
    issue = world.jira.issues["SE-2"]
    assert (issue.assignee, issue.reviewer) == ("ann", "ann")
    assert {payload["user"]["displayName"] for payload in world.inbox.payloads()} == {"Crafty"}
    assert [payload["changelog"]["items"][0]["field"] for payload in world.inbox.payloads()] == [
        "assignee",
        "Reviewer 1",
    ]


async def test_comments_are_listed_edited_and_deleted(world: World) -> None:
    await world.jira.comment("SE-2", "ann", "First [~bob]")
    own = (await world.ask("POST", "/issue/SE-2/comment", {"body": world.body("Second")})).json()["id"]
    changed = await world.ask("PUT", f"/issue/SE-2/comment/{own}", {"body": world.body("Third")}, notifyUsers="false")
    assert (changed.status_code, world.jira.comments("SE-2")[1].text) == (200, "Third")
    newest = await world.get("/issue/SE-2/comment", orderBy="-created", maxResults=1)
    assert (newest["total"], [one["id"] for one in newest["comments"]]) == (2, [own])
    assert (await world.get(f"/issue/SE-2/comment/{own}"))["body"] == world.body("Third")
    assert (await world.ask("DELETE", f"/issue/SE-2/comment/{own}")).status_code == 204
    assert [comment.text for comment in world.jira.comments("SE-2")] == ["First @Bob"]
    await world.jira.sender.drain()
    kinds = [event for event in world.inbox.events if event.startswith("comment_")]
    assert kinds == ["comment_created", "comment_created", "comment_updated", "comment_deleted"]


async def test_others_comments_are_not_the_bots_to_change(world: World) -> None:
    comment = await world.jira.comment("SE-2", "ann", "Mine")
    path = f"/issue/SE-2/comment/{comment.id}"
    refusals = [
        await world.ask("PUT", path, {"body": world.body("Yours")}),
        await world.ask("DELETE", path),
        await world.ask("PUT", f"/comment/{comment.id}/properties/crafty", {}),
    ]
    assert [answer.status_code for answer in refusals] == [400, 400, 400]
    assert world.jira.comments("SE-2")[0].text == "Mine"


async def test_comment_properties_are_set_and_read_by_their_own_address(world: World) -> None:
    own = (await world.ask("POST", "/issue/SE-2/comment", {"body": world.body("Hello")})).json()["id"]
    path = f"/comment/{own}/properties/crafty"
    statuses = [(await world.ask("PUT", path, {"key": key})).status_code for key in ("a", "b")]
    assert (statuses, await world.get(path)) == ([201, 200], {"key": "crafty", "value": {"key": "b"}})
    [listed] = (await world.get("/issue/SE-2/comment", expand="properties"))["comments"]
    assert listed["properties"] == [{"key": "crafty", "value": {"key": "b"}}]
    assert (await world.ask("GET", f"/comment/{own}/properties/other")).status_code == 404


async def test_properties_in_a_comments_update_count_for_nothing(world: World) -> None:
    own = (await world.ask("POST", "/issue/SE-2/comment", {"body": world.body("Hello")})).json()["id"]
    body = {"body": world.body("Hello again"), "properties": [{"key": "crafty", "value": 1}]}
    await world.ask("PUT", f"/issue/SE-2/comment/{own}", body)
    assert world.jira.comments("SE-2")[0].properties == {}


async def test_issue_properties_are_shown_when_asked_for(world: World) -> None:
    assert (await world.ask("PUT", "/issue/SE-2/properties/crafty", [1])).status_code == 201
    assert (await world.get("/issue/SE-2", properties="crafty,other"))["properties"] == {"crafty": [1]}
    assert "properties" not in await world.get("/issue/SE-2")


async def test_moves_and_ranks(world: World) -> None:
    await world.jira.create_issue("SE-3", "ann", summary="Late", sprint=42)
    agile = "/rest/agile/1.0"
    moved = await world.ask("POST", f"{agile}/sprint/40/issue", {"issues": ["SE-3"], "rankBeforeIssue": "SE-1"})
    assert (moved.status_code, world.jira.issues["SE-3"].sprints, world.jira.ranking) == (
        204,
        [40],
        ["SE-3", "SE-1", "SE-2"],
    )
    ranked = await world.ask("PUT", f"{agile}/issue/rank", {"issues": ["SE-3", "SE-1"], "rankAfterIssue": "SE-2"})
    assert (ranked.status_code, world.jira.ranking) == (204, ["SE-2", "SE-3", "SE-1"])
    dropped = await world.ask("POST", f"{agile}/backlog/issue", {"issues": ["SE-3"]})
    assert (dropped.status_code, world.jira.issues["SE-3"].sprints) == (204, [])
    await world.jira.sender.drain()
    told = [payload["changelog"]["items"][0]["field"] for payload in world.inbox.payloads("jira:issue_updated")]
    assert told == ["Sprint", "Rank", "Rank", "Rank", "Sprint"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        pytest.param(
            "POST", "/sprint/40/issue", {"issues": [f"SE-{n}" for n in range(51)]}, 400, id="51 issues at once"
        ),
        pytest.param("POST", "/sprint/40/issue", {"issues": []}, 400, id="no issue"),
        pytest.param("POST", "/sprint/40/issue", {"issues": [1]}, 400, id="an issue that is a number"),
        pytest.param("POST", "/sprint/99/issue", {"issues": ["SE-2"]}, 404, id="no such sprint"),
        pytest.param("POST", "/sprint/x/issue", {"issues": ["SE-2"]}, 400, id="a sprint that is no number"),
        pytest.param("PUT", "/issue/rank", {"issues": ["SE-2"]}, 400, id="ranked beside nothing"),
        pytest.param(
            "PUT",
            "/issue/rank",
            {"issues": ["SE-2"], "rankBeforeIssue": "SE-1", "rankAfterIssue": "SE-1"},
            400,
            id="ranked on both sides",
        ),
    ],
)
async def test_agile_calls_that_jira_refuses_change_nothing(
    cloud: World, method: str, path: str, body: Any, status: int
) -> None:
    answer = await cloud.ask(method, f"/rest/agile/1.0{path}", body)
    assert (answer.status_code, cloud.jira.issues["SE-2"].sprints) == (status, [41])
    assert set(answer.json()) == {"errorMessages", "errors"}


async def test_nothing_moves_into_a_closed_sprint(world: World) -> None:
    await world.jira.close_sprint(41)
    answer = await world.ask("POST", "/rest/agile/1.0/sprint/41/issue", {"issues": ["SE-2"]})
    assert (answer.status_code, world.jira.issues["SE-2"].sprints) == (400, [41, 42])


# --- Reading --------------------------------------------------------------------------------------------------------


async def test_an_issue_shows_people_points_flag_and_epic_as_its_flavour_does(world: World) -> None:
    await world.jira.edit("SE-2", "ann", estimate=3, flagged=True, core_committer="ann")
    fields = (await world.get("/issue/SE-2"))["fields"]
    name = "accountId" if world.version == 3 else "name"
    assert (fields[REVIEWER_FIELD][name], fields[CORE_COMMITTER_FIELD][name]) == ("bob", "ann")
    assert (fields[STORY_POINTS_FIELD], fields[FLAGGED_FIELD][0]["value"], fields["assignee"]) == (
        3.0,
        "Impediment",
        None,
    )
    if world.version == 3:
        assert (fields["parent"]["key"], fields["parent"]["fields"]["issuetype"]["hierarchyLevel"]) == ("SE-1", 1)
        assert EPIC_LINK_FIELD not in fields
    else:
        assert (fields[EPIC_LINK_FIELD], "parent" in fields) == ("SE-1", False)


async def test_sprint_values_are_objects_on_cloud_and_texts_on_data_center(world: World) -> None:
    [value] = (await world.get("/issue/SE-2", fields=SPRINT_FIELD))["fields"][SPRINT_FIELD]
    if world.version == 3:
        assert (value["id"], value["state"], value["boardId"]) == (41, "active", 12)
    else:
        assert value.startswith("com.atlassian.greenhopper.service.sprint.Sprint@29[id=41,rapidViewId=12,state=ACTIVE,")
        assert "completeDate=<null>" in value


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param("summary,labels", {"summary", "labels"}, id="named ones"),
        pytest.param("summary,nonsense", {"summary"}, id="unknown ones are left out"),
        pytest.param("-comment,summary", {"summary"}, id="one not wanted beside a named one"),
    ],
)
async def test_only_the_fields_asked_for_are_shown(world: World, fields: str, expected: set[str]) -> None:
    assert set((await world.get("/issue/SE-2", fields=fields))["fields"]) == expected


async def test_all_fields_but_one(world: World) -> None:
    fields = (await world.get("/issue/SE-2", fields="*all,-comment"))["fields"]
    assert ("comment" in fields, "summary" in fields) == (False, True)


async def test_the_history_is_newest_first_on_cloud_and_oldest_first_on_data_center(world: World) -> None:
    await world.jira.transition("SE-2", "bob", "In Progress")
    await world.jira.transition("SE-2", "bob", "Need Review")
    page = (await world.get("/issue/SE-2", expand="changelog"))["changelog"]
    words = [entry["items"][0]["toString"] for entry in page["histories"]]
    assert words == (["Need Review", "In Progress"] if world.version == 3 else ["In Progress", "Need Review"])
    assert (page["total"], page["histories"][0]["author"]["displayName"]) == (2, "Bob")


async def test_cloud_cuts_what_it_shows_inside_an_issue_and_lists_the_rest(cloud: World) -> None:
    cloud.jira.sender.target = None
    for number in range(102):
        await cloud.jira.edit("SE-2", "ann", summary=f"{number}")
        await cloud.jira.comment("SE-2", "ann", f"{number}")
    shown = await cloud.get("/issue/SE-2", expand="changelog", fields="comment")
    inside = shown["changelog"]
    assert (len(inside["histories"]), inside["total"]) == (100, 102)
    assert inside["histories"][0]["items"][0]["toString"] == "101"
    assert (len(shown["fields"]["comment"]["comments"]), shown["fields"]["comment"]["total"]) == (100, 102)
    rest = await cloud.get("/issue/SE-2/changelog", startAt=100)
    assert [entry["items"][0]["toString"] for entry in rest["values"]] == ["100", "101"]
    assert (rest["total"], rest["isLast"]) == (102, True)


async def test_comments_read_through_v3_are_documents_with_mentions(cloud: World) -> None:
    await cloud.jira.comment("SE-2", "ann", "Thanks [~bob]\nBye")
    [comment] = (await cloud.get("/issue/SE-2/comment"))["comments"]
    first, second = comment["body"]["content"]
    assert first["content"][1] == {"type": "mention", "attrs": {"id": "bob", "text": "@Bob"}}
    assert second["content"] == [{"type": "text", "text": "Bye"}]
    v2 = await cloud.get("/rest/api/2/issue/SE-2/comment")
    assert v2["comments"][0]["body"] == "Thanks [~accountid:bob]\nBye"


async def test_fields_are_described_with_their_types(world: World) -> None:
    custom = {one["name"]: one["schema"]["custom"] for one in await world.get("/field") if one["custom"]}
    types = "com.atlassian.jira.plugin.system.customfieldtypes"
    software = "com.pyxis.greenhopper.jira"
    assert custom == {
        "Sprint": f"{software}:gh-sprint",
        "Story Points": f"{types}:float",
        "Reviewer 1": f"{types}:userpicker",
        "Core Committer": f"{types}:userpicker",
        "Flagged": f"{types}:multicheckboxes",
        "Rank": f"{software}:gh-lexo-rank",
        **({} if world.version == 3 else {"Epic Link": f"{software}:gh-epic-link"}),
    }


async def test_who_am_i(world: World) -> None:
    answer = await world.ask("GET", "/myself")
    name, header = ("accountId", "X-AAccountId") if world.version == 3 else ("name", "X-AUSERNAME")
    assert (answer.json()[name], answer.headers[header]) == ("crafty", "crafty")
    assert (await world.get("/serverInfo"))["deploymentType"] == ("Cloud" if world.version == 3 else "Server")


@pytest.mark.parametrize("authorization", ["Bearer wrong", "Basic d3Jvbmc6d3Jvbmc=", ""])
async def test_wrong_credentials_are_refused(world: World, authorization: str) -> None:
    transport = httpx.ASGITransport(world.jira.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://j") as stranger:
        headers = {"Authorization": authorization}
        answer = await stranger.get(f"/rest/api/{world.version}/myself", headers=headers)
    assert (answer.status_code, set(answer.json())) == (401, {"errorMessages", "errors"})


async def test_data_center_has_no_v3_and_no_token_pages(datacenter: World) -> None:
    gone = ["/rest/api/3/myself", "/rest/api/2/search/jql", "/rest/software/1.0/sprint/41/issue"]
    assert [(await datacenter.ask("GET", path)).status_code for path in gone] == [404, 404, 404]


async def test_sprints_of_a_board_come_by_state(world: World) -> None:
    await world.jira.close_sprint(41)
    await world.jira.start_sprint(42)
    page = await world.get("/rest/agile/1.0/board/12/sprint")
    assert [(one["id"], one["state"]) for one in page["values"]] == [(41, "closed"), (42, "active"), (40, "future")]
    some = await world.get("/rest/agile/1.0/board/12/sprint", state="active,future", maxResults=1)
    assert ([one["id"] for one in some["values"]], some["isLast"]) == ([42], False)
    assert (await world.get("/rest/agile/1.0/sprint/42"))["name"] == "Sprint 42, the long one"
    assert (await world.ask("GET", "/rest/agile/1.0/board/99/sprint")).status_code == 404
    assert (await world.ask("GET", "/rest/agile/1.0/board/12/sprint", state="soon")).status_code == 400


async def test_issues_of_a_sprint(world: World) -> None:
    await world.jira.create_issue("SE-3", "ann", summary="Late", sprint=41, flagged=True)
    page = await world.get("/rest/agile/1.0/sprint/41/issue", maxResults=1, startAt=1)
    fields = page["issues"][0]["fields"]
    assert (page["total"], fields["sprint"]["id"], fields["closedSprints"], fields["flagged"]) == (2, 41, [], True)


async def test_cloud_lists_the_issues_of_a_sprint_by_token(cloud: World) -> None:
    await cloud.jira.create_issue("SE-3", "ann", summary="Late", sprint=41)
    path = "/rest/software/1.0/sprint/41/issue"
    first = await cloud.get(path, maxResults=1, fields="summary")
    rest = await cloud.get(path, maxResults=1, fields="summary", nextPageToken=first["nextPageToken"])
    assert [page["issues"][0]["key"] for page in (first, rest)] == ["SE-2", "SE-3"]
    assert (first["isLast"], rest["isLast"], "nextPageToken" in rest) == (False, True, False)


# --- Search ---------------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def archive() -> AsyncIterator[World]:
    """A Cloud site to search in, with a third issue that came half an hour after the others; nobody changes it."""
    clock = SetClock(datetime(2026, 11, 3, 9, tzinfo=UTC))
    async for world in build("cloud", clock, projects=("SE", "OC")):
        clock.advance(minutes=30)
        await world.jira.create_issue(
            "SE-3", "ann", summary="Late", status="Need Review", sprint=40, labels=["crafty-abc"]
        )
        yield world


async def found(world: World, jql: str) -> list[str] | int:
    """The keys that a search finds, or the status that refuses it."""
    path = "/search/jql" if world.version == 3 else "/search"
    answer = await world.ask("POST", path, {"jql": jql, "fields": ["summary"]})
    return [issue["key"] for issue in answer.json()["issues"]] if answer.status_code == 200 else answer.status_code


@pytest.mark.parametrize(
    ("jql", "expected"),
    [
        pytest.param("project = SE", ["SE-1", "SE-2", "SE-3"], id="a project, in rank order"),
        pytest.param('project in ("SE") order by key DESC', ["SE-3", "SE-2", "SE-1"], id="the other way round"),
        pytest.param("sprint = 41", ["SE-2"], id="a sprint by id"),
        pytest.param('Sprint in (41, "stretch goals")', ["SE-2", "SE-3"], id="sprints by id and name"),
        pytest.param('sprint = "Sprint 42, the long one"', [], id="a name with a comma"),
        pytest.param('status in ("Need Review", backlog) AND project = SE', ["SE-1", "SE-2", "SE-3"], id="statuses"),
        pytest.param("status = Done", [], id="a status that none has"),
        pytest.param('labels = "crafty-abc" AND project = SE', ["SE-3"], id="a label"),
        pytest.param("labels = nobody-has-it", [], id="a label that none has"),
        pytest.param("project in (SE, OC) AND sprint in (41, 40) ORDER BY key", ["SE-2", "SE-3"], id="two of both"),
        pytest.param("created >= -29m ORDER BY created DESC", ["SE-3"], id="created since"),
        pytest.param('created >= "2026-11-03 10:31"', [], id="created before"),
        pytest.param("labels >= a", 400, id="an order of labels"),
        pytest.param("key in (SE-3, SE-1)", ["SE-1", "SE-3"], id="keys"),
        pytest.param('updated >= "2026-11-03 10:30"', ["SE-3"], id="since a minute of the caller's zone"),
        pytest.param('updated >= "2026-11-03 10:31"', [], id="a minute later"),
        pytest.param("updated >= -29m", ["SE-3"], id="29 minutes ago"),
        pytest.param("updated >= -31m ORDER BY updated DESC, key ASC", ["SE-3", "SE-1", "SE-2"], id="31 minutes ago"),
        pytest.param("project = XX", 400, id="a project that is not there"),
        pytest.param("sprint = 99", 400, id="a sprint that is not there"),
        pytest.param("key = SE-9", 400, id="a key that is not there"),
        pytest.param("status = Sleeping", 400, id="a status that is not there"),
        pytest.param("assignee = ann", 400, id="a field that is not understood"),
        pytest.param("project != SE", 400, id="an operator that is not understood"),
        pytest.param("project = SE OR key = SE-1", 400, id="OR is not understood"),
        pytest.param("sprint in openSprints()", 400, id="functions are not understood"),
        pytest.param("status >= Done", 400, id="an order that makes no sense"),
        pytest.param("updated >= yesterday", 400, id="a date that is none"),
        pytest.param("project = SE ORDER BY votes", 400, id="an unknown order"),
        pytest.param("project in (SE,)", 400, id="a comma too many"),
        pytest.param("project = SE AND", 400, id="an open end"),
        pytest.param('project = "SE', 400, id="an open quote"),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_search(archive: World, jql: str, expected: list[str] | int) -> None:
    assert await found(archive, jql) == expected


@pytest.mark.parametrize(("jql", "cloud_status"), [("", 400), ("ORDER BY key", 400)])
async def test_only_cloud_refuses_unbounded_searches(world: World, jql: str, cloud_status: int) -> None:
    assert await found(world, jql) == (cloud_status if world.version == 3 else ["SE-1", "SE-2"])


async def test_cloud_searches_page_by_token(cloud: World) -> None:
    ask = {"jql": "project = SE", "maxResults": 1}
    first = (await cloud.ask("POST", "/search/jql", ask)).json()
    assert (first["issues"], first["isLast"]) == ([{"id": cloud.jira.issues["SE-1"].id}], False)
    rest = await cloud.get("/search/jql", **ask, nextPageToken=first["nextPageToken"], fields="key,summary")
    assert ([one["key"] for one in rest["issues"]], rest["isLast"]) == (["SE-2"], True)
    assert "nextPageToken" not in rest
    foreign = {**ask, "jql": "key = SE-1", "nextPageToken": first["nextPageToken"]}
    assert (await cloud.ask("POST", "/search/jql", foreign)).status_code == 400


async def test_the_old_search_is_gone_on_cloud(cloud: World) -> None:
    answers = [
        await cloud.ask(method, f"/rest/api/{version}/search") for method in ("GET", "POST") for version in (2, 3)
    ]
    assert {answer.status_code for answer in answers} == {410}


async def test_data_center_searches_page_by_number(datacenter: World) -> None:
    page = await datacenter.get(
        "/search", jql="project = SE", startAt=1, maxResults=5, fields="summary", expand="changelog"
    )
    assert (page["total"], page["startAt"], [one["key"] for one in page["issues"]]) == (2, 1, ["SE-2"])
    assert page["issues"][0]["changelog"]["total"] == 0


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"jql": "project = SE", "startAt": 0}, id="a key that Cloud does not know"),
        pytest.param({"jql": "project = SE", "expand": ["changelog"]}, id="a list where Cloud wants a text"),
        pytest.param({"jql": 1}, id="JQL that is a number"),
        pytest.param({"jql": "project = SE", "maxResults": "5"}, id="a number as text"),
        pytest.param({"jql": "project = SE", "nextPageToken": {}, "fields": {"a": 1}}, id="fields that are an object"),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_cloud_refuses_a_malformed_search(archive: World, body: Any) -> None:
    assert (await archive.ask("POST", "/search/jql", body)).status_code == 400


# --- Writing: what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/issue/SE-2/comment", {"body": "text"}, id="a text for a comment"),
        pytest.param("/issue/SE-2/comment", {}, id="no body"),
        pytest.param("/issue/SE-2/comment", {"body": {"type": "doc", "version": 1}}, id="no content"),
        pytest.param(
            "/issue/SE-2/comment",
            {"body": {"type": "doc", "version": 1, "content": [{"type": "text", "text": "x"}]}},
            id="words outside a paragraph",
        ),
        pytest.param(
            "/issue/SE-2/comment",
            {
                "body": {
                    "type": "doc",
                    "version": 1,
                    "content": [{"type": "paragraph", "content": [{"type": "text", "text": ""}]}],
                }
            },
            id="an empty text",
        ),
        pytest.param(
            "/issue/SE-2/comment",
            {
                "body": {
                    "type": "doc",
                    "version": 1,
                    "content": [{"type": "paragraph", "content": [{"type": "mention", "attrs": {}}]}],
                }
            },
            id="a mention of nobody",
        ),
        pytest.param("/issue/SE-2/comment", {"body": {"type": "doc", "version": 1, "content": []}}, id="nothing said"),
    ],
)
async def test_v3_wants_documents(cloud: World, path: str, body: Any) -> None:
    answer = await cloud.ask("POST", path, body)
    assert (answer.status_code, cloud.jira.comments("SE-2")) == (400, [])


async def test_v2_wants_texts(world: World) -> None:
    document = {"type": "doc", "version": 1, "content": []}
    answer = await world.ask("POST", "/rest/api/2/issue/SE-2/comment", {"body": document})
    assert (answer.status_code, world.jira.comments("SE-2")) == (400, [])


async def test_a_document_becomes_wiki_markup_and_plain_text(cloud: World) -> None:
    def text(words: str, *marks: dict[str, Any]) -> dict[str, Any]:
        return {"type": "text", "text": words, **({"marks": list(marks)} if marks else {})}

    link = {"type": "link", "attrs": {"href": "https://x.example"}}
    task = {"type": "taskItem", "attrs": {"localId": "b", "state": "DONE"}, "content": [text("estimate")]}
    item = {"type": "listItem", "content": [{"type": "paragraph", "content": [text("reviewer")]}]}
    content = [
        {
            "type": "paragraph",
            "content": [
                {"type": "mention", "attrs": {"id": "bob"}},
                text(" see [~ann] and "),
                text("the page", {"type": "strong"}, link),
            ],
        },
        {"type": "taskList", "attrs": {"localId": "a"}, "content": [task]},
        {"type": "bulletList", "content": [item]},
        {"type": "rule"},
    ]
    await cloud.ask("POST", "/issue/SE-2/comment", {"body": {"type": "doc", "version": 1, "content": content}})
    await cloud.jira.sender.drain()
    told = cloud.inbox.payloads("comment_created")[0]["comment"]["body"]
    assert told.startswith(r"[~accountid:bob] see \[~ann\] and [the page|https://x.example]")
    [comment] = cloud.jira.comments("SE-2")
    assert comment.text == "@Bob see [~ann] and the page\n* (/) estimate\n* reviewer\n----"
    assert comment.mentions == ["bob"]


async def test_wiki_markup_is_read_as_people_see_it(datacenter: World) -> None:
    body = "[~bob], *please* read [this|https://x.example]: 2*3*4 {color:#6b778c}small{color} &#91;~ann&#93; \\*x\\*"
    await datacenter.ask("POST", "/issue/SE-2/comment", {"body": body})
    [comment] = datacenter.jira.comments("SE-2")
    assert comment.text == "@Bob, please read this: 2*3*4 small [~ann] *x*"
    assert (comment.mentions, comment.wiki) == (["bob"], body)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        pytest.param({"customfield_99999": 1}, "customfield_99999", id="a field that is not there"),
        pytest.param({"status": {"name": "Done"}}, "status", id="a status, which takes a transition"),
        pytest.param({SPRINT_FIELD: [41]}, SPRINT_FIELD, id="a list of sprints"),
        pytest.param({SPRINT_FIELD: 99}, SPRINT_FIELD, id="a sprint that is not there"),
        pytest.param({STORY_POINTS_FIELD: "3"}, STORY_POINTS_FIELD, id="points as text"),
        pytest.param({STORY_POINTS_FIELD: True}, STORY_POINTS_FIELD, id="points as a truth"),
        pytest.param({FLAGGED_FIELD: [{"value": "Panic"}]}, FLAGGED_FIELD, id="a flag that is not there"),
        pytest.param({"labels": ["two words"]}, "labels", id="a label with a space"),
        pytest.param({"labels": "one"}, "labels", id="labels as text"),
        pytest.param({"summary": "a\nb"}, "summary", id="a summary of two lines"),
        pytest.param({"summary": "a" * 256}, "summary", id="a summary of 256 characters"),
        pytest.param({"summary": " "}, "summary", id="an empty summary"),
        pytest.param({"assignee": "ann"}, "assignee", id="an assignee as text"),
        pytest.param({"assignee": {"emailAddress": "ann@example.com"}}, "assignee", id="an assignee by e-mail"),
        pytest.param({"assignee": {"accountId": "cy", "name": "cy"}}, "assignee", id="an unknown assignee"),
        pytest.param({"assignee": {"accountId": [], "name": []}}, "assignee", id="an assignee who is a list"),
        pytest.param({"issuetype": {"name": "Saga"}}, "issuetype", id="a type that is not there"),
    ],
)
async def test_fields_that_jira_refuses_are_named_and_nothing_changes(cloud: World, fields: Any, named: str) -> None:
    answer = await cloud.ask("PUT", "/issue/SE-2", {"fields": {**fields, "description": None}})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [named])
    assert cloud.jira.issues["SE-2"].history == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({"project": {"key": "XX"}}, {"project"}, id="no such project"),
        pytest.param({"project": "SE"}, {"project"}, id="a project as text"),
        pytest.param({"project": None, "summary": None}, {"project", "summary"}, id="two that are needed"),
        pytest.param({"issuetype": {"name": "Saga"}}, {"issuetype"}, id="no such type"),
        pytest.param({"duedate": "soon"}, {"duedate"}, id="a date that is none"),
        pytest.param({"duedate": 7}, {"duedate"}, id="a date that is a number"),
        pytest.param({"timeestimate": 3600}, {"timeestimate"}, id="an estimate that takes time tracking"),
        pytest.param({"customfield_99999": 1, "labels": ["a b"]}, {"customfield_99999", "labels"}, id="two refused"),
    ],
)
async def test_a_new_issue_that_jira_refuses_is_not_made(world: World, changes: Any, named: set[str]) -> None:
    usual = {"project": {"key": "SE"}, "issuetype": {"name": "Task"}, "summary": "New"}
    answer = await world.ask("POST", "/issue", {"fields": {**usual, **changes}})
    assert (answer.status_code, set(answer.json()["errors"])) == (400, named)
    assert set(world.jira.issues) == {"SE-1", "SE-2"}


async def test_a_new_issue_gets_the_next_key(world: World) -> None:
    assert world.jira.next_key("SE") == "SE-3"
    fields = {"project": {"key": "SE"}, "issuetype": {"name": "Task"}, "summary": "New", SPRINT_FIELD: 42}
    answer = await world.ask("POST", "/issue", {"fields": fields})
    issue = world.jira.issues["SE-3"]
    assert (answer.status_code, answer.json()["key"], answer.json()["id"]) == (201, "SE-3", issue.id)
    assert (issue.creator, issue.sprints, world.jira.next_key("SE")) == ("crafty", [42], "SE-4")
    assert (await world.ask("POST", "/issue", {"fields": []})).status_code == 400


async def test_remote_links_are_one_for_each_global_id(world: World) -> None:
    link = {"globalId": "a=1", "object": {"url": "https://x.example", "title": "X"}}
    answers = [
        await world.ask("POST", "/issue/SE-2/remotelink", body) for body in (link, link, {"object": link["object"]})
    ]
    assert [answer.status_code for answer in answers] == [201, 200, 201]
    assert len(await world.get("/issue/SE-2/remotelink")) == 2
    [one] = await world.get("/issue/SE-2/remotelink", globalId="a=1")
    assert (one["object"]["title"], one["id"]) == ("X", answers[0].json()["id"])


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"globalId": "a"}, id="no object"),
        pytest.param({"object": {"url": "https://x.example"}}, id="no title"),
        pytest.param({"object": {"url": "", "title": "X"}}, id="an empty address"),
        pytest.param({"globalId": "a" * 256, "object": {"url": "https://x", "title": "X"}}, id="too long an id"),
    ],
)
async def test_remote_links_that_jira_refuses(cloud: World, body: Any) -> None:
    assert (await cloud.ask("POST", "/issue/SE-2/remotelink", body)).status_code == 400
    assert cloud.jira.remote_links("SE-2") == []


async def test_accounts_of_the_other_flavour_are_refused(world: World) -> None:
    foreign = {"name": "ann"} if world.version == 3 else {"accountId": "ann"}
    assert (await world.ask("PUT", "/issue/SE-2/assignee", foreign)).status_code == 400
    assert world.jira.issues["SE-2"].assignee is None


@pytest.mark.parametrize("nobody", [None, "-1"], ids=["nobody", "the default assignee"])
async def test_an_assignee_is_taken_away(world: World, nobody: str | None) -> None:
    await world.jira.edit("SE-2", "ann", assignee="ann")
    await world.ask("PUT", "/issue/SE-2/assignee", {"accountId" if world.version == 3 else "name": nobody})
    assert world.jira.issues["SE-2"].assignee is None


async def test_fields_are_written_in_the_shapes_that_jira_takes(world: World) -> None:
    epic: dict[str, Any] = {"parent": None} if world.version == 3 else {EPIC_LINK_FIELD: None}
    fields = {
        "summary": "a" * 255,
        STORY_POINTS_FIELD: 0,
        FLAGGED_FIELD: [{"value": "Impediment"}],
        SPRINT_FIELD: 42,
        "issuetype": {"name": "Task"},
        "description": world.body("Why"),
        **epic,
    }
    answer = await world.ask("PUT", "/issue/SE-2", {"fields": fields})
    issue = world.jira.issues["SE-2"]
    assert (answer.status_code, len(issue.history)) == (204, 1)
    assert (issue.estimate, issue.flagged, issue.sprints, issue.kind, issue.description) == (
        0.0,
        True,
        [42],
        "Task",
        "Why",
    )
    assert issue.epic is None


async def test_update_verbs_keep_the_labels_of_others(world: World) -> None:
    await world.jira.edit("SE-2", "ann", labels=["theirs", "old"])
    verbs = [{"add": "new"}, {"remove": "old"}, {"add": "theirs"}]
    answer = await world.ask("PUT", "/issue/SE-2", {"update": {"labels": verbs, "summary": [{"set": "Set"}]}})
    assert (answer.status_code, world.jira.issues["SE-2"].labels) == (204, ["theirs", "new"])
    assert world.jira.issues["SE-2"].summary == "Set"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="nothing to do"),
        pytest.param({"fields": {"labels": []}, "update": {"labels": [{"add": "a"}]}}, id="a field in both"),
        pytest.param({"update": {"summary": [{"add": "a"}]}}, id="a verb that the field lacks"),
        pytest.param({"update": {"labels": "a"}}, id="verbs that are no list"),
        pytest.param({"update": {"labels": []}}, id="no verb"),
        pytest.param({"fields": []}, id="fields that are a list"),
        pytest.param([], id="a body that is a list"),
    ],
)
async def test_edits_that_make_no_sense_are_refused(cloud: World, body: Any) -> None:
    assert (await cloud.ask("PUT", "/issue/SE-2", body)).status_code == 400
    assert cloud.jira.issues["SE-2"].history == []


@pytest.mark.parametrize(("is_admin", "statuses"), [(True, [204, 204]), (False, [403, 204])])
async def test_only_administrators_edit_without_notifying(clock: SetClock, is_admin: bool, statuses: list[int]) -> None:
    async for world in build("cloud", clock, bot_is_admin=is_admin):
        edits = [
            await world.ask("PUT", "/issue/SE-2", {"fields": {"summary": notify}}, notifyUsers=notify)
            for notify in ("false", "true")
        ]
        assert [answer.status_code for answer in edits] == statuses


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="half an object"),
        pytest.param(b"\xff", id="no UTF-8"),
        pytest.param(b'{"body": NaN}', id="no number"),
        pytest.param(b'{"body": "\\ud800"}', id="half a letter"),
        pytest.param(b"[" * 100_000, id="too deep"),
    ],
)
async def test_bodies_that_are_no_json_are_refused(cloud: World, content: bytes) -> None:
    url = f"/rest/api/{cloud.version}/issue/SE-2/comment"
    answer = await cloud.http.post(url, content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, set(answer.json())) == (400, {"errorMessages", "errors"})


async def test_unknown_things_are_not_found(world: World) -> None:
    paths = ["/issue/SE-9", "/issue/SE-9/comment", "/issue/SE-2/comment/1", "/comment/1/properties/crafty"]
    assert {(await world.ask("GET", path)).status_code for path in paths} == {404}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "content", "accountId", "name", "key", "set", "add"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["summary", "description", "assignee", "labels", "parent", "issuetype", SPRINT_FIELD, FLAGGED_FIELD]
)


@settings(max_examples=15)
@given(fields=st.dictionaries(NAMES, JSON, max_size=3), part=st.sampled_from(["fields", "update"]))
async def test_no_edit_is_ever_more_than_refused(fields: dict[str, Any], part: str) -> None:
    async for world in build("cloud", SetClock(datetime(2026, 11, 3, 9, tzinfo=UTC))):
        answer = await world.ask("PUT", "/issue/SE-2", {part: fields})
        assert answer.status_code in {204, 400}
        assert (await world.ask("GET", "/issue/SE-2")).status_code == 200


@settings(max_examples=15)
@given(st.text(st.sampled_from('projectSE in(,)"=>-1mAND ORDERBYkey\\'), max_size=30))
async def test_no_search_is_ever_more_than_refused(jql: str) -> None:
    async for world in build("cloud", SetClock(datetime(2026, 11, 3, 9, tzinfo=UTC))):
        assert await found(world, jql) in (400, [], ["SE-1"], ["SE-2"], ["SE-1", "SE-2"])
