"""Every fault, with a stock client that meets it: what that client does is what the assertions say."""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import UnknownTopicOrPartitionError
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from kstream.faults import BadFault
from kstream.testing import Broker

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # kafka-python's own, while it is imported
    from kafka import KafkaConsumer, KafkaProducer
    from kafka.errors import KafkaTimeoutError, TopicAuthorizationFailedError


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker({"t": 1, "u": 1}) as running:
        yield running


def _producer(broker: Broker, **settings: object) -> Producer:
    dotted = {name.replace("_", "."): value for name, value in settings.items()}
    common = {
        "bootstrap.servers": broker.bootstrap_servers,
        "log_level": 0,
        "retry.backoff.ms": 20,
        "reconnect.backoff.ms": 20,
    }
    return Producer(common | dotted)


def _consumer(broker: Broker, group: str = "g", **settings: object) -> Consumer:
    dotted = {name.replace("_", "."): value for name, value in settings.items()}
    common = {
        "bootstrap.servers": broker.bootstrap_servers,
        "group.id": group,
        "log_level": 0,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "reconnect.backoff.ms": 20,
        "reconnect.backoff.max.ms": 50,
        "retry.backoff.ms": 20,
    }
    return Consumer(common | dotted)


def _sent(producer: Producer, topic: str, value: str) -> Any:
    """Send a record; the error that is told in the end, or None."""
    told: list[Any] = []
    producer.produce(topic, value, on_delivery=lambda error, _: told.append(error))
    assert producer.flush(60) == 0
    (error,) = told
    return error


def _values(broker: Broker, topic: str = "t") -> list[bytes | None]:
    return [event.value for event in broker.records(topic)]


def _poll(consumer: Consumer) -> bytes | None:
    message = consumer.poll(60)
    assert message is not None
    assert message.error() is None, message.error()
    return message.value()


# Errors


def test_confluent_kafka_repeats_what_was_led_elsewhere(broker: Broker) -> None:
    producer = _producer(broker)
    with broker.faults.add("error", api="Produce", error="NOT_LEADER_OR_FOLLOWER", count=2) as fault:
        assert _sent(producer, "t", "v") is None
    assert fault.hits == 2
    assert _values(broker) == [b"v"]


def test_confluent_kafka_tells_what_cannot_be_repeated(broker: Broker) -> None:
    producer = _producer(broker)
    with broker.faults.add("error", api="Produce", error="INVALID_RECORD", topic="t"):
        assert _sent(producer, "u", "other topics are spared") is None
        error = _sent(producer, "t", "v")
    assert error.code() == KafkaError.INVALID_RECORD
    assert _values(broker) == []


def test_an_error_after_the_effect_doubles_what_kafka_python_sends(broker: Broker) -> None:
    """What a producer without idempotence makes of an answer that lies; with it, the record is there once."""
    for topic, is_idempotent in (("t", False), ("u", True)):
        producer = KafkaProducer(
            bootstrap_servers=broker.bootstrap_servers,
            enable_idempotence=is_idempotent,
            retry_backoff_ms=20,
            retries=5,
        )
        with broker.faults.add("error", api="Produce", error="REQUEST_TIMED_OUT", when="after", count=1):
            producer.send(topic, b"v").get(timeout=60)
        producer.close()
    assert _values(broker, "t") == [b"v", b"v"]
    assert _values(broker, "u") == [b"v"]


def test_aiokafka_tells_what_the_broker_says_of_a_topic(broker: Broker) -> None:
    async def main() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers, request_timeout_ms=1000)
        await producer.start()
        try:
            await producer.send_and_wait("t", b"before")
            with (
                broker.faults.add("error", api="Produce", error="UNKNOWN_TOPIC_OR_PARTITION"),
                pytest.raises(UnknownTopicOrPartitionError),
            ):
                await producer.send_and_wait("t", b"v")
        finally:
            await producer.stop()

    asyncio.run(main())
    assert _values(broker) == [b"before"]


def test_a_fetch_that_fails_is_repeated_where_it_was(broker: Broker) -> None:
    for value in "abc":
        broker.produce("t", value)
    consumer = _consumer(broker)
    consumer.subscribe(["t"])
    with broker.faults.add("error", api="Fetch", error="NOT_LEADER_OR_FOLLOWER", topic="t", count=3) as fault:
        assert [_poll(consumer) for _ in range(3)] == [b"a", b"b", b"c"]
    assert fault.hits == 3
    consumer.close()


def test_a_fetch_session_meets_errors_of_topics_that_it_need_not_name(broker: Broker) -> None:
    """kafka-python fetches in sessions: its later requests name no topic, and yet meet the fault."""
    consumer = KafkaConsumer(
        bootstrap_servers=broker.bootstrap_servers,
        auto_offset_reset="earliest",
        consumer_timeout_ms=60_000,
        fetch_max_wait_ms=50,
    )
    consumer.subscribe(["t", "u"])
    broker.produce("u", "before")
    assert next(consumer).value == b"before"
    with (
        broker.faults.add("error", api="Fetch", error="TOPIC_AUTHORIZATION_FAILED", topic="t", count=1),
        pytest.raises(TopicAuthorizationFailedError),
    ):
        next(consumer)
    broker.produce("t", "after")
    assert next(consumer).value == b"after"
    consumer.close()


def test_a_session_that_is_gone_is_begun_anew(broker: Broker) -> None:
    consumer = KafkaConsumer(
        "t",
        bootstrap_servers=broker.bootstrap_servers,
        auto_offset_reset="earliest",
        consumer_timeout_ms=60_000,
        fetch_max_wait_ms=50,
    )
    with broker.faults.add("error", api="Fetch", error="FETCH_SESSION_ID_NOT_FOUND", count=2) as fault:
        broker.produce("t", "v")
        assert next(consumer).value == b"v"
        broker.wait_for(lambda: [consumer.poll(50), fault.hits == 2][-1])
    consumer.close()


def test_admin_clients_tell_errors(broker: Broker) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    with broker.faults.add("error", api="CreateTopics", error="POLICY_VIOLATION", topic="no-*"):
        created = admin.create_topics([NewTopic("yes", 1), NewTopic("no-way", 1)])
        created["yes"].result(60)
        with pytest.raises(KafkaException) as raised:
            created["no-way"].result(60)
    assert raised.value.args[0].code() == KafkaError.POLICY_VIOLATION
    assert "asked for" in raised.value.args[0].str()
    assert "no-way" not in admin.list_topics(timeout=60).topics


def test_metadata_keeps_its_brokers(broker: Broker) -> None:
    """Also where the answer is one that was given before, and is kept encoded."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    for _ in range(3):
        assert admin.list_topics(timeout=60).topics["t"].error is None
    with broker.faults.add("error", api="Metadata", error="TOPIC_AUTHORIZATION_FAILED", topic="t") as fault:
        topics = admin.list_topics(timeout=60).topics
    assert fault.hits >= 1
    assert "TOPIC_AUTHORIZATION_FAILED" in str(topics["t"].error)
    assert len(topics["u"].partitions) == 1
    producer = _producer(broker)
    with broker.faults.add("error", api="Metadata", error="LEADER_NOT_AVAILABLE", count=2) as fault:
        assert _sent(producer, "t", "v") is None
    assert fault.hits == 2


def test_a_commit_that_fails_is_told_to_the_application(broker: Broker) -> None:
    broker.produce("t", "v")
    consumer = _consumer(broker)
    consumer.subscribe(["t"])
    assert _poll(consumer) == b"v"
    with (
        broker.faults.add("error", api="OffsetCommit", error="GROUP_AUTHORIZATION_FAILED", group="g"),
        pytest.raises(KafkaException) as raised,
    ):
        consumer.commit(asynchronous=False)
    assert raised.value.args[0].code() == KafkaError.GROUP_AUTHORIZATION_FAILED
    assert broker.committed("g") == {}
    consumer.commit(asynchronous=False)
    assert broker.committed("g") == {("t", 0): 1}
    consumer.close()


def test_confluent_kafka_stands_still_without_committed_positions(broker: Broker) -> None:
    """It tells the application and asks no more: subscribing anew helps."""
    broker.produce("t", "v")
    consumer = _consumer(broker)
    consumer.subscribe(["t"])
    with broker.faults.add("error", api="OffsetFetch", error="NOT_COORDINATOR", count=1):
        message = consumer.poll(60)
    assert message is not None
    assert "Failed to fetch committed offsets" in str(message.error())
    assert consumer.poll(1) is None
    consumer.unsubscribe()
    consumer.subscribe(["t"])
    assert _poll(consumer) == b"v"
    consumer.close()


# Time


def test_latency_makes_a_producer_wait(broker: Broker) -> None:
    producer = _producer(broker)
    assert _sent(producer, "t", "warm") is None
    began_s = time.monotonic()
    with broker.faults.add("latency", api="Produce", ms=200, client_id="rdkafka"):
        assert _sent(producer, "t", "v") is None
    assert time.monotonic() - began_s >= 0.2


def test_a_stalled_producer_gives_up_and_the_stall_ends_when_told(broker: Broker) -> None:
    producer = _producer(broker, socket_timeout_ms=300, message_timeout_ms=700)
    with broker.faults.add("stall", api="Produce") as fault:
        error = _sent(producer, "t", "v")
        assert error.code() == KafkaError._MSG_TIMED_OUT
    assert fault.hits >= 1
    patient = _producer(broker)
    fault = broker.faults.add("stall", api="Produce", count=1)
    patient.produce("t", "patience")
    broker.wait_for(lambda: [patient.poll(0.01), fault.hits][-1])
    assert b"patience" not in _values(broker)
    fault.remove()
    assert patient.flush(60) == 0
    assert b"patience" in _values(broker)


def test_a_stall_with_an_end_ends(broker: Broker) -> None:
    producer = _producer(broker)
    with broker.faults.add("stall", api="Produce", ms=100, count=1):
        assert _sent(producer, "t", "v") is None


def test_throttling_is_told_and_enforced(broker: Broker) -> None:
    told: list[float] = []
    producer = Producer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "throttle_cb": lambda event: told.append(event.throttle_time),
        }
    )
    assert _sent(producer, "t", "warm") is None
    with broker.faults.add("throttle", api="Produce", ms=300, count=1):
        began_s = time.monotonic()
        assert _sent(producer, "t", "one") is None
        assert _sent(producer, "t", "two") is None
        assert time.monotonic() - began_s >= 0.3
    broker.wait_for(lambda: [producer.poll(0.01), told][-1])
    assert told[0] == pytest.approx(0.3)
    assert _values(broker) == [b"warm", b"one", b"two"]


# Connections


def test_a_connection_that_drops_before_costs_nothing(broker: Broker) -> None:
    producer = _producer(broker, enable_idempotence=False)
    with broker.faults.add("drop", api="Produce", count=2) as fault:
        assert _sent(producer, "t", "v") is None
    assert fault.hits == 2
    assert _values(broker) == [b"v"]


def test_a_connection_that_drops_after_doubles_without_idempotence(broker: Broker) -> None:
    for topic, is_idempotent in (("t", False), ("u", True)):
        producer = _producer(broker, enable_idempotence=is_idempotent)
        with broker.faults.add("drop", api="Produce", when="after", count=1) as fault:
            assert _sent(producer, topic, "v") is None
        assert fault.hits == 1
    assert _values(broker, "t") == [b"v", b"v"]
    assert _values(broker, "u") == [b"v"]


def test_a_torn_answer_is_no_answer(broker: Broker) -> None:
    for value in "abc":
        broker.produce("t", value * 5000)
    consumer = _consumer(broker)
    consumer.assign([TopicPartition("t", 0, 0)])
    with (
        broker.faults.add("torn", api="Fetch", count=2, bytes=6000) as torn,
        broker.faults.add("torn", api="Metadata", count=1) as half,
    ):
        values = [_poll(consumer) for _ in range(3)]
    assert values == [letter * 5000 for letter in (b"a", b"b", b"c")]
    assert (torn.hits, half.hits) == (2, 1)
    consumer.close()


def test_a_producer_without_acks_learns_by_its_connection(broker: Broker) -> None:
    producer = _producer(broker, acks=0)
    with broker.faults.add("error", api="Produce", error="NOT_LEADER_OR_FOLLOWER", count=1) as fault:
        assert _sent(producer, "t", "lost") is None
        broker.wait_for(lambda: fault.hits)
    assert _sent(producer, "t", "kept") is None
    broker.wait_for(lambda: _values(broker) == [b"kept"])


# Disk


def test_a_full_disk_is_told_and_reading_goes_on(broker: Broker) -> None:
    broker.produce("t", "before")
    producer = _producer(broker, message_timeout_ms=500)
    consumer = _consumer(broker)
    with broker.faults.add("disk_full", topic="t") as fault:
        assert _sent(producer, "t", "lost").code() == KafkaError._MSG_TIMED_OUT
        assert _sent(producer, "u", "other topics are spared") is None
        consumer.assign([TopicPartition("t", 0, 0)])
        assert _poll(consumer) == b"before"
    assert fault.hits >= 1
    again = _producer(broker)
    assert _sent(again, "t", "after") is None
    assert _values(broker) == [b"before", b"after"]
    consumer.close()


def test_kafka_python_waits_for_a_disk_that_has_room_again(broker: Broker) -> None:
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers, retry_backoff_ms=20, retries=20)
    with broker.faults.add("disk_full", topic="t", count=2) as fault:
        producer.send("t", b"v").get(timeout=60)
    producer.close()
    assert fault.hits == 2
    assert _values(broker) == [b"v"]


def test_a_full_disk_refuses_topics_and_commits(broker: Broker) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    broker.topic("before")
    with broker.faults.add("disk_full"):
        with pytest.raises(KafkaException) as raised:
            admin.create_topics([NewTopic("new", 1)])["new"].result(60)
        assert raised.value.args[0].code() == KafkaError.KAFKA_STORAGE_ERROR
    admin.create_topics([NewTopic("new", 1)])["new"].result(60)


def test_a_slow_disk_makes_everybody_wait_and_loses_nothing(broker: Broker) -> None:
    producer = _producer(broker)
    assert _sent(producer, "t", "warm") is None
    began_s = time.monotonic()
    with broker.faults.add("disk_slow", topic="t", ms=150) as fault:
        assert _sent(producer, "t", "v") is None
        assert time.monotonic() - began_s >= 0.15
        consumer = _consumer(broker)
        consumer.assign([TopicPartition("t", 0, 0)])
        assert [_poll(consumer), _poll(consumer)] == [b"warm", b"v"]
    assert fault.hits >= 2
    consumer.close()


def test_disk_faults_meet_partitions_that_are_opened_later(broker: Broker) -> None:
    with broker.faults.add("disk_slow", topic="new", ms=100, count=1) as fault:
        broker.topic("new")
        broker.produce("new", "v")
    assert fault.hits == 1


# Coordinators and epochs


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_coordinator_that_moves_is_found_again(broker: Broker, protocol: str) -> None:
    broker.produce("t", "a")
    consumer = _consumer(broker, group_protocol=protocol)
    consumer.subscribe(["t"])
    assert _poll(consumer) == b"a"
    with broker.faults.add("move_coordinator", group="g", ms=100):
        consumer.commit(asynchronous=False)
    assert broker.committed("g") == {("t", 0): 1}
    broker.produce("t", "b")
    assert _poll(consumer) == b"b"
    consumer.close()


def test_a_transaction_survives_a_coordinator_that_moves(broker: Broker) -> None:
    producer = _producer(broker, transactional_id="x")
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce("t", "v")
    producer.flush(60)
    with broker.faults.add("move_coordinator", api="EndTxn", transactional_id="x", count=1, ms=50) as fault:
        producer.commit_transaction(60)
    assert fault.hits == 1
    broker.wait_for(lambda: _values(broker) == [b"v"])


def test_a_leader_epoch_that_bumps_makes_clients_ask_again(broker: Broker) -> None:
    broker.produce("t", "a")
    consumer = _consumer(broker)
    consumer.subscribe(["t"])
    producer = _producer(broker)
    assert _poll(consumer) == b"a"
    assert _sent(producer, "t", "b") is None
    assert _poll(consumer) == b"b"
    with broker.faults.add("bump_epoch", topic="t"):
        assert _sent(producer, "t", "c") is None
        assert _poll(consumer) == b"c"
    assert any(error.error == "FENCED_LEADER_EPOCH" for error in broker.errors)
    consumer.close()


def test_events_say_what_they_lack(broker: Broker) -> None:
    for kind, told in (("move_coordinator", "needs group"), ("bump_epoch", "name the topic")):
        with pytest.raises(BadFault, match=told):
            broker.faults.add(kind)
    with pytest.raises(BadFault, match="there is no topic nowhere"):
        broker.faults.add("bump_epoch", topic="nowhere")
    assert broker.faults.list() == []


# Crashes


def test_clients_outlive_a_crash(broker: Broker) -> None:
    address = broker.bootstrap_servers
    producer = _producer(broker, reconnect_backoff_max_ms=100)
    consumer = _consumer(broker)
    consumer.subscribe(["t"])
    assert _sent(producer, "t", "a") is None
    assert _poll(consumer) == b"a"
    consumer.commit(asynchronous=False)
    broker.crash()
    producer.produce("t", "b")
    broker.restart()
    assert broker.bootstrap_servers == address
    assert producer.flush(60) == 0
    assert broker.committed("g") == {("t", 0): 1}
    assert _poll(consumer) == b"b"
    assert _values(broker) == [b"a", b"b"]
    consumer.close()


def test_an_idempotent_producer_outlives_a_crash_in_place_of_the_answer(broker: Broker) -> None:
    producer = _producer(broker, enable_idempotence=True, reconnect_backoff_max_ms=100)
    assert _sent(producer, "t", "a") is None
    with broker.faults.add("crash", api="Produce", when="after", count=1, ms=50) as fault:
        assert _sent(producer, "t", "b") is None
    assert fault.hits == 1
    assert _values(broker) == [b"a", b"b"]


def test_a_crash_by_itself(broker: Broker) -> None:
    broker.produce("t", "v")
    consumer = _consumer(broker)
    consumer.assign([TopicPartition("t", 0, 0)])
    assert _poll(consumer) == b"v"
    began_ms = broker.clock.now_ms()
    broker.faults.add("crash", ms=30)
    broker.produce("t", "w")
    assert broker.clock.now_ms() - began_ms < 10_000
    assert _poll(consumer) == b"w"
    consumer.close()


def test_faults_outlive_a_restart(broker: Broker) -> None:
    with broker.faults.add("error", api="Produce", error="INVALID_RECORD", count=1):
        broker.restart()
        assert _sent(_producer(broker), "t", "v").code() == KafkaError.INVALID_RECORD
        assert [fault["hits"] for fault in broker.faults.list()] == [1]
    assert broker.faults.list() == []


# Scenarios


def test_flaky_coordinator(broker: Broker) -> None:
    for number in range(20):
        broker.produce("t", str(number))
    consumer = _consumer(broker)
    consumer.subscribe(["t"])
    with broker.faults.scenario("flaky coordinator", group="g", seed=3) as scenario:
        for number in range(20):
            assert _poll(consumer) == str(number).encode()
            broker.wait_for(lambda: _commits(consumer))
    assert scenario.hits >= 3
    assert broker.committed("g") == {("t", 0): 20}
    consumer.close()


@pytest.mark.parametrize("name", ["coordinator moves during commit", "broker restart during commit"])
def test_commits_that_are_disturbed_are_made(broker: Broker, name: str) -> None:
    broker.produce("t", "v")
    consumer = _consumer(broker)
    consumer.subscribe(["t"])
    assert _poll(consumer) == b"v"
    with broker.faults.scenario(name) as scenario:
        broker.wait_for(lambda: _commits(consumer))
    assert scenario.hits == 1
    assert broker.committed("g") == {("t", 0): 1}
    consumer.close()


def _commits(consumer: Consumer) -> bool:
    """As an application would, which tries once more if the error is one that passes."""
    try:
        consumer.commit(asynchronous=False)
    except KafkaException as error:
        if error.args[0].code() in (KafkaError._TRANSPORT, KafkaError.NOT_COORDINATOR):
            return False
        raise
    return True


@pytest.mark.parametrize("name", ["lost acknowledgements", "bad network", "broker restart during produce"])
def test_an_idempotent_producer_writes_once(broker: Broker, name: str) -> None:
    producer = _producer(broker, enable_idempotence=True, reconnect_backoff_max_ms=50, linger_ms=0)
    with broker.faults.scenario(name) as scenario:
        for number in range(40):
            producer.produce("t", str(number))
            producer.flush(60)
    assert scenario.hits >= 1
    assert _values(broker) == [str(number).encode() for number in range(40)]


def test_leader_election(broker: Broker) -> None:
    producer = _producer(broker)
    with broker.faults.scenario("leader election", topic="t") as scenario:
        assert _sent(producer, "t", "v") is None
    assert scenario.hits == 2
    assert _values(broker) == [b"v"]


@pytest.mark.parametrize("name", ["slow broker", "over quota"])
def test_what_is_slow_loses_nothing(broker: Broker, name: str) -> None:
    producer = _producer(broker)
    consumer = _consumer(broker)
    consumer.assign([TopicPartition("t", 0, 0)])
    with broker.faults.scenario(name) as scenario:
        assert _sent(producer, "t", "v") is None
        assert _poll(consumer) == b"v"
    assert scenario.hits >= 2
    consumer.close()


def test_hanging_broker(broker: Broker) -> None:
    producer = KafkaProducer(
        bootstrap_servers=broker.bootstrap_servers,
        request_timeout_ms=300,
        delivery_timeout_ms=700,
        linger_ms=0,
        retry_backoff_ms=20,
        enable_idempotence=False,
    )
    with broker.faults.scenario("hanging broker"), pytest.raises(KafkaTimeoutError):
        producer.send("t", b"v").get(timeout=60)
    producer.send("t", b"w").get(timeout=60)
    producer.close()


def test_full_disk(broker: Broker) -> None:
    producer = _producer(broker, message_timeout_ms=400)
    with broker.faults.scenario("full disk", topic="t"):
        assert _sent(producer, "t", "v").code() == KafkaError._MSG_TIMED_OUT


def test_fenced_transaction(broker: Broker) -> None:
    producer = _producer(broker, transactional_id="x")
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce("t", "never")
    producer.flush(60)
    with broker.faults.scenario("fenced transaction"), pytest.raises(KafkaException) as raised:
        producer.commit_transaction(60)
    assert raised.value.args[0].fatal()
    again = _producer(broker, transactional_id="x")
    again.init_transactions(60)
    again.begin_transaction()
    again.produce("t", "v")
    again.commit_transaction(60)
    broker.wait_for(lambda: _values(broker) == [b"v"])


def test_aiokafka_reads_on_through_a_bad_network(broker: Broker) -> None:
    for number in range(50):
        broker.produce("t", str(number))

    async def main() -> list[bytes | None]:
        consumer = AIOKafkaConsumer(
            "t", bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest",
            max_poll_records=1, fetch_max_bytes=100, retry_backoff_ms=20,
        )  # fmt: skip
        await consumer.start()
        try:
            with broker.faults.add("drop", api="Fetch", probability=0.1, seed=5) as fault:
                async with asyncio.timeout(30):
                    values = [(await consumer.getone()).value for _ in range(50)]
                assert fault.hits >= 1
            return values
        finally:
            await consumer.stop()

    assert asyncio.run(main()) == [str(number).encode() for number in range(50)]


def test_what_repeats_meets_faults_too(broker: Broker) -> None:
    """Produce requests and heartbeats that repeat go a shorter way, but not past a fault."""
    broker.produce("t", "v")
    consumer = _consumer(broker, heartbeat_interval_ms=50)
    consumer.subscribe(["t"])
    assert _poll(consumer) == b"v"
    producer = _producer(broker, enable_idempotence=False)
    for _ in range(3):
        assert _sent(producer, "t", "again") is None
    with (
        broker.faults.add("error", api="Heartbeat", error="REBALANCE_IN_PROGRESS", count=1) as beat,
        broker.faults.add("error", api="Produce", error="INVALID_RECORD", count=1),
    ):
        assert _sent(producer, "t", "again").code() == KafkaError.INVALID_RECORD
        broker.wait_for(lambda: [consumer.poll(0.01), beat.hits][-1])
    consumer.close()
