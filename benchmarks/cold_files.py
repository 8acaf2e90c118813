"""Files that are not in the page cache, and how fast they can be read from the disk at all."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

RECOVERY_THREADS = 2
"""As many as recover, by default."""
_PIECE_BYTES = 1 << 20


def evict(folder: Path) -> None:
    """Write out the files and have the kernel forget their pages, so that reading them means the disk."""
    for path in folder.glob("*.log"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def plain_read(folders: Sequence[Path], threads: int = RECOVERY_THREADS) -> float:
    """MB/s at which so many threads read the folders' files, and do nothing else, each a folder at a time."""

    def read(folder: Path) -> int:
        size_bytes = 0
        buffer = bytearray(_PIECE_BYTES)
        for path in sorted(folder.glob("*.log")):
            with path.open("rb", buffering=0) as file:
                while count := file.readinto(buffer):
                    size_bytes += count
        return size_bytes

    began_s = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        size_bytes = sum(pool.map(read, folders))
    return size_bytes / (time.perf_counter() - began_s) / 1e6
