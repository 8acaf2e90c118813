"""The first records are those that Apache Kafka 4.4.0 writes for a single node."""

from __future__ import annotations

from pathlib import Path

from kstream.broker.metadata.bootstrap import registration_records
from kstream.records.batch import iter_headers
from kstream.records.control import read_quorum_record
from kstream.records.metadata import decode_metadata
from kstream.records.record import iter_records
from kstream.records.schemas.control import LeaderChangeMessage
from kstream.records.schemas.metadata import (
    BeginTransactionRecord,
    BrokerRegistrationChangeRecord,
    ConfigRecord,
    EndTransactionRecord,
    FeatureLevelRecord,
    RegisterBrokerRecord,
)
from kstream.wire.schema import Message
from tests.broker.metadata.opening import Opened, opened


def written(found: Opened) -> list[tuple[Message | None, int]]:
    """Every record in the log, with its schema's version."""
    log = found.store._log
    view = log.read(0, 1 << 20, end_offset=log.end_offset).view()
    records: list[tuple[Message | None, int]] = []
    position = 0
    for header in iter_headers(view):
        for record in iter_records(view, position, header=header):
            if header.is_control:
                records.append((read_quorum_record(record), 0))
            else:
                records.append(decode_metadata(record.value))
        position += header.size_bytes
    return records


def test_a_new_cluster(tmp_path: Path) -> None:
    with opened(tmp_path, min_insync_replicas="2") as found:
        records = written(found)
        leader_change, *bootstrap = [message for message, _ in records]
        assert isinstance(leader_change, LeaderChangeMessage)
        assert leader_change.leader_id == 1
        assert [voter.voter_id for voter in leader_change.voters] == [1]
        assert bootstrap[:9] == [
            BeginTransactionRecord(name="Bootstrap records"),
            FeatureLevelRecord(name="metadata.version", feature_level=33),
            FeatureLevelRecord(name="eligible.leader.replicas.version", feature_level=1),
            FeatureLevelRecord(name="group.version", feature_level=1),
            FeatureLevelRecord(name="share.version", feature_level=2),
            FeatureLevelRecord(name="streams.version", feature_level=1),
            FeatureLevelRecord(name="transaction.version", feature_level=2),
            ConfigRecord(resource_type=4, resource_name="", name="min.insync.replicas", value="2"),
            EndTransactionRecord(),
        ]
        register, unfence = bootstrap[9:]
        assert isinstance(register, RegisterBrokerRecord)
        assert (register.broker_id, register.broker_epoch, register.fenced) == (1, 10, True)
        assert register.log_dirs == [found.directory.directory_id]
        assert [(end.name, end.host, end.port) for end in register.end_points] == [
            ("PLAINTEXT", "127.0.0.1", 9092)
        ]
        assert unfence == BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=10, fenced=-1)
        assert [version for message, version in records if isinstance(message, RegisterBrokerRecord)] == [4]


def test_a_second_start_writes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as found:
        offset = found.image.offset
    with opened(tmp_path) as again:
        assert again.image.offset == offset


def test_a_broker_that_moved_registers_again(tmp_path: Path) -> None:
    with opened(tmp_path) as found:
        first = found.image.brokers[1]
    with opened(tmp_path, listeners="PLAINTEXT://127.0.0.1:9093", broker_rack="r") as again:
        second = again.image.brokers[1]
        assert second.endpoints == (("PLAINTEXT", "127.0.0.1", 9093, 0),)
        assert (second.rack, second.is_fenced) == ("r", False)
        assert second.epoch > first.epoch
        assert second.incarnation_id != first.incarnation_id


def test_a_crash_between_the_first_batches_is_made_good(tmp_path: Path) -> None:
    with opened(tmp_path) as found:
        expected = dict(found.image.features)
    log = tmp_path / "__cluster_metadata-0/00000000000000000000.log"
    log.write_bytes(log.read_bytes()[:91])
    (tmp_path / ".kafka_cleanshutdown").unlink()
    with opened(tmp_path) as again:
        assert again.image.features == expected
        assert [broker.broker_id for broker in again.image.live_brokers()] == [1]


def test_advertised_listeners_are_what_is_registered(tmp_path: Path) -> None:
    with opened(tmp_path, advertised_listeners="PLAINTEXT://me.example:1") as found:
        assert found.image.brokers[1].endpoints == (("PLAINTEXT", "me.example", 1, 0),)
        directory_id = found.directory.directory_id
        assert registration_records(found.image, found.config, directory_id, broker_epoch=99) == []
