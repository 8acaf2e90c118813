"""Kafka's own `kafka-share-groups` (4.3.1): it lists, describes, resets by every option, and deletes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from compat.kafka_jars import KafkaUnavailable
from compat.kafka_tools import run_tool, tools_jars
from compat.kstream_server import KstreamServer
from kstream.testing.client import WireClient
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest
from kstream.wire.messages.share_group_heartbeat import (
    ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
)
from tests.transactions.wire_producer import until

pytestmark = pytest.mark.java

TOPIC, OTHER, RECORDS = "orders", "returns", 100
FIRST_MS, STEP_MS = 1_700_000_000_000, 1000


@pytest.fixture(scope="module")
def server() -> Iterator[KstreamServer]:
    try:
        tools_jars()
    except KafkaUnavailable as reason:
        pytest.skip(str(reason))
    with KstreamServer({"log.retention.ms": "-1"}) as running:
        admin = AdminClient({"bootstrap.servers": running.bootstrap})
        for made in admin.create_topics([NewTopic(TOPIC, 1, 1), NewTopic(OTHER, 2, 1)]).values():
            made.result()
        producer = Producer({"bootstrap.servers": running.bootstrap})
        for number in range(RECORDS):
            producer.produce(TOPIC, b"record", timestamp=FIRST_MS + number * STEP_MS)
        assert producer.flush(30) == 0
        yield running


class Member:
    """A member of a share group that only sends heartbeats."""

    def __init__(self, server: KstreamServer, group: str, *topics: str) -> None:
        self.client = WireClient(*server.address, client_id="member")
        self.group = group
        self.topics = topics
        self.epoch = 0
        self.client.request(FindCoordinatorRequest(coordinator_keys=[group]), 4)
        answer = self.beat(*topics)
        assert answer.error_code == 0

    def beat(self, *topics: str, epoch: int | None = None) -> ShareGroupHeartbeatResponse:
        request = ShareGroupHeartbeatRequest(
            group_id=self.group,
            member_id="member-1",
            member_epoch=self.epoch if epoch is None else epoch,
            subscribed_topic_names=list(topics) or None,
        )
        answer: ShareGroupHeartbeatResponse = self.client.request(request, 1)
        self.epoch = answer.member_epoch
        return answer

    def wait_for_partitions(self) -> None:
        """Ask with the topics, which is answered with all that it has, whether or not that is news."""
        until(
            lambda: self.beat(*self.topics).assignment,
            lambda found: found is not None and bool(found.topic_partitions),
        )

    def leave(self) -> None:
        self.beat(epoch=-1)
        self.client.close()


def tool(server: KstreamServer, *arguments: str) -> str:
    done = run_tool("consumer.group.ShareGroupCommand", "--bootstrap-server", server.bootstrap, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Error" not in done.stdout, done.stdout
    return done.stdout


def rows(output: str) -> list[dict[str, str]]:
    """A table of the tool, by the names of its columns."""
    lines = [line.split() for line in output.splitlines() if line.strip()]
    heads = next(line for line in lines if "GROUP" in line)
    return [dict(zip(heads, line, strict=False)) for line in lines[lines.index(heads) + 1 :]]


def start_offsets(server: KstreamServer, group: str) -> dict[tuple[str, str], str]:
    """By topic and partition; nothing where the tool finds none."""
    output = tool(server, "--describe", "--group", group, "--offsets")
    if "START-OFFSET" not in output:
        return {}
    return {(row["TOPIC"], row["PARTITION"]): row["START-OFFSET"] for row in rows(output)}


def test_a_group_with_a_member_is_listed_and_described(server: KstreamServer) -> None:
    member = Member(server, "live", TOPIC)
    try:
        member.wait_for_partitions()
        assert "live" in tool(server, "--list").split()
        assert {"GROUP": "live", "STATE": "Stable"} in rows(tool(server, "--list", "--state", "stable"))
        (described,) = rows(tool(server, "--describe", "--group", "live", "--members", "--verbose"))
        assert described["CONSUMER-ID"] == "member-1"
        assert f"{TOPIC}:0" in described.values()
        (state,) = rows(tool(server, "--describe", "--group", "live", "--state"))
        assert "Stable" in state.values()
        assert start_offsets(server, "live") == {(TOPIC, "0"): "-"}
        refused = run_tool(
            "consumer.group.ShareGroupCommand",
            *("--bootstrap-server", server.bootstrap, "--delete", "--group", "live"),
        )
        assert "is not EMPTY" in refused.stdout + refused.stderr
    finally:
        member.leave()


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        (("--to-earliest",), "0"),
        (("--to-latest",), "100"),
        (("--to-datetime", "2023-11-14T22:13:50.000"), "30"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else str(value),
)
def test_positions_are_reset(server: KstreamServer, option: tuple[str, ...], expected: str) -> None:
    member = Member(server, "workers", TOPIC)
    member.leave()
    reset = ("--reset-offsets", "--group", "workers", "--topic", TOPIC, *option)
    before = start_offsets(server, "workers")
    (plan,) = rows(tool(server, *reset, "--dry-run"))
    assert plan["NEW-OFFSET"] == expected
    assert start_offsets(server, "workers") == before
    tool(server, *reset, "--execute")
    assert start_offsets(server, "workers") == {(TOPIC, "0"): expected}


def test_all_topics_are_reset_and_some_forgotten(server: KstreamServer) -> None:
    member = Member(server, "two", TOPIC, OTHER)
    member.wait_for_partitions()
    member.leave()
    tool(server, "--reset-offsets", "--group", "two", "--all-topics", "--to-earliest", "--execute")
    places = {(TOPIC, "0"): "0", (OTHER, "0"): "0", (OTHER, "1"): "0"}
    assert start_offsets(server, "two") == places
    tool(server, "--delete-offsets", "--group", "two", "--topic", OTHER)
    assert start_offsets(server, "two") == {(TOPIC, "0"): "0"}


def test_a_group_is_deleted(server: KstreamServer) -> None:
    member = Member(server, "leaving", TOPIC)
    member.wait_for_partitions()
    member.leave()
    assert "leaving" in tool(server, "--list").split()
    tool(server, "--delete", "--group", "leaving")
    assert "leaving" not in tool(server, "--list").split()
    member = Member(server, "leaving", TOPIC)
    assert member.epoch == 2, "a group of the same name begins anew"
    member.leave()
