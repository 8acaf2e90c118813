"""What share partitions leave in `__share_group_state` beside what Apache Kafka leaves, read by Kafka's
own tool.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from compat.kafka_jars import KafkaUnavailable
from compat.kafka_server import NODE_ID, KafkaServer
from compat.kafka_tools import dump
from compat.kstream_server import KstreamServer
from compat.oracle.batches import batch
from compat.oracle.requests import produce
from compat.oracle.run import Topic
from compat.oracle.share_requests import (
    ACCEPT,
    REJECT,
    RELEASE,
    acknowledge,
    initialize,
    share_fetch_of,
    summary,
)
from kstream.coordinator.codec import RecordDecoder, encode_record
from kstream.coordinator.hashing import partition_for
from kstream.records.batch import iter_headers
from kstream.records.record import iter_records
from kstream.shares.state_store import KEYS, VALUES, ShareKey
from kstream.testing.client import WireClient
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest
from kstream.wire.messages.metadata import MetadataRequest, MetadataRequestTopic
from tests.requests import create_topic
from tests.transactions.wire_producer import until

pytestmark = pytest.mark.java

GROUP = "workers"
SETTINGS = {"share.coordinator.snapshot.update.records.per.snapshot": "4"}


class Worker:
    """A member of the group at one server."""

    def __init__(self, client: WireClient, *, is_new: bool) -> None:
        self.client = client
        if is_new:
            create_topic(client, "jobs", 1)
        answer = client.request(MetadataRequest(topics=[MetadataRequestTopic(name="jobs")]), 12)
        self.topic = Topic("jobs", answer.topics[0].topic_id)
        key = ShareKey(GROUP, self.topic.id, 0).coordinator_key
        find = FindCoordinatorRequest(key_type=2, coordinator_keys=[key])
        until(lambda: client.request(find, 6).coordinators[0].error_code, lambda code: code == 0)
        ask = summary(GROUP, self.topic)
        until(lambda: client.request(ask, 1).results[0].partitions[0].error_code, lambda code: code == 0)
        if is_new:
            client.request(initialize(GROUP, self.topic), 0)
        self.epoch = 0

    def fill(self, count: int) -> None:
        records = batch(*(b"%d" % number for number in range(count)))
        answer = self.client.request(produce((self.topic, 0, records)), 9)
        assert answer.responses[0].partition_responses[0].error_code == 0

    def fetch(self) -> list[tuple[int, int, int]]:
        """What it got, once there is something."""

        def attempt() -> list[Any]:
            wanted = [(self.topic, [0])] if not self.epoch else []
            request = share_fetch_of(GROUP, "m", self.epoch, *wanted, max_wait_ms=500, min_bytes=1)
            answer = self.client.request(request, 2)
            assert answer.error_code == 0
            self.epoch += 1
            return [each for topic in answer.responses for each in topic.partitions[0].acquired_records]

        got = until(attempt, bool)
        return [(each.first_offset, each.last_offset, each.delivery_count) for each in got]

    def acknowledge(self, first: int, last: int, kind: int) -> None:
        answer = self.client.request(
            acknowledge(GROUP, "m", self.epoch, (self.topic, 0, [(first, last, [kind])])), 2
        )
        assert answer.responses[0].partitions[0].error_code == 0
        self.epoch += 1

    def work(self) -> None:
        """Several kinds of what can happen, and enough of it for snapshots."""
        self.fill(10)
        assert self.fetch() == [(0, 9, 1)]
        self.acknowledge(0, 2, ACCEPT)
        self.acknowledge(5, 5, REJECT)
        self.acknowledge(3, 4, RELEASE)
        self.acknowledge(8, 9, RELEASE)
        assert self.fetch() == [(3, 4, 2), (8, 9, 2)]
        self.acknowledge(4, 4, ACCEPT)
        self.acknowledge(3, 3, ACCEPT)
        self.acknowledge(8, 8, RELEASE)


def _log_of(data_dir: Path, topic: Topic) -> Path:
    index = partition_for(ShareKey(GROUP, topic.id, 0).coordinator_key, 50)
    (log,) = (data_dir / f"__share_group_state-{index}").glob("*.log")
    return log


def _written(data_dir: Path, topic: Topic) -> list[str]:
    """What was written, without what cannot be the same twice; written anew, it has the same bytes."""
    view, position = memoryview(_log_of(data_dir, topic).read_bytes()), 0
    decoder, told = RecordDecoder(KEYS, VALUES), []
    for header in iter_headers(view, partial_ok=True):
        for record in iter_records(view, position, header=header):
            decoded: Any = decoder.decode(record.key, record.value)
            assert encode_record(decoded) == (record.key, record.value)
            for field in ("create_timestamp", "write_timestamp"):
                if hasattr(decoded.value, field):
                    setattr(decoded.value, field, 0)
            told.append(f"{type(decoded.key).__name__} {decoded.value}")
        position += header.size_bytes
    return told


def test_records_are_those_of_kafka_and_its_tool_reads_them(tmp_path: Path) -> None:
    try:
        kafka = KafkaServer(SETTINGS, heap="512M", folder=tmp_path / "kafka")
    except KafkaUnavailable as reason:
        pytest.skip(str(reason))
    written = []
    for server in (kafka, KstreamServer(SETTINGS, folder=tmp_path / "kstream")):
        with server, WireClient(*server.address) as client:
            worker = Worker(client, is_new=True)
            worker.work()
            server.stop()
        written.append(_written(server.data_dir, worker.topic))
    theirs, ours = written
    assert ours == theirs
    lines = dump([_log_of(server.data_dir, worker.topic)], "--share-group-state-decoder", "--print-data-log")
    shown = [line for line in lines if "| offset:" in line]
    assert len(shown) == len(ours)
    assert all('"groupId":"workers"' in line.replace(" ", "") for line in shown), shown


def test_a_directory_goes_from_kafka_to_kstream_and_back(tmp_path: Path) -> None:
    """What was accepted does not come again at the other, what was released does, counted on."""
    try:
        kafka = KafkaServer(SETTINGS, heap="512M", folder=tmp_path / "shared")
    except KafkaUnavailable as reason:
        pytest.skip(str(reason))
    with kafka, WireClient(*kafka.address) as client:
        Worker(client, is_new=True).work()
        kafka.stop()
    kstream = KstreamServer({"node.id": str(NODE_ID), **SETTINGS}, folder=kafka.folder)
    kstream.port = kafka.port
    with kstream, WireClient(*kstream.address) as client:
        worker = Worker(client, is_new=False)
        # 6 and 7 were acquired when Kafka stopped, which nobody wrote down; 9 was on its second delivery.
        assert worker.fetch() == [(6, 7, 1), (8, 8, 3), (9, 9, 2)]
        worker.acknowledge(6, 7, ACCEPT)
        worker.acknowledge(8, 8, RELEASE)
        kstream.stop()
    with kafka, WireClient(*kafka.address) as client:
        worker = Worker(client, is_new=False)
        assert worker.fetch() == [(8, 8, 4)]
        kafka.stop()
