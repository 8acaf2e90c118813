"""Logs and batches for tests of `kstream.log`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kstream.log.analysis import Origin
from kstream.log.cleanable import cleanable
from kstream.log.compaction import Compaction
from kstream.log.compaction_job import Outcome
from kstream.log.compaction_work import CompactionWork
from kstream.log.config import LogConfig
from kstream.log.partition import AppendResult, PartitionLog
from kstream.records.batch import BatchHeader, iter_headers, read_header
from kstream.records.builder import build_batch
from kstream.records.control import end_txn_batch
from kstream.records.record import Record, iter_records

NOW_MS = 1_700_000_000_000
TOPIC_ID = bytes(range(16))


def open_log(directory: Path, config: LogConfig | None = None, **settings: Any) -> PartitionLog:
    """A log in `directory`, opened as after a crash unless `was_clean` says otherwise."""
    settings.setdefault("now_ms", NOW_MS)
    return PartitionLog.open(directory, config or LogConfig(), **settings)


def batch_of(
    count: int = 1, *, timestamp_ms: int = NOW_MS, value: bytes = b"value", **settings: Any
) -> bytes:
    """A batch of `count` records, a millisecond apart, all with the same value."""
    return build_batch([(timestamp_ms + number, b"key", value) for number in range(count)], **settings)


def append(log: PartitionLog, *batches: bytes, **settings: Any) -> AppendResult:
    """Append batches in one call."""
    settings.setdefault("leader_epoch", 0)
    settings.setdefault("now_ms", NOW_MS)
    return log.append(b"".join(batches), [read_header(batch) for batch in batches], **settings)


def end_transaction(
    log: PartitionLog,
    producer_id: int,
    *,
    is_commit: bool,
    epoch: int = 0,
    coordinator_epoch: int = 0,
    leader_epoch: int = 0,
) -> AppendResult:
    """Append the marker that ends a producer's transaction."""
    marker = end_txn_batch(
        is_commit=is_commit,
        producer_id=producer_id,
        producer_epoch=epoch,
        coordinator_epoch=coordinator_epoch,
        timestamp_ms=NOW_MS,
    )
    return append(log, marker, origin=Origin.COORDINATOR, leader_epoch=leader_epoch)


def read_headers(
    log: PartitionLog, offset: int | None = None, size_bytes_max: int = 1 << 20
) -> list[BatchHeader]:
    """All batches from an offset to the end, fetched as a client does."""
    return [header for header, _ in _read_all(log, offset, size_bytes_max)]


def read_records(log: PartitionLog, offset: int | None = None, size_bytes_max: int = 1 << 20) -> list[Record]:
    """All records of all batches from an offset to the end, fetched as a client does."""
    return [record for _, records in _read_all(log, offset, size_bytes_max) for record in records]


def _read_all(
    log: PartitionLog, offset: int | None, size_bytes_max: int
) -> Iterator[tuple[BatchHeader, list[Record]]]:
    next_offset = log.log_start_offset if offset is None else offset
    while next_offset < log.end_offset:
        found = log.read(next_offset, size_bytes_max)
        view = found.view()
        before = next_offset
        position = 0
        for header in iter_headers(view, partial_ok=True):
            yield header, list(iter_records(view, position, header=header))
            position += header.size_bytes
            next_offset = header.next_offset
        assert next_offset > before, f"no progress at offset {before}"


def keyed_batch(*records: tuple[str, str | None], timestamp_ms: int = NOW_MS, **settings: Any) -> bytes:
    """A batch of (key, value) records; a value of None is a tombstone."""
    return build_batch(
        [
            (timestamp_ms, key.encode(), None if value is None else value.encode(), [("h", b"x")])
            for key, value in records
        ],
        **settings,
    )


def compact(
    log: PartitionLog, cleaned_offset: int | None = None, now_ms: int = NOW_MS, **settings: Any
) -> Outcome:
    """One round, whether it is worth it or not."""
    log.flush()  # as the cleaner does
    compaction = Compaction(log, cleanable(log, cleaned_offset, now_ms), now_ms, **settings)
    work = CompactionWork(compaction.job, log.platform)
    for cleaned in work.run(no_pause):
        compaction.pin(cleaned)
        removal = compaction.swap(cleaned)
        log.platform.sync_directory(log.directory)  # as the cleaner does
        removal.finish()
    return work.outcome


def no_pause(size_bytes: int) -> None:
    """Nobody else wants the interpreter."""
