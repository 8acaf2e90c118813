"""How the queue of one group behaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kstream.records.record import Record

Filter = Callable[[Record], bool]


class QueueRules(NamedTuple):
    """A group's `kstream.queue.*` configuration, in milliseconds and counts."""

    backoff_ms: int = 0
    """How long a record that was released, or whose lock expired, is held back; 0 for not at all."""
    backoff_multiplier: float = 1.0
    """What that grows by with each further delivery."""
    backoff_ms_max: int = 60_000
    backoff_jitter: float = 0.0
    """The share of the backoff that is left to chance."""
    ttl_ms: int = 0
    """How long a record is of use, counted from its timestamp; 0 for ever. A record's own header wins."""
    has_dead_letters_on_expiry: bool = False
    is_ordered_by_key: bool = False
    """Whether of each key one record at a time is out, and none overtakes another."""
    has_one_owner: bool = False
    """Whether one member has the whole partition until it goes."""
    aging_ms: int = 60_000
    """What a record must wait to be taken for one of the next higher priority; 0 for never."""
    deduplication_window_ms: int = 0
    """How far apart two records with one identity are duplicates; 0 for never."""
    identity_header: str = ""
    """Whose value is a record's identity; empty for a hash of key and value."""
    filter: Filter | None = None
    """Which records are for this group at all."""
    lookahead: int = 10_000
    """How many records that could be delivered are known in advance: a higher priority is found so far."""
    tracked_max: int = 1_000_000
    """How many records are known at most, those that wait for their time among them."""

    def backoff_of(self, delivery_count: int, chance: float) -> int:
        """How many milliseconds a record is held back after so many deliveries; `chance` is from 0 to 1."""
        if not self.backoff_ms:
            return 0
        grown = min(
            self.backoff_ms * self.backoff_multiplier ** max(0, delivery_count - 1), self.backoff_ms_max
        )
        return round(grown * (1 - self.backoff_jitter * chance))
