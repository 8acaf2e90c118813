"""Request bodies with something wrong in them: garbage, missing and additional bytes, lying counts."""

from __future__ import annotations

import random
import struct

from compat.oracle.run import Run, scenario
from compat.oracle.scenarios.hostile_connections import framed, header
from kstream.wire.apis import APIS, ApiKey
from kstream.wire.codec import encode
from kstream.wire.headers import request_header_version
from kstream.wire.messages.api_versions import ApiVersionsRequest
from kstream.wire.messages.create_partitions import CreatePartitionsRequest
from kstream.wire.messages.create_topics import CreateTopicsRequest
from kstream.wire.messages.delete_topics import DeleteTopicsRequest
from kstream.wire.messages.describe_cluster import DescribeClusterRequest
from kstream.wire.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from kstream.wire.messages.describe_topic_partitions import DescribeTopicPartitionsRequest, TopicRequest
from kstream.wire.messages.fetch import FetchRequest
from kstream.wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from kstream.wire.messages.init_producer_id import InitProducerIdRequest
from kstream.wire.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from kstream.wire.messages.metadata import MetadataRequest, MetadataRequestTopic
from kstream.wire.messages.offset_for_leader_epoch import OffsetForLeaderEpochRequest
from kstream.wire.messages.produce import ProduceRequest
from kstream.wire.schema import Message

_UNKNOWN = "no-such-topic"

# One harmless request for each API, in its highest version and in its lowest.
_SAMPLES: list[Message] = [
    ApiVersionsRequest(client_software_name="oracle", client_software_version="1"),
    MetadataRequest(topics=[MetadataRequestTopic(name=_UNKNOWN)], allow_auto_topic_creation=False),
    ProduceRequest(acks=1, timeout_ms=1000),
    FetchRequest(max_wait_ms=0),
    ListOffsetsRequest(
        replica_id=-1,
        topics=[ListOffsetsTopic(name=_UNKNOWN, partitions=[ListOffsetsPartition(timestamp=-1)])],
    ),
    OffsetForLeaderEpochRequest(replica_id=-1),
    CreateTopicsRequest(),
    DeleteTopicsRequest(),
    CreatePartitionsRequest(),
    DescribeConfigsRequest(
        resources=[DescribeConfigsResource(resource_type=2, resource_name=_UNKNOWN, configuration_keys=[])]
    ),
    IncrementalAlterConfigsRequest(),
    DescribeClusterRequest(),
    DescribeTopicPartitionsRequest(topics=[TopicRequest(name=_UNKNOWN)]),
    InitProducerIdRequest(transactional_id=""),
]


def _versions(message: Message) -> list[int]:
    declared = APIS[message.API_KEY]
    first = 4 if message.API_KEY == ApiKey.METADATA else declared.versions_min
    # InitProducerId v6 is declared, and 4.4.0 does not serve it yet.
    last = 5 if message.API_KEY == ApiKey.INIT_PRODUCER_ID else declared.versions_max
    return sorted({first, last})


def _header(key: int, version: int) -> bytes:
    return header(key, version, tags=b"\0" if request_header_version(key, version) == 2 else b"")


@scenario
def bodies_of_wrong_size(run: Run) -> None:
    """Nothing, a byte less, a byte more, many more."""
    for message in _SAMPLES:
        key = message.API_KEY
        for version in _versions(message):
            head, body = _header(key, version), encode(message, version)
            name = f"{APIS[key].name} v{version}"
            for note, data in {
                "whole": body,
                "empty": b"",
                "a byte less": body[:-1],
                "half": body[: len(body) // 2],
                "a byte more": body + b"\0",
                "100 bytes more": body + bytes(range(100)),
                "itself twice": body + body,
            }.items():
                run.raw(f"{name}: {note}", framed(head + data), key=key, version=version, probe=True)


@scenario
def bodies_of_garbage(run: Run) -> None:
    """Random bytes in place of a body."""
    # A broker that has just started has no producer ids yet.
    run.until(InitProducerIdRequest(transactional_id=None), 0, lambda answer: answer.error_code == 0)
    for message in _SAMPLES:
        key = message.API_KEY
        for version in _versions(message):
            for seed in range(5):
                noise = random.Random(seed * 100 + key).randbytes(60)
                data = framed(_header(key, version) + noise)
                run.raw(
                    f"{APIS[key].name} v{version}: noise {seed}", data, key=key, version=version, probe=True
                )
            data = framed(_header(key, version) + b"\xff" * 60)
            run.raw(f"{APIS[key].name} v{version}: ones", data, key=key, version=version, probe=True)


@scenario
def bodies_with_tags(run: Run) -> None:
    """Unknown tagged fields at the end of a body are passed over; ones that lie are not."""
    for message in _SAMPLES:
        key = message.API_KEY
        version = _versions(message)[-1]
        body = encode(message, version)[:-1]
        for note, tags in {
            "one": b"\x01\x3f\x02ab",
            "one, empty": b"\x01\x3f\x00",
            "two": b"\x02\x3e\x01a\x3f\x01b",
            "out of order": b"\x02\x3f\x01a\x3e\x01b",
            "twice": b"\x02\x3f\x01a\x3f\x01b",
            "size too large": b"\x01\x3f\x20",
            "count too large": b"\x20",
        }.items():
            data = framed(_header(key, version) + body + tags)
            run.raw(f"{APIS[key].name} v{version}: tags {note}", data, key=key, version=version, probe=True)


@scenario
def bodies_with_lying_counts(run: Run) -> None:
    """Array counts and string lengths that the frame cannot hold, and null where there is no null."""
    for count in (1, 2, 1000, 2**31 - 1, -1, -2, -(2**31)):
        for version in (0, 1, 8):
            data = framed(header(3, version) + struct.pack(">i", count))
            run.raw(f"Metadata v{version}: {count} topics", data, key=3, version=version, probe=True)
        data = framed(header(2, 1) + struct.pack(">ii", -1, count))
        run.raw(f"ListOffsets v1: {count} topics", data, key=2, version=1, probe=True)
        data = framed(header(0, 3) + struct.pack(">hhii", -1, 1, 1000, count))
        run.raw(f"Produce v3: {count} topics", data, key=0, version=3, probe=True)
        data = framed(header(19, 2) + struct.pack(">i", count) + bytes(4) + b"\x01")
        run.raw(f"CreateTopics v2: {count} topics", data, key=19, version=2, probe=True)
    for note, varint in {
        "null": b"\0",
        "one, and none there": b"\x02",
        "2^32-1": b"\xff\xff\xff\xff\x0f",
        "a varint of six bytes": b"\xff\xff\xff\xff\xff\x01",
        "2^31": b"\x80\x80\x80\x80\x08",
    }.items():
        for key, version in ((3, 12), (19, 7), (32, 4), (60, 0), (75, 0), (20, 6)):
            data = framed(header(key, version, tags=b"\0") + varint)
            run.raw(f"{APIS[key].name} v{version}: count {note}", data, key=key, version=version, probe=True)
    for length in (-1, -2, 5, 32767):
        data = framed(header(3, 8) + struct.pack(">ih", 1, length) + b"ab\0\0\0")
        run.raw(f"Metadata v8: a name of length {length}", data, key=3, version=8, probe=True)
    data = framed(header(3, 8) + struct.pack(">ih", 1, 2) + b"\xff\xfe\0\0\0")
    run.raw("Metadata v8: a name that is not UTF-8", data, key=3, version=8, probe=True)
    for value in (2, 127, 255):
        data = framed(header(3, 8) + struct.pack(">i", 0) + bytes([value, value, value]))
        run.raw(f"Metadata v8: booleans of {value}", data, key=3, version=8, probe=True)
