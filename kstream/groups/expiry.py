"""What goes away by itself: offsets that were not used for `offsets.retention.minutes`, and empty groups."""

from __future__ import annotations

from collections.abc import Collection

from kstream.coordinator.outcome import CoordinatorRecord, Notice, Outcome
from kstream.groups.classic import ClassicGroup
from kstream.groups.consumer.group import ConsumerGroup
from kstream.groups.describe import group_tombstones
from kstream.groups.group_records import offset_tombstone
from kstream.groups.state import GroupState
from kstream.groups.states import ClassicState
from kstream.groups.subscriptions import CONSUMER
from kstream.records.schemas.group import OffsetCommitValue

EXPIRY = "expiry"
"""Kind of the timer that comes back every `offsets.retention.check.interval.ms`."""


def expire(state: GroupState, now_ms: int) -> Outcome:
    """Delete what has expired, and set the timer for the next time."""
    out = Outcome()
    groups: list[ClassicGroup | ConsumerGroup] = [*state.groups.values(), *state.consumer_groups.values()]
    for group in groups:
        _expire_group(state, group, now_ms, out.records)
    if out.records:
        out.effects.append(Notice(f"{len(out.records)} expired offsets and groups are deleted"))
    out.timers[(EXPIRY,)] = state.settings.offsets_retention_check_interval_ms
    return out


def _expire_group(
    state: GroupState, group: ClassicGroup | ConsumerGroup, now_ms: int, records: list[CoordinatorRecord]
) -> None:
    group_id = group.group_id
    if isinstance(group, ClassicGroup) and group.state not in (ClassicState.EMPTY, ClassicState.STABLE):
        return
    expired = [
        (topic, partition)
        for topic, partition, value in state.offsets.of_group(group_id)
        if _is_expired(state, group, topic, partition, value, now_ms)
    ]
    records += [offset_tombstone(group_id, topic, partition) for topic, partition in expired]
    count = sum(map(len, state.offsets.by_group.get(group_id, {}).values()))
    # Somebody who was given a member id is about to join.
    is_expected = isinstance(group, ClassicGroup) and bool(group.pending_joins)
    is_unused = group.is_empty and not is_expected and not state.offsets.has_pending(group_id)
    if is_unused and len(expired) == count:
        records += group_tombstones(group)


def _is_expired(
    state: GroupState,
    group: ClassicGroup | ConsumerGroup,
    topic: str,
    partition: int,
    value: OffsetCommitValue,
    now_ms: int,
) -> bool:
    """KIP-211: an offset in use never expires; the clock of the others runs from the moment that the group
    became empty, or from their commit if that is not known (as of groups of KIP-848), or members read other
    topics.
    """
    since_ms = value.commit_timestamp
    if isinstance(group, ConsumerGroup):
        if group.subscribes_to(topic):
            return False
    elif group.protocol_type is not None:
        if group.is_empty:
            if group.state_timestamp_ms is not None:
                since_ms = group.state_timestamp_ms
        elif group.protocol_type != CONSUMER or group.subscribed_topics is None:
            return False
        if group.subscribes_to(topic):
            return False
    if state.offsets.is_pending(group.group_id, topic, partition):
        return False
    if value.expire_timestamp != -1:
        return now_ms >= value.expire_timestamp
    return now_ms - since_ms >= state.settings.offsets_retention_ms


def forget_topics(state: GroupState, names: Collection[str]) -> Outcome:
    """Topics were deleted: so are the offsets of all groups in them."""
    out = Outcome()
    for group_id, topics in state.offsets.by_group.items():
        for name in topics.keys() & set(names):
            out.records += [offset_tombstone(group_id, name, partition) for partition in topics[name]]
    for groups in state.offsets.pending.values():
        for group_id, topics in groups.items():
            for name in topics.keys() & set(names):
                out.records += [
                    offset_tombstone(group_id, name, partition)
                    for partition in topics[name]
                    if state.offsets.get(group_id, name, partition) is None
                ]
    return out
