"""Traffic by topic; offsets, sizes and leaders by partition."""

from __future__ import annotations

import trio

from kstream.broker.broker import Broker
from kstream.broker.metadata.image import PartitionImage
from kstream.broker.partition import Partition
from kstream.broker.stats import Traffic
from kstream.errors import ApiError
from kstream.web.metrics.families import Families

PARTITIONS_MAX = 5000
"""More would be a hundred thousand series: those of the first topics by name are shown."""

_PARTITIONS_PER_TURN = 64

_TRAFFIC = {
    "messagesin": ("messages_in", "Records that were appended."),
    "bytesin": ("bytes_in", "Bytes that were appended."),
    "bytesout": ("bytes_out", "Bytes that were fetched."),
    "totalproducerequests": ("appends", "Batches that were appended, or refused."),
    "totalfetchrequests": ("reads", "Looks at partitions for fetches; one that waits looks again."),
    "failedproducerequests": ("failed_appends", "Batches that were refused."),
    "failedfetchrequests": ("failed_reads", "Fetches from partitions that got an error."),
}


async def add_topics(families: Families, broker: Broker) -> int:
    """Returns how many partitions were left out."""
    total = Traffic()
    total.add(broker.stats.elsewhere)
    offline = shown = left_out = 0
    for name, topic in sorted(broker.metadata.image.topics_by_name.items()):
        traffic = Traffic()
        is_shown = shown + len(topic.partitions) <= PARTITIONS_MAX
        for each in topic.partitions:
            partition = await _opened(broker, name, each, may_open=is_shown and not topic.is_internal)
            if partition is None:
                continue
            traffic.add(partition.counted())
            offline += partition.log.is_offline
            if is_shown:
                _add_partition(families, partition, each)
                shown += 1
            if not shown % _PARTITIONS_PER_TURN:
                await trio.lowlevel.checkpoint()
        total.add(traffic)
        if is_shown:
            families.gauge(
                "kafka_topic_partitions", "Partitions of a topic.", len(topic.partitions), topic=name
            )
            _add_traffic(families, traffic, topic=name)
        else:
            left_out += len(topic.partitions)
    _add_traffic(families, total)
    _add_cluster(families, broker, offline)
    return left_out


async def _opened(broker: Broker, topic: str, image: PartitionImage, *, may_open: bool) -> Partition | None:
    """The partition. One that nobody has asked for since the start is opened, unless it is to be checked."""
    opened = broker.partitions.find(topic, image.index)
    if opened is not None or not may_open or (topic, image.index) in broker.directory.unrecovered:
        return opened
    try:
        return await broker.partitions.get(topic, image.index)
    except ApiError:  # deleted, or its files cannot be read
        return None


def _add_traffic(families: Families, traffic: Traffic, **labels: str) -> None:
    """As Kafka has it: by topic, and once without a topic for all together."""
    for name, (attribute, help_text) in _TRAFFIC.items():
        value = getattr(traffic, attribute)
        if name == "totalproducerequests":
            value += traffic.failed_appends
        families.counter(f"kafka_server_brokertopicmetrics_{name}_total", help_text, value, **labels)


def _add_partition(families: Families, partition: Partition, image: PartitionImage) -> None:
    log = partition.log
    labels = {"topic": partition.topic_name, "partition": str(partition.index)}
    gauge = families.gauge
    gauge("kafka_log_log_size", "Bytes on disk.", log.size_bytes, **labels)
    gauge("kafka_log_log_logstartoffset", "The first offset.", log.log_start_offset, **labels)
    gauge("kafka_log_log_logendoffset", "The offset behind the last record.", log.end_offset, **labels)
    gauge("kafka_log_log_numlogsegments", "Segments.", len(log.segments), **labels)
    gauge(
        "kafka_topic_partition_current_offset",
        "The offset behind the last record that can be read.",
        partition.high_watermark,
        **labels,
    )
    gauge("kafka_topic_partition_oldest_offset", "The first offset.", log.log_start_offset, **labels)
    gauge("kafka_topic_partition_leader", "The leader's broker id.", image.leader, **labels)
    gauge("kafka_topic_partition_replicas", "Replicas.", len(image.replicas), **labels)
    gauge("kafka_topic_partition_in_sync_replica", "Replicas in sync.", len(image.isr), **labels)
    gauge(
        "kafka_topic_partition_leader_is_preferred",
        "1 if the first replica leads.",
        int(image.replicas[:1] == (image.leader,)),
        **labels,
    )
    gauge(
        "kafka_topic_partition_under_replicated_partition",
        "1 if replicas are out of sync.",
        int(len(image.isr) < len(image.replicas)),
        **labels,
    )
    gauge(
        "kstream_partition_last_stable_offset",
        "Where readers of committed records stop: no transaction below is open.",
        partition.last_stable_offset,
        **labels,
    )


def _add_cluster(families: Families, broker: Broker, offline: int) -> None:
    image = broker.metadata.image
    partitions = [each for topic in image.topics_by_name.values() for each in topic.partitions]
    ours = sum(each.leader == broker.node_id for each in partitions)
    leaderless = sum(each.leader < 0 for each in partitions)
    behind = sum(len(each.isr) < len(each.replicas) for each in partitions)
    brokers = sum(not each.is_fenced for each in image.brokers.values())
    for name, help_text, value in (
        ("kafka_server_replicamanager_partitioncount", "Partitions on this broker.", ours),
        ("kafka_server_replicamanager_leadercount", "Partitions that this broker leads.", ours),
        ("kafka_server_replicamanager_offlinereplicacount", "Partitions whose disk failed.", offline),
        ("kafka_server_replicamanager_underreplicatedpartitions", "With replicas out of sync.", behind),
        ("kafka_controller_kafkacontroller_activecontrollercount", "1 on the controller.", 1),
        (
            "kafka_controller_kafkacontroller_offlinepartitionscount",
            "Partitions that cannot be written.",
            leaderless + offline,
        ),
        (
            "kafka_controller_kafkacontroller_globaltopiccount",
            "Topics.",
            len(image.topics_by_name),
        ),
        ("kafka_controller_kafkacontroller_globalpartitioncount", "Partitions.", len(partitions)),
        ("kafka_controller_kafkacontroller_activebrokercount", "Brokers that serve.", brokers),
        (
            "kafka_controller_kafkacontroller_fencedbrokercount",
            "Brokers that do not serve.",
            len(image.brokers) - brokers,
        ),
        ("kafka_brokers", "Brokers that serve.", brokers),
    ):
        families.gauge(name, help_text, value)
