"""Leadership that changes without an election of Kafka's, because somebody asked for it. Pure."""

from __future__ import annotations

from collections.abc import Collection

from kstream.broker.metadata.image import MetadataImage
from kstream.broker.metadata.store import Change
from kstream.errors import ApiError, ErrorCode
from kstream.records.schemas.metadata import PartitionChangeRecord


def change_leader(
    image: MetadataImage, topic_name: str, leader: int, indexes: Collection[int] | None = None
) -> Change[None]:
    """Give partitions of a topic, or all of them, a leader or none (-1). A new epoch begins either way.

    Raises:
        ApiError: UNKNOWN_TOPIC_OR_PARTITION.
    """
    topic = image.topics_by_name.get(topic_name)
    if topic is None:
        raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"there is no topic {topic_name}")
    records = [
        PartitionChangeRecord(partition_id=partition.index, topic_id=topic.topic_id, leader=leader)
        for partition in topic.partitions
        if indexes is None or partition.index in indexes
    ]
    return Change(None, records)
