"""Runs one transaction shard as the broker does, without a broker: a log in memory, time by hand.

Every record goes through its bytes and into a second shard that only replays, so that "replaying what was
written gives equal state" is checked after every single outcome.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kstream.coordinator.codec import RecordDecoder, encode_record
from kstream.coordinator.outcome import CoordinatorRecord, Notice, Outcome
from kstream.coordinator.timers import TimerHeap
from kstream.errors import ApiError, ErrorCode
from kstream.records.schemas.transaction import TransactionLogKey, TransactionLogValue
from kstream.transactions.end import complete, end_transaction
from kstream.transactions.init_producer_id import init_producer_id
from kstream.transactions.partitions import add_partitions
from kstream.transactions.settings import TransactionSettings
from kstream.transactions.shard import TransactionShard
from kstream.transactions.store import ProducerIdNeeded
from kstream.transactions.transaction import EPOCH_BUMPS, TopicPartition, Transaction, WriteMarkers
from kstream.wire.messages.end_txn import EndTxnRequest, EndTxnResponse
from kstream.wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse

START_MS = 1_700_000_000_000
DECODER = RecordDecoder({0: TransactionLogKey}, {0: TransactionLogValue})
Producer = tuple[int, int]
"""Producer id and epoch."""


class Driver:
    """A shard at work. `markers` are the effects that nobody has carried out."""

    def __init__(self, settings: TransactionSettings | None = None) -> None:
        self.settings = settings or TransactionSettings()
        self.now_ms = START_MS
        self.log: list[tuple[bytes, bytes | None]] = []
        self.next_producer_id = 1000
        self.markers: list[WriteMarkers] = []
        self.notices: list[str] = []
        self._start()

    def _start(self) -> None:
        self.shard = TransactionShard(self.settings)
        self.follower = TransactionShard(self.settings)
        self.timers = TimerHeap()
        self.markers = []
        for key, value in self.log:
            for shard in (self.shard, self.follower):
                record = DECODER.decode(key, value)
                assert record is not None
                shard.replay(record)
        self.carry_out(self.shard.on_loaded(self.now_ms))

    def restart(self) -> None:
        """The process dies; another one has only the log."""
        self._start()

    def carry_out(self, outcome: Outcome) -> Any:
        """All of an outcome; the one reply, if there is one."""
        for record in outcome.records:
            self._append(record)
        for timer, delay_ms in outcome.timers.items():
            if delay_ms is None:
                self.timers.cancel(timer)
            else:
                self.timers.set(timer, self.now_ms + delay_ms)
        for effect in outcome.effects:
            if isinstance(effect, WriteMarkers):
                self.markers.append(effect)
            else:
                assert isinstance(effect, Notice)
                self.notices.append(effect.text)
        assert self.shard.store.transactions == self.follower.store.transactions
        return outcome.replies[0][1] if outcome.replies else None

    def _append(self, record: CoordinatorRecord) -> None:
        key, value = encode_record(record)
        self.log.append((key, value))
        self.shard.replay(record)
        decoded = DECODER.decode(key, value)
        assert decoded is not None
        self.follower.replay(decoded)

    def advance(self, delay_ms: int) -> None:
        """Time passes, and what is due is done."""
        self.now_ms += delay_ms
        for key in self.timers.pop_due(self.now_ms):
            assert isinstance(key, tuple)
            self.carry_out(self.shard.on_timer(key, self.now_ms))

    def get(self, transactional_id: str = "id") -> Transaction:
        return self.shard.store.transactions[transactional_id]

    # Requests

    def init(
        self, transactional_id: str = "id", *, producer: Producer = (-1, -1), timeout_ms: int = 60_000
    ) -> Producer:
        request = InitProducerIdRequest(
            transactional_id=transactional_id,
            transaction_timeout_ms=timeout_ms,
            producer_id=producer[0],
            producer_epoch=producer[1],
        )
        answer = self._with_producer_id(
            lambda new_id: init_producer_id(
                self.shard.store, request, "token", self.now_ms, new_producer_id=new_id
            )
        )
        assert isinstance(answer, InitProducerIdResponse)
        if answer.error_code:
            raise ApiError(ErrorCode(answer.error_code))
        return answer.producer_id, answer.producer_epoch

    def add(
        self,
        producer: Producer,
        *partitions: TopicPartition,
        transactional_id: str = "id",
        client_version: int = EPOCH_BUMPS,
    ) -> None:
        outcome = add_partitions(
            self.shard.store,
            transactional_id,
            *producer,
            frozenset(partitions),
            "token",
            self.now_ms,
            client_version=client_version,
        )
        assert self.carry_out(outcome) is ErrorCode.NONE

    def end(
        self,
        producer: Producer,
        *,
        commit: bool = True,
        transactional_id: str = "id",
        client_version: int = EPOCH_BUMPS,
    ) -> Producer:
        request = EndTxnRequest(
            transactional_id=transactional_id,
            producer_id=producer[0],
            producer_epoch=producer[1],
            committed=commit,
        )
        answer = self._with_producer_id(
            lambda new_id: end_transaction(
                self.shard.store,
                request,
                "token",
                self.now_ms,
                client_version=client_version,
                new_producer_id=new_id,
            )
        )
        assert isinstance(answer, EndTxnResponse)
        return answer.producer_id, answer.producer_epoch

    def complete_all(self) -> list[WriteMarkers]:
        """All markers are written; which ones."""
        written, self.markers = self.markers, []
        for effect in written:
            self.carry_out(complete(self.shard.store, effect, self.now_ms))
        return written

    def _with_producer_id(self, operation: Callable[[int | None], Outcome]) -> Any:
        try:
            return self.carry_out(operation(None))
        except ProducerIdNeeded:
            self.next_producer_id += 1
            return self.carry_out(operation(self.next_producer_id))
