"""Which brokers get a partition's replicas: checks on what a client asks for, and our own choice."""

from __future__ import annotations

from collections.abc import Sequence

from kstream.broker.metadata.image import MetadataImage
from kstream.errors import ApiError, ErrorCode
from kstream.records.schemas.metadata import PartitionRecord
from kstream.wire.uuids import ZERO_UUID

_UNASSIGNED_DIRECTORY = ZERO_UUID


def check_replicas(image: MetadataImage, replicas: Sequence[int], replication_factor: int | None) -> None:
    """Raise ApiError INVALID_REPLICA_ASSIGNMENT unless a partition can have these replicas.

    `replication_factor` is that of the topic's other partitions, None if there are none yet.
    """
    if not replicas:
        raise _invalid("The manual partition assignment includes an empty replica list.")
    for broker_id in sorted(replicas):
        if broker_id not in image.brokers:
            raise _invalid(
                f"The manual partition assignment includes broker {broker_id},"
                " but no such broker is registered."
            )
        if replicas.count(broker_id) > 1:
            raise _invalid(f"The manual partition assignment includes the broker {broker_id} more than once.")
    if replication_factor is not None and len(replicas) != replication_factor:
        raise _invalid(
            f"The manual partition assignment includes a partition with {len(replicas)} replica(s),"
            " but this is not consistent with previous partitions, which have"
            f" {replication_factor} replica(s)."
        )


def place(image: MetadataImage, first_partition: int, count: int, replication_factor: int) -> list[list[int]]:
    """Replicas for `count` new partitions from `first_partition` on, leaders spread over the live brokers.

    Raises:
        ApiError: INVALID_REPLICATION_FACTOR, more replicas than brokers.
    """
    brokers = [broker.broker_id for broker in image.live_brokers()]
    if replication_factor > len(brokers):
        raise ApiError(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            f"Unable to replicate the partition {replication_factor} time(s): The target replication factor"
            f" of {replication_factor} cannot be reached because only {len(brokers)} broker(s) are"
            " registered.",
        )
    return [
        [brokers[(index + replica) % len(brokers)] for replica in range(replication_factor)]
        for index in range(first_partition, first_partition + count)
    ]


def partition_record(
    image: MetadataImage, topic_id: bytes, index: int, replicas: Sequence[int]
) -> PartitionRecord:
    """A new partition: the first live replica leads it, at epoch 0, and all live ones are in sync.

    Raises:
        ApiError: INVALID_REPLICA_ASSIGNMENT, no replica is live.
    """
    live = [broker_id for broker_id in replicas if not image.brokers[broker_id].is_fenced]
    if not live:
        raise _invalid(
            "All brokers specified in the manual partition assignment are fenced or in controlled shutdown."
        )
    return PartitionRecord(
        partition_id=index,
        topic_id=topic_id,
        replicas=list(replicas),
        isr=live,
        leader=live[0],
        leader_epoch=0,
        partition_epoch=0,
        directories=[_directory(image, broker_id) for broker_id in replicas],
    )


def _directory(image: MetadataImage, broker_id: int) -> bytes:
    """A broker with several directories says later which one it chose (KIP-858)."""
    log_dirs = image.brokers[broker_id].log_dirs
    return log_dirs[0] if len(log_dirs) == 1 else _UNASSIGNED_DIRECTORY


def _invalid(message: str) -> ApiError:
    return ApiError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, message)
