"""Stock consumers of KIP-848, librdkafka's and Kafka's own: they share work, by names and by expression,
take over from who dies, resume, keep their place as static members, migrate, and go on when the server is
killed in the middle of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from compat.kafka_jars import KafkaUnavailable, java, kafka_jars
from compat.kstream_server import KstreamServer
from kstream.testing.client import WireClient
from kstream.wire.messages.consumer_group_describe import ConsumerGroupDescribeRequest, DescribedGroup
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest
from tests.requests import create_topic, produce, values_batch

pytestmark = pytest.mark.clients

PARTITIONS = 6
TIMEOUT_S = 60.0
SETTINGS = {
    "group.consumer.min.session.timeout.ms": "3000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.heartbeat.interval.ms": "200",
    "group.consumer.heartbeat.interval.ms": "300",
    "group.consumer.assignment.interval.ms": "200",
}
Partition = tuple[str, int]


class Consumer:
    """A consumer process, and what it has told so far."""

    def __init__(self, server: KstreamServer, client: str, group: str, *topics: str, **options: str) -> None:
        settings = {"group.id": group} | {key.replace("_", "."): value for key, value in options.items()}
        if client == "java":
            program = str(Path(__file__).with_name("ConsumerProcess.java"))
            said = ";".join(f"{key}={value}" for key, value in settings.items())
            command = [java(), "-Xmx128m", "-cp", f"{kafka_jars()}/*", program, server.bootstrap, said]
        else:
            program = "tests.clients.consumer_process"
            command = [sys.executable, "-m", program, server.bootstrap, json.dumps(settings)]
        self.process = subprocess.Popen(
            [*command, *topics],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
            text=True,
        )
        self.assignments: list[set[Partition]] = []
        self.got: list[tuple[str, int, int]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            what, content = json.loads(line)
            if what == "assigned":
                self.assignments.append({(topic, index) for topic, index in content})
            else:
                self.got += [(topic, index, offset) for topic, index, offset in content]

    @property
    def assigned(self) -> set[Partition]:
        return self.assignments[-1] if self.assignments else set()

    def close(self) -> None:
        """Leave the group and end."""
        if self.process.poll() is None:
            self.process.communicate("close\n", timeout=TIMEOUT_S)

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


Starter = Callable[..., Consumer]


@contextmanager
def starting(server: KstreamServer, client: str) -> Iterator[Starter]:
    """Starts consumers, and sees that none stays."""
    consumers: list[Consumer] = []

    def start(group: str, *topics: str, **options: str) -> Consumer:
        consumers.append(Consumer(server, client, group, *topics, **options))
        return consumers[-1]

    try:
        yield start
    finally:
        for consumer in consumers:
            consumer.kill()


@pytest.fixture
def server() -> Iterator[KstreamServer]:
    with KstreamServer(SETTINGS) as running:
        yield running
        assert "Traceback" not in running.log_path.read_text(), running.log_tail()


@pytest.fixture(params=["librdkafka", pytest.param("java", marks=pytest.mark.java)])
def client(request: pytest.FixtureRequest) -> str:
    if request.param == "java":
        try:
            kafka_jars()
            java()
        except KafkaUnavailable as reason:
            pytest.skip(str(reason))
    return str(request.param)


@pytest.fixture
def start(server: KstreamServer, client: str) -> Iterator[Starter]:
    with starting(server, client) as starter:
        yield starter


def until(condition: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s, f"within {TIMEOUT_S:.0f} s: {what}"
        threading.Event().wait(0.02)


def fill(server: KstreamServer, topic: str, count: int, *, partitions: int = PARTITIONS) -> None:
    """So many records more in each partition of a topic, which is made at first."""
    with WireClient(*server.address) as wire:
        create_topic(wire, topic, partitions)
        for partition in range(partitions):
            batch = values_batch([b"%d" % number for number in range(count)])
            assert produce(wire, topic, batch, partition=partition).error_code == 0


def described(server: KstreamServer, group: str) -> DescribedGroup:
    with WireClient(*server.address) as wire:
        wire.request(FindCoordinatorRequest(coordinator_keys=[group]), 4)
        found: DescribedGroup = wire.request(ConsumerGroupDescribeRequest(group_ids=[group]), 1).groups[0]
        return found


def until_shared(consumers: list[Consumer], partitions: set[Partition]) -> None:
    def is_shared() -> bool:
        counts = Counter(partition for each in consumers for partition in each.assigned)
        least = len(partitions) // len(consumers)
        return counts == dict.fromkeys(partitions, 1) and all(len(c.assigned) >= least for c in consumers)

    until(is_shared, "the partitions are shared")


def until_read(consumers: list[Consumer], topic: str, count: int, *, partitions: int = PARTITIONS) -> None:
    wanted = {(topic, partition, offset) for partition in range(partitions) for offset in range(count)}
    until(lambda: wanted <= {each for c in consumers for each in c.got}, "everything is read")


def of(topic: str, partitions: int = PARTITIONS) -> set[Partition]:
    return {(topic, index) for index in range(partitions)}


def test_they_share_take_over_and_resume(server: KstreamServer, start: Starter) -> None:
    fill(server, "shared", 20)
    first = start("sharing", "shared")
    until_read([first], "shared", 20)
    second, third = start("sharing", "shared"), start("sharing", "shared")
    until_shared([first, second, third], of("shared"))
    fill(server, "shared", 20)
    until_read([first, second, third], "shared", 40)
    second.kill()
    third.close()
    until_shared([first], of("shared"))
    first.close()
    assert Counter(each for c in (first, second, third) for each in c.got).most_common(1)[0][1] == 1
    fill(server, "shared", 10)
    last = start("sharing", "shared")
    until(lambda: len(last.got) >= 10 * PARTITIONS, "the rest is read")
    assert min(offset for _, _, offset in last.got) == 40


@pytest.mark.slow
def test_topics_that_match(server: KstreamServer, start: Starter) -> None:
    fill(server, "match-1", 5)
    consumers = [start("matching", "^match-[0-9]+$") for _ in range(2)]
    until_shared(consumers, of("match-1"))
    fill(server, "match-2", 5)
    fill(server, "no-match-2", 5)
    until_shared(consumers, of("match-1") | of("match-2"))
    until_read(consumers, "match-2", 5)


def test_a_static_member_comes_back_to_its_place(server: KstreamServer, start: Starter) -> None:
    fill(server, "static", 5)
    moving = start("static", "static", group_instance_id="mover")
    staying = start("static", "static", group_instance_id="stayer")
    until_shared([moving, staying], of("static"))
    before, held, epoch = len(staying.assignments), moving.assigned, described(server, "static").group_epoch
    moving.close()
    back = start("static", "static", group_instance_id="mover")
    until(lambda: back.assigned == held, "it has its place")
    assert len(staying.assignments) == before
    assert described(server, "static").group_epoch == epoch


@pytest.mark.slow
def test_a_group_migrates_while_members_stay(server: KstreamServer, client: str, start: Starter) -> None:
    fill(server, "migrating", 5)
    strategy = "org.apache.kafka.clients.consumer.RangeAssignor" if client == "java" else "range"
    classic = {"group_protocol": "classic", "partition_assignment_strategy": strategy}
    old = [start("migrating", "migrating", **classic) for _ in range(2)]
    until_shared(old, of("migrating"))
    assert described(server, "migrating").error_code == 69
    new = start("migrating", "migrating")
    everybody = [*old, new]
    until_shared(everybody, of("migrating"))
    assert {member.member_type for member in described(server, "migrating").members} == {0, 1}
    old.pop().close()
    until_shared([*old, new], of("migrating"))
    new.close()
    until_shared(old, of("migrating"))
    assert described(server, "migrating").error_code == 69
    fill(server, "migrating", 5)
    until_read(everybody, "migrating", 10)


def test_the_server_is_killed_in_the_middle_of_a_reconciliation(client: str) -> None:
    with KstreamServer(SETTINGS) as server, starting(server, client) as start:
        fill(server, "killed", 20)
        first = start("killing", "killed")
        until_read([first], "killed", 20)
        others = [start("killing", "killed") for _ in range(2)]
        until(lambda: described(server, "killing").group_state == "Reconciling", "it reconciles")
        server.kill()
        server.start()
        consumers = [first, *others]
        until_shared(consumers, of("killed"))
        group = described(server, "killing")
        assert {len(member.assignment.topic_partitions) for member in group.members} == {1}
        fill(server, "killed", 20)
        until_read(consumers, "killed", 40)
        assert "Traceback" not in server.log_path.read_text(), server.log_tail()
