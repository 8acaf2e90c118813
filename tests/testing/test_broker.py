"""`kstream.testing.Broker`, with stock clients where they matter."""

from __future__ import annotations

import asyncio
import socket
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from kstream.config.errors import ConfigError
from kstream.errors import ApiError, ErrorCode, KstreamError
from kstream.testing import Broker
from kstream.testing.errors import BrokerNotRunning
from tests.queues.worker import ACCEPT, Worker

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # kafka-python's own, while it is imported
    from kafka import KafkaConsumer, KafkaProducer


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as running:
        yield running


def _consumer(broker: Broker, group: str, **settings: object) -> Consumer:
    common = {"bootstrap.servers": broker.bootstrap_servers, "group.id": group, "log_level": 0}
    dotted = {name.replace("_", "."): value for name, value in settings.items()}
    return Consumer(common | {"auto.offset.reset": "earliest"} | dotted)


def _producer(broker: Broker, **settings: object) -> Producer:
    dotted = {name.replace("_", "."): value for name, value in settings.items()}
    return Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0} | dotted)


def _poll(consumer: Consumer) -> bytes | None:
    message = consumer.poll(60)
    assert message is not None
    assert message.error() is None
    return message.value()


# Start and stop


def test_a_topic_from_the_start_serves_confluent_kafka() -> None:
    with Broker({"orders": 3}) as broker:
        producer = _producer(broker)
        producer.produce("orders", key="k", value="v", headers={"h": "1"})
        assert producer.flush(60) == 0
        (event,) = broker.records("orders")
        assert (event.key, event.value, event.headers) == (b"k", b"v", (("h", b"1"),))
        assert len(AdminClient({"bootstrap.servers": broker.bootstrap_servers}).list_topics().topics) == 1


def test_kafka_python_reads_what_was_produced_here(broker: Broker) -> None:
    broker.topic("t")
    broker.produce("t", "here", key="k")
    consumer = KafkaConsumer(
        "t",
        bootstrap_servers=broker.bootstrap_servers,
        group_id="readers",
        auto_offset_reset="earliest",
        consumer_timeout_ms=60_000,
    )
    assert next(consumer).value == b"here"
    consumer.commit()
    assert broker.committed("readers") == {("t", 0): 1}
    consumer.close()
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers)
    producer.send("t", b"there").get(timeout=60)
    producer.close()
    assert [event.value for event in broker.records("t")] == [b"here", b"there"]


def test_brokers_know_nothing_of_each_other() -> None:
    with Broker(["a"]) as one, Broker(["b"]) as two:
        assert one.bootstrap_servers != two.bootstrap_servers
        one.produce("a", "1")
        with pytest.raises(ApiError):
            two.records("a")
        assert two.records("b") == []
        one.clock.advance(hours=1)
        assert one.clock.now_ms() - two.clock.now_ms() > 3_500_000


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    threads = threading.active_count()
    with Broker(["t"]) as broker:
        assert list(tmp_path.iterdir())
        host, _, port = broker.bootstrap_servers.partition(":")
    assert not list(tmp_path.iterdir())
    assert not [thread for thread in threading.enumerate() if thread.name == "kstream broker"]
    assert threading.active_count() <= threads + 8  # trio's idle workers end by themselves
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((host, int(port)), timeout=5)
    with pytest.raises(BrokerNotRunning):
        broker.records("t")


def test_a_data_directory_is_kept(tmp_path: Path) -> None:
    with Broker(["t"], data_dir=tmp_path) as broker:
        broker.produce("t", "kept")
    with Broker(data_dir=tmp_path) as broker:
        assert [event.value for event in broker.records("t")] == [b"kept"]


def test_what_fails_at_start_is_raised_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(ConfigError, match=r"log\.retention\.hours"):
        Broker(log_retention_hours="soon").start()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(KstreamError, match=address):
            Broker(listeners=f"PLAINTEXT://{address}").start()
    assert not list(tmp_path.iterdir())


def test_topics_that_cannot_be_are_told_at_start() -> None:
    with pytest.raises(ApiError) as raised, Broker(["not a name"]):
        raise AssertionError("it started")
    assert raised.value.code == ErrorCode.INVALID_TOPIC_EXCEPTION


def test_before_its_start_it_says_what_to_do() -> None:
    with pytest.raises(BrokerNotRunning, match="context manager"):
        Broker().topic("t")


# Out of event loops


def test_in_trio() -> None:
    async def main() -> None:
        with Broker(["t"]) as broker:
            broker.produce("t", "1")
            events = await trio.to_thread.run_sync(broker.records, "t")
            assert [event.value for event in events] == [b"1"]
            assert broker.records("t") == events

    trio.run(main)


def test_in_asyncio() -> None:
    async def main() -> None:
        with Broker(["t"]) as broker:
            broker.produce("t", "1")
            events = await asyncio.to_thread(broker.records, "t")
            assert [event.value for event in events] == [b"1"]
            assert broker.records("t") == events

    asyncio.run(main())


# Topics


def test_a_topic_can_be_used_when_it_is_told(broker: Broker) -> None:
    consumer = _consumer(broker, "g")
    for number in range(2):
        name = broker.topic(f"t{number}", partitions=2, retention_ms=1000, cleanup_policy="delete")
        broker.produce(name, str(number), partition=1)
        consumer.assign([TopicPartition(name, 1, 0)])
        assert _poll(consumer) == str(number).encode()
    consumer.close()


def test_deletion_is_done_when_it_returns(broker: Broker) -> None:
    for number in range(2):
        broker.topic("t")
        broker.produce("t", str(number))
        consumer = _consumer(broker, "g")
        consumer.assign([TopicPartition("t", 0, 0)])
        assert _poll(consumer) == str(number).encode()
        consumer.commit(offsets=[TopicPartition("t", 0, 1)], asynchronous=False)
        consumer.close()
        assert broker.committed("g") == {("t", 0): 1}
        broker.delete_topic("t")
        assert broker.committed("g") == {}
    with pytest.raises(ApiError) as raised:
        broker.delete_topic("t")
    assert raised.value.code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_topics_are_refused_as_kafka_refuses_them(broker: Broker) -> None:
    broker.topic("t")
    with pytest.raises(ApiError) as raised:
        broker.topic("t")
    assert raised.value.code == ErrorCode.TOPIC_ALREADY_EXISTS
    with pytest.raises(ApiError) as raised:
        broker.topic("u", retention_ms="soon")
    assert raised.value.code == ErrorCode.INVALID_CONFIG


# Records and positions


def test_a_key_chooses_as_clients_do(broker: Broker) -> None:
    broker.topic("here", 7)
    broker.topic("there", 7)
    producer = _producer(broker, partitioner="murmur2")
    keys = [bytes(range(size)) for size in range(1, 30)] + [b"\xff" * size for size in range(1, 9)]
    for key in keys:
        broker.produce("here", "v", key=key)
        producer.produce("there", key=key, value="v")
    assert producer.flush(60) == 0
    here, there = (
        {event.key: event.partition for event in broker.records(topic)} for topic in ("here", "there")
    )
    assert here == there
    assert len(set(here.values())) == 7


def test_produce_gives_the_record_as_it_stands(broker: Broker) -> None:
    broker.topic("t", message_timestamp_type="LogAppendTime")
    broker.topic("u", 2)
    stamped = broker.produce("t", "v", timestamp_ms=5)
    assert stamped.is_append_time
    assert stamped.timestamp_ms > 5
    tombstone = broker.produce(
        "u", key="k", partition=1, timestamp_ms=broker.clock.now_ms(), headers={"h": None}
    )
    assert broker.records("t") == [stamped]
    assert broker.records("u") == broker.records("u", 1) == [tombstone]
    with pytest.raises(ApiError) as raised:
        broker.produce("u", "v", partition=2)
    assert raised.value.code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_records_are_those_committed(broker: Broker) -> None:
    broker.topic("t")
    producer = _producer(broker, transactional_id="x")
    producer.init_transactions(60)
    for value, ends in (("aborted", producer.abort_transaction), ("kept", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce("t", value)
        producer.flush(60)
        ends(10)
    broker.produce("t", "plain")
    producer.begin_transaction()
    producer.produce("t", "open")
    producer.flush(60)
    assert [event.value for event in broker.records("t")] == [b"kept", b"plain"]
    assert "a transaction is open from 5" in broker.report()
    producer.abort_transaction(60)


# Waiting and time


def test_wait_for_returns_what_it_waited_for(broker: Broker) -> None:
    broker.topic("t")
    producer = _producer(broker, linger_ms=20)
    producer.produce("t", "v")
    (event,) = broker.wait_for(lambda: broker.records("t"))
    assert event.value == b"v"
    with pytest.raises(TimeoutError, match="t-0: offsets 0 to 1"):
        broker.wait_for(lambda: False, timeout_s=0.01)


def test_retention_follows_the_clock(broker: Broker) -> None:
    broker.topic("t", retention_ms=3_600_000)
    broker.produce("t", "v")
    broker.clock.advance(minutes=50)
    assert len(broker.records("t")) == 1
    broker.clock.advance(minutes=20)
    assert broker.records("t") == []
    with pytest.raises(ValueError, match="ahead only"):
        broker.clock.advance(hours=-1)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_sessions_follow_the_clock(broker: Broker, protocol: str) -> None:
    broker.topic("t")
    broker.produce("t", "v")
    consumer = _consumer(broker, "g", group_protocol=protocol)
    consumer.subscribe(["t"])
    assert _poll(consumer) == b"v"
    (member,) = [line for line in broker.report().splitlines() if "member" in line]
    broker.clock.advance(minutes=30)
    assert member not in broker.report()
    consumer.close()


def test_transactions_follow_the_clock(broker: Broker) -> None:
    broker.topic("t")
    producer = _producer(broker, transactional_id="x", transaction_timeout_ms=60_000)
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce("t", "never")
    producer.flush(60)
    broker.produce("t", "behind")
    broker.clock.advance(seconds=30)
    assert broker.records("t") == []
    broker.clock.advance(seconds=40)
    broker.wait_for(lambda: [event.value for event in broker.records("t")] == [b"behind"])


def test_the_report_has_topics_groups_and_errors(broker: Broker) -> None:
    broker.topic("t", 2)
    for _ in range(3):
        broker.produce("t", "v")
    consumer = _consumer(broker, "g")
    consumer.subscribe(["t"])
    assert _poll(consumer) == b"v"
    consumer.commit(asynchronous=False)
    with pytest.raises(ApiError):
        broker.produce("t", "v", partition=9)
    report = broker.report()
    for text in (
        "t-0: offsets 0 to 3 (3)",
        "t-1: offsets 0 to 0 (0)",
        "g: Stable",
        "(rdkafka)",
        "t-0: committed 1, 2 behind",
        "UNKNOWN_TOPIC_OR_PARTITION to kstream.testing in PRODUCE about t",
        "JOIN_GROUP from rdkafka about g",
        "OFFSET_COMMIT from rdkafka about g, t",
    ):
        assert text in report
    assert broker.errors[-1].error == "UNKNOWN_TOPIC_OR_PARTITION"
    consumer.close()


def test_an_acknowledgement_that_fails_is_among_the_errors_however_alike_it_is_to_others() -> None:
    with Broker(["jobs"]) as broker, Worker(broker, "workers", "jobs") as worker:
        for number in range(3):
            broker.produce("jobs", str(number))
        assert worker.fetch(3)
        assert [worker.acknowledge(offset, ACCEPT) for offset in (0, 1, 7)] == [
            0,
            0,
            ErrorCode.INVALID_REQUEST,
        ]
        assert (broker.errors[-1].api, broker.errors[-1].error) == ("SHARE_ACKNOWLEDGE", "INVALID_REQUEST")
