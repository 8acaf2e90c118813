"""The share-state coordinator of this broker: how far each share group has come in each partition (KIP-932).

It is asked in the messages of the APIs 83 to 87, whether by a client or by the broker itself, which leads
the share partitions. For the broker `__share_group_state` is created when it is first needed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

import trio

from kstream.broker.coordinated import Operation
from kstream.broker.coordinator_runtime import CoordinatorRuntime
from kstream.broker.metadata.delta import MetadataDelta
from kstream.broker.metadata.image import SHARE_STATE_TOPIC
from kstream.broker.metadata.internal_topics import ensure_internal_topic
from kstream.broker.metadata.store import MetadataStore
from kstream.broker.partitions import Partitions
from kstream.broker.replica import disk_limiter
from kstream.clock import Clock
from kstream.config.broker import BrokerConfig
from kstream.coordinator.codec import RecordDecoder
from kstream.coordinator.hashing import java_map_order, uuid_hash
from kstream.coordinator.outcome import Outcome
from kstream.errors import ApiError
from kstream.log.directory import LogDirectory
from kstream.log.errors import LogStorageError, OffsetOutOfRange
from kstream.records.compression import Codec
from kstream.shares import state_operations
from kstream.shares.release_times import ReleaseTimes
from kstream.shares.state_shard import ShareStateShard, UnwrittenLetters
from kstream.shares.state_store import KEYS, VALUES, ShareKey, ShareStateSettings
from kstream.wire.messages import (
    delete_share_group_state,
    initialize_share_group_state,
    read_share_group_state,
    read_share_group_state_summary,
    write_share_group_state,
)
from kstream.wire.messages.delete_share_group_state import (
    DeleteShareGroupStateRequest,
    DeleteShareGroupStateResponse,
    DeleteStateResult,
)
from kstream.wire.messages.initialize_share_group_state import (
    InitializeShareGroupStateRequest,
    InitializeShareGroupStateResponse,
    InitializeStateResult,
)
from kstream.wire.messages.read_share_group_state import (
    ReadShareGroupStateRequest,
    ReadShareGroupStateResponse,
    ReadStateResult,
)
from kstream.wire.messages.read_share_group_state_summary import (
    ReadShareGroupStateSummaryRequest,
    ReadShareGroupStateSummaryResponse,
    ReadStateSummaryResult,
)
from kstream.wire.messages.write_share_group_state import (
    WriteShareGroupStateRequest,
    WriteShareGroupStateResponse,
    WriteStateResult,
)

log = logging.getLogger(__name__)

R = TypeVar("R")


def _int(config: BrokerConfig, name: str) -> int:
    value = config.value(name)
    assert isinstance(value, int)
    return value


class _Topics:
    """Satisfies `kstream.shares.state_store.Topics`."""

    def __init__(self, metadata: MetadataStore) -> None:
        self._metadata = metadata

    def partition_count(self, topic_id: bytes) -> int | None:
        topic = self._metadata.image.topics_by_id.get(topic_id)
        return None if topic is None else len(topic.partitions)


class ShareStates:
    """One method for each thing that is asked of stored share partitions. Those with a request raise nothing:
    what is wrong with a partition stands in its result.
    """

    def __init__(
        self,
        config: BrokerConfig,
        directory: LogDirectory,
        *,
        partitions: Partitions,
        metadata: MetadataStore,
        clock: Clock,
    ) -> None:
        self._config = config
        self._directory = directory
        self._metadata = metadata
        self._prune_interval_ms = _int(config, "share.coordinator.state.topic.prune.interval.ms")
        settings = ShareStateSettings(
            updates_per_snapshot=_int(config, "share.coordinator.snapshot.update.records.per.snapshot"),
            cold_snapshot_interval_ms=_int(config, "share.coordinator.cold.partition.snapshot.interval.ms"),
        )
        topics = _Topics(metadata)
        self._runtime = CoordinatorRuntime(
            SHARE_STATE_TOPIC,
            lambda: ShareStateShard(settings, topics),
            RecordDecoder(KEYS, VALUES),
            partitions=partitions,
            metadata=metadata,
            clock=clock,
            with_records=[index for topic, index in directory.partition_keys() if topic == SHARE_STATE_TOPIC],
            codec=Codec(_int(config, "share.coordinator.state.topic.compression.codec")),
            gathers=False,  # Share partitions do, before they write.
            on_effect=self._on_effect,
        )
        self._on_unwritten: Callable[[list[ShareKey]], None] = lambda keys: None
        self._deleted_topics: set[bytes] = set()
        self._topics_deleted = trio.Event()
        metadata.on_change(self._on_metadata)

    def on_unwritten_letters(self, callback: Callable[[list[ShareKey]], None]) -> None:
        """Have somebody told, when states are loaded, which have records that were to become dead letters."""
        self._on_unwritten = callback

    def _on_effect(self, effect: object, leader_epoch: int) -> None:
        assert isinstance(effect, UnwrittenLetters)
        self._on_unwritten(effect.keys)

    def release_times(self, key: ShareKey) -> ReleaseTimes | None:
        """When records of a share partition whose state was read were let go of; None if none ever was."""
        coordinated = self._runtime.loaded_for(key.coordinator_key)
        return None if coordinated is None else coordinated.shard.release_times(key)

    async def ensure_topic(self) -> None:
        """Create `__share_group_state` if it is not there.

        Raises:
            ApiError: it cannot be created.
        """
        await ensure_internal_topic(self._metadata, self._config, SHARE_STATE_TOPIC)

    async def run_forever(self) -> None:
        """Load what the log has, and do what time and deleted topics bring."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._runtime.run_forever)
            nursery.start_soon(self._forget_topics_forever)
            nursery.start_soon(self._prune_forever)

    # What is asked; `is_own` if the broker asks itself

    async def initialize(
        self, request: InitializeShareGroupStateRequest, *, is_own: bool = True
    ) -> InitializeShareGroupStateResponse:
        """Begin states at offsets."""

        def operation(key: ShareKey, wanted: Any) -> Operation[ShareStateShard]:
            return lambda shard, now_ms, token: state_operations.initialize(
                shard.store, key, wanted, token, now_ms
            )

        results = await self._each(
            request, operation, initialize_share_group_state.PartitionResult, is_own=is_own
        )
        return InitializeShareGroupStateResponse(
            results=[InitializeStateResult(topic_id=id_, partitions=found) for id_, found in results]
        )

    async def read(
        self, request: ReadShareGroupStateRequest, *, is_own: bool = True
    ) -> ReadShareGroupStateResponse:
        """States, for who leads the partitions now."""

        def operation(key: ShareKey, wanted: Any) -> Operation[ShareStateShard]:
            return lambda shard, now_ms, token: state_operations.read(
                shard.store, key, wanted.leader_epoch, token, now_ms
            )

        results = await self._each(request, operation, read_share_group_state.PartitionResult, is_own=is_own)
        return ReadShareGroupStateResponse(
            results=[ReadStateResult(topic_id=id_, partitions=found) for id_, found in results]
        )

    async def write(
        self, request: WriteShareGroupStateRequest, *, is_own: bool = True
    ) -> WriteShareGroupStateResponse:
        """Change states."""

        def operation(key: ShareKey, wanted: Any) -> Operation[ShareStateShard]:
            return lambda shard, now_ms, token: state_operations.write(
                shard.store, key, wanted, token, now_ms
            )

        results = await self._each(request, operation, write_share_group_state.PartitionResult, is_own=is_own)
        return WriteShareGroupStateResponse(
            results=[WriteStateResult(topic_id=id_, partitions=found) for id_, found in results]
        )

    async def write_own(
        self, key: ShareKey, coordinator_key: str, wanted: write_share_group_state.PartitionData
    ) -> None:
        """Change the state of a share partition that this broker leads; `coordinator_key` is the key's. HOT.

        Raises ApiError.
        """
        if SHARE_STATE_TOPIC not in self._metadata.image.topics_by_name:
            await self.ensure_topic()
        await self._runtime.perform(
            coordinator_key,
            lambda shard, now_ms, token: state_operations.write(shard.store, key, wanted, token, now_ms),
            waits_for_loading=True,
        )

    def write_own_at_once(
        self, key: ShareKey, coordinator_key: str, wanted: write_share_group_state.PartitionData
    ) -> bool:
        """The same without waiting; False, with nothing done, where that cannot be. HOT.

        Raises ApiError.
        """
        if SHARE_STATE_TOPIC not in self._metadata.image.topics_by_name:
            return False
        reply = self._runtime.perform_at_once(
            coordinator_key,
            lambda shard, now_ms, token: state_operations.write(shard.store, key, wanted, token, now_ms),
        )
        return reply is not None

    async def delete(
        self, request: DeleteShareGroupStateRequest, *, is_own: bool = True
    ) -> DeleteShareGroupStateResponse:
        """Forget states."""

        def operation(key: ShareKey, wanted: Any) -> Operation[ShareStateShard]:
            return lambda shard, now_ms, token: state_operations.delete(shard.store, key, token)

        results = await self._each(
            request, operation, delete_share_group_state.PartitionResult, is_own=is_own
        )
        return DeleteShareGroupStateResponse(
            results=[DeleteStateResult(topic_id=id_, partitions=found) for id_, found in results]
        )

    async def read_summary(
        self, request: ReadShareGroupStateSummaryRequest, *, is_own: bool = True
    ) -> ReadShareGroupStateSummaryResponse:
        """How far share partitions have come."""

        def operation(key: ShareKey, wanted: Any) -> Operation[ShareStateShard]:
            return lambda shard, now_ms, token: state_operations.read_summary(shard.store, key, token)

        results = await self._each(
            request, operation, read_share_group_state_summary.PartitionResult, is_own=is_own
        )
        return ReadShareGroupStateSummaryResponse(
            results=[ReadStateSummaryResult(topic_id=id_, partitions=found) for id_, found in results]
        )

    async def _each(
        self,
        request: Any,
        operation_of: Callable[[ShareKey, Any], Operation[ShareStateShard]],
        result_of: Callable[..., R],
        *,
        is_own: bool,
    ) -> list[tuple[bytes, list[R]]]:
        """The result of every partition by topic, in the order in which Kafka's maps have them."""
        if not request.group_id or not all(topic.partitions for topic in request.topics):
            return []
        found: dict[bytes, dict[int, R]] = {}
        for topic in request.topics:
            results = found.setdefault(topic.topic_id, {})
            for wanted in topic.partitions:
                key = ShareKey(request.group_id, topic.topic_id, wanted.partition)
                try:
                    if is_own:
                        await self.ensure_topic()
                    reply = await self._runtime.perform(
                        key.coordinator_key, operation_of(key, wanted), waits_for_loading=is_own
                    )
                except ApiError as error:
                    reply = result_of(
                        partition=wanted.partition, error_code=error.code, error_message=error.message
                    )
                results[wanted.partition] = (
                    result_of(partition=wanted.partition) if isinstance(reply, int) else reply
                )
        return [
            (topic_id, [found[topic_id][index] for index in java_map_order(found[topic_id], int)])
            for topic_id in java_map_order(found, uuid_hash)
        ]

    # Time and topics

    async def _prune_forever(self) -> None:
        while True:
            await trio.sleep(self._prune_interval_ms / 1000)
            await self.prune()

    async def prune(self) -> None:
        """Move the starts of the logs up to the oldest record that loading needs."""
        is_moved = False
        for coordinated in self._runtime.loaded():
            partition_log = coordinated.partition.log
            offset = coordinated.shard.oldest_needed_offset
            if offset <= partition_log.log_start_offset:
                continue
            try:
                partition_log.delete_records(offset)
            except (OffsetOutOfRange, LogStorageError) as error:
                log.error(
                    "%s-%d keeps old records: %s", SHARE_STATE_TOPIC, coordinated.partition.index, error
                )
            else:
                is_moved = True
        if is_moved:
            try:
                await trio.to_thread.run_sync(self._directory.write_log_starts, limiter=disk_limiter())
            except OSError as error:
                log.error("the starts of logs are not written down: %s", error)

    def _on_metadata(self, delta: MetadataDelta) -> None:
        if delta.topics_deleted:
            self._deleted_topics.update(topic.topic_id for topic in delta.topics_deleted.values())
            self._topics_deleted.set()

    async def _forget_topics_forever(self) -> None:
        while True:
            await self._topics_deleted.wait()
            self._topics_deleted = trio.Event()
            topic_ids, self._deleted_topics = self._deleted_topics, set()
            await self._runtime.perform_everywhere(partial(_forget_topics, topic_ids))


def _forget_topics(topic_ids: Iterable[bytes], shard: ShareStateShard, now_ms: int) -> Outcome:
    return state_operations.forget_topics(shard.store, topic_ids)
