"""A document tells what is wrong with an exchange, and where."""

import json
from typing import Any

import httpx
import pytest

from tests.contract.document import Document

NAME = {"type": "string", "nullable": True}
THING = {"type": "object", "properties": {"name": NAME, "parts": {"type": "array", "items": {"type": "integer"}}}}
CONTENT: dict[str, Any] = {
    "openapi": "3.0.1",
    "components": {
        "schemas": {"Thing": {**THING, "required": ["name"]}},
        "securitySchemes": {"basicAuth": {"type": "http", "scheme": "basic"}},
    },
    "paths": {
        "/things/{id}": {
            "put": {
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}},
                    {"name": "X-Name", "in": "header", "required": True, "schema": {"type": "string"}},
                    {"name": "quiet", "in": "query", "schema": {"type": "boolean"}},
                    {"name": "of", "in": "query", "schema": {"type": "array", "items": {"type": "integer"}}},
                ],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
                    "204": {},
                    "400": {},
                },
            }
        },
        "/things/all": {"get": {"responses": {"204": {}}}},
    },
}
HEADERS = {"X-Name": "x", "Authorization": "Basic x"}
PUT = "PUT /things/{id}"


def asked(
    method: str = "PUT",
    path: str = "/things/7?quiet=true&of=1,2",
    body: Any = None,
    drop: str = "",
    **headers: str,
) -> httpx.Request:
    sent = {name: value for name, value in {**HEADERS, **headers}.items() if name != drop}
    return httpx.Request(method, f"https://x.example{path}", headers=sent, json=body or {"name": None})


ALL_IS_WELL = httpx.Response(200, json={"name": "x", "parts": [1], "more": True})


def test_what_is_allowed_is_not_complained_of() -> None:
    assert list(Document(CONTENT).complaints(asked(), ALL_IS_WELL)) == []


@pytest.mark.parametrize(
    ("request_", "operation", "where"),
    [
        pytest.param(asked(path="/thing/7"), "PUT /thing/7", "", id="a path"),
        pytest.param(asked("POST", "/things/7"), "POST /things/7", "", id="a method"),
        pytest.param(asked(path="/things/x"), PUT, "request.path.id", id="a name in the path"),
        pytest.param(asked(path="/things/7?loud=true"), PUT, "request.query.loud", id="a parameter"),
        pytest.param(asked(path="/things/7?quiet=no"), PUT, "request.query.quiet", id="a parameter's value"),
        pytest.param(asked(path="/things/7?of=1&of=x"), PUT, "request.query.of", id="one of a parameter's values"),
        pytest.param(asked(drop="X-Name"), PUT, "request.header.X-Name", id="a missing header"),
        pytest.param(asked(drop="Authorization"), PUT, "request.header.Authorization", id="no credentials"),
        pytest.param(asked(Authorization="Bearer x"), PUT, "request.header.Authorization", id="other credentials"),
        pytest.param(asked(**{"Content-Type": "text/plain"}), PUT, "request.header.Content-Type", id="a content type"),
        pytest.param(asked(body={"parts": []}), PUT, "request.body.name", id="a missing key"),
        pytest.param(asked(body={"name": "x", "nam": 1}), PUT, "request.body.nam", id="an unknown key"),
        pytest.param(asked(body={"name": "x", "parts": ["x"]}), PUT, "request.body.parts", id="a value in a list"),
        pytest.param(
            httpx.Request("PUT", "https://x.example/things/7", headers=HEADERS), PUT, "request.body", id="no body"
        ),
    ],
)
def test_a_wrong_request_is_told(request_: httpx.Request, operation: str, where: str) -> None:
    [complaint] = Document(CONTENT).complaints(request_, ALL_IS_WELL)
    assert (complaint.operation, complaint.where) == (operation, where)


def test_a_body_that_nobody_awaits_is_told() -> None:
    request = httpx.Request("GET", "https://x.example/things/all", headers=HEADERS, json={})
    [complaint] = Document(CONTENT).complaints(request, httpx.Response(204))
    assert (complaint.operation, complaint.where) == ("GET /things/all", "request.body")


@pytest.mark.parametrize(
    ("answer", "where"),
    [
        pytest.param(httpx.Response(200, json={"name": 7}), "answer.body.name", id="a value"),
        pytest.param(httpx.Response(200, json={}), "answer.body.name", id="a missing key"),
        pytest.param(httpx.Response(200, json=[]), "answer.body", id="another kind of value"),
        pytest.param(httpx.Response(200), "answer.body", id="nothing"),
        pytest.param(httpx.Response(201, json={"name": "x"}), "answer.status.201", id="another success"),
        pytest.param(httpx.Response(200, html="<html>"), "answer.header.Content-Type", id="a web page"),
        pytest.param(
            httpx.Response(200, text="{", headers={"Content-Type": "application/json"}), "answer.body", id="cut JSON"
        ),
    ],
)
def test_a_wrong_answer_is_told(answer: httpx.Response, where: str) -> None:
    [complaint] = Document(CONTENT).complaints(asked(), answer)
    assert (complaint.operation, complaint.where) == (PUT, where)


@pytest.mark.parametrize("status", [204, 400, 503])
def test_an_answer_may_be_empty_and_an_error_any(status: int) -> None:
    assert list(Document(CONTENT).complaints(asked(), httpx.Response(status))) == []


def test_a_newer_document_has_several_types_for_one_value() -> None:
    newer = json.loads(json.dumps(CONTENT).replace('"3.0.1"', '"3.1.0"'))
    newer["components"]["schemas"]["Thing"]["properties"]["name"] = {"type": ["string", "null"]}
    assert list(Document(newer).complaints(asked(), ALL_IS_WELL)) == []
