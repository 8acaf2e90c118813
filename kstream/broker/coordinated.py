"""One partition of a coordinator's topic at work: it carries outcomes out.

The records of an outcome are replayed at once, so that the next operation builds on them, and collected. Who
finds records collected, and nobody writing them, writes them all in one batch; replies leave when everything
that came before them is written. If that fails, memory is ahead of the log: the shard is dropped with all who
wait in it, and the next request loads it again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

import trio

from kstream.broker.partition import Partition
from kstream.coordinator.codec import encode_record
from kstream.coordinator.outcome import CoordinatorRecord, Notice, Outcome, TimerKey
from kstream.coordinator.shard import Shard, TracksOffsets
from kstream.errors import ApiError, ErrorCode
from kstream.log.errors import LogStorageError
from kstream.log.partition import Origin
from kstream.records.batch import BatchHeader, read_header
from kstream.records.builder import build_batch
from kstream.records.compression import Codec

log = logging.getLogger(__name__)

S = TypeVar("S", bound=Shard)
Operation = Callable[[S, int, "Reply"], Outcome]
"""`(shard, now_ms, token) -> outcome`"""


class Reply:
    """The answer to one request, which may come later than what else the request causes."""

    __slots__ = ("_arrived", "error", "response")

    def __init__(self) -> None:
        self.response: Any = None
        self.error: ErrorCode | None = None
        self._arrived: trio.Event | None = None

    def send(self, response: Any) -> None:
        """Here it is."""
        self.response = response
        if self._arrived is not None:
            self._arrived.set()

    def fail(self, error: ErrorCode) -> None:
        """There will be none."""
        if self.response is None:
            self.error = error
            if self._arrived is not None:
                self._arrived.set()

    async def wait(self) -> Any:
        """The response. Raises ApiError if there will be none."""
        if self.response is None and self.error is None:
            self._arrived = trio.Event()
            await self._arrived.wait()
        if self.error is not None:
            raise ApiError(self.error)
        return self.response


class _Collected(NamedTuple):
    """What is written in one batch, and what follows from that."""

    number: int
    records: list[tuple[int, bytes | None, bytes | None]]
    unstored: list[CoordinatorRecord]
    replies: list[tuple[Reply, Any]]
    effects: list[object]


class Coordinated(Generic[S]):
    """A loaded shard with its partition. `set_timer` takes a key and a delay in ms, or None to cancel;
    `on_effect` an effect that is no notice, once its records are written, and the leader epoch.

    With `gathers` a batch waits a turn of the loop for what others have for it. That is much cheaper for
    many that come at once; one that comes alone has its answer sooner without.
    """

    def __init__(
        self,
        shard: S,
        partition: Partition,
        *,
        codec: Codec,
        gathers: bool,
        now_ms: Callable[[], int],
        set_timer: Callable[[TimerKey, int | None], None],
        on_failure: Callable[[], None],
        on_effect: Callable[[object, int], None],
    ) -> None:
        self.shard = shard
        self.partition = partition
        self.leader_epoch = partition.leader_epoch
        self._codec = codec
        self._gathers = gathers
        self._now_ms = now_ms
        self.set_timer = set_timer
        self._on_failure = on_failure
        self._on_effect = on_effect
        self._on_stored = shard.on_stored if isinstance(shard, TracksOffsets) else None
        self._unstored: list[CoordinatorRecord] = []
        """What is to be written, for a shard that wants to know where it stands."""
        self._records: list[tuple[int, bytes | None, bytes | None]] = []
        self._replies: list[tuple[Reply, Any]] = []
        self._effects: list[object] = []
        self._collecting = 1
        """Number of the batch that is being collected; all before it are written or being written."""
        self._written = 0
        self._written_one: trio.Event | None = None
        self._failed = False

    @property
    def is_at_rest(self) -> bool:
        """Whether all that was decided is written."""
        return not self._records and self._written_one is None

    @property
    def is_prompt(self) -> bool:
        """Whether `perform_at_once` can be called: nobody writes, and nobody has to wait for a write."""
        return self._written_one is None and not self._failed and self.partition.appends_at_once

    def perform_at_once(self, operation: Operation[S]) -> Any:
        """Run an operation that answers at once, and write its records; its reply. HOT.

        What was collected before is written with it.

        Raises:
            ApiError: what the operation raises; NOT_COORDINATOR if its records could not be written.
        """
        reply = Reply()
        self.carry_out(operation(self.shard, self._now_ms(), reply))
        if self._records:
            collected = self._take_collected()
            try:
                batch, header = self._batch_of(collected)
                result = self.partition.append_at_once(batch, (header,), now_ms=collected.records[-1][0])
            except (ApiError, LogStorageError) as error:
                self._on_refused(collected, error)
            else:
                self._on_written(collected, result.base_offset)
        if reply.error is not None:
            raise ApiError(reply.error)
        return reply.response

    async def perform(self, operation: Operation[S]) -> Any:
        """Run an operation and wait for its reply.

        Raises:
            ApiError: what the operation raises; NOT_COORDINATOR if its records could not be written.
        """
        reply = Reply()
        self.carry_out(operation(self.shard, self._now_ms(), reply))
        if self._records or self._written_one is not None:
            await self.write()
        if reply.response is not None:
            return reply.response
        return await reply.wait()

    def carry_out(self, outcome: Outcome) -> None:
        """Do all of an outcome that needs no waiting; `write` does the rest."""
        if outcome.records:
            now_ms = self._now_ms()
            encoded = [(now_ms, *encode_record(record)) for record in outcome.records]
            for record in outcome.records:
                self.shard.replay(record)
            self._records += encoded
            if self._on_stored is not None:
                self._unstored += outcome.records
        for key, delay_ms in outcome.timers.items():
            self.set_timer(key, delay_ms)
        for effect in outcome.effects:
            if isinstance(effect, Notice):
                log.info("%s", effect.text)
            else:
                self._effects.append(effect)
        must_wait = bool(self._records) or self._written_one is not None
        if not must_wait:
            effects, self._effects = self._effects, []
            self._carry_effects(effects)
        if not outcome.replies:
            return
        if must_wait:
            for token, response in outcome.replies:
                assert isinstance(token, Reply)
                self._replies.append((token, response))
        else:
            for token, response in outcome.replies:
                assert isinstance(token, Reply)
                token.send(response)

    def _carry_effects(self, effects: list[object]) -> None:
        """The records that these effects came with are written."""
        for effect in effects:
            self._on_effect(effect, self.leader_epoch)

    async def write(self) -> None:
        """Return once everything collected until now is written and its replies are sent."""
        wanted = self._collecting if self._records or self._replies else self._collecting - 1
        while self._written < wanted and not self._failed:
            if self._written_one is not None:
                await self._written_one.wait()
            elif self.partition.appends_at_once and not self._gathers:
                await self._write_collected()
            else:
                # Shielded: what is replayed must be written, whatever happens to the connection that asked.
                with trio.CancelScope(shield=True):
                    await self._write_collected()

    async def _write_collected(self) -> None:
        done = self._written_one = trio.Event()
        try:
            if self._gathers:
                # Others that are ready to run may have something for the same batch.
                await trio.lowlevel.checkpoint()
            collected = self._take_collected()
            base_offset = -1
            try:
                if collected.records and not self._failed:
                    batch, header = self._batch_of(collected)
                    now_ms = collected.records[-1][0]
                    base_offset = (await self.partition.append(batch, (header,), now_ms=now_ms)).base_offset
            except (ApiError, LogStorageError) as error:
                self._on_refused(collected, error)
                return
            self._on_written(collected, base_offset)
        finally:
            self._written_one = None
            done.set()

    def _take_collected(self) -> _Collected:
        collected = _Collected(self._collecting, self._records, self._unstored, self._replies, self._effects)
        self._collecting += 1
        self._records, self._unstored, self._replies, self._effects = [], [], [], []
        return collected

    def _batch_of(self, collected: _Collected) -> tuple[bytes, BatchHeader]:
        batch = build_batch(collected.records, codec=self._codec)
        return batch, read_header(batch)

    def _on_written(self, collected: _Collected, base_offset: int) -> None:
        if self._on_stored is not None and base_offset >= 0:
            stored = zip(collected.unstored, collected.records, strict=True)
            for offset, (record, (timestamp_ms, *_)) in enumerate(stored, base_offset):
                self._on_stored(record, offset, timestamp_ms)
        self._written = collected.number
        self._carry_effects(collected.effects)
        for reply, response in collected.replies:
            reply.send(response)

    def _on_refused(self, collected: _Collected, error: Exception) -> None:
        log.error("%s-%d: %s", self.partition.topic_name, self.partition.index, error)
        self._fail(collected.replies)

    async def write_alone(self, prepare: Callable[[], bytes | None]) -> None:
        """Write a batch that cannot be one with others, behind all that was collected before.

        `prepare` gives the batch when its turn has come, after it has replayed what is in it; None writes
        nothing. What is collected from then on is written behind it.

        Raises:
            ApiError: what `prepare` raises; NOT_COORDINATOR if the batch could not be written.
        """
        while self._written_one is not None or self._records or self._replies:
            await self.write()
            if self._failed:
                break
        if self._failed:
            raise ApiError(ErrorCode.NOT_COORDINATOR)
        batch = prepare()
        if batch is None:
            return
        header = read_header(batch)
        done = self._written_one = trio.Event()
        try:
            # Shielded: what is replayed must be written.
            with trio.CancelScope(shield=True):
                await self.partition.append(
                    batch, (header,), now_ms=header.max_timestamp_ms, origin=Origin.COORDINATOR
                )
        except (ApiError, LogStorageError) as error:
            log.error("%s-%d: %s", self.partition.topic_name, self.partition.index, error)
            self._fail([])
            raise ApiError(ErrorCode.NOT_COORDINATOR) from error
        finally:
            self._written_one = None
            done.set()

    def _fail(self, replies: list[tuple[Reply, Any]]) -> None:
        for reply, _ in replies:
            reply.fail(ErrorCode.NOT_COORDINATOR)
        self.abandon()
        self._on_failure()

    def abandon(self) -> None:
        """Send away everybody who waits: the partition is another broker's now, or must be loaded anew."""
        self._failed = True
        replies, self._replies = self._replies, []
        for reply, _ in replies:
            reply.fail(ErrorCode.NOT_COORDINATOR)
        for token in self.shard.waiting():
            if isinstance(token, Reply):
                token.fail(ErrorCode.NOT_COORDINATOR)
