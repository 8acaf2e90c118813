"""What classic consumers put into JoinGroup and SyncGroup, read and written by the coordinator (KIP-848)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from kstream.errors import ProtocolError
from kstream.groups.cluster import Cluster
from kstream.groups.consumer.reconcile import Owned
from kstream.wire.codec import decode, encode
from kstream.wire.messages.consumer_group_heartbeat import TopicPartitions
from kstream.wire.messages.consumer_protocol import (
    ConsumerProtocolAssignment,
    ConsumerProtocolAssignmentTopicPartition,
    ConsumerProtocolSubscription,
)
from kstream.wire.schema import Message

_VERSION_BYTES = 2
_VERSION_MAX = 3

M = TypeVar("M", bound=Message)


def read_subscription(metadata: bytes) -> ConsumerProtocolSubscription:
    """Raises ProtocolError."""
    return _read(ConsumerProtocolSubscription, metadata)


def read_assignment(data: bytes) -> ConsumerProtocolAssignment:
    """Raises ProtocolError."""
    return _read(ConsumerProtocolAssignment, data)


def version_of(metadata: bytes) -> int:
    """The version that a member's metadata is in, as far as it is known here. Raises ProtocolError."""
    if len(metadata) < _VERSION_BYTES:
        raise ProtocolError(f"{len(metadata)} bytes have no version")
    version = int.from_bytes(metadata[:_VERSION_BYTES], "big", signed=True)
    if version < 0:
        raise ProtocolError(f"{version} is no version")
    return min(version, _VERSION_MAX)


def _read(kind: type[M], data: bytes) -> M:
    return decode(kind, data, version_of(data), offset=_VERSION_BYTES, trailing=True)


def owned_of(subscription: ConsumerProtocolSubscription, cluster: Cluster) -> Owned:
    """What a classic member says that it owns, of topics that exist."""
    owned = []
    for topic in subscription.owned_partitions:
        known = cluster.topic_named(topic.topic)
        if known is not None:
            owned.append(TopicPartitions(topic_id=known.topic_id, partitions=topic.partitions))
    return owned


def write_assignment(
    partitions: Mapping[bytes, Mapping[int, int] | frozenset[int]], cluster: Cluster, metadata: bytes
) -> bytes:
    """An assignment in the version of the member's metadata, of topics that exist. Raises ProtocolError."""
    version = version_of(metadata)
    topics = []
    for topic_id, indexes in partitions.items():
        known = cluster.topic_identified(topic_id)
        if known is not None:
            topics.append(
                ConsumerProtocolAssignmentTopicPartition(topic=known.name, partitions=sorted(indexes))
            )
    assignment = ConsumerProtocolAssignment(assigned_partitions=topics)
    return version.to_bytes(_VERSION_BYTES, "big") + encode(assignment, version)
