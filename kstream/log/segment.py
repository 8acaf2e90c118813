"""One segment: a `.log` file that begins at a base offset, with its indexes."""

from __future__ import annotations

import contextlib
import errno
import logging
import struct
from pathlib import Path

from kstream.log.config import INDEX_INTERVAL_BYTES, LogConfig
from kstream.log.errors import LogStorageError
from kstream.log.files import SegmentFile
from kstream.log.indexes import CorruptIndex, OffsetIndex, TimeIndex
from kstream.log.platform import Platform
from kstream.log.txn_index import TransactionIndex
from kstream.records.batch import HEADER_SIZE, read_header

_log = logging.getLogger(__name__)

RELATIVE_OFFSET_MAX = 0x7FFF_FFFF
_LENGTH_MIN = HEADER_SIZE - 12
_unpack_bounds = struct.Struct(">qi11xi").unpack_from  # base offset, length, last offset delta
_unpack_shape = struct.Struct(">qi11xi8xq").unpack_from  # and the max timestamp


def segment_path(directory: Path, base_offset: int, suffix: str) -> Path:
    """`<twenty digits><suffix>`, as Kafka names a segment's files."""
    return directory / f"{base_offset:020d}{suffix}"


class Segment:
    """A run of batches in one file.

    `size_bytes` is the published end: nothing behind it is read. File and indexes are opened at first use, so
    that a segment nobody asks for costs nothing.
    """

    __slots__ = (
        "__weakref__",
        "_file",
        "_index",
        "_time_index",
        "base_offset",
        "bytes_since_index",
        "created_ms",
        "directory",
        "first_timestamp_ms",
        "is_abandoned",
        "is_noted",
        "is_retired",
        "is_sealed",
        "max_timestamp_ms",
        "max_timestamp_offset",
        "path",
        "platform",
        "size_bytes",
        "suffix",
        "txn_index",
        "was_used",
    )

    def __init__(
        self,
        directory: Path,
        base_offset: int,
        platform: Platform,
        *,
        size_bytes: int,
        now_ms: int,
        suffix: str = "",
    ) -> None:
        self.directory = directory
        self.base_offset = base_offset
        self.platform = platform
        self.suffix = suffix
        """Behind the names of all its files, while it is not part of a log."""
        self.path = segment_path(directory, base_offset, ".log" + suffix)
        self.size_bytes = size_bytes
        self.bytes_since_index = 0
        self.created_ms = now_ms
        self.first_timestamp_ms: int | None = None
        self.max_timestamp_ms: int | None = None
        """Largest timestamp in the segment, -1 if none has one, None until asked for."""
        self.max_timestamp_offset = -1
        """Last offset of the first batch that has `max_timestamp_ms`."""
        self.txn_index = TransactionIndex(segment_path(directory, base_offset, ".txnindex" + suffix))
        self.is_sealed = False
        """Whether others follow it: no more batches come."""
        self.is_retired = False
        self.is_abandoned = False
        """Whether the log is closed: its files are not opened again, since another log's may stand there."""
        self.was_used = self.is_noted = False  # `OpenFiles` keeps its notes here
        self._file: SegmentFile | None = None
        self._index: OffsetIndex | None = None
        self._time_index: TimeIndex | None = None

    def __repr__(self) -> str:
        return f"Segment({self.path.name}, size_bytes={self.size_bytes})"

    @classmethod
    def create(
        cls, directory: Path, base_offset: int, platform: Platform, now_ms: int, *, suffix: str = ""
    ) -> Segment:
        """A new, empty segment. Raises OSError."""
        segment = cls(directory, base_offset, platform, size_bytes=0, now_ms=now_ms, suffix=suffix)
        # The `.log` comes last: if anything fails before, no start finds a segment that the log never had,
        # whose base offset may by then lie inside an older one.
        segment.clear_indexes()
        segment._file = SegmentFile(segment.path, platform, create=True)
        segment._file.cut(0)
        if not suffix:
            platform.open_files.note(segment)
        return segment

    @property
    def file(self) -> SegmentFile:
        file = self._file
        self.was_used = True
        if file is None:
            self._check_not_abandoned()
            file = self._file = SegmentFile(self.path, self.platform)
            self.platform.open_files.note(self)
        return file

    @property
    def is_open(self) -> bool:
        return self._file is not None

    @property
    def has_indexes(self) -> bool:
        """Whether they are loaded."""
        return self._index is not None

    @property
    def index(self) -> OffsetIndex:
        return self._index or self._load_indexes()[0]

    @property
    def time_index(self) -> TimeIndex:
        return self._time_index or self._load_indexes()[1]

    @property
    def index_paths(self) -> tuple[Path, Path, Path]:
        return (
            segment_path(self.directory, self.base_offset, ".index" + self.suffix),
            segment_path(self.directory, self.base_offset, ".timeindex" + self.suffix),
            self.txn_index.path,
        )

    def rename(self, suffix: str) -> None:
        """Give all files another suffix, the `.log` last: what it is called says what they all are.

        Raises OSError.
        """
        self._rename(self.txn_index, ".txnindex" + suffix)
        self._rename(self.index, ".index" + suffix)
        self._rename(self.time_index, ".timeindex" + suffix)
        self.suffix = suffix
        path = segment_path(self.directory, self.base_offset, ".log" + suffix)
        self.path.rename(path)
        self.path = path

    def _rename(self, index: TransactionIndex | OffsetIndex | TimeIndex, suffix: str) -> None:
        path = segment_path(self.directory, self.base_offset, suffix)
        with contextlib.suppress(FileNotFoundError):  # a transaction index without entries
            index.path.rename(path)
        index.path = path

    def retire(self) -> None:
        """Keep file and indexes open for whoever still searches here: others will soon stand under their
        names. Raises OSError, CorruptTransactionIndex.
        """
        self.is_retired = True
        self.pin()

    def pin(self) -> None:
        """Have file and indexes open. Raises OSError, CorruptTransactionIndex."""
        _ = self.file
        _ = self.txn_index.entries
        self.index.open_columns()
        self.time_index.open_columns()

    def _check_not_abandoned(self) -> None:
        if self.is_abandoned:
            raise FileNotFoundError(errno.ENOENT, "the log is closed", str(self.path))

    def _load_indexes(self) -> tuple[OffsetIndex, TimeIndex]:
        self._check_not_abandoned()
        index_path, time_index_path, _ = self.index_paths
        index = OffsetIndex(index_path)
        time_index = TimeIndex(time_index_path)
        try:
            index.load()
            time_index.load()
            last = index.last()
            if last is not None and last[1] >= self.size_bytes:
                raise CorruptIndex(f"{index.path} points behind the end of its segment")
        except (CorruptIndex, FileNotFoundError) as reason:
            if self.size_bytes:
                _log.warning("rebuilding the indexes of %s: %s", self.path, reason)
            return self.rebuild_indexes()
        self._index, self._time_index = index, time_index
        return index, time_index

    def clear_indexes(self) -> tuple[OffsetIndex, TimeIndex]:
        """Begin both indexes anew, on file too."""
        index_path, time_index_path, _ = self.index_paths
        index = self._index = OffsetIndex(index_path)
        time_index = self._time_index = TimeIndex(time_index_path)
        index.clear()
        time_index.clear()
        self.bytes_since_index = 0
        self.max_timestamp_ms = -1
        self.max_timestamp_offset = -1
        self.first_timestamp_ms = None
        return index, time_index

    def rebuild_indexes(self) -> tuple[OffsetIndex, TimeIndex]:
        """Write both indexes anew from the headers of the batches below the published end."""
        indexes = self.clear_indexes()
        end = self.size_bytes
        position = 0
        if end:
            mapping = self.file.mapping(end)
            while position < end:
                base_offset, length, delta, max_timestamp_ms = _unpack_shape(mapping, position)
                if length < _LENGTH_MIN:
                    raise self._corrupt_at(position)
                size_bytes = length + 12
                self.note_batch(
                    base_offset + delta, max_timestamp_ms, position, size_bytes, INDEX_INTERVAL_BYTES
                )
                position += size_bytes
        self.finish_indexes()
        return indexes

    def note_batch(
        self,
        last_offset: int,
        max_timestamp_ms: int,
        position: int,
        size_bytes: int,
        index_interval_bytes: int,
    ) -> None:
        """Count a batch that was written at `position`, and add index entries where they are due. HOT."""
        known_ms = self.max_timestamp_ms
        if known_ms is None:
            known_ms = self.largest_timestamp_ms
        if max_timestamp_ms > known_ms:
            self.max_timestamp_ms = max_timestamp_ms
            self.max_timestamp_offset = last_offset
        if self.bytes_since_index > index_interval_bytes:
            self.index.append(last_offset - self.base_offset, position)
            self._note_time()
            self.bytes_since_index = size_bytes
        else:
            self.bytes_since_index += size_bytes

    def _note_time(self) -> None:
        timestamp_ms = self.max_timestamp_ms
        if timestamp_ms is not None and timestamp_ms >= 0:
            self.time_index.append_if_later(timestamp_ms, self.max_timestamp_offset - self.base_offset)

    def finish_indexes(self) -> None:
        """Write all that is in memory, and the time index's last entry: no more batches come."""
        self._note_time()
        self.index.flush()
        self.time_index.flush()
        self.txn_index.flush()

    @property
    def largest_timestamp_ms(self) -> int:
        """Largest timestamp in the segment, -1 if it has none."""
        if self.max_timestamp_ms is None:
            # Rolled or closed cleanly, or else it would have been scanned: the last entry says it.
            last = self.time_index.last()
            if self.max_timestamp_ms is None:
                self.max_timestamp_ms = -1 if last is None else last[0]
                self.max_timestamp_offset = -1 if last is None else self.base_offset + last[1]
        return self.max_timestamp_ms

    @property
    def roll_timestamp_ms(self) -> int:
        """The first batch's max timestamp, from which `segment.ms` counts; -1 if it has none or there is no
        batch.
        """
        if self.first_timestamp_ms is None:
            if not self.size_bytes:
                return -1
            self.first_timestamp_ms = read_header(self.file.mapping(HEADER_SIZE)).max_timestamp_ms
        return self.first_timestamp_ms

    def should_roll(
        self, size_bytes: int, last_offset: int, timestamp_ms: int, now_ms: int, config: LogConfig
    ) -> bool:
        """Whether the next batches, of so many bytes, must go into a new segment. HOT."""
        size = self.size_bytes
        if size > config.segment_bytes - size_bytes or last_offset - self.base_offset > RELATIVE_OFFSET_MAX:
            return True
        if not size:
            return False
        first_ms = self.first_timestamp_ms
        if first_ms is None:
            first_ms = self.roll_timestamp_ms
        waited_ms = timestamp_ms - first_ms if first_ms >= 0 else now_ms - self.created_ms
        if waited_ms > config.segment_ms - config.segment_jitter_ms:
            return waited_ms > config.segment_ms - config.roll_jitter_ms(self.base_offset)
        # A full index is found by the size of its entries at every check: two lengths are cheaper than a
        # flag's upkeep.
        index, time_index = self._index, self._time_index
        if index is None or time_index is None:
            index, time_index = self.index, self.time_index
        limit = config.segment_index_bytes
        return index.count >= limit // 8 or time_index.count >= limit // 12 - 1

    def locate(self, offset: int) -> int:
        """Position of the first batch that ends at or after `offset`; the published end if there is none.
        HOT.

        Raises LogStorageError where the bytes on the way are no batches.
        """
        end = self.size_bytes
        if not end:
            return 0
        base = self.base_offset
        mapping = self.file.mapping(end)
        position = 0
        try:
            entry = self.index.floor(offset - base)
            if entry is not None:
                position = entry[1]
                self._check_entry(position, base + entry[0])
        except CorruptIndex as reason:
            self._rebuild_because(reason)
            return self.locate(offset)
        unpack = _unpack_bounds
        while position < end:
            base_offset, length, delta = unpack(mapping, position)
            if base_offset + delta >= offset:
                return position
            if length < _LENGTH_MIN:
                raise self._corrupt_at(position)
            position += length + 12
        return end

    def scan_bounds(self, offset: int) -> tuple[int, int]:
        """The bytes among which `locate` finds its batch. Raises CorruptIndex, OSError."""
        end = self.size_bytes
        if not end:
            return 0, 0
        index = self.index
        relative = offset - self.base_offset
        before = index.floor(relative)
        behind = index.above(relative)
        begin = 0 if before is None else min(before[1], end)
        return begin, end if behind is None else max(begin, min(behind[1] + HEADER_SIZE, end))

    def _check_entry(self, position: int, last_offset: int) -> None:
        """Raises CorruptIndex unless the batch at `position` ends with `last_offset`."""
        if position <= self.size_bytes - HEADER_SIZE:
            base_offset, _, delta = _unpack_bounds(self.file.mapping(position + HEADER_SIZE), position)
            if base_offset + delta == last_offset:
                return
        raise CorruptIndex(f"an entry says that offset {last_offset} is at byte {position}, which is not so")

    def _rebuild_because(self, reason: CorruptIndex) -> None:
        _log.warning("rebuilding the indexes of %s: %s", self.path, reason)
        self.rebuild_indexes()

    def _corrupt_at(self, position: int) -> LogStorageError:
        return LogStorageError(f"{self.path} has no record batch at byte {position}")

    def next_offset(self) -> int:
        """The offset after the segment's last batch, found from the last index entry."""
        last = self.index.last()
        position = 0
        if last is not None:
            position = last[1]
            try:
                self._check_entry(position, self.base_offset + last[0])
            except CorruptIndex as reason:
                self._rebuild_because(reason)
                return self.next_offset()
        return self._next_offset_from(position)

    def next_offset_by_scan(self) -> int:
        """The offset after the segment's last batch, without its indexes."""
        return self._next_offset_from(0)

    def _next_offset_from(self, position: int) -> int:
        next_offset = self.base_offset
        end = self.size_bytes
        while position < end:
            if end - position < HEADER_SIZE:
                raise self._corrupt_at(position)
            base_offset, length, delta = _unpack_bounds(self.file.mapping(end), position)
            if length < _LENGTH_MIN or position + length + 12 > end:
                raise self._corrupt_at(position)
            next_offset = base_offset + delta + 1
            position += length + 12
        return next_offset

    def offset_bound_behind(self, position: int) -> int | None:
        """An offset that no batch before `position` reaches, from the index; None if it ends before."""
        try:
            entry = self.index.first_with_value_from(position)
        except CorruptIndex as reason:
            self._rebuild_because(reason)
            return self.offset_bound_behind(position)
        return None if entry is None else self.base_offset + entry[0]

    def offset_before_time(self, timestamp_ms: int) -> int:
        """Where a search for the first record at or after a time may begin: everything before this offset's
        batch is older.
        """
        try:
            entry = self.time_index.floor(timestamp_ms)
        except CorruptIndex as reason:
            self._rebuild_because(reason)
            return self.offset_before_time(timestamp_ms)
        return self.base_offset if entry is None else self.base_offset + entry[1]

    def seal(self) -> None:
        """No more batches come: complete the indexes and give reserved space back. Raises OSError."""
        self.finish_indexes()
        self.file.cut(self.size_bytes)

    def sync_indexes(self) -> None:
        """Have the indexes of a sealed segment on the disk. Raises OSError."""
        for path in self.index_paths:
            self.platform.sync_path(path)

    def let_go(self) -> None:
        """Close file and indexes until they are needed again. Slices in flight keep theirs."""
        for index in (self._index, self._time_index):
            if index is not None:
                index.flush()
        self.txn_index.flush()
        self._file = None
        self._index = self._time_index = None

    def close_files(self) -> None:
        """`let_go`, but for an active segment's indexes: they grow. Raises OSError."""
        if self.is_retired:
            return
        if self.is_sealed:
            self.let_go()
        else:
            self._file = None

    def abandon(self) -> None:
        """Let go of everything for good, without writing: the log is closed."""
        self.is_abandoned = True
        self._file = None
        self._index = self._time_index = None

    def truncate(self, position: int) -> None:
        """Drop every batch from `position` on. Raises OSError."""
        if position >= self.size_bytes:
            return
        first_gone: int = _unpack_bounds(self.file.mapping(self.size_bytes), position)[0]
        relative = first_gone - self.base_offset
        try:
            self.index.truncate(key=relative)
            self.time_index.truncate(value=relative)
        except CorruptIndex as reason:
            self._rebuild_because(reason)
            self.index.truncate(key=relative)
            self.time_index.truncate(value=relative)
        self.txn_index.truncate(first_gone)
        self.size_bytes = position
        self.file.erase_behind(position)
        # Timestamps that stood behind the last remaining entry: look again.
        self.rescan_timestamps()

    def rescan_timestamps(self) -> None:
        """Find the largest timestamp by the time index and the batches behind its last entry."""
        last = self.time_index.last()
        self.max_timestamp_ms = -1 if last is None else last[0]
        self.max_timestamp_offset = -1 if last is None else self.base_offset + last[1]
        position = 0 if last is None else self.locate(self.max_timestamp_offset)
        while position < self.size_bytes:
            base_offset, length, delta, timestamp_ms = _unpack_shape(
                self.file.mapping(self.size_bytes), position
            )
            if timestamp_ms > self.max_timestamp_ms:
                self.max_timestamp_ms, self.max_timestamp_offset = timestamp_ms, base_offset + delta
            position += length + 12

    def unlink(self) -> None:
        """Delete the files. Those who hold the `.log` keep it until they let go."""
        self.path.unlink(missing_ok=True)
        for path in self.index_paths:
            path.unlink(missing_ok=True)
        self.abandon()
