"""`kstream faults` and `kstream why`, as a person types them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from compat.story import wait_until
from kstream.cli import main
from kstream.testing import Broker


class Served(NamedTuple):
    """Where a server is."""

    kafka: str
    http: str
    process: subprocess.Popen[str]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    log = tmp_path / "log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "kstream", "serve", "--ephemeral", "--listen", "127.0.0.1:0", "--http",
             "127.0.0.1:0", "--topic", "t"],
            stdout=subprocess.PIPE, stderr=stderr, text=True,
        )  # fmt: skip
    assert process.stdout is not None
    ready = process.stdout.readline().split()
    assert ready[:2] == ["kstream", "ready"], log.read_text()
    http = next(line.split()[1] for line in log.read_text().splitlines() if line.strip().startswith("http"))
    yield Served(ready[2], http.removeprefix("http://").partition("/")[0], process)
    process.terminate()
    assert process.wait(60) == 0
    process.stdout.close()


def _send(producer: Producer) -> KafkaError | None:
    told: list[KafkaError | None] = []
    producer.produce("t", "v", on_delivery=lambda error, _: told.append(error))
    assert producer.flush(60) == 0
    return told[0]


def test_faults_from_the_command_line(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    def faults(*arguments: str) -> str:
        assert main(["faults", *arguments, "--http", served.http]) == 0
        return capsys.readouterr().out

    producer = Producer(
        {
            "bootstrap.servers": served.kafka,
            "log_level": 0,
            "reconnect.backoff.ms": 20,
            "retry.backoff.ms": 20,
        }
    )
    assert "everybody" in faults("add", "error", "--error", "INVALID_RECORD", "--count", "1")
    assert "error" in faults("list")
    faults("clear")
    faults("add", "error", "--api", "Produce", "--error", "INVALID_RECORD", "--topic", "t", "--count", "1")
    error = _send(producer)
    assert error is not None
    assert error.code() == KafkaError.INVALID_RECORD
    assert json.loads(faults("list", "--json"))[0]["hits"] == 1
    faults("start", "leader-election", "--topic", "t")
    assert _send(producer) is None
    assert [fault["hits"] for fault in json.loads(faults("list", "--json"))] == [1, 1, 1]
    assert main(["faults", "clear", "99", "--http", served.http]) == 4
    assert "there is no fault 99" in capsys.readouterr().err
    assert main(["faults", "add", "latency", "--http", served.http]) == 2
    assert "latency needs ms" in capsys.readouterr().err

    # A crash: the process is the same, its memory is not.
    faults("add", "crash", "--api", "Produce", "--when", "after")
    assert _send(producer) is None
    wait_until(lambda: main(["faults", "list", "--json", "--http", served.http]) == 0, "it is back")
    assert json.loads(capsys.readouterr().out) == []
    assert served.process.poll() is None


def test_scenarios_need_no_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faults", "scenarios", "--json"]) == 0
    assert "flaky coordinator" in [each["name"] for each in json.loads(capsys.readouterr().out)]
    assert main(["faults", "list", "--http", "127.0.0.1:1"]) == 3
    assert "kstream serve --http" in capsys.readouterr().err


def test_why_over_the_protocol(capsys: pytest.CaptureFixture[str]) -> None:
    def why(*arguments: str) -> str:
        assert main(["why", *arguments, "--bootstrap", broker.bootstrap_servers]) == 0
        return capsys.readouterr().out

    with Broker({"t": 2}) as broker:
        assert "not joined: there is no group g" in why("g")
        assert "topic missing: there is no topic typo" in why("g", "--topic", "typo")
        for number in range(4):
            broker.produce("t", str(number), partition=number % 2)
        consumer = Consumer(
            {"bootstrap.servers": broker.bootstrap_servers, "group.id": "g", "auto.offset.reset": "latest"}
        )
        consumer.subscribe(["t"])
        broker.wait_for(lambda: [consumer.poll(0.02), consumer.assignment()][-1])
        consumer.commit(offsets=[TopicPartition("t", 0, 2)], asynchronous=False)
        told = why("g")
        assert told.startswith("g: stable\n")
        assert "at end: t-0: the group has everything up to the end, 2" in told
        assert "no position: t-1" in told
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "transactional.id": "x"})
        producer.init_transactions(60)
        producer.begin_transaction()
        producer.produce("t", "open", partition=0)
        producer.flush(60)
        (finding, _) = json.loads(why("g", "--json"))["findings"]
        assert finding["reason"] == "open_transaction"
        assert (finding["topic"], finding["partition"]) == ("t", 0)
        producer.abort_transaction(60)
        consumer.close()
