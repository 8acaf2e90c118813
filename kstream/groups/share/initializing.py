"""Partitions that get a share state: asked for by a heartbeat, done elsewhere, and written down when done."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from kstream.coordinator.outcome import CoordinatorRecord, Outcome
from kstream.groups.share.group import ShareGroup
from kstream.groups.share.partitions import StatePartitions, TopicPart, Topics
from kstream.groups.share.share_records import partitions_record
from kstream.groups.state import GroupState

UNINITIALIZED = -1
"""The start offset that `share.auto.offset.reset` is to decide on when the partition is first fetched."""


class InitializeStates(NamedTuple):
    """An effect: share states are to be initialized. Whoever carries it out says so with `initialized`, or
    with `not_initialized` where that failed.
    """

    group_id: str
    state_epoch: int
    start_offsets: Mapping[bytes, Mapping[int, int]]
    """By topic id and partition."""


Partitions = Mapping[bytes, Collection[int]]
"""By topic id."""


def begin(
    state: GroupState, group: ShareGroup, epoch: int, names: Iterable[str], now_ms: int, out: Outcome
) -> None:
    """Have all partitions initialized that members subscribe to and that are not; again, those of which
    nothing was heard for long.
    """
    retry_interval_ms = state.settings.share.initialize_retry_interval_ms
    known = group.partitions or StatePartitions()
    topics: dict[bytes, TopicPart] = {}
    starts: dict[bytes, dict[int, int]] = {}
    for name in sorted(names):
        topic = state.cluster.topic_named(name)
        if topic is None:
            continue
        topic_id = topic.topic_id
        have = known.initialized[topic_id].partitions if topic_id in known.initialized else frozenset()
        begun = known.initializing[topic_id].partitions if topic_id in known.initializing else frozenset()
        since_ms = state.initializing_since_ms.get((group.group_id, topic_id))
        if since_ms is not None and now_ms - since_ms < retry_interval_ms:
            have |= begun
        missing = frozenset(range(topic.partition_count)) - have
        if missing:
            topics[topic_id] = TopicPart(name, missing)
            starts[topic_id] = {index: _start(known, topic_id, index) for index in sorted(missing)}
    if topics:
        out.records.append(_begun(state, group, topics, now_ms))
        out.effects.append(InitializeStates(group.group_id, epoch, starts))


def is_under_way(state: GroupState, group_id: str, names: Iterable[str]) -> bool:
    """Whether states of a group in any of these topics are being initialized."""
    topics = (state.cluster.topic_named(name) for name in names)
    return any(
        (group_id, topic.topic_id) in state.initializing_since_ms for topic in topics if topic is not None
    )


def _start(known: StatePartitions, topic_id: bytes, index: int) -> int:
    """All that is in a partition which a topic gained later was written when the group was there already."""
    if topic_id in known.initialized:
        return 0
    begun = known.initializing.get(topic_id)
    return UNINITIALIZED if begun is None or index in begun.partitions else 0


def move(state: GroupState, group: ShareGroup, topics: Topics, now_ms: int) -> Outcome:
    """Write down that partitions are being initialized; from which offsets is for the caller to say to who
    does it.
    """
    out = Outcome()
    if topics:
        out.records.append(_begun(state, group, topics, now_ms))
    return out


def _begun(state: GroupState, group: ShareGroup, topics: Topics, now_ms: int) -> CoordinatorRecord:
    counts: dict[bytes, int] = {}
    for topic_id in topics:
        state.initializing_since_ms[group.group_id, topic_id] = now_ms
        topic = state.cluster.topic_identified(topic_id)
        counts[topic_id] = 0 if topic is None else topic.partition_count
    return partitions_record(group.group_id, (group.partitions or StatePartitions()).begun(topics, counts))


def still_wanted(state: GroupState, effect: InitializeStates) -> InitializeStates:
    """What of an effect is still to be done: the group may have been deleted since it was asked for."""
    group = state.share_groups.get(effect.group_id)
    initializing = {} if group is None or group.partitions is None else group.partitions.initializing
    starts = {
        topic_id: {
            index: start for index, start in starts.items() if index in initializing[topic_id].partitions
        }
        for topic_id, starts in effect.start_offsets.items()
        if topic_id in initializing
    }
    return effect._replace(start_offsets={topic_id: each for topic_id, each in starts.items() if each})


def initialized(state: GroupState, group_id: str, partitions: Partitions) -> Outcome:
    """The share states of these partitions are there: members may get them."""
    out = Outcome()
    not_initialized(state, group_id, partitions)
    group = state.share_groups.get(group_id)
    if group is None or group.partitions is None:
        return out
    known = group.partitions
    topics = {
        topic_id: TopicPart(known.initializing[topic_id].name, frozenset(indexes))
        for topic_id, indexes in partitions.items()
        if topic_id in known.initializing  # its topic may be gone by now
    }
    if topics:
        out.records.append(partitions_record(group_id, known.completed(topics)))
    return out


def not_initialized(state: GroupState, group_id: str, partitions: Iterable[bytes]) -> None:
    """The share states of these partitions could not be initialized: a heartbeat tries again.

    Kafka takes them out of its record. But a former attempt, of which nobody heard, may have succeeded: while
    they stand there, whoever deletes the group deletes their states.
    """
    for topic_id in partitions:
        state.initializing_since_ms.pop((group_id, topic_id), None)


def forget_topics(state: GroupState, topic_ids: Collection[bytes], out: Outcome) -> None:
    """Topics were deleted, and their share states with them."""
    for group in state.share_groups.values():
        if group.partitions is not None:
            left = group.partitions.without_topics(topic_ids)
            if left != group.partitions:
                out.records.append(partitions_record(group.group_id, left))
