"""Groups that live through random rounds: members come, go and change, topics appear and grow.

The same seed gives the same rounds everywhere: each round's targets are the next one's assignment so far.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from kstream.groups.assignors import ASSIGNORS, MemberSubscription, TopicPartitions
from kstream.groups.assignors.model import Targets, is_homogeneous
from kstream.groups.assignors.simple import assign_simple
from kstream.wire.uuids import format_uuid

RACKS = ("a", "b", "c")


class Question(NamedTuple):
    """What an assignor is asked."""

    assignor: str
    members: list[MemberSubscription]
    topics: dict[bytes, TopicPartitions]
    assignable: dict[bytes, int] | None = None
    """Of share groups: how many of each topic's partitions, from the first, may be assigned."""

    def answer(self) -> Targets:
        """What ours answers."""
        if self.assignable is None:
            return ASSIGNORS[self.assignor](self.members, self.topics)
        allowed = {topic_id: range(count) for topic_id, count in self.assignable.items()}
        alike = is_homogeneous(self.members)
        return assign_simple(self.members, self.topics, allowed, is_homogeneous=alike)


class Group:
    """One group, driven by a seed. Ask `question`, then `take` the answer."""

    def __init__(self, seed: int, *, is_share: bool = False) -> None:
        self._draw = draw = random.Random(seed)
        self._is_share = is_share
        self._initialized: dict[bytes, int] = {}
        self._assignor = draw.choice(["uniform", "uniform", "range"])
        self._is_mixed = draw.random() < 0.6
        self._is_static = draw.random() < 0.3
        self._has_racks = draw.random() < 0.3
        self._size_max = draw.choice([3, 8, 8, 30])
        self._partitions_max = draw.choice([4, 12, 12, 60])
        self._names = 0
        self._topics: dict[bytes, TopicPartitions] = {}
        self._members: dict[str, MemberSubscription] = {}
        for _ in range(draw.randint(1, 16 if draw.random() < 0.2 else 4)):
            self._create_topic()
        self._shared = self._subscription()
        for _ in range(draw.randint(1, self._size_max)):
            self._join()

    def question(self) -> Question:
        used = frozenset[bytes]().union(*(member.topic_ids for member in self._members.values()))
        topics = {topic_id: topic for topic_id, topic in self._topics.items() if topic_id in used}
        if not self._is_share:
            return Question(self._assignor, list(self._members.values()), topics)
        for topic in topics.values():
            # What is initialized stays so; the rest follows sooner or later.
            known = self._initialized.get(topic.topic_id, 0)
            self._initialized[topic.topic_id] = self._draw.choice([known, topic.partition_count])
        assignable = {topic_id: self._initialized[topic_id] for topic_id in topics}
        return Question("simple", list(self._members.values()), topics, assignable)

    def take(self, targets: Targets) -> None:
        """The answer; then something happens."""
        for member_id, target in targets.items():
            ordered = {topic_id: target[topic_id] for topic_id in sorted(target)}
            self._members[member_id] = self._members[member_id]._replace(assigned=ordered)
        for _ in range(self._draw.randint(1, 3)):
            happening = self._draw.choice(
                [self._join, self._join, self._leave, self._grow, self._create_topic, self._change]
            )
            happening()

    def _subscription(self) -> frozenset[bytes]:
        ids = list(self._topics)
        return frozenset(self._draw.sample(ids, self._draw.randint(1, len(ids))))

    def _create_topic(self) -> None:
        topic_id = self._draw.randbytes(16)
        name = f"topic-{len(self._topics)}"
        self._topics[topic_id] = TopicPartitions(topic_id, name, 0)
        self._resize(topic_id, self._draw.randint(1, self._partitions_max))

    def _resize(self, topic_id: bytes, count: int) -> None:
        racks = [frozenset(self._draw.sample(RACKS, 2)) for _ in range(count)] if self._has_racks else ()
        self._topics[topic_id] = self._topics[topic_id]._replace(partition_count=count, racks=racks)

    def _grow(self) -> None:
        topic_id = self._draw.choice(list(self._topics))
        self._resize(topic_id, self._topics[topic_id].partition_count + self._draw.randint(1, 5))

    def _join(self) -> None:
        if len(self._members) == self._size_max:
            return
        self._names += 1
        member_id = format_uuid(self._draw.randbytes(16))
        self._members[member_id] = MemberSubscription(
            member_id,
            f"instance-{self._names}" if self._is_static and self._draw.random() < 0.7 else None,
            self._draw.choice(RACKS) if self._has_racks else None,
            self._subscription() if self._is_mixed else self._shared,
            {},
        )

    def _leave(self) -> None:
        if len(self._members) > 1:
            del self._members[self._draw.choice(list(self._members))]

    def _change(self) -> None:
        """Another subscription: one member's, or that of all."""
        if self._is_mixed:
            member_id = self._draw.choice(list(self._members))
            self._members[member_id] = self._members[member_id]._replace(topic_ids=self._subscription())
            return
        self._shared = self._subscription()
        for member_id, member in self._members.items():
            self._members[member_id] = member._replace(topic_ids=self._shared)


def asked_of_kafka(question: Question) -> dict[str, object]:
    """The question as `Assign.java` reads it."""
    asked: dict[str, object] = {
        "assignor": question.assignor,
        "topics": {
            format_uuid(topic.topic_id): {
                "name": topic.name,
                "partitions": topic.partition_count,
                "racks": [sorted(racks) for racks in topic.racks],
            }
            for topic in question.topics.values()
        },
        "members": [
            {
                "id": member.member_id,
                "instance": member.instance_id,
                "rack": member.rack_id,
                "topics": sorted(question.topics[topic_id].name for topic_id in member.topic_ids),
                "assigned": {
                    format_uuid(topic_id): sorted(partitions)
                    for topic_id, partitions in member.assigned.items()
                },
            }
            for member in question.members
        ],
    }
    if question.assignable is not None:
        asked["assignable"] = {
            format_uuid(topic_id): count for topic_id, count in question.assignable.items()
        }
    return asked


def answered(targets: Targets) -> dict[str, dict[str, list[int]]]:
    """An answer as `Assign.java` prints it."""
    return {
        member_id: {format_uuid(topic_id): sorted(target[topic_id]) for topic_id in target}
        for member_id, target in targets.items()
    }


def rounds(seeds: range, count: int, *, is_share: bool = False) -> Iterator[tuple[int, int, Group]]:
    """Seed, number of the round, and the group, whose question is to be asked and answered."""
    for seed in seeds:
        group = Group(seed, is_share=is_share)
        for number in range(count):
            yield seed, number, group
