"""Which partition of a coordinator's topic a key belongs to: Java's string hash, as Kafka uses it."""

from __future__ import annotations

from functools import lru_cache


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
