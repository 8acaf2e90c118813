"""The native load generator: built once into the cache folder, run once for each measurement."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from compat.kafka_jars import cache_folder

_SOURCES = Path(__file__).parent / "native"
_TIMEOUT_S = 300.0

# Settings of librdkafka, its defaults where they are not about to be the limit. They go into the report.
PRODUCE_SETTINGS = {
    "acks": "1",
    "enable.idempotence": "false",
    "linger.ms": "5",
    "batch.size": "1000000",
    "batch.num.messages": "10000",
    "queue.buffering.max.messages": "500000",
    "queue.buffering.max.kbytes": "65536",
}
ONE_RECORD_SETTINGS = {
    "acks": "1",
    "enable.idempotence": "false",
    "linger.ms": "0",
    "batch.num.messages": "1",
    "socket.nagle.disable": "true",
}
FETCH_SETTINGS = {
    "fetch.message.max.bytes": "1048576",
    "fetch.max.bytes": "52428800",
    "fetch.wait.max.ms": "500",
    "fetch.min.bytes": "1",
    # The generator only counts, so its queue stays short; these keep librdkafka from pausing all the same.
    "queued.min.messages": "10000000",
    "queued.max.messages.kbytes": "1048576",
    "fetch.queue.backoff.ms": "1",
}


class LoadUnavailable(RuntimeError):
    """The load generator cannot be built here; the message says what is missing."""


class LoadFailed(RuntimeError):
    """The load generator could not do its work against a server; the message is what it said."""


@dataclass(frozen=True)
class Sample:
    """What one run of the generator measured. Latencies are 0 where they were not measured."""

    seconds: float
    records: int
    size_bytes: int
    cpu_seconds: float
    p50_us: float = 0.0
    p99_us: float = 0.0

    @property
    def records_per_second(self) -> float:
        """Records acknowledged, or received, in a second."""
        return self.records / self.seconds

    @property
    def mb_per_second(self) -> float:
        """Payload in a second, in units of 1,000,000 bytes."""
        return self.size_bytes / self.seconds / 1e6


class Load:
    """The load generator, ready to run."""

    def __init__(self) -> None:
        self._library = _librdkafka()
        self._program = _built()

    def produce(
        self,
        bootstrap: str,
        topic: str,
        *,
        records: int,
        size: int,
        settings: Mapping[str, str] = PRODUCE_SETTINGS,
    ) -> Sample:
        """Produce `records` of `size` bytes to partition 0, as fast as they are taken."""
        return self._run("produce", bootstrap, settings, topic=topic, records=records, size=size)

    def requests(self, bootstrap: str, topic: str, *, records: int, size: int) -> Sample:
        """Produce one record a request on one connection, pipelined."""
        return self.produce(bootstrap, topic, records=records, size=size, settings=ONE_RECORD_SETTINGS)

    def latency(self, bootstrap: str, topic: str, *, records: int, size: int) -> Sample:
        """Produce one record at a time, each after the acknowledgement of the last."""
        return self._run("latency", bootstrap, ONE_RECORD_SETTINGS, topic=topic, records=records, size=size)

    def fetch(self, bootstrap: str, topic: str, *, records: int) -> Sample:
        """Fetch `records` from the beginning of partition 0, with librdkafka."""
        return self._run("fetch", bootstrap, FETCH_SETTINGS, topic=topic, records=records)

    def bare_fetch(self, bootstrap: str, topic: str, *, records: int) -> Sample:
        """The same with a client that walks the records and makes no objects of them."""
        return self._run("bare-fetch", bootstrap, {}, topic=topic, records=records)

    def _run(self, mode: str, bootstrap: str, settings: Mapping[str, str], **work: str | int) -> Sample:
        target = {"test.mock.num.brokers": "1"} if bootstrap == MOCK else {"bootstrap.servers": bootstrap}
        pairs = [f"{key}={value}" for key, value in {**target, **settings, **work}.items()]
        done = subprocess.run(
            [str(self._program), self._library, mode, *pairs],
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
        )
        if done.returncode != 0:
            raise LoadFailed(done.stderr[-2000:].strip())
        got = json.loads(done.stdout)
        return Sample(
            seconds=got["seconds"],
            records=got["records"],
            size_bytes=got["bytes"],
            cpu_seconds=got["cpu_seconds"],
            p50_us=got.get("p50_us", 0.0),
            p99_us=got.get("p99_us", 0.0),
        )


MOCK = "mock"  # the `bootstrap` that means librdkafka's own mock cluster, inside the generator


def _librdkafka() -> str:
    """The library that confluent-kafka's wheel carries, else the system's."""
    found = importlib.util.find_spec("confluent_kafka")
    if found is not None and found.origin is not None:
        packages = Path(found.origin).parent.parent
        for library in [
            *packages.glob("confluent_kafka.libs/librdkafka*"),
            *packages.glob("confluent_kafka/.dylibs/*"),
        ]:
            if "librdkafka" in library.name:
                return str(library)
    return "librdkafka.so.1"


def _built() -> Path:
    """The program, compiled unless the cache has it for these very sources. Raises LoadUnavailable."""
    sources = sorted(_SOURCES.iterdir())
    digest = hashlib.sha256(b"".join(each.read_bytes() for each in sources)).hexdigest()[:12]
    program = cache_folder() / f"kstream-load-{digest}"
    if program.exists():
        return program
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise LoadUnavailable("the load generator needs a C compiler: none of cc, gcc, clang in PATH")
    program.parent.mkdir(parents=True, exist_ok=True)
    unfinished = program.with_suffix(".unfinished")
    command = [
        compiler,
        "-O2",
        "-o",
        str(unfinished),
        *(str(each) for each in sources if each.suffix == ".c"),
        "-ldl",
        "-lpthread",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LoadUnavailable(f"the load generator does not compile: {done.stderr[-2000:]}")
    unfinished.rename(program)
    return program
