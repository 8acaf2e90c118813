"""What reaches a coordinator's partition as part of a transaction: offsets, and the marker that ends it."""

from __future__ import annotations

from typing import TypeVar

from kstream.broker.coordinated import Coordinated, Operation, Reply
from kstream.broker.enlistments import Guard
from kstream.broker.markers import Marker
from kstream.coordinator.codec import encode_record
from kstream.coordinator.shard import Shard
from kstream.records.builder import build_batch

S = TypeVar("S", bound=Shard)


async def perform_in_transaction(
    coordinated: Coordinated[S],
    operation: Operation[S],
    *,
    producer_id: int,
    producer_epoch: int,
    guard: Guard | None,
    now_ms: int,
) -> object:
    """Run an operation whose records count only once the producer's transaction is committed.

    Raises:
        ApiError: what the operation raises; INVALID_PRODUCER_EPOCH, INVALID_TXN_STATE for a producer that may
        not write here; NOT_COORDINATOR.
    """
    replies: list[object] = []

    def prepare() -> bytes | None:
        outcome = operation(coordinated.shard, now_ms, Reply())
        replies.extend(response for _, response in outcome.replies)
        records, outcome.records = outcome.records, []
        outcome.replies = []
        batch = None
        if records:
            enlistments = coordinated.partition.enlistments
            enlistments.check_epoch(producer_id, producer_epoch)
            enlistments.check(producer_id, producer_epoch, guard)
            batch = build_batch(
                [(now_ms, *encode_record(record)) for record in records],
                producer_id=producer_id,
                producer_epoch=producer_epoch,
                is_transactional=True,
            )
            for record in records:
                coordinated.shard.replay(record, producer_id=producer_id)
        coordinated.carry_out(outcome)
        return batch

    await coordinated.write_alone(prepare)
    return replies[0]


async def end_transaction(coordinated: Coordinated[S], marker: Marker, *, now_ms: int) -> None:
    """Write a marker, and let the shard know.

    Raises:
        ApiError: INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED, NOT_COORDINATOR.
    """

    def prepare() -> bytes:
        enlistments = coordinated.partition.enlistments
        marker.check(enlistments)
        enlistments.end(marker.producer_id)
        coordinated.shard.replay_end_transaction(marker.producer_id, is_commit=marker.is_commit)
        return marker.batch(now_ms)

    await coordinated.write_alone(prepare)
