"""Appends in general: several batches, markers, LogAppendTime, replication. The common one is
`LogWriter.append`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from kstream.errors import ApiError, ErrorCode
from kstream.log.analysis import Analysis, Origin
from kstream.log.config import LogConfig
from kstream.log.producers import BatchMetadata
from kstream.log.segment import Segment
from kstream.records.batch import BatchHeader, TimestampType, set_timestamps, stamp

if TYPE_CHECKING:
    from kstream.log.log_state import LogState
    from kstream.log.log_writing import LogWriter


class AppendResult(NamedTuple):
    """Where batches went. For a retry of a batch that is already here: where that one went."""

    base_offset: int
    last_offset: int
    log_append_time_ms: int
    """-1 unless the topic has LogAppendTime."""
    log_start_offset: int
    is_duplicate: bool = False


def append_batches(
    log: LogWriter,
    buffer: memoryview | bytes,
    headers: Sequence[BatchHeader],
    leader_epoch: int,
    now_ms: int,
    origin: Origin,
) -> AppendResult:
    """Append anything but one data batch of a client with its own timestamps."""
    is_leader = origin is not Origin.REPLICATION
    if is_leader:
        check_sizes(log.config, headers, len(buffer))
    data = buffer if type(buffer) is memoryview and not buffer.readonly else bytearray(buffer)
    append_time_ms = -1
    if is_leader and log.config.message_timestamp_type is TimestampType.LOG_APPEND_TIME:
        append_time_ms = now_ms
    analysis = Analysis(log.producers, origin)
    placed: list[BatchHeader] = []
    next_offset = log.end_offset if is_leader else max(log.end_offset, headers[0].base_offset)
    position = 0
    for header in headers:
        if is_leader:
            stamp(data, next_offset, leader_epoch, position)
            if append_time_ms >= 0:
                header = set_timestamps(data, header, TimestampType.LOG_APPEND_TIME, append_time_ms, position)
            header = header._replace(base_offset=next_offset, partition_leader_epoch=leader_epoch)
        elif header.base_offset < next_offset:
            raise ValueError(f"offset {header.base_offset} cannot follow {next_offset - 1}")
        duplicate = analysis.add(header, header.base_offset, data, position)
        if duplicate is not None:
            return duplicate_result(log, duplicate)
        placed.append(header)
        next_offset = header.next_offset
        position += header.length + 12
    timestamp_ms = max(header.max_timestamp_ms for header in placed)
    segment = log.write((data,), position, next_offset - 1, timestamp_ms, now_ms)
    _note_batches(log, segment, placed)
    for aborted in analysis.commit():
        segment.txn_index.append(aborted)
    log.end_offset = next_offset
    if log.follows_end:
        log.producers.on_high_watermark(next_offset)
    return AppendResult(placed[0].base_offset, next_offset - 1, append_time_ms, log.log_start_offset)


def _note_batches(log: LogState, segment: Segment, placed: Sequence[BatchHeader]) -> None:
    if not segment.size_bytes:
        segment.first_timestamp_ms = placed[0].max_timestamp_ms
    interval = log.config.index_interval_bytes
    for header in placed:
        log.assign_epoch(header.partition_leader_epoch, header.base_offset)
        position = segment.size_bytes
        segment.size_bytes = position + header.size_bytes
        segment.note_batch(header.last_offset, header.max_timestamp_ms, position, header.size_bytes, interval)


def check_sizes(config: LogConfig, headers: Sequence[BatchHeader], size_bytes: int) -> None:
    """Raises ApiError: MESSAGE_TOO_LARGE for one batch, RECORD_LIST_TOO_LARGE for all together."""
    limit = config.max_message_bytes
    for header in headers:
        if header.size_bytes > limit:
            raise ApiError(
                ErrorCode.MESSAGE_TOO_LARGE,
                f"a batch of {header.size_bytes} bytes where {limit} are allowed",
            )
    if size_bytes > config.segment_bytes:
        raise ApiError(
            ErrorCode.RECORD_LIST_TOO_LARGE,
            f"{size_bytes} bytes of batches where a segment has {config.segment_bytes}",
        )


def duplicate_result(log: LogState, batch: BatchMetadata) -> AppendResult:
    """The answer to a retry: where the batch went the first time, and its largest timestamp for an append
    time, also where the topic keeps the producer's times, as in Kafka.
    """
    return AppendResult(
        batch.first_offset, batch.last_offset, batch.timestamp_ms, log.log_start_offset, is_duplicate=True
    )
