"""Topics and their configuration: create, list, grow, describe, alter, delete."""

from __future__ import annotations

from compat.story import Adapter, Start, check_records, create, expect, records_for, wait_until


def topics(client: Adapter, topic: str) -> None:
    """A topic is created, listed, grown, written to in its new partition, and deleted."""
    create(client, topic, 3)
    client.create_partitions(topic, 5)
    wait_until(lambda: client.partition_counts().get(topic) == 5, f"{topic} has 5 partitions")
    sent = records_for(client.traits, 6)
    client.produce(topic, 4, sent, codec="none", idempotent=False)
    check_records(client.traits, sent, client.fetch(topic, 4, Start(), 6), first_offset=0)
    client.delete_topic(topic)
    wait_until(lambda: topic not in client.partition_counts(), f"{topic} is gone")


def configs(client: Adapter, topic: str) -> None:
    """A topic's configuration begins with Kafka's defaults, and keeps what it is given."""
    create(client, topic, 1)
    before = client.topic_config(topic)
    defaults = {"retention.ms": "604800000", "cleanup.policy": "delete", "max.message.bytes": "1048588"}
    for name, value in defaults.items():
        expect(before.get(name) == value, f"{name} begins as {value}, got {before.get(name)}")
    client.set_topic_config(topic, {"retention.ms": "3600000", "cleanup.policy": "compact"})
    changed = {**before, "retention.ms": "3600000", "cleanup.policy": "compact"}
    wait_until(
        lambda: client.topic_config(topic) == changed, "the two changed values, and no others, are told"
    )
