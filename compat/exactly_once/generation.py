"""Which generation of the transaction protocol a cluster asks for, and which ones its clients used."""

from __future__ import annotations

from compat.one_directory.asking import Asking, fetch_partition
from compat.server_process import ServerProcess
from kstream.coordinator.codec import RecordDecoder
from kstream.records.batch import iter_headers
from kstream.records.record import iter_records
from kstream.records.schemas.transaction import TransactionLogKey, TransactionLogValue
from kstream.transactions.states import TransactionState
from kstream.wire.messages.update_features import FeatureUpdateKey, UpdateFeaturesRequest

_FEATURE = "transaction.version"
EPOCH_BUMPS = 2
"""The level, and what is written of a client, that gives each transaction its own epoch (KIP-890)."""

_SAFE_DOWNGRADE = 2
_ONGOING = TransactionState.ONGOING
_LOG, _LOG_PARTITIONS = "__transaction_state", 50
_DECODER = RecordDecoder({0: TransactionLogKey}, {0: TransactionLogValue})


def set_transaction_version(server: ServerProcess, level: int) -> None:
    """Lower a new cluster to `level`. Raises RuntimeError if it refuses."""
    if level == EPOCH_BUMPS:
        return
    asking = Asking(server)
    try:
        update = FeatureUpdateKey(feature=_FEATURE, max_version_level=level, upgrade_type=_SAFE_DOWNGRADE)
        answer = asking(UpdateFeaturesRequest(feature_updates=[update]), 2)
        if answer.error_code:
            raise RuntimeError(f"{_FEATURE} {level}: {answer.error_message}")
    finally:
        asking.close()


def generations_used(server: ServerProcess) -> set[int]:
    """What opened the transactions in the log: 2 where a client spoke KIP-890's protocol.

    Only those that were open count: aborts are the coordinator's as often as a client's.
    """
    asking = Asking(server)
    found: set[int] = set()
    try:
        for index in range(_LOG_PARTITIONS):
            offset, end = 0, asking.offset(_LOG, index, -1)
            while offset < end:
                records = bytes(fetch_partition(asking, _LOG, index, offset).records or b"")
                position = 0
                for header in iter_headers(records, partial_ok=True):
                    for record in iter_records(records, position, header=header):
                        decoded = _DECODER.decode(record.key, record.value)
                        value = None if decoded is None else decoded.value
                        if isinstance(value, TransactionLogValue) and value.transaction_status == _ONGOING:
                            found.add(value.client_transaction_version)
                    position += header.size_bytes
                    offset = header.next_offset
    finally:
        asking.close()
    return found
