"""FastStream, which publishes and subscribes by the brokers of aiokafka and of confluent-kafka.

It administers nothing and reads no single partitions: that is left to the client below it, as an application
of it does. It runs in an environment of its own (`compat/served.py`).
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import threading
from collections.abc import Coroutine, Sequence
from importlib import metadata
from typing import Any

from compat.clients.aiokafka import Aiokafka
from compat.clients.confluent_kafka import ConfluentKafka
from compat.members import HEARTBEAT_S, SESSION_TIMEOUT_S, InProcess
from compat.story import Adapter, Got, InRecord, OutRecord, Start

OWN_HEADERS = frozenset({"content-type", "correlation_id", "reply_to"})
"""It adds these to every record."""
_TIMEOUT_S = 60.0


class _Loop:
    """An event loop in a thread, as members keep their sessions while nobody asks them anything."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_TIMEOUT_S)


def _broker(backend: str, bootstrap: str, **settings: Any) -> Any:
    module = importlib.import_module("faststream.kafka" if backend == "aiokafka" else "faststream.confluent")
    quiet = logging.getLogger(__name__)
    quiet.propagate = False
    quiet.addHandler(logging.NullHandler())
    return module.KafkaBroker(bootstrap, logger=quiet, **settings)


class _Publishing:
    """Produces by FastStream's broker; the rest is that of the client below."""

    def __init__(self, backend: str, bootstrap: str, below: Adapter) -> None:
        self.name = f"faststream-{backend}"
        self.traits = below.traits
        self._backend = backend
        self._bootstrap = bootstrap
        self._below = below
        self._loop = _Loop()
        self._brokers: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._below, name)

    def version(self) -> str:
        """FastStream's, and that of the client below."""
        return f"{metadata.version('faststream')}, {self._backend} {self._below.version()}"

    def produce(
        self, topic: str, partition: int, records: Sequence[OutRecord], *, codec: str, idempotent: bool
    ) -> list[int]:
        """Publish all, and wait for their acknowledgements."""
        offsets: list[int] = self._loop.run(self._publish(topic, partition, records, codec, idempotent))
        return offsets

    async def _publish(
        self, topic: str, partition: int, records: Sequence[OutRecord], codec: str, idempotent: bool
    ) -> list[int]:
        name = f"{codec} {idempotent}"
        if name not in self._brokers:
            broker = _broker(
                self._backend,
                self._bootstrap,
                acks="all",
                linger_ms=20,
                compression_type=None if codec == "none" else codec,
                enable_idempotence=idempotent,
            )
            await broker.start()
            self._brokers[name] = broker
        pending = [
            await self._brokers[name].publish(
                record.value,
                topic,
                key=record.key,
                partition=partition,
                timestamp_ms=record.timestamp_ms,
                headers={header: (value or b"").decode() for header, value in record.headers},
                no_confirm=True,
            )
            for record in records
        ]
        sent = await asyncio.gather(*pending)
        return [one.offset() if callable(one.offset) else one.offset for one in sent]

    def fetch(
        self, topic: str, partition: int, start: Start, count: int, *, committed: bool = False
    ) -> list[InRecord]:
        """Read by the client below, without what FastStream adds."""
        return [
            record._replace(
                value=record.value or None,  # it sends an empty value for None
                headers=tuple(header for header in record.headers if header[0] not in OWN_HEADERS),
            )
            for record in self._below.fetch(topic, partition, start, count, committed=committed)
        ]

    def close(self) -> None:
        """Close its brokers, and the client below."""
        for broker in self._brokers.values():
            self._loop.run(broker.stop())
        self._below.close()


class _Subscribing:
    """A member: a subscriber that acknowledges by hand."""

    def __init__(self, backend: str, bootstrap: str, topic: str, group: str) -> None:
        self._loop = _Loop()
        self._got: list[Got] = []
        self._last: Any = None
        self._broker = _broker(backend, bootstrap)
        self._subscriber: Any = None
        self._loop.run(self._start(topic, group))

    async def _start(self, topic: str, group: str) -> None:
        self._subscriber = self._broker.subscriber(
            topic,
            group_id=group,
            auto_offset_reset="earliest",
            ack_policy=importlib.import_module("faststream").AckPolicy.MANUAL,
            session_timeout_ms=int(SESSION_TIMEOUT_S * 1000),
            heartbeat_interval_ms=int(HEARTBEAT_S * 1000),
        )

        async def keep(message: Any) -> None:
            self._last = message
            record = message.raw_message
            place = (record.partition, record.offset, record.value)
            self._got.append(Got(*(each() if callable(each) else each for each in place)))

        # Annotations decide what a handler gets, and are looked up by name.
        module = type(self._broker).__module__.rsplit(".", 2)[0]
        keep.__annotations__["message"] = importlib.import_module(module).KafkaMessage
        self._subscriber(keep)
        await self._broker.start()

    def poll(self) -> list[Got]:
        self._loop.run(asyncio.sleep(0.1))
        got, self._got = self._got, []
        return got

    def assigned(self) -> set[int]:
        consumer = self._subscriber.consumer
        return {each.partition for each in getattr(consumer, "consumer", consumer).assignment()}

    def commit(self) -> None:
        self._last.committed = None  # one that was acknowledged is not acknowledged again
        self._loop.run(self._last.ack())

    def close(self) -> None:
        self._loop.run(self._broker.stop())


def connect(backend: str, bootstrap: str) -> Any:
    """The adapter of `aiokafka` or `confluent-kafka` with FastStream above it."""
    if backend == "aiokafka":
        import aiokafka

        return _Publishing(backend, bootstrap, Aiokafka(aiokafka, bootstrap))
    import confluent_kafka

    return _Publishing(backend, bootstrap, ConfluentKafka(confluent_kafka, bootstrap))


def member(backend: str, bootstrap: str, topic: str, group: str) -> InProcess:
    """A member of a group, in this process."""
    return _Subscribing(backend, bootstrap, topic, group)
