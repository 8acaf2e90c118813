"""Forgetting a broker, as the controller of Apache Kafka 4.4.0 decides it. Pure."""

from __future__ import annotations

from kstream.broker.metadata.image import MetadataImage
from kstream.broker.metadata.store import Change
from kstream.errors import ApiError, ErrorCode
from kstream.records.schemas.metadata import PartitionChangeRecord, UnregisterBrokerRecord
from kstream.wire.schema import Message


def unregister_broker(image: MetadataImage, broker_id: int, *, own_id: int) -> Change[None]:
    """Take a broker out of the in-sync replicas that have others, and then out of the cluster.

    Raises:
        ApiError: BROKER_ID_NOT_REGISTERED; INVALID_REQUEST for the broker that decides this.
    """
    broker = image.brokers.get(broker_id)
    if broker is None:
        raise ApiError(ErrorCode.BROKER_ID_NOT_REGISTERED, f"Broker ID {broker_id} is not registered.")
    if broker_id == own_id:
        raise ApiError(
            ErrorCode.INVALID_REQUEST, f"Broker {broker_id} serves this request and stays registered."
        )
    records: list[Message] = [
        PartitionChangeRecord(
            partition_id=partition.index,
            topic_id=topic.topic_id,
            isr=[member for member in partition.isr if member != broker_id],
        )
        for topic in image.topics_by_name.values()
        for partition in topic.partitions
        if broker_id in partition.isr and len(partition.isr) > 1
    ]
    records.append(UnregisterBrokerRecord(broker_id=broker_id, broker_epoch=broker.epoch))
    return Change(None, records)
