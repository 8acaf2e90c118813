"""The share partitions of this broker (KIP-932): loaded when they are first fetched, forgotten when
nobody is left who does; whose locks expire when.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import trio

from kstream.broker.dead_letters import DeadLetterFailure, DeadLetterWriter, Destination
from kstream.broker.metadata.delta import MetadataDelta
from kstream.broker.metadata.features import SHARE_VERSION
from kstream.broker.metadata.image import ResourceType
from kstream.broker.metadata.store import MetadataStore
from kstream.broker.partition import Partition
from kstream.broker.partitions import Partitions
from kstream.broker.queue_rules import queue_rules
from kstream.broker.replica import disk_limiter
from kstream.broker.share_counts import ShareCounts
from kstream.broker.share_partition import GONE, SharePartition
from kstream.broker.share_sessions import ShareSession, ShareSessionKey, ShareSessions
from kstream.broker.share_states import ShareStates
from kstream.broker.share_storing import state_error
from kstream.clock import Clock
from kstream.config.broker import BrokerConfig
from kstream.config.share_groups import EARLIEST, ShareConfig, share_config
from kstream.coordinator.timers import TimerHeap
from kstream.errors import ApiError, ErrorCode
from kstream.log.errors import LogStorageError
from kstream.shares.changes import Change, DeadLetters
from kstream.shares.limits import ShareLimits
from kstream.shares.queue.rules import QueueRules
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

_CONFIGS_KEPT_MAX = 100_000
_FIRST_VERSION_WITH_DEAD_LETTERS = 2


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
        self._config = config
        self._partitions = partitions
        self._states = states
        self._metadata = metadata
        self._clock = clock
        sessions_max = config.value("group.share.max.share.sessions")
        assert isinstance(sessions_max, int)
        self.sessions = ShareSessions(sessions_max)
        self._loaded: dict[ShareKey, SharePartition] = {}
        self._counts: dict[ShareKey, ShareCounts] = {}
        self._loading: dict[ShareKey, trio.Lock] = {}
        self._configs: dict[str, tuple[ShareConfig, ShareLimits]] = {}
        self._rules: dict[tuple[str, str], QueueRules | None] = {}
        """By group and topic."""
        self._timers = TimerHeap()
        self._left: list[ShareSession] = []
        self._letters = DeadLetterWriter(config, partitions=partitions, metadata=metadata, clock=clock)
        self._dead: list[tuple[SharePartition, DeadLetters]] = []
        self._unwritten: list[ShareKey] = []
        """Share partitions that have dead letters to write, and must be loaded for that."""
        self._has_dead = trio.Event()
        self._has_work = trio.Event()
        states.on_unwritten_letters(self._on_unwritten)
        metadata.on_change(self._on_metadata)
        config.on_change(lambda _: self._configs.clear())

    # Configuration of groups

    def config_of(self, group_id: str) -> ShareConfig:
        """What is in force for a group."""
        return self._configured(group_id)[0]

    def limits_of(self, group_id: str) -> ShareLimits:
        """The same, as windows need it."""
        return self._configured(group_id)[1]

    def rules_of(self, group_id: str, topic_name: str) -> QueueRules | None:
        """How a group's queue in a topic behaves; None for one that is not more than Kafka's are."""
        key = (group_id, topic_name)
        if key not in self._rules:
            if len(self._rules) >= _CONFIGS_KEPT_MAX:
                self._rules.clear()
            image = self._metadata.image
            of_group = image.configs.get((ResourceType.GROUP, group_id), {})
            self._rules[key] = queue_rules(image.topic_configs(topic_name), of_group)
        return self._rules[key]

    def _configured(self, group_id: str) -> tuple[ShareConfig, ShareLimits]:
        found = self._configs.get(group_id)
        if found is None:
            overrides = self._metadata.image.configs.get((ResourceType.GROUP, group_id), {})
            config = share_config(self._config, overrides)
            level = self._metadata.image.features.get(SHARE_VERSION, 0)
            has_dead_letters = bool(config.dead_letter_topic) and level >= _FIRST_VERSION_WITH_DEAD_LETTERS
            limits = ShareLimits(
                delivery_count_max=config.delivery_count_limit,
                record_locks_max=config.record_locks_max,
                lock_duration_ms=config.record_lock_duration_ms,
                can_renew=config.can_renew,
                has_dead_letters=has_dead_letters,
            )
            if len(self._configs) >= _CONFIGS_KEPT_MAX:
                self._configs.clear()
            found = self._configs[group_id] = (config, limits)
        return found

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
        self._on_dead(share, dead_letters)
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
            window, dead_letters = ShareWindow.load(start_offset, stored, self.limits_of(key.group_id))
        except ValueError as error:
            log.error("the stored state of %s makes no sense: %s", key.coordinator_key, error)
            raise ApiError(ErrorCode.UNKNOWN_SERVER_ERROR) from error
        share = SharePartition(
            key,
            partition,
            window,
            state_epoch=result.state_epoch,
            states=self._states,
            limits=lambda: self.limits_of(key.group_id),
            rules=lambda: self.rules_of(key.group_id, partition.topic_name),
            has_others=lambda: self.sessions.member_count(key.group_id) > 1,
            clock=self._clock,
            counts=self._counts.setdefault(key, ShareCounts()),
            on_changed=self._on_changed,
            on_dead=self._on_dead,
            on_gone=self._drop,
        )
        return share, dead_letters

    async def _first_offset(self, group_id: str, partition: Partition) -> int:
        """Where a group begins that has never been in a partition: `share.auto.offset.reset`."""
        config = self.config_of(group_id)
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

    def on_offsets_changed(self, group_id: str, topic_id: bytes, index: int) -> None:
        """The stored state of a share partition was started over, or deleted: it must be loaded anew."""
        share = self._loaded.get(ShareKey(group_id, topic_id, index))
        if share is not None:
            self._drop(share)

    def _drop(self, share: SharePartition) -> None:
        if self._loaded.get(share.key) is share:
            del self._loaded[share.key]
        self._timers.cancel(share)
        share.leave()

    def drop_if_gone(self, share: SharePartition, error: ApiError) -> None:
        """After an error of a share partition, see that the next request loads it anew."""
        if error.code in GONE:
            self._drop(share)

    def _on_metadata(self, delta: MetadataDelta) -> None:
        for share in list(self._loaded.values()):
            topic = self._metadata.image.topics_by_id.get(share.key.topic_id)
            if topic is None or topic.partitions[share.key.partition].leader_epoch != share.leader_epoch:
                self._drop(share)
        if delta.topics_deleted:
            for key in [each for each in self._counts if each.topic_id in delta.topics_deleted]:
                del self._counts[key]
        for resource_type, name in delta.configs_changed:
            if resource_type == ResourceType.GROUP:
                self._configs.pop(name, None)
            self._rules.clear()

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
            for share in [each for each in self._loaded.values() if each.key.group_id == group_id]:
                self._drop_if_unused(share)

    def _drop_if_unused(self, share: SharePartition) -> None:
        """Nobody is left to read from it, and nothing to be done."""
        if not share.is_at_work and not self.sessions.has_members(share.key.group_id):
            self._drop(share)

    # Time

    def _on_changed(self, share: SharePartition) -> None:
        wakes_at_ms = share.wakes_at_ms
        if wakes_at_ms is None:
            self._timers.cancel(share)
        elif self._timers.set(share, wakes_at_ms):
            self._has_work.set()

    def _on_dead(self, share: SharePartition, dead_letters: Sequence[DeadLetters]) -> None:
        if dead_letters:
            share.letters_due += len(dead_letters)
            self._dead += [(share, dead) for dead in dead_letters]
            self._has_dead.set()

    async def run_forever(self) -> None:
        """Let locks expire, release what members had that are gone, write dead letters."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_forever)
            nursery.start_soon(self._write_dead_forever)

    def _on_unwritten(self, keys: Sequence[ShareKey]) -> None:
        self._unwritten += keys
        self._has_dead.set()

    async def _write_dead_forever(self) -> None:
        while True:
            await self._has_dead.wait()
            self._has_dead = trio.Event()
            await self._write_dead()
            while self._unwritten:  # one after the other: there may be very many
                await self._take_up(self._unwritten.pop())
                await self._write_dead()

    async def _take_up(self, key: ShareKey) -> None:
        """Load a share partition for its dead letters, whether or not anybody comes to fetch."""
        try:
            await self._partitions.wait_open(key.topic_id, key.partition)
            self._drop_if_unused(await self.get(key))
        except ApiError as error:
            if key.topic_id in self._metadata.image.topics_by_id:
                log.warning("%s: dead letters wait until it is fetched: %s", key.coordinator_key, error)

    async def _write_dead(self) -> None:
        while self._dead:
            given_up, self._dead = self._dead, []
            for share, dead in given_up:
                if share.is_gone:
                    self._unwritten.append(share.key)
                    continue
                config = self.config_of(share.key.group_id)
                destination = Destination(config.dead_letter_topic, config.copies_dead_records)
                try:
                    await self._letters.write(share.key, share.partition, dead, destination)
                except DeadLetterFailure as failure:
                    log.error(
                        "%s: records %d to %d are given up without dead letters: %s",
                        share,
                        dead.first_offset,
                        dead.last_offset,
                        failure,
                    )
                await share.archive_dead(dead)
                share.letters_due -= 1
                self._drop_if_unused(share)

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
