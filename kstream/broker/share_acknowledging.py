"""Acknowledgements as they come, with a share fetch or by themselves: checked, and each partition's
carried out (KIP-932).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from kstream.broker.broker import Broker
from kstream.broker.share_sessions import ShareSessionKey
from kstream.errors import ApiError, ErrorCode
from kstream.shares.limits import Acknowledgement, AcknowledgeType
from kstream.shares.state_store import ShareKey


class Batch(Protocol):
    """As both requests have it."""

    first_offset: int
    last_offset: int
    acknowledge_types: list[int]


class AcknowledgeResult(NamedTuple):
    """What became of one partition's acknowledgements."""

    error_code: int = 0
    error_message: str | None = None


async def acknowledge_all(
    broker: Broker,
    member: ShareSessionKey,
    wanted: Iterable[tuple[bytes, int, Sequence[Batch]]],
    *,
    types_max: AcknowledgeType,
    is_renewing: bool,
) -> dict[tuple[bytes, int], AcknowledgeResult]:
    """Carry out acknowledgements by topic id and partition; the results likewise.

    A partition without any is a success if there is one with some, and else not in the answer.
    """
    results: dict[tuple[bytes, int], AcknowledgeResult] = {}
    silent: list[tuple[bytes, int]] = []
    has_some = False
    for topic_id, index, batches in wanted:
        place = (topic_id, index)
        try:
            topic = broker.metadata.image.topics_by_id.get(topic_id)
            if topic is None:
                raise ApiError(ErrorCode.UNKNOWN_TOPIC_ID)
            _check(batches, types_max, is_renewing=is_renewing)
            if not 0 <= index < len(topic.partitions):
                raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
            if not batches:
                silent.append(place)
                continue
            has_some = True
            results[place] = await _acknowledge(broker, member, ShareKey(member.group_id, *place), batches)
        except ApiError as error:
            results[place] = AcknowledgeResult(error.code)
    if has_some:
        for place in silent:
            results.setdefault(place, AcknowledgeResult())
    return results


async def _acknowledge(
    broker: Broker, member: ShareSessionKey, key: ShareKey, batches: Sequence[Batch]
) -> AcknowledgeResult:
    share = broker.shares.find(key)
    if share is None:
        return AcknowledgeResult(
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "Nobody has fetched from this share partition."
        )
    acknowledgements = [
        Acknowledgement(batch.first_offset, batch.last_offset, tuple(batch.acknowledge_types))
        for batch in batches
    ]
    try:
        await share.acknowledge(member.member_id, acknowledgements)
    except ApiError as error:
        return AcknowledgeResult(error.code, error.message)
    return AcknowledgeResult()


def _check(batches: Sequence[Batch], types_max: AcknowledgeType, *, is_renewing: bool) -> None:
    """Raises ApiError INVALID_REQUEST for what makes no sense, whatever is acquired."""
    last_offset = -1
    for batch in batches:
        count = len(batch.acknowledge_types)
        if (
            batch.first_offset > batch.last_offset
            or batch.first_offset < last_offset
            or not count
            or (count > 1 and batch.last_offset - batch.first_offset != count - 1)
            or not all(0 <= kind <= types_max for kind in batch.acknowledge_types)
            or (AcknowledgeType.RENEW in batch.acknowledge_types and not is_renewing)
        ):
            raise ApiError(ErrorCode.INVALID_REQUEST)
        last_offset = batch.last_offset
