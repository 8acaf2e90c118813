"""confluent-kafka's clients as these tests use them: quick to try again, and silent."""

from __future__ import annotations

from typing import Any

from confluent_kafka import Consumer, Producer

from kstream.testing import Broker


def new_producer(broker: Broker, **settings: object) -> Producer:
    dotted = {name.replace("_", "."): value for name, value in settings.items()}
    common = {
        "bootstrap.servers": broker.bootstrap_servers,
        "log_level": 0,
        "retry.backoff.ms": 20,
        "reconnect.backoff.ms": 20,
    }
    return Producer(common | dotted)


def new_consumer(broker: Broker, group: str = "g", **settings: object) -> Consumer:
    dotted = {name.replace("_", "."): value for name, value in settings.items()}
    common = {
        "bootstrap.servers": broker.bootstrap_servers,
        "group.id": group,
        "log_level": 0,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "reconnect.backoff.ms": 20,
        "reconnect.backoff.max.ms": 50,
        "retry.backoff.ms": 20,
    }
    return Consumer(common | dotted)


def sent(producer: Producer, topic: str, value: str) -> Any:
    """Send a record; the error that is told in the end, or None."""
    told: list[Any] = []
    producer.produce(topic, value, on_delivery=lambda error, _: told.append(error))
    assert producer.flush(60) == 0
    (error,) = told
    return error


def values_in(broker: Broker, topic: str = "t") -> list[bytes | None]:
    return [event.value for event in broker.records(topic)]


def polled(consumer: Consumer) -> bytes | None:
    message = consumer.poll(60)
    assert message is not None
    assert message.error() is None, message.error()
    return message.value()
