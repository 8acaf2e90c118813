"""kcat: librdkafka from the command line, of the age that distributions ship."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import NoReturn

from compat.story import (
    TOPICS,
    TRANSACTIONS,
    Adapter,
    ClientMissing,
    Headers,
    InRecord,
    OutRecord,
    Start,
    Traits,
)

TIMEOUT_S = 60.0
_RECORD_END = b"\x1e"
_KEY_END = b"\x1f"
# Lengths (-1 for null) come before the bytes, so that keys and values may hold anything.
_FORMAT = "%o %T %K %S %h\n%k%s\n"

TRAITS = Traits(
    sets_timestamps=False,
    headers_per_record=False,
    tells_empty_from_null=False,
    lacks={
        TOPICS: "kcat administers nothing; topics come into being by auto-creation",
        TRANSACTIONS: "kcat has no transactional producer",
    },
    gaps={
        "timestamps": "kcat has no option to set one; records carry the time of sending",
        "headers": "kcat's -H holds for all records of one run",
        "empty against null": "kcat's -Z sends every empty key and value as null",
        "offsets": "kcat does not print what a producer was acknowledged",
    },
)


def connect(bootstrap: str) -> Adapter:
    program = shutil.which("kcat") or shutil.which("kafkacat")
    if program is None:
        raise ClientMissing(
            "kcat is not installed: apt-get install kcat (Debian, Ubuntu) or brew install kcat"
        )
    return Kcat(program, bootstrap)


class Kcat:
    name = "kcat"
    traits = TRAITS

    def __init__(self, program: str, bootstrap: str) -> None:
        self._program = program
        self._bootstrap = bootstrap

    def _run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        command = [self._program, "-b", self._bootstrap, *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=TIMEOUT_S, check=False)
        if done.returncode != 0:
            raise RuntimeError(
                f"{' '.join(command)}: exit {done.returncode}: {done.stderr.decode(errors='replace')}"
            )
        return done.stdout

    def version(self) -> str:
        told = subprocess.run([self._program, "-V"], capture_output=True, text=True, check=True).stdout
        return next(line.strip() for line in told.splitlines() if "Version" in line)

    def create_topic(self, topic: str, partitions: int, configs: Mapping[str, str] | None = None) -> NoReturn:
        raise NotSupported("create topics")

    def delete_topic(self, topic: str) -> NoReturn:
        raise NotSupported("delete topics")

    def create_partitions(self, topic: str, total: int) -> NoReturn:
        raise NotSupported("create partitions")

    def topic_config(self, topic: str) -> NoReturn:
        raise NotSupported("describe configs")

    def set_topic_config(self, topic: str, values: Mapping[str, str]) -> NoReturn:
        raise NotSupported("alter configs")

    def partition_counts(self) -> dict[str, int]:
        listed = json.loads(self._run("-L", "-J"))
        return {found["topic"]: len(found["partitions"]) for found in listed["topics"]}

    def produce(
        self, topic: str, partition: int, records: Sequence[OutRecord], *, codec: str, idempotent: bool
    ) -> None:
        headers: list[str] = []
        for name, value in records[0].headers:
            headers += ["-H", name if value is None else f"{name}={value.decode()}"]
        stdin = _RECORD_END.join((r.key or b"") + _KEY_END + (r.value or b"") for r in records) + _RECORD_END
        self._run(
            *("-P", "-t", topic, "-p", str(partition), "-Z", "-D", r"\x1e", "-K", r"\x1f", *headers),
            *("-X", f"compression.codec={codec}", "-X", f"enable.idempotence={str(idempotent).lower()}"),
            *("-X", "acks=all", "-X", "linger.ms=20"),
            stdin=stdin,
        )

    def transact(
        self,
        topic: str,
        partition: int,
        records: Sequence[OutRecord],
        *,
        transactional_id: str,
        commit: bool,
    ) -> NoReturn:
        raise NotSupported("transactions")

    def join(self, topic: str, group: str) -> NoReturn:
        raise NotSupported("commit by command")

    def fetch(
        self, topic: str, partition: int, start: Start, count: int, *, committed: bool = False
    ) -> list[InRecord]:
        if start.timestamp_ms is not None:
            where = f"s@{start.timestamp_ms}"
        elif start.offset is not None:
            where = str(start.offset)
        else:
            where = "beginning"
        out = self._run(
            *(
                "-C",
                "-q",
                "-t",
                topic,
                "-p",
                str(partition),
                "-o",
                where,
                "-c",
                str(count),
                "-e",
                "-f",
                _FORMAT,
            )
        )
        return _parse(out)

    def close(self) -> None:
        """Every run of kcat ends by itself."""


class NotSupported(Exception):
    """What this client has no command for."""


def _parse(out: bytes) -> list[InRecord]:
    got = []
    position = 0
    while position < len(out):
        line_end = out.index(b"\n", position)
        offset, timestamp_ms, key_size, value_size, *headers = out[position:line_end].decode().split(" ", 4)
        position = line_end + 1
        key, position = _take(out, position, int(key_size))
        value, position = _take(out, position, int(value_size))
        position += 1
        got.append(
            InRecord(int(offset), key, value, _headers(headers[0] if headers else ""), int(timestamp_ms))
        )
    return got


def _take(out: bytes, position: int, size_bytes: int) -> tuple[bytes | None, int]:
    if size_bytes < 0:
        return None, position
    return out[position : position + size_bytes], position + size_bytes


def _headers(text: str) -> Headers:
    if not text:
        return ()
    pairs = (pair.partition("=") for pair in text.split(","))
    return tuple((name, None if value == "NULL" else value.encode()) for name, _, value in pairs)
