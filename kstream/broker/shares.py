"""The share partitions of this broker (KIP-932): loaded when they are first fetched, forgotten when
nobody is left who does; whose locks expire when.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import trio

from kstream.broker.dead_letters import DeadLetterWriter
from kstream.broker.metadata.delta import MetadataDelta
from kstream.broker.metadata.store import MetadataStore
from kstream.broker.partition import Partition
from kstream.broker.partitions import Partitions
from kstream.broker.replica import disk_limiter
from kstream.broker.share_counts import ShareCounts
from kstream.broker.share_letters import ShareLetters
from kstream.broker.share_partition import SharePartition
from kstream.broker.share_sessions import ShareSession, ShareSessionKey, ShareSessions
from kstream.broker.share_settings import ShareSettings
from kstream.broker.share_states import ShareStates
from kstream.broker.share_storing import state_error
from kstream.clock import Clock
from kstream.config.broker import BrokerConfig
from kstream.config.share_groups import EARLIEST
from kstream.coordinator.timers import TimerHeap
from kstream.errors import ApiError, ErrorCode
from kstream.log.errors import LogStorageError
from kstream.shares.changes import Change, DeadLetters
from kstream.shares.state_batches import NO_OFFSET, StateBatch
from kstream.shares.state_store import ShareKey
from kstream.shares.window import ShareWindow
from kstream.wire.messages.read_share_group_state import (
    PartitionData,
    PartitionResult,
    ReadShareGroupStateRequest,
    ReadStateData,
)

log = logging.getLogger(__name__)


class Shares:
    """Share partitions by group, topic id and index, and the sessions of those who fetch them."""

    def __init__(
        self,
        config: BrokerConfig,
        *,
        partitions: Partitions,
        states: ShareStates,
        metadata: MetadataStore,
        clock: Clock,
    ) -> None:
        self._partitions = partitions
        self._states = states
        self._metadata = metadata
        self._clock = clock
        self.settings = ShareSettings(config, metadata)
        sessions_max = config.value("group.share.max.share.sessions")
        assert isinstance(sessions_max, int)
        self.sessions = ShareSessions(sessions_max)
        self._loaded: dict[ShareKey, SharePartition] = {}
        self._counts: dict[ShareKey, ShareCounts] = {}
        self._loading: dict[ShareKey, trio.Lock] = {}
        self._timers = TimerHeap()
        self._left: list[ShareSession] = []
        self._has_work = trio.Event()
        self._letters = ShareLetters(
            DeadLetterWriter(config, partitions=partitions, metadata=metadata, clock=clock),
            self.settings,
            load=self._load_patiently,
            on_written=self.drop_if_unused,
        )
        states.on_unwritten_letters(self._letters.take_up)
        metadata.on_change(self._on_metadata)

    # Share partitions

    def __len__(self) -> int:
        """How many share partitions are loaded."""
        return len(self._loaded)

    def counts_of(self, key: ShareKey) -> ShareCounts | None:
        """What has become of records since the start; None if nobody has fetched any."""
        return self._counts.get(key)

    def find(self, key: ShareKey) -> SharePartition | None:
        """A share partition that is loaded."""
        return self._loaded.get(key)

    async def get(self, key: ShareKey) -> SharePartition:
        """A share partition, loaded if need be.

        Raises:
            ApiError: there is no such partition here, or its stored state cannot be had.
        """
        found = self._loaded.get(key)
        if found is not None:
            return found
        lock = self._loading.setdefault(key, trio.Lock())
        try:
            async with lock:
                found = self._loaded.get(key)
                return await self._load(key) if found is None else found
        finally:
            if not lock.statistics().tasks_waiting and not lock.locked():
                self._loading.pop(key, None)

    async def _load_patiently(self, key: ShareKey) -> SharePartition | None:
        """A share partition once its topic's partition is checked; None if the topic is gone.

        Raises:
            ApiError: as `get`.
        """
        try:
            await self._partitions.wait_open(key.topic_id, key.partition)
            return await self.get(key)
        except ApiError:
            if key.topic_id in self._metadata.image.topics_by_id:
                raise
            return None

    async def _load(self, key: ShareKey) -> SharePartition:
        partition = await self._partitions.get(key.topic_id, key.partition)
        leader_epoch = partition.leader_epoch
        wanted = PartitionData(partition=key.partition, leader_epoch=leader_epoch)
        request = ReadShareGroupStateRequest(
            group_id=key.group_id, topics=[ReadStateData(topic_id=key.topic_id, partitions=[wanted])]
        )
        results = (await self._states.read(request)).results
        if not results:
            raise ApiError(ErrorCode.UNKNOWN_SERVER_ERROR)  # There is no state of a group without a name.
        result = results[0].partitions[0]
        if result.error_code:
            raise state_error(result.error_code, result.error_message)
        share, dead_letters = await self._open(key, partition, result)
        if partition.leader_epoch != leader_epoch or key.topic_id not in self._metadata.image.topics_by_id:
            raise ApiError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        if result.start_offset == NO_OFFSET:
            await share.store_start()
        self._loaded[key] = share
        self._letters.add(share, dead_letters)
        return share

    async def _open(
        self, key: ShareKey, partition: Partition, result: PartitionResult
    ) -> tuple[SharePartition, list[DeadLetters]]:
        start_offset = result.start_offset
        if start_offset == NO_OFFSET:
            start_offset = await self._first_offset(key.group_id, partition)
        stored = [
            StateBatch(batch.first_offset, batch.last_offset, batch.delivery_state, batch.delivery_count)
            for batch in result.state_batches
        ]
        try:
            window, dead_letters = ShareWindow.load(
                start_offset, stored, self.settings.limits_of(key.group_id)
            )
        except ValueError as error:
            log.error("the stored state of %s makes no sense: %s", key.coordinator_key, error)
            raise ApiError(ErrorCode.UNKNOWN_SERVER_ERROR) from error
        share = SharePartition(
            key,
            partition,
            window,
            state_epoch=result.state_epoch,
            states=self._states,
            limits=lambda: self.settings.limits_of(key.group_id),
            rules=lambda: self.settings.rules_of(key.group_id, partition.topic_name),
            has_others=lambda: self.sessions.member_count(key.group_id) > 1,
            clock=self._clock,
            counts=self._counts.setdefault(key, ShareCounts()),
            on_changed=self._on_changed,
            on_dead=self._letters.add,
            on_gone=self._drop,
        )
        return share, dead_letters

    async def _first_offset(self, group_id: str, partition: Partition) -> int:
        """Where a group begins that has never been in a partition: `share.auto.offset.reset`."""
        config = self.settings.config_of(group_id)
        duration_ms = config.reset_duration_ms
        if duration_ms is not None:
            timestamp_ms = self._clock.now_ms() - duration_ms
            try:
                found = await trio.to_thread.run_sync(
                    partition.log.offset_for_timestamp, timestamp_ms, limiter=disk_limiter()
                )
            except (OSError, LogStorageError) as error:
                raise ApiError(ErrorCode.KAFKA_STORAGE_ERROR) from error
            return partition.high_watermark if found is None else found.offset
        if config.auto_offset_reset == EARLIEST:
            return partition.log.log_start_offset
        return partition.high_watermark

    def on_offsets_changed(self, group_id: str, topic_id: bytes, index: int, *, is_deleted: bool) -> None:
        """The stored state of a share partition was started over, or deleted: it must be loaded anew."""
        key = ShareKey(group_id, topic_id, index)
        share = self._loaded.get(key)
        if share is not None:
            self._drop(share)
        if is_deleted:
            self._counts.pop(key, None)

    def _drop(self, share: SharePartition) -> None:
        if self._loaded.get(share.key) is share:
            del self._loaded[share.key]
        self._timers.cancel(share)
        share.leave()

    def _on_metadata(self, delta: MetadataDelta) -> None:
        for share in list(self._loaded.values()) if delta.topics_changed or delta.topics_deleted else ():
            topic = self._metadata.image.topics_by_id.get(share.key.topic_id)
            if topic is None or topic.partitions[share.key.partition].leader_epoch != share.leader_epoch:
                self._drop(share)
        if delta.topics_deleted:
            for key in [each for each in self._counts if each.topic_id in delta.topics_deleted]:
                del self._counts[key]

    # Members that go

    def end_session(self, key: ShareSessionKey) -> None:
        """A member has closed its session: what it has is released, behind this."""
        self._leave([session] if (session := self.sessions.end(key)) is not None else [])

    def on_disconnected(self, connection_id: int) -> None:
        """A connection has ended, and the sessions that came over it."""
        self._leave(self.sessions.end_connection(connection_id))

    def _leave(self, sessions: Sequence[ShareSession]) -> None:
        if sessions:
            self._left += sessions
            self._has_work.set()

    async def _release_left(self) -> None:
        left, self._left = self._left, []
        for session in left:
            group_id, member_id = session.key
            for topic_id, index in session.partitions:
                share = self._loaded.get(ShareKey(group_id, topic_id, index))
                if share is None:
                    continue
                try:
                    await share.release(member_id)
                except ApiError as error:
                    log.warning("%s: what %s had is not released yet: %s", share, member_id, error)
            if not self.sessions.has_members(group_id):
                for share in [each for each in self._loaded.values() if each.key.group_id == group_id]:
                    self.drop_if_unused(share)

    def drop_if_unused(self, share: SharePartition) -> None:
        """Forget a share partition if nobody is left to read from it, and nothing to be done."""
        if not share.is_at_work and not self.sessions.has_members(share.key.group_id):
            self._drop(share)

    # Time

    def _on_changed(self, share: SharePartition) -> None:
        wakes_at_ms = share.wakes_at_ms
        if wakes_at_ms is None:
            self._timers.cancel(share)
        elif self._timers.set(share, wakes_at_ms):
            self._has_work.set()

    async def run_forever(self) -> None:
        """Let locks expire, release what members had that are gone, write dead letters."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_forever)
            nursery.start_soon(self._letters.run_forever)

    async def _watch_forever(self) -> None:
        while True:
            wakes_at_ms = self._timers.wakes_at_ms()
            with trio.move_on_at(math.inf if wakes_at_ms is None else wakes_at_ms / 1000):
                await self._has_work.wait()
            self._has_work = trio.Event()
            await self._release_left()
            await self._expire()

    async def _expire(self) -> None:
        expired: list[tuple[SharePartition, Change]] = []
        for share in self._timers.pop_due(trio.current_time() * 1000):
            assert isinstance(share, SharePartition)
            expired += [(share, change) for change in share.expire()]
            self._on_changed(share)
        for share, change in expired:
            await share.store_now(change)
