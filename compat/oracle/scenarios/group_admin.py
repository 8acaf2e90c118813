"""What administrators ask of groups and transactions: described, listed, deleted, and unknown ones."""

from __future__ import annotations

from compat.oracle.run import Run, scenario
from compat.oracle.scenarios.group_offsets import commit, coordinated
from kstream.wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest
from kstream.wire.messages.delete_groups import DeleteGroupsRequest
from kstream.wire.messages.describe_groups import DescribeGroupsRequest
from kstream.wire.messages.describe_transactions import DescribeTransactionsRequest
from kstream.wire.messages.end_txn import EndTxnRequest
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest
from kstream.wire.messages.init_producer_id import InitProducerIdRequest
from kstream.wire.messages.list_groups import ListGroupsRequest, ListGroupsResponse
from kstream.wire.messages.list_transactions import ListTransactionsRequest, ListTransactionsResponse
from kstream.wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)


@scenario
def groups_administered(run: Run) -> None:
    """A group that has offsets and no members, and groups that are not there."""
    coordinated(run)
    topic = run.topic("a")
    group = run.name("g")

    def ours_alone(answer: ListGroupsResponse) -> None:
        answer.groups = [each for each in answer.groups if each.group_id == group]

    run.call("commit", commit(group, topic, (0, 1, "")), 8)
    for version in range(7):
        for note, names in {
            "none": [],
            "ours": [group],
            "unknown": ["nobody"],
            "without a name": [""],
            "ours twice": [group, group],
        }.items():
            run.call(note, DescribeGroupsRequest(groups=names), version)
        if version >= 3:
            asked = DescribeGroupsRequest(groups=[group], include_authorized_operations=True)
            run.call("operations", asked, version)
    for version in range(6):
        run.call("list", ListGroupsRequest(), version, trim=ours_alone)
        for states in (["Empty"], ["empty"], ["Stable"], ["none"]) if version >= 4 else ():
            run.call(f"list {states}", ListGroupsRequest(states_filter=states), version, trim=ours_alone)
        for types in (["classic"], ["Consumer"], ["none"]) if version >= 5 else ():
            run.call(f"list types {types}", ListGroupsRequest(types_filter=types), version, trim=ours_alone)
    for name, index in ((topic.name, 0), (topic.name, 7), ("no-such-topic", 0)):
        gone = OffsetDeleteRequestTopic(
            name=name, partitions=[OffsetDeleteRequestPartition(partition_index=index)]
        )
        for owner in (group, "nobody", ""):
            shown = "ours" if owner == group else repr(owner)
            run.call(
                f"offset {index} of {name.removeprefix(topic.name)} of {shown}",
                OffsetDeleteRequest(group_id=owner, topics=[gone]),
                0,
            )
    for version in range(4):
        again = run.name(f"g{version}")
        run.ask(commit(again, topic, (0, 1, "")), 8)
        for note, names in {
            "delete none": [],
            "delete unknown": ["nobody"],
            "delete without a name": [""],
            "delete": [again],
            "delete again": [again],
        }.items():
            run.call(note, DeleteGroupsRequest(groups_names=names), version)


@scenario
def transactions_unknown(run: Run) -> None:
    """Transactional ids nobody knows."""
    run.until(
        FindCoordinatorRequest(coordinator_keys=["any"], key_type=1),
        4,
        lambda answer: answer.coordinators[0].error_code == 0,
    )
    warm = InitProducerIdRequest(transactional_id=run.name("warm"), transaction_timeout_ms=60_000)
    run.until(warm, 4, lambda answer: answer.error_code == 0)

    def none_of_others(answer: ListTransactionsResponse) -> None:
        answer.transaction_states = []

    for name in ("nobody", ""):
        for version in range(6):
            end = EndTxnRequest(transactional_id=name, producer_id=5, producer_epoch=0, committed=True)
            run.call(f"end {name!r}", end, version)
        for version in range(5):
            add = AddOffsetsToTxnRequest(transactional_id=name, producer_id=5, producer_epoch=0, group_id="g")
            run.call(f"add offsets {name!r}", add, version)
        run.call(f"describe {name!r}", DescribeTransactionsRequest(transactional_ids=[name]), 0)
        for version in range(6):
            for timeout_ms in (0, -1, 2**31 - 1, 60_000) if name == "" else (0, -1, 2**31 - 1):
                request = InitProducerIdRequest(transactional_id=name, transaction_timeout_ms=timeout_ms)
                run.call(f"begin {name!r}, timeout {timeout_ms}", request, version)
    for version in range(3):
        for states in ([], ["Ongoing"], ["none"], ["ongoing"]):
            run.call(
                f"list {states}", ListTransactionsRequest(state_filters=states), version, trim=none_of_others
            )
    run.call("bad pattern", ListTransactionsRequest(transactional_id_pattern="("), 2, trim=none_of_others)
