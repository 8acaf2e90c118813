"""The settings of one topic's logs, by Kafka's names and with Kafka's defaults."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from kstream.records.batch import TimestampType

INT64_MAX = (1 << 63) - 1
INDEX_INTERVAL_BYTES = 4096
"""Kafka's default for `index.interval.bytes`; indexes that are rebuilt get it."""


@dataclass(slots=True)
class LogConfig:
    """What a partition's log needs to know of its topic's configuration. Sizes in bytes, times in
    milliseconds.
    """

    segment_bytes: int = 1 << 30
    segment_ms: int = 604_800_000
    segment_jitter_ms: int = 0
    segment_index_bytes: int = 10 * 1024 * 1024
    index_interval_bytes: int = INDEX_INTERVAL_BYTES
    retention_ms: int = 604_800_000
    retention_bytes: int = -1
    max_message_bytes: int = 1_048_588
    preallocate: bool = False
    cleanup_policy: tuple[str, ...] = ("delete",)
    message_timestamp_type: TimestampType = TimestampType.CREATE_TIME
    message_timestamp_before_max_ms: int = INT64_MAX
    message_timestamp_after_max_ms: int = 3_600_000
    flush_messages: int = INT64_MAX
    flush_ms: int = INT64_MAX
    file_delete_delay_ms: int = 60_000
    delete_retention_ms: int = 86_400_000
    min_compaction_lag_ms: int = 0
    max_compaction_lag_ms: int = INT64_MAX
    min_cleanable_dirty_ratio: float = 0.5
    compression_type: str = "producer"
    compression_gzip_level: int = -1
    compression_lz4_level: int = 9
    compression_zstd_level: int = 3
    max_decompressed_message_bytes: int = (1 << 31) - 9
    producer_id_expiration_ms: int = 86_400_000
    """A broker's setting in Kafka, `producer.id.expiration.ms`, wanted by every log."""

    @classmethod
    def from_values(cls, values: Mapping[str, str]) -> LogConfig:
        """From topic configuration as text; unknown keys are no log's business, absent ones take the default.

        Raises ValueError for text that is not of the key's type.
        """
        config = cls()
        for key, text in values.items():
            name = key.replace(".", "_")
            if name == "cleanup_policy":
                config.cleanup_policy = tuple(part.strip() for part in text.split(",") if part.strip())
            elif name == "message_timestamp_type":
                config.message_timestamp_type = _timestamp_type(text)
            elif name in cls.__dataclass_fields__:
                setattr(config, name, _parse(text, getattr(config, name)))
        if "internal.segment.bytes" in values:
            config.segment_bytes = int(values["internal.segment.bytes"])
        if config.is_compacted:
            # An active segment is never cleaned: it has to end before its records have waited too long.
            config.segment_ms = min(config.segment_ms, config.max_compaction_lag_ms)
        return config

    @property
    def is_compacted(self) -> bool:
        return "compact" in self.cleanup_policy

    @property
    def is_deleted(self) -> bool:
        """Whether retention by time and size applies."""
        return "delete" in self.cleanup_policy

    def roll_jitter_ms(self, segment: str) -> int:
        """How much earlier than `segment.ms` a segment rolls; `segment` names it and its partition.

        Spread over partitions and segments, so that those that began together do not all roll at once, and
        the same each time it is asked.
        """
        limit = min(self.segment_jitter_ms, self.segment_ms)
        return zlib.crc32(segment.encode()) % limit if limit > 0 else 0


_TIMESTAMP_TYPES = {
    "CreateTime": TimestampType.CREATE_TIME,
    "LogAppendTime": TimestampType.LOG_APPEND_TIME,
}


def _timestamp_type(text: str) -> TimestampType:
    if text not in _TIMESTAMP_TYPES:
        raise ValueError(f"{text!r} is neither CreateTime nor LogAppendTime")
    return _TIMESTAMP_TYPES[text]


def _parse(text: str, default: object) -> object:
    if isinstance(default, bool):
        lowered = text.strip().lower()
        if lowered not in ("true", "false"):
            raise ValueError(f"{text!r} is neither true nor false")
        return lowered == "true"
    if isinstance(default, int):
        return int(text)
    if isinstance(default, float):
        return float(text)
    return text
