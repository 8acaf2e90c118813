"""What can go wrong with a log, apart from what a producer does wrong (that is an `ApiError`)."""

from __future__ import annotations

from kstream.errors import KstreamError


class LogStorageError(KstreamError):
    """The disk refused a write or a sync, or the log is offline since it did. Answered as KAFKA_STORAGE_ERROR
    (56).
    """


class CompactionAborted(LogStorageError):
    """The log changed beneath a round of compaction, or was closed; a later one begins anew."""


class OffsetOutOfRange(KstreamError):
    """A read before the log's start or behind its end. Answered as OFFSET_OUT_OF_RANGE (1)."""

    def __init__(self, offset: int, log_start_offset: int, end_offset: int) -> None:
        super().__init__(f"offset {offset} is outside of {log_start_offset}..{end_offset}")
        self.offset = offset
        self.log_start_offset = log_start_offset
        self.end_offset = end_offset


class DirectoryInUse(KstreamError):
    """Another server has the log directory."""


class UnusableDirectory(KstreamError):
    """The log directory cannot be written, or is not what it must be; the message says what to do."""
