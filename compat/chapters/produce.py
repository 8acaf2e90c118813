"""Produce and fetch, with every codec, headers and nulls; from the beginning, an offset and a time."""

from __future__ import annotations

import time
from collections.abc import Callable

from compat.story import (
    FIRST_TIMESTAMP_MS,
    TOPICS,
    Adapter,
    Headers,
    OutRecord,
    Start,
    check_records,
    create,
    expect,
    records_for,
)


def produce_and_fetch(codec: str, *, idempotent: bool) -> Callable[[Adapter, str], None]:
    """The chapter for one codec."""

    def tell(client: Adapter, topic: str) -> None:
        """Two produce calls, then read from the beginning, from an offset, and from a time."""
        traits = client.traits
        partition = 0
        if TOPICS not in traits.lacks:
            create(client, topic, 2)
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


def bulk(client: Adapter, topic: str) -> None:
    """A few megabytes in many batches: nothing lost, nothing twice, in order."""
    if TOPICS not in client.traits.lacks:
        create(client, topic, 1)
    headers: Headers = (("h", b"1"),)
    sent = [OutRecord(b"%d" % n, b"%06d" % n * 100, headers, FIRST_TIMESTAMP_MS + n) for n in range(4000)]
    client.produce(topic, 0, sent, codec="none", idempotent=False)
    check_records(client.traits, sent, client.fetch(topic, 0, Start(), len(sent)), first_offset=0)
