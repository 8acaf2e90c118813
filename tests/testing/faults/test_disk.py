"""Disks that are full or slow."""

from __future__ import annotations

import time
import warnings

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from kstream.testing import Broker
from tests.testing.faults.clients import new_consumer, new_producer, polled, sent, values_in

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # kafka-python's own, while it is imported
    from kafka import KafkaProducer


def test_a_full_disk_is_told_and_reading_goes_on(broker: Broker) -> None:
    broker.produce("t", "before")
    producer = new_producer(broker, message_timeout_ms=500)
    consumer = new_consumer(broker)
    with broker.faults.add("disk_full", topic="t") as fault:
        assert sent(producer, "t", "lost").code() == KafkaError._MSG_TIMED_OUT
        assert sent(producer, "u", "other topics are spared") is None
        consumer.assign([TopicPartition("t", 0, 0)])
        assert polled(consumer) == b"before"
    assert fault.hits >= 1
    again = new_producer(broker)
    assert sent(again, "t", "after") is None
    assert values_in(broker) == [b"before", b"after"]
    consumer.close()


def test_kafka_python_waits_for_a_disk_that_has_room_again(broker: Broker) -> None:
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers, retry_backoff_ms=20, retries=20)
    with broker.faults.add("disk_full", topic="t", count=2) as fault:
        producer.send("t", b"v").get(timeout=60)
    producer.close()
    assert fault.hits == 2
    assert values_in(broker) == [b"v"]


def test_a_full_disk_refuses_topics_and_commits(broker: Broker) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    broker.topic("before")
    with broker.faults.add("disk_full"):
        with pytest.raises(KafkaException) as raised:
            admin.create_topics([NewTopic("new", 1)])["new"].result(60)
        assert raised.value.args[0].code() == KafkaError.KAFKA_STORAGE_ERROR
    admin.create_topics([NewTopic("new", 1)])["new"].result(60)


def test_a_slow_disk_makes_everybody_wait_and_loses_nothing(broker: Broker) -> None:
    producer = new_producer(broker)
    assert sent(producer, "t", "warm") is None
    began_s = time.monotonic()
    with broker.faults.add("disk_slow", topic="t", ms=150) as fault:
        assert sent(producer, "t", "v") is None
        assert time.monotonic() - began_s >= 0.15
        consumer = new_consumer(broker)
        consumer.assign([TopicPartition("t", 0, 0)])
        assert [polled(consumer), polled(consumer)] == [b"warm", b"v"]
    assert fault.hits >= 2
    consumer.close()


def test_disk_faults_meet_partitions_that_are_opened_later(broker: Broker) -> None:
    with broker.faults.add("disk_slow", topic="new", ms=100, count=1) as fault:
        broker.topic("new")
        broker.produce("new", "v")
    assert fault.hits == 1
