"""Several listeners, and what each tells its clients."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest
import trio

from kstream.config.broker import BrokerConfig
from kstream.config.listeners import Listener
from kstream.records.metadata import decode_metadata
from kstream.records.schemas.metadata import RegisterBrokerRecord
from kstream.replay.directory_source import DirectorySource
from kstream.replay.moments import Range
from kstream.server.listeners import BoundListener, ListenError, accept_forever, bind
from kstream.wire.messages.metadata import MetadataRequest, MetadataResponse
from tests.server.harness import Served, run, serving

LISTENERS = "PLAINTEXT://127.0.0.1:0,ANY://0.0.0.0:0,DOCKER://127.0.0.1:0"
PROTOCOLS = "PLAINTEXT:PLAINTEXT,ANY:PLAINTEXT,DOCKER:PLAINTEXT"


async def advertised_at(server: Served, address: tuple[str, int]) -> list[tuple[str, int]]:
    """The brokers' addresses as Metadata names them to a client that came in at `address`."""
    client = await server.connect(address)
    answer = await client.ask(MetadataRequest(), 5, MetadataResponse)
    assert isinstance(answer, MetadataResponse)
    return [(broker.host, broker.port) for broker in answer.brokers]


def test_each_client_is_told_the_address_at_which_it_reached_the_server(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(
            tmp_path,
            listeners=LISTENERS,
            listener_security_protocol_map=PROTOCOLS,
            advertised_listeners="DOCKER://kstream.test:29092",
        ) as server:
            own, wide, docker = (port for _, port in server.addresses)
            assert await advertised_at(server, ("127.0.0.1", own)) == [("127.0.0.1", own)]
            for host in ("127.0.0.1", "127.0.0.2"):
                assert await advertised_at(server, (host, wide)) == [(host, wide)]
            assert await advertised_at(server, ("127.0.0.1", docker)) == [("kstream.test", 29092)]

    run(test)


def test_a_port_that_the_system_chose_is_registered_as_it_is(tmp_path: Path) -> None:
    """Another server that opens the directory reaches the brokers that the metadata log names."""
    ports: list[int] = []

    async def test() -> None:
        async with serving(tmp_path) as server:
            ports.extend(port for _, port in server.addresses)

    run(test)
    source = DirectorySource(tmp_path, "__cluster_metadata", Range())
    records = [decode_metadata(event.value).message for event in source.events({})]
    (registered,) = (record for record in records if isinstance(record, RegisterBrokerRecord))
    assert [endpoint.port for endpoint in registered.end_points] == ports


def test_a_taken_port_is_said_clearly_and_nothing_stays_bound() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listeners = [Listener("A", "127.0.0.1", 0), Listener("B", "127.0.0.1", taken.getsockname()[1])]
        with pytest.raises(ListenError, match="in use by another program"):
            bind(listeners)


def test_a_host_that_is_not_ours_is_said_clearly() -> None:
    with pytest.raises(ListenError, match="cannot listen on"):
        bind([Listener("A", "192.0.2.1", 0)])


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_ipv6(tmp_path: Path) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")

    async def test() -> None:
        async with serving(tmp_path, listeners="PLAINTEXT://[::1]:0") as server:
            (address,) = server.addresses
            assert await advertised_at(server, address) == [("::1", address[1])]

    run(test)


def test_the_default_is_this_machine_alone() -> None:
    assert [str(listener) for listener in BrokerConfig().listeners] == ["PLAINTEXT://127.0.0.1:9092"]


class _Gone(socket.socket):
    """A connection whose peer has left, as a Mac shows it."""

    def setsockopt(self, *arguments: object) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")


class _Listening(socket.socket):
    """A listening socket whose first connection is gone."""

    def __init__(self, *arguments: object) -> None:
        super().__init__()
        self.gone: list[_Gone] = []

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        sock, peer = super().accept()
        if not self.gone:
            self.gone.append(_Gone(fileno=sock.detach()))
            return self.gone[0], peer
        return sock, peer


def test_a_connection_that_is_gone_before_it_is_served_disturbs_nobody() -> None:
    async def no_wait() -> None:
        pass

    async def test() -> None:
        with _Listening() as sock:
            sock.bind(("127.0.0.1", 0))
            sock.listen()
            sock.setblocking(False)
            served = trio.Event()

            def accepted(client: socket.socket, peer: tuple[str, int]) -> None:
                client.close()
                served.set()

            bound = BoundListener(Listener("PLAINTEXT", "127.0.0.1", sock.getsockname()[1]), sock)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(accept_forever, bound, no_wait, accepted)
                for _ in range(2):
                    stream = await trio.open_tcp_stream(*sock.getsockname())
                    await stream.aclose()
                await served.wait()
                nursery.cancel_scope.cancel()
            assert sock.gone[0].fileno() == -1

    run(test)
