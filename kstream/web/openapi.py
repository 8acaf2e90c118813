"""The OpenAPI document, made from the operations' declarations."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import msgspec

from kstream import __version__
from kstream.web.operation import Nothing, Operation, Text

_DESCRIPTION = (
    "Drives a kstream server from tests in any language, and shows how it is: `kstream serve --http`."
    " Where others than this machine can connect, send `Authorization: Bearer TOKEN`."
)
_REASONS = {
    200: "Done",
    201: "Created",
    204: "Done",
    400: "The request makes no sense; the message says why",
    401: "The server wants its token",
    403: "Not from a page of another site",
    404: "There is no such thing",
    408: "It did not become so in time",
    409: "It cannot be done as things are",
    413: "Too large",
    421: "The Host is not this server",
    503: "Not now",
}
_ALWAYS = (400, 401, 403, 413, 421, 503)
_REFERENCE = "#/components/schemas/{name}"


@cache
def document() -> dict[str, Any]:
    """OpenAPI 3.1, which is JSON Schema inside."""
    from kstream.web.app import Problem
    from kstream.web.routes import OPERATIONS

    types: list[Any] = [Problem]
    for operation in OPERATIONS:
        types += [operation.query] if operation.query is not Nothing else []
        types += [operation.body] if operation.body is not None else []
        types += [operation.answer] if operation.answer not in (Nothing, Text) else []
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    schema_of = dict(zip(map(repr, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        described = _described(operation, schema_of, components, schema_of[repr(Problem)])
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": "kstream", "version": __version__, "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _described(
    operation: Operation, schema_of: dict[str, Any], components: dict[str, Any], problem: Any
) -> dict[str, Any]:
    responses: dict[str, Any] = {str(operation.status): {"description": _REASONS[operation.status]}}
    if operation.status != 204:
        schema = {"type": "string"} if operation.answer is Text else schema_of[repr(operation.answer)]
        responses[str(operation.status)]["content"] = {operation.media_type: {"schema": schema}}
    for status in sorted({*_ALWAYS, *operation.errors}):
        content = {"application/json": {"schema": problem}}
        if operation.answer is Text:
            content["text/plain"] = {"schema": {"type": "string"}}
        responses[str(status)] = {"description": _REASONS[status], "content": content}
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": [*_in_path(operation), *_in_query(operation, components)],
        "responses": responses,
        "security": [{}] if operation.is_open else [{}, {"token": []}],
    }
    if operation.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema_of[repr(operation.body)]}},
        }
    return described


def _in_path(operation: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]


def _in_query(operation: Operation, components: dict[str, Any]) -> list[dict[str, Any]]:
    if operation.query is Nothing:
        return []
    declared = components[operation.query.__name__]
    required = declared.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in declared["properties"].items()
    ]
