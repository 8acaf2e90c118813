"""What the members of a classic consumer group say to each other through JoinGroup and SyncGroup.

The group's protocol type is "consumer". Brokers pass these bytes on, and read a subscription only to answer
DescribeGroups and to move a group to KIP-848. A version number (int16) stands in front of each. Version 1
added owned partitions (KIP-429), 2 the generation (KIP-792), 3 the rack (KIP-881).
"""

from __future__ import annotations

from kstream.wire.schema import Message, Struct, array, bytes_, int32, string


class ConsumerProtocolSubscriptionTopicPartition(Struct):
    topic: str = string("1+")
    partitions: list[int] = array(int32, "1+")


class ConsumerProtocolSubscription(Message, versions="0-3"):
    topics: list[str] = array(string, "0+")
    user_data: bytes | None = bytes_("0+", nullable="0+", default=None)
    owned_partitions: list[ConsumerProtocolSubscriptionTopicPartition] = array(
        ConsumerProtocolSubscriptionTopicPartition, "1+", ignorable=True
    )
    generation_id: int = int32("2+", default=-1, ignorable=True)
    rack_id: str | None = string("3+", nullable="3+", default=None, ignorable=True)


class ConsumerProtocolAssignmentTopicPartition(Struct):
    topic: str = string("0+")
    partitions: list[int] = array(int32, "0+")


class ConsumerProtocolAssignment(Message, versions="0-3"):
    assigned_partitions: list[ConsumerProtocolAssignmentTopicPartition] = array(
        ConsumerProtocolAssignmentTopicPartition, "0+"
    )
    user_data: bytes | None = bytes_("0+", nullable="0+", default=None)
