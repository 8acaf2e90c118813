"""A topic that says how every group that reads it is a queue, seen by stock share consumers."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from confluent_kafka import AcknowledgeType, KafkaError, KafkaException, Message, ShareConsumer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from kstream.testing import Broker
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest
from kstream.wire.messages.share_group_heartbeat import ShareGroupHeartbeatRequest
from tests.queues.worker import ACCEPT, Worker, configure, connect

_TOPIC, _GROUP = ResourceType.TOPIC, ResourceType.GROUP
_WAIT_S = 60.0


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as running:
        yield running


@pytest.fixture
def admin(broker: Broker) -> AdminClient:
    return AdminClient({"bootstrap.servers": broker.bootstrap_servers})


def alter(admin: AdminClient, kind: ResourceType, name: str, **configs: str | None) -> None:
    entries = [
        ConfigEntry(
            key.replace("_", "."),
            value,
            incremental_operation=AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET,
        )
        for key, value in configs.items()
    ]
    resource = ConfigResource(kind, name, incremental_configs=entries)
    admin.incremental_alter_configs([resource])[resource].result(_WAIT_S)


def consumed(broker: Broker, group: str, topic: str, count: int) -> list[bytes | None]:
    """Values of so many records as a group's only member gets them, one at a time."""
    consumer = ShareConsumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": group,
            "share.acknowledgement.mode": "explicit",
        }
    )
    consumer.subscribe([topic])
    got: list[Message] = []
    end_s = time.monotonic() + _WAIT_S
    while len(got) < count:
        assert time.monotonic() < end_s, got
        for message in consumer.poll(0.2):
            consumer.acknowledge(message, AcknowledgeType.ACCEPT)
            got.append(message)
        consumer.commit_sync(_WAIT_S)
    consumer.close()
    return [message.value() for message in got]


@pytest.mark.clients
def test_a_topic_is_a_queue_for_every_group_and_one_that_says_otherwise(
    broker: Broker, admin: AdminClient
) -> None:
    wanted = NewTopic("jobs", 1, 1, config={"kstream.queue.filter": 'key == "a"'})
    admin.create_topics([wanted])["jobs"].result(_WAIT_S)
    for group in ("first", "second", "other", "plain"):
        alter(admin, _GROUP, group, share_auto_offset_reset="earliest")
    alter(admin, _GROUP, "other", kstream_queue_filter='key == "b"')
    alter(admin, _GROUP, "plain", kstream_queue_enable="false")
    for key in "abab":
        broker.produce("jobs", f"for {key}", key=key)
    assert consumed(broker, "first", "jobs", 2) == [b"for a"] * 2
    assert consumed(broker, "second", "jobs", 2) == [b"for a"] * 2
    assert consumed(broker, "other", "jobs", 2) == [b"for b"] * 2
    assert consumed(broker, "plain", "jobs", 4) == [b"for a", b"for b"] * 2


def test_a_topic_shows_what_it_says_of_queues_and_refuses_nonsense(
    broker: Broker, admin: AdminClient
) -> None:
    broker.topic("jobs", kstream_queue_order="key")
    alter(admin, _TOPIC, "jobs", kstream_queue_ttl_ms="5000", kstream_queue_order=None)
    resource = ConfigResource(_TOPIC, "jobs")
    entries = admin.describe_configs([resource])[resource].result(_WAIT_S)
    shown = {name: (each.value, each.is_default) for name, each in entries.items() if "queue" in name}
    assert shown["kstream.queue.ttl.ms"] == ("5000", False)
    assert "kstream.queue.order" not in shown, "what is not set is not there, as in Kafka"
    with pytest.raises(KafkaException) as refused:
        alter(admin, _TOPIC, "jobs", kstream_queue_order="random")
    assert refused.value.args[0].code() == KafkaError.INVALID_CONFIG
    assert "none, key" in refused.value.args[0].str()


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("filter", "headers[", "no expression of CEL"),
        ("filter", "value == 'a'", "there are key, headers and timestamp_ms"),
        ("order", "random", "none, key"),
        ("backoff.jitter", "1.5", "no more than 1"),
        ("ttl.ms", "-1", "at least"),
        ("ttl.ms", "soon", "ttl.ms"),
        ("enable", "perhaps", "enable"),
        ("nonsense", "1", "nonsense"),
    ],
)
def test_a_topic_with_nonsense_is_not_created(
    broker: Broker, admin: AdminClient, name: str, text: str, fault: str
) -> None:
    wanted = NewTopic("wrong", 1, 1, config={f"kstream.queue.{name}": text})
    with pytest.raises(KafkaException) as refused:
        admin.create_topics([wanted])["wrong"].result(_WAIT_S)
    assert refused.value.args[0].code() == KafkaError.INVALID_CONFIG
    assert fault in refused.value.args[0].str()
    assert "wrong" not in admin.list_topics(timeout=_WAIT_S).topics


def test_it_changes_while_a_worker_waits_and_other_settings_leave_the_queue_alone(
    broker: Broker, admin: AdminClient
) -> None:
    broker.topic("jobs", kstream_queue_order="key")
    for number in range(3):
        broker.produce("jobs", str(number), key="k")
    with Worker(broker, "workers", "jobs") as worker:
        assert worker.fetch(5) == [(0, 1)]
        alter(admin, _TOPIC, "jobs", retention_ms="1000000")
        assert worker.fetch(5) == []
        alter(admin, _TOPIC, "jobs", kstream_queue_order=None)
        assert worker.fetch(5) == [(1, 1), (2, 1)]


def test_an_exclusive_topic_has_one_member_in_each_group(broker: Broker) -> None:
    broker.topic("jobs", kstream_queue_subscription="exclusive")

    def joined(group: str, member: str) -> int:
        wanted = FindCoordinatorRequest(key_type=0, coordinator_keys=[group])
        request = ShareGroupHeartbeatRequest(
            group_id=group, member_id=member, member_epoch=0, subscribed_topic_names=["jobs"]
        )
        with connect(broker) as client:
            broker.wait_for(lambda: client.request(wanted, 6).coordinators[0].error_code == 0)
            return int(client.request(request, 1).error_code)

    assert joined("one", "a") == 0
    assert joined("one", "b") == 81
    with connect(broker) as client:
        configure(client, "two", kstream_queue_subscription="shared")
    assert joined("two", "a") == 0
    assert joined("two", "b") == 0


def test_what_a_topic_says_outlives_a_restart(broker: Broker) -> None:
    broker.topic("jobs", kstream_queue_order="key")
    for number in range(2):
        broker.produce("jobs", str(number), key="k")
    broker.crash()
    broker.restart()
    with Worker(broker, "workers", "jobs") as worker:
        assert worker.fetch(5) == [(0, 1)]
        assert worker.fetch(5, settle={0: ACCEPT}) == [(1, 1)]
