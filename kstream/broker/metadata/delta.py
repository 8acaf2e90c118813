"""What one commit changed, for those who hold state that follows the metadata."""

from __future__ import annotations

from kstream.broker.metadata.image import Resource, ResourceType, TopicImage


class MetadataDelta:
    """Changes of one commit. A topic created and deleted in the same commit is in neither list."""

    __slots__ = (
        "brokers_changed",
        "client_quotas_changed",
        "configs_changed",
        "features_changed",
        "topics_changed",
        "topics_created",
        "topics_deleted",
    )

    def __init__(self) -> None:
        self.topics_created: dict[bytes, TopicImage] = {}
        """By topic id, as they are after the commit."""
        self.topics_changed: dict[bytes, TopicImage] = {}
        """Topics that were there before and have other partitions, leaders or in-sync replicas now."""
        self.topics_deleted: dict[bytes, TopicImage] = {}
        """As they were before."""
        self.configs_changed: set[Resource] = set()
        self.brokers_changed: set[int] = set()
        self.features_changed = False
        self.client_quotas_changed = False

    @property
    def broker_configs_changed(self) -> bool:
        """Whether broker configuration changed, on which every topic's values can depend."""
        return any(resource_type == ResourceType.BROKER for resource_type, _ in self.configs_changed)

    @property
    def topic_configs_changed(self) -> list[str]:
        """Names of topics whose own configuration changed."""
        return sorted(
            name for resource_type, name in self.configs_changed if resource_type == ResourceType.TOPIC
        )

    def is_fresh(self, topic: TopicImage) -> bool:
        """Whether this very image was made in this commit, so that nobody has seen it yet."""
        return topic.topic_id in self.topics_created or topic.topic_id in self.topics_changed

    def on_topic_removed(self, topic: TopicImage) -> None:
        self.topics_changed.pop(topic.topic_id, None)
        if self.topics_created.pop(topic.topic_id, None) is None:
            self.topics_deleted[topic.topic_id] = topic
