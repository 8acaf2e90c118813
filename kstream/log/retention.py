"""The log's start: retention by time and size, deleted records, deleted partitions.

A segment goes in two steps. Its files are renamed to `….deleted`, which takes it out of the log at once and
for every later start; unlinking, which may take long, follows in a thread, or at the next opening if the
process died between.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from kstream.log.config import LogConfig
from kstream.log.indexes import last_timestamp_ms
from kstream.log.snapshots import SUFFIX as SNAPSHOT_SUFFIX
from kstream.log.snapshots import snapshot_offset
from kstream.log.txn_index import CorruptTransactionIndex

if TYPE_CHECKING:
    from kstream.log.partition import PartitionLog
    from kstream.log.segment import Segment

DELETED_SUFFIX = ".deleted"
DELETED_DIRECTORY_SUFFIX = "-delete"
_NAME_BYTES_MAX = 255


class Removal:
    """Files and directories that no longer belong to a log, for somebody to unlink."""

    __slots__ = ("due_ms", "paths")

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        self.due_ms = 0
        """When they may go (`file.delete.delay.ms`)."""

    def __len__(self) -> int:
        return len(self.paths)

    def finish(self) -> None:
        """Unlink them. May take long: for a thread. Raises OSError."""
        import shutil  # brings compression modules along, which a start need not wait for

        for path in self.paths:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def delete_old_segments(log: PartitionLog, now_ms: int) -> Removal:
    """Apply retention, by time, by size and by the log's start; rolls first where the active segment expired
    too.

    Raises OSError, with the log consistent.
    """
    count = _count_deletable(log, now_ms)
    if not count:
        return Removal([])
    if count == len(log.segments):
        log.roll(now_ms)
    gone = log.segments[:count]
    paths: list[Path] = []
    for segment in gone:
        _keep_transactions(segment)
        paths += set_aside(segment)
    log.directory_changed = True
    log.segments.replace(log.segments[count:])
    first_offset = log.segments[0].base_offset
    raise_log_start(log, first_offset)
    paths += snapshots_below(log, first_offset)
    return Removal(paths)


def _keep_transactions(segment: Segment) -> None:
    """Have in memory which transactions were aborted: who read before may only now ask."""
    index = segment.txn_index
    if not index.is_loaded and index.path.exists():
        with contextlib.suppress(CorruptTransactionIndex):
            index.load()


def _count_deletable(log: PartitionLog, now_ms: int) -> int:
    """How many segments, from the oldest, are not wanted. The active one counts if it holds anything."""
    config = log.config
    surplus_bytes = log.size_bytes - config.retention_bytes if config.retention_bytes >= 0 else -1
    count = 0
    for number, segment in enumerate(log.segments):
        is_active = number + 1 == len(log.segments)
        end_offset = log.end_offset if is_active else log.segments[number + 1].base_offset
        if (is_active and not segment.size_bytes) or end_offset > log.high_watermark:
            break
        if not is_active and end_offset <= log.log_start_offset:
            unwanted = True
        elif not config.is_deleted:
            unwanted = False
        else:
            unwanted = surplus_bytes >= segment.size_bytes or (
                config.retention_ms >= 0 and now_ms - _age_basis_ms(segment) > config.retention_ms
            )
        if not unwanted:
            break
        surplus_bytes -= segment.size_bytes
        count += 1
    return count


def may_have_expired(directory: Path, config: LogConfig, now_ms: int) -> bool:
    """Whether opening a partition that is closed would let retention delete something: told by its directory
    alone, the sizes in it and the last entry of one time index. Raises OSError.
    """
    sizes: dict[int, int] = {}
    with os.scandir(directory) as entries:
        for entry in entries:
            digits, _, suffix = entry.name.partition(".")
            if suffix == "log" and digits.isdecimal():
                sizes[int(digits)] = entry.stat().st_size
    if not sizes or not config.is_deleted:
        return False
    oldest = min(sizes)
    if len(sizes) == 1 and not sizes[oldest]:
        return False
    if config.retention_bytes >= 0 and sum(sizes.values()) - config.retention_bytes >= sizes[oldest]:
        return True
    if config.retention_ms < 0:
        return False
    path = directory / f"{oldest:020d}.log"
    largest_ms = last_timestamp_ms(path.with_suffix(".timeindex"))
    basis_ms = largest_ms if largest_ms >= 0 else int(path.stat().st_mtime * 1000)
    return now_ms - basis_ms > config.retention_ms


def _age_basis_ms(segment: Segment) -> int:
    largest_ms = segment.largest_timestamp_ms
    # Records without timestamps are as old as the file.
    return largest_ms if largest_ms >= 0 else int(segment.path.stat().st_mtime * 1000)


def set_aside(segment: Segment) -> list[Path]:
    """Rename a segment's files, so that no start sees them; returns the new paths. Raises OSError."""
    paths = []
    # The log goes first: indexes without one are recognised as orphans.
    for path in (segment.path, *segment.index_paths):
        aside = path.with_name(path.name + DELETED_SUFFIX)
        with contextlib.suppress(FileNotFoundError):
            path.rename(aside)
            paths.append(aside)
    return paths


def snapshots_below(log: PartitionLog, first_offset: int) -> list[Path]:
    """Producer snapshots from before an offset, but never the newest one."""
    return [
        path
        for path in log.directory.glob(f"*{SNAPSHOT_SUFFIX}")
        if snapshot_offset(path) < first_offset and snapshot_offset(path) != log.snapshot_offset
    ]


def raise_log_start(log: PartitionLog, offset: int) -> None:
    """Records below `offset` are gone for readers."""
    if offset > log.log_start_offset:
        log.log_start_offset = offset
        log.leader_epochs.raise_start(offset)
        if log.on_start_raised is not None:
            log.on_start_raised()


def rename_for_deletion(directory: Path) -> Path:
    """Rename a partition's directory to `<partition>.<32 hex digits>-delete`; returns the new path. Raises
    OSError.
    """
    suffix = f".{os.urandom(16).hex()}{DELETED_DIRECTORY_SUFFIX}"
    renamed = directory.with_name(directory.name[: _NAME_BYTES_MAX - len(suffix)] + suffix)
    os.rename(directory, renamed)
    return renamed
