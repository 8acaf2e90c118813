"""Java's hashes, where Kafka's answers follow from them: the partition of a coordinator's topic that a key
belongs to, and the order of what is kept in a hash map.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache
from typing import TypeVar

K = TypeVar("K")


@lru_cache(maxsize=16_384)
def java_hash(text: str) -> int:
    """`String.hashCode`, from -2**31 to 2**31 - 1. It is over UTF-16 code units."""
    value = 0
    units = text.encode("utf-16-be", "surrogatepass")
    for at in range(0, len(units), 2):
        value = (31 * value + (units[at] << 8 | units[at + 1])) & 0xFFFF_FFFF
    return value - 0x1_0000_0000 if value & 0x8000_0000 else value


def partition_for(key: str, partitions: int) -> int:
    """The partition that coordinates a group or a transactional id, of so many."""
    value = java_hash(key)
    # Kafka's Utils.abs maps the one int that has no positive counterpart to 0.
    return (0 if value == -0x8000_0000 else abs(value)) % partitions


def java_map_order(keys: Collection[K], hash_of: Callable[[K], int], *, is_copy: bool = False) -> list[K]:
    """The order in which a Java HashMap (or HashSet) goes through keys that were put into it in this order.

    One that was made as a copy of a collection has room for it from the start, and is at times larger than
    one that grew.
    """
    count = len(keys)
    capacity = 16
    while 4 * count > 3 * capacity or (is_copy and 4 * count == 3 * capacity):
        capacity *= 2
    if count < 2:
        return list(keys)
    mask = capacity - 1

    def bucket(key: K) -> int:
        value = hash_of(key) & 0xFFFF_FFFF
        return (value ^ value >> 16) & mask

    return sorted(keys, key=bucket)


def uuid_hash(uuid: bytes) -> int:
    """`Uuid.hashCode`."""
    value = int.from_bytes(uuid[:8], "big") ^ int.from_bytes(uuid[8:], "big")
    return (value >> 32 ^ value) & 0xFFFF_FFFF
