"""Which producers may begin a transaction in a partition (KIP-890).

A transactional batch must not reach the log after the end of its transaction, or without the coordinator
knowing that the partition belongs to it: it would stay open forever, and with it the last stable offset. So
before the first batch of a transaction the coordinator is asked, with a guard from here in hand; a marker
that is written meanwhile takes the guard away, and the batch is refused.
"""

from __future__ import annotations

from kstream.errors import ApiError, ErrorCode
from kstream.log.partition import PartitionLog


class Guard:
    """Stands for the time between the question and the append. Requests of one producer share it."""

    __slots__ = ("holders",)

    def __init__(self) -> None:
        self.holders = 0


class Enlistments:
    """The guards of one partition, by producer id."""

    __slots__ = ("_guards", "_log")

    def __init__(self, log: PartitionLog) -> None:
        self._log = log
        self._guards: dict[int, Guard] = {}

    def is_open(self, producer_id: int, producer_epoch: int) -> bool:
        """Whether the producer has an open transaction here, with this epoch."""
        entry = self._log.producers.entries.get(producer_id)
        return entry is not None and entry.txn_first_offset is not None and entry.epoch == producer_epoch

    def begin(self, producer_id: int) -> Guard:
        """A guard to ask the coordinator with; give it back with `release`."""
        guard = self._guards.get(producer_id)
        if guard is None:
            guard = self._guards[producer_id] = Guard()
        guard.holders += 1
        return guard

    def release(self, producer_id: int, guard: Guard) -> None:
        """The request that asked is done, one way or the other."""
        guard.holders -= 1
        if not guard.holders and self._guards.get(producer_id) is guard:
            del self._guards[producer_id]

    def end(self, producer_id: int) -> None:
        """A marker is about to be written: what was asked before it holds no more."""
        self._guards.pop(producer_id, None)

    def check(self, producer_id: int, producer_epoch: int, guard: Guard | None) -> None:
        """Just before a transactional batch is written.

        Raises:
            ApiError: INVALID_TXN_STATE, it is not of an open transaction, and nobody has asked.
        """
        if self.is_open(producer_id, producer_epoch):
            return
        if guard is None or self._guards.get(producer_id) is not guard:
            raise ApiError(ErrorCode.INVALID_TXN_STATE)

    def check_epoch(self, producer_id: int, producer_epoch: int) -> None:
        """Raises ApiError INVALID_PRODUCER_EPOCH for a producer that is fenced here."""
        entry = self._log.producers.entries.get(producer_id)
        if entry is not None:
            entry.check_epoch(producer_epoch)

    def check_marker(
        self, producer_id: int, producer_epoch: int, coordinator_epoch: int, *, is_newer: bool = False
    ) -> None:
        """Whether a marker may be written; with `is_newer` only of a higher epoch than an open transaction's.

        Raises:
            ApiError: INVALID_PRODUCER_EPOCH or TRANSACTION_COORDINATOR_FENCED.
        """
        entry = self._log.producers.entries.get(producer_id)
        if entry is None:
            return
        entry.check_marker(producer_epoch, coordinator_epoch)
        if is_newer and entry.txn_first_offset is not None and producer_epoch <= entry.epoch:
            raise ApiError(ErrorCode.INVALID_PRODUCER_EPOCH)
