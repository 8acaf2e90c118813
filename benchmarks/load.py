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

from benchmarks import ending
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
    """What one run of the generator measured. Latencies are 0 where they were not measured.

    `windows` are p50 and p99 in µs of equal parts of the time, where more than one was asked for.
    """

    seconds: float
    records: int
    size_bytes: int
    cpu_seconds: float
    p50_us: float = 0.0
    p99_us: float = 0.0
    p999_us: float = 0.0
    windows: tuple[tuple[float, float], ...] = ()

    @property
    def records_per_second(self) -> float:
        """Records acknowledged, or received, in a second."""
        return self.records / self.seconds

    @property
    def mb_per_second(self) -> float:
        """Payload in a second, in units of 1,000,000 bytes."""
        return self.size_bytes / self.seconds / 1e6


class Load:
    """The load generator, ready to run.

    A `bootstrap` of MOCK means librdkafka's mock cluster inside the generator (produce, requests, latency),
    and SINK a thread of the generator that acknowledges one-record requests (wire_requests, wire_rate).
    """

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
        partitions: int = 1,
        clients: int = 1,
        codec: str | None = None,
        settings: Mapping[str, str] = PRODUCE_SETTINGS,
    ) -> Sample:
        """Produce `records` of `size` bytes as fast as they are taken, round robin over the partitions.

        Each of the clients has its share of partitions and records. With a codec the payload is text.
        """
        if codec is not None:
            settings = {**settings, "compression.type": codec, "compressible": "1"}
        return self._run(
            "produce",
            bootstrap,
            settings,
            topic=topic,
            records=records,
            size=size,
            partitions=partitions,
            clients=clients,
        )

    def requests(self, bootstrap: str, topic: str, *, records: int, size: int) -> Sample:
        """Produce one record a request on one connection, pipelined."""
        return self.produce(bootstrap, topic, records=records, size=size, settings=ONE_RECORD_SETTINGS)

    def latency(self, bootstrap: str, topic: str, *, records: int, size: int) -> Sample:
        """Produce one record at a time, each after the acknowledgement of the last."""
        return self._run("latency", bootstrap, ONE_RECORD_SETTINGS, topic=topic, records=records, size=size)

    def fetch(
        self, bootstrap: str, topic: str, *, records: int, partitions: int = 1, clients: int = 1
    ) -> Sample:
        """Fetch `records` from the beginning of the partitions, with librdkafka."""
        work = {"records": records, "partitions": partitions, "clients": clients}
        return self._run("fetch", bootstrap, FETCH_SETTINGS, topic=topic, **work)

    def bare_fetch(
        self, bootstrap: str, topic: str, *, records: int, partitions: int = 1, clients: int = 1
    ) -> Sample:
        """The same with a client that walks the records and makes no objects of them."""
        work = {"records": records, "partitions": partitions, "clients": clients}
        return self._run("bare-fetch", bootstrap, {}, topic=topic, **work)

    def wire_requests(
        self, bootstrap: str, topic: str, *, records: int, size: int, connections: int, depth: int
    ) -> Sample:
        """One record a request, `depth` of them under way on each of the connections."""
        work = {"records": records, "size": size, "connections": connections, "depth": depth}
        return self._run("wire-requests", bootstrap, {}, topic=topic, **work)

    def wire_rate(
        self,
        bootstrap: str,
        topic: str,
        *,
        rate: float,
        seconds: float,
        size: int,
        connections: int,
        windows: int = 1,
    ) -> Sample:
        """One record a request at a fixed rate; a latency counts from when its request was due."""
        work = {"milliseconds": int(seconds * 1000), "size": size, "connections": connections}
        return self._run(
            "wire-rate",
            bootstrap,
            {},
            timeout_s=_TIMEOUT_S + seconds,
            topic=topic,
            rate=f"{rate:.3f}",
            windows=windows,
            **work,
        )

    def wire_stream(
        self,
        bootstrap: str,
        topic: str,
        *,
        batches: int,
        size: int,
        consumers: int,
        batch: int = 1,
        partitions: int = 1,
        rate: float | None = None,
        depth: int = 2,
    ) -> Sample:
        """Batches of so many records from one producer to all consumers; latencies are of the deliveries.

        At `rate` batches a second, and else as fast as they are taken with `depth` requests under way.
        """
        work = {"records": batches, "size": size, "batch": batch, "partitions": partitions, "depth": depth}
        pace = f"{rate or 0:.3f}"
        return self._run("wire-stream", bootstrap, {}, topic=topic, consumers=consumers, rate=pace, **work)

    def limit(self, what: str, *, size_bytes: int, file: Path) -> Sample:
        """One of the machine's own limits, see `native/limits.c`; `file` is on the disk that servers use."""
        return self._run("limit", "", {}, topic=what, records=size_bytes, file=str(file))

    def _run(
        self,
        mode: str,
        bootstrap: str,
        settings: Mapping[str, str],
        *,
        timeout_s: float = _TIMEOUT_S,
        **work: str | int,
    ) -> Sample:
        target = {"test.mock.num.brokers": "1"} if bootstrap == MOCK else {"bootstrap.servers": bootstrap}
        pairs = [f"{key}={value}" for key, value in {**target, **settings, **work}.items()]
        done = ending.run([str(self._program), self._library, mode, *pairs], timeout_s=timeout_s)
        if done.returncode != 0:
            raise LoadFailed(done.stderr[-2000:].strip() or f"exit code {done.returncode}")
        got = json.loads(done.stdout)
        return Sample(
            seconds=got["seconds"],
            records=got["records"],
            size_bytes=got["bytes"],
            cpu_seconds=got["cpu_seconds"],
            p50_us=got.get("p50_us", 0.0),
            p99_us=got.get("p99_us", 0.0),
            p999_us=got.get("p999_us", 0.0),
            windows=tuple((p50, p99) for p50, p99 in got.get("windows", [])),
        )


SINK = "sink"
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
