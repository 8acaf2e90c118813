"""The order of java.util.HashMap while keys come and go, for algorithms whose answers follow from it.

`kstream.coordinator.hashing.java_map_order` is enough where a map is only filled and gone through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_DEFAULT_CAPACITY = 16


class JavaMap(Generic[K, V]):
    """A map that is gone through as Java's would be: bucket by bucket.

    `expected` is how many mappings a map was made for, as `HashMap.newHashMap` counts. Buckets of eight and
    more, which Java turns into trees, keep their order here, as they do there for as long as they only grow.
    """

    __slots__ = ("_buckets", "_hash_of", "_values")

    def __init__(self, hash_of: Callable[[K], int], expected: int | None = None) -> None:
        capacity = _DEFAULT_CAPACITY if expected is None else _table_size(int((expected + 1) / 0.75 + 1))
        self._hash_of = hash_of
        self._buckets: list[list[K]] = [[] for _ in range(capacity)]
        self._values: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def __getitem__(self, key: K) -> V:
        return self._values[key]

    def __iter__(self) -> Iterator[K]:
        """The keys. Taking them away meanwhile is allowed, as through a Java iterator."""
        for bucket in self._buckets:
            yield from list(bucket)

    def put(self, key: K, value: V) -> None:
        """A new key goes behind the others of its bucket."""
        if key not in self._values:
            self._bucket(key).append(key)
            self._values[key] = value
            if 4 * len(self._values) > 3 * len(self._buckets):
                self._grow()
        else:
            self._values[key] = value

    def get_or_create(self, key: K, create: Callable[[], V]) -> V:
        """`computeIfAbsent`: a new key goes before the others of its bucket, and the table grows first."""
        if key not in self._values:
            if 4 * len(self._values) > 3 * len(self._buckets):
                self._grow()
            self._bucket(key).insert(0, key)
            self._values[key] = create()
        return self._values[key]

    def remove(self, key: K) -> None:
        """Take a key away if it is there."""
        if key in self._values:
            del self._values[key]
            self._bucket(key).remove(key)

    def _bucket(self, key: K) -> list[K]:
        value = self._hash_of(key) & 0xFFFF_FFFF
        return self._buckets[(value ^ value >> 16) & len(self._buckets) - 1]

    def _grow(self) -> None:
        keys = list(self)
        self._buckets = [[] for _ in range(2 * len(self._buckets))]
        for key in keys:
            self._bucket(key).append(key)


def _table_size(capacity: int) -> int:
    return 1 << (capacity - 1).bit_length()
