"""Transactions as compaction passes over their batches and markers.

Batches of an aborted transaction are dropped at once. A marker may go only when none of its transaction's
batches is left in front of it, and then only after `delete.retention.ms`, like a tombstone: a reader who has
seen half of a transaction must find its end.
"""

from __future__ import annotations

from collections.abc import Iterable

from kstream.log.txn_index import AbortedTransaction
from kstream.records.batch import BatchHeader
from kstream.records.control import read_end_txn_marker


class CleanedTransactions:
    """The open transactions of each producer, at the batch that is looked at.

    `kept` are the aborted transactions whose marker stays: the transaction index of what was cleaned.
    """

    __slots__ = ("_aborted", "_committed", "_open_aborted", "_seen", "kept")

    def __init__(self, aborted: Iterable[AbortedTransaction]) -> None:
        self._aborted = sorted(aborted, key=lambda transaction: transaction.first_offset, reverse=True)
        self._open_aborted: dict[int, AbortedTransaction] = {}
        self._seen: set[int] = set()  # producers whose open aborted transaction has a batch here
        self._committed: set[int] = set()
        self.kept: list[AbortedTransaction] = []

    def _begin_up_to(self, offset: int) -> None:
        aborted = self._aborted
        while aborted and aborted[-1].first_offset <= offset:
            transaction = aborted.pop()
            self._open_aborted.setdefault(transaction.producer_id, transaction)

    def is_aborted(self, header: BatchHeader) -> bool:
        """Take a data batch in; returns whether it is part of an aborted transaction."""
        self._begin_up_to(header.last_offset)
        if not header.is_transactional:
            return False
        producer_id = header.producer_id
        if producer_id in self._open_aborted:
            self._seen.add(producer_id)
            return True
        self._committed.add(producer_id)
        return False

    def is_spent(self, header: BatchHeader, buffer: bytes, position: int) -> bool:
        """Take a control batch in; returns whether no batch of its transaction is left.

        Raises CorruptBatch.
        """
        self._begin_up_to(header.last_offset)
        if not header.record_count:
            return True  # its record went before
        marker = read_end_txn_marker(buffer, position, header=header)
        if marker is None:
            return False
        producer_id = header.producer_id
        if marker.is_commit:
            if producer_id in self._committed:
                self._committed.remove(producer_id)
                return False
            return True
        transaction = self._open_aborted.pop(producer_id, None)
        if transaction is not None and producer_id in self._seen:
            self._seen.remove(producer_id)
            self.kept.append(transaction)
            return False
        return True
