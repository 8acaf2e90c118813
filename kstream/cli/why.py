"""`kstream why`: why nothing arrives at a group, asked over the protocol alone."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

from confluent_kafka import ConsumerGroupState, IsolationLevel
from confluent_kafka._model import ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient, OffsetSpec
from confluent_kafka.cimpl import KafkaException, TopicPartition
from cyclopts import App, Parameter

from kstream.broker.why_nothing import GroupFacts, MemberFacts, PartitionFacts, explain, told
from kstream.broker.why_share import ShareFacts, ShareGroupFacts, share_findings
from kstream.cli.connection import Cluster
from kstream.cli.output import AsJson, print_json
from kstream.cli.share_groups import ShareGroups

app = App(name="why", help="Why nothing arrives at a consumer group or a share group.")


@app.default
def why(
    group: str,
    /,
    *,
    topic: Annotated[list[str] | None, Parameter(help="A topic that should arrive; may be repeated.")] = None,
    as_json: AsJson = False,
    cluster: Cluster | None = None,
) -> None:
    """Explain why nothing arrives at a consumer group or a share group: nobody joined, others have the
    partitions or the records, everything was read, an open transaction, retention, a missing topic.

    Works with any Kafka cluster. Whether a consumer paused a partition only the broker knows: in tests
    `broker.why(group)` tells.

    Parameters
    ----------
    group
        The group.
    """
    cluster = cluster or Cluster()
    shared = gather_shared(cluster, group, set(topic or ()))
    if shared is not None:
        explained = told(group, shared.state, share_findings(shared))
    else:
        explained = explain(gather(cluster, cluster.admin(), group, set(topic or ())))
    if as_json:
        print_json(explained)
        return
    print(f"{group}: {explained['state']}")
    for finding in explained["findings"]:
        print(f"- {finding['reason'].replace('_', ' ')}: {finding['text']}")


def gather_shared(cluster: Cluster, group: str, wanted: set[str]) -> ShareGroupFacts | None:
    """What the cluster says of a share group; None if it is none. Raises `NoAnswer`, `Refused`."""
    with closing(ShareGroups(cluster)) as shares:
        found = shares.find(group)
        if found is None:
            return None
        positions = shares.positions(group)
    facts = ShareGroupFacts(group, found.group_state.lower(), wanted_topics=wanted)
    facts.add_members(found.members)
    facts.partitions = {(row["topic"], row["partition"]): ShareFacts(row["lag"]) for row in positions}
    facts.missing_topics = facts.meant_topics - cluster.topics(cluster.admin()).keys()
    return facts


def gather(cluster: Cluster, admin: AdminClient, group: str, wanted: set[str]) -> GroupFacts:
    """What the cluster says of a group. Raises `NoAnswer`, `Refused`."""
    described = cluster.ask(admin.describe_consumer_groups([group])[group], f"describe {group}")
    is_there = described.state is not ConsumerGroupState.DEAD
    facts = GroupFacts(group, described.state.name.lower().replace("_", "") if is_there else "")
    facts.wanted_topics = wanted
    for each in described.members:
        assigned = each.assignment.topic_partitions if each.assignment else ()
        facts.members.append(
            MemberFacts(each.member_id, each.client_id, {(one.topic, one.partition) for one in assigned})
        )
    if is_there:
        asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group]
        answer = cluster.ask(asked, f"ask for positions of {group}")
        facts.positions = {
            (one.topic, one.partition): one.offset for one in answer.topic_partitions if one.offset >= 0
        }
    topics = cluster.topics(admin)
    meant = wanted | {name for name, _ in facts.positions}
    meant |= {name for member in facts.members for name, _ in member.assigned}
    facts.missing_topics = meant - topics.keys()
    keys = [(name, index) for name in sorted(meant & topics.keys()) for index in range(topics[name])]
    starts = _offsets(cluster, admin, keys, OffsetSpec.earliest(), IsolationLevel.READ_UNCOMMITTED)
    ends = _offsets(cluster, admin, keys, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED)
    stable = _offsets(cluster, admin, keys, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED)
    facts.partitions = {key: PartitionFacts(starts[key], ends[key], stable[key]) for key in keys}
    return facts


def _offsets(
    cluster: Cluster,
    admin: AdminClient,
    keys: list[tuple[str, int]],
    spec: OffsetSpec,
    isolation: IsolationLevel,
) -> dict[tuple[str, int], int]:
    if not keys:
        return {}
    asked = admin.list_offsets(
        {TopicPartition(topic, index): spec for topic, index in keys}, isolation_level=isolation
    )
    try:
        return {(each.topic, each.partition): future.result().offset for each, future in asked.items()}
    except KafkaException as error:
        raise cluster.failure(error, "ask where partitions end") from None
