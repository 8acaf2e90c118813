"""A store that writes snapshots: what is found again, what goes, and a process that dies at any step."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import trio

from kstream.broker.metadata.features import INITIAL_FEATURES
from kstream.broker.metadata.image import MetadataImage
from kstream.broker.metadata.snapshots import SnapshotFile, outlived, snapshot_files, write_snapshot
from kstream.broker.metadata.store import Change
from kstream.records.schemas.metadata import (
    AccessControlEntryRecord,
    FeatureLevelRecord,
    RemoveAccessControlEntryRecord,
    UserScramCredentialRecord,
)
from tests.broker.metadata.opening import Opened, opened
from tests.dying import Died, dying

SETTINGS = {
    "internal_metadata_log_segment_bytes": "1000",
    "metadata_log_max_record_bytes_between_snapshots": "400",
    "metadata_max_retention_bytes": "1",
}
ACL = AccessControlEntryRecord(id=b"a" * 16, resource_name="t", principal="User:u", host="*")


def write(found: Opened) -> None:
    """A snapshot, and what goes then."""
    trio.run(found.store.write_snapshot).finish()


def metadata_log(path: Path) -> Path:
    return path / "__cluster_metadata-0"


def first_offset(path: Path) -> int:
    return min(int(each.stem) for each in metadata_log(path).glob("*.log"))


def test_snapshots_come_when_due_and_the_log_before_them_goes(tmp_path: Path) -> None:
    with opened(tmp_path, **SETTINGS) as found:
        assert found.store.is_snapshot_due()  # what a first start wrote
        write(found)
        assert not found.store.is_snapshot_due()
        for number in range(12):
            found.create(f"t{number}", retention_ms=str(number))
            if found.store.is_snapshot_due():
                write(found)
        image = found.image.copy()
        files = snapshot_files(metadata_log(tmp_path))
        assert len(files) == 1
        assert 0 < first_offset(tmp_path) <= files[0].end_offset <= image.offset + 1
    with opened(tmp_path, **SETTINGS) as again:
        assert again.image == image
        again.create("later")
        assert again.allocate(10) == image.next_producer_id


def test_by_default_older_snapshots_stay(tmp_path: Path) -> None:
    with opened(tmp_path) as found:
        for number in range(3):
            found.create(f"t{number}")
            write(found)
        assert len(snapshot_files(metadata_log(tmp_path))) == 3
        assert not found.store.is_snapshot_due()
        image = found.image.copy()
    # Each of them would do, and so would the log.
    files = snapshot_files(metadata_log(tmp_path))
    while files:
        with opened(tmp_path) as again:
            assert again.image == image
        files.pop().path.write_bytes(b"")
    with opened(tmp_path) as again:
        assert again.image == image


def test_what_only_kafka_uses_is_kept_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    user = UserScramCredentialRecord(name="u", mechanism=1, salt=b"s", iterations=4096)
    other = AccessControlEntryRecord(id=b"b" * 16)
    with opened(tmp_path, **SETTINGS) as found:
        found.update(lambda image: Change(None, [ACL, other, user]))
        found.update(lambda image: Change(None, [RemoveAccessControlEntryRecord(id=other.id)]))
        write(found)
    assert "without effect" not in caplog.text
    with opened(tmp_path, **SETTINGS) as again:
        assert list(again.image.kept.values()) == [ACL, user]
    assert (
        "the metadata has 1 ACL, 1 SCRAM credential: kept for Apache Kafka, but without effect" in caplog.text
    )


@pytest.mark.parametrize(
    "name", ["bootstrap.checkpoint", "__cluster_metadata-0/00000000000000000000-0000000000.checkpoint"]
)
def test_a_directory_that_was_only_formatted(tmp_path: Path, name: str) -> None:
    """What `kafka-storage format --feature … --add-scram …` said holds here, too."""
    metadata_log(tmp_path).mkdir()
    user = UserScramCredentialRecord(name="u", mechanism=1)
    records = [FeatureLevelRecord(name="metadata.version", feature_level=25), user]
    file = write_snapshot(tmp_path, records, end_offset=0, epoch=0, last_timestamp_ms=0, now_ms=0)
    file.path.rename(tmp_path / name)
    with opened(tmp_path) as found:
        assert found.image.features == {"metadata.version": 25}
        assert list(found.image.kept.values()) == [user]
    with opened(tmp_path / "another") as found:
        assert found.image.features == INITIAL_FEATURES


def test_leftovers_of_kafka_are_removed(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    for name in (
        "00000000000000000007-0000000001-123.checkpoint.part",
        f"{5:020}-{1:010}.checkpoint.deleted",
    ):
        (metadata_log(tmp_path) / name).write_bytes(b"half")
    with opened(tmp_path):
        assert not [path for path in metadata_log(tmp_path).iterdir() if ".checkpoint." in path.name]


@pytest.mark.parametrize(
    ("log_bytes", "log_start_offset", "bytes_max", "before_ms", "expected"),
    [
        (1000, 0, -1, -1, 0),
        (1000, 0, 10_000, -1, 0),
        (1000, 0, 1100, -1, 2),
        (1000, 0, 1, -1, 3),
        (1000, 0, -1, 25, 2),
        (1000, 15, -1, -1, 1),
    ],
)
def test_what_retention_lets_go(
    tmp_path: Path, log_bytes: int, log_start_offset: int, bytes_max: int, before_ms: int, expected: int
) -> None:
    files: list[SnapshotFile] = []
    for number in range(1, 5):
        at = number * 10
        files.append(write_snapshot(tmp_path, [ACL], end_offset=at, epoch=1, last_timestamp_ms=at, now_ms=at))
    size_bytes = files[0].path.stat().st_size
    limit = bytes_max if bytes_max != 1100 else log_bytes + 2 * size_bytes
    assert (
        outlived(files, log_bytes, log_start_offset=log_start_offset, bytes_max=limit, before_ms=before_ms)
        == expected
    )


def test_death_at_every_step(tmp_path: Path) -> None:
    source = tmp_path / "source"
    with opened(source, **SETTINGS) as found:
        for number in range(8):
            found.create(f"t{number}")
            if number == 3:
                write(found)
        image = found.image.copy()
    step = 0
    while True:
        path = tmp_path / f"at-{step}"
        shutil.copytree(source, path)
        found = Opened(path, **SETTINGS)
        removal_calls: list[str] = []
        try:
            with dying(step) as removal_calls:
                write(found)
        except Died:
            died = True
        else:
            died = False
        release(found)
        _check(path, image)
        if not died:
            break
        step += 1
    assert {"fsync", "replace", "rename", "unlink"} <= set(removal_calls)
    assert step > 10
    assert len(snapshot_files(metadata_log(path))) == 1


def release(found: Opened) -> None:
    """What the end of a process does: descriptors go, and nothing is written."""
    found.directory._lock.release()


def _check(path: Path, image: MetadataImage) -> None:
    with opened(path, **SETTINGS) as again:
        epochs = [
            each.leader_epoch for topic in again.image.topics_by_name.values() for each in topic.partitions
        ]
        assert {1} == set(epochs)  # an unclean stop begins new ones
        for name, topic in image.topics_by_name.items():
            assert again.image.topics_by_name[name].topic_id == topic.topic_id
        assert again.image.configs == image.configs
        assert again.image.offset >= image.offset
        again.create("later")
        write(again)
    with opened(path, **SETTINGS) as again:
        assert "later" in again.image.topics_by_name
