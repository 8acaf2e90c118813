"""Connections that drop, and answers that are torn."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer
from confluent_kafka import TopicPartition

from kstream.testing import Broker
from tests.testing.faults.clients import new_consumer, new_producer, polled, sent, values_in


def test_a_connection_that_drops_before_costs_nothing(broker: Broker) -> None:
    producer = new_producer(broker, enable_idempotence=False)
    with broker.faults.add("drop", api="Produce", count=2) as fault:
        assert sent(producer, "t", "v") is None
    assert fault.hits == 2
    assert values_in(broker) == [b"v"]


def test_a_connection_that_drops_after_doubles_without_idempotence(broker: Broker) -> None:
    for topic, is_idempotent in (("t", False), ("u", True)):
        producer = new_producer(broker, enable_idempotence=is_idempotent)
        with broker.faults.add("drop", api="Produce", when="after", count=1) as fault:
            assert sent(producer, topic, "v") is None
        assert fault.hits == 1
    assert values_in(broker, "t") == [b"v", b"v"]
    assert values_in(broker, "u") == [b"v"]


def test_a_torn_answer_is_no_answer(broker: Broker) -> None:
    for value in "abc":
        broker.produce("t", value * 5000)
    consumer = new_consumer(broker)
    consumer.assign([TopicPartition("t", 0, 0)])
    with (
        broker.faults.add("torn", api="Fetch", count=2, bytes=6000) as torn,
        broker.faults.add("torn", api="Metadata", count=1) as half,
    ):
        values = [polled(consumer) for _ in range(3)]
    assert values == [letter * 5000 for letter in (b"a", b"b", b"c")]
    assert (torn.hits, half.hits) == (2, 1)
    consumer.close()


def test_a_producer_without_acks_learns_by_its_connection(broker: Broker) -> None:
    producer = new_producer(broker, acks=0)
    with broker.faults.add("error", api="Produce", error="NOT_LEADER_OR_FOLLOWER", count=1) as fault:
        assert sent(producer, "t", "lost") is None
        broker.wait_for(lambda: fault.hits)
    assert sent(producer, "t", "kept") is None
    broker.wait_for(lambda: values_in(broker) == [b"kept"])


def test_aiokafka_reads_on_through_a_bad_network(broker: Broker) -> None:
    for number in range(50):
        broker.produce("t", str(number))

    async def main() -> list[bytes | None]:
        consumer = AIOKafkaConsumer(
            "t", bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest",
            max_poll_records=1, fetch_max_bytes=100, retry_backoff_ms=20,
        )  # fmt: skip
        await consumer.start()
        try:
            with broker.faults.add("drop", api="Fetch", probability=0.1, seed=5) as fault:
                async with asyncio.timeout(30):
                    values = [(await consumer.getone()).value for _ in range(50)]
                assert fault.hits >= 1
            return values
        finally:
            await consumer.stop()

    assert asyncio.run(main()) == [str(number).encode() for number in range(50)]
