"""The limits of classic groups: how many members, and for how long one may be silent.

The servers run with `group.max.size` 3, and let sessions be short.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from compat.oracle.run import Run, scenario
from compat.oracle.scenarios.group_members import (
    REBALANCE_IN_PROGRESS,
    STATIC_SINCE,
    heartbeat,
    join,
    joined,
    new_group,
    sync,
)
from compat.oracle.scenarios.group_offsets import coordinated
from kstream.wire.messages.describe_groups import DescribeGroupsRequest

_SILENCE_MS = 200
_VERSIONS = (0, 3, 5, 9)
"""One without a rebalance timeout, one without MEMBER_ID_REQUIRED, the first with static members, the last"""


def _until(run: Run, group: str, *, state: str, members: int) -> None:
    def is_so(answer: Any) -> bool:
        described = answer.groups[0]
        return described.group_state == state and len(described.members) == members

    run.until(DescribeGroupsRequest(groups=[group]), 5, is_so)


def _short(version: int, rebalance_timeout_ms: int) -> dict[str, Any]:
    """Timeouts of a JoinGroup: version 0 has none for rebalances, its session timeout stands for it."""
    if version == 0:
        return {"session_timeout_ms": 5 * rebalance_timeout_ms}
    return {"rebalance_timeout_ms": rebalance_timeout_ms}


@scenario
def group_max_size(run: Run) -> None:
    """A group of three is full; one that is just joined sheds who joins again too late."""
    coordinated(run)
    for version in _VERSIONS:
        run.forget_ids()
        with ExitStack() as stack:
            others = [stack.enter_context(run.connect()) for _ in range(3)]
            group = new_group(run, f"g{version}")
            # Kafka lets the others wait for the one it has shed, until this is over.
            short = _short(version, 2 * _SILENCE_MS)
            first = joined(run, "first", join(group, **short), version).member_id
            run.ask(sync(group, 1, first, (first, b"all")), 5)
            for place, other in enumerate(others, 2):
                request = join(group, **short)
                if version >= 4:
                    request.member_id = run.call(f"{place}, without an id", request, version).member_id
                other.send(request, version)
                _until(run, group, state="PreparingRebalance", members=place)
            run.call("fifth, while the others join", join(group), version)
            run.call("stranger, while the others join", join(group, "stranger"), version)
            run.call("first, which comes too late", join(group, first), version)
            # Who leads is Kafka's secret, and so is the order of members.
            answers = [other.receive() for other in others]
            ids = [each.member_id for each in answers]
            leader = answers[0].leader
            for member_id in (leader, *(each for each in ids if each != leader)):
                assigned = [(each, b"part") for each in ids] if member_id == leader else []
                run.ask(sync(group, 2, member_id, *assigned), 5)
            follower = next(each for each in ids if each != leader)
            run.call("another", join(group), version)
            run.call("stranger", join(group, "stranger"), version)
            run.call("first, again", join(group, first), version)
            if version >= STATIC_SINCE:
                run.call("static", join(group, group_instance_id="i"), version)
            run.call(f"join v{version}: member", heartbeat(group, 2, follower), 4)
            run.call("member again", join(group, follower), version, trim=_without_leader)
            run.call(f"join v{version}: describe", DescribeGroupsRequest(groups=[group]), 5, trim=_in_order)


def _without_leader(answer: Any) -> None:
    answer.leader = answer.member_id = ""


def _in_order(answer: Any) -> None:
    """Members as they are numbered, whoever of them they are."""
    for place, member in enumerate(answer.groups[0].members):
        member.member_id = f"member {place}"


@scenario
def group_sessions(run: Run) -> None:
    """Who is silent is out: a lone member, one of two, an id that nobody came back with, a static member."""
    coordinated(run)
    for version in _VERSIONS:
        run.forget_ids()
        of = f"join v{version}"
        with run.connect() as other:
            group = new_group(run, f"g{version}")
            me = joined(run, "join", join(group, session_timeout_ms=_SILENCE_MS), version).member_id
            run.ask(sync(group, 1, me, (me, b"all")), 5)
            _until(run, group, state="Empty", members=0)
            run.call(f"{of}: too late", heartbeat(group, 1, me), 4)
            run.call("too late", join(group, me), version)
            run.call(f"{of}: describe", DescribeGroupsRequest(groups=[group]), 5)
            silent = joined(run, "silent", join(group, session_timeout_ms=_SILENCE_MS), version)
            run.ask(sync(group, silent.generation_id, silent.member_id, (silent.member_id, b"all")), 5)
            request = join(group)
            if version >= 4:
                request.member_id = run.call("heir, without an id", request, version).member_id
            other.send(request, version)
            heir = run.receive("heir, once the other is out", other, request, version)
            beat = heartbeat(group, heir.generation_id, heir.member_id)
            run.call(f"{of}: heir", beat, 4)
        if version >= 4:
            group = new_group(run, f"p{version}")
            pending = join(group, session_timeout_ms=_SILENCE_MS)
            pending.member_id = run.call("an id that is not used", pending, version).member_id
            run.until(heartbeat(group, 0, pending.member_id), 4, lambda answer: answer.error_code == 25)
            run.call("the id, too late", pending, version)
        if version >= STATIC_SINCE:
            group = new_group(run, f"s{version}")
            static = join(group, session_timeout_ms=_SILENCE_MS, group_instance_id="i")
            was = run.call("static", static, version).member_id
            run.ask(sync(group, 1, was, (was, b"all"), group_instance_id="i"), 5)
            _until(run, group, state="Empty", members=0)
            run.call(f"{of}: static, too late", heartbeat(group, 1, was, "i"), 4)
            run.call("static, with the id of a former life", join(group, was, group_instance_id="i"), version)
            run.call("static, anew", static, version)


@scenario
def group_rebalance_timeouts(run: Run) -> None:
    """Who does not join or sync within its rebalance timeout is out, though it sends heartbeats."""
    coordinated(run)
    for version in _VERSIONS:
        run.forget_ids()
        of = f"join v{version}"
        timeouts = _short(version, _SILENCE_MS)
        with run.connect() as other:
            group = new_group(run, f"g{version}")
            busy = joined(run, "join", join(group, **timeouts), version).member_id
            run.ask(sync(group, 1, busy, (busy, b"all")), 5)
            request = join(group, **timeouts)
            if version >= 4:
                request.member_id = run.call("second, without an id", request, version).member_id
            other.send(request, version)
            beat = heartbeat(group, 1, busy)
            run.until(beat, 4, lambda answer: answer.error_code == REBALANCE_IN_PROGRESS)
            run.until(beat, 4, lambda answer: answer.error_code != REBALANCE_IN_PROGRESS)
            second = run.receive("second, once the busy one is out", other, request, version).member_id
            run.call(f"{of}: busy", beat, 4)
            run.call("busy, too late", join(group, busy), version)
            beat = heartbeat(group, 2, second)
            run.until(beat, 4, lambda answer: answer.error_code != 0)
            run.call(f"{of}: second, which does not sync", beat, 4)
            run.call(f"{of}: second, which syncs too late", sync(group, 2, second, (second, b"all")), 5)
            _until(run, group, state="Empty", members=0)
            run.call(f"{of}: describe", DescribeGroupsRequest(groups=[group]), 5)
