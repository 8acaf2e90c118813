"""One transactional id: its producer and its transaction, and the record that says so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kstream.coordinator.outcome import CoordinatorRecord
from kstream.records.schemas.transaction import PartitionsSchema, TransactionLogKey, TransactionLogValue
from kstream.transactions.states import ALLOWED, TransactionState

NO_PRODUCER_ID = -1
NO_EPOCH = -1
NO_TIME = -1

EPOCH_LAST = 32_766
"""The last epoch that a producer is given. One more is left to fence it with; then a new id is needed."""

CLASSIC = 0
EPOCH_BUMPS = 2
"""Client transaction versions: the protocol of KIP-98, and that of KIP-890 (`transaction.version` 2)."""

VALUE_VERSION = 1

TopicPartition = tuple[str, int]


class Transaction(NamedTuple):
    """All that the log knows of one transactional id. Never changed, only replaced by a later record."""

    transactional_id: str
    producer_id: int
    producer_epoch: int
    timeout_ms: int
    state: TransactionState
    previous_producer_id: int = NO_PRODUCER_ID
    """The producer id before the last change of any kind."""
    next_producer_id: int = NO_PRODUCER_ID
    """Of a prepared transaction whose epoch was the last: the id that goes on once it is complete."""
    partitions: frozenset[TopicPartition] = frozenset()
    start_ms: int = NO_TIME
    update_ms: int = NO_TIME
    client_version: int = CLASSIC

    @property
    def is_epoch_used_up(self) -> bool:
        return self.producer_epoch >= EPOCH_LAST

    @property
    def deadline_ms(self) -> int:
        """When an open transaction is aborted."""
        return self.start_ms + self.timeout_ms


class WriteMarkers(NamedTuple):
    """An effect: write the decision to every partition, then say so with `complete`."""

    transactional_id: str
    producer_id: int
    producer_epoch: int
    is_commit: bool
    partitions: frozenset[TopicPartition]


def markers_of(prepared: Transaction) -> WriteMarkers:
    """What a prepared transaction needs to be complete."""
    return WriteMarkers(
        prepared.transactional_id,
        prepared.producer_id,
        prepared.producer_epoch,
        prepared.state is TransactionState.PREPARE_COMMIT,
        prepared.partitions,
    )


def change_record(before: Transaction, after: Transaction) -> CoordinatorRecord:
    """The record of a change, which must be one of the table's."""
    if (before.state, after.state) not in ALLOWED:
        raise AssertionError(f"{before.transactional_id}: {before.state.label} to {after.state.label}")
    return transaction_record(after, before.producer_id)


def transaction_record(transaction: Transaction, previous_producer_id: int) -> CoordinatorRecord:
    """A transactional id as it is, in the form of Apache Kafka 4.4.0 with `transaction.version` 2."""
    is_empty = transaction.state is TransactionState.EMPTY
    value = TransactionLogValue(
        producer_id=transaction.producer_id,
        previous_producer_id=previous_producer_id,
        next_producer_id=transaction.next_producer_id,
        producer_epoch=transaction.producer_epoch,
        transaction_timeout_ms=transaction.timeout_ms,
        transaction_status=transaction.state,
        transaction_partitions=None if is_empty else _by_topic(transaction.partitions),
        transaction_last_update_timestamp_ms=transaction.update_ms,
        transaction_start_timestamp_ms=transaction.start_ms,
        client_transaction_version=transaction.client_version,
    )
    return CoordinatorRecord(
        TransactionLogKey(transactional_id=transaction.transactional_id), value, VALUE_VERSION
    )


def transaction_tombstone(transactional_id: str) -> CoordinatorRecord:
    return CoordinatorRecord(TransactionLogKey(transactional_id=transactional_id), None)


def transaction_of(transactional_id: str, value: TransactionLogValue) -> Transaction:
    """A transactional id as a record says. Raises ValueError for a state that does not exist."""
    return Transaction(
        transactional_id,
        producer_id=value.producer_id,
        producer_epoch=value.producer_epoch,
        timeout_ms=value.transaction_timeout_ms,
        state=TransactionState(value.transaction_status),
        previous_producer_id=value.previous_producer_id,
        next_producer_id=value.next_producer_id,
        partitions=frozenset(
            (topic.topic, index)
            for topic in value.transaction_partitions or ()
            for index in topic.partition_ids
        ),
        start_ms=value.transaction_start_timestamp_ms,
        update_ms=value.transaction_last_update_timestamp_ms,
        client_version=value.client_transaction_version,
    )


def _by_topic(partitions: Iterable[TopicPartition]) -> list[PartitionsSchema]:
    topics: dict[str, PartitionsSchema] = {}
    for topic, index in sorted(partitions):
        found = topics.get(topic)
        if found is None:
            found = topics[topic] = PartitionsSchema(topic=topic)
        found.partition_ids.append(index)
    return list(topics.values())
