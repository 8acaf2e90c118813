"""What batches would do to the producer state: tried on copies before a write, entered after it.

The same fold serves an append, a recovery and a truncation, so that a replayed log cannot differ from a live
one.
"""

from __future__ import annotations

from enum import Enum

from kstream.log.producers import BatchMetadata, CompletedTransaction, ProducerEntry, ProducerState
from kstream.log.txn_index import AbortedTransaction
from kstream.records.batch import BatchHeader
from kstream.records.control import read_end_txn_marker


class Origin(Enum):
    """Who appends; decides what is checked."""

    CLIENT = "client"
    """A producer: sequences and epochs are checked, offsets assigned."""
    COORDINATOR = "coordinator"
    """This broker, for internal topics and transaction markers: epochs are checked, offsets assigned."""
    REPLICATION = "replication"
    """A leader's batches, or our own at recovery: nothing is checked, offsets and epochs stay."""


class Analysis:
    """A try of consecutive batches on a producer state; `commit` makes it real."""

    __slots__ = ("_events", "_origin", "_state", "_touched")

    def __init__(self, state: ProducerState, origin: Origin) -> None:
        self._state = state
        self._origin = origin
        self._touched: dict[int, ProducerEntry] = {}
        # In order: a producer's transaction that opens, and its first offset; or one that ends.
        self._events: list[tuple[int, int] | CompletedTransaction] = []

    def add(
        self, header: BatchHeader, first_offset: int, buffer: bytes | bytearray | memoryview, position: int
    ) -> BatchMetadata | None:
        """Try one batch, which stands at `position` of `buffer`. Returns what it is a retry of, if it is one.

        Raises ApiError as `ProducerEntry.check` does, and for fenced markers.
        """
        producer_id = header.producer_id
        if producer_id < 0:
            return None
        entry = self._touched.get(producer_id)
        if entry is None:
            known = self._state.entries.get(producer_id)
            entry = ProducerEntry(producer_id, header.producer_epoch) if known is None else known.copy()
        else:
            known = entry
        if header.is_control:
            self._add_marker(entry, header, first_offset, buffer, position)
        else:
            if known is not None:
                if self._origin is Origin.CLIENT:
                    duplicate = entry.check(header)
                    if duplicate is not None:
                        return duplicate
                elif self._origin is Origin.COORDINATOR:
                    entry.check_epoch(header.producer_epoch)
            if entry.apply(header, first_offset):
                self._events.append((producer_id, first_offset))
        self._touched[producer_id] = entry
        return None

    def _add_marker(
        self,
        entry: ProducerEntry,
        header: BatchHeader,
        first_offset: int,
        buffer: bytes | bytearray | memoryview,
        position: int,
    ) -> None:
        marker = read_end_txn_marker(buffer, position, header=header)
        if marker is None:
            if not header.record_count:
                # Compaction took the marker, and kept its batch for the producer's epoch.
                entry.set_epoch(max(entry.epoch, header.producer_epoch))
                entry.last_timestamp_ms = max(entry.last_timestamp_ms, header.max_timestamp_ms)
            return
        if self._origin is not Origin.REPLICATION:
            entry.check_marker(header.producer_epoch, marker.coordinator_epoch)
        began = entry.apply_marker(header.producer_epoch, marker.coordinator_epoch, header.max_timestamp_ms)
        if began is not None:
            last_offset = first_offset + header.last_offset_delta
            self._events.append(
                CompletedTransaction(entry.producer_id, began, last_offset, not marker.is_commit)
            )

    def commit(self) -> list[AbortedTransaction]:
        """The batches were written. Returns what the transaction index must know, in order."""
        state = self._state
        state.entries.update(self._touched)
        aborted = []
        for event in self._events:
            if not isinstance(event, CompletedTransaction):
                state.open(*event)
                continue
            indexed = state.complete(event)
            if indexed is not None:
                aborted.append(indexed)
        return aborted
