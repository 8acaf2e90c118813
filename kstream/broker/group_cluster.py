"""The cluster as group coordinators see it: topics and groups' configuration, from the metadata image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kstream.broker.metadata.delta import MetadataDelta
from kstream.broker.metadata.image import MetadataImage, ResourceType, TopicImage
from kstream.broker.metadata.store import MetadataStore
from kstream.config.broker import BrokerConfig
from kstream.config.groups import consumer_group_config, share_group_config
from kstream.config.queues import is_exclusive
from kstream.groups.assignors import TopicPartitions
from kstream.groups.cluster import ConsumerConfig, ShareConfig

_DERIVED = "group-topic"


class GroupCluster:
    """Satisfies `kstream.groups.cluster.Cluster`."""

    def __init__(self, config: BrokerConfig, metadata: MetadataStore) -> None:
        self._config = config
        self._metadata = metadata
        self._consumer_configs: dict[str, ConsumerConfig] = {}
        self._share_configs: dict[str, ShareConfig] = {}
        self.new_topics_version = metadata.image.offset
        metadata.on_change(self._on_metadata)
        config.on_change(lambda _: self._forget_configs())

    @property
    def version(self) -> int:
        return self._metadata.image.offset

    def topic_named(self, name: str) -> TopicPartitions | None:
        image = self._metadata.image
        topic = image.topics_by_name.get(name)
        return None if topic is None else _derived(image, topic)

    def topic_identified(self, topic_id: bytes) -> TopicPartitions | None:
        image = self._metadata.image
        topic = image.topics_by_id.get(topic_id)
        return None if topic is None else _derived(image, topic)

    def topic_names(self) -> Iterable[str]:
        return self._metadata.image.topics_by_name

    def consumer_config(self, group_id: str) -> ConsumerConfig:
        found = self._consumer_configs.get(group_id)
        if found is None:
            self._make_room()
            values = consumer_group_config(self._config, self._overrides(group_id))
            found = self._consumer_configs[group_id] = ConsumerConfig(*values)
        return found

    def share_config(self, group_id: str) -> ShareConfig:
        found = self._share_configs.get(group_id)
        if found is None:
            self._make_room()
            values = share_group_config(self._config, self._overrides(group_id))
            found = self._share_configs[group_id] = ShareConfig(*values)
        return found

    def is_exclusive(self, group_id: str, topic_names: Iterable[str]) -> bool:
        of_group, image = self._overrides(group_id), self._metadata.image
        return any(is_exclusive(image.topic_configs(name), of_group) for name in topic_names)

    def _overrides(self, group_id: str) -> Mapping[str, str]:
        return self._metadata.image.configs.get((ResourceType.GROUP, group_id), {})

    def _make_room(self) -> None:
        if len(self._consumer_configs) + len(self._share_configs) >= _KEPT_MAX:
            self._forget_configs()

    def _forget_configs(self) -> None:
        self._consumer_configs.clear()
        self._share_configs.clear()

    def _on_metadata(self, delta: MetadataDelta) -> None:
        if delta.topics_created:
            self.new_topics_version = self._metadata.image.offset
        for resource_type, name in delta.configs_changed:
            if resource_type == ResourceType.GROUP:
                self._consumer_configs.pop(name, None)
                self._share_configs.pop(name, None)


_KEPT_MAX = 100_000


def _derived(image: MetadataImage, topic: TopicImage) -> TopicPartitions:
    """Kept with the topic's image, which is replaced when something of the topic changes."""
    found = topic.derived.get(_DERIVED)
    if found is None:
        racks = {broker_id: broker.rack for broker_id, broker in image.brokers.items() if broker.rack}
        of_partitions: tuple[frozenset[str], ...] = ()
        if racks:
            of_partitions = tuple(
                frozenset(racks[replica] for replica in partition.replicas if replica in racks)
                for partition in topic.partitions
            )
        found = TopicPartitions(topic.topic_id, topic.name, len(topic.partitions), of_partitions)
        topic.derived[_DERIVED] = found
    assert isinstance(found, TopicPartitions)
    return found
