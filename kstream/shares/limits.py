"""What a share partition is told anew with every call, since a group's configuration can change at any
time.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class AcquireMode(IntEnum):
    """How closely a fetch keeps to the number of records it asks for (KIP-1206)."""

    BATCH_OPTIMIZED = 0
    """Whole batches of the log: rather more records than asked for than a part of a batch."""

    RECORD_LIMIT = 1
    """Never more records than asked for, in one range."""


class AcknowledgeType(IntEnum):
    """What a member says of a record it has acquired."""

    GAP = 0
    """There is no such record: it was compacted away, or is a transaction's marker."""
    ACCEPT = 1
    RELEASE = 2
    REJECT = 3
    RENEW = 4
    """It goes on, and wants the whole time again (KIP-1222)."""


class ShareLimits(NamedTuple):
    """A group's configuration as share partitions need it, with the broker's defaults."""

    delivery_count_max: int = 5
    record_locks_max: int = 2000
    lock_duration_ms: int = 30_000
    can_renew: bool = True
    has_dead_letters: bool = False

    @property
    def throttling_from(self) -> int:
        """From this many deliveries on, records come back in ever smaller portions, so that one that
        makes every consumer fail is found without taking all its neighbours with it.
        """
        return max(2, -(-self.delivery_count_max // 2))

    @property
    def last_delivery_is_alone(self) -> bool:
        return self.delivery_count_max > 2


class Acquired(NamedTuple):
    """Neighbouring records that a member has got, all for the same number of times."""

    first_offset: int
    last_offset: int
    delivery_count: int


class Acknowledgement(NamedTuple):
    """What a member says of the records from first to last: one type for all, or one for each."""

    first_offset: int
    last_offset: int
    types: tuple[int, ...]
