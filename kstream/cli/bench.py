"""`kstream bench`: a quick figure. `python -m benchmarks` in the repository is the thorough one."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median, quantiles
from typing import Annotated

from confluent_kafka import TopicPartition
from cyclopts import App, Parameter

from kstream.cli.connection import Cluster
from kstream.cli.output import AsJson, print_fields, say
from kstream.replay.clients import new_consumer, new_producer
from kstream.replay.errors import NoAnswer, ReplayError
from kstream.replay.topic_source import consumer_settings

app = App(name="bench", help="A quick figure of what this machine does.")

_ROUND_TRIPS = 1_000
_STOP_S_MAX = 20.0


@app.default
def bench(
    *,
    seconds: float = 3.0,
    size: int = 1024,
    here: Annotated[
        bool, Parameter(help="Measure the server at --bootstrap, not one that is started for it.")
    ] = False,
    as_json: AsJson = False,
    cluster: Cluster | None = None,
) -> None:
    """Measure producing, fetching and the round trip of one record, with one Python client on this machine.

    It starts a server of its own with throw-away data, unless told `--here`; there it leaves no topic behind.

    Parameters
    ----------
    seconds
        How long to produce.
    size
        Bytes a record.
    """
    cluster = cluster or Cluster()
    if not 0 < seconds <= 600 or not 0 < size <= 1_000_000:
        raise ReplayError("seconds are more than 0 and at most 600, size more than 0 and at most 1000000")
    with _server() if not here else _nothing(cluster.bootstrap) as bootstrap:
        name = f"kstream-bench-{uuid.uuid4().hex[:12]}"
        there = Cluster(bootstrap, cluster.client)
        try:
            produced, produce_s = _produce(there, name, seconds, size)
            fetched, fetch_s = _fetch(there, name, produced)
            trips_ms = sorted(_round_trips(there, name, size))
        finally:
            admin = there.admin()
            there.ask(admin.delete_topics([name])[name], f"delete {name}")
    print_fields(
        {
            "record_bytes": size,
            "produced_records_per_s": round(produced / produce_s),
            "produced_mb_per_s": round(produced * size / produce_s / 1e6, 1),
            "fetched_records_per_s": round(fetched / fetch_s),
            "fetched_mb_per_s": round(fetched * size / fetch_s / 1e6, 1),
            "round_trip_ms_p50": round(median(trips_ms), 3),
            "round_trip_ms_p99": round(quantiles(trips_ms, n=100)[98], 3),
        },
        as_json=as_json,
    )
    if not as_json:
        say("the Python client is often the limit, not the server")


def _produce(cluster: Cluster, topic: str, seconds: float, size: int) -> tuple[int, float]:
    producer = new_producer(
        {
            "bootstrap.servers": cluster.bootstrap,
            "linger.ms": 5,
            "queue.buffering.max.kbytes": 65_536,
            "log_level": 0,
            **cluster.settings(),
        }
    )
    payload = bytes(size)
    count = 0
    began_s = time.perf_counter()
    while time.perf_counter() - began_s < seconds:
        for _ in range(500):
            try:
                producer.produce(topic, payload)
                count += 1
            except BufferError:
                producer.poll(0.01)
        producer.poll(0)
    if producer.flush(30):
        raise NoAnswer(cluster.bootstrap, "records are not acknowledged")
    return count, time.perf_counter() - began_s


def _fetch(cluster: Cluster, topic: str, count: int) -> tuple[int, float]:
    consumer = new_consumer(consumer_settings(cluster.bootstrap, True, cluster.settings()))
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        began_s = time.perf_counter()
        fetched = 0
        while fetched < count:
            messages = consumer.consume(min(10_000, count - fetched), 10.0)
            if not messages:
                raise NoAnswer(cluster.bootstrap, "records do not come back")
            fetched += sum(message.error() is None for message in messages)
        return fetched, time.perf_counter() - began_s
    finally:
        consumer.close()


def _round_trips(cluster: Cluster, topic: str, size: int) -> Iterator[float]:
    producer = new_producer(
        {"bootstrap.servers": cluster.bootstrap, "linger.ms": 0, "log_level": 0, **cluster.settings()}
    )
    payload = bytes(size)
    for _ in range(_ROUND_TRIPS):
        began_s = time.perf_counter()
        producer.produce(topic, payload)
        producer.flush(30)
        yield (time.perf_counter() - began_s) * 1000


@contextmanager
def _nothing(bootstrap: str) -> Iterator[str]:
    yield bootstrap


@contextmanager
def _server() -> Iterator[str]:
    """A server with throw-away data, as a process of its own; its address."""
    command = [sys.executable, "-m", "kstream", "serve", "--ephemeral", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().split()
            if line[:2] != ["kstream", "ready"]:
                raise ReplayError("the server did not start: try kstream serve --ephemeral")
            yield line[2]
        finally:
            process.terminate()
            process.wait(_STOP_S_MAX)
