"""Replay turns records into an image, and says what changed."""

from __future__ import annotations

import pytest

from kstream.broker.metadata.delta import MetadataDelta
from kstream.broker.metadata.image import MetadataImage, PartitionImage, TopicImage
from kstream.broker.metadata.replay import MetadataFault, replay
from kstream.records.schemas.metadata import (
    BrokerRegistrationChangeRecord,
    ConfigRecord,
    FeatureLevelRecord,
    FenceBrokerRecord,
    NoOpRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    RemoveTopicRecord,
    TopicRecord,
    UnfenceBrokerRecord,
    UnregisterBrokerRecord,
)
from kstream.wire.schema import Message

ID = b"i" * 16
OTHER_ID = b"o" * 16
DIRECTORY = b"d" * 16


def commit(image: MetadataImage, *records: Message) -> MetadataDelta:
    delta = MetadataDelta()
    for record in records:
        replay(image, record, delta)
    return delta


def partition(index: int, topic_id: bytes = ID) -> PartitionRecord:
    return PartitionRecord(
        partition_id=index,
        topic_id=topic_id,
        replicas=[1],
        isr=[1],
        leader=1,
        leader_epoch=0,
        partition_epoch=0,
        directories=[DIRECTORY],
    )


@pytest.fixture
def image() -> MetadataImage:
    """A topic `t` with two partitions."""
    found = MetadataImage()
    commit(found, TopicRecord(name="t", topic_id=ID), partition(0), partition(1))
    return found


def test_a_topic_appears_under_name_and_id() -> None:
    image = MetadataImage()
    delta = commit(image, TopicRecord(name="t", topic_id=ID), partition(0), partition(1))
    topic = image.topics_by_name["t"]
    assert topic is image.topics_by_id[ID]
    assert topic.partitions[1] == PartitionImage(1, 1, 0, 0, (1,), (1,), (DIRECTORY,))
    assert (delta.topics_created, delta.topics_changed, delta.topics_deleted) == ({ID: topic}, {}, {})


def test_a_later_commit_leaves_the_old_image_of_a_topic_alone(image: MetadataImage) -> None:
    before = image.topics_by_name["t"]
    before.derived["answer"] = "old"
    delta = commit(image, partition(2), partition(3))
    after = image.topics_by_name["t"]
    assert (len(before.partitions), len(after.partitions)) == (2, 4)
    assert after.derived == {}
    assert delta.topics_changed == {ID: after}
    assert delta.topics_created == {}


def test_removal_takes_configuration_along(image: MetadataImage) -> None:
    before = image.topics_by_name["t"]
    commit(image, ConfigRecord(resource_type=2, resource_name="t", name="k", value="v"))
    delta = commit(image, RemoveTopicRecord(topic_id=ID))
    assert image == MetadataImage()
    assert delta.topics_deleted == {ID: before}
    assert delta.topic_configs_changed == ["t"]


def test_created_and_deleted_at_once_is_no_change(image: MetadataImage) -> None:
    delta = commit(
        image,
        TopicRecord(name="u", topic_id=OTHER_ID),
        partition(0, OTHER_ID),
        RemoveTopicRecord(topic_id=OTHER_ID),
    )
    assert (delta.topics_created, delta.topics_changed, delta.topics_deleted) == ({}, {}, {})


def test_colliding_names_are_remembered_until_both_are_gone() -> None:
    image = MetadataImage()
    commit(image, TopicRecord(name="a.b", topic_id=ID), TopicRecord(name="a_b", topic_id=OTHER_ID))
    assert image.normalized_names == {"a_b": {"a.b", "a_b"}}
    commit(image, RemoveTopicRecord(topic_id=ID))
    assert image.normalized_names == {"a_b": {"a_b"}}
    commit(image, RemoveTopicRecord(topic_id=OTHER_ID))
    assert image.normalized_names == {}


def test_a_change_of_leader_raises_both_epochs(image: MetadataImage) -> None:
    change = PartitionChangeRecord(
        partition_id=1, topic_id=ID, leader=-1, isr=[], eligible_leader_replicas=[1], last_known_elr=[1]
    )
    delta = commit(image, change)
    changed = image.topics_by_name["t"].partitions[1]
    assert changed == PartitionImage(1, -1, 1, 1, (1,), (), (DIRECTORY,), (1,), (1,))
    assert list(delta.topics_changed) == [ID]


def test_a_change_without_leader_raises_the_partitions_epoch_only(image: MetadataImage) -> None:
    commit(image, PartitionChangeRecord(partition_id=0, topic_id=ID, isr=[1, 2], replicas=[1, 2]))
    changed = image.topics_by_name["t"].partitions[0]
    assert (changed.leader, changed.leader_epoch, changed.partition_epoch) == (1, 0, 1)
    assert (changed.replicas, changed.isr) == ((1, 2), (1, 2))


def test_configuration_is_set_and_removed() -> None:
    image = MetadataImage()
    first = ConfigRecord(resource_type=4, resource_name="1", name="k", value="v")
    delta = commit(image, first, ConfigRecord(resource_type=4, resource_name="", name="k", value="w"))
    assert (image.broker_configs(1), image.broker_configs(None)) == ({"k": "v"}, {"k": "w"})
    assert delta.broker_configs_changed
    commit(image, ConfigRecord(resource_type=4, resource_name="1", name="k", value=None))
    assert image.configs == {(4, ""): {"k": "w"}}


def test_features_at_level_0_are_gone() -> None:
    image = MetadataImage()
    assert commit(image, FeatureLevelRecord(name="f", feature_level=2)).features_changed
    assert image.features == {"f": 2}
    commit(image, FeatureLevelRecord(name="f", feature_level=0))
    assert image.features == {}


def test_brokers_come_change_and_go() -> None:
    image = MetadataImage()
    commit(
        image, RegisterBrokerRecord(broker_id=1, fenced=True), RegisterBrokerRecord(broker_id=2, fenced=False)
    )
    assert [broker.broker_id for broker in image.live_brokers()] == [2]
    commit(image, BrokerRegistrationChangeRecord(broker_id=1, fenced=-1), FenceBrokerRecord(id=2))
    assert [broker.broker_id for broker in image.live_brokers()] == [1]
    delta = commit(image, UnfenceBrokerRecord(id=2), UnregisterBrokerRecord(broker_id=1))
    assert [broker.broker_id for broker in image.live_brokers()] == [2]
    assert delta.brokers_changed == {1, 2}


def test_producer_ids_only_rise() -> None:
    image = MetadataImage()
    commit(image, ProducerIdsRecord(next_producer_id=1000))
    assert image.next_producer_id == 1000
    with pytest.raises(MetadataFault, match="go back"):
        commit(image, ProducerIdsRecord(next_producer_id=999))


def test_records_without_a_meaning_here_are_passed_over() -> None:
    image = MetadataImage()
    commit(image, NoOpRecord())
    assert image == MetadataImage()


@pytest.mark.parametrize(
    "record",
    [
        TopicRecord(name="t", topic_id=OTHER_ID),
        RemoveTopicRecord(topic_id=OTHER_ID),
        partition(0, OTHER_ID),
        partition(3),
        PartitionChangeRecord(partition_id=2, topic_id=ID, leader=1),
        UnregisterBrokerRecord(broker_id=9),
        UnfenceBrokerRecord(id=9),
    ],
)
def test_records_that_contradict_the_image(image: MetadataImage, record: Message) -> None:
    with pytest.raises(MetadataFault):
        commit(image, record)


def test_internal_topics_are_known_by_name() -> None:
    assert TopicImage("__consumer_offsets", ID).is_internal
    assert not TopicImage("__cluster_metadata", ID).is_internal
