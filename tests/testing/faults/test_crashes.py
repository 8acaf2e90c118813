"""Crashes, asked for, in place of an answer, and by themselves."""

from __future__ import annotations

from confluent_kafka import KafkaError, TopicPartition

from kstream.testing import Broker
from tests.testing.faults.clients import new_consumer, new_producer, polled, sent, values_in


def test_clients_outlive_a_crash(broker: Broker) -> None:
    address = broker.bootstrap_servers
    producer = new_producer(broker, reconnect_backoff_max_ms=100)
    consumer = new_consumer(broker)
    consumer.subscribe(["t"])
    assert sent(producer, "t", "a") is None
    assert polled(consumer) == b"a"
    consumer.commit(asynchronous=False)
    broker.crash()
    producer.produce("t", "b")
    broker.restart()
    assert broker.bootstrap_servers == address
    assert producer.flush(60) == 0
    assert broker.committed("g") == {("t", 0): 1}
    assert polled(consumer) == b"b"
    assert values_in(broker) == [b"a", b"b"]
    consumer.close()


def test_an_idempotent_producer_outlives_a_crash_in_place_of_the_answer(broker: Broker) -> None:
    producer = new_producer(broker, enable_idempotence=True, reconnect_backoff_max_ms=100)
    assert sent(producer, "t", "a") is None
    with broker.faults.add("crash", api="Produce", when="after", count=1, ms=50) as fault:
        assert sent(producer, "t", "b") is None
    assert fault.hits == 1
    assert values_in(broker) == [b"a", b"b"]


def test_a_crash_by_itself(broker: Broker) -> None:
    broker.produce("t", "v")
    consumer = new_consumer(broker)
    consumer.assign([TopicPartition("t", 0, 0)])
    assert polled(consumer) == b"v"
    began_ms = broker.clock.now_ms()
    broker.faults.add("crash", ms=30)
    broker.produce("t", "w")
    assert broker.clock.now_ms() - began_ms < 10_000
    assert polled(consumer) == b"w"
    consumer.close()


def test_faults_outlive_a_restart(broker: Broker) -> None:
    with broker.faults.add("error", api="Produce", error="INVALID_RECORD", count=1):
        broker.restart()
        assert sent(new_producer(broker), "t", "v").code() == KafkaError.INVALID_RECORD
        assert [fault["hits"] for fault in broker.faults.list()] == [1]
    assert broker.faults.list() == []
