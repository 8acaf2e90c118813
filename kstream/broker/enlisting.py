"""Before the first batch of a transaction in a partition: does the coordinator know that it is part of it?

Two generations of clients. Classic ones have said so with AddPartitionsToTxn or AddOffsetsToTxn, and are only
verified. Newer ones (KIP-890) leave it to the broker: their request itself adds the partition.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import NamedTuple

from kstream.broker.enlistments import Guard
from kstream.broker.partition import Partition
from kstream.broker.transactions import TransactionCoordinator
from kstream.errors import ApiError, ErrorCode
from kstream.transactions.transaction import EPOCH_BUMPS, TopicPartition


class NotEnlisted(ApiError):
    """The batch is not part of an open transaction that the coordinator knows."""


class Generation(NamedTuple):
    """What a request of its version expects."""

    adds: bool
    """Whether it adds its partitions by itself."""
    knows_abortable: bool
    """Whether TRANSACTION_ABORTABLE may be answered."""


class FirstBatch(NamedTuple):
    """A batch that may open a producer's transaction in a partition. `key` is the caller's."""

    key: Hashable
    partition: Partition
    producer_id: int
    producer_epoch: int


class Enlisted:
    """Guards and refusals by the caller's keys; to be released when the request is done."""

    def __init__(self) -> None:
        self._held: dict[Hashable, tuple[FirstBatch, Guard]] = {}
        self._refused: dict[Hashable, NotEnlisted] = {}

    def guard(self, key: Hashable) -> Guard | None:
        """What to append with; None where nothing was asked. Raises NotEnlisted."""
        refused = self._refused.get(key)
        if refused is not None:
            raise refused
        held = self._held.get(key)
        return None if held is None else held[1]

    def release(self) -> None:
        """The appends are done."""
        for batch, guard in self._held.values():
            batch.partition.enlistments.release(batch.producer_id, guard)
        self._held.clear()

    def hold(self, batch: FirstBatch) -> None:
        """Take a guard before the question."""
        self._held[batch.key] = (batch, batch.partition.enlistments.begin(batch.producer_id))

    def refuse(self, batches: Iterable[FirstBatch], code: ErrorCode, message: str | None = None) -> None:
        for batch in batches:
            self._refused[batch.key] = NotEnlisted(code, message)


async def enlist(
    coordinator: TransactionCoordinator,
    transactional_id: str,
    batches: Iterable[FirstBatch],
    generation: Generation,
) -> Enlisted:
    """Ask for all batches whose producer has no open transaction in their partition. Release the result."""
    wanted = [
        batch
        for batch in batches
        if not batch.partition.enlistments.is_open(batch.producer_id, batch.producer_epoch)
    ]
    enlisted = Enlisted()
    if not wanted:
        return enlisted
    if len({(batch.producer_id, batch.producer_epoch) for batch in wanted}) > 1:
        enlisted.refuse(wanted, ErrorCode.INVALID_PRODUCER_ID_MAPPING)
        return enlisted
    try:
        for batch in wanted:
            enlisted.hold(batch)
        try:
            missing = await _ask(coordinator, transactional_id, wanted, generation)
        except ApiError as error:
            enlisted.refuse(wanted, _code_of(error.code, generation))
        else:
            _refuse_missing(enlisted, [batch for batch in wanted if _name(batch) in missing], generation)
    except BaseException:
        enlisted.release()
        raise
    return enlisted


async def _ask(
    coordinator: TransactionCoordinator,
    transactional_id: str,
    wanted: list[FirstBatch],
    generation: Generation,
) -> frozenset[TopicPartition]:
    """The partitions that are not part of the transaction. Raises ApiError."""
    partitions = frozenset(map(_name, wanted))
    producer_id, producer_epoch = wanted[0].producer_id, wanted[0].producer_epoch
    if not generation.adds:
        return await coordinator.missing_partitions(transactional_id, producer_id, producer_epoch, partitions)
    for attempt in range(2):
        try:
            await coordinator.add_partitions(
                transactional_id, producer_id, producer_epoch, partitions, client_version=EPOCH_BUMPS
            )
            break
        except ApiError as error:
            if attempt or error.code is not ErrorCode.CONCURRENT_TRANSACTIONS:
                raise
            await coordinator.attempt_completion(transactional_id)
    return frozenset()


def _name(batch: FirstBatch) -> TopicPartition:
    return batch.partition.topic_name, batch.partition.index


def _refuse_missing(enlisted: Enlisted, missing: list[FirstBatch], generation: Generation) -> None:
    if generation.knows_abortable:
        enlisted.refuse(missing, ErrorCode.TRANSACTION_ABORTABLE)
    else:
        message = "Partition was not added to the transaction"
        enlisted.refuse(missing, ErrorCode.INVALID_TXN_STATE, message)


_COORDINATOR_AWAY = frozenset(
    {
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.NOT_COORDINATOR,
    }
)


def _code_of(code: ErrorCode, generation: Generation) -> ErrorCode:
    """What a producer is told. NOT_ENOUGH_REPLICAS makes it send the batch again."""
    if code is ErrorCode.PRODUCER_FENCED:
        return ErrorCode.INVALID_PRODUCER_EPOCH
    if code in _COORDINATOR_AWAY or (code is ErrorCode.CONCURRENT_TRANSACTIONS and not generation.adds):
        return ErrorCode.NOT_ENOUGH_REPLICAS
    return code
