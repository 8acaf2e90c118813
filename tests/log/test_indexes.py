"""Offset and time indexes against a list, in memory and on file."""

from __future__ import annotations

import struct
import subprocess
import sys
from bisect import bisect_left, bisect_right
from pathlib import Path

import pytest

from kstream.log.indexes import CorruptIndex, OffsetIndex, TimeIndex

COUNTS = [0, 1, 5, 511, 512, 513, 1024, 1500, 5000]


def filled(path: Path, count: int, *, reload: bool) -> OffsetIndex:
    """An index with entries (10, 100), (20, 200) and so on."""
    index = OffsetIndex(path)
    index.clear()
    for number in range(1, count + 1):
        index.append(number * 10, number * 100)
    if reload:
        index.flush()
        index = OffsetIndex(path)
        index.load()
    return index


@pytest.mark.parametrize("reload", [False, True])
@pytest.mark.parametrize("count", COUNTS)
def test_searches(tmp_path: Path, count: int, reload: bool) -> None:
    index = filled(tmp_path / "i.index", count, reload=reload)
    keys = [number * 10 for number in range(1, count + 1)]
    assert index.count == count
    assert index.last() == ((count * 10, count * 100) if count else None)
    step = max(1, count // 50)
    for wanted in [0, 9, 10, 11, *range(5, count * 10 + 20, step * 7)]:
        number = bisect_right(keys, wanted)
        assert index.floor(wanted) == ((number * 10, number * 100) if number else None)
        number = bisect_left(keys, wanted) + 1
        assert index.first_with_value_from(wanted * 10) == (
            (number * 10, number * 100) if number <= count else None
        )


@pytest.mark.parametrize("reload", [False, True])
@pytest.mark.parametrize("count", COUNTS)
def test_truncation_then_more(tmp_path: Path, count: int, reload: bool) -> None:
    for keep in {0, count // 2, max(0, count - 1), count}:
        index = filled(tmp_path / "i.index", count, reload=reload)
        index.truncate(key=keep * 10 + 1)
        assert index.count == keep
        index.append(keep * 10 + 5, keep * 100 + 5)
        index.flush()
        again = OffsetIndex(tmp_path / "i.index")
        again.load()
        assert again.count == keep + 1
        assert again.last() == (keep * 10 + 5, keep * 100 + 5)
        again.truncate(value=keep * 100 + 5)
        assert again.count == keep


def test_files_are_kafkas_bytes(tmp_path: Path) -> None:
    index, time_index = OffsetIndex(tmp_path / "i.index"), TimeIndex(tmp_path / "i.timeindex")
    index.append(0x01020304, 0x05060708)
    index.flush()
    assert index.path.read_bytes() == bytes(range(1, 9))
    time_index.append_if_later(0x0102030405060708, 0x090A0B0C)
    time_index.append_if_later(0x0102030405060708, 0x090A0B0D)
    time_index.append_if_later(0x0102030405060709, 0x090A0B0C)
    time_index.flush()
    assert time_index.path.read_bytes() == bytes(range(1, 13))


def test_disorder_is_found_near_the_end_at_once_and_elsewhere_when_searched(tmp_path: Path) -> None:
    path = tmp_path / "i.index"
    filled(path, 2000, reload=True)
    good = path.read_bytes()
    path.write_bytes(good[: 1999 * 8] + struct.pack(">II", 5, 5))
    with pytest.raises(CorruptIndex):
        OffsetIndex(path).load()
    path.write_bytes(good[:80] + struct.pack(">II", 5, 5) + good[88:])
    index = OffsetIndex(path)
    index.load()
    assert index.floor(19_990) == (19_990, 199_900)
    with pytest.raises(CorruptIndex):
        index.floor(10)


def test_numpy_is_imported_only_for_what_is_not_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "i.index"
    filled(path, 2000, reload=True)
    program = (
        "import sys; from pathlib import Path; from kstream.log.partition import PartitionLog;"
        "from kstream.log.indexes import OffsetIndex; index = OffsetIndex(Path(sys.argv[1])); index.load();"
        "assert index.floor(19_999) == (19_990, 199_900); print('numpy' in sys.modules, end=' ');"
        "assert index.floor(15) == (10, 100); print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_entries_that_were_only_reserved_are_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "0.index"
    index = OffsetIndex(path)
    index.clear()
    for number in range(1, 700):
        index.append(number * 256, number * 65536)
    index.flush()
    content = path.read_bytes()
    path.write_bytes(content + bytes(10_000 * 8))
    again = OffsetIndex(path)
    again.load()
    assert (again.count, again.last()) == (699, (699 * 256, 699 * 65536))
    assert path.read_bytes() == content
    path.write_bytes(bytes(16))
    again.load()
    assert again.count == 0
