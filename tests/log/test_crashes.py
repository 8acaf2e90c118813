"""A process that dies at any of its writes: what was acknowledged is there afterwards, once and in order."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from kstream.log.config import LogConfig
from kstream.log.partition import PartitionLog
from kstream.log.platform import Buffer, Platform
from tests.log.support import NOW_MS, append, batch_of, end_transaction, open_log, read_records

CONFIG = LogConfig(segment_bytes=700, index_interval_bytes=200)


class Died(BaseException):
    """The process is gone."""


class DyingPlatform(Platform):
    """Dies at the nth call that changes or syncs a file; a write may be torn before."""

    def __init__(self, calls_left: int, torn_part: float) -> None:
        super().__init__(fallocate=True, fdatasync=True, sendfile=True, nowait=True)
        self.calls_left = calls_left
        self.torn_part = torn_part
        self.write_vector = self._write

    def _count(self) -> None:
        if self.calls_left == 0:
            raise Died
        self.calls_left -= 1

    def _write(self, fd: int, pieces: Sequence[Buffer], position: int) -> int:
        content = b"".join(pieces)
        if self.calls_left == 0:
            os.pwrite(fd, content[: int(len(content) * self.torn_part)], position)
        self._count()
        return os.pwrite(fd, content, position)

    def reserve(self, fd: int, position: int, size_bytes: int) -> None:
        self._count()
        super().reserve(fd, position, size_bytes)

    def sync_data(self, fd: int) -> None:
        self._count()  # the page cache survives a process: no disk is waited for

    def sync_directory(self, path: str | os.PathLike[str]) -> None:
        self._count()


def work(log: PartitionLog, acknowledged: list[bytes]) -> None:
    """Idempotent and transactional appends, flushes, and a clean stop."""
    for number in range(24):
        value = b"%03d" % number
        append(log, batch_of(2, value=value, producer_id=1, producer_epoch=0, base_sequence=number * 2))
        acknowledged.append(value)
        append(log, batch_of(1, producer_id=2, producer_epoch=0, base_sequence=number, is_transactional=True))
        if number % 5 == 4:
            end_transaction(log, 2, is_commit=number % 2 == 0)
        if number % 7 == 6:
            log.flush()
    log.close()


def values_of_producer_1(log: PartitionLog) -> list[bytes]:
    """What its batches hold, one value a batch."""
    return [record.value for record in read_records(log) if record.value and record.value.isdigit()][::2]


@pytest.mark.parametrize("torn_part", [0, 0.5, 1])
def test_death_at_every_call(tmp_path: Path, torn_part: float) -> None:
    calls = 0
    while True:
        directory = tmp_path / f"t-{calls}"
        acknowledged: list[bytes] = []
        platform = DyingPlatform(calls, torn_part)
        log = open_log(directory, CONFIG, platform=platform)
        try:
            work(log, acknowledged)
        except Died:
            recovery_point = log.recovery_point
            del log
            again = open_log(directory, CONFIG, recovery_point=recovery_point)
            found = values_of_producer_1(again)
            assert found[: len(acknowledged)] == acknowledged
            assert len(found) <= len(acknowledged) + 1
            resume(again, len(found))
        else:
            assert len(acknowledged) == 24
            break
        calls += 1
    assert calls > 70


def resume(log: PartitionLog, count: int) -> None:
    """The producer retries its last batch and goes on."""
    value = b"%03d"
    if count:
        batch = batch_of(
            2, value=value % (count - 1), producer_id=1, producer_epoch=0, base_sequence=count * 2 - 2
        )
        assert append(log, batch).is_duplicate
    batch = batch_of(2, value=value % count, producer_id=1, producer_epoch=0, base_sequence=count * 2)
    assert not append(log, batch, now_ms=NOW_MS).is_duplicate
    assert values_of_producer_1(log) == [value % number for number in range(count + 1)]
