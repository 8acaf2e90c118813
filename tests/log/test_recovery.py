"""After a stop that was not clean: what is recovered, what is cut, what is kept aside, what is rebuilt."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import pytest

from kstream.log.config import LogConfig
from kstream.log.partition import PartitionLog
from kstream.log.segment import Segment
from tests.log.support import (
    NOW_MS,
    append,
    batch_of,
    end_transaction,
    open_log,
    read_headers,
    read_records,
)

SMALL_SEGMENTS = LogConfig(segment_bytes=600, index_interval_bytes=100)


def crashed_log(directory: Path, batches: int, config: LogConfig = SMALL_SEGMENTS) -> PartitionLog:
    """A log with that many two-record batches, whose process died."""
    log = open_log(directory, config)
    for number in range(batches):
        append(log, batch_of(2, timestamp_ms=NOW_MS + number * 10, value=b"%03d" % number))
    return log


def asides(directory: Path) -> list[str]:
    """Files that recovery kept aside."""
    return sorted(path.name for path in directory.iterdir() if ".corrupt-" in path.name)


def active_path(directory: Path) -> Path:
    """The newest segment's log."""
    return max(directory.glob("*.log"))


def test_the_tail_is_cut_at_every_byte(tmp_path: Path) -> None:
    source = tmp_path / "t-0"
    log = crashed_log(source, 3, LogConfig())
    size_bytes = log.size_bytes
    content = log.segments.active.path.read_bytes()[:size_bytes]
    batch_bytes = size_bytes // 3
    for cut in range(batch_bytes, size_bytes + 1):
        directory = tmp_path / f"cut-{cut}"
        shutil.copytree(source, directory)
        active_path(directory).write_bytes(content[:cut])
        again = open_log(directory)
        whole = cut // batch_bytes
        assert again.end_offset == whole * 2
        assert [record.value for record in read_records(again)][::2] == [b"%03d" % n for n in range(whole)]
        assert not any(active_path(directory).read_bytes()[whole * batch_bytes :]), (
            "zeros may stay, as reserve"
        )
        torn = content[whole * batch_bytes : cut]
        assert len(asides(directory)) == (1 if torn.strip(b"\0") else 0)
        assert append(again, batch_of(1)).base_offset == whole * 2
        shutil.rmtree(directory)


@pytest.mark.parametrize("tail", [bytes(1), bytes(60), bytes(5000)])
def test_zeros_at_the_tail_are_reserved_space_and_nothing_else(tmp_path: Path, tail: bytes) -> None:
    log = crashed_log(tmp_path / "t-0", 3, LogConfig())
    path = log.segments.active.path
    path.write_bytes(path.read_bytes()[: log.size_bytes] + tail)
    again = open_log(tmp_path / "t-0")
    assert again.end_offset == 6
    assert asides(tmp_path / "t-0") == []


@pytest.mark.parametrize("tail", [b"\x01", b"garbage" * 30, bytes(70) + b"x", b"\xff" * 200])
def test_garbage_at_the_tail_is_kept_aside(tmp_path: Path, tail: bytes) -> None:
    log = crashed_log(tmp_path / "t-0", 3, LogConfig())
    path, size_bytes = log.segments.active.path, log.size_bytes
    path.write_bytes(path.read_bytes()[:size_bytes] + tail + bytes(100))
    again = open_log(tmp_path / "t-0")
    assert again.end_offset == 6
    aside = tmp_path / "t-0" / f"{path.name}.corrupt-{size_bytes}"
    assert aside.read_bytes() == tail


def test_a_flipped_bit_ends_the_log_and_what_follows_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = crashed_log(tmp_path / "t-0", 20)
    bases = [segment.base_offset for segment in log.segments]
    assert len(bases) > 3
    damaged = log.segments[1].path
    content = bytearray(damaged.read_bytes())
    content[-3] ^= 0x10
    damaged.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        again = open_log(tmp_path / "t-0", SMALL_SEGMENTS)
    assert bases[1] <= again.end_offset < bases[2]
    assert [header.base_offset for header in read_headers(again)] == list(range(0, again.end_offset, 2))
    kept = asides(tmp_path / "t-0")
    assert len(kept) == 1 + len(bases) - 2
    assert "is kept" in caplog.text
    assert "computed crc" in caplog.text
    append(again, batch_of(1))
    again.close()
    assert open_log(tmp_path / "t-0", SMALL_SEGMENTS).end_offset == again.end_offset


def test_only_segments_behind_the_recovery_point_are_checked(tmp_path: Path) -> None:
    log = crashed_log(tmp_path / "t-0", 20)
    recovery_point = log.segments[-2].base_offset
    damaged = log.segments[0].path
    content = bytearray(damaged.read_bytes())
    content[-3] ^= 0x10
    damaged.write_bytes(content)
    assert open_log(tmp_path / "t-0", SMALL_SEGMENTS, recovery_point=recovery_point).end_offset == 40


def test_a_segment_that_was_not_trimmed_before_the_next_began(tmp_path: Path) -> None:
    log = crashed_log(tmp_path / "t-0", 20)
    with log.segments[0].path.open("ab") as file:
        file.write(bytes(100))
    again = open_log(tmp_path / "t-0", SMALL_SEGMENTS)
    assert again.end_offset == 40
    assert len(read_headers(again)) == 20


@pytest.mark.parametrize("was_clean", [True, False])
@pytest.mark.parametrize("suffix", [".index", ".timeindex"])
@pytest.mark.parametrize("damage", ["missing", "odd", "garbage", "zeros", "stale", "far"])
def test_indexes_are_rebuilt(tmp_path: Path, was_clean: bool, suffix: str, damage: str) -> None:
    directory = tmp_path / "t-0"
    log = crashed_log(directory, 20, LogConfig(segment_bytes=1200, index_interval_bytes=100))
    log.close()
    path = log.segments[0].path.with_suffix(suffix)
    entry_bytes = 8 if suffix == ".index" else 12
    good = path.read_bytes()
    assert len(good) >= 3 * entry_bytes
    if damage == "missing":
        path.unlink()
    elif damage == "odd":
        path.write_bytes(good[:-1])
    elif damage == "garbage":
        path.write_bytes(bytes(range(255, 255 - entry_bytes, -1)) * 3)
    elif damage == "zeros":
        path.write_bytes(good + bytes(entry_bytes * 2))
    elif damage == "stale":
        path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    else:
        path.write_bytes(good[:-4] + b"\x7f\xff\xff\xff")
    again = open_log(directory, LogConfig(segment_bytes=1200, index_interval_bytes=100), was_clean=was_clean)
    for offset in range(40):
        assert again.read(offset, 1).first_offset == offset // 2 * 2
    for number in range(20):
        found = again.offset_for_timestamp(NOW_MS + number * 10)
        assert found == (number * 2, NOW_MS + number * 10)


def test_orphans_and_leftovers_are_cleared_away(tmp_path: Path) -> None:
    directory = tmp_path / "t-0"
    crashed_log(directory, 3).close()
    for name in (f"{99:020d}.index", f"{0:020d}.log.deleted", f"{0:020d}.log.cleaned", "x.tmp"):
        (directory / name).write_bytes(b"left over")
    log = open_log(directory, SMALL_SEGMENTS)
    assert log.end_offset == 6
    names = {path.name for path in directory.iterdir()}
    assert not {name for name in names if name.endswith((".deleted", ".cleaned", ".tmp"))}
    assert f"{99:020d}.index" not in names


def test_a_swap_takes_the_place_of_what_it_replaces(tmp_path: Path) -> None:
    directory = tmp_path / "t-0"
    log = crashed_log(directory, 12)
    before = read_records(log)
    log.close()
    replaced = list(log.segments)[:2]
    swap = directory / f"{0:020d}.log.swap"
    swap.write_bytes(b"".join(segment.path.read_bytes() for segment in replaced))
    (directory / f"{0:020d}.index.swap").write_bytes(b"")
    again = open_log(directory, SMALL_SEGMENTS, was_clean=True)
    assert read_records(again) == before
    assert len(again.segments) == len(log.segments) - 1
    assert not swap.exists()


def test_everything_before_the_log_start_is_gone(tmp_path: Path) -> None:
    crashed_log(tmp_path / "t-0", 3)
    log = open_log(tmp_path / "t-0", SMALL_SEGMENTS, log_start_offset=100)
    assert (log.log_start_offset, log.end_offset) == (100, 100)
    assert append(log, batch_of(1)).base_offset == 100


def test_a_second_crash_during_recovery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "t-0"
    log = crashed_log(directory, 20)
    path, size_bytes = log.segments.active.path, log.segments.active.size_bytes
    path.write_bytes(path.read_bytes()[: size_bytes - 1])

    class Crash(BaseException):
        pass

    def crash(segment: Segment) -> None:
        segment.index.clear()
        raise Crash

    monkeypatch.setattr(Segment, "finish_indexes", crash)
    with pytest.raises(Crash):
        open_log(directory, SMALL_SEGMENTS)
    monkeypatch.undo()
    again = open_log(directory, SMALL_SEGMENTS)
    assert again.end_offset == 38
    assert len(read_headers(again)) == 19


def test_leader_epochs_come_back_from_the_batches(tmp_path: Path) -> None:
    directory = tmp_path / "t-0"
    log = open_log(directory)
    for epoch in (0, 0, 2, 5, 5):
        append(log, batch_of(2), leader_epoch=epoch)
    expected = [(0, 0), (2, 4), (5, 6)]
    assert log.leader_epochs.entries == expected
    for content in (None, b"", b"0\n1\n0 0\n", b"0\n9\n", b"\xff"):
        path = directory / "leader-epoch-checkpoint"
        path.unlink() if content is None else path.write_bytes(content)
        assert open_log(directory).leader_epochs.entries == expected


def test_producers_and_transactions_come_back(tmp_path: Path) -> None:
    directory = tmp_path / "t-0"
    config = LogConfig(segment_bytes=400)
    log = open_log(directory, config)
    for sequence in range(8):
        append(
            log, batch_of(1, producer_id=5, producer_epoch=0, base_sequence=sequence, is_transactional=True)
        )
        if sequence % 3 == 1:
            end_transaction(log, 5, is_commit=False)
    append(log, batch_of(1, producer_id=6, producer_epoch=1, base_sequence=0))
    assert len(log.segments) > 2
    expected = _state_of(log)
    assert any(segment.txn_index.entries for segment in log.segments)
    for damage in ("nothing", "snapshots", "corrupt snapshots", "txn index"):
        copy = tmp_path / damage
        shutil.copytree(directory, copy)
        for path in copy.glob("*.snapshot"):
            if damage == "snapshots":
                path.unlink()
            elif damage == "corrupt snapshots":
                path.write_bytes(path.read_bytes()[:-1] + b"\x55")
        if damage == "txn index":
            for path in copy.glob("*.txnindex"):
                path.write_bytes(b"odd")
        assert _state_of(open_log(copy, config)) == expected
    log.close()
    assert _state_of(open_log(directory, config, was_clean=True)) == expected
    for path in directory.glob("*.txnindex"):
        path.write_bytes(path.read_bytes() + b"odd")
    assert _state_of(open_log(directory, config, was_clean=True)) == expected


def _state_of(log: PartitionLog) -> object:
    producers = {
        producer_id: (entry.epoch, entry.batches[-1:], entry.txn_first_offset, entry.coordinator_epoch)
        for producer_id, entry in log.producers.entries.items()
    }
    aborted = [entry for segment in log.segments for entry in segment.txn_index.entries]
    return producers, aborted, log.last_stable_offset, log.end_offset


def test_a_clean_start_reads_no_old_segment(tmp_path: Path) -> None:
    directory = tmp_path / "t-0"
    log = crashed_log(directory, 200)
    log.close()
    again = open_log(directory, SMALL_SEGMENTS, was_clean=True)
    opened = [segment for segment in again.segments if segment._file is not None]
    assert opened == [again.segments.active]
    assert again.end_offset == 400


def test_indexes_that_are_right_are_written_over_and_not_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Emptying a file and filling it again costs milliseconds on some disks, and there may be thousands."""
    crashed_log(tmp_path / "t-0", 20)
    paths = sorted(path for path in (tmp_path / "t-0").iterdir() if path.suffix in (".index", ".timeindex"))
    open_log(tmp_path / "t-0", SMALL_SEGMENTS)
    contents = [path.read_bytes() for path in paths]
    assert any(contents)

    def refuse(*_: object) -> None:
        raise AssertionError("a file is cut")

    opened = os.open

    def open_whole(path: str | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        assert not flags & os.O_TRUNC
        return opened(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", open_whole)
    monkeypatch.setattr(os, "ftruncate", refuse)
    open_log(tmp_path / "t-0", SMALL_SEGMENTS)
    assert [path.read_bytes() for path in paths] == contents
