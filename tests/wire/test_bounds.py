"""Hostile bytes: nothing but ProtocolError, and a cost bounded by the bytes that were really sent."""

from __future__ import annotations

import re
import struct
import time
import tracemalloc
from random import Random

import pytest

from kstream.errors import ProtocolError
from kstream.wire.codec import decode, encode
from kstream.wire.messages.create_topics import CreateTopicsRequest
from kstream.wire.messages.describe_log_dirs import DescribeLogDirsRequest
from kstream.wire.messages.fetch import FetchRequest
from kstream.wire.messages.metadata import MetadataRequest, MetadataResponse
from kstream.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from kstream.wire.plan import ELEMENTS_MIN, elements_max
from kstream.wire.primitives import uvarint
from kstream.wire.reference import ReferenceDecoder
from kstream.wire.schema import Message, Struct, array, int8, string
from tests.wire.catalogue import MESSAGES, versions_of
from tests.wire.filling import filled

SIZE_MAX = 4096


class Nothing(Struct):
    pass


class Nothings(Message, versions="0-1", flexible="1+"):
    nothings: list[Nothing] = array(Nothing, "0+")


class Pair(Struct):
    names: list[str] = array(string, "0+")


class Pairs(Message, versions="0", flexible="0+"):
    pairs: list[Pair] = array(Pair, "0+")
    flags: list[int] = array(int8, "0+")


def mutated(raw: bytes, random: Random) -> bytes:
    """Bytes with a few faults: flipped, cut, doubled, or overwritten with what a lying length looks like."""
    out = bytearray(raw or b"\0")
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(out) or 1)
        fault = random.randrange(5)
        if fault == 0 and out:
            out[at] = random.randrange(256)
        elif fault == 1:
            del out[at:]
        elif fault == 2:
            out[at : at + 4] = random.choice((b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x80\x00\x00\x00"))
        elif fault == 3:
            out[at : at + 1] = random.choice((b"\xff\xff\xff\xff\x0f", b"\xff\xff\xff\xff\xff\x01", b"\xc0"))
        else:
            out[at:at] = random.randbytes(3)
    return bytes(out)


@pytest.mark.parametrize("cls", MESSAGES, ids=lambda cls: cls.__name__)
def test_mutations(cls: type[Message]) -> None:
    """The compiled decoder refuses exactly what the reference refuses, and both agree on what they accept."""
    random = Random(cls.__name__)
    for version in versions_of(cls):
        raw = encode(filled(cls, version, random), version)
        raw = raw if len(raw) < SIZE_MAX else encode(cls(), version)
        for _ in range(6):
            bad = mutated(raw, random)
            reference = ReferenceDecoder(cls, version, bad)
            try:
                expected = reference.decode()
            except ProtocolError as error:
                with pytest.raises(ProtocolError, match=re.escape(str(error))):
                    decode(cls, bad, version)
                continue
            if reference.position == len(bad):
                assert repr(decode(cls, bad, version)) == repr(expected)
            else:
                with pytest.raises(ProtocolError, match="behind the end"):
                    decode(cls, bad, version)


@pytest.mark.parametrize("cls", [ProduceRequest, FetchRequest, MetadataRequest, CreateTopicsRequest])
def test_every_prefix_is_refused(cls: type[Message]) -> None:
    random = Random(1)
    for version in versions_of(cls):
        raw = (
            encode(cls(), version)
            if cls is CreateTopicsRequest
            else encode(filled(cls, version, random), version)
        )
        for size in range(min(len(raw), 300)):
            with pytest.raises(ProtocolError):
                decode(cls, raw[:size], version)


@pytest.mark.parametrize(
    ("cls", "version", "raw"),
    [
        (Nothings, 0, struct.pack(">i", 90_000_000)),
        (Nothings, 1, uvarint(90_000_001) + bytes(10)),
        (MetadataRequest, 1, struct.pack(">i", 90_000_000) + bytes(100)),
        (MetadataRequest, 12, uvarint(90_000_001) + bytes(100)),
        (ProduceRequest, 9, b"\0\0\1\0\0\0\0" + uvarint(90_000_001) + bytes(100)),
        (DescribeLogDirsRequest, 2, uvarint(2) + b"\2a" + uvarint(90_000_001) + bytes(100)),
        (Pairs, 0, b"\1" + uvarint(90_000_001) + bytes(100)),
    ],
)
def test_lying_counts_cost_nothing(cls: type[Message], version: int, raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(cls, raw, version)  # compiles
    tracemalloc.start()
    try:
        started = time.process_time()
        with pytest.raises(ProtocolError):
            decode(cls, raw, version)
        assert time.process_time() - started < 0.05
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_elements_have_a_budget() -> None:
    """Elements of two bytes: as many as the budget allows pass, nested or not; one more does not."""
    size = ELEMENTS_MIN * 2
    room = elements_max(size)
    assert room < size

    def pairs(names: int, arrays: int) -> bytes:
        return uvarint(arrays + 1) + (uvarint(names + 1) + b"\2a" * names + b"\0") * arrays + b"\1\0"

    good = pairs(2, 90_000)
    assert elements_max(len(good)) >= 90_000 * 3
    assert len(decode(Pairs, good, 0).pairs) == 90_000
    bad = pairs(2, 120_000)
    assert elements_max(len(bad)) < 120_000 * 3
    with pytest.raises(ProtocolError, match="elements in one message"):
        decode(Pairs, bad, 0)


def test_a_large_cluster_fits_the_budget() -> None:
    """A Metadata answer with 20,000 partitions of three replicas takes a part of its budget."""
    from kstream.wire.messages.metadata import MetadataResponsePartition, MetadataResponseTopic

    partitions = [
        MetadataResponsePartition(partition_index=i, replica_nodes=[1, 2, 3], isr_nodes=[1, 2, 3])
        for i in range(20_000)
    ]
    message = MetadataResponse(topics=[MetadataResponseTopic(name="t", partitions=partitions)])
    assert decode(MetadataResponse, encode(message, 9), 9) == message
    assert elements_max(200_000 * 45) > 3 * 200_000


@pytest.mark.parametrize(
    ("cls", "version", "raw", "message"),
    [
        (FetchRequest, 12, b"\0\0\0", "FetchRequest v12 replica_id at byte 0: needs 4 bytes, 3 remain"),
        (MetadataRequest, 0, b"\0\0\0\1\xff\xff", "MetadataRequest v0 topics[0].name at byte 6: null"),
        (MetadataRequest, 0, b"\0\0\0\1\0\1\xff", "MetadataRequest v0 topics[0].name at byte 6: not UTF-8"),
        (
            MetadataRequest,
            0,
            b"\0\0\0\1\0\5abc",
            "MetadataRequest v0 topics[0].name at byte 6: needs 5 bytes",
        ),
        (MetadataRequest, 9, b"\2\2a\1\5\x50", "MetadataRequest v9 topics[0] at byte 6: tag 5 has 80"),
        (
            MetadataRequest,
            9,
            b"\xff\xff\xff\xff\xff\1",
            "MetadataRequest v9 topics at byte 0: a varint of more",
        ),
        (MetadataRequest, 9, b"\2" + uvarint(32_769) + b"a" * 32_768, "a string of 32768 bytes"),
        (
            ProduceRequest,
            8,
            encode(
                ProduceRequest(
                    topic_data=[
                        TopicProduceData(
                            name="a", partition_data=[PartitionProduceData(index=1, records=b"abc")]
                        )
                    ]
                ),
                8,
            )[:-1],
            "ProduceRequest v8 topic_data[0].partition_data[0].records at byte 27: needs 3 bytes, 2 remain",
        ),
    ],
)
def test_errors_say_where(cls: type[Message], version: int, raw: bytes, message: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode(cls, raw, version)
    assert message in str(caught.value)


def test_a_tagged_field_of_another_size_is_refused() -> None:
    raw = encode(FetchRequest(cluster_id="abc"), 12)
    assert raw.endswith(b"\1\0\4\4abc")
    with pytest.raises(
        ProtocolError, match=r"cluster_id at byte \d+: tag 0 was announced with 5 bytes and takes 4"
    ):
        decode(FetchRequest, raw[:-6] + b"\0\5\4abc" + b"z", 12)


def test_bytes_behind_the_end() -> None:
    raw = encode(MetadataRequest(), 9)
    with pytest.raises(ProtocolError, match="2 bytes behind the end"):
        decode(MetadataRequest, raw + b"ab", 9)
    assert decode(MetadataRequest, raw + b"ab", 9, trailing=True) == MetadataRequest()


def test_versions_that_do_not_exist() -> None:
    with pytest.raises(ProtocolError, match="ProduceRequest v2: no such version; there are 3-13"):
        decode(ProduceRequest, b"", 2)
    with pytest.raises(ProtocolError, match="no such version"):
        encode(ProduceRequest(), 14)
