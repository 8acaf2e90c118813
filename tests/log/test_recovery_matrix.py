"""What a start may find besides torn segments: rows of docs/storage.md without a file of their own."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kstream.log.config import LogConfig
from kstream.log.directory import RECOVERY_POINTS, LogDirectory
from kstream.log.errors import LogStorageError, UnusableDirectory
from kstream.log.partition import PartitionLog
from kstream.records.batch import stamp
from tests.dying import EachDeath
from tests.log.support import NOW_MS, append, batch_of, compact, end_transaction, open_log, read_records

CONFIG = LogConfig(segment_bytes=600, index_interval_bytes=100, retention_ms=-1)


def filled(directory: Path, batches: int = 20) -> PartitionLog:
    """A log with that many batches of two records, in several segments."""
    log = open_log(directory, CONFIG)
    for number in range(batches):
        append(log, batch_of(2, value=b"%03d" % number))
    return log


def values(log: PartitionLog) -> list[bytes]:
    """One value for each batch."""
    return [record.value or b"" for record in read_records(log)][::2]


def asides(directory: Path) -> dict[str, bytes]:
    """What recovery kept, by name."""
    return {path.name: path.read_bytes() for path in directory.iterdir() if ".corrupt-" in path.name}


def aborted(log: PartitionLog) -> list[tuple[int, int, int]]:
    return [
        (entry.producer_id, entry.first_offset, entry.last_offset)
        for segment in log.segments
        for entry in segment.txn_index.entries
    ]


def filled_with_aborted(directory: Path) -> PartitionLog:
    """A log with 12 aborted transactions, in several segments."""
    log = open_log(directory, CONFIG)
    for number in range(12):
        batch = batch_of(
            1, producer_id=5, producer_epoch=0, base_sequence=number, is_transactional=True, value=bytes(60)
        )
        append(log, batch)
        end_transaction(log, 5, is_commit=False)
    return log


@pytest.mark.parametrize("damage", ["missing", "empty", "odd", "garbage", "of another segment", "orphan"])
def test_transaction_indexes_come_back(tmp_path: Path, damage: str) -> None:
    directory = tmp_path / "t-0"
    expected = aborted(filled_with_aborted(directory))
    paths = sorted(directory.glob("*.txnindex"))
    assert len(paths) > 2
    content = paths[1].read_bytes()
    if damage == "missing":
        paths[1].unlink()
    elif damage == "orphan":
        (directory / f"{999:020d}.txnindex").write_bytes(content)
    else:
        damaged = {
            "empty": b"",
            "odd": content[:-1],
            "garbage": bytes(range(34)),
            "of another segment": paths[0].read_bytes(),
        }
        paths[1].write_bytes(damaged[damage])
    assert aborted(open_log(directory, CONFIG)) == expected
    assert not (directory / f"{999:020d}.txnindex").exists()


@pytest.mark.parametrize("was_clean", [False, True])
def test_death_at_every_step_of_writing_transaction_indexes_anew(tmp_path: Path, was_clean: bool) -> None:
    """In front of the recovery point nothing is checked: an index that is missing there is believed."""
    source = tmp_path / "source"
    log = filled_with_aborted(source)
    expected = aborted(log)
    log.close()
    for path in sorted(source.glob("*.txnindex"))[1:3]:
        path.write_bytes(path.read_bytes()[:-1])

    def start(directory: Path) -> None:
        open_log(directory, CONFIG, recovery_point=10_000, was_clean=was_clean)

    deaths = EachDeath(source, tmp_path, start)
    for directory in deaths:
        assert aborted(open_log(directory, CONFIG, recovery_point=10_000)) == expected
    assert deaths.calls.count("replace") > 1


def test_death_at_every_step_of_writing_indexes_anew(tmp_path: Path) -> None:
    """Half of an index ascends as well, and would be believed: times behind it would not be found."""
    source = tmp_path / "source"
    log = open_log(source, CONFIG)
    for number in range(20):
        append(log, batch_of(2, timestamp_ms=NOW_MS + 10 * number))
    log.close()
    for path in source.glob("*.index"):
        path.unlink()

    def search(directory: Path) -> list[tuple[int, int] | None]:
        log = open_log(directory, CONFIG, was_clean=True)
        return [log.offset_for_timestamp(NOW_MS + 10 * number) for number in range(20)]

    deaths = EachDeath(source, tmp_path, search)
    for directory in deaths:
        assert search(directory) == [(2 * number, NOW_MS + 10 * number) for number in range(20)]
        assert not list(directory.glob("*.tmp"))
    assert deaths.calls.count("replace") > 4


@pytest.mark.parametrize("recovery_point", [0, 7, 38, 40, 41, 10_000])
def test_a_recovery_point_that_is_behind_or_ahead(tmp_path: Path, recovery_point: int) -> None:
    """Ahead of the log it proves nothing that is there wrong, and the newest segment is checked always."""
    filled(tmp_path / "t-0")
    path = max((tmp_path / "t-0").glob("*.log"))
    path.write_bytes(path.read_bytes().rstrip(b"\0")[:-1] + b"x")
    log = open_log(tmp_path / "t-0", CONFIG, recovery_point=recovery_point)
    assert (log.end_offset, len(values(log))) == (38, 19)
    assert log.recovery_point <= 38
    assert append(log, batch_of(1)).base_offset == 38


@pytest.mark.parametrize(("log_start", "begins"), [(0, 0), (3, 3), (7, 7), (40, 40), (1000, 1000)])
def test_a_log_start_that_is_missing_or_behind_or_ahead(tmp_path: Path, log_start: int, begins: int) -> None:
    log = filled(tmp_path / "t-0")
    log.delete_records(5)
    del log  # a crash, and the checkpoint says something else than 5
    again = open_log(tmp_path / "t-0", CONFIG, log_start_offset=log_start)
    assert (again.log_start_offset, again.end_offset) == (begins, max(40, begins))
    found = [record.offset for record in read_records(again) if record.offset >= begins]
    assert found == list(range(begins, 40))
    assert append(again, batch_of(1)).base_offset == max(40, begins)


@pytest.mark.parametrize("cleaned_offset", [0, 7, 39, 40, 1000])
def test_a_cleaned_offset_that_is_behind_or_ahead(tmp_path: Path, cleaned_offset: int) -> None:
    log = filled(tmp_path / "t-0")  # all records have one key
    compact(log)
    for number in range(20, 40):
        append(log, batch_of(2, value=b"%03d" % number))
    log.roll(NOW_MS)
    kept = [record.offset for record in read_records(log)]
    compact(log, cleaned_offset)
    found = [record.offset for record in read_records(log)]
    assert found[-1] == kept[-1] == 79
    assert set(found) <= set(kept)
    compact(log, 0)
    assert [record.offset for record in read_records(log)] == [79]


def test_a_directory_that_was_copied_while_live(tmp_path: Path) -> None:
    """Its files are of different moments; what is read is what was there at one, without a gap."""
    source = tmp_path / "source"
    directory = LogDirectory.open(source)
    log = directory.open_partition("t", 0, CONFIG, topic_id=None, now_ms=NOW_MS)
    written = 0
    for turn in range(6):
        copy = tmp_path / f"copy-{turn}"
        for name in sorted(path.relative_to(source) for path in source.rglob("*") if path.is_file()):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, copy / name)
            append(log, batch_of(2, value=b"%03d" % written))
            written += 1
        directory.write_checkpoints()
        shutil.copyfile(source / RECOVERY_POINTS, copy / RECOVERY_POINTS)  # of later than all the rest
        opened = LogDirectory.open(copy)
        again = opened.open_partition("t", 0, CONFIG, topic_id=None, now_ms=NOW_MS)
        found = values(again)
        assert found == [b"%03d" % number for number in range(len(found))]
        assert append(again, batch_of(1)).base_offset == 2 * len(found)
        opened.close()
    directory.close()


@contextmanager
def nobody() -> Iterator[Path]:
    """A folder of a user whom modes of files bind, as they do not bind root."""
    with tempfile.TemporaryDirectory(prefix="kstream-nobody-") as name:
        folder = Path(name)
        is_root = os.geteuid() == 0
        if is_root:
            os.chown(folder, 65534, 65534)
            os.seteuid(65534)
        try:
            yield folder
        finally:
            for path in [folder, *folder.rglob("*")]:
                path.chmod(0o755)
            if is_root:
                os.seteuid(0)


def test_read_only_files_are_read_and_not_written(tmp_path: Path) -> None:
    open_log(tmp_path / "warm-0", CONFIG).close()  # modules that are imported late, while that is allowed
    with nobody() as folder:
        log = filled(folder / "t-0")
        expected = values(log)
        log.close()
        for path in (folder / "t-0").iterdir():
            path.chmod(0o444)
        again = open_log(folder / "t-0", CONFIG, was_clean=True)
        assert values(again) == expected
        with pytest.raises(LogStorageError):
            append(again, batch_of(1))
        assert values(again) == expected
        again.close(clean=False)


def test_a_read_only_directory_is_refused_with_words() -> None:
    with nobody() as folder:
        LogDirectory.open(folder / "data").close()
        for path in [*(folder / "data").iterdir(), folder / "data"]:
            path.chmod(0o555)
        with pytest.raises(UnusableDirectory, match="cannot write to"):
            LogDirectory.open(folder / "data")


def test_death_at_every_step_of_recovery(tmp_path: Path) -> None:
    source = tmp_path / "source"
    filled(source)
    logs = sorted(source.glob("*.log"))
    content = bytearray(logs[2].read_bytes())
    content[-5] ^= 0x20  # what is behind it is kept aside
    logs[2].write_bytes(content)
    # That one is before what the second segment has already, so it is kept aside as well.
    shutil.copy(logs[1], source / f"{int(logs[1].name[:20]) + 1:020d}.log")
    for path in source.glob("*.index"):
        path.write_bytes(b"odd")
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(source, undisturbed)
    expected, kept = values(open_log(undisturbed, CONFIG)), asides(undisturbed)
    assert (len(expected), len(kept)) == (17, 3)
    deaths = EachDeath(source, tmp_path, lambda copy: open_log(copy, CONFIG))
    for directory in deaths:
        assert values(open_log(directory, CONFIG)) == expected
        assert asides(directory) == kept
    assert len(deaths.calls) > 8


def test_death_at_every_step_of_retention(tmp_path: Path) -> None:
    source = tmp_path / "source"
    filled(source).close()
    config = LogConfig(segment_bytes=600, index_interval_bytes=100, retention_ms=-1, retention_bytes=1000)

    def retain(directory: Path) -> None:
        open_log(directory, config, was_clean=True).delete_old_segments(NOW_MS).finish()

    deaths = EachDeath(source, tmp_path, retain)
    for directory in deaths:
        again = open_log(directory, config)
        first = again.log_start_offset // 2
        assert values(again) == [b"%03d" % number for number in range(first, 20)]
        again.delete_old_segments(NOW_MS).finish()
        assert again.size_bytes < 1600
        assert not list(directory.glob("*.deleted"))
    assert {"rename", "unlink"} <= set(deaths.calls)


def test_a_hole_is_told_and_what_lies_behind_it_is_served(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A power cut may take a segment that was never synced, and leave a later one: as Kafka, keep that."""
    log = filled(tmp_path / "t-0")
    bases = [segment.base_offset for segment in log.segments]
    (tmp_path / "t-0" / f"{bases[2]:020d}.log").unlink()
    with caplog.at_level(logging.WARNING):
        again = open_log(tmp_path / "t-0", CONFIG)
    assert f"offsets {bases[2]} to {bases[3] - 1} are missing" in caplog.text
    assert again.end_offset == 40
    expected = [number for number in range(20) if not bases[2] <= 2 * number < bases[3]]
    assert values(again) == [b"%03d" % number for number in expected]
    assert again.read(bases[2], 1).first_offset == bases[3]
    assert append(again, batch_of(1)).base_offset == 40


@pytest.mark.parametrize("is_checked", [True, False])
def test_a_segment_that_begins_before_the_one_in_front_ends_is_kept_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, is_checked: bool
) -> None:
    """As where the disk forgot that compaction took segments away: the one that replaced them has it all, and
    what lies behind goes on. Apache Kafka keeps both, and serves some offsets of either.
    """
    directory = tmp_path / "t-0"
    log = filled(directory)
    bases = [segment.base_offset for segment in log.segments]
    assert len(bases) == 4
    paths = [segment.path for segment in log.segments]
    contents = [path.read_bytes()[: log.segments[n].size_bytes] for n, path in enumerate(paths)]
    paths[1].write_bytes(b"".join(contents[1:3]))
    with caplog.at_level(logging.WARNING):
        again = open_log(directory, CONFIG, recovery_point=0 if is_checked else bases[2] + 1)
    assert asides(directory) == {f"{paths[2].name}.corrupt-0": contents[2]}
    assert f"begins before offset {bases[3]}" in caplog.text
    assert "are missing" not in caplog.text
    assert values(again) == [b"%03d" % number for number in range(20)]
    assert [segment.base_offset for segment in again.segments] == [*bases[:2], bases[3]]
    assert append(again, batch_of(1)).base_offset == 40
    again.close(clean=False)
    assert open_log(directory, CONFIG).end_offset == 41


def test_a_newest_segment_that_begins_too_early_is_kept_aside(tmp_path: Path) -> None:
    """As where the disk forgot that a log was cut off before it went on."""
    directory = tmp_path / "t-0"
    log = filled(directory)
    before, last = log.segments[-2], log.segments[-1]
    active = last.path.read_bytes()
    batch = batch_of(2, value=b"new")
    stamp(content := bytearray(batch), last.base_offset, 0)
    before.path.write_bytes(before.path.read_bytes()[: before.size_bytes] + content)
    again = open_log(directory, CONFIG)
    assert asides(directory) == {f"{last.path.name}.corrupt-0": active}
    assert again.end_offset == last.base_offset + 2
    assert values(again)[-1] == b"new"
    assert append(again, batch_of(1)).base_offset == again.end_offset - 1
