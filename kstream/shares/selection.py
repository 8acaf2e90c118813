"""Which of the records that are available may be acquired now. Kafka: all of them, in the order of the log.

This is where a queue can be more than that. A selection is asked for every run of available records that
a fetch could take; what it leaves out stays available, and is asked for again with the next fetch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

Range = tuple[int, int]
"""First and last offset, both included."""


class Selection(Protocol):
    """The rule of one share partition."""

    def select(self, first: int, last: int, delivery_count: int, now_ms: float) -> Sequence[Range]:
        """The parts of a range of available records that may be delivered now, by offset;
        `delivery_count` is how often they were delivered before.
        """
        ...


class Everything:
    """Kafka's rule."""

    def select(self, first: int, last: int, delivery_count: int, now_ms: float) -> Sequence[Range]:
        return ((first, last),)


EVERYTHING = Everything()
