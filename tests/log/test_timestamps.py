"""Search by time, exact to the record, in compressed batches too."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream.log.config import LogConfig
from kstream.records.batch import TimestampType
from kstream.records.builder import build_batch
from kstream.records.compression import Codec
from tests.log.support import NOW_MS, append, batch_of, open_log


@pytest.mark.parametrize("codec", list(Codec))
def test_the_record_is_found_inside_its_batch(tmp_path: Path, codec: Codec) -> None:
    log = open_log(tmp_path / "t-0")
    times = [5, 1, 9, 3, 9, 20, 11]
    append(log, build_batch([(time, None, b"x" * 100) for time in times[:4]], codec=codec))
    append(log, build_batch([(time, None, b"x" * 100) for time in times[4:]], codec=codec))
    for wanted in range(25):
        expected = next(((offset, time) for offset, time in enumerate(times) if time >= wanted), None)
        assert log.offset_for_timestamp(wanted) == expected
    assert log.max_timestamp() == (5, 20)


def test_the_first_of_equal_maxima(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    for _ in range(3):
        append(log, build_batch([(7, None, b"a"), (8, None, b"b"), (8, None, b"c")]))
    assert log.max_timestamp() == (1, 8)


def test_an_empty_log_has_no_times(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0")
    assert log.max_timestamp() is None
    assert log.offset_for_timestamp(0) is None
    append(log, batch_of(1, timestamp_ms=-1))
    assert log.max_timestamp() is None


def test_log_append_time_is_every_records_time(tmp_path: Path) -> None:
    log = open_log(tmp_path / "t-0", LogConfig(message_timestamp_type=TimestampType.LOG_APPEND_TIME))
    append(log, batch_of(3), now_ms=NOW_MS + 5)
    append(log, batch_of(3), now_ms=NOW_MS + 6)
    assert log.offset_for_timestamp(NOW_MS + 6) == (3, NOW_MS + 6)
    assert log.max_timestamp() == (3, NOW_MS + 6)


@given(
    times=st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=4), min_size=1, max_size=30),
    segment_bytes=st.sampled_from([200, 1000, 100_000]),
    interval=st.sampled_from([0, 150, 4096]),
    stop=st.sampled_from([None, True, False]),
    start_part=st.floats(0, 1),
)
def test_any_times_in_any_order(
    tmp_path_factory: pytest.TempPathFactory,
    times: list[list[int]],
    segment_bytes: int,
    interval: int,
    stop: bool | None,
    start_part: float,
) -> None:
    directory = tmp_path_factory.mktemp("times") / "t-0"
    config = LogConfig(segment_bytes=segment_bytes, index_interval_bytes=interval)
    log = open_log(directory, config)
    for batch in times:
        append(log, build_batch([(time, None, None) for time in batch]))
    if stop is not None:
        if stop:
            log.close()
        log = open_log(directory, config, was_clean=stop)
    flat = [time for batch in times for time in batch]
    start = log.delete_records(int(len(flat) * start_part))
    for wanted in range(0, 62, 3):
        expected = next(
            ((offset, time) for offset, time in enumerate(flat) if time >= wanted and offset >= start), None
        )
        assert log.offset_for_timestamp(wanted) == expected
