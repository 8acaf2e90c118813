"""The records of share groups beside Apache Kafka's, and directories that go from one to the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from compat.kafka_jars import KafkaUnavailable
from compat.kafka_server import NODE_ID, KafkaServer
from compat.kafka_tools import dump
from compat.kstream_server import KstreamServer
from compat.oracle.scenarios.share_groups import all_offsets, share_beat, share_join
from compat.oracle.scenarios.share_offsets import alter, delete
from kstream.testing.client import WireClient
from kstream.wire.fields import ZERO_UUID
from kstream.wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from kstream.wire.messages.delete_groups import DeleteGroupsRequest
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest
from kstream.wire.messages.metadata import MetadataRequest, MetadataRequestTopic
from kstream.wire.messages.share_group_describe import ShareGroupDescribeRequest
from kstream.wire.uuids import format_uuid
from tests.groups.stored import Namer, log_of, records_in
from tests.requests import create_topic
from tests.transactions.wire_producer import until

pytestmark = pytest.mark.java

GROUP = "group"
SETTINGS = {"group.share.assignment.interval.ms": "0"}
COUNTS = {"t1": 1, "other": 1}


class Teller:
    """Tells a server the same story, request by request."""

    def __init__(self, client: WireClient) -> None:
        self.client = client
        self.names: dict[bytes, str] = {}
        for name, count in COUNTS.items():
            create_topic(client, name, count)
            answer = client.request(MetadataRequest(topics=[MetadataRequestTopic(name=name)]), 12)
            self.names[answer.topics[0].topic_id] = name
        until(self._is_coordinated, bool)

    def _is_coordinated(self) -> bool:
        self.client.request(FindCoordinatorRequest(coordinator_keys=[GROUP]), 4)
        key = f"{GROUP}:{format_uuid(next(iter(self.names)))}:0"
        states = self.client.request(FindCoordinatorRequest(key_type=2, coordinator_keys=[key]), 6)
        beat = self.client.request(share_beat(GROUP, "nobody", 1), 1)
        return bool(states.coordinators[0].error_code == 0 and beat.error_code == 69)

    def ask(self, request: Any, version: int = 1) -> Any:
        answer = self.client.request(request, version)
        assert getattr(answer, "error_code", 0) == 0, answer
        return answer

    def wait_for(self, **counts: int) -> None:
        """Until so many partitions are initialized."""

        def found() -> dict[str, int]:
            answer = self.ask(all_offsets(GROUP))
            return {topic.topic_name: len(topic.partitions) for topic in answer.groups[0].topics}

        until(found, counts.__eq__)

    def share(self) -> None:
        """Two members of one partition; one subscribes to something else."""
        self.ask(share_join(GROUP, "a", "t1", rack_id="r1"))
        self.wait_for(t1=1)
        self.ask(share_beat(GROUP, "a", 2))
        self.ask(share_join(GROUP, "b", "t1"))
        self.ask(share_beat(GROUP, "b", 4, subscribed_topic_names=["other", "t1"]))
        self.wait_for(t1=1, other=1)
        self.ask(share_beat(GROUP, "b", 5))
        self.ask(share_beat(GROUP, "a", 3))

    def leave(self) -> None:
        self.ask(share_beat(GROUP, "a", -1))
        self.ask(share_beat(GROUP, "b", 6))
        self.ask(share_beat(GROUP, "b", -1))

    def move(self) -> None:
        self.ask(alter(GROUP, {"t1": {0: 3}}), 0)
        self.ask(delete(GROUP, "other"), 0)

    def delete(self) -> None:
        self.ask(DeleteGroupsRequest(groups_names=[GROUP]), 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("share-groups")


def kafka_in(folder: Path) -> KafkaServer:
    try:
        return KafkaServer(SETTINGS, heap="512M", folder=folder)
    except KafkaUnavailable as reason:
        pytest.skip(str(reason))


def test_the_same_story_leaves_the_same_records(folder: Path) -> None:
    told: dict[str, dict[str, list[str]]] = {}
    kstream = KstreamServer({"node.id": str(NODE_ID), **SETTINGS}, folder=folder / "kstream")
    servers: list[KafkaServer | KstreamServer] = [kafka_in(folder / "kafka"), kstream]
    for server in servers:
        with server:
            with WireClient(*server.address, client_id="teller") as client:
                teller = Teller(client)
                for chapter in (teller.share, teller.leave, teller.move, teller.delete):
                    chapter()
            server.stop()
            records = records_in(server.data_dir, GROUP)
            told[server.name] = Namer(teller.names, COUNTS).histories(records)
            shown = dump([log_of(server.data_dir, GROUP)], "--offsets-decoder")
            assert sum(line.startswith("| offset:") for line in shown) == len(records)
    assert len(told["kafka"]) >= 9
    assert told["kstream"] == told["kafka"]


def test_a_directory_goes_from_kafka_to_kstream_and_back(folder: Path) -> None:
    """Members go on in the epoch that they had, whoever coordinates them, and groups stay where they are."""
    kafka = kafka_in(folder / "shared")
    with kafka, WireClient(*kafka.address, client_id="teller") as client:
        teller = Teller(client)
        teller.ask(alter("moved", {"t1": {0: 3}}), 0)
        teller.share()
        before = seen(teller)
        kafka.stop()
    kstream = KstreamServer({"node.id": str(NODE_ID), **SETTINGS}, folder=kafka.folder)
    kstream.port = kafka.port
    with kstream, WireClient(*kstream.address, client_id="teller") as client:
        teller.client = client
        assert seen(teller) == before
        answer = teller.ask(share_beat(GROUP, "a", 6))
        assert (answer.member_epoch, answer.assignment) == (6, None)
        teller.ask(share_beat(GROUP, "b", -1))
        teller.ask(share_beat(GROUP, "a", 6))
        grown = CreatePartitionsTopic(name="t1", count=2, assignments=None)
        teller.ask(CreatePartitionsRequest(topics=[grown], timeout_ms=10_000), 3)
        until(lambda: teller.ask(share_beat(GROUP, "a", 7)).member_epoch, (8).__le__)
        teller.wait_for(t1=2, other=1)
        epoch = teller.ask(share_beat(GROUP, "a", 8)).member_epoch
        teller.ask(alter("moved", {"other": {0: 9}}), 0)
        before = seen(teller)
        kstream.stop()
    with kafka, WireClient(*kafka.address, client_id="teller") as client:
        teller.client = client
        until(lambda: seen(teller), before.__eq__)
        assert teller.ask(share_beat(GROUP, "a", epoch)).member_epoch == epoch
        kafka.stop()


def seen(teller: Teller) -> Any:
    """The groups as operators see them; members and topics have no order."""
    groups = teller.ask(ShareGroupDescribeRequest(group_ids=[GROUP, "moved"])).groups
    for group in groups:
        group.members.sort(key=lambda member: member.member_id)
        for member in group.members:
            member.subscribed_topic_names.sort()
            member.assignment.topic_partitions.sort(key=lambda topic: topic.topic_name)
    places = [teller.ask(all_offsets(name)).groups[0] for name in (GROUP, "moved")]
    for place in places:
        place.topics.sort(key=lambda topic: topic.topic_name)
    assert ZERO_UUID not in [topic.topic_id for place in places for topic in place.topics]
    return sorted(groups, key=lambda group: group.group_id), places
