"""The story of `compat.story`, told by each client against a running kstream.

The same chapters against any server: `python -m compat CLIENT --bootstrap HOST:PORT`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compat.clients import CLIENTS, adapter, traits
from compat.kstream_server import KstreamServer
from compat.story import Adapter, Chapter, ClientMissing, chapters

pytestmark = pytest.mark.clients

TOLD = [
    pytest.param(client, chapter, id=f"{client}-{chapter.name}")
    for client in CLIENTS
    for chapter in chapters()
    if traits(client).administers or not chapter.needs_admin
]


@pytest.fixture(scope="module")
def server() -> Iterator[KstreamServer]:
    with KstreamServer() as running:
        yield running


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
    chapter.tell(adapters[client], f"{client}-{chapter.name}")
    assert server.is_running, server.log_tail()
