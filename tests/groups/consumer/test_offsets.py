"""Who may commit and fetch offsets of a KIP-848 group, and what operators see and delete of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from kstream.errors import ApiError, ErrorCode
from kstream.groups.commit import WantedTopic, commit_offsets, delete_offsets, fetch_offsets
from kstream.groups.consumer.describe import describe_consumer_group
from kstream.groups.describe import delete_group, describe_group, list_groups
from kstream.groups.settings import Caller
from kstream.groups.txn_commit import commit_offsets_in_transaction
from kstream.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from kstream.wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from kstream.wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from tests.groups.consumer.bench import GROUP, Bench
from tests.groups.consumer.classic import ClassicConsumer

DAY_MS = 24 * 60 * 60 * 1000


@contextmanager
def refused(code: ErrorCode) -> Iterator[None]:
    with pytest.raises(ApiError) as caught:
        yield
    assert caught.value.code is code


def commit(bench: Bench, member_id: str, epoch: int, partition: int = 0, version: int = 10) -> None:
    request = OffsetCommitRequest(
        group_id=GROUP,
        member_id=member_id,
        generation_id_or_member_epoch=epoch,
        topics=[
            OffsetCommitRequestTopic(
                name="topic",
                topic_id=bench.cluster.id_of("topic"),
                partitions=[OffsetCommitRequestPartition(partition_index=partition, committed_offset=7)],
            )
        ],
    )
    caller = Caller("client", "/127.0.0.1", version)
    bench.driver.ask(lambda shard, now_ms, token: commit_offsets(shard.state, request, caller, token, now_ms))


def commit_in_transaction(
    bench: Bench, member_id: str, epoch: int, version: int = 6, partition: int = 0
) -> None:
    request = TxnOffsetCommitRequest(
        group_id=GROUP,
        member_id=member_id,
        generation_id_or_member_epoch=epoch,
        topics=[
            TxnOffsetCommitRequestTopic(
                name="topic",
                topic_id=bench.cluster.id_of("topic"),
                partitions=[TxnOffsetCommitRequestPartition(partition_index=partition, committed_offset=7)],
            )
        ],
    )
    caller = Caller("client", "/127.0.0.1", version)
    commit_offsets_in_transaction(bench.driver.shard.state, request, caller, None, bench.driver.now_ms)


def fetch(bench: Bench, **member: Any) -> int:
    found = fetch_offsets(
        bench.driver.shard.state,
        GROUP,
        [WantedTopic("topic", bench.cluster.id_of("topic"), [0])],
        require_stable=False,
        **member,
    )
    return int(found.topics[0].partitions[0].committed_offset)


def test_members_commit_in_their_epoch() -> None:
    bench = Bench(topic=2)
    member = bench.join("a", "topic")
    commit(bench, "a", member.epoch)
    assert fetch(bench) == fetch(bench, member_id="a", member_epoch=member.epoch) == 7
    for epoch in (member.epoch + 1, member.epoch - 1, -1):
        with refused(ErrorCode.STALE_MEMBER_EPOCH):
            commit(bench, "a", epoch)
        with refused(ErrorCode.STALE_MEMBER_EPOCH):
            fetch(bench, member_id="a", member_epoch=epoch)
    for name in ("", "stranger"):
        with refused(ErrorCode.UNKNOWN_MEMBER_ID):
            commit(bench, name, -1)
        with refused(ErrorCode.UNKNOWN_MEMBER_ID):
            fetch(bench, member_id=name, member_epoch=1)
    with refused(ErrorCode.UNSUPPORTED_VERSION):
        commit(bench, "a", member.epoch, version=8)


def test_an_older_epoch_may_commit_what_it_has_had_since() -> None:
    """KIP-1251: a commit that was on the way while the epoch went on is not lost."""
    bench = Bench(topic=2)
    first, second = bench.join("a", "topic"), bench.join("b", "topic")
    old = first.epoch
    bench.settle()
    assert first.epoch > old
    (kept,) = (index for _, index in first.held)
    (other,) = (index for _, index in second.held)
    commit(bench, "a", old, kept)
    with refused(ErrorCode.STALE_MEMBER_EPOCH):
        commit(bench, "a", old, other)
    with refused(ErrorCode.STALE_MEMBER_EPOCH):
        commit(bench, "b", second.epoch - 1, other)


def test_an_empty_group_takes_commits_of_anybody_without_an_epoch() -> None:
    bench = Bench(topic=2)
    bench.join("a", "topic").leave()
    commit(bench, "", -1)
    assert fetch(bench) == 7
    with refused(ErrorCode.UNKNOWN_MEMBER_ID):
        commit(bench, "a", 1)


def test_classic_members_are_told_in_their_words() -> None:
    bench = Bench(topic=2)
    bench.join("a", "topic")
    consumer = ClassicConsumer(bench.driver, GROUP, "topic")
    consumer.join()
    commit(bench, consumer.member_id, consumer.generation, version=5)
    with refused(ErrorCode.ILLEGAL_GENERATION):
        commit(bench, consumer.member_id, consumer.generation + 1, version=5)


def test_commits_in_transactions() -> None:
    bench = Bench(topic=2)
    member = bench.join("a", "topic")
    commit_in_transaction(bench, "a", member.epoch)
    commit_in_transaction(bench, "", -1)
    with refused(ErrorCode.STALE_MEMBER_EPOCH):
        commit_in_transaction(bench, "a", member.epoch - 1)
    with refused(ErrorCode.ILLEGAL_GENERATION):
        commit_in_transaction(bench, "a", member.epoch - 1, version=5)
    with refused(ErrorCode.UNKNOWN_MEMBER_ID):
        commit_in_transaction(bench, "stranger", 1)


def test_operators_see_it() -> None:
    bench = Bench(topic=1)
    bench.join("a", "topic")
    bench.member("b", "topic", group="empty").join()
    bench.members["b"].leave()
    state = bench.driver.shard.state
    listed = {each.group_id: each for each in list_groups(state, [], [])}
    assert (listed[GROUP].group_type, listed[GROUP].protocol_type) == ("consumer", "consumer")
    assert (listed[GROUP].group_state, listed["empty"].group_state) == ("Stable", "Empty")
    assert [each.group_id for each in list_groups(state, ["empty"], ["Consumer"])] == ["empty"]
    assert list_groups(state, [], ["classic"]) == []
    classic = describe_group(state, GROUP, Caller("", "", 6))
    assert (classic.error_code, classic.group_state) == (ErrorCode.GROUP_ID_NOT_FOUND, "Dead")
    described = describe_consumer_group(state, GROUP)
    assert (described.group_state, described.assignor_name) == ("Stable", "uniform")
    assert (described.group_epoch, described.assignment_epoch) == (2, 2)
    (member,) = described.members
    assert (member.member_id, member.member_epoch, member.member_type) == ("a", 2, 1)
    assert member.subscribed_topic_names == ["topic"]
    for given in (member.assignment, member.target_assignment):
        (topic,) = given.topic_partitions
        assert (topic.topic_name, topic.partitions) == ("topic", [0])
    missing = describe_consumer_group(state, "missing")
    assert missing.error_code == ErrorCode.GROUP_ID_NOT_FOUND


def test_what_is_in_use_is_not_deleted() -> None:
    bench = Bench(topic=1)
    member = bench.join("a", "topic")
    commit(bench, "a", member.epoch)
    driver = bench.driver
    request = OffsetDeleteRequest(
        group_id=GROUP,
        topics=[
            OffsetDeleteRequestTopic(
                name="topic", partitions=[OffsetDeleteRequestPartition(partition_index=0)]
            )
        ],
    )

    def forget() -> int:
        answer = driver.ask(lambda shard, now_ms, token: delete_offsets(shard.state, request, token))
        return int(answer.topics[0].partitions[0].error_code)

    def delete() -> int:
        answer = driver.ask(lambda shard, now_ms, token: delete_group(shard.state, GROUP, token))
        return int(answer.error_code)

    assert forget() == ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC
    assert delete() == ErrorCode.NON_EMPTY_GROUP
    member.leave()
    assert forget() == 0
    assert fetch(bench) == -1
    commit(bench, "", -1)
    assert delete() == 0
    assert delete() == ErrorCode.GROUP_ID_NOT_FOUND
    assert not driver.shard.state.consumer_groups
    assert driver.replayed().state.written() == driver.shard.state.written()


def test_offsets_in_use_do_not_expire_and_empty_groups_go() -> None:
    bench = Bench(topic=1)
    member = bench.join("a", "topic")
    commit(bench, "a", member.epoch)
    bench.cluster.config = bench.cluster.config._replace(session_timeout_ms=30 * DAY_MS)
    member.stay()
    bench.driver.advance(8 * DAY_MS)
    assert fetch(bench) == 7
    member.leave()
    bench.driver.advance(DAY_MS)
    assert not bench.driver.shard.state.consumer_groups
    assert not bench.driver.shard.state.groups
