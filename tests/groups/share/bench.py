"""A share group on a bench: members that say what a test tells them to say, and share states that are
initialized when the test says so.
"""

from __future__ import annotations

from typing import Any

from kstream.groups.settings import Caller, GroupSettings
from kstream.groups.share.group import ShareGroup
from kstream.groups.share.heartbeat import check_request, heartbeat
from kstream.groups.share.initializing import InitializeStates, initialized, not_initialized
from kstream.wire.messages.share_group_heartbeat import (
    ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
)
from tests.groups.consumer.fake_cluster import FakeCluster
from tests.groups.driver import Driver, Operation

GROUP = "group"


def beating(request: ShareGroupHeartbeatRequest, client: str = "client") -> Operation:
    """A ShareGroupHeartbeat, checked as the broker checks it."""
    check_request(request)
    caller = Caller(client, "/127.0.0.1", 1)
    return lambda shard, now_ms, token: heartbeat(shard.state, request, caller, token, now_ms)


class ShareBench:
    """A driver with a cluster whose topics are named by keyword."""

    def __init__(self, settings: GroupSettings | None = None, **partition_counts: int) -> None:
        self.cluster = FakeCluster(**partition_counts)
        self.cluster.sharing = self.cluster.sharing._replace(assignment_interval_ms=0)
        self.driver = Driver(settings, self.cluster)
        self.held: dict[str, set[tuple[str, int]]] = {}
        """What members were last told to consume."""
        self.epochs: dict[str, int] = {}

    @property
    def group(self) -> ShareGroup:
        return self.driver.shard.state.share_groups[GROUP]

    def send(self, member_id: str, epoch: int, *topics: str, **fields: Any) -> ShareGroupHeartbeatResponse:
        """One request; topics are said if there are any. Raises ApiError."""
        request = ShareGroupHeartbeatRequest(
            group_id=GROUP,
            member_id=member_id,
            member_epoch=epoch,
            subscribed_topic_names=list(topics) or None,
            **fields,
        )
        answer: ShareGroupHeartbeatResponse = self.driver.ask(beating(request))
        self.epochs[member_id] = answer.member_epoch
        if answer.assignment is not None:
            self.held[member_id] = {
                (self.cluster.names[topic.topic_id], index)
                for topic in answer.assignment.topic_partitions
                for index in topic.partitions
            }
        return answer

    def join(self, member_id: str, *topics: str) -> ShareGroupHeartbeatResponse:
        return self.send(member_id, 0, *topics)

    def beat(self, member_id: str, *topics: str) -> ShareGroupHeartbeatResponse:
        return self.send(member_id, self.epochs[member_id], *topics)

    def leave(self, member_id: str) -> None:
        self.send(member_id, -1)
        del self.epochs[member_id], self.held[member_id]

    def wanted(self) -> list[InitializeStates]:
        """The initializations that were asked for and not carried out."""
        found, self.driver.effects = self.driver.effects, []
        return [effect for effect in found if isinstance(effect, InitializeStates)]

    def initialize(self, *, fails: bool = False) -> list[InitializeStates]:
        """Carry out what was asked for."""
        effects = self.wanted()
        state = self.driver.shard.state
        for effect in effects:
            if fails:
                not_initialized(state, effect.group_id, effect.start_offsets)
            else:
                self.driver.carry_out(initialized(state, effect.group_id, effect.start_offsets))
        return effects

    def topics_changed(self, *names: str) -> None:
        self.driver.shard.on_topics_changed(names)
