"""What a broker knows of a group to which nothing arrives."""

from __future__ import annotations

import contextlib
from typing import Any

import trio

from kstream.broker.broker import Broker
from kstream.broker.queue_stats import queue_stats
from kstream.broker.why_nothing import GroupFacts, MemberFacts, PartitionFacts, TopicPartition, told
from kstream.broker.why_nothing import explain as explain_facts
from kstream.broker.why_share import ShareFacts, ShareGroupFacts, share_findings
from kstream.errors import ApiError, ErrorCode, ProtocolError
from kstream.groups.consumer.consumer_protocol import read_assignment, read_subscription
from kstream.groups.describe import CONSUMER_TYPE
from kstream.groups.settings import Caller
from kstream.shares.state_store import ShareKey

_DESCRIBE_VERSION = 6
_AGAIN_S = 0.01
_PATIENCE_S = 10.0


async def explain(broker: Broker, group: str, topic: str | None = None) -> dict[str, Any]:
    """Why nothing arrives at a group, from `topic` if one is given: `group`, `state` and `findings`.

    Each finding has a `reason`, a `text` for a person, and where it is about one, `topic` and `partition`.

    Raises:
        ApiError: the coordinator is loading for long, or gone.
    """
    with trio.move_on_after(_PATIENCE_S):
        while True:
            try:
                shared = await _gather_shared(broker, group, topic)
                if shared is not None:
                    return told(group, shared.state, share_findings(shared))
                return explain_facts(await gather(broker, group, topic))
            except ApiError as error:
                if error.code is not ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
                    raise
            await trio.sleep(_AGAIN_S)
    raise ApiError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)


async def _gather_shared(broker: Broker, group: str, topic: str | None) -> ShareGroupFacts | None:
    """The facts of a share group; None if it is none. Raises ApiError."""
    try:
        described = await broker.groups.share.describe(group)
    except ApiError as error:
        if error.code is not ErrorCode.NOT_COORDINATOR:  # nobody has asked for a coordinator yet
            raise
        return None
    if described.error_code:
        return None
    facts = ShareGroupFacts(group, described.group_state)
    facts.wanted_topics = set() if topic is None else {topic}
    facts.add_members(described.members)
    topics = broker.metadata.image.topics_by_name
    facts.missing_topics = facts.meant_topics - topics.keys()
    is_committed = broker.shares.settings.config_of(group).is_read_committed
    for each in await queue_stats(broker, group):
        partition = await broker.partitions.wait_open(each.topic, each.partition)
        share = broker.shares.find(ShareKey(group, topics[each.topic].topic_id, each.partition))
        facts.partitions[each.topic, each.partition] = ShareFacts(
            each.depth,
            each.in_flight,
            each.scheduled,
            is_full=share is not None and not share.has_room(),
            is_behind_transaction=is_committed
            and share is not None
            and partition.last_stable_offset <= share.window.next_offset < partition.high_watermark,
        )
    return facts


async def gather(broker: Broker, group: str, topic: str | None) -> GroupFacts:
    """The facts. Raises ApiError."""
    facts = GroupFacts(group, "")
    topics = broker.metadata.image.topics_by_name
    try:
        listed = {each.group_id: each for each in await broker.groups.list([], [])}
    except ApiError as error:
        if error.code is not ErrorCode.NOT_COORDINATOR:  # nobody has asked for a coordinator yet
            raise
        listed = {}
    if group in listed:
        facts.state = listed[group].group_state
        is_consumer = listed[group].group_type.lower() == CONSUMER_TYPE
        facts.members = await (_consumers if is_consumer else _classic_members)(broker, group)
        found = await broker.groups.fetch(group, None, require_stable=False)
        facts.positions = {
            (each.name, partition.partition_index): partition.committed_offset
            for each in found.topics
            for partition in each.partitions
            if partition.committed_offset >= 0
        }
    for member in facts.members:
        _add_fetches(broker, member)
    facts.wanted_topics = set() if topic is None else {topic}
    meant = facts.wanted_topics | {name for name, _ in facts.positions}
    for member in facts.members:
        meant |= (member.subscribed or set()) | {name for name, _ in member.assigned}
    facts.missing_topics = meant - topics.keys()
    for name in sorted(meant & topics.keys()):
        for index in range(len(topics[name].partitions)):
            partition = await broker.partitions.wait_open(name, index)
            facts.partitions[(name, index)] = PartitionFacts(
                partition.log.log_start_offset, partition.high_watermark, partition.last_stable_offset
            )
    return facts


async def _classic_members(broker: Broker, group: str) -> list[MemberFacts]:
    described = await broker.groups.describe(group, Caller("", "", _DESCRIBE_VERSION))
    members = []
    for each in described.members:
        member = MemberFacts(each.member_id, each.client_id)
        with contextlib.suppress(ProtocolError):  # a group of Connect's, or of somebody else's
            if each.member_metadata:
                member.subscribed = set(read_subscription(each.member_metadata).topics)
            if each.member_assignment:
                member.assigned = {
                    (topic.topic, index)
                    for topic in read_assignment(each.member_assignment).assigned_partitions
                    for index in topic.partitions
                }
        members.append(member)
    return members


async def _consumers(broker: Broker, group: str) -> list[MemberFacts]:
    described = await broker.groups.describe_consumer_group(group)
    return [
        MemberFacts(
            each.member_id,
            each.client_id,
            {
                (topic.topic_name, index)
                for topic in each.assignment.topic_partitions
                for index in topic.partitions
            },
            None if each.subscribed_topic_regex else set(each.subscribed_topic_names),
        )
        for each in described.members
    ]


def _add_fetches(broker: Broker, member: MemberFacts) -> None:
    """What a member fetched lately; another client of its name counts for it."""
    image, now_ms = broker.metadata.image, broker.clock.now_ms()
    member.fetched_ms_ago = {}
    for fetch in broker.fetches.of_client(member.client_id):
        ago_ms = now_ms - fetch.at_ms
        for wanted in fetch.partitions:
            topic = wanted.topic
            if isinstance(topic, bytes):
                found = image.topics_by_id.get(topic)
                topic = "" if found is None else found.name
            key: TopicPartition = (topic, wanted.index)
            if key in member.assigned:
                member.fetched_ms_ago[key] = min(ago_ms, member.fetched_ms_ago.get(key, ago_ms))
                member.reads_committed = fetch.reads_committed
