"""Static members (KIP-345): an instance comes back under its name, and whoever it replaces is fenced."""

from __future__ import annotations

from compat.oracle.run import Run, scenario
from compat.oracle.scenarios.group_members import (
    REBALANCE_IN_PROGRESS,
    STATIC_SINCE,
    heartbeat,
    join,
    new_group,
    sync,
)
from compat.oracle.scenarios.group_offsets import coordinated
from kstream.wire.messages.describe_groups import DescribeGroupsRequest
from kstream.wire.messages.leave_group import LeaveGroupRequest, MemberIdentity


@scenario
def group_static_member(run: Run) -> None:
    """Replaced while stable, with and without a change; fenced; removed by its name."""
    coordinated(run)
    for version in range(STATIC_SINCE, 10):
        run.forget_ids()
        group = new_group(run, f"g{version}")
        of = f"join v{version}"
        old = run.call("join", join(group, group_instance_id="i"), version).member_id
        run.call(f"{of}: sync", sync(group, 1, old, (old, b"all"), group_instance_id="i"), 5)
        run.call(f"{of}: alive", heartbeat(group, 1, old, "i"), 4)
        run.call(f"{of}: alive, without its name", heartbeat(group, 1, old), 4)
        new = run.call("back, the same", join(group, group_instance_id="i"), version).member_id
        for beats in (3, 4):
            run.call(f"{of}: replaced", heartbeat(group, 1, old, "i"), beats)
            run.call(f"{of}: replaced, without its name", heartbeat(group, 1, old), beats)
        for syncs in (3, 4, 5):
            run.call(f"{of}: replaced", sync(group, 1, old, group_instance_id="i"), syncs)
        run.call("replaced", join(group, old, group_instance_id="i"), version)
        run.call("replaced, without its name", join(group, old), version)
        run.call("unknown id under the name", join(group, "stranger", group_instance_id="i"), version)
        run.call(f"{of}: new", heartbeat(group, 1, new, "i"), 4)
        run.call(f"{of}: new", sync(group, 1, new, group_instance_id="i"), 5)
        changed = join(group, group_instance_id="i", protocols="range:b")
        newer = run.call("back, changed", changed, version)
        run.call(f"{of}: newer", heartbeat(group, newer.generation_id, newer.member_id, "i"), 4)
        last = sync(group, newer.generation_id, newer.member_id, group_instance_id="i")
        run.call(f"{of}: newer", last, 5)
        run.call("with its id", join(group, newer.member_id, group_instance_id="i"), version)
        run.call(f"{of}: describe", DescribeGroupsRequest(groups=[group]), 5)
        for leaves in (3, 4, 5):
            _leave(run, f"{of}: of others", group, leaves, new, "i")
            _leave(run, f"{of}: unknown", group, leaves, "", "j")
            _leave(run, f"{of}: nobody", group, leaves, "", None)
        _leave(run, f"{of}: by name", group, 5, "", "i")
        _leave(run, f"{of}: by name again", group, 5, "", "i")


@scenario
def group_static_rebalances(run: Run) -> None:
    """Replacements that need a rebalance: before there is an assignment, and with another protocol."""
    coordinated(run)
    for version in range(STATIC_SINCE, 10):
        run.forget_ids()
        group = new_group(run, f"g{version}")
        of = f"join v{version}"
        old = run.call("join", join(group, group_instance_id="i"), version).member_id
        new = run.call("back before sync", join(group, group_instance_id="i"), version)
        run.call(f"{of}: replaced", sync(group, 1, old, (old, b"old"), group_instance_id="i"), 5)
        member_id, generation = new.member_id, new.generation_id
        assigned = sync(group, generation, member_id, (member_id, b"new"), group_instance_id="i")
        run.call(f"{of}: new", assigned, 5)
        other = join(group, group_instance_id="i", protocols="sticky:a range:a")
        newer = run.call("back, prefers another protocol", other, version)
        run.call(f"{of}: old generation", heartbeat(group, generation, newer.member_id, "i"), 4)
        run.call(f"{of}: replaced while stable", heartbeat(group, generation, member_id, "i"), 4)
        last = sync(
            group,
            newer.generation_id,
            newer.member_id,
            (newer.member_id, b"newer"),
            group_instance_id="i",
            protocol_name="sticky",
        )
        run.call(f"{of}: newer", last, 5)
        with run.connect() as second:
            joins = join(group, group_instance_id="j", protocols="sticky:b")
            second.send(joins, version)
            beat = heartbeat(group, newer.generation_id, newer.member_id, "i")
            run.until(beat, 4, lambda answer: answer.error_code == REBALANCE_IN_PROGRESS)
            again = join(group, newer.member_id, group_instance_id="i", protocols="sticky:a")
            run.call("first, while a second joins", again, version)
            run.receive("second", second, joins, version)
        run.call(f"{of}: describe both", DescribeGroupsRequest(groups=[group]), 5)


@scenario
def group_static_names(run: Run) -> None:
    """Names of instances that are odd."""
    coordinated(run)
    for version in range(STATIC_SINCE, 10):
        run.forget_ids()
        for note, name in {
            "empty": "",
            "dots": "..",
            "blank": "a b",
            "249": "x" * 249,
            "250": "x" * 250,
        }.items():
            run.call(note, join(new_group(run, f"g{version}-{note}"), group_instance_id=name), version)


def _leave(run: Run, note: str, group: str, version: int, member_id: str, name: str | None) -> None:
    gone = MemberIdentity(member_id=member_id, group_instance_id=name, reason="test")
    run.call(note, LeaveGroupRequest(group_id=group, members=[gone]), version)
