"""`kstream groups`: consumer groups and share groups."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing
from typing import Annotated, Any

from cyclopts import App, Parameter

from kstream.cli import consumer_groups, share_groups
from kstream.cli.connection import Cluster
from kstream.cli.output import AsJson, print_json, print_rows, say
from kstream.cli.share_groups import ShareGroups
from kstream.replay.clients import new_consumer
from kstream.replay.errors import Refused, ReplayError
from kstream.replay.moments import Kind, Moment, Range, parse_moment
from kstream.replay.spans import Span
from kstream.replay.topic_source import consumer_settings, partition_indexes, resolve
from kstream.wire.messages.share_group_describe import DescribedGroup

app = App(
    name="groups",
    help="List and describe consumer groups and share groups with their lag; reset and delete them.",
)


@app.command(name="list")
def list_groups(*, as_json: AsJson = False, cluster: Cluster | None = None) -> None:
    """List groups with their state."""
    cluster = cluster or Cluster()
    rows = consumer_groups.rows(cluster)
    with closing(ShareGroups(cluster)) as shares:
        rows += shares.rows()
        if shares.refusal is not None:
            say(f"share groups are not shown: {shares.refusal}")
    rows.sort(key=lambda row: str(row["group"]))
    print_rows(rows, ["group", "state", "protocol"], as_json=as_json, none="no groups yet")


@app.command
def describe(group: str, /, *, as_json: AsJson = False, cluster: Cluster | None = None) -> None:
    """Describe a group: its members, what each has, the group's positions and lag.

    Of a share group the position is the first record that is not done with, and the lag what is not done
    with from there on; several members may read one partition.

    Parameters
    ----------
    group
        The group.
    """
    _check_named(group)
    cluster = cluster or Cluster()
    found = consumer_groups.find(cluster, group)
    if found is None:
        with closing(ShareGroups(cluster)) as shares:
            shared = shares.find(group)
            if shared is None:
                if shares.refusal is not None:
                    raise Refused(
                        f"there is no consumer group {group}, and share groups are not seen: {shares.refusal}"
                    )
                raise Refused(f"there is no group {group}: kstream groups list shows which there are")
            _print_shared(shared, shares.positions(group), as_json=as_json)
        return
    members = consumer_groups.members_of(found)
    owners = {partition: each["member"] for each in members for partition in each["partitions"]}
    fields = {
        "state": found.state.name.lower(),
        "protocol": found.type.name.lower(),
        "assignor": found.partition_assignor or None,
        "coordinator": found.coordinator.id if found.coordinator else None,
    }
    positions = consumer_groups.positions_of(cluster, group, owners)
    columns = ["topic", "partition", "position", "end", "lag", "member"]
    _print_group(group, fields, members, positions, columns, as_json=as_json)


def _check_named(*groups: str) -> None:
    if "" in groups:
        raise ReplayError("the name of a group cannot be empty")


def _print_shared(found: DescribedGroup, positions: list[dict[str, Any]], *, as_json: bool) -> None:
    members = share_groups.members_of(found)
    readers = Counter(partition for each in members for partition in each["partitions"])
    for row in positions:
        row["members"] = readers[f"{row['topic']}-{row['partition']}"]
    fields = {
        "state": found.group_state.lower(),
        "protocol": "share",
        "assignor": found.assignor_name or None,
        "epoch": found.group_epoch,
    }
    columns = ["topic", "partition", "position", "lag", "members"]
    _print_group(found.group_id, fields, members, positions, columns, as_json=as_json)


def _print_group(
    group: str,
    fields: dict[str, Any],
    members: list[dict[str, Any]],
    positions: list[dict[str, Any]],
    columns: list[str],
    *,
    as_json: bool,
) -> None:
    lag = sum(each["lag"] for each in positions if each["lag"] is not None)
    if as_json:
        print_json({"group": group, **fields, "lag": lag, "members": members, "positions": positions})
        return
    say(f"{group}: {fields['state']}, {fields['protocol']} protocol, {len(members)} members, lag {lag}")
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
    share: Annotated[bool, Parameter(help="A group that is not there yet is to be a share group.")] = False,
    dry_run: Annotated[bool, Parameter(help="Only say what would be.")] = False,
    as_json: AsJson = False,
    cluster: Cluster | None = None,
) -> None:
    """Move a group's positions; it must have no members meanwhile.

    Parameters
    ----------
    group
        The group. One that is not there yet is given its place, and is there then.
    to
        Where to: beginning, end, an offset, -100 (from the end), a time or how long ago (-1h).
    """
    _check_named(group)
    cluster = cluster or Cluster()
    moment = parse_moment(to, time.time_ns() // 1_000_000)
    with closing(ShareGroups(cluster)) as shares:
        is_share = share or shares.find(group) is not None
        positions = shares.positions(group) if is_share else consumer_groups.positions_of(cluster, group, {})
        before = {(each["topic"], each["partition"]): each["position"] for each in positions}
        topics = topic or sorted({name for name, _ in before})
        if not topics:
            raise ReplayError(f"{group} has no positions yet: name the topics with --topic")
        after = _resolved(cluster, topics, Range(moment))
        if not dry_run and is_share:
            shares.move(group, after)
        elif not dry_run:
            consumer_groups.move(cluster, group, after)
    rows = [
        {"topic": name, "partition": index, "before": before.get((name, index)), "after": offset}
        for (name, index), offset in after.items()
    ]
    print_rows(rows, ["topic", "partition", "before", "after"], as_json=as_json, none="no partitions")
    if dry_run:
        say("nothing was changed: this was a dry run")


def _resolved(cluster: Cluster, topics: list[str], span: Range) -> dict[tuple[str, int], int]:
    """The offsets at which a range begins in each partition now. Open transactions are before the end."""
    consumer = new_consumer(consumer_settings(cluster.bootstrap, False, cluster.settings()))
    try:
        return {
            (name, index): _within(f"{name}-{index}", found, span.start)
            for name in topics
            for index, found in resolve(
                consumer, name, partition_indexes(consumer, name, cluster.bootstrap), span
            ).items()
        }
    finally:
        consumer.close()


def _within(partition: str, found: Span, wanted: Moment) -> int:
    """Where a partition begins or ends if the offset that is wanted is beyond, as Kafka's tool does."""
    offset = min(found.start, found.end)
    if wanted.kind is Kind.OFFSET and offset != wanted.number:
        edge = "ends" if offset < wanted.number else "begins"
        say(f"{partition} {edge} at offset {offset}: that is taken in place of {wanted.number}")
    return offset


@app.command
def forget(
    group: str,
    /,
    *,
    topic: Annotated[list[str], Parameter(help="A topic; may be repeated.")],
    cluster: Cluster | None = None,
) -> None:
    """Delete a group's positions in topics: it begins anew there when it comes back.

    A share group must have no members meanwhile, a consumer group none that subscribe to the topics.

    Parameters
    ----------
    group
        The group.
    """
    _check_named(group)
    cluster = cluster or Cluster()
    with closing(ShareGroups(cluster)) as shares:
        if shares.find(group) is not None:
            shares.forget(group, topic)
        else:
            consumer_groups.forget(cluster, group, topic)
    say(f"{group} has forgotten {', '.join(topic)}")


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
    _check_named(*groups)
    for name, future in cluster.admin().delete_consumer_groups(list(groups)).items():
        cluster.ask(future, f"delete {name}")
        say(f"deleted {name}")
