"""When a snapshot of the metadata is due, writing it, and what may go then (KIP-630)."""

from __future__ import annotations

import logging

from kstream.broker.metadata.image import MetadataImage
from kstream.broker.metadata.snapshot_records import snapshot_records
from kstream.broker.metadata.snapshots import outlived, snapshot_files, write_snapshot
from kstream.config.broker import BrokerConfig
from kstream.log.config import LogConfig
from kstream.log.partition import PartitionLog
from kstream.log.retention import Removal

_log = logging.getLogger(__name__)

BATCH_BYTES_MAX = 64 * 1024 * 1024


def log_config(config: BrokerConfig) -> LogConfig:
    """The settings of the metadata log."""
    return LogConfig(
        max_message_bytes=BATCH_BYTES_MAX,
        segment_bytes=_int(config, "internal.metadata.log.segment.bytes")
        or _int(config, "metadata.log.segment.bytes"),
        segment_ms=_int(config, "metadata.log.segment.ms"),
        retention_ms=-1,  # only what a snapshot has may go
    )


class Snapshotting:
    """Counts what no snapshot has yet."""

    def __init__(self, log: PartitionLog, config: BrokerConfig, now_ms: int) -> None:
        self._log = log
        self._config = config
        self._written_at_ms = now_ms
        """When the last snapshot was written, or this process began."""
        self._behind_bytes = 0
        """Of the batches that no snapshot has."""
        self._last_timestamp_ms = -1

    def on_batches(self, size_bytes: int, timestamp_ms: int) -> None:
        """The log has that much more, the last of it of this time."""
        self._behind_bytes += size_bytes
        self._last_timestamp_ms = timestamp_ms

    def is_due(self, now_ms: int) -> bool:
        """Whether enough was committed since the last snapshot, or anything and that is long ago."""
        if not self._behind_bytes:
            return False
        interval_ms = _int(self._config, "metadata.log.max.snapshot.interval.ms")
        return (
            self._behind_bytes >= _int(self._config, "metadata.log.max.record.bytes.between.snapshots")
            or 0 < interval_ms <= now_ms - self._written_at_ms
        )

    def write(self, image: MetadataImage, *, epoch: int, now_ms: int) -> int:
        """Write a snapshot of an image that nobody changes; how many older ones may go. Blocks: for a thread.

        Raises OSError: what was there is still there.
        """
        directory = self._log.directory
        behind_bytes = self._behind_bytes
        file = write_snapshot(
            directory,
            snapshot_records(image),
            end_offset=image.offset + 1,
            epoch=epoch,
            last_timestamp_ms=self._last_timestamp_ms,
            now_ms=now_ms,
        )
        # From here on the log before it may go, also after a power cut.
        self._log.platform.sync_directory(directory)
        self._behind_bytes -= behind_bytes
        self._written_at_ms = now_ms
        _log.info("metadata up to offset %d is in %s", image.offset, file.path.name)
        retention_ms = _int(self._config, "metadata.max.retention.ms")
        return outlived(
            snapshot_files(directory),
            self._log.size_bytes,
            log_start_offset=self._log.log_start_offset,
            bytes_max=_int(self._config, "metadata.max.retention.bytes"),
            before_ms=now_ms - retention_ms if retention_ms >= 0 else -1,
        )

    def let_go(self, count: int, now_ms: int) -> Removal:
        """Take the `count` oldest snapshots away, and the log before the one that is the oldest then.

        Raises OSError, LogStorageError.
        """
        if not count:
            return Removal([])
        files = snapshot_files(self._log.directory)
        self._log.delete_records(files[count].end_offset)
        removal = self._log.delete_old_segments(now_ms)
        return Removal([*(file.path for file in files[:count]), *removal.paths])


def _int(config: BrokerConfig, key: str) -> int:
    return int(config.get(key) or 0)
