"""A producing client that survives its server, and the ledger of what it was acknowledged."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

WAIT_TIMEOUT_S = 60.0
_UNSENT_MAX = 2000  # enough that requests are in flight whenever the server dies, few enough to drain quickly


@dataclass
class PartitionLedger:
    """What one partition was sent, as consecutive numbers, and the offset at which each was acknowledged."""

    sent: int = 0
    offsets: dict[int, int] = field(default_factory=dict)


class Producing:
    """An idempotent librdkafka producer on `partitions` partitions of a new topic.

    Values are `PARTITION:NUMBER` and `padding` dots, numbered from 0 in each partition, so that what is
    read back proves that nothing is lost, nothing comes twice, and nothing overtakes.
    """

    def __init__(self, bootstrap: str, topic: str, *, partitions: int, padding: int = 0) -> None:
        self._bootstrap = bootstrap
        self._padding = b"." * padding
        self.topic = topic
        self.ledgers = [PartitionLedger() for _ in range(partitions)]
        self.failures: list[str] = []
        admin = AdminClient({"bootstrap.servers": bootstrap})  # creation ends with its client, so keep it
        admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(WAIT_TIMEOUT_S)
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "linger.ms": 1,
                "batch.num.messages": 50,
                "message.timeout.ms": 300_000,
                "retry.backoff.ms": 20,
                "reconnect.backoff.ms": 20,
                "reconnect.backoff.max.ms": 100,
                "logger": _silent(),
            }
        )

    def value(self, partition: int, number: int) -> bytes:
        """What the record of that number is, in that partition."""
        return f"{partition}:{number}".encode() + self._padding

    @property
    def acknowledged(self) -> int:
        """How many records were acknowledged so far."""
        return sum(len(ledger.offsets) for ledger in self.ledgers)

    @property
    def _unsent(self) -> int:
        return sum(ledger.sent for ledger in self.ledgers) - self.acknowledged - len(self.failures)

    def produce_until(self, acknowledged: int) -> None:
        """Go on producing until that many records are acknowledged in all; more are then in flight."""
        deadline = time.monotonic() + WAIT_TIMEOUT_S
        while self.acknowledged < acknowledged:
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{self.acknowledged} of {acknowledged} records acknowledged, {self.failures[:3]}"
                )
            if self._unsent < _UNSENT_MAX:
                self._send_one_each()
                self._producer.poll(0)
            else:
                self._producer.poll(0.01)

    def _send_one_each(self) -> None:
        for partition, ledger in enumerate(self.ledgers):
            number = ledger.sent
            ledger.sent += 1
            self._producer.produce(
                self.topic,
                value=self.value(partition, number),
                partition=partition,
                on_delivery=self._noter(ledger, number),
            )

    def _noter(self, ledger: PartitionLedger, number: int) -> Callable[[Any, Any], None]:
        def delivered(error: Any, message: Any) -> None:
            if error is not None:
                self.failures.append(f"{message.value()!r}: {error}")
            else:
                ledger.offsets[number] = message.offset()

        return delivered

    def finish(self) -> None:
        """Wait until everything that was sent is acknowledged."""
        unsent = self._producer.flush(WAIT_TIMEOUT_S)
        if unsent:
            raise TimeoutError(f"{unsent} records were not acknowledged within {WAIT_TIMEOUT_S:.0f} s")

    def read_back(self, partition: int) -> list[tuple[int, bytes]]:
        """Every record of the partition, offset and value, up to its end."""
        consumer = Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": "unused",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "logger": _silent(),
            }
        )
        got: list[tuple[int, bytes]] = []
        try:
            consumer.assign([TopicPartition(self.topic, partition, OFFSET_BEGINNING)])
            while True:
                message = consumer.poll(WAIT_TIMEOUT_S)
                if message is None:
                    raise TimeoutError(f"{len(got)} records of partition {partition}, then nothing")
                error = message.error()
                if error is None:
                    got.append((int(message.offset() or 0), bytes(message.value() or b"")))
                elif error.name() == "_PARTITION_EOF":
                    return got
                else:
                    raise KafkaException(error)
        finally:
            consumer.close()


def _silent() -> logging.Logger:
    """A logger for nothing: librdkafka prints each lost connection, and these tests break them."""
    logger = logging.getLogger("tests.crash.librdkafka")
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    return logger
