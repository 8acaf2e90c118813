"""What a peer can make the server hold: what arrived, and never what was announced or is owed."""

from __future__ import annotations

import resource
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from compat.kstream_server import KstreamServer
from kstream.records.compression import SIZE_BYTES_MAX, Codec
from kstream.testing.client import WireClient
from tests.hostile.bystander import Bystander, anonymous_bytes
from tests.requests import create_topic, fetch_request, produce, produce_request, values_batch

MIB = 1 << 20
SILENT_CONNECTIONS = 1000


@pytest.fixture
def witness(kstream: KstreamServer) -> Iterator[Bystander]:
    with Bystander(*kstream.address) as other:
        yield other
        other.check()


def test_many_connections_that_announce_much_and_say_nothing(
    kstream: KstreamServer, witness: Bystander
) -> None:
    """1,000 times 100 MiB are announced. Allocated is what arrived, so nearly nothing."""
    with ExitStack() as stack:
        before = anonymous_bytes(kstream.pid)
        connections = min(SILENT_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)
        for _ in range(connections):
            client = stack.enter_context(WireClient(*kstream.address))
            client.send_raw(struct.pack(">i", 100 * MIB))
        witness.check()
        grown = anonymous_bytes(kstream.pid) - before
        assert grown < 20 * MIB, f"{grown / MIB:.1f} MiB for {connections} silent connections"
    witness.check()


def test_reader_that_never_reads(kstream: KstreamServer, witness: Bystander) -> None:
    """20 connections ask for a megabyte 400 times each, and read nothing: 8 GB are owed, little is held."""
    topic = f"{witness.topic}-owed"
    create_topic(witness.client, topic)
    for _ in range(4):
        assert produce(witness.client, topic, values_batch([bytes(1_000_000)])).error_code == 0
    with ExitStack() as stack:
        before = anonymous_bytes(kstream.pid)
        for _ in range(20):
            client = stack.enter_context(WireClient(*kstream.address))
            frame = client.frame(fetch_request(topic, 0), 12, 1)
            _send_what_fits(client.socket, frame * 400)
        for _ in range(20):
            witness.check()
            grown = anonymous_bytes(kstream.pid) - before
            assert grown < 32 * MIB, f"{grown / MIB:.1f} MiB are held for readers that never read"
    witness.check()


def _send_what_fits(connection: socket.socket, data: bytes) -> None:
    connection.setblocking(False)
    view = memoryview(data)
    try:
        while view:
            view = view[connection.send(view) :]
    except BlockingIOError:
        return


@pytest.mark.parametrize("codec", [Codec.GZIP, Codec.LZ4, Codec.ZSTD])
@pytest.mark.parametrize(("unfolded", "error_code"), [(50_000_000, 0), (200_000_000, 10)])
def test_batch_that_unfolds_to_much(
    kstream: KstreamServer, witness: Bystander, codec: Codec, unfolded: int, error_code: int
) -> None:
    """A batch of legal size that is mostly zeros costs no more than our bound, and only for a moment.

    Kafka takes both, as it skips values unseen; beyond the bound we ask the producer to split (see
    `kstream.records.validation`).
    """
    topic = f"{witness.topic}-bomb-{codec.name.lower()}"
    create_topic(witness.client, topic)
    bomb = values_batch([bytes(unfolded)], codec=codec)
    before = anonymous_bytes(kstream.pid)
    with WireClient(*kstream.address, timeout_s=60) as bomber:
        for _ in range(5):
            bomber.send(produce_request(topic, bomb), 12)
        bomber.socket.settimeout(0.005)
        answers: list[Any] = []
        peak = before
        while len(answers) < 5:
            peak = max(peak, anonymous_bytes(kstream.pid))
            with suppress(TimeoutError):
                answers.append(bomber.receive().responses[0].partition_responses[0].error_code)
    assert answers == [error_code] * 5
    witness.check()
    assert peak - before < 2.5 * SIZE_BYTES_MAX, (
        f"{(peak - before) / MIB:.1f} MiB to look into {len(bomb)} bytes"
    )
    grown = anonymous_bytes(kstream.pid) - before
    assert grown < 16 * MIB, f"{grown / MIB:.1f} MiB are kept"
