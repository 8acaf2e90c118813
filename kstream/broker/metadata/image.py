"""What the cluster looks like: the state that the records of `__cluster_metadata` replay into.

Only `kstream.broker.metadata.replay` changes an image. A topic's image is never changed once its commit is
done: the next commit that changes the topic puts a new `TopicImage` in its place, so whatever was derived
from the old one is not found again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

from kstream.wire.schema import Message

OFFSETS_TOPIC = "__consumer_offsets"
TRANSACTIONS_TOPIC = "__transaction_state"
SHARE_STATE_TOPIC = "__share_group_state"
METADATA_TOPIC = "__cluster_metadata"
INTERNAL_TOPICS = frozenset({OFFSETS_TOPIC, TRANSACTIONS_TOPIC, SHARE_STATE_TOPIC})
"""Topics that Metadata marks as internal; `__cluster_metadata` is no topic to clients at all."""

NO_LEADER = -1


class ResourceType(IntEnum):
    """What configuration can belong to (KIP-133, KIP-412, KIP-714, KIP-848)."""

    UNKNOWN = 0
    TOPIC = 2
    BROKER = 4
    BROKER_LOGGER = 8
    CLIENT_METRICS = 16
    GROUP = 32


QuotaEntity = tuple[tuple[str, str | None], ...]
"""Whose quota it is: (type, name) pairs ordered by type; the name None is the default of a type (KIP-546)."""

Resource = tuple[int, str]
"""A ResourceType and a name; the empty name of a broker resource is the cluster-wide default."""


@dataclass(slots=True)
class PartitionImage:
    """One partition: who has it, who leads it, and how often that changed. Replaced, never changed."""

    index: int
    leader: int
    """Broker id, or -1 while nobody leads."""
    leader_epoch: int
    partition_epoch: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    directories: tuple[bytes, ...] = ()
    eligible_leader_replicas: tuple[int, ...] = ()
    last_known_eligible: tuple[int, ...] = ()
    removing_replicas: tuple[int, ...] = ()
    adding_replicas: tuple[int, ...] = ()
    leader_recovery_state: int = 0
    """1 while a leader that was elected uncleanly has not recovered (KIP-704)."""


class TopicImage:
    """One topic at one moment; `partitions[i].index` is `i`."""

    __slots__ = ("derived", "is_internal", "name", "partitions", "topic_id")

    def __init__(self, name: str, topic_id: bytes, partitions: list[PartitionImage] | None = None) -> None:
        self.name = name
        self.topic_id = topic_id
        self.partitions: list[PartitionImage] = [] if partitions is None else partitions
        self.is_internal = name in INTERNAL_TOPICS
        self.derived: dict[str, Any] = {}
        """Answers made from this image, kept by whoever makes them under a key of its own."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TopicImage):
            return NotImplemented
        return (self.name, self.topic_id, self.partitions) == (other.name, other.topic_id, other.partitions)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"TopicImage({self.name!r}, partitions={len(self.partitions)})"


class BrokerImage(NamedTuple):
    """One broker's registration."""

    broker_id: int
    epoch: int
    incarnation_id: bytes
    endpoints: tuple[tuple[str, str, int, int], ...]
    """Listener name, host, port, security protocol."""
    rack: str | None
    is_fenced: bool
    log_dirs: tuple[bytes, ...] = ()
    features: tuple[tuple[str, int, int], ...] = ()
    """Name, and lowest and highest level that it supports."""
    in_controlled_shutdown: bool = False
    cordoned_log_dirs: tuple[bytes, ...] | None = None


class MetadataImage:
    """Topics, configuration, features, brokers, client quotas, producer ids, and what is only kept."""

    __slots__ = (
        "brokers",
        "client_quotas",
        "configs",
        "features",
        "kept",
        "next_producer_id",
        "normalized_names",
        "offset",
        "topics_by_id",
        "topics_by_name",
    )

    def __init__(self) -> None:
        self.topics_by_name: dict[str, TopicImage] = {}
        self.topics_by_id: dict[bytes, TopicImage] = {}
        self.normalized_names: dict[str, set[str]] = {}
        """Topic names by their name with '.' replaced by '_': metrics cannot tell those apart."""
        self.configs: dict[Resource, dict[str, str]] = {}
        self.client_quotas: dict[QuotaEntity, dict[str, float]] = {}
        """Values by key, such as `producer_byte_rate`."""
        self.features: dict[str, int] = {}
        self.brokers: dict[int, BrokerImage] = {}
        self.kept: dict[tuple[Any, ...], Message] = {}
        """Records of what only Apache Kafka makes use of (users, ACLs, delegation tokens, controllers), by
        what they are about, so that snapshots have them.
        """
        self.next_producer_id = 0
        self.offset = -1
        """Offset of the last record in this image: the epoch of finalized features."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MetadataImage):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def copy(self) -> MetadataImage:
        """The same, for a thread that reads it while commits go on."""
        other = MetadataImage()
        for name in self.__slots__:
            value = getattr(self, name)
            setattr(other, name, dict(value) if isinstance(value, dict) else value)
        return other

    def topic_configs(self, name: str) -> Mapping[str, str]:
        """What a topic itself sets, by key."""
        return self.configs.get((ResourceType.TOPIC, name), {})

    def broker_configs(self, broker_id: int | None) -> Mapping[str, str]:
        """Dynamic configuration of one broker, or of all by default when `broker_id` is None."""
        return self.configs.get((ResourceType.BROKER, "" if broker_id is None else str(broker_id)), {})

    def live_brokers(self) -> list[BrokerImage]:
        """Brokers that can lead partitions, by id."""
        return [
            self.brokers[broker_id]
            for broker_id in sorted(self.brokers)
            if not self.brokers[broker_id].is_fenced
        ]
