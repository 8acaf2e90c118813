"""What a version cannot say is an error that names the field; and records that lie elsewhere stay there."""

from __future__ import annotations

from typing import Any, cast

import pytest

from kstream.records.schemas.group_consumer import (
    ClassicMemberMetadata,
    ConsumerGroupMemberMetadataValue,
)
from kstream.wire.codec import EncodeError, decode, encode, encode_parts, encoder
from kstream.wire.messages.describe_topic_partitions import Cursor, DescribeTopicPartitionsRequest
from kstream.wire.messages.fetch import (
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    ForgottenTopic,
    LeaderIdAndEpoch,
    PartitionData,
    ReplicaState,
)
from kstream.wire.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseTopic,
)
from kstream.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from kstream.wire.reference import ReferenceEncoder
from kstream.wire.schema import Message


class Region:
    """Stands for a region of a file: it has a length and no bytes."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size


def fetched(*records: object) -> FetchResponse:
    partitions = [PartitionData(partition_index=i, records=part) for i, part in enumerate(records)]  # type: ignore[arg-type]
    return FetchResponse(responses=[FetchableTopicResponse(topic_id=bytes(16), partitions=partitions)])


@pytest.mark.parametrize("version", [4, 11, 12, 18])
def test_payloads_are_not_copied(version: int) -> None:
    first, second = Region(300), Region(5)
    parts = encode_parts(fetched(first, None, b"abc", second), version)
    assert [part for part in parts if isinstance(part, Region)] == [first, second]
    whole = b"".join(part if isinstance(part, bytes) else bytes(len(part)) for part in parts)
    assert whole == encode(fetched(bytes(300), None, b"abc", bytes(5)), version)


def test_a_payload_at_the_front_and_at_the_end() -> None:
    message = ProduceRequest(
        topic_data=[
            TopicProduceData(name="t", partition_data=[PartitionProduceData(index=0, records=Region(2))])
        ]
    )
    parts = encode_parts(message, 8)
    assert len(parts) == 2
    assert isinstance(parts[-1], Region)


def test_payloads_do_not_hide_what_is_wrong() -> None:
    message = fetched(Region(3))
    message.responses[0].partitions[0].high_watermark = 1 << 63
    with pytest.raises(
        EncodeError, match=r"FetchResponse v12 responses\[0\].partitions\[0\].high_watermark: "
    ):
        encode_parts(message, 12)


def topics(name: object) -> ProduceRequest:
    return ProduceRequest(topic_data=[TopicProduceData(name=name)])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("message", "version", "complaint"),
    [
        (MetadataRequest(topics=None), 0, "MetadataRequest v0 topics: None where the version has no null"),
        (MetadataRequest(topics=[MetadataRequestTopic(name=None)]), 9, "topics[0].name: None where"),
        (
            MetadataRequest(allow_auto_topic_creation=False),
            3,
            "allow_auto_topic_creation: this version has no",
        ),
        (
            FetchRequest(forgotten_topics_data=[ForgottenTopic()]),
            6,
            "forgotten_topics_data: this version has no",
        ),
        (
            FetchRequest(replica_state=ReplicaState(replica_id=1)),
            14,
            "replica_state: this version has no such",
        ),
        (FetchRequest(replica_id=1), 15, "replica_id: this version has no such field; it must be -1"),
        (FetchRequest(max_wait_ms=1 << 31), 4, "FetchRequest v4 max_wait_ms: 2147483648 is not int32"),
        (topics(7), 9, "ProduceRequest v9 topic_data[0].name: 7 is not a str"),
        (topics(7), 8, "ProduceRequest v8 topic_data[0].name: 7 is not a str"),
        (topics("a" * 32_768), 8, "a string of 32768 bytes; 32767 is the most"),
        (topics("a" * 32_768), 9, "a string of 32768 bytes; 32767 is the most"),
        (topics("\ud800"), 9, "cannot be UTF-8"),
        (ProduceRequest(topic_data=[TopicProduceData(topic_id=b"short")]), 13, "b'short' is not 16 bytes"),
        (ProduceRequest(topic_data=[Cursor()]), 9, "topic_data[0]: Cursor() is not a TopicProduceData"),  # type: ignore[list-item]
    ],
)
def test_what_cannot_be_said(message: Message, version: int, complaint: str) -> None:
    with pytest.raises(EncodeError) as caught:
        encode(message, version)
    assert complaint in str(caught.value)


def test_ignorable_fields_are_dropped() -> None:
    """Kafka's rule: a field that may be ignored is left out of versions that lack it."""
    request = FetchRequest(max_bytes=7, rack_id="a", session_id=3, session_epoch=4, isolation_level=1)
    assert decode(FetchRequest, encode(request, 4), 4) == FetchRequest(max_bytes=7, isolation_level=1)
    assert decode(FetchRequest, encode(request, 11), 11) == request


def test_nullable_structs() -> None:
    without, having = (
        DescribeTopicPartitionsRequest(),
        DescribeTopicPartitionsRequest(cursor=Cursor(topic_name="t")),
    )
    assert encode(without, 0) == b"\1" + b"\0\0\x07\xd0" + b"\xff" + b"\0"
    assert encode(having, 0) == b"\1" + b"\0\0\x07\xd0" + b"\1\2t\0\0\0\0\0" + b"\0"
    assert decode(DescribeTopicPartitionsRequest, encode(having, 0), 0) == having


def test_tagged_nullable_structs() -> None:
    """As Apache Kafka 4.4.0 wrote it into `__consumer_offsets` for a member of a KIP-848 group."""
    written = (
        b"\0\0\x08rdkafka\x0b/127.0.0.1\x06\x0bcodec-gzip\ncodec-lz4\x0bcodec-none\rcodec-snappy"
        b"\x0bcodec-zstd\x01\0\x04\x93\xe0\0\1\0\1\0"
    )
    member = decode(ConsumerGroupMemberMetadataValue, written, 0)
    assert (member.rebalance_timeout_ms, member.classic_member_metadata) == (300_000, None)
    assert encode(member, 0) == written
    member.classic_member_metadata = ClassicMemberMetadata(session_timeout_ms=5)
    assert encode(member, 0) == written[:-4] + b"\1\0\7\1\0\0\0\5\1\0"
    assert decode(ConsumerGroupMemberMetadataValue, encode(member, 0), 0) == member


def test_tagged_fields_are_left_out_when_default() -> None:
    plain = fetched(None)
    said = fetched(None)
    said.responses[0].partitions[0].current_leader = LeaderIdAndEpoch()
    assert encode(said, 12) == encode(plain, 12)
    said.responses[0].partitions[0].current_leader = LeaderIdAndEpoch(leader_id=5)
    assert len(encode(said, 12)) == len(encode(plain, 12)) + 2 + 9


def test_records_are_not_copied_when_decoded() -> None:
    raw = bytearray(encode(fetched(b"abc"), 12))
    decoded = decode(FetchResponse, memoryview(raw), 12)
    records = decoded.responses[0].partitions[0].records
    assert isinstance(records, memoryview)
    raw[raw.index(b"abc")] = ord("z")
    assert bytes(records) == b"zbc"


@pytest.mark.parametrize("version", [0, 8, 9, 13])
def test_elements_may_be_encoded_already(version: int) -> None:
    topics = [MetadataResponseTopic(name=name, partitions=[]) for name in ("a", "b")]
    plain = encode(MetadataResponse(topics=topics), version)
    kept: list[Any] = [topics[0], encoder(MetadataResponseTopic, version)(topics[1])]
    assert encode(MetadataResponse(topics=kept), version) == plain
    assert ReferenceEncoder(MetadataResponse(topics=kept), version).encode() == plain
    with pytest.raises(EncodeError, match=r"topics\[1\]"):
        encode(MetadataResponse(topics=[topics[0], cast("Any", "text")]), version)
