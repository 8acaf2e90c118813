"""DescribeTransactions and ListTransactions: what operators see."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from kstream.errors import ErrorCode
from kstream.transactions.states import BY_LABEL
from kstream.transactions.store import TransactionStore
from kstream.transactions.transaction import Transaction
from kstream.wire.messages.describe_transactions import TopicData, TransactionState
from kstream.wire.messages.list_transactions import ListTransactionsRequest
from kstream.wire.messages.list_transactions import TransactionState as ListedTransaction

ANY_DURATION = -1


def describe_transaction(store: TransactionStore, transactional_id: str) -> TransactionState:
    """One transactional id; TRANSACTIONAL_ID_NOT_FOUND (105) stands in the answer."""
    found = store.transactions.get(transactional_id)
    if found is None:
        unknown = ErrorCode.TRANSACTIONAL_ID_NOT_FOUND
        return TransactionState(transactional_id=transactional_id, error_code=unknown)
    topics: dict[str, TopicData] = {}
    for topic, index in sorted(found.partitions):
        topics.setdefault(topic, TopicData(topic=topic)).partitions.append(index)
    return TransactionState(
        transactional_id=transactional_id,
        transaction_state=found.state.label,
        transaction_timeout_ms=found.timeout_ms,
        transaction_start_time_ms=found.start_ms,
        producer_id=found.producer_id,
        producer_epoch=found.producer_epoch,
        topics=list(topics.values()),
    )


def list_transactions(
    store: TransactionStore,
    request: ListTransactionsRequest,
    now_ms: int,
    matches: Callable[[str], bool],
) -> Iterator[ListedTransaction]:
    """The transactional ids that pass every filter; an empty filter lets all pass."""
    states = {BY_LABEL[label] for label in request.state_filters if label in BY_LABEL}
    for transactional_id, found in store.transactions.items():
        if (
            (not request.state_filters or found.state in states)
            and (not request.producer_id_filters or found.producer_id in request.producer_id_filters)
            and _is_longer(found, request.duration_filter, now_ms)
            and matches(transactional_id)
        ):
            yield ListedTransaction(
                transactional_id=transactional_id,
                producer_id=found.producer_id,
                transaction_state=found.state.label,
            )


def _is_longer(found: Transaction, duration_ms: int, now_ms: int) -> bool:
    """Whether it began longer ago. A producer without a transaction began at -1, so it always did, as in
    Kafka.
    """
    return duration_ms <= ANY_DURATION or now_ms - found.start_ms > duration_ms


def unknown_states(labels: Collection[str]) -> list[str]:
    """The filters that name no state."""
    return [label for label in labels if label not in BY_LABEL]
