"""Faults over HTTP, as a client sees them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient

from tests.web.harness import HttpBroker, http_broker


@pytest.fixture(scope="module")
def breakable() -> Iterator[HttpBroker]:
    with http_broker() as broker:
        yield broker


def test_a_fault_is_set_seen_and_removed(breakable: HttpBroker) -> None:
    fault = {"kind": "error", "api": "ListGroups", "error": "COORDINATOR_NOT_AVAILABLE"}
    created = breakable.post("/v1/faults", fault)
    assert created.status == 201, created
    admin = AdminClient({"bootstrap.servers": breakable.bootstrap_servers})
    failed = admin.list_consumer_groups(request_timeout=60).result(60).errors
    assert [error.code() for error in failed] == [KafkaError.COORDINATOR_NOT_AVAILABLE]
    (listed,) = breakable.get("/v1/faults").json
    assert listed["id"] == created.json["id"]
    assert listed["hits"] >= 1
    assert breakable.delete(f"/v1/faults/{listed['id']}").status == 204
    assert breakable.delete(f"/v1/faults/{listed['id']}").status == 404
    assert admin.list_consumer_groups(request_timeout=60).result(60).errors == []


def test_scenarios_have_names(breakable: HttpBroker) -> None:
    names = [each["name"] for each in breakable.get("/v1/scenarios").json]
    assert "flaky coordinator" in names
    started = breakable.post("/v1/scenarios/flaky%20coordinator", {"group": "g", "seed": 7})
    assert started.status == 201
    assert {each["group"] for each in started.json} == {"g"}
    assert breakable.delete("/v1/faults").status == 204
    assert breakable.get("/v1/faults").json == []


def test_what_cannot_be_is_said(breakable: HttpBroker) -> None:
    for body, said in (
        ({"kind": "gremlin"}, "there is no fault gremlin"),
        ({"kind": "error", "api": "Fetch"}, "needs error"),
        ({"kind": "latency", "api": "Fetch", "ms": "long"}, "$.ms"),
    ):
        refused = breakable.post("/v1/faults", body)
        assert refused.status == 400
        assert said in refused.json["message"]
    assert breakable.delete("/v1/faults/x").status == 400
    assert breakable.post("/v1/scenarios/rain", {}).status == 404
