"""Members of a KIP-848 group join, share partitions so that none has two owners, stay, leave, are fenced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from kstream.errors import ApiError, ErrorCode
from kstream.groups.settings import ConsumerSettings, GroupSettings
from tests.groups.consumer.bench import GROUP, REBALANCE_MS, Bench, beating
from tests.groups.consumer.fake_cluster import FakeCluster

SESSION_MS = FakeCluster().config.session_timeout_ms


@contextmanager
def refused(code: ErrorCode) -> Iterator[None]:
    with pytest.raises(ApiError) as caught:
        yield
    assert caught.value.code is code
    assert caught.value.message


def partitions(name: str, *indexes: int) -> set[tuple[str, int]]:
    return {(name, index) for index in indexes}


def test_the_first_member_gets_everything_at_once() -> None:
    bench = Bench(topic=3)
    answer = bench.member("a", "topic").join()
    assert (answer.member_id, answer.member_epoch, answer.heartbeat_interval_ms) == ("a", 2, 5_000)
    assert bench.members["a"].owned == partitions("topic", 0, 1, 2)
    assert bench.state == "Stable"


def test_partitions_are_revoked_before_they_are_assigned() -> None:
    bench = Bench(topic=4)
    first = bench.join("a", "topic")
    second = bench.join("b", "topic")
    assert second.owned == set()
    bench.wait_for_assignment()
    second.stay()
    assert (second.epoch, second.owned) == (3, set())
    assert bench.state == "Reconciling"
    given_up = partitions("topic", 0, 1, 2, 3)
    first.stay()
    assert len(first.owned) == 2
    assert first.epoch == 2  # it stays in its epoch until it has given up
    second.stay()
    assert second.owned == set()
    first.beat()
    assert first.epoch == 3
    second.stay()
    assert second.owned == given_up - first.owned
    assert bench.state == "Stable"


def test_what_a_member_gives_up_too_slowly_costs_its_membership() -> None:
    bench = Bench(topic=2)
    first = bench.join("a", "topic")
    second = bench.join("b", "topic")
    bench.wait_for_assignment()
    second.stay()
    first.stay()
    bench.driver.advance(REBALANCE_MS - 1)
    first.stay()
    assert set(bench.group.members) == {"a", "b"}
    bench.driver.advance(1)
    assert set(bench.group.members) == {"b"}
    first.is_in = False
    bench.settle()
    assert second.owned == partitions("topic", 0, 1)


def test_a_silent_member_is_removed() -> None:
    bench = Bench(topic=2)
    bench.join("a", "topic")
    bench.driver.advance(SESSION_MS - 1)
    assert bench.state == "Stable"
    bench.driver.advance(1)
    assert bench.state == "Empty"
    with refused(ErrorCode.UNKNOWN_MEMBER_ID):
        bench.members["a"].stay()


def test_leaving_gives_partitions_to_others() -> None:
    bench = Bench(topic=2)
    first, second = bench.join("a", "topic"), bench.join("b", "topic")
    bench.settle()
    answer = first.leave()
    assert (answer.member_id, answer.member_epoch) == ("a", -1)
    bench.settle()
    assert second.owned == partitions("topic", 0, 1)
    second.leave()
    assert bench.state == "Empty"
    assert bench.group.assignment_epoch == bench.group.epoch
    with refused(ErrorCode.UNKNOWN_MEMBER_ID):
        second.leave()


def test_epochs_fence() -> None:
    bench = Bench(topic=2)
    member = bench.join("a", "topic")
    for epoch in (member.epoch + 1, member.epoch - 1):
        with refused(ErrorCode.FENCED_MEMBER_EPOCH):
            member.send(epoch)
    with refused(ErrorCode.UNKNOWN_MEMBER_ID):
        bench.member("stranger").send(1)
    with refused(ErrorCode.GROUP_ID_NOT_FOUND):
        bench.member("b", group="other").send(1)


def test_an_answer_that_got_lost_does_not_fence() -> None:
    bench = Bench(topic=2)
    first = bench.join("a", "topic")
    former = first.epoch
    bench.join("b", "topic")
    bench.wait_for_assignment()
    bench.members["b"].stay()
    first.stay()
    kept = set(first.held)
    all_held = {(topic_id, index) for topic_id, _ in kept for index in range(2)}
    first.beat()
    assert first.epoch == former + 1
    # It did not hear of the new epoch, and says again what it has, of the epoch before.
    assert first.send(former, topic_partitions=first.owns(kept)).member_epoch == former + 1
    with refused(ErrorCode.FENCED_MEMBER_EPOCH):
        first.send(former, topic_partitions=first.owns(all_held))


def test_joining_again_under_the_same_id_keeps_the_assignment() -> None:
    bench = Bench(topic=2)
    member = bench.join("a", "topic")
    records = len(bench.driver.log)
    answer = member.join()
    assert member.owned == partitions("topic", 0, 1)
    assert answer.assignment is not None
    assert len(bench.driver.log) == records


def test_an_assignment_is_told_once_or_when_all_is_said_anew() -> None:
    bench = Bench(topic=2)
    member = bench.join("a", "topic")
    assert member.stay().assignment is None
    assert member.beat().assignment is None
    said = {"rebalance_timeout_ms": REBALANCE_MS, "subscribed_topic_names": ["topic"]}
    assert member.beat(**said).assignment is not None


def test_topics_that_come_grow_and_go() -> None:
    bench = Bench(topic=2)
    member = bench.join("a", "topic", "later")
    assert member.owned == partitions("topic", 0, 1)
    bench.cluster.create("later", 1)
    bench.topics_changed("later")
    bench.settle()
    assert member.owned == partitions("topic", 0, 1) | partitions("later", 0)
    bench.cluster.grow("topic", 3)
    bench.topics_changed("topic")
    bench.settle()
    assert member.owned == partitions("topic", 0, 1, 2) | partitions("later", 0)
    bench.cluster.delete("later")
    bench.topics_changed("later")
    bench.settle()
    assert member.owned == partitions("topic", 0, 1, 2)
    epoch = bench.group.epoch
    bench.cluster.create("unrelated", 1)
    bench.topics_changed("unrelated")
    bench.settle()
    assert bench.group.epoch == epoch


def test_a_topic_made_again_is_another() -> None:
    bench = Bench(topic=1)
    member = bench.join("a", "topic")
    bench.cluster.delete("topic")
    bench.cluster.create("topic", 2)
    bench.topics_changed("topic")
    bench.settle()
    assert member.owned == partitions("topic", 0, 1)


def test_a_coordinator_that_was_away_notices_that_topics_changed() -> None:
    bench = Bench(topic=1)
    member = bench.join("a", "topic")
    bench.cluster.grow("topic", 2)
    bench.driver.restart()
    bench.settle()
    assert member.owned == partitions("topic", 0, 1)


def test_unsubscribing_gives_up_before_there_is_a_new_assignment() -> None:
    bench = Bench(one=1, two=1)
    member = bench.join("a", "one", "two")
    member.subscribe("one")
    assert member.owned == partitions("one", 0)
    assert member.in_group().state == 1
    bench.settle()
    assert member.in_group().state == 0
    assert bench.state == "Stable"


def test_the_assignment_interval_spares_work() -> None:
    bench = Bench(topic=4)
    bench.join("a", "topic")
    for name in ("b", "c", "d"):
        bench.join(name, "topic")
    assert bench.group.assignment_epoch == 2
    assert bench.state == "Assigning"
    bench.settle()
    assert bench.group.assignment_epoch == bench.group.epoch == 5
    assert sorted(len(member.owned) for member in bench.members.values()) == [1, 1, 1, 1]


def test_no_interval_assigns_at_once() -> None:
    bench = Bench(topic=2)
    bench.cluster.config = bench.cluster.config._replace(assignment_interval_ms=0)
    bench.join("a", "topic")
    bench.join("b", "topic")
    assert bench.group.assignment_epoch == bench.group.epoch == 3


def test_the_assignor_that_most_ask_for() -> None:
    bench = Bench(one=1, two=1)
    bench.join("a", "one", "two", assignor="range")
    bench.join("b", "one", "two", assignor="range")
    bench.settle()
    assert sorted(len(member.owned) for member in bench.members.values()) == [0, 2]
    for name in ("c", "d", "e"):
        bench.join(name, "one", "two", assignor="uniform")
    bench.settle()
    assert sorted(len(member.owned) for member in bench.members.values()) == [0, 0, 0, 1, 1]


def test_a_full_group() -> None:
    bench = Bench(GroupSettings(consumer=ConsumerSettings(max_size=1)), topic=2)
    bench.join("a", "topic").join()
    with refused(ErrorCode.GROUP_MAX_SIZE_REACHED):
        bench.join("b", "topic")


def test_group_configuration_counts() -> None:
    bench = Bench(topic=1)
    bench.cluster.config = bench.cluster.config._replace(session_timeout_ms=1_000, heartbeat_interval_ms=300)
    assert bench.member("a", "topic").join().heartbeat_interval_ms == 300
    bench.driver.advance(1_000)
    assert bench.state == "Empty"


@pytest.mark.parametrize(
    ("epoch", "fields", "code"),
    [
        (0, {"subscribed_topic_names": ["t"], "topic_partitions": []}, ErrorCode.INVALID_REQUEST),
        (0, {"rebalance_timeout_ms": 1, "topic_partitions": []}, ErrorCode.INVALID_REQUEST),
        (0, {"rebalance_timeout_ms": 1, "subscribed_topic_names": ["t"]}, ErrorCode.INVALID_REQUEST),
        (1, {"instance_id": ""}, ErrorCode.INVALID_REQUEST),
        (1, {"rack_id": " "}, ErrorCode.INVALID_REQUEST),
        (1, {"member_id": ""}, ErrorCode.INVALID_REQUEST),
        (1, {"group_id": ""}, ErrorCode.INVALID_REQUEST),
        (-2, {}, ErrorCode.INVALID_REQUEST),
        (-3, {}, ErrorCode.INVALID_REQUEST),
        (1, {"server_assignor": "mine"}, ErrorCode.UNSUPPORTED_ASSIGNOR),
    ],
)
def test_requests_that_cannot_be_right(epoch: int, fields: dict[str, Any], code: ErrorCode) -> None:
    request = Bench().member("a").request(epoch)
    for name, value in fields.items():
        setattr(request, name, value)
    with refused(code):
        beating(request)


def test_version_0_may_leave_the_id_to_the_coordinator() -> None:
    bench = Bench(topic=1)
    request = bench.member("").request(
        0, rebalance_timeout_ms=1, subscribed_topic_names=["topic"], topic_partitions=[]
    )
    with refused(ErrorCode.INVALID_REQUEST):
        beating(request)
    answer = bench.driver.ask(beating(request, version=0))
    assert answer.member_id.startswith("member-")
    assert answer.member_id in bench.group.members


def test_a_restart_goes_on_with_the_members_there_were() -> None:
    bench = Bench(topic=4)
    first, second = bench.join("a", "topic"), bench.join("b", "topic")
    bench.wait_for_assignment()
    second.stay()
    first.stay()
    bench.driver.check_replay()
    bench.driver.restart()
    bench.settle()
    assert len(first.owned) == len(second.owned) == 2
    bench.driver.restart()
    bench.driver.advance(SESSION_MS)
    assert bench.driver.shard.state.consumer_groups[GROUP].is_empty
