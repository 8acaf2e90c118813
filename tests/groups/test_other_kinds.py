"""Streams groups that Kafka left: listed, joined by nobody, kept, deleted when they are empty."""

from __future__ import annotations

import pytest

from kstream.coordinator.outcome import CoordinatorRecord, Outcome
from kstream.errors import ApiError, ErrorCode
from kstream.groups.commit import commit_offsets
from kstream.groups.describe import delete_group, describe_group, list_groups
from kstream.groups.join import join_group
from kstream.groups.settings import Caller
from kstream.records.schemas.group import (
    StreamsGroupMemberMetadataKey,
    StreamsGroupMemberMetadataValue,
    StreamsGroupMetadataKey,
    StreamsGroupMetadataValue,
    StreamsGroupTopologyKey,
    StreamsGroupTopologyValue,
)
from kstream.wire.messages.join_group import JoinGroupRequest
from kstream.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from tests.groups.driver import Driver

CALLER = Caller("client", "/127.0.0.1", 9)


def left_by_kafka(*records: CoordinatorRecord) -> Driver:
    driver = Driver()
    out = Outcome()
    out.records += records
    driver.carry_out(out)
    return driver


def streams(*, member: bool) -> list[CoordinatorRecord]:
    records = [
        CoordinatorRecord(StreamsGroupMetadataKey(group_id="t"), StreamsGroupMetadataValue(epoch=2)),
        CoordinatorRecord(StreamsGroupTopologyKey(group_id="t"), StreamsGroupTopologyValue(epoch=1)),
    ]
    if member:
        key = StreamsGroupMemberMetadataKey(group_id="t", member_id="m")
        records.append(CoordinatorRecord(key, StreamsGroupMemberMetadataValue()))
    return records


def listed(driver: Driver, types: tuple[str, ...] = ()) -> list[tuple[str, str, str]]:
    found = list_groups(driver.shard.state, (), types)
    return sorted((group.group_id, group.group_type, group.group_state) for group in found)


def delete(driver: Driver, group_id: str) -> int:
    answer = driver.ask(lambda shard, now_ms, token: delete_group(shard.state, group_id, token))
    return int(answer.error_code)


def commit(driver: Driver, group_id: str) -> None:
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=7)
    request = OffsetCommitRequest(
        group_id=group_id,
        generation_id_or_member_epoch=-1,
        topics=[OffsetCommitRequestTopic(name="orders", partitions=[partition])],
    )
    driver.ask(lambda shard, now_ms, token: commit_offsets(shard.state, request, CALLER, token, now_ms))


def test_they_are_listed_by_their_kind() -> None:
    driver = left_by_kafka(*streams(member=True))
    assert listed(driver) == [("t", "streams", "Stable")]
    assert listed(driver, ("share",)) == []
    described = describe_group(driver.shard.state, "t", Caller("c", "/h", 6))
    assert described.error_code == ErrorCode.GROUP_ID_NOT_FOUND
    assert described.error_message == "Group t is not a classic group."


def test_nobody_joins_them() -> None:
    driver = left_by_kafka(*streams(member=True))
    request = JoinGroupRequest(group_id="t", session_timeout_ms=30_000, protocol_type="consumer")
    answer = driver.ask(lambda shard, now_ms, token: join_group(shard.state, request, CALLER, token, now_ms))
    assert answer.error_code == ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert len(listed(driver)) == 1


def test_a_streams_group_without_members_takes_commits_and_is_deleted_with_them() -> None:
    driver = left_by_kafka(*streams(member=False))
    commit(driver, "t")
    assert delete(driver, "t") == ErrorCode.NONE
    assert listed(driver) == []
    assert driver.shard.state.offsets.get("t", "orders", 0) is None


def test_one_with_members_keeps_what_it_has() -> None:
    driver = left_by_kafka(*streams(member=True))
    with pytest.raises(ApiError) as refused:
        commit(driver, "t")
    assert refused.value.code is ErrorCode.UNKNOWN_MEMBER_ID
    assert delete(driver, "t") == ErrorCode.NON_EMPTY_GROUP
    gone = CoordinatorRecord(StreamsGroupMemberMetadataKey(group_id="t", member_id="m"), None)
    out = Outcome()
    out.records.append(gone)
    driver.carry_out(out)
    assert listed(driver) == [("t", "streams", "Empty")]
