"""One partition's log: opened, kept, ended. It is read by `log_reading` and written by `log_writing`.

Everything here is synchronous and belongs to one thread, except `flush`, which may run in another meanwhile.
What a log decides (offsets, producer windows, open transactions, epochs) is a fold over its batches.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kstream.log import retention, syncing, truncation
from kstream.log.analysis import Origin
from kstream.log.appending import AppendResult
from kstream.log.config import LogConfig
from kstream.log.errors import LogStorageError, OffsetOutOfRange
from kstream.log.log_reading import LogReader
from kstream.log.log_writing import LogWriter
from kstream.log.platform import NATIVE, Platform
from kstream.log.recovery import open_files

__all__ = ["AppendResult", "LogStorageError", "OffsetOutOfRange", "Origin", "PartitionLog"]


class PartitionLog(LogWriter, LogReader):
    """A partition on disk. Obtain it by `open`; `LogDirectory` knows the arguments."""

    __slots__ = ()

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
        on_checked: Callable[[int], None] | None = None,
    ) -> PartitionLog:
        """Open a partition's directory, created if absent. After an unclean stop, recover it first.

        `topic_id` is written for a new directory; for an old one it must be the same. `recovery_point` and
        `log_start_offset` come from the checkpoints, 0 where they say nothing. `on_checked` is told how many
        bytes more recovery has checked.

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
                on_checked=on_checked,
            )
        except OSError as error:
            raise LogStorageError(f"{directory}: {error}") from error
        log = cls(directory, config, platform, opened)
        if not was_clean:
            # Recovery may have cleared files away, or begun anew; and who made the directory may have died
            # before anything of it was synced.
            log.directory_changed = log.is_new = True
        return log

    def flush(self) -> int:
        """Make everything appended so far durable; returns the offset up to which it is. May run in a thread.

        Raises LogStorageError: the log is offline from now on, a failed sync proves nothing when it is
        repeated.
        """
        with self.sync_lock:
            self.check_online()
            end_offset = self.end_offset
            if (
                end_offset > self.recovery_point
                or self.has_cut_file
                or self.has_completed_indexes
                or self.segments.active.base_offset > self.rolled_point
                or self.is_new
                or self.directory_changed
                or self.leader_epochs.is_unsynced
            ):
                self._sync(syncing.sync)
                self.recovery_point = max(self.recovery_point, end_offset)
        return end_offset

    def flush_rolled(self) -> None:
        """Make all segments but the active one durable, so that recovery need not read them. May run in a
        thread.

        Raises LogStorageError as `flush` does.
        """
        with self.sync_lock:
            segments = tuple(self.segments)
            base_offset = segments[-1].base_offset
            if base_offset > min(self.recovery_point, self.rolled_point):
                self.check_online()
                self._sync(syncing.sync_rolled)
                self.recovery_point = max(self.recovery_point, base_offset)
                self.rolled_point = max(self.rolled_point, base_offset)

    def _sync(self, how: Callable[[PartitionLog], None]) -> None:
        try:
            how(self)
        except OSError as error:
            self.go_offline(error)
            raise LogStorageError(f"{self.directory} is offline: {error}") from error

    def close(self, clean: bool = True) -> None:
        """End. A clean close cuts reserved space, completes indexes, takes a snapshot and flushes.

        Raises LogStorageError if that cannot be written: then the next start must recover.
        """
        if self._closed:
            return
        try:
            if clean:
                self.finish()
                self.flush()
                self.is_clean = True
        except OSError as error:
            raise LogStorageError(f"{self.directory}: {error}") from error
        finally:
            self._closed = True
            self.segments.forget_hints()
            for segment in self.segments:
                segment.abandon()

    def finish(self) -> None:
        """Write all that a clean close leaves: no more is appended. Raises OSError, LogStorageError."""
        self.check_online()
        if self.finished_offset == self.end_offset:
            return
        active = self.segments.active
        self.has_cut_file |= active.file.reserved_bytes != active.size_bytes
        if active.has_indexes:
            self.has_completed_indexes = self.directory_changed = True  # the last one of them may be new
        active.seal()
        if self.end_offset > self.segments[0].base_offset:
            self.take_snapshot(self.end_offset)
        self.finished_offset = self.end_offset

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

    def start_anew(self, offset: int, now_ms: int) -> None:
        """Drop every batch; what is appended next gets `offset`. Raises LogStorageError."""
        self.check_online()
        try:
            truncation.start_anew(self, offset, now_ms)
        except OSError as error:
            self.go_offline(error)
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
