"""Share groups of KIP-932: ShareGroupHeartbeat and ShareGroupDescribe, and what else sees the groups."""

from __future__ import annotations

from typing import Any

from compat.oracle.run import Run, scenario
from compat.oracle.scenarios.config_resources import change_configs
from compat.oracle.scenarios.consumer_groups import join as consumer_join
from compat.oracle.scenarios.describe_configs import GROUP
from compat.oracle.scenarios.describe_configs import ask as ask_configs
from compat.oracle.scenarios.group_offsets import commit, share_coordinated
from kstream.broker.metadata.image import ResourceType
from kstream.wire.messages.consumer_group_describe import ConsumerGroupDescribeRequest
from kstream.wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from kstream.wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from kstream.wire.messages.delete_groups import DeleteGroupsRequest
from kstream.wire.messages.delete_topics import DeleteTopicsRequest
from kstream.wire.messages.describe_groups import DescribeGroupsRequest
from kstream.wire.messages.describe_share_group_offsets import (
    DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsRequestGroup,
    DescribeShareGroupOffsetsResponse,
)
from kstream.wire.messages.list_groups import ListGroupsRequest, ListGroupsResponse
from kstream.wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from kstream.wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
)
from kstream.wire.messages.share_group_describe import ShareGroupDescribeRequest, ShareGroupDescribeResponse
from kstream.wire.messages.share_group_describe import TopicPartitions as DescribedPartitions
from kstream.wire.messages.share_group_heartbeat import (
    ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
)
from kstream.wire.uuids import ZERO_UUID


def new_share_group(run: Run, suffix: str) -> str:
    """The name of a share group whose target assignment is computed whenever something changed."""
    name = run.name(suffix)
    run.ask(change_configs(ResourceType.GROUP, name, {"share.assignment.interval.ms": "0"}), 1)
    # 69: it does not exist. Until then its part of what keeps groups is being loaded.
    run.until(share_beat(name, "nobody", 1), 1, lambda answer: answer.error_code == 69)
    return name


def share_beat(group: str, member_id: str, epoch: int, **fields: Any) -> ShareGroupHeartbeatRequest:
    return ShareGroupHeartbeatRequest(group_id=group, member_id=member_id, member_epoch=epoch, **fields)


def share_join(group: str, member_id: str, *topics: str, **fields: Any) -> ShareGroupHeartbeatRequest:
    values: dict[str, Any] = {"subscribed_topic_names": list(topics)} | fields
    return share_beat(group, member_id, 0, **values)


def until_initialized(run: Run, group: str, **counts: int) -> None:
    """Wait until the group has so many partitions of each topic, by its suffix, to hand out."""
    wanted = {run.name(suffix): count for suffix, count in counts.items()}

    def is_there(answer: DescribeShareGroupOffsetsResponse) -> bool:
        found = {topic.topic_name: len(topic.partitions) for topic in answer.groups[0].topics}
        return found == wanted

    run.until(all_offsets(group), 1, is_there)


def all_offsets(group: str) -> DescribeShareGroupOffsetsRequest:
    """Where the group is in all that it has a state of."""
    return DescribeShareGroupOffsetsRequest(
        groups=[DescribeShareGroupOffsetsRequestGroup(group_id=group, topics=None)]
    )


def describe(run: Run, note: str, group: str, *, shape_only: bool = False, **fields: Any) -> None:
    """What operators see."""
    request = ShareGroupDescribeRequest(group_ids=[group], **fields)
    run.call(note, request, 1, trim=_shape if shape_only else _sort_names)


def _shape(answer: ShareGroupHeartbeatResponse | ShareGroupDescribeResponse) -> None:
    """How many partitions members have. Which ones they keep depends on what the topics' ids are like."""
    if isinstance(answer, ShareGroupHeartbeatResponse):
        assignments: list[Any] = [answer.assignment] if answer.assignment is not None else []
    else:
        _sort_names(answer)
        assignments = [member.assignment for group in answer.groups for member in group.members]
    for assignment in assignments:
        for topic in assignment.topic_partitions:
            topic.topic_id = ZERO_UUID
            topic.partitions = list(range(len(topic.partitions)))
            if isinstance(topic, DescribedPartitions):
                topic.topic_name = ""
        assignment.topic_partitions.sort(key=lambda topic: len(topic.partitions))


def _sort_names(answer: ShareGroupDescribeResponse) -> None:
    """Kafka has the order of a hash map."""
    for described in answer.groups:
        for member in described.members:
            member.subscribed_topic_names.sort()


@scenario
def share_heartbeat_refused(run: Run) -> None:
    """Requests that cannot be right, whatever the group is like."""
    share_coordinated(run)
    topic = run.topic("t")
    group = new_share_group(run, "g")
    for state in ("no group", "one member"):
        requests = {
            "no group id": share_beat("", "m", 1),
            "blank group id": share_beat(" ", "m", 1),
            "no member id": share_beat(group, "", 1),
            "blank member id": share_beat(group, " ", 1),
            "no member id, joins": share_join(group, "", topic.name),
            "no member id, leaves": share_beat(group, "", -1),
            "long member id": share_join(group, "m" * 37, topic.name),
            "blank rack": share_beat(group, "m", 1, rack_id=" "),
            "joins without topics": share_join(group, "m"),
            "joins with null topics": share_join(group, "m", subscribed_topic_names=None),
            "epoch -2": share_beat(group, "m", -2),
            "epoch -3": share_beat(group, "m", -3),
            "unknown member": share_beat(group, "m", 1),
            "unknown member leaves": share_beat(group, "m", -1),
        }
        for note, request in requests.items():
            run.call(f"{state}: {note}", request, 1)
        if state == "no group":
            run.call("join", share_join(group, "member", topic.name), 1)


@scenario
def share_group_of_one(run: Run) -> None:
    """A lone member joins, gets once partitions are initialized, says more and less, is fenced, leaves."""
    share_coordinated(run)
    topic = run.topic("t", partitions=2)
    run.topic("u")
    group = new_share_group(run, "g")
    run.call("join", share_join(group, "a", topic.name, rack_id="r1"), 1)
    until_initialized(run, group, t=2)
    describe(run, "joined", group)
    run.call("alive", share_beat(group, "a", 2), 1)
    run.call("alive in the next epoch", share_beat(group, "a", 3), 1)
    describe(run, "assigned", group)
    run.call("all anew", share_beat(group, "a", 3, rack_id="r1", subscribed_topic_names=[topic.name]), 1)
    for epoch in (1, 2, 4):
        run.call(f"epoch {epoch}", share_beat(group, "a", epoch), 1)
    run.call("join again", share_join(group, "a", topic.name), 1)
    run.call("another rack", share_beat(group, "a", 3, rack_id="r2"), 1)
    describe(run, "another rack", group)
    run.call("two topics", share_beat(group, "a", 3, subscribed_topic_names=[topic.name, run.name("u")]), 1)
    until_initialized(run, group, t=2, u=1)
    run.call("previous epoch", share_beat(group, "a", 3), 1)
    run.call("gets the other", share_beat(group, "a", 4), 1)
    run.call("has both", share_beat(group, "a", 5), 1)
    describe(run, "two topics", group, include_authorized_operations=True)
    run.call("no topics", share_beat(group, "a", 5, subscribed_topic_names=[]), 1)
    describe(run, "without topics", group)
    topics = [topic.name, "no-such-topic"]
    run.call("topics again", share_beat(group, "a", 6, subscribed_topic_names=topics), 1)
    run.call("after that", share_beat(group, "a", 7), 1)
    describe(run, "again", group)
    run.call("leave", share_beat(group, "a", -1), 1)
    describe(run, "empty", group)
    run.call("leave again", share_beat(group, "a", -1), 1)
    run.call("alive when gone", share_beat(group, "a", 7), 1)
    run.call("join when gone", share_join(group, "a", topic.name), 1)
    describe(run, "back", group)


@scenario
def share_group_of_two(run: Run) -> None:
    """Members share partitions: a second one, a third one, one too many; they leave in turn."""
    share_coordinated(run)
    topic = run.topic("t", partitions=4)
    group = new_share_group(run, "g")
    epochs: dict[str, int] = {}

    def beat(note: str, member_id: str) -> None:
        answer = run.call(note, share_beat(group, member_id, epochs[member_id]), 1, trim=_shape)
        epochs[member_id] = answer.member_epoch

    def join(note: str, member_id: str) -> None:
        answer = run.call(note, share_join(group, member_id, topic.name), 1, trim=_shape)
        epochs[member_id] = answer.member_epoch

    join("a joins", "a")
    until_initialized(run, group, t=4)
    beat("a gets all", "a")
    join("b joins", "b")
    describe(run, "b has joined", group, shape_only=True)
    beat("a shares", "a")
    describe(run, "two", group, shape_only=True)
    _seen(run, "two", group)
    join("c joins", "c")
    beat("a shares with two", "a")
    beat("b shares with two", "b")
    describe(run, "three", group, shape_only=True)
    run.call("d joins, too many", share_join(group, "d", topic.name), 1)
    run.call("delete with members", DeleteGroupsRequest(groups_names=[group]), 2)
    run.call("a leaves", share_beat(group, "a", -1), 1)
    epochs.pop("a")
    describe(run, "a has left", group, shape_only=True)
    for member_id in ("b", "c"):
        beat(f"{member_id} takes over", member_id)
    describe(run, "two are left", group, shape_only=True)
    for member_id in ("b", "c"):
        run.call(f"{member_id} leaves", share_beat(group, member_id, -1), 1)
    _seen(run, "empty", group)
    describe(run, "empty", group, shape_only=True)
    run.call("delete", DeleteGroupsRequest(groups_names=[group]), 2)
    _seen(run, "deleted", group)
    describe(run, "deleted", group, shape_only=True)
    run.call("beat when deleted", share_beat(group, "b", 1), 1)
    run.call("delete again", DeleteGroupsRequest(groups_names=[group]), 2)
    run.call("join anew", share_join(group, "a", topic.name), 1)
    describe(run, "anew", group, shape_only=True)


@scenario
def share_group_of_more_members_than_partitions(run: Run) -> None:
    """Three members of one partition, and of two topics that not all subscribe to."""
    share_coordinated(run)
    t, u = run.topic("t"), run.topic("u", partitions=3)
    group = new_share_group(run, "g")
    epochs = {"a": 0, "b": 0, "c": 0}
    topics = {"a": [t.name], "b": [t.name], "c": [t.name]}

    def beat(note: str, member_id: str, **fields: Any) -> None:
        answer = run.call(
            f"{note}: {member_id}", share_beat(group, member_id, epochs[member_id], **fields), 1
        )
        epochs[member_id] = answer.member_epoch

    beat("joins", "a", subscribed_topic_names=topics["a"])
    until_initialized(run, group, t=1)
    for member_id in "bc":
        beat("joins", member_id, subscribed_topic_names=topics[member_id])
    for member_id in epochs:
        beat("all have it", member_id)
    describe(run, "one partition", group)
    beat("two topics", "b", subscribed_topic_names=[t.name, u.name])
    until_initialized(run, group, t=1, u=3)
    beat("the other alone", "c", subscribed_topic_names=[u.name])
    for turn in (1, 2):
        for member_id in epochs:
            beat(f"turn {turn}", member_id)
    describe(run, "subscriptions differ", group)


@scenario
def share_group_of_two_topics(run: Run) -> None:
    """Two topics of one partition: a member loses all that it had of one."""
    share_coordinated(run)
    names = [run.topic("t").name, run.topic("u").name]
    group = new_share_group(run, "g")
    run.call("a joins", share_join(group, "a", *names), 1, trim=_shape)
    until_initialized(run, group, t=1, u=1)
    run.call("a gets both", share_beat(group, "a", 2), 1, trim=_shape)
    run.call("b joins", share_join(group, "b", *names), 1, trim=_shape)
    run.call("a loses one", share_beat(group, "a", 3), 1, trim=_shape)
    describe(run, "shared", group, shape_only=True)
    run.call("a says all", share_beat(group, "a", 4, subscribed_topic_names=names), 1, trim=_shape)


@scenario
def share_group_topics(run: Run) -> None:
    """Topics that appear, grow and vanish."""
    share_coordinated(run)
    name = run.name("t")
    group = new_share_group(run, "g")
    run.call("join, no topic", share_join(group, "a", name), 1)
    describe(run, "no topic", group)
    _create(run, name)
    epoch = _epoch_after(run, group, 2)
    until_initialized(run, group, t=1)
    run.call("the topic is there", share_beat(group, "a", epoch), 1)
    describe(run, "appeared", group)
    grown = CreatePartitionsTopic(name=name, count=3, assignments=None)
    run.ask(CreatePartitionsRequest(topics=[grown], timeout_ms=10_000), 3)
    epoch = _epoch_after(run, group, epoch + 1)
    until_initialized(run, group, t=3)
    run.call("grown", share_beat(group, "a", epoch), 1)
    describe(run, "grown", group)
    run.call("grown", all_offsets(group), 1)
    epoch += 1
    run.ask(DeleteTopicsRequest(topic_names=[name], timeout_ms=10_000), 5)
    until_initialized(run, group)
    epoch = _epoch_after(run, group, epoch)
    run.call("vanished", share_beat(group, "a", epoch, subscribed_topic_names=[name]), 1)
    describe(run, "vanished", group)


def _create(run: Run, name: str) -> None:
    topic = CreatableTopic(name=name, num_partitions=1, replication_factor=1)
    run.ask(CreateTopicsRequest(topics=[topic], timeout_ms=10_000), 7)
    run.until_served(name)


def _epoch_after(run: Run, group: str, epoch: int) -> int:
    """Heartbeats until the member's epoch grows: the coordinator hears of topics a moment later."""
    return int(
        run.until(share_beat(group, "a", epoch), 1, lambda answer: answer.member_epoch > epoch).member_epoch
    )


def _seen(run: Run, note: str, group: str) -> None:
    """What the APIs for groups of any kind say."""

    def ours_alone(answer: ListGroupsResponse) -> None:
        answer.groups = [each for each in answer.groups if each.group_id == group]

    for version in (5, 6):
        run.call(note, DescribeGroupsRequest(groups=[group]), version)
    run.call(note, ConsumerGroupDescribeRequest(group_ids=[group]), 1)
    for version in (4, 5):
        run.call(note, ListGroupsRequest(), version, trim=ours_alone)
    for types in (["share"], ["Share"], ["consumer"], ["classic"]):
        run.call(f"{note}: {types}", ListGroupsRequest(types_filter=types), 5, trim=ours_alone)
    for state in ("Stable", "stable", "Empty", "Dead"):
        asked = ListGroupsRequest(states_filter=[state])
        run.call(f"{note}: {state}", asked, 5, trim=ours_alone)


@scenario
def share_groups_and_others(run: Run) -> None:
    """One id, several kinds of groups: whoever comes second is refused."""
    share_coordinated(run)
    topic = run.topic("t")
    share = new_share_group(run, "share")
    run.call("share joins", share_join(share, "a", topic.name), 1)
    until_initialized(run, share, t=1)
    for state in ("member", "empty"):
        run.call(f"{state}: consumer joins", consumer_join(share, "b", topic.name), 1)
        for version in (3, 9):
            run.call(f"{state}: classic joins", _classic_join(share), version)
        for generation in (-1, 2):
            asked = commit(share, topic, (0, 1, ""), generation=generation)
            for version in (8, 9):
                run.call(f"{state}: commit in {generation}", asked, version)
        wanted = OffsetFetchRequestGroup(
            group_id=share, topics=[OffsetFetchRequestTopics(name=topic.name, partition_indexes=[0])]
        )
        for version in (8, 9):
            run.call(f"{state}: fetch offsets", OffsetFetchRequest(groups=[wanted]), version)
        partition = OffsetDeleteRequestPartition(partition_index=0)
        gone = OffsetDeleteRequest(
            group_id=share, topics=[OffsetDeleteRequestTopic(name=topic.name, partitions=[partition])]
        )
        run.call(f"{state}: delete offsets", gone, 0)
        run.call(f"{state}: consumer describes", ConsumerGroupDescribeRequest(group_ids=[share]), 1)
        if state == "member":
            run.call("share leaves", share_beat(share, "a", -1), 1)
    consumer = run.name("consumer")
    run.ask(consumer_join(consumer, "a", topic.name), 1)
    classic = run.name("classic")
    run.ask(commit(classic, topic, (0, 1, "")), 8)
    for kind, group in (("consumer", consumer), ("classic", classic)):
        run.call(f"{kind}: share joins", share_join(group, "s", topic.name), 1)
        run.call(f"{kind}: share beats", share_beat(group, "s", 1), 1)
        run.call(f"{kind}: share leaves", share_beat(group, "s", -1), 1)
    for name, group in (("consumer", consumer), ("classic", classic), ("nobody", "nobody"), ("no name", "")):
        describe(run, f"describe {name}", group)


def _classic_join(group: str) -> Any:
    from kstream.wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol

    return JoinGroupRequest(
        group_id=group,
        session_timeout_ms=30_000,
        rebalance_timeout_ms=60_000,
        protocol_type="consumer",
        protocols=[JoinGroupRequestProtocol(name="range", metadata=b"")],
    )


@scenario
def share_group_intervals(run: Run) -> None:
    """Heartbeat and assignment intervals of one group."""
    share_coordinated(run)
    topic = run.topic("t")
    group = new_share_group(run, "g")
    wanted = {"share.heartbeat.interval.ms": "7000", "share.assignment.interval.ms": "15000"}
    run.ask(change_configs(ResourceType.GROUP, group, wanted), 1)
    answer = run.until(
        share_join(group, "a", topic.name), 1, lambda answer: answer.heartbeat_interval_ms == 7000
    )
    until_initialized(run, group, t=1)
    run.call("waits for the interval", share_beat(group, "a", answer.member_epoch), 1)
    describe(run, "waits", group)
    run.call("another waits, too", share_join(group, "b", topic.name), 1)
    describe(run, "both wait", group)


_VALUES = (
    ("share.session.timeout.ms", "44999"),
    ("share.session.timeout.ms", "60001"),
    ("share.heartbeat.interval.ms", "4999"),
    ("share.heartbeat.interval.ms", "15001"),
    ("share.assignment.interval.ms", "-1"),
    ("share.assignment.interval.ms", "15001"),
    ("share.delivery.count.limit", "1"),
    ("share.delivery.count.limit", "11"),
    ("share.partition.max.record.locks", "99"),
    ("share.partition.max.record.locks", "4001"),
    ("share.record.lock.duration.ms", "60001"),
    ("share.auto.offset.reset", "EARLIEST"),
    ("share.auto.offset.reset", "by_duration:-PT1H"),
    ("share.auto.offset.reset", "none"),
    ("share.isolation.level", "READ_COMMITTED"),
    ("share.renew.acknowledge.enable", "perhaps"),
    ("errors.deadletterqueue.topic.name", "dlq.jobs"),
    ("errors.deadletterqueue.topic.name", "jobs"),
    ("errors.deadletterqueue.topic.name", "dlq.no such name"),
    ("errors.deadletterqueue.copy.record.enable", "true"),
)


@scenario
def share_group_configs(run: Run) -> None:
    """Values of a share group's configs, right and wrong, and what is described of those that are set."""
    group = run.name("g")
    for key, value in _VALUES:
        request = change_configs(ResourceType.GROUP, group, {key: value})
        request.validate_only = True
        run.call(f"{key}={value}", request, 1)
    wanted: dict[str, str | None] = {
        "share.session.timeout.ms": "50000",
        "share.heartbeat.interval.ms": "6000",
        "share.record.lock.duration.ms": "20000",
        "share.auto.offset.reset": "by_duration:PT1H",
    }
    run.call("set", change_configs(ResourceType.GROUP, group, wanted), 1)
    described = ask_configs((GROUP, group, list(wanted)), synonyms=True)
    run.until(
        described, 4, lambda answer: [each.config_source for each in answer.results[0].configs] == [8] * 4
    )
    run.call("described", described, 4)
    run.call("session below the heartbeat", _both(group, "45000", "45000"), 1)


def _both(group: str, session_ms: str, heartbeat_ms: str) -> Any:
    values = {"share.session.timeout.ms": session_ms, "share.heartbeat.interval.ms": heartbeat_ms}
    return change_configs(ResourceType.GROUP, group, values)
