"""Reading a topic of a running cluster, without ever touching a group's positions."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from confluent_kafka import (
    OFFSET_END,
    TIMESTAMP_LOG_APPEND_TIME,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from kstream.replay.clients import new_consumer
from kstream.replay.errors import NoAnswer, Refused, ReplayError
from kstream.replay.event import NO_TIMESTAMP, Event
from kstream.replay.merging import by_time
from kstream.replay.moments import Kind, Moment, Range
from kstream.replay.reaching import check_reachable
from kstream.replay.spans import Span, offset_of

_ASK_S = 15.0
_SILENCE_S_MAX = 60.0
_BUFFERED_BYTES_MAX = 8 * 1024 * 1024
_MESSAGES_A_CALL = 2_000


class TopicSource:
    """A range of a topic. The end is fixed when this is made, so that it ends while others produce.

    `settings` are librdkafka's, such as those for security. Raises `ReplayError`.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        span: Range,
        *,
        is_committed_only: bool = True,
        partitions: Collection[int] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        check_reachable(bootstrap, settings)
        self._topic = topic
        self._consumer = new_consumer(consumer_settings(bootstrap, is_committed_only, settings))
        try:
            indexes = partition_indexes(self._consumer, topic, bootstrap)
            self._partition_count = len(indexes)
            self.spans = resolve(self._consumer, topic, chosen(topic, indexes, partitions), span)
        except BaseException:
            self._consumer.close()
            raise
        self._next = {index: span.start for index, span in self.spans.items()}
        self._buffers: dict[int, deque[tuple[Event, int]]] = {index: deque() for index in self.spans}
        """Events with their sizes in bytes."""
        self._buffered_bytes = dict.fromkeys(self.spans, 0)
        self._paused: set[int] = set()
        self._unfinished = {index for index, span in self.spans.items() if span.start < span.end}

    @property
    def total(self) -> int | None:
        return sum(max(0, span.end - span.start) for span in self.spans.values())

    @property
    def done(self) -> int:
        return sum(self._next[index] - span.start for index, span in self.spans.items())

    def events(self, resume: Mapping[int, int]) -> Iterator[Event]:
        assigned = []
        for index, span in self.spans.items():
            self._next[index] = max(span.start, resume.get(index, span.start))
            if self._next[index] >= span.end:
                self._unfinished.discard(index)
            if index in self._unfinished:
                assigned.append(TopicPartition(self._topic, index, self._next[index]))
        self._consumer.assign(assigned)
        return by_time([self._partition_events(index) for index in sorted(self._unfinished)])

    def partition_count(self) -> int | None:
        return self._partition_count

    def close(self) -> None:
        self._consumer.close()

    def _partition_events(self, index: int) -> Iterator[Event]:
        buffer = self._buffers[index]
        while True:
            while not buffer:
                if index not in self._unfinished:
                    self._next[index] = max(self._next[index], self.spans[index].end)
                    return
                self._fill()
            event, size_bytes = buffer.popleft()
            assert event.offset is not None
            self._next[index] = event.offset + 1
            self._buffered_bytes[index] -= size_bytes
            if index in self._paused and not buffer:
                self._paused.discard(index)
                self._consumer.resume([TopicPartition(self._topic, index)])
            yield event

    def _fill(self) -> None:
        """Wait until something came for a partition."""
        silent_since_s = time.monotonic()
        while not (messages := take(self._consumer, 1.0)):
            if time.monotonic() - silent_since_s > _SILENCE_S_MAX:
                raise ReplayError(f"the cluster sent nothing of {self._topic} for {_SILENCE_S_MAX:.0f} s")
        for message in messages:
            self._take(message)

    def _take(self, message: Message) -> None:
        error = message.error()
        index = message.partition() or 0
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                self._finish(index)
                return
            raise ReplayError(f"cannot read {self._topic}: {error.str()}")
        if index not in self._unfinished:
            return
        end = self.spans[index].end
        event = to_event(message)
        assert event.offset is not None
        if event.offset < end:
            self._buffers[index].append((event, len(message)))
            self._buffered_bytes[index] += len(message)
        if event.offset >= end - 1:
            self._finish(index)
        elif self._buffered_bytes[index] > _BUFFERED_BYTES_MAX and index not in self._paused:
            self._paused.add(index)
            self._consumer.pause([TopicPartition(self._topic, index)])

    def _finish(self, index: int) -> None:
        if index in self._unfinished:
            self._unfinished.discard(index)
            self._consumer.pause([TopicPartition(self._topic, index)])


def consumer_settings(
    bootstrap: str, is_committed_only: bool, settings: Mapping[str, Any] | None
) -> dict[str, Any]:
    """A consumer that belongs to no group: librdkafka wants a name for one, and nothing is ever committed."""
    return {
        "bootstrap.servers": bootstrap,
        "group.id": "kstream-reader",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
        "check.crcs": True,
        "isolation.level": "read_committed" if is_committed_only else "read_uncommitted",
        "log_level": 0,
        **(settings or {}),
    }


def take(consumer: Consumer, wait_s: float) -> list[Message]:
    """What is there, once anything is; nothing after `wait_s`. The library's own call would wait for more."""
    first = consumer.consume(1, wait_s)
    return first + consumer.consume(_MESSAGES_A_CALL, 0) if first else first


def to_event(message: Message) -> Event:
    """What the client library hands out, as an event."""
    kind, timestamp_ms = message.timestamp()
    headers = message.headers()
    return Event(
        message.partition(),
        message.offset(),
        NO_TIMESTAMP if kind == TIMESTAMP_NOT_AVAILABLE else timestamp_ms,
        message.key(),
        message.value(),
        tuple(headers) if headers else (),  # type: ignore[arg-type]  # a list of pairs
        kind == TIMESTAMP_LOG_APPEND_TIME,
    )


def partition_indexes(consumer: Consumer, topic: str, bootstrap: str) -> list[int]:
    """The topic's partitions. Raises `ReplayError`: no such topic, or nobody there."""
    try:
        found = consumer.list_topics(topic, timeout=_ASK_S).topics[topic]
    except KafkaException as error:
        raise NoAnswer(bootstrap, error.args[0].str()) from None
    if found.error is not None:
        raise Refused(f"{topic} at {bootstrap}: {found.error.str()}")
    return sorted(found.partitions)


def chosen(topic: str, indexes: list[int], partitions: Collection[int] | None) -> list[int]:
    """The partitions that somebody named, or all. Raises `Refused` for one that is not there."""
    if partitions is None:
        return indexes
    if missing := sorted(set(partitions) - set(indexes)):
        raise Refused(f"{topic} has no partition {missing[0]}: it has {len(indexes)}")
    return sorted(set(partitions))


def resolve(consumer: Consumer, topic: str, indexes: list[int], span: Range) -> dict[int, Span]:
    """The offsets that a range means in each partition now. Raises `ReplayError`."""
    try:
        edges = {
            index: Span(*consumer.get_watermark_offsets(TopicPartition(topic, index), timeout=_ASK_S))
            for index in indexes
        }
        starts = _offsets(consumer, topic, edges, span.start)
        ends = _offsets(consumer, topic, edges, span.end)
    except KafkaException as error:
        raise ReplayError(f"cannot ask for offsets of {topic}: {error.args[0].str()}") from None
    return {
        index: Span(max(edge.start, starts[index]), min(edge.end, ends[index]))
        for index, edge in edges.items()
    }


def _offsets(consumer: Consumer, topic: str, edges: Mapping[int, Span], moment: Moment) -> dict[int, int]:
    if moment.kind is Kind.TIME:
        wanted = [TopicPartition(topic, index, moment.number) for index in edges]
        found = consumer.offsets_for_times(wanted, timeout=_ASK_S) if wanted else []
        return {
            each.partition: edges[each.partition].end if each.offset in (OFFSET_END, -1) else each.offset
            for each in found
        }
    return {index: offset_of(moment, edge) for index, edge in edges.items()}
