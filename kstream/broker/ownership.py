"""Who owns what: the one place that is asked which broker coordinates a group.

Leaders of partitions stand in the metadata image. A group is coordinated by the leader of its partition of
`__consumer_offsets`.
"""

from __future__ import annotations

from kstream.broker.metadata.image import OFFSETS_TOPIC, BrokerImage, MetadataImage
from kstream.coordinator.hashing import partition_for


def coordinator_of(image: MetadataImage, group_id: str) -> BrokerImage | None:
    """The broker that coordinates a group, None while there is none."""
    topic = image.topics_by_name.get(OFFSETS_TOPIC)
    if topic is None:
        return None
    leader = topic.partitions[partition_for(group_id, len(topic.partitions))].leader
    broker = image.brokers.get(leader)
    return None if broker is None or broker.is_fenced else broker
