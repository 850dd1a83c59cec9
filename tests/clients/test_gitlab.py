"""GitLab: what happened to a merge request is read whole, with who is a member."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
import respx

from service.clients.gitlab import GitLab, connect
from service.contributions import Note
from service.errors import CannotAct, NotFound, TryLater
from service.facts import Person

SITE = "https://gitlab.com"
KEY = "gitlab:open-craft/tools/poll!3"
HOME = "/api/v4/projects/open-craft%2Ftools%2Fpoll"
CARLA = {"id": 7, "username": "carla", "name": "Carla C."}
BOB = {"id": 8, "username": "bob", "name": "Bob B."}
BOT = {"id": 9, "username": "project_1_bot_ab12", "name": "Deploys"}
OPENED = datetime(2026, 11, 3, 8, 0, tzinfo=UTC)
ITEM: dict[str, Any] = {
    "iid": 3,
    "title": "Fix the poll",
    "web_url": "https://gitlab.com/open-craft/tools/poll/-/merge_requests/3",
    "created_at": "2026-11-03T08:00:00.000Z",
    "author": CARLA,
    "draft": False,
}
OPENED_NOTE = Note(
    what="opened",
    at=OPENED,
    by=Person(name="carla", gitlab="carla"),
    title="Fix the poll",
    url="https://gitlab.com/open-craft/tools/poll/-/merge_requests/3",
    kind="merge request",
)


def remark(minute: int, author: Any = BOB, body: str = "Thanks", **more: Any) -> dict[str, Any]:
    at = f"2026-11-03T09:{minute:02}:00.000Z"
    return {"id": 500 + minute, "author": author, "created_at": at, "body": body, "system": False, **more}


def change(minute: int, state: str, user: Any = BOB) -> dict[str, Any]:
    return {"id": minute, "user": user, "created_at": f"2026-11-03T09:{minute:02}:00.000Z", "state": state}


def summary(notes: tuple[Note, ...]) -> list[str]:
    """Each note in one line: what, when, by whom, and its id."""
    return [f"{n.what} {n.at:%H:%M} {n.by.name if n.by else '-'} {n.id}".strip() for n in notes]


@pytest.fixture
async def gitlab() -> AsyncIterator[GitLab]:
    made = connect(f"{SITE}/", "t0k3n")
    yield made
    await made.aclose()


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=SITE, assert_all_called=False) as router:
        router.get("/api/v4/user", name="user").respond(json={"id": 1, "username": "crafty", "name": "Crafty"})
        router.get(HOME, name="home").respond(json={"visibility": "public"})
        for folder in ("merge_requests", "issues"):
            router.get(f"{HOME}/{folder}", name=folder).respond(json=[ITEM])
            router.get(f"{HOME}/{folder}/3", name=f"{folder}/3").respond(json=ITEM)
            router.get(f"{HOME}/{folder}/3/notes", name=f"{folder}/notes").respond(json=[])
            router.get(f"{HOME}/{folder}/3/resource_state_events", name=f"{folder}/states").respond(json=[])
        router.get(f"{HOME}/members/all/7", name="carla").respond(404, json={"message": "404 Not found"})
        router.get(f"{HOME}/members/all/8", name="bob").respond(json={"id": 8, "access_level": 30})
        yield router


async def test_the_account_is_known_by_its_token(gitlab: GitLab, server: respx.MockRouter) -> None:
    assert await gitlab.identify() == Person(name="crafty", gitlab="crafty")
    assert server["user"].calls.last.request.headers["PRIVATE-TOKEN"] == "t0k3n"


async def test_a_merge_request_is_read_with_all_that_happened_to_it(gitlab: GitLab, server: respx.MockRouter) -> None:
    server["merge_requests/notes"].respond(
        json=[
            remark(1, CARLA, "assigned to @bob", system=True),
            remark(2),
            remark(3, internal=True),
            remark(4, confidential=True),
            remark(5, BOT, "Deployed"),
            remark(6, BOB, "approved this merge request", system=True),
            remark(7, CARLA, "approved this merge request"),
            remark(8, None),
        ]
    )
    server["merge_requests/states"].respond(
        json=[change(10, "closed"), change(11, "reopened"), change(12, "merged", None)]
    )
    notes = await gitlab.notes(KEY)
    assert notes[0] == OPENED_NOTE
    assert summary(notes[1:]) == [
        "answered 09:02 bob note-502",
        "answered 09:05 project_1_bot_ab12 note-505",
        "answered 09:06 bob approval-bob",
        "answered 09:07 carla note-507",
        "answered 09:08 - note-508",
        "closed 09:10 bob",
        "reopened 09:11 bob",
        "closed 09:12 -",
    ]
    assert [(note.is_member, note.is_bot) for note in notes[1:5]] == [
        (True, False),
        (False, True),
        (True, False),
        (False, False),
    ]


async def test_an_issue_is_read_under_its_own_path(gitlab: GitLab, server: respx.MockRouter) -> None:
    server["issues/states"].respond(json=[change(1, "closed")])
    opened, closed = await gitlab.notes(KEY.replace("!", "#"))
    assert (opened.kind, closed.what) == ("issue", "closed")
    assert not server["merge_requests/3"].called


@pytest.mark.parametrize(
    ("draft", "bodies", "expected"),
    [
        pytest.param(False, [], [], id="never a draft"),
        pytest.param(True, [], ["drafted 08:00 carla"], id="a draft from the start"),
        pytest.param(
            False,
            ["marked this merge request as **ready**"],
            ["drafted 08:00 carla", "readied 09:01 bob"],
            id="a draft until then",
        ),
        pytest.param(
            True,
            ["marked this merge request as **draft** from c0ffee"],
            ["drafted 09:01 bob"],
            id="a draft since a commit said so",
        ),
    ],
)
async def test_since_when_a_merge_request_is_a_draft(
    gitlab: GitLab, server: respx.MockRouter, draft: bool, bodies: list[str], expected: list[str]
) -> None:
    server["merge_requests/3"].respond(json={**ITEM, "draft": draft})
    server["merge_requests/notes"].respond(json=[remark(1, BOB, body, system=True) for body in bodies])
    assert summary((await gitlab.notes(KEY))[1:]) == expected


async def test_nobody_makes_a_merge_request_ready_by_saying_so(gitlab: GitLab, server: respx.MockRouter) -> None:
    server["merge_requests/notes"].respond(json=[remark(1, BOB, "marked this merge request as **ready**")])
    assert summary((await gitlab.notes(KEY))[1:]) == ["answered 09:01 bob note-501"]


@pytest.mark.parametrize(
    ("level", "is_member"),
    [(20, False), (29, False), (30, True), (50, True)],
    ids=["a reporter", "just below", "a developer", "an owner"],
)
async def test_who_may_develop_is_a_member(
    gitlab: GitLab, server: respx.MockRouter, level: int, is_member: bool
) -> None:
    server["carla"].respond(json={"id": 7, "access_level": level})
    (opened,) = await gitlab.notes(KEY)
    assert opened.is_member is is_member


async def test_each_persons_membership_is_asked_for_once_and_a_bots_never(
    gitlab: GitLab, server: respx.MockRouter
) -> None:
    server["merge_requests/notes"].respond(json=[remark(1), remark(2), remark(3, CARLA), remark(4, BOT)])
    await gitlab.notes(KEY)
    assert (server["bob"].call_count, server["carla"].call_count) == (1, 1)


async def test_every_page_of_notes_is_read(gitlab: GitLab, server: respx.MockRouter) -> None:
    server["merge_requests/notes"].side_effect = [
        httpx.Response(200, json=[remark(1)], headers={"Link": f'<{SITE}{HOME}?page=2>; rel="next"'}),
        httpx.Response(200, json=[remark(2)]),
    ]
    assert [note.id for note in (await gitlab.notes(KEY))[1:]] == ["note-501", "note-502"]
    assert [call.request.url.params["page"] for call in server["merge_requests/notes"].calls] == ["1", "2"]


@pytest.mark.parametrize("key", ["gitlab:a/b", "gitlab:a/b!x", "github:a/b#12", "topic:12"])
async def test_a_key_of_something_else_is_not_found(gitlab: GitLab, key: str) -> None:
    with pytest.raises(NotFound, match="names no merge request or issue"):
        await gitlab.notes(key)


async def test_what_changed_lately_is_listed(gitlab: GitLab, server: respx.MockRouter) -> None:
    server["carla"].respond(json={"id": 7, "access_level": 40})
    since = datetime(2026, 11, 3, 8, 30, tzinfo=timezone(timedelta(hours=1)))
    first, second = await gitlab.recent("open-craft/tools/poll", since)
    assert (first.key, second.key) == (KEY, KEY.replace("!", "#"))
    assert (first.opened.kind, first.opened.is_member, second.opened.kind) == ("merge request", True, "issue")
    asked = server["issues"].calls.last.request.url.params
    assert (asked["state"], asked["order_by"], asked["confidential"]) == ("all", "updated_at", "false")
    assert asked["updated_after"] == "2026-11-03T07:30:00+00:00"
    assert server["carla"].call_count == 1


@pytest.mark.parametrize("visibility", ["private", "internal"])
async def test_a_project_that_is_not_public_has_nothing_to_tell(
    gitlab: GitLab, server: respx.MockRouter, visibility: str
) -> None:
    server["home"].respond(json={"visibility": visibility})
    assert await gitlab.recent("open-craft/tools/poll", OPENED) == ()
    assert not server["issues"].called


async def test_a_wrong_token_is_told_with_the_setting_to_check(gitlab: GitLab, server: respx.MockRouter) -> None:
    server["user"].respond(401, json={"message": "401 Unauthorized"})
    with pytest.raises(CannotAct, match=r"401 Unauthorized.*CRAFTY_GITLAB_TOKEN"):
        await gitlab.identify()


async def test_a_project_that_is_hidden_is_not_found(gitlab: GitLab, server: respx.MockRouter) -> None:
    server["merge_requests/3"].respond(404, json={"message": "404 Project Not Found"})
    with pytest.raises(NotFound, match="Project Not Found"):
        await gitlab.notes(KEY)


async def test_a_rate_limit_says_when_to_come_back(gitlab: GitLab, server: respx.MockRouter) -> None:
    server["user"].respond(429, headers={"Retry-After": "60"})
    with pytest.raises(TryLater) as fault:
        await gitlab.identify()
    assert fault.value.after == 60


@pytest.mark.parametrize(
    ("told", "ends"),
    [pytest.param("2027-03-01", datetime(2027, 3, 1, tzinfo=UTC), id="a day"), pytest.param(None, None, id="no end")],
)
async def test_a_token_tells_its_end(
    gitlab: GitLab, server: respx.MockRouter, told: str | None, ends: datetime | None
) -> None:
    server.get("/api/v4/personal_access_tokens/self").respond(json={"id": 1, "expires_at": told})
    assert await gitlab.token_ends() == ends
