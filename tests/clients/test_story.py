"""The story of `compat.story`, told by each client against a running kstream.

The same chapters against any server: `python -m compat CLIENT --bootstrap HOST:PORT`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compat.chapters import chapters
from compat.clients import CLIENTS, adapter, traits
from compat.kstream_server import KstreamServer
from compat.matrix.entries import CLEAN_OFTEN
from compat.story import CODECS, GROUPS, TOPICS, Adapter, Chapter, ClientMissing
from kstream.records.batch import read_header
from kstream.testing.client import WireClient
from tests.requests import batches, fetch

pytestmark = [
    pytest.mark.clients,
    pytest.mark.filterwarnings("ignore:(read|open)_text is deprecated:DeprecationWarning"),  # in kafka-python
]

TOLD = [
    pytest.param(client, chapter, id=f"{client}-{chapter.name}")
    for client in CLIENTS
    for chapter in chapters()
    if chapter.why_not(traits(client)) is None and GROUPS not in chapter.needs  # `test_groups` has those
]


@pytest.fixture(scope="module")
def server() -> Iterator[KstreamServer]:
    with KstreamServer(CLEAN_OFTEN) as running:
        yield running
        assert running.is_running, running.log_tail()
        assert "Traceback" not in running.log_path.read_text(), running.log_tail()


@pytest.fixture(scope="module")
def adapters(server: KstreamServer) -> Iterator[dict[str, Adapter]]:
    """Clients by name, each connected at its first use."""
    connected: dict[str, Adapter] = {}
    yield connected
    for client in connected.values():
        client.close()


@pytest.mark.parametrize(("client", "chapter"), TOLD)
def test_story(server: KstreamServer, adapters: dict[str, Adapter], client: str, chapter: Chapter) -> None:
    if client not in adapters:
        try:
            adapters[client] = adapter(client, server.bootstrap)
        except ClientMissing as missing:
            pytest.skip(str(missing))
    topic = f"{client}-{chapter.name}"
    chapter.tell(adapters[client], topic)

    codec, _, idempotent = chapter.name.partition("-")
    if codec in CODECS:
        stored = _stored(server, topic, partition=0 if TOPICS in traits(client).lacks else 1)
        codecs = {codec_name for codec_name, _ in stored}
        assert codec in codecs
        # librdkafka leaves a batch as it is that compression would enlarge, such as one of a single record.
        assert codecs <= {codec, "none"}
        assert {has_producer_id for _, has_producer_id in stored} == {bool(idempotent)}


def _stored(server: KstreamServer, topic: str, *, partition: int) -> list[tuple[str, bool]]:
    """The codec of each batch, and whether a producer id is in it: so the client did as it was asked."""
    with WireClient(*server.address) as client:
        headers = [
            read_header(batch) for batch in batches(fetch(client, topic, 0, partition=partition).records)
        ]
    return [(header.codec.name.lower(), header.has_producer_id) for header in headers]
