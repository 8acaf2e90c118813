"""A simulated disk: it remembers what was synced, and a power cut leaves any part of the rest.

Of a `.log`, every page that was written since the last sync is there or not, each by itself, and behind a
reservation nothing of what was cut off before once a page is there. Another file that changed since is as it
was synced, as it is, or cut short. A name that came since its directory was synced is there or not, and one
that went, by a deletion or a renaming, can be back. Whatever the cut leaves, what a flush acknowledged is
there afterwards.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from kstream.log.closing import close_all
from kstream.log.config import LogConfig
from kstream.log.partition import PartitionLog
from kstream.log.platform import Buffer, Platform
from kstream.records.batch import iter_headers
from kstream.records.record import iter_records
from tests.log.support import NOW_MS, append, batch_of, compact, keyed_batch, open_log

PAGE_BYTES = 512
CONFIG = LogConfig(
    segment_bytes=2500, index_interval_bytes=300, cleanup_policy=("compact",), delete_retention_ms=0
)


class SimulatedDisk(Platform):
    """Keeps, by inode, what was synced and the writes since; and which names a synced directory has."""

    def __init__(self) -> None:
        super().__init__(fallocate=True, fdatasync=True, sendfile=True, nowait=True)
        self.synced: dict[int, bytes] = {}
        self.written: dict[int, list[tuple[int, bytes | None]]] = {}
        """None where space was reserved: what was behind it had been cut off."""
        self.names: dict[str, int] = {}
        self.held: dict[int, int] = {}
        """Descriptors by inode, so that no inode is given again and what was unlinked can be read."""
        self.write_vector = self._write

    def starts_with(self, directory: Path) -> None:
        """What a power cut left is on the disk."""
        for path in directory.iterdir():
            self.sync_path(path)
        self.sync_directory(directory)

    def _write(self, fd: int, pieces: Sequence[Buffer], position: int) -> int:
        content = b"".join(pieces)
        inode = self._hold(fd).st_ino
        self.written.setdefault(inode, []).append((position, content))
        return os.pwrite(fd, content, position)

    def reserve(self, fd: int, position: int, size_bytes: int) -> None:
        self.written.setdefault(self._hold(fd).st_ino, []).append((position, None))
        super().reserve(fd, position, size_bytes)

    def _hold(self, fd: int) -> os.stat_result:
        status = os.fstat(fd)
        if status.st_ino not in self.held:
            self.held[status.st_ino] = os.dup(fd)
        return status

    def sync_data(self, fd: int) -> None:
        status = self._hold(fd)
        self.synced[status.st_ino] = os.pread(fd, status.st_size, 0)
        self.written[status.st_ino] = []

    def sync_directory(self, path: str | os.PathLike[str]) -> None:
        with os.scandir(path) as entries:
            self.names = {entry.name: entry.inode() for entry in entries if entry.is_file()}
        for name, inode in self.names.items():
            if inode not in self.held:
                self.held[inode] = os.open(Path(path) / name, os.O_RDONLY)

    def close(self) -> None:
        for fd in self.held.values():
            os.close(fd)

    def cut(self, directory: Path, target: Path, chance: random.Random) -> None:
        """What a machine finds that starts again."""
        target.mkdir()
        now = {path.name: path.stat().st_ino for path in directory.iterdir()}
        for name in sorted(now.keys() | self.names.keys()):
            inodes = [inode for inode in (now.get(name), self.names.get(name)) if inode is not None]
            inode = chance.choice(inodes)
            if len({now.get(name), self.names.get(name)}) == 2 and len(inodes) == 1 and chance.random() < 0.5:
                continue  # it came, or went, since the directory was synced
            (target / name).write_bytes(self._content(directory / name, inode, chance))

    def _content(self, path: Path, inode: int, chance: random.Random) -> bytes:
        if path.name.endswith((".log", ".log.cleaned", ".log.swap", ".log.deleted")):
            return self._torn(inode, chance)
        if inode in self.held:
            now = os.pread(self.held[inode], 1 << 24, 0)
        else:
            now = path.read_bytes()
        before = self.synced.get(inode)
        return now if before == now else chance.choice([before or b"", now, now[: len(now) // 2]])

    def _torn(self, inode: int, chance: random.Random) -> bytes:
        content = bytearray(self.synced.get(inode, b""))
        reserved_from: int | None = None
        for position, written in self.written.get(inode, []):
            if written is None:
                reserved_from = position if reserved_from is None else min(position, reserved_from)
                continue
            for at in range(0, len(written), PAGE_BYTES):
                page = written[at : at + PAGE_BYTES]
                if chance.random() < 0.6:
                    if reserved_from is not None:
                        # A journal keeps the order: new blocks have nothing of what was cut off before.
                        del content[reserved_from:]
                        reserved_from = None
                    end = position + at + len(page)
                    content.extend(bytes(max(0, end - len(content))))
                    content[position + at : end] = page
        return bytes(content)


def values(log: PartitionLog) -> dict[int, bytes | None]:
    """What can be read, over holes where segments that were never synced are gone."""
    found: dict[int, bytes | None] = {}
    offset = log.log_start_offset
    while offset < log.end_offset:
        view = log.read(offset, 1 << 20).view()
        offset += 1
        position = 0
        for header in iter_headers(view):
            for record in iter_records(view, position, header=header):
                found[record.offset] = record.value
            position += header.size_bytes
            offset = header.next_offset
    return found


def test_a_segment_that_was_rolled_behind_its_sync(tmp_path: Path) -> None:
    disk = SimulatedDisk()
    log = open_log(tmp_path / "t-0", CONFIG, platform=disk)
    append(log, batch_of(1))
    acknowledged = log.flush()
    log.roll(NOW_MS)
    disk.sync_directory(log.directory)
    # The roll gave reserved space back, but that was not synced.
    disk.cut(log.directory, tmp_path / "after", random.Random(1))
    again = open_log(tmp_path / "after", CONFIG, recovery_point=acknowledged)
    assert (again.end_offset, list(values(again))) == (1, [0])


STEPS = st.lists(
    st.sampled_from(
        ["append", "append", "append", "large", "flush", "flush", "roll", "compact", "checkpoint", "delete"]
    ),
    min_size=1,
    max_size=40,
)


SEEDS = st.integers(0, 2**32)


@given(steps=STEPS, seed=SEEDS)
@settings(max_examples=60)
def test_what_a_flush_acknowledged_is_there(steps: list[str], seed: int) -> None:
    cut_at_any_time(steps, seed)


@given(steps=STEPS, seed=SEEDS)
@settings(max_examples=40)
def test_what_a_stop_closed_in_order_is_there(steps: list[str], seed: int) -> None:
    cut_behind_a_stop(steps, seed)


@given(steps=STEPS, seed=SEEDS)
@settings(max_examples=40)
def test_what_is_acknowledged_behind_a_power_cut_outlives_the_next(steps: list[str], seed: int) -> None:
    cut_twice(steps, seed)


def cut_at_any_time(steps: list[str], seed: int) -> None:
    """Take the steps and cut the power: what a flush acknowledged is there."""
    with tempfile.TemporaryDirectory(prefix="kstream-disk-") as root, closing(SimulatedDisk()) as disk:
        _run(Path(root), disk, steps, random.Random(seed))


def cut_behind_a_stop(steps: list[str], seed: int) -> None:
    """Take the steps, stop, and cut the power: all is there."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="kstream-disk-") as root, closing(SimulatedDisk()) as disk:
        log = open_log(Path(root, "t-0"), CONFIG, platform=disk)
        _take(log, steps)
        expected = values(log)
        assert close_all([log], -1) == []
        for attempt in range(3):
            target = Path(root, f"after-{attempt}")
            disk.cut(log.directory, target, chance)
            start = log.log_start_offset
            again = open_log(target, CONFIG, log_start_offset=start, was_clean=True)
            assert (again.recovery_point, values(again)) == (log.end_offset, expected)
            again.close(clean=False)


def cut_twice(steps: list[str], seed: int) -> None:
    """Take the steps, cut the power, start again, take them once more, and cut: no start trusts what the one
    before left unsynced.
    """
    chance = random.Random(seed)
    with (
        tempfile.TemporaryDirectory(prefix="kstream-disk-") as root,
        closing(SimulatedDisk()) as disk,
        closing(SimulatedDisk()) as next_disk,
    ):
        log = open_log(Path(root, "t-0"), CONFIG, platform=disk)
        acknowledged, recovery_point = _take(log, steps)
        target = Path(root, "after")
        disk.cut(log.directory, target, chance)
        log.close(clean=False)
        next_disk.starts_with(target)
        again = open_log(target, CONFIG, recovery_point=recovery_point, platform=next_disk)
        acknowledged_next, recovery_point = _take(again, steps)
        _check_cuts(
            Path(root), again, next_disk, max(acknowledged, acknowledged_next), recovery_point, chance
        )


def _run(root: Path, disk: SimulatedDisk, steps: list[str], chance: random.Random) -> None:
    log = open_log(root / "t-0", CONFIG, platform=disk)
    _check_cuts(root, log, disk, *_take(log, steps), chance)


def _check_cuts(
    root: Path,
    log: PartitionLog,
    disk: SimulatedDisk,
    acknowledged: int,
    recovery_point: int,
    chance: random.Random,
) -> None:
    expected = {offset: value for offset, value in values(log).items() if offset < acknowledged}
    for attempt in range(3):
        target = root / f"after-{attempt}"
        disk.cut(log.directory, target, chance)
        again = open_log(target, CONFIG, recovery_point=recovery_point)
        found = values(again)
        assert again.end_offset >= acknowledged
        assert {offset: found.get(offset) for offset in expected} == expected
        append(again, batch_of(1))
        assert len(values(again)) == len(found) + 1
        again.close(clean=False)
        shutil.rmtree(target)
    log.close(clean=False)


def _take(log: PartitionLog, steps: list[str]) -> tuple[int, int]:
    """Take the steps; up to where a flush acknowledged, and what the checkpoint would say."""
    acknowledged = 0
    recovery_point = log.recovery_point
    for number, step in enumerate(steps):
        if step == "append":
            value = f"{number}"
            append(log, keyed_batch((f"k{number % 5}", value), (f"k{number % 3}", value)))
        elif step == "large":
            append(log, batch_of(3, value=bytes(600)))
        elif step == "flush":
            acknowledged = log.flush()
        elif step == "roll":
            log.roll(NOW_MS)
        elif step == "compact":
            compact(log)
        elif step == "delete":
            log.delete_records((log.log_start_offset + acknowledged) // 2)
            log.delete_old_segments(NOW_MS).finish()
        else:
            log.flush_rolled()
            recovery_point = log.recovery_point
    return acknowledged, recovery_point
