"""How a log grows: appends, new segments, producer snapshots."""

from __future__ import annotations

from collections.abc import Sequence

from kstream.log.analysis import Origin
from kstream.log.appending import AppendResult, append_batches, check_sizes, duplicate_result
from kstream.log.errors import LogStorageError
from kstream.log.log_state import LogState
from kstream.log.platform import Buffer
from kstream.log.segment import RELATIVE_OFFSET_MAX, Segment
from kstream.log.snapshots import snapshot_path, write_snapshot
from kstream.records.batch import CONTROL_FLAG, FRONT, BatchHeader, TimestampType


class LogWriter(LogState):
    """The writing half of a log."""

    __slots__ = ()

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
