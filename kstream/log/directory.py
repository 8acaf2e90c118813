"""The log directory: one server's partitions, and what it must remember between starts.

| file | what | crash policy |
|---|---|---|
| `.lock` | held by the server that runs | goes with the process |
| `meta.properties` | cluster, node and directory id | written once |
| `.kafka_cleanshutdown` | nothing needs recovery | written last of all, removed at the next start |
| `recovery-point-offset-checkpoint` | what is on the disk | too low costs a longer recovery |
| `log-start-offset-checkpoint` | starts inside a segment | too low shows deleted records again |
| `cleaner-offset-checkpoint` | where compacted logs are clean up to | too low costs a round |
| `replication-offset-checkpoint` | high watermarks | for Kafka; here they follow from the logs |

A partition is opened when it is asked for, and not before. After an unclean stop one that nobody asks for
stays unrecovered, so the next stop is not called clean either.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterable
from pathlib import Path

from kstream.log.checkpoints import CorruptCheckpoint, read_offsets, replace_file, write_offsets
from kstream.log.closing import close_all
from kstream.log.config import LogConfig
from kstream.log.errors import LogStorageError, UnusableDirectory
from kstream.log.inventory import segment_sizes
from kstream.log.lock import DirectoryLock
from kstream.log.meta_properties import MetaProperties, settle
from kstream.log.partition import PartitionLog
from kstream.log.platform import NATIVE, Platform
from kstream.log.retention import DELETED_DIRECTORY_SUFFIX, Removal, rename_for_deletion

_log = logging.getLogger(__name__)

CLEAN_SHUTDOWN = ".kafka_cleanshutdown"
RECOVERY_POINTS = "recovery-point-offset-checkpoint"
LOG_START_OFFSETS = "log-start-offset-checkpoint"
HIGH_WATERMARKS = "replication-offset-checkpoint"
CLEANED_OFFSETS = "cleaner-offset-checkpoint"

_PARTITION_NAME = re.compile(r"([A-Za-z0-9._-]+)-([0-9]+)")

PartitionKey = tuple[str, int]
"""Topic name and partition index."""


class LogDirectory:
    """A directory of partitions that this server alone has. Obtain it by `open`, end with `close`."""

    def __init__(
        self,
        path: Path,
        lock: DirectoryLock,
        meta: MetaProperties,
        platform: Platform,
        open_files_max: int | None,
    ) -> None:
        self.path = path
        self.cluster_id = meta.cluster_id
        self.node_id = meta.node_id
        self.directory_id = meta.directory_id
        """16 bytes."""
        self.was_clean = (path / CLEAN_SHUTDOWN).exists()
        self._platform = platform.with_open_files(open_files_max)
        self._lock = lock
        self._checkpointing = threading.Lock()
        self._counting = threading.Lock()
        self._logs: dict[PartitionKey, PartitionLog] = {}
        self._recovery_points = _read_checkpoint(path / RECOVERY_POINTS)
        self._log_start_offsets = _read_checkpoint(path / LOG_START_OFFSETS)
        self._high_watermarks = _read_checkpoint(path / HIGH_WATERMARKS)
        self._cleaned_offsets = _read_checkpoint(path / CLEANED_OFFSETS)
        self._forgotten: set[PartitionKey] = set()
        """Deleted partitions of which the checkpoints on disk may still tell."""
        self.checked_bytes = 0
        """How much of partitions' logs was checked since an unclean stop."""
        self.unrecovered: set[PartitionKey] = set() if self.was_clean else set(self.partition_keys())
        """Partitions that nobody opened since an unclean stop."""
        self.leftovers = Removal(
            [entry for entry in path.iterdir() if entry.name.endswith(DELETED_DIRECTORY_SUFFIX)]
        )
        """Directories of deleted partitions from before, for somebody to remove."""

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        node_id: int = 1,
        cluster_id: str | None = None,
        platform: Platform = NATIVE,
        open_files_max: int | None = None,
    ) -> LogDirectory:
        """Take a directory, created if absent. Opens no partition.

        `open_files_max` segments are open at a time, by default half of what the process may have.

        Raises:
            DirectoryInUse: another server has it.
            UnusableDirectory: it cannot be written, or belongs to another node or cluster.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnusableDirectory(f"cannot make the directory {path}: {error.strerror}") from error
        lock = DirectoryLock(path)
        try:
            meta = settle(path, node_id=node_id, cluster_id=cluster_id, sync=platform.has_sync)
            directory = cls(path, lock, meta, platform, open_files_max)
            if directory.was_clean:
                # From here on this start is not clean until it says so itself, a power cut included.
                os.unlink(path / CLEAN_SHUTDOWN)
                platform.sync_directory(path)
        except OSError as error:
            lock.release()
            raise UnusableDirectory(f"cannot use the directory {path}: {error}") from error
        except BaseException:
            lock.release()
            raise
        return directory

    @property
    def platform(self) -> Platform:
        """What the logs of this directory are written with."""
        return self._platform

    def trim_open_files(self) -> None:
        """Close the segments that nobody used for longest, above the limit. On the thread that owns the
        logs; costs nothing below the limit.
        """
        self._platform.open_files.trim()

    def partition_keys(self) -> list[PartitionKey]:
        """The partitions that have a directory, sorted."""
        keys = []
        with os.scandir(self.path) as entries:
            for entry in entries:
                match = _PARTITION_NAME.fullmatch(entry.name)
                if match is not None and entry.is_dir():
                    keys.append((match[1], int(match[2])))
        return sorted(keys)

    def partition_path(self, topic: str, index: int) -> Path:
        return self.path / f"{topic}-{index}"

    def open_partition(
        self, topic: str, index: int, config: LogConfig, *, topic_id: bytes | None, now_ms: int
    ) -> PartitionLog:
        """Open a partition's log, or create it; recovers it first if the last stop was not clean. Blocks.

        Raises LogStorageError.
        """
        key = (topic, index)
        path = self.partition_path(topic, index)
        if not path.exists() and self._is_remembered(key):
            # An earlier partition of that name was deleted: its offsets must not become this one's, not even
            # if a crash comes before the next checkpoint.
            self._logs.pop(key, None)
            self._forget(key)
            self._write_forgotten()
        log = PartitionLog.open(
            path,
            config,
            now_ms=now_ms,
            topic_id=topic_id,
            recovery_point=self._recovery_points.get(key, 0),
            was_clean=self.was_clean,
            log_start_offset=self._log_start_offsets.get(key, 0),
            platform=self._platform,
            on_checked=self._count_checked,
        )
        self.unrecovered.discard(key)
        self._logs[key] = log
        return log

    def _count_checked(self, size_bytes: int) -> None:
        with self._counting:
            self.checked_bytes += size_bytes

    def unrecovered_bytes(self) -> int:
        """How much there is to check in `unrecovered`, at most: segments that the recovery points reach into,
        and those behind. For a thread.
        """
        total_bytes = 0
        for key in list(self.unrecovered):
            recovery_point = self._recovery_points.get(key, 0)
            try:
                sizes = segment_sizes(self.partition_path(*key))
            except OSError:
                continue  # said when it is opened
            for number, (_, size_bytes) in enumerate(sizes):
                if number + 1 == len(sizes) or sizes[number + 1][0] > recovery_point:
                    total_bytes += size_bytes
        return total_bytes

    def open_log(self, topic: str, index: int) -> PartitionLog | None:
        """A partition's log if it is open."""
        log = self._logs.get((topic, index))
        return None if log is None or log.is_deleted else log

    def delete_partition(self, topic: str, index: int) -> Removal | None:
        """Delete a partition, open or not; None if there is none. `finish` the removal in a thread.

        Raises OSError.
        """
        key = (topic, index)
        log = self._logs.pop(key, None)
        self._forget(key)
        if log is not None and not log.is_deleted:
            return log.delete()
        path = self.partition_path(topic, index)
        return Removal([rename_for_deletion(path)]) if path.exists() else None

    def _is_remembered(self, key: PartitionKey) -> bool:
        return any(
            key in known
            for known in (
                self._logs,
                self._forgotten,
                self._recovery_points,
                self._log_start_offsets,
                self._cleaned_offsets,
            )
        )

    def _write_forgotten(self) -> None:
        try:
            with self._checkpointing:
                self._write_known()
        except OSError as error:
            raise LogStorageError(f"{self.path}: {error}") from error

    def _forget(self, key: PartitionKey) -> None:
        self.unrecovered.discard(key)
        self._forgotten.add(key)
        for offsets in (
            self._recovery_points,
            self._log_start_offsets,
            self._high_watermarks,
            self._cleaned_offsets,
        ):
            offsets.pop(key, None)

    def cleaned_offset(self, topic: str, index: int) -> int | None:
        """Where the last round of compaction ended in a partition; None if there was none."""
        return self._cleaned_offsets.get((topic, index))

    def log_start_offset(self, topic: str, index: int) -> int:
        """Where the log of a partition that is not open began when it was; 0 for the first segment's base."""
        return self._log_start_offsets.get((topic, index), 0)

    def write_cleaned_offset(self, topic: str, index: int, offset: int) -> None:
        """Note that a partition is compacted up to an offset. May run in a thread. Raises OSError."""
        self._cleaned_offsets[topic, index] = offset
        with self._checkpointing:
            self._write_offsets(CLEANED_OFFSETS, self._cleaned_offsets)

    def write_checkpoints(self) -> None:
        """Write down recovery points, log starts and high watermarks. May run in a thread. Raises OSError.

        Rolled segments are synced first, as Kafka does when it rolls: recovery then reads little more than
        the active ones.
        """
        with self._checkpointing:
            self._write_checkpoints()

    def _write_checkpoints(self) -> None:
        for key, log in list(self._logs.items()):
            if log.is_deleted:
                if self._logs.get(key) is log:
                    del self._logs[key]
                    self._forget(key)
                continue
            if not log.is_offline:  # which was said when it went
                try:
                    log.flush_rolled()
                except LogStorageError as error:
                    _log.warning("%s keeps its recovery point: %s", log.directory, error)
            self._recovery_points[key] = log.recovery_point
            self._high_watermarks[key] = log.high_watermark
            self._note_log_start(key, log)
        self._write_known()

    def _write_known(self) -> None:
        forgotten = list(self._forgotten)
        self._write_offsets(RECOVERY_POINTS, self._recovery_points)
        self._write_offsets(LOG_START_OFFSETS, self._log_start_offsets)
        self._write_offsets(HIGH_WATERMARKS, self._high_watermarks)
        if self._cleaned_offsets or (self.path / CLEANED_OFFSETS).exists():
            self._write_offsets(CLEANED_OFFSETS, self._cleaned_offsets)
        self._platform.sync_directory(self.path)
        self._forgotten.difference_update(forgotten)

    def write_log_starts(self) -> None:
        """Write down log starts alone, before a client is told that records are gone. May run in a thread.

        Raises OSError.
        """
        with self._checkpointing:
            for key, log in list(self._logs.items()):
                if not log.is_deleted:
                    self._note_log_start(key, log)
            self._write_offsets(LOG_START_OFFSETS, self._log_start_offsets)
            self._platform.sync_directory(self.path)

    def _note_log_start(self, key: PartitionKey, log: PartitionLog) -> None:
        # Of what retention took away, or an opening began anew, the names may not be on the disk yet.
        known_offset = 0 if log.directory_changed else log.segments[0].base_offset
        if log.log_start_offset > known_offset:
            self._log_start_offsets[key] = log.log_start_offset
        else:
            self._log_start_offsets.pop(key, None)

    def _write_offsets(self, name: str, offsets: dict[PartitionKey, int]) -> None:
        write_offsets(self.path / name, dict(offsets), sync=self._platform.has_sync)

    def write_copied_checkpoints(
        self,
        target: Path,
        recovery_points: dict[PartitionKey, int],
        log_starts: dict[PartitionKey, int],
    ) -> None:
        """Write the checkpoints of a copy, with the given offsets of logs that are open. Raises OSError."""
        write_offsets(target / RECOVERY_POINTS, self._recovery_points | recovery_points, sync=False)
        write_offsets(target / LOG_START_OFFSETS, self._log_start_offsets | log_starts, sync=False)
        write_offsets(target / HIGH_WATERMARKS, self._high_watermarks, sync=False)
        if self._cleaned_offsets:
            write_offsets(target / CLEANED_OFFSETS, self._cleaned_offsets, sync=False)

    def abandon(self) -> None:
        """End as a process does that is killed: nothing is written down."""
        for log in self._logs.values():
            log.close(clean=False)
        self._lock.release()

    def close_logs(self, logs: Iterable[PartitionLog]) -> list[LogStorageError]:
        """Close some logs; returns what kept some of them from being closed cleanly. Blocks."""
        return close_all(logs, self._lock.fd)

    def close(self, *, broker_epoch: int = -1) -> None:
        """End. Logs that are still open are closed; if all of them are in order, so says the clean-shutdown
        file.

        Raises OSError, LogStorageError: the next start will recover.
        """
        try:
            if errors := self.close_logs([log for log in self._logs.values() if not log.is_deleted]):
                raise errors[0]
            self.write_checkpoints()
            if not self.unrecovered and all(log.is_clean for log in self._logs.values()):
                content = f'{{"version":0,"brokerEpoch":{broker_epoch}}}'
                replace_file(self.path / CLEAN_SHUTDOWN, content.encode(), sync=self._platform.has_sync)
        finally:
            self._lock.release()


def _read_checkpoint(path: Path) -> dict[PartitionKey, int]:
    try:
        return read_offsets(path)
    except CorruptCheckpoint as reason:
        _log.warning("going on without a checkpoint: %s", reason)
        return {}
