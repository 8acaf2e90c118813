"""One consumer that reads, commits, and writes down what happens to it.

    python -m compat.forty.consumer '{"client": "aiokafka", "bootstrap": ..., ...}'

Its history is a file of JSON lines, each `[kind, seconds, ...]` on the machine's monotonic clock, which all
processes share. A line is in the file before what it tells of has any effect, so a crash hides nothing:

    ["assigned", s, [partition, ...]]      newly its own
    ["revoked", s, [partition, ...]]       no longer its own
    ["read", s, partition, first, last]    offsets, without a gap
    ["committing", s, {partition: offset}]
    ["committed", s]                       the commit before it was acknowledged
    ["refused", s, error]                  it was not, or perhaps it was; or a poll said so
    ["failed", s, error]                   what no client should raise; the process ends
    ["left", s]

SIGTERM makes it leave. There is no `auto.offset.reset`: a position that is lost, or beyond the log, is an
error.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

SESSION_TIMEOUT_MS = 6_000
HEARTBEAT_MS = 500
_POLL_S = 0.2
_POLL_RECORDS_MAX = 200


@dataclass(frozen=True)
class Wanted:
    """What a consumer is told at its start; `assignor` is a name of its client's, for classic groups."""

    client: str
    bootstrap: str
    topic: str
    group: str
    protocol: str
    assignor: str
    history: str


class History:
    """The file, and which of the partitions that are its own were read how far."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.positions: dict[int, int] = {}
        """What is read and not committed, by partition."""
        self._untold: dict[int, int] = {}
        """Where what was read lately begins."""

    def tell(self, kind: str, *content: object) -> None:
        for partition in list(self._untold):
            self._tell_read(partition)
        self._write(kind, *content)

    def _write(self, kind: str, *content: object) -> None:
        line = json.dumps([kind, round(time.monotonic(), 6), *content])
        os.write(self._file, line.encode() + b"\n")

    def assigned(self, partitions: Iterable[int]) -> None:
        self.tell("assigned", sorted(partitions))

    def revoked(self, partitions: Iterable[int]) -> None:
        gone = sorted(partitions)
        self.tell("revoked", gone)
        for partition in gone:
            self.positions.pop(partition, None)

    def read(self, records: Iterable[tuple[int, int]]) -> None:
        """Partitions and offsets, as they came; they are in the file before anything else is."""
        for partition, offset in records:
            if self.positions.get(partition) != offset or partition not in self._untold:
                self._tell_read(partition)
                self._untold[partition] = offset
            self.positions[partition] = offset + 1

    def _tell_read(self, partition: int) -> None:
        first = self._untold.pop(partition, None)
        if first is not None:
            self._write("read", partition, first, self.positions[partition] - 1)


class Client(Protocol):
    """A consumer that has subscribed."""

    refusals: tuple[type[Exception], ...]
    """What a commit may raise when the group has moved on, or the server is away."""
    absences: tuple[type[Exception], ...]
    """What a poll may raise when the server is away."""

    def poll(self) -> None:
        """Write down what comes within a moment."""
        ...

    def commit(self, positions: dict[int, int]) -> None: ...

    def close(self) -> None: ...


class Librdkafka:
    """confluent-kafka. Records are polled one by one: a batch may hold some of before a rebalance."""

    absences: tuple[type[Exception], ...] = ()

    def __init__(self, wanted: Wanted, history: History) -> None:
        from confluent_kafka import Consumer, KafkaException

        self.refusals: tuple[type[Exception], ...] = (KafkaException,)
        self._history = history
        self._topic = wanted.topic
        settings: dict[str, Any] = {
            "bootstrap.servers": wanted.bootstrap,
            "group.id": wanted.group,
            "group.protocol": wanted.protocol,
            "auto.offset.reset": "error",
            "enable.auto.commit": False,
            "reconnect.backoff.max.ms": 200,
            "log_level": 4,
        }
        if wanted.protocol == "classic":
            settings |= {
                "session.timeout.ms": SESSION_TIMEOUT_MS,
                "heartbeat.interval.ms": HEARTBEAT_MS,
                "partition.assignment.strategy": wanted.assignor,
            }
        self._consumer = Consumer(settings)
        self._consumer.subscribe(
            [wanted.topic],
            on_assign=lambda _, found: history.assigned(each.partition for each in found),
            on_revoke=lambda _, found: history.revoked(each.partition for each in found),
            on_lost=lambda _, found: history.revoked(each.partition for each in found),
        )

    def poll(self) -> None:
        from confluent_kafka import KafkaError

        timeout_s = _POLL_S
        for _ in range(_POLL_RECORDS_MAX):
            record = self._consumer.poll(timeout_s)
            if record is None:
                return
            timeout_s = 0.0
            error = record.error()
            if error is None:
                self._history.read([(int(record.partition() or 0), int(record.offset() or 0))])
            elif error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError._NO_OFFSET) or error.fatal():
                raise RuntimeError(error)

    def commit(self, positions: dict[int, int]) -> None:
        from confluent_kafka import KafkaException, TopicPartition

        wanted = [TopicPartition(self._topic, partition, at) for partition, at in positions.items()]
        for answered in self._consumer.commit(offsets=wanted, asynchronous=False) or []:
            if answered.error is not None:
                raise KafkaException(answered.error)

    def close(self) -> None:
        self._consumer.close()


class KafkaPython:
    """kafka-python."""

    def __init__(self, wanted: Wanted, history: History) -> None:
        from kafka import ConsumerRebalanceListener, KafkaConsumer
        from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
        from kafka.coordinator.assignors.range import RangePartitionAssignor
        from kafka.errors import KafkaConnectionError, KafkaError

        class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
            def on_partitions_assigned(self, assigned: Any) -> None:
                history.assigned(each.partition for each in assigned)

            def on_partitions_revoked(self, revoked: Any) -> None:
                history.revoked(each.partition for each in revoked)

        self.refusals: tuple[type[Exception], ...] = (KafkaError,)
        self.absences: tuple[type[Exception], ...] = (KafkaConnectionError,)
        self._history = history
        self._topic = wanted.topic
        assignors = {"range": RangePartitionAssignor, "cooperative-sticky": CooperativeStickyAssignor}
        self._consumer: Any = KafkaConsumer(
            bootstrap_servers=wanted.bootstrap,
            group_id=wanted.group,
            auto_offset_reset="none",
            enable_auto_commit=False,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            reconnect_backoff_max_ms=200,
            partition_assignment_strategy=[assignors[wanted.assignor]],
        )
        # If it joins before it has heard of the topic it assigns nothing, and sometimes leaves it at that.
        with suppress(KafkaConnectionError):  # the server is away
            self._consumer.partitions_for_topic(wanted.topic)
        self._consumer.subscribe([wanted.topic], listener=Listener())

    def poll(self) -> None:
        found = self._consumer.poll(timeout_ms=int(_POLL_S * 1000), max_records=_POLL_RECORDS_MAX)
        self._history.read((each.partition, each.offset) for records in found.values() for each in records)

    def commit(self, positions: dict[int, int]) -> None:
        from kafka import OffsetAndMetadata, TopicPartition

        self._consumer.commit(
            {
                TopicPartition(self._topic, partition): OffsetAndMetadata(at, "", -1)
                for partition, at in positions.items()
            }
        )

    def close(self) -> None:
        self._consumer.close()


class Aiokafka:
    """aiokafka; its loop runs while this waits for records, which is nearly always.

    It rebalances whenever the loop runs: what is read is written down before it does.
    """

    absences: tuple[type[Exception], ...] = ()

    def __init__(self, wanted: Wanted, history: History) -> None:
        from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
        from aiokafka.coordinator.assignors.range import RangePartitionAssignor
        from aiokafka.errors import IllegalStateError, KafkaConnectionError, KafkaError

        class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
            def on_partitions_assigned(self, assigned: Any) -> None:
                history.assigned(each.partition for each in assigned)

            def on_partitions_revoked(self, revoked: Any) -> None:
                history.revoked(each.partition for each in revoked)

        self.refusals: tuple[type[Exception], ...] = (KafkaError, IllegalStateError)
        self._history = history
        self._topic = wanted.topic
        self._runner = asyncio.Runner()

        async def start() -> Any:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=wanted.bootstrap,
                group_id=wanted.group,
                auto_offset_reset="none",
                enable_auto_commit=False,
                session_timeout_ms=SESSION_TIMEOUT_MS,
                heartbeat_interval_ms=HEARTBEAT_MS,
                partition_assignment_strategy=[RangePartitionAssignor],
            )
            consumer.subscribe([wanted.topic], listener=Listener())
            while True:
                try:
                    await consumer.start()
                    return consumer
                except KafkaConnectionError:  # the server is away
                    await asyncio.sleep(_POLL_S)

        self._consumer = self._runner.run(start())

    def poll(self) -> None:
        from aiokafka.errors import NoOffsetForPartitionError

        async def read() -> None:
            try:
                found = await self._consumer.getmany(
                    timeout_ms=int(_POLL_S * 1000), max_records=_POLL_RECORDS_MAX
                )
            except NoOffsetForPartitionError:
                # It overlooks an error that stands above all topics, such as that the coordinator is loading.
                raise SystemExit("aiokafka takes an error for the lack of a position") from None
            self._history.read(
                (each.partition, each.offset) for records in found.values() for each in records
            )

        self._runner.run(read())

    def commit(self, positions: dict[int, int]) -> None:
        from aiokafka import TopicPartition

        wanted = {TopicPartition(self._topic, partition): at for partition, at in positions.items()}
        self._runner.run(self._consumer.commit(wanted))

    def close(self) -> None:
        self._runner.run(self._consumer.stop())
        self._runner.close()


CLIENTS: dict[str, Callable[[Wanted, History], Client]] = {
    "librdkafka": Librdkafka,
    "kafka-python": KafkaPython,
    "aiokafka": Aiokafka,
}


def main() -> None:
    """Read and commit until SIGTERM."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    wanted = Wanted(**json.loads(sys.argv[1]))
    history = History(Path(wanted.history))
    must_leave: list[int] = []
    client: Client | None = None
    # In place before the client starts: who is told to leave meanwhile does so right after.
    signal.signal(signal.SIGTERM, lambda number, _: must_leave.append(number))
    try:
        client = CLIENTS[wanted.client](wanted, history)
        _read_until(must_leave, client, history)
        client.close()
    except Exception as error:
        history.tell("failed", repr(error))
        raise
    history.tell("left")


def _read_until(must_leave: list[int], client: Client, history: History) -> None:
    patience = random.Random()
    while not must_leave:
        try:
            client.poll()
        except client.absences as error:
            history.tell("refused", repr(error))
        if not history.positions or patience.random() < 0.3:
            continue
        positions = dict(history.positions)
        history.tell("committing", positions)
        try:
            client.commit(positions)
        except client.refusals as error:
            history.tell("refused", repr(error))
        else:
            history.tell("committed")
            for partition, at in positions.items():
                if history.positions.get(partition) == at:
                    del history.positions[partition]


if __name__ == "__main__":
    main()
