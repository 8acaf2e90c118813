"""Who owns what: the one place that is asked which broker coordinates a group or a transactional id.

Leaders of partitions stand in the metadata image. A group is coordinated by the leader of its partition of
`__consumer_offsets`, a transactional id by that of its partition of `__transaction_state`.
"""

from __future__ import annotations

from kstream.broker.metadata.image import BrokerImage, MetadataImage
from kstream.coordinator.hashing import partition_for


def coordinator_of(image: MetadataImage, topic_name: str, key: str) -> BrokerImage | None:
    """The broker that coordinates a key with an internal topic, None while there is none."""
    topic = image.topics_by_name.get(topic_name)
    if topic is None:
        return None
    leader = topic.partitions[partition_for(key, len(topic.partitions))].leader
    broker = image.brokers.get(leader)
    return None if broker is None or broker.is_fenced else broker
