"""Keep what one turn leaves behind from becoming the next one's cost.

Dirty pages are written out, and memory is taken and given back: on a virtual machine, memory not used
for a while may belong to the host, and the first to write to it pays several times the price. Both would hit
whichever server comes next.
"""

from __future__ import annotations

import mmap
import os

_MADV_POPULATE_WRITE = 23


def settle(memory_bytes: int) -> None:
    """Write out what is dirty, then touch `memory_bytes` of free memory (on Linux)."""
    os.sync()
    if memory_bytes <= 0 or not hasattr(mmap, "MADV_HUGEPAGE"):
        return
    with mmap.mmap(-1, memory_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.madvise(mmap.MADV_HUGEPAGE)
        try:
            memory.madvise(_MADV_POPULATE_WRITE)
        except OSError:
            # Linux before 5.14: write to each page.
            for position in range(0, memory_bytes, mmap.PAGESIZE):
                memory[position] = 1
