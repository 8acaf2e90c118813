"""The log directory: lock, identity, checkpoints, clean and unclean stops."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kstream.log.checkpoints import CorruptCheckpoint, read_offsets
from kstream.log.config import LogConfig
from kstream.log.directory import LogDirectory
from kstream.log.errors import DirectoryInUse, LogStorageError, UnusableDirectory
from kstream.log.partition import PartitionLog
from kstream.log.partition_metadata import read_topic_id
from kstream.wire.uuids import format_uuid
from tests.log.support import NOW_MS, TOPIC_ID, append, batch_of, read_headers


def open_partition(directory: LogDirectory, topic: str = "orders", index: int = 0) -> PartitionLog:
    return directory.open_partition(topic, index, LogConfig(), topic_id=TOPIC_ID, now_ms=NOW_MS)


def test_a_new_directory_gets_an_identity_and_keeps_it(tmp_path: Path) -> None:
    first = LogDirectory.open(tmp_path / "data", node_id=4)
    identity = (first.cluster_id, first.node_id, first.directory_id)
    first.close()
    text = (tmp_path / "data" / "meta.properties").read_text()
    assert f"cluster.id={first.cluster_id}\n" in text
    assert f"directory.id={format_uuid(first.directory_id)}\n" in text
    again = LogDirectory.open(tmp_path / "data", node_id=4, cluster_id=first.cluster_id)
    assert (again.cluster_id, again.node_id, again.directory_id) == identity
    again.close()


def test_properties_as_kafka_writes_them(tmp_path: Path) -> None:
    (tmp_path / "meta.properties").write_text(
        "#\n#Mon Nov 23 06:24:23 UTC 2026\ncluster.id=MkU3OEVBNTcwNTJENDM2Qg\n"
        "directory.id=plz7q0TtSgij6oXWgY-_uA\nnode.id=1\nversion=1\n"
    )
    directory = LogDirectory.open(tmp_path, node_id=1)
    assert directory.cluster_id == "MkU3OEVBNTcwNTJENDM2Qg"
    assert format_uuid(directory.directory_id) == "plz7q0TtSgij6oXWgY-_uA"
    directory.close()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("version=1\ncluster.id=other\nnode.id=1\n", "belongs to cluster other"),
        ("version=1\ncluster.id=mine\nnode.id=7\n", "belongs to node 7"),
        ("version=0\ncluster.id=mine\nnode.id=1\n", "only 1 is known"),
        ("version=1\n", "cluster.id"),
        ("\xff\xfe", "version"),
    ],
)
def test_somebody_elses_directory_is_refused_and_not_locked(
    tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "meta.properties").write_text(content, encoding="latin-1")
    for _ in range(2):
        with pytest.raises(UnusableDirectory, match=message):
            LogDirectory.open(tmp_path, node_id=1, cluster_id="mine")


def test_one_server_at_a_time(tmp_path: Path) -> None:
    directory = LogDirectory.open(tmp_path)
    with pytest.raises(DirectoryInUse):
        LogDirectory.open(tmp_path)
    program = (
        "import sys; from pathlib import Path; from kstream.log.directory import LogDirectory;"
        "from kstream.log.errors import DirectoryInUse\n"
        "try: LogDirectory.open(Path(sys.argv[1]))\n"
        "except DirectoryInUse as error: print(error)\n"
        "else: print('got in')"
    )
    arguments = [sys.executable, "-c", program, str(tmp_path)]
    assert "in use by another server" in subprocess.run(arguments, capture_output=True, text=True).stdout
    directory.close()
    assert subprocess.run(arguments, capture_output=True, text=True).stdout == "got in\n"


def test_a_path_that_cannot_be_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UnusableDirectory):
        LogDirectory.open(tmp_path / "file")
    with pytest.raises(UnusableDirectory):
        LogDirectory.open(tmp_path / "file" / "below")


def test_a_clean_stop_is_remembered_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    directory = LogDirectory.open(tmp_path)
    assert not directory.was_clean
    append(open_partition(directory), batch_of(3))
    directory.close()
    assert (tmp_path / ".kafka_cleanshutdown").read_text() == '{"version":0,"brokerEpoch":-1}'
    directory = LogDirectory.open(tmp_path)
    assert directory.was_clean
    assert not (tmp_path / ".kafka_cleanshutdown").exists()
    assert open_partition(directory).end_offset == 3
    directory._lock.release()
    crashed = LogDirectory.open(tmp_path)
    assert not crashed.was_clean
    assert open_partition(crashed).end_offset == 3
    crashed.close()
    assert caplog.text == ""


def test_rolled_segments_are_synced_with_the_checkpoints(tmp_path: Path) -> None:
    directory = LogDirectory.open(tmp_path)
    log = directory.open_partition("t", 0, LogConfig(segment_bytes=200), topic_id=TOPIC_ID, now_ms=NOW_MS)
    for _ in range(9):
        append(log, batch_of(1))
    directory.write_checkpoints()
    assert log.recovery_point == log.segments.active.base_offset > 0
    assert read_offsets(tmp_path / "recovery-point-offset-checkpoint") == {("t", 0): log.recovery_point}
    directory.close()


def test_a_partition_that_was_never_recovered_keeps_the_next_start_from_trusting_it(tmp_path: Path) -> None:
    directory = LogDirectory.open(tmp_path)
    for index in range(2):
        append(open_partition(directory, index=index), batch_of(1))
    directory.write_checkpoints()
    directory._lock.release()
    directory = LogDirectory.open(tmp_path)
    assert directory.unrecovered == {("orders", 0), ("orders", 1)}
    open_partition(directory, index=0)
    directory.close()
    directory = LogDirectory.open(tmp_path)
    assert not directory.was_clean
    for index in range(2):
        assert open_partition(directory, index=index).end_offset == 1
    directory.close()
    directory = LogDirectory.open(tmp_path)
    assert directory.was_clean
    directory.close()


def test_checkpoints_are_kafkas_files(tmp_path: Path) -> None:
    directory = LogDirectory.open(tmp_path)
    log = open_partition(directory)
    append(log, batch_of(5))
    log.flush()
    append(log, batch_of(2))
    log.delete_records(2)
    directory.write_checkpoints()
    assert (tmp_path / "recovery-point-offset-checkpoint").read_text() == "0\n1\norders 0 5\n"
    assert (tmp_path / "log-start-offset-checkpoint").read_text() == "0\n1\norders 0 2\n"
    assert (tmp_path / "replication-offset-checkpoint").read_text() == "0\n1\norders 0 7\n"
    directory.close()
    directory = LogDirectory.open(tmp_path)
    log = open_partition(directory)
    assert (log.log_start_offset, log.end_offset, log.recovery_point) == (2, 7, 7)
    assert log.read(2, 100).first_offset == 0
    directory.close()


def test_checkpoints_of_partitions_that_nobody_opened_stay(tmp_path: Path) -> None:
    directory = LogDirectory.open(tmp_path)
    append(open_partition(directory, "a"), batch_of(1))
    append(open_partition(directory, "b"), batch_of(1))
    directory.close()
    directory = LogDirectory.open(tmp_path)
    append(open_partition(directory, "a"), batch_of(1))
    directory.close()
    assert read_offsets(tmp_path / "recovery-point-offset-checkpoint") == {("a", 0): 2, ("b", 0): 1}


def test_damaged_checkpoints_cost_only_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    directory = LogDirectory.open(tmp_path)
    append(open_partition(directory), batch_of(2))
    directory.close()
    path = tmp_path / "recovery-point-offset-checkpoint"
    for content in (b"0\n2\norders 0 1\n", b"0\n1\norders 0\n", b"\xff\xff"):
        path.write_bytes(content)
        with pytest.raises(CorruptCheckpoint):
            read_offsets(path)
        directory = LogDirectory.open(tmp_path)
        assert "without a checkpoint" in caplog.text
        assert len(read_headers(open_partition(directory))) == 1
        directory.close()


def test_kafka_begins_with_empty_checkpoints(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "recovery-point-offset-checkpoint").write_bytes(b"")
    directory = LogDirectory.open(tmp_path)
    directory.close()
    assert caplog.text == ""


def test_partitions_are_listed_and_others_are_not(tmp_path: Path) -> None:
    directory = LogDirectory.open(tmp_path)
    open_partition(directory, "with-dashes-7", 12)
    open_partition(directory, "b.c_d", 0)
    for name in ("lost+found", "orders-0.0123456789abcdef0123456789abcdef-delete", "orders-x"):
        (tmp_path / name).mkdir()
    (tmp_path / "file-3").write_text("no directory")
    assert directory.partition_keys() == [("b.c_d", 0), ("with-dashes-7", 12)]
    directory.close()


def test_deleting_partitions_open_or_not(tmp_path: Path) -> None:
    directory = LogDirectory.open(tmp_path)
    for index in range(3):
        append(open_partition(directory, index=index), batch_of(1))
    directory.close()
    directory = LogDirectory.open(tmp_path)
    log = open_partition(directory, index=1)
    removals = [
        directory.delete_partition("orders", 0),
        log.delete(),
    ]
    assert directory.delete_partition("orders", 2) is not None
    assert directory.delete_partition("orders", 1) is None
    assert directory.partition_keys() == []
    with pytest.raises(LogStorageError):
        append(log, batch_of(1))
    for removal in removals:
        assert removal is not None
        removal.finish()
    directory.close()
    assert read_offsets(tmp_path / "recovery-point-offset-checkpoint") == {}
    directory = LogDirectory.open(tmp_path)
    assert directory.was_clean
    assert len(directory.leftovers) == 1
    directory.leftovers.finish()
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
    directory.close()


def test_a_recreated_partition_begins_anew(tmp_path: Path) -> None:
    directory = LogDirectory.open(tmp_path)
    log = open_partition(directory)
    append(log, batch_of(5))
    log.delete_records(4)
    directory.write_checkpoints()
    log.delete().finish()
    again = open_partition(directory)
    assert (again.log_start_offset, again.end_offset) == (0, 0)
    assert read_offsets(tmp_path / "log-start-offset-checkpoint") == {}
    append(again, batch_of(1))
    directory.write_checkpoints()
    assert read_offsets(tmp_path / "replication-offset-checkpoint") == {("orders", 0): 1}
    directory.close()


@pytest.mark.parametrize("was_open", [True, False])
def test_a_partition_made_anew_right_behind_a_deletion_outlives_a_kill(
    tmp_path: Path, was_open: bool
) -> None:
    directory = LogDirectory.open(tmp_path)
    log = open_partition(directory)
    append(log, batch_of(5))
    log.delete_records(4)
    directory.write_checkpoints()
    if not was_open:
        directory.close()
        directory = LogDirectory.open(tmp_path)
    assert directory.delete_partition("orders", 0) is not None
    append(open_partition(directory), batch_of(3))
    directory.abandon()
    directory = LogDirectory.open(tmp_path)
    again = open_partition(directory)
    assert (again.log_start_offset, again.end_offset) == (0, 3)
    directory.close()


def test_topic_ids_are_in_kafkas_file(tmp_path: Path) -> None:
    directory = LogDirectory.open(tmp_path)
    log = open_partition(directory)
    path = log.directory / "partition.metadata"
    assert path.read_text() == f"version: 0\ntopic_id: {format_uuid(TOPIC_ID)}\n"
    assert read_topic_id(log.directory) == TOPIC_ID
    directory.close()
    for content in ("version: 1\ntopic_id: x\n", "version: 0\ntopic_id: x\n", ""):
        path.write_text(content)
        with pytest.raises(CorruptCheckpoint):
            read_topic_id(log.directory)
    directory = LogDirectory.open(tmp_path)
    assert open_partition(directory).topic_id == TOPIC_ID
    directory.close()
