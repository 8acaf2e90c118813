"""What a log knows of itself: offsets, epochs, producers, and whether it can still be written to."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from kstream.log.config import LogConfig
from kstream.log.errors import LogStorageError
from kstream.log.platform import Platform
from kstream.log.recovery import Opened
from kstream.log.segments import SegmentList

_log = logging.getLogger(__name__)


class LogState:
    """The fields of a log, and what follows from them."""

    __slots__ = (
        "_closed",
        "_high_watermark",
        "_offline",
        "config",
        "directory",
        "directory_changed",
        "end_offset",
        "finished_offset",
        "follows_end",
        "fresh_from",
        "has_completed_indexes",
        "has_cut_file",
        "is_clean",
        "is_deleted",
        "is_new",
        "leader_epochs",
        "log_start_offset",
        "on_start_raised",
        "platform",
        "producers",
        "recovery_point",
        "rolled_point",
        "segments",
        "snapshot_offset",
        "sync_lock",
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
        self.on_start_raised: Callable[[], None] | None = None
        """Called whenever the first records are gone for readers."""
        self.end_offset = opened.end_offset
        """The next batch's first offset; what is below is published."""
        self.finished_offset = -1
        """The end with which all was written that a clean close leaves, -1 before."""
        self.has_cut_file = False
        """Whether reserved space was given back since the last sync, so that the file's end is the log's."""
        self.has_completed_indexes = False
        """Whether the active segment's indexes were completed since the last sync, so that a start behind a
        clean stop believes them.
        """
        self.recovery_point = opened.recovery_point
        """Everything below is on the disk, not only in the page cache."""
        self.rolled_point = self.segments.active.base_offset
        """Up to here the indexes are on the disk, too: a segment that was flushed and then rolled completes
        its own behind that.
        """
        self.snapshot_offset = opened.snapshot_offset
        """Where the newest producer snapshot stands, -1 if there is none."""
        self.directory_changed = False
        """Whether files came or went since the last flush."""
        self.is_new = opened.is_new
        """Whether the directory itself was made since the last flush."""
        self.sync_lock = threading.Lock()
        """Held by the one thread that syncs: what it has noted as synced is not yet on the disk."""
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

    @property
    def is_offline(self) -> bool:
        """Whether a sync failed."""
        return self._offline is not None

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
