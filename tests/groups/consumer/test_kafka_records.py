"""The records of consumer groups beside Apache Kafka's, and directories that go from one to the other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compat.kafka_jars import KafkaUnavailable
from compat.kafka_server import NODE_ID, KafkaServer
from compat.kafka_tools import dump
from compat.kstream_server import KstreamServer
from compat.oracle.run import Topic
from compat.oracle.scenarios.consumer_groups import beat, join
from compat.oracle.scenarios.consumer_migration import assignment, classic_join, subscription
from compat.oracle.scenarios.group_members import sync
from kstream.testing.client import WireClient
from kstream.wire.messages.consumer_group_describe import ConsumerGroupDescribeRequest
from kstream.wire.messages.consumer_group_heartbeat import TopicPartitions
from kstream.wire.messages.delete_groups import DeleteGroupsRequest
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest
from kstream.wire.messages.leave_group import LeaveGroupRequest, MemberIdentity
from kstream.wire.messages.metadata import MetadataRequest, MetadataRequestTopic
from tests.groups.stored import Namer, log_of, records_in
from tests.requests import create_topic
from tests.transactions.wire_producer import until

pytestmark = pytest.mark.java

GROUP = "group"
SETTINGS = {"group.initial.rebalance.delay.ms": "0", "group.consumer.assignment.interval.ms": "0"}


class Teller:
    """Tells a server the same story, request by request."""

    def __init__(self, client: WireClient) -> None:
        self.client = client
        self.classic_id = ""
        create_topic(client, "t1", 4)
        create_topic(client, "other", 1)
        answer = client.request(MetadataRequest(topics=[MetadataRequestTopic(name="t1")]), 12)
        self.topic = Topic("t1", answer.topics[0].topic_id)
        answer = client.request(MetadataRequest(topics=[MetadataRequestTopic(name="other")]), 12)
        self.other = Topic("other", answer.topics[0].topic_id)
        until(self._is_coordinated, bool)

    def _is_coordinated(self) -> bool:
        self.client.request(FindCoordinatorRequest(coordinator_keys=[GROUP]), 4)
        return bool(self.client.request(beat(GROUP, "nobody", 1), 0).error_code == 69)

    def ask(self, request: Any, version: int = 1) -> Any:
        answer = self.client.request(request, version)
        assert getattr(answer, "error_code", 0) == 0, answer
        return answer

    def beat(self, member_id: str, epoch: int, *partitions: int, **fields: Any) -> Any:
        owned = [TopicPartitions(topic_id=self.topic.id, partitions=list(partitions))] if partitions else []
        return self.ask(beat(GROUP, member_id, epoch, topic_partitions=owned, **fields))

    def share(self) -> None:
        """Two members, of whom one gives up; a static one that is away and comes back."""
        self.ask(join(GROUP, "a", "t1", rack_id="r1"))
        self.ask(join(GROUP, "b", "t1", server_assignor="range", instance_id="i"))
        self.ask(beat(GROUP, "a", 2))
        self.beat("a", 2, 2, 3)
        self.ask(beat(GROUP, "b", 3, instance_id="i"))
        self.ask(beat(GROUP, "b", -2, instance_id="i"))
        self.ask(join(GROUP, "c", "t1", instance_id="i"))

    def unsubscribe(self) -> None:
        self.ask(beat(GROUP, "c", 3, instance_id="i", subscribed_topic_names=["other"]))
        self.ask(beat(GROUP, "c", 3, instance_id="i", topic_partitions=[]))
        self.ask(beat(GROUP, "a", 3))
        self.ask(beat(GROUP, "c", -1, instance_id="i"))
        self.ask(beat(GROUP, "a", 4))

    def match(self) -> None:
        before = self.epoch()
        self.ask(join(GROUP, "r", subscribed_topic_names=None, subscribed_topic_regex="oth.*"))
        until(self.epoch, lambda now: now == before + 1)
        self.ask(beat(GROUP, "r", before))
        self.ask(beat(GROUP, "r", -1))

    def epoch(self) -> int:
        described = ConsumerGroupDescribeRequest(group_ids=[GROUP])
        return int(self.ask(described).groups[0].group_epoch)

    def leave(self) -> None:
        self.ask(beat(GROUP, "a", -1))

    def migrate(self) -> None:
        """A classic group, upgraded and downgraded."""
        request = classic_join(GROUP, subscription(self.topic))
        request.member_id = self.client.request(request, 9).member_id
        answer = self.ask(request, 9)
        me = self.classic_id = answer.member_id
        self.ask(sync(GROUP, answer.generation_id, me, (me, assignment(self.topic, 0, 1, 2, 3))), 5)
        self.ask(join(GROUP, "a", "t1"))
        self.ask(classic_join(GROUP, subscription(self.topic, 0, 1, 2, 3), me), 9)
        self.ask(beat(GROUP, "a", -1))

    def delete(self) -> None:
        self.ask(LeaveGroupRequest(group_id=GROUP, members=[MemberIdentity(member_id=self.classic_id)]), 5)
        self.ask(DeleteGroupsRequest(groups_names=[GROUP]), 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("consumer-groups")


STORY: list[Callable[[Teller], None]] = [
    Teller.share,
    Teller.unsubscribe,
    Teller.match,
    Teller.leave,
    Teller.migrate,
    Teller.delete,
]


def test_the_same_story_leaves_the_same_records(folder: Path) -> None:
    try:
        kafka = KafkaServer(SETTINGS, heap="512M", folder=folder / "kafka")
    except KafkaUnavailable as reason:
        pytest.skip(str(reason))
    told: dict[str, dict[str, list[str]]] = {}
    kstream = KstreamServer({"node.id": str(NODE_ID), **SETTINGS}, folder=folder / "kstream")
    servers: list[KafkaServer | KstreamServer] = [kafka, kstream]
    for server in servers:
        with server:
            with WireClient(*server.address, client_id="teller") as client:
                teller = Teller(client)
                for chapter in STORY:
                    chapter(teller)
                names = {teller.topic.id: "t1", teller.other.id: "other"}
            server.stop()
            namer = Namer(names, {"t1": 4, "other": 1})
            records = records_in(server.data_dir, GROUP)
            told[server.name] = namer.histories(records)
            shown = dump([log_of(server.data_dir, GROUP)], "--offsets-decoder")
            assert sum(line.startswith("| offset:") for line in shown) == len(records)
    assert len(told["kafka"]) >= 15
    assert told["kstream"] == told["kafka"]


def test_a_directory_goes_from_kafka_to_kstream_and_back(folder: Path) -> None:
    """Members go on in the epoch that they had, whoever coordinates them."""
    try:
        kafka = KafkaServer(SETTINGS, heap="512M", folder=folder / "shared")
    except KafkaUnavailable as reason:
        pytest.skip(str(reason))
    with kafka, WireClient(*kafka.address, client_id="teller") as client:
        teller = Teller(client)
        teller.share()
        before = described(teller)
        kafka.stop()
    kstream = KstreamServer({"node.id": str(NODE_ID), **SETTINGS}, folder=kafka.folder)
    kstream.port = kafka.port
    with kstream, WireClient(*kstream.address, client_id="teller") as client:
        teller.client = client
        assert described(teller) == before
        assert teller.ask(beat(GROUP, "a", 3)).member_epoch == 3
        assert teller.epoch() == 3, "the topics' hash is the one that Kafka wrote"
        teller.ask(beat(GROUP, "c", -1, instance_id="i"))
        teller.ask(beat(GROUP, "a", 3))
        teller.ask(join(GROUP, "d", "t1"))
        teller.ask(beat(GROUP, "a", 4))
        before = described(teller)
        kstream.stop()
    with kafka, WireClient(*kafka.address, client_id="teller") as client:
        teller.client = client
        until(lambda: described(teller), before.__eq__)
        assert teller.beat("a", 4, 0, 1).member_epoch == 5
        kafka.stop()


def described(teller: Teller) -> Any:
    """The group as operators see it, whose members have no order."""
    (group,) = teller.ask(ConsumerGroupDescribeRequest(group_ids=[GROUP])).groups
    group.members.sort(key=lambda member: member.member_id)
    return group
