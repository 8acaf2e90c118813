"""Topics for the cleaner: records with keys, a change of policy, and how far cleaning has come."""

from __future__ import annotations

import os
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

RECORD_BYTES = 100
_VERSIONS = 4
"""How often each key comes."""
_CHECKPOINT = "cleaner-offset-checkpoint"


def fill(bootstrap: str, topic: str, *, records: int, partitions: int = 1) -> None:
    """Records with values that do not compress, each key several times, spread over the partitions."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "log_level": 4})
    noise = os.urandom(1 << 16)
    keys = max(1, records // _VERSIONS)
    for number in range(records):
        at = number * 61 % (len(noise) - RECORD_BYTES)
        key = number % keys
        while True:
            try:
                producer.produce(
                    topic, noise[at : at + RECORD_BYTES], b"%d" % key, partition=key % partitions
                )
                break
            except BufferError:
                producer.poll(0.05)
        if not number % 1000:
            producer.poll(0)
    if producer.flush(120):
        raise RuntimeError("records for the cleaner were not taken")


def alter(bootstrap: str, topic: str, **configs: str) -> None:
    """Set configurations of a topic, with `_` for each dot in their names."""
    entries = [
        ConfigEntry(key.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
        for key, value in configs.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 4})
    admin.incremental_alter_configs([resource])[resource].result(60)


def is_cleaned(partition: Path) -> bool:
    """Whether a partition is clean up to its active segment, as the checkpoint of its server says."""
    active = max(int(path.stem) for path in partition.glob("*.log"))
    try:
        lines = (partition.parent / _CHECKPOINT).read_text().splitlines()[2:]
    except FileNotFoundError:
        return False
    for line in lines:
        topic, index, offset = line.rsplit(" ", 2)
        if f"{topic}-{index}" == partition.name:
            return int(offset) >= active
    return False


def cleaned_at_s(data_dir: Path) -> float:
    """When the checkpoint was last written, as `time.time()` has it."""
    return (data_dir / _CHECKPOINT).stat().st_mtime
