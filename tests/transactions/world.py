"""A coordinator, partitions and clients in one process, in every order, with a crash between any two steps.

What a crash leaves are the logs: that of the coordinator, and those of the partitions. Everything else (the
shard, guards, markers to be written, answers on their way) is gone. Each step is one that the real server
does without anything in between; the seed decides which comes next.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import NamedTuple, TypeVar

from kstream.broker.enlistments import Guard
from kstream.errors import ApiError, ErrorCode
from kstream.transactions.end import complete
from kstream.transactions.partitions import missing_partitions
from kstream.transactions.transaction import CLASSIC, EPOCH_BUMPS, TopicPartition, WriteMarkers
from tests.transactions.driver import Driver, Producer
from tests.transactions.logs import Data, End, Log, OffsetsLog

T = TypeVar("T")
TIMEOUT_MS = 10_000
OFFSETS: TopicPartition = ("__consumer_offsets", 0)


class Attempt:
    """One transaction as its client sees it: what was acknowledged, and how it ended, None if unknown.

    Values stand for records, and in `OFFSETS` for a position, of which it commits one at most.
    """

    def __init__(self) -> None:
        self.acknowledged: list[tuple[TopicPartition, str]] = []
        self.sent: list[tuple[TopicPartition, str]] = []
        self.asked_to_commit = False
        self.lost = False
        self.outcome: bool | None = None


class Late(NamedTuple):
    """A request whose client has stopped waiting for it. It may still be carried out, at any time."""

    log: Log
    data: Data
    guard: Guard | None


class World:
    """All of it, driven by one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.driver = Driver()
        self.logs: dict[TopicPartition, Log] = {("t", index): Log() for index in range(3)}
        self.logs[OFFSETS] = OffsetsLog()
        self.remaining: dict[WriteMarkers, set[TopicPartition]] = {}
        self.attempts: list[Attempt] = []
        self.late: list[Late] = []
        self.incarnation = 0
        self.owners: dict[str, Client] = {}
        self.clients = [Client(self, f"id-{n % 2}", n) for n in range(4)]

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.step()
        self.settle()

    def step(self) -> None:
        chance = self.random.random()
        if chance < 0.02:
            self.crash()
        elif chance < 0.04:
            self.driver.advance(self.random.choice([100, TIMEOUT_MS // 2, TIMEOUT_MS]))
        elif chance < 0.35 and self.driver.markers:
            self.write_one_marker()
        elif chance < 0.38 and self.late:
            late = self.late.pop(self.random.randrange(len(self.late)))
            with suppress(ApiError):
                late.log.append_data(late.data, late.guard)
        else:
            self.random.choice(self.clients).step()

    def crash(self) -> None:
        """The process dies, another one starts with the logs. Clients see their connections close."""
        self.incarnation += 1
        for log in self.logs.values():
            log.restart()
        self.remaining.clear()
        self.late.clear()
        self.driver.restart()

    def write_one_marker(self) -> None:
        """One partition of one decided transaction learns of it; the last one completes it."""
        effect = self.random.choice(self.driver.markers)
        remaining = self.remaining.setdefault(effect, set(effect.partitions))
        if remaining:
            partition = self.random.choice(sorted(remaining))
            end = End((effect.producer_id, effect.producer_epoch), effect.is_commit)
            self.logs[partition].append_end(end)
            remaining.discard(partition)
        else:
            self.driver.markers.remove(effect)
            del self.remaining[effect]
            self.driver.carry_out(complete(self.driver.shard.store, effect, self.driver.now_ms))

    def settle(self) -> None:
        """Everything that began is ended: by completion, or by time."""
        self.crash()
        for _ in range(3):
            while self.driver.markers:
                self.write_one_marker()
            self.driver.advance(TIMEOUT_MS)

    def check(self) -> None:
        """Each transaction is there whole, once, or not at all."""
        for log in self.logs.values():
            assert log.last_stable_offset == len(log.batches), "a transaction hangs"
        seen = {partition: log.visible() for partition, log in self.logs.items()}
        for attempt in self.attempts:
            counts = {seen[partition][value] for partition, value in attempt.acknowledged}
            assert counts in (set(), {0}, {1}), f"half a transaction: {counts}"
            if attempt.outcome is not None and counts:
                assert counts == {int(attempt.outcome)}
            if not attempt.asked_to_commit:
                assert not any(seen[partition][value] for partition, value in attempt.sent)


class Client:
    """A producer with a transactional id, which it shares with others: the last one to come fences them."""

    def __init__(self, world: World, transactional_id: str, number: int) -> None:
        self.world = world
        self.transactional_id = transactional_id
        self.version = EPOCH_BUMPS if number % 3 else CLASSIC
        self.name = f"c{number}"
        self.count = 0
        self._life = self._live()

    def step(self) -> None:
        next(self._life)

    def _live(self) -> Iterator[None]:
        """Init, transactions, until it is fenced or loses its way; then again. Yields between steps."""
        driver = self.world.driver
        while True:
            for _ in range(self.world.random.randint(1, 100)):
                yield
            try:
                producer = driver.init(self.transactional_id, timeout_ms=TIMEOUT_MS)
            except ApiError:
                continue
            self.world.owners[self.transactional_id] = self
            self.sequences: Counter[TopicPartition] = Counter()
            try:
                while self.world.random.random() < 0.95:
                    producer = yield from self._transaction(producer)
            except ApiError:
                continue

    def _transaction(self, producer: Producer) -> Generator[None, None, Producer]:
        world, driver = self.world, self.world.driver
        attempt = Attempt()
        world.attempts.append(attempt)
        partitions = world.random.sample(sorted(world.logs), world.random.randint(1, len(world.logs)))
        if self.version == CLASSIC:
            yield from self._retried(lambda: self._add(producer, *partitions))
        for _ in range(world.random.randint(1, 4)):
            partition = world.random.choice(partitions)
            has_committed_offsets = any(sent == OFFSETS for sent, _ in attempt.sent)
            if not attempt.lost and not (partition == OFFSETS and has_committed_offsets):
                yield from self._produce(producer, partition, attempt)
        commit = world.random.random() < 0.7 and not attempt.lost
        attempt.asked_to_commit = commit
        yield

        def end() -> Producer:
            return driver.end(
                producer,
                commit=commit,
                transactional_id=self.transactional_id,
                client_version=self.version,
            )

        following = yield from self._retried(end)
        attempt.outcome = commit
        if attempt.lost:
            raise ApiError(ErrorCode.REQUEST_TIMED_OUT)  # Its sequences are uncertain: it begins anew.
        if self.version == EPOCH_BUMPS:
            self.sequences.clear()
            return following
        return producer

    def _retried(self, operation: Callable[[], T]) -> Generator[None, None, T]:
        """Until it is done; the answer may be lost, and then it is asked again."""
        while True:
            try:
                answer = operation()
            except ApiError as error:
                if error.code is not ErrorCode.CONCURRENT_TRANSACTIONS:
                    raise
                yield
                continue
            yield
            if self.world.random.random() > 0.1:
                return answer

    def _add(self, producer: Producer, *partitions: TopicPartition) -> None:
        self.world.driver.add(
            producer, *partitions, transactional_id=self.transactional_id, client_version=self.version
        )

    def _produce(self, producer: Producer, partition: TopicPartition, attempt: Attempt) -> Iterator[None]:
        """Ask, then write, with anything in between; lost answers are asked for again."""
        world = self.world
        self.count += 1
        data = Data(producer, self.sequences[partition], f"{self.name}-{self.count}")
        attempt.sent.append((partition, data.value))
        while True:
            incarnation, log = world.incarnation, world.logs[partition]
            guard = None
            if not log.enlistments.is_open(*producer):
                guard = log.enlistments.begin(producer[0])
                yield from self._enlist(producer, partition)
            yield
            if incarnation != world.incarnation:
                continue  # The connection broke before the batch was written; the client sends it again.
            if world.random.random() < 0.05:
                world.late.append(Late(log, data, guard))
                attempt.lost = True
                return
            before = len(log.batches)
            log.append_data(data, guard)
            if len(log.batches) > before:
                assert world.owners[self.transactional_id] is self, "a fenced producer wrote"
            if guard is not None:
                log.enlistments.release(producer[0], guard)
            yield
            if world.random.random() > 0.1:
                break
        self.sequences[partition] += 1
        attempt.acknowledged.append((partition, data.value))

    def _enlist(self, producer: Producer, partition: TopicPartition) -> Iterator[None]:
        if self.version == EPOCH_BUMPS:
            yield from self._retried(lambda: self._add(producer, partition))
            return
        store = self.world.driver.shard.store
        missing = missing_partitions(store, self.transactional_id, *producer, frozenset({partition}))
        if missing:
            raise ApiError(ErrorCode.TRANSACTION_ABORTABLE)
