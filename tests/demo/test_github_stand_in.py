"""The GitHub stand-in keeps pull requests and issues, answers as the API does, and sends signed webhooks."""

import hashlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx

from service.clients.github import GitHub, connect
from service.contributions import Note, contribution_from
from service.demo._sender import WebhookSender, WebhookTarget
from service.demo.github import GitHubStandIn, UnknownNameError
from service.errors import CannotAct, NotFound
from service.events import ContributionNoted
from service.facts import Person
from service.webhooks.github import parse
from tests.conftest import SetClock

SITE = "https://api.github.com"
TOKEN, SECRET = "a token", "a long enough secret"
POLL = "open-craft/XBlock-Poll"
PLACE = "open-craft/xblock-poll"


@dataclass
class World:
    site: GitHubStandIn
    http: httpx.AsyncClient
    client: GitHub
    requests: list[httpx.Request] = field(default_factory=list)

    def told(self) -> list[ContributionNoted]:
        """What our own parser reads in the webhooks so far."""
        events = [
            parse(request.headers["X-GitHub-Event"], request.content, {PLACE}, datetime(2026, 12, 1, tzinfo=UTC))
            for request in self.requests
        ]
        assert all(isinstance(event, ContributionNoted) for event in events)
        return [event for event in events if isinstance(event, ContributionNoted)]

    def heard(self) -> set[Note]:
        """Every note of every webhook."""
        return {note for event in self.told() for note in event.notes}


@pytest.fixture
async def world(clock: SetClock) -> AsyncIterator[World]:
    """GitHub with one repository, whose webhooks are collected and which our own client reads."""
    requests: list[httpx.Request] = []

    def accept(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(202, json={})

    async with httpx.AsyncClient(transport=httpx.MockTransport(accept)) as outgoing:
        site = GitHubStandIn(clock, WebhookSender(outgoing), token=TOKEN, repositories=[POLL])
        site.sender.target = WebhookTarget("http://crafty.example/webhooks/github", SECRET)
        transport = httpx.ASGITransport(site.app)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(transport=transport, base_url=SITE, headers=headers) as http:
            with respx.mock(base_url=SITE, assert_all_called=False) as router:
                router.route(host="api.github.com").mock(side_effect=respx.ASGIHandler(site.app))
                client = connect(SITE, TOKEN)
                yield World(site, http, client, requests)
                await client.aclose()


async def test_webhooks_and_readings_tell_the_same(world: World, clock: SetClock) -> None:
    site = world.site
    number = await site.open_pull_request(POLL, "carla", "Fix the poll", draft=True)
    clock.advance(minutes=1)
    await site.mark_ready(POLL, number, "carla")
    clock.advance(minutes=1)
    await site.comment(POLL, number, "ci[bot]", "All checks pass.")
    clock.advance(minutes=1)
    await site.comment(POLL, number, "carla", "Anybody?", association="CONTRIBUTOR")
    clock.advance(minutes=1)
    await site.review(POLL, number, "bob", "Nearly!", verdict="changes_requested", association="MEMBER")
    clock.advance(minutes=1)
    await site.close(POLL, number, "carla")
    clock.advance(minutes=1)
    await site.reopen(POLL, number, "bob")
    clock.advance(minutes=1)
    await site.close(POLL, number, "bob", merged=True)

    read = await world.client.notes(f"github:{PLACE}#{number}")

    assert world.heard() == set(read)
    about = contribution_from("key", PLACE, read)
    assert (about.opened_at, about.waiting_since) == (
        datetime(2026, 11, 3, 9, 0, tzinfo=UTC),
        datetime(2026, 11, 3, 9, 1, tzinfo=UTC),
    )
    assert [(answer.by, answer.is_member, answer.is_bot) for answer in about.answers] == [
        (Person(name="ci[bot]", github="ci[bot]"), False, True),
        (Person(name="carla", github="carla"), False, False),
        (Person(name="bob", github="bob"), True, False),
    ]
    assert (about.closed_at, about.closed_by) == (clock(), Person(name="bob", github="bob"))


async def test_an_issue_tells_the_same_too(world: World, clock: SetClock) -> None:
    number = await world.site.open_issue(POLL, "carla", "It does not count", association="MEMBER")
    clock.advance(minutes=1)
    await world.site.comment(POLL, number, "bob", "It does now.", association="OWNER")
    clock.advance(minutes=1)
    await world.site.close(POLL, number, "bob")

    assert world.heard() == set(await world.client.notes(f"github:{PLACE}#{number}"))
    assert [event.contribution.kind for event in world.told()] == ["issue"] * 3
    assert world.told()[0].contribution.is_member


async def test_pull_requests_and_issues_share_their_numbers(world: World, clock: SetClock) -> None:
    first = await world.site.open_pull_request(POLL, "carla", "Fix the poll")
    clock.advance(hours=1)
    second = await world.site.open_issue(POLL, "carla", "It does not count")
    assert (first, second) == (1, 2)

    recent = await world.client.recent(PLACE, datetime(2026, 11, 3, tzinfo=UTC))

    assert [(one.key, one.opened.title, one.opened.kind) for one in recent] == [
        (f"github:{PLACE}#2", "It does not count", "issue"),
        (f"github:{PLACE}#1", "Fix the poll", "pull request"),
    ]
    assert {one.opened for one in recent} == world.heard()


@pytest.mark.parametrize(("minutes", "found"), [(-1, 1), (0, 1), (1, 0)])
async def test_what_changed_since_then_is_recent(world: World, clock: SetClock, minutes: int, found: int) -> None:
    number = await world.site.open_issue(POLL, "carla", "It does not count")
    clock.advance(hours=5)
    await world.site.comment(POLL, number, "carla", "Anybody?")
    assert len(await world.client.recent(PLACE, clock.advance(minutes=minutes))) == found


async def test_headers_and_signature(world: World) -> None:
    await world.site.open_issue(POLL, "carla", "Grüße")
    await world.site.close(POLL, 1, "carla")
    first, second = world.requests
    expected = hmac.new(SECRET.encode(), first.content, hashlib.sha256).hexdigest()
    assert first.headers["X-Hub-Signature-256"] == f"sha256={expected}"
    assert (first.headers["X-GitHub-Event"], first.headers["Content-Type"]) == ("issues", "application/json")
    assert len({request.headers["X-GitHub-Delivery"] for request in (first, second)}) == 2


async def test_a_long_timeline_comes_in_pages(world: World) -> None:
    number = await world.site.open_issue(POLL, "carla", "It does not count")
    for _ in range(101):
        await world.site.comment(POLL, number, "carla", "Anybody?")
    path = f"/repos/{POLL}/issues/{number}/timeline"
    first = await world.http.get(path, params={"per_page": 500})
    last = await world.http.get(first.links["next"]["url"])
    assert (len(first.json()), len(last.json()), "next" in last.links) == (100, 1, False)
    assert len(await world.client.notes(f"github:{PLACE}#{number}")) == 102


@pytest.mark.parametrize(("state", "numbers"), [("open", [2]), ("closed", [1]), ("all", [1, 2])])
async def test_issues_by_their_state(world: World, state: str, numbers: list[int]) -> None:
    await world.site.open_issue(POLL, "carla", "First")
    await world.site.open_issue(POLL, "carla", "Second")
    await world.site.close(POLL, 1, "carla")
    listed = (await world.http.get(f"/repos/{POLL}/issues", params={"state": state})).json()
    assert [issue["number"] for issue in listed] == numbers


async def test_a_merged_pull_request_shows_when(world: World, clock: SetClock) -> None:
    number = await world.site.open_pull_request(POLL, "carla", "Fix the poll")
    await world.site.close(POLL, number, "bob", merged=True)
    shown = (await world.http.get(f"/repos/{POLL}/issues/{number}")).json()
    assert (shown["state"], shown["pull_request"]["merged_at"]) == ("closed", "2026-11-03T09:00:00Z")
    assert world.site.item(POLL, number).is_merged


async def test_the_bot_is_who_it_is(world: World) -> None:
    assert await world.client.identify() == Person(name="crafty", github="crafty")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}], ids=["no token", "a wrong token"])
async def test_a_token_is_needed(world: World, headers: dict[str, str]) -> None:
    world.http.headers.pop("Authorization")
    answer = await world.http.get("/user", headers=headers)
    assert (answer.status_code, answer.json()["message"]) == (401, "Bad credentials")


async def test_a_wrong_token_is_told_by_the_client(world: World) -> None:
    other = connect(SITE, "wrong")
    with pytest.raises(CannotAct, match="CRAFTY_GITHUB_TOKEN"):
        await other.identify()
    await other.aclose()


@pytest.mark.parametrize(
    "path", ["/repos/open-craft/other", f"/repos/{POLL}/issues/9", f"/repos/{POLL}/issues/9/timeline", "/teams"]
)
async def test_what_is_not_there_is_not_found(world: World, path: str) -> None:
    assert (await world.http.get(path)).status_code == 404


async def test_what_is_not_there_is_not_found_by_the_client(world: World) -> None:
    with pytest.raises(NotFound):
        await world.client.notes(f"github:{PLACE}#9")


@pytest.mark.parametrize("query", [{"page": "0"}, {"per_page": "x"}, {"since": "yesterday"}])
async def test_a_query_that_can_not_be_read_is_refused(world: World, query: dict[str, str]) -> None:
    assert (await world.http.get(f"/repos/{POLL}/issues", params=query)).status_code == 422


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda site: site.open_issue("open-craft/other", "carla", "T"), id="a repository"),
        pytest.param(lambda site: site.comment(POLL, 9, "carla", "x"), id="an issue"),
        pytest.param(lambda site: site.review(POLL, 9, "carla", "x"), id="a pull request"),
    ],
)
async def test_a_story_that_names_nothing_changes_nothing(world: World, act: Any) -> None:
    with pytest.raises(UnknownNameError):
        await act(world.site)
    assert (world.requests, await world.client.recent(PLACE, datetime(2026, 1, 1, tzinfo=UTC))) == ([], ())
