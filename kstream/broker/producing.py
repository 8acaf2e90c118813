"""What a producer's batch goes through before the log has it.

The header and the CRC of every batch are checked. Apache Kafka also opens every batch and looks at each
record; a client that frames wrongly does so from its first batch, so by default
(`kstream.validate.records=auto`) small batches and the first ones of a connection are opened, and later large
ones are not: they stay opaque bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import trio

from kstream.broker.enlistments import Guard
from kstream.broker.partition import Partition
from kstream.errors import ApiError, ErrorCode, KstreamError
from kstream.log.partition import AppendResult
from kstream.records.batch import CODEC_MASK, BatchHeader, read_header, set_timestamps
from kstream.records.compression import Codec
from kstream.records.errors import CorruptBatch, DecompressedTooLarge
from kstream.records.recompression import recompress
from kstream.records.validation import check_batch, check_records, must_check_records

Result = TypeVar("Result")

SMALL_BATCH_RECORDS = 16
"""Batches up to this size are always opened under `auto`: it costs little, and their clients are the odd
ones.
"""

FIRST_BATCHES = 10
"""So many batches of each connection are opened under `auto`."""

RECORDS_PER_FIRST_BATCH = 1024
"""A batch of more records counts as several: the fourth large one tells nothing that the first did not."""

_THREAD_BYTES_MIN = 16 * 1024
_THREAD_RECORDS_MIN = 4096
_THREADS_MAX = 2
_threads: trio.lowlevel.RunVar[trio.CapacityLimiter] = trio.lowlevel.RunVar("kstream batch threads")


async def append_produced(
    partition: Partition,
    records: memoryview,
    *,
    api_version: int,
    validate: str,
    batches_seen: int,
    now_ms: int,
    guard: Guard | None = None,
) -> AppendResult:
    """Validate the one batch of a produce request for one partition, and append it.

    `records` is writable: with LogAppendTime the batch is stamped where it lies. `validate` is the value of
    `kstream.validate.records`, `batches_seen` how many batches this connection has produced before, those
    of more than `RECORDS_PER_FIRST_BATCH` records counted as several. `guard`
    is what the coordinator was asked with, for the first batch of a transaction.

    Raises:
        InvalidBatch, ApiError: with the error that the producer gets.
        LogStorageError: the disk refused.
    """
    config = partition.log.config
    header = check_batch(records, api_version=api_version, size_bytes_max=config.max_message_bytes)
    size_bytes = header.size_bytes
    if size_bytes > config.segment_bytes:
        raise ApiError(ErrorCode.RECORD_LIST_TOO_LARGE)
    if size_bytes != len(records):
        records = records[:size_bytes]
    rules = partition.record_rules
    if (
        validate == "full"
        or (
            validate == "auto"
            and (header.record_count <= SMALL_BATCH_RECORDS or batches_seen < FIRST_BATCHES)
        )
        or must_check_records(header, rules, now_ms)
    ):
        if header.record_count >= _THREAD_RECORDS_MIN:
            # A batch of 1 MB can hold a million records: others would wait a second. Decompressing alone
            # takes less, and stays here, since allocators keep what a thread has freed.
            max_timestamp_ms = await _in_thread(partial(check_records, records, header, rules, now_ms))
        else:
            max_timestamp_ms = check_records(records, header, rules, now_ms)
        if max_timestamp_ms != header.max_timestamp_ms or header.is_log_append_time:
            header = set_timestamps(records, header, rules.timestamp_type, max_timestamp_ms)
    codec = partition.codec
    if codec is not None and header.attributes & CODEC_MASK != codec:
        records, header = await _recompressed(partition, records, header)
    if header.is_transactional:
        partition.enlistments.check(header.producer_id, header.producer_epoch, guard)
    return await partition.append(records, (header,), now_ms=now_ms)


async def _recompressed(
    partition: Partition, records: memoryview, header: BatchHeader
) -> tuple[memoryview, BatchHeader]:
    """The batch in the codec of the topic's `compression.type`; large ones are worth a thread."""
    work = partial(
        recompress,
        records,
        header,
        partition.codec or Codec.NONE,
        partition.codec_level,
        size_bytes_max=partition.record_rules.decompressed_size_bytes_max,
    )
    try:
        if len(records) > _THREAD_BYTES_MIN:
            batch = await _in_thread(work)
        else:
            batch = work()
    except DecompressedTooLarge as error:
        raise ApiError(ErrorCode.MESSAGE_TOO_LARGE) from error
    except CorruptBatch as error:
        raise ApiError(ErrorCode.INVALID_RECORD) from error
    return memoryview(batch), read_header(batch)


async def _in_thread(work: Callable[[], Result]) -> Result:
    """Do `work` beside the event loop; what it raises comes without its traceback.

    The traceback's frames hold what was decompressed, and on the way between threads it becomes part of a
    cycle, which is collected at some time or other.
    """

    def guarded() -> Result | KstreamError:
        try:
            return work()
        except KstreamError as error:
            error.__context__ = None
            return error.with_traceback(None)

    result = await trio.to_thread.run_sync(guarded, limiter=_thread_limiter())
    if isinstance(result, KstreamError):
        raise result
    return result


def _thread_limiter() -> trio.CapacityLimiter:
    """Few threads, since each may hold a whole decompressed batch, and they share the interpreter."""
    try:
        return _threads.get()
    except LookupError:
        limiter = trio.CapacityLimiter(_THREADS_MAX)
        _threads.set(limiter)
        return limiter
