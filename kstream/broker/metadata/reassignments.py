"""Who has a partition's replicas, changed afterwards (KIP-455). Pure.

There is no replication between brokers, so a reassignment is carried out in one commit: the order of the
replicas may change, and some may go. What needs copying is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kstream.broker.metadata.image import MetadataImage, PartitionImage
from kstream.broker.metadata.placement import check_replicas
from kstream.broker.metadata.store import Change
from kstream.errors import ApiError, ErrorCode
from kstream.records.schemas.metadata import PartitionChangeRecord
from kstream.wire.schema import Message


class Reassignment(NamedTuple):
    """The replicas a partition shall have; None cancels what is under way."""

    partition: int
    replicas: Sequence[int] | None


class Reassigned(NamedTuple):
    """What became of it."""

    partition: int
    error: ApiError | None = None


def reassign_partitions(
    image: MetadataImage, wanted: Sequence[tuple[str, Sequence[Reassignment]]], *, can_resize: bool
) -> Change[list[tuple[str, list[Reassigned]]]]:
    """Reassign what can be; each partition succeeds or fails for itself.

    `can_resize`: whether a partition may have another number of replicas afterwards.
    """
    results: list[tuple[str, list[Reassigned]]] = []
    records: list[Message] = []
    for name, partitions in wanted:
        reassigned: list[Reassigned] = []
        for each in partitions:
            try:
                records += _reassign(image, name, each, can_resize)
            except ApiError as error:
                reassigned.append(Reassigned(each.partition, error))
            else:
                reassigned.append(Reassigned(each.partition))
        results.append((name, reassigned))
    return Change(results, records)


def _reassign(image: MetadataImage, name: str, wanted: Reassignment, can_resize: bool) -> list[Message]:
    topic = image.topics_by_name.get(name)
    if topic is None:
        raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"Unable to find a topic named {name}.")
    if not 0 <= wanted.partition < len(topic.partitions):
        text = f"Unable to find partition {name}:{wanted.partition}."
        raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, text)
    if wanted.replicas is None:
        raise ApiError(ErrorCode.NO_REASSIGNMENT_IN_PROGRESS)
    partition = topic.partitions[wanted.partition]
    replicas = list(wanted.replicas)
    check_replicas(image, replicas, None)
    if not can_resize and len(replicas) != len(partition.replicas):
        raise ApiError(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            f"The replication factor would change from {len(partition.replicas)} to {len(replicas)}.",
        )
    if tuple(replicas) == partition.replicas:
        return []
    return [_change(image, topic.topic_id, partition, replicas)]


def _change(
    image: MetadataImage, topic_id: bytes, partition: PartitionImage, replicas: list[int]
) -> PartitionChangeRecord:
    added = [broker_id for broker_id in replicas if broker_id not in partition.replicas]
    if added:
        raise ApiError(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"Brokers do not copy from each other, so replicas cannot be added: {added}",
        )
    in_sync = [broker_id for broker_id in replicas if broker_id in partition.isr]
    live = [broker_id for broker_id in in_sync if not image.brokers[broker_id].is_fenced]
    if not live:
        raise ApiError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, "No live replica that is in sync would be left.")
    record = PartitionChangeRecord(
        partition_id=partition.index, topic_id=topic_id, replicas=replicas, isr=in_sync
    )
    if len(partition.directories) == len(partition.replicas):
        places = dict(zip(partition.replicas, partition.directories, strict=True))
        record.directories = [places[broker_id] for broker_id in replicas]
    if partition.leader not in live:
        record.leader = live[0]
    return record
