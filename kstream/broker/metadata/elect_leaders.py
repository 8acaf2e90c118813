"""Elections that a client asks for, as the controller of Apache Kafka 4.4.0 decides them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from kstream.broker.metadata.image import NO_LEADER, MetadataImage, PartitionImage
from kstream.broker.metadata.store import Change
from kstream.errors import ApiError, ErrorCode
from kstream.records.schemas.metadata import PartitionChangeRecord
from kstream.wire.schema import Message


class ElectionType(IntEnum):
    """What may lead."""

    PREFERRED = 0
    """The first replica, if it is in sync."""
    UNCLEAN = 1
    """Any live replica of a partition that nobody leads, even if records are lost."""


class Election(NamedTuple):
    """What became of one partition."""

    partition: int
    error: ApiError | None = None


Wanted = Sequence[tuple[str, Sequence[int]]]


def elect_leaders(
    image: MetadataImage, election_type: ElectionType, wanted: Wanted | None
) -> Change[list[tuple[str, list[Election]]]]:
    """Elect for some partitions, in their order, or for all with None: then without those that need none."""
    tells_unneeded = wanted is not None
    if wanted is None:
        wanted = [(topic.name, range(len(topic.partitions))) for topic in image.topics_by_name.values()]
    live = {broker.broker_id for broker in image.live_brokers()}
    results: list[tuple[str, list[Election]]] = []
    records: list[Message] = []
    for name, indexes in wanted:
        elections: list[Election] = []
        for index in indexes:
            try:
                records.append(_elect(image, election_type, name, index, live))
            except ApiError as error:
                if tells_unneeded or error.code != ErrorCode.ELECTION_NOT_NEEDED:
                    elections.append(Election(index, error))
            else:
                elections.append(Election(index))
        results.append((name, elections))
    return Change(results, records)


def _elect(
    image: MetadataImage, election_type: ElectionType, name: str, index: int, live: set[int]
) -> PartitionChangeRecord:
    topic = image.topics_by_name.get(name)
    if topic is None:
        raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"No such topic as {name}")
    if not 0 <= index < len(topic.partitions):
        raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"No such partition as {name}-{index}")
    partition = topic.partitions[index]
    record = PartitionChangeRecord(partition_id=index, topic_id=topic.topic_id)
    if election_type is ElectionType.PREFERRED:
        record.leader = _preferred(partition, live)
    else:
        record.leader = _unclean(partition, live)
        if record.leader not in partition.isr:
            # What the others have and this one has not is given up.
            record.isr = [record.leader]
    return record


def _preferred(partition: PartitionImage, live: set[int]) -> int:
    preferred = partition.replicas[0]
    if partition.leader == preferred:
        raise _not_needed()
    if preferred not in partition.isr or preferred not in live:
        raise ApiError(
            ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE, f"Broker {preferred} is not a live replica in sync."
        )
    return preferred


def _unclean(partition: PartitionImage, live: set[int]) -> int:
    if partition.leader != NO_LEADER:
        raise _not_needed()
    complete = (*partition.isr, *partition.eligible_leader_replicas)
    candidates = [broker_id for broker_id in partition.replicas if broker_id in live]
    if not candidates:
        raise ApiError(ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE, "No replica of the partition is live.")
    return next((broker_id for broker_id in candidates if broker_id in complete), candidates[0])


def _not_needed() -> ApiError:
    return ApiError(ErrorCode.ELECTION_NOT_NEEDED, "The partition needs no election.")
