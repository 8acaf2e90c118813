"""Groups change their protocol while members stay: from classic to KIP-848 and back, and live as both."""

from __future__ import annotations

import pytest

from kstream.errors import ErrorCode
from kstream.groups.settings import ConsumerSettings, GroupSettings
from kstream.groups.states import ClassicState
from tests.groups.consumer.bench import GROUP, Bench
from tests.groups.consumer.classic import (
    REBALANCE_MS,
    SESSION_MS,
    ClassicConsumer,
    Owned,
    read_assignment,
    subscription,
)
from tests.groups.consumer.test_heartbeat import partitions, refused

IN_PROGRESS = ErrorCode.REBALANCE_IN_PROGRESS


def classic(bench: Bench, *topics: str, instance: str | None = None) -> ClassicConsumer:
    return ClassicConsumer(bench.driver, GROUP, *topics, instance=instance)


def classic_group(bench: Bench, *shares: Owned) -> list[ClassicConsumer]:
    """A stable classic group whose leader gave each member such a share."""
    consumers = [classic(bench, "topic") for _ in shares]
    tokens = [consumer.begin_join() for consumer in consumers]
    bench.driver.advance(0)
    if tokens[0].response.generation_id == 1 and len(consumers) > 1:
        tokens = [consumer.begin_join() for consumer in consumers]
    for consumer, token in zip(consumers, tokens, strict=True):
        consumer.take(token.response)
    by_id = {each.member_id: share for each, share in zip(consumers, shares, strict=True)}
    leader_id = tokens[0].response.leader
    for consumer in sorted(consumers, key=lambda each: each.member_id != leader_id):
        assert consumer.sync(by_id if consumer.member_id == leader_id else None) == 0
    assert bench.driver.group(GROUP).state is ClassicState.STABLE
    return consumers


def catch_up(bench: Bench, *consumers: ClassicConsumer) -> None:
    """Classic members beat, and join and sync when they are told to; the others beat; until all is quiet."""
    for _ in range(6):
        bench.wait_for_assignment()
        for member in bench.members.values():
            if member.is_in:
                member.beat()
        for consumer in consumers:
            if consumer.beat() == IN_PROGRESS:
                consumer.join()
                assert consumer.sync() in (0, IN_PROGRESS)


def test_a_classic_group_goes_on_as_one_of_kip_848() -> None:
    bench = Bench(topic=4)
    first, second = classic_group(bench, partitions("topic", 0, 1), partitions("topic", 2, 3))
    generation = first.generation
    member = bench.join("a", "topic")
    assert GROUP not in bench.driver.shard.state.groups
    assert set(bench.group.members) == {first.member_id, second.member_id, "a"}
    assert member.owned == set()
    assert bench.group.members[first.member_id].assigned == {
        bench.cluster.id_of("topic"): {0: generation, 1: generation}
    }
    catch_up(bench, first, second)
    assert bench.state == "Stable"
    shares = [first.owned, second.owned, member.owned]
    assert sorted(map(len, shares)) == [1, 1, 2]
    assert set().union(*shares) == partitions("topic", 0, 1, 2, 3)
    bench.driver.check_replay()


def test_who_waits_in_the_classic_group_is_told_to_join_again() -> None:
    bench = Bench(topic=2)
    (first,) = classic_group(bench, partitions("topic", 0, 1))
    second = classic(bench, "topic")
    waiting = second.begin_join()
    assert not waiting.is_answered
    bench.join("a", "topic")
    assert waiting.response.error_code == IN_PROGRESS
    bench.driver.check_waiting()
    second.join()
    second.sync()
    catch_up(bench, first, second)
    assert len(first.owned | second.owned | bench.members["a"].owned) == 2


def test_a_classic_member_joins_a_group_of_kip_848() -> None:
    bench = Bench(topic=2)
    member = bench.join("a", "topic")
    consumer = classic(bench, "topic")
    answer = consumer.join()
    assert (answer.leader, answer.members, answer.protocol_name) == ("", [], "range")
    assert consumer.sync() == 0
    assert consumer.owned == set()
    catch_up(bench, consumer)
    assert len(consumer.owned) == len(member.owned) == 1
    bench.driver.restart()
    catch_up(bench, consumer)
    assert len(consumer.owned) == len(member.owned) == 1


def test_the_last_member_of_kip_848_that_leaves_makes_the_group_classic() -> None:
    bench = Bench(topic=2)
    member = bench.join("a", "topic")
    consumer = classic(bench, "topic")
    consumer.join()
    consumer.sync()
    catch_up(bench, consumer)
    owned = set(consumer.owned)
    member.leave()
    state = bench.driver.shard.state
    assert GROUP not in state.consumer_groups
    group = bench.driver.group(GROUP)
    assert group.state.value == "PreparingRebalance"
    assert read_assignment(group.members[consumer.member_id].assignment) == owned
    assert consumer.beat() == IN_PROGRESS
    token = consumer.begin_join()
    consumer.take(token.response)
    assert consumer.sync({consumer.member_id: partitions("topic", 0, 1)}) == 0
    assert group.state.value == "Stable"
    bench.driver.check_replay()


def test_a_silent_last_member_makes_the_group_classic_too() -> None:
    bench = Bench(topic=2)
    bench.join("a", "topic")
    consumer = classic(bench, "topic")
    consumer.join()
    consumer.sync()
    for _ in range(20):
        bench.driver.advance(SESSION_MS // 2)
        if GROUP in bench.driver.shard.state.groups:
            break
        if consumer.beat() == IN_PROGRESS:
            consumer.join()
            consumer.sync()
    assert set(bench.driver.group(GROUP).members) == {consumer.member_id}


@pytest.mark.parametrize("must_rebalance", [False, True])
def test_a_static_member_that_comes_back_classic(must_rebalance: bool) -> None:
    bench = Bench(topic=2)
    bench.join("a", "topic", instance="i")
    other = classic(bench, "topic")
    other.join()
    other.sync()
    catch_up(bench, other)
    if must_rebalance:
        bench.cluster.grow("topic", 3)
        bench.topics_changed("topic")
    back = classic(bench, "topic", instance="i")
    back.owned = set()
    back.join()
    group = bench.driver.group(GROUP)
    assert set(group.members) == {other.member_id, back.member_id}
    assert group.state is (ClassicState.PREPARING_REBALANCE if must_rebalance else ClassicState.STABLE)
    if not must_rebalance:
        assert back.sync() == 0
        assert back.owned | other.owned == partitions("topic", 0, 1)
    bench.driver.check_replay()


def test_classic_members_are_removed_when_they_do_not_come() -> None:
    bench = Bench(topic=2)
    bench.join("a", "topic")
    silent, unsynced, deaf = (classic(bench, "topic") for _ in range(3))
    for consumer in (silent, unsynced, deaf):
        consumer.join()
    silent.sync()
    deaf.sync()
    for _ in range(2 * REBALANCE_MS // 1_000 + 2):
        bench.driver.advance(1_000)
        bench.members["a"].beat()
        for consumer in (unsynced, deaf):
            if consumer.member_id in bench.group.members:
                consumer.beat()  # but it does not join when it is told to, or sync
    assert set(bench.group.members) == {"a"}
    assert bench.members["a"].owned == partitions("topic", 0, 1)


def test_requests_of_classic_members_are_checked() -> None:
    bench = Bench(topic=2)
    bench.join("a", "topic")
    consumer = classic(bench, "topic", instance="i")
    consumer.join()
    assert consumer.beat(generation=99) == ErrorCode.ILLEGAL_GENERATION
    stranger = classic(bench, "topic")
    stranger.member_id, stranger.generation = "a", bench.members["a"].epoch
    assert stranger.beat() == stranger.sync() == ErrorCode.UNKNOWN_MEMBER_ID
    imposter = classic(bench, "topic", instance="i")
    imposter.member_id = "imposter"
    assert imposter.beat() == ErrorCode.FENCED_INSTANCE_ID
    left = consumer.leave(("", "i"), ("nobody", None), ("wrong", "i"))
    assert [each.error_code for each in left.members] == [
        0,
        ErrorCode.UNKNOWN_MEMBER_ID,
        ErrorCode.FENCED_INSTANCE_ID,
    ]
    assert set(bench.group.members) == {"a"}
    other = classic(bench, "topic")
    answer = bench.driver.ask(other.joining(protocol_type="connect"))
    assert answer.error_code == ErrorCode.INCONSISTENT_GROUP_PROTOCOL


@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        (ConsumerSettings(can_upgrade=False), {}),
        (ConsumerSettings(max_size=0), {}),
        (ConsumerSettings(), {"protocol_type": "connect"}),
        (ConsumerSettings(), {"metadata": b"?"}),
        (ConsumerSettings(), {"user_data": b"mine"}),
    ],
)
def test_groups_that_cannot_be_upgraded(settings: ConsumerSettings, changes: dict[str, object]) -> None:
    bench = Bench(GroupSettings(consumer=settings), topic=2)
    classic_group(bench, partitions("topic", 0, 1))
    group = bench.driver.group(GROUP)
    (member,) = group.members.values()
    if "protocol_type" in changes:
        group.protocol_type = "connect"
    if "metadata" in changes:
        member.protocols = {"range": b"?"}
    if "user_data" in changes:
        member.assignment = member.assignment[:-4] + b"\x00\x00\x00\x01!"
    records = len(bench.driver.log)
    full = settings.max_size == 0
    with refused(ErrorCode.GROUP_ID_NOT_FOUND):
        bench.join("a", "topic")
    assert len(bench.driver.log) == records, full
    assert group.state is ClassicState.STABLE


def test_no_downgrade_where_it_is_not_allowed() -> None:
    bench = Bench(GroupSettings(consumer=ConsumerSettings(can_downgrade=False)), topic=2)
    member = bench.join("a", "topic")
    consumer = classic(bench, "topic")
    consumer.join()
    consumer.sync()
    member.leave()
    assert set(bench.group.members) == {consumer.member_id}
    catch_up(bench, consumer)
    assert consumer.owned == partitions("topic", 0, 1)


def test_no_classic_members_where_nothing_is_allowed() -> None:
    bench = Bench(GroupSettings(consumer=ConsumerSettings(can_upgrade=False, can_downgrade=False)), topic=2)
    bench.join("a", "topic")
    answer = bench.driver.ask(classic(bench, "topic").joining())
    assert answer.error_code == ErrorCode.INCONSISTENT_GROUP_PROTOCOL


def test_empty_groups_change_kind_as_they_are_asked_to() -> None:
    bench = Bench(topic=2)
    bench.join("a", "topic").leave()
    consumer = classic(bench, "topic")
    token = consumer.begin_join()
    bench.driver.advance(0)
    consumer.take(token.response)
    assert set(bench.driver.shard.state.groups) == {GROUP}
    assert not bench.driver.shard.state.consumer_groups
    consumer.leave()
    bench.join("b", "topic")
    assert not bench.driver.shard.state.groups
    bench.driver.check_replay()


def test_what_consumers_write_is_what_is_read() -> None:
    metadata = subscription(["topic"], partitions("topic", 1))
    assert metadata[:2] == b"\x00\x01"
    assert read_assignment(b"\x00\x01\x00\x00\x00\x00\xff\xff\xff\xff") == set()
