"""One server for all tests here that need none of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.harness import HttpBroker, http_broker


@pytest.fixture(scope="session")
def http_kafka() -> Iterator[HttpBroker]:
    with http_broker() as broker:
        yield broker
