"""Feature levels (KIP-584): what this release can do, and what a new cluster starts with, as Apache Kafka
4.4.0 has.

`metadata.version` 33 is 4.4-IV2; `kraft.version` is supported but finalized by the quorum's own records,
not by FeatureLevelRecords.
"""

from __future__ import annotations

SUPPORTED_FEATURES: dict[str, tuple[int, int]] = {
    "group.version": (0, 1),
    "kraft.version": (0, 1),
    "metadata.version": (7, 33),
    "share.version": (0, 2),
    "streams.version": (0, 1),
    "transaction.version": (0, 2),
    "eligible.leader.replicas.version": (0, 1),
}
"""Feature name to the lowest and highest level, in the order in which 4.4.0 lists them."""

INITIAL_FEATURES: dict[str, int] = {
    "metadata.version": 33,
    "eligible.leader.replicas.version": 1,
    "group.version": 1,
    "share.version": 2,
    "streams.version": 1,
    "transaction.version": 2,
}
"""Levels that formatting a 4.4.0 cluster finalizes, in the order of its bootstrap records."""

ELIGIBLE_LEADER_REPLICAS = "eligible.leader.replicas.version"
GROUP_VERSION = "group.version"
METADATA_VERSION = "metadata.version"
SHARE_VERSION = "share.version"
