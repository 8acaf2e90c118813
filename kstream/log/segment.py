"""One segment: the batches of a `.log` file that begins at a base offset, and its indexes of them."""

from __future__ import annotations

import logging
import struct
from pathlib import Path

from kstream.log.config import INDEX_INTERVAL_BYTES, LogConfig
from kstream.log.errors import LogStorageError
from kstream.log.files import SegmentFile
from kstream.log.indexes import BESIDE_SUFFIX, CorruptIndex, OffsetIndex, TimeIndex
from kstream.log.platform import Platform
from kstream.log.segment_search import LENGTH_MIN, SegmentSearch
from kstream.records.batch import HEADER_SIZE, read_header

_log = logging.getLogger(__name__)

RELATIVE_OFFSET_MAX = 0x7FFF_FFFF
# base offset, length, last offset delta, max timestamp
_unpack_shape = struct.Struct(">qi11xi8xq").unpack_from


class Segment(SegmentSearch):
    """A run of batches in one file, and how it grows and shrinks."""

    __slots__ = (
        "bytes_since_index",
        "created_ms",
        "first_timestamp_ms",
        "max_timestamp_ms",
        "max_timestamp_offset",
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
        super().__init__(directory, base_offset, platform, size_bytes, suffix)
        self.bytes_since_index = 0
        self.created_ms = now_ms
        self.first_timestamp_ms: int | None = None
        self.max_timestamp_ms: int | None = None
        """Largest timestamp in the segment, -1 if none has one, None until asked for."""
        self.max_timestamp_offset = -1
        """Last offset of the first batch that has `max_timestamp_ms`."""

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
            # While it grows nobody may load it in a thread.
            segment.txn_index.load()
        return segment

    def clear_indexes(self, beside: str = "") -> tuple[OffsetIndex, TimeIndex]:
        """Begin both indexes anew, on file too; `beside` is behind the names of the files."""
        index, time_index = self.begin_indexes(beside)
        index.clear()
        time_index.clear()
        return index, time_index

    def begin_indexes(self, beside: str = "") -> tuple[OffsetIndex, TimeIndex]:
        """Begin both indexes anew, over files that have other entries until `end_indexes`: for who does it
        again after a crash in between. Emptying a file and filling it again may cost milliseconds.
        """
        index_path, time_index_path, _ = self.index_paths
        index = self._index = OffsetIndex(index_path.with_name(index_path.name + beside))
        time_index = self._time_index = TimeIndex(time_index_path.with_name(time_index_path.name + beside))
        self.bytes_since_index = 0
        self.max_timestamp_ms = -1
        self.max_timestamp_offset = -1
        self.first_timestamp_ms = None
        return index, time_index

    def rebuild_indexes(self) -> tuple[OffsetIndex, TimeIndex]:
        """Write both indexes anew from the headers of the batches below the published end: on the disk all at
        once, since half of one may look whole.
        """
        indexes = self.clear_indexes(BESIDE_SUFFIX)
        corrupt: LogStorageError | None = None
        try:
            try:
                self._index_batches()
            except LogStorageError as reason:
                corrupt = reason  # up to there they are good
            self.finish_indexes()
            for index in indexes:
                index.put_in_place(self.platform)
        except BaseException:
            self._index = self._time_index = None  # nobody is to write on beside
            raise
        if corrupt is not None:
            raise corrupt
        return indexes

    def _index_batches(self) -> None:
        """Raises LogStorageError where the bytes are no batches."""
        end = self.size_bytes
        if not end:
            return
        mapping = self.file.mapping(end)
        position = 0
        while position < end:
            base_offset, length, delta, max_timestamp_ms = _unpack_shape(mapping, position)
            if length < LENGTH_MIN:
                raise self.corrupt_at(position)
            size_bytes = length + 12
            self.note_batch(base_offset + delta, max_timestamp_ms, position, size_bytes, INDEX_INTERVAL_BYTES)
            position += size_bytes

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

    def end_indexes(self) -> None:
        """`finish_indexes`, and have nothing else in the files."""
        self.finish_indexes()
        self.index.end_file()
        self.time_index.end_file()

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
            return waited_ms > config.segment_ms - config.roll_jitter_ms(
                f"{self.directory.name}/{self.base_offset}"
            )
        # A full index is found by the size of its entries at every check: two lengths are cheaper than a
        # flag's upkeep.
        index, time_index = self._index, self._time_index
        if index is None or time_index is None:
            index, time_index = self.index, self.time_index
        limit = config.segment_index_bytes
        return index.count >= limit // 8 or time_index.count >= limit // 12 - 1

    def seal(self) -> None:
        """No more batches come: complete the indexes and give reserved space back. Raises OSError."""
        self.finish_indexes()
        self.file.cut(self.size_bytes)

    def truncate(self, position: int) -> None:
        """Drop every batch from `position` on. Raises OSError."""
        if position >= self.size_bytes:
            return
        first_gone: int = _unpack_shape(self.file.mapping(self.size_bytes), position)[0]
        relative = first_gone - self.base_offset
        try:
            self.index.truncate(key=relative)
            self.time_index.truncate(value=relative)
        except CorruptIndex as reason:
            self.rebuild_because(reason)
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
