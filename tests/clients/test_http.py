"""Calls over HTTP: what is sent, what comes back as which error, and what is tried again."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

import httpx
import msgspec
import pytest
import respx
from hypothesis import given, settings
from hypothesis import strategies as st

from service.clients._http import Api, Credential, Moved, NotSignedIn, Refused, retry_after, under
from service.errors import CannotAct, CraftyError, NotFound, TryLater

SITE = "https://jira.example"
TOKEN = "s3cr3t-t0ken"
CREDENTIAL = Credential("CRAFTY_JIRA_TOKEN", {"Authorization": f"Bearer {TOKEN}"}, (TOKEN,))
NOW = "Fri, 13 Nov 2026 10:00:00 GMT"
DONE = httpx.Response(200, json={"id": 7})
TIMED_OUT = httpx.ReadTimeout("no answer")
NO_CONNECTION = httpx.ConnectError("refused")


class Answer(msgspec.Struct):
    id: int
    name: str = ""


class Pauses(list[float]):
    """Stands in for sleeping: remembers how long, and goes on at once."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
async def api(pauses: Pauses) -> AsyncIterator[Api]:
    made = Api("Jira", SITE, CREDENTIAL, pauses)
    yield made
    await made.aclose()


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=SITE) as router:
        yield router


def answering(status: int, retry_after: str | None = None) -> httpx.Response:
    return httpx.Response(status, headers={"Retry-After": retry_after} if retry_after is not None else {})


async def test_a_call_carries_credential_agent_query_and_json(api: Api, server: respx.MockRouter) -> None:
    route = server.post("/things", params={"a": "1"}, json={"name": "x"}).respond(json={"id": 7, "more": True})
    assert await api.request("POST", "/things", params={"a": 1}, json={"name": "x"}, into=Answer) == Answer(7)
    request = route.calls.last.request
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.headers["User-Agent"].startswith("Crafty/")
    assert request.headers["Accept"] == "application/json"
    assert request.extensions["timeout"] == {"connect": 5, "read": 20, "write": 10, "pool": 5}


async def test_the_context_path_of_the_base_address_is_kept() -> None:
    api = Api("Jira", f"{SITE}/context", CREDENTIAL)
    with respx.mock:
        respx.get(f"{SITE}/context/things").respond(json={"id": 7})
        assert await api.request("GET", "/things", into=Answer) == Answer(7)
    await api.aclose()


async def test_a_closed_client_sends_nothing() -> None:
    api = Api("Jira", SITE, CREDENTIAL)
    await api.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await api.send("GET", "/things")


async def test_cookies_are_not_kept(api: Api, server: respx.MockRouter) -> None:
    route = server.get("/things").respond(json={"id": 7}, headers={"Set-Cookie": "JSESSIONID=abc; Path=/"})
    await api.send("GET", "/things")
    await api.send("GET", "/things")
    assert "Cookie" not in route.calls.last.request.headers


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        pytest.param(301, Moved, id="a redirect is not followed"),
        pytest.param(302, Moved, id="nor is a temporary one"),
        pytest.param(400, Refused, id="a bad request stays bad"),
        pytest.param(401, Refused, id="an unknown token needs a person"),
        pytest.param(403, Refused, id="a missing permission needs a person"),
        pytest.param(404, NotFound, id="what is not there is not found"),
        pytest.param(405, Refused, id="a method that is not allowed stays so"),
        pytest.param(408, TryLater, id="a request timeout passes"),
        pytest.param(409, TryLater, id="a conflict with another writer passes"),
        pytest.param(410, NotFound, id="what is gone is not found"),
        pytest.param(413, Refused, id="too large stays too large"),
        pytest.param(422, Refused, id="a refused text stays refused"),
        pytest.param(425, TryLater, id="too early passes"),
        pytest.param(429, TryLater, id="too many calls pass"),
        pytest.param(499, Refused, id="the last client error needs a person"),
        pytest.param(500, TryLater, id="a server error may pass"),
        pytest.param(503, TryLater, id="an overloaded server passes"),
        pytest.param(599, TryLater, id="the last server error may pass"),
    ],
)
async def test_each_status_is_one_kind_of_error(
    api: Api, server: respx.MockRouter, status: int, kind: type[CraftyError]
) -> None:
    server.post("/things").respond(status)
    with pytest.raises(kind, match=rf"^Jira answered POST /things with {status}"):
        await api.send("POST", "/things", params={"jql": "secret plans"})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(
            '{"errorMessages":["Issue does not exist."],"errors":{}}', "(Issue does not exist)", id="Jira's sentences"
        ),
        pytest.param(
            '{"errorMessages":[],"errors":{"assignee":"No such user."}}', "(assignee: No such user)", id="Jira's fields"
        ),
        pytest.param(
            '{"action":"create_post","errors":["Body is too short","Title too"]}',
            "(Body is too short; Title too)",
            id="Discourse",
        ),
        pytest.param(
            '{"id":"api.post.error","message":"Invalid channel.","status_code":400}',
            "(Invalid channel)",
            id="Mattermost",
        ),
        pytest.param(
            '{"message":"Validation Failed","errors":[{"resource":"Issue","code":"missing"}]}',
            "(resource: Issue; code: missing; Validation Failed)",
            id="GitHub",
        ),
        pytest.param('{"message":{"note":["can\'t be blank"]}}', "(note: can't be blank)", id="GitLab's fields"),
        pytest.param(
            '{"error":"insufficient_scope","error_description":"The token lacks a scope."}',
            "(The token lacks a scope)",
            id="GitLab's tokens",
        ),
        pytest.param('{"code":401,"message":"scope does not match"}', "(scope does not match)", id="Atlassian's door"),
        pytest.param("<html>Bad</html>", "with 400.", id="a web page says nothing"),
        pytest.param('{"errors": 7}', "with 400.", id="nor does an unknown shape"),
        pytest.param("[" * 100_000, "with 400.", id="nor does a bottomless one"),
    ],
)
async def test_a_refusal_is_told_in_the_vendors_words(api: Api, server: respx.MockRouter, body: str, said: str) -> None:
    server.get("/things").respond(400, text=body)
    with pytest.raises(Refused) as refusal:
        await api.send("GET", "/things")
    assert said in str(refusal.value)
    assert refusal.value.status == 400


@pytest.mark.parametrize(
    ("status", "names_credential"),
    [
        pytest.param(400, False, id="a bad request is no matter of credentials"),
        pytest.param(401, True, id="an unknown token is"),
        pytest.param(402, False, id="a missing payment is not"),
        pytest.param(403, True, id="a missing permission is"),
    ],
)
async def test_the_credential_to_check_is_named(
    api: Api, server: respx.MockRouter, status: int, names_credential: bool
) -> None:
    server.get("/things").respond(status)
    with pytest.raises(Refused) as refusal:
        await api.send("GET", "/things")
    assert ("CRAFTY_JIRA_TOKEN" in str(refusal.value)) is names_credential


async def test_an_error_shows_no_secret_no_query_and_not_too_much(api: Api, server: respx.MockRouter) -> None:
    words = f"Token {TOKEN}\nis bad at https://x.example/a?key=hidden now {'long ' * 200}"
    server.get("/things").respond(400, json={"errorMessages": [words]})
    with pytest.raises(Refused) as refusal:
        await api.send("GET", "/things", params={"jql": "confidential"})
    shown = str(refusal.value)
    assert "Token … is bad at https://x.example/a?… now long" in shown
    assert not any(hidden in shown for hidden in (TOKEN, "hidden", "confidential", "\n"))
    assert len(shown) < 360


async def test_a_credential_keeps_its_secrets_when_shown() -> None:
    assert TOKEN not in repr(CREDENTIAL)


async def test_logs_hold_neither_queries_nor_tokens(
    api: Api, server: respx.MockRouter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.get("/things").respond(json={"id": 7})
    await api.send("GET", "/things", params={"jql": "confidential"})
    assert "confidential" not in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("abc\n", id="a line break at the end"),
        pytest.param("abc\x00", id="a control character"),
        pytest.param("naïve", id="a letter beyond ASCII"),
    ],
)
def test_a_token_that_no_header_can_carry_is_refused_at_once(token: str) -> None:
    credential = Credential("CRAFTY_JIRA_TOKEN", {"Authorization": f"Bearer {token}"}, (token,))
    with pytest.raises(CannotAct, match=r"^CRAFTY_JIRA_TOKEN has a character") as refusal:
        Api("Jira", SITE, credential)
    assert token not in str(refusal.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b'{"id": "7"}', "another shape", id="a text for a number"),
        pytest.param(b'{"name": ""}', "another shape", id="a missing part"),
        pytest.param(b"[]", "another shape", id="a list for an object"),
        pytest.param(b'{"id": 7, "name": "\xff"}', "another shape", id="broken UTF-8"),
        pytest.param(b'{"x":' + b"[" * 100_000, "another shape", id="bottomless JSON"),
    ],
)
async def test_an_answer_of_another_shape_is_for_a_person(
    api: Api, server: respx.MockRouter, body: bytes, said: str
) -> None:
    server.get("/things").respond(200, content=body)
    with pytest.raises(CannotAct, match=f"^Jira answered GET /things with .*{said}"):
        await api.request("GET", "/things", into=Answer)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"id": 7', id="truncated JSON"),
        pytest.param(b"", id="nothing"),
    ],
)
async def test_an_answer_that_is_cut_off_is_asked_for_later(api: Api, server: respx.MockRouter, body: bytes) -> None:
    server.get("/things").respond(200, content=body)
    with pytest.raises(TryLater, match=r"^Jira answered GET /things with JSON that is cut off"):
        await api.request("GET", "/things", into=Answer)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<!DOCTYPE html><title>Log in</title>", id="a login page"),
        pytest.param(b"\n  <html></html>", id="a page after white space"),
        pytest.param(b"\xef\xbb\xbf<html></html>", id="a page after a byte order mark"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
async def test_a_web_page_is_no_answer_though_nobody_would_read_it(
    api: Api, server: respx.MockRouter, method: str, body: bytes
) -> None:
    server.route(method=method, path="/things").respond(200, content=body)
    with pytest.raises(NotSignedIn, match=f"^Jira answered {method} /things with a web page instead of JSON"):
        await api.send(method, "/things")


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
async def test_words_of_a_proxy_are_no_answer_though_nobody_would_read_them(
    api: Api, server: respx.MockRouter, method: str
) -> None:
    server.route(method=method, path="/things").respond(200, text="upstream is busy")
    with pytest.raises(TryLater, match=f"^Jira answered {method} /things with words that are no JSON"):
        await api.send(method, "/things")


@pytest.mark.parametrize("body", [b"", b"{}", b" []"], ids=["nothing", "an object", "a list"])
async def test_what_is_answered_to_a_write_need_not_be_read(api: Api, server: respx.MockRouter, body: bytes) -> None:
    server.put("/things").respond(200, content=body, headers={"Content-Type": "text/plain"})
    assert (await api.send("PUT", "/things")).content == body


@settings(max_examples=40, deadline=None)
@given(status=st.integers(200, 599), body=st.binary(max_size=60), header=st.text(st.characters(codec="ascii")))
async def test_no_answer_causes_an_unexpected_error(status: int, body: bytes, header: str) -> None:
    api = Api("Jira", SITE, CREDENTIAL, Pauses())
    with respx.mock:
        respx.post(SITE).respond(status, content=body, headers={"Retry-After": header})
        outcomes = await asyncio.gather(api.request("POST", "/", into=dict[str, int]), return_exceptions=True)
    await api.aclose()
    assert isinstance(outcomes[0], dict | CraftyError)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        pytest.param("7", 7, id="seconds"),
        pytest.param("1.5", 1.5, id="parts of a second"),
        pytest.param("0", 0, id="at once"),
        pytest.param("-5", 0, id="never a negative time"),
        pytest.param("3599", 3599, id="just below an hour"),
        pytest.param("3600", 3600, id="an hour"),
        pytest.param("3601", 3600, id="never more than an hour"),
        pytest.param("9223372036854775807", 3600, id="a blocked user of Data Center"),
        pytest.param("9" * 5000, 3600, id="more digits than a number may have"),
        pytest.param("Fri, 13 Nov 2026 10:00:30 GMT", 30, id="a date counts from the answer's date"),
        pytest.param("Fri, 13 Nov 2026 09:59:00 GMT", 0, id="a date that has passed"),
        pytest.param("Sat, 13 Nov 2027 10:00:00 GMT", 3600, id="a date next year"),
        pytest.param("Fri, 13 Nov 2026 10:00:30 -0000", None, id="a date without a zone"),
        pytest.param("soon", None, id="words"),
        pytest.param("nan", None, id="not a number"),
        pytest.param("inf", None, id="for ever"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_retry_after_is_read_and_kept_within_an_hour(asked: str, seconds: float | None) -> None:
    assert retry_after(httpx.Headers({"Retry-After": asked, "Date": NOW})) == seconds


def test_a_date_without_the_answers_own_date_gives_no_time() -> None:
    assert retry_after(httpx.Headers({"Retry-After": NOW})) is None


@given(asked=st.text(st.characters(codec="ascii")), date=st.text(st.characters(codec="ascii")) | st.just(NOW))
def test_retry_after_of_any_text_is_nothing_or_within_an_hour(asked: str, date: str) -> None:
    seconds = retry_after(httpx.Headers({"Retry-After": asked, "Date": date}))
    assert seconds is None or 0 <= seconds <= 3600


async def test_the_time_to_wait_is_passed_on(api: Api, server: respx.MockRouter) -> None:
    server.post("/things").respond(503, headers={"Retry-After": "9223372036854775807"})
    with pytest.raises(TryLater) as fault:
        await api.send("POST", "/things")
    assert fault.value.after == 3600


@pytest.mark.parametrize(
    ("method", "outcomes"),
    [
        pytest.param("GET", [answering(502), DONE], id="a GET after a bad gateway"),
        pytest.param("GET", [answering(503), answering(504), DONE], id="a GET at the third try"),
        pytest.param("GET", [TIMED_OUT, DONE], id="a GET after a timeout"),
        pytest.param("GET", [NO_CONNECTION, DONE], id="a GET without a connection"),
        pytest.param("PUT", [answering(503), DONE], id="a PUT after an overload"),
        pytest.param("PUT", [TIMED_OUT, DONE], id="a PUT after a timeout"),
        pytest.param("GET", [answering(503, "5"), DONE], id="a GET after five seconds"),
        pytest.param("POST", [answering(429, "5"), DONE], id="a POST that was not done, after five seconds"),
        pytest.param("PUT", [answering(429, "0"), DONE], id="a PUT that was not done, at once"),
    ],
)
async def test_what_may_be_repeated_is_tried_again(
    api: Api, server: respx.MockRouter, method: str, outcomes: list[httpx.Response | Exception]
) -> None:
    route = server.route(method=method, path="/things").mock(side_effect=outcomes)
    assert await api.request(method, "/things", into=Answer) == Answer(7)
    assert route.call_count == len(outcomes)


@pytest.mark.parametrize(
    ("method", "outcome"),
    [
        pytest.param("POST", answering(500), id="a POST after a server error"),
        pytest.param("POST", answering(503), id="a POST after an overload"),
        pytest.param("POST", answering(503, "1"), id="a POST after an overload that asks for little time"),
        pytest.param("POST", TIMED_OUT, id="a POST after a timeout"),
        pytest.param("POST", NO_CONNECTION, id="a POST without a connection"),
        pytest.param("DELETE", TIMED_OUT, id="any other method after a timeout"),
        pytest.param("GET", answering(500), id="a GET after a fault that is no gateway's"),
        pytest.param("GET", answering(409), id="a GET after a conflict"),
        pytest.param("GET", answering(503, "6"), id="a GET that shall wait six seconds"),
        pytest.param("GET", answering(429), id="a GET that shall wait for no one knows how long"),
        pytest.param("POST", answering(429, "6"), id="a POST that shall wait six seconds"),
    ],
)
async def test_what_may_have_happened_or_takes_long_is_left_to_the_queue(
    api: Api, server: respx.MockRouter, pauses: Pauses, method: str, outcome: httpx.Response | Exception
) -> None:
    route = server.route(method=method, path="/things").mock(side_effect=[outcome, DONE])
    with pytest.raises(TryLater):
        await api.send(method, "/things")
    assert route.call_count == 1
    assert pauses == []


async def test_three_tries_are_all(api: Api, server: respx.MockRouter, pauses: Pauses) -> None:
    route = server.get("/things").respond(503)
    with pytest.raises(TryLater, match="503"):
        await api.send("GET", "/things")
    assert route.call_count == 3
    assert 0 < sum(pauses) < 10


async def test_tries_wait_as_long_as_they_are_told_and_ten_seconds_in_all(
    api: Api, server: respx.MockRouter, pauses: Pauses
) -> None:
    route = server.get("/things").respond(429, headers={"Retry-After": "4"})
    with pytest.raises(TryLater):
        await api.send("GET", "/things")
    assert pauses == [4, 4]
    assert route.call_count == 3


async def test_a_fault_that_needs_a_person_is_not_repeated(api: Api, server: respx.MockRouter) -> None:
    route = server.get("/things").respond(400)
    with pytest.raises(Refused):
        await api.send("GET", "/things")
    assert route.call_count == 1


@pytest.mark.parametrize(
    ("location", "said"),
    [
        pytest.param("https://login.example/in?next=x", "a redirect to https://login.example/in;", id="another host"),
        pytest.param("/login.jsp#code=abc", "a redirect to /login.jsp;", id="a path"),
        pytest.param(f"https://login.example/{TOKEN}", "a redirect to https://login.example/…;", id="our own secret"),
        pytest.param("", "a redirect; check", id="nowhere"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
async def test_a_redirect_is_not_followed_and_tells_where_to(
    api: Api, server: respx.MockRouter, method: str, location: str, said: str
) -> None:
    server.route(method=method, path="/things").respond(302, headers={"Location": location})
    with pytest.raises(Moved, match="check that the configured URL is the service's own") as moved:
        await api.send(method, "/things")
    assert said in str(moved.value)
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(httpx.UnsupportedProtocol("ftp"), id="an address that is not http"),
        pytest.param(httpx.LocalProtocolError("bad header"), id="a request that can't be written"),
        pytest.param(httpx.DecodingError("bad gzip"), id="an answer that can't be unpacked"),
        pytest.param(httpx.InvalidURL("bad"), id="an address that is none"),
    ],
)
async def test_a_call_that_can_never_work_is_for_a_person(api: Api, server: respx.MockRouter, error: Exception) -> None:
    server.get("/things").mock(side_effect=error)
    with pytest.raises(CannotAct, match="check the URL"):
        await api.send("GET", "/things")


@pytest.mark.parametrize(
    ("names", "path"),
    [
        pytest.param(("SE-1",), "/issue/SE-1", id="a plain name"),
        pytest.param(("SE-1", "comment", 10), "/issue/SE-1/comment/10", id="several, with a number"),
        pytest.param(("../myself",), "/issue/..%2Fmyself", id="a slash leads nowhere else"),
        pytest.param(("a?b=c#d é",), "/issue/a%3Fb%3Dc%23d%20%C3%A9", id="no query, fragment, space or accent"),
        pytest.param(("...",), "/issue/...", id="three dots are a name"),
    ],
)
def test_names_become_single_segments(names: tuple[str | int, ...], path: str) -> None:
    assert under("/issue", *names) == path


@pytest.mark.parametrize("name", ["", ".", ".."], ids=["an empty name", "one dot", "two dots"])
def test_names_that_lead_elsewhere_name_nothing(name: str) -> None:
    with pytest.raises(NotFound, match="names nothing"):
        under("/issue", name)


async def test_an_encoded_name_reaches_the_server_as_it_is(api: Api, server: respx.MockRouter) -> None:
    route = server.route(path__startswith="/issue").respond(404)
    with pytest.raises(NotFound, match=r"GET /issue/a%2F\.\.%0Ab with 404"):
        await api.send("GET", under("/issue", "a/..\nb"))
    assert route.calls.last.request.url.raw_path == b"/issue/a%2F..%0Ab"
