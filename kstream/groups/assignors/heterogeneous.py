"""The `uniform` assignor where members subscribe to different topics.

Members keep what they had. What nobody has is given out topic by topic, to whichever subscriber has least.
Then partitions move from the subscribers of a topic that have most to those that have least, topic after
topic and round after round, until no move would help.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kstream.groups.assignors.model import MemberSubscription, Targets, TopicPartitions

_ROUNDS_MAX = 16


def assign_heterogeneous(
    members: Sequence[MemberSubscription], topics: Mapping[bytes, TopicPartitions]
) -> Targets:
    """Members come in Java's order: of several with equal loads, the first gets a partition first."""
    return _Assignment(members, topics).build()


class _Assignment:
    """The target while it is built. Members go by their index."""

    def __init__(
        self, members: Sequence[MemberSubscription], topics: Mapping[bytes, TopicPartitions]
    ) -> None:
        self._members = members
        self._loads = [0] * len(members)
        self._subscribers: dict[bytes, list[int]] = {}
        for index, member in enumerate(members):
            for topic_id in member.topic_ids:
                self._subscribers.setdefault(topic_id, []).append(index)
        self._owners: dict[bytes, list[int | None]] = {
            topic_id: [None] * topics[topic_id].partition_count for topic_id in self._subscribers
        }

    def build(self) -> Targets:
        for index, member in enumerate(self._members):
            for topic_id, partitions in member.assigned.items():
                if topic_id in member.topic_ids:
                    for partition in partitions:
                        self._give(topic_id, partition, index)
        self._assign_unowned()
        self._balance()
        targets: dict[str, dict[bytes, list[int]]] = {member.member_id: {} for member in self._members}
        for topic_id, owners in self._owners.items():
            for partition, owner in enumerate(owners):
                if owner is not None:
                    target = targets[self._members[owner].member_id]
                    target.setdefault(topic_id, []).append(partition)
        return {
            member_id: {topic_id: frozenset(partitions) for topic_id, partitions in target.items()}
            for member_id, target in targets.items()
        }

    def _give(self, topic_id: bytes, partition: int, index: int) -> None:
        owners = self._owners[topic_id]
        former = owners[partition]
        if former is not None:
            self._loads[former] -= 1
        owners[partition] = index
        self._loads[index] += 1

    def _in_order(self, topic_ids: Iterable[bytes]) -> list[bytes]:
        """Topics with most partitions for each subscriber first, since these weigh most."""

        def key(topic_id: bytes) -> tuple[float, int, int, int]:
            subscribers = len(self._subscribers[topic_id])
            high, low = (int.from_bytes(half, "big", signed=True) for half in (topic_id[:8], topic_id[8:]))
            return -len(self._owners[topic_id]) / subscribers, subscribers, high, low

        return sorted(topic_ids, key=key)

    def _assign_unowned(self) -> None:
        unowned = {
            topic_id: [partition for partition, owner in enumerate(owners) if owner is None]
            for topic_id, owners in self._owners.items()
        }
        for topic_id in self._in_order(topic_id for topic_id, partitions in unowned.items() if partitions):
            levels = _Levels(self._subscribers[topic_id], self._loads)
            for partition in unowned[topic_id]:
                self._give(topic_id, partition, levels.next_least())

    def _balance(self) -> None:
        topic_ids = self._in_order(
            topic_id for topic_id, subscribers in self._subscribers.items() if len(subscribers) > 1
        )
        last_changed: bytes | None = None
        for _ in range(_ROUNDS_MAX):
            for topic_id in topic_ids:
                if topic_id == last_changed:
                    return  # A whole round without a move.
                if self._balance_topic(topic_id) or last_changed is None:
                    last_changed = topic_id

    def _balance_topic(self, topic_id: bytes) -> bool:
        """Even out the loads of a topic's subscribers as far as its partitions can; whether one moved."""
        loads = [self._loads[index] for index in self._subscribers[topic_id]]
        if max(loads) - min(loads) <= 1:
            return False
        levels = _Levels(self._subscribers[topic_id], self._loads)
        movable: dict[int, list[int]] = {}
        for partition, owner in enumerate(self._owners[topic_id]):
            if owner is not None:
                movable.setdefault(owner, []).append(partition)
        has_moved = False
        while True:
            while (giver := levels.next_most()) is not None and not movable.get(giver):
                levels.pass_over()
            if giver is None:
                return has_moved
            partition = movable[giver].pop()
            taker = levels.next_least()
            if levels.are_even:
                return has_moved
            self._give(topic_id, partition, taker)
            has_moved = True


class _Levels:
    """Subscribers by load, with a level that rises from the lowest and one that sinks from the highest.

    Those at a level take turns, so that it rises or sinks by one when each had its turn and then takes in
    those who were at the new level from the start.
    """

    def __init__(self, subscribers: Iterable[int], loads: Sequence[int]) -> None:
        self._loads = loads
        self._order = sorted(subscribers, key=lambda index: (loads[index], index))
        count = len(self._order)
        self._low = loads[self._order[0]] - 1
        self._low_end = 0
        self._next_low = 0
        self._high = loads[self._order[-1]] + 1
        self._high_start = self._high_end = count
        self._next_high = count - 1

    @property
    def are_even(self) -> bool:
        """Whether the levels have met: another move would not help."""
        return self._high - self._low <= 1

    def next_least(self) -> int:
        """One of those with the least load. The caller gives it one partition more."""
        if self._next_low >= self._low_end:
            self._low += 1
            while self._low_end < len(self._order) and self._load_at(self._low_end) == self._low:
                self._low_end += 1
            self._next_low = 0
        self._next_low += 1
        return self._order[self._next_low - 1]

    def next_most(self) -> int | None:
        """One of those with the highest load, to take a partition from; None: nobody is left."""
        if self._next_high < self._high_start:
            if self._high_end <= self._high_start and self._high_start > 0:
                self._high = self._load_at(
                    self._high_start - 1
                )  # All that were higher have been passed over.
            else:
                self._high -= 1
            while self._high_start > 0 and self._load_at(self._high_start - 1) == self._high:
                self._high_start -= 1
            self._next_high = self._high_end - 1
        if self._next_high < 0:
            return None
        self._next_high -= 1
        return self._order[self._next_high + 1]

    def pass_over(self) -> None:
        """Who came last from `next_most` has nothing to give: it does not take turns any more."""
        at, last = self._next_high + 1, self._high_end - 1
        self._order[at], self._order[last] = self._order[last], self._order[at]
        self._high_end = last

    def _load_at(self, place: int) -> int:
        return self._loads[self._order[place]]
