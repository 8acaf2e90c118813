"""A segment that is written whole, beside a log."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from kstream.log.config import LogConfig
from kstream.log.platform import Platform
from kstream.log.segment import Segment
from kstream.log.txn_index import AbortedTransaction
from kstream.records.batch import read_header


class SegmentWriter:
    """Batches in, a synced segment out; `suffix` is behind the names of its files. For a thread."""

    def __init__(
        self,
        directory: Path,
        base_offset: int,
        platform: Platform,
        config: LogConfig,
        suffix: str,
        piece_bytes: int,
    ) -> None:
        """`piece_bytes` are written at once. Raises OSError."""
        self._config = config
        self._piece_bytes = piece_bytes
        self._pieces: list[bytes | memoryview] = []
        self._buffered_bytes = 0
        self.segment = Segment.create(directory, base_offset, platform, 0, suffix=suffix)
        self.segment.txn_index.clear()

    def append(self, batch: bytes | memoryview) -> None:
        """The next batch, with the offsets that it has. Raises OSError."""
        segment = self.segment
        header = read_header(batch)
        position = segment.size_bytes
        segment.size_bytes = position + len(batch)
        segment.note_batch(
            header.last_offset,
            header.max_timestamp_ms,
            position,
            len(batch),
            self._config.index_interval_bytes,
        )
        self._pieces.append(batch)
        self._buffered_bytes += len(batch)
        if self._buffered_bytes >= self._piece_bytes:
            self._write()

    def _write(self) -> None:
        size_bytes = self._buffered_bytes
        if size_bytes:
            end = self.segment.size_bytes
            file = self.segment.file
            if end > file.reserved_bytes:
                file.reserve(end, self._config.segment_bytes)
            file.write((b"".join(self._pieces),), end - size_bytes, size_bytes)
        self._pieces = []
        self._buffered_bytes = 0

    def finish(self, aborted: Iterable[AbortedTransaction], times_ns: tuple[int, int]) -> None:
        """Complete the indexes and sync all files. They get the times given: access and modification.

        Raises OSError.
        """
        self._write()
        segment = self.segment
        segment.txn_index.extend(aborted)
        segment.seal()
        file = segment.file
        segment.platform.sync_data(file.fd)
        os.utime(file.fd, ns=times_ns)
        segment.sync_indexes()
