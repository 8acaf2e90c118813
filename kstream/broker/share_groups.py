"""Share groups at work: what needs both their coordinator and that of their states.

The group coordinator decides what is to become of states (`kstream.groups.share`), `ShareStates` does it, and
the group coordinator writes down that it is done. Operators' requests wait for that. Heartbeats do for a
while, so that they bring partitions, and then leave that to the next one. One such thing at a time is done to
a group, so that none undoes half of another.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

import trio

from kstream.broker.coordinated import Operation
from kstream.broker.coordinator_runtime import CoordinatorRuntime
from kstream.broker.metadata.store import MetadataStore
from kstream.broker.partitions import Partitions
from kstream.broker.share_initializing import Errors, ShareInitializing, errors_of
from kstream.broker.share_positions import SharePositions
from kstream.broker.share_states import ShareStates
from kstream.coordinator.outcome import Outcome
from kstream.errors import ApiError, ErrorCode
from kstream.groups.settings import Caller
from kstream.groups.shard import GroupShard
from kstream.groups.share import offsets as operations
from kstream.groups.share.describe import describe_share_group
from kstream.groups.share.heartbeat import Deferred, check_request, heartbeat
from kstream.groups.share.offsets import ForgetPlan, MovePlan
from kstream.wire.messages import delete_share_group_state
from kstream.wire.messages.alter_share_group_offsets import (
    AlterShareGroupOffsetsRequest,
    AlterShareGroupOffsetsResponse,
)
from kstream.wire.messages.delete_share_group_offsets import (
    DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsResponse,
    DeleteShareGroupOffsetsResponseTopic,
)
from kstream.wire.messages.delete_share_group_state import DeleteShareGroupStateRequest, DeleteStateData
from kstream.wire.messages.share_group_describe import DescribedGroup
from kstream.wire.messages.share_group_heartbeat import (
    ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
)


class OffsetsListener(Protocol):
    """Told where a group is in a partition was changed by an operator, or forgotten."""

    def __call__(self, group_id: str, topic_id: bytes, index: int, *, is_deleted: bool) -> None: ...


class ShareGroups:
    """One method for each thing that is asked of share groups.

    All raise ApiError: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, and what they say.
    """

    def __init__(
        self,
        runtime: CoordinatorRuntime[GroupShard],
        states: ShareStates,
        *,
        partitions: Partitions,
        metadata: MetadataStore,
        initialization_wait_ms: int,
    ) -> None:
        self._initialization_wait_s = initialization_wait_ms / 1000
        self._runtime = runtime
        self._states = states
        self.positions = SharePositions(runtime, states, partitions=partitions, metadata=metadata)
        self._listeners: list[OffsetsListener] = []
        self._locks: dict[str, trio.Lock] = {}
        self.initializing = ShareInitializing(runtime, states, alone_with=self.alone_with)

    def on_offsets_changed(self, listener: OffsetsListener) -> None:
        """Tell it when operators change where groups are."""
        self._listeners.append(listener)

    @asynccontextmanager
    async def alone_with(self, group_id: str) -> AsyncIterator[None]:
        """Nothing else is done to the group's states meanwhile."""
        lock = self._locks.setdefault(group_id, trio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked():
                self._locks.pop(group_id, None)

    async def _perform(self, group_id: str, operation: Operation[GroupShard]) -> Any:
        return await self._runtime.perform(group_id, operation)

    # Members

    async def heartbeat(
        self, request: ShareGroupHeartbeatRequest, caller: Caller
    ) -> ShareGroupHeartbeatResponse:
        check_request(request)
        first = await self._beat(request, caller, defers=self._initialization_wait_s > 0)
        if not isinstance(first, Deferred):
            return first
        await self.initializing.wait_done(request.group_id, self._initialization_wait_s)
        going_on = ShareGroupHeartbeatRequest(
            group_id=request.group_id, member_id=request.member_id, member_epoch=first.response.member_epoch
        )
        try:
            response = await self._beat(going_on, caller, defers=False)
        except ApiError:
            return first.response  # It has left, say, by another connection: the next one will tell.
        assert not isinstance(response, Deferred)
        if response.assignment is None:
            response.assignment = first.response.assignment
        return response

    async def _beat(
        self, request: ShareGroupHeartbeatRequest, caller: Caller, *, defers: bool
    ) -> ShareGroupHeartbeatResponse | Deferred:
        answer: ShareGroupHeartbeatResponse | Deferred = await self._perform(
            request.group_id,
            lambda shard, now_ms, token: heartbeat(
                shard.state, request, caller, token, now_ms, defers=defers
            ),
        )
        return answer

    async def describe(self, group_id: str) -> DescribedGroup:
        """The group with its members. Raises ApiError INVALID_GROUP_ID."""
        _check_group_id(group_id)
        response: DescribedGroup = await self._perform(
            group_id,
            lambda shard, now_ms, token: Outcome().reply(token, describe_share_group(shard.state, group_id)),
        )
        return response

    # Offsets

    async def alter_offsets(self, request: AlterShareGroupOffsetsRequest) -> AlterShareGroupOffsetsResponse:
        """Move a group that has no members. Raises ApiError: INVALID_GROUP_ID, GROUP_ID_NOT_FOUND,
        NON_EMPTY_GROUP.
        """
        _check_group_id(request.group_id)
        async with self.alone_with(request.group_id):
            return await self._alter_offsets(request)

    async def _alter_offsets(self, request: AlterShareGroupOffsetsRequest) -> AlterShareGroupOffsetsResponse:
        plan: MovePlan = await self._perform(
            request.group_id,
            lambda shard, now_ms, token: operations.alter_offsets(shard.state, request, token, now_ms),
        )
        if plan.states.start_offsets:
            errors = await self.initializing.initialize(plan.states)
            for topic in plan.response.responses:
                for partition in topic.partitions:
                    error = errors.get((topic.topic_id, partition.partition_index))
                    if error is not None and not partition.error_code:
                        partition.error_code, partition.error_message = error.code, error.message
            self._tell(request.group_id, plan.states.start_offsets, is_deleted=False)
        return plan.response

    async def delete_offsets(
        self, request: DeleteShareGroupOffsetsRequest
    ) -> DeleteShareGroupOffsetsResponse:
        """Forget where a group that has no members is in topics. Raises ApiError: INVALID_GROUP_ID,
        GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP.
        """
        _check_group_id(request.group_id)
        async with self.alone_with(request.group_id):
            return await self._delete_offsets(request)

    async def _delete_offsets(
        self, request: DeleteShareGroupOffsetsRequest
    ) -> DeleteShareGroupOffsetsResponse:
        group_id = request.group_id
        names = [topic.topic_name for topic in request.topics]
        plan: ForgetPlan = await self._perform(
            group_id,
            lambda shard, now_ms, token: operations.delete_offsets(shard.state, group_id, names, token),
        )
        errors = await self._delete_states(
            group_id, {topic_id: part.partitions for topic_id, part in plan.states.items()}
        )
        responses: list[DeleteShareGroupOffsetsResponseTopic] = []
        deleted: list[bytes] = []
        for topic_id, part in plan.states.items():
            answer = DeleteShareGroupOffsetsResponseTopic(topic_name=part.name, topic_id=topic_id)
            responses.append(answer)
            error = next((errors[key] for key in errors if key[0] == topic_id), None)
            if error is None:
                deleted.append(topic_id)
            else:
                answer.error_code, answer.error_message = error.code, error.message
        if deleted:
            await self._perform(
                group_id,
                lambda shard, now_ms, token: operations.offsets_deleted(
                    shard.state, group_id, deleted, token
                ),
            )
        return DeleteShareGroupOffsetsResponse(responses=responses + plan.refused)

    async def delete_all_states(self, group_id: str) -> None:
        """The first half of deleting a group: its states, with nothing else done to them until the other half
        is done (`alone_with`). Does nothing for groups of other kinds.

        Raises:
            ApiError: NON_EMPTY_GROUP, or what went wrong with a state.
        """
        states = await self._perform(
            group_id, lambda shard, now_ms, token: operations.begin_deletion(shard.state, group_id, token)
        )
        errors = await self._delete_states(
            group_id, {topic_id: part.partitions for topic_id, part in states.items()}
        )
        for error in errors.values():
            raise error

    async def _delete_states(self, group_id: str, topics: Mapping[bytes, Collection[int]]) -> Errors:
        if not topics:
            return {}
        response = await self._states.delete(
            DeleteShareGroupStateRequest(
                group_id=group_id,
                topics=[
                    DeleteStateData(
                        topic_id=topic_id,
                        partitions=[
                            delete_share_group_state.PartitionData(partition=index)
                            for index in sorted(indexes)
                        ],
                    )
                    for topic_id, indexes in topics.items()
                ],
            )
        )
        self._tell(group_id, topics, is_deleted=True)
        return errors_of(response.results)

    def _tell(self, group_id: str, topics: Mapping[bytes, Collection[int]], *, is_deleted: bool) -> None:
        for listener in self._listeners:
            for topic_id, indexes in topics.items():
                for index in indexes:
                    listener(group_id, topic_id, index, is_deleted=is_deleted)


def _check_group_id(group_id: str) -> None:
    if not group_id:
        raise ApiError(ErrorCode.INVALID_GROUP_ID, "the group id must not be empty")
