"""What a test in any language does over HTTP."""

from __future__ import annotations

from confluent_kafka import Consumer, Producer

from tests.web.harness import HttpBroker


def test_it_says_who_it_is(http_kafka: HttpBroker) -> None:
    about = http_kafka.get("/v1").json
    assert about["bootstrap_servers"] == http_kafka.bootstrap_servers
    assert about["node_id"] == 1
    assert http_kafka.get("/healthz").text == "ok\n"
    assert http_kafka.get("/readyz").text == "ready\n"


def test_a_topic_comes_and_goes(http_kafka: HttpBroker) -> None:
    wanted = {"name": "orders", "partitions": 3, "configs": {"retention.ms": "1000"}}
    created = http_kafka.post("/v1/topics", wanted)
    assert created.status == 201
    assert [each["partition"] for each in created.json["partitions"]] == [0, 1, 2]
    assert created.json["configs"] == {"retention.ms": "1000"}
    assert http_kafka.get("/v1/topics/orders").json == created.json
    assert "orders" in [topic["name"] for topic in http_kafka.get("/v1/topics").json]

    again = http_kafka.post("/v1/topics", wanted)
    assert (again.status, again.json["error"]) == (409, "TOPIC_ALREADY_EXISTS")

    assert http_kafka.delete("/v1/topics/orders").status == 204
    gone = http_kafka.get("/v1/topics/orders")
    assert (gone.status, gone.json["error"]) == (404, "UNKNOWN_TOPIC_OR_PARTITION")
    assert http_kafka.post("/v1/topics", wanted).status == 201
    assert http_kafka.delete("/v1/topics/orders").status == 204


def test_records_meet_kafka_clients(http_kafka: HttpBroker) -> None:
    http_kafka.post("/v1/topics", {"name": "greetings"})
    sent = {"key": "en", "value": "hello", "headers": [{"key": "h", "value": "1"}], "timestamp_ms": 1000}
    answer = http_kafka.post(
        "/v1/topics/greetings/records", {"records": [sent, {"value": {"base64": "/w=="}}, {}]}
    )
    assert answer.status == 201
    assert [each["offset"] for each in answer.json["records"]] == [0, 1, 2]
    producer = Producer({"bootstrap.servers": http_kafka.bootstrap_servers})
    producer.produce("greetings", "from a client")
    producer.flush(10)
    records = http_kafka.get("/v1/topics/greetings/records").json["records"]
    assert records[0] == sent | {"partition": 0, "offset": 0}
    assert [each["value"] for each in records[1:]] == [{"base64": "/w=="}, None, "from a client"]
    some = http_kafka.get("/v1/topics/greetings/records?partition=0&offset=2&limit=1").json["records"]
    assert [each["offset"] for each in some] == [2]


def test_a_group_is_waited_for_and_seen(http_kafka: HttpBroker) -> None:
    http_kafka.post("/v1/topics", {"name": "work"})
    records = [{"value": str(number)} for number in range(5)]
    http_kafka.post("/v1/topics/work/records", {"records": records})
    consumer = Consumer(
        {
            "bootstrap.servers": http_kafka.bootstrap_servers,
            "group.id": "team/workers",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe(["work"])
    taken = consumer.consume(2, 20)
    consumer.commit(message=taken[1], asynchronous=False)
    wanted = {"group": "team/workers", "state": "stable", "members": 1, "lag_max": 3}
    assert http_kafka.post("/v1/wait", wanted).status == 200
    group = http_kafka.get("/v1/groups/team/workers").json
    assert (group["state"], group["members"], group["lag"]) == ("Stable", 1, 3)
    assert group["positions"] == [{"topic": "work", "partition": 0, "offset": 2, "end_offset": 5, "lag": 3}]
    refused = http_kafka.delete("/v1/groups/team/workers")
    assert (refused.status, refused.json["error"]) == (409, "NON_EMPTY_GROUP")
    consumer.close()
    assert http_kafka.post("/v1/wait", {"group": "team/workers", "members": 0}).status == 200
    assert http_kafka.delete("/v1/groups/team/workers").status == 204
    assert http_kafka.get("/v1/groups/team/workers").status == 404


def test_what_is_not_so_in_time_is_said(http_kafka: HttpBroker) -> None:
    http_kafka.post("/v1/topics", {"name": "quiet"})
    answer = http_kafka.post("/v1/wait", {"topic": "quiet", "records": 1, "timeout_ms": 20})
    assert answer.status == 408
    assert "quiet has 0 records, not 1" in answer.json["message"]
    assert "quiet-0: offsets 0 to 0" in answer.json["message"]
    assert "quiet-0: offsets 0 to 0" in http_kafka.get("/v1/report").text


def test_the_clock_moves_and_retention_follows(http_kafka: HttpBroker) -> None:
    configs = {"retention.ms": "60000", "segment.ms": "1000"}
    http_kafka.post("/v1/topics", {"name": "old", "configs": configs})
    http_kafka.post("/v1/topics/old/records", {"records": [{"value": "x"}]})
    before = http_kafka.get("/v1/clock").json
    after = http_kafka.post("/v1/clock/advance", {"hours": 2}).json
    assert after["ahead_ms"] - before["ahead_ms"] == 7_200_000
    assert after["now_ms"] - before["now_ms"] >= 7_200_000
    assert http_kafka.get("/v1/topics/old/records").json["records"] == []


def test_mistakes_are_told(http_kafka: HttpBroker) -> None:
    for answer, status, said in (
        (http_kafka.post("/v1/topics", raw=b"{"), 400, "not JSON"),
        (http_kafka.post("/v1/topics", {"name": 3}), 400, "$.name"),
        (http_kafka.post("/v1/topics", {"name": "a", "colour": 1}), 400, "colour"),
        (http_kafka.post("/v1/topics", {"name": "a b"}), 400, "a b"),
        (http_kafka.get("/v1/topics/none/records"), 404, "there is no topic none"),
        (http_kafka.get("/v1/topics?x=1"), 400, "no parameter is called x"),
        (http_kafka.post("/v1/clock/advance", {"hours": -1}), 400, "$.hours"),
        (http_kafka.post("/v1/clock/advance", {}), 400, "ahead only"),
        (http_kafka.post("/v1/wait", {}), 400, "name a topic or a group"),
        (http_kafka.get("/v2"), 404, "/openapi.json"),
        (http_kafka.delete("/v1"), 405, "GET"),
        (http_kafka.post("/v1/topics", raw=b" " * (17 << 20)), 413, "send less"),
    ):
        assert answer.status == status, answer
        assert said in answer.json["message"], answer
