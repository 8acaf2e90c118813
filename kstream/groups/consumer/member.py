"""A member of a consumer group: a value, replaced whenever something of it changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from kstream.groups.consumer.states import MemberState
from kstream.records.schemas.group_consumer import ClassicMemberMetadata, ClassicProtocol
from kstream.wire.messages.consumer_group_heartbeat import TopicPartitions

JOIN_EPOCH = 0
LEAVE_EPOCH = -1
LEAVE_STATIC_EPOCH = -2
"""A static member that will be back: its partitions are kept for it until its session ends."""

Target = Mapping[bytes, frozenset[int]]
"""Partitions by topic id that the target assignment gives to a member."""

Partitions = Mapping[bytes, Mapping[int, int]]
"""Partitions by topic id that a member has, each with the member epoch in which it got it (KIP-1251)."""


NOTHING: Partitions = MappingProxyType({})


class ConsumerMember(NamedTuple):
    """Defaults are those of a member that has just come."""

    member_id: str
    member_epoch: int = JOIN_EPOCH
    previous_epoch: int = -1
    state: MemberState = MemberState.STABLE
    instance_id: str | None = None
    rack_id: str | None = None
    rebalance_timeout_ms: int = -1
    client_id: str = ""
    client_host: str = ""
    topic_names: frozenset[str] = frozenset()
    topic_regex: str | None = ""
    """Empty or None for none."""
    assignor: str | None = None
    assigned: Partitions = NOTHING
    revoking: Partitions = NOTHING
    """What it still has and was told to give up."""
    classic: ClassicMemberMetadata | None = None
    """For a member that speaks the classic protocol: its session timeout and its protocols."""

    @property
    def is_classic(self) -> bool:
        return self.classic is not None

    def is_reconciled_to(self, assignment_epoch: int) -> bool:
        """Whether it has all that the target assignment of this epoch gives it."""
        return self.state is MemberState.STABLE and self.member_epoch == assignment_epoch

    def classic_protocols(self) -> list[ClassicProtocol]:
        """Protocols of a classic member, the preferred one first; none of others."""
        return [] if self.classic is None else self.classic.supported_protocols

    def epoch_of(self, topic_id: bytes, partition: int) -> int | None:
        """The epoch in which it got a partition that it has; None if it has not."""
        for held in (self.assigned, self.revoking):
            epochs = held.get(topic_id)
            if epochs is not None and partition in epochs:
                return epochs[partition]
        return None


def owns_any(owned: Iterable[TopicPartitions] | None, partitions: Partitions) -> bool:
    """Whether a member that reports what it owns has any of these; it may if it reports nothing."""
    if owned is None:
        return True
    return any(
        index in partitions[topic.topic_id]
        for topic in owned
        if topic.topic_id in partitions
        for index in topic.partitions
    )


def owns_only(owned: Iterable[TopicPartitions] | None, partitions: Partitions) -> bool:
    """Whether a member reports what it owns, and has none but these."""
    if owned is None:
        return False
    return all(
        topic.topic_id in partitions and index in partitions[topic.topic_id]
        for topic in owned
        for index in topic.partitions
    )
