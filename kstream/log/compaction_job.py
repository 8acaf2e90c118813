"""A round of compaction in plain values: what the work is told of a log, and what it says of what it did. So
it can be done in any thread, or in another process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from kstream.log.cleanable import SegmentSizes
from kstream.log.config import LogConfig
from kstream.log.txn_index import AbortedTransaction

MAP_BYTES = 128 * 1024 * 1024
"""Kafka's default for `log.cleaner.dedupe.buffer.size`."""
PIECE_BYTES = 256 * 1024
"""Kafka's default for `log.cleaner.io.buffer.size`, half of it for reading and half for writing."""


class KnownProducers(NamedTuple):
    """What a log knew of its producers when the round began, by producer id."""

    last_offsets: Mapping[int, int]
    """Of their last batch; -1 where only a marker is known."""
    epochs: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class CompactionJob:
    """A log as it was when the round began. It goes on, and what comes lies behind what the round touches."""

    directory: Path
    inode: int
    """Of the directory: a topic that is deleted and created anew has another one under the same name."""
    config: LogConfig
    now_ms: int
    first_dirty_offset: int
    limit_offset: int
    """Nothing from here on is cleaned."""
    segments: SegmentSizes
    """Those up to the limit."""
    base_offsets_behind: tuple[int, ...]
    """Of those from the limit on that were full: transactions from before it may end there."""
    active_aborted: tuple[AbortedTransaction, ...]
    """What the active segment's transaction index knows."""
    producers: KnownProducers
    high_watermark: int
    map_bytes: int
    load_factor: float
    piece_bytes: int

    def here(self) -> CompactionJob:
        """The same for a process whose current directory is the log's."""
        return replace(self, directory=Path())


class CleanedGroup(NamedTuple):
    """Segments, and what is to stand in their place: written and synced, under a name that no log has."""

    base_offsets: tuple[int, ...]
    size_bytes: int
    max_timestamp_ms: int
    max_timestamp_offset: int


class Outcome(NamedTuple):
    """What a round did."""

    end_offset: int
    """Where the log is clean up to, once every group stands in its place."""
    records_read: int
    records_kept: int
    bytes_read: int
    bytes_kept: int
