"""Share groups: consumption, single acknowledgements, and how soon a record is delivered.

The same small client for every peer: a connection for each member, which accepts what it has with its next
fetch, as Kafka's own consumer does.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Iterator

from benchmarks.goals import Times
from benchmarks.load import PRODUCE_SETTINGS
from benchmarks.part import Measure, Part, Turn, Values
from benchmarks.scale import KIB
from benchmarks.share_members import (
    RECORDS_MAX,
    TIMEOUT_S,
    ShareGroup,
    acknowledge_singly,
    batch_of,
    check_produced,
    consume,
    produce_request,
)
from kstream.records.batch import iter_headers
from kstream.records.record import iter_records
from kstream.testing.client import WireClient

_PARTITIONS = 4
_FEW, _MANY = 1, 16
_BATCHES = {**PRODUCE_SETTINGS, "batch.num.messages": str(RECORDS_MAX)}
_RATE = 100.0  # records a second whose delivery is timed


def consumption(turn: Turn) -> Values:
    """A new group reads a topic from its beginning and accepts all of it."""
    values: dict[str, float] = {}
    for size, records in ((KIB, turn.scale.bulk_bytes // KIB // 2), (100, turn.scale.small_records // 3)):
        with turn.topic(partitions=_PARTITIONS) as topic:
            turn.load.produce(
                turn.bootstrap,
                topic,
                records=records,
                size=size,
                partitions=_PARTITIONS,
                settings=_BATCHES,
            )
            for members in (_FEW, _MANY):
                name = f"share-{size}-{members}"
                with ShareGroup(turn.server.address, members, topic) as group:
                    values[name] = records / turn.on_server(name, lambda: consume(group, records))  # noqa: B023
    return values


def acknowledgements(turn: Turn) -> Values:
    """One request for each record, one of each member under way."""
    values: dict[str, float] = {}
    count = max(_MANY, turn.scale.requests // 4)
    with turn.topic(partitions=_PARTITIONS) as topic:
        turn.load.produce(
            turn.bootstrap,
            topic,
            records=2 * count + 4 * _MANY * RECORDS_MAX,
            size=100,
            partitions=_PARTITIONS,
            settings=_BATCHES,
        )
        for members in (_FEW, _MANY):
            name = f"share-acks-{members}"
            with ShareGroup(turn.server.address, members, topic) as group:
                wanted = count if members == _MANY else max(1, count // 10)
                values[name] = wanted / turn.on_server(name, lambda: acknowledge_singly(group, wanted))  # noqa: B023
    return values


def delivery(turn: Turn) -> Values:
    """A fixed rate of records, one a request; one member that waits for them. From when each was due."""
    with (
        turn.topic() as topic,
        ShareGroup(turn.server.address, 1, topic) as group,
        WireClient(*turn.server.address) as producer,
    ):
        count = max(10, int(_RATE * turn.scale.seconds))
        # The first ones pay for what is loaded with the first fetch of a new group.
        took_s = sorted(_deliveries(group, producer, topic, count + count // 4)[count // 4 :])
    return {
        "share-delivery-p50": took_s[len(took_s) // 2] * 1e6,
        "share-delivery-p99": took_s[int(len(took_s) * 0.99)] * 1e6,
    }


def _deliveries(group: ShareGroup, producer: WireClient, topic: str, count: int) -> list[float]:
    (member,) = group.members
    took_s: list[float] = []
    sent = 0
    member.send_fetch()
    with selectors.DefaultSelector() as selector:
        selector.register(producer.socket, selectors.EVENT_READ)
        selector.register(member.client.socket, selectors.EVENT_READ, member)
        began_s = time.perf_counter()
        while len(took_s) < count:
            if time.perf_counter() > began_s + count / _RATE + TIMEOUT_S:
                raise TimeoutError(f"{count - len(took_s)} of {count} records are not delivered")
            due_s = began_s + sent / _RATE
            if sent < count and time.perf_counter() >= due_s:
                producer.send(produce_request(topic, batch_of(1, repr(due_s).encode())), 12)
                sent += 1
                continue
            for key, _ in selector.select(max(0.0, due_s - time.perf_counter()) if sent < count else 1.0):
                if key.data is None:
                    check_produced(producer.receive())
                    continue
                parts = member.receive_fetch()
                now_s = time.perf_counter()
                took_s += [now_s - due_s for part in parts for due_s in _due_s(bytes(part.records))]
                member.send_fetch()
    return took_s


def _due_s(records: bytes) -> Iterator[float]:
    """What the values of all batches say."""
    position = 0
    for header in iter_headers(records):
        for record in iter_records(records, position, header=header):
            yield float(bytes(record.value or b""))
        position += header.size_bytes


_NOT_FOR = dict.fromkeys(("kfake", "tansu"), "share groups are not measured there")
PARTS = [
    Part(
        name="shares",
        doc=f"A share group reads and accepts a topic of {_PARTITIONS} partitions, records of 1 KB and "
        f"100 B, by one member and by {_MANY}",
        measures=tuple(
            Measure(f"share-{size}-{members}", "records/s", True, goals=(Times(2.0, "kafka"),))
            for size in (KIB, 100)
            for members in (_FEW, _MANY)
        ),
        run=consumption,
        not_for=_NOT_FOR,
        rounds=3,
        quick=True,
    ),
    Part(
        name="share-acknowledgements",
        doc=f"Records accepted one by one, a request each, by one member and by {_MANY}",
        measures=tuple(
            Measure(f"share-acks-{members}", "requests/s", True, goals=(Times(3.0, "kafka"),))
            for members in (_FEW, _MANY)
        ),
        run=acknowledgements,
        not_for=_NOT_FOR,
        rounds=3,
        quick=True,
    ),
    Part(
        name="share-delivery",
        doc=f"{_RATE:g} records a second, one a request, to one member of a share group that waits: from "
        "when each was due to be sent until it is there",
        measures=(
            Measure("share-delivery-p50", "µs", False),
            Measure("share-delivery-p99", "µs", False, goals=(Times(1.0, "kafka"),)),
        ),
        run=delivery,
        not_for=_NOT_FOR,
        quick=True,
    ),
]
