"""How fast messages are encoded and decoded, as ratios to kafka-python in the same run.

    python benchmarks/codec.py [--quick]

Both codecs handle the same bytes. They take turns in short rounds, so that a noisy machine disturbs both
alike, and the fastest round of each counts: on shared cores the minimum is the only figure that repeats.

The goal is a ratio of at least 2 for produce and fetch as clients send them, and for Metadata with 100
partitions. Produce and fetch with 100 partitions are shown beside them. The one that stays below 2 there is
decoding a FetchRequest: of its partitions, all numbers, each codec makes one `struct` call and one object.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

from kafka.protocol.consumer import FetchRequest as TheirFetchRequest
from kafka.protocol.consumer import FetchResponse as TheirFetchResponse
from kafka.protocol.metadata import MetadataRequest as TheirMetadataRequest
from kafka.protocol.metadata import MetadataResponse as TheirMetadataResponse
from kafka.protocol.producer import ProduceRequest as TheirProduceRequest
from kafka.protocol.producer import ProduceResponse as TheirProduceResponse

from kstream.wire.codec import decoder, encoder
from kstream.wire.messages import fetch, metadata, produce
from kstream.wire.schema import Message

RECORDS = bytes(1024)
TOPIC_ID = bytes(range(16))


def produce_request(partitions: int) -> Message:
    """One topic, one 1 KB batch a partition."""
    data = [produce.PartitionProduceData(index=i, records=RECORDS) for i in range(partitions)]
    topic = produce.TopicProduceData(name="orders", partition_data=data)
    return produce.ProduceRequest(acks=1, timeout_ms=30_000, topic_data=[topic])


def produce_response(partitions: int) -> Message:
    """The answer to it."""
    data = [produce.PartitionProduceResponse(index=i, base_offset=1 << 33) for i in range(partitions)]
    return produce.ProduceResponse(
        responses=[produce.TopicProduceResponse(name="orders", partition_responses=data)]
    )


def fetch_request(partitions: int) -> Message:
    """One topic by id."""
    data = [
        fetch.FetchPartition(partition=i, fetch_offset=1 << 33, partition_max_bytes=1 << 20)
        for i in range(partitions)
    ]
    topic = fetch.FetchTopic(topic_id=TOPIC_ID, partitions=data)
    return fetch.FetchRequest(max_wait_ms=500, min_bytes=1, topics=[topic])


def fetch_response(partitions: int) -> Message:
    """The answer to it: 1 KB a partition."""
    data = [
        fetch.PartitionData(partition_index=i, high_watermark=1 << 33, records=RECORDS)
        for i in range(partitions)
    ]
    return fetch.FetchResponse(responses=[fetch.FetchableTopicResponse(topic_id=TOPIC_ID, partitions=data)])


def metadata_request(topics: int) -> Message:
    """Topics by name."""
    names = [metadata.MetadataRequestTopic(name=f"orders-{i}") for i in range(topics)]
    return metadata.MetadataRequest(topics=names)


def metadata_response(partitions: int) -> Message:
    """One topic on three brokers, three replicas a partition."""
    brokers = [metadata.MetadataResponseBroker(node_id=i, host=f"broker-{i}", port=9092) for i in range(3)]
    data = [
        metadata.MetadataResponsePartition(
            partition_index=i, leader_id=i % 3, leader_epoch=7, replica_nodes=[0, 1, 2], isr_nodes=[0, 1, 2]
        )
        for i in range(partitions)
    ]
    topic = metadata.MetadataResponseTopic(name="orders", topic_id=TOPIC_ID, partitions=data)
    return metadata.MetadataResponse(cluster_id="4L6g3nShT-eMCtK--X86sw", brokers=brokers, topics=[topic])


CASES: list[tuple[str, Callable[[int], Message], Any, int, int]] = [
    ("ProduceRequest", produce_request, TheirProduceRequest, 9, 1),
    ("ProduceRequest", produce_request, TheirProduceRequest, 9, 100),
    ("ProduceResponse", produce_response, TheirProduceResponse, 9, 1),
    ("ProduceResponse", produce_response, TheirProduceResponse, 9, 100),
    ("FetchRequest", fetch_request, TheirFetchRequest, 17, 1),
    ("FetchRequest", fetch_request, TheirFetchRequest, 17, 100),
    ("FetchResponse", fetch_response, TheirFetchResponse, 17, 1),
    ("FetchResponse", fetch_response, TheirFetchResponse, 17, 100),
    ("MetadataRequest", metadata_request, TheirMetadataRequest, 12, 1),
    ("MetadataResponse", metadata_response, TheirMetadataResponse, 12, 100),
]


def seconds(work: Callable[[], object], count: int) -> float:
    """The time of one call, averaged over a round."""
    started = time.perf_counter()
    for _ in range(count):
        work()
    return (time.perf_counter() - started) / count


def compare(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Seconds a call, ours and theirs: the fastest of alternating rounds."""
    count = max(1, int(0.005 / max(seconds(theirs, 5), 1e-7)))
    best_ours = best_theirs = float("inf")
    for _ in range(rounds):
        best_ours = min(best_ours, seconds(ours, count))
        best_theirs = min(best_theirs, seconds(theirs, count))
    return best_ours, best_theirs


def work_of(
    message: Message, their_class: Any, version: int
) -> list[tuple[str, Callable[[], object], Callable[[], object]]]:
    """Encode and decode, ours and theirs, of one message that both write as the same bytes."""
    encode, decode = encoder(type(message), version), decoder(type(message), version)
    raw = encode(message)
    their_message = their_class.decode(raw, version=version)
    their_message._header = None
    assert their_message.encode(version=version) == raw, f"{their_class.__name__} differs from kafka-python's"
    return [
        ("encode", lambda: encode(message), lambda: their_message.encode(version=version)),
        ("decode", lambda: decode(raw, 0), lambda: their_class.decode(raw, version=version)),
    ]


def main() -> int:
    """Print the table; the exit code is 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    rounds = 15 if parser.parse_args().quick else 60
    ratios = []
    print(f"{'message':18}{'parts':>6}{'':3}{'':8}{'ours':>10}{'theirs':>10}{'ratio':>8}")
    for name, build, their_class, version, partitions in CASES:
        for verb, ours, theirs in work_of(build(partitions), their_class, version):
            our_time, their_time = compare(ours, theirs, rounds)
            ratio = their_time / our_time
            has_goal = partitions == 1 or name.startswith("Metadata")
            if has_goal:
                ratios.append(ratio)
            times = f"{our_time * 1e6:8.2f}us{their_time * 1e6:8.2f}us"
            print(
                f"{name:18}{partitions:6}   {verb:8}{times}{ratio:7.2f}x{'' if has_goal else '  (no goal)'}"
            )
    print(f"lowest ratio with a goal: {min(ratios):.2f} (goal: 2)")
    return 0 if min(ratios) >= 2 else 1


if __name__ == "__main__":
    sys.exit(main())
