"""How members go: they leave, are silent, or do not give up in time what they were told to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from kstream.coordinator.outcome import Notice, Outcome, TimerKey
from kstream.groups.consumer import timers
from kstream.groups.consumer.consumer_records import (
    epoch_record,
    member_tombstones,
    regex_tombstone,
    target_epoch_record,
)
from kstream.groups.consumer.downgrade import can_downgrade_without, downgrade_without
from kstream.groups.consumer.group import ConsumerGroup
from kstream.groups.consumer.member import ConsumerMember
from kstream.groups.consumer.metadata_hash import group_hash
from kstream.groups.consumer.states import MemberState
from kstream.groups.state import GroupState

_REASONS = {
    timers.SESSION: "its session ended",
    timers.REBALANCE: "it did not give up in time what it was told to",
    timers.JOIN: "it did not join again in time",
    timers.SYNC: "it did not sync in time",
}


def remove_members(
    state: GroupState,
    group: ConsumerGroup,
    members: Sequence[ConsumerMember],
    reason: str,
    now_ms: int,
    out: Outcome,
) -> None:
    """Take members out. If only classic ones stay, the group becomes a classic one."""
    if not members:
        return
    group_id = group.group_id
    out.effects.append(Notice(f"group {group_id}: {reason}"))
    if can_downgrade_without(state, group, members):
        downgrade_without(state, group, members, now_ms, out)
        return
    for member in members:
        out.records += member_tombstones(group_id, member.member_id)
        timers.cancel_timers(group_id, member.member_id, out)
        group.awaiting_join.discard(member.member_id)
    regexes = Counter(member.topic_regex for member in members if member.topic_regex)
    for regex, count in regexes.items():
        if group.regex_subscribers[regex] == count:
            out.records.append(regex_tombstone(group_id, regex))
    metadata_hash = group_hash(group.topic_names_with(members), state.cluster)
    out.records.append(epoch_record(group_id, group.epoch + 1, metadata_hash))
    if len(members) == len(group.members):
        out.records.append(target_epoch_record(group_id, group.epoch + 1, 0))


def on_member_timer(state: GroupState, key: TimerKey, now_ms: int) -> Outcome:
    """A member's time is up."""
    out = Outcome()
    kind, group_id, member_id = str(key[0]), str(key[1]), str(key[2])
    group = state.consumer_groups.get(group_id)
    member = None if group is None else group.members.get(member_id)
    if group is None or member is None:
        return out
    if kind == timers.REBALANCE and (
        member.state is not MemberState.UNREVOKED_PARTITIONS or member.member_epoch < 0
    ):
        return out
    remove_members(state, group, [member], f"{member_id} is removed: {_REASONS[kind]}", now_ms, out)
    return out
