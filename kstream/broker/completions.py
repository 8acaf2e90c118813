"""Decided transactions whose partitions do not all know yet.

For each: write the marker to every partition, then tell the coordinator. Both can be repeated: a second
marker of the same epoch changes nothing, and the coordinator knows what is complete.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import trio

from kstream.broker.groups import GroupCoordinator
from kstream.broker.markers import Marker, append_marker
from kstream.broker.metadata.image import OFFSETS_TOPIC
from kstream.broker.partitions import Partitions
from kstream.clock import Clock
from kstream.errors import ApiError, ErrorCode
from kstream.log.errors import LogStorageError
from kstream.transactions.transaction import TopicPartition, WriteMarkers

log = logging.getLogger(__name__)

_RETRY_S = 1.0
_NOTHING_TO_DO = frozenset(
    {
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.INVALID_PRODUCER_EPOCH,
        ErrorCode.TRANSACTION_COORDINATOR_FENCED,
    }
)
"""The topic was deleted, or an operator or a newer coordinator has ended the transaction there."""


class _Completion:
    """One transaction; `remaining` are the partitions without a marker."""

    __slots__ = ("attempted", "coordinator_epoch", "is_done", "remaining", "wanted")

    def __init__(self, wanted: WriteMarkers, coordinator_epoch: int) -> None:
        self.wanted = wanted
        self.coordinator_epoch = coordinator_epoch
        self.remaining = set(wanted.partitions)
        self.attempted: trio.Event | None = None
        """Somebody is at it, and sets this when done or refused."""
        self.is_done = False


class Completions:
    """By transactional id, which has at most one."""

    def __init__(
        self,
        partitions: Partitions,
        groups: GroupCoordinator,
        on_written: Callable[[WriteMarkers], Awaitable[None]],
        clock: Clock,
    ) -> None:
        self._partitions = partitions
        self._groups = groups
        self._on_written = on_written
        self._clock = clock
        self._waiting: dict[str, _Completion] = {}
        self._added = trio.Event()

    def add(self, effect: object, coordinator_epoch: int) -> None:
        """A transaction was decided: an effect of the coordinator."""
        assert isinstance(effect, WriteMarkers)
        self._waiting[effect.transactional_id] = _Completion(effect, coordinator_epoch)
        self._added.set()

    async def attempt(self, transactional_id: str) -> None:
        """Complete the transaction of this id, if one waits. It stays if a disk or a coordinator refuses."""
        completion = self._waiting.get(transactional_id)
        if completion is None:
            return
        while completion.attempted is not None:
            await completion.attempted.wait()
        if completion.is_done:
            return
        attempted = completion.attempted = trio.Event()
        try:
            await self._carry_out(completion)
            completion.is_done = True
            if self._waiting.get(transactional_id) is completion:
                del self._waiting[transactional_id]
        except (ApiError, LogStorageError) as error:
            log.warning("transaction of %r is not complete yet: %s", transactional_id, error)
        finally:
            completion.attempted = None
            attempted.set()

    async def run_forever(self) -> None:
        """Complete what nobody else does, and try again what failed."""
        while True:
            await self._added.wait()
            self._added = trio.Event()
            for transactional_id in list(self._waiting):
                await self.attempt(transactional_id)
            if self._waiting:
                with trio.move_on_after(_RETRY_S):
                    await self._added.wait()
                self._added.set()

    async def _carry_out(self, completion: _Completion) -> None:
        wanted = completion.wanted
        marker = Marker(
            wanted.producer_id, wanted.producer_epoch, wanted.is_commit, completion.coordinator_epoch
        )
        failure: ApiError | LogStorageError | None = None
        for partition in sorted(completion.remaining):
            try:
                await self.write_marker(partition, marker)
            except ApiError as error:
                if error.code not in _NOTHING_TO_DO:
                    failure = error
                    continue
                log.info("transaction of %r in %s-%d: %s", wanted.transactional_id, *partition, error)
            except LogStorageError as error:
                failure = error
                continue
            completion.remaining.discard(partition)
        if failure is not None:
            raise failure
        await self._on_written(wanted)

    async def write_marker(self, partition: TopicPartition, marker: Marker) -> None:
        """End a transaction in one partition.

        Raises:
            ApiError: there is no such partition here, or the marker is fenced.
            LogStorageError: the disk refused.
        """
        topic, index = partition
        if topic == OFFSETS_TOPIC:
            await self._groups.end_transaction(index, marker)
        else:
            found = await self._partitions.wait_open(topic, index)
            await append_marker(found, marker, now_ms=self._clock.now_ms())
