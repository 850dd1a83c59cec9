"""GitHub: what happened to a pull request is read whole, in notes named as those of the webhooks."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
import respx

from service.clients.github import GitHub, connect
from service.contributions import Listed, Note
from service.errors import CannotAct, CraftyError, NotFound, TryLater
from service.facts import Person

SITE = "https://api.github.com"
KEY = "github:open-craft/xblock-poll#12"
HOME = "/repos/open-craft/xblock-poll"
CARLA = {"login": "carla", "type": "User"}
BOB = {"login": "bob", "type": "User"}
OPENED = datetime(2026, 11, 3, 8, 0, tzinfo=UTC)
CHANGED = datetime(2026, 11, 3, 8, 30, tzinfo=UTC)
ITEM: dict[str, Any] = {
    "number": 12,
    "title": "Fix the poll",
    "html_url": "https://github.com/open-craft/xblock-poll/pull/12",
    "created_at": "2026-11-03T08:00:00Z",
    "updated_at": "2026-11-03T08:30:00Z",
    "user": CARLA,
    "author_association": "NONE",
    "draft": False,
    "pull_request": {"url": "x"},
}
OPENED_NOTE = Note(
    what="opened",
    at=OPENED,
    by=Person(name="carla", github="carla"),
    title="Fix the poll",
    url="https://github.com/open-craft/xblock-poll/pull/12",
    kind="pull request",
)


def turn(event: str, minute: int, actor: Any = BOB) -> dict[str, Any]:
    return {"id": 900 + minute, "event": event, "actor": actor, "created_at": f"2026-11-03T09:{minute:02}:00Z"}


def written(minute: int, user: Any = BOB, association: str = "MEMBER", **more: Any) -> dict[str, Any]:
    at = f"2026-11-03T09:{minute:02}:00Z"
    return {"id": 500 + minute, "user": user, "author_association": association, "created_at": at, **more}


def summary(notes: tuple[Note, ...]) -> list[str]:
    """Each note in one line: what, when, by whom, and its id."""
    return [f"{n.what} {n.at:%H:%M} {n.by.name if n.by else '-'} {n.id}".strip() for n in notes]


@pytest.fixture
async def github() -> AsyncIterator[GitHub]:
    made = connect(f"{SITE}/", "t0k3n")
    yield made
    await made.aclose()


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=SITE, assert_all_called=False) as router:
        router.get("/user", name="user").respond(json={"login": "crafty", "type": "User"})
        router.get(HOME, name="home").respond(json={"full_name": "open-craft/xblock-poll", "private": False})
        router.get(f"{HOME}/issues", name="issues").respond(json=[ITEM])
        router.get(f"{HOME}/issues/12", name="item").respond(json=ITEM)
        router.get(f"{HOME}/issues/12/timeline", name="timeline").respond(json=[])
        yield router


async def test_the_account_is_known_by_its_token(github: GitHub, server: respx.MockRouter) -> None:
    assert await github.identify() == Person(name="crafty", github="crafty")
    headers = server["user"].calls.last.request.headers
    assert (headers["Authorization"], headers["Accept"]) == ("Bearer t0k3n", "application/vnd.github+json")
    assert headers["X-GitHub-Api-Version"] == "2022-11-28"


async def test_an_enterprise_server_has_its_api_under_a_path() -> None:
    with respx.mock(base_url="https://code.example") as router:
        router.get("/api/v3/user").respond(json={"login": "crafty"})
        github = connect("https://code.example/api/v3", "t0k3n")
        assert (await github.identify()).github == "crafty"
        await github.aclose()


async def test_a_pull_request_is_read_with_all_that_happened_to_it(github: GitHub, server: respx.MockRouter) -> None:
    server["timeline"].respond(
        json=[
            {"event": "committed", "sha": "c0ffee", "author": {"name": "Carla", "date": "2026-11-03T07:00:00Z"}},
            {"event": "cross-referenced", "actor": BOB, "created_at": "2026-11-03T08:30:00Z", "source": {}},
            written(1, event="commented", actor=BOB),
            {**written(2), "event": "reviewed", "created_at": None, "submitted_at": "2026-11-03T09:02:00Z"},
            {**written(3), "event": "reviewed", "created_at": None, "state": "pending"},
            {"event": "line-commented", "comments": [written(4), written(5, CARLA, "NONE")]},
            turn("labeled", 6),
            turn("merged", 7),
            turn("closed", 7),
            turn("reopened", 8),
            turn("closed", 9, None),
        ]
    )
    notes = await github.notes(KEY)
    assert notes[0] == OPENED_NOTE
    assert summary(notes[1:]) == [
        "answered 09:01 bob comment-501",
        "answered 09:02 bob review-502",
        "answered 09:04 bob inline-504",
        "answered 09:05 carla inline-505",
        "closed 09:07 bob",
        "reopened 09:08 bob",
        "closed 09:09 -",
    ]
    assert [note.is_member for note in notes[1:5]] == [True, True, True, False]


@pytest.mark.parametrize(
    ("draft", "turns", "expected"),
    [
        pytest.param(False, [], [], id="never a draft"),
        pytest.param(True, [], ["drafted 08:00 carla"], id="a draft from the start"),
        pytest.param(
            False, [turn("ready_for_review", 1)], ["drafted 08:00 carla", "readied 09:01 bob"], id="a draft until then"
        ),
        pytest.param(True, [turn("convert_to_draft", 1)], ["drafted 09:01 bob"], id="a draft since then"),
    ],
)
async def test_since_when_a_pull_request_is_a_draft(
    github: GitHub, server: respx.MockRouter, draft: bool, turns: list[Any], expected: list[str]
) -> None:
    server["item"].respond(json={**ITEM, "draft": draft})
    server["timeline"].respond(json=turns)
    assert summary((await github.notes(KEY))[1:]) == expected


@pytest.mark.parametrize(
    ("changes", "kind", "is_member", "is_bot"),
    [
        pytest.param({"pull_request": None}, "issue", False, False, id="an issue"),
        pytest.param({"author_association": "COLLABORATOR"}, "pull request", True, False, id="by a member"),
        pytest.param({"user": {"login": "renovate[bot]", "type": "Bot"}}, "pull request", False, True, id="by a bot"),
        pytest.param({"user": None}, "pull request", False, False, id="by a deleted account"),
    ],
)
async def test_who_opened_what(
    github: GitHub, server: respx.MockRouter, changes: dict[str, Any], kind: str, is_member: bool, is_bot: bool
) -> None:
    server["item"].respond(json={**ITEM, **changes})
    (opened,) = await github.notes(KEY)
    assert (opened.kind, opened.is_member, opened.is_bot) == (kind, is_member, is_bot)


async def test_every_page_of_a_timeline_is_read(github: GitHub, server: respx.MockRouter) -> None:
    following = {"Link": f'<{SITE}{HOME}/issues/12/timeline?page=2>; rel="next", <{SITE}>; rel="last"'}
    server["timeline"].side_effect = [
        httpx.Response(200, json=[turn("closed", 1)], headers=following),
        httpx.Response(200, json=[turn("reopened", 2)], headers={"Link": f'<{SITE}>; rel="first"'}),
    ]
    assert summary((await github.notes(KEY))[1:]) == ["closed 09:01 bob", "reopened 09:02 bob"]
    assert [call.request.url.params["page"] for call in server["timeline"].calls] == ["1", "2"]


@pytest.mark.parametrize("key", ["github:poll#12", "github:a/b#x", "gitlab:a/b#12", "topic:12", "github:a/b/c#1"])
async def test_a_key_of_something_else_is_not_found(github: GitHub, key: str) -> None:
    with pytest.raises(NotFound, match="names no pull request or issue"):
        await github.notes(key)


async def test_what_changed_lately_is_listed(github: GitHub, server: respx.MockRouter) -> None:
    since = datetime(2026, 11, 3, 8, 30, tzinfo=timezone(timedelta(hours=1)))
    assert await github.recent("Open-Craft/xblock-poll".lower(), since) == (Listed(KEY, OPENED_NOTE, CHANGED),)
    asked = server["issues"].calls.last.request.url.params
    assert (asked["state"], asked["sort"], asked["direction"]) == ("all", "updated", "desc")
    assert (asked["since"], asked["per_page"]) == ("2026-11-03T07:30:00Z", "100")


async def test_a_private_repository_has_nothing_to_tell(github: GitHub, server: respx.MockRouter) -> None:
    server["home"].respond(json={"private": True})
    assert await github.recent("open-craft/xblock-poll", OPENED) == ()
    assert not server["issues"].called


@pytest.mark.parametrize("is_private", [True, False])
async def test_whether_a_repository_is_private_is_asked_once_a_day(server: respx.MockRouter, is_private: bool) -> None:
    seconds = 1000.0
    github = connect(SITE, "t0k3n", seconds=lambda: seconds)
    server["home"].respond(json={"private": is_private})
    asked = []
    for now in (1000.0, 1000.0 + 86_399, 1000.0 + 86_400):
        seconds = now
        assert bool(await github.recent("open-craft/xblock-poll", OPENED)) is not is_private
        asked.append(server["home"].call_count)
    await github.aclose()
    assert asked == [1, 1, 2]


async def test_a_repository_that_becomes_public_or_private_is_noticed_a_day_later(server: respx.MockRouter) -> None:
    seconds = 0.0
    github = connect(SITE, "t0k3n", seconds=lambda: seconds)
    assert await github.recent("open-craft/xblock-poll", OPENED)
    server["home"].respond(json={"private": True})
    seconds = 86_400.0
    assert await github.recent("open-craft/xblock-poll", OPENED) == ()
    await github.aclose()


@pytest.mark.parametrize("place", ["open-craft", "open-craft/..", "/poll", "a/b/c"])
async def test_no_name_leads_to_another_resource(github: GitHub, server: respx.MockRouter, place: str) -> None:
    server.route().respond(404)
    with pytest.raises(NotFound):
        await github.recent(place, OPENED)


NOW = {"Date": "Tue, 03 Nov 2026 09:00:00 GMT"}
RESET = str(int(datetime(2026, 11, 3, 9, 10, tzinfo=UTC).timestamp()))


@pytest.mark.parametrize(
    ("status", "headers", "text", "after"),
    [
        pytest.param(429, {"Retry-After": "23"}, "", 23, id="a time to wait"),
        pytest.param(403, {"Retry-After": "23"}, "", 23, id="a refusal with a time to wait"),
        pytest.param(
            403, {**NOW, "x-ratelimit-remaining": "0", "x-ratelimit-reset": RESET}, "", 600, id="no calls left"
        ),
        pytest.param(
            429,
            {**NOW, "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1000000001"},
            "",
            0,
            id="no calls left until then",
        ),
        pytest.param(403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "?"}, "", 60, id="until who knows when"),
        pytest.param(
            403, {"x-ratelimit-remaining": "9"}, "You have exceeded a secondary rate limit.", 60, id="only in words"
        ),
    ],
)
async def test_a_rate_limit_passes(
    github: GitHub, server: respx.MockRouter, status: int, headers: dict[str, str], text: str, after: float
) -> None:
    server["user"].respond(status, headers=headers, json={"message": text})
    with pytest.raises(TryLater) as fault:
        await github.identify()
    assert fault.value.after == after


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        pytest.param(401, CannotAct, id="a wrong token"),
        pytest.param(403, CannotAct, id="a missing permission"),
        pytest.param(404, NotFound, id="what is not there"),
        pytest.param(410, NotFound, id="what was deleted"),
        pytest.param(500, TryLater, id="a fault of theirs"),
    ],
)
async def test_other_refusals(github: GitHub, server: respx.MockRouter, status: int, kind: type[CraftyError]) -> None:
    server["item"].respond(status, headers={"x-ratelimit-remaining": "9"}, json={"message": "No."})
    with pytest.raises(kind, match="No"):
        await github.notes(KEY)


async def test_a_wrong_token_is_told_with_the_setting_to_check(github: GitHub, server: respx.MockRouter) -> None:
    server["user"].respond(401, json={"message": "Bad credentials", "documentation_url": "https://docs.github.com"})
    with pytest.raises(CannotAct, match=r"Bad credentials.*CRAFTY_GITHUB_TOKEN"):
        await github.identify()


@pytest.mark.parametrize(
    ("header", "ends"),
    [
        pytest.param("2027-03-01 08:30:00 UTC", datetime(2027, 3, 1, 8, 30, tzinfo=UTC), id="in UTC"),
        pytest.param("2027-03-01 08:30:00 +0100", datetime(2027, 3, 1, 7, 30, tzinfo=UTC), id="with an offset"),
        pytest.param("soon", None, id="another form"),
        pytest.param(None, None, id="no end"),
    ],
)
async def test_a_token_tells_its_end(
    github: GitHub, server: respx.MockRouter, header: str | None, ends: datetime | None
) -> None:
    headers = {"GitHub-Authentication-Token-Expiration": header} if header else {}
    server.get("/user").respond(json={"login": "crafty"}, headers=headers)
    assert await github.token_ends() == ends
