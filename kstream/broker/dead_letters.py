"""Dead letters (KIP-1191): records that a share group gives up, in a topic of their own.

A dead letter says in its headers where the record is and why it was given up; its key and value are
copied if the group wants that. It goes to the partition of the record's number, as far as there are so
many. What cannot be written is given up all the same, with a word in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import NamedTuple

import trio

from kstream.broker.metadata.create_topics import NewTopic, create_topics
from kstream.broker.metadata.store import MetadataStore
from kstream.broker.partition import Partition
from kstream.broker.partitions import Partitions
from kstream.broker.producing import append_produced
from kstream.broker.replica import disk_limiter
from kstream.clock import Clock
from kstream.config.broker import BrokerConfig
from kstream.errors import ApiError, ErrorCode, KstreamError
from kstream.log.errors import LogStorageError
from kstream.log.slices import LogSlice
from kstream.records.batch import iter_headers
from kstream.records.builder import RecordTuple, build_batch
from kstream.records.errors import CorruptBatch
from kstream.records.record import iter_records
from kstream.shares.changes import DeadLetters
from kstream.shares.state_store import ShareKey

log = logging.getLogger(__name__)

ENABLED_ON_TOPIC = "errors.deadletterqueue.group.enable"
_PREFIX = "__dlq.errors."
_READ_BYTES = 1024 * 1024
_RECORD_OVERHEAD_BYTES = 64
_LATEST_PRODUCE_VERSION = 13

Content = tuple[bytes | None, bytes | None]
"""Key and value."""


class DeadLetterFailure(KstreamError):
    """Dead letters cannot be written; the message says why."""


class Destination(NamedTuple):
    """Where a group wants its dead letters, and whether with the records themselves."""

    topic_name: str
    copies_records: bool


class DeadLetterWriter:
    """Writes dead letters of all groups."""

    def __init__(
        self, config: BrokerConfig, *, partitions: Partitions, metadata: MetadataStore, clock: Clock
    ) -> None:
        self._config = config
        self._partitions = partitions
        self._metadata = metadata
        self._clock = clock

    async def write(
        self, key: ShareKey, source: Partition, dead: DeadLetters, destination: Destination
    ) -> None:
        """Write one for each record. Raises DeadLetterFailure."""
        await self._ensure_topic(destination.topic_name)
        try:
            image = self._metadata.image.topics_by_name[destination.topic_name]
            index = key.partition % len(image.partitions)
            target = await self._partitions.wait_open(destination.topic_name, index)
            contents = await _contents(source, dead) if destination.copies_records else {}
            records = self._letters(key, source.topic_name, dead, contents)
            for batch in _batches(records, target.log.config.max_message_bytes):
                await append_produced(
                    target,
                    memoryview(bytearray(batch)),
                    api_version=_LATEST_PRODUCE_VERSION,
                    validate="off",
                    batches_seen=0,
                    now_ms=self._clock.now_ms(),
                )
        except (ApiError, LogStorageError, CorruptBatch, KeyError) as error:
            raise DeadLetterFailure(f"{destination.topic_name}: {error}") from error

    def _letters(
        self, key: ShareKey, topic_name: str, dead: DeadLetters, contents: dict[int, Content]
    ) -> Iterator[RecordTuple]:
        now_ms = self._clock.now_ms()
        for offset in range(dead.first_offset, dead.last_offset + 1):
            said = {
                "topic": topic_name,
                "partition": str(key.partition),
                "offset": str(offset),
                "group": key.group_id,
                "delivery.count": str(dead.delivery_count),
                "message": dead.cause.value,
            }
            headers = [(_PREFIX + name, value.encode()) for name, value in said.items()]
            yield (now_ms, *contents.get(offset, (None, None)), headers)

    async def _ensure_topic(self, name: str) -> None:
        """See that the topic is there and meant for this. Raises DeadLetterFailure."""
        prefix = self._config.get("errors.deadletterqueue.topic.name.prefix") or ""
        if name.startswith("__"):
            raise DeadLetterFailure(f"{name}: a topic of dead letters cannot begin with __")
        if not name.startswith(prefix):
            raise DeadLetterFailure(
                f"{name}: topics of dead letters begin with {prefix}"
                " (errors.deadletterqueue.topic.name.prefix)"
            )
        if name in self._metadata.image.topics_by_name:
            if self._metadata.image.topic_configs(name).get(ENABLED_ON_TOPIC) != "true":
                raise DeadLetterFailure(f"{name}: the topic does not have {ENABLED_ON_TOPIC}=true")
            return
        if not self._config.value("errors.deadletterqueue.auto.create.topics.enable"):
            raise DeadLetterFailure(
                f"{name}: there is no such topic, and errors.deadletterqueue.auto.create.topics.enable is off"
            )
        configs = ((ENABLED_ON_TOPIC, "true"), ("message.timestamp.type", "CreateTime"))
        wanted = NewTopic(name, configs=configs)
        (created,) = await self._metadata.update(lambda image: create_topics(image, self._config, [wanted]))
        if created.error is not None and created.error.code is not ErrorCode.TOPIC_ALREADY_EXISTS:
            raise DeadLetterFailure(f"{name} cannot be created: {created.error}")


async def _contents(source: Partition, dead: DeadLetters) -> dict[int, Content]:
    """Keys and values of the records, as far as the log still has them."""
    found: dict[int, Content] = {}
    dead = dead._replace(first_offset=max(dead.first_offset, source.log.log_start_offset))
    offset = dead.first_offset
    while offset <= dead.last_offset and offset < source.high_watermark:
        part = await source.read(offset, _READ_BYTES, end_offset=source.high_watermark, min_one_batch=True)
        try:
            offset = await trio.to_thread.run_sync(_collect, part, dead, found, limiter=disk_limiter())
        finally:
            part.release()
    return found


def _collect(part: LogSlice, dead: DeadLetters, found: dict[int, Content]) -> int:
    """Take over what a slice has of the records; returns the offset behind it. Runs in a thread."""
    view, position, behind = part.view(), 0, dead.last_offset + 1
    for header in iter_headers(view, partial_ok=True):
        behind = header.next_offset
        if header.base_offset > dead.last_offset:
            break
        if header.last_offset >= dead.first_offset and not header.is_control:
            for record in iter_records(view, position, header=header):
                if dead.first_offset <= record.offset <= dead.last_offset:
                    found[record.offset] = (record.key, record.value)
        position += header.size_bytes
    return behind


def _batches(records: Iterator[RecordTuple], size_bytes_max: int) -> Iterator[bytes]:
    """Records as batches of at most so many bytes, or of one record."""
    collected: list[RecordTuple] = []
    size_bytes = 0
    for record in records:
        record_bytes = _size_bytes(record)
        if collected and size_bytes + record_bytes > size_bytes_max:
            yield build_batch(collected)
            collected, size_bytes = [], 0
        collected.append(record)
        size_bytes += record_bytes
    if collected:
        yield build_batch(collected)


def _size_bytes(record: RecordTuple) -> int:
    """At most what a record takes in a batch, with a share of the batch's own header."""
    headers = record[3] if len(record) == 4 else ()
    content = sum(len(part) for part in record[1:3] if isinstance(part, bytes))
    said = sum(len(name) + len(value or b"") + 10 for name, value in headers)
    return content + said + _RECORD_OVERHEAD_BYTES
