"""Structs as Python objects: construction, equality, representation, defaults."""

from __future__ import annotations

import pytest

from kstream.wire.fields import NO_VERSIONS, Versions, parse_versions
from kstream.wire.messages.consumer_group_describe import Assignment, Member, TopicPartitions
from kstream.wire.messages.fetch import FetchRequest, LeaderIdAndEpoch, PartitionData, ReplicaState
from kstream.wire.messages.metadata import MetadataRequest
from kstream.wire.schema import Message, Struct, array, int32, string


class Part(Struct):
    name: str = string("0+")


class Whole(Message, api_key=7, versions="1-3", flexible="2+"):
    count: int = int32("0+", default=-1)
    note: str | None = string("2+", nullable="2+", default=None)
    parts: list[Part] = array(Part, "0+")


def test_construction() -> None:
    whole = Whole(count=3, parts=[Part(name="a")])
    assert (whole.count, whole.note, whole.parts) == (3, None, [Part(name="a")])
    assert (Whole().count, Whole().parts) == (-1, [])
    assert Whole().parts is not Whole().parts
    with pytest.raises(TypeError, match="unexpected keyword"):
        Whole(nothing=1)  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        whole.nothing = 1  # type: ignore[attr-defined]


def test_what_a_message_knows_of_itself() -> None:
    assert Whole.API_KEY == 7
    assert Versions(1, 3) == Whole.VERSIONS
    assert [version in Whole.FLEXIBLE for version in (1, 2, 3)] == [False, True, True]
    assert [field.name for field in Whole.__fields__] == ["count", "note", "parts"]
    assert repr(Whole.__fields__[2]) == "<parts: []Part 0+>"


def test_equality_and_representation() -> None:
    assert Whole(count=1) == Whole(count=1) != Whole(count=2)
    assert Whole() != Part()
    assert repr(Whole(count=1, note="x")) == "Whole(count=1, note='x')"
    assert repr(PartitionData(records=memoryview(b"abc"))) == "PartitionData(records=b'abc')"
    assert repr(PartitionData(records=bytes(65))) == "PartitionData(records=<65 bytes>)"
    with pytest.raises(TypeError, match="unhashable"):
        hash(Whole())


def test_shared_defaults_refuse_to_be_changed() -> None:
    """A struct that nobody set is one object for all; changing it in place would change the others."""
    partition = PartitionData()
    assert partition.current_leader is PartitionData().current_leader
    assert partition.current_leader == LeaderIdAndEpoch(leader_id=-1, leader_epoch=-1)
    assert LeaderIdAndEpoch() == partition.current_leader
    assert isinstance(partition.current_leader, LeaderIdAndEpoch)
    assert repr(partition.current_leader) == "LeaderIdAndEpoch()"
    with pytest.raises(AttributeError, match="assign a new LeaderIdAndEpoch"):
        partition.current_leader.leader_id = 3
    member = Member()
    with pytest.raises(TypeError, match="shared default"):
        member.assignment.topic_partitions.append(TopicPartitions())
    member.assignment = Assignment(topic_partitions=[TopicPartitions()])
    assert FetchRequest(replica_state=ReplicaState(replica_id=1)) != FetchRequest()


def test_defaults_are_kafkas() -> None:
    assert FetchRequest().max_bytes == 0x7FFFFFFF
    assert MetadataRequest().allow_auto_topic_creation is True
    assert MetadataRequest().topics == []


@pytest.mark.parametrize(
    ("text", "versions"),
    [("3", (3, 3)), ("3-12", (3, 12)), ("3+", (3, 32767)), ("none", NO_VERSIONS), (None, NO_VERSIONS)],
)
def test_ranges_of_versions(text: str | None, versions: tuple[int, int]) -> None:
    assert parse_versions(text) == versions
    assert str(parse_versions(text)) == (text or "none")
