"""The group coordinator of this broker: requests for groups, each at the partition that coordinates it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import trio

from kstream.broker.coordinated_transactions import end_transaction, perform_in_transaction
from kstream.broker.coordinator_runtime import CoordinatorRuntime
from kstream.broker.enlistments import Guard
from kstream.broker.group_cluster import GroupCluster
from kstream.broker.markers import Marker
from kstream.broker.metadata.delta import MetadataDelta
from kstream.broker.metadata.features import GROUP_VERSION, SHARE_VERSION
from kstream.broker.metadata.image import OFFSETS_TOPIC
from kstream.broker.metadata.internal_topics import ensure_internal_topic
from kstream.broker.metadata.store import MetadataStore
from kstream.broker.partition import Partition
from kstream.broker.partitions import Partitions
from kstream.broker.share_groups import ShareGroups
from kstream.broker.share_states import ShareStates
from kstream.clock import Clock
from kstream.config.broker import BrokerConfig
from kstream.coordinator.codec import RecordDecoder
from kstream.coordinator.outcome import Outcome
from kstream.errors import ApiError, ErrorCode
from kstream.groups.commit import WantedTopic, commit_offsets, delete_offsets, fetch_offsets
from kstream.groups.consumer.describe import describe_consumer_group
from kstream.groups.consumer.heartbeat import check_request, consumer_at_ease
from kstream.groups.consumer.heartbeat import heartbeat as consumer_heartbeat
from kstream.groups.consumer.timers import session_key as consumer_session_key
from kstream.groups.describe import CONSUMER_TYPE, delete_group, describe_group, list_groups
from kstream.groups.expiry import forget_topics
from kstream.groups.heartbeat import heartbeat, leave_group, member_at_ease
from kstream.groups.join import join_group
from kstream.groups.overview import GroupOverview, overview
from kstream.groups.rebalance import session_key
from kstream.groups.settings import Caller, ConsumerSettings, GroupSettings, ShareSettings
from kstream.groups.shard import GroupShard
from kstream.groups.share.initializing import forget_topics as forget_share_topics
from kstream.groups.sync import sync_group
from kstream.groups.txn_commit import commit_offsets_in_transaction
from kstream.log.directory import LogDirectory
from kstream.records.compression import Codec
from kstream.records.schemas.group import KEYS, VALUES
from kstream.wire.messages.consumer_group_describe import DescribedGroup as ConsumerDescribedGroup
from kstream.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)
from kstream.wire.messages.delete_groups import DeletableGroupResult
from kstream.wire.messages.describe_groups import DescribedGroup
from kstream.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from kstream.wire.messages.join_group import JoinGroupRequest, JoinGroupResponse
from kstream.wire.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse
from kstream.wire.messages.list_groups import ListedGroup
from kstream.wire.messages.offset_commit import OffsetCommitRequest, OffsetCommitResponse
from kstream.wire.messages.offset_delete import OffsetDeleteRequest, OffsetDeleteResponse
from kstream.wire.messages.offset_fetch import OffsetFetchResponseGroup
from kstream.wire.messages.sync_group import SyncGroupRequest, SyncGroupResponse
from kstream.wire.messages.txn_offset_commit import TxnOffsetCommitRequest, TxnOffsetCommitResponse

_GROUP_ID_LENGTH_MAX = 10_000
"""Flexible versions carry longer strings than the records of `__consumer_offsets` can: 32,767 bytes."""


def settings_of(config: BrokerConfig) -> GroupSettings:
    """What the broker's configuration says of groups."""
    check_interval_ms = config.value("offsets.retention.check.interval.ms")
    assert isinstance(check_interval_ms, int)
    return GroupSettings(
        initial_rebalance_delay_ms=config.group_initial_rebalance_delay_ms,
        min_session_timeout_ms=config.group_min_session_timeout_ms,
        max_session_timeout_ms=config.group_max_session_timeout_ms,
        max_size=config.group_max_size,
        offset_metadata_max_bytes=config.offset_metadata_max_bytes,
        offsets_retention_ms=config.offsets_retention_minutes * 60_000,
        offsets_retention_check_interval_ms=check_interval_ms,
        consumer=ConsumerSettings(
            assignors=tuple(config.group_consumer_assignors),
            max_size=config.group_consumer_max_size,
            regex_refresh_interval_ms=config.group_consumer_regex_refresh_interval_ms,
            can_upgrade=config.group_consumer_migration_policy.lower() in ("bidirectional", "upgrade"),
            can_downgrade=config.group_consumer_migration_policy.lower() in ("bidirectional", "downgrade"),
        ),
        share=ShareSettings(
            max_size=config.group_share_max_size,
            initialize_retry_interval_ms=config.group_share_initialize_retry_interval_ms,
        ),
    )


class GroupCoordinator:
    """One method for each thing that is asked of groups.

    All raise ApiError: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, INVALID_GROUP_ID, and what they say.
    """

    def __init__(
        self,
        config: BrokerConfig,
        directory: LogDirectory,
        *,
        partitions: Partitions,
        share_states: ShareStates,
        metadata: MetadataStore,
        clock: Clock,
    ) -> None:
        settings = settings_of(config)
        cluster = GroupCluster(config, metadata)
        self._settings = settings.consumer
        self._config = config
        self._metadata = metadata
        self._clock = clock
        self._runtime = CoordinatorRuntime(
            OFFSETS_TOPIC,
            lambda: GroupShard(settings, cluster=cluster),
            RecordDecoder(KEYS, VALUES),
            partitions=partitions,
            metadata=metadata,
            clock=clock,
            with_records=[index for topic, index in directory.partition_keys() if topic == OFFSETS_TOPIC],
            codec=Codec(config.offsets_topic_compression_codec),
            on_effect=lambda effect, leader_epoch: self.share.initializing.on_effect(effect, leader_epoch),
        )
        self.share = ShareGroups(
            self._runtime,
            share_states,
            partitions=partitions,
            metadata=metadata,
            initialization_wait_ms=config.kstream_share_initialization_wait_ms,
        )
        self._deleted_topics: dict[bytes, str] = {}
        self._topics_deleted = trio.Event()
        metadata.on_change(self._on_metadata)

    async def ensure_topic(self) -> None:
        """Create `__consumer_offsets` if it is not there.

        Raises:
            ApiError: it cannot be created.
        """
        await ensure_internal_topic(self._metadata, self._config, OFFSETS_TOPIC)

    async def run_forever(self) -> None:
        """Load what the log has, and do what time and deleted topics bring."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._runtime.run_forever)
            nursery.start_soon(self._forget_topics_forever)
            nursery.start_soon(self.share.initializing.run_forever)

    # Members

    async def join(self, request: JoinGroupRequest, caller: Caller) -> JoinGroupResponse:
        _check_group_id(request.group_id)
        response: JoinGroupResponse = await self._runtime.perform(
            request.group_id,
            lambda shard, now_ms, token: join_group(shard.state, request, caller, token, now_ms),
        )
        return response

    async def sync(self, request: SyncGroupRequest, caller: Caller) -> SyncGroupResponse:
        _check_group_id(request.group_id)
        response: SyncGroupResponse = await self._runtime.perform(
            request.group_id,
            lambda shard, now_ms, token: sync_group(shard.state, request, caller, token, now_ms),
        )
        return response

    async def heartbeat(self, request: HeartbeatRequest) -> HeartbeatResponse:
        _check_group_id(request.group_id)
        response: HeartbeatResponse = await self._runtime.perform(
            request.group_id, lambda shard, now_ms, token: heartbeat(shard.state, request, token)
        )
        return response

    def renew(self, request: HeartbeatRequest) -> bool:
        """Do as `heartbeat` for a member of a quiet classic group, at once; False if it is not so. HOT."""
        coordinated = self._runtime.at_rest(request.group_id)
        if coordinated is None:
            return False
        member = member_at_ease(coordinated.shard.state, request)
        if member is None:
            return False
        coordinated.set_timer(session_key(request.group_id, member.member_id), member.session_timeout_ms)
        return True

    async def leave(self, request: LeaveGroupRequest, caller: Caller) -> LeaveGroupResponse:
        _check_group_id(request.group_id)
        response: LeaveGroupResponse = await self._runtime.perform(
            request.group_id,
            lambda shard, now_ms, token: leave_group(shard.state, request, caller, token, now_ms),
        )
        return response

    # Groups of KIP-848

    @property
    def has_consumer_groups(self) -> bool:
        """Whether configuration and feature level allow them."""
        level = self._metadata.image.features.get(GROUP_VERSION, 0)
        return level >= 1 and CONSUMER_TYPE in self._config.group_coordinator_rebalance_protocols

    @property
    def has_share_groups(self) -> bool:
        """Whether the feature level allows them."""
        return self._metadata.image.features.get(SHARE_VERSION, 0) >= 1

    async def consumer_heartbeat(
        self, request: ConsumerGroupHeartbeatRequest, caller: Caller
    ) -> ConsumerGroupHeartbeatResponse:
        check_request(request, caller.api_version, self._settings.assignors)
        _check_length(request.group_id)
        response: ConsumerGroupHeartbeatResponse = await self._runtime.perform(
            request.group_id,
            lambda shard, now_ms, token: consumer_heartbeat(shard.state, request, caller, token, now_ms),
        )
        return response

    def renew_consumer(
        self, request: ConsumerGroupHeartbeatRequest, caller: Caller, interval_ms: int
    ) -> bool:
        """Do as `consumer_heartbeat` for a member that has nothing to say and hears what it heard, at once;
        False if it is not so. HOT.
        """
        coordinated = self._runtime.at_rest(request.group_id)
        if coordinated is None or not self.has_consumer_groups:
            return False
        state = coordinated.shard.state
        member = consumer_at_ease(state, request, caller)
        config = state.cluster.consumer_config(request.group_id)
        if member is None or config.heartbeat_interval_ms != interval_ms:
            return False
        key = consumer_session_key(request.group_id, member.member_id)
        coordinated.set_timer(key, state.session_timeout_ms(request.group_id))
        return True

    async def describe_consumer_group(self, group_id: str) -> ConsumerDescribedGroup:
        _check_group_id(group_id)
        response: ConsumerDescribedGroup = await self._runtime.perform(
            group_id,
            lambda shard, now_ms, token: Outcome().reply(
                token, describe_consumer_group(shard.state, group_id)
            ),
        )
        return response

    # Offsets; a group that only commits may have an empty id

    async def commit(self, request: OffsetCommitRequest, caller: Caller) -> OffsetCommitResponse:
        _check_length(request.group_id)
        response: OffsetCommitResponse = await self._runtime.perform(
            request.group_id,
            lambda shard, now_ms, token: commit_offsets(shard.state, request, caller, token, now_ms),
        )
        return response

    async def fetch(
        self,
        group_id: str,
        topics: Sequence[WantedTopic] | None,
        *,
        require_stable: bool,
        member_id: str | None = None,
        member_epoch: int = -1,
    ) -> OffsetFetchResponseGroup:
        """Positions; None asks for all. Topics come back with the names and ids they were asked with."""

        def operation(shard: GroupShard, now_ms: int, token: object) -> Outcome:
            found = fetch_offsets(
                shard.state,
                group_id,
                topics,
                require_stable=require_stable,
                member_id=member_id,
                member_epoch=member_epoch,
            )
            return Outcome().reply(token, found)

        response: OffsetFetchResponseGroup = await self._runtime.perform(group_id, operation)
        return response

    async def delete_offsets(self, request: OffsetDeleteRequest) -> OffsetDeleteResponse:
        _check_group_id(request.group_id)
        response: OffsetDeleteResponse = await self._runtime.perform(
            request.group_id, lambda shard, now_ms, token: delete_offsets(shard.state, request, token)
        )
        return response

    # Transactions

    async def partition_of(self, group_id: str) -> Partition:
        """The partition that a group's offsets are written to.

        Raises:
            ApiError: INVALID_GROUP_ID, NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS.
        """
        _check_group_id(group_id)
        return (await self._runtime.coordinated(self._runtime.partition_of(group_id))).partition

    async def commit_in_transaction(
        self, request: TxnOffsetCommitRequest, caller: Caller, guard: Guard | None
    ) -> TxnOffsetCommitResponse:
        """Positions that count once the producer's transaction is committed."""
        _check_group_id(request.group_id)
        coordinated = await self._runtime.coordinated(self._runtime.partition_of(request.group_id))
        response = await perform_in_transaction(
            coordinated,
            lambda shard, now_ms, token: commit_offsets_in_transaction(
                shard.state, request, caller, token, now_ms
            ),
            producer_id=request.producer_id,
            producer_epoch=request.producer_epoch,
            guard=guard,
            now_ms=self._clock.now_ms(),
        )
        assert isinstance(response, TxnOffsetCommitResponse)
        return response

    async def end_transaction(self, index: int, marker: Marker) -> None:
        """A producer's transaction has ended: so it does in one partition of `__consumer_offsets`.

        Raises:
            ApiError: INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED besides.
        """
        await end_transaction(await self._runtime.coordinated(index), marker, now_ms=self._clock.now_ms())

    # Operators

    async def list(self, states_filter: Sequence[str], types_filter: Sequence[str]) -> list[ListedGroup]:
        """Groups of all partitions that this broker coordinates."""
        return [
            group
            for coordinated in await self._runtime.load_all()
            for group in list_groups(coordinated.shard.state, states_filter, types_filter)
        ]

    async def overview(self) -> Sequence[GroupOverview]:
        """As `list`, with how many members there are, and the positions."""
        return [
            group
            for coordinated in await self._runtime.load_all()
            for group in overview(coordinated.shard.state)
        ]

    async def describe(self, group_id: str, caller: Caller) -> DescribedGroup:
        response: DescribedGroup = await self._runtime.perform(
            group_id,
            lambda shard, now_ms, token: Outcome().reply(
                token, describe_group(shard.state, group_id, caller)
            ),
        )
        return response

    async def delete(self, group_id: str) -> DeletableGroupResult:
        async with self.share.alone_with(group_id):
            await self.share.delete_all_states(group_id)
            response: DeletableGroupResult = await self._runtime.perform(
                group_id, lambda shard, now_ms, token: delete_group(shard.state, group_id, token)
            )
            return response

    # Topics

    def _on_metadata(self, delta: MetadataDelta) -> None:
        changed = (delta.topics_created, delta.topics_changed, delta.topics_deleted)
        names = {topic.name for topics in changed for topic in topics.values()}
        if names:
            for coordinated in self._runtime.loaded():
                coordinated.shard.on_topics_changed(names)
        if delta.topics_deleted:
            self._deleted_topics.update(
                (topic.topic_id, topic.name) for topic in delta.topics_deleted.values()
            )
            self._topics_deleted.set()

    async def _forget_topics_forever(self) -> None:
        while True:
            await self._topics_deleted.wait()
            self._topics_deleted = trio.Event()
            names, self._deleted_topics = self._deleted_topics, {}
            await self._runtime.perform_everywhere(partial(_forget_topics, names))


def _forget_topics(names: Mapping[bytes, str], shard: GroupShard, now_ms: int) -> Outcome:
    out = forget_topics(shard.state, set(names.values()))
    forget_share_topics(shard.state, names.keys(), out)
    return out


def _check_group_id(group_id: str) -> None:
    if not group_id:
        raise ApiError(ErrorCode.INVALID_GROUP_ID)
    _check_length(group_id)


def _check_length(group_id: str) -> None:
    if len(group_id) > _GROUP_ID_LENGTH_MAX:
        raise ApiError(ErrorCode.INVALID_GROUP_ID)
