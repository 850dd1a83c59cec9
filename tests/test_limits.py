"""How often services are asked: what each bears, what they say of it, and how all processes keep to it together."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
from redis.asyncio import Redis
from starlette.types import ASGIApp, Receive, Scope, Send

from service.clients import discourse, github, gitlab, jira, mattermost
from service.clients._http import Api, Credential
from service.demo.stage import Scenery, stage
from service.errors import CannotAct, NotFound, RedisAway, TryLater
from service.gate import SharedGate
from service.ledger import Ledger
from service.limits import (
    DISCOURSE,
    GITHUB,
    GITLAB,
    MATTERMOST,
    OPEN,
    Call,
    JiraLimits,
    Lane,
    Window,
    breather,
    until_reset,
)
from tests.builders import CONFIG
from tests.conftest import SetClock

SITE = "https://jira.example"
CREDENTIAL = Credential("CRAFTY_JIRA_TOKEN", {}, ())
TWICE = Lane("x", (Window(2, 10),))
COMMENT = "/rest/api/3/issue/SE-1/comment"
DATE = "Fri, 13 Nov 2026 10:00:00 GMT"
EPOCH = 1794564000
BURST = {"RateLimit-Reason": "jira-burst-based"}
ISSUE = {"RateLimit-Reason": "jira-per-issue-on-write"}


@dataclass
class Napping:
    """Sleeps by moving the clock on."""

    clock: SetClock
    slept: float = 0.0

    async def __call__(self, seconds: float) -> None:
        self.slept += seconds
        self.clock.advance(seconds=seconds)


@pytest.fixture
def gate(redis: Redis, clock: SetClock) -> SharedGate:
    return SharedGate(redis, clock)


@pytest.fixture
def nap(clock: SetClock) -> Napping:
    return Napping(clock)


@pytest.fixture
async def clients(gate: SharedGate, redis: Redis, clock: SetClock, nap: Napping) -> AsyncIterator[list[Api]]:
    """Two processes' clients of one Jira."""
    made = [Api("Jira", SITE, CREDENTIAL, nap, JiraLimits(), one) for one in (gate, SharedGate(redis, clock))]
    yield made
    for one in made:
        await one.aclose()


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=SITE, assert_all_called=False) as router:
        yield router


# What a call counts towards


@pytest.mark.parametrize(
    ("call", "names"),
    [
        pytest.param(Call("GET", "/rest/api/3/issue/SE-1"), ["jira GET /rest/api/*/issue/*"], id="reading an issue"),
        pytest.param(
            Call("POST", COMMENT), ["jira POST /rest/api/*/issue/*/comment", "jira SE-1"], id="writing a comment"
        ),
        pytest.param(
            Call("PUT", f"{COMMENT}/10001"), ["jira PUT /rest/api/*/issue/*/comment/*", "jira SE-1"], id="editing one"
        ),
        pytest.param(Call("POST", "/rest/api/3/issue", {}), ["jira POST /rest/api/*/issue"], id="making an issue"),
        pytest.param(
            Call("POST", "/rest/api/3/search/jql", {"issues": ["SE-1"]}),
            ["jira POST /rest/api/*/search/jql"],
            id="searching with a POST",
        ),
        pytest.param(
            Call("POST", "/rest/agile/1.0/sprint/42/issue", {"issues": ["SE-1", "SE-2"]}),
            ["jira POST /rest/agile/1.0/sprint/*/issue", "jira SE-1", "jira SE-2"],
            id="moving two issues writes to both",
        ),
        pytest.param(
            Call("PUT", "/rest/agile/1.0/issue/rank", {"issues": ["SE-1"], "rankBeforeIssue": "SE-9"}),
            ["jira PUT /rest/agile/1.0/issue/rank", "jira SE-1"],
            id="ranking writes to what is ranked",
        ),
    ],
)
def test_a_call_to_jira_goes_through_the_lanes_of_all_of_its_endpoint_and_of_what_it_writes_to(
    call: Call, names: list[str]
) -> None:
    lanes = JiraLimits().lanes(call)
    assert [lane.name for lane in lanes] == ["jira", *names]
    assert [bool(lane.windows) for lane in lanes] == [False, False, *(True for _ in names[1:])]


@pytest.mark.parametrize(
    ("call", "headers", "closed"),
    [
        pytest.param(Call("POST", COMMENT), BURST, ["jira POST /rest/api/*/issue/*/comment"], id="a burst"),
        pytest.param(Call("POST", COMMENT), ISSUE, ["jira SE-1"], id="one issue"),
        pytest.param(Call("GET", COMMENT), ISSUE, ["jira"], id="one issue, though nothing was written"),
        pytest.param(Call("POST", COMMENT), {"RateLimit-Reason": "jira-quota-tenant-based"}, ["jira"], id="a quota"),
        pytest.param(Call("POST", COMMENT), {"RateLimit-Reason": "the moon is full"}, ["jira"], id="an unknown reason"),
        pytest.param(Call("POST", COMMENT), {}, ["jira"], id="no reason, as from Data Center"),
    ],
)
def test_a_refusal_closes_what_its_reason_names(call: Call, headers: dict[str, str], closed: list[str]) -> None:
    assert [lane.name for lane in JiraLimits().refused(call, headers)] == closed


# What services say of their budget


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({}, 0, id="nothing is said"),
        pytest.param({"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "21"}, 0, id="more than a fifth is left"),
        pytest.param({"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "20"}, 1, id="a fifth is left"),
        pytest.param({"X-RateLimit-NearLimit": "true"}, 1, id="Jira Cloud says that the limit is near"),
        pytest.param({"X-RateLimit-NearLimit": "false"}, 0, id="and that it is not"),
        pytest.param(
            {
                "X-RateLimit-Limit": "5000",
                "X-RateLimit-Remaining": "599",
                "X-RateLimit-Reset": f"{EPOCH + 1800}",
                "Date": DATE,
            },
            3,
            id="GitHub tells an epoch",
        ),
        pytest.param(
            {"RateLimit-Limit": "60", "RateLimit-Remaining": "4", "RateLimit-Reset": f"{EPOCH + 10}", "Date": DATE},
            2,
            id="so does GitLab",
        ),
        pytest.param(
            {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "9", "X-RateLimit-Reset": "1"},
            0.1,
            id="Mattermost tells seconds",
        ),
        pytest.param(
            {
                "X-RateLimit-Limit": "50",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Interval-Seconds": "60",
                "X-RateLimit-FillRate": "10",
            },
            60,
            id="Data Center tells how often it fills up",
        ),
        pytest.param(
            {"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9" * 18, "Date": DATE},
            3600,
            id="never more than an hour",
        ),
        pytest.param({"X-RateLimit-Limit": "many", "X-RateLimit-Remaining": "few"}, 0, id="words"),
        pytest.param({"X-RateLimit-Limit": "0", "X-RateLimit-Remaining": "0"}, 1, id="a budget of nothing"),
    ],
)
def test_what_is_left_of_a_budget_is_spread_over_the_time_until_it_is_full(
    headers: dict[str, str], seconds: float
) -> None:
    assert breather(httpx.Headers(headers)) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        pytest.param("2026-11-13T10:00:30Z", 30, id="an instant"),
        pytest.param("2026-11-13T11:00:30+01:00", 30, id="an instant elsewhere"),
        pytest.param("2026-11-13T09:00Z", 0, id="an instant that has passed"),
        pytest.param(f"{EPOCH + 30}", 30, id="an epoch"),
        pytest.param("30", 30, id="seconds"),
        pytest.param("soon", None, id="words"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_a_reset_is_read_in_each_form(told: str, seconds: float | None) -> None:
    assert until_reset(httpx.Headers({"X-RateLimit-Reset": told, "Date": DATE})) == seconds


def test_a_moment_without_the_answers_own_date_tells_no_time() -> None:
    assert until_reset(httpx.Headers({"X-RateLimit-Reset": f"{EPOCH}"})) is None


# The gate


@pytest.mark.parametrize(
    ("earlier", "now", "wait"),
    [
        pytest.param([], 0, 0, id="nobody called"),
        pytest.param([0], 0, 0, id="one less than the limit"),
        pytest.param([0, 0], 0, 10, id="the limit is reached"),
        pytest.param([0, 4], 9.999, 0.001, id="a moment before the first one is forgotten"),
        pytest.param([0, 4], 10, 0, id="the first one is just forgotten"),
        pytest.param([0, 4, 10], 13.999, 0.001, id="the window slides: a moment before the second is forgotten"),
        pytest.param([0, 4, 10], 14, 0, id="the second is just forgotten"),
    ],
)
async def test_no_window_ever_holds_more_calls_than_it_may(
    gate: SharedGate, clock: SetClock, earlier: list[float], now: float, wait: float
) -> None:
    start = clock.now
    for moment in earlier:
        clock.now = start
        clock.advance(seconds=moment)
        assert await gate.enter([TWICE]) == 0
    clock.now = start
    clock.advance(seconds=now)
    assert await gate.enter([TWICE]) == pytest.approx(wait)


async def test_the_longest_wait_of_several_windows_counts(gate: SharedGate, clock: SetClock) -> None:
    lane = Lane("x", (Window(2, 2), Window(3, 30)))
    assert [await gate.enter([lane]) for _ in range(3)] == [0, 0, 2]
    clock.advance(seconds=2)
    assert [await gate.enter([lane]) for _ in range(2)] == [0, 28]


async def test_a_call_that_must_wait_in_one_lane_is_counted_in_none(gate: SharedGate) -> None:
    other = Lane("y", (Window(1, 10),))
    assert [await gate.enter([TWICE]) for _ in range(2)] == [0, 0]
    assert await gate.enter([other, TWICE]) == 10
    assert await gate.enter([other]) == 0


async def test_all_processes_share_one_budget(gate: SharedGate, redis: Redis, clock: SetClock) -> None:
    other = SharedGate(redis, clock)
    waits = await asyncio.gather(*(one.enter([TWICE]) for one in (gate, other) * 5))
    assert sorted(waits) == [0, 0, *[10] * 8]


async def test_a_closed_lane_opens_again_by_itself(gate: SharedGate, redis: Redis, clock: SetClock) -> None:
    await gate.close(TWICE, 7.5)
    assert 0 < await redis.pttl("crafty:closed:x") <= 7500
    clock.advance(seconds=7.499)
    assert await SharedGate(redis, clock).enter([TWICE]) == pytest.approx(0.001)
    clock.advance(seconds=0.001)
    assert await gate.enter([TWICE]) == 0


async def test_a_shorter_pause_ends_no_longer_one(gate: SharedGate) -> None:
    for seconds in (9, 3):
        await gate.close(TWICE, seconds)
    assert await gate.enter([TWICE]) == 9


async def test_what_is_remembered_of_calls_is_short_and_forgotten(gate: SharedGate, redis: Any) -> None:
    for _ in range(2):
        await gate.enter([TWICE])
    assert await redis.llen("crafty:calls:x") == 2
    assert 0 < await redis.pttl("crafty:calls:x") <= 10_000


async def test_calls_are_counted_by_service(gate: SharedGate, redis: Redis, clock: SetClock) -> None:
    for _ in range(3):
        await gate.enter(JiraLimits().lanes(Call("GET", COMMENT)))
    assert (await Ledger(redis).counts(clock()))["calls jira"] == 3


# Calls through the gate


async def test_a_call_waits_a_little_for_its_turn(clients: list[Api], server: respx.MockRouter, nap: Napping) -> None:
    route = server.post(COMMENT).respond(json={})
    for number in range(19):
        await clients[number % 2].send("POST", COMMENT)
    assert nap.slept == 0
    await clients[1].send("POST", COMMENT)
    assert nap.slept == 2
    assert route.call_count == 20


async def test_a_call_that_would_have_to_wait_long_goes_back_to_the_queue(
    clients: list[Api], server: respx.MockRouter, nap: Napping
) -> None:
    route = server.post(COMMENT).respond(json={})
    for _ in range(99):
        await clients[0].send("POST", COMMENT)
    with pytest.raises(TryLater, match="Jira is asked as often as it bears") as fault:
        await clients[1].send("POST", COMMENT)
    assert fault.value.after == 30 - nap.slept
    assert route.call_count == 99


@pytest.mark.parametrize(
    ("pause", "is_sent"),
    [pytest.param("5", True, id="five seconds are waited for"), pytest.param("6", False, id="six are too long")],
)
async def test_a_pause_is_waited_for_or_told(
    clients: list[Api], server: respx.MockRouter, pause: str, is_sent: bool
) -> None:
    server.get("/things").respond(429, headers={"Retry-After": pause})
    route = server.get("/others").respond(json={})
    with pytest.raises(TryLater):
        await clients[0].send("GET", "/things")
    outcome = await asyncio.gather(clients[1].send("GET", "/others"), return_exceptions=True)
    assert isinstance(outcome[0], httpx.Response) is is_sent
    assert route.called is is_sent


@pytest.mark.parametrize(
    ("reason", "sent"),
    [
        pytest.param("jira-per-issue-on-write", [False, False, True, True], id="writes to that issue"),
        pytest.param("jira-burst-based", [False, True, False, True], id="that endpoint"),
        pytest.param("jira-quota-global-based", [False, False, False, False], id="everything"),
        pytest.param("something-new", [False, False, False, False], id="everything, for an unknown reason"),
    ],
)
async def test_a_pause_that_one_process_learned_of_holds_for_all_whom_it_concerns(
    clients: list[Api], server: respx.MockRouter, clock: SetClock, reason: str, sent: list[bool]
) -> None:
    route = server.route().respond(429, headers={"Retry-After": "60", "RateLimit-Reason": reason})
    with pytest.raises(TryLater):
        await clients[0].send("POST", COMMENT)
    route.respond(json={})
    others = [("POST", COMMENT), ("PUT", "/rest/api/3/issue/SE-1"), ("POST", COMMENT.replace("1", "2")), ("GET", "/x")]
    assert [await is_sent(clients[1], *other) for other in others] == sent
    clock.advance(seconds=60)
    assert [await is_sent(clients[1], *other) for other in others] == [True] * 4


async def is_sent(client: Api, method: str, path: str) -> bool:
    try:
        await client.send(method, path)
    except TryLater:
        return False
    return True


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({"Retry-After": "0"}, 1, id="no time at all"),
        pytest.param({"Retry-After": "9223372036854775807"}, 3600, id="a blocked user of Data Center"),
        pytest.param({"X-RateLimit-Reset": "2026-11-13T10:10:00Z", "Date": DATE}, 600, id="a quota's reset"),
        pytest.param({}, 30, id="a refusal that names no time"),
    ],
)
async def test_a_pause_lasts_between_a_second_and_an_hour(
    redis: Redis, clock: SetClock, server: respx.MockRouter, headers: dict[str, str], seconds: float
) -> None:
    gate = SharedGate(redis, clock)
    api = Api("Jira", SITE, CREDENTIAL, lambda _: asyncio.sleep(0), JiraLimits(), gate)
    server.post("/things").respond(429, headers=headers)
    with pytest.raises(TryLater):
        await api.send("POST", "/things")
    assert await gate.enter([Lane("jira")]) == pytest.approx(seconds)
    await api.aclose()


async def test_calls_slow_down_before_a_budget_is_spent(
    clients: list[Api], server: respx.MockRouter, nap: Napping
) -> None:
    server.get("/things").respond(json={}, headers={"X-RateLimit-NearLimit": "true"})
    for number in range(4):
        await clients[number % 2].send("GET", "/things")
    assert nap.slept == 3


class AwayGate:
    """A gate that goes away once a call was let through."""

    def __init__(self, entries: int) -> None:
        self._entries = entries

    async def enter(self, _: Any) -> float:
        self._entries -= 1
        return 0 if self._entries >= 0 else await self.close(Lane("x"), 0)

    async def close(self, lane: Lane, seconds: float) -> Any:
        raise RedisAway("Redis can't be used at the moment (ConnectionError)")

    async def answered(self, lane: Lane, status: int | None) -> None:
        raise RedisAway("Redis can't be used at the moment (ConnectionError)")


async def test_nobody_calls_while_redis_is_away() -> None:
    api = Api("Jira", SITE, CREDENTIAL, gate=AwayGate(0))
    with respx.mock(assert_all_called=False) as router, pytest.raises(RedisAway):
        await api.send("GET", "/things")
    assert not router.calls
    await api.aclose()


async def test_an_answer_that_is_there_is_not_lost_over_a_redis_that_went_away(server: respx.MockRouter) -> None:
    api = Api("Jira", SITE, CREDENTIAL, gate=AwayGate(1))
    server.post("/things").respond(201, json={}, headers={"X-RateLimit-NearLimit": "true"})
    assert (await api.send("POST", "/things")).status_code == 201
    await api.aclose()


async def test_a_gate_on_a_redis_that_does_not_answer_says_so(tmp_path: Path, clock: SetClock) -> None:
    gate = SharedGate(Redis(unix_socket_path=f"{tmp_path}/nowhere.sock"), clock)
    with pytest.raises(RedisAway):
        await gate.enter([TWICE])
    with pytest.raises(RedisAway):
        await gate.close(TWICE, 1)


# Each service's own budget

CONNECT: dict[str, Callable[..., Any]] = {
    "discourse": lambda **how: discourse.connect(SITE, "key", "crafty", **how),
    "mattermost": lambda **how: mattermost.connect(SITE, "token", **how),
    "github": lambda **how: github.connect(SITE, "token", **how),
    "gitlab": lambda **how: gitlab.connect(SITE, "token", **how),
    "jira": lambda **how: jira.connect("cloud", SITE, "bot@x.example", "token", **how),
}


class Tally:
    """A gate that lets all through and notes the windows of each call's service."""

    def __init__(self) -> None:
        self.windows: set[tuple[str, tuple[Window, ...]]] = set()

    async def enter(self, lanes: Sequence[Lane]) -> float:
        self.windows.add((lanes[0].name, lanes[0].windows))
        return 0

    async def close(self, lane: Lane, seconds: float) -> None:
        raise AssertionError

    async def answered(self, lane: Lane, status: int | None) -> None:
        assert (lane.name, lane.windows) in self.windows


@pytest.mark.parametrize(
    ("name", "windows"),
    [
        pytest.param("discourse", (Window(59, 60), Window(49, 10)), id="less than 60 a minute, or 50 in ten seconds"),
        pytest.param("mattermost", (Window(99, 10),), id="less than ten a second"),
        pytest.param("github", (Window(79, 60),), id="less than 80 a minute"),
        pytest.param("gitlab", (Window(119, 60),), id="less than 7,200 an hour"),
        pytest.param("jira", (), id="Jira limits endpoints and issues"),
    ],
)
async def test_each_client_keeps_to_its_services_budget(name: str, windows: tuple[Window, ...]) -> None:
    tally = Tally()
    client = CONNECT[name](gate=tally)
    with respx.mock(base_url=SITE) as router:
        router.route().respond(404)
        with pytest.raises((NotFound, CannotAct)):
            await client.identify()
    await client.aclose()
    assert tally.windows == {(name, windows)}


def test_the_manual_tells_every_limit() -> None:
    text = (Path(__file__).parents[1] / "docs" / "limits.md").read_text()
    writing = Call("PUT", "/rest/api/3/issue/SE-1")
    lanes = [lane for one in (JiraLimits(), DISCOURSE, MATTERMOST, GITHUB, GITLAB) for lane in one.lanes(writing)]
    windows = [window for lane in lanes for window in lane.windows]
    told = [f"{one.calls} {'a minute' if one.seconds == 60 else f'in {one.seconds}'}" for one in windows]
    assert len(told) == 7
    assert [words for words in told if words not in text] == []


async def test_github_is_left_alone_also_after_a_403_that_speaks_of_its_limits(
    gate: SharedGate, server: respx.MockRouter
) -> None:
    client = github.connect(SITE, "token", gate=gate)
    server.get("/user").respond(403, json={"message": "You have exceeded a secondary rate limit."})
    with pytest.raises(TryLater):
        await client.identify()
    assert await gate.enter([Lane("github")]) == 60
    await client.aclose()


async def test_a_process_without_a_shared_gate_is_not_held_up() -> None:
    await OPEN.close(TWICE, 60)
    assert [await OPEN.enter([TWICE]) for _ in range(5)] == [0] * 5


# The whole service


@dataclass
class Writes:
    """An application that notes when an issue is written to."""

    app: ASGIApp
    clock: Callable[[], datetime]
    moments: list[datetime]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] != "GET" and "/issue/SE-1" in scope["path"]:
            self.moments.append(self.clock())
        await self.app(scope, receive, send)


async def test_five_hundred_changes_of_a_ticket_lead_to_one_comment_and_few_writes(tmp_path: Path) -> None:
    moments: list[datetime] = []
    config = tmp_path / "crafty.toml"
    config.write_text(f'{CONFIG}\n[rules.missing-reviewer]\nsettle = "0s"\n')

    async def prepare(before: Scenery) -> None:
        before.jira.app.add_middleware(Writes, clock=before.clock, moments=moments)
        for person in before.people:
            before.jira.add_person(str(person.jira), person.name)
        await before.jira.create_sprint(41, "SE Sprint 41", board=12)
        await before.jira.start_sprint(41)
        fields: Any = {"assignee": "acc-ann", "estimate": 3.0, "status": "Need Review"}
        await before.jira.create_issue("SE-1", "acc-sam", sprint=41, **fields)

    async with stage(datetime(2026, 11, 3, 9, tzinfo=UTC), config, prepare=prepare) as on_stage:
        for number in range(500):
            await on_stage.jira.edit("SE-1", "acc-ann", reviewer=("acc-bob", None)[number % 2])
            on_stage.clock.now += timedelta(milliseconds=3)
        async for _ in on_stage.moments(on_stage.clock.now + timedelta(minutes=20)):
            pass
        comments = [one for one in on_stage.jira.comments("SE-1") if "crafty" in one.properties]
    assert len(comments) == 1
    assert moments
    for calls, seconds in ((20, 2), (100, 30)):
        spans = [last - first for first, last in zip(moments, moments[calls:], strict=False)]
        assert all(span > timedelta(seconds=seconds) for span in spans)
