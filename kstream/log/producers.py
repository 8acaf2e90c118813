"""Producer state of one partition: what makes producing idempotent, and where the last stable offset stands.

For each producer id: its epoch, its last five batches (so that a retry is recognised, KIP-98), and the first
offset of its open transaction. All of it is a fold over the partition's batches: checked before a batch is
written, changed only by `apply` and `complete` after it was, and rebuilt by replaying headers behind the
newest snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kstream.errors import ApiError, ErrorCode
from kstream.log.txn_index import AbortedTransaction
from kstream.records.batch import TRANSACTIONAL_FLAG, BatchHeader

BATCHES_KEPT = 5
SEQUENCE_MASK = 0x7FFF_FFFF
NO_EPOCH = -1
NO_COORDINATOR_EPOCH = -1


class BatchMetadata(NamedTuple):
    """What is remembered of one batch."""

    first_sequence: int
    last_sequence: int
    first_offset: int
    last_offset: int
    timestamp_ms: int


class ProducerEntry:
    """One producer id. `batches` is oldest first, of the current epoch only."""

    __slots__ = (
        "batches",
        "coordinator_epoch",
        "epoch",
        "last_timestamp_ms",
        "producer_id",
        "txn_first_offset",
    )

    def __init__(self, producer_id: int, epoch: int) -> None:
        self.producer_id = producer_id
        self.epoch = epoch
        self.batches: list[BatchMetadata] = []
        self.last_timestamp_ms = -1
        self.coordinator_epoch = NO_COORDINATOR_EPOCH
        self.txn_first_offset: int | None = None

    def copy(self) -> ProducerEntry:
        """A state of its own, for a try."""
        other = ProducerEntry(self.producer_id, self.epoch)
        other.batches = list(self.batches)
        other.last_timestamp_ms = self.last_timestamp_ms
        other.coordinator_epoch = self.coordinator_epoch
        other.txn_first_offset = self.txn_first_offset
        return other

    def set_epoch(self, epoch: int) -> None:
        """Sequences begin anew with an epoch."""
        if epoch != self.epoch:
            self.epoch = epoch
            self.batches = []

    def check(self, header: BatchHeader) -> BatchMetadata | None:
        """Whether a client's batch comes next. Returns the batch it is a retry of, if it is one. HOT.

        Raises ApiError: 45 for a gap, 47 for an old epoch, 48 for a plain batch inside an open transaction.
        """
        epoch = header.producer_epoch
        batches = self.batches
        first_sequence = header.base_sequence
        if epoch == self.epoch:
            expected = (batches[-1].last_sequence + 1) & SEQUENCE_MASK if batches else 0
            if first_sequence != expected:
                last_sequence = header.last_sequence
                for batch in batches:
                    if batch.first_sequence == first_sequence and batch.last_sequence == last_sequence:
                        return batch
                raise ApiError(
                    ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                    f"producer {self.producer_id} sent sequence {first_sequence}, {expected} is next",
                )
        else:
            self.check_epoch(epoch)
            if first_sequence != 0 and self.epoch != NO_EPOCH:
                raise ApiError(
                    ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                    f"producer {self.producer_id} began epoch {epoch} with sequence {first_sequence}",
                )
        if self.txn_first_offset is not None and not header.attributes & TRANSACTIONAL_FLAG:
            raise ApiError(
                ErrorCode.INVALID_TXN_STATE,
                f"producer {self.producer_id} has an open transaction, its batch is not part of one",
            )
        return None

    def check_epoch(self, epoch: int) -> None:
        """Raises ApiError INVALID_PRODUCER_EPOCH (47) for an older one."""
        if epoch < self.epoch:
            raise ApiError(
                ErrorCode.INVALID_PRODUCER_EPOCH,
                f"epoch {epoch} of producer {self.producer_id} is older than {self.epoch}",
            )

    def check_marker(self, epoch: int, coordinator_epoch: int) -> None:
        """Raises ApiError for a marker of an old producer epoch (47) or an old coordinator (52)."""
        self.check_epoch(epoch)
        if coordinator_epoch < self.coordinator_epoch:
            raise ApiError(
                ErrorCode.TRANSACTION_COORDINATOR_FENCED,
                f"coordinator epoch {coordinator_epoch} is older than {self.coordinator_epoch}",
            )

    def apply(self, header: BatchHeader, first_offset: int) -> bool:
        """Remember a data batch; returns whether it opens a transaction. HOT."""
        if header.producer_epoch != self.epoch:
            self.set_epoch(header.producer_epoch)
        timestamp_ms = header.max_timestamp_ms
        batches = self.batches
        if len(batches) == BATCHES_KEPT:
            del batches[0]
        last_offset = first_offset + header.last_offset_delta
        batches.append(
            BatchMetadata(header.base_sequence, header.last_sequence, first_offset, last_offset, timestamp_ms)
        )
        self.last_timestamp_ms = timestamp_ms
        if self.txn_first_offset is None and header.attributes & TRANSACTIONAL_FLAG:
            self.txn_first_offset = first_offset
            return True
        return False

    def apply_marker(self, epoch: int, coordinator_epoch: int, timestamp_ms: int) -> int | None:
        """End the open transaction; returns its first offset, None if none was open."""
        self.set_epoch(epoch)
        first_offset = self.txn_first_offset
        self.txn_first_offset = None
        self.coordinator_epoch = coordinator_epoch
        self.last_timestamp_ms = timestamp_ms
        return first_offset


class CompletedTransaction(NamedTuple):
    """A transaction that a marker at `last_offset` ended."""

    producer_id: int
    first_offset: int
    last_offset: int
    is_aborted: bool


class ProducerState:
    """All producers of a partition, and its open transactions."""

    __slots__ = ("_open", "_unreplicated", "entries")

    def __init__(self) -> None:
        self.entries: dict[int, ProducerEntry] = {}
        # Both by ascending first offset, since that is how they are entered.
        self._open: dict[int, int] = {}  # producer id -> first offset
        self._unreplicated: dict[int, int] = {}  # first offset -> last offset, ended above the high watermark

    @property
    def first_unstable_offset(self) -> int | None:
        """First offset of the oldest transaction that is open or ended above the high watermark."""
        if not self._open and not self._unreplicated:
            return None
        return min(next(iter(offsets)) for offsets in (self._open.values(), self._unreplicated) if offsets)

    def apply(self, header: BatchHeader, first_offset: int) -> None:
        """Remember a data batch that was checked and written. HOT."""
        producer_id = header.producer_id
        entry = self.entries.get(producer_id)
        if entry is None:
            entry = self.entries[producer_id] = ProducerEntry(producer_id, header.producer_epoch)
        if entry.apply(header, first_offset):
            self.open(producer_id, first_offset)

    def open(self, producer_id: int, first_offset: int) -> None:
        """A transaction begins."""
        self._open[producer_id] = first_offset

    def complete(self, transaction: CompletedTransaction) -> AbortedTransaction | None:
        """A marker was written; returns what the transaction index must know if it aborted."""
        self._open.pop(transaction.producer_id, None)
        self._unreplicated[transaction.first_offset] = transaction.last_offset
        if len(self._unreplicated) > 1:
            self._unreplicated = dict(sorted(self._unreplicated.items()))
        if not transaction.is_aborted:
            return None
        oldest_open = next(iter(self._open.values()), None)
        last_stable_offset = transaction.last_offset + 1 if oldest_open is None else oldest_open
        return AbortedTransaction(
            transaction.producer_id, transaction.first_offset, transaction.last_offset, last_stable_offset
        )

    def on_high_watermark(self, high_watermark: int) -> None:
        """Transactions that ended below it are stable."""
        done = [first for first, last in self._unreplicated.items() if last < high_watermark]
        for first in done:
            del self._unreplicated[first]

    def expire(self, now_ms: int, expiration_ms: int) -> list[int]:
        """Forget producers that were silent so long and have no open transaction; returns their ids."""
        expired = [
            producer_id
            for producer_id, entry in self.entries.items()
            if entry.txn_first_offset is None and now_ms - entry.last_timestamp_ms >= expiration_ms
        ]
        for producer_id in expired:
            del self.entries[producer_id]
        return expired

    def load(self, entries: Iterable[ProducerEntry]) -> None:
        """Begin with the entries of a snapshot."""
        self.clear()
        open_offsets: list[tuple[int, int]] = []
        for entry in entries:
            self.entries[entry.producer_id] = entry
            if entry.txn_first_offset is not None:
                open_offsets.append((entry.txn_first_offset, entry.producer_id))
        for first_offset, producer_id in sorted(open_offsets):
            self.open(producer_id, first_offset)

    def clear(self) -> None:
        """Forget everything."""
        self.entries.clear()
        self._open.clear()
        self._unreplicated.clear()
