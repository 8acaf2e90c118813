"""Share groups for `kstream groups`: the client library lists, describes and moves consumer groups alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kstream.cli.connection import Cluster
from kstream.cli.over_wire import NotOffered, OverWire, check
from kstream.errors import ErrorCode
from kstream.wire.messages.alter_share_group_offsets import (
    AlterShareGroupOffsetsRequest,
    AlterShareGroupOffsetsRequestPartition,
    AlterShareGroupOffsetsRequestTopic,
)
from kstream.wire.messages.delete_share_group_offsets import (
    DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsRequestTopic,
)
from kstream.wire.messages.describe_share_group_offsets import (
    DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsRequestGroup,
)
from kstream.wire.messages.list_groups import ListGroupsRequest
from kstream.wire.messages.share_group_describe import DescribedGroup, ShareGroupDescribeRequest

_GROUPS = ("groups.error_code",)


class ShareGroups:
    """Those of a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._wire = OverWire(cluster)

    def close(self) -> None:
        """Hang up."""
        self._wire.close()

    @property
    def refusal(self) -> str | None:
        """Why none of them can be seen; None if nothing is known against it."""
        return self._wire.refusal

    def rows(self) -> list[dict[str, Any]]:
        """Name and state of each; none of a cluster without share groups."""
        try:
            answers = self._wire.everywhere(ListGroupsRequest(types_filter=["share"]))
        except NotOffered:
            return []
        for answer in answers:
            check(answer.error_code, None, "list share groups")
        return [
            {"group": each.group_id, "state": each.group_state.lower(), "protocol": "share"}
            for answer in answers
            for each in answer.groups
            if each.group_type == "share"
        ]

    def find(self, group: str) -> DescribedGroup | None:
        """What a group is; None if there is no share group of the name."""
        try:
            request = ShareGroupDescribeRequest(group_ids=[group])
            (found,) = self._wire.coordinator_of(group, request, _GROUPS).groups
        except NotOffered:
            return None
        if found.error_code == ErrorCode.GROUP_ID_NOT_FOUND:
            return None
        check(found.error_code, found.error_message, f"describe {group}")
        described: DescribedGroup = found
        return described

    def positions(self, group: str) -> list[dict[str, Any]]:
        """Where the group stands in each partition it has begun with or is about to; without its readers."""
        wanted = DescribeShareGroupOffsetsRequestGroup(group_id=group, topics=None)
        request = DescribeShareGroupOffsetsRequest(groups=[wanted])
        (found,) = self._wire.coordinator_of(group, request, _GROUPS).groups
        if found.error_code == ErrorCode.GROUP_ID_NOT_FOUND:
            return []
        check(found.error_code, found.error_message, f"ask for positions of {group}")
        return [
            {
                "topic": topic.topic_name,
                "partition": part.partition_index,
                "position": None if part.start_offset < 0 else part.start_offset,
                "lag": None if part.lag < 0 else part.lag,
            }
            for topic in sorted(found.topics, key=lambda topic: topic.topic_name)
            for part in sorted(topic.partitions, key=lambda part: part.partition_index)
        ]

    def move(self, group: str, offsets: Mapping[tuple[str, int], int]) -> None:
        """Set where a group without members begins; there is such a group then. Raises Refused."""
        topics: dict[str, AlterShareGroupOffsetsRequestTopic] = {}
        for (name, index), offset in offsets.items():
            topic = topics.setdefault(name, AlterShareGroupOffsetsRequestTopic(topic_name=name))
            topic.partitions.append(
                AlterShareGroupOffsetsRequestPartition(partition_index=index, start_offset=offset)
            )
        request = AlterShareGroupOffsetsRequest(group_id=group, topics=list(topics.values()))
        answer = self._wire.coordinator_of(group, request)
        check(answer.error_code, answer.error_message, f"move {group}")
        for each in answer.responses:
            for part in each.partitions:
                what = f"move {group} in {each.topic_name}-{part.partition_index}"
                check(part.error_code, part.error_message, what)

    def forget(self, group: str, topics: Iterable[str]) -> None:
        """Have a group without members know nothing of topics. Raises Refused."""
        wanted = [DeleteShareGroupOffsetsRequestTopic(topic_name=name) for name in topics]
        answer = self._wire.coordinator_of(
            group, DeleteShareGroupOffsetsRequest(group_id=group, topics=wanted)
        )
        check(answer.error_code, answer.error_message, f"have {group} forget topics")
        for each in answer.responses:
            check(each.error_code, each.error_message, f"have {group} forget {each.topic_name}")


def members_of(found: DescribedGroup) -> list[dict[str, Any]]:
    """Who is in a group, and what each reads from."""
    return [
        {
            "member": each.member_id,
            "client": each.client_id,
            "host": each.client_host,
            "epoch": each.member_epoch,
            "partitions": [
                f"{topic.topic_name}-{index}"
                for topic in each.assignment.topic_partitions
                for index in sorted(topic.partitions)
            ],
        }
        for each in found.members
    ]
