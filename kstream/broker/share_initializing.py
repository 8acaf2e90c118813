"""Initializing the states of share partitions: for heartbeats that are the first to subscribe to them, and
for operators who move groups.

What heartbeats ask for is done behind them, that of several groups at a time. A partition counts as
initialized once its state is, and the group has written that down; what fails a later heartbeat asks for
again.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import trio

from kstream.broker.coordinator_runtime import CoordinatorRuntime
from kstream.broker.share_states import ShareStates
from kstream.coordinator.outcome import Outcome
from kstream.errors import ApiError, ErrorCode
from kstream.groups.shard import GroupShard
from kstream.groups.share.initializing import (
    InitializeStates,
    initialized,
    not_initialized,
    still_wanted,
)
from kstream.wire.messages import initialize_share_group_state
from kstream.wire.messages.initialize_share_group_state import (
    InitializeShareGroupStateRequest,
    InitializeStateData,
)

log = logging.getLogger(__name__)

Errors = Mapping[tuple[bytes, int], ApiError]
"""What went wrong, by topic id and partition."""


class ShareInitializing:
    """`alone_with` keeps others from doing anything to a group's states meanwhile."""

    def __init__(
        self,
        runtime: CoordinatorRuntime[GroupShard],
        states: ShareStates,
        *,
        alone_with: Callable[[str], AbstractAsyncContextManager[None]],
    ) -> None:
        self._runtime = runtime
        self._states = states
        self._alone_with = alone_with
        self._to_initialize: list[InitializeStates] = []
        self._has_some = trio.Event()
        self._under_way: Counter[str] = Counter()
        """How many initializations that heartbeats asked for are not done yet, by group."""
        self._all_done: dict[str, trio.Event] = {}

    async def wait_done(self, group_id: str, patience_s: float) -> None:
        """Return once all that heartbeats of a group have asked for is done, or after so long."""
        all_done = self._all_done.get(group_id)
        if all_done is not None:
            with trio.move_on_after(patience_s):
                await all_done.wait()

    def on_effect(self, effect: object, leader_epoch: int) -> None:
        """A heartbeat's records are written: do what it asked for."""
        if not isinstance(effect, InitializeStates):
            raise TypeError(f"nobody carries out {effect!r}")
        self._to_initialize.append(effect)
        self._has_some.set()
        self._under_way[effect.group_id] += 1
        self._all_done.setdefault(effect.group_id, trio.Event())

    async def run_forever(self) -> None:
        """Initialize states that heartbeats ask for, those of several groups at a time."""
        async with trio.open_nursery() as nursery:
            while True:
                await self._has_some.wait()
                self._has_some = trio.Event()
                effects, self._to_initialize = self._to_initialize, []
                for effect in effects:
                    nursery.start_soon(self._carry_out, effect)

    async def _carry_out(self, effect: InitializeStates) -> None:
        try:
            async with self._alone_with(effect.group_id):
                wanted: InitializeStates = await self._runtime.perform(
                    effect.group_id,
                    lambda shard, now_ms, token: Outcome().reply(token, still_wanted(shard.state, effect)),
                )
                if wanted.start_offsets:
                    await self.initialize(wanted)
        except ApiError as error:
            # A heartbeat tries again, here or where the group is coordinated then.
            log.warning("share group %s: partitions are not initialized yet: %s", effect.group_id, error)
        finally:
            self._under_way[effect.group_id] -= 1
            if not self._under_way[effect.group_id]:
                del self._under_way[effect.group_id]
                self._all_done.pop(effect.group_id).set()

    async def initialize(self, effect: InitializeStates) -> Errors:
        """Initialize states, and write down which are. Raises ApiError if that cannot be."""
        response = await self._states.initialize(
            InitializeShareGroupStateRequest(
                group_id=effect.group_id,
                topics=[
                    InitializeStateData(
                        topic_id=topic_id,
                        partitions=[
                            initialize_share_group_state.PartitionData(
                                partition=index, state_epoch=effect.state_epoch, start_offset=start
                            )
                            for index, start in starts.items()
                        ],
                    )
                    for topic_id, starts in effect.start_offsets.items()
                ],
            )
        )
        errors = errors_of(response.results)
        done: dict[bytes, list[int]] = {}
        failed: dict[bytes, list[int]] = {}
        for topic_id, starts in effect.start_offsets.items():
            for index in starts:
                kind = failed if (topic_id, index) in errors else done
                kind.setdefault(topic_id, []).append(index)
        for topic_id, index in errors:
            log.error("share group %s: %s", effect.group_id, errors[topic_id, index])

        def operation(shard: GroupShard, now_ms: int, token: object) -> Outcome:
            return initialized(shard.state, effect.group_id, done).reply(token, True)

        def give_up(shard: GroupShard, now_ms: int, token: object) -> Outcome:
            not_initialized(shard.state, effect.group_id, failed)
            return Outcome().reply(token, True)

        if done:
            await self._runtime.perform(effect.group_id, operation)
        if failed:
            await self._runtime.perform(effect.group_id, give_up)
        return errors


def errors_of(results: Sequence[Any]) -> Errors:
    """What is wrong in the results of states' coordinator, by topic id and partition."""
    return {
        (result.topic_id, partition.partition): ApiError(
            ErrorCode(partition.error_code), partition.error_message
        )
        for result in results
        for partition in result.partitions
        if partition.error_code
    }
