"""What a group coordinator must know of the cluster around it: topics, and the configuration of groups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from kstream.groups.assignors import TopicPartitions


class ConsumerConfig(NamedTuple):
    """Configuration of one group of KIP-848, its own values included."""

    session_timeout_ms: int = 45_000
    heartbeat_interval_ms: int = 5_000
    assignment_interval_ms: int = 1_000
    """A target assignment younger than this is not computed anew."""


class ShareConfig(NamedTuple):
    """What of a share group's configuration its coordinator goes by, the group's own values included."""

    session_timeout_ms: int = 45_000
    heartbeat_interval_ms: int = 5_000
    assignment_interval_ms: int = 1_000


class Cluster(Protocol):
    """Topics as they are now. `TopicPartitions` are replaced when something of a topic changes."""

    @property
    def version(self) -> int:
        """Grows with every change of the cluster's metadata."""
        ...

    @property
    def new_topics_version(self) -> int:
        """The version in which a topic was last created."""
        ...

    def topic_named(self, name: str) -> TopicPartitions | None: ...

    def topic_identified(self, topic_id: bytes) -> TopicPartitions | None: ...

    def topic_names(self) -> Iterable[str]: ...

    def consumer_config(self, group_id: str) -> ConsumerConfig: ...

    def share_config(self, group_id: str) -> ShareConfig: ...

    def is_exclusive(self, group_id: str, topic_names: Iterable[str]) -> bool:
        """Whether a share group of these topics has one member at most (`kstream.queue.subscription`)."""
        ...


class EmptyCluster:
    """No topics, and defaults: for a coordinator that only has classic groups."""

    version = 0
    new_topics_version = 0

    def topic_named(self, name: str) -> TopicPartitions | None:
        return None

    def topic_identified(self, topic_id: bytes) -> TopicPartitions | None:
        return None

    def topic_names(self) -> Iterable[str]:
        return ()

    def consumer_config(self, group_id: str) -> ConsumerConfig:
        return ConsumerConfig()

    def share_config(self, group_id: str) -> ShareConfig:
        return ShareConfig()

    def is_exclusive(self, group_id: str, topic_names: Iterable[str]) -> bool:
        return False
