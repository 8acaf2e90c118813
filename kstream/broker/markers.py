"""Markers: how the end of a transaction is written to one partition."""

from __future__ import annotations

from typing import NamedTuple

from kstream.broker.enlistments import Enlistments
from kstream.broker.partition import Partition
from kstream.log.partition import Origin
from kstream.records.batch import read_header
from kstream.records.control import end_txn_batch


class Marker(NamedTuple):
    """The end of one producer's transaction."""

    producer_id: int
    producer_epoch: int
    is_commit: bool
    coordinator_epoch: int
    is_newer: bool = False
    """Whether it must have a higher epoch than what it ends (KIP-1228)."""

    def check(self, enlistments: Enlistments) -> None:
        """Raises ApiError INVALID_PRODUCER_EPOCH or TRANSACTION_COORDINATOR_FENCED."""
        enlistments.check_marker(
            self.producer_id, self.producer_epoch, self.coordinator_epoch, is_newer=self.is_newer
        )

    def batch(self, now_ms: int) -> bytes:
        """The control batch."""
        return end_txn_batch(
            is_commit=self.is_commit,
            producer_id=self.producer_id,
            producer_epoch=self.producer_epoch,
            coordinator_epoch=self.coordinator_epoch,
            timestamp_ms=now_ms,
        )


async def append_marker(partition: Partition, marker: Marker, *, now_ms: int) -> None:
    """End a transaction in a partition of a client's topic.

    Raises:
        ApiError: INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED.
        LogStorageError: the disk refused.
    """
    marker.check(partition.enlistments)
    partition.enlistments.end(marker.producer_id)
    batch = marker.batch(now_ms)
    await partition.append(batch, (read_header(batch),), now_ms=now_ms, origin=Origin.COORDINATOR)
