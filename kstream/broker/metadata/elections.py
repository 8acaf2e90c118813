"""Who leads partitions when a broker starts. Pure."""

from __future__ import annotations

from kstream.broker.metadata.image import MetadataImage, PartitionImage
from kstream.records.schemas.metadata import PartitionChangeRecord
from kstream.wire.schema import Message


def election_records(image: MetadataImage) -> list[Message]:
    """Give each leaderless partition a live leader that has all that was acknowledged, if there is one.

    That is a replica in sync, or an eligible leader replica (KIP-966), which is how Apache Kafka leaves its
    partitions when its last broker stops. The new leader's epoch is one more than the old one's.
    """
    live = {broker.broker_id for broker in image.live_brokers()}
    records: list[Message] = []
    for topic in image.topics_by_name.values():
        for partition in topic.partitions:
            if partition.leader not in live:
                record = _elect(topic.topic_id, partition, live)
                if record is not None:
                    records.append(record)
    return records


def renewal_records(image: MetadataImage, broker_id: int) -> list[Message]:
    """Begin a new epoch of each partition that a broker leads, after a stop that was not clean.

    A power cut may have taken records that were read already. What is written at their offsets must not have
    their epoch, or nobody who read them can tell (KIP-320). Apache Kafka begins new epochs at every start.
    """
    return [
        PartitionChangeRecord(partition_id=partition.index, topic_id=topic.topic_id, leader=broker_id)
        for topic in image.topics_by_name.values()
        for partition in topic.partitions
        if partition.leader == broker_id
    ]


def _elect(topic_id: bytes, partition: PartitionImage, live: set[int]) -> PartitionChangeRecord | None:
    complete = (*partition.isr, *partition.eligible_leader_replicas)
    candidates = [
        broker_id for broker_id in partition.replicas if broker_id in complete and broker_id in live
    ]
    if not candidates:
        return None
    in_sync = [broker_id for broker_id in partition.isr if broker_id in live] or candidates[:1]
    leader = candidates[0] if candidates[0] in in_sync else in_sync[0]
    eligible = [broker_id for broker_id in partition.eligible_leader_replicas if broker_id not in in_sync]
    record = PartitionChangeRecord(partition_id=partition.index, topic_id=topic_id, leader=leader)
    if tuple(in_sync) != partition.isr:
        record.isr = in_sync
    if tuple(eligible) != partition.eligible_leader_replicas:
        record.eligible_leader_replicas = eligible
    if partition.last_known_eligible:
        record.last_known_elr = []
    return record
