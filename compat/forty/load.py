"""The server and the load beneath the consumers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Mapping
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

PARTITIONS = 12
SETTINGS = {
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.session.timeout.ms": "6000",
    "group.consumer.heartbeat.interval.ms": "500",
    "group.consumer.min.heartbeat.interval.ms": "500",
}
_RECORDS_PER_S = 2_000
_QUEUED_MAX = 50_000
_TIMEOUT_S = 60.0
_QUIET = logging.getLogger("compat.forty")
_QUIET.addHandler(logging.NullHandler())


class Load:
    """Records for every partition of each group's topic, from an idempotent producer, until `stop`."""

    def __init__(self, bootstrap: str, groups: Collection[str]) -> None:
        self._groups = sorted(groups)
        self._bootstrap = bootstrap
        self._ended = threading.Event()
        self._failures: list[object] = []
        self._thread = threading.Thread(target=self._produce)

    def prepare(self) -> None:
        """Create the topics, and commit their beginning for each group, so that no position is missing."""
        settings: dict[str, Any] = {"bootstrap.servers": self._bootstrap, "logger": _QUIET}
        admin = AdminClient(settings)
        for created in admin.create_topics([NewTopic(each, PARTITIONS, 1) for each in self._groups]).values():
            created.result(_TIMEOUT_S)
        for group in self._groups:
            beginning = [TopicPartition(group, partition, 0) for partition in range(PARTITIONS)]
            consumer = self._consumer(group)
            consumer.commit(offsets=beginning, asynchronous=False)
            consumer.close()

    def start(self) -> None:
        """Begin to produce."""
        self._thread.start()

    def stop(self) -> None:
        """Produce no more. Raises RuntimeError unless all was acknowledged."""
        self._ended.set()
        self._thread.join()
        if self._failures:
            raise RuntimeError(f"{len(self._failures)} records were not acknowledged: {self._failures[0]}")

    def ends(self, group: str) -> dict[int, int]:
        """Where the partitions of a group's topic end."""
        consumer = self._consumer(group)
        try:
            return {
                partition: consumer.get_watermark_offsets(TopicPartition(group, partition), _TIMEOUT_S)[1]
                for partition in range(PARTITIONS)
            }
        finally:
            consumer.close()

    def committed(self, group: str) -> dict[int, int]:
        """A group's positions."""
        consumer = self._consumer(group)
        try:
            wanted = [TopicPartition(group, partition) for partition in range(PARTITIONS)]
            return {each.partition: each.offset for each in consumer.committed(wanted, _TIMEOUT_S)}
        finally:
            consumer.close()

    def _consumer(self, group: str) -> Consumer:
        return Consumer({"bootstrap.servers": self._bootstrap, "group.id": group, "logger": _QUIET})

    def _produce(self) -> None:
        try:
            self._produce_until_ended()
        except Exception as error:
            self._failures.append(error)

    def _produce_until_ended(self) -> None:
        producer = Producer(
            {
                "bootstrap.servers": self._bootstrap,
                "enable.idempotence": True,
                "message.timeout.ms": int(_TIMEOUT_S * 2000),
                "reconnect.backoff.max.ms": 200,
                # Else librdkafka forgets the brokers when all are away, and at times waits for ever.
                "metadata.recovery.strategy": "none",
                "linger.ms": 20,
                "logger": _QUIET,
            }
        )
        began_s, sent = time.monotonic(), 0
        while not self._ended.wait(0.02):
            owed = int((time.monotonic() - began_s) * _RECORDS_PER_S) - sent
            # While the server is away the queue fills: what is owed is sent when there is room again.
            for _ in range(min(owed, _QUEUED_MAX - len(producer))):
                place = sent % (PARTITIONS * len(self._groups))
                producer.produce(
                    self._groups[place // PARTITIONS],
                    b"%d" % sent,
                    partition=place % PARTITIONS,
                    on_delivery=self._delivered,
                )
                sent += 1
            producer.poll(0)
        self._failures += ["unsent"] * producer.flush(_TIMEOUT_S * 2)

    def _delivered(self, error: Any, _: object) -> None:
        if error is not None:
            self._failures.append(error)


def behind(load: Load, groups: Collection[str]) -> Mapping[str, int]:
    """How much of each group's topic is not committed; groups with nothing left are not in it."""
    lags = {}
    for group in groups:
        committed = load.committed(group)
        lags[group] = sum(end - committed[partition] for partition, end in load.ends(group).items())
    return {group: lag for group, lag in lags.items() if lag}
