"""The document says all there is, and what it says is so."""

from __future__ import annotations

import re
from typing import Any

from kstream.web.openapi import document
from kstream.web.routes import OPERATIONS
from tests.web.harness import HttpBroker


def test_every_route_is_described(http_kafka: HttpBroker) -> None:
    paths = http_kafka.get("/openapi.json").json["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert described == {(operation.method, operation.path) for operation in OPERATIONS}
    assert len({operation.id for operation in OPERATIONS}) == len(OPERATIONS)


def test_every_path_that_is_described_is_there(http_kafka: HttpBroker) -> None:
    for path in http_kafka.get("/openapi.json").json["paths"]:
        answer = http_kafka.ask("PATCH", re.sub(r"{\w+}", "x", path))
        assert answer.status == 405, path


def test_every_reference_leads_somewhere() -> None:
    schemas = document()["components"]["schemas"]
    for reference in _references(document()):
        assert reference.removeprefix("#/components/schemas/") in schemas


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for each in value.values() for found in _references(each)]
    if isinstance(value, list | tuple):
        return [found for each in value for found in _references(each)]
    return []
