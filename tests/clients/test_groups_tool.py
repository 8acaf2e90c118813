"""Kafka's own `kafka-consumer-groups` (4.3.1): it lists, describes, resets by every option, and deletes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from compat.kafka_jars import KafkaUnavailable
from compat.kafka_tools import run_tool, tools_jars
from compat.kstream_server import KstreamServer

pytestmark = pytest.mark.java

GROUP, TOPIC, RECORDS = "workers", "orders", 100
FIRST_MS, STEP_MS = 1_700_000_000_000, 1000


@pytest.fixture(scope="module")
def server() -> Iterator[KstreamServer]:
    try:
        tools_jars()
    except KafkaUnavailable as reason:
        pytest.skip(str(reason))
    with KstreamServer({"log.retention.ms": "-1"}) as running:
        admin = AdminClient({"bootstrap.servers": running.bootstrap})
        admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result()
        producer = Producer({"bootstrap.servers": running.bootstrap})
        for number in range(RECORDS):
            producer.produce(TOPIC, b"record", timestamp=FIRST_MS + number * STEP_MS)
        assert producer.flush(30) == 0
        yield running


def consumer(server: KstreamServer, group: str) -> Consumer:
    return Consumer(
        {"bootstrap.servers": server.bootstrap, "group.id": group, "auto.offset.reset": "earliest"}
    )


def tool(server: KstreamServer, *arguments: str) -> str:
    done = run_tool("consumer.group.ConsumerGroupCommand", "--bootstrap-server", server.bootstrap, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Error" not in done.stdout, done.stdout
    return done.stdout


def rows(output: str) -> list[dict[str, str]]:
    """A table of the tool, by the names of its columns."""
    lines = [line.split() for line in output.splitlines() if line.strip()]
    heads = next(line for line in lines if "GROUP" in line)
    return [dict(zip(heads, line, strict=False)) for line in lines[lines.index(heads) + 1 :]]


def committed(server: KstreamServer, group: str = GROUP) -> int:
    asking = consumer(server, group)
    try:
        return int(asking.committed([TopicPartition(TOPIC, 0)], 10)[0].offset)
    finally:
        asking.close()


def commit(server: KstreamServer, offset: int, group: str = GROUP) -> None:
    committing = consumer(server, group)
    committing.commit(offsets=[TopicPartition(TOPIC, 0, offset)], asynchronous=False)
    committing.close()


def test_a_group_with_a_member_is_listed_and_described(server: KstreamServer) -> None:
    member = consumer(server, "live")
    try:
        member.subscribe([TOPIC])
        message = member.poll(60)
        assert message is not None
        member.commit(offsets=[TopicPartition(TOPIC, 0, 40)], asynchronous=False)
        assert "live" in tool(server, "--list").split()
        assert rows(tool(server, "--list", "--state", "stable")) == [{"GROUP": "live", "STATE": "Stable"}]
        (offsets,) = rows(tool(server, "--describe", "--group", "live", "--offsets"))
        wanted = ("CURRENT-OFFSET", "LOG-END-OFFSET", "LAG")
        assert [offsets[name] for name in wanted] == ["40", "100", "60"]
        (described,) = rows(tool(server, "--describe", "--group", "live", "--members", "--verbose"))
        assert described["#PARTITIONS"] == "1"
        (state,) = rows(tool(server, "--describe", "--group", "live", "--state"))
        assert "Stable" in state.values()
        done = run_tool(
            "consumer.group.ConsumerGroupCommand",
            *("--bootstrap-server", server.bootstrap, "--delete", "--group", "live"),
        )
        assert "GroupNotEmptyException" in done.stdout + done.stderr
    finally:
        member.close()


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        (("--to-earliest",), 0),
        (("--to-latest",), 100),
        (("--to-offset", "70"), 70),
        (("--to-offset", "999"), 100),
        (("--shift-by", "-5"), 45),
        (("--to-current",), 50),
        (("--to-datetime", "2023-11-14T22:13:50.000"), 30),
        (("--by-duration", "P0DT0H0M1S"), 100),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else str(value),
)
def test_positions_are_reset(server: KstreamServer, option: tuple[str, ...], expected: int) -> None:
    commit(server, 50)
    reset = ("--reset-offsets", "--group", GROUP, "--topic", TOPIC, *option)
    assert rows(tool(server, *reset, "--dry-run"))[0]["NEW-OFFSET"] == str(expected)
    assert committed(server) == 50
    assert rows(tool(server, *reset, "--execute"))[0]["NEW-OFFSET"] == str(expected)
    assert committed(server) == expected


def test_positions_are_exported_and_reset_from_a_file(server: KstreamServer, tmp_path: Path) -> None:
    commit(server, 50)
    reset = ("--reset-offsets", "--group", GROUP)
    exported = tool(server, *reset, "--topic", TOPIC, "--to-offset", "33", "--export", "--dry-run")
    assert f'"{TOPIC}",0,33' in exported.replace("'", '"') or f"{TOPIC},0,33" in exported
    plan = tmp_path / "plan.csv"
    plan.write_text(f"{TOPIC},0,33\n")
    tool(server, *reset, "--from-file", str(plan), "--execute")
    assert committed(server) == 33


def test_positions_and_groups_are_deleted(server: KstreamServer) -> None:
    commit(server, 10, "leaving")
    tool(server, "--delete-offsets", "--group", "leaving", "--topic", TOPIC)
    assert committed(server, "leaving") < 0
    commit(server, 10, "leaving")
    assert "leaving" in tool(server, "--list").split()
    tool(server, "--delete", "--group", "leaving")
    assert "leaving" not in tool(server, "--list").split()
