"""What our clients ask and what the demo's stand-ins answer is what the vendors' documents say."""

from __future__ import annotations

import inspect
import json
import pkgutil
from collections.abc import Iterator, Mapping

import httpx
import pytest

from service import clients
from service.clients.discourse import Discourse
from service.clients.jira import CloudJira, DataCenterJira
from service.clients.mattermost import Mattermost
from tests.contract.calls import DISCOURSE, JIRA, MATTERMOST, RARE, Call, Exchange
from tests.contract.document import FOLDER, document_of
from tests.contract.gaps import GAPS, WITHOUT_CALLS, WITHOUT_DOCUMENT, has_document, unexpected

CALLED: dict[type, Mapping[str, Call]] = {
    CloudJira: JIRA,
    DataCenterJira: JIRA,
    Discourse: DISCOURSE,
    Mattermost: MATTERMOST,
}
NAMES = {"cloud": JIRA, "datacenter": JIRA, "discourse": DISCOURSE, "mattermost": MATTERMOST}
Exchanges = dict[tuple[str, str], list[Exchange]]

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the vendors' documents do not lie beside the project")
each_method = pytest.mark.parametrize(
    ("client", "method"), [(client, method) for client, methods in NAMES.items() for method in methods]
)


@pytest.mark.parametrize(("client", "calls"), CALLED.items(), ids=[one.__name__ for one in CALLED])
def test_every_method_of_a_client_is_called(client: type, calls: Mapping[str, Call]) -> None:
    methods = {name for name, _ in inspect.getmembers(client, inspect.isfunction) if not name.startswith("_")}
    assert calls.keys() == methods - {"aclose"}


def test_every_client_has_a_document_or_a_reason_for_having_none() -> None:
    modules = {f"{clients.__name__}.{one.name}" for one in pkgutil.iter_modules(clients.__path__) if one.name[0] != "_"}
    asked = (*CALLED, *(client for client, _ in WITHOUT_DOCUMENT.values()))
    assert modules == {client.__module__ for client in (*asked, *WITHOUT_CALLS)}


@each_method
def test_the_document_allows_what_is_asked_and_answered(exchanges: Exchanges, client: str, method: str) -> None:
    pairs = exchanges[client, method]
    assert pairs
    assert [complaint for pair in pairs for complaint in unexpected(*pair)] == []


def test_every_gap_is_still_one(exchanges: Exchanges) -> None:
    pairs = [pair for pairs in exchanges.values() for pair in pairs if has_document(pair[0])]
    found = {(one.operation, one.where) for pair in (*pairs, *RARE) for one in document_of(pair[0]).complaints(*pair)}
    assert GAPS.keys() - found == set()


def test_no_document_tells_of_what_we_take_for_undocumented() -> None:
    paths = [path for file in FOLDER.glob("*.json") for path in json.loads(file.read_text()).get("paths", ())]
    assert paths
    assert not [path for path in paths if path.startswith(tuple(WITHOUT_DOCUMENT))]


def _changed(request: httpx.Request) -> Iterator[tuple[str, httpx.Request]]:
    """The request with one thing made wrong by hand: its path, its method, a key of its query or its body."""
    headers = {name: value for name, value in request.headers.items() if name != "content-length"}
    content = request.content

    def made(method: str, url: httpx.URL, body: bytes = content) -> httpx.Request:
        return httpx.Request(method, url, headers=headers, content=body)

    yield "path", made(request.method, request.url.copy_with(path=f"{request.url.path}/x"))
    yield "method", made("PATCH", request.url)
    for name, value in request.url.params.items():
        yield (
            f"query {name}",
            made(request.method, request.url.copy_remove_param(name).copy_add_param(f"{name}x", value)),
        )
    body = json.loads(content or "null")
    for name in body if isinstance(body, dict) else ():
        wrong = {f"{key}x" if key == name else key: value for key, value in body.items()}
        yield f"body {name}", made(request.method, request.url, json.dumps(wrong).encode())


@each_method
def test_a_request_that_is_changed_by_hand_is_noticed(exchanges: Exchanges, client: str, method: str) -> None:
    for request, response in (pair for pair in exchanges[client, method] if has_document(pair[0])):
        unnoticed = [name for name, wrong in _changed(request) if not unexpected(wrong, response)]
        assert unnoticed == [], request.url
