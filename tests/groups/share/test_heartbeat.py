"""Share groups: members join, are assigned what is initialized, and go; what is kept through a restart."""

from __future__ import annotations

import pytest

from kstream.coordinator.outcome import Outcome
from kstream.errors import ApiError, ErrorCode
from kstream.groups.describe import list_groups
from kstream.groups.settings import GroupSettings, ShareSettings
from kstream.groups.share.describe import describe_share_group
from kstream.groups.share.initializing import UNINITIALIZED, forget_topics
from kstream.groups.share.states import GROUP_TRANSITIONS, ShareState
from tests.groups.share.bench import GROUP, ShareBench


def test_a_member_gets_partitions_once_they_are_initialized() -> None:
    bench = ShareBench(t=2)
    joined = bench.join("a", "t")
    assert (joined.member_epoch, joined.assignment) != (0, None)
    assert bench.held["a"] == set()
    bench.beat("a")
    assert bench.held["a"] == set()
    (effect,) = bench.initialize()
    assert effect.start_offsets == {bench.cluster.id_of("t"): {0: UNINITIALIZED, 1: UNINITIALIZED}}
    bench.beat("a")
    assert bench.held["a"] == {("t", 0), ("t", 1)}
    assert bench.beat("a").assignment is None
    assert bench.wanted() == []
    bench.driver.check_replay()


def test_several_members_share_one_partition() -> None:
    bench = ShareBench(t=1)
    for member_id in "abc":
        bench.join(member_id, "t")
    bench.initialize()
    for member_id in "abc":
        bench.beat(member_id)
        assert bench.held[member_id] == {("t", 0)}


def test_a_member_that_goes_leaves_its_partitions_to_others() -> None:
    bench = ShareBench(t=4)
    bench.join("a", "t")
    bench.initialize()
    bench.join("b", "t")
    bench.beat("a")
    assert len(bench.held["a"]) == len(bench.held["b"]) == 2
    assert not bench.held["a"] & bench.held["b"]
    bench.leave("a")
    bench.beat("b")
    assert len(bench.held["b"]) == 4


def test_a_silent_member_is_removed_when_its_session_ends() -> None:
    bench = ShareBench(t=1)
    bench.join("a", "t")
    bench.driver.advance(bench.cluster.sharing.session_timeout_ms - 1)
    assert not bench.group.is_empty
    bench.driver.advance(1)
    assert bench.group.is_empty
    with pytest.raises(ApiError) as unknown:
        bench.beat("a")
    assert unknown.value.code is ErrorCode.UNKNOWN_MEMBER_ID
    assert "its session ended" in bench.driver.notices[-1]


def test_an_answer_that_was_lost_is_asked_for_again_in_the_former_epoch() -> None:
    bench = ShareBench(t=1)
    joined = bench.join("a", "t")
    bench.initialize()
    told = bench.beat("a")
    again = bench.send("a", joined.member_epoch)
    assert again.member_epoch == told.member_epoch == joined.member_epoch + 1
    for epoch in (joined.member_epoch - 1, told.member_epoch + 1):
        with pytest.raises(ApiError) as fenced:
            bench.send("a", epoch)
        assert fenced.value.code is ErrorCode.FENCED_MEMBER_EPOCH


def test_a_full_group_lets_nobody_new_in() -> None:
    bench = ShareBench(GroupSettings(share=ShareSettings(max_size=1)), t=1)
    bench.join("a", "t")
    with pytest.raises(ApiError) as full:
        bench.join("b", "t")
    assert full.value.code is ErrorCode.GROUP_MAX_SIZE_REACHED
    bench.join("a", "t")


def test_an_exclusive_group_has_one_member() -> None:
    bench = ShareBench(t=1)
    bench.cluster.exclusive_topics.add("t")
    bench.join("a", "t")
    with pytest.raises(ApiError) as full:
        bench.join("b", "t")
    assert full.value.code is ErrorCode.GROUP_MAX_SIZE_REACHED
    bench.send("a", -1)
    bench.join("b", "t")


def test_what_a_topic_gains_is_consumed_from_its_beginning() -> None:
    bench = ShareBench(t=1)
    bench.join("a", "t")
    bench.initialize()
    bench.beat("a")
    bench.cluster.grow("t", 3)
    bench.topics_changed("t")
    bench.beat("a")
    (effect,) = bench.initialize()
    assert effect.start_offsets == {bench.cluster.id_of("t"): {1: 0, 2: 0}}
    bench.beat("a")
    assert len(bench.held["a"]) == 3


def test_a_topic_that_appears_and_one_that_vanishes() -> None:
    bench = ShareBench(t=1)
    bench.join("a", "t", "u")
    bench.initialize()
    bench.beat("a")
    bench.cluster.create("u", 1)
    bench.topics_changed("u")
    bench.beat("a")
    bench.initialize()
    bench.beat("a")
    assert bench.held["a"] == {("t", 0), ("u", 0)}
    bench.cluster.delete("t")
    bench.topics_changed("t")
    bench.beat("a")
    assert bench.held["a"] == {("u", 0)}


def test_a_topic_that_vanished_changes_a_group_once() -> None:
    """Also while its share states are not forgotten yet."""
    bench = ShareBench(t=1)
    bench.join("a", "t")
    bench.initialize()
    before = bench.beat("a").member_epoch
    topic_id = bench.cluster.id_of("t")
    bench.cluster.delete("t")
    bench.topics_changed("t")
    assert [bench.beat("a").member_epoch for _ in range(3)] == [before + 1] * 3
    out = Outcome()
    forget_topics(bench.driver.shard.state, [topic_id], out)
    bench.driver.carry_out(out)
    assert bench.beat("a").member_epoch == before + 1
    assert bench.held["a"] == set()


def test_an_initialization_that_fails_is_tried_again_by_the_next_heartbeat() -> None:
    bench = ShareBench(t=1)
    bench.join("a", "t")
    (first,) = bench.initialize(fails=True)
    bench.beat("a")
    (second,) = bench.initialize()
    assert second.start_offsets == first.start_offsets
    bench.beat("a")
    assert bench.held["a"] == {("t", 0)}


def test_an_initialization_that_nobody_hears_of_is_tried_again_after_a_while() -> None:
    bench = ShareBench(t=1)
    bench.cluster.sharing = bench.cluster.sharing._replace(session_timeout_ms=60_000)
    bench.join("a", "t")
    (first,) = bench.wanted()
    bench.driver.advance(29_999)
    bench.beat("a")
    assert bench.wanted() == []
    bench.driver.advance(1)
    bench.beat("a")
    (second,) = bench.wanted()
    assert second.start_offsets == first.start_offsets  # a topic that is new to the group, still


def test_an_initialization_that_a_restart_interrupts_is_tried_again_at_once() -> None:
    bench = ShareBench(t=1)
    bench.join("a", "t")
    (first,) = bench.wanted()
    bench.driver.restart()
    bench.beat("a")
    (second,) = bench.initialize()
    assert second.start_offsets == first.start_offsets


def test_members_survive_a_restart_with_a_whole_session() -> None:
    bench = ShareBench(t=2)
    bench.join("a", "t")
    bench.initialize()
    bench.beat("a")
    bench.driver.advance(40_000)
    bench.driver.restart()
    bench.driver.advance(40_000)
    answer = bench.beat("a")
    assert answer.member_epoch == 3
    assert answer.assignment is None
    bench.driver.advance(45_000)
    assert bench.group.is_empty


def test_the_assignment_stands_for_its_interval() -> None:
    bench = ShareBench(t=1)
    bench.cluster.sharing = bench.cluster.sharing._replace(assignment_interval_ms=5_000)
    bench.join("a", "t")
    bench.initialize()
    bench.beat("a")
    assert bench.held["a"] == set()
    bench.driver.advance(5_000)
    bench.beat("a")
    assert bench.held["a"] == {("t", 0)}


def test_no_heartbeat_brings_a_group_into_being_but_a_join() -> None:
    bench = ShareBench(t=1)
    for epoch in (1, -1):
        with pytest.raises(ApiError) as unknown:
            bench.send("a", epoch)
        assert unknown.value.code is ErrorCode.GROUP_ID_NOT_FOUND
    assert bench.driver.log == []
    assert describe_share_group(bench.driver.shard.state, GROUP).error_code == ErrorCode.GROUP_ID_NOT_FOUND


def test_a_heartbeat_that_says_nothing_new_writes_nothing() -> None:
    bench = ShareBench(t=1)
    bench.join("a", "t")
    bench.initialize()
    bench.beat("a")
    written = len(bench.driver.log)
    bench.beat("a")
    bench.beat("a", "t")
    assert len(bench.driver.log) == written


def test_states_are_those_of_the_table() -> None:
    bench = ShareBench(t=1)
    arrows = {(arrow.source, arrow.target) for arrow in GROUP_TRANSITIONS}
    bench.join("a", "t")
    assert (ShareState.EMPTY, bench.group.state) in arrows
    (listed,) = list_groups(bench.driver.shard.state, ["stable"], ["Share"])
    assert (listed.group_id, listed.protocol_type, listed.group_type) == (GROUP, "share", "share")
    bench.leave("a")
    assert (ShareState.STABLE, bench.group.state) in arrows
