"""`kstream topics`."""

from __future__ import annotations

from typing import Annotated

from confluent_kafka import TopicCollection
from confluent_kafka.admin import ConfigResource, NewPartitions, OffsetSpec
from confluent_kafka.cimpl import NewTopic, TopicPartition
from cyclopts import App, Parameter

from kstream.cli.configs import alter, settings_of, topic_values
from kstream.cli.connection import Cluster
from kstream.cli.output import AsJson, print_json, print_rows, say
from kstream.replay.errors import ReplayError

app = App(name="topics", help="List, create, describe, alter and delete topics.")

Configs = Annotated[
    list[str] | None, Parameter(name="--config", help="A setting, KEY=VALUE; may be repeated.")
]


@app.command(name="list")
def list_topics(
    *,
    internal: Annotated[bool, Parameter(help="Also those whose name begins with __.")] = False,
    as_json: AsJson = False,
    cluster: Cluster | None = None,
) -> None:
    """List topics with how many partitions they have."""
    cluster = cluster or Cluster()
    found = cluster.topics(cluster.admin(), with_internal=internal)
    rows = [{"topic": name, "partitions": count} for name, count in found.items()]
    none = "no topics yet: kstream topics create NAME, or just produce to one"
    print_rows(rows, ["topic", "partitions"], as_json=as_json, none=none)


@app.command
def create(
    name: str,
    /,
    *,
    partitions: int | None = None,
    replication_factor: int | None = None,
    config: Configs = None,
    if_not_exists: Annotated[bool, Parameter(help="An existing one will do.")] = False,
    cluster: Cluster | None = None,
) -> None:
    """Create a topic.

    Parameters
    ----------
    name
        The topic.
    partitions
        How many partitions; the broker's num.partitions if not said.
    replication_factor
        How many copies; the broker's default if not said.
    """
    cluster = cluster or Cluster()
    admin = cluster.admin()
    if if_not_exists and name in cluster.topics(admin):
        return
    topic = NewTopic(
        name,
        num_partitions=-1 if partitions is None else partitions,
        replication_factor=-1 if replication_factor is None else replication_factor,
        config=settings_of(config or []),
    )
    cluster.ask(admin.create_topics([topic])[name], f"create {name}")
    say(f"created {name}")


@app.command
def describe(name: str, /, *, as_json: AsJson = False, cluster: Cluster | None = None) -> None:
    """Describe a topic: its partitions with their offsets and leaders, and settings that are not the default.

    Parameters
    ----------
    name
        The topic.
    """
    cluster = cluster or Cluster()
    admin = cluster.admin()
    found = cluster.ask(admin.describe_topics(TopicCollection([name]))[name], f"describe {name}")
    partitions = [TopicPartition(name, each.id) for each in found.partitions]
    first, last = (
        {
            each.partition: cluster.ask(future, f"ask for offsets of {name}").offset
            for each, future in admin.list_offsets(dict.fromkeys(partitions, spec)).items()
        }
        for spec in (OffsetSpec.earliest(), OffsetSpec.latest())
    )
    rows = [
        {
            "partition": each.id,
            "begin": first[each.id],
            "end": last[each.id],
            "leader": each.leader.id if each.leader else None,
            "replicas": [node.id for node in each.replicas],
            "isr": [node.id for node in each.isr],
        }
        for each in found.partitions
    ]
    configs = topic_values(cluster, admin, name)
    if as_json:
        print_json({"topic": name, "topic_id": str(found.topic_id), "partitions": rows, "configs": configs})
        return
    count = sum(last.values()) - sum(first.values())
    say(f"{name}: id {found.topic_id}, {len(rows)} partitions, {count} offsets")
    print_rows(rows, ["partition", "begin", "end", "leader", "replicas", "isr"], as_json=False, none="")
    for key, value in configs.items():
        say(f"{key}={value}")


@app.command(name="alter")
def alter_topic(
    name: str, /, *, partitions: int | None = None, config: Configs = None, cluster: Cluster | None = None
) -> None:
    """Change a topic's settings, or give it more partitions.

    Parameters
    ----------
    name
        The topic.
    partitions
        How many partitions there are to be; never fewer than now.
    """
    cluster = cluster or Cluster()
    admin = cluster.admin()
    if partitions is None and not config:
        raise ReplayError("nothing to change: give --partitions or --config KEY=VALUE")
    if partitions is not None:
        futures = admin.create_partitions([NewPartitions(name, partitions)])
        cluster.ask(futures[name], f"add partitions to {name}")
        say(f"{name} has {partitions} partitions")
    if config:
        alter(cluster, admin, ConfigResource.Type.TOPIC, name, settings_of(config))


@app.command
def delete(
    *names: str,
    if_exists: Annotated[bool, Parameter(help="One that is not there will do.")] = False,
    cluster: Cluster | None = None,
) -> None:
    """Delete topics and all their records.

    Parameters
    ----------
    names
        The topics.
    """
    cluster = cluster or Cluster()
    admin = cluster.admin()
    if not names:
        raise ReplayError("name the topics to delete")
    there = cluster.topics(admin) if if_exists else dict.fromkeys(names, 0)
    wanted = [name for name in names if name in there]
    if not wanted:
        return
    for name, future in admin.delete_topics(wanted).items():
        cluster.ask(future, f"delete {name}")
        say(f"deleted {name}")
