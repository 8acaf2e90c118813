"""`kstream groups`."""

from __future__ import annotations

import time
from typing import Annotated, Any

from confluent_kafka import Consumer, ConsumerGroupState, KafkaException
from confluent_kafka._model import ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient, OffsetSpec
from confluent_kafka.cimpl import OFFSET_INVALID, TopicPartition
from cyclopts import App, Parameter

from kstream.cli.connection import Cluster
from kstream.cli.output import AsJson, print_json, print_rows, say
from kstream.replay.errors import Refused, ReplayError
from kstream.replay.moments import Range, parse_moment
from kstream.replay.topic_source import consumer_settings, partition_indexes, resolve

app = App(name="groups", help="List and describe consumer groups with their lag; reset and delete them.")


@app.command(name="list")
def list_groups(*, as_json: AsJson = False, cluster: Cluster | None = None) -> None:
    """List groups with their state."""
    cluster = cluster or Cluster()
    found = cluster.ask(cluster.admin().list_consumer_groups(), "list groups")
    rows = [
        {"group": each.group_id, "state": each.state.name.lower(), "protocol": each.type.name.lower()}
        for each in sorted(found.valid, key=lambda each: each.group_id)
    ]
    print_rows(rows, ["group", "state", "protocol"], as_json=as_json, none="no groups yet")


@app.command
def describe(group: str, /, *, as_json: AsJson = False, cluster: Cluster | None = None) -> None:
    """Describe a group: its members, what each has, the group's positions and lag.

    Parameters
    ----------
    group
        The group.
    """
    cluster = cluster or Cluster()
    admin = cluster.admin()
    found = cluster.ask(admin.describe_consumer_groups([group])[group], f"describe {group}")
    if found.state is ConsumerGroupState.DEAD:
        raise Refused(f"there is no group {group}: kstream groups list shows which there are")
    members = [
        {
            "member": each.member_id,
            "client": each.client_id,
            "host": each.host,
            "instance": each.group_instance_id or None,
            "partitions": [
                f"{part.topic}-{part.partition}" for part in (each.assignment.topic_partitions or ())
            ],
        }
        for each in found.members
    ]
    owners = {partition: each["member"] for each in members for partition in each["partitions"]}
    positions = _positions(cluster, admin, group, owners)
    lags = [each["lag"] for each in positions if each["lag"] is not None]
    fields = {
        "group": group,
        "state": found.state.name.lower(),
        "protocol": found.type.name.lower(),
        "assignor": found.partition_assignor or None,
        "coordinator": found.coordinator.id if found.coordinator else None,
        "lag": sum(lags),
    }
    if as_json:
        print_json({**fields, "members": members, "positions": positions})
        return
    say(
        f"{group}: {fields['state']}, {fields['protocol']} protocol, {len(members)} members,"
        f" lag {fields['lag']}"
    )
    columns = ["topic", "partition", "position", "end", "lag", "member"]
    print_rows(positions, columns, as_json=False, none=f"{group} has no positions")
    if members:
        print_rows(members, ["member", "client", "host", "partitions"], as_json=False, none="")


@app.command
def reset(
    group: str,
    /,
    *,
    topic: Annotated[list[str] | None, Parameter(help="Topics; all it has positions in.")] = None,
    to: Annotated[str, Parameter(allow_leading_hyphen=True)],
    dry_run: Annotated[bool, Parameter(help="Only say what would be.")] = False,
    as_json: AsJson = False,
    cluster: Cluster | None = None,
) -> None:
    """Move a group's positions; it must have no members meanwhile.

    Parameters
    ----------
    group
        The group.
    to
        Where to: beginning, end, an offset, -100 (from the end), a time or how long ago (-1h).
    """
    cluster = cluster or Cluster()
    admin = cluster.admin()
    moment = parse_moment(to, time.time_ns() // 1_000_000)
    before = {
        (each["topic"], each["partition"]): each["position"] for each in _positions(cluster, admin, group, {})
    }
    topics = topic or sorted({name for name, _ in before})
    if not topics:
        raise ReplayError(f"{group} has no positions yet: name the topics with --topic")
    consumer = Consumer(consumer_settings(cluster.bootstrap, True, cluster.settings()))
    try:
        rows: list[dict[str, Any]] = [
            {"topic": name, "partition": index, "before": before.get((name, index)), "after": span.start}
            for name in topics
            for index, span in resolve(
                consumer, name, partition_indexes(consumer, name, cluster.bootstrap), Range(moment)
            ).items()
        ]
    finally:
        consumer.close()
    if not dry_run:
        moved = [TopicPartition(row["topic"], row["partition"], row["after"]) for row in rows]
        _alter(cluster, admin, group, moved)
    print_rows(rows, ["topic", "partition", "before", "after"], as_json=as_json, none="no partitions")
    if dry_run:
        say("nothing was changed: this was a dry run")


@app.command
def delete(*groups: str, cluster: Cluster | None = None) -> None:
    """Delete groups and their positions; they must have no members.

    Parameters
    ----------
    groups
        The groups.
    """
    cluster = cluster or Cluster()
    if not groups:
        raise ReplayError("name the groups to delete")
    for name, future in cluster.admin().delete_consumer_groups(list(groups)).items():
        cluster.ask(future, f"delete {name}")
        say(f"deleted {name}")


def _positions(
    cluster: Cluster, admin: AdminClient, group: str, owners: dict[str, str]
) -> list[dict[str, Any]]:
    """Where the group stands in each partition that it has a position in or a member on."""
    asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group]
    committed = {
        (each.topic, each.partition): each.offset
        for each in cluster.ask(asked, f"ask for positions of {group}").topic_partitions
    }
    for owned in owners:
        topic, _, index = owned.rpartition("-")
        committed.setdefault((topic, int(index)), OFFSET_INVALID)
    wanted = {TopicPartition(topic, index): OffsetSpec.latest() for topic, index in committed}
    ends: dict[tuple[str, int], int | None] = {}
    for each, future in (admin.list_offsets(wanted) if wanted else {}).items():
        try:
            ends[each.topic, each.partition] = future.result().offset
        except KafkaException:  # the topic is gone, its positions are not yet
            ends[each.topic, each.partition] = None
    rows = []
    for (topic, index), offset in sorted(committed.items()):
        position = None if offset < 0 else offset
        end = ends.get((topic, index))
        rows.append(
            {
                "topic": topic,
                "partition": index,
                "position": position,
                "end": end,
                "lag": None if position is None or end is None else max(0, end - position),
                "member": owners.get(f"{topic}-{index}"),
            }
        )
    return rows


def _alter(cluster: Cluster, admin: AdminClient, group: str, positions: list[TopicPartition]) -> None:
    asked = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, positions)])[group]
    for each in cluster.ask(asked, f"move {group}").topic_partitions:
        if each.error is not None:
            raise ReplayError(f"cannot move {group} in {each.topic}-{each.partition}: {each.error.str()}")
