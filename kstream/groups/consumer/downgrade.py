"""From a group of KIP-848 back to a classic one: when the last member that speaks the new protocol leaves, or
is replaced by a classic one that has the same instance id.

The classic group has the members' target assignments as its own, and rebalances, unless nothing changed.
"""

from __future__ import annotations

from collections.abc import Collection

from kstream.coordinator.outcome import Outcome
from kstream.groups import rebalance
from kstream.groups.classic import ClassicGroup
from kstream.groups.consumer.consumer_protocol import write_assignment
from kstream.groups.consumer.group import ConsumerGroup
from kstream.groups.consumer.member import ConsumerMember, Target
from kstream.groups.consumer.timers import cancel_timers
from kstream.groups.group_records import group_record
from kstream.groups.member import ClassicMember
from kstream.groups.state import GroupState
from kstream.groups.states import ClassicState
from kstream.groups.subscriptions import CONSUMER


def can_downgrade_without(
    state: GroupState, group: ConsumerGroup, leaving: Collection[ConsumerMember]
) -> bool:
    """Whether classic members alone stay when these have left, and the configuration allows it."""
    staying = len(group.members) - len(leaving)
    classic = group.classic_count - sum(member.is_classic for member in leaving)
    return staying == classic and staying > 0 and _is_allowed(state, staying)


def can_downgrade_replacing(state: GroupState, group: ConsumerGroup, replaced: ConsumerMember) -> bool:
    """The same when a classic member takes the place of one."""
    is_last = not replaced.is_classic and group.classic_count == len(group.members) - 1
    return is_last and _is_allowed(state, len(group.members))


def _is_allowed(state: GroupState, size: int) -> bool:
    return state.settings.consumer.can_downgrade and size <= state.settings.max_size


def downgrade_without(
    state: GroupState, group: ConsumerGroup, leaving: Collection[ConsumerMember], now_ms: int, out: Outcome
) -> None:
    """Turn the group into a classic one without these members, and have the others rebalance."""
    out.records += group.tombstones()
    gone = {member.member_id for member in leaving}
    staying = [member for member in group.members.values() if member.member_id not in gone]
    targets = [group.targets.get(member.member_id, {}) for member in staying]
    classic = _convert(state, group, staying, targets, now_ms, out)
    _begin_rebalance(state, classic, f"{', '.join(sorted(gone))} left, the last of KIP-848", now_ms, out)


def downgrade_replacing(
    state: GroupState,
    group: ConsumerGroup,
    replaced: ConsumerMember,
    joining: ConsumerMember,
    *,
    must_rebalance: bool,
    now_ms: int,
    out: Outcome,
) -> None:
    """Turn the group into a classic one with a classic member in the place of the last one of KIP-848."""
    out.records += group.tombstones({replaced.member_id: joining.member_id})
    members = [member for member in group.members.values() if member.member_id != replaced.member_id]
    targets = [group.targets.get(member.member_id, {}) for member in (*members, replaced)]
    classic = _convert(state, group, [*members, joining], targets, now_ms, out)
    if must_rebalance:
        _begin_rebalance(state, classic, "the assignment of KIP-848 is behind its subscriptions", now_ms, out)


def _convert(
    state: GroupState,
    group: ConsumerGroup,
    members: Collection[ConsumerMember],
    targets: Collection[Target],
    now_ms: int,
    out: Outcome,
) -> ClassicGroup:
    """The classic group, stable, which replaces the other once the records are replayed."""
    classic = ClassicGroup(group.group_id)
    classic.protocol_type = CONSUMER
    classic.generation = group.epoch
    classic.state, classic.state_timestamp_ms = ClassicState.STABLE, now_ms
    for member in members:
        assert member.classic is not None
        classic.add(
            ClassicMember(
                member.member_id,
                instance_id=member.instance_id,
                client_id=member.client_id,
                client_host=member.client_host,
                rebalance_timeout_ms=member.rebalance_timeout_ms,
                session_timeout_ms=member.classic.session_timeout_ms,
                protocols={each.name: bytes(each.metadata) for each in member.classic_protocols()},
            )
        )
    classic.protocol_name = classic.select_protocol()
    for classic_member, target in zip(classic.members.values(), targets, strict=True):
        metadata = classic_member.protocols[classic.protocol_name]
        classic_member.assignment = write_assignment(target, state.cluster, metadata)
    classic.note_subscriptions()
    out.records.append(group_record(classic))
    for member_id in group.members:
        cancel_timers(group.group_id, member_id, out)
    for classic_member in classic.members.values():
        rebalance.renew_session(classic, classic_member, out)
    state.downgraded[group.group_id] = classic
    return classic


def _begin_rebalance(
    state: GroupState, classic: ClassicGroup, reason: str, now_ms: int, out: Outcome
) -> None:
    rebalance.begin_rebalance(classic, reason, state.settings, now_ms, out)
