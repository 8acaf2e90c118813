"""One partition that this broker leads: its replica, its leader epoch, and who waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kstream.broker.enlistments import Enlistments
from kstream.broker.replica import LocalReplica, Replica
from kstream.broker.stats import Timings, Traffic
from kstream.broker.waiters import AppendWaiter
from kstream.errors import ApiError, ErrorCode
from kstream.log.config import INT64_MAX, LogConfig
from kstream.log.partition import AppendResult, Origin, PartitionLog
from kstream.log.slices import LogSlice
from kstream.records.batch import BatchHeader
from kstream.records.compression import Codec
from kstream.records.recompression import target_codec
from kstream.records.validation import RecordRules

if TYPE_CHECKING:
    from kstream.broker.fetch_sessions import FetchedPartition


class Partition:
    """Appends, reads and offsets of one partition, with Kafka's leader-epoch rules."""

    __slots__ = (
        "_counted_from",
        "_counts_unflushed",
        "_durable_end_offset",
        "_other_changes",
        "_unflushed_since_ms",
        "changes",
        "codec",
        "codec_level",
        "enlistments",
        "followers",
        "index",
        "is_durable",
        "leader_epoch",
        "log",
        "record_rules",
        "replica",
        "topic_id",
        "topic_name",
        "traffic",
        "waiters",
    )

    def __init__(
        self,
        topic_name: str,
        topic_id: bytes,
        index: int,
        log: PartitionLog,
        *,
        leader_epoch: int,
        flushes: Timings | None = None,
    ) -> None:
        self.topic_name = topic_name
        self.topic_id = topic_id
        self.index = index
        self.log = log
        self.replica: Replica = LocalReplica(log, flushes)
        self.leader_epoch = leader_epoch
        log.begin_epoch(leader_epoch)
        self.waiters: set[AppendWaiter] = set()
        self.followers: set[FetchedPartition] = set()
        """Of fetch sessions, which are told of every change, whether or not a request waits."""
        log.on_start_raised = self._on_start_raised
        self.changes = 0
        """Grows whenever a reader at the end may find something else there than before: with every append, a
        new leader epoch, deletion. The start of the log is not counted.
        """
        self._other_changes = 0
        """Those that were no appends."""
        self.traffic = Traffic()
        self._counted_from = log.end_offset
        self.enlistments = Enlistments(log)
        self._durable_end_offset = log.end_offset
        self._unflushed_since_ms: int | None = None
        self.is_durable = False
        """Whether acknowledged means on the disk (`flush.messages=1`), not only in the page cache."""
        self.record_rules = RecordRules()
        self.codec: Codec | None = None
        """What `compression.type` makes of every batch; None leaves them as they come."""
        self.codec_level: int | None = None
        self.configure(log.config)

    def configure(self, config: LogConfig) -> None:
        """Take over the topic's configuration, at the start and whenever it changes."""
        self.log.config = config
        self._change(wakes=False)
        is_durable = config.flush_messages == 1
        if is_durable and not self.is_durable:
            self._durable_end_offset = self.log.end_offset
        self.is_durable = is_durable
        self._counts_unflushed = 1 < config.flush_messages < INT64_MAX
        self.codec = target_codec(config.compression_type)
        self.codec_level = _level_of(self.codec, config)
        self.record_rules = RecordRules(
            is_compacted=config.is_compacted,
            timestamp_type=config.message_timestamp_type,
            timestamp_before_max_ms=config.message_timestamp_before_max_ms,
            timestamp_after_max_ms=config.message_timestamp_after_max_ms,
            record_size_bytes_max=config.max_decompressed_message_bytes,
        )

    @property
    def high_watermark(self) -> int:
        """Readers see records below this offset: with durable acknowledgements, only what a power cut cannot
        take.
        """
        return self._durable_end_offset if self.is_durable else self.log.end_offset

    @property
    def last_stable_offset(self) -> int:
        """A read_committed reader sees records below this offset: no transaction below it is still open."""
        stable = self.log.last_stable_offset
        return min(stable, self._durable_end_offset) if self.is_durable else stable

    @property
    def appends_at_once(self) -> bool:
        """Whether `append` waits for nothing: it is done before anything else happens."""
        return self.replica.appends_at_once and not (self.is_durable or self._counts_unflushed)

    def check_leader_epoch(self, current_leader_epoch: int) -> None:
        """Compare the epoch a client believes in (-1: it does not say) with ours.

        Raises:
            ApiError: FENCED_LEADER_EPOCH or UNKNOWN_LEADER_EPOCH (KIP-320).
        """
        if current_leader_epoch in (-1, self.leader_epoch):
            return
        if current_leader_epoch < self.leader_epoch:
            raise ApiError(ErrorCode.FENCED_LEADER_EPOCH)
        raise ApiError(ErrorCode.UNKNOWN_LEADER_EPOCH)

    async def append(
        self,
        buffer: memoryview | bytes,
        headers: Sequence[BatchHeader],
        *,
        now_ms: int,
        origin: Origin = Origin.CLIENT,
    ) -> AppendResult:
        """Append validated batches, publish them, and wake whoever waits for them.

        Raises:
            ApiError: the producer's epoch or sequence does not fit.
            LogStorageError: the disk refused.
        """
        result = await self.replica.append(
            buffer, headers, leader_epoch=self.leader_epoch, now_ms=now_ms, origin=origin
        )
        self.traffic.bytes_in += len(buffer)
        if self.is_durable:
            self._durable_end_offset = max(self._durable_end_offset, await self.replica.flush())
            self.changes += 1
        else:
            self.changes += 1
            log = self.log
            if self._counts_unflushed and log.end_offset - log.recovery_point >= log.config.flush_messages:
                await self.replica.flush()
        if self.waiters or self.followers:
            self._wake(len(buffer))
        return result

    def append_at_once(
        self, buffer: memoryview | bytes, headers: Sequence[BatchHeader], *, now_ms: int
    ) -> AppendResult:
        """As `append`, where `appends_at_once`.

        Raises:
            LogStorageError: the disk refused.
        """
        result = self.replica.append_at_once(buffer, headers, leader_epoch=self.leader_epoch, now_ms=now_ms)
        self.traffic.bytes_in += len(buffer)
        self.changes += 1
        if self.waiters or self.followers:
            self._wake(len(buffer))
        return result

    async def read(
        self,
        offset: int,
        size_bytes_max: int,
        *,
        end_offset: int,
        min_one_batch: bool,
        with_transactions: bool = False,
    ) -> LogSlice:
        """Bytes from the batch that contains `offset`, up to `end_offset` (exclusive).

        `with_transactions`: `log.aborted_transactions` will be asked, and is not to wait for the disk.

        Raises:
            OffsetOutOfRange: `offset` is before the log's start or behind its end.
        """
        return await self.replica.read(
            offset,
            size_bytes_max,
            end_offset=end_offset,
            min_one_batch=min_one_batch,
            with_transactions=with_transactions,
        )

    def _wake(self, size_bytes: int) -> None:
        for waiter in self.waiters:
            waiter.on_readable(size_bytes)
        for follower in self.followers:
            follower.on_readable(size_bytes)

    def counted(self) -> Traffic:
        """What went in and out since the partition was opened; in and out go on counting in this object."""
        self.traffic.messages_in = max(self.log.end_offset - self._counted_from, 0)
        self.traffic.appends = self.changes - self._other_changes
        return self.traffic

    def must_flush(self, now_ms: int) -> bool:
        """Whether records have waited for the disk as long as `flush.ms` allows; asked every now and then."""
        log = self.log
        never = log.is_offline or log.config.flush_ms == INT64_MAX
        if never or self.replica.flushed_offset >= log.end_offset:
            self._unflushed_since_ms = None
            return False
        if self._unflushed_since_ms is None:
            self._unflushed_since_ms = now_ms
        if now_ms - self._unflushed_since_ms < log.config.flush_ms:
            return False
        self._unflushed_since_ms = None
        return True

    def begin_epoch(self, leader_epoch: int) -> None:
        """Leadership begins anew: what clients know of the old epoch is refused from here on."""
        self.leader_epoch = leader_epoch
        self.log.begin_epoch(leader_epoch)
        self._change(wakes=True)

    def on_deleted(self) -> None:
        """The topic is gone: whoever waits here must find out now."""
        self._change(wakes=True)
        self.log.on_start_raised = None
        for follower in list(self.followers):
            follower.leave()

    def _change(self, *, wakes: bool) -> None:
        """A reader at the end may find something else than before, though nothing was appended."""
        self.changes += 1
        self._other_changes += 1
        if wakes:
            for waiter in self.waiters:
                waiter.on_changed()
        for follower in self.followers:
            follower.on_changed(wakes=wakes)

    def _on_start_raised(self) -> None:
        for follower in self.followers:
            follower.on_changed(wakes=False)


def _level_of(codec: Codec | None, config: LogConfig) -> int | None:
    """The topic's `compression.*.level` for a codec that has levels."""
    if codec is Codec.GZIP:
        return config.compression_gzip_level
    if codec is Codec.LZ4:
        return config.compression_lz4_level
    if codec is Codec.ZSTD:
        return config.compression_zstd_level
    return None
