"""What goes in and what comes out: a producer that outlives the server, a read_committed reader."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

WAIT_S = 90.0
"""For anything that must come."""

Records = dict[int, list[tuple[bytes, bytes]]]
"""Key and value by partition, in the order of the log; null is empty."""


def quiet(bootstrap: str) -> dict[str, Any]:
    """Settings of a client that outlives its server, and does not tell of each lost connection."""
    logger = logging.getLogger("compat.exactly_once.librdkafka")
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    return {
        "bootstrap.servers": bootstrap,
        "logger": logger,
        "reconnect.backoff.max.ms": 200,
        # When all brokers are down librdkafka would begin anew with its bootstrap servers, and its
        # transactional producer then waits forever for a group coordinator that it no longer knows (2.10+).
        "metadata.recovery.strategy": "none",
    }


def create_topics(bootstrap: str, partitions: int, *names: str) -> None:
    """Create them, and wait for it."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for created in admin.create_topics([NewTopic(name, partitions, 1) for name in names]).values():
        created.result(WAIT_S)


class Feed:
    """An idempotent producer on a thread. `count` is how many records it has sent."""

    def __init__(self, bootstrap: str, topic: str, partitions: int, value_of: Callable[[int], str]) -> None:
        self._producer = Producer(
            {**quiet(bootstrap), "enable.idempotence": True, "message.timeout.ms": 60_000}
        )
        self._topic = topic
        self._partitions = partitions
        self._value_of = value_of
        self.count = 0

    @contextmanager
    def flowing(self, records_per_second: float) -> Iterator[None]:
        """While the block runs; after it all are acknowledged. Raises TimeoutError."""
        stop = threading.Event()

        def feed() -> None:
            while not stop.wait(1 / records_per_second):
                partition = self.count % self._partitions
                self._producer.produce(self._topic, self._value_of(self.count), partition=partition)
                self.count += 1
                self._producer.poll(0)

        thread = threading.Thread(target=feed)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        if self._producer.flush(WAIT_S):
            raise TimeoutError("the input was not acknowledged")


def committed_sum(bootstrap: str, group: str, topic: str, partitions: int) -> int:
    """How many records of a topic a group has done with, by its committed positions; -1 if nobody knows."""
    consumer = Consumer({**quiet(bootstrap), "group.id": group})
    try:
        wanted = [TopicPartition(topic, index) for index in range(partitions)]
        return sum(max(part.offset, 0) for part in consumer.committed(wanted, 10.0))
    except KafkaException:
        return -1
    finally:
        consumer.close()


def read_committed(bootstrap: str, topic: str, partitions: int) -> Records:
    """All that a read_committed reader sees now. Raises TimeoutError."""
    reading = {"isolation.level": "read_committed", "enable.partition.eof": True, "group.id": "counting"}
    consumer = Consumer({**quiet(bootstrap), **reading})
    records: Records = {index: [] for index in range(partitions)}
    try:
        consumer.assign([TopicPartition(topic, index, OFFSET_BEGINNING) for index in records])
        ended: set[int | None] = set()
        while len(ended) < partitions:
            message = consumer.poll(WAIT_S)
            if message is None:
                raise TimeoutError(f"{topic} cannot be read to its end")
            error, partition = message.error(), message.partition()
            if error is None:
                assert partition is not None
                records[partition].append((_bytes(message.key()), _bytes(message.value())))
            elif error.name() == "_PARTITION_EOF":
                ended.add(partition)
            else:
                raise KafkaException(error)
    finally:
        consumer.close()
    return records


def _bytes(content: str | bytes | None) -> bytes:
    return content.encode() if isinstance(content, str) else content or b""
