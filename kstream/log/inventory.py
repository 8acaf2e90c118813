"""What lies in a partition's directory, and what is to be cleared away before anything is read.

`.deleted` and `.cleaned` files are leftovers of a deletion or compaction that did not end; `.swap` files are
the result of a compaction whose originals may already be gone, so they take their place; `.tmp` files were
never finished; an index without its log is an orphan.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from kstream.log.platform import Platform
from kstream.log.segment import Segment
from kstream.log.txn_index import ENTRY_BYTES

_INDEX_SUFFIXES = (".index", ".timeindex", ".txnindex")
_LEFTOVER_SUFFIXES = (".deleted", ".cleaned", ".tmp")
_SWAP_SUFFIX = ".swap"


@dataclass(slots=True)
class Inventory:
    """The segments of a directory, ascending, with the sizes of their files."""

    segments: list[Segment]
    bad_txn_index_from: int | None
    """Base offset of the first segment whose transaction index cannot be one."""


def segment_sizes(directory: Path) -> tuple[tuple[int, int], ...]:
    """Base offset and bytes of each segment in a partition's directory, ascending. Raises OSError."""
    sizes = []
    with os.scandir(directory) as entries:
        for entry in entries:
            digits, _, suffix = entry.name.partition(".")
            if suffix == "log" and digits.isdecimal():
                sizes.append((int(digits), entry.stat().st_size))
    return tuple(sorted(sizes))


def take_inventory(directory: Path, platform: Platform, now_ms: int) -> Inventory:
    """List a partition's directory and clear it of leftovers. Raises OSError."""
    logs: dict[int, Segment] = {}
    indexes: list[tuple[int, os.DirEntry[str]]] = []
    swaps: list[Segment] = []
    swap_indexes: list[str] = []
    with os.scandir(directory) as entries:
        for entry in entries:
            name = entry.name
            if name.endswith(_LEFTOVER_SUFFIXES):
                os.unlink(entry.path)
                continue
            is_swap = name.endswith(_SWAP_SUFFIX)
            digits, dot, suffix = name.removesuffix(_SWAP_SUFFIX).partition(".")
            if len(digits) != 20 or not digits.isdecimal():
                continue
            base_offset = int(digits)
            suffix = dot + suffix
            if suffix == ".log":
                segment = Segment(
                    directory, base_offset, platform, size_bytes=entry.stat().st_size, now_ms=now_ms
                )
                if is_swap:
                    segment.path = Path(entry.path)
                    swaps.append(segment)
                else:
                    logs[base_offset] = segment
            elif suffix in _INDEX_SUFFIXES:
                if is_swap:
                    swap_indexes.append(entry.path)
                else:
                    indexes.append((base_offset, entry))
    swapped = {swap.base_offset for swap in swaps}
    for swap in swaps:
        _complete_swap(logs, swap)
    for path in swap_indexes:
        # Cheaper to rebuild than to prove that it belongs to the log beside it.
        Path(path).unlink(missing_ok=True)
    bad_txn_index_from: int | None = None
    for base_offset, entry in indexes:
        if base_offset in swapped:
            continue
        if base_offset not in logs:
            Path(entry.path).unlink(missing_ok=True)
        elif entry.name.endswith(".txnindex") and entry.stat().st_size % ENTRY_BYTES:
            bad_txn_index_from = min(base_offset, bad_txn_index_from or base_offset)
    segments = [logs[base_offset] for base_offset in sorted(logs)]
    return Inventory(segments, bad_txn_index_from)


def _complete_swap(logs: dict[int, Segment], swap: Segment) -> None:
    """Put a compacted segment in the place of those whose offsets it covers.

    Its transaction index comes with it, or none: its aborted transactions have no records any more, and one
    of the old index could hide later records of its producer.
    """
    end_offset = swap.next_offset_by_scan()
    for base_offset in sorted(logs):
        if swap.base_offset <= base_offset < max(end_offset, swap.base_offset + 1):
            logs.pop(base_offset).unlink()
    final = Segment(
        swap.directory, swap.base_offset, swap.platform, size_bytes=swap.size_bytes, now_ms=swap.created_ms
    )
    for path in final.index_paths:
        path.unlink(missing_ok=True)
    txn_index = final.txn_index.path
    with contextlib.suppress(FileNotFoundError):
        txn_index.with_name(txn_index.name + _SWAP_SUFFIX).rename(txn_index)
    swap.path.rename(final.path)
    logs[swap.base_offset] = final
