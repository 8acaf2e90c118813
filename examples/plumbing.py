"""What all examples need: a topic of their own, a producer, a consumer. Everything else is in the example
itself.

The server is the one of KSTREAM_BOOTSTRAP, or 127.0.0.1:9092; kstream or any Kafka will do.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

from confluent_kafka import Consumer, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic

BOOTSTRAP = os.environ.get("KSTREAM_BOOTSTRAP", "127.0.0.1:9092")
_RUN = uuid4().hex[:8]


def mine(name: str) -> str:
    """The name with something that no other run of an example has."""
    return f"{name}-{_RUN}"


def new_topic(name: str, partitions: int = 1, **configs: str) -> str:
    """Make a topic of this run's own, and return its name. Configs are Kafka's, with `_` for `.`."""
    settings = {key.replace("_", "."): value for key, value in configs.items()}
    topic = NewTopic(mine(name), partitions, replication_factor=1, config=settings)
    admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
    for future in admin.create_topics([topic]).values():
        future.result()
    return mine(name)


def new_producer(**settings: Any) -> Producer:
    """A producer that writes nothing twice. Settings are librdkafka's, with `_` for `.`."""
    given = {key.replace("_", "."): value for key, value in settings.items()}
    return Producer({"bootstrap.servers": BOOTSTRAP, "enable.idempotence": True, "linger.ms": 0, **given})


def new_consumer(group: str, *topics: str, **settings: Any) -> Consumer:
    """A consumer of committed records from the beginning, which commits when told. Settings as above."""
    given = {key.replace("_", "."): value for key, value in settings.items()}
    consumer = Consumer(
        {
            "bootstrap.servers": BOOTSTRAP,
            "group.id": mine(group),
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            **given,
        }
    )
    consumer.subscribe(list(topics))
    return consumer


def send(producer: Producer, topic: str, value: Any, key: str | None = None, **headers: str) -> None:
    """Send a value as JSON."""
    producer.produce(topic, json.dumps(value), key, headers=list(headers.items()))
    producer.poll(0)


def messages(consumer: Consumer, timeout_s: float = 60.0) -> Iterator[Message]:
    """The messages that come, one by one, until nothing has come for so long."""
    while (message := consumer.poll(timeout_s)) is not None:
        if message.error():
            raise KafkaException(message.error())
        yield message


def wait_for(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Return once it holds. Raises TimeoutError."""
    end_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end_s:
            raise TimeoutError(f"{condition} did not come true within {timeout_s} s")
        time.sleep(0.01)
