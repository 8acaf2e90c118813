"""What Prometheus reads, under the names that dashboards for Kafka ask for."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kstream.web.metrics import groups, topics
from tests.web.harness import HttpBroker, http_broker

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(broker: HttpBroker) -> Samples:
    answer = broker.get("/metrics")
    assert answer.status == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def test_traffic_by_topic_and_in_all(used: HttpBroker) -> None:
    samples = scrape(used)
    prefix = "kafka_server_brokertopicmetrics"
    assert value(samples, f"{prefix}_messagesin_total", topic="t") == 3
    assert 300 < value(samples, f"{prefix}_bytesin_total", topic="t") < 1000
    assert value(samples, f"{prefix}_bytesout_total", topic="t") >= value(
        samples, f"{prefix}_bytesin_total", topic="t"
    )
    assert value(samples, f"{prefix}_messagesin_total") >= 3


def test_requests_errors_and_latencies(used: HttpBroker) -> None:
    samples = scrape(used)
    rates = [
        amount
        for (name, labels), amount in samples.items()
        if name == "kafka_network_requestmetrics_requests_total" and ("request", "Produce") in labels
    ]
    assert sum(rates) == 3
    prefix = "kafka_network_requestmetrics"
    assert value(samples, f"{prefix}_errors_total", request="Produce", error="NONE") == 3
    assert 0 < value(samples, f"{prefix}_totaltimems", request="Produce", quantile="0.99") < 10_000
    assert value(samples, f"{prefix}_totaltimems_count", request="Produce") == 3
    assert value(samples, f"{prefix}_totaltimems_count", request="FetchConsumer") > 0
    assert value(samples, "kstream_request_duration_seconds_bucket", request="Produce", le="+Inf") == 3


def test_offsets_sizes_and_lag(used: HttpBroker) -> None:
    samples = scrape(used)
    assert value(samples, "kafka_log_log_logendoffset", topic="t", partition="0") == 3
    assert value(samples, "kafka_topic_partition_current_offset", topic="t", partition="0") == 3
    assert value(samples, "kafka_log_log_size", topic="t", partition="0") > 300
    where = {"consumergroup": "g", "topic": "t"}
    assert value(samples, "kafka_consumergroup_lag", partition="0", **where) == 2
    assert value(samples, "kafka_consumergroup_lag_sum", **where) == 2
    assert value(samples, "kafka_consumergroup_members", consumergroup="g") == 0
    assert value(samples, "kstream_consumergroup_state", consumergroup="g", state="Empty") == 1


def test_the_inside(used: HttpBroker) -> None:
    samples = scrape(used)
    assert value(samples, "kafka_controller_kafkacontroller_offlinepartitionscount") == 0
    assert value(samples, "kstream_event_loop_delay_seconds", quantile="0.99") >= 0
    assert value(samples, "process_resident_memory_bytes") > 1e6
    assert value(samples, "kafka_network_requestchannel_requestqueuesize") >= 0


def test_totals_outlive_topics_and_never_fall(used: HttpBroker) -> None:
    used.post("/v1/topics", {"name": "short-lived"})
    used.post("/v1/topics/short-lived/records", {"records": [{"value": "x"}]})
    before = value(scrape(used), "kafka_server_brokertopicmetrics_messagesin_total")
    used.delete("/v1/topics/short-lived")
    samples = scrape(used)
    assert value(samples, "kafka_server_brokertopicmetrics_messagesin_total") == before
    assert not [labels for _, labels in samples if ("topic", "short-lived") in labels]


def test_series_are_bounded(used: HttpBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "PARTITIONS_MAX", 1)
    monkeypatch.setattr(groups, "POSITIONS_MAX", 0)
    samples = scrape(used)
    assert value(samples, "kstream_metrics_left_out", what="groups") == 1
    assert value(samples, "kstream_metrics_left_out", what="partitions") >= 2
    assert not [name for name, _ in samples if name == "kafka_log_log_size"]
    assert value(samples, "kafka_server_brokertopicmetrics_messagesin_total") >= 3


def test_openmetrics_on_request(used: HttpBroker) -> None:
    answer = used.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_a_clock_that_leaps_is_no_delay() -> None:
    with http_broker() as broker:
        broker.post("/v1/clock/advance", {"seconds": 30})
        assert broker.get("/v1/stats").json["event_loop_delay"]["max_ms"] < 25_000
