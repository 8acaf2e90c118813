"""Stored states by ranges of offsets: sorted, without overlaps, neighbours of the same kind joined."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import NamedTuple

_last_offset = attrgetter("last_offset")

NO_OFFSET = -1


class StateBatch(NamedTuple):
    """Offsets from first to last, both included, that share a state and a delivery count."""

    first_offset: int
    last_offset: int
    delivery_state: int
    delivery_count: int

    @property
    def priority(self) -> tuple[int, int]:
        """Of two that speak of one offset, the higher one is the later: a count never falls, nor, within a
        delivery, does the state's number.
        """
        return self.delivery_count, self.delivery_state


class StateBatches:
    """What is known of a share partition's offsets from its start offset on.

    A merge costs what it touches, however much else there is: a group that acknowledges one record at a time
    has thousands of batches.
    """

    __slots__ = ("_batches",)

    def __init__(self, batches: Iterable[StateBatch] = ()) -> None:
        self._batches: list[StateBatch] = []
        for batch in batches:
            self.merge(batch)

    def __iter__(self) -> Iterator[StateBatch]:
        return iter(self._batches)

    def __len__(self) -> int:
        return len(self._batches)

    def __eq__(self, other: object) -> bool:
        return self._batches == other._batches if isinstance(other, StateBatches) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"StateBatches({self._batches!r})"

    def copy(self) -> StateBatches:
        """The same, to go another way."""
        copied = StateBatches()
        copied._batches = self._batches.copy()
        return copied

    def merge(self, new: StateBatch) -> None:
        """Take over a batch; where it overlaps others, each offset keeps what has the higher priority."""
        batches = self._batches
        low = bisect_left(batches, new.first_offset, key=_last_offset)
        if low == len(batches) or batches[low].first_offset > new.last_offset:
            self._put(new, low)
            return
        high, at = low, new.first_offset
        pieces: list[StateBatch] = []
        while high < len(batches) and batches[high].first_offset <= new.last_offset:
            old = batches[high]
            high += 1
            if old.first_offset < at:
                pieces.append(old._replace(last_offset=at - 1))
            elif old.first_offset > at:
                pieces.append(new._replace(first_offset=at, last_offset=old.first_offset - 1))
                at = old.first_offset
            end = min(old.last_offset, new.last_offset)
            winner = new if new.priority > old.priority else old
            pieces.append(winner._replace(first_offset=at, last_offset=end))
            at = end + 1
            if old.last_offset > end:
                pieces.append(old._replace(first_offset=at))
        if at <= new.last_offset:
            pieces.append(new._replace(first_offset=at))
        # Neighbours may be of the same kind.
        if low:
            low -= 1
            pieces.insert(0, batches[low])
        if high < len(batches):
            pieces.append(batches[high])
            high += 1
        batches[low:high] = _joined(pieces)

    def at(self, offset: int) -> StateBatch | None:
        """The batch that an offset is in."""
        index = bisect_left(self._batches, offset, key=_last_offset)
        found = self._batches[index] if index < len(self._batches) else None
        return found if found is not None and found.first_offset <= offset else None

    def _put(self, new: StateBatch, at: int) -> None:
        """Take over a batch that overlaps no other, in front of the one at `at`."""
        batches, kind = self._batches, new[2:]
        first_offset, last_offset = new.first_offset, new.last_offset
        low = high = at
        if low and batches[low - 1].last_offset + 1 == first_offset and batches[low - 1][2:] == kind:
            low -= 1
            first_offset = batches[low].first_offset
        if (
            high < len(batches)
            and batches[high].first_offset == last_offset + 1
            and batches[high][2:] == kind
        ):
            last_offset = batches[high].last_offset
            high += 1
        batches[low:high] = (StateBatch(first_offset, last_offset, *kind),)

    def cut_before(self, start_offset: int) -> None:
        """Forget what is below an offset; -1 forgets nothing."""
        if start_offset == NO_OFFSET:
            return
        batches = self._batches
        del batches[: bisect_left(batches, start_offset, key=_last_offset)]
        if batches and batches[0].first_offset < start_offset:
            batches[0] = batches[0]._replace(first_offset=start_offset)


def _joined(batches: Iterable[StateBatch]) -> list[StateBatch]:
    joined: list[StateBatch] = []
    for batch in batches:
        if joined:
            before = joined[-1]
            if before.last_offset + 1 == batch.first_offset and before[2:] == batch[2:]:
                joined[-1] = before._replace(last_offset=batch.last_offset)
                continue
        joined.append(batch)
    return joined


def combined(batches: Iterable[StateBatch], start_offset: int) -> StateBatches:
    """Batches in any order as one whole, without what is below `start_offset`."""
    whole = StateBatches(batches)
    whole.cut_before(start_offset)
    return whole
