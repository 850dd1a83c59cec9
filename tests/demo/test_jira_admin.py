"""The stand-in Jira tells of rights and accounts, and keeps webhooks as each generation of Jira does."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conftest import SetClock
from tests.demo.test_jira_stand_in import FLAVOURS, World, build

OLDER = "/rest/webhooks/1.0/webhook"
NEWER = "/rest/jira-webhook/1.0/webhooks"
HOOK = {"name": "Crafty", "url": "https://c.example/webhooks/jira", "events": ["jira:issue_created"], "filters": {}}


@pytest.fixture(params=FLAVOURS)
async def world(request: pytest.FixtureRequest, clock: SetClock) -> AsyncIterator[World]:
    async for one in build(request.param, clock):
        yield one


async def made(clock: SetClock, flavour: Any, **options: Any) -> World:
    return await anext(build(flavour, clock, **options))


async def test_the_bot_may_do_what_it_is_not_denied(world: World) -> None:
    world.jira.denied.add("EDIT_ISSUES")
    shown = await world.get("/mypermissions", projectKey="SE", permissions="EDIT_ISSUES,ADD_COMMENTS")
    held = {name: one["havePermission"] for name, one in shown["permissions"].items()}
    assert held == {"EDIT_ISSUES": False, "ADD_COMMENTS": True}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"projectKey": "SE", "permissions": "FLY"}, 400),
        ({"projectKey": "XX", "permissions": "EDIT_ISSUES"}, 404),
    ],
)
async def test_permissions_and_projects_have_names(world: World, query: dict[str, str], status: int) -> None:
    assert (await world.ask("GET", "/mypermissions", **query)).status_code == status


async def test_the_cloud_wants_to_know_which_permissions_are_meant(clock: SetClock) -> None:
    cloud, center = await made(clock, "cloud"), await made(clock, "datacenter")
    assert (await cloud.ask("GET", "/mypermissions", projectKey="SE")).status_code == 400
    assert len((await center.get("/mypermissions", projectKey="SE"))["permissions"]) == 9


async def test_a_closed_account_is_shown_as_such(world: World) -> None:
    name = "accountId" if world.version == 3 else "username"
    assert (await world.get("/user", **{name: "ann"}))["active"] is True
    world.jira.close_account("ann")
    assert (await world.get("/user", **{name: "ann"}))["active"] is False
    assert (await world.ask("GET", "/user", **{name: "nobody"})).status_code == 404


async def test_the_cloud_tells_that_a_webhook_is_signed_but_not_with_what(clock: SetClock) -> None:
    world = await made(clock, "cloud")
    first = (await world.ask("POST", OLDER, {**HOOK, "secret": "s3cret"})).json()
    await world.ask("PUT", f"{OLDER}/1", {"name": "Renamed"})
    [shown] = await world.get(OLDER)
    assert (first["isSigned"], shown["isSigned"], shown["name"]) == (True, True, "Renamed")
    assert shown["self"].endswith(f"{OLDER}/1")
    assert "s3cret" not in f"{first}{shown}"


async def test_data_center_ignores_a_secret_where_the_cloud_has_it(clock: SetClock) -> None:
    world = await made(clock, "datacenter")
    await world.ask("POST", NEWER, {**HOOK, "secret": "s3cret"})
    await world.ask("POST", NEWER, {**HOOK, "configuration": {"SECRET": "s3cret", "EXCLUDE_BODY": "false"}})
    shown = await world.get(NEWER)
    assert [(one["id"], one["active"], one["configuration"]) for one in shown] == [
        (1, True, {}),
        (2, True, {"EXCLUDE_BODY": "false"}),
    ]
    assert len(await world.get(NEWER, start=1)) == 1
    assert (await world.ask("GET", OLDER)).status_code == 404


async def test_an_old_data_center_has_webhooks_where_the_cloud_has_them(clock: SetClock) -> None:
    world = await made(clock, "datacenter", has_old_webhooks=True)
    assert "isSigned" not in (await world.ask("POST", OLDER, HOOK)).json()
    assert (await world.ask("GET", NEWER)).status_code == 404


@pytest.mark.parametrize(("body", "status"), [({"name": "Crafty"}, 400), ({"url": "https://c.example"}, 400)])
async def test_a_webhook_needs_a_name_and_an_address(world: World, body: Any, status: int) -> None:
    path = OLDER if world.version == 3 else NEWER
    assert (await world.ask("POST", path, body)).status_code == status
    assert (await world.ask("PUT", f"{path}/7", HOOK)).status_code == 404


async def test_webhooks_are_for_administrators(clock: SetClock) -> None:
    world = await made(clock, "cloud", bot_is_admin=False)
    for method, path in (("GET", OLDER), ("POST", OLDER), ("PUT", f"{OLDER}/1")):
        assert (await world.ask(method, path, HOOK)).status_code == 403
