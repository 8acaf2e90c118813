"""Consume, transform, produce: an application that survives its server, and loses or repeats nothing."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

WAIT_TIMEOUT_S = 60.0
_BATCH_RECORDS = 10
_SOON = {
    "retry.backoff.ms": 20,
    "reconnect.backoff.ms": 20,
    "reconnect.backoff.max.ms": 100,
    # When all brokers are down librdkafka would begin anew with its bootstrap servers, and its transactional
    # producer then waits forever for a group coordinator that it no longer knows (seen with 2.10 and later).
    "metadata.recovery.strategy": "none",
}


def _silent() -> logging.Logger:
    """A logger for nothing: librdkafka prints each lost connection, and these tests break them."""
    logger = logging.getLogger("tests.crash.librdkafka")
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    return logger


class Transforming:
    """Takes numbers from `source`, and writes each to `target` once, in transactions with the positions."""

    def __init__(self, bootstrap: str, *, partitions: int, count: int) -> None:
        self._bootstrap = bootstrap
        self._partitions = partitions
        self._count = count
        self._done = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.commits = 0
        self.failures: list[str] = []
        self.crashed: BaseException | None = None
        admin = AdminClient({"bootstrap.servers": bootstrap})
        topics = [NewTopic(name, partitions, 1) for name in ("source", "target")]
        for created in admin.create_topics(topics).values():
            created.result(WAIT_TIMEOUT_S)
        producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})
        for number in range(count):
            producer.produce("source", str(number), partition=number % partitions)
        assert producer.flush(WAIT_TIMEOUT_S) == 0

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()

    def wait(self, condition: Callable[[], bool]) -> None:
        """Until it holds. Raises TimeoutError."""
        deadline_s = time.monotonic() + WAIT_TIMEOUT_S
        while not condition():
            if self.crashed is not None:
                raise self.crashed
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"{self.commits} commits, failures: {self.failures[-5:]}")
            self._stop.wait(0.01)

    def wait_for_commits(self, count: int) -> None:
        """Until there are so many, or nothing is left to do."""
        self.wait(lambda: self.commits >= count or self.is_done())

    def results(self) -> list[int]:
        """All numbers in `target`, as a read_committed reader sees them."""
        return self._read("target", "read_committed")

    def is_done(self) -> bool:
        """Whether the positions say that all of `source` is transformed."""
        return self._done

    def _run(self) -> None:
        try:
            while not self._stop.is_set() and not self._done:
                with suppress(KafkaException):
                    self._live()
        except BaseException as error:
            self.crashed = error

    def _live(self) -> None:
        """One incarnation of the application, until it is through or something fails."""
        producer = Producer(
            {
                "bootstrap.servers": self._bootstrap,
                "transactional.id": "transformer",
                "transaction.timeout.ms": 20_000,
                "logger": _silent(),
                **_SOON,
            }
        )
        producer.init_transactions(WAIT_TIMEOUT_S)
        consumer = self._consumer("transformers", "read_committed")
        try:
            while not self._stop.is_set():
                parts = [TopicPartition("source", index) for index in range(self._partitions)]
                committed = consumer.committed(parts, WAIT_TIMEOUT_S)
                if sum(max(part.offset, 0) for part in committed) == self._count:
                    self._done = True
                    return
                for part in committed:
                    part.offset = max(part.offset, 0)
                consumer.assign(committed)
                try:
                    self._transform(producer, consumer)
                except KafkaException as error:
                    self.failures.append(str(error))
                    if not error.args[0].txn_requires_abort():
                        raise
                    producer.abort_transaction(WAIT_TIMEOUT_S)
        finally:
            consumer.close()

    def _transform(self, producer: Producer, consumer: Consumer) -> None:
        """Transactions until there is nothing more to read. Raises KafkaException."""
        while not self._stop.is_set():
            messages: list[Message] = [
                message for message in consumer.consume(_BATCH_RECORDS, 1.0) if message.error() is None
            ]
            if not messages:
                return
            producer.begin_transaction()
            for message in messages:
                value, partition = message.value(), message.partition()
                assert value is not None
                assert partition is not None
                producer.produce("target", value, partition=partition)
            producer.send_offsets_to_transaction(
                consumer.position(consumer.assignment()), consumer.consumer_group_metadata(), WAIT_TIMEOUT_S
            )
            while True:
                try:
                    producer.commit_transaction(WAIT_TIMEOUT_S)
                    break
                except KafkaException as error:
                    if not error.args[0].retriable():
                        raise
            self.commits += 1

    def _consumer(self, group: str, isolation: str) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": group,
                "isolation.level": isolation,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "logger": _silent(),
                **_SOON,
            }
        )

    def _read(self, topic: str, isolation: str) -> list[int]:
        consumer = self._consumer("readers", isolation)
        try:
            consumer.assign(
                [TopicPartition(topic, index, OFFSET_BEGINNING) for index in range(self._partitions)]
            )
            numbers: list[int] = []
            ended: set[int | None] = set()
            while len(ended) < self._partitions:
                message = consumer.poll(WAIT_TIMEOUT_S)
                if message is None:
                    raise TimeoutError(f"{len(numbers)} records of {topic}, then nothing")
                error = message.error()
                if error is None:
                    numbers.append(int(message.value() or b""))
                elif error.name() == "_PARTITION_EOF":
                    ended.add(message.partition())
                else:
                    raise KafkaException(error)
            return numbers
        finally:
            consumer.close()
