"""A group of KIP-848 on a bench: members that say what a test tells them to say, and remember the answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kstream.groups.consumer.group import ConsumerGroup
from kstream.groups.consumer.heartbeat import check_request, heartbeat
from kstream.groups.settings import Caller, GroupSettings
from kstream.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)
from tests.groups.consumer.fake_cluster import FakeCluster
from tests.groups.driver import Driver, Operation

GROUP = "group"
REBALANCE_MS = 30_000

Held = set[tuple[bytes, int]]
"""Topic ids and partitions."""


def beating(request: ConsumerGroupHeartbeatRequest, version: int = 1, client: str = "client") -> Operation:
    """A ConsumerGroupHeartbeat, checked as the broker checks it."""
    caller = Caller(client, "/127.0.0.1", version)
    check_request(request, version, ("uniform", "range"))
    return lambda shard, now_ms, token: heartbeat(shard.state, request, caller, token, now_ms)


class Bench:
    """A driver with a cluster, and members by name."""

    def __init__(self, settings: GroupSettings | None = None, **partition_counts: int) -> None:
        self.cluster = FakeCluster(**partition_counts)
        self.driver = Driver(settings, self.cluster)
        self.members: dict[str, Member] = {}

    @property
    def group(self) -> ConsumerGroup:
        return self.driver.shard.state.consumer_groups[GROUP]

    @property
    def state(self) -> str:
        return self.group.state.value

    def member(self, name: str, *topics: str, **options: Any) -> Member:
        """A member that has not joined."""
        found = self.members[name] = Member(self, name, topics, **options)
        return found

    def join(self, name: str, *topics: str, **options: Any) -> Member:
        """A member that has joined, with what it was given at once."""
        found = self.member(name, *topics, **options)
        found.join()
        return found

    def topics_changed(self, *names: str) -> None:
        self.driver.shard.on_topics_changed(names)

    def wait_for_assignment(self) -> None:
        """Let the assignment interval pass, without anybody's session ending."""
        self.driver.advance(self.cluster.config.assignment_interval_ms)

    def settle(self, rounds: int = 10) -> None:
        """Everybody gives up and takes over what it is told, until nothing changes any more."""
        quiet = 0  # Once is not enough: what a heartbeat sets off may come behind it.
        for _ in range(rounds):
            self.wait_for_assignment()
            before = self._facts()
            for member in self.members.values():
                if member.is_in:
                    member.beat()
            quiet = quiet + 1 if self._facts() == before else 0
            if quiet == 2:
                return
        raise AssertionError(f"not settled after {rounds} rounds: {self.group}")

    def _facts(self) -> object:
        group = self.group
        epochs = (group.epoch, group.assignment_epoch)
        return (epochs, dict(group.members), {name: set(each.held) for name, each in self.members.items()})


class Member:
    """A consumer: its requests, and what it believes to own."""

    def __init__(
        self,
        bench: Bench,
        name: str,
        topics: Iterable[str] = (),
        *,
        regex: str | None = None,
        instance: str | None = None,
        assignor: str | None = None,
        group: str = GROUP,
    ) -> None:
        self.bench = bench
        self.name = name
        self.topics = list(topics)
        self.regex = regex
        self.instance = instance
        self.assignor = assignor
        self.group_id = group
        self.epoch = 0
        self.held: Held = set()
        self.is_in = False

    @property
    def owned(self) -> set[tuple[str, int]]:
        """What it has, by topic names."""
        return {(self.bench.cluster.names[topic_id], index) for topic_id, index in self.held}

    def request(self, epoch: int, **fields: Any) -> ConsumerGroupHeartbeatRequest:
        return ConsumerGroupHeartbeatRequest(
            group_id=self.group_id,
            member_id=self.name,
            member_epoch=epoch,
            instance_id=self.instance,
            **fields,
        )

    def send(self, epoch: int, **fields: Any) -> ConsumerGroupHeartbeatResponse:
        """One request, whose answer it takes in. Raises ApiError."""
        answer: ConsumerGroupHeartbeatResponse = self.bench.driver.ask(beating(self.request(epoch, **fields)))
        assert answer.error_code == 0
        self.epoch = answer.member_epoch
        if answer.assignment is not None:
            self.held = {
                (topic.topic_id, index)
                for topic in answer.assignment.topic_partitions
                for index in topic.partitions
            }
        return answer

    def join(self) -> ConsumerGroupHeartbeatResponse:
        answer = self.send(
            0,
            rebalance_timeout_ms=REBALANCE_MS,
            subscribed_topic_names=self.topics,
            subscribed_topic_regex=self.regex,
            server_assignor=self.assignor,
            topic_partitions=[],
        )
        self.is_in = True
        return answer

    def beat(self, **fields: Any) -> ConsumerGroupHeartbeatResponse:
        """A heartbeat that says what it owns: after a first answer takes something away, it is gone."""
        return self.send(self.epoch, topic_partitions=self.owns(), **fields)

    def stay(self) -> ConsumerGroupHeartbeatResponse:
        """A heartbeat that says nothing: it is still busy with what it was told."""
        return self.send(self.epoch)

    def subscribe(self, *topics: str) -> ConsumerGroupHeartbeatResponse:
        self.topics = list(topics)
        return self.send(self.epoch, subscribed_topic_names=self.topics)

    def leave(self, epoch: int = -1) -> ConsumerGroupHeartbeatResponse:
        self.is_in = False
        self.held = set()
        answer: ConsumerGroupHeartbeatResponse = self.bench.driver.ask(beating(self.request(epoch)))
        return answer

    def owns(self, held: Held | None = None) -> list[TopicPartitions]:
        """What it says to own, or would."""
        by_topic: dict[bytes, list[int]] = {}
        for topic_id, index in sorted(self.held if held is None else held):
            by_topic.setdefault(topic_id, []).append(index)
        return [
            TopicPartitions(topic_id=topic_id, partitions=indexes) for topic_id, indexes in by_topic.items()
        ]

    def in_group(self) -> Any:
        return self.bench.group.members[self.name]
