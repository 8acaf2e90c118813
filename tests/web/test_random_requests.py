"""Whatever is asked over HTTP, the answer is one that the OpenAPI document describes."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from kstream.web.openapi import document
from kstream.web.routes import OPERATIONS
from tests.web.harness import HttpBroker, http_broker

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis: pip install schemathesis")

# Not that what fits the schema is accepted: no schema says which kind of fault takes what, 400 does.
_known = import_module("schemathesis.specs.openapi.checks")
CHECKS = [
    _known.status_code_conformance,
    _known.content_type_conformance,
    _known.response_schema_conformance,
]

pytestmark = pytest.mark.slow

_PARTITIONS_MAX = 10
_TIMEOUT_MS_MAX = 50


@pytest.fixture(scope="module")
def target() -> Iterator[HttpBroker]:
    with http_broker() as broker:
        yield broker


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_answers_are_as_described(target: HttpBroker, operation: Any) -> None:
    schema = schemathesis.openapi.from_dict(document())
    described = schema[operation.path][operation.method]

    @given(case=described.as_strategy())
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def ask(case: Any) -> None:
        _bound(case.body)
        answer = case.call_and_validate(base_url=target.url, checks=CHECKS)
        assert answer.status_code != 500

    ask()


def _bound(body: Any) -> None:
    """A test need not make a thousand partitions, nor wait as long as one may."""
    if isinstance(body, dict):
        for name, most in (("partitions", _PARTITIONS_MAX), ("timeout_ms", _TIMEOUT_MS_MAX)):
            if isinstance(body.get(name), int) and body[name] > most:
                body[name] = most
