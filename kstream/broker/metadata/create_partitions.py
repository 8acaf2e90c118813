"""Adding partitions to topics, as the controller of Apache Kafka 4.4.0 decides it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from kstream.broker.metadata.create_topics import PARTITIONS_PER_REQUEST_MAX
from kstream.broker.metadata.image import MetadataImage
from kstream.broker.metadata.placement import check_replicas, partition_record, place
from kstream.broker.metadata.store import Change
from kstream.errors import ApiError, ErrorCode
from kstream.wire.schema import Message


class NewPartitions(NamedTuple):
    """One topic that shall have `total` partitions; `assignments` are the new ones' replicas, or None."""

    name: str
    total: int
    assignments: Sequence[Sequence[int]] | None = None


class GrownTopic(NamedTuple):
    """What became of it."""

    name: str
    error: ApiError | None = None


def create_partitions(
    image: MetadataImage, topics: Sequence[NewPartitions], *, validate_only: bool = False
) -> Change[list[GrownTopic]]:
    """Grow what can be grown. Results for names given twice come first, as in Kafka."""
    counts = Counter(topic.name for topic in topics)
    duplicate = ApiError(ErrorCode.INVALID_REQUEST, "Duplicate topic name.")
    results = [GrownTopic(name, duplicate) for name, count in counts.items() if count > 1]
    wanted = [topic for topic in topics if counts[topic.name] == 1]
    additional = sum(
        max(0, topic.total - len(image.topics_by_name[topic.name].partitions))
        for topic in wanted
        if topic.name in image.topics_by_name
    )
    if additional > PARTITIONS_PER_REQUEST_MAX:
        excess = ApiError(
            ErrorCode.POLICY_VIOLATION, "Excessively large number of additional partitions per request."
        )
        return Change([GrownTopic(name, excess) for name in counts])
    records: list[Message] = []
    for topic in wanted:
        try:
            records += _grow(image, topic)
        except ApiError as error:
            results.append(GrownTopic(topic.name, error))
        else:
            results.append(GrownTopic(topic.name))
    return Change(results, () if validate_only else records)


def _grow(image: MetadataImage, wanted: NewPartitions) -> list[Message]:
    topic = image.topics_by_name.get(wanted.name)
    if topic is None:
        raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    present = len(topic.partitions)
    if wanted.total == present:
        raise ApiError(ErrorCode.INVALID_PARTITIONS, f"Topic already has {present} partition(s).")
    if wanted.total < present:
        raise ApiError(
            ErrorCode.INVALID_PARTITIONS,
            f"The topic {wanted.name} currently has {present} partition(s); {wanted.total} would not be an"
            " increase.",
        )
    replication_factor = len(topic.partitions[0].replicas)
    additional = wanted.total - present
    if wanted.assignments is None:
        assignments: Sequence[Sequence[int]] = place(image, present, additional, replication_factor)
    elif len(wanted.assignments) != additional:
        raise ApiError(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"Attempted to add {additional} additional partition(s), but only {len(wanted.assignments)}"
            " assignment(s) were specified.",
        )
    else:
        assignments = wanted.assignments
        for replicas in assignments:
            check_replicas(image, replicas, replication_factor)
    return [
        partition_record(image, topic.topic_id, present + index, replicas)
        for index, replicas in enumerate(assignments)
    ]
