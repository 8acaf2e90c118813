"""Bulk over many partitions, by many clients, with every codec."""

from __future__ import annotations

from functools import partial

from benchmarks.goals import KSTREAM, Times
from benchmarks.load import MOCK
from benchmarks.part import Measure, Part, Turn, Values
from benchmarks.scale import KIB

_PARTITIONS = (16, 100)
_CLIENTS = 8
_CODECS = ("gzip", "snappy", "lz4", "zstd")


def _records(turn: Turn, share: int = 1) -> int:
    return turn.scale.bulk_bytes // KIB // share


def spread_out(turn: Turn, *, name: str, partitions: int, clients: int) -> Values:
    """Produce records of 1 KB round robin, then fetch all of them with the bare client."""
    # A multiple of all, so that every client has the same.
    records = max(1, _records(turn) // (partitions * clients)) * partitions * clients
    with turn.topic(partitions) as topic:
        produce = partial(turn.load.produce, turn.bootstrap, topic, records=records, size=KIB)
        fetch = partial(turn.load.bare_fetch, turn.bootstrap, topic, records=records)
        sent = turn.on_server(f"produce-1k-{name}", partial(produce, partitions=partitions, clients=clients))
        got = turn.on_server(f"fetch-1k-{name}", partial(fetch, partitions=partitions, clients=clients))
    return {f"produce-1k-{name}": sent.mb_per_second, f"fetch-1k-{name}": got.mb_per_second}


def spread_out_ceiling(turn: Turn, *, name: str, partitions: int, clients: int) -> Values:
    """What librdkafka's producers can do with as many partitions: each against a mock cluster of its own."""
    records = max(1, _records(turn) // (partitions * clients)) * partitions * clients
    sent = turn.load.produce(MOCK, "bench", records=records, size=KIB, partitions=partitions, clients=clients)
    return {f"produce-1k-{name}": sent.mb_per_second}


def _part(name: str, doc: str, partitions: int, clients: int, *, goal: bool) -> Part:
    return Part(
        name=f"bulk-1k-{name}",
        doc=doc,
        measures=tuple(
            Measure(
                f"{work}-1k-{name}",
                "MB/s",
                True,
                goals=(Times(0.85, KSTREAM, of=f"{work}-1k"),) if goal else (),
                limit=limit,
            )
            for work, limit in (("produce", "limit-receive-append"), ("fetch", "limit-sendfile"))
        ),
        run=partial(spread_out, name=name, partitions=partitions, clients=clients),
        ceiling=partial(spread_out_ceiling, name=name, partitions=partitions, clients=clients),
    )


def codecs(turn: Turn) -> Values:
    """Text of 1 KB a record, compressed by the producer and decompressed by the consumer."""
    records = _records(turn, share=4)
    values: dict[str, float] = {}
    for codec in _CODECS:
        with turn.topic() as topic:
            work = partial(turn.load.produce, turn.bootstrap, topic, records=records, size=KIB, codec=codec)
            values[f"produce-1k-{codec}"] = turn.on_server(f"produce-1k-{codec}", work).mb_per_second
            fetch = partial(turn.load.fetch, turn.bootstrap, topic, records=records)
            values[f"fetch-1k-{codec}"] = turn.on_server(f"fetch-1k-{codec}", fetch).mb_per_second
    return values


def codecs_ceiling(turn: Turn) -> Values:
    """What the producer can compress."""
    records = _records(turn, share=4)
    return {
        f"produce-1k-{codec}": turn.load.produce(
            MOCK, "bench", records=records, size=KIB, codec=codec
        ).mb_per_second
        for codec in _CODECS
    }


PARTS = [
    *(
        _part(f"{count}p", f"Records of 1,024 bytes over {count} partitions", count, 1, goal=True)
        for count in _PARTITIONS
    ),
    _part(
        f"{_CLIENTS}c",
        f"Records of 1,024 bytes by {_CLIENTS} producers, then {_CLIENTS} consumers, a partition each",
        _CLIENTS,
        _CLIENTS,
        goal=False,
    ),
    Part(
        name="codecs",
        doc="Text records of 1,024 bytes with each codec, compressed and decompressed by librdkafka",
        measures=tuple(
            Measure(f"{work}-1k-{codec}", "MB/s", True) for codec in _CODECS for work in ("produce", "fetch")
        ),
        run=codecs,
        ceiling=codecs_ceiling,
        rounds=2,
    ),
]
