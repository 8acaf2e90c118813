"""Acknowledgements that repeat: a member of a share group that settles its records one by one says the same
each time but for the session's epoch and the record, and hears the same.

What a connection said up to its member id is kept with the connection, and for each partition the bytes of
the answer that all went well. A request that begins with the same bytes, and goes on with one range of
records of such a partition, then needs no decoding and its answer no encoding. Anything else goes the
ordinary way, which finds out what is wrong with it; only that an acknowledgement fails is answered here, too.
"""

from __future__ import annotations

from struct import Struct

from kstream.api.context import RequestContext
from kstream.api.share_acknowledge import answer_to
from kstream.broker.share_acknowledging import AcknowledgeResult
from kstream.broker.share_sessions import ShareSessionKey
from kstream.config.share_groups import ShareConfig
from kstream.errors import ApiError
from kstream.shares.limits import Acknowledgement, AcknowledgeType
from kstream.shares.state_store import ShareKey
from kstream.wire.apis import ApiKey
from kstream.wire.codec import Part
from kstream.wire.headers import read_request_header, response_frame
from kstream.wire.messages.share_acknowledge import ShareAcknowledgeRequest, ShareAcknowledgeResponse
from kstream.wire.primitives import uvarint_size_bytes

_START = slice(0, 4)
_CORRELATION_ID = slice(4, 8)
_SAID_FROM = 8
"""Of a request, behind API key and version, and correlation id."""
_ANSWERS_MAX = 1024

_TAILS = {1: Struct(">iB16sBiBqqBb4s"), 2: Struct(">i?B16sBiBqqBb4s")}
"""Behind the member id, by version: session epoch, from version 2 on whether locks are renewed; then topics,
partitions, ranges and types, one of each, a count of one being 2; and no tags.
"""
_ONE = 2
_NO_TAGS = b"\0\0\0\0"
_KINDS = frozenset({AcknowledgeType.ACCEPT, AcknowledgeType.RELEASE, AcknowledgeType.REJECT})


_Said = tuple[int, bytes, int, int, int, int]
"""Epoch, topic id, partition, first and last offset, type."""


def _read_tail(frame: memoryview, end: int, version: int) -> _Said | None:
    """None for one that says more, or something else. HOT."""
    if version > 1:
        (
            epoch,
            is_renewing,
            topics,
            topic_id,
            partitions,
            partition,
            ranges,
            first,
            last,
            types,
            kind,
            tags,
        ) = _TAILS[version].unpack_from(frame, end)
    else:
        epoch, topics, topic_id, partitions, partition, ranges, first, last, types, kind, tags = _TAILS[
            version
        ].unpack_from(frame, end)
        is_renewing = False
    if (
        topics != _ONE
        or partitions != _ONE
        or ranges != _ONE
        or types != _ONE
        or tags != _NO_TAGS
        or is_renewing
        or epoch <= 0
        or kind not in _KINDS
        or not 0 <= first <= last
    ):
        return None
    return epoch, topic_id, partition, first, last, kind


class ShareAcks:
    """What one connection's acknowledgements have in common."""

    __slots__ = (
        "_answers",
        "_client_id",
        "_config",
        "_end",
        "_member",
        "_said",
        "_size_bytes",
        "_start",
        "_stats",
        "_version",
    )

    def __init__(self, frame: memoryview, context: RequestContext, member: ShareSessionKey, end: int) -> None:
        self._start = frame[_START].tobytes()
        self._said = frame[_SAID_FROM:end].tobytes()
        self._end = end
        self._size_bytes = len(frame)
        self._member = member
        self._client_id = context.client_id
        self._version = context.api_version
        self._stats = context.stats
        self._config = context.broker.shares.settings.config_of(member.group_id)
        self._answers: dict[tuple[bytes, int], tuple[ShareKey, bytes, bytes]] = {}

    def repeats(self, frame: memoryview, end: int, config: ShareConfig) -> bool:
        """Whether a request begins as those before, and is answered as they were."""
        return (
            end == self._end
            and len(frame) == self._size_bytes
            and frame[_SAID_FROM:end] == self._said
            and frame[_START] == self._start
            and config is self._config
        )

    def learn(self, said: _Said, answer: bytes) -> None:
        """All went well with a partition's acknowledgement, and this says so."""
        if len(self._answers) >= _ANSWERS_MAX:
            self._answers.clear()
        _, topic_id, partition, *_ = said
        key = ShareKey(self._member.group_id, topic_id, partition)
        self._answers[(topic_id, partition)] = (key, answer[:4], answer[8:])

    async def answer(self, frame: memoryview, context: RequestContext) -> list[Part] | None:
        """The answer to a request that repeats others; None, with nothing done, if it does not. HOT."""
        broker, member = context.broker, self._member
        shares = broker.shares
        if not self.repeats(frame, self._end, shares.settings.config_of(member.group_id)):
            return None
        said = _read_tail(frame, self._end, self._version)
        if said is None or not broker.groups.has_share_groups:
            return None
        epoch, topic_id, partition, first_offset, last_offset, kind = said
        found = self._answers.get((topic_id, partition))
        if found is None:
            return None
        key, before, after = found
        share = shares.find(key)
        if share is None or not shares.sessions.try_go_on(member, epoch):
            return None
        context.client_id = self._client_id
        context.api_version = self._version
        context.stats = self._stats
        correlation_id = frame[_CORRELATION_ID].tobytes()
        try:
            await share.acknowledge(member.member_id, (Acknowledgement(first_offset, last_offset, (kind,)),))
        except ApiError as error:
            self._stats.count_errors((error.code,))
            result = AcknowledgeResult(error.code, error.message)
            response = answer_to(context, member, {(topic_id, partition): result})
            return response_frame(
                response,
                ApiKey.SHARE_ACKNOWLEDGE,
                self._version,
                int.from_bytes(correlation_id, "big", signed=True),
            )
        return [before + correlation_id + after]


def learn(
    frame: memoryview,
    context: RequestContext,
    request: ShareAcknowledgeRequest,
    response: ShareAcknowledgeResponse,
    parts: list[Part],
) -> None:
    """Keep what a request said that was handled in full, and its answer, if others can repeat it."""
    version = context.api_version
    group_id, member_id = request.group_id, request.member_id
    if version not in _TAILS or group_id is None or member_id is None:
        return
    if len(response.responses) != 1 or len(parts) != 1 or not isinstance(parts[0], bytes):
        return
    (topic,) = response.responses
    if response.error_code or len(topic.partitions) != 1 or topic.partitions[0].error_code:
        return
    end = read_request_header(frame).body
    for text in (group_id, member_id):
        size_bytes = len(text.encode())
        end += uvarint_size_bytes(size_bytes + 1) + size_bytes
    if end + _TAILS[version].size != len(frame):
        return
    said = _read_tail(frame, end, version)
    if said is None:
        return
    acks = context.acks
    config = context.broker.shares.settings.config_of(group_id)
    if not isinstance(acks, ShareAcks) or not acks.repeats(frame, end, config):
        acks = context.acks = ShareAcks(frame, context, ShareSessionKey(group_id, member_id), end)
    acks.learn(said, parts[0])
