"""Consumer groups for `kstream groups`, asked through the client library."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import closing
from typing import Any

from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka._model import ConsumerGroupTopicPartitions
from confluent_kafka.admin import ConsumerGroupDescription, OffsetSpec
from confluent_kafka.cimpl import OFFSET_INVALID, TopicPartition

from kstream.cli.connection import Cluster
from kstream.cli.over_wire import OverWire, check
from kstream.replay.errors import Refused, ReplayError
from kstream.wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)


def rows(cluster: Cluster) -> list[dict[str, Any]]:
    """Name and state of each."""
    found = cluster.ask(cluster.admin().list_consumer_groups(), "list groups")
    return [
        {"group": each.group_id, "state": each.state.name.lower(), "protocol": each.type.name.lower()}
        for each in found.valid
    ]


def find(cluster: Cluster, group: str) -> ConsumerGroupDescription | None:
    """What a group is; None if there is no consumer group of the name."""
    described = cluster.admin().describe_consumer_groups([group])[group]
    found: ConsumerGroupDescription = cluster.ask(described, f"describe {group}")
    return None if found.state is ConsumerGroupState.DEAD else found


def members_of(found: ConsumerGroupDescription) -> list[dict[str, Any]]:
    """Who is in a group, and what each has."""
    return [
        {
            "member": each.member_id,
            "client": each.client_id,
            "host": each.host,
            "instance": each.group_instance_id or None,
            "partitions": [
                f"{part.topic}-{part.partition}" for part in (each.assignment.topic_partitions or ())
            ],
        }
        for each in found.members
    ]


def positions_of(cluster: Cluster, group: str, owners: Mapping[str, str]) -> list[dict[str, Any]]:
    """Where the group stands in each partition that it has a position in or a member on."""
    admin = cluster.admin()
    asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group]
    committed = {
        (each.topic, each.partition): each.offset
        for each in cluster.ask(asked, f"ask for positions of {group}").topic_partitions
    }
    for owned in owners:
        topic, _, index = owned.rpartition("-")
        committed.setdefault((topic, int(index)), OFFSET_INVALID)
    wanted = {TopicPartition(topic, index): OffsetSpec.latest() for topic, index in committed}
    ends: dict[tuple[str, int], int | None] = {}
    for each, future in (admin.list_offsets(wanted) if wanted else {}).items():
        try:
            ends[each.topic, each.partition] = future.result().offset
        except KafkaException:  # the topic is gone, its positions are not yet
            ends[each.topic, each.partition] = None
    rows = []
    for (topic, index), offset in sorted(committed.items()):
        position = None if offset < 0 else offset
        end = ends.get((topic, index))
        rows.append(
            {
                "topic": topic,
                "partition": index,
                "position": position,
                "end": end,
                "lag": None if position is None or end is None else max(0, end - position),
                "member": owners.get(f"{topic}-{index}"),
            }
        )
    return rows


def move(cluster: Cluster, group: str, offsets: Mapping[tuple[str, int], int]) -> None:
    """Set where a group without members goes on. Raises Refused."""
    positions = [TopicPartition(topic, index, offset) for (topic, index), offset in offsets.items()]
    altered = ConsumerGroupTopicPartitions(group, positions)
    asked = cluster.admin().alter_consumer_group_offsets([altered])[group]
    for each in cluster.ask(asked, f"move {group}").topic_partitions:
        if each.error is not None:
            raise ReplayError(f"cannot move {group} in {each.topic}-{each.partition}: {each.error.str()}")


def forget(cluster: Cluster, group: str, topics: Collection[str]) -> None:
    """Delete a group's positions in topics that none of its members subscribes to. Raises Refused."""
    wanted: dict[str, OffsetDeleteRequestTopic] = {}
    for each in positions_of(cluster, group, {}):
        if each["topic"] in topics:
            topic = wanted.setdefault(each["topic"], OffsetDeleteRequestTopic(name=each["topic"]))
            topic.partitions.append(OffsetDeleteRequestPartition(partition_index=each["partition"]))
    missing = sorted(set(topics) - wanted.keys())
    if missing:
        raise Refused(f"{group} has no position in {', '.join(missing)}")
    with closing(OverWire(cluster)) as wire:
        request = OffsetDeleteRequest(group_id=group, topics=list(wanted.values()))
        answer = wire.coordinator_of(group, request)
    check(answer.error_code, None, f"have {group} forget topics")
    for topic in answer.topics:
        for part in topic.partitions:
            check(part.error_code, None, f"have {group} forget {topic.name}-{part.partition_index}")
