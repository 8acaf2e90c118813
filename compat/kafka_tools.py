"""Kafka's command-line tools, from Maven Central.

The tools are published at 4.3.1 and want the libraries of that version beside them, so they have a folder of
their own: `$KSTREAM_KAFKA_TOOLS_JARS`, or one in the cache that Maven fills.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from compat.kafka_jars import QUIET_LOG, TOOLS_VERSION, jars_of, java


def tools_jars() -> Path:
    """The folder with the jars. Raises KafkaUnavailable."""
    named = os.environ.get("KSTREAM_KAFKA_TOOLS_JARS")
    if named:
        return Path(named)
    # kafka-configs is in the broker's jar still.
    wanted = (f"org.apache.kafka:{name}:{TOOLS_VERSION}" for name in ("kafka-tools", "kafka_2.13"))
    return jars_of(f"kafka-all-tools-{TOOLS_VERSION}", *wanted)


def run_tool(main: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of Kafka's tools by the name of its class, whatever it says. Raises KafkaUnavailable."""
    tool = f"org.apache.kafka.tools.{main}"
    command = [java(), "-Xmx256m", QUIET_LOG, "-cp", f"{tools_jars()}/*", tool, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def dump(files: list[Path], *options: str) -> list[str]:
    """What DumpLogSegments prints about files. Raises KafkaUnavailable."""
    done = run_tool("DumpLogSegments", "--files", ",".join(map(str, files)), *options)
    assert "Exception" not in done.stderr, done.stderr
    return done.stdout.splitlines()


_DECODERS = {
    "*": (),
    "__cluster_metadata-*": ("--cluster-metadata-decoder",),
    "__consumer_offsets-*": ("--offsets-decoder",),
    "__share_group_state-*": ("--share-group-state-decoder",),
    "__transaction_state-*": ("--transaction-log-decoder",),
}
"""Directories of partitions, and how the tool is told to read their records; the later ones count."""

_EXPECTED = (
    *("| offset: ", "offset: ", "timestamp: ", "producerId: ", "Dumping ", "Log starting offset: "),
    *("Snapshot end offset: ", "version: ", "baseOffset: "),
)
"""How lines begin that say what is there."""
_ALARMING = ("isvalid: false", "could not", "error", "mismatch", "unable")


def complaints(directory: Path) -> list[str]:
    """All that DumpLogSegments finds wrong in the files of a log directory that was stopped cleanly."""
    partitions: dict[Path, tuple[str, ...]] = {}
    for pattern, options in _DECODERS.items():
        partitions |= dict.fromkeys(directory.glob(pattern + "/"), options)
    found: list[str] = []
    for options in set(partitions.values()):
        files = [
            path
            for partition, those in sorted(partitions.items())
            if those == options and partition.is_dir()
            for path in sorted(partition.iterdir())
            if path.suffix in (".log", ".checkpoint", ".snapshot", ".txnindex") and path.stat().st_size
        ]
        if files:
            found += [line for line in dump(files, "--deep-iteration", *options) if not _is_expected(line)]
    indexes = [path for path in sorted(directory.glob("*/*index")) if path.suffix in (".index", ".timeindex")]
    lines = dump(indexes, "--index-sanity-check")
    remarks = [line for line in lines if not line.startswith("Dumping ")]
    return found + [line for line in remarks if not line.endswith(("passed sanity check.", " is empty."))]


def _is_expected(line: str) -> bool:
    return line.startswith(_EXPECTED) and not any(word in line.lower() for word in _ALARMING)
