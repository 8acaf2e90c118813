"""Queues through the broker, by what workers get: `kstream.queue.*` of a group."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kstream.testing import Broker
from tests.queues.worker import ACCEPT, REJECT, RELEASE, Worker, configure, connect


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker(["jobs"]) as running:
        yield running


def configured(broker: Broker, **configs: object) -> None:
    with connect(broker) as client:
        (answer,) = configure(client, "workers", **configs).responses
        assert answer.error_code == 0, answer.error_message


def offsets(got: list[tuple[int, int]]) -> list[int]:
    return [offset for offset, _ in got]


def test_a_fetch_that_waits_gets_a_delayed_record_at_its_time(broker: Broker) -> None:
    configured(broker, kstream_queue_enable="true")
    broker.produce("jobs", "later", headers={"kstream-delay-ms": "60000"})
    broker.produce("jobs", "now")
    with Worker(broker, "workers", "jobs") as worker:
        assert worker.fetch(10) == [(1, 1)]
        worker.send(10, wait_ms=100_000, settle={1: ACCEPT})
        broker.clock.advance(seconds=60)
        assert worker.receive() == [(0, 1)]


def test_backoff_wakes_the_fetch_that_waits_for_the_record(broker: Broker) -> None:
    configured(broker, kstream_queue_backoff_ms=5000)
    broker.produce("jobs", "fails once")
    with Worker(broker, "workers", "jobs") as worker:
        assert worker.fetch() == [(0, 1)]
        assert worker.fetch(settle={0: RELEASE}) == []
        worker.send(wait_ms=20_000)
        broker.clock.advance(seconds=5)
        assert worker.receive() == [(0, 2)]


@pytest.mark.parametrize("what", ["crash", "leave"])
def test_backoff_outlives_the_broker_and_the_last_worker(broker: Broker, what: str) -> None:
    configured(broker, kstream_queue_backoff_ms=60_000)
    for value in ("fails", "succeeds", "fails later"):
        broker.produce("jobs", value)
    with Worker(broker, "workers", "jobs") as worker:
        assert offsets(worker.fetch(3)) == [0, 1, 2]
        assert worker.fetch(3, settle={0: RELEASE, 1: ACCEPT}) == []
        broker.clock.advance(seconds=20)
        assert worker.fetch(3, settle={2: RELEASE}) == []
    if what == "crash":
        broker.crash()
        broker.restart()
    broker.clock.advance(seconds=30)
    with Worker(broker, "workers", "jobs", is_first=False) as worker:
        assert worker.fetch(3) == []
        broker.clock.advance(seconds=10)
        assert worker.fetch(3) == [(0, 2)]
        worker.send(3, wait_ms=100_000)
        broker.clock.advance(seconds=20)
        assert worker.receive() == [(2, 2)]


def test_expired_records_go_and_the_queue_moves_on(broker: Broker) -> None:
    configured(broker, kstream_queue_ttl_ms=1000)
    broker.produce("jobs", "old")
    broker.clock.advance(seconds=2)
    broker.produce("jobs", "new")
    with Worker(broker, "workers", "jobs") as worker:
        assert worker.fetch(10) == [(1, 1)]


def test_an_expired_record_becomes_a_dead_letter_with_the_reason(broker: Broker) -> None:
    broker.topic("dlq.jobs", errors_deadletterqueue_group_enable="true")
    configured(
        broker,
        kstream_queue_ttl_ms=1000,
        kstream_queue_ttl_dead_letter_enable="true",
        errors_deadletterqueue_topic_name="dlq.jobs",
    )
    broker.produce("jobs", "old")
    with Worker(broker, "workers", "jobs") as worker:
        assert worker.fetch() == [(0, 1)]
        assert worker.fetch(settle={0: RELEASE}) == [(0, 2)]
        broker.clock.advance(seconds=2)
        assert worker.fetch(settle={0: RELEASE}) == []
        (letter,) = broker.wait_for(lambda: broker.records("dlq.jobs"))
    assert dict(letter.headers)["__dlq.errors.message"] == b"Record expired."
    assert dict(letter.headers)["__dlq.errors.offset"] == b"0"


def test_priorities_and_order_by_key_across_workers(broker: Broker) -> None:
    configured(broker, kstream_queue_order="key")
    for number, key in enumerate(["a", "a", "b"]):
        broker.produce("jobs", str(number), key=key)
    broker.produce("jobs", "urgent", key="c", headers={"kstream-priority": "9"})
    with (
        Worker(broker, "workers", "jobs") as first,
        Worker(broker, "workers", "jobs", is_first=False) as second,
    ):
        assert offsets(first.fetch(10)) == [3]
        assert offsets(first.fetch(1, settle={3: ACCEPT})) == [0]
        assert offsets(second.fetch(10)) == [2]
        assert offsets(second.fetch(10, settle={2: REJECT})) == []
        assert offsets(first.fetch(10, settle={0: ACCEPT})) == [1]


def test_a_filter_and_deduplication_leave_records_out(broker: Broker) -> None:
    configured(
        broker,
        kstream_queue_filter='headers["type"] == "refund" && key.startsWith("k")',
        kstream_queue_deduplication_window_ms=60_000,
    )
    for kind, key in (("sale", "k1"), ("refund", "k1"), ("refund", "k1"), ("refund", "x"), ("refund", "k2")):
        broker.produce("jobs", kind, key=key, headers={"type": kind})
    broker.produce("jobs", "without headers", key="k3")
    with Worker(broker, "workers", "jobs") as worker:
        assert offsets(worker.fetch(10)) == [1, 4]


def test_a_filter_that_fails_with_a_record_is_not_for_the_group(broker: Broker) -> None:
    configured(broker, kstream_queue_filter="10 / int(key) == 5")
    for key in ("0", "two", None, "2"):
        broker.produce("jobs", "v", key=key)
    with Worker(broker, "workers", "jobs") as worker:
        assert offsets(worker.fetch(10)) == [3]


def test_the_longest_filter_is_evaluated() -> None:
    from kstream.broker.queue_rules import compiled
    from kstream.config.validators import CelExpression
    from kstream.records.record import Record

    for text in ("!" * 996 + "true", "+".join(["1"] * 497) + "==497"):
        assert CelExpression().fault(text) is None
        assert compiled(text)(Record(0, 0, None, None))


def test_when_the_owner_of_a_partition_dies_another_takes_over(broker: Broker) -> None:
    configured(broker, kstream_queue_subscription="failover")
    for number in range(3):
        broker.produce("jobs", str(number))
    with (
        Worker(broker, "workers", "jobs") as first,
        Worker(broker, "workers", "jobs", is_first=False) as second,
    ):
        assert offsets(first.fetch()) == [0]
        assert second.fetch() == []
        second.send(10, wait_ms=20_000)
        first.leave()
        assert second.receive() == [(0, 2), (1, 1), (2, 1)]


def test_what_was_delayed_and_what_was_done_outlive_kill_9(broker: Broker) -> None:
    configured(broker, kstream_queue_enable="true")
    broker.produce("jobs", "later", headers={"kstream-delay-ms": "60000"})
    broker.produce("jobs", "done")
    broker.produce("jobs", "not done")
    with Worker(broker, "workers", "jobs") as worker:
        assert offsets(worker.fetch()) == [1]
        assert offsets(worker.fetch(settle={1: ACCEPT})) == [2]
    broker.crash()
    broker.restart()
    with Worker(broker, "workers", "jobs", is_first=False) as worker:
        assert offsets(worker.fetch(10)) == [2]
        worker.send(10, wait_ms=100_000, settle={2: ACCEPT})
        broker.clock.advance(seconds=60)
        assert offsets(worker.receive()) == [0]


def test_a_group_becomes_a_queue_and_is_none_again_while_workers_are_there(broker: Broker) -> None:
    for number in range(6):
        broker.produce("jobs", str(number), key="k")
    with Worker(broker, "workers", "jobs") as worker:
        assert offsets(worker.fetch(2)) == [0, 1]
        configured(broker, kstream_queue_order="key")
        assert offsets(worker.fetch(5, settle={0: ACCEPT})) == []  # 1 is out, and before all others
        assert offsets(worker.fetch(5, settle={1: ACCEPT})) == [2]
        configured(broker, kstream_queue_order="none", kstream_queue_enable="false")
        assert offsets(worker.fetch(5, settle={2: ACCEPT})) == [3, 4, 5]


@pytest.mark.parametrize("codec", ["none", "lz4"])
def test_a_batch_of_many_thousand_records_is_looked_at_in_parts(broker: Broker, codec: str) -> None:
    from confluent_kafka import Producer

    configured(broker, kstream_queue_filter='key == "4999" || key == "9000"')
    producer = Producer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "linger.ms": 1000,
            "batch.num.messages": 10_000,
            "batch.size": 10_000_000,
            "compression.type": codec,
        }
    )
    for number in range(10_000):
        producer.produce("jobs", b"", str(number))
    producer.flush(60)
    with Worker(broker, "workers", "jobs") as worker:
        assert offsets(worker.fetch(10, wait_ms=20_000)) == [4999, 9000]
        assert worker.fetch(10, settle={4999: ACCEPT, 9000: ACCEPT}) == []


def test_aborted_records_are_for_nobody(broker: Broker) -> None:
    from confluent_kafka import Producer

    configured(broker, kstream_queue_enable="true", share_isolation_level="read_committed")
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "transactional.id": "t"})
    producer.init_transactions(10)
    for value, end in (("a", producer.abort_transaction), ("b", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce("jobs", value)
        producer.flush()
        end(10)
    with Worker(broker, "workers", "jobs") as worker:
        assert offsets(worker.fetch(10)) == [2]


@pytest.mark.parametrize(
    ("configs", "fault"),
    [
        ({"kstream_queue_filter": "headers["}, "no expression of CEL"),
        ({"kstream_queue_filter": "value == 'a'"}, "there are key, headers and timestamp_ms"),
        ({"kstream_queue_filter": "+".join(["1"] * 15_000)}, "at most 1000 characters"),
        ({"kstream_queue_order": "random"}, "none, key"),
        ({"kstream_queue_backoff_jitter": "1.5"}, "no more than 1"),
    ],
)
def test_wrong_configuration_is_refused_with_a_reason(
    broker: Broker, configs: dict[str, str], fault: str
) -> None:
    with connect(broker) as client:
        (answer,) = configure(client, "workers", **configs).responses
    assert answer.error_code == 40
    assert fault in (answer.error_message or "")
