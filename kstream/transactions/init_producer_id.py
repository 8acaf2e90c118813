"""InitProducerId: a producer takes over a transactional id, and fences whoever had it before."""

from __future__ import annotations

from kstream.coordinator.outcome import Outcome
from kstream.errors import ApiError, ErrorCode
from kstream.transactions.end import abort_and_fence
from kstream.transactions.states import TransactionState
from kstream.transactions.store import ProducerIdNeeded, TransactionStore
from kstream.transactions.transaction import (
    EPOCH_LAST,
    NO_EPOCH,
    NO_PRODUCER_ID,
    NO_TIME,
    Transaction,
    change_record,
)
from kstream.wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse


def init_producer_id(
    store: TransactionStore,
    request: InitProducerIdRequest,
    token: object,
    now_ms: int,
    *,
    new_producer_id: int | None = None,
) -> Outcome:
    """Give the producer an epoch of its own, and a new id where the old one's epochs are used up.

    An open transaction is aborted first; the producer is told to ask again, as it is while an older one is
    being completed. A request with an id and epoch (KIP-360) is of a producer that had them, and wants to go
    on after an error: it is fenced if another one has come since.

    Raises:
        ApiError: 42, 50 for the timeout, 51, 90.
        ProducerIdNeeded: call again with `new_producer_id`.
    """
    transactional_id = request.transactional_id
    if not transactional_id or (request.producer_id == NO_PRODUCER_ID) != (
        request.producer_epoch == NO_EPOCH
    ):
        raise ApiError(ErrorCode.INVALID_REQUEST)
    if not 0 < request.transaction_timeout_ms <= store.settings.max_timeout_ms:
        raise ApiError(ErrorCode.INVALID_TRANSACTION_TIMEOUT)
    found = store.transactions.get(transactional_id)
    if found is None:
        if new_producer_id is None:
            raise ProducerIdNeeded(transactional_id)
        found = Transaction(transactional_id, new_producer_id, NO_EPOCH, 0, TransactionState.EMPTY)
    if found.state.is_prepared:
        raise ApiError(ErrorCode.CONCURRENT_TRANSACTIONS)
    expects = request.producer_id != NO_PRODUCER_ID
    if expects and not _may_go_on(found, request.producer_id, request.producer_epoch):
        raise ApiError(ErrorCode.PRODUCER_FENCED)
    if found.state is TransactionState.ONGOING:
        out = abort_and_fence(store, found, now_ms)
        return out.reply(token, _refusal(ErrorCode.CONCURRENT_TRANSACTIONS))
    producer_id, epoch, last_epoch = found.producer_id, found.producer_epoch + 1, NO_EPOCH
    if found.is_epoch_used_up and (not expects or request.producer_epoch == found.producer_epoch):
        if new_producer_id is None:
            raise ProducerIdNeeded(transactional_id)
        producer_id, epoch, last_epoch = new_producer_id, 0, found.producer_epoch if expects else NO_EPOCH
    elif expects:
        epoch, last_epoch = _next_epoch(found, request.producer_epoch, store.last_epoch(transactional_id))
    after = found._replace(
        state=TransactionState.EMPTY,
        producer_id=producer_id,
        producer_epoch=epoch,
        timeout_ms=request.transaction_timeout_ms,
        partitions=frozenset(),
        start_ms=NO_TIME,
        update_ms=now_ms,
    )
    store.last_epochs[transactional_id] = last_epoch
    out = Outcome()
    out.records.append(change_record(found, after))
    return out.reply(token, InitProducerIdResponse(producer_id=producer_id, producer_epoch=epoch))


def _may_go_on(found: Transaction, producer_id: int, epoch: int) -> bool:
    """Whether the producer that asks is the last one: its id is the present one, or was before its epochs
    were used up and its first answer was lost. One that nobody has had yet was made for this request.
    """
    return (
        found.producer_epoch == NO_EPOCH
        or producer_id == found.producer_id
        or (producer_id == found.previous_producer_id and epoch >= EPOCH_LAST)
    )


def _next_epoch(found: Transaction, expected: int, last_epoch: int) -> tuple[int, int]:
    """The epoch for a producer that had one, and the one before it. Raises ApiError PRODUCER_FENCED."""
    if found.producer_epoch in (NO_EPOCH, expected):
        return found.producer_epoch + 1, found.producer_epoch
    if expected == last_epoch:
        return found.producer_epoch, last_epoch  # A retry; its answer was lost.
    raise ApiError(ErrorCode.PRODUCER_FENCED)


def _refusal(code: ErrorCode) -> InitProducerIdResponse:
    return InitProducerIdResponse(error_code=code, producer_id=NO_PRODUCER_ID, producer_epoch=NO_EPOCH)
