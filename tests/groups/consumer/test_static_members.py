"""Static members of a KIP-848 group leave for a while, come back in their old place, and are fenced."""

from __future__ import annotations

import pytest

from kstream.errors import ApiError, ErrorCode
from tests.groups.consumer.bench import GROUP, Bench
from tests.groups.consumer.test_heartbeat import SESSION_MS, partitions, refused


def test_a_member_that_is_away_keeps_its_partitions() -> None:
    bench = Bench(topic=4)
    first, second = bench.join("a", "topic", instance="i"), bench.join("b", "topic")
    bench.settle()
    held, epoch = set(first.held), bench.group.epoch
    assert first.leave(-2).member_epoch == -2
    bench.settle()
    assert not second.held & held
    back = bench.join("a2", "topic", instance="i")
    assert back.held == held
    assert bench.group.epoch == epoch
    assert set(bench.group.members) == {"a2", "b"}
    assert bench.group.static_members == {"i": "a2"}
    assert bench.state == "Stable"
    with refused(ErrorCode.FENCED_INSTANCE_ID):
        first.stay()


def test_one_that_does_not_come_back_loses_them() -> None:
    bench = Bench(topic=2)
    bench.join("a", "topic", instance="i").leave(-2)
    second = bench.join("b", "topic")
    for _ in range(3):
        bench.driver.advance(SESSION_MS // 3)
        second.stay()
    bench.settle()
    assert set(bench.group.members) == {"b"}
    assert second.owned == partitions("topic", 0, 1)
    assert bench.group.static_members == {}


def test_one_that_comes_back_with_another_subscription() -> None:
    bench = Bench(one=1, two=1)
    bench.join("a", "one", instance="i").leave(-2)
    back = bench.join("a2", "two", instance="i")
    bench.settle()
    assert back.owned == partitions("two", 0)


def test_an_instance_id_in_use_is_not_released() -> None:
    bench = Bench(topic=2)
    first = bench.join("a", "topic", instance="i")
    with refused(ErrorCode.UNRELEASED_INSTANCE_ID):
        bench.join("b", "topic", instance="i")
    with refused(ErrorCode.FENCED_INSTANCE_ID):
        bench.member("b", "topic", instance="i").send(first.epoch)
    with refused(ErrorCode.FENCED_INSTANCE_ID):
        bench.members["b"].leave()
    with refused(ErrorCode.UNKNOWN_MEMBER_ID):
        bench.member("c", "topic", instance="other").send(1)
    first.leave(-1)
    assert bench.state == "Empty"
    bench.join("b", "topic", instance="i")


def test_leaving_for_a_while_and_a_restart() -> None:
    bench = Bench(topic=2)
    first = bench.join("a", "topic", instance="i")
    first.leave(-2)
    assert bench.group.members["a"].assigned == {bench.cluster.id_of("topic"): {0: 0, 1: 0}}
    bench.driver.restart()
    assert bench.join("a2", "topic", instance="i").owned == partitions("topic", 0, 1)
    bench.driver.check_replay()


def test_commits_of_one_that_came_back() -> None:
    bench = Bench(topic=2)
    first = bench.join("a", "topic", instance="i")
    first.leave(-2)
    back = bench.join("a2", "topic", instance="i")
    assert back.in_group().epoch_of(bench.cluster.id_of("topic"), 0) == 0
    with pytest.raises(ApiError):
        bench.group.member("a")
    assert bench.driver.shard.state.consumer_groups[GROUP].static_member("i") == back.in_group()
