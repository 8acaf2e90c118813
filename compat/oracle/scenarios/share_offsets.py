"""Where share groups are: DescribeShareGroupOffsets, AlterShareGroupOffsets, DeleteShareGroupOffsets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from compat.oracle.batches import batch
from compat.oracle.requests import NO_TOPIC, store
from compat.oracle.run import Run, scenario
from compat.oracle.scenarios.consumer_groups import join as consumer_join
from compat.oracle.scenarios.group_offsets import commit, share_coordinated
from compat.oracle.scenarios.share_groups import new_share_group, share_beat, share_join, until_initialized
from kstream.wire.messages.alter_share_group_offsets import (
    AlterShareGroupOffsetsRequest,
    AlterShareGroupOffsetsRequestPartition,
    AlterShareGroupOffsetsRequestTopic,
)
from kstream.wire.messages.delete_groups import DeleteGroupsRequest
from kstream.wire.messages.delete_share_group_offsets import (
    DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsRequestTopic,
)
from kstream.wire.messages.delete_topics import DeleteTopicsRequest
from kstream.wire.messages.describe_share_group_offsets import (
    DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsRequestGroup,
    DescribeShareGroupOffsetsRequestTopic,
)

VERSIONS = range(2)


def wanted(
    group: str, topics: Mapping[str, Sequence[int]] | None = None
) -> DescribeShareGroupOffsetsRequestGroup:
    """What to describe of a group: partitions by topic, or all there is."""
    named = None
    if topics is not None:
        named = [
            DescribeShareGroupOffsetsRequestTopic(topic_name=name, partitions=list(partitions))
            for name, partitions in topics.items()
        ]
    return DescribeShareGroupOffsetsRequestGroup(group_id=group, topics=named)


def offsets(run: Run, note: str, *groups: DescribeShareGroupOffsetsRequestGroup) -> None:
    """Describe, in both versions."""
    for version in VERSIONS:
        run.call(note, DescribeShareGroupOffsetsRequest(groups=list(groups)), version)


def alter(group: str, topics: Mapping[str, Mapping[int, int]]) -> AlterShareGroupOffsetsRequest:
    """Move a group: start offsets by topic and partition."""
    return AlterShareGroupOffsetsRequest(
        group_id=group,
        topics=[
            AlterShareGroupOffsetsRequestTopic(
                topic_name=name,
                partitions=[
                    AlterShareGroupOffsetsRequestPartition(partition_index=index, start_offset=offset)
                    for index, offset in partitions.items()
                ],
            )
            for name, partitions in topics.items()
        ],
    )


def delete(group: str, *topics: str) -> DeleteShareGroupOffsetsRequest:
    return DeleteShareGroupOffsetsRequest(
        group_id=group, topics=[DeleteShareGroupOffsetsRequestTopic(topic_name=name) for name in topics]
    )


@scenario
def share_offsets_described(run: Run) -> None:
    """Start offsets and lag, of partitions that are initialized and of those that are not."""
    share_coordinated(run)
    topic = run.topic("t", partitions=3)
    other = run.topic("u")
    store(run, topic, *(batch(b"v") for _ in range(5)))
    group = new_share_group(run, "g")
    offsets(run, "no group", wanted(group))
    offsets(run, "no group, topic named", wanted(group, {topic.name: [0]}))
    run.ask(share_join(group, "a", topic.name), 1)
    until_initialized(run, group, t=3)
    for note, topics in _QUESTIONS.items():
        names = {"t": topic.name, "u": other.name, "none": NO_TOPIC.name, "": ""}
        asked = None if topics is None else {names[name]: indexes for name, indexes in topics.items()}
        offsets(run, note, wanted(group, asked))
    offsets(run, "no name", wanted(""))
    offsets(run, "no name, topic named", wanted("", {topic.name: [0]}))
    offsets(run, "nothing")
    run.ask(share_beat(group, "a", -1), 1)
    run.call("move", alter(group, {topic.name: {0: 2}}), 0)
    offsets(run, "moved", wanted(group))
    store(run, topic, batch(b"v", b"v"))
    offsets(run, "two more records", wanted(group, {topic.name: [0]}))
    classic = run.name("classic")
    run.ask(commit(classic, topic, (0, 1, "")), 8)
    offsets(run, "a classic group", wanted(classic))
    offsets(run, "a classic group, topic named", wanted(classic, {topic.name: [0]}))


_QUESTIONS: dict[str, dict[str, Sequence[int]] | None] = {
    "all": None,
    "no topics": {},
    "no partitions": {"t": []},
    "one": {"t": [0]},
    "one twice": {"t": [1, 1]},
    "negative": {"t": [0, -1]},
    "not subscribed": {"u": [0]},
    "no such topic": {"none": [0, 1]},
    "no topic name": {"": [0]},
    "several": {"none": [0], "t": [0, 1], "u": [0]},
}


@scenario
def share_offsets_altered(run: Run) -> None:
    """Groups are moved: with and without members, to partitions that are there and others."""
    share_coordinated(run)
    topic = run.topic("t", partitions=2)
    other = run.topic("u")
    store(run, topic, *(batch(b"v") for _ in range(5)))
    group = new_share_group(run, "g")
    run.call("no name", alter("", {topic.name: {0: 1}}), 0)
    run.call("nothing", alter(group, {}), 0)
    offsets(run, "after nothing", wanted(group))
    run.call("a new group", alter(run.name("new"), {topic.name: {0: 1}}), 0)
    offsets(run, "a new group", wanted(run.name("new")))
    _heard_of(run, "a new group", run.name("new"))
    answer = run.call("join", share_join(group, "a", topic.name), 1)
    until_initialized(run, group, t=2)
    run.call("with members", alter(group, {topic.name: {0: 1}}), 0)
    run.call("leave", share_beat(group, "a", -1), 1)
    del answer
    _heard_of(run, "left", group)
    moves: dict[str, dict[str, dict[int, int]]] = {
        "one": {topic.name: {0: 1}},
        "both": {topic.name: {0: 3, 1: 0}},
        "not subscribed": {other.name: {0: 0}},
        "beyond the end": {topic.name: {0: 100}},
        "minus one": {topic.name: {0: -1}},
        "minus two": {topic.name: {0: -2}},
        "out of range": {topic.name: {0: 4, 2: 0}},
        "negative": {topic.name: {0: 4, -1: 0}},
        "no such topic": {NO_TOPIC.name: {0: 0, 1: 0}},
        "no partitions": {topic.name: {}},
        "several": {NO_TOPIC.name: {0: 0}, topic.name: {1: 0, 7: 0}},
    }
    for note, topics in moves.items():
        run.call(note, alter(group, topics), 0)
        offsets(run, f"after {note}", wanted(group))
    _heard_of(run, "in the end", group)
    run.call("join again", share_join(group, "a", topic.name), 1)
    _refused(run, "alter", topic.name, lambda name: alter(name, {topic.name: {0: 1}}))


def _heard_of(run: Run, note: str, group: str) -> None:
    from compat.oracle.scenarios.share_groups import describe

    describe(run, note, group)


def _refused(run: Run, what: str, topic: str, request: Any) -> None:
    """Groups of other kinds."""
    consumer, classic = run.name(f"consumer-{what}"), run.name(f"classic-{what}")
    run.ask(consumer_join(consumer, "a", topic), 1)
    from compat.oracle.run import Topic

    run.ask(commit(classic, Topic(topic, b"\x00" * 16), (0, 1, "")), 8)
    for kind, group in (("consumer", consumer), ("classic", classic)):
        run.call(f"{what}: {kind} group", request(group), 0)


@scenario
def share_offsets_deleted(run: Run) -> None:
    """What a group knows of topics is forgotten."""
    share_coordinated(run)
    topic, other = run.topic("t", partitions=2), run.topic("u")
    group = new_share_group(run, "g")
    run.call("no name", delete("", topic.name), 0)
    run.call("no group", delete(group, topic.name), 0)
    run.ask(share_join(group, "a", topic.name, other.name), 1)
    until_initialized(run, group, t=2, u=1)
    run.call("with members", delete(group, topic.name), 0)
    run.ask(share_beat(group, "a", -1), 1)
    run.call("no topics", delete(group), 0)
    run.call("no such topic", delete(group, NO_TOPIC.name), 0)
    run.call("one", delete(group, topic.name), 0)
    offsets(run, "after one", wanted(group))
    offsets(run, "after one, named", wanted(group, {topic.name: [0, 1]}))
    run.call("one again", delete(group, topic.name), 0)
    run.call("moved when forgotten", alter(group, {topic.name: {0: 0}}), 0)
    offsets(run, "moved when forgotten", wanted(group))
    run.call("both and another", delete(group, other.name, NO_TOPIC.name, topic.name), 0)
    offsets(run, "after both", wanted(group))
    _heard_of(run, "after both", group)
    run.call("join again", share_join(group, "a", topic.name), 1)
    until_initialized(run, group, t=2)
    offsets(run, "joined again", wanted(group))
    run.ask(share_beat(group, "a", -1), 1)
    run.call("deleted", DeleteGroupsRequest(groups_names=[group]), 2)
    offsets(run, "after the group", wanted(group))
    offsets(run, "after the group, named", wanted(group, {topic.name: [0, 1]}))
    run.call("when deleted", delete(group, topic.name), 0)
    _refused(run, "delete", topic.name, lambda name: delete(name, topic.name))


@scenario
def share_offsets_of_deleted_topics(run: Run) -> None:
    """A topic goes, and comes back under the same name: a group begins anew in it."""
    share_coordinated(run)
    topic = run.topic("t")
    group = new_share_group(run, "g")
    run.ask(alter(group, {topic.name: {0: 0}}), 0)
    until_initialized(run, group, t=1)
    run.ask(DeleteTopicsRequest(topic_names=[topic.name], timeout_ms=10_000), 5)
    until_initialized(run, group)
    offsets(run, "gone", wanted(group))
    run.topic("t")
    offsets(run, "there again", wanted(group))
    offsets(run, "there again, named", wanted(group, {topic.name: [0]}))
