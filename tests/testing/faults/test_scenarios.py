"""Scenarios: several faults under one name."""

from __future__ import annotations

import warnings

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from kstream.testing import Broker
from tests.testing.faults.clients import new_consumer, new_producer, polled, sent, values_in

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # kafka-python's own, while it is imported
    from kafka import KafkaProducer
    from kafka.errors import KafkaTimeoutError


def test_flaky_coordinator(broker: Broker) -> None:
    for number in range(20):
        broker.produce("t", str(number))
    consumer = new_consumer(broker)
    consumer.subscribe(["t"])
    with broker.faults.scenario("flaky coordinator", group="g", seed=3) as scenario:
        for number in range(20):
            assert polled(consumer) == str(number).encode()
            broker.wait_for(lambda: _commits(consumer))
    assert scenario.hits >= 3
    assert broker.committed("g") == {("t", 0): 20}
    consumer.close()


@pytest.mark.parametrize("name", ["coordinator moves during commit", "broker restart during commit"])
def test_commits_that_are_disturbed_are_made(broker: Broker, name: str) -> None:
    broker.produce("t", "v")
    consumer = new_consumer(broker)
    consumer.subscribe(["t"])
    assert polled(consumer) == b"v"
    with broker.faults.scenario(name) as scenario:
        broker.wait_for(lambda: _commits(consumer))
    assert scenario.hits == 1
    assert broker.committed("g") == {("t", 0): 1}
    consumer.close()


def _commits(consumer: Consumer) -> bool:
    """As an application would, which tries once more if the error is one that passes."""
    try:
        consumer.commit(asynchronous=False)
    except KafkaException as error:
        if error.args[0].code() in (KafkaError._TRANSPORT, KafkaError.NOT_COORDINATOR):
            return False
        raise
    return True


@pytest.mark.parametrize("name", ["lost acknowledgements", "bad network", "broker restart during produce"])
def test_an_idempotent_producer_writes_once(broker: Broker, name: str) -> None:
    producer = new_producer(broker, enable_idempotence=True, reconnect_backoff_max_ms=50, linger_ms=0)
    with broker.faults.scenario(name) as scenario:
        for number in range(40):
            producer.produce("t", str(number))
            producer.flush(60)
    assert scenario.hits >= 1
    assert values_in(broker) == [str(number).encode() for number in range(40)]


def test_leader_election(broker: Broker) -> None:
    producer = new_producer(broker)
    with broker.faults.scenario("leader election", topic="t") as scenario:
        assert sent(producer, "t", "v") is None
    assert scenario.hits == 2
    assert values_in(broker) == [b"v"]


@pytest.mark.parametrize("name", ["slow broker", "over quota"])
def test_what_is_slow_loses_nothing(broker: Broker, name: str) -> None:
    producer = new_producer(broker)
    consumer = new_consumer(broker)
    consumer.assign([TopicPartition("t", 0, 0)])
    with broker.faults.scenario(name) as scenario:
        assert sent(producer, "t", "v") is None
        assert polled(consumer) == b"v"
    assert scenario.hits >= 2
    consumer.close()


def test_hanging_broker(broker: Broker) -> None:
    producer = KafkaProducer(
        bootstrap_servers=broker.bootstrap_servers,
        request_timeout_ms=300,
        delivery_timeout_ms=700,
        linger_ms=0,
        retry_backoff_ms=20,
        enable_idempotence=False,
    )
    with broker.faults.scenario("hanging broker"), pytest.raises(KafkaTimeoutError):
        producer.send("t", b"v").get(timeout=60)
    producer.send("t", b"w").get(timeout=60)
    producer.close()


def test_full_disk(broker: Broker) -> None:
    producer = new_producer(broker, message_timeout_ms=400)
    with broker.faults.scenario("full disk", topic="t"):
        assert sent(producer, "t", "v").code() == KafkaError._MSG_TIMED_OUT


def test_fenced_transaction(broker: Broker) -> None:
    producer = new_producer(broker, transactional_id="x")
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce("t", "never")
    producer.flush(60)
    with broker.faults.scenario("fenced transaction"), pytest.raises(KafkaException) as raised:
        producer.commit_transaction(60)
    assert raised.value.args[0].fatal()
    again = new_producer(broker, transactional_id="x")
    again.init_transactions(60)
    again.begin_transaction()
    again.produce("t", "v")
    again.commit_transaction(60)
    broker.wait_for(lambda: values_in(broker) == [b"v"])
