"""`kstream queue`, with a stock share consumer: what waits, what is shown, purged and redriven."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import AcknowledgeType, Message, Producer, ShareConsumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from kstream.broker.partition import Partition
from kstream.cli import redriving
from kstream.cli.app import run
from kstream.cli.connection import Cluster
from kstream.cli.redriving import Letters, Origin, Redriven, Resender
from kstream.replay.errors import NoAnswer, ReplayError
from kstream.shares.state_store import ShareKey
from kstream.testing.reading import committed_records
from kstream.web.routes import queues
from tests.web.harness import HttpBroker, http_broker

pytestmark = pytest.mark.clients

GROUP, TOPIC, DEAD = "workers", "jobs", "dlq.jobs"
TIMEOUT_S = 60.0


@pytest.fixture
def server() -> Iterator[HttpBroker]:
    with http_broker() as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
        dead = NewTopic(DEAD, 1, 1, config={"errors.deadletterqueue.group.enable": "true"})
        for future in admin.create_topics([NewTopic(TOPIC, 1, 1), dead]).values():
            future.result()
        configs = [
            "share.auto.offset.reset=earliest",
            f"errors.deadletterqueue.topic.name={DEAD}",
            "errors.deadletterqueue.copy.record.enable=true",
        ]
        bootstrap = ("--bootstrap", broker.bootstrap_servers)
        assert run(["configs", "set", "group", GROUP, *configs, *bootstrap]) == 0
        yield broker


def produce(server: HttpBroker, *values: str) -> None:
    producer = Producer({"bootstrap.servers": server.bootstrap_servers})
    for value in values:
        producer.produce(TOPIC, value, "key", headers=[("kind", value)])
    producer.flush()


def work(server: HttpBroker, fates: dict[str, AcknowledgeType]) -> None:
    """A worker that says of these what became of them, leaves others out, and goes."""
    worker = ShareConsumer(
        {
            "bootstrap.servers": server.bootstrap_servers,
            "group.id": GROUP,
            "share.acknowledgement.mode": "explicit",
            "log_level": 0,
        }
    )
    worker.subscribe([TOPIC])
    waiting = dict(fates)
    for _ in range(int(TIMEOUT_S)):
        for message in worker.poll(1.0):
            value = message.value()
            assert value is not None
            fate = waiting.pop(value.decode(), AcknowledgeType.RELEASE)
            worker.acknowledge(message, fate)
        worker.commit_sync(TIMEOUT_S)
        if not waiting:
            break
    worker.close()
    assert not waiting


def queue(server: HttpBroker, capsys: pytest.CaptureFixture[str], *command: str) -> str:
    """What a command prints."""
    capsys.readouterr()
    at = "--bootstrap" if command[0] == "redrive" else "--http"
    where = server.bootstrap_servers if command[0] == "redrive" else f"127.0.0.1:{server.port}"
    assert run(["queue", *command, at, where]) == 0
    printed = capsys.readouterr()
    return printed.out + printed.err


def dead(server: HttpBroker, key: str, *, topic: str = TOPIC) -> None:
    """A dead letter of the group's, for the first record of a topic."""
    produce(server, key)
    producer = Producer({"bootstrap.servers": server.bootstrap_servers})
    said = {"group": GROUP, "topic": topic, "partition": 0, "offset": 0}
    producer.produce(
        DEAD, None, key, headers=[(f"__dlq.errors.{name}", str(value)) for name, value in said.items()]
    )
    producer.flush()


def settled(server: HttpBroker, capsys: pytest.CaptureFixture[str], *, depth: int) -> dict[str, Any]:
    """The queue's only partition once it is so deep: a dead letter is not done with before it is written."""
    end_s = time.monotonic() + TIMEOUT_S
    while True:
        (partition,) = json.loads(queue(server, capsys, "stats", GROUP, "--json"))["partitions"]
        if partition["depth"] == depth:
            return dict(partition)
        assert time.monotonic() < end_s, partition


def test_a_queue_is_seen_emptied_and_its_dead_letters_come_back(
    server: HttpBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    produce(server, "good", "poison", "waits")
    work(server, {"good": AcknowledgeType.ACCEPT, "poison": AcknowledgeType.REJECT})

    partition = settled(server, capsys, depth=1)
    assert (partition["topic"], partition["accepted"]) == (TOPIC, 1)
    assert (partition["dead_lettered"], partition["given_up"]) == (1, 0)
    assert partition["delivered"] >= 3
    (waiting,) = json.loads(queue(server, capsys, "peek", GROUP, "--json"))
    assert (waiting["offset"], waiting["value"], waiting["state"]) == (2, "waits", "AVAILABLE")
    assert "kstream_queue_depth" in server.get("/metrics").text
    described = server.get(f"/v1/groups/{GROUP}").json
    assert (described["protocol"], described["members"], described["lag"]) == ("share", 0, 1)
    assert described["positions"][0]["end_offset"] == 3

    for _ in range(100):
        told = queue(server, capsys, "redrive", GROUP, "--dry-run")
        if told == f"would send 1 of {DEAD}, passed over 0\n":
            break
    else:
        pytest.fail(told)
    assert "sent 0" in queue(server, capsys, "redrive", GROUP, "--where", "key=other")
    assert "sent 1" in queue(server, capsys, "redrive", GROUP)
    assert "sent 0" in queue(server, capsys, "redrive", GROUP)
    back = json.loads(queue(server, capsys, "peek", GROUP, "--json"))[-1]
    headers = [["kind", "poison"], ["kstream-redriven", GROUP]]
    assert (back["value"], back["key"], back["headers"]) == ("poison", "key", headers)

    queue(server, capsys, "purge", GROUP)
    assert json.loads(queue(server, capsys, "stats", GROUP, "--json"))["depth"] == 0
    assert queue(server, capsys, "peek", GROUP) == "nothing waits\n"


def test_peek_loads_nothing_for_good_and_passes_what_is_done_and_a_deleted_group_leaves_no_counts(
    server: HttpBroker, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    produce(server, *(str(number) for number in range(40)))
    done = {str(number): AcknowledgeType.ACCEPT for number in range(1, 39)}
    work(server, done)  # the first one is given back, and holds the window's start
    read: list[int] = []

    async def counting(partition: Partition, start: int, *, count_max: int) -> Any:
        read.append(start)
        return await committed_records(partition, start, count_max=count_max)

    monkeypatch.setattr(queues, "committed_records", counting)
    settled(server, capsys, depth=2)
    shown = json.loads(queue(server, capsys, "peek", GROUP, "--max", "2", "--json"))
    assert [each["value"] for each in shown] == ["0", "39"]
    assert len(read) <= 3, read
    shares = server.broker.shares
    assert len(shares) == 0
    topic_id = server.broker.metadata.image.topics_by_name[TOPIC].topic_id
    assert shares.counts_of(ShareKey(GROUP, topic_id, 0)) is not None
    assert run(["groups", "delete", GROUP, "--bootstrap", server.bootstrap_servers]) == 0
    assert shares.counts_of(ShareKey(GROUP, topic_id, 0)) is None


def test_redrive_takes_its_time_and_no_more_than_it_is_told(
    server: HttpBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    produce(server, "a", "b", "c")
    work(server, dict.fromkeys("abc", AcknowledgeType.REJECT))
    settled(server, capsys, depth=0)
    assert "sent 2" in queue(server, capsys, "redrive", GROUP, "--max", "2", "--rate", "1000")
    assert "sent 1" in queue(server, capsys, "redrive", GROUP)
    assert run(["queue", "redrive", GROUP, "--rate", "0", "--bootstrap", server.bootstrap_servers]) == 2
    assert "--rate is more than 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--max", "0"), "--max is more than 0"),
        (("--max", "-1"), "--max is more than 0"),
        (("--rate", "nan"), "--rate is more than 0"),
        (("--where", "colour"), "colour"),
    ],
)
def test_redrive_refuses_nonsense_and_sends_nothing(
    server: HttpBroker, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], reason: str
) -> None:
    dead(server, "a")
    assert run(["queue", "redrive", GROUP, *words, "--bootstrap", server.bootstrap_servers]) == 2
    assert reason in capsys.readouterr().err
    assert "would send 1" in queue(server, capsys, "redrive", GROUP, "--dry-run")


def test_a_letter_of_a_topic_that_is_gone_is_said_and_stays(
    server: HttpBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    dead(server, "a", topic="gone")
    assert run(["queue", "redrive", GROUP, "--bootstrap", server.bootstrap_servers]) == 4
    assert "cannot read gone-0: " in capsys.readouterr().err
    assert "would send 1" in queue(server, capsys, "redrive", GROUP, "--dry-run")


class Slow:
    """A consumer of a partition with two records that are nowhere to be had."""

    def __init__(self, _settings: object) -> None: ...

    def list_topics(self, topic: str, *, timeout: float) -> Any:
        found = SimpleNamespace(error=None, partitions={0: None})
        return SimpleNamespace(topics={topic: found})

    def committed(self, wanted: list[TopicPartition], *, timeout: float) -> list[TopicPartition]:
        return wanted

    def get_watermark_offsets(self, _partition: TopicPartition, _timeout_s: float) -> tuple[int, int]:
        return 0, 2

    def assign(self, _wanted: list[TopicPartition]) -> None: ...

    def poll(self, _timeout_s: float) -> None:
        return None


def test_a_slow_read_ends_a_redrive_and_is_not_taken_for_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redriving, "new_consumer", Slow)
    with pytest.raises(NoAnswer, match=r"dlq\.jobs-0 is slow to read"):
        list(Letters(Cluster(), DEAD, GROUP))
    with pytest.raises(NoAnswer, match="jobs-0 is slow to read"):
        Resender(Cluster()).send(cast(Message, None), Origin(GROUP, TOPIC, 0, 1))


def test_a_group_that_is_not_there(server: HttpBroker, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["queue", "stats", "nobody", "--http", f"127.0.0.1:{server.port}"]) == 4
    assert "there is no share group nobody" in capsys.readouterr().err
    assert run(["queue", "redrive", "nobody", "--bootstrap", server.bootstrap_servers]) == 2
    assert "no dead letters" in capsys.readouterr().err
    assert run(["queue", "redrive", "", "--bootstrap", server.bootstrap_servers]) == 2
    assert capsys.readouterr().err == "kstream: name a share group\n"


def test_what_a_filter_passed_over_is_there_for_the_next_redrive(
    server: HttpBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    producer = Producer({"bootstrap.servers": server.bootstrap_servers})
    for offset, key in enumerate(["a", "b", "c", "b"]):
        producer.produce(TOPIC, f"{key}{offset}", key)
        said = {"group": GROUP if key != "c" else "others", "topic": TOPIC, "partition": 0, "offset": offset}
        headers: list[tuple[str, str | bytes | None]] = [
            (f"__dlq.errors.{name}", str(value)) for name, value in said.items()
        ]
        producer.produce(DEAD, None, key, headers=headers)
    producer.flush()
    assert "sent 2" in queue(server, capsys, "redrive", GROUP, "--where", "key=b")
    assert "sent 1" in queue(server, capsys, "redrive", GROUP)
    assert "sent 0" in queue(server, capsys, "redrive", GROUP)


def test_what_was_redriven_fits_into_a_note() -> None:
    redriven = Redriven(10)
    for offset in (12, 13, 14, 20, 11):
        redriven.add(offset)
    assert (redriven.position, redriven.note()) == (10, "11-14,20")
    again = Redriven(10, redriven.note())
    again.add(10)
    assert (again.position, again.note()) == (15, "20")
    assert 20 in again
    assert 19 not in again
    assert Redriven(30, "20-25,31").note() == "31"
    for offset in range(1000, 5000, 2):
        again.add(offset)
    with pytest.raises(ReplayError, match="without --where"):
        again.note()


@pytest.mark.parametrize("note", ["mine", "1-", "-1", "5-3", "5-3x", "0-99999999999", "1,,x", "\u0663"])
def test_a_note_that_nobody_here_wrote_is_refused(note: str) -> None:
    with pytest.raises(ReplayError, match="not which letters are done with"):
        Redriven(0, note)


def test_a_note_takes_little_memory_however_many_ranges_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redriving, "_NOTED_MAX", 10)
    assert 10 in Redriven(0, "1-5,6-10")
    with pytest.raises(ReplayError, match="not which letters are done with"):
        Redriven(0, "1-5,6-11")
