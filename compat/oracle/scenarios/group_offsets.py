"""Offsets of groups that have no members: OffsetCommit and OffsetFetch as simple consumers use them."""

from __future__ import annotations

from compat.oracle.requests import NO_TOPIC, UNKNOWN_ID
from compat.oracle.run import Run, Topic, scenario
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest
from kstream.wire.messages.heartbeat import HeartbeatRequest
from kstream.wire.messages.leave_group import LeaveGroupRequest, MemberIdentity
from kstream.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kstream.wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
)
from kstream.wire.uuids import format_uuid


def coordinated(run: Run) -> None:
    """Wait until groups are coordinated: the first request for it creates what keeps their offsets."""
    run.until(
        FindCoordinatorRequest(coordinator_keys=["any"]),
        4,
        lambda answer: answer.coordinators[0].error_code == 0,
    )
    # 25: unknown member. While groups are loaded, Kafka answers every heartbeat with 0.
    run.until(HeartbeatRequest(group_id="nobody"), 0, lambda answer: answer.error_code == 25)


def share_coordinated(run: Run) -> None:
    """Wait until share groups and their state are coordinated."""
    coordinated(run)
    run.until(
        FindCoordinatorRequest(key_type=2, coordinator_keys=[f"any:{format_uuid(UNKNOWN_ID)}:0"]),
        6,
        lambda answer: answer.coordinators[0].error_code == 0,
    )


def commit(
    group: str, topic: Topic, *offsets: tuple[int, int, str | None], **fields: int
) -> OffsetCommitRequest:
    """A commit of partition, offset and metadata, from nobody in particular."""
    return OffsetCommitRequest(
        group_id=group,
        topics=[
            OffsetCommitRequestTopic(
                name=topic.name,
                topic_id=topic.id,
                partitions=[
                    OffsetCommitRequestPartition(
                        partition_index=index, committed_offset=offset, committed_metadata=metadata
                    )
                    for index, offset, metadata in offsets
                ],
            )
        ],
        generation_id_or_member_epoch=fields.get("generation", -1),
    )


def _fetch(version: int, group: str, topic: Topic | None, *indexes: int) -> OffsetFetchRequest:
    if version < 8:
        asked = (
            None
            if topic is None
            else [OffsetFetchRequestTopic(name=topic.name, partition_indexes=list(indexes))]
        )
        return OffsetFetchRequest(group_id=group, topics=asked)
    named = None
    if topic is not None:
        named = [
            OffsetFetchRequestTopics(name=topic.name, topic_id=topic.id, partition_indexes=list(indexes))
        ]
    return OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=group, topics=named)])


@scenario
def find_coordinator(run: Run) -> None:
    """Who coordinates a group: this broker; empty keys and kinds that are none."""
    coordinated(run)
    for version in range(7):
        for kind in (0, 2, 3, -1) if version >= 1 else (0,):
            for key in ("g", ""):
                request = FindCoordinatorRequest(key=key) if version < 4 else FindCoordinatorRequest()
                if version >= 4:
                    request.coordinator_keys = [key]
                if version >= 1:
                    request.key_type = kind
                run.call(f"kind {kind} key {key!r}", request, version)
        if version >= 4:
            run.call("no keys", FindCoordinatorRequest(), version)
            run.call("two keys", FindCoordinatorRequest(coordinator_keys=["b", "a"]), version)


@scenario
def group_offsets(run: Run) -> None:
    """Committed without a member, read back, and what cannot be committed."""
    coordinated(run)
    topic = run.topic("a", partitions=2)
    for version in range(2, 11):
        group = run.name(f"g{version}")
        run.call("commit", commit(group, topic, (0, 5, "note"), (1, 0, None)), version)
        run.call("negative offset", commit(group, topic, (0, -1, "")), version)
        run.call("metadata of 4,097", commit(group, topic, (0, 6, "x" * 4097)), version)
        run.call("unknown partition", commit(group, topic, (7, 1, "")), version)
        run.call("unknown topic", commit(group, NO_TOPIC, (0, 1, "")), version)
        run.call(
            "a generation, no such group", commit(run.name("none"), topic, (0, 1, ""), generation=3), version
        )
        for reader in range(1, 11):
            run.call(f"of {version}: known", _fetch(reader, group, topic, 0, 1, 7), reader)
            run.call(f"of {version}: unknown topic", _fetch(reader, group, NO_TOPIC, 0), reader)
            run.call(f"of {version}: unknown group", _fetch(reader, run.name("none"), topic, 0), reader)
            if reader >= 2:
                run.call(f"of {version}: all", _fetch(reader, group, None), reader)


@scenario
def group_strangers(run: Run) -> None:
    """Heartbeats and farewells of members nobody knows."""
    coordinated(run)
    for version in range(5):
        for group in ("nobody", ""):
            for member in ("m", ""):
                request = HeartbeatRequest(group_id=group, generation_id=1, member_id=member)
                run.call(f"group {group!r} member {member!r}", request, version)
    for version in range(6):
        for group in ("nobody", ""):
            leave = LeaveGroupRequest(group_id=group)
            if version < 3:
                leave.member_id = "m"
            else:
                leave.members = [MemberIdentity(member_id="m"), MemberIdentity(group_instance_id="i")]
            run.call(f"group {group!r}", leave, version)
