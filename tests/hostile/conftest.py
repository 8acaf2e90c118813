"""A server for each module, and a bystander who must never notice what goes on beside him.

`pytest tests/hostile -m java` runs the same tests against Apache Kafka, where their expectations come from.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from compat.kafka_server import KafkaServer
from compat.kstream_server import KstreamServer
from tests.hostile.bystander import Bystander

OPEN_FILES = 8192


def _allow_many_connections() -> None:
    """Ours alone: a thousand connections are more than shells allow by default. Servers raise their own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@pytest.fixture(scope="module")
def kstream() -> Iterator[KstreamServer]:
    """A kstream process, for tests that look into it."""
    with KstreamServer() as running:
        _allow_many_connections()
        yield running
        assert running.is_running, running.log_tail()
        assert "Traceback" not in running.log_path.read_text(), running.log_path.read_text()[-4000:]


@pytest.fixture(scope="module", params=["kstream", pytest.param("kafka", marks=pytest.mark.java)])
def server(request: pytest.FixtureRequest) -> Iterator[KstreamServer | KafkaServer]:
    """kstream, or with `-m java` the original."""
    if request.param == "kstream":
        yield request.getfixturevalue("kstream")
        return
    _allow_many_connections()
    with KafkaServer(heap="1G") as running:
        yield running
        assert running.is_running, running.log_tail()


@pytest.fixture
def bystander(server: KstreamServer | KafkaServer) -> Iterator[Bystander]:
    with Bystander(*server.address) as other:
        yield other
        other.check()
