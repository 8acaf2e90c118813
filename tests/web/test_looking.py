"""Looking into a broker over HTTP: why nothing arrives, what was said on the wire, a copy of all of it."""

from __future__ import annotations

from pathlib import Path

from confluent_kafka import Producer

from kstream.testing import Broker
from tests.web.harness import HttpBroker, http_broker


def test_why_nothing_arrives(http_kafka: HttpBroker) -> None:
    found = http_kafka.get("/v1/groups/nobody/why").json
    assert found["group"] == "nobody"
    assert found["findings"][0]["text"]


def test_a_trace_has_what_was_said(http_kafka: HttpBroker) -> None:
    assert http_kafka.delete("/v1/trace").status == 400
    http_kafka.post("/v1/topics", {"name": "traced"})
    assert http_kafka.post("/v1/trace").status == 204
    producer = Producer({"bootstrap.servers": http_kafka.bootstrap_servers, "client.id": "told"})
    producer.produce("traced", "x")
    assert producer.flush(10) == 0
    (exchange,) = http_kafka.delete("/v1/trace?api=Produce&client_id=to*").json
    assert "traced" in str(exchange)
    assert http_kafka.delete("/v1/trace").status == 400


def test_a_snapshot_is_a_data_directory_while_the_server_lives(tmp_path: Path) -> None:
    with http_broker() as broker:
        broker.post("/v1/topics", {"name": "kept"})
        broker.post("/v1/topics/kept/records", {"records": [{"value": "before"}]})
        taken = broker.post("/v1/snapshots", {"name": "base"})
        assert taken.status == 201
        broker.post("/v1/topics/kept/records", {"records": [{"value": "after"}]})
        with Broker(data_dir=Path(taken.json["path"])) as copy:
            assert [event.value for event in copy.records("kept")] == [b"before"]
        assert broker.post("/v1/snapshots", {"name": "base"}).status == 400
        assert broker.post("/v1/snapshots", {"name": "../base"}).status == 400
        assert [each["name"] for each in broker.get("/v1/snapshots").json] == ["base"]
        assert broker.delete("/v1/snapshots/base").status == 204
        assert broker.delete("/v1/snapshots/base").status == 404
        path = Path(broker.post("/v1/snapshots", {"name": "last"}).json["path"])
        assert path.exists()
    assert not path.exists()
