"""What a group's topics are like, as one number: XXH3 over id, name, partitions and racks.

It stands in the group's record, so that a coordinator that was not there notices what changed meanwhile. The
bytes are those that Kafka's hash stream would see: integers little-endian, strings as UTF-16 with their
length behind them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache

from kstream.groups.assignors import TopicPartitions
from kstream.groups.cluster import Cluster

_MAGIC = b"\x00"
_INT = struct.Struct("<i")


def group_hash(names: Iterable[str], cluster: Cluster) -> int:
    """The hash of those topics that exist, as a signed 64-bit integer; 0 if none does."""
    found = (cluster.topic_named(name) for name in sorted(names))
    hashes = [topic_hash(topic) for topic in found if topic is not None]
    return _xxh3(b"".join(hashes)) if hashes else 0


@lru_cache(maxsize=4096)
def topic_hash(topic: TopicPartitions) -> bytes:
    """One topic's hash, eight bytes little-endian."""
    parts = [_MAGIC, topic.topic_id[7::-1], topic.topic_id[:7:-1], _text(topic.name)]
    parts.append(_INT.pack(topic.partition_count))
    for index in range(topic.partition_count):
        parts.append(_INT.pack(index))
        for rack in sorted(topic.racks[index]) if topic.racks else ():
            parts += [_INT.pack(len(rack)), _text(rack)]
    return (_xxh3(b"".join(parts)) & 0xFFFF_FFFF_FFFF_FFFF).to_bytes(8, "little")


def _text(text: str) -> bytes:
    units = text.encode("utf-16-le", "surrogatepass")
    return units + _INT.pack(len(units) // 2)


def _xxh3(data: bytes) -> int:
    from xxhash import xxh3_64_intdigest  # only groups of KIP-848 need it

    value: int = xxh3_64_intdigest(data)
    return value - 2**64 if value >= 2**63 else value
