"""The end of a transaction: EndTxn, the abort of one whose producer is fenced, and completion.

The decision is one record. Once it is written the transaction has ended, whatever happens: markers are
written to its partitions until all have them, and then a second record says that it is complete.

With the newer protocol (KIP-890) each end raises the producer's epoch, so that nothing that was sent before
can reach the log after the marker. A retried EndTxn is then recognised by its epoch, one below the present.
"""

from __future__ import annotations

from kstream.coordinator.outcome import Notice, Outcome
from kstream.errors import ApiError, ErrorCode
from kstream.transactions.states import TransactionState
from kstream.transactions.store import ProducerIdNeeded, TransactionStore
from kstream.transactions.timers import TIMEOUT
from kstream.transactions.transaction import (
    CLASSIC,
    EPOCH_BUMPS,
    EPOCH_LAST,
    NO_PRODUCER_ID,
    Transaction,
    WriteMarkers,
    change_record,
    markers_of,
)
from kstream.wire.messages.end_txn import EndTxnRequest, EndTxnResponse

_ONGOING = TransactionState.ONGOING
_COMPLETE_COMMIT, _COMPLETE_ABORT = TransactionState.COMPLETE_COMMIT, TransactionState.COMPLETE_ABORT


def end_transaction(
    store: TransactionStore,
    request: EndTxnRequest,
    token: object,
    now_ms: int,
    *,
    client_version: int,
    new_producer_id: int | None = None,
) -> Outcome:
    """Commit or abort. The reply carries the id and epoch for the next transaction (version 5).

    Raises:
        ApiError: 42, 48 where there is nothing to end so, 49, 51 while the last end is being completed, 90.
        ProducerIdNeeded: call again with `new_producer_id`.
    """
    found = store.get(request.transactional_id)
    if client_version == CLASSIC:
        is_done = _check_classic(found, request)
    else:
        is_done = _check_with_epochs(found, request)
    if is_done:
        return Outcome().reply(token, _answer(found.producer_id, found.producer_epoch))
    next_producer_id = NO_PRODUCER_ID
    if client_version == EPOCH_BUMPS and found.is_epoch_used_up:
        if new_producer_id is None:
            raise ProducerIdNeeded(request.transactional_id)
        next_producer_id = new_producer_id
    out = Outcome()
    after = _prepare(store, found, request.committed, client_version, next_producer_id, now_ms, out)
    if next_producer_id != NO_PRODUCER_ID:
        return out.reply(token, _answer(next_producer_id, 0))
    return out.reply(token, _answer(after.producer_id, after.producer_epoch))


def _answer(producer_id: int, producer_epoch: int) -> EndTxnResponse:
    return EndTxnResponse(producer_id=producer_id, producer_epoch=producer_epoch)


def _check_classic(found: Transaction, request: EndTxnRequest) -> bool:
    """Whether the transaction has ended so already. Raises ApiError."""
    if request.producer_id != found.producer_id:
        raise ApiError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
    if request.producer_epoch != found.producer_epoch:
        raise ApiError(ErrorCode.PRODUCER_FENCED)
    if found.state.is_prepared:
        raise ApiError(ErrorCode.CONCURRENT_TRANSACTIONS)
    if found.state is _ONGOING:
        return False
    if found.state is (_COMPLETE_COMMIT if request.committed else _COMPLETE_ABORT):
        return True
    raise ApiError(ErrorCode.INVALID_TXN_STATE)


def _check_with_epochs(found: Transaction, request: EndTxnRequest) -> bool:
    """Whether this is a retry of the last EndTxn. Raises ApiError."""
    if found.state.is_prepared:
        raise ApiError(ErrorCode.CONCURRENT_TRANSACTIONS)
    epoch = request.producer_epoch
    is_retry_of_last = (
        found.previous_producer_id == request.producer_id
        and found.producer_id != request.producer_id
        and epoch == EPOCH_LAST
        and found.producer_epoch == 0
    )
    if request.producer_id != found.producer_id and not is_retry_of_last:
        raise ApiError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
    is_complete = found.state in (_COMPLETE_COMMIT, _COMPLETE_ABORT)
    is_retry = is_complete and (is_retry_of_last or epoch + 1 == found.producer_epoch)
    if not is_retry and (is_retry_of_last or epoch != found.producer_epoch):
        raise ApiError(ErrorCode.PRODUCER_FENCED)
    if is_retry:
        if found.state is (_COMPLETE_COMMIT if request.committed else _COMPLETE_ABORT):
            return True
        raise ApiError(ErrorCode.INVALID_TXN_STATE)
    if found.state is not _ONGOING and request.committed:
        # Nothing was added, so there is nothing to commit. To abort that is fine: it gives a new epoch.
        raise ApiError(ErrorCode.INVALID_TXN_STATE)
    return False


def abort_and_fence(store: TransactionStore, found: Transaction, now_ms: int) -> Outcome:
    """Abort an open transaction whose producer is gone or too slow: its epoch is not valid any more."""
    out = Outcome()
    _prepare(store, found, False, EPOCH_BUMPS, NO_PRODUCER_ID, now_ms, out)
    out.effects.append(Notice(f"transaction of {found.transactional_id!r} is aborted, its producer fenced"))
    return out


def _prepare(
    store: TransactionStore,
    found: Transaction,
    is_commit: bool,
    client_version: int,
    next_producer_id: int,
    now_ms: int,
    out: Outcome,
) -> Transaction:
    """Add the decision to `out`; returns the transaction with it."""
    epoch = found.producer_epoch
    if client_version == EPOCH_BUMPS:
        epoch += 1
        store.last_epochs[found.transactional_id] = found.producer_epoch
    after = found._replace(
        state=TransactionState.PREPARE_COMMIT if is_commit else TransactionState.PREPARE_ABORT,
        producer_epoch=epoch,
        next_producer_id=next_producer_id,
        start_ms=found.start_ms if found.state is _ONGOING else now_ms,
        update_ms=now_ms,
        client_version=client_version,
    )
    out.records.append(change_record(found, after))
    out.timers[(TIMEOUT, found.transactional_id)] = None
    out.effects.append(markers_of(after))
    return after


def complete(store: TransactionStore, written: WriteMarkers, now_ms: int) -> Outcome:
    """All markers of a prepared transaction are written. Nothing if that is known already."""
    out = Outcome()
    found = store.transactions.get(written.transactional_id)
    if found is None or not found.state.is_prepared or markers_of(found) != written:
        return out
    after = found._replace(
        state=_COMPLETE_COMMIT if written.is_commit else _COMPLETE_ABORT,
        partitions=frozenset(),
        next_producer_id=NO_PRODUCER_ID,
        update_ms=now_ms,
    )
    if found.next_producer_id != NO_PRODUCER_ID:
        after = after._replace(producer_id=found.next_producer_id, producer_epoch=0)
    out.records.append(change_record(found, after))
    return out
