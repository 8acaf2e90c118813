"""At start, partitions that nobody leads get a leader that has everything, as after Kafka's last broker
stopped.
"""

from __future__ import annotations

from pathlib import Path

from kstream.broker.metadata.delta import MetadataDelta
from kstream.broker.metadata.elections import election_records, renewal_records
from kstream.broker.metadata.image import BrokerImage, MetadataImage, PartitionImage, TopicImage
from kstream.broker.metadata.replay import replay
from kstream.broker.metadata.store import Change
from kstream.records.schemas.metadata import PartitionChangeRecord
from tests.broker.metadata.opening import opened

ID = b"i" * 16


def image_of(*partitions: PartitionImage, live: tuple[int, ...] = (1, 2)) -> MetadataImage:
    image = MetadataImage()
    topic = TopicImage("t", ID, list(partitions))
    image.topics_by_name["t"] = image.topics_by_id[ID] = topic
    for broker_id in (1, 2, 3):
        image.brokers[broker_id] = BrokerImage(broker_id, 0, ID, (), None, broker_id not in live)
    return image


def elected(image: MetadataImage) -> list[PartitionImage]:
    for record in election_records(image):
        replay(image, record, MetadataDelta())
    return image.topics_by_name["t"].partitions


def test_what_has_a_live_leader_stays() -> None:
    assert election_records(image_of(PartitionImage(0, 2, 4, 5, (1, 2), (1, 2)))) == []


def test_a_replica_in_sync_takes_over() -> None:
    assert elected(image_of(PartitionImage(0, 3, 4, 5, (3, 2, 1), (3, 2)))) == [
        PartitionImage(0, 2, 5, 6, (3, 2, 1), (2,))
    ]


def test_the_last_eligible_leader_comes_back() -> None:
    stopped = PartitionImage(0, -1, 4, 5, (1,), (), (), (1,), (1,))
    assert elected(image_of(stopped)) == [PartitionImage(0, 1, 5, 6, (1,), (1,))]


def test_who_may_lack_records_never_leads() -> None:
    assert election_records(image_of(PartitionImage(0, 3, 4, 5, (3, 1), (3,)))) == []


def test_a_start_elects(tmp_path: Path) -> None:
    with opened(tmp_path) as found:
        found.create("t")
        topic_id = found.image.topics_by_name["t"].topic_id
        stop = PartitionChangeRecord(
            partition_id=0,
            topic_id=topic_id,
            leader=-1,
            isr=[],
            eligible_leader_replicas=[1],
            last_known_elr=[1],
        )
        found.update(lambda image: Change(None, [stop]))
        assert found.image.topics_by_name["t"].partitions[0].leader == -1
    with opened(tmp_path) as again:
        first, second = again.image.topics_by_name["t"].partitions
        assert (first.leader, first.leader_epoch, first.isr) == (1, 2, (1,))
        assert (second.leader, second.leader_epoch) == (1, 0)


def test_only_a_stop_that_was_not_clean_begins_new_epochs(tmp_path: Path) -> None:
    with opened(tmp_path) as found:
        found.create("t")
    with opened(tmp_path) as again:
        assert [partition.leader_epoch for partition in again.image.topics_by_name["t"].partitions] == [0, 0]
    (tmp_path / ".kafka_cleanshutdown").unlink()
    with opened(tmp_path) as killed:
        partitions = killed.image.topics_by_name["t"].partitions
        assert [(partition.leader, partition.leader_epoch) for partition in partitions] == [(1, 1), (1, 1)]


def test_partitions_of_others_keep_their_epoch() -> None:
    image = image_of(PartitionImage(0, 2, 4, 5, (1, 2), (1, 2)), PartitionImage(1, 1, 7, 8, (1, 2), (1, 2)))
    assert renewal_records(image, 1) == [PartitionChangeRecord(partition_id=1, topic_id=ID, leader=1)]
