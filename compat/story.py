"""One story that every client tells: create, produce, fetch, administer.

A client is an `Adapter`; the chapters below say what must come back from it, whichever client and server.
They hold against Apache Kafka as they do against kstream, so a failure is a defect of the server under test.
Consumers read by assignment; groups are another story.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
FIRST_TIMESTAMP_MS = 1_700_000_000_000
WAIT_TIMEOUT_S = 20.0

Headers = tuple[tuple[str, bytes | None], ...]


class ClientMissing(Exception):
    """The client is not installed on this machine; the message says what to install."""


class OutRecord(NamedTuple):
    """A record to produce. `timestamp_ms` is dropped by clients that cannot set one."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int


class InRecord(NamedTuple):
    """A record as a consumer got it."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int


@dataclass(frozen=True)
class Start:
    """Where a fetch begins: at an offset, at the first record not before a time, or at the beginning."""

    offset: int | None = None
    timestamp_ms: int | None = None


@dataclass(frozen=True)
class Traits:
    """What a client cannot do, so that the story asks no more of it: the client's gaps, not the server's."""

    sets_timestamps: bool = True
    headers_per_record: bool = True
    tells_empty_from_null: bool = True
    sends_null_headers: bool = True
    administers: bool = True
    gaps: Mapping[str, str] = field(default_factory=dict)


class Adapter(Protocol):
    """One client behind the story. Methods block, and raise what the client raises."""

    name: str
    traits: Traits

    def version(self) -> str:
        """The client's own version, for the report."""
        ...

    def create_topic(self, topic: str, partitions: int) -> None:
        """Create it, and return once the broker's metadata tells of it."""
        ...

    def delete_topic(self, topic: str) -> None: ...

    def create_partitions(self, topic: str, total: int) -> None: ...

    def partition_counts(self) -> dict[str, int]:
        """Every topic with its number of partitions."""
        ...

    def topic_config(self, topic: str) -> dict[str, str | None]: ...

    def set_topic_config(self, topic: str, values: Mapping[str, str]) -> None: ...

    def produce(
        self, topic: str, partition: int, records: Sequence[OutRecord], *, codec: str, idempotent: bool
    ) -> list[int] | None:
        """Produce with acks=all and wait for all acknowledgements; offsets, None if the client hides them."""
        ...

    def fetch(self, topic: str, partition: int, start: Start, count: int) -> list[InRecord]:
        """Read `count` records from an assigned partition."""
        ...

    def close(self) -> None: ...


class Chapter(NamedTuple):
    """A part of the story that stands alone, on a topic of its own."""

    name: str
    tell: Callable[[Adapter, str], None]
    needs_admin: bool = False


def expect(condition: bool, what: str) -> None:
    """A check that stays on under `python -O`, and says what was expected."""
    if not condition:
        raise AssertionError(what)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Ask again until it holds: a broker's metadata follows its controller's with a delay."""
    deadline = time.monotonic() + WAIT_TIMEOUT_S
    while not condition():
        expect(time.monotonic() < deadline, f"within {WAIT_TIMEOUT_S:.0f} s: {what}")
        time.sleep(0.05)


def records_for(traits: Traits, count: int, *, first: int = 0) -> list[OutRecord]:
    """Records of every shape: null and empty keys and values, binary and text, headers none to several."""
    shared: Headers = (("trace", b"abc-123"), ("source", b"story"))
    made = []
    for n in range(first, first + count):
        key: bytes | None = f"key-{n}".encode()
        value: bytes | None = f"value {n} ".encode() * (1 + n % 7)
        headers: Headers = ()
        match n % 6:
            case 1:
                key = None
            case 2:
                value = None
                headers = (("why", b"tombstone"),)
            case 3:
                key, value = b"", b""
                headers = (("empty", b""), ("null", None), ("empty", b"again"))
            case 4:
                value = "naïve – 数据".encode()
                headers = (("größe", b"\x00\xff\x7f"),)
            case _:
                pass
        if not traits.tells_empty_from_null:
            key, value = key or None, value or None
        if not traits.sends_null_headers:
            headers = tuple((name, content or b"") for name, content in headers)
        if not traits.headers_per_record:
            headers = shared
        made.append(OutRecord(key, value, headers, FIRST_TIMESTAMP_MS + 1000 * n))
    return made


def check_records(
    traits: Traits, sent: Sequence[OutRecord], got: Sequence[InRecord], *, first_offset: int
) -> None:
    """Every record came back: key, value, headers, timestamp, at the offset its place gives it."""
    expect(len(got) == len(sent), f"{len(sent)} records, got {len(got)}")
    for place, (out, back) in enumerate(zip(sent, got, strict=True)):
        wanted = InRecord(
            first_offset + place,
            out.key,
            out.value,
            out.headers,
            out.timestamp_ms if traits.sets_timestamps else back.timestamp_ms,
        )
        expect(back == wanted, f"record {place}: wanted {wanted}, got {back}")


def _produce_and_fetch(codec: str, idempotent: bool) -> Callable[[Adapter, str], None]:
    def tell(client: Adapter, topic: str) -> None:
        """Two produce calls, then read from the beginning, from an offset, and from a time."""
        traits = client.traits
        partition = 0
        if traits.administers:
            client.create_topic(topic, 2)
            partition = 1
        first, second = records_for(traits, 30), records_for(traits, 24, first=30)
        began_ms = int(time.time() * 1000)
        for batch, offsets in ((first, range(30)), (second, range(30, 54))):
            told = client.produce(topic, partition, batch, codec=codec, idempotent=idempotent)
            expect(told is None or told == list(offsets), f"offsets {offsets} acknowledged, got {told}")
        sent = first + second

        everything = client.fetch(topic, partition, Start(), len(sent))
        check_records(traits, sent, everything, first_offset=0)
        if not traits.sets_timestamps:
            ended_ms = int(time.time() * 1000)
            stamps = [record.timestamp_ms for record in everything]
            expect(stamps == sorted(stamps), f"timestamps in order of production, got {stamps}")
            expect(began_ms <= stamps[0] and stamps[-1] <= ended_ms, f"{began_ms} <= {stamps} <= {ended_ms}")

        check_records(
            traits,
            sent[17:],
            client.fetch(topic, partition, Start(offset=17), len(sent) - 17),
            first_offset=17,
        )
        for place in (17, 30):
            wanted_ms = everything[place].timestamp_ms
            begins = next(r.offset for r in everything if r.timestamp_ms >= wanted_ms)
            found = client.fetch(topic, partition, Start(timestamp_ms=wanted_ms), len(sent) - begins)
            check_records(traits, sent[begins:], found, first_offset=begins)
        if traits.sets_timestamps:  # between two records: the later one
            found = client.fetch(
                topic, partition, Start(timestamp_ms=sent[40].timestamp_ms - 999), len(sent) - 40
            )
            check_records(traits, sent[40:], found, first_offset=40)

    return tell


def _bulk(client: Adapter, topic: str) -> None:
    """A few megabytes in many batches: nothing lost, nothing twice, in order."""
    if client.traits.administers:
        client.create_topic(topic, 1)
    headers: Headers = (("h", b"1"),)
    sent = [OutRecord(b"%d" % n, b"%06d" % n * 100, headers, FIRST_TIMESTAMP_MS + n) for n in range(4000)]
    client.produce(topic, 0, sent, codec="none", idempotent=False)
    check_records(client.traits, sent, client.fetch(topic, 0, Start(), len(sent)), first_offset=0)


def _topics(client: Adapter, topic: str) -> None:
    """A topic is created, listed, grown, written to in its new partition, and deleted."""
    client.create_topic(topic, 3)
    wait_until(lambda: client.partition_counts().get(topic) == 3, f"{topic} has 3 partitions")
    client.create_partitions(topic, 5)
    wait_until(lambda: client.partition_counts().get(topic) == 5, f"{topic} has 5 partitions")
    sent = records_for(client.traits, 6)
    client.produce(topic, 4, sent, codec="none", idempotent=False)
    check_records(client.traits, sent, client.fetch(topic, 4, Start(), 6), first_offset=0)
    client.delete_topic(topic)
    wait_until(lambda: topic not in client.partition_counts(), f"{topic} is gone")


def _configs(client: Adapter, topic: str) -> None:
    """A topic's configuration begins with Kafka's defaults, and keeps what it is given."""
    client.create_topic(topic, 1)
    before = client.topic_config(topic)
    defaults = {"retention.ms": "604800000", "cleanup.policy": "delete", "max.message.bytes": "1048588"}
    for name, value in defaults.items():
        expect(before.get(name) == value, f"{name} begins as {value}, got {before.get(name)}")
    client.set_topic_config(topic, {"retention.ms": "3600000", "cleanup.policy": "compact"})
    changed = {**before, "retention.ms": "3600000", "cleanup.policy": "compact"}
    wait_until(
        lambda: client.topic_config(topic) == changed, "the two changed values, and no others, are told"
    )


def chapters() -> Iterator[Chapter]:
    """The whole story, in order."""
    yield Chapter("topics", _topics, needs_admin=True)
    yield Chapter("configs", _configs, needs_admin=True)
    for codec in CODECS:
        yield Chapter(f"{codec}", _produce_and_fetch(codec, False))
        yield Chapter(f"{codec}-idempotent", _produce_and_fetch(codec, True))
    yield Chapter("bulk", _bulk)
