"""A cluster of topics that a test makes, grows and deletes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from kstream.groups.assignors import TopicPartitions
from kstream.groups.cluster import ConsumerConfig, ShareConfig


class FakeCluster:
    """Satisfies `kstream.groups.cluster.Cluster`. Tell the shard of changes (`on_topics_changed`)."""

    def __init__(self, **partition_counts: int) -> None:
        self.version = 0
        self.new_topics_version = 0
        self.config = ConsumerConfig()
        self.sharing = ShareConfig()
        self.exclusive_topics: set[str] = set()
        self.names: dict[bytes, str] = {}
        """By id, of all topics that ever were."""
        self._topics: dict[str, TopicPartitions] = {}
        for name, count in partition_counts.items():
            self.create(name, count)

    def create(self, name: str, partition_count: int) -> bytes:
        """Create a topic; its id, which another topic of the name will not have."""
        self.version += 1
        self.new_topics_version = self.version
        topic_id = hashlib.md5(f"{name} {self.version}".encode(), usedforsecurity=False).digest()
        self._topics[name] = TopicPartitions(topic_id, name, partition_count)
        self.names[topic_id] = name
        return topic_id

    def put(self, topic_id: bytes, name: str, partition_count: int) -> None:
        """A topic as it is on a real server."""
        self._topics[name] = TopicPartitions(topic_id, name, partition_count)

    def grow(self, name: str, partition_count: int) -> None:
        self.version += 1
        self._topics[name] = self._topics[name]._replace(partition_count=partition_count)

    def delete(self, name: str) -> None:
        self.version += 1
        del self._topics[name]

    def id_of(self, name: str) -> bytes:
        return self._topics[name].topic_id

    def topic_named(self, name: str) -> TopicPartitions | None:
        return self._topics.get(name)

    def topic_identified(self, topic_id: bytes) -> TopicPartitions | None:
        found = (topic for topic in self._topics.values() if topic.topic_id == topic_id)
        return next(found, None)

    def topics(self) -> list[TopicPartitions]:
        return list(self._topics.values())

    def topic_names(self) -> list[str]:
        return list(self._topics)

    def consumer_config(self, group_id: str) -> ConsumerConfig:
        return self.config

    def share_config(self, group_id: str) -> ShareConfig:
        return self.sharing

    def is_exclusive(self, group_id: str, topic_names: Iterable[str]) -> bool:
        return any(name in self.exclusive_topics for name in topic_names)
