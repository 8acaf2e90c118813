"""Dead letters on their way back: which were redriven, what they name, and sending it again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from kstream.cli.connection import Cluster
from kstream.cli.output import say
from kstream.replay.clients import new_consumer, new_producer
from kstream.replay.errors import NoAnswer, ReplayError
from kstream.replay.topic_source import consumer_settings, to_event
from kstream.replay.topic_target import producer_settings
from kstream.shares.queue.entries import REDRIVEN

_HEADERS = "__dlq.errors."
_NOTE_LENGTH_MAX = 4_000
"""Kafka's `offset.metadata.max.bytes` is 4,096."""
_NOTED = re.compile(r"(\d{1,18})(?:-(\d{1,18}))?", re.ASCII)
_NOTED_MAX = 10_000_000
_POLL_S = 5.0
_SEND_S = 30.0


class Redriven:
    """Which letters of one partition are done with: all below a position, and some behind it.

    A redrive with a filter leaves letters behind that a later one may want, so a position alone does not do.
    The others are noted as text in the metadata of the committed position, such as `12-15,20`.
    """

    def __init__(self, position: int, note: str = "") -> None:
        """Raises `ReplayError` for a note that nobody here wrote."""
        self.position = position
        self._beyond: set[int] = set()
        for part in filter(None, note.split(",")):
            found = _NOTED.fullmatch(part)
            first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, -1)
            if not first <= last < first + _NOTED_MAX - len(self._beyond):
                raise ReplayError(
                    f"the position's metadata say {note[:40]!r}, not which letters are done with"
                )
            self._beyond.update(range(first, last + 1))
        self._advance()

    def __contains__(self, offset: int) -> bool:
        return offset < self.position or offset in self._beyond

    def add(self, offset: int) -> None:
        """One more is done with."""
        self._beyond.add(offset)
        self._advance()

    def note(self) -> str:
        """What is behind the position. Raises `ReplayError` if it is too scattered to be noted."""
        parts: list[str] = []
        first = before = -2
        for offset in [*sorted(self._beyond), -2]:
            if offset != before + 1:
                if first >= 0:
                    parts.append(str(first) if first == before else f"{first}-{before}")
                first = offset
            before = offset
        text = ",".join(parts)
        if len(text) > _NOTE_LENGTH_MAX:
            raise ReplayError("too many letters were passed over: redrive them without --where first")
        return text

    def _advance(self) -> None:
        self._beyond = {offset for offset in self._beyond if offset >= self.position}
        while self.position in self._beyond:
            self._beyond.remove(self.position)
            self.position += 1


class Letters:
    """The dead letters of a group that were not redriven yet, and the note of those that were."""

    def __init__(self, cluster: Cluster, topic: str, group: str) -> None:
        self._cluster = cluster
        self._topic = topic
        self._group = group
        settings = {
            **consumer_settings(cluster.bootstrap, True, cluster.settings()),
            "group.id": f"redrive.{group}",
        }
        self._consumer = new_consumer(settings)
        self._redriven: dict[int, Redriven] = {}

    def close(self) -> None:
        self._consumer.close()

    def __iter__(self) -> Iterator[tuple[Message, Origin]]:
        """Each letter with what it names. Raises `ReplayError`, `NoAnswer`."""
        try:
            found = self._consumer.list_topics(self._topic, timeout=_POLL_S).topics[self._topic]
            if found.error is not None:
                raise ReplayError(f"{self._topic}: {found.error.str()}")
            wanted = [TopicPartition(self._topic, index) for index in sorted(found.partitions)]
            for committed in self._consumer.committed(wanted, timeout=_POLL_S):
                yield from self._of_partition(committed)
        except KafkaException as error:
            raise NoAnswer(self._cluster.bootstrap, error.args[0].str()) from None

    def _of_partition(self, committed: TopicPartition) -> Iterator[tuple[Message, Origin]]:
        index = committed.partition
        begin, end = self._consumer.get_watermark_offsets(TopicPartition(self._topic, index), _POLL_S)
        at = max(committed.offset, begin)
        try:
            redriven = self._redriven[index] = Redriven(at, committed.metadata or "")
        except ReplayError as foreign:
            raise ReplayError(f"redrive.{self._group}, {self._topic}-{index}: {foreign}") from None
        self._consumer.assign([TopicPartition(self._topic, index, at)])
        while at < end:
            message = self._consumer.poll(_POLL_S)
            if message is None:
                raise NoAnswer(self._cluster.bootstrap, f"{self._topic}-{index} is slow to read")
            if (error := message.error()) is not None:
                if error.code() == KafkaError._PARTITION_EOF:  # no letter is at the end: a marker, or nothing
                    return
                raise ReplayError(f"{self._topic}: {error.str()}")
            offset = message.offset() or 0
            at = offset + 1
            origin = origin_of(message)
            if origin is None or origin.group != self._group:
                redriven.add(offset)  # another group's, and never ours
            elif offset not in redriven:
                yield message, origin

    def done(self, letter: Message) -> None:
        """Note that a letter was redriven, and return once that is committed. Raises `ReplayError`."""
        index = letter.partition() or 0
        redriven = self._redriven[index]
        redriven.add(letter.offset() or 0)
        position = TopicPartition(self._topic, index, redriven.position, redriven.note())
        try:
            self._consumer.commit(offsets=[position], asynchronous=False)
        except KafkaException as error:
            raise self._cluster.failure(error, f"note that {self._topic}-{index} was redriven") from None


class Origin(NamedTuple):
    """The record that a dead letter stands for, and whose letter it is."""

    group: str
    topic: str
    partition: int
    offset: int


def origin_of(letter: Message) -> Origin | None:
    """What a dead letter names; None if it is none."""
    said = {
        name.removeprefix(_HEADERS): value.decode(errors="replace")
        for name, value in to_event(letter).headers
        if name.startswith(_HEADERS) and value is not None
    }
    try:
        return Origin(said["group"], said["topic"], int(said["partition"]), int(said["offset"]))
    except (KeyError, ValueError):
        return None


class Resender:
    """Sends records again from where dead letters say that they are, or from the letter if they are gone."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._producer = new_producer(producer_settings(cluster.bootstrap, cluster.settings()))
        self._consumer = new_consumer(consumer_settings(cluster.bootstrap, True, cluster.settings()))

    def close(self) -> None:
        self._consumer.close()

    def send(self, letter: Message, origin: Origin) -> None:
        """Return once it is acknowledged. A copy in the letter has no headers of the record's own.

        Raises `ReplayError`, `NoAnswer`: it was not sent.
        """
        group, topic, partition, offset = origin
        record = self._original(topic, partition, offset)
        if record is None and (letter.value() is not None or letter.key() is not None):
            record = letter
        if record is None:
            say(f"{topic}-{partition} has lost the record at {offset}; the letter is no copy: passed over")
            return
        headers: list[tuple[str, str | bytes | None]] = [
            (name, value)
            for name, value in to_event(record).headers
            if not name.startswith(_HEADERS) and name != REDRIVEN
        ]
        headers.append((REDRIVEN, group))
        failures: list[str] = []
        self._producer.produce(
            topic,
            record.value(),
            record.key(),
            partition=partition,
            headers=headers,
            on_delivery=lambda error, _: failures.append(error.str()) if error else None,
        )
        if self._producer.flush(_SEND_S) or failures:
            raise ReplayError(f"{topic} did not take a record: {', '.join(failures) or 'no answer'}")

    def _original(self, topic: str, partition: int, offset: int) -> Message | None:
        try:
            begin, end = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), _POLL_S)
        except KafkaException as error:  # the whole topic is gone, say
            raise self._cluster.failure(error, f"read {topic}-{partition}") from None
        if not begin <= offset < end:
            return None
        self._consumer.assign([TopicPartition(topic, partition, offset)])
        message = self._consumer.poll(_POLL_S)
        if message is None:
            raise NoAnswer(self._cluster.bootstrap, f"{topic}-{partition} is slow to read")
        failure = message.error()
        if failure is not None and failure.code() != KafkaError._PARTITION_EOF:
            raise ReplayError(f"cannot read {topic}-{partition} at {offset}: {failure.str()}")
        return message if failure is None and message.offset() == offset else None
