"""Why nothing arrives: each reason, brought about by a stock client."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from kstream.testing import Broker

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # kafka-python's own, while it is imported
    from kafka import KafkaConsumer


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker({"t": 1}) as running:
        yield running


def _consumer(broker: Broker, **settings: Any) -> Consumer:
    dotted = {name.replace("_", "."): value for name, value in settings.items()}
    common = {"bootstrap.servers": broker.bootstrap_servers, "group.id": "g", "enable.auto.commit": False}
    return Consumer(common | {"log_level": 0, "auto.offset.reset": "earliest"} | dotted)


def _joined(broker: Broker, consumer: Consumer, *topics: str) -> Consumer:
    consumer.subscribe(list(topics or ("t",)))
    broker.wait_for(lambda: [consumer.poll(0.02), consumer.assignment()][-1])
    return consumer


def _commit(broker: Broker, offset: int) -> None:
    consumer = _consumer(broker)
    consumer.commit(offsets=[TopicPartition("t", 0, offset)], asynchronous=False)
    consumer.close()


def _reasons(broker: Broker, topic: str | None = None) -> list[str]:
    return [line.partition(":")[0] for line in broker.why("g", topic)]


def test_nobody_ever_joined(broker: Broker) -> None:
    (line,) = broker.why("g")
    assert line.startswith("not_joined: there is no group g")


def test_nobody_is_there_now(broker: Broker) -> None:
    _commit(broker, 0)
    assert _reasons(broker) == ["not_joined", "at_end"]
    assert "g has no members now" in broker.why("g")[0]


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_all_is_assigned_elsewhere(broker: Broker, protocol: str) -> None:
    consumers = [_consumer(broker, group_protocol=protocol, client_id=f"c{number}") for number in range(2)]
    for consumer in consumers:
        consumer.subscribe(["t"])
    broker.wait_for(
        lambda: [[consumer.poll(0.02) for consumer in consumers], "assigned_elsewhere" in _reasons(broker)][
            -1
        ],
        timeout_s=60,
    )
    (line,) = [line for line in broker.why("g") if line.startswith("assigned_elsewhere")]
    assert "has no partition: 2 members share 1" in line
    assert "Others have t-0" in line
    for consumer in consumers:
        consumer.close()


def test_the_topic_is_missing(broker: Broker) -> None:
    consumer = _consumer(broker, group_protocol="consumer")
    consumer.subscribe(["t", "typo"])
    broker.wait_for(lambda: [consumer.poll(0.02), "topic_missing" in _reasons(broker)][-1])
    assert "topic_missing: there is no topic typo" in broker.why("g")[0]
    assert _reasons(broker, "other")[0] == "topic_missing"
    consumer.close()


def test_nobody_subscribes(broker: Broker) -> None:
    broker.topic("u")
    consumer = _joined(broker, _consumer(broker))
    assert _reasons(broker, "u") == ["not_subscribed", "unassigned", "at_end"]
    consumer.close()


def test_there_is_nothing_new(broker: Broker) -> None:
    broker.produce("t", "v")
    consumer = _joined(broker, _consumer(broker))
    consumer.commit(offsets=[TopicPartition("t", 0, 1)], asynchronous=False)
    (line,) = broker.why("g")
    assert line == "at_end: t-0: the group has everything up to the end, 1: nothing new was produced"
    consumer.close()


def test_nothing_is_committed(broker: Broker) -> None:
    broker.produce("t", "v")
    consumer = _joined(broker, _consumer(broker, auto_offset_reset="latest"))
    (line,) = broker.why("g")
    assert line.startswith("no_position: t-0: the group has committed nothing, and 1 records are there")
    consumer.close()


@pytest.mark.parametrize("isolation", ["read_committed", "read_uncommitted"])
def test_a_transaction_is_open(broker: Broker, isolation: str) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "transactional.id": "x"})
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce("t", "open")
    producer.flush(60)
    broker.produce("t", "behind")
    _commit(broker, 0)
    consumer = _joined(broker, _consumer(broker, isolation_level=isolation))
    expected = "open_transaction" if isolation == "read_committed" else "arriving"
    broker.wait_for(lambda: _reasons(broker) == [expected])
    producer.abort_transaction(60)
    consumer.close()


def test_retention_passed(broker: Broker) -> None:
    broker.topic("short", retention_ms=1000)
    for _ in range(5):
        broker.produce("short", "v")
    consumer = _consumer(broker)
    consumer.commit(offsets=[TopicPartition("short", 0, 2)], asynchronous=False)
    consumer.close()
    broker.clock.advance(hours=1)
    (line,) = [line for line in broker.why("g") if "short" in line]
    assert line.startswith("retention_passed: short-0: the group stands at 2, but the log begins at 5")
    assert "3 records are gone" in line


def test_the_topic_was_made_anew(broker: Broker) -> None:
    _commit(broker, 7)
    assert _reasons(broker) == ["not_joined", "beyond_end"]


def test_it_is_paused(broker: Broker) -> None:
    _commit(broker, 0)
    consumer = KafkaConsumer(
        bootstrap_servers=broker.bootstrap_servers,
        group_id="g",
        enable_auto_commit=False,
        fetch_max_wait_ms=50,
        session_timeout_ms=60_000,  # the clock leaps, and the client's heartbeats come when they come
    )
    consumer.subscribe(["t"])
    # In a short poll kafka-python may not get through joining, and begins anew with the next.
    broker.wait_for(lambda: [consumer.poll(2_000), consumer.assignment()][-1])
    broker.produce("t", "v")
    assert broker.wait_for(lambda: consumer.poll(500))
    assert _reasons(broker) == ["arriving"]
    consumer.pause(*consumer.assignment())
    broker.clock.advance(seconds=8)
    broker.wait_for(lambda: [consumer.poll(20), _reasons(broker) == ["paused"]][-1])
    assert "has not fetched it since" in broker.why("g")[0]
    consumer.resume(*consumer.assignment())
    broker.produce("t", "w")
    assert broker.wait_for(lambda: consumer.poll(500))
    consumer.close()
