"""One partition's log: append, read, roll, flush, close.

Everything here is synchronous and belongs to one thread, except `flush`, which may run in another meanwhile.
What a log decides (offsets, producer windows, open transactions, epochs) is a fold over its batches.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from kstream.log import retention, syncing, timestamps, truncation
from kstream.log.analysis import Origin
from kstream.log.appending import AppendResult, append_batches, check_sizes, duplicate_result
from kstream.log.config import LogConfig
from kstream.log.errors import LogStorageError, OffsetOutOfRange
from kstream.log.platform import NATIVE, Buffer, Platform
from kstream.log.recovery import Opened, open_files
from kstream.log.scanning import FRESH_BYTES
from kstream.log.segment import RELATIVE_OFFSET_MAX, Segment
from kstream.log.segments import SegmentList
from kstream.log.slices import EMPTY_SLICE, LogSlice
from kstream.log.snapshots import snapshot_path, write_snapshot
from kstream.log.txn_index import AbortedTransaction
from kstream.records.batch import CONTROL_FLAG, FRONT, BatchHeader, TimestampType

__all__ = ["AppendResult", "LogStorageError", "OffsetOutOfRange", "Origin", "PartitionLog"]

_log = logging.getLogger(__name__)


class PartitionLog:
    """A partition on disk. Obtain it by `open`; `LogDirectory` knows the arguments."""

    __slots__ = (
        "_closed",
        "_high_watermark",
        "_offline",
        "config",
        "directory",
        "directory_changed",
        "end_offset",
        "follows_end",
        "fresh_from",
        "is_clean",
        "is_deleted",
        "is_new",
        "leader_epochs",
        "log_start_offset",
        "platform",
        "producers",
        "recovery_point",
        "segments",
        "snapshot_offset",
        "topic_id",
    )

    def __init__(self, directory: Path, config: LogConfig, platform: Platform, opened: Opened) -> None:
        self.directory = directory
        self.config = config
        self.platform = platform
        self.segments = SegmentList(opened.segments)
        self.producers = opened.producers
        self.leader_epochs = opened.leader_epochs
        self.topic_id = opened.topic_id
        self.log_start_offset = opened.log_start_offset
        self.end_offset = opened.end_offset
        """The next batch's first offset; what is below is published."""
        self.recovery_point = opened.recovery_point
        """Everything below is on the disk, not only in the page cache."""
        self.snapshot_offset = opened.snapshot_offset
        """Where the newest producer snapshot stands, -1 if there is none."""
        self.directory_changed = False
        """Whether files came or went since the last flush."""
        self.is_new = opened.is_new
        """Whether the directory itself was made since the last flush."""
        self.is_clean = False
        """Whether it was closed in order: the next start needs no recovery."""
        self.is_deleted = False
        self._high_watermark = 0
        self.follows_end = True
        """Whether the high watermark is the log's end, since nobody set it."""
        self.fresh_from = self.segments.active.size_bytes
        """Where in the active segment this process began to write."""
        self._offline: OSError | None = None
        self._closed = False

    @classmethod
    def open(
        cls,
        directory: Path,
        config: LogConfig,
        *,
        now_ms: int,
        topic_id: bytes | None = None,
        recovery_point: int = 0,
        was_clean: bool = False,
        log_start_offset: int = 0,
        platform: Platform = NATIVE,
    ) -> PartitionLog:
        """Open a partition's directory, created if absent. After an unclean stop, recover it first.

        `topic_id` is written for a new directory; for an old one it must be the same. `recovery_point` and
        `log_start_offset` come from the checkpoints, 0 where they say nothing.

        Raises:
            LogStorageError: the directory or its files cannot be read or written.
        """
        try:
            opened = open_files(
                directory,
                config,
                platform,
                now_ms=now_ms,
                topic_id=topic_id,
                recovery_point=recovery_point,
                was_clean=was_clean,
                log_start_offset=log_start_offset,
            )
        except OSError as error:
            raise LogStorageError(f"{directory}: {error}") from error
        return cls(directory, config, platform, opened)

    def __repr__(self) -> str:
        return f"PartitionLog({self.directory.name}, {self.log_start_offset}..{self.end_offset})"

    @property
    def size_bytes(self) -> int:
        """Bytes of all batches in all segments."""
        return sum(segment.size_bytes for segment in self.segments)

    @property
    def high_watermark(self) -> int:
        """Where plain readers stop: the log's end unless replication or durability set it lower."""
        return self.end_offset if self.follows_end else min(self._high_watermark, self.end_offset)

    @high_watermark.setter
    def high_watermark(self, offset: int) -> None:
        self._high_watermark = offset
        self.follows_end = False
        self.producers.on_high_watermark(offset)

    @property
    def last_stable_offset(self) -> int:
        """Where read_committed readers stop: below it every transaction has ended."""
        high_watermark = self.high_watermark
        first_unstable = self.producers.first_unstable_offset
        if first_unstable is None:
            return high_watermark
        return max(min(first_unstable, high_watermark), self.log_start_offset)

    def check_online(self) -> None:
        """Raises LogStorageError if a sync failed, or the log is closed: nothing can be appended any more."""
        if self._offline is not None:
            raise LogStorageError(f"{self.directory} is offline: {self._offline}") from self._offline
        if self._closed:
            raise LogStorageError(f"{self.directory} is closed")

    @property
    def is_closed(self) -> bool:
        return self._closed

    # Appending

    def append(
        self,
        buffer: memoryview | bytes,
        headers: Sequence[BatchHeader],
        *,
        leader_epoch: int,
        now_ms: int,
        origin: Origin = Origin.CLIENT,
    ) -> AppendResult:
        """Write batches at the end and publish them. HOT.

        `buffer` holds exactly the batches whose headers are given, back to back, validated by the caller. It
        is stamped in place if it can be written to.

        Raises:
            ApiError: 10 and 18 for sizes, 45, 47 and 48 for producers, 52 for markers of an old coordinator.
            LogStorageError: the disk refused; the log is as it was before.
        """
        if self._offline is not None or self._closed:
            self.check_online()
        header = headers[0]
        config = self.config
        if (
            len(headers) != 1
            or origin is not Origin.CLIENT
            or header.attributes & CONTROL_FLAG
            or config.message_timestamp_type is not TimestampType.CREATE_TIME
        ):
            return append_batches(self, buffer, headers, leader_epoch, now_ms, origin)
        size_bytes = header.length + 12
        if size_bytes > config.max_message_bytes or size_bytes > config.segment_bytes:
            check_sizes(config, headers, size_bytes)
        producer_id = header.producer_id
        if producer_id >= 0:
            entry = self.producers.entries.get(producer_id)
            if entry is not None:
                duplicate = entry.check(header)
                if duplicate is not None:
                    return duplicate_result(self, duplicate)
        base_offset = self.end_offset
        last_offset = base_offset + header.last_offset_delta
        if type(buffer) is memoryview and not buffer.readonly:
            FRONT.pack_into(buffer, 0, base_offset, header.length, leader_epoch)
            pieces: tuple[Buffer, ...] = (buffer,)
        else:
            pieces = (FRONT.pack(base_offset, header.length, leader_epoch), memoryview(buffer)[FRONT.size :])
        timestamp_ms = header.max_timestamp_ms
        segment = self.write(pieces, size_bytes, last_offset, timestamp_ms, now_ms)
        if leader_epoch != self.leader_epochs.latest:
            self.assign_epoch(leader_epoch, base_offset)
        position = segment.size_bytes
        if not position:
            segment.first_timestamp_ms = timestamp_ms
        # Before the index: a search by time may run in a thread, and must not find an entry without its
        # batch.
        segment.size_bytes = position + size_bytes
        segment.note_batch(last_offset, timestamp_ms, position, size_bytes, config.index_interval_bytes)
        if producer_id >= 0:
            self.producers.apply(header, base_offset)
        self.end_offset = last_offset + 1
        return AppendResult(base_offset, last_offset, -1, self.log_start_offset)

    def write(
        self, pieces: Sequence[Buffer], size_bytes: int, last_offset: int, timestamp_ms: int, now_ms: int
    ) -> Segment:
        """Write behind the published end, in a new segment where one is due; returns the segment. HOT.

        Raises LogStorageError, with the file ending at the published end again.
        """
        segment = self.segments.active
        try:
            if segment.should_roll(size_bytes, last_offset, timestamp_ms, now_ms, self.config):
                segment = self._roll(max(self.end_offset, last_offset - RELATIVE_OFFSET_MAX), now_ms)
            position = segment.size_bytes
            file = segment.file
            end = position + size_bytes
            if end > file.reserved_bytes:
                config = self.config
                file.reserve(end, config.segment_bytes, everything=config.preallocate)
            file.write(pieces, position, size_bytes)
        except OSError as error:
            self._restore_end(segment, error)
            raise LogStorageError(f"{self.directory}: {error}") from error
        return segment

    def _restore_end(self, segment: Segment, reason: OSError) -> None:
        try:
            segment.file.cut(segment.size_bytes)
        except OSError as error:
            # Half a batch may stand behind the end. Recovery cuts it; this process must not write over it.
            self.go_offline(error)
            raise LogStorageError(f"{self.directory} is offline: {error}") from reason

    def go_offline(self, error: OSError) -> None:
        """Nothing is appended any more until the log is opened again."""
        if self._offline is None:
            self._offline = error
            _log.error("%s is offline until the next start: %s", self.directory, error)

    def assign_epoch(self, epoch: int, start_offset: int) -> None:
        """Remember with which offset a leader epoch begins."""
        try:
            self.leader_epochs.assign(epoch, start_offset)
        except OSError as error:
            # In memory it is right, and the batches say it too: recovery would find it there.
            _log.warning("%s: the leader epoch's checkpoint is not written: %s", self.directory, error)

    def begin_epoch(self, epoch: int) -> None:
        """Batches from the log's end on are of a new leader epoch."""
        self.assign_epoch(epoch, self.end_offset)

    def end_offset_for_epoch(self, epoch: int) -> tuple[int, int]:
        """(epoch, end offset) of the largest epoch up to the one asked for; (-1, -1) if unknown (KIP-279)."""
        return self.leader_epochs.end_offset_for(epoch, self.end_offset)

    def expire_producers(self, now_ms: int) -> None:
        """Forget producers that were silent longer than `producer.id.expiration.ms`."""
        self.producers.expire(now_ms, self.config.producer_id_expiration_ms)

    def roll(self, now_ms: int) -> None:
        """Begin a new segment unless the active one is empty. Raises LogStorageError."""
        if not self.segments.active.size_bytes:
            return
        try:
            self._roll(self.end_offset, now_ms)
        except OSError as error:
            raise LogStorageError(f"{self.directory}: {error}") from error

    def _roll(self, base_offset: int, now_ms: int) -> Segment:
        # What can fail comes first, and can be done again; the switch cannot fail.
        old = self.segments.active
        if not old.size_bytes and base_offset == old.base_offset:
            return old
        old.seal()
        self.take_snapshot(base_offset)
        segment = Segment.create(self.directory, base_offset, self.platform, now_ms)
        if not old.size_bytes:
            old.unlink()
            self.segments.pop()
        self.segments.append(segment)
        self.fresh_from = 0
        self.directory_changed = True
        return segment

    def take_snapshot(self, offset: int) -> None:
        """Write the producer state as of `offset`, unless there is such a snapshot. Raises OSError."""
        before = self.snapshot_offset
        if offset > before:
            write_snapshot(snapshot_path(self.directory, offset), self.producers.entries.values())
            self.snapshot_offset = offset
            if before >= 0 and not self.segments.has_base(before):
                # One of an earlier close: those at segments' beginnings serve recovery, this one nothing any
                # more.
                snapshot_path(self.directory, before).unlink(missing_ok=True)

    # Reading

    def read(
        self,
        offset: int,
        size_bytes_max: int,
        *,
        end_offset: int | None = None,
        min_one_batch: bool = True,
    ) -> LogSlice:
        """The bytes from the batch that contains `offset`, of one segment, below `end_offset`. HOT.

        Whole batches only up to `end_offset`; cut at `size_bytes_max`, maybe inside a batch, but never inside
        the first one: that one comes whole with `min_one_batch`, and else nothing comes.

        Raises:
            OffsetOutOfRange: before the log's start or behind its end.
            LogStorageError: the file cannot be opened, or the bytes on the way are no batches.
        """
        end = self.end_offset
        if offset > end or offset < self.log_start_offset:
            raise OffsetOutOfRange(offset, self.log_start_offset, end)
        limit = end if end_offset is None or end_offset > end else end_offset
        if offset >= limit:
            if offset == end:
                # Whoever reads at the end comes back when there is more: it will begin here.
                active = self.segments.active
                self.segments.hint(offset, active, active.size_bytes)
            return EMPTY_SLICE
        segments = self.segments
        try:
            segment, position = segments.locate(offset)
            stop = segment.size_bytes if limit == end else segments.locate_in(segment, limit)
            file = segment.file
        except OSError as error:
            raise LogStorageError(f"{self.directory}: {error}") from error
        available = stop - position
        if available > size_bytes_max:
            first = int.from_bytes(file.mapping(position + 12)[position + 8 : position + 12], "big") + 12
            if first <= size_bytes_max:
                available = size_bytes_max
            elif min_one_batch:
                available = min(first, available)
            else:
                return EMPTY_SLICE
        elif available <= 0:
            return EMPTY_SLICE
        is_fresh = False
        if segment is segments.active:
            size_bytes = segment.size_bytes
            if position + available == size_bytes:
                segments.hint(end, segment, size_bytes)
            is_fresh = position >= self.fresh_from and size_bytes - position <= FRESH_BYTES
        return LogSlice(file, position, available, segment.base_offset, is_fresh)

    def aborted_transactions(self, offset: int, found: LogSlice) -> list[AbortedTransaction]:
        """Aborted transactions that a read_committed reader of `found`, read from `offset`, must know."""
        return self.segments.aborted_transactions(offset, found, self.end_offset)

    def offset_for_timestamp(self, timestamp_ms: int) -> timestamps.OffsetAndTimestamp | None:
        """The first record at or after a time: (offset, timestamp); None if there is none."""
        return timestamps.offset_for_timestamp(self, timestamp_ms)

    def max_timestamp(self) -> timestamps.OffsetAndTimestamp | None:
        """The record with the largest timestamp, the first of them (KIP-734); None for a log without any."""
        return timestamps.max_timestamp(self)

    # Keeping and ending

    def flush(self) -> int:
        """Make everything appended so far durable; returns the offset up to which it is. May run in a thread.

        Raises LogStorageError: the log is offline from now on, a failed sync proves nothing when it is
        repeated.
        """
        self.check_online()
        end_offset = self.end_offset
        if end_offset > self.recovery_point or self.directory_changed or self.leader_epochs.is_unsynced:
            try:
                syncing.sync(self)
            except OSError as error:
                self.go_offline(error)
                raise LogStorageError(f"{self.directory} is offline: {error}") from error
            self.recovery_point = max(self.recovery_point, end_offset)
        return end_offset

    def flush_rolled(self) -> None:
        """Make all segments but the active one durable, so that recovery need not read them. May run in a
        thread.

        Raises LogStorageError as `flush` does.
        """
        segments = tuple(self.segments)
        base_offset = segments[-1].base_offset
        if base_offset > self.recovery_point:
            self.check_online()
            try:
                syncing.sync_segments(self, segments[:-1])
                syncing.sync_names(self)
            except OSError as error:
                self.go_offline(error)
                raise LogStorageError(f"{self.directory} is offline: {error}") from error
            self.recovery_point = max(self.recovery_point, base_offset)

    def close(self, clean: bool = True) -> None:
        """End. A clean close cuts reserved space, completes indexes, takes a snapshot and flushes.

        Raises LogStorageError if that cannot be written: then the next start must recover.
        """
        if self._closed:
            return
        try:
            if clean:
                self.check_online()
                self.segments.active.seal()
                if self.end_offset > self.segments[0].base_offset:
                    self.take_snapshot(self.end_offset)
                self.flush()
                self.is_clean = True
        except OSError as error:
            raise LogStorageError(f"{self.directory}: {error}") from error
        finally:
            self._closed = True
            self.segments.forget_hints()
            for segment in self.segments:
                segment.abandon()

    def release_files(self) -> None:
        """Close the files of all segments but the active one until they are needed again. Raises OSError."""
        for segment in self.segments[:-1]:
            segment.let_go()

    def delete(self) -> retention.Removal:
        """Close the log and rename its directory, so that no start sees it as a partition; `finish` the
        removal in a thread. Slices in flight stay readable. Raises OSError.
        """
        self.close(clean=False)
        self.is_deleted = True
        self.directory = retention.rename_for_deletion(self.directory)
        return retention.Removal([self.directory])

    def delete_records(self, before_offset: int) -> int:
        """Move the log's start up to an offset; returns where it is now. Data goes with
        `delete_old_segments`.

        Raises OffsetOutOfRange behind the high watermark.
        """
        if before_offset > self.high_watermark:
            raise OffsetOutOfRange(before_offset, self.log_start_offset, self.high_watermark)
        retention.raise_log_start(self, before_offset)
        return self.log_start_offset

    def delete_old_segments(self, now_ms: int) -> retention.Removal:
        """Take segments that retention no longer wants out of the log; `finish` the removal in a thread.
        From a closed log nothing is taken: another one's files may stand where its own did.

        Raises LogStorageError.
        """
        if self._closed:
            return retention.Removal([])
        try:
            return retention.delete_old_segments(self, now_ms)
        except OSError as error:
            raise LogStorageError(f"{self.directory}: {error}") from error

    def truncate_to(self, offset: int, now_ms: int) -> None:
        """Drop every batch that ends at or behind `offset`: a follower's log that went another way than its
        leader's.

        Raises LogStorageError.
        """
        self.check_online()
        try:
            truncation.truncate_to(self, offset, now_ms)
        except OSError as error:
            self.go_offline(error)
            raise LogStorageError(f"{self.directory}: {error}") from error
