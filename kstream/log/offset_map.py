"""Key to last offset, in bounded memory: what compaction knows of a log's dirty part.

Of a key its 128-bit hash is kept, 24 bytes an entry whatever its length, and two keys that share one are not
to be met by chance. The hash is XXH3 with a seed of each map's own, so that keys which would share one cannot
be prepared. Open addressing with double hashing over anonymous memory, handed out page by page
as it is touched. Many keys are entered or looked up at once, with NumPy: all of them take a step together.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import xxhash

from kstream.records.columns import Flags, Integers

ENTRY_BYTES = 24
_LOAD_FACTOR_MAX = 0.9
_HIGH, _LOW, _NEXT_OFFSET = range(3)
"""The columns of the table. The last is the offset plus one, negative for a tombstone; 0 is a free slot."""
_SLICE_SLOTS = 64 * 1024


class NewestOffsets(NamedTuple):
    """The offsets of keys' newest records, ascending, and those among them that are tombstones."""

    offsets: Integers
    tombstones: Integers

    def count_between(self, firsts: Integers, nexts: Integers) -> list[int]:
        """How many there are from each of `firsts` up to the one in `nexts`."""
        return _count(self.offsets, firsts, nexts)

    def count_tombstones(self, firsts: Integers, nexts: Integers) -> list[int]:
        """How many of these are tombstones."""
        return _count(self.tombstones, firsts, nexts)

    def has(self, offsets: Integers) -> Flags:
        """Which of these are there."""
        if not len(self.offsets):
            return np.zeros(len(offsets), np.bool_)
        places = np.searchsorted(self.offsets, offsets)
        found: Flags = self.offsets.take(places, mode="clip") == offsets
        return found


def _count(ascending: Integers, firsts: Integers, nexts: Integers) -> list[int]:
    counts: list[int] = (np.searchsorted(ascending, nexts) - np.searchsorted(ascending, firsts)).tolist()
    return counts


class OffsetMap:
    """16 bytes of hash and an offset for each slot."""

    __slots__ = ("_seed", "_slots", "_table", "count", "count_max", "latest_offset")

    def __init__(self, size_bytes_max: int, *, expected_count: int, load_factor: float = 0.9) -> None:
        """`size_bytes_max` is exceeded only by what it takes to have a prime number of slots; less is taken
        where `expected_count` keys need less.
        """
        load = min(max(load_factor, 0.01), _LOAD_FACTOR_MAX)
        # Half full where memory allows it: probes are few then.
        slots = max(2, min(size_bytes_max // ENTRY_BYTES, 2 * expected_count + 2))
        self.count_max = max(1, int(slots * load))
        self.count = 0
        self.latest_offset = -1
        """Everything up to this offset is in the map."""
        self._slots = _prime_from(slots)
        memory = mmap.mmap(-1, self._slots * ENTRY_BYTES)
        self._table = np.frombuffer(memory, np.int64).reshape(self._slots, 3)
        self._seed = int.from_bytes(os.urandom(8), "big")

    def put(self, keys: Sequence[bytes], offsets: Integers, has_value: Flags) -> int:
        """Enter the keys' newest offsets, ascending, until the map is full; returns how many were entered."""
        hashes = self._hashes(keys)
        entries = np.where(has_value, offsets + 1, -1 - offsets)
        done = 0
        while done < len(keys) and self.count < self.count_max:
            stop = done + self.count_max - self.count
            self._put(hashes[done:stop], entries[done:stop])
            done = min(stop, len(keys))
        return done

    def _put(self, hashes: Integers, entries: Integers) -> None:
        table = self._table
        place, step = self._probes(hashes)
        while len(hashes):
            free = np.flatnonzero(table[place, _NEXT_OFFSET] == 0)
            if free.size:
                # Of those that want the same slot the last one gets it, and the others see that.
                claims = np.column_stack((hashes[free], 1 + free))
                table[place[free]] = claims
                self.count += int((table[place[free], _NEXT_OFFSET] == claims[:, _NEXT_OFFSET]).sum())
            found = (table[place, :_NEXT_OFFSET] == hashes).all(axis=1)
            table[place[found], _NEXT_OFFSET] = entries[found]  # where a key is met twice, the later one
            rest = ~found
            hashes, entries, step = hashes[rest], entries[rest], step[rest]
            place = (place[rest] + step) % self._slots

    def get(self, keys: Sequence[bytes]) -> Integers:
        """The keys' newest offsets, -1 for a key that is not there."""
        table = self._table
        hashes = self._hashes(keys)
        newest = np.full(len(keys), -1, np.int64)
        rows = np.arange(len(keys))
        place, step = self._probes(hashes)
        while rows.size:
            entries = table[place]
            found = (entries[:, :_NEXT_OFFSET] == hashes).all(axis=1)
            newest[rows[found]] = np.abs(entries[found, _NEXT_OFFSET]) - 1
            rest = ~found & (entries[:, _NEXT_OFFSET] != 0)
            rows, hashes, step = rows[rest], hashes[rest], step[rest]
            place = (place[rest] + step) % self._slots
        return newest

    def newest(self, pause: Callable[[int], None]) -> NewestOffsets:
        """The offsets of all keys: 8 bytes for each."""
        found = []
        for begin in range(0, self._slots, _SLICE_SLOTS):
            entries = self._table[begin : begin + _SLICE_SLOTS, _NEXT_OFFSET]
            found.append(entries[entries != 0])
            pause(0)
        entries = np.concatenate(found)
        return NewestOffsets(np.sort(np.abs(entries) - 1), np.sort(-1 - entries[entries < 0]))

    def _hashes(self, keys: Sequence[bytes]) -> Integers:
        hash_of = xxhash.xxh3_128_digest
        seed = self._seed
        joined = b"".join([hash_of(key, seed) for key in keys])
        return np.frombuffer(joined, np.int64).reshape(len(keys), 2)

    def _probes(self, hashes: Integers) -> tuple[Integers, Integers]:
        """The slot where each is looked for first, and how far on it is the next one."""
        unsigned: npt.NDArray[np.uint64] = hashes.view(np.uint64)
        place = unsigned[:, _LOW] % np.uint64(self._slots)
        step = unsigned[:, _HIGH] % np.uint64(self._slots - 1) + np.uint64(1)
        return place.view(np.int64), step.view(np.int64)


def _prime_from(number: int) -> int:
    """The smallest prime from `number` on: then every step passes all slots."""
    while any(number % divisor == 0 for divisor in range(2, int(number**0.5) + 1)):
        number += 1
    return number
