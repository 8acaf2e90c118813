"""The transactional ids of one partition of `__transaction_state`: hard state, which only replay changes."""

from __future__ import annotations

from kstream.coordinator.outcome import CoordinatorRecord
from kstream.errors import ApiError, ErrorCode, KstreamError
from kstream.records.errors import CorruptBatch
from kstream.records.schemas.transaction import TransactionLogKey, TransactionLogValue
from kstream.transactions.settings import TransactionSettings
from kstream.transactions.transaction import NO_EPOCH, Transaction, transaction_of


class ProducerIdNeeded(KstreamError):
    """The operation needs a producer id that nobody had: do it again with one."""


class TransactionStore:
    """Transactions by transactional id. Operations are functions in the other files of this package."""

    def __init__(self, settings: TransactionSettings) -> None:
        self.settings = settings
        self.transactions: dict[str, Transaction] = {}
        self.last_epochs: dict[str, int] = {}
        """Soft state: the epoch before the present one, where the same producer asked for the change. It lets
        InitProducerId recognise a retry (KIP-360), and is not in the log, as in Kafka."""

    def replay(self, record: CoordinatorRecord) -> None:
        """Take over one record. Raises CorruptBatch for a state that does not exist."""
        key, value, _ = record
        assert isinstance(key, TransactionLogKey)
        transactional_id = key.transactional_id
        if value is None:
            self.transactions.pop(transactional_id, None)
            self.last_epochs.pop(transactional_id, None)
            return
        assert isinstance(value, TransactionLogValue)
        try:
            self.transactions[transactional_id] = transaction_of(transactional_id, value)
        except ValueError as error:
            raise CorruptBatch(f"transaction of {transactional_id!r}: {error}") from None

    def get(self, transactional_id: str) -> Transaction:
        """A known id. Raises ApiError INVALID_REQUEST (42) and INVALID_PRODUCER_ID_MAPPING (49)."""
        if not transactional_id:
            raise ApiError(ErrorCode.INVALID_REQUEST)
        found = self.transactions.get(transactional_id)
        if found is None:
            raise ApiError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
        return found

    def last_epoch(self, transactional_id: str) -> int:
        """The epoch whose holder may ask again for the present one; -1 if there is none."""
        return self.last_epochs.get(transactional_id, NO_EPOCH)
