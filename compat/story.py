"""What every client tells its story with: the `Adapter` it stands behind, records, and checks.

`compat/chapters` says what must come back, whichever client and server. It holds against Apache Kafka as it
does against kstream, so a failure is the server's defect, or a gap of the client that is written down.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
FIRST_TIMESTAMP_MS = 1_700_000_000_000
WAIT_TIMEOUT_S = 60.0

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


class Got(NamedTuple):
    """A record that a member of a group read."""

    partition: int
    offset: int
    value: bytes


@dataclass(frozen=True)
class Start:
    """Where a fetch begins: at an offset, at the first record not before a time, or at the beginning."""

    offset: int | None = None
    timestamp_ms: int | None = None


@dataclass(frozen=True)
class Traits:
    """What a client cannot do, so that the story asks no more of it: the client's gaps, not the server's.

    `lacks` has reasons by capability (`Chapter.needs`) or by a chapter's name, `gaps` those of the flags.
    """

    sets_timestamps: bool = True
    headers_per_record: bool = True
    tells_empty_from_null: bool = True
    sends_null_headers: bool = True
    keeps_header_order: bool = True
    repeats_headers: bool = True
    lacks: Mapping[str, str] = field(default_factory=dict)
    gaps: Mapping[str, str] = field(default_factory=dict)


class Member(Protocol):
    """A group's member in a process of its own, that reads from the beginning and commits when told to."""

    def poll(self) -> list[Got]:
        """What came within a tenth of a second; rebalances happen in here too."""
        ...

    def assigned(self) -> set[int]:
        """Partitions that it has now."""
        ...

    def commit(self) -> None:
        """Commit what was polled, and wait for the answer. Raises what the client raises."""
        ...

    def close(self) -> None:
        """Leave the group and end, unless it was killed."""
        ...

    def kill(self) -> None:
        """End it as a crash does."""
        ...


class Adapter(Protocol):
    """One client behind the story. Methods block, and raise what the client raises.

    Producers are kept until `close()`, so that they outlive topics and the server's restarts.
    """

    name: str
    traits: Traits

    def version(self) -> str:
        """The client's own version, for the report."""
        ...

    def create_topic(self, topic: str, partitions: int, configs: Mapping[str, str] | None = None) -> None: ...

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

    def transact(
        self,
        topic: str,
        partition: int,
        records: Sequence[OutRecord],
        *,
        transactional_id: str,
        commit: bool,
    ) -> None:
        """Produce in a transaction of its own, and commit or abort it."""
        ...

    def fetch(
        self, topic: str, partition: int, start: Start, count: int, *, committed: bool = False
    ) -> list[InRecord]:
        """Read `count` records from an assigned partition, only committed ones if so asked."""
        ...

    def join(self, topic: str, group: str) -> Member:
        """A new member of a group, in a process of its own."""
        ...

    def close(self) -> None: ...


class Chapter(NamedTuple):
    """A part of the story that stands alone, on a topic of its own; `needs` are its client's."""

    name: str
    tell: Callable[[Adapter, str], None]
    needs: tuple[str, ...] = ()

    def why_not(self, traits: Traits) -> str | None:
        """Why a client with these traits does not tell it, None if it does."""
        return next((traits.lacks[each] for each in (self.name, *self.needs) if each in traits.lacks), None)


TOPICS = "topics"
PARTITIONS = "partitions"
CONFIGS = "configs"
IDEMPOTENCE = "idempotence"
TRANSACTIONS = "transactions"
GROUPS = "groups"


def expect(condition: bool, what: str) -> None:
    """A check that stays on under `python -O`, and says what was expected."""
    if not condition:
        raise AssertionError(what)


def wait_until(condition: Callable[[], bool], what: str, *, timeout_s: float = WAIT_TIMEOUT_S) -> None:
    """Ask again until it holds: a broker's metadata follows its controller's with a delay."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        expect(time.monotonic() < deadline, f"within {timeout_s:.0f} s: {what}")
        time.sleep(0.05)


def create(client: Adapter, topic: str, partitions: int, configs: Mapping[str, str] | None = None) -> None:
    """Create a topic, and return once the broker's metadata tells of it."""
    client.create_topic(topic, partitions, configs)
    wait_until(lambda: client.partition_counts().get(topic) == partitions, f"{topic} is known")


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
            headers = tuple((name, content or None) for name, content in headers)
        if not traits.sends_null_headers:
            headers = tuple((name, content or b"") for name, content in headers)
        if not traits.repeats_headers:
            headers = tuple(dict(headers).items())
        if not traits.keeps_header_order:
            headers = tuple(sorted(headers, key=lambda header: header[0]))
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
