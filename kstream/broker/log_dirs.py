"""What is in the log directory: sizes of partitions and of the disk (KIP-113, KIP-827)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from kstream.broker.broker import Broker

PartitionKey = tuple[str, int]
_LOG_SUFFIX = ".log"


class DiskSpace(NamedTuple):
    """Of the volume that holds the directory."""

    total_bytes: int
    usable_bytes: int


def path_of(broker: Broker) -> str:
    """The log directory's absolute path, by which clients name it."""
    return os.path.abspath(broker.directory.path)


def sizes(broker: Broker, wanted: Iterable[PartitionKey] | None) -> dict[PartitionKey, int]:
    """Bytes of records in each partition that this broker has; None asks for all. Blocks on the disk.

    What does not exist is left out. Partitions are not opened for it: closed ones are as large as their
    files.
    """
    image = broker.metadata.image
    if wanted is None:
        wanted = [
            (topic.name, partition.index)
            for topic in list(image.topics_by_name.values())
            for partition in topic.partitions
        ]
    found: dict[PartitionKey, int] = {}
    for name, index in wanted:
        topic = image.topics_by_name.get(name)
        if topic is None or not 0 <= index < len(topic.partitions):
            continue
        if broker.node_id in topic.partitions[index].replicas:
            log = broker.directory.open_log(name, index)
            found[name, index] = _size_of_files(broker, name, index) if log is None else log.size_bytes
    return found


def disk_space(broker: Broker) -> DiskSpace:
    """Size of the volume, and what of it this process can still use. Raises OSError."""
    import shutil  # brings compression modules along, which a start need not wait for

    usage = shutil.disk_usage(broker.directory.path)
    return DiskSpace(usage.total, usage.free)


def _size_of_files(broker: Broker, name: str, index: int) -> int:
    try:
        with os.scandir(broker.directory.partition_path(name, index)) as entries:
            return sum(entry.stat().st_size for entry in entries if entry.name.endswith(_LOG_SUFFIX))
    except FileNotFoundError:
        return 0  # Nobody has asked for it yet, or it is deleted at this moment.
