"""Consumer groups of KIP-848: ConsumerGroupHeartbeat and ConsumerGroupDescribe, and what else sees them."""

from __future__ import annotations

from typing import Any

from compat.oracle.run import Run, Topic, scenario
from compat.oracle.scenarios.config_resources import change_configs
from compat.oracle.scenarios.group_offsets import commit, coordinated
from compat.oracle.scenarios.transactions import Transactor
from kstream.broker.metadata.image import ResourceType
from kstream.wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest
from kstream.wire.messages.consumer_group_describe import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
)
from kstream.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    TopicPartitions,
)
from kstream.wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from kstream.wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from kstream.wire.messages.delete_groups import DeleteGroupsRequest
from kstream.wire.messages.delete_topics import DeleteTopicsRequest
from kstream.wire.messages.describe_groups import DescribeGroupsRequest
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
from kstream.wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)

VERSIONS = range(2)


def new_group(run: Run, suffix: str) -> str:
    """The name of a group whose target assignment is computed whenever something changed."""
    name = run.name(suffix)
    run.ask(change_configs(ResourceType.GROUP, name, {"consumer.assignment.interval.ms": "0"}), 1)
    # 69: it does not exist. Until then its part of what keeps groups is being loaded.
    run.until(beat(name, "nobody", 1), 0, lambda answer: answer.error_code == 69)
    return name


def beat(group: str, member_id: str, epoch: int, **fields: Any) -> ConsumerGroupHeartbeatRequest:
    return ConsumerGroupHeartbeatRequest(group_id=group, member_id=member_id, member_epoch=epoch, **fields)


def join(group: str, member_id: str, *topics: str, **fields: Any) -> ConsumerGroupHeartbeatRequest:
    values: dict[str, Any] = {
        "rebalance_timeout_ms": 60_000,
        "subscribed_topic_names": list(topics),
        "topic_partitions": [],
    } | fields
    return beat(group, member_id, 0, **values)


def owning(topic: Topic, *partitions: int) -> list[TopicPartitions]:
    """What a member says that it owns."""
    return [TopicPartitions(topic_id=topic.id, partitions=list(partitions))] if partitions else []


def describe(run: Run, note: str, group: str) -> None:
    """What operators see, in both versions."""
    for version in VERSIONS:
        run.call(note, ConsumerGroupDescribeRequest(group_ids=[group]), version, trim=_sort_names)


def _sort_names(answer: ConsumerGroupDescribeResponse) -> None:
    """Kafka has the order of a hash map."""
    for described in answer.groups:
        for member in described.members:
            member.subscribed_topic_names.sort()


@scenario
def consumer_heartbeat_refused(run: Run) -> None:
    """Requests that cannot be right, whatever the group is like."""
    coordinated(run)
    topic = run.topic("t")
    for version in VERSIONS:
        group = new_group(run, f"g{version}")
        for state in ("no group", "one member"):
            requests = {
                "no group id": beat("", "m", 1),
                "blank group id": beat(" ", "m", 1),
                "no member id": beat(group, "", 1),
                "no member id, joins": join(group, "", topic.name),
                "no member id, leaves": beat(group, "", -1),
                "blank instance id": beat(group, "m", 1, instance_id=""),
                "blank rack": beat(group, "m", 1, rack_id=" "),
                "joins without timeout": join(group, "m", topic.name, rebalance_timeout_ms=-1),
                "joins owning something": join(group, "m", topic.name, topic_partitions=owning(topic, 0)),
                "joins without owning nothing": join(group, "m", topic.name, topic_partitions=None),
                "joins without topics": join(group, "m", subscribed_topic_names=None),
                "epoch -2 without instance": beat(group, "m", -2),
                "epoch -2 of unknown instance": beat(group, "m", -2, instance_id="i"),
                "epoch -3": beat(group, "m", -3),
                "unknown assignor": beat(group, "m", 1, server_assignor="mine"),
                "unknown assignor, joins": join(group, "m", topic.name, server_assignor=""),
                "unknown member": beat(group, "m", 1),
                "unknown member leaves": beat(group, "m", -1),
                "unknown instance": beat(group, "m", 1, instance_id="i"),
            }
            for note, request in requests.items():
                if note == "no member id, joins" and version == 0:
                    continue  # it is let in
                run.call(f"{state}: {note}", request, version)
            if state == "no group":
                run.call("join", join(group, "member", topic.name), version)


@scenario
def consumer_group_of_one(run: Run) -> None:
    """A lone member joins, says more and less, is fenced, and leaves."""
    coordinated(run)
    topic = run.topic("t", partitions=2)
    for version in VERSIONS:
        group = new_group(run, f"g{version}")
        run.call("join", join(group, "a", topic.name, rack_id="r1"), version)
        run.call("alive", beat(group, "a", 2), version)
        run.call("owns all", beat(group, "a", 2, topic_partitions=owning(topic, 0, 1)), version)
        said = {"rebalance_timeout_ms": 60_000, "subscribed_topic_names": [topic.name]}
        run.call("all anew", beat(group, "a", 2, topic_partitions=owning(topic, 0, 1), **said), version)
        run.call("join again", join(group, "a", topic.name), version)
        for epoch in (1, 3):
            run.call(f"epoch {epoch}", beat(group, "a", epoch), version)
            owned = owning(topic, 0)
            run.call(f"epoch {epoch}, owns", beat(group, "a", epoch, topic_partitions=owned), version)
        run.call("another assignor", beat(group, "a", 2, server_assignor="range"), version)
        describe(run, f"v{version}: with range", group)
        run.call("alive still", beat(group, "a", 3), version)
        run.call("no topics", beat(group, "a", 3, subscribed_topic_names=[]), version)
        describe(run, f"v{version}: without topics", group)
        run.call("gave up", beat(group, "a", 3, topic_partitions=[]), version)
        run.call("topics again", beat(group, "a", 4, subscribed_topic_names=[topic.name, "none"]), version)
        run.call("after that", beat(group, "a", 5), version)
        describe(run, f"v{version}: again", group)
        run.call("leave", beat(group, "a", -1), version)
        describe(run, f"v{version}: empty", group)
        run.call("leave again", beat(group, "a", -1), version)
        run.call("alive when gone", beat(group, "a", 5), version)
        run.call("join when gone", join(group, "a", topic.name), version)
        describe(run, f"v{version}: back", group)


@scenario
def consumer_group_of_two(run: Run) -> None:
    """A second member: the first gives up, the second gets; what operators see meanwhile."""
    coordinated(run)
    topic = run.topic("t", partitions=3)
    for version in VERSIONS:
        group = new_group(run, f"g{version}")
        run.call("first joins", join(group, "a", topic.name), version)
        run.call("second joins", join(group, "b", topic.name, server_assignor="uniform"), version)
        describe(run, f"v{version}: second waits", group)
        _seen(run, f"v{version}: reconciling", group)
        run.call("first is told", beat(group, "a", 2), version)
        describe(run, f"v{version}: first gives up", group)
        run.call("first has not", beat(group, "a", 2, topic_partitions=owning(topic, 0, 1, 2)), version)
        run.call("second still waits", beat(group, "b", 3), version)
        run.call("first has", beat(group, "a", 2, topic_partitions=owning(topic, 0, 1)), version)
        run.call("first missed that", beat(group, "a", 2, topic_partitions=owning(topic, 0, 1)), version)
        run.call("first has more", beat(group, "a", 2, topic_partitions=owning(topic, 0, 1, 2)), version)
        run.call("second gets", beat(group, "b", 3), version)
        describe(run, f"v{version}: stable", group)
        _seen(run, f"v{version}: stable", group)
        run.call(f"v{version}: delete with members", DeleteGroupsRequest(groups_names=[group]), 2)
        run.call("first leaves", beat(group, "a", -1), version)
        _seen(run, f"v{version}: assigning", group)
        run.call("second takes over", beat(group, "b", 3), version)
        run.call("second leaves", beat(group, "b", -1), version)
        _seen(run, f"v{version}: empty", group)
        run.call(f"v{version}: delete", DeleteGroupsRequest(groups_names=[group]), 2)
        _seen(run, f"v{version}: deleted", group)
        describe(run, f"v{version}: deleted", group)


def _seen(run: Run, note: str, group: str) -> None:
    """What the APIs for groups of any kind say."""

    def ours_alone(answer: ListGroupsResponse) -> None:
        answer.groups = [each for each in answer.groups if each.group_id == group]

    run.call(note, DescribeGroupsRequest(groups=[group]), 5)
    run.call(note, DescribeGroupsRequest(groups=[group]), 6)
    run.call(note, ListGroupsRequest(), 5, trim=ours_alone)
    for types in (["consumer"], ["classic"]):
        run.call(f"{note}: {types}", ListGroupsRequest(types_filter=types), 5, trim=ours_alone)
    for state in ("Stable", "reconciling", "Assigning", "Empty"):
        run.call(f"{note}: {state}", ListGroupsRequest(states_filter=[state]), 5, trim=ours_alone)


@scenario
def consumer_groups_described(run: Run) -> None:
    """Groups that are none, of other kinds, twice, with operations."""
    coordinated(run)
    topic = run.topic("t")
    group, simple = new_group(run, "g"), run.name("simple")
    run.ask(join(group, "a", topic.name), 1)
    run.ask(commit(simple, topic, (0, 1, "")), 8)
    for version in VERSIONS:
        for note, names in {
            "none": [],
            "unknown": ["nobody"],
            "classic": [simple],
            "without a name": [""],
        }.items():
            run.call(note, ConsumerGroupDescribeRequest(group_ids=names), version)
        asked = ConsumerGroupDescribeRequest(group_ids=[group], include_authorized_operations=True)
        run.call("operations", asked, version)


@scenario
def consumer_group_static(run: Run) -> None:
    """Static members: in use, away for a while, replaced, gone."""
    coordinated(run)
    topic = run.topic("t", partitions=2)
    for version in VERSIONS:
        group = new_group(run, f"g{version}")
        run.call("join", join(group, "a", topic.name, instance_id="i"), version)
        run.call("same instance", join(group, "b", topic.name, instance_id="i"), version)
        run.call("join again", join(group, "a", topic.name, instance_id="i"), version)
        run.call("alive", beat(group, "a", 2, instance_id="i"), version)
        run.call("alive without saying who", beat(group, "a", 2), version)
        run.call("another member's instance", beat(group, "b", 2, instance_id="i"), version)
        run.call("another leaves", beat(group, "b", -1, instance_id="i"), version)
        run.call("unknown instance leaves", beat(group, "a", -1, instance_id="j"), version)
        run.call("unknown instance", beat(group, "a", 2, instance_id="j"), version)
        run.call("leaves for a while", beat(group, "a", -2, instance_id="i"), version)
        describe(run, f"v{version}: away", group)
        run.call("alive when away", beat(group, "a", 2, instance_id="i"), version)
        run.call("back", join(group, "b", topic.name, instance_id="i"), version)
        describe(run, f"v{version}: back", group)
        run.call("former", beat(group, "a", 2, instance_id="i"), version)
        run.call("former without saying who", beat(group, "a", 2), version)
        run.call("leaves for a while again", beat(group, "b", -2, instance_id="i"), version)
        run.call("back with other topics", join(group, "b", "none", instance_id="i"), version)
        describe(run, f"v{version}: other topics", group)
        run.call("leaves", beat(group, "b", -1, instance_id="i"), version)
        describe(run, f"v{version}: empty", group)


@scenario
def consumer_group_regex(run: Run) -> None:
    """Subscriptions by regular expression."""
    coordinated(run)
    first, other = run.topic("t1", partitions=2), run.topic("u1")
    pattern = first.name[:-1]
    group = new_group(run, "g")
    for regex in ("(", "a{1001}", "[[:foo:]]", "\\1", "(?=a)"):
        run.call(f"join with {regex}", join(group, "a", subscribed_topic_regex=regex), 1)
    run.call("join", join(group, "a", subscribed_topic_regex=f"{pattern}[0-9]"), 1)
    run.until(beat(group, "a", 1), 1, lambda answer: answer.error_code != 0)
    describe(run, "resolved", group)
    run.call("the epoch has moved on", beat(group, "a", 1, topic_partitions=[]), 1)
    run.call("alive", beat(group, "a", 2), 1)
    run.call("another with the same", join(group, "b", subscribed_topic_regex=f"{pattern}[0-9]"), 1)
    run.call("first is told", beat(group, "a", 2), 1)
    describe(run, "two of one expression", group)
    run.call("a bad one", beat(group, "b", 3, subscribed_topic_regex="["), 1)
    run.call("names too", beat(group, "b", 3, subscribed_topic_names=[other.name]), 1)
    run.call("no expression", beat(group, "b", 4, subscribed_topic_regex=""), 1)
    describe(run, "one of each", group)
    run.call("first leaves", beat(group, "a", -1), 1)
    run.call("second", beat(group, "b", 5), 1)
    describe(run, "names alone", group)


@scenario
def consumer_group_topics(run: Run) -> None:
    """Topics that a member subscribes to come, grow, and go."""
    coordinated(run)
    topic = run.topic("t")
    later = run.name("later")
    group = new_group(run, "g")
    run.call("join", join(group, "a", topic.name, later), 1)

    def until_changed(epoch: int) -> None:
        """The coordinator hears of topics a little later than who changed them."""
        run.until(
            ConsumerGroupDescribeRequest(group_ids=[group]),
            1,
            lambda answer: _beats_to(run, group, epoch) and answer.groups[0].group_epoch == epoch,
        )

    created = CreatableTopic(name=later, num_partitions=1, replication_factor=1)
    run.ask(CreateTopicsRequest(topics=[created]), 7)
    until_changed(3)
    describe(run, "created", group)
    grown = CreatePartitionsTopic(name=topic.name, count=2, assignments=None)
    run.ask(CreatePartitionsRequest(topics=[grown], timeout_ms=10_000), 3)
    until_changed(4)
    describe(run, "grown", group)
    run.ask(DeleteTopicsRequest(topic_names=[later], timeout_ms=10_000), 5)
    until_changed(5)
    describe(run, "deleted", group)


def _beats_to(run: Run, group: str, epoch: int) -> bool:
    """A heartbeat of the member's epoch, whichever it is."""
    for each in (epoch - 1, epoch):
        run.ask(beat(group, "a", each), 1)
    return True


@scenario
def consumer_group_configs(run: Run) -> None:
    """Heartbeat intervals that a group asks for, inside and outside of what the broker allows."""
    coordinated(run)
    topic = run.topic("t")
    group = new_group(run, "g")
    run.call("join", join(group, "a", topic.name), 1)
    for name, value in (
        ("consumer.heartbeat.interval.ms", "4999"),
        ("consumer.heartbeat.interval.ms", "15001"),
        ("consumer.heartbeat.interval.ms", "7000"),
        ("consumer.session.timeout.ms", "0"),
        ("consumer.session.timeout.ms", "44999"),
        ("consumer.session.timeout.ms", "60001"),
        ("consumer.session.timeout.ms", "60000"),
        ("consumer.assignment.interval.ms", "-1"),
        ("consumer.assignment.interval.ms", "15001"),
        ("consumer.assignment.interval.ms", "15000"),
        ("consumer.no.such", "1"),
    ):
        run.call(f"set {name}={value}", change_configs(ResourceType.GROUP, group, {name: value}), 1)
    run.until(beat(group, "a", 2), 1, lambda answer: answer.heartbeat_interval_ms == 7_000)
    run.call("told", beat(group, "a", 2), 1)


@scenario
def consumer_group_offsets(run: Run) -> None:
    """Who may commit and fetch offsets of a group with members, and delete them."""
    coordinated(run)
    topic = run.topic("t", partitions=2)
    group = new_group(run, "g")
    run.ask(join(group, "a", topic.name), 1)
    for version in range(2, 11):
        for member_id in ("a", "", "stranger"):
            for epoch in (-1, 0, 1, 2, 3):
                request = commit(group, topic, (0, 7, ""), generation=epoch)
                request.member_id = member_id
                run.call(f"{member_id!r} commits in {epoch}", request, version)
        unassigned = commit(group, topic, (0, 7, ""), (5, 7, ""), generation=1)
        unassigned.member_id = "a"
        run.call("no such partition", unassigned, version)
    for version in range(8, 11):
        for member in (None, "a", "", "stranger"):
            for epoch in (-1, 1, 2):
                asked = OffsetFetchRequestTopics(name=topic.name, topic_id=topic.id, partition_indexes=[0, 1])
                fetched = OffsetFetchRequestGroup(group_id=group, topics=[asked])
                if version >= 9:
                    fetched.member_id, fetched.member_epoch = member, epoch
                elif member is not None or epoch != -1:
                    continue
                run.call(f"{member!r} fetches in {epoch}", OffsetFetchRequest(groups=[fetched]), version)
    run.call("delete an offset in use", _deletion(group, topic), 0)
    run.ask(join(group, "b", topic.name), 1)
    run.ask(beat(group, "a", 2), 1)
    run.ask(beat(group, "a", 2, topic_partitions=owning(topic, 0)), 1)
    run.ask(beat(group, "b", 3), 1)
    for index in (0, 1):
        for epoch in (1, 2, 3):
            request = commit(group, topic, (index, 8, ""), generation=epoch)
            request.member_id = "a"
            run.call(f"reassigned: partition {index} in {epoch}", request, 9)
    for member_id in ("a", "b"):
        run.ask(beat(group, member_id, -1), 1)
    for version in (2, 9):
        for epoch in (-1, 0, 4):
            request = commit(group, topic, (0, 9, ""), generation=epoch)
            run.call(f"empty: commit in {epoch}", request, version)
    run.call("delete an offset", _deletion(group, topic), 0)


def _deletion(group: str, topic: Topic) -> OffsetDeleteRequest:
    partition = OffsetDeleteRequestPartition(partition_index=0)
    return OffsetDeleteRequest(
        group_id=group, topics=[OffsetDeleteRequestTopic(name=topic.name, partitions=[partition])]
    )


@scenario
def consumer_group_transactions(run: Run) -> None:
    """Who may commit offsets of a group with members in a transaction (KIP-447, KIP-848)."""
    coordinated(run)
    topic = run.topic("t", partitions=2)
    group = new_group(run, "g")
    run.ask(join(group, "a", topic.name, instance_id="i"), 1)
    one = Transactor(run, "one")
    one.init("first")
    run.ask(
        AddOffsetsToTxnRequest(
            transactional_id=one.id,
            producer_id=one.producer_id,
            producer_epoch=one.epoch,
            group_id=group,
        ),
        4,
    )
    for version in (2, 3, 4, 5, 6):
        for member_id in ("a", "", "stranger"):
            for epoch in (-1, 1, 2, 3):
                position = TxnOffsetCommitRequestPartition(partition_index=0, committed_offset=7)
                request = TxnOffsetCommitRequest(
                    transactional_id=one.id,
                    group_id=group,
                    producer_id=one.producer_id,
                    producer_epoch=one.epoch,
                    topics=[
                        TxnOffsetCommitRequestTopic(name=topic.name, topic_id=topic.id, partitions=[position])
                    ],
                )
                if version >= 3:
                    request.member_id = member_id
                    request.generation_id_or_member_epoch = epoch
                elif member_id or epoch != -1:
                    continue
                run.call(f"{member_id!r} commits in {epoch}", request, version)
    one.end("commit", version=5)
