"""What the vendors' own documents (OpenAPI) say against an exchange of one of our clients."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import jsonschema
import referencing
from jsonschema.exceptions import ValidationError
from referencing.jsonschema import DRAFT4, DRAFT202012

Json = dict[str, Any]

FOLDER = Path(__file__).parents[3] / "shared" / "openapi"
_AS_IT_IS, _CLOSED = "urn:as-it-is", "urn:closed"
_PARAMETER = re.compile(r"\\{\w+\\}")
_CONTEXT = re.compile(r"^(?:/[\w-]+)+?(?=/rest/)")
_WRITTEN = {"integer": re.compile(r"-?[0-9]+"), "boolean": re.compile(r"true|false")}
_NAMES = {
    "/rest/api/": "jira-platform-v3",
    "/rest/agile/": "jira-software",
    "/rest/software/": "jira-software",
    "/api/v4/": "mattermost",
    "/": "discourse",
}


class Complaint(NamedTuple):
    """operation: "GET /t/{id}.json"; where: "answer.body.posts.name", without places in lists; what: the words."""

    operation: str
    where: str
    what: str


@dataclass(frozen=True)
class _Operation:
    """title: as in a Complaint; content: what the document says, at `pointer`; named: what the path named."""

    title: str
    content: Json
    pointer: str
    named: dict[str, str]


class Document:
    """An OpenAPI document of version 3.0 or 3.1.

    Answers may hold more than it tells, where it says so; what we send has only names that it knows. A body that it
    shows is always sent, though it may call it optional. Its OAuth tokens go in as bearers.
    """

    def __init__(self, content: Json) -> None:
        self._content = content
        is_3_0 = content["openapi"].startswith("3.0")
        self._kind = jsonschema.Draft4Validator if is_3_0 else jsonschema.Draft202012Validator
        dialect = DRAFT4 if is_3_0 else DRAFT202012
        plain = _with_null(content) if is_3_0 else content
        self._registry: referencing.Registry[Any] = referencing.Registry().with_resources(
            [(_AS_IT_IS, dialect.create_resource(plain)), (_CLOSED, dialect.create_resource(_closed(plain)))]
        )
        schemes = content.get("components", {}).get("securitySchemes", {}).values()
        self._schemes = {one.get("scheme", "bearer") for one in schemes}
        ordered = sorted(content["paths"], key=lambda template: template.count("{"))
        self._paths = [(re.compile(_pattern(template)), template) for template in ordered]

    def complaints(self, request: httpx.Request, response: httpx.Response) -> Iterator[Complaint]:
        """What the document does not allow in a request and its answer; an error of any status is allowed."""
        operation = self._operation(request)
        if operation is None:
            yield Complaint(f"{request.method} {path_of(request)}", "", "is not in the document")
            return
        for where, what in (*self._asked(operation, request), *self._answered(operation, response)):
            yield Complaint(operation.title, where, what)

    def _operation(self, request: httpx.Request) -> _Operation | None:
        method, path = request.method.lower(), path_of(request)
        for pattern, template in self._paths:
            match = pattern.fullmatch(path)
            if match and method in self._content["paths"][template]:
                names = (name[1:-1] for name in re.findall(r"\{\w+\}", template))
                pointer = f"#/paths/{_escaped(template)}/{method}"
                content = self._content["paths"][template][method]
                named = dict(zip(names, match.groups(), strict=True))
                return _Operation(f"{request.method} {template}", content, pointer, named)
        return None

    def _asked(self, operation: _Operation, request: httpx.Request) -> Iterator[tuple[str, str]]:
        scheme = request.headers.get("Authorization", "").partition(" ")[0].lower()
        if self._schemes and scheme not in self._schemes:
            yield "request.header.Authorization", f"is of none of {sorted(self._schemes)}"
        yield from self._parameters(operation, request)
        yield from self._request_body(operation, request)

    def _parameters(self, operation: _Operation, request: httpx.Request) -> Iterator[tuple[str, str]]:
        query: dict[str, str] = {}
        for name, value in request.url.params.multi_items():
            query[name] = f"{query[name]},{value}" if name in query else value
        given: dict[str, Mapping[str, str]] = {"path": operation.named, "query": query, "header": request.headers}
        parameters = operation.content.get("parameters", [])
        documented = {one["name"] for one in parameters if one["in"] == "query"}
        yield from ((f"request.query.{name}", "is not in the document") for name in query.keys() - documented)
        for number, one in enumerate(parameters):
            where = f"request.{one['in']}.{one['name']}"
            if one["name"] in given[one["in"]]:
                value = _read(given[one["in"]][one["name"]], one["schema"])
                yield from self._mistakes(where, value, f"{_AS_IT_IS}{operation.pointer}/parameters/{number}/schema")
            elif one.get("required"):
                yield where, "is missing"

    def _request_body(self, operation: _Operation, request: httpx.Request) -> Iterator[tuple[str, str]]:
        documented = operation.content.get("requestBody")
        if not request.content:
            if documented and documented.get("required", True):
                yield "request.body", "is missing"
        elif documented is None:
            yield "request.body", "is not in the document"
        else:
            pointer = f"{_CLOSED}{operation.pointer}/requestBody"
            yield from self._content_mistakes("request.body", request, documented["content"], pointer)

    def _answered(self, operation: _Operation, response: httpx.Response) -> Iterator[tuple[str, str]]:
        status = str(response.status_code)
        documented = operation.content["responses"].get(status)
        if documented is None:
            if not response.is_error:
                yield f"answer.status.{status}", "is not in the document"
            return
        if response.content and "content" in documented:
            pointer = f"{_AS_IT_IS}{operation.pointer}/responses/{status}"
            yield from self._content_mistakes("answer.body", response, documented["content"], pointer)
        elif response.is_success and any(one.get("schema") for one in documented.get("content", {}).values()):
            yield "answer.body", "is missing"

    def _content_mistakes(
        self, where: str, message: httpx.Request | httpx.Response, documented: Json, pointer: str
    ) -> Iterator[tuple[str, str]]:
        media = message.headers.get("Content-Type", "").partition(";")[0]
        if media not in documented:
            yield f"{where.partition('.')[0]}.header.Content-Type", f"{media} is none of {sorted(documented)}"
        elif documented[media].get("schema"):
            try:
                content = json.loads(message.content)
            except ValueError:
                yield where, "is no JSON"
            else:
                yield from self._mistakes(where, content, f"{pointer}/content/{_escaped(media)}/schema")

    def _mistakes(self, where: str, value: Any, pointer: str) -> Iterator[tuple[str, str]]:
        validator = self._kind({"$ref": pointer}, registry=self._registry)
        for error in validator.iter_errors(value):
            place = ".".join([where, *(str(step) for step in error.absolute_path if isinstance(step, str))])
            yield from ((f"{place}.{name}" if name else place, error.message) for name in _names_in(error))


def _names_in(error: ValidationError) -> list[str]:
    """What an object should not have, or lacks; "" where the mistake is about the whole value."""
    if not (isinstance(error.instance, dict) and isinstance(error.schema, dict)):
        return [""]
    if error.validator == "additionalProperties":
        return sorted(error.instance.keys() - error.schema.get("properties", {}).keys())
    if error.validator == "required":
        return [name for name in error.schema["required"] if f"'{name}' is a required" in error.message]
    return [""]


def _pattern(template: str) -> str:
    return _PARAMETER.sub("([^/]+)", re.escape(template))


def _escaped(name: str) -> str:
    """A name in a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _read(text: str, schema: Json) -> Any:
    """A parameter as its schema means it; the text itself where it can't be meant so."""
    kind = schema.get("type", "")
    if kind == "array":
        return [_read(part, schema["items"]) for part in text.split(",")]
    return json.loads(text) if kind in _WRITTEN and _WRITTEN[kind].fullmatch(text) else text


def _with_null(part: Any) -> Any:
    """OpenAPI 3.0 writes `nullable` where JSON Schema has another type."""
    if isinstance(part, list):
        return [_with_null(one) for one in part]
    if not isinstance(part, dict):
        return part
    read = {name: _with_null(one) for name, one in part.items() if name != "nullable"}
    return {"anyOf": [read, {"type": "null"}]} if part.get("nullable") is True else read


def _closed(part: Any) -> Any:
    """A document whose objects have no other properties than those that it names."""
    if isinstance(part, list):
        return [_closed(one) for one in part]
    if not isinstance(part, dict):
        return part
    read = {name: _closed(one) for name, one in part.items()}
    is_object = part.get("type") == "object" and "properties" in part
    return {**read, "additionalProperties": False} if is_object else read


def path_of(request: httpx.Request) -> str:
    """The path without what comes before a Jira's own: a context path, or the Cloud's name for the site."""
    return _CONTEXT.sub("", request.url.path)


@cache
def vendors() -> dict[str, Document]:
    """The documents by how the paths that they tell of begin."""
    read = {name: Document(json.loads((FOLDER / f"{name}.json").read_text())) for name in set(_NAMES.values())}
    return {prefix: read[name] for prefix, name in _NAMES.items()}


def document_of(request: httpx.Request) -> Document:
    """The document that tells of such a request."""
    prefix = max((prefix for prefix in vendors() if path_of(request).startswith(prefix)), key=len)
    return vendors()[prefix]
