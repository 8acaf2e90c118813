"""The last epochs of a producer id, and the id that follows: on kstream, and with `-m java` on Kafka itself.

32,766 transactions would take too long: the coordinator's log is told that they were.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from compat.kafka_jars import KafkaUnavailable
from compat.kafka_server import KafkaServer
from compat.kstream_server import KstreamServer
from kstream.coordinator.codec import encode_record
from kstream.coordinator.hashing import partition_for
from kstream.records.builder import build_batch
from kstream.testing.client import WireClient
from kstream.transactions.states import TransactionState
from kstream.transactions.transaction import EPOCH_BUMPS, EPOCH_LAST, Transaction, transaction_record
from tests.log.support import append, open_log
from tests.requests import create_topic
from tests.transactions.reading import committed_values
from tests.transactions.wire_producer import WireProducer

pytestmark = pytest.mark.clients
INTERNAL_PARTITIONS = 50


@pytest.fixture(params=["kstream", pytest.param("kafka", marks=pytest.mark.java)])
def server(request: pytest.FixtureRequest) -> Iterator[KstreamServer | KafkaServer]:
    try:
        running = KstreamServer() if request.param == "kstream" else KafkaServer(heap="512M")
    except KafkaUnavailable as reason:
        pytest.skip(str(reason))
    with running:
        yield running


def grow_old(server: KstreamServer | KafkaServer, producer: WireProducer, epoch: int) -> None:
    """The producer has had that many epochs: written while the server is down."""
    now_ms = int(time.time() * 1000)
    aged = Transaction(
        producer.id,
        producer.producer_id,
        epoch,
        producer.timeout_ms,
        TransactionState.COMPLETE_COMMIT,
        start_ms=now_ms,
        update_ms=now_ms,
        client_version=EPOCH_BUMPS,
    )
    index = partition_for(producer.id, INTERNAL_PARTITIONS)
    log = open_log(server.data_dir / f"__transaction_state-{index}", now_ms=now_ms, was_clean=True)
    record = transaction_record(aged, producer.producer_id)
    append(log, build_batch([(now_ms, *encode_record(record))]), now_ms=now_ms)
    log.close()
    producer.epoch = epoch


def test_the_last_epochs_and_the_id_that_follows(server: KstreamServer | KafkaServer) -> None:
    with WireClient(*server.address) as client:
        create_topic(client, "t")
        ends, begins = WireProducer(client, "ends"), WireProducer(client, "begins")
        assert (ends.init(), begins.init()) == (0, 0)
    server.stop()
    grow_old(server, ends, EPOCH_LAST - 1)
    grow_old(server, begins, EPOCH_LAST - 1)
    server.start()
    with WireClient(*server.address) as client:
        ends, begins = ends.over(client), begins.over(client)
        first_id = ends.producer_id
        assert (ends.produce("t", 0, b"1"), ends.end()) == (0, 0)
        assert (ends.producer_id, ends.epoch) == (first_id, EPOCH_LAST)
        assert (ends.produce("t", 0, b"2"), ends.end()) == (0, 0)
        assert ends.producer_id != first_id
        assert ends.epoch == 0
        assert (ends.produce("t", 0, b"3"), ends.end()) == (0, 0)
        assert ends.epoch == 1
        assert committed_values(client, "t", 0) == [b"1", b"2", b"3"]
        first_id = begins.producer_id
        assert begins.init() == 0
        assert (begins.producer_id, begins.epoch) == (first_id, EPOCH_LAST)
        assert begins.init() == 0
        assert begins.producer_id not in (first_id, ends.producer_id)
        assert begins.epoch == 0
