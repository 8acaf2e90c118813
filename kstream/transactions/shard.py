"""The transaction coordinator of one partition of `__transaction_state`: replay, loading and time."""

from __future__ import annotations

from collections.abc import Iterator

from kstream.coordinator.outcome import CoordinatorRecord, Notice, Outcome, TimerKey
from kstream.transactions.end import abort_and_fence
from kstream.transactions.settings import TransactionSettings
from kstream.transactions.states import TransactionState
from kstream.transactions.store import TransactionStore
from kstream.transactions.timers import EXPIRY, TIMEOUT
from kstream.transactions.transaction import markers_of, transaction_tombstone


class TransactionShard:
    """The store with its life. Requests are functions on `store`.

    Satisfies `kstream.coordinator.shard.Shard`.
    """

    def __init__(self, settings: TransactionSettings) -> None:
        self.store = TransactionStore(settings)

    def replay(self, record: CoordinatorRecord, *, producer_id: int = -1) -> None:
        self.store.replay(record)

    def replay_end_transaction(self, producer_id: int, *, is_commit: bool) -> None:
        """Nobody writes to this topic in a transaction."""

    def on_loaded(self, now_ms: int) -> Outcome:
        """Take up work: decided transactions are completed, open ones go on until their time is up."""
        out = Outcome()
        store = self.store
        out.timers[(EXPIRY,)] = store.settings.id_expiration_check_interval_ms
        for transactional_id, found in store.transactions.items():
            if found.state.is_prepared:
                out.effects.append(markers_of(found))
            elif found.state is TransactionState.ONGOING:
                out.timers[(TIMEOUT, transactional_id)] = max(0, found.deadline_ms - now_ms)
        return out

    def on_timer(self, key: TimerKey, now_ms: int) -> Outcome:
        if key[0] == EXPIRY:
            return self._expire_ids(now_ms)
        transactional_id = str(key[1])
        found = self.store.transactions.get(transactional_id)
        out = Outcome()
        if found is None or found.state is not TransactionState.ONGOING:
            return out
        if now_ms < found.deadline_ms:  # The wall clock, which the log has, was set back.
            out.timers[(TIMEOUT, transactional_id)] = found.deadline_ms - now_ms
            return out
        return abort_and_fence(self.store, found, now_ms)

    def _expire_ids(self, now_ms: int) -> Outcome:
        out = Outcome()
        settings = self.store.settings
        for transactional_id, found in self.store.transactions.items():
            is_idle = found.state is not TransactionState.ONGOING and not found.state.is_prepared
            if is_idle and found.update_ms <= now_ms - settings.id_expiration_ms:
                out.records.append(transaction_tombstone(transactional_id))
        if out.records:
            out.effects.append(Notice(f"{len(out.records)} unused transactional ids are forgotten"))
        out.timers[(EXPIRY,)] = settings.id_expiration_check_interval_ms
        return out

    def waiting(self) -> Iterator[object]:
        """Every operation answers at once."""
        return iter(())
