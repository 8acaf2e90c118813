"""What Apache Kafka may leave besides a plain log: snapshots, and transactions that were cut short."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from kstream.broker.metadata.loading import Loader
from kstream.broker.metadata.replay import MetadataFault
from kstream.broker.metadata.store import Change
from kstream.log.config import LogConfig
from kstream.log.partition import Origin, PartitionLog
from kstream.records.batch import read_header
from kstream.records.builder import build_batch
from kstream.records.control import quorum_batch
from kstream.records.metadata import encode_metadata
from kstream.records.schemas.control import SnapshotFooterRecord, SnapshotHeaderRecord
from kstream.records.schemas.metadata import (
    AbortTransactionRecord,
    BeginTransactionRecord,
    ConfigRecord,
    EndTransactionRecord,
)
from kstream.wire.schema import Message
from tests.broker.metadata.opening import opened

NOW_MS = 1_700_000_000_000


def setting(name: str) -> ConfigRecord:
    return ConfigRecord(resource_type=2, resource_name="t", name=name, value="v")


def batch(records: Sequence[Message], base_offset: int = 0) -> bytes:
    rows = [(NOW_MS, None, encode_metadata(record, type(record).VERSIONS.last)) for record in records]
    return build_batch(rows, base_offset=base_offset)


def snapshot(records: Sequence[Message]) -> bytes:
    return b"".join(
        [
            quorum_batch(SnapshotHeaderRecord(), timestamp_ms=NOW_MS),
            batch(records, 1),
            quorum_batch(SnapshotFooterRecord(), timestamp_ms=NOW_MS, base_offset=1 + len(records)),
        ]
    )


def log_of(path: Path, names: str) -> PartitionLog:
    """A log with one setting in each record, two records to a batch."""
    log = PartitionLog.open(path, LogConfig(), now_ms=NOW_MS)
    for start in range(0, len(names), 2):
        data = batch([setting(name) for name in names[start : start + 2]])
        log.append(data, [read_header(data)], leader_epoch=3, now_ms=NOW_MS, origin=Origin.COORDINATOR)
    return log


def settings(loader: Loader) -> str:
    return "".join(sorted(loader.image.topic_configs("t")))


def test_a_log_from_its_start_needs_no_snapshot(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", "abcdef")
    (tmp_path / "log" / "00000000000000000000-0000000000.checkpoint").write_bytes(b"not read")
    loader = Loader()
    loader.load(log, NOW_MS)
    assert (settings(loader), loader.image.offset, loader.leader_epoch) == ("abcdef", 5, 3)
    log.close()


def put_snapshots(log: PartitionLog, *snapshots: tuple[int, str]) -> None:
    for end_offset, names in snapshots:
        path = log.directory / f"{end_offset:020}-{7:010}.checkpoint"
        path.write_bytes(snapshot([setting(name) for name in names]))


@pytest.mark.parametrize("start", [0, 2])
def test_a_log_continues_its_newest_snapshot(tmp_path: Path, start: int) -> None:
    log = log_of(tmp_path / "log", "abcdef")
    log.delete_records(start)
    put_snapshots(log, (1, "old"), (3, "xy"))
    loader = Loader()
    loader.load(log, NOW_MS)
    # The snapshot ends in the middle of the batch of c and d.
    assert (settings(loader), loader.image.offset, loader.leader_epoch) == ("defxy", 5, 7)
    log.close()


@pytest.mark.parametrize("damage", ["cut", "a bit", "no footer", "empty"])
def test_a_damaged_snapshot_is_passed_over(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    log = log_of(tmp_path / "log", "abcdef")
    put_snapshots(log, (2, "older"), (3, "xy"))
    path = log.directory / f"{3:020}-{7:010}.checkpoint"
    whole = path.read_bytes()
    footer_bytes = len(quorum_batch(SnapshotFooterRecord(), timestamp_ms=NOW_MS))
    damaged = {
        "cut": whole[:-1],
        "a bit": whole[:200] + bytes([whole[200] ^ 4]) + whole[201:],
        "no footer": whole[:-footer_bytes],
        "empty": b"",
    }
    path.write_bytes(damaged[damage])
    loader = Loader()
    loader.load(log, NOW_MS)
    assert (settings(loader), loader.image.offset) == ("cdeflor", 5)
    assert f"{path}" in caplog.text
    log.delete_records(3)
    with pytest.raises(MetadataFault, match="restore one"):
        Loader().load(log, NOW_MS)
    log.close()


def test_a_log_that_ends_before_its_snapshot_goes_on_behind_it(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", "abcdef")
    put_snapshots(log, (9, "new"))
    loader = Loader()
    loader.load(log, NOW_MS)
    assert (settings(loader), loader.image.offset) == ("enw", 8)
    data = batch([setting("z")])
    log.append(data, [read_header(data)], leader_epoch=7, now_ms=NOW_MS, origin=Origin.COORDINATOR)
    log.close()
    again = PartitionLog.open(tmp_path / "log", LogConfig(), now_ms=NOW_MS)
    loader = Loader()
    loader.load(again, NOW_MS)
    assert (settings(loader), loader.image.offset) == ("enwz", 9)
    again.close()


def test_a_shortened_log_without_a_snapshot(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", "abcdef")
    log.delete_records(2)
    with pytest.raises(MetadataFault, match="no snapshot has what was before"):
        Loader().load(log, NOW_MS)
    log.close()


@pytest.mark.parametrize(
    ("end", "kept"),
    [([EndTransactionRecord()], "ab"), ([AbortTransactionRecord()], "a"), ([], "a")],
)
def test_transactions_count_as_a_whole(end: list[Message], kept: str) -> None:
    loader = Loader()
    for record in (setting("a"), BeginTransactionRecord(), setting("b"), *end):
        loader.add(record)
    assert settings(loader) == kept
    assert loader.is_in_transaction == (not end)


def test_a_transaction_that_was_cut_short_is_aborted(tmp_path: Path) -> None:
    with opened(tmp_path) as found:
        found.create("t")
        found.update(lambda image: Change(None, [BeginTransactionRecord(), setting("k")]))
        assert found.image.topic_configs("t") == {"k": "v"}
    for _ in range(2):
        with opened(tmp_path) as again:
            assert again.image.topic_configs("t") == {}
            again.create(f"u{again.image.offset}")
            assert len(again.image.topics_by_name) >= 2
