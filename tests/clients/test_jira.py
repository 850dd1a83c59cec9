"""Jira: what the Cloud and Data Center are sent, and what their answers mean."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
import respx

from service.clients._http import NotSignedIn
from service.clients._jira_answers import KeyedComment
from service.clients._jira_webhooks import Webhook, WebhookWish
from service.clients.jira import Jira, connect
from service.errors import CannotAct, CraftyError, NotFound, TryLater
from service.facts import Person, Remark, Sprint, SprintMove, StatusChange, Ticket
from service.jira_shapes import FieldMap
from service.texts import Mention, Message, Paragraph, Text, to_adf

CLOUD = "https://team.example"
CENTER = "https://jira.example/context"
ANN = Person(name="Ann", jira="5b10a2844c20165700ede21g")
HELLO = Message((Paragraph((Text("Hello "), Mention(ANN))),))
FIELDS = FieldMap(story_points="customfield_10016", reviewer="customfield_10030", sprint="customfield_10020")
CLOUD_USER = {"accountId": ANN.jira, "accountType": "atlassian", "displayName": "Ann", "active": True}
CENTER_USER = {"name": "ann", "key": "JIRAUSER10100", "displayName": "Ann", "emailAddress": "ann@x.example"}
CREATED = "2026-11-02T10:00:00.000+0100"
UPDATED = "2026-11-12T10:00:00.000+0100"


@pytest.fixture
async def cloud() -> AsyncIterator[Jira]:
    made = connect("cloud", f"{CLOUD}/", "bot@x.example", "t0ken")
    made.fields = FIELDS
    yield made
    await made.aclose()


@pytest.fixture
async def center() -> AsyncIterator[Jira]:
    made = connect("datacenter", CENTER, "", "p4t")
    made.fields = FIELDS
    yield made
    await made.aclose()


@pytest.fixture(params=["cloud", "datacenter"], ids=["on the Cloud", "on Data Center"])
async def either(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Jira, str, str]]:
    """A client, its site and its REST root."""
    site, root = (CLOUD, f"{CLOUD}/rest/api/3") if request.param == "cloud" else (CENTER, f"{CENTER}/rest/api/2")
    made = connect(request.param, site, "bot@x.example", "t0ken")
    made.fields = FIELDS
    yield made, site, root
    await made.aclose()


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    with respx.mock as router:
        yield router


def body_of(route: respx.Route, call: int = -1) -> Any:
    return json.loads(route.calls[call].request.content)


def query_of(route: respx.Route, call: int = -1) -> dict[str, str]:
    return dict(route.calls[call].request.url.params)


def issue(key: str = "SE-1", **fields: Any) -> dict[str, Any]:
    own = {
        "summary": "Mend the login page",
        "issuetype": {"id": "10001", "name": "Story", "subtask": False},
        "status": {"id": "3", "name": "In progress", "statusCategory": {"key": "indeterminate"}},
        "assignee": CLOUD_USER,
        "reporter": None,
        "created": CREATED,
        "updated": UPDATED,
        "customfield_10016": 3.0,
        "customfield_10030": None,
        "customfield_10020": [{"id": 37, "name": "Sprint 12", "state": "active", "boardId": 12}],
    }
    return {"id": "10100", "key": key, "self": f"{CLOUD}/rest/api/3/issue/10100", "fields": {**own, **fields}}


def history(created: str, *items: dict[str, Any]) -> dict[str, Any]:
    return {"id": "1", "author": CLOUD_USER, "created": created, "items": list(items)}


def first_page(root: str, issues: list[dict[str, Any]], *, more: bool = False) -> dict[str, Any]:
    """A search's first page. root: of a client's REST; more: whether another page follows."""
    if root.startswith(CENTER):
        return {"issues": issues, "startAt": 0, "maxResults": 100, "total": 500 if more else len(issues)}
    return {"issues": issues, **({"nextPageToken": "abc"} if more else {"isLast": True})}


WRONG = pytest.mark.undocumented("Jira never answers so")
MENTION = {"type": "mention", "attrs": {"id": "y"}}
STATUS = {
    "field": "status",
    "fieldtype": "jira",
    "fieldId": "status",
    "from": "1",
    "fromString": "Backlog",
    "to": "3",
    "toString": "In progress",
}
OLD_STATUS = {"field": "status", "fieldtype": "jira", "from": "1", "to": "3", "toString": "In progress"}
LABELS = {"field": "labels", "fieldtype": "jira", "fieldId": "labels", "fromString": "", "toString": "x"}
OTHER_STATUS = {"field": "Status", "fieldtype": "custom", "from": "1", "to": "2", "toString": "ok"}


# Who we are


async def test_the_cloud_is_greeted_with_email_and_token(cloud: Jira, server: respx.MockRouter) -> None:
    route = server.get(f"{CLOUD}/rest/api/3/myself").respond(json=CLOUD_USER)
    assert await cloud.identify() == ANN
    pair = b64encode(b"bot@x.example:t0ken").decode()
    assert route.calls.last.request.headers["Authorization"] == f"Basic {pair}"


async def test_data_center_is_greeted_with_the_token_alone(center: Jira, server: respx.MockRouter) -> None:
    route = server.get(f"{CENTER}/rest/api/2/myself").respond(json=CENTER_USER, headers={"X-AUSERNAME": "ann"})
    assert await center.identify() == Person(name="Ann", jira="ann", jira_key="JIRAUSER10100")
    assert route.calls.last.request.headers["Authorization"] == "Bearer p4t"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(httpx.Response(200, json={"displayName": "Anonymous"}), id="a user without an account"),
        pytest.param(
            httpx.Response(200, json=CENTER_USER, headers={"X-AUSERNAME": "anonymous"}), id="an anonymous caller"
        ),
        pytest.param(httpx.Response(401, text="Client must be authenticated"), id="a refusal"),
        pytest.param(httpx.Response(200, html="<html>Log in</html>"), id="a login page"),
    ],
)
async def test_a_token_that_jira_does_not_know_is_for_a_person(
    center: Jira, server: respx.MockRouter, answer: httpx.Response
) -> None:
    server.get(f"{CENTER}/rest/api/2/myself").mock(answer)
    with pytest.raises(CannotAct, match="CRAFTY_JIRA_TOKEN"):
        await center.identify()


VISITOR = pytest.mark.parametrize(
    "told",
    [
        pytest.param({"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}, id="a token that the Cloud does not take"),
        pytest.param({"X-Seraph-LoginReason": "OK, AUTHENTICATION_DENIED"}, id="a sign-in that asks for more"),
        pytest.param({"X-AUSERNAME": "anonymous"}, id="anonymous on Data Center"),
    ],
)


@VISITOR
@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(200, None, id="nothing found"),
        pytest.param(400, {"errorMessages": ["The value 'SE' does not exist for the field 'project'."]}, id="refused"),
        pytest.param(404, {"errorMessages": ["Issue does not exist or you do not have permission."]}, id="not there"),
    ],
)
async def test_what_is_answered_to_a_visitor_is_no_answer(
    either: tuple[Jira, str, str], server: respx.MockRouter, told: dict[str, str], status: int, body: Any
) -> None:
    jira, _, root = either
    server.post(url__startswith=f"{root}/search").respond(status, json=body or first_page(root, []), headers=told)
    with pytest.raises(NotSignedIn, match=r"anonymous visitor; check CRAFTY_JIRA_.*TOKEN"):
        await found(jira, "project = SE")


@VISITOR
async def test_a_server_that_fails_is_not_taken_for_one_that_does_not_know_us(
    center: Jira, server: respx.MockRouter, told: dict[str, str]
) -> None:
    server.get(f"{CENTER}/rest/api/2/issue/SE-1").respond(500, headers=told)
    with pytest.raises(TryLater):
        await center.ticket("SE-1")


@VISITOR
async def test_a_visitor_may_ask_which_kind_of_jira_it_is(
    either: tuple[Jira, str, str], server: respx.MockRouter, told: dict[str, str]
) -> None:
    jira, site, _ = either
    server.get(f"{site}/rest/api/2/serverInfo").respond(json={"deploymentType": "Cloud"}, headers=told)
    assert await jira.is_cloud()


@pytest.mark.parametrize("told", [{"X-Seraph-LoginReason": "OK"}, {"X-AUSERNAME": "ann"}, {}], ids=str)
async def test_whoever_is_known_gets_answers(center: Jira, server: respx.MockRouter, told: dict[str, str]) -> None:
    server.get(f"{CENTER}/rest/api/2/issue/SE-1").respond(json=issue(), headers=told)
    assert (await center.ticket("SE-1")).key == "SE-1"


async def test_a_scoped_token_goes_to_an_address_of_its_own_and_links_lead_to_the_site(
    server: respx.MockRouter,
) -> None:
    door = "https://api.atlassian.com/ex/jira/11223344-a1b2-3b33-c444-def123456789"
    jira = connect("cloud", CLOUD, "bot@x.example", "t0ken", api_url=f"{door}/")
    server.get(f"{door}/rest/api/3/issue/SE-1").respond(json=issue())
    server.post(f"{door}/rest/api/3/search/jql").respond(json={"issues": [issue("SE-2")], "isLast": True})
    server.get(f"{door}/rest/agile/1.0/sprint/36").respond(json={"id": 36, "name": "Sprint 11", "state": "closed"})
    tickets = [await jira.ticket("SE-1"), *await found(jira, "project = SE")]
    assert [ticket.url for ticket in tickets] == [f"{CLOUD}/browse/SE-1", f"{CLOUD}/browse/SE-2"]
    assert (await jira.sprint(36)).id == 36
    await jira.aclose()


@pytest.mark.parametrize("name", [None, "", "  ", "\u200b\u2060", "\t\n"], ids=ascii)
async def test_an_account_whose_name_nobody_can_see_goes_by_its_id(
    cloud: Jira, server: respx.MockRouter, name: str | None
) -> None:
    user = {**CLOUD_USER, "displayName": name} if name is not None else {"accountId": ANN.jira}
    server.get(f"{CLOUD}/rest/api/3/myself").respond(json=user)
    assert (await cloud.identify()).name == ANN.jira


async def test_errors_hide_both_forms_of_the_clouds_credential(cloud: Jira, server: respx.MockRouter) -> None:
    pair = b64encode(b"bot@x.example:t0ken").decode()
    server.get(f"{CLOUD}/rest/api/3/myself").respond(401, json={"message": f"Bad {pair} or t0ken"})
    with pytest.raises(CannotAct, match=r"\(Bad … or …\)\. Check CRAFTY_JIRA_EMAIL and CRAFTY_JIRA_TOKEN"):
        await cloud.identify()


# Reading


async def test_fields_are_listed(either: tuple[Jira, str, str], server: respx.MockRouter) -> None:
    jira, _, root = either
    sprint = {"custom": "com.pyxis.greenhopper.jira:gh-sprint", "customId": 10020, "type": "array"}
    fields = [
        {"id": "summary", "key": "summary", "name": "Summary", "custom": False},
        {"id": "customfield_10020", "name": "Sprint", "custom": True, "schema": sprint},
    ]
    server.get(f"{root}/field").respond(json=fields)
    listed = await jira.field_list()
    assert [(field.id, field.name) for field in listed] == [("summary", "Summary"), ("customfield_10020", "Sprint")]


async def test_a_ticket_is_read_with_only_what_it_needs(
    either: tuple[Jira, str, str], server: respx.MockRouter
) -> None:
    jira, site, root = either
    changelog = {"startAt": 0, "maxResults": 1, "total": 1, "histories": [history(UPDATED, STATUS)]}
    route = server.get(f"{root}/issue/SE-1").respond(json={**issue(), "changelog": changelog})
    ticket = await jira.ticket("SE-1")
    assert (ticket.key, ticket.summary, ticket.status) == ("SE-1", "Mend the login page", "In progress")
    assert (ticket.assignee, ticket.reviewer, ticket.estimate) == (ANN, None, 3.0)
    assert ticket.sprints == (Sprint(id=37, name="Sprint 12", state="active", board=12),)
    assert ticket.url == f"{site}/browse/SE-1"
    query = query_of(route)
    assert query["expand"] == "changelog"
    wanted = set(query["fields"].split(","))
    assert {"summary", "status", "parent", "statuscategorychangedate", "customfield_10016"} <= wanted
    assert {"labels", "description", "issuelinks", "creator", "timeestimate", "comment"} <= wanted
    assert "*all" not in wanted


async def test_a_ticket_is_read_by_jira_s_number_of_it(cloud: Jira, server: respx.MockRouter) -> None:
    server.get(f"{CLOUD}/rest/api/3/issue/10100").respond(json=issue())
    assert (await cloud.ticket("10100")).key == "SE-1"


async def test_what_a_site_does_not_use_is_empty_and_its_past_is_unknown_where_jira_shows_none(
    cloud: Jira, server: respx.MockRouter
) -> None:
    server.get(f"{CLOUD}/rest/api/3/issue/SE-1").respond(json=issue())
    ticket = await cloud.ticket("SE-1")
    assert (ticket.labels, ticket.links, ticket.description, ticket.original_estimate) == ((), (), None, None)
    assert {"remarks", "sprint_moves", "status_changes"}.isdisjoint(ticket.known())


def said(number: int, created: str = CREATED, body: Any = "Hello [~accountid:x]") -> dict[str, Any]:
    return {"id": str(number), "author": CLOUD_USER, "body": body, "created": created}


def page_of(*comments: dict[str, Any], total: int | None = None) -> dict[str, Any]:
    listed = list(comments)
    return {"comments": listed, "startAt": 0, "maxResults": 100, "total": len(listed) if total is None else total}


async def test_comments_come_with_the_ticket_oldest_first(
    either: tuple[Jira, str, str], server: respx.MockRouter
) -> None:
    jira, _, root = either
    document = {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [MENTION]}]}
    comments = page_of(said(2, UPDATED, document), said(1))
    route = server.get(f"{root}/issue/SE-1").respond(json=issue(comment=comments))
    assert (await jira.ticket("SE-1")).remarks == (
        Remark(id="1", at=datetime(2026, 11, 2, 9, tzinfo=UTC), author=ANN, text="Hello [~x]", mentions=("x",)),
        Remark(id="2", at=datetime(2026, 11, 12, 9, tzinfo=UTC), author=ANN, text="[~y]", mentions=("y",)),
    )
    assert route.call_count == 1


async def test_comments_that_the_ticket_does_not_show_are_read_by_themselves(
    either: tuple[Jira, str, str], server: respx.MockRouter
) -> None:
    jira, _, root = either
    server.get(f"{root}/issue/SE-1").respond(json=issue(comment=page_of(said(3), total=3)))
    pages = [page_of(said(1), said(2), total=3), page_of(said(3), total=3)]
    route = server.get(f"{root}/issue/SE-1/comment").mock(
        side_effect=[httpx.Response(200, json=page) for page in pages]
    )
    assert [remark.id for remark in (await jira.ticket("SE-1")).remarks] == ["1", "2", "3"]
    assert [query_of(route, call)["startAt"] for call in range(2)] == ["0", "2"]


MOVE = {"field": "Sprint", "fieldtype": "custom", "fieldId": "customfield_10020", "from": "36", "to": "36, 37"}


@pytest.mark.parametrize("order", [1, -1], ids=["the oldest first", "the newest first"])
async def test_the_history_is_told_oldest_first_with_who_did_it(
    either: tuple[Jira, str, str], server: respx.MockRouter, order: int
) -> None:
    jira, _, root = either
    histories = [history(CREATED, STATUS), history(UPDATED, MOVE, LABELS)][::order]
    route = server.get(f"{root}/issue/SE-1").respond(
        json={**issue(), "changelog": {"histories": histories, "total": 2}}
    )
    ticket = await jira.ticket("SE-1")
    at = datetime(2026, 11, 12, 9, tzinfo=UTC)
    assert ticket.sprint_moves == (SprintMove(at=at, by=ANN, before=(36,), after=(36, 37)),)
    assert ticket.status_changes == (
        StatusChange(at=datetime(2026, 11, 2, 9, tzinfo=UTC), by=ANN, before="Backlog", after="In progress"),
    )
    assert route.call_count == 1


async def test_changes_of_one_instant_come_in_the_order_of_their_ids(cloud: Jira, server: respx.MockRouter) -> None:
    back = {**MOVE, "from": "36, 37", "to": "36"}
    histories = [{**history(UPDATED, back), "id": "10"}, {**history(UPDATED, MOVE), "id": "9"}]
    server.get(f"{CLOUD}/rest/api/3/issue/SE-1").respond(json={**issue(), "changelog": {"histories": histories}})
    assert [move.after for move in (await cloud.ticket("SE-1")).sprint_moves] == [(36, 37), (36,)]


async def test_the_cloud_s_history_is_read_by_itself_when_it_was_cut(cloud: Jira, server: respx.MockRouter) -> None:
    cut = {"histories": [history(UPDATED, LABELS)], "total": 3}
    server.get(f"{CLOUD}/rest/api/3/issue/SE-1").respond(json={**issue(), "changelog": cut})
    pages = [
        {"values": [history(CREATED, STATUS), history(CREATED, MOVE)], "total": 3, "isLast": False},
        {"values": [history(UPDATED, LABELS)], "total": 3, "isLast": True},
    ]
    route = server.get(f"{CLOUD}/rest/api/3/issue/SE-1/changelog").mock(
        side_effect=[httpx.Response(200, json=page) for page in pages]
    )
    ticket = await cloud.ticket("SE-1")
    assert (len(ticket.sprint_moves), len(ticket.status_changes)) == (1, 1)
    assert ticket.entered_status_at == datetime(2026, 11, 2, 9, tzinfo=UTC)
    assert [query_of(route, call)["startAt"] for call in range(2)] == ["0", "2"]


async def test_data_center_s_history_is_all_there_is(center: Jira, server: respx.MockRouter) -> None:
    changelog = {"histories": [history(UPDATED, MOVE)], "total": 3}
    server.get(f"{CENTER}/rest/api/2/issue/SE-1").respond(json={**issue(), "changelog": changelog})
    assert len((await center.ticket("SE-1")).sprint_moves) == 1


@pytest.mark.parametrize(
    "comments",
    [
        pytest.param({"comments": []}, id="a page without a total"),
        pytest.param(page_of({"id": "1", "body": "x"}), id="a comment without a date"),
        pytest.param(page_of(said(1, body=7)), id="a comment that says a number"),
    ],
)
async def test_comments_of_another_shape_are_for_a_person(
    cloud: Jira, server: respx.MockRouter, comments: dict[str, Any]
) -> None:
    server.get(f"{CLOUD}/rest/api/3/issue/SE-1").respond(json=issue(comment=comments))
    with pytest.raises(CannotAct, match="of another shape"):
        await cloud.ticket("SE-1")


async def test_a_moved_ticket_comes_with_its_new_key(cloud: Jira, server: respx.MockRouter) -> None:
    server.get(f"{CLOUD}/rest/api/3/issue/SE-1").respond(json=issue("NEW-9"))
    assert (await cloud.ticket("SE-1")).key == "NEW-9"


@pytest.mark.parametrize(
    ("changelog", "fields", "expected"),
    [
        pytest.param(
            {
                "total": 3,
                "histories": [
                    history("2026-11-05T09:00:00.000+0100", STATUS),
                    history("2026-11-10T09:00:00.000+0100", LABELS, OLD_STATUS),
                    history("2026-11-11T09:00:00.000+0100", LABELS),
                ],
            },
            {"statuscategorychangedate": "2026-11-05T09:00:00.000+0100"},
            datetime(2026, 11, 10, 8, tzinfo=UTC),
            id="the latest status change, with or without a field id",
        ),
        pytest.param(
            {
                "total": 2,
                "histories": [
                    history("2026-11-10T09:00:00.000+0100", STATUS),
                    history("2026-11-10T09:30:00.000+0200", STATUS),
                ],
            },
            {},
            datetime(2026, 11, 10, 8, tzinfo=UTC),
            id="the latest by instant, not by text",
        ),
        pytest.param(
            {"total": 1, "histories": [history("2026-11-10T09:00:00.000+0100", OTHER_STATUS)]},
            {},
            datetime(2026, 11, 2, 9, tzinfo=UTC),
            id="a custom field named Status is none",
        ),
        pytest.param(
            {"total": 0, "histories": []},
            {"statuscategorychangedate": "2026-11-03T09:00:00.000+0100"},
            datetime(2026, 11, 3, 8, tzinfo=UTC),
            id="the date of the category where no change is told",
        ),
        pytest.param(
            {"total": 1, "histories": [history(UPDATED, LABELS)]},
            {"statuscategorychangedate": None},
            datetime(2026, 11, 2, 9, tzinfo=UTC),
            id="the creation when the whole changelog knows no change",
        ),
        pytest.param(None, {}, datetime(2026, 11, 12, 9, tzinfo=UTC), id="the update when there is no changelog"),
        pytest.param(
            None, {"statuscategorychangedate": 7}, datetime(2026, 11, 12, 9, tzinfo=UTC), id="not a date that is none"
        ),
        pytest.param(
            {"total": 1, "histories": [history("yesterday", STATUS)]},
            {},
            datetime(2026, 11, 2, 9, tzinfo=UTC),
            id="not a change at no time",
        ),
    ],
)
async def test_a_ticket_has_its_status_since(
    cloud: Jira, server: respx.MockRouter, changelog: Any, fields: dict[str, Any], expected: datetime
) -> None:
    told = {} if changelog is None else {"changelog": changelog}
    server.get(f"{CLOUD}/rest/api/3/issue/SE-1").respond(json={**issue(**fields), **told})
    assert (await cloud.ticket("SE-1")).entered_status_at == expected


async def test_the_age_of_a_status_stays_unknown_without_any_date(cloud: Jira, server: respx.MockRouter) -> None:
    server.get(f"{CLOUD}/rest/api/3/issue/SE-1").respond(json=issue(created=None, updated=None))
    assert "entered_status_at" not in (await cloud.ticket("SE-1")).known()


@pytest.mark.parametrize(
    "key", ["", "..", "SE-1/comment", "SE-1?x=y", "SE"], ids=["nothing", "dots", "a path", "a query", "no number"]
)
async def test_what_is_no_key_is_never_asked_for(cloud: Jira, server: respx.MockRouter, key: str) -> None:
    with pytest.raises(NotFound, match="not the key of a Jira issue"):
        await cloud.ticket(key)
    assert not server.calls


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(httpx.Response(404, json={"errorMessages": ["Issue does not exist"]}), NotFound, id="no ticket"),
        pytest.param(httpx.Response(403), CannotAct, id="no permission"),
        pytest.param(httpx.Response(429, headers={"Retry-After": "60"}), TryLater, id="too many calls"),
        pytest.param(httpx.Response(200, text='{"key":"SE-1","fields":{'), TryLater, id="a cut answer", marks=WRONG),
        pytest.param(httpx.Response(200, html="<html>"), CannotAct, id="a web page", marks=WRONG),
        pytest.param(httpx.Response(200, json={"fields": {}}), CannotAct, id="no key"),
        pytest.param(httpx.Response(200, json=issue("../x")), CannotAct, id="a key that is none"),
        pytest.param(httpx.Response(200, json=issue(summary=7)), CannotAct, id="a summary that is a number"),
        pytest.param(
            httpx.Response(200, content=b'{"key":"SE-1","fields":{"summary":"\xff"}}'),
            CannotAct,
            id="broken text",
            marks=WRONG,
        ),
        pytest.param(
            httpx.Response(200, content=b'{"key":"SE-1","fields":{"summary":' + b"[" * 100_000),
            CannotAct,
            id="bottomless JSON",
            marks=WRONG,
        ),
    ],
)
async def test_a_ticket_that_can_t_be_read_is_one_kind_of_error(
    cloud: Jira, server: respx.MockRouter, answer: httpx.Response, kind: type[CraftyError]
) -> None:
    server.get(f"{CLOUD}/rest/api/3/issue/SE-1").mock(answer)
    with pytest.raises(kind, match="Jira answered"):
        await cloud.ticket("SE-1")


async def test_a_read_is_tried_again_after_a_failing_gateway(server: respx.MockRouter) -> None:
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    jira = connect("cloud", CLOUD, "bot@x.example", "t0ken", wait)
    server.get(f"{CLOUD}/rest/api/3/myself").mock(
        side_effect=[httpx.Response(502), httpx.Response(200, json=CLOUD_USER)]
    )
    assert await jira.identify() == ANN
    assert len(waits) == 1
    await jira.aclose()


# Searching


async def found(jira: Jira, jql: str, fields: list[str] | None = None) -> list[Ticket]:
    return [ticket async for ticket in jira.search(jql, fields)]


async def test_the_cloud_is_searched_to_its_last_token(cloud: Jira, server: respx.MockRouter) -> None:
    pages = [
        {"issues": [issue("SE-1"), issue("SE-2")], "nextPageToken": "abc", "isLast": False},
        {"issues": [], "nextPageToken": "def", "isLast": False},
        {"issues": [issue("SE-3")], "isLast": True},
    ]
    route = server.post(f"{CLOUD}/rest/api/3/search/jql").mock(
        side_effect=[httpx.Response(200, json=page) for page in pages]
    )
    tickets = await found(cloud, "project = SE ORDER BY key")
    assert [ticket.key for ticket in tickets] == ["SE-1", "SE-2", "SE-3"]
    assert tickets[0].sprints[0].id == 37
    assert [body_of(route, call).get("nextPageToken") for call in range(3)] == [None, "abc", "def"]
    assert body_of(route, 0)["jql"] == "project = SE ORDER BY key"
    assert {"summary", "customfield_10020"} <= set(body_of(route, 0)["fields"])


@pytest.mark.parametrize(
    "end",
    [
        pytest.param({}, id="neither token nor mark"),
        pytest.param({"nextPageToken": None}, id="no token"),
        pytest.param({"nextPageToken": "abc", "isLast": True}, id="a mark beside a token"),
    ],
)
async def test_the_cloud_has_three_ways_to_end(cloud: Jira, server: respx.MockRouter, end: dict[str, Any]) -> None:
    route = server.post(f"{CLOUD}/rest/api/3/search/jql").respond(json={"issues": [issue()], **end})
    assert len(await found(cloud, "project = SE")) == 1
    assert route.call_count == 1


@pytest.mark.parametrize("tokens", ["aa", "aba", "abcb"], ids=["at once", "by way of another", "later on"])
async def test_the_cloud_can_t_send_us_in_circles(cloud: Jira, server: respx.MockRouter, tokens: str) -> None:
    route = server.post(f"{CLOUD}/rest/api/3/search/jql").mock(
        side_effect=[httpx.Response(200, json={"issues": [], "nextPageToken": token}) for token in tokens]
    )
    with pytest.raises(CannotAct, match="again and again"):
        await found(cloud, "project = SE")
    assert route.call_count == len(tokens)


async def test_data_center_is_searched_by_what_it_really_sent(center: Jira, server: respx.MockRouter) -> None:
    pages = [
        {"startAt": 0, "maxResults": 2, "total": 3, "issues": [issue("SE-1"), issue("SE-2")]},
        {"startAt": 2, "maxResults": 2, "total": 3, "issues": [issue("SE-3")]},
    ]
    route = server.post(f"{CENTER}/rest/api/2/search").mock(
        side_effect=[httpx.Response(200, json=page) for page in pages]
    )
    assert [ticket.key for ticket in await found(center, "project = SE")] == ["SE-1", "SE-2", "SE-3"]
    assert [body_of(route, call)["startAt"] for call in range(2)] == [0, 2]


async def test_data_center_ends_with_an_empty_page_whatever_its_total(center: Jira, server: respx.MockRouter) -> None:
    pages = [{"total": 9, "issues": [issue()]}, {"total": 9, "issues": []}]
    server.post(f"{CENTER}/rest/api/2/search").mock(side_effect=[httpx.Response(200, json=page) for page in pages])
    assert len(await found(center, "project = SE")) == 1


async def test_a_cache_can_t_make_us_miss_what_follows_a_page(
    either: tuple[Jira, str, str], server: respx.MockRouter
) -> None:
    jira, site, _ = either
    page = {"isLast": False, "values": [{"id": 37, "name": "Sprint 12", "state": "active"}]}
    route = server.get(f"{site}/rest/agile/1.0/board/12/sprint").respond(json=page)
    with pytest.raises(CannotAct, match="the same page of a list again and again"):
        await jira.sprints(12)
    assert route.call_count == 2


async def test_what_was_not_asked_for_stays_unknown(either: tuple[Jira, str, str], server: respx.MockRouter) -> None:
    jira, _, root = either
    bare = {"key": "SE-1", "fields": {"summary": "Mend it"}}
    route = server.post(url__startswith=f"{root}/search").respond(json=first_page(root, [bare]))
    (ticket,) = await found(jira, "project = SE", ["summary"])
    assert set(ticket.known()) == {"key", "summary", "url"}
    assert body_of(route)["fields"] == ["summary"]


PAST = {"total": 1, "histories": [history(UPDATED, STATUS)]}
SAID = {"total": 0, "comments": []}


@pytest.mark.parametrize(
    ("comments", "changelog", "known"),
    [
        pytest.param(SAID, PAST, {"remarks", "sprint_moves", "status_changes", "entered_status_at"}, id="all of both"),
        pytest.param(
            {**SAID, "total": 1}, PAST, {"sprint_moves", "status_changes", "entered_status_at"}, id="comments cut"
        ),
        pytest.param(SAID, {**PAST, "total": 2}, {"remarks"}, id="a history cut"),
        pytest.param(SAID, {"histories": []}, {"remarks"}, id="a history that may be cut"),
        pytest.param(None, None, set(), id="neither"),
    ],
)
async def test_a_search_tells_of_comments_and_history_where_the_answer_holds_them_all(
    either: tuple[Jira, str, str], server: respx.MockRouter, comments: Any, changelog: Any, known: set[str]
) -> None:
    jira, _, root = either
    told = {**issue(comment=comments), **({"changelog": changelog} if changelog else {})}
    route = server.post(url__startswith=f"{root}/search").respond(json=first_page(root, [told]))
    (ticket,) = await found(jira, "project = SE")
    past = {"remarks", "sprint_moves", "status_changes", "entered_status_at"}
    assert past & set(ticket.known()) == known
    assert body_of(route)["expand"] == (["changelog"] if root.startswith(CENTER) else "changelog")
    assert "comment" in body_of(route)["fields"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(httpx.Response(410), CannotAct, id="a search that was taken away"),
        pytest.param(httpx.Response(404), CannotAct, id="a search that never was"),
        pytest.param(httpx.Response(400, json={"errorMessages": ["Unbounded JQL"]}), CannotAct, id="refused JQL"),
        pytest.param(httpx.Response(401), CannotAct, id="an unknown token"),
        pytest.param(httpx.Response(503), TryLater, id="an overloaded server"),
        pytest.param(
            httpx.Response(200, json={"errorMessages": ["?"]}), CannotAct, id="an answer without issues", marks=WRONG
        ),
        pytest.param(httpx.Response(200, html="<html>"), CannotAct, id="a web page", marks=WRONG),
    ],
)
async def test_an_error_is_never_an_empty_result(
    either: tuple[Jira, str, str], server: respx.MockRouter, answer: httpx.Response, kind: type[CraftyError]
) -> None:
    jira, _, root = either
    route = server.post(url__startswith=f"{root}/search").mock(answer)
    with pytest.raises(kind, match="Jira answered POST"):
        await found(jira, "project = SE")
    assert route.call_count == 1


async def test_a_search_that_is_gone_names_the_setting_to_check(center: Jira, server: respx.MockRouter) -> None:
    server.post(f"{CENTER}/rest/api/2/search").respond(410)
    with pytest.raises(CannotAct, match="CRAFTY_JIRA_KIND"):
        await found(center, "project = SE")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        pytest.param(500, TryLater, id="a server error"),
        pytest.param(401, NotSignedIn, id="a token that expires just then"),
        pytest.param(410, CannotAct, id="a search that is taken away just then"),
    ],
)
async def test_an_error_on_a_later_page_is_not_an_end(
    either: tuple[Jira, str, str], server: respx.MockRouter, status: int, kind: type[CraftyError]
) -> None:
    jira, _, root = either
    first = httpx.Response(200, json=first_page(root, [issue()], more=True))
    server.post(url__startswith=f"{root}/search").mock(side_effect=[first, httpx.Response(status)])
    with pytest.raises(kind):
        await found(jira, "project = SE")


@pytest.mark.parametrize(
    ("found_keys", "expected"), [(["SE-3", "SE-9"], "SE-3"), ([], None)], ids=["the first of two", "none"]
)
async def test_a_ticket_is_found_by_its_label(
    either: tuple[Jira, str, str], server: respx.MockRouter, found_keys: list[str], expected: str | None
) -> None:
    jira, _, root = either
    issues = [{"key": key, "fields": {"summary": "x"}} for key in found_keys]
    route = server.post(url__startswith=f"{root}/search").respond(json=first_page(root, issues, more=bool(issues)))
    assert await jira.find_by_label("SE", 'crafty-"a\\b') == expected
    assert body_of(route)["jql"] == 'project = "SE" AND labels = "crafty-\\"a\\\\b" ORDER BY key'


# Sprints and ranks


async def test_a_sprint_is_read_with_the_moment_of_its_close(
    either: tuple[Jira, str, str], server: respx.MockRouter
) -> None:
    jira, site, _ = either
    closed = {"id": 36, "name": "Sprint 11", "state": "closed", "originBoardId": 12, "completeDate": UPDATED}
    server.get(f"{site}/rest/agile/1.0/sprint/36").respond(json=closed)
    at = datetime(2026, 11, 12, 9, tzinfo=UTC)
    assert await jira.sprint(36) == Sprint(id=36, name="Sprint 11", state="closed", board=12, completed_at=at)


async def test_sprints_are_read_over_all_pages(either: tuple[Jira, str, str], server: respx.MockRouter) -> None:
    jira, site, _ = either
    active = {
        "id": 37,
        "self": f"{site}/rest/agile/1.0/sprint/37",
        "state": "active",
        "name": "Sprint 12",
        "startDate": "2026-11-02T08:00:00.000Z",
        "endDate": "2026-11-16T09:00:00.000+01:00",
        "originBoardId": 12,
    }
    future = {"id": 40, "state": "future", "name": "Stretch Goals", "originBoardId": 12}
    pages = [
        {"maxResults": 50, "startAt": 0, "isLast": False, "values": [active]},
        {"maxResults": 50, "startAt": 1, "isLast": True, "values": [future]},
    ]
    route = server.get(f"{site}/rest/agile/1.0/board/12/sprint").mock(
        side_effect=[httpx.Response(200, json=page) for page in pages]
    )
    assert await jira.sprints(12) == (
        Sprint(
            id=37,
            name="Sprint 12",
            state="active",
            board=12,
            start=datetime(2026, 11, 2, 8, tzinfo=UTC),
            end=datetime(2026, 11, 16, 8, tzinfo=UTC),
        ),
        Sprint(id=40, name="Stretch Goals", state="future", board=12),
    )
    assert query_of(route, 0) == {"state": "active,future", "startAt": "0", "maxResults": "50"}
    assert query_of(route, 1)["startAt"] == "1"


@pytest.mark.parametrize(
    "end",
    [
        pytest.param([{"values": [{"id": 1, "name": "S", "state": "future"}], "total": 1}], id="a total alone"),
        pytest.param([{"values": [{"id": 1, "name": "S", "state": "future"}]}, {"values": []}], id="an empty page"),
    ],
)
async def test_sprints_end_without_a_mark_too(cloud: Jira, server: respx.MockRouter, end: list[dict[str, Any]]) -> None:
    route = server.get(f"{CLOUD}/rest/agile/1.0/board/12/sprint").mock(
        side_effect=[httpx.Response(200, json=page) for page in end]
    )
    assert [sprint.id for sprint in await cloud.sprints(12)] == [1]
    assert route.call_count == len(end)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(
            httpx.Response(400, json={"errorMessages": ["The board does not support sprints"]}),
            "does not support sprints",
            id="a Kanban board",
        ),
        pytest.param(httpx.Response(200, html="<html>"), "web page", id="a Jira without boards", marks=WRONG),
    ],
)
async def test_a_board_without_sprints_is_for_a_person(
    cloud: Jira, server: respx.MockRouter, answer: httpx.Response, said: str
) -> None:
    server.get(f"{CLOUD}/rest/agile/1.0/board/12/sprint").mock(answer)
    with pytest.raises(CannotAct, match=said):
        await cloud.sprints(12)


@pytest.mark.parametrize(
    ("count", "calls"),
    [
        pytest.param(0, [], id="none"),
        pytest.param(1, [1], id="one"),
        pytest.param(50, [50], id="as many as fit in a call"),
        pytest.param(51, [50, 1], id="one more"),
        pytest.param(101, [50, 50, 1], id="more than two calls"),
    ],
)
async def test_tickets_move_fifty_a_call(either: tuple[Jira, str, str], count: int, calls: list[int]) -> None:
    jira, site, _ = either
    keys = [f"SE-{number}" for number in range(count)]
    with respx.mock(assert_all_called=False) as server:
        server.route(method="POST", url__startswith=f"{site}/rest/agile/1.0/").respond(204)
        await jira.move_to_sprint(40, keys)
        await jira.move_to_backlog(keys)
        requests = [call.request for call in server.calls]
    sent = [(request.url.path.rpartition("1.0")[2], json.loads(request.content)) for request in requests]
    for path in ("/sprint/40/issue", "/backlog/issue"):
        batches = [body["issues"] for where, body in sent if where == path]
        assert [len(batch) for batch in batches] == calls
        assert [key for batch in batches for key in batch] == keys


async def test_a_ticket_is_ranked_before_another(either: tuple[Jira, str, str], server: respx.MockRouter) -> None:
    jira, site, _ = either
    route = server.put(f"{site}/rest/agile/1.0/issue/rank").respond(204)
    await jira.rank_first("SE-2", "SE-1")
    assert body_of(route) == {"issues": ["SE-2"], "rankBeforeIssue": "SE-1"}


async def test_a_ticket_is_not_ranked_before_itself(cloud: Jira, server: respx.MockRouter) -> None:
    await cloud.rank_first("SE-1", "SE-1")
    assert not server.calls


GOOD = {"issueId": 10000, "issueKey": "SE-1", "status": 200}
BUSY = {"issueId": 10001, "issueKey": "SE-2", "status": 503, "errors": ["Please try again later."]}
DENIED = {"issueId": 10002, "issueKey": "SE-3", "status": 403, "errors": ["No permission to schedule."]}


@pytest.mark.parametrize(
    ("entries", "kind", "said"),
    [
        pytest.param([GOOD, DENIED], CannotAct, r"\(SE-3: No permission to schedule\.\)", id="one is refused"),
        pytest.param([GOOD, BUSY], TryLater, r"\(SE-2: Please try again later\.\)", id="one is refused for now"),
        pytest.param([BUSY, DENIED], CannotAct, "SE-2: .*, SE-3: ", id="one for now and one for good"),
        pytest.param([{"issueId": 7, "status": 404}], CannotAct, r"\(7: 404\)", id="one that has only an id"),
    ],
)
async def test_a_half_success_is_an_error_that_names_the_tickets(
    cloud: Jira, server: respx.MockRouter, entries: list[Any], kind: type[CraftyError], said: str
) -> None:
    server.put(f"{CLOUD}/rest/agile/1.0/issue/rank").respond(207, json={"entries": entries})
    with pytest.raises(kind, match=said):
        await cloud.rank_first("SE-3", "SE-1")


@pytest.mark.parametrize("entries", [[], [GOOD]], ids=["nothing to tell", "all went well"])
async def test_a_multiple_answer_without_errors_is_a_success(
    cloud: Jira, server: respx.MockRouter, entries: list[Any]
) -> None:
    route = server.post(f"{CLOUD}/rest/agile/1.0/sprint/40/issue").respond(207, json={"entries": entries})
    await cloud.move_to_sprint(40, ["SE-1"])
    assert route.call_count == 1


async def test_the_first_of_a_sprint_is_the_highest_that_is_no_subtask(
    either: tuple[Jira, str, str], server: respx.MockRouter
) -> None:
    jira, _, root = either
    kinds = {"SE-8": {"name": "Sub-task", "subtask": True}, "SE-9": {"name": "Story", "subtask": False}}
    ranked = [{"key": key, "fields": {"issuetype": kind}} for key, kind in kinds.items()]
    route = server.post(url__startswith=f"{root}/search").respond(json=first_page(root, ranked, more=True))
    assert await jira.first_of_sprint(40) == "SE-9"
    assert body_of(route)["jql"] == "sprint = 40 ORDER BY Rank ASC"
    assert route.call_count == 1


async def test_an_empty_sprint_has_no_first(either: tuple[Jira, str, str], server: respx.MockRouter) -> None:
    jira, _, root = either
    server.post(url__startswith=f"{root}/search").respond(json=first_page(root, []))
    assert await jira.first_of_sprint(40) is None


# Comments


def comment(number: int, value: Any = None, name: str = "crafty") -> dict[str, Any]:
    return {
        "id": str(number),
        "author": CLOUD_USER,
        "body": "…",
        "created": CREATED,
        "properties": [{"key": "sd.public.comment", "value": {"internal": False}}, {"key": name, "value": value}],
    }


async def test_our_comments_are_found_by_their_property_over_all_pages(
    either: tuple[Jira, str, str], server: respx.MockRouter
) -> None:
    jira, _, root = either
    pages = [
        {"startAt": 0, "maxResults": 2, "total": 3, "comments": [comment(1, {"key": "a:SE-1:x"}), {"id": "2"}]},
        {"startAt": 2, "maxResults": 2, "total": 3, "comments": [comment(3, {"key": "b:SE-1:y"})]},
    ]
    route = server.get(f"{root}/issue/SE-1/comment").mock(
        side_effect=[httpx.Response(200, json=page) for page in pages * 2]
    )
    at = datetime(2026, 11, 2, 9, tzinfo=UTC)
    keyed = [KeyedComment("1", "a:SE-1:x", at), KeyedComment("3", "b:SE-1:y", at)]
    assert await jira.comments_with_key("SE-1") == keyed
    assert query_of(route, 1) == {"expand": "properties", "orderBy": "created", "startAt": "2", "maxResults": "100"}
    assert await jira.find_comment("SE-1", "b:SE-1:y") == "3"


@pytest.mark.parametrize(
    "standing",
    [
        pytest.param([], id="no comment"),
        pytest.param([comment(1, {"key": "other"})], id="another key"),
        pytest.param([comment(1, {"key": "k"}, name="elsewhere")], id="another property"),
        pytest.param([comment(1, "k")], id="a text for a value"),
        pytest.param([comment(1, {"key": 7})], id="a number for a key"),
        pytest.param([comment(1, None)], id="an empty value"),
    ],
)
async def test_a_comment_that_is_not_there_is_none(
    cloud: Jira, server: respx.MockRouter, standing: list[dict[str, Any]]
) -> None:
    page = {"startAt": 0, "maxResults": 100, "total": len(standing), "comments": standing}
    server.get(f"{CLOUD}/rest/api/3/issue/SE-1/comment").respond(json=page)
    assert await cloud.find_comment("SE-1", "k") is None


async def test_the_oldest_of_two_like_comments_counts(cloud: Jira, server: respx.MockRouter) -> None:
    page = {"total": 2, "comments": [comment(1, {"key": "k"}), comment(2, {"key": "k"})]}
    server.get(f"{CLOUD}/rest/api/3/issue/SE-1/comment").respond(json=page)
    assert await cloud.find_comment("SE-1", "k") == "1"


async def test_the_cloud_gets_a_comment_as_a_document_with_its_key(cloud: Jira, server: respx.MockRouter) -> None:
    route = server.post(f"{CLOUD}/rest/api/3/issue/SE-1/comment").respond(201, json={"id": "77", "body": {}})
    assert await cloud.add_comment("SE-1", HELLO, "a:SE-1:x") == "77"
    body = body_of(route)
    assert body == {"body": to_adf(HELLO), "properties": [{"key": "crafty", "value": {"key": "a:SE-1:x"}}]}
    assert body["body"]["type"] == "doc"


async def test_data_center_gets_a_comment_as_wiki_text_with_its_key(center: Jira, server: respx.MockRouter) -> None:
    route = server.post(f"{CENTER}/rest/api/2/issue/SE-1/comment").respond(201, json={"id": "77"})
    assert await center.add_comment("SE-1", HELLO, "a:SE-1:x") == "77"
    assert body_of(route)["body"] == f"Hello [~{ANN.jira}]"
    assert body_of(route)["properties"] == [{"key": "crafty", "value": {"key": "a:SE-1:x"}}]


@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(httpx.Response(500), id="a server error"),
        pytest.param(httpx.ReadTimeout("no answer"), id="a timeout"),
    ],
)
async def test_a_comment_that_may_stand_is_not_written_again(
    cloud: Jira, server: respx.MockRouter, outcome: httpx.Response | Exception
) -> None:
    route = server.post(f"{CLOUD}/rest/api/3/issue/SE-1/comment").mock(side_effect=[outcome])
    with pytest.raises(TryLater):
        await cloud.add_comment("SE-1", HELLO, "k")
    assert route.call_count == 1


async def test_an_edit_changes_the_words_alone_and_notifies_nobody(
    either: tuple[Jira, str, str], server: respx.MockRouter
) -> None:
    jira, _, root = either
    route = server.put(f"{root}/issue/SE-1/comment/77").respond(200, json={"id": "77"})
    await jira.edit_comment("SE-1", "77", HELLO)
    assert query_of(route) == {"notifyUsers": "false"}
    assert list(body_of(route)) == ["body"]
    assert route.call_count == 1


@pytest.mark.parametrize("status", [400, 403])
async def test_an_edit_that_may_not_be_silent_is_made_the_ordinary_way(
    cloud: Jira, server: respx.MockRouter, status: int
) -> None:
    words = "To discard the user notification either admin or project admin permissions are required."
    route = server.put(f"{CLOUD}/rest/api/3/issue/SE-1/comment/77").mock(
        side_effect=[httpx.Response(status, json={"errorMessages": [words]}), httpx.Response(200, json={"id": "77"})]
    )
    await cloud.edit_comment("SE-1", "77", HELLO)
    assert [query_of(route, call) for call in range(2)] == [{"notifyUsers": "false"}, {}]


@pytest.mark.parametrize(
    ("status", "kind", "calls"),
    [
        pytest.param(400, CannotAct, 2, id="refused words are refused both ways"),
        pytest.param(401, CannotAct, 1, id="an unknown token is not tried twice"),
        pytest.param(404, NotFound, 1, id="a deleted comment is not found"),
        pytest.param(500, TryLater, 1, id="a server error is left to the queue"),
    ],
)
async def test_an_edit_that_fails_tells_why(
    cloud: Jira, server: respx.MockRouter, status: int, kind: type[CraftyError], calls: int
) -> None:
    route = server.put(f"{CLOUD}/rest/api/3/issue/SE-1/comment/77").respond(status)
    with pytest.raises(kind):
        await cloud.edit_comment("SE-1", "77", HELLO)
    assert route.call_count == calls


async def test_a_comment_id_leads_nowhere_else(cloud: Jira, server: respx.MockRouter) -> None:
    with pytest.raises(NotFound):
        await cloud.edit_comment("SE-1", "..", HELLO)
    assert not server.calls


# Writing


@pytest.mark.parametrize(
    ("person", "account"), [pytest.param(ANN, ANN.jira, id="somebody"), pytest.param(None, None, id="nobody")]
)
async def test_a_ticket_is_assigned(
    either: tuple[Jira, str, str], server: respx.MockRouter, person: Person | None, account: str | None
) -> None:
    jira, site, root = either
    route = server.put(f"{root}/issue/SE-1/assignee").respond(204)
    await jira.assign("SE-1", person)
    assert body_of(route) == {"accountId" if site == CLOUD else "name": account}


async def test_a_user_field_names_the_person(either: tuple[Jira, str, str], server: respx.MockRouter) -> None:
    jira, site, root = either
    route = server.put(f"{root}/issue/SE-1").respond(204)
    await jira.set_user_field("SE-1", "customfield_10030", ANN)
    user = {"accountId" if site == CLOUD else "name": ANN.jira}
    assert body_of(route) == {"fields": {"customfield_10030": user}}


async def test_a_field_for_several_people_gets_a_list(cloud: Jira, server: respx.MockRouter) -> None:
    route = server.put(f"{CLOUD}/rest/api/3/issue/SE-1").mock(
        side_effect=[httpx.Response(400, json={"errors": {"customfield_10030": "data was not an array"}}), OK]
    )
    await cloud.set_user_field("SE-1", "customfield_10030", ANN)
    assert body_of(route) == {"fields": {"customfield_10030": [{"accountId": ANN.jira}]}}


@pytest.mark.parametrize(("status", "calls"), [(400, 2), (403, 1)], ids=["refused both ways", "forbidden"])
async def test_a_user_field_that_is_refused_tells_the_first_reason(
    cloud: Jira, server: respx.MockRouter, status: int, calls: int
) -> None:
    route = server.put(f"{CLOUD}/rest/api/3/issue/SE-1").mock(
        side_effect=[httpx.Response(status, json={"errorMessages": [word]}) for word in ("first", "second")]
    )
    with pytest.raises(CannotAct, match="first"):
        await cloud.set_user_field("SE-1", "customfield_10030", ANN)
    assert route.call_count == calls


DUE = date(2026, 11, 17)
OK = httpx.Response(204)
MADE = httpx.Response(201, json={"id": "10200", "key": "SE-9", "self": f"{CLOUD}/rest/api/3/issue/10200"})


async def made(jira: Jira, summary: str = "Answer a pull request", assignee: Person | None = ANN) -> str:
    return await jira.create_ticket(
        "SE", "Task", summary, HELLO, due=DUE, epic="SE-2", assignee=assignee, labels=("community", "crafty-abc")
    )


async def test_the_cloud_makes_a_ticket_under_its_parent_with_a_document(cloud: Jira, server: respx.MockRouter) -> None:
    route = server.post(f"{CLOUD}/rest/api/3/issue").mock(MADE)
    assert await made(cloud) == "SE-9"
    assert body_of(route)["fields"] == {
        "project": {"key": "SE"},
        "issuetype": {"name": "Task"},
        "summary": "Answer a pull request",
        "description": to_adf(HELLO),
        "labels": ["community", "crafty-abc"],
        "duedate": "2026-11-17",
        "parent": {"key": "SE-2"},
        "assignee": {"accountId": ANN.jira},
    }


@pytest.mark.parametrize("field", ["customfield_10014", None], ids=["with an Epic Link field", "without one"])
async def test_data_center_makes_a_ticket_with_an_epic_link_where_it_has_that_field(
    center: Jira, server: respx.MockRouter, field: str | None
) -> None:
    center.fields = FieldMap(epic_link=field)
    route = server.post(f"{CENTER}/rest/api/2/issue").mock(MADE)
    assert await made(center) == "SE-9"
    sent = body_of(route)["fields"]
    assert (sent["description"], sent["assignee"]) == (f"Hello [~{ANN.jira}]", {"name": ANN.jira})
    assert {name: value for name, value in sent.items() if value == "SE-2"} == ({field: "SE-2"} if field else {})


async def test_somebody_without_an_account_leaves_a_new_ticket_unassigned(
    cloud: Jira, server: respx.MockRouter
) -> None:
    route = server.post(f"{CLOUD}/rest/api/3/issue").mock(MADE)
    await made(cloud, assignee=Person(name="Bob"))
    assert "assignee" not in body_of(route)["fields"]


@pytest.mark.parametrize(
    ("summary", "sent"),
    [
        pytest.param("a\nb \t c", "a b c", id="lines become one"),
        pytest.param("a" * 255, "a" * 255, id="as long as Jira takes"),
        pytest.param("a" * 256, "a" * 255, id="one letter longer"),
        pytest.param("a" * 254 + "🙂", "a" * 254, id="a letter that counts as two is not halved"),
        pytest.param("a" * 253 + "🙂b", "a" * 253 + "🙂", id="a letter that counts as two and fits"),
    ],
)
async def test_a_summary_is_one_line_that_jira_takes(
    cloud: Jira, server: respx.MockRouter, summary: str, sent: str
) -> None:
    route = server.post(f"{CLOUD}/rest/api/3/issue").mock(MADE)
    await made(cloud, summary)
    assert body_of(route)["fields"]["summary"] == sent


@pytest.mark.parametrize(
    ("errors", "left_out"),
    [
        pytest.param({"duedate": "Field 'duedate' cannot be set."}, {"duedate"}, id="the due date"),
        pytest.param({"assignee": "User cannot be assigned issues."}, {"assignee"}, id="the assignee"),
        pytest.param({"parentId": "Does not belong to the hierarchy."}, {"parent"}, id="a parent that does not fit"),
        pytest.param({"duedate": "no", "parent": "no"}, {"duedate", "parent"}, id="two of them"),
    ],
)
async def test_what_jira_refuses_and_a_ticket_can_do_without_is_left_out(
    cloud: Jira, server: respx.MockRouter, errors: dict[str, str], left_out: set[str]
) -> None:
    refusal = httpx.Response(400, json={"errorMessages": [], "errors": errors})
    route = server.post(f"{CLOUD}/rest/api/3/issue").mock(side_effect=[refusal, MADE])
    assert await made(cloud) == "SE-9"
    first, second = (body_of(route, call)["fields"] for call in range(2))
    assert first.keys() - second.keys() == left_out
    assert second.items() <= first.items()


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        pytest.param([httpx.Response(400, json={"errors": {"summary": "no"}})], CannotAct, id="a needed field"),
        pytest.param([httpx.Response(400, json={"errors": {"duedate": "no"}})] * 2, CannotAct, id="refused again"),
        pytest.param([httpx.Response(403, json={"errors": {"duedate": "no"}})], CannotAct, id="forbidden"),
        pytest.param([httpx.Response(500)], TryLater, id="a ticket that may stand"),
        pytest.param([httpx.Response(201, json={"id": "1"})], CannotAct, id="no key"),
    ],
)
async def test_a_ticket_that_is_not_made_tells_why(
    cloud: Jira, server: respx.MockRouter, answers: list[httpx.Response], kind: type[CraftyError]
) -> None:
    route = server.post(f"{CLOUD}/rest/api/3/issue").mock(side_effect=answers)
    with pytest.raises(kind):
        await made(cloud)
    assert route.call_count == len(answers)


@pytest.mark.parametrize("status", [200, 201], ids=["changed", "new"])
async def test_a_remote_link_bears_its_global_id(
    either: tuple[Jira, str, str], server: respx.MockRouter, status: int
) -> None:
    jira, _, root = either
    route = server.post(f"{root}/issue/SE-1/remotelink").respond(status, json={"id": 1})
    await jira.add_remote_link("SE-1", "https://x.example/pull/7", "A pull request", "crafty=github:x/y#7")
    link = {"url": "https://x.example/pull/7", "title": "A pull request"}
    assert body_of(route) == {"globalId": "crafty=github:x/y#7", "object": link}


async def test_somebody_without_an_account_can_t_be_assigned(cloud: Jira, server: respx.MockRouter) -> None:
    with pytest.raises(CannotAct, match="Bob has no Jira account"):
        await cloud.assign("SE-1", Person(name="Bob"))
    assert not server.calls


async def test_labels_are_edited_one_by_one(either: tuple[Jira, str, str], server: respx.MockRouter) -> None:
    jira, _, root = either
    route = server.put(f"{root}/issue/SE-1").respond(204)
    await jira.edit_labels("SE-1", ["spillover", "late"], ["spillover-risk"])
    verbs = [{"add": "spillover"}, {"add": "late"}, {"remove": "spillover-risk"}]
    assert body_of(route) == {"update": {"labels": verbs}}


async def test_no_labels_are_no_call(cloud: Jira, server: respx.MockRouter) -> None:
    await cloud.edit_labels("SE-1", [], [])
    assert not server.calls


async def test_a_write_that_meets_another_one_is_tried_later(cloud: Jira, server: respx.MockRouter) -> None:
    server.put(f"{CLOUD}/rest/api/3/issue/SE-1/assignee").respond(409)
    with pytest.raises(TryLater):
        await cloud.assign("SE-1", ANN)


# Rights, accounts and webhooks

PERMISSION = {"id": "10", "key": "x", "name": "x", "type": "PROJECT", "description": ""}
HOOK = WebhookWish("Crafty", "https://c.example/webhooks/jira", ("jira:issue_updated",), "project in (SE)", "s3cret")
OLDER = "/rest/webhooks/1.0/webhook"
NEWER = "/rest/jira-webhook/1.0/webhooks"
SHARED = {
    "name": "Crafty",
    "url": "https://c.example/webhooks/jira",
    "events": ["jira:issue_updated"],
    "filters": {"issue-related-events-section": "project in (SE)"},
}


@pytest.mark.parametrize(("told", "is_cloud"), [("Cloud", True), ("Server", False), ("DataCenter", False)])
async def test_a_jira_tells_which_kind_it_is(
    either: tuple[Jira, str, str], server: respx.MockRouter, told: str, is_cloud: bool
) -> None:
    jira, site, _ = either
    server.get(f"{site}/rest/api/2/serverInfo").respond(json={"deploymentType": told, "versionNumbers": [10, 3]})
    assert await jira.is_cloud() is is_cloud


async def test_permissions_are_those_that_we_have(either: tuple[Jira, str, str], server: respx.MockRouter) -> None:
    jira, _, root = either
    held = {
        "ADD_COMMENTS": {**PERMISSION, "havePermission": True},
        "EDIT_ISSUES": {**PERMISSION, "havePermission": False},
    }
    route = server.get(f"{root}/mypermissions").respond(json={"permissions": held})
    wanted = ["ADD_COMMENTS", "EDIT_ISSUES", "SCHEDULE_ISSUES"]
    assert await jira.permissions("SE", wanted) == {"ADD_COMMENTS"}
    assert query_of(route) == {"projectKey": "SE", "permissions": "ADD_COMMENTS,EDIT_ISSUES,SCHEDULE_ISSUES"}


@pytest.mark.parametrize("is_active", [True, False])
async def test_an_account_is_open_or_not(
    either: tuple[Jira, str, str], server: respx.MockRouter, is_active: bool
) -> None:
    jira, site, root = either
    user = CLOUD_USER if site == CLOUD else CENTER_USER
    route = server.get(f"{root}/user").respond(json={**user, "active": is_active})
    assert await jira.is_active("x y") is is_active
    assert query_of(route) == {"accountId" if site == CLOUD else "username": "x y"}


async def test_the_clouds_webhooks_are_read(cloud: Jira, server: respx.MockRouter) -> None:
    shown = {**SHARED, "self": f"{CLOUD}{OLDER}/72", "enabled": False, "isSigned": True, "excludeBody": False}
    server.get(f"{CLOUD}{OLDER}").respond(json=[shown])
    assert await cloud.signs_webhooks()
    assert await cloud.webhooks() == [
        Webhook(
            id="72",
            name="Crafty",
            url=HOOK.url,
            events=frozenset(HOOK.events),
            is_enabled=False,
            jql="project in (SE)",
            is_signed=True,
        )
    ]


async def test_data_centers_webhooks_are_read_page_by_page(center: Jira, server: respx.MockRouter) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        start = int(request.url.params["start"])
        return httpx.Response(200, json=[{**SHARED, "id": number, "active": True} for number in range(start, 3)][:2])

    server.get(f"{CENTER}{NEWER}").mock(side_effect=page)
    assert [(one.id, one.is_enabled, one.is_signed) for one in await center.webhooks()] == [
        ("0", True, None),
        ("1", True, None),
        ("2", True, None),
    ]
    assert await center.signs_webhooks()


async def test_an_old_data_center_has_its_webhooks_elsewhere_and_does_not_sign(
    center: Jira, server: respx.MockRouter
) -> None:
    server.get(f"{CENTER}{NEWER}").respond(404)
    server.get(f"{CENTER}{OLDER}").respond(json=[{**SHARED, "self": f"{CENTER}{OLDER}/3"}])
    assert [(one.id, one.is_signed) for one in await center.webhooks()] == [("3", None)]
    assert not await center.signs_webhooks()


async def test_on_the_cloud_the_secret_stands_beside_the_rest(cloud: Jira, server: respx.MockRouter) -> None:
    server.get(f"{CLOUD}{OLDER}").respond(json=[])
    added = server.post(f"{CLOUD}{OLDER}").respond(201, json={})
    changed = server.put(f"{CLOUD}{OLDER}/72").respond(200, json={})
    await cloud.add_webhook(HOOK)
    await cloud.change_webhook("72", HOOK)
    assert body_of(added) == {**SHARED, "excludeBody": False, "enabled": True, "secret": "s3cret"}
    assert body_of(changed) == body_of(added)


async def test_on_data_center_the_secret_stands_in_the_configuration(center: Jira, server: respx.MockRouter) -> None:
    server.get(f"{CENTER}{NEWER}").respond(json=[])
    added = server.post(f"{CENTER}{NEWER}").respond(201, json={})
    changed = server.put(f"{CENTER}{NEWER}/7").respond(200, json={})
    await center.add_webhook(HOOK)
    await center.change_webhook("7", HOOK)
    settings = {"EXCLUDE_BODY": "false", "SECRET": "s3cret"}
    assert body_of(added) == {**SHARED, "active": True, "scopeType": "global", "configuration": settings}
    assert body_of(changed) == body_of(added)


def test_a_wish_shows_neither_its_secret_nor_its_address() -> None:
    wish = WebhookWish("Crafty", "https://c.example/webhooks/jira?token=t0ken", (), "", "s3cret")
    assert "t0ken" not in f"{wish}"
    assert "s3cret" not in f"{wish}"
