"""The machine and the versions that a result belongs to."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from compat.kafka_jars import KAFKA_VERSION


def describe(folder: Path) -> dict[str, str]:
    """Words for the report: processor, memory, disk under `folder`, system and versions."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores shared by server and load generator",
        "memory": _memory(),
        "data": f"{_filesystem(folder)} (a temporary folder on it)",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "kstream": _kstream(),
        "kafka": KAFKA_VERSION,
        "java": _java(),
        "confluent-kafka": _installed("confluent-kafka"),
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except FileNotFoundError:
        pass  # not Linux: the platform module knows a name
    return platform.processor() or platform.machine()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB"


def _filesystem(folder: Path) -> str:
    found = ("", "unknown file system")
    try:
        mounts = Path("/proc/mounts").read_text().splitlines()
    except FileNotFoundError:
        return found[1]
    for line in mounts:
        _device, point, kind = line.split()[:3]
        if folder.resolve().is_relative_to(point) and len(point) >= len(found[0]):
            found = (point, kind)
    return found[1]


def _kstream() -> str:
    commit = _output("git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD")
    return f"{_installed('kstream')} ({commit})" if commit else _installed("kstream")


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _java() -> str:
    lines = _output("java", "-version").splitlines()
    return lines[0].strip() if lines else "none"


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return (done.stdout + done.stderr).strip() if done.returncode == 0 else ""
