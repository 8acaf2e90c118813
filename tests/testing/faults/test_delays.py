"""Latency, stalls and throttling."""

from __future__ import annotations

import time

import pytest
from confluent_kafka import KafkaError, Producer

from kstream.testing import Broker
from tests.testing.faults.clients import new_producer, sent, values_in


def test_latency_makes_a_producer_wait(broker: Broker) -> None:
    producer = new_producer(broker)
    assert sent(producer, "t", "warm") is None
    began_s = time.monotonic()
    with broker.faults.add("latency", api="Produce", ms=200, client_id="rdkafka"):
        assert sent(producer, "t", "v") is None
    assert time.monotonic() - began_s >= 0.2


def test_a_stalled_producer_gives_up_and_the_stall_ends_when_told(broker: Broker) -> None:
    producer = new_producer(broker, socket_timeout_ms=300, message_timeout_ms=700)
    with broker.faults.add("stall", api="Produce") as fault:
        error = sent(producer, "t", "v")
        assert error.code() == KafkaError._MSG_TIMED_OUT
    assert fault.hits >= 1
    patient = new_producer(broker)
    fault = broker.faults.add("stall", api="Produce", count=1)
    patient.produce("t", "patience")
    broker.wait_for(lambda: [patient.poll(0.01), fault.hits][-1])
    assert b"patience" not in values_in(broker)
    fault.remove()
    assert patient.flush(60) == 0
    assert b"patience" in values_in(broker)


def test_a_stall_with_an_end_ends(broker: Broker) -> None:
    producer = new_producer(broker)
    with broker.faults.add("stall", api="Produce", ms=100, count=1):
        assert sent(producer, "t", "v") is None


def test_throttling_is_told_and_enforced(broker: Broker) -> None:
    told: list[float] = []
    producer = Producer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "throttle_cb": lambda event: told.append(event.throttle_time),
        }
    )
    assert sent(producer, "t", "warm") is None
    with broker.faults.add("throttle", api="Produce", ms=300, count=1):
        began_s = time.monotonic()
        assert sent(producer, "t", "one") is None
        assert sent(producer, "t", "two") is None
        assert time.monotonic() - began_s >= 0.3
    broker.wait_for(lambda: [producer.poll(0.01), told][-1])
    assert told[0] == pytest.approx(0.3)
    assert values_in(broker) == [b"warm", b"one", b"two"]
