"""Kafka's own tool reads every file that a log writes, and finds nothing to complain about."""

from __future__ import annotations

from pathlib import Path

import pytest

from compat.kafka_jars import KafkaUnavailable
from compat.kafka_tools import dump
from kstream.log.config import LogConfig
from kstream.records.compression import Codec
from tests.log.support import NOW_MS, append, batch_of, compact, end_transaction, keyed_batch, open_log

pytestmark = pytest.mark.java

CONFIG = LogConfig(segment_bytes=20_000, index_interval_bytes=1000)


@pytest.fixture(scope="module", params=["clean", "recovered"])
def directory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three segments with all codecs, a transactional producer, and times out of order."""
    directory = tmp_path_factory.mktemp("dump") / "orders-0"
    log = open_log(directory, CONFIG)
    for number in range(300):
        timestamp_ms = NOW_MS + number * 10 - number * 37 % 90
        codec = Codec(number % 5)
        append(
            log, batch_of(number % 4 + 1, timestamp_ms=timestamp_ms, value=bytes(number % 200), codec=codec)
        )
        if number % 3 == 0:
            batch = batch_of(
                1, producer_id=7, producer_epoch=0, base_sequence=number // 3, is_transactional=True
            )
            append(log, batch)
        if number % 10 == 9:
            end_transaction(log, 7, is_commit=number % 20 == 9)
    if request.param == "recovered":
        del log
        log = open_log(directory, CONFIG)
    log.close()
    return directory


@pytest.fixture(scope="module")
def compacted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that compaction makes: holes, recompressed batches, delete horizons, empty batches, markers."""
    directory = tmp_path_factory.mktemp("compacted") / "orders-0"
    log = open_log(directory, CONFIG)
    for number in range(600):
        records = [(f"k{(number * 7 + at) % 50}", None if number % 11 == 5 else "v" * 40) for at in range(5)]
        is_transactional = number % 3 == 0
        append(
            log,
            keyed_batch(
                *records,
                timestamp_ms=NOW_MS + number * 10,
                codec=Codec(number % 5),
                producer_id=7 + number % 3,
                producer_epoch=0,
                base_sequence=number // 3 * 5,
                is_transactional=is_transactional,
            ),
        )
        if is_transactional:
            end_transaction(log, 7, is_commit=number % 2 == 0)
    log.roll(NOW_MS)
    compact(log, now_ms=NOW_MS)
    compact(log, now_ms=NOW_MS + 10)
    for number in range(20):
        append(log, keyed_batch(("k1", "v" * 100), timestamp_ms=NOW_MS + 10_000 + number))
    log.close()
    return directory


def test_what_compaction_wrote(compacted: Path) -> None:
    suffixes = [".log", ".index", ".timeindex", ".txnindex", ".snapshot"]
    lines = dumped(compacted, suffixes, "--deep-iteration")
    batches = [line for line in lines if line.startswith("baseOffset:")]
    assert all(line.endswith("isvalid: true") for line in batches)
    assert sum("deleteHorizonMs: OptionalLong[" in line for line in batches) > 0
    assert sum("count: 0 " in line for line in batches) > 0
    for codec in ("gzip", "snappy", "lz4", "zstd"):
        assert any(f"compresscodec: {codec}" in line for line in batches)
    assert 50 < sum(line.startswith("| offset:") for line in lines) < 1000
    expected = (
        *("baseOffset:", "| offset:", "offset:", "timestamp:", "version:", "producerId:"),
        *("Dumping", "Log starting", "Non-consecutive offsets", "  "),
    )
    assert [line for line in lines if not line.startswith(expected)] == []
    lines = dumped(compacted, [".index", ".timeindex"], "--index-sanity-check")
    assert sum(line.endswith("passed sanity check.") for line in lines) == len(lines) // 2


def dumped(directory: Path, suffixes: list[str], *options: str) -> list[str]:
    files = sorted(path for suffix in suffixes for path in directory.glob(f"*{suffix}"))
    assert len(files) > 2
    try:
        return dump(files, *options)
    except KafkaUnavailable as reason:
        pytest.skip(str(reason))


def test_every_record_and_every_index_entry(directory: Path) -> None:
    lines = dumped(directory, [".log", ".index", ".timeindex", ".txnindex", ".snapshot"], "--deep-iteration")
    batches = [line for line in lines if line.startswith("baseOffset:")]
    assert len(batches) == 300 + 100 + 30
    assert all(line.endswith("isvalid: true") for line in batches)
    assert sum(line.startswith("| offset:") for line in lines) == open_log(directory, CONFIG).end_offset
    assert sum("lastStableOffset:" in line for line in lines) == 15
    assert sum(line.startswith("producerId: 7") for line in lines) >= 3
    # The tool takes any segment that does not begin at offset 0 for one behind a gap.
    expected = (
        *("baseOffset:", "| offset:", "offset:", "timestamp:", "version:", "producerId:"),
        *("Dumping", "Log starting", "Non-consecutive offsets", "  -1 is followed by"),
    )
    remarks = [line for line in lines if not line.startswith(expected)]
    assert remarks == []


def test_indexes_pass_the_sanity_check(directory: Path) -> None:
    lines = dumped(directory, [".index", ".timeindex"], "--index-sanity-check")
    passed = [line for line in lines if line.endswith("passed sanity check.")]
    assert len(passed) == len(list(directory.glob("*.index"))) * 2
