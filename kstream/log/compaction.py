"""Compaction: of each key only the last record stays (`cleanup.policy=compact`).

A round takes a log's dirty part, enters keys and their last offsets into a map until that is full, and then
writes every segment from the oldest to where the map ends anew, without the records that a later one of the
same key supersedes. Offsets stay; so do batch boundaries. What else stays, as in Kafka:

- a record without a value, a tombstone, until `delete.retention.ms` after the first round that met it: that
  round writes the delete horizon into the batch (KIP-534);
- transaction markers likewise, counted from the first round that finds none of their transaction's batches;
- the last batch of every producer that is known, even without records: its sequence and epoch are needed;
- the last batch below the high watermark, even without records: where the active segment is empty, it is
  the only one that tells the log's end.

The work (`compaction_work`) is done beside appends and reads, on segments that change no more, by somebody
who has only a job of plain values: usually a process of its own (`compaction_process`). Here is what the
thread that owns the log does: it makes the job, and puts what was written in its place.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kstream.log.compaction_job import (
    MAP_BYTES,
    PIECE_BYTES,
    CleanedGroup,
    CompactionJob,
    KnownProducers,
)
from kstream.log.errors import CompactionAborted, LogStorageError
from kstream.log.segment import Segment
from kstream.log.swapping import CLEANED_SUFFIX, can_swap, commit, swap

if TYPE_CHECKING:
    from kstream.log.cleanable import Cleanable
    from kstream.log.partition import PartitionLog
    from kstream.log.retention import Removal


class Compaction:
    """One round over one log: who does `job` has every group that is cleaned swapped before the next."""

    __slots__ = ("_log", "_segments", "job")

    def __init__(
        self,
        log: PartitionLog,
        found: Cleanable,
        now_ms: int,
        *,
        map_bytes: int = MAP_BYTES,
        load_factor: float = 0.9,
        piece_bytes: int = PIECE_BYTES,
    ) -> None:
        """`map_bytes` bound the keys of a round, `piece_bytes` what is read or written at once. Raises
        OSError.
        """
        self._log = log
        self._segments = [segment for segment in log.segments if segment.base_offset < found.end_offset]
        known = log.producers.entries.items()
        self.job = CompactionJob(
            directory=log.directory.absolute(),  # who does the job may be elsewhere
            inode=os.stat(log.directory).st_ino,
            config=log.config,
            now_ms=now_ms,
            first_dirty_offset=found.first_dirty_offset,
            limit_offset=found.end_offset,
            segments=tuple((segment.base_offset, segment.size_bytes) for segment in self._segments),
            base_offsets_behind=tuple(
                segment.base_offset
                for segment in log.segments[:-1]
                if segment.base_offset >= found.end_offset
            ),
            active_aborted=tuple(log.segments.active.txn_index.entries),
            producers=KnownProducers(
                {id_: entry.batches[-1].last_offset if entry.batches else -1 for id_, entry in known},
                {id_: entry.epoch for id_, entry in known},
            ),
            high_watermark=log.high_watermark,
            map_bytes=map_bytes,
            load_factor=load_factor,
            piece_bytes=piece_bytes,
        )

    def has_lost_its_log(self) -> bool:
        """Whether what is left to be cleaned is not the log's any more: then errors say nothing about it."""
        return bool(self._segments) and not can_swap(self._log, self._segments)

    def pin(self, cleaned: CleanedGroup) -> None:
        """Open what `swap` will need open, so that it need not wait for the disk: for a thread. Raises
        OSError, CorruptTransactionIndex.
        """
        for segment in self._group(cleaned):
            segment.pin()

    def _group(self, cleaned: CleanedGroup) -> list[Segment]:
        return [segment for segment in self._segments if segment.base_offset in cleaned.base_offsets]

    def swap(self, cleaned: CleanedGroup) -> Removal:
        """Put what was written in the place of its group; `finish` the removal in a thread.

        Raises:
            CompactionAborted: the group does not stand in the log any more.
            LogStorageError: the disk refused.
        """
        log = self._log
        group = self._group(cleaned)
        segment = Segment(
            log.directory,
            cleaned.base_offsets[0],
            log.platform,
            size_bytes=cleaned.size_bytes,
            now_ms=0,
            suffix=CLEANED_SUFFIX,
        )
        segment.max_timestamp_ms = cleaned.max_timestamp_ms
        segment.max_timestamp_offset = cleaned.max_timestamp_offset
        if not can_swap(log, group):
            self._unlink(segment)
            raise CompactionAborted(f"{log.directory} changed while it was compacted")
        try:
            commit(group, segment)
        except OSError as error:
            self._unlink(segment)
            raise LogStorageError(f"{log.directory} was not compacted: {error}") from error
        try:
            removal = swap(log, group, segment)
        except OSError as error:
            log.go_offline(error)
            raise LogStorageError(f"{log.directory} is offline: {error}") from error
        self._segments = [segment for segment in self._segments if segment not in group]
        return removal

    def _unlink(self, segment: Segment) -> None:
        if not self._log.is_closed:  # else another log's may stand there
            segment.unlink()

    def discard_unswapped(self) -> None:
        """Delete what was written and not swapped, once nobody writes any more: for a thread. What a closed
        log has left goes with its directory, or at the next opening. Raises OSError.
        """
        if not self._log.is_closed:
            for path in self._log.directory.glob(f"*{CLEANED_SUFFIX}"):
                path.unlink(missing_ok=True)
