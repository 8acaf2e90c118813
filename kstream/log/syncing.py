"""fdatasync of what a log has written since its recovery point. Runs in a thread beside appends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kstream.log.partition_metadata import FILE_NAME as PARTITION_METADATA
from kstream.log.segment import Segment

if TYPE_CHECKING:
    from kstream.log.partition import PartitionLog


def sync(log: PartitionLog) -> None:
    """Return once every batch that was published before the call is on the disk.

    Indexes of the active segment, but for that of transactions, are left out until they are complete: a start
    rebuilds them unless the stop before was clean. Those of rolled ones are not rebuilt once the recovery
    point has passed them, so they are synced too.

    Raises OSError.
    """
    is_new = log.is_new
    sync_files(log)
    if is_new:
        log.platform.sync_directory(log.directory.parent)
    sync_names(log)


def sync_rolled(log: PartitionLog) -> None:
    """Return once all segments but the active one are on the disk, and their names. Raises OSError."""
    sync_segments(log, log.segments[:-1])
    sync_names(log)


def sync_files(log: PartitionLog) -> None:
    """`sync`, but for the names of files and of the directory itself. Raises OSError."""
    segments = tuple(log.segments)  # a roll meanwhile only adds what is behind our end
    sync_segments(log, segments)
    log.rolled_point = max(log.rolled_point, segments[-1].base_offset)
    log.has_cut_file = log.has_completed_indexes = False
    epochs = log.leader_epochs
    if epochs.is_unsynced:
        epochs.is_unsynced = False
        log.platform.sync_path(epochs.path)
        log.directory_changed = True
    if log.is_new:
        log.is_new = False
        log.directory_changed = True
        log.platform.sync_path(log.directory / PARTITION_METADATA)


def mark_synced(log: PartitionLog) -> None:
    """Everything up to the log's end was synced, files and names."""
    log.leader_epochs.is_unsynced = log.is_new = log.directory_changed = False
    log.has_cut_file = log.has_completed_indexes = False
    log.recovery_point = max(log.recovery_point, log.end_offset)
    log.rolled_point = log.segments.active.base_offset


def sync_names(log: PartitionLog) -> None:
    """Have files that came or went on the disk as such. Raises OSError."""
    if log.directory_changed:
        log.directory_changed = False
        log.platform.sync_directory(log.directory)


def sync_segments(log: PartitionLog, segments: Sequence[Segment]) -> None:
    """Sync those of consecutive segments that hold anything behind the recovery point. Raises OSError."""
    recovery_point = log.recovery_point
    for number, segment in enumerate(segments):
        is_active = segment is log.segments.active
        # Where the next one begins at the recovery point, this one's records are on the disk, but its
        # indexes may have been completed since, by a roll right behind a flush.
        if number + 1 < len(segments) and segments[number + 1].base_offset < recovery_point:
            continue
        is_completed = not is_active or log.has_completed_indexes
        if is_active and log.end_offset <= recovery_point and not (log.has_cut_file or is_completed):
            continue
        try:
            file = segment.file  # held, so that nobody closes the descriptor meanwhile
            log.platform.sync_data(file.fd)
            if is_completed:
                segment.sync_indexes()
            elif segment.txn_index.is_unsynced:
                # Once the segment is rolled, a start may believe it without another sync.
                segment.txn_index.is_unsynced = False
                log.platform.sync_path(segment.txn_index.path)
                log.directory_changed = True  # it may be new
        except FileNotFoundError:
            if segment in list(log.segments):
                raise
            # Retention deleted it meanwhile: nothing of it needs to last.
