"""Runs the coordinator of one internal topic: which partitions are ours, loading them, their timers.

A partition is loaded by the first request for it, and at start if it has records, since members may be there
whose sessions must end. While one is being loaded requests for it get COORDINATOR_LOAD_IN_PROGRESS. Timers
are on trio's clock, which stands still while the machine sleeps and does not jump when it is set.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Generic, TypeVar

import trio

from kstream.broker.coordinated import Coordinated, Operation
from kstream.broker.coordinator_loading import load_shard
from kstream.broker.metadata.delta import MetadataDelta
from kstream.broker.metadata.store import MetadataStore
from kstream.broker.partition import Partition
from kstream.broker.partitions import Partitions
from kstream.broker.replica import disk_limiter
from kstream.clock import Clock
from kstream.coordinator.codec import RecordDecoder
from kstream.coordinator.hashing import partition_for
from kstream.coordinator.outcome import Outcome, TimerKey
from kstream.coordinator.shard import Shard
from kstream.coordinator.timers import TimerHeap
from kstream.errors import ApiError, ErrorCode
from kstream.log.errors import LogStorageError
from kstream.records.compression import Codec
from kstream.records.errors import CorruptBatch

log = logging.getLogger(__name__)

S = TypeVar("S", bound=Shard)


def _no_effect(effect: object, leader_epoch: int) -> None:
    raise TypeError(f"nobody carries out {effect!r}")


class CoordinatorRuntime(Generic[S]):
    """All partitions of `topic` that this broker leads, each with a shard of `make_shard`.

    `on_effect` gets the effects that are no notices, with the partition's leader epoch, once they are due.
    """

    def __init__(
        self,
        topic: str,
        make_shard: Callable[[], S],
        decoder: RecordDecoder,
        *,
        partitions: Partitions,
        metadata: MetadataStore,
        clock: Clock,
        with_records: Iterable[int] = (),
        codec: Codec = Codec.NONE,
        gathers: bool = True,
        on_effect: Callable[[object, int], None] = _no_effect,
    ) -> None:
        self.topic = topic
        self._make_shard = make_shard
        self._decoder = decoder
        self._partitions = partitions
        self._metadata = metadata
        self._clock = clock
        self._codec = codec
        self._gathers = gathers
        self._on_effect = on_effect
        self._loaded: dict[int, Coordinated[S]] = {}
        self._loading: dict[int, trio.Event] = {}
        self._unloaded = set(with_records)
        """Partitions that have records, and are not loaded."""
        self._timers = TimerHeap()
        self._timer_set = trio.Event()
        metadata.on_change(self._on_metadata)

    # Whose a key is

    def partition_of(self, key: str) -> int:
        """The partition that coordinates a key. Raises ApiError NOT_COORDINATOR before the topic exists."""
        image = self._metadata.image.topics_by_name.get(self.topic)
        if image is None:
            raise ApiError(ErrorCode.NOT_COORDINATOR)
        return partition_for(key, len(image.partitions))

    async def perform(self, key: str, operation: Operation[S], *, waits_for_loading: bool = False) -> Any:
        """Run an operation on the shard of a key, and wait for its reply.

        `waits_for_loading` is for the broker itself, which is not told to ask again.

        Raises:
            ApiError: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, or what the operation raises.
        """
        index = self.partition_of(key)
        if waits_for_loading:
            while (loaded := self._loading.get(index)) is not None:
                await loaded.wait()
        coordinated = await self.coordinated(index)
        try:
            return await coordinated.perform(operation)
        except ApiError:
            raise
        except Exception:
            # Half an operation may be done: what is written is whole.
            self._unload(index)
            raise

    def perform_at_once(self, key: str, operation: Operation[S]) -> Any:
        """The same without waiting, for an operation that never replies with None: it does where the shard is
        not loaded, or would have to wait, and then nothing was done. HOT.

        Raises:
            ApiError: NOT_COORDINATOR, or what the operation raises.
        """
        index = self.partition_of(key)
        coordinated = self._loaded.get(index)
        if coordinated is None or not coordinated.is_prompt:
            return None
        try:
            return coordinated.perform_at_once(operation)
        except ApiError:
            raise
        except Exception:
            self._unload(index)
            raise

    async def coordinated(self, index: int) -> Coordinated[S]:
        """One partition, loaded. Raises ApiError: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS."""
        found = self._loaded.get(index)
        return await self._load(index) if found is None else found

    def at_rest(self, key: str) -> Coordinated[S] | None:
        """The partition of a key, if it is loaded and nothing waits to be written. HOT."""
        found = self.loaded_for(key)
        return found if found is not None and found.is_at_rest else None

    def loaded_for(self, key: str) -> Coordinated[S] | None:
        """The partition of a key, if it is loaded."""
        image = self._metadata.image.topics_by_name.get(self.topic)
        return None if image is None else self._loaded.get(partition_for(key, len(image.partitions)))

    async def load_all(self) -> list[Coordinated[S]]:
        """Every partition that has records, loaded.

        Raises:
            ApiError: COORDINATOR_LOAD_IN_PROGRESS if one is just being loaded.
        """
        for index in sorted(self._unloaded | self._loading.keys()):
            try:
                await self._load(index)
            except ApiError as error:
                if error.code is not ErrorCode.NOT_COORDINATOR:
                    raise
        return self.loaded()

    def loaded(self) -> list[Coordinated[S]]:
        """The partitions that are loaded now, by index."""
        return [self._loaded[index] for index in sorted(self._loaded)]

    # Loading

    async def _load(self, index: int) -> Coordinated[S]:
        if index in self._loading:
            raise ApiError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
        loaded = self._loading[index] = trio.Event()
        try:
            # Shielded: others get an error meanwhile, so it should not be in vain.
            with trio.CancelScope(shield=True):
                self._partitions.check_leads(self.topic, index)  # one that is open may be led no more
                partition = await self._partitions.wait_open(self.topic, index)
                shard = self._make_shard()
                if partition.log.end_offset > partition.log.log_start_offset:
                    await self._replay(partition, shard)
                coordinated = await self._begin(index, partition, shard)
        except ApiError as error:
            raise ApiError(ErrorCode.NOT_COORDINATOR) from error
        finally:
            del self._loading[index]
            loaded.set()
        return coordinated

    async def _replay(self, partition: Partition, shard: S) -> None:
        name = f"{self.topic}-{partition.index}"
        began_s = trio.current_time()
        try:
            unknown = await trio.to_thread.run_sync(
                load_shard, partition.log, self._decoder, shard, limiter=disk_limiter()
            )
        except (OSError, LogStorageError, CorruptBatch) as error:
            log.error("%s cannot be loaded: %s", name, error)
            raise ApiError(ErrorCode.NOT_COORDINATOR) from error
        log.debug("%s loaded in %.0f ms", name, (trio.current_time() - began_s) * 1000)
        if unknown:
            log.warning("%s: %d records of unknown kinds were passed over", name, unknown)

    async def _begin(self, index: int, partition: Partition, shard: S) -> Coordinated[S]:
        coordinated = Coordinated(
            shard,
            partition,
            codec=self._codec,
            gathers=self._gathers,
            now_ms=self._clock.now_ms,
            set_timer=partial(self._set_timer, index),
            on_failure=partial(self._unload, index),
            on_effect=self._on_effect,
        )
        self._loaded[index] = coordinated
        self._unloaded.discard(index)
        coordinated.carry_out(shard.on_loaded(self._clock.now_ms()))
        await coordinated.write()
        return coordinated

    def _unload(self, index: int) -> None:
        coordinated = self._loaded.pop(index, None)
        if coordinated is not None:
            self._unloaded.add(index)
            self._timers.cancel_all(index)
            coordinated.abandon()

    def _on_metadata(self, delta: MetadataDelta) -> None:
        """Partitions of the topic that went, or have another leader or epoch, are not ours as they were."""
        for topic in delta.topics_deleted.values():
            if topic.name == self.topic:
                for index in list(self._loaded):
                    self._unload(index)
                self._unloaded.clear()
        for topic in delta.topics_changed.values():
            if topic.name == self.topic:
                for wanted in topic.partitions:
                    coordinated = self._loaded.get(wanted.index)
                    if coordinated is not None and coordinated.leader_epoch != wanted.leader_epoch:
                        self._unload(wanted.index)

    # Time

    def _set_timer(self, index: int, key: TimerKey, delay_ms: int | None) -> None:
        if delay_ms is None:
            self._timers.cancel((index, key))
        elif self._timers.set((index, key), trio.current_time() * 1000 + max(delay_ms, 0)):
            self._timer_set.set()

    async def run_forever(self) -> None:
        """Load what has records, then wait for timers."""
        began_s, count = trio.current_time(), len(self._unloaded)
        for index in sorted(self._unloaded):
            if index in self._unloaded and index not in self._loading:
                try:
                    await self._load(index)
                except ApiError as error:
                    log.error("%s-%d is not loaded: %s", self.topic, index, error)
        if count:
            elapsed_ms = (trio.current_time() - began_s) * 1000
            log.info("%s: %d partitions loaded in %.0f ms", self.topic, count, elapsed_ms)
        while True:
            wakes_at_ms = self._timers.wakes_at_ms()
            with trio.move_on_at(math.inf if wakes_at_ms is None else wakes_at_ms / 1000):
                await self._timer_set.wait()
            self._timer_set = trio.Event()
            await self.run_timers()

    async def run_timers(self) -> None:
        """Do what is due."""
        touched: dict[int, Coordinated[S]] = {}
        for due in self._timers.pop_due(trio.current_time() * 1000):
            assert isinstance(due, tuple)
            index, key = due
            coordinated = self._loaded.get(index)
            if coordinated is not None:
                touched[index] = coordinated
                self._carry_out(index, coordinated, partial(coordinated.shard.on_timer, key))
        for coordinated in touched.values():
            await coordinated.write()

    async def perform_everywhere(self, operation: Callable[[S, int], Outcome]) -> None:
        """Run an operation that nobody waits for on every partition that is loaded."""
        loaded = dict(self._loaded)
        for index, coordinated in loaded.items():
            self._carry_out(index, coordinated, partial(operation, coordinated.shard))
        for coordinated in loaded.values():
            await coordinated.write()

    def _carry_out(
        self, index: int, coordinated: Coordinated[S], operation: Callable[[int], Outcome]
    ) -> None:
        try:
            coordinated.carry_out(operation(self._clock.now_ms()))
        except Exception:
            # Nobody waits for this one, and the others must not suffer: begin again from what is written.
            log.exception("%s-%d failed in an unforeseen way and is loaded anew", self.topic, index)
            self._unload(index)
