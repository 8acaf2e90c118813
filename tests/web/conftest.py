"""One server for all tests here that need none of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.web.harness import HttpBroker, http_broker


@pytest.fixture(scope="session")
def http_kafka() -> Iterator[HttpBroker]:
    with http_broker() as broker:
        yield broker


@pytest.fixture(scope="session")
def used() -> Iterator[HttpBroker]:
    """A broker with three records produced, all read, one committed, and one error."""
    with http_broker() as broker:
        broker.post("/v1/topics", {"name": "t", "partitions": 2})
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "linger.ms": 0})
        for _ in range(3):
            producer.produce("t", b"x" * 100, partition=0)
            producer.flush(10)
        consumer = Consumer(
            {
                "bootstrap.servers": broker.bootstrap_servers,
                "group.id": "g",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
            }
        )
        consumer.assign([TopicPartition("t", 0, 0)])
        consumer.consume(3, 10)
        consumer.commit(offsets=[TopicPartition("t", 0, 1)], asynchronous=False)
        consumer.close()
        broker.post("/v1/faults", {"kind": "error", "api": "ListGroups", "error": "NOT_COORDINATOR"})
        admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
        assert admin.list_consumer_groups(request_timeout=60).result(60).errors
        broker.delete("/v1/faults")
        yield broker
