"""Writing a topic into a data directory that no server uses: what a server finds there at its next start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import trio

from kstream.broker.broker import Broker
from kstream.broker.partition import Partition
from kstream.clock import SystemClock
from kstream.config.load import load
from kstream.errors import ApiError, KstreamError
from kstream.records.batch import HEADER_SIZE, NO_TIMESTAMP, read_header
from kstream.records.builder import build_batch
from kstream.records.compression import Codec
from kstream.replay.errors import ReplayError
from kstream.replay.event import Event

_BATCH_BYTES = 512 * 1024
_RECORD_OVERHEAD_BYTES = 32


class DirectoryTarget:
    """A topic in a data directory; both are made if they are not there. Offsets are given anew.

    Raises:
        ReplayError: somebody uses the directory, or it cannot be written.
    """

    def __init__(self, directory: Path, topic: str, *, codec: Codec = Codec.NONE) -> None:
        self._topic = topic
        self._codec = codec
        self._clock = SystemClock()
        self._waiting: dict[int, list[Event]] = {}
        self._waiting_bytes: dict[int, int] = {}
        self._partitions: dict[int, Partition] = {}
        try:
            config, _ = load(file=None, environment={}, settings=[f"log.dirs={directory}"])
            self._broker = Broker.open(directory, config, self._clock)
        except KstreamError as error:
            raise ReplayError(str(error)) from None

    def prepare(self, partition_count: Callable[[], int | None]) -> None:
        try:
            trio.run(self._prepare, partition_count())
        except ApiError as error:
            raise ReplayError(str(error)) from None

    def write(self, event: Event) -> None:
        index = event.partition or 0
        events = self._waiting.setdefault(index, [])
        events.append(event)
        size_bytes = self._waiting_bytes.get(index, HEADER_SIZE) + _size_bytes(event)
        self._waiting_bytes[index] = size_bytes
        if size_bytes >= _BATCH_BYTES:
            trio.run(self._append, [index])

    def flush(self) -> None:
        trio.run(self._append, list(self._waiting))
        for partition in self._partitions.values():
            try:
                partition.log.flush()
            except KstreamError as error:
                raise ReplayError(str(error)) from None

    def size_bytes(self) -> int | None:
        return None

    def close(self) -> None:
        self._broker.close()

    async def _prepare(self, partition_count: int | None) -> None:
        """Make the topic and all its partitions, so that one without records is there too."""
        await self._broker.create_missing_topics([(self._topic, partition_count)])
        for partition in self._broker.metadata.image.topics_by_name[self._topic].partitions:
            await self._broker.partitions.get(self._topic, partition.index)

    async def _append(self, indexes: list[int]) -> None:
        for index in indexes:
            events = self._waiting.pop(index)
            del self._waiting_bytes[index]
            try:
                partition = await self._broker.partitions.get(self._topic, index)
                self._partitions[index] = partition
                batch = build_batch(
                    ((self._timestamp_ms(each), each.key, each.value, each.headers) for each in events),
                    codec=self._codec,
                )
                await partition.append(batch, [read_header(batch)], now_ms=self._clock.now_ms())
            except KstreamError as error:
                raise ReplayError(f"cannot write {self._topic}-{index}: {error}") from None

    def _timestamp_ms(self, event: Event) -> int:
        return event.timestamp_ms if event.timestamp_ms != NO_TIMESTAMP else self._clock.now_ms()


def _size_bytes(event: Event) -> int:
    headers = sum(len(name) + len(value or b"") + 4 for name, value in event.headers)
    return len(event.key or b"") + len(event.value or b"") + headers + _RECORD_OVERHEAD_BYTES
