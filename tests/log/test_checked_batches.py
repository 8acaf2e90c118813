"""A file that is checked from beginning to end: by pieces, with the disk a bounded distance in front."""

from __future__ import annotations

from pathlib import Path

import pytest

from kstream.log import checked_batches
from kstream.log.checked_batches import READ_AHEAD_BYTES, CheckedBatches
from kstream.log.files import SegmentFile
from kstream.log.platform import Platform
from kstream.records.batch import read_header
from kstream.records.errors import CorruptBatch
from tests.log.support import batch_of

BUFFER_BYTES = 4096
"""In place of two MiB."""


class Asked(Platform):
    """Notes what is to be read ahead, and what was read."""

    def __init__(self) -> None:
        super().__init__(fallocate=True, fdatasync=True, sendfile=True, nowait=True, fadvise=True)
        self.ahead: list[tuple[int, int]] = []
        self.read_to = 0

    def read_ahead(self, fd: int, position: int, size_bytes: int) -> None:
        assert position + size_bytes - self.read_to <= READ_AHEAD_BYTES + checked_batches._BUFFER_BYTES
        self.ahead.append((position, position + size_bytes))
        super().read_ahead(fd, position, size_bytes)

    def read_into(self, fd: int, target: memoryview, position: int) -> int:
        count = super().read_into(fd, target, position)
        self.read_to = position + count
        return count


def checked(path: Path, platform: Platform, size_bytes: int | None = None) -> list[bytes]:
    """Each batch as `check` gives it."""
    content = path.read_bytes()
    size_bytes = len(content) if size_bytes is None else size_bytes
    counted = 0

    def count(more_bytes: int) -> None:
        nonlocal counted
        counted += more_bytes

    batches = CheckedBatches(SegmentFile(path, platform), size_bytes, count)
    found = []
    while batches.position < size_bytes:
        header = batches.header()
        buffer, at = batches.check(header)
        found.append(bytes(buffer[at : at + header.size_bytes]))
    assert counted == size_bytes
    return found


@pytest.mark.parametrize("value_bytes", [1, 1500, BUFFER_BYTES - 100, BUFFER_BYTES, 3 * BUFFER_BYTES])
def test_batches_are_found_whole_where_pieces_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value_bytes: int
) -> None:
    monkeypatch.setattr(checked_batches, "_BUFFER_BYTES", BUFFER_BYTES)
    written = [batch_of(1, value=b"%d" % (n % 10) * (value_bytes if n % 3 else 7)) for n in range(60)]
    path = tmp_path / "some.log"
    path.write_bytes(b"".join(written))
    assert checked(path, Platform.native()) == written
    assert checked(path, Platform.portable()) == written


@pytest.mark.parametrize("missing_bytes", [1, BUFFER_BYTES, 3 * BUFFER_BYTES])
def test_a_batch_that_is_cut_short_says_by_how_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing_bytes: int
) -> None:
    monkeypatch.setattr(checked_batches, "_BUFFER_BYTES", BUFFER_BYTES)
    batch = batch_of(1, value=bytes(4 * BUFFER_BYTES))
    path = tmp_path / "some.log"
    path.write_bytes(batch)
    batches = CheckedBatches(SegmentFile(path, Platform.native()), len(batch) - missing_bytes, None)
    assert batches.header() == read_header(batch)
    with pytest.raises(CorruptBatch, match=f"is {missing_bytes} bytes short"):
        batches.check(batches.header())
    assert batches.position == 0


def test_the_disk_reads_a_bounded_distance_in_front_and_each_byte_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked_batches, "_BUFFER_BYTES", BUFFER_BYTES)
    monkeypatch.setattr(checked_batches, "READ_AHEAD_BYTES", 5 * BUFFER_BYTES)
    monkeypatch.setitem(globals(), "READ_AHEAD_BYTES", 5 * BUFFER_BYTES)
    path = tmp_path / "some.log"
    path.write_bytes(b"".join([batch_of(1, value=bytes(700))] * 60))
    platform = Asked()
    checked(path, platform)
    begins, ends = zip(*platform.ahead, strict=True)
    assert begins[0] == BUFFER_BYTES
    assert ends[-1] == path.stat().st_size
    assert begins[1:] == ends[:-1]
    short = tmp_path / "short.log"
    short.write_bytes(batch_of(1))
    platform.ahead.clear()
    checked(short, platform)
    assert not platform.ahead, "one read brings all of it"
