"""Traffic that is noted, decoded and sent again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Producer

from kstream.cli import main
from kstream.server.exchanges import exchanges
from kstream.server.trace_file import ANSWER, CLOSED, REQUEST, BadTrace, TraceWriter, read_trace
from kstream.testing import Broker


def _talk(broker: Broker, topic: str = "t") -> None:
    producer = Producer(
        {"bootstrap.servers": broker.bootstrap_servers, "client.id": "writer", "log_level": 0}
    )
    for number in range(3):
        producer.produce(topic, str(number))
        assert producer.flush(60) == 0
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": "g",
            "client.id": "reader",
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )
    consumer.subscribe([topic])
    values: list[bytes | None] = []
    while len(values) < 3:
        message = consumer.poll(60)
        assert message is not None
        values.append(message.value())
    consumer.close()
    assert values == [b"0", b"1", b"2"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "wire.trace"
    with Broker(["t"]) as broker, broker.trace(path):
        _talk(broker)
    return path


def test_every_request_has_its_answer(file: Path) -> None:
    seen = list(exchanges(read_trace(file)))
    assert all(each.request is not None for each in seen)
    produced = [each for each in seen if each.key.name == "PRODUCE"]
    assert len(produced) == 3
    for each in produced:
        assert (each.client_id, each.errors, each.closed) == ("writer", [], None)
        assert each.took_us is not None
        described = each.describe()
        (topic,) = described["response"]["responses"]
        assert topic["partition_responses"][0]["base_offset"] == produced.index(each)
    fetched = [each for each in seen if each.key.name == "FETCH" and each.response is not None]
    sizes = [
        partition["records"]["size_bytes"]
        for each in fetched
        for topic in each.describe()["response"]["responses"]
        for partition in topic["partitions"]
    ]
    assert max(sizes) > 60


def test_the_command_filters(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", str(file)]) == 0
    everything = capsys.readouterr().out.splitlines()
    assert main(["trace", str(file), "--api", "join-group"]) == 0
    joins = capsys.readouterr().out.splitlines()
    assert 2 <= len(joins) < len(everything)
    assert "reader JOIN_GROUP" in joins[0]
    assert " g " in joins[0]
    assert joins[0].endswith("MEMBER_ID_REQUIRED")
    assert main(["trace", str(file), "--client-id", "wri*", "--topic", "t", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["api"] for line in lines} <= {"PRODUCE", "METADATA"}
    assert {line["client_id"] for line in lines} == {"writer"}
    assert main(["trace", str(file), "--errors"]) == 0
    assert all(
        "MEMBER_ID_REQUIRED" in line or "no answer" in line for line in capsys.readouterr().out.splitlines()
    )


def test_a_replay_does_the_same_again(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["trace", str(file), "--api", "Produce", "--api", "InitProducerId", "--replay"]
    seen = {each.key.name: each for each in exchanges(read_trace(file))}
    with Broker(["t"]) as broker:
        assert main([*arguments, broker.bootstrap_servers]) == 0
        told = capsys.readouterr()
        assert "3 requests sent, 3 answered with the same errors or none" in told.err
        assert told.out == ""
        assert [event.value for event in broker.records("t")] == [b"0", b"1", b"2"]
        broker.delete_topic("t")
        broker.topic("t", max_message_bytes=1)
        assert main([*arguments, broker.bootstrap_servers]) == 0
        told = capsys.readouterr()
        assert "0 answered with the same errors or none, 3 otherwise" in told.err
        assert f"PRODUCE v{seen['PRODUCE'].version}" in told.out
        assert "no error then, MESSAGE_TOO_LARGE now" in told.out


def test_what_faults_do_is_in_the_trace(tmp_path: Path) -> None:
    path = tmp_path / "wire.trace"
    with Broker(["t"]) as broker:
        producer = Producer(
            {"bootstrap.servers": broker.bootstrap_servers, "log_level": 0, "reconnect.backoff.ms": 20}
        )
        with (
            broker.trace(path),
            broker.faults.add("torn", api="Produce", count=1),
            broker.faults.add("error", api="Produce", error="INVALID_RECORD", skip=1, count=1),
        ):
            told: list[KafkaError | None] = []
            producer.produce("t", "v", on_delivery=lambda error, _: told.append(error))
            assert producer.flush(60) == 0
    kinds = [entry.kind for entry in read_trace(path)]
    assert CLOSED in kinds
    seen = [each for each in exchanges(read_trace(path)) if each.key.name == "PRODUCE"]
    assert seen[0].response is None
    assert seen[-1].errors in ([], ["INVALID_RECORD"])


def test_a_trace_is_bounded_and_may_be_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "wire.trace"
    with TraceWriter(path, size_bytes_max=100) as writer:
        for _ in range(10):
            writer.write(1, REQUEST, b"x" * 20)
    assert path.stat().st_size < 120
    with TraceWriter(path) as writer:
        writer.write(1, REQUEST, b"abc")
        writer.write(2, ANSWER, b"defg")
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        if size < 16:
            with pytest.raises(BadTrace, match="is no trace"):
                list(read_trace(path))
        else:
            assert len(list(read_trace(path))) <= 1
    path.write_bytes(whole)
    assert [entry.data for entry in read_trace(path)] == [b"abc", b"defg"]


def test_what_cannot_be_read_or_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", str(tmp_path / "none")]) == 2
    assert "cannot read" in capsys.readouterr().err
    with Broker() as broker, pytest.raises(BadTrace, match="cannot write the trace"), broker.trace(tmp_path):
        raise AssertionError("it was written")
