"""Groups: listed, described with their lag, deleted."""

from __future__ import annotations

from typing import Any

import msgspec

from kstream.broker.broker import Broker
from kstream.broker.queue_stats import queue_stats
from kstream.broker.why import explain
from kstream.errors import ApiError, ErrorCode
from kstream.groups.overview import GroupOverview
from kstream.web.lag import end_offset
from kstream.web.operation import Call, NotFound, Operation

_TAG = "groups"
SHARE = "share"


class GroupSummary(msgspec.Struct):
    """A group in the list. `lag` is the sum over partitions that it has positions in."""

    group: str
    state: str
    protocol: str
    members: int
    lag: int


class GroupPosition(msgspec.Struct):
    """Where a group stands in a partition; the end and the lag are null once the topic is gone. A share group
    stands at the first record that is not done with, and its lag is what is not done with.
    """

    topic: str
    partition: int
    offset: int
    end_offset: int | None
    lag: int | None


class GroupDescription(msgspec.Struct):
    """A group and its positions."""

    group: str
    state: str
    protocol: str
    members: int
    lag: int
    positions: list[GroupPosition]


async def list_groups(call: Call) -> list[GroupSummary]:
    broker = call.running.broker
    described = [await describe(broker, group) for group in await broker.groups.overview()]
    described.sort(key=lambda each: each.group)
    return [GroupSummary(each.group, each.state, each.protocol, each.members, each.lag) for each in described]


async def describe_group(call: Call) -> GroupDescription:
    broker, wanted = call.running.broker, call.path["group"]
    for group in await broker.groups.overview():
        if group.group_id == wanted:
            return await describe(broker, group)
    raise NotFound(f"there is no group {wanted}")


class WhyOf(msgspec.Struct):
    """Of one topic only."""

    topic: str | None = None


async def why_nothing_arrives(call: Call) -> dict[str, Any]:
    return await explain(call.running.broker, call.path["group"], call.query.topic)


async def delete_group(call: Call) -> None:
    result = await call.running.broker.groups.delete(call.path["group"])
    if result.error_code:
        raise ApiError(ErrorCode(result.error_code))


async def describe(broker: Broker, group: GroupOverview) -> GroupDescription:
    """A group with the ends of the partitions that it has positions in."""
    positions = []
    if group.kind == SHARE:
        for each in await queue_stats(broker, group.group_id):
            end = await end_offset(broker, each.topic, each.partition)
            positions.append(GroupPosition(each.topic, each.partition, each.start_offset, end, each.depth))
    for topic, partition, offset in sorted(group.positions):
        end = await end_offset(broker, topic, partition)
        lag = None if end is None else max(end - offset, 0)
        positions.append(GroupPosition(topic, partition, offset, end, lag))
    total = sum(each.lag or 0 for each in positions)
    return GroupDescription(group.group_id, group.state, group.kind, group.members, total, positions)


OPERATIONS = (
    Operation(
        "GET", "/v1/groups", "All groups, with their lag", list_groups, _TAG, answer=list[GroupSummary]
    ),
    Operation(  # before the group itself, whose name may contain slashes
        "GET",
        "/v1/groups/{group}/why",
        "Why nothing arrives at a group",
        why_nothing_arrives,
        _TAG,
        query=WhyOf,
        answer=dict[str, Any],
    ),
    Operation(
        "GET",
        "/v1/groups/{group}",
        "A group, with its positions and lag",
        describe_group,
        _TAG,
        answer=GroupDescription,
        errors=(404,),
    ),
    Operation(
        "DELETE",
        "/v1/groups/{group}",
        "Delete a group without members, and its positions",
        delete_group,
        _TAG,
        status=204,
        errors=(404, 409),
    ),
)
