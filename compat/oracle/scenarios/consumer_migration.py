"""Groups that change between the classic protocol and KIP-848 while members stay, and live as both."""

from __future__ import annotations

from typing import Any

from compat.oracle.run import Run, Topic, scenario
from compat.oracle.scenarios.consumer_groups import beat, describe, new_group, owning
from compat.oracle.scenarios.consumer_groups import join as consumer_join
from compat.oracle.scenarios.group_members import heartbeat, leave, sync
from compat.oracle.scenarios.group_offsets import commit, coordinated
from kstream.wire.codec import encode
from kstream.wire.messages.consumer_protocol import (
    ConsumerProtocolAssignment,
    ConsumerProtocolAssignmentTopicPartition,
    ConsumerProtocolSubscription,
    ConsumerProtocolSubscriptionTopicPartition,
)
from kstream.wire.messages.describe_groups import DescribeGroupsRequest
from kstream.wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from kstream.wire.messages.leave_group import LeaveGroupRequest, MemberIdentity

_MEMBER_ID_REQUIRED = 79


def subscription(topic: Topic, *owned: int, version: int = 1) -> bytes:
    """What a consumer says when it joins."""
    message = ConsumerProtocolSubscription(
        topics=[topic.name],
        owned_partitions=[
            ConsumerProtocolSubscriptionTopicPartition(topic=topic.name, partitions=list(owned))
        ],
    )
    return version.to_bytes(2, "big") + encode(message, version)


def assignment(topic: Topic, *partitions: int, user_data: bytes | None = None) -> bytes:
    """What a leader gives to a consumer."""
    share = ConsumerProtocolAssignmentTopicPartition(topic=topic.name, partitions=list(partitions))
    message = ConsumerProtocolAssignment(assigned_partitions=[share], user_data=user_data)
    return b"\x00\x01" + encode(message, 1)


def classic_join(group: str, metadata: bytes, member_id: str = "", **fields: Any) -> JoinGroupRequest:
    values: dict[str, Any] = {
        "session_timeout_ms": 30_000,
        "rebalance_timeout_ms": 60_000,
        "protocol_type": "consumer",
        "protocols": [JoinGroupRequestProtocol(name="range", metadata=metadata)],
    } | fields
    return JoinGroupRequest(group_id=group, member_id=member_id, **values)


def joined(run: Run, note: str, request: JoinGroupRequest, version: int = 9) -> str:
    """Join, if need be with the id that the first answer gives; the member's id."""
    answer = run.call(note, request, version)
    if answer.error_code == _MEMBER_ID_REQUIRED:
        request.member_id = answer.member_id
        answer = run.call(f"{note}, with the id given", request, version)
    return str(answer.member_id)


def _classic_group(run: Run, suffix: str, topic: Topic, shares: bytes) -> tuple[str, str]:
    """A stable classic group of one member; its name and the member's id."""
    group = new_group(run, suffix)
    me = joined(run, f"{suffix}: classic joins", classic_join(group, subscription(topic)))
    run.call(f"{suffix}: classic syncs", sync(group, 1, me, (me, shares)), 5)
    return group, me


@scenario
def consumer_group_upgraded(run: Run) -> None:
    """A classic group with a member that a consumer of KIP-848 joins."""
    coordinated(run)
    topic = run.topic("t", partitions=2)
    group, me = _classic_group(run, "g", topic, assignment(topic, 0, 1))
    run.call("before", DescribeGroupsRequest(groups=[group]), 5)
    run.call("new epoch, no join", beat(group, "a", 1), 1)
    run.call("upgrade", consumer_join(group, "a", topic.name), 1)
    describe(run, "upgraded", group)
    run.call("after", DescribeGroupsRequest(groups=[group]), 5)
    run.call("classic beats", heartbeat(group, 1, me), 4)
    run.call("classic rejoins, owns all", classic_join(group, subscription(topic, 0, 1), me), 9)
    run.call("classic syncs", sync(group, 1, me), 5)
    describe(run, "classic gives up", group)
    run.call("classic beats again", heartbeat(group, 1, me), 4)
    run.call("classic rejoins, owns one", classic_join(group, subscription(topic, 0), me), 9)
    run.call("classic syncs in the new epoch", sync(group, 2, me), 5)
    run.call("classic beats in the new epoch", heartbeat(group, 2, me), 4)
    run.call("consumer gets", beat(group, "a", 2), 1)
    describe(run, "stable", group)
    request = commit(group, topic, (0, 7, ""), generation=2)
    request.member_id = me
    run.call("classic commits", request, 5)
    run.call("consumer leaves", beat(group, "a", -1), 1)
    describe(run, "downgraded", group)
    run.call("downgraded", DescribeGroupsRequest(groups=[group]), 5)
    run.call("classic is told", heartbeat(group, 3, me), 4)
    run.call("classic is told of its epoch", heartbeat(group, 2, me), 4)
    run.call("classic joins the classic group", classic_join(group, subscription(topic, 0), me), 9)


@scenario
def consumer_group_not_upgraded(run: Run) -> None:
    """Classic groups that cannot become one of KIP-848."""
    coordinated(run)
    topic = run.topic("t")
    group, _ = _classic_group(run, "malformed", topic, b"\x00")
    run.call("assignment that is none", consumer_join(group, "a", topic.name), 1)
    group, _ = _classic_group(run, "userdata", topic, assignment(topic, 0, user_data=b"mine"))
    run.call("assignment with data of its own", consumer_join(group, "a", topic.name), 1)
    group = new_group(run, "connect")
    request = classic_join(group, b"?", protocol_type="connect")
    me = joined(run, "connect joins", request)
    run.call("connect syncs", sync(group, 1, me, (me, b"all"), protocol_type="connect"), 5)
    run.call("another protocol type", consumer_join(group, "a", topic.name), 1)
    run.call("connect goes on", heartbeat(group, 1, me), 4)
    group = new_group(run, "empty")
    run.ask(commit(group, topic, (0, 1, "")), 8)
    run.call("only offsets", consumer_join(group, "a", topic.name), 1)
    run.call("leave", beat(group, "a", -1), 1)
    me = joined(run, "classic takes an empty one", classic_join(group, subscription(topic)))
    describe(run, "classic now", group)
    run.call("leave classic", leave(group, 3, me), 3)
    run.call("consumer takes an empty one", consumer_join(group, "b", topic.name), 1)


@scenario
def consumer_group_with_classic_members(run: Run) -> None:
    """What classic members are told in a group of KIP-848, by each version."""
    coordinated(run)
    topic = run.topic("t", partitions=2)
    for version in range(10):
        run.forget_ids()
        group = new_group(run, f"g{version}")
        of = f"join v{version}"
        syncs, beats = min(version, 5), min(version, 4)
        run.ask(consumer_join(group, "a", topic.name), 1)
        refused: dict[str, dict[str, Any]] = {
            "protocol type": {"protocol_type": "connect"},
            "no protocols": {"protocols": []},
            "session timeout": {"session_timeout_ms": 0},
        }
        for note, fields in refused.items():
            run.call(note, classic_join(group, subscription(topic), **fields), version)
        run.call("malformed", classic_join(group, b"?", "malformed"), version)
        run.call("stranger joins", classic_join(group, subscription(topic), "stranger"), version)
        run.call(f"{of}: stranger leaves", leave(group, 3, "stranger"), 3)
        epoch = 4
        me = joined(run, "classic joins", classic_join(group, subscription(topic)), version)
        run.call(f"{of}: sync", sync(group, epoch, me), syncs)
        run.call(f"{of}: alive", heartbeat(group, epoch, me), beats)
        for wrong in (epoch - 1, epoch + 1, -1):
            run.call(f"{of}: generation {wrong}", heartbeat(group, wrong, me), beats)
            run.call(f"{of}: generation {wrong}", sync(group, wrong, me), syncs)
        for who in ("a", "nobody", ""):
            run.call(f"{of}: {who!r} beats", heartbeat(group, 2, who), beats)
            run.call(f"{of}: {who!r} syncs", sync(group, 2, who), syncs)
        if syncs == 5:
            run.call(f"{of}: other type", sync(group, epoch, me, protocol_type="connect"), syncs)
            run.call(f"{of}: other name", sync(group, epoch, me, protocol_name="sticky"), syncs)
        run.call(
            "others' protocol",
            classic_join(
                group,
                subscription(topic),
                protocols=[JoinGroupRequestProtocol(name="sticky", metadata=subscription(topic))],
            ),
            version,
        )
        run.call(f"{of}: leave", leave(group, min(version, 5), me, "stranger"), min(version, 5))
        run.call(f"{of}: gone", heartbeat(group, epoch, me), beats)
        describe(run, f"{of}: gone", group)


@scenario
def consumer_group_static_classic(run: Run) -> None:
    """Static members that change their protocol when they come back."""
    coordinated(run)
    topic = run.topic("t", partitions=2)
    group = new_group(run, "g")
    run.call("consumer joins", consumer_join(group, "a", topic.name, instance_id="i"), 1)
    run.call("and another", consumer_join(group, "b", topic.name), 1)
    request = classic_join(group, subscription(topic), group_instance_id="i")
    me = joined(run, "comes back classic", request)
    describe(run, "both kinds", group)
    run.call("syncs", sync(group, 0, me, group_instance_id="i"), 5)
    run.call("former", beat(group, "a", 2, instance_id="i"), 1)
    run.call("imposter", heartbeat(group, 2, "imposter", "i"), 4)
    run.call("comes back again", consumer_join(group, "c", topic.name, instance_id="i"), 1)
    describe(run, "consumers alone", group)
    run.call("other leaves", beat(group, "b", -1), 1)
    request = classic_join(group, subscription(topic), group_instance_id="i")
    me = joined(run, "the last comes back classic", request)
    run.call("classic group", DescribeGroupsRequest(groups=[group]), 5)
    describe(run, "classic group", group)
    gone = LeaveGroupRequest(group_id=group, members=[MemberIdentity(group_instance_id="i")])
    run.call("removed by an operator", gone, 5)


@scenario
def consumer_group_left_by_classic_members(run: Run) -> None:
    """LeaveGroup of several members of a group of KIP-848."""
    coordinated(run)
    topic = run.topic("t", partitions=2)
    for version in (3, 5):
        run.forget_ids()
        group = new_group(run, f"g{version}")
        run.ask(consumer_join(group, "a", topic.name), 1)
        run.ask(consumer_join(group, "b", topic.name, instance_id="i"), 1)
        run.ask(consumer_join(group, "c", topic.name, instance_id="j"), 1)
        members = [("a", None), ("b", None), ("", "i"), ("x", "j"), ("", "k"), ("", None), ("x", None)]
        request = LeaveGroupRequest(
            group_id=group,
            members=[MemberIdentity(member_id=name, group_instance_id=i) for name, i in members],
        )
        run.call("several leave", request, version)
        describe(run, f"v{version}: left", group)
        run.call(
            f"v{version}: owning", beat(group, "c", 4, instance_id="j", topic_partitions=owning(topic, 0)), 1
        )
