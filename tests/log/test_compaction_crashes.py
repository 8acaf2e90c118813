"""A process that dies at any step of a compaction, and again while it recovers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kstream.log.config import LogConfig
from kstream.log.partition import PartitionLog
from tests.log.support import (
    NOW_MS,
    append,
    compact,
    end_transaction,
    keyed_batch,
    open_log,
    read_records,
)
from tests.log.test_crashes import Died, DyingPlatform

CONFIG = LogConfig(cleanup_policy=("compact",), segment_bytes=900, index_interval_bytes=150)
FOR_EVER = 1 << 30


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[DyingPlatform]:
    """Dies at renames and deletions, too."""
    platform = DyingPlatform(FOR_EVER, 0.5)

    def dying(real: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            platform._count()
            return real(*arguments, **options)

        return call

    for name in ("rename", "replace", "unlink", "utime"):
        monkeypatch.setattr(os, name, dying(getattr(os, name)))
    yield platform
    platform.calls_left = FOR_EVER


def filled(directory: Path, platform: DyingPlatform) -> PartitionLog:
    """Eight keys written over and over, a producer with sequences, an aborted transaction here and there."""
    log = open_log(directory, CONFIG, platform=platform)
    for number in range(40):
        batch = keyed_batch(
            (f"k{number % 8}", str(number)), producer_id=1, producer_epoch=0, base_sequence=number
        )
        append(log, batch)
        if number % 10 == 5:
            aborted = keyed_batch(
                ("k1", "aborted"),
                producer_id=2,
                producer_epoch=0,
                base_sequence=number // 10,
                is_transactional=True,
            )
            append(log, aborted)
            end_transaction(log, 2, is_commit=False)
    log.roll(NOW_MS)
    return log


def contents(log: PartitionLog) -> dict[int, tuple[bytes | None, bytes | None]]:
    return {record.offset: (record.key, record.value) for record in read_records(log) if record.headers}


def last_values(stored: dict[int, tuple[bytes | None, bytes | None]]) -> dict[bytes | None, bytes | None]:
    return {key: value for key, value in stored.values() if value != b"aborted"}


def test_death_at_every_step(tmp_path: Path, platform: DyingPlatform) -> None:
    steps = 0
    while True:
        directory = tmp_path / f"t-{steps}"
        platform.calls_left = FOR_EVER
        log = filled(directory, platform)
        before, end_offset = contents(log), log.end_offset
        assert len(log.segments) > 5
        platform.calls_left = steps
        try:
            compact(log)
        except Died:
            check_recovery(directory, platform, steps, before, end_offset)
        else:
            break
        steps += 1
    assert steps > 60
    platform.calls_left = FOR_EVER
    assert len(contents(log)) == 8


def check_recovery(
    directory: Path,
    platform: DyingPlatform,
    steps: int,
    before: dict[int, tuple[bytes | None, bytes | None]],
    end_offset: int,
) -> None:
    platform.calls_left = steps % 7
    try:
        again = open_log(directory, CONFIG, platform=platform, recovery_point=end_offset * (steps % 2))
    except Died:
        platform.calls_left = FOR_EVER
        again = open_log(directory, CONFIG, platform=platform, recovery_point=end_offset * (steps % 2))
    platform.calls_left = FOR_EVER
    assert (again.log_start_offset, again.end_offset, again.last_stable_offset) == (0, end_offset, end_offset)
    found = contents(again)
    assert found.items() <= before.items()
    assert last_values(found) == last_values(before)
    names = {path.name for path in directory.iterdir()}
    assert not [name for name in names if name.endswith((".cleaned", ".swap", ".deleted"))]
    last = keyed_batch(("k7", "39"), producer_id=1, producer_epoch=0, base_sequence=39)
    assert append(again, last).is_duplicate
    # Aborted records that are still there are still known as aborted, and no others are.
    slices = again.aborted_transactions(0, again.read(0, 1 << 20))
    left = {offset for offset, (_, value) in found.items() if value == b"aborted"}
    first_segment_end = again.segments[1].base_offset
    assert {offset for offset in left if offset < first_segment_end} <= {t.first_offset for t in slices}
    compact(again)
    compact(again)
    assert sorted(last_values(contents(again)).items()) == sorted(last_values(before).items())
    assert len(contents(again)) == 8
