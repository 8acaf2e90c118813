"""Committing, reading and deleting offsets."""

from __future__ import annotations

from typing import Any

import pytest

from kstream.coordinator.outcome import CoordinatorRecord
from kstream.errors import ApiError, ErrorCode
from kstream.groups.commit import WantedTopic, delete_offsets, fetch_offsets
from kstream.groups.describe import delete_group, describe_group, list_groups
from kstream.groups.expiry import forget_topics
from kstream.groups.states import ClassicState
from kstream.records.schemas.group import OffsetCommitKey, OffsetCommitValue
from kstream.wire.codec import encode
from kstream.wire.messages.consumer_protocol import ConsumerProtocolSubscription
from kstream.wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from kstream.wire.uuids import ZERO_UUID
from tests.groups.driver import Driver
from tests.groups.requests import GROUP, caller, committing, joining, leaving, stable, syncing


def positions(
    driver: Driver, group: str = GROUP, *, require_stable: bool = False
) -> dict[tuple[str, int], int]:
    """All that a group committed."""
    found = fetch_offsets(driver.shard.state, group, None, require_stable=require_stable)
    return {
        (topic.name, partition.partition_index): partition.error_code or partition.committed_offset
        for topic in found.topics
        for partition in topic.partitions
    }


def refusal_of(driver: Driver, **options: Any) -> ErrorCode:
    with pytest.raises(ApiError) as refused:
        driver.perform(committing({0: 1}, **options))
    return refused.value.code


def subscription(*topics: str) -> bytes:
    return b"\0\0" + encode(ConsumerProtocolSubscription(topics=list(topics)), 0)


def deletion(*topics: str) -> OffsetDeleteRequest:
    partitions = [OffsetDeleteRequestPartition(partition_index=index) for index in (0, 1)]
    return OffsetDeleteRequest(
        group_id=GROUP, topics=[OffsetDeleteRequestTopic(name=name, partitions=partitions) for name in topics]
    )


def test_a_group_that_only_commits_is_a_group() -> None:
    driver = Driver()
    driver.ask(committing({0: 5, 3: 7}))
    driver.ask(committing({3: 8}, topic="other"))
    assert positions(driver) == {("topic", 0): 5, ("topic", 3): 7, ("other", 3): 8}
    described = describe_group(driver.shard.state, GROUP, caller(6))
    assert (described.group_state, described.protocol_type) == ("Empty", "")
    driver.restart()
    assert positions(driver) == {("topic", 0): 5, ("topic", 3): 7, ("other", 3): 8}
    driver.check_replay()


def test_epoch_and_metadata_come_back_as_they_were_committed() -> None:
    driver = Driver()
    driver.ask(committing({0: 5}, leader_epoch=3, metadata="why"))
    driver.ask(committing({1: 6}, leader_epoch=0))
    for _ in range(2):
        (topic,) = fetch_offsets(driver.shard.state, GROUP, None, require_stable=False).topics
        assert [(each.committed_leader_epoch, each.metadata) for each in topic.partitions] == [
            (3, "why"),
            (0, ""),
        ]
        driver.restart()


def test_commits_are_those_of_the_generation() -> None:
    driver = Driver()
    (member,) = stable(driver)
    driver.ask(committing({0: 1}, member_id=member, generation=1))
    assert refusal_of(driver, member_id=member, generation=0) is ErrorCode.ILLEGAL_GENERATION
    assert refusal_of(driver, member_id=member, generation=2) is ErrorCode.ILLEGAL_GENERATION
    assert refusal_of(driver, member_id="nobody", generation=1) is ErrorCode.UNKNOWN_MEMBER_ID
    assert refusal_of(driver, member_id=member) is ErrorCode.ILLEGAL_GENERATION
    assert refusal_of(driver) is ErrorCode.UNKNOWN_MEMBER_ID
    assert refusal_of(driver, member_id=member, generation=1, instance="i") is ErrorCode.UNKNOWN_MEMBER_ID
    assert positions(driver) == {("topic", 0): 1}


def test_commits_wait_for_the_assignment() -> None:
    driver = Driver()
    token = driver.perform(joining())
    driver.advance(0)
    member = token.response.member_id
    assert refusal_of(driver, member_id=member, generation=1) is ErrorCode.REBALANCE_IN_PROGRESS
    driver.ask(syncing(member, 1, {member: b""}))
    driver.ask(committing({0: 1}, member_id=member, generation=1))


def test_members_commit_while_the_next_generation_gathers() -> None:
    driver = Driver()
    (member,) = stable(driver)
    driver.perform(joining())
    driver.ask(committing({0: 9}, member_id=member, generation=1))
    assert positions(driver) == {("topic", 0): 9}


def test_commits_keep_a_member_alive() -> None:
    driver = Driver()
    (member,) = stable(driver)
    for _ in range(3):
        driver.advance(9_999)
        driver.ask(committing({0: 1}, member_id=member, generation=1))
    assert driver.group(GROUP).state is ClassicState.STABLE


@pytest.mark.parametrize(
    ("version", "error"), [(8, ErrorCode.ILLEGAL_GENERATION), (9, ErrorCode.GROUP_ID_NOT_FOUND)]
)
def test_a_generation_of_no_group(version: int, error: ErrorCode) -> None:
    assert refusal_of(Driver(), generation=0, version=version) is error


def test_metadata_has_a_limit_by_characters() -> None:
    driver = Driver()
    answer = driver.ask(committing({0: 1}, metadata="é" * 4097))
    assert answer.topics[0].partitions[0].error_code == ErrorCode.OFFSET_METADATA_TOO_LARGE
    answer = driver.ask(committing({0: 1}, metadata="é" * 4096))
    assert answer.topics[0].partitions[0].error_code == 0
    assert positions(driver) == {("topic", 0): 1}


def test_an_offset_of_a_former_topic_is_none() -> None:
    driver = Driver()
    value = OffsetCommitValue(offset=4, topic_id=b"1" * 16)
    driver.shard.replay(CoordinatorRecord(OffsetCommitKey(group=GROUP, topic="topic", partition=0), value))
    state = driver.shard.state
    for topic_id, offset in ((b"1" * 16, 4), (b"2" * 16, -1), (ZERO_UUID, 4)):
        found = fetch_offsets(state, GROUP, [WantedTopic("topic", topic_id, [0])], require_stable=True)
        assert found.topics[0].partitions[0].committed_offset == offset


def test_offsets_of_transactions_count_when_they_end() -> None:
    driver = Driver()
    driver.ask(committing({0: 1, 1: 1}))
    key = OffsetCommitKey(group=GROUP, topic="topic", partition=0)
    driver.shard.replay(CoordinatorRecord(key, OffsetCommitValue(offset=7)), producer_id=42)
    assert positions(driver) == {("topic", 0): 1, ("topic", 1): 1}
    unstable = ErrorCode.UNSTABLE_OFFSET_COMMIT
    assert positions(driver, require_stable=True) == {("topic", 0): unstable, ("topic", 1): 1}
    driver.shard.replay_end_transaction(42, is_commit=False)
    assert positions(driver, require_stable=True)[("topic", 0)] == 1
    driver.shard.replay(CoordinatorRecord(key, OffsetCommitValue(offset=7)), producer_id=42)
    driver.shard.replay_end_transaction(42, is_commit=True)
    assert positions(driver)[("topic", 0)] == 7
    driver.shard.replay(CoordinatorRecord(key, OffsetCommitValue(offset=9)), producer_id=43)
    driver.ask(committing({0: 20}))
    driver.shard.replay_end_transaction(43, is_commit=True)
    assert positions(driver)[("topic", 0)] == 20


def test_offsets_in_use_cannot_be_deleted() -> None:
    driver = Driver()
    (member,) = stable(driver, protocols={"range": subscription("used")})
    for topic in ("used", "unused"):
        driver.ask(committing({0: 1}, member_id=member, generation=1, topic=topic))
    answer = driver.perform(
        lambda shard, now_ms, token: delete_offsets(shard.state, deletion("used", "unused"), token)
    ).response
    errors = [[partition.error_code for partition in topic.partitions] for topic in answer.topics]
    assert errors == [[ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC] * 2, [0, 0]]
    assert positions(driver) == {("used", 0): 1}


def test_deleting_offsets_of_groups_that_cannot_say_what_they_use() -> None:
    driver = Driver()
    with pytest.raises(ApiError) as refused:
        delete_offsets(driver.shard.state, deletion("topic"), None)
    assert refused.value.code is ErrorCode.GROUP_ID_NOT_FOUND
    stable(driver, protocol_type="connect")
    with pytest.raises(ApiError) as refused:
        delete_offsets(driver.shard.state, deletion("topic"), None)
    assert refused.value.code is ErrorCode.NON_EMPTY_GROUP


def test_deleted_topics_take_their_offsets_along() -> None:
    driver = Driver()
    driver.ask(committing({0: 1, 1: 2}, topic="gone"))
    driver.ask(committing({0: 3}, topic="kept"))
    driver.carry_out(forget_topics(driver.shard.state, {"gone", "never"}))
    assert positions(driver) == {("kept", 0): 3}
    driver.check_replay()


def test_groups_are_deleted_with_their_offsets_once_empty() -> None:
    driver = Driver()
    (member,) = stable(driver)
    driver.ask(committing({0: 1}, member_id=member, generation=1))

    def deleted() -> int:
        result: Any = driver.ask(lambda shard, now_ms, token: delete_group(shard.state, GROUP, token))
        return int(result.error_code)

    assert deleted() == ErrorCode.NON_EMPTY_GROUP
    driver.ask(leaving((member, None)))
    assert deleted() == 0
    assert positions(driver) == {}
    assert deleted() == ErrorCode.GROUP_ID_NOT_FOUND
    driver.check_replay()


def test_lists_by_state_and_type_in_any_case() -> None:
    driver = Driver()
    stable(driver)
    driver.ask(committing({0: 1}, group="simple"))

    def listed(states: list[str], types: list[str]) -> set[str]:
        return {group.group_id for group in list_groups(driver.shard.state, states, types)}

    assert listed([], []) == {GROUP, "simple"}
    assert listed(["stable"], []) == {GROUP}
    assert listed(["EMPTY"], ["Classic"]) == {"simple"}
    assert listed(["nonsense"], []) == set()
    assert listed([], ["consumer"]) == set()


def test_what_is_shown_of_a_group() -> None:
    driver = Driver()
    (member,) = stable(driver, protocols={"range": b"topics"})
    shown = describe_group(driver.shard.state, GROUP, caller(6))
    assert (shown.group_state, shown.protocol_type, shown.protocol_data) == ("Stable", "consumer", "range")
    (one,) = shown.members
    assert (one.member_id, one.client_id, one.client_host) == (member, "client", "/127.0.0.1")
    assert (one.member_metadata, one.member_assignment) == (b"topics", member.encode())
    driver.perform(joining())
    shown = describe_group(driver.shard.state, GROUP, caller(6))
    assert (shown.group_state, shown.protocol_data) == ("PreparingRebalance", "")
    assert [each.member_metadata for each in shown.members] == [b"", b""]


@pytest.mark.parametrize(("version", "error"), [(5, 0), (6, ErrorCode.GROUP_ID_NOT_FOUND)])
def test_a_group_that_is_not_there_is_dead(version: int, error: int) -> None:
    shown = describe_group(Driver().shard.state, "none", caller(version))
    assert (shown.error_code, shown.group_state, shown.members) == (error, "Dead", [])
