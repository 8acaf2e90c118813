"""Errors that are answered in place of, or after, what a request asks for."""

from __future__ import annotations

import asyncio
import warnings

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import UnknownTopicOrPartitionError
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from kstream.testing import Broker
from tests.testing.faults.clients import new_consumer, new_producer, polled, sent, values_in

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # kafka-python's own, while it is imported
    from kafka import KafkaConsumer, KafkaProducer
    from kafka.errors import TopicAuthorizationFailedError


def test_confluent_kafka_repeats_what_was_led_elsewhere(broker: Broker) -> None:
    producer = new_producer(broker)
    with broker.faults.add("error", api="Produce", error="NOT_LEADER_OR_FOLLOWER", count=2) as fault:
        assert sent(producer, "t", "v") is None
    assert fault.hits == 2
    assert values_in(broker) == [b"v"]


def test_confluent_kafka_tells_what_cannot_be_repeated(broker: Broker) -> None:
    producer = new_producer(broker)
    with broker.faults.add("error", api="Produce", error="INVALID_RECORD", topic="t"):
        assert sent(producer, "u", "other topics are spared") is None
        error = sent(producer, "t", "v")
    assert error.code() == KafkaError.INVALID_RECORD
    assert values_in(broker) == []


def test_an_error_after_the_effect_doubles_what_kafka_python_sends(broker: Broker) -> None:
    """What a producer without idempotence makes of an answer that lies; with it, the record is there once."""
    for topic, is_idempotent in (("t", False), ("u", True)):
        producer = KafkaProducer(
            bootstrap_servers=broker.bootstrap_servers,
            enable_idempotence=is_idempotent,
            retry_backoff_ms=20,
            retries=5,
        )
        with broker.faults.add("error", api="Produce", error="REQUEST_TIMED_OUT", when="after", count=1):
            producer.send(topic, b"v").get(timeout=60)
        producer.close()
    assert values_in(broker, "t") == [b"v", b"v"]
    assert values_in(broker, "u") == [b"v"]


def test_aiokafka_tells_what_the_broker_says_of_a_topic(broker: Broker) -> None:
    async def main() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, request_timeout_ms=1000)
        await producer.start()
        try:
            await producer.send_and_wait("t", b"before")
            with (
                broker.faults.add("error", api="Produce", error="UNKNOWN_TOPIC_OR_PARTITION"),
                pytest.raises(UnknownTopicOrPartitionError),
            ):
                await producer.send_and_wait("t", b"v")
        finally:
            await producer.stop()

    asyncio.run(main())
    assert values_in(broker) == [b"before"]


def test_a_fetch_that_fails_is_repeated_where_it_was(broker: Broker) -> None:
    for value in "abc":
        broker.produce("t", value)
    consumer = new_consumer(broker)
    consumer.subscribe(["t"])
    with broker.faults.add("error", api="Fetch", error="NOT_LEADER_OR_FOLLOWER", topic="t", count=3) as fault:
        assert [polled(consumer) for _ in range(3)] == [b"a", b"b", b"c"]
    assert fault.hits == 3
    consumer.close()


def test_a_fetch_session_meets_errors_of_topics_that_it_need_not_name(broker: Broker) -> None:
    """kafka-python fetches in sessions: its later requests name no topic, and yet meet the fault."""
    consumer = KafkaConsumer(
        bootstrap_servers=broker.bootstrap_servers,
        auto_offset_reset="earliest",
        consumer_timeout_ms=60_000,
        fetch_max_wait_ms=50,
    )
    consumer.subscribe(["t", "u"])
    broker.produce("u", "before")
    assert next(consumer).value == b"before"
    with (
        broker.faults.add("error", api="Fetch", error="TOPIC_AUTHORIZATION_FAILED", topic="t", count=1),
        pytest.raises(TopicAuthorizationFailedError),
    ):
        next(consumer)
    broker.produce("t", "after")
    assert next(consumer).value == b"after"
    consumer.close()


def test_a_session_that_is_gone_is_begun_anew(broker: Broker) -> None:
    consumer = KafkaConsumer(
        "t",
        bootstrap_servers=broker.bootstrap_servers,
        auto_offset_reset="earliest",
        consumer_timeout_ms=60_000,
        fetch_max_wait_ms=50,
    )
    with broker.faults.add("error", api="Fetch", error="FETCH_SESSION_ID_NOT_FOUND", count=2) as fault:
        broker.produce("t", "v")
        assert next(consumer).value == b"v"
        broker.wait_for(lambda: [consumer.poll(50), fault.hits == 2][-1])
    consumer.close()


def test_admin_clients_tell_errors(broker: Broker) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    with broker.faults.add("error", api="CreateTopics", error="POLICY_VIOLATION", topic="no-*"):
        created = admin.create_topics([NewTopic("yes", 1), NewTopic("no-way", 1)])
        created["yes"].result(60)
        with pytest.raises(KafkaException) as raised:
            created["no-way"].result(60)
    assert raised.value.args[0].code() == KafkaError.POLICY_VIOLATION
    assert "asked for" in raised.value.args[0].str()
    assert "no-way" not in admin.list_topics(timeout=60).topics


def test_metadata_keeps_its_brokers(broker: Broker) -> None:
    """Also where the answer is one that was given before, and is kept encoded."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    for _ in range(3):
        assert admin.list_topics(timeout=60).topics["t"].error is None
    with broker.faults.add("error", api="Metadata", error="TOPIC_AUTHORIZATION_FAILED", topic="t") as fault:
        topics = admin.list_topics(timeout=60).topics
    assert fault.hits >= 1
    assert "TOPIC_AUTHORIZATION_FAILED" in str(topics["t"].error)
    assert len(topics["u"].partitions) == 1
    producer = new_producer(broker)
    with broker.faults.add("error", api="Metadata", error="LEADER_NOT_AVAILABLE", count=2) as fault:
        assert sent(producer, "t", "v") is None
    assert fault.hits == 2


def test_a_commit_that_fails_is_told_to_the_application(broker: Broker) -> None:
    broker.produce("t", "v")
    consumer = new_consumer(broker)
    consumer.subscribe(["t"])
    assert polled(consumer) == b"v"
    with (
        broker.faults.add("error", api="OffsetCommit", error="GROUP_AUTHORIZATION_FAILED", group="g"),
        pytest.raises(KafkaException) as raised,
    ):
        consumer.commit(asynchronous=False)
    assert raised.value.args[0].code() == KafkaError.GROUP_AUTHORIZATION_FAILED
    assert broker.committed("g") == {}
    consumer.commit(asynchronous=False)
    assert broker.committed("g") == {("t", 0): 1}
    consumer.close()


def test_confluent_kafka_stands_still_without_committed_positions(broker: Broker) -> None:
    """It tells the application and asks no more: subscribing anew helps."""
    broker.produce("t", "v")
    consumer = new_consumer(broker)
    consumer.subscribe(["t"])
    with broker.faults.add("error", api="OffsetFetch", error="NOT_COORDINATOR", count=1):
        message = consumer.poll(60)
    assert message is not None
    assert "Failed to fetch committed offsets" in str(message.error())
    assert consumer.poll(1) is None
    consumer.unsubscribe()
    consumer.subscribe(["t"])
    assert polled(consumer) == b"v"
    consumer.close()


def test_what_repeats_meets_faults_too(broker: Broker) -> None:
    """Produce requests and heartbeats that repeat go a shorter way, but not past a fault."""
    broker.produce("t", "v")
    consumer = new_consumer(broker, heartbeat_interval_ms=50)
    consumer.subscribe(["t"])
    assert polled(consumer) == b"v"
    producer = new_producer(broker, enable_idempotence=False)
    for _ in range(3):
        assert sent(producer, "t", "again") is None
    with (
        broker.faults.add("error", api="Heartbeat", error="REBALANCE_IN_PROGRESS", count=1) as beat,
        broker.faults.add("error", api="Produce", error="INVALID_RECORD", count=1),
    ):
        assert sent(producer, "t", "again").code() == KafkaError.INVALID_RECORD
        broker.wait_for(lambda: [consumer.poll(0.01), beat.hits][-1])
    consumer.close()
