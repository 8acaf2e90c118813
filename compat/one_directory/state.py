"""All that a server tells of what its data directory holds, by name, so that two servers can be compared.

What a server cannot tell is left out: kstream has no authorizer to ask for ACLs, and keeps them for the
server that has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from compat.one_directory.asking import Asking, fetch_partition
from kstream.errors import ErrorCode
from kstream.records.batch import read_header
from kstream.wire.apis import ApiKey
from kstream.wire.messages.api_versions import ApiVersionsRequest
from kstream.wire.messages.describe_acls import DescribeAclsRequest
from kstream.wire.messages.describe_client_quotas import DescribeClientQuotasRequest
from kstream.wire.messages.describe_cluster import DescribeClusterRequest
from kstream.wire.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from kstream.wire.messages.describe_producers import DescribeProducersRequest, TopicRequest
from kstream.wire.messages.describe_share_group_offsets import (
    DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsRequestGroup,
)
from kstream.wire.messages.describe_transactions import DescribeTransactionsRequest
from kstream.wire.messages.describe_user_scram_credentials import DescribeUserScramCredentialsRequest
from kstream.wire.messages.list_config_resources import ListConfigResourcesRequest
from kstream.wire.messages.list_groups import ListGroupsRequest
from kstream.wire.messages.list_transactions import ListTransactionsRequest
from kstream.wire.messages.metadata import MetadataRequest
from kstream.wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup
from kstream.wire.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from kstream.wire.messages.share_group_describe import ShareGroupDescribeRequest


@dataclass
class State:
    """What is told, by the name of the thing, and the kinds of things of which this server tells nothing."""

    things: dict[str, Any] = field(default_factory=dict)
    untold: frozenset[str] = frozenset()

    def tells(self, name: str) -> bool:
        """Whether a thing of this name is of a kind that this server tells of."""
        return not name.startswith(tuple(self.untold))

    def followed_by(self, after: State) -> State:
        """What is known when another server told its state."""
        kept = {name: value for name, value in self.things.items() if not after.tells(name)}
        return State(kept | after.things, self.untold & after.untold)

    def differences(self, after: State) -> list[str]:
        """What another server tells differently."""
        names = [name for name in self.things | after.things if self.tells(name) and after.tells(name)]
        return [
            f"{name}: {_told(self.things, name)} before, {_told(after.things, name)} now"
            for name in names
            if self.things.get(name, _ABSENT) != after.things.get(name, _ABSENT)
        ]


_ABSENT = "nothing"

READ_COMMITTED = 1
_EARLIEST, _LATEST, _MAX_TIMESTAMP = -2, -1, -3
_ANY = 1
_DYNAMIC = {
    1,
    2,
    3,
    7,
    8,
}  # sources of values that somebody set: topic, broker, default, client metrics, group
_RESOURCES = {2: "topic", 4: "broker", 16: "client metrics", 32: "group"}
_KINDS_BY_API = {
    "scram": ApiKey.DESCRIBE_USER_SCRAM_CREDENTIALS,
    "consumer group": ApiKey.CONSUMER_GROUP_DESCRIBE,
    "share group": ApiKey.SHARE_GROUP_DESCRIBE,
}
"""Kinds of things, and the API of a server that knows them."""


def state_of(asking: Asking) -> State:
    """Ask a server for everything."""
    things: dict[str, Any] = {"cluster": asking(DescribeClusterRequest(), 1).cluster_id}
    versions = asking(ApiVersionsRequest(client_software_name="compat", client_software_version="1"), 3)
    things["features"] = {each.name: each.max_version_level for each in versions.finalized_features}
    for topic in asking(MetadataRequest(topics=None, allow_auto_topic_creation=False), 12).topics:
        things[f"topic {topic.name}"] = (topic.topic_id.hex(), len(topic.partitions))
        if not topic.is_internal:
            for index in range(len(topic.partitions)):
                things.update(_partition(asking, topic.name, index))
    for part in (_configs, _groups, _transactions):
        things.update(part(asking))
    quotas = asking(DescribeClientQuotasRequest(components=[], strict=False), 1)
    things["quotas"] = sorted(repr(entry) for entry in quotas.entries or ())
    apis = {each.api_key for each in versions.api_keys}
    untold = {kind for kind, api in _KINDS_BY_API.items() if api not in apis}
    if "scram" not in untold:
        found = asking(DescribeUserScramCredentialsRequest(users=None), 0)
        things["scram"] = sorted(repr(result) for result in found.results)
    wanted = DescribeAclsRequest(
        resource_type_filter=_ANY, pattern_type_filter=_ANY, operation=_ANY, permission_type=_ANY
    )
    acls = asking(wanted, 3)
    if acls.error_code == ErrorCode.SECURITY_DISABLED:
        untold.add("acls")
    else:
        things["acls"] = sorted(repr(resource) for resource in acls.resources)
    return State(things, frozenset(untold))


def _partition(asking: Asking, topic: str, index: int) -> Iterator[tuple[str, Any]]:
    name = f"{topic}-{index}"
    start, end = asking.offset(topic, index, _EARLIEST), asking.offset(topic, index, _LATEST)
    yield f"{name} offsets", (start, end)
    yield f"{name} largest time", asking.offset(topic, index, _MAX_TIMESTAMP)
    yield f"{name} last stable offset", asking.offset(topic, index, _LATEST, READ_COMMITTED)
    batches: list[bytes] = []
    aborted: set[tuple[int, int]] = set()
    epochs: set[int] = set()
    offset = start
    while offset < end:
        found = fetch_partition(asking, topic, index, offset)
        aborted |= {(each.producer_id, each.first_offset) for each in found.aborted_transactions or ()}
        data, position = bytes(found.records or b""), 0
        before = offset
        while position < len(data):
            header = read_header(data, position)
            batches.append(data[position : position + header.size_bytes])
            epochs.add(header.partition_leader_epoch)
            offset = header.next_offset
            position += header.size_bytes
        if offset == before:
            break
    yield f"{name} batches", batches
    yield f"{name} aborted transactions", sorted(aborted)
    yield f"{name} epochs", [(epoch, _epoch_end(asking, topic, index, epoch)) for epoch in sorted(epochs)]
    times = sorted({read_header(batch).max_timestamp_ms for batch in batches})
    asked = times[:: max(1, len(times) // 5)]
    yield f"{name} times", [(time_ms, asking.offset(topic, index, time_ms)) for time_ms in asked]
    if start:
        # Of producers whose records are all gone, a server knows until it must read the log again.
        return
    request = DescribeProducersRequest(topics=[TopicRequest(name=topic, partition_indexes=[index])])
    producers = asking(request, 0).topics[0].partitions[0].active_producers
    yield f"{name} producers", sorted(map(repr, producers))


def _epoch_end(asking: Asking, topic: str, index: int, epoch: int) -> int:
    wanted = OffsetForLeaderPartition(partition=index, leader_epoch=epoch)
    request = OffsetForLeaderEpochRequest(topics=[OffsetForLeaderTopic(topic=topic, partitions=[wanted])])
    return int(asking(request, 4).topics[0].partitions[0].end_offset)


def _configs(asking: Asking) -> Iterator[tuple[str, Any]]:
    listed = asking(ListConfigResourcesRequest(resource_types=[]), 1).config_resources
    wanted = {(each.resource_type, each.resource_name) for each in listed if each.resource_type in _RESOURCES}
    wanted.add((4, ""))
    for kind, name in sorted(wanted):
        resource = DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=None)
        (told,) = asking(DescribeConfigsRequest(resources=[resource]), 4).results
        values = {config.name: config.value for config in told.configs if config.config_source in _DYNAMIC}
        yield f"configs of {_RESOURCES[kind]} {name!r}", values


def _groups(asking: Asking) -> Iterator[tuple[str, Any]]:
    for group in asking(ListGroupsRequest(states_filter=[], types_filter=[]), 5).groups:
        if group.group_type == "share":
            yield f"share group {group.group_id}", _share_group(asking, group.group_id)
            continue
        wanted = OffsetFetchRequestGroup(group_id=group.group_id, topics=None)
        (found,) = asking(OffsetFetchRequest(groups=[wanted]), 8).groups
        positions = [
            (topic.name, each.partition_index, each.committed_offset, each.committed_leader_epoch)
            for topic in found.topics
            for each in topic.partitions
        ]
        yield f"{group.group_type} group {group.group_id}", (group.protocol_type, sorted(positions))


def _share_group(asking: Asking, group_id: str) -> Any:
    (described,) = asking(ShareGroupDescribeRequest(group_ids=[group_id]), 1).groups
    wanted = DescribeShareGroupOffsetsRequestGroup(group_id=group_id, topics=None)
    (found,) = asking(DescribeShareGroupOffsetsRequest(groups=[wanted]), 1).groups
    places = [
        (topic.topic_name, each.partition_index, each.start_offset, each.leader_epoch, each.lag)
        for topic in found.topics
        for each in topic.partitions
    ]
    return described.group_state, described.group_epoch, described.assignment_epoch, sorted(places)


def _transactions(asking: Asking) -> Iterator[tuple[str, Any]]:
    listed = asking(ListTransactionsRequest(state_filters=[], producer_id_filters=[]), 0).transaction_states
    ids = sorted(each.transactional_id for each in listed)
    if ids:
        found = asking(DescribeTransactionsRequest(transactional_ids=ids), 0)
        for each in found.transaction_states:
            yield f"transactional id {each.transactional_id}", repr(each)


def _told(things: dict[str, Any], name: str) -> str:
    text = repr(things.get(name, _ABSENT))
    return text if len(text) < 1000 else f"{text[:500]} … {text[-500:]}"
