"""AddPartitionsToTxn and AddOffsetsToTxn: what a transaction writes to. The first one opens it."""

from __future__ import annotations

from kstream.coordinator.outcome import Outcome
from kstream.errors import ApiError, ErrorCode
from kstream.transactions.states import TransactionState
from kstream.transactions.store import TransactionStore
from kstream.transactions.timers import TIMEOUT
from kstream.transactions.transaction import TopicPartition, Transaction, change_record


def add_partitions(
    store: TransactionStore,
    transactional_id: str,
    producer_id: int,
    producer_epoch: int,
    partitions: frozenset[TopicPartition],
    token: object,
    now_ms: int,
    *,
    client_version: int,
) -> Outcome:
    """Enlist partitions, so that the end of the transaction reaches them. The reply is NONE.

    Raises:
        ApiError: 42, 49, 51 while the one before is being completed, 90 for another epoch.
    """
    found = store.get(transactional_id)
    if found.state.is_prepared:
        raise ApiError(ErrorCode.CONCURRENT_TRANSACTIONS)
    _check_producer(found, producer_id, producer_epoch)
    out = Outcome().reply(token, ErrorCode.NONE)
    is_open = found.state is TransactionState.ONGOING
    if is_open and partitions <= found.partitions:
        return out
    after = found._replace(
        state=TransactionState.ONGOING,
        partitions=found.partitions | partitions,
        start_ms=found.start_ms if is_open else now_ms,
        update_ms=now_ms,
        client_version=client_version,
    )
    out.records.append(change_record(found, after))
    if not is_open:
        out.timers[(TIMEOUT, transactional_id)] = found.timeout_ms
    return out


def missing_partitions(
    store: TransactionStore,
    transactional_id: str,
    producer_id: int,
    producer_epoch: int,
    partitions: frozenset[TopicPartition],
) -> frozenset[TopicPartition]:
    """Which of the partitions are not part of the transaction (verification, KIP-890).

    Raises:
        ApiError: 42, 49, 51, 90.
    """
    found = store.get(transactional_id)
    _check_producer(found, producer_id, producer_epoch)
    if found.state.is_prepared:
        raise ApiError(ErrorCode.CONCURRENT_TRANSACTIONS)
    return partitions - found.partitions


def _check_producer(found: Transaction, producer_id: int, producer_epoch: int) -> None:
    if producer_id != found.producer_id:
        raise ApiError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
    if producer_epoch != found.producer_epoch:
        raise ApiError(ErrorCode.PRODUCER_FENCED)
