"""Members of classic groups: JoinGroup, SyncGroup, Heartbeat, LeaveGroup, of one member and of two."""

from __future__ import annotations

from typing import Any

from compat.oracle.run import Run, scenario
from compat.oracle.scenarios.group_offsets import coordinated
from kstream.testing.client import WireClient
from kstream.wire.messages.describe_groups import DescribeGroupsRequest
from kstream.wire.messages.heartbeat import HeartbeatRequest
from kstream.wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from kstream.wire.messages.leave_group import LeaveGroupRequest, MemberIdentity
from kstream.wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment

JOIN_VERSIONS = range(10)
STATIC_SINCE = 5
_ID_FIRST_SINCE = 4
_MEMBER_ID_REQUIRED = 79
REBALANCE_IN_PROGRESS = 27
_UNKNOWN_MEMBER_ID = 25


def join(group: str, member_id: str = "", *, protocols: str = "range:a", **fields: Any) -> JoinGroupRequest:
    """A request to join; protocols are `name:metadata`, separated by blanks."""
    values: dict[str, Any] = {
        "session_timeout_ms": 30_000,
        "rebalance_timeout_ms": 60_000,
        "protocol_type": "consumer",
    } | fields
    pairs = [each.partition(":") for each in protocols.split()]
    return JoinGroupRequest(
        group_id=group,
        member_id=member_id,
        protocols=[
            JoinGroupRequestProtocol(name=name, metadata=metadata.encode()) for name, _, metadata in pairs
        ],
        **values,
    )


def sync(
    group: str, generation: int, member_id: str, *assigned: tuple[str, bytes], **fields: Any
) -> SyncGroupRequest:
    """A request for an assignment, with the protocol that `join` leads to; a leader brings `assigned`."""
    values: dict[str, Any] = {"protocol_type": "consumer", "protocol_name": "range"} | fields
    return SyncGroupRequest(
        group_id=group,
        generation_id=generation,
        member_id=member_id,
        assignments=[SyncGroupRequestAssignment(member_id=name, assignment=what) for name, what in assigned],
        **values,
    )


def heartbeat(group: str, generation: int, member_id: str, instance: str | None = None) -> HeartbeatRequest:
    """A sign of life."""
    return HeartbeatRequest(
        group_id=group, generation_id=generation, member_id=member_id, group_instance_id=instance
    )


def leave(group: str, version: int, *members: str) -> LeaveGroupRequest:
    """A farewell, of several members where the version has room for them."""
    if version < 3:
        return LeaveGroupRequest(group_id=group, member_id=members[0])
    return LeaveGroupRequest(group_id=group, members=[MemberIdentity(member_id=each) for each in members])


def new_group(run: Run, suffix: str) -> str:
    """The name of a group of one's own, once its part of what keeps groups is loaded.

    While it is being loaded, Kafka answers every heartbeat with 0, as if all was well.
    """
    name = run.name(suffix)
    run.until(heartbeat(name, 1, "nobody"), 0, lambda answer: answer.error_code == _UNKNOWN_MEMBER_ID)
    return name


def joined(run: Run, note: str, request: JoinGroupRequest, version: int) -> Any:
    """Join, if need be a second time with the id that the first answer gives (KIP-394)."""
    answer = run.call(note, request, version)
    if answer.error_code == _MEMBER_ID_REQUIRED:
        request.member_id = answer.member_id
        answer = run.call(f"{note}, with the id given", request, version)
    return answer


@scenario
def group_of_one(run: Run) -> None:
    """A lone member joins, is assigned, lives, comes back and leaves."""
    coordinated(run)
    for version in JOIN_VERSIONS:
        run.forget_ids()
        group = new_group(run, f"g{version}")
        of = f"join v{version}"
        syncs, beats, leaves = min(version, 5), min(version, 4), min(version, 5)
        me = joined(run, "join", join(group, protocols="range:a other:b"), version).member_id
        run.call(f"{of}: before sync", heartbeat(group, 1, me), beats)
        run.call(f"{of}: sync", sync(group, 1, me, (me, b"all")), syncs)
        run.call(f"{of}: sync again", sync(group, 1, me), syncs)
        run.call(f"{of}: alive", heartbeat(group, 1, me), beats)
        run.call("rejoin", join(group, me, protocols="other:c range:d", reason="why not"), version)
        run.call(f"{of}: old generation", heartbeat(group, 1, me), beats)
        run.call(f"{of}: sync of an old generation", sync(group, 1, me, (me, b"old")), syncs)
        run.call(f"{of}: sync without assignments", sync(group, 2, me, protocol_name="other"), syncs)
        run.call(f"{of}: alive again", heartbeat(group, 2, me), beats)
        run.call(f"{of}: describe", DescribeGroupsRequest(groups=[group]), 5)
        run.call(f"{of}: leave", leave(group, leaves, me, "stranger"), leaves)
        run.call(f"{of}: leave again", leave(group, leaves, me), leaves)
        run.call(f"{of}: gone", heartbeat(group, 2, me), beats)
        run.call(f"{of}: sync when gone", sync(group, 2, me), syncs)
        run.call("rejoin when gone", join(group, me), version)
        run.call(f"{of}: describe what is left", DescribeGroupsRequest(groups=[group]), 5)


@scenario
def group_join_refused(run: Run) -> None:
    """Who may not join: empty and out of range, unknown members, protocols that the others do not have."""
    coordinated(run)
    for version in JOIN_VERSIONS:
        run.forget_ids()
        group = new_group(run, f"g{version}")
        for state in ("no group", "one member"):
            run.call(f"{state}: no group id", join(""), version)
            run.call(f"{state}: no group id, stranger", join("", "stranger"), version)
            for timeout_ms in (-1, 0, 199, 1_800_001):
                request = join(group, session_timeout_ms=timeout_ms)
                run.call(f"{state}: session timeout {timeout_ms}", request, version)
            run.call(f"{state}: no protocol type", join(group, protocol_type=""), version)
            run.call(f"{state}: no protocols", join(group, protocols=""), version)
            run.call(f"{state}: stranger", join(group, "stranger"), version)
            run.call(f"{state}: stranger, other protocol", join(group, "stranger", protocols="x:a"), version)
            if state == "no group":
                me = joined(run, "join", join(group), version).member_id
                run.ask(sync(group, 1, me), 5)
        run.call("other protocol type", join(group, protocol_type="connect"), version)
        run.call("other protocols", join(group, protocols="sticky:a"), version)
        run.call("member, other protocol type", join(group, me, protocol_type="connect"), version)
        run.call("member, no protocols", join(group, me, protocols=""), version)
        run.call("member, session timeout 0", join(group, me, session_timeout_ms=0), version)
        if version >= STATIC_SINCE:
            unknown = join(group, "stranger", group_instance_id="i")
            run.call("unknown instance with a member id", unknown, version)
            run.call("member, unknown instance", join(group, me, group_instance_id="i"), version)
        run.call(f"join v{version}: still in generation 1", heartbeat(group, 1, me), 4)


@scenario
def group_sync_refused(run: Run) -> None:
    """SyncGroup and Heartbeat of strangers, of other generations and of other protocols."""
    coordinated(run)
    for version in range(6):
        run.forget_ids()
        group = new_group(run, f"g{version}")
        beats = min(version, 4)
        run.call("no group id", sync("", 1, "m"), version)
        run.call("unknown group", sync(group, 1, "m"), version)
        me = joined(run, f"sync v{version}: join", join(group), 5).member_id
        for state in ("completing", "stable"):
            run.call(f"{state}: stranger", sync(group, 1, "stranger", (me, b"x")), version)
            run.call(f"{state}: nobody", sync(group, 1, ""), version)
            for generation in (-1, 0, 2):
                run.call(f"{state}: generation {generation}", sync(group, generation, me), version)
                beat = heartbeat(group, generation, me)
                run.call(f"sync v{version}: {state}: generation {generation}", beat, beats)
            run.call(f"sync v{version}: {state}: stranger", heartbeat(group, 1, "stranger"), beats)
            if version >= 3:
                unknown = sync(group, 1, me, group_instance_id="i")
                run.call(f"{state}: unknown instance", unknown, version)
                beat = heartbeat(group, 1, me, "i")
                run.call(f"sync v{version}: {state}: unknown instance", beat, beats)
            for name in ("other", None, "") if version >= 5 else ():
                run.call(f"{state}: protocol type {name}", sync(group, 1, me, protocol_type=name), version)
                run.call(f"{state}: protocol name {name}", sync(group, 1, me, protocol_name=name), version)
            assigned = (
                ((me, b"mine"), ("stranger", b"not mine")) if state == "completing" else ((me, b"new"),)
            )
            run.call(f"{state}: sync", sync(group, 1, me, *assigned), version)


@scenario
def group_of_two(run: Run) -> None:
    """A second member, over a connection of its own: both are told, and both get what the leader assigns."""
    coordinated(run)
    for version in JOIN_VERSIONS:
        run.forget_ids()
        with run.connect() as other:
            _two(run, other, version)


def _two(run: Run, other: WireClient, version: int) -> None:
    group = new_group(run, f"g{version}")
    of = f"join v{version}"
    syncs, beats, leaves = min(version, 5), min(version, 4), min(version, 5)
    first = joined(run, "first", join(group), version).member_id
    run.call(f"{of}: first alone", sync(group, 1, first, (first, b"all")), syncs)
    second_joins = join(group, protocols="sticky:z range:b")
    if version >= _ID_FIRST_SINCE:
        second_joins.member_id = run.call("second, without an id", second_joins, version).member_id
        pending = heartbeat(group, 1, second_joins.member_id)
        run.call(f"{of}: second, pending", pending, beats)
        run.call(f"{of}: second, pending", sync(group, 1, second_joins.member_id), syncs)
    other.send(second_joins, version)
    beat = heartbeat(group, 1, first)
    run.until(beat, beats, lambda answer: answer.error_code == REBALANCE_IN_PROGRESS)
    run.call(f"{of}: first, while the second joins", beat, beats)
    run.call(f"{of}: first, while the second joins", sync(group, 1, first), syncs)
    run.call("first again", join(group, first), version)
    second = run.receive("second", other, second_joins, version).member_id
    run.call(f"{of}: first, before sync", heartbeat(group, 2, first), beats)
    follower = sync(group, 2, second)
    other.send(follower, syncs)
    run.call(f"{of}: first", sync(group, 2, first, (first, b"half"), (second, b"rest")), syncs)
    run.receive(f"{of}: second", other, follower, syncs)
    run.call(f"{of}: second again, stable", follower, syncs)
    run.call("second as it was, stable", join(group, second, protocols="sticky:z range:b"), version)
    run.call(f"{of}: second, alive", heartbeat(group, 2, second), beats)
    run.call(f"{of}: both", DescribeGroupsRequest(groups=[group]), 5)
    run.call(f"{of}: leader leaves", leave(group, leaves, first), leaves)
    run.call(f"{of}: second, when left alone", heartbeat(group, 2, second), beats)
    run.call("second alone", join(group, second, protocols="sticky:y range:c"), version)
    run.call(f"{of}: second alone", sync(group, 3, second, (second, b"all"), protocol_name="sticky"), syncs)
    run.call(f"{of}: second leaves", leave(group, leaves, second), leaves)
