"""What Linux tells about a process: processor time, memory, threads, open files."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_SAMPLE_INTERVAL_S = 0.05


def cpu_seconds(pid: int) -> float:
    """User and system time the process has used. 0.0 where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


def rss_anon_mb(pid: int) -> float:
    """Anonymous resident memory (RssAnon) in units of 1,000,000 bytes. 0.0 where there is no /proc."""
    return _status(pid, "RssAnon") * 1024 / 1e6


def threads(pid: int) -> int:
    """How many threads the process has. 0 where there is no /proc."""
    return _status(pid, "Threads")


def open_files(pid: int) -> int:
    """How many descriptors the process has open. 0 where there is no /proc."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except FileNotFoundError:
        return 0


def _status(pid: int, name: str) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0
    for line in status.splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return 0


class PeakMemory:
    """Samples a process's RssAnon while the `with` block runs; `peak_mb` is the highest seen."""

    def __init__(self, pid: int) -> None:
        self.peak_mb = rss_anon_mb(pid)
        self._pid = pid
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def _sample(self) -> None:
        while not self._ended.wait(_SAMPLE_INTERVAL_S):
            self.peak_mb = max(self.peak_mb, rss_anon_mb(self._pid))

    def __enter__(self) -> Self:
        self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._sampler.join()
