"""The stored state of share partitions: Initialize-, Read-, Write-, DeleteShareGroupState, and its
summary.
"""

from __future__ import annotations

from compat.oracle.requests import NO_TOPIC
from compat.oracle.run import Run, Topic, scenario
from compat.oracle.share_requests import (
    ACKNOWLEDGED,
    ACQUIRED,
    ARCHIVED,
    ARCHIVING,
    AVAILABLE,
    await_coordinator,
    delete,
    initialize,
    read,
    summary,
    write,
)
from kstream.wire.messages.delete_share_group_state import DeleteShareGroupStateRequest
from kstream.wire.messages.initialize_share_group_state import InitializeShareGroupStateRequest
from kstream.wire.messages.read_share_group_state import ReadShareGroupStateRequest
from kstream.wire.messages.read_share_group_state_summary import ReadShareGroupStateSummaryRequest
from kstream.wire.messages.write_share_group_state import WriteShareGroupStateRequest


def _begin(run: Run, partitions: int = 1) -> tuple[str, Topic]:
    topic = run.topic("t", partitions=partitions)
    group_id = run.name("g")
    await_coordinator(run, group_id, topic, partitions)
    return group_id, topic


@scenario
def share_state_life(run: Run) -> None:
    """A state from its beginning over changes to its end."""
    group, topic = _begin(run)
    run.call("never initialized", read(group, topic), 0)
    run.call("never initialized", summary(group, topic), 1)
    run.call("never initialized", write(group, topic), 1)
    run.call("never initialized", delete(group, topic), 0)
    run.call("at 10", initialize(group, topic, start=10), 0)
    run.call("fresh", summary(group, topic), 0)
    run.call("fresh", summary(group, topic), 1)
    run.call("fresh", read(group, topic), 0)
    batches = [(10, 19, AVAILABLE, 1), (20, 29, ACKNOWLEDGED, 1), (30, 30, ARCHIVED, 2)]
    run.call("three batches", write(group, topic, *batches, start=10, complete=11), 1)
    run.call("three batches", read(group, topic), 0)
    run.call("three batches", summary(group, topic), 1)
    batches = [(15, 24, ACQUIRED, 2), (28, 35, ARCHIVING, 1)]
    run.call("overlapping", write(group, topic, *batches, start=10), 1)
    run.call("overlapping", read(group, topic), 0)
    batches = [(25, 26, ACQUIRED, 2), (27, 27, AVAILABLE, 7)]
    run.call("joins neighbours", write(group, topic, *batches, start=10), 0)
    run.call("joins neighbours", read(group, topic), 0)
    run.call("start moves", write(group, topic, start=17, complete=3), 1)
    run.call("start moves", read(group, topic), 0)
    run.call("start moves", summary(group, topic), 1)
    run.call("start stays", write(group, topic, (5, 17, AVAILABLE, 3), start=5, complete=9), 1)
    run.call("start stays", read(group, topic), 0)
    run.call("start stays", summary(group, topic), 1)
    run.call("fewer complete", write(group, topic, start=17, complete=1), 1)
    run.call("fewer complete", summary(group, topic), 1)
    run.call("version 0 does not count", write(group, topic, start=18), 0)
    run.call("version 0 does not count", summary(group, topic), 1)
    run.call("initialize again", initialize(group, topic, start=-1), 0)
    run.call("initialized again", read(group, topic), 0)
    run.call("initialized again", summary(group, topic), 1)
    run.call("delete", delete(group, topic), 0)
    run.call("deleted", read(group, topic), 0)
    run.call("deleted", summary(group, topic), 1)
    run.call("delete again", delete(group, topic), 0)


@scenario
def share_state_epochs(run: Run) -> None:
    """Leaders and states that are not the newest."""
    group, topic = _begin(run)
    run.call("state epoch 5", initialize(group, topic, state_epoch=5), 0)
    run.call("state epoch 4", initialize(group, topic, state_epoch=4), 0)
    run.call("leader 3", read(group, topic, leader_epoch=3), 0)
    run.call("leader 3", summary(group, topic), 1)
    run.call("leader 2", read(group, topic, leader_epoch=2), 0)
    run.call("leader 2 of the summary", summary(group, topic, leader_epoch=2), 1)
    for state_epoch, leader_epoch in ((5, 2), (4, 3), (6, 3), (5, 4), (4, 2)):
        note = f"state epoch {state_epoch}, leader {leader_epoch}"
        request = write(
            group, topic, (0, 1, AVAILABLE, 1), state_epoch=state_epoch, leader_epoch=leader_epoch
        )
        run.call(note, request, 1)
    run.call("after the writes", read(group, topic, leader_epoch=4), 0)
    run.call("after the writes", summary(group, topic), 1)
    run.call("state epoch 6", initialize(group, topic, state_epoch=6, start=3), 0)
    run.call("state epoch 6", read(group, topic, leader_epoch=4), 0)
    run.call("writer of state 5", write(group, topic, state_epoch=5, leader_epoch=4), 1)
    run.call("delete", delete(group, topic), 0)
    run.call("after deletion state epoch 0", initialize(group, topic), 0)
    run.call("after deletion leader 0", read(group, topic), 0)


@scenario
def share_state_wrong(run: Run) -> None:
    """What makes no sense."""
    group, topic = _begin(run, partitions=2)
    for request, version in (
        (InitializeShareGroupStateRequest(group_id=group), 0),
        (ReadShareGroupStateRequest(group_id=group), 0),
        (WriteShareGroupStateRequest(group_id=group), 1),
        (DeleteShareGroupStateRequest(group_id=group), 0),
        (ReadShareGroupStateSummaryRequest(group_id=group), 1),
    ):
        run.call("no topics", request, version)
    run.call("negative state epoch", initialize(group, topic, state_epoch=-1), 0)
    for start in (-1, -2, -1000):
        run.call(f"start {start}", initialize(group, topic, start=start), 0)
        run.call(f"start {start}", read(group, topic), 0)
    run.call("negative leader epoch", read(group, topic, leader_epoch=-1), 0)
    run.call("negative leader epoch", write(group, topic, leader_epoch=-1), 1)
    run.call("negative leader epoch", summary(group, topic, leader_epoch=-1), 1)
    run.call("negative state epoch", write(group, topic, state_epoch=-1), 1)
    run.call("no group", initialize("", topic), 0)
    run.call("no group", read("", topic), 0)
    run.call("no group", write("", topic), 1)
    run.call("no group", summary("", topic), 1)
    run.call("no group", delete("", topic), 0)
    for index in (-1, 2):
        note = f"partition {index}"
        if index >= 0:
            await_coordinator(run, group, topic, partitions=index + 1)
        run.call(note, initialize(group, topic, index), 0)
        run.call(note, read(group, topic, index), 0)
        run.call(note, write(group, topic, index=index), 1)
        run.call(note, summary(group, topic, index), 1)
        run.call(note, delete(group, topic, index), 0)
    await_coordinator(run, group, NO_TOPIC)
    run.call("unknown topic", initialize(group, NO_TOPIC), 0)
    run.call("unknown topic", read(group, NO_TOPIC), 0)
    run.call("unknown topic", write(group, NO_TOPIC), 1)
    run.call("unknown topic", summary(group, NO_TOPIC), 1)
    run.call("unknown topic", delete(group, NO_TOPIC), 0)
    run.call("two partitions", initialize(group, topic, 1, 0), 0)
    run.call("a partition twice", initialize(group, topic, 1, 1), 0)
    run.call("two partitions", delete(group, topic, 1, 0), 0)
