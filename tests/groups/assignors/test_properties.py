"""What users rely on: every partition has one owner, loads are even, and nothing moves without need."""

from __future__ import annotations

import time
from collections import Counter
from itertools import chain, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.groups.assignors import ASSIGNORS, Assignor, MemberSubscription, TopicPartitions
from kstream.groups.assignors.model import Targets

Topics = dict[bytes, TopicPartitions]
Members = list[MemberSubscription]


def topic(number: int, partition_count: int) -> TopicPartitions:
    return TopicPartitions(number.to_bytes(16, "big"), f"topic-{number}", partition_count)


def member(member_id: str, topic_ids: frozenset[bytes], instance_id: str | None = None) -> MemberSubscription:
    return MemberSubscription(member_id, instance_id, None, topic_ids, {})


@st.composite
def groups(draw: st.DrawFn, *, is_mixed: bool) -> tuple[Members, Topics]:
    counts = draw(st.lists(st.integers(0, 40), min_size=1, max_size=5))
    topics = {each.topic_id: each for each in map(topic, range(len(counts)), counts)}
    names = draw(st.lists(st.text("abcdef", min_size=1, max_size=6), min_size=1, max_size=12, unique=True))
    subscriptions = st.frozensets(st.sampled_from(list(topics)))
    shared = draw(subscriptions)
    return [member(name, draw(subscriptions) if is_mixed else shared) for name in names], topics


def again(members: Members, targets: Targets) -> Members:
    """The members in the next round."""
    return [each._replace(assigned=targets[each.member_id]) for each in members]


def owners(targets: Targets) -> dict[tuple[bytes, int], str]:
    found: dict[tuple[bytes, int], str] = {}
    for member_id, target in targets.items():
        for topic_id, partitions in target.items():
            assert partitions
            for partition in partitions:
                assert (topic_id, partition) not in found
                found[topic_id, partition] = member_id
    return found


def check_valid(members: Members, topics: Topics, targets: Targets) -> None:
    assert targets.keys() == {each.member_id for each in members}
    subscribed = frozenset[bytes]().union(*(each.topic_ids for each in members))
    assert owners(targets).keys() == {
        (topic_id, partition)
        for topic_id in subscribed
        for partition in range(topics[topic_id].partition_count)
    }
    for each in members:
        assert targets[each.member_id].keys() <= each.topic_ids


def size(target: dict[bytes, frozenset[int]]) -> int:
    return sum(map(len, target.values()))


@pytest.mark.parametrize("assignor", ASSIGNORS.values(), ids=list(ASSIGNORS))
@given(group=st.one_of(groups(is_mixed=True), groups(is_mixed=False)))
def test_every_partition_has_one_subscribed_owner(assignor: Assignor, group: tuple[Members, Topics]) -> None:
    members, topics = group
    targets = assignor(members, topics)
    check_valid(members, topics, targets)
    assert assignor(again(members, targets), topics) == targets, "a second time, nothing moves"


@given(groups(is_mixed=False), st.data())
def test_uniform_is_even_and_moves_no_more_than_it_must(
    group: tuple[Members, Topics], data: st.DataObject
) -> None:
    assign = ASSIGNORS["uniform"]
    members, topics = group
    before = assign(members, topics)
    members = again(members, before)
    shared = members[0].topic_ids
    has_joined = len(members) == 1 or data.draw(st.booleans())
    if has_joined:
        members = [*members, member("newcomer", shared)]
    else:
        members.remove(data.draw(st.sampled_from(members)))
    after = assign(members, topics)
    check_valid(members, topics, after)
    sizes = [size(target) for target in after.values()]
    assert max(sizes) - min(sizes) <= 1
    former, new = owners(before), owners(after)
    moved = [place for place in new if former[place] in after and former[place] != new[place]]
    if has_joined:
        assert all(new[place] == "newcomer" for place in moved)
    else:
        assert not moved


@given(groups(is_mixed=True))
def test_uniform_is_even_among_those_with_equal_subscriptions(group: tuple[Members, Topics]) -> None:
    members, topics = group
    targets = ASSIGNORS["uniform"](members, topics)
    for topic_ids, count in Counter(each.topic_ids for each in members).items():
        same = [each.member_id for each in members if each.topic_ids == topic_ids]
        sizes = [size(targets[member_id]) for member_id in same]
        assert len(sizes) == count
        assert max(sizes) - min(sizes) <= 1


@given(groups(is_mixed=True))
def test_range_gives_contiguous_ranges_of_even_length(group: tuple[Members, Topics]) -> None:
    members, topics = group
    targets = ASSIGNORS["range"](members, topics)
    for topic_id, each in topics.items():
        subscribers = sorted(one.member_id for one in members if topic_id in one.topic_ids)
        ranges = [sorted(targets[member_id].get(topic_id, ())) for member_id in subscribers]
        assert list(chain(*ranges)) == (list(range(each.partition_count)) if subscribers else [])
        assert all(len(first) - len(second) in (0, 1) for first, second in pairwise(ranges))


def test_range_puts_static_members_first_whatever_their_ids() -> None:
    t = topic(1, 3)
    ids = frozenset({t.topic_id})
    members = [member("a", ids), member("z", ids, "instance-1"), member("b", ids, "instance-2")]
    targets = ASSIGNORS["range"](members, {t.topic_id: t})
    assert {each: list(*target.values()) for each, target in targets.items()} == {
        "z": [0],
        "b": [1],
        "a": [2],
    }


@pytest.mark.parametrize("is_mixed", [False, True])
def test_large_groups_are_cheap(is_mixed: bool) -> None:
    topics = {each.topic_id: each for each in (topic(number, 100) for number in range(10))}
    ids = frozenset(topics)
    some = ids - {min(ids)} if is_mixed else ids
    members = [member(f"consumer-{number}", some if number % 2 else ids) for number in range(200)]
    assign = ASSIGNORS["uniform"]
    members = again(members, assign(members, topics))
    members.append(member("newcomer", ids))
    began_s = time.process_time()
    assign(members, topics)
    assert time.process_time() - began_s < 0.5  # it is some 10 ms
