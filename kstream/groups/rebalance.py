"""The rebalance of a classic group: how it begins, waits, and ends in a new generation.

A rebalance has two phases. In the first (PreparingRebalance) everybody joins; `complete_join` ends it when
all have, or when the longest rebalance timeout is over. In the second (CompletingRebalance) the leader
assigns and everybody syncs; `expire_sync` ends the wait for those who do not. Functions add what follows to
the outcome that they are given.
"""

from __future__ import annotations

from kstream.coordinator.outcome import Notice, Outcome, TimerKey
from kstream.errors import ErrorCode
from kstream.groups.classic import ClassicGroup
from kstream.groups.group_records import group_record
from kstream.groups.member import ClassicMember
from kstream.groups.settings import GroupSettings
from kstream.groups.states import ClassicState
from kstream.wire.messages.join_group import JoinGroupResponse
from kstream.wire.messages.sync_group import SyncGroupResponse

JOIN, SYNC, SESSION = "join", "sync", "session"
"""Kinds of timers: the end of the first phase, of the second, and of a member that is silent."""


def join_key(group_id: str) -> TimerKey:
    return (JOIN, group_id)


def sync_key(group_id: str) -> TimerKey:
    return (SYNC, group_id)


def session_key(group_id: str, member_id: str) -> TimerKey:
    return (SESSION, group_id, member_id)


def renew_session(group: ClassicGroup, member: ClassicMember, out: Outcome) -> None:
    """The member was heard of."""
    out.timers[session_key(group.group_id, member.member_id)] = member.session_timeout_ms


def rebalance_or_complete(
    group: ClassicGroup, reason: str, settings: GroupSettings, now_ms: int, out: Outcome
) -> None:
    """Something changed that all members must agree on: begin a rebalance, or let the one that runs end."""
    if group.can_rebalance:
        begin_rebalance(group, reason, settings, now_ms, out)
    else:
        complete_if_all_joined(group, now_ms, out)


def begin_rebalance(
    group: ClassicGroup, reason: str, settings: GroupSettings, now_ms: int, out: Outcome
) -> None:
    """Ask all members to join again."""
    if group.state is ClassicState.COMPLETING_REBALANCE:
        for member in group.members.values():
            member.assignment = b""
        propagate(group, ErrorCode.REBALANCE_IN_PROGRESS, out)
    group.pending_syncs.clear()
    out.timers[sync_key(group.group_id)] = None
    is_initial = group.is_empty
    group.become(ClassicState.PREPARING_REBALANCE, now_ms)
    group.has_new_member = False
    out.effects.append(
        Notice(f"group {group.group_id}: rebalance after generation {group.generation}: {reason}")
    )
    if is_initial:
        # The first member of a group is rarely the only one: others get a moment to join with it.
        out.timers[join_key(group.group_id)] = settings.initial_rebalance_delay_ms
        group.initial_delay_left_ms = max(group.rebalance_timeout_ms - settings.initial_rebalance_delay_ms, 0)
    elif group.have_all_joined:
        complete_join(group, now_ms, out)
    else:
        out.timers[join_key(group.group_id)] = group.rebalance_timeout_ms


def complete_if_all_joined(group: ClassicGroup, now_ms: int, out: Outcome) -> None:
    """End the first phase if nobody is missing. The first rebalance of a group ends by its delay alone."""
    if (
        group.state is ClassicState.PREPARING_REBALANCE
        and group.previous_state is not ClassicState.EMPTY
        and group.have_all_joined
    ):
        complete_join(group, now_ms, out)


def on_join_timer(group: ClassicGroup, settings: GroupSettings, now_ms: int, out: Outcome) -> None:
    """The time to join is over, unless this is a first rebalance that somebody has just joined."""
    if group.state is not ClassicState.PREPARING_REBALANCE:
        return
    left_ms = group.initial_delay_left_ms
    if group.previous_state is ClassicState.EMPTY and group.has_new_member and left_ms > 0:
        group.has_new_member = False
        delay_ms = min(settings.initial_rebalance_delay_ms, left_ms)
        group.initial_delay_left_ms = max(left_ms - settings.initial_rebalance_delay_ms, 0)
        out.timers[join_key(group.group_id)] = delay_ms
        return
    complete_join(group, now_ms, out)


def complete_join(group: ClassicGroup, now_ms: int, out: Outcome) -> None:
    """End the first phase: drop who has not joined, and begin the next generation with the others.

    Static members stay without joining; they have until their session ends.
    """
    group_id = group.group_id
    out.timers[join_key(group_id)] = None
    absent = [
        member
        for member in group.members.values()
        if member.awaiting_join is None and member.instance_id is None
    ]
    for member in absent:
        group.remove(member.member_id)
        out.timers[session_key(group_id, member.member_id)] = None
    if absent:
        names = ", ".join(member.member_id for member in absent)
        out.effects.append(Notice(f"group {group_id}: members that did not join are removed: {names}"))
    if group.members and not group.elect_joined_leader():
        # Only static members, none of whom has joined: wait until one does, or their sessions end.
        out.timers[join_key(group_id)] = group.rebalance_timeout_ms
        return
    group.begin_generation(now_ms)
    if group.is_empty:
        out.records.append(group_record(group))
        out.effects.append(Notice(f"group {group_id}: empty in generation {group.generation}"))
        return
    out.effects.append(
        Notice(f"group {group_id}: generation {group.generation} of {len(group.members)} members")
    )
    for member in group.members.values():
        is_leader = member.member_id == group.leader_id
        answer = group.joined(member.member_id, group.members_for_leader() if is_leader else ())
        group.answer_join(member, answer, out)
        renew_session(group, member, out)
        member.is_new = False
        group.pending_syncs.add(member.member_id)
    out.timers[sync_key(group_id)] = group.rebalance_timeout_ms


def propagate(group: ClassicGroup, error_code: ErrorCode, out: Outcome) -> None:
    """Answer every SyncGroup that waits: with the member's assignment, or with an error."""
    is_good = error_code is ErrorCode.NONE
    for member in group.members.values():
        response = SyncGroupResponse(
            error_code=error_code,
            protocol_type=group.protocol_type if is_good else None,
            protocol_name=group.protocol_name if is_good else None,
            assignment=member.assignment,
        )
        if group.answer_sync(member, response, out):
            # Its session could not end while it waited here, so it begins anew.
            renew_session(group, member, out)


def expire_sync(group: ClassicGroup, settings: GroupSettings, now_ms: int, out: Outcome) -> None:
    """The second phase has lasted as long as it may: go on without those who have not synced."""
    if group.state not in (ClassicState.COMPLETING_REBALANCE, ClassicState.STABLE) or not group.pending_syncs:
        return
    late = sorted(group.pending_syncs)
    for member_id in late:
        group.remove(member_id)
        out.timers[session_key(group.group_id, member_id)] = None
    begin_rebalance(group, f"removing {', '.join(late)}, who did not sync in time", settings, now_ms, out)


def expire_session(
    group: ClassicGroup, member_id: str, settings: GroupSettings, now_ms: int, out: Outcome
) -> None:
    """A member, or somebody who was to become one, has not been heard of for its session timeout."""
    if member_id in group.pending_joins:
        group.remove(member_id)
        complete_if_all_joined(group, now_ms, out)
        return
    member = group.members.get(member_id)
    if member is not None and not member.has_satisfied_heartbeat:
        remove_member(group, member, out)
        rebalance_or_complete(group, f"member {member_id} failed", settings, now_ms, out)


def remove_member(group: ClassicGroup, member: ClassicMember, out: Outcome) -> None:
    """Take a member out. If it waits to join it is told that it is unknown, and may begin again."""
    unknown = ErrorCode.UNKNOWN_MEMBER_ID
    group.answer_join(member, JoinGroupResponse(error_code=unknown, protocol_name=None), out)
    group.answer_sync(member, SyncGroupResponse(error_code=unknown), out)
    group.remove(member.member_id)
    out.timers[session_key(group.group_id, member.member_id)] = None
