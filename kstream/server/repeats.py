"""Produce requests that repeat: the same as one before but for correlation id and records.

A producer that sends one batch a request says the same each time: client, acks, timeout, topic, partition.
When such a request was answered without an error, its bytes between correlation id and records are remembered
with what they said, and so are the bytes of its answer around the numbers that change. A request that begins
with the same bytes then needs no decoding, and its answer no encoding.

Only the codecs are passed by: what is to be asked of each batch anew belongs in `produce_one`.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import cast

from kstream.api.context import RequestContext
from kstream.api.produce import produce_one
from kstream.records.batch import ATTRIBUTES_POSITION, HEADER_SIZE, TRANSACTIONAL_FLAG
from kstream.wire.apis import ApiKey, flexible_from
from kstream.wire.codec import Part
from kstream.wire.headers import response_frame
from kstream.wire.messages.produce import (
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceResponse,
)
from kstream.wire.primitives import BadEncoding, read_uvarint_rest, uvarint_size_bytes
from kstream.wire.uuids import ZERO_UUID

_KEPT_MAX = 4096
_SAID_FROM = 8
"""In a request, behind API key, version and correlation id; in an answer, behind size and correlation id."""
_NO_TAGS = (0, 0)
_TAGS_SIZE_BYTES = 3
"""Behind the records: of partition, topic and request, a byte each if there are none."""
_FLAGS_POSITION = ATTRIBUTES_POSITION + 1
_PRODUCE = int(ApiKey.PRODUCE)
_FLEXIBLE_FROM = flexible_from(ApiKey.PRODUCE) or 0
_FIRST_VERSION = 5
"""Before it, answers do not have all of the numbers."""

_read_start = Struct(">hhi").unpack_from
_read_size = Struct(">i").unpack_from
_read_tags = Struct(">HB").unpack_from
_numbers = Struct(">ihqqq")
"""In an answer: partition, error, base offset, log append time, log start offset."""


class Repeat:
    """What one kind of request says, and what surrounds the numbers in its answer."""

    __slots__ = (
        "_after",
        "_before",
        "_pack",
        "_size_bytes",
        "_topic",
        "client_id",
        "index",
        "records",
        "stats",
        "topic",
        "version",
    )

    def __init__(
        self, context: RequestContext, answered: TopicProduceResponse, before: bytes, after: bytes
    ) -> None:
        self.client_id = context.client_id
        self.version = context.api_version
        self.records = _records_reader(context.api_version)
        self.stats = context.stats
        self.topic: str | bytes = answered.name if answered.topic_id == ZERO_UUID else answered.topic_id
        self.index = answered.partition_responses[0].index
        self._topic = answered
        self._before = before
        self._after = after
        self._size_bytes = 4 + len(before) + _numbers.size + len(after)
        self._pack = Struct(f">ii{len(before)}sihqqq{len(after)}s").pack

    def encode(self, correlation_id: int, answer: PartitionProduceResponse) -> list[Part]:
        """The whole frame of an answer. HOT."""
        if answer.error_code:
            self.stats.count_errors((answer.error_code,))
            topic = TopicProduceResponse(
                name=self._topic.name, topic_id=self._topic.topic_id, partition_responses=[answer]
            )
            response = ProduceResponse(responses=[topic])
            return response_frame(response, ApiKey.PRODUCE, self.version, correlation_id)
        return [
            self._pack(
                self._size_bytes,
                correlation_id,
                self._before,
                self.index,
                0,
                answer.base_offset,
                answer.log_append_time_ms,
                answer.log_start_offset,
                self._after,
            )
        ]


class Repeats:
    """The kinds of requests that were seen lately, of all connections.

    `RequestContext.repeats_to` is where a connection's last one ended, 0 if it has sent none: the next one is
    looked for by so many bytes.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, Repeat] = {}

    async def answer(self, frame: memoryview, context: RequestContext) -> list[Part] | None:
        """The answer to a request that repeats another; None, with nothing done, if it does not. HOT."""
        end = context.repeats_to
        repeat = self._known.get(frame[_SAID_FROM:end].tobytes())
        if repeat is None:
            return None
        key, version, correlation_id = _read_start(frame)
        if key != _PRODUCE or version != repeat.version:
            return None
        records = repeat.records(frame, end)
        if records is None or records[_FLAGS_POSITION] & TRANSACTIONAL_FLAG:
            return None
        context.client_id = repeat.client_id
        context.api_version = version
        context.stats = repeat.stats
        now_ms = context.broker.clock.now_ms()
        answer = await produce_one(context, repeat.topic, repeat.index, records, 1, now_ms)
        return repeat.encode(correlation_id, answer)

    def learn(
        self,
        frame: memoryview,
        context: RequestContext,
        request: ProduceRequest,
        response: ProduceResponse,
        parts: list[Part],
    ) -> None:
        """Remember a request that was handled in full, and its answer, if others can repeat it."""
        version = context.api_version
        if version < _FIRST_VERSION or request.transactional_id is not None:
            return
        if len(request.topic_data) != 1 or len(request.topic_data[0].partition_data) != 1:
            return
        records = cast("memoryview | None", request.topic_data[0].partition_data[0].records)
        if records is None or len(response.responses[0].partition_responses) != 1:
            return
        end = len(frame) - len(records)
        end -= 4 if version < _FLEXIBLE_FROM else _TAGS_SIZE_BYTES + uvarint_size_bytes(len(records) + 1)
        found = _records_reader(version)(frame, end)
        if found is None or len(found) != len(records):
            return
        said = frame[_SAID_FROM:end].tobytes()
        known = self._known.get(said)
        if known is None or known.version != version:
            answered = response.responses[0].partition_responses[0]
            numbers = _numbers.pack(
                answered.index,
                0,
                answered.base_offset,
                answered.log_append_time_ms,
                answered.log_start_offset,
            )
            around = cast(bytes, parts[0])[_SAID_FROM:].split(numbers)
            if answered.error_code or len(around) != 2:
                return
            if len(self._known) >= _KEPT_MAX:
                self._known.clear()
            self._known[said] = Repeat(context, response.responses[0], *around)
        context.repeats_to = end


def _records_reader(version: int) -> Callable[[memoryview, int], memoryview | None]:
    """What finds the records behind what a request says: None unless they are its whole rest."""
    return _plain_records if version < _FLEXIBLE_FROM else _compact_records


def _plain_records(frame: memoryview, end: int) -> memoryview | None:
    """Their size, and they. HOT."""
    begin = end + 4
    if begin + HEADER_SIZE >= len(frame) or _read_size(frame, end)[0] != len(frame) - begin:
        return None
    return frame[begin:]


def _compact_records(frame: memoryview, end: int) -> memoryview | None:
    """Their size, they, no tags. HOT."""
    try:
        size = frame[end]
        begin = end + 1
        if size > 127:
            more = frame[begin]
            if more > 127:
                size, begin = read_uvarint_rest(frame, begin, size)
            else:
                begin += 1
                size += (more << 7) - 128
        stop = begin + size - 1
        if size <= HEADER_SIZE or stop + _TAGS_SIZE_BYTES != len(frame):
            return None
        if _read_tags(frame, stop) != _NO_TAGS:
            return None
    except (IndexError, BadEncoding):
        return None
    return frame[begin:stop]
