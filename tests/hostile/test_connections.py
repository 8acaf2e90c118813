"""Connections that dawdle, crowd, race or hang up: nobody else notices."""

from __future__ import annotations

import socket
import struct
from threading import Thread

import pytest

from compat.server_process import ServerProcess
from kstream.testing.client import ConnectionClosed, WireClient
from kstream.wire.apis import ApiKey
from kstream.wire.messages.api_versions import ApiVersionsRequest
from kstream.wire.messages.metadata import MetadataRequest, MetadataRequestTopic
from kstream.wire.schema import Message
from tests.hostile.bystander import Bystander
from tests.requests import (
    create_topic,
    create_topics_request,
    describe_topic,
    fetch_request,
    offset_of,
    produce,
    produce_request,
    values_batch,
)


def test_one_byte_at_a_time(server: ServerProcess, bystander: Bystander) -> None:
    """Others are served between any two bytes, and the slow one is served when it is done."""
    with WireClient(*server.address) as slow:
        request = ApiVersionsRequest(client_software_name="slow", client_software_version="1")
        for byte in slow.frame(request, 4, 1):
            slow.send_raw(bytes([byte]))
            bystander.ping()
        slow.expect(request, 4, 1)
        assert slow.receive().error_code == 0


def test_pipelined_requests_are_answered_in_order(server: ServerProcess, bystander: Bystander) -> None:
    """10,000 at once, of two APIs: `receive` holds every answer to its request's correlation id."""
    with WireClient(*server.address) as client:
        requests = [(ApiVersionsRequest(), 0), (MetadataRequest(topics=[]), 8)] * 5000
        frames = []
        for correlation_id, (request, version) in enumerate(requests):
            frames.append(client.frame(request, version, correlation_id))
            client.expect(request, version, correlation_id)
        sender = Thread(target=client.send_raw, args=(b"".join(frames),))
        sender.start()
        bystander.ping()
        for request, _ in requests:
            answer = client.receive()
            assert type(answer).API_KEY == request.API_KEY
        sender.join()


def test_half_closed_connection_gets_its_answer(server: ServerProcess, bystander: Bystander) -> None:
    with WireClient(*server.address) as client:
        client.send(ApiVersionsRequest(), 0)
        client.half_close()
        assert client.receive().error_code == 0
        assert client.is_closed()


def test_half_closed_in_the_middle_of_a_frame_closes(server: ServerProcess, bystander: Bystander) -> None:
    whole = struct.pack(">ihhih", 10, ApiKey.API_VERSIONS, 0, 1, -1)
    for cut in range(len(whole)):
        with WireClient(*server.address) as client:
            client.send_raw(whole[:cut])
            client.half_close()
            assert client.is_closed(), cut


def test_reset_at_every_byte_of_a_request(server: ServerProcess, bystander: Bystander) -> None:
    with WireClient(*server.address) as template:
        whole = template.frame(MetadataRequest(topics=[]), 12, 1)
    for cut in range(len(whole) + 1):
        client = WireClient(*server.address)
        client.send_raw(whole[:cut])
        client.reset()
        bystander.ping()


def test_reset_in_the_middle_of_an_answer(server: ServerProcess, bystander: Bystander) -> None:
    """The answer is larger than what the sockets hold, so it is still being sent when the reset comes."""
    topic = f"{bystander.topic}-large"
    create_topic(bystander.client, topic)
    for _ in range(8):
        assert produce(bystander.client, topic, values_batch([bytes(900_000)])).error_code == 0
    for read in (1, 4, 5, 64, 1000, 65536, 300_000):
        client = WireClient(*server.address)
        client.send(fetch_request(topic, 0), 12)
        client.receive_raw(read)
        client.reset()
        bystander.check()


def _take_exactly(source: socket.socket, size_bytes: int) -> None:
    """Leave the rest where it is; `receive_raw` takes from the socket whatever is there."""
    while size_bytes:
        piece = source.recv(size_bytes)
        assert piece, "closed in the middle of an answer"
        size_bytes -= len(piece)


@pytest.mark.parametrize("asked", ["ApiVersions", "Metadata", "Fetch"])
def test_reset_at_every_byte_of_an_answer(server: ServerProcess, bystander: Bystander, asked: str) -> None:
    """Nothing of it in the server's log either: its fixture looks for tracebacks when all is over."""
    requests: dict[str, tuple[Message, int]] = {
        "ApiVersions": (ApiVersionsRequest(), 0),
        "Metadata": (MetadataRequest(topics=[MetadataRequestTopic(name=bystander.topic)]), 12),
        "Fetch": (fetch_request(bystander.topic, 0), 12),
    }
    request, version = requests[asked]
    with WireClient(*server.address) as whole:
        whole.send(request, version)
        size_bytes = 4 + len(whole.receive_frame())
    for cut in range(size_bytes + 1):
        client = WireClient(*server.address)
        client.send(request, version)
        _take_exactly(client.socket, cut)
        client.reset()
        bystander.ping()
    bystander.check()


@pytest.mark.parametrize("cut", ["in the length", "in the header", "in the batch", "behind the batch"])
def test_producer_that_vanishes(server: ServerProcess, bystander: Bystander, cut: str) -> None:
    """A request that did not arrive whole leaves nothing behind; one that did may, and then it is whole."""
    topic = f"{bystander.topic}-{cut.replace(' ', '-')}"
    create_topic(bystander.client, topic)
    with WireClient(*server.address) as client:
        whole = client.frame(produce_request(topic, values_batch([b"lost"] * 3)), 12, 1)
        sizes = {
            "in the length": 2,
            "in the header": 9,
            "in the batch": len(whole) - 20,
            "behind the batch": len(whole),
        }
        client.send_raw(whole[: sizes[cut]])
        client.half_close()
        if cut == "behind the batch":
            client.expect(produce_request(topic, b""), 12, 1)
            assert client.receive().responses[0].partition_responses[0].error_code == 0
        else:
            with pytest.raises(ConnectionClosed):
                client.receive_frame()
    assert offset_of(bystander.client, topic) == (3 if cut == "behind the batch" else 0)
    assert produce(bystander.client, topic, values_batch([b"next"])).error_code == 0


def test_two_connections_create_one_topic(server: ServerProcess, bystander: Bystander) -> None:
    """Of two creations that race, one is told that the topic exists already, and there is one topic."""
    with WireClient(*server.address) as first, WireClient(*server.address) as second:
        for n in range(20):
            topic = f"{bystander.topic}-raced-{n}"
            for client in (first, second):
                client.send(create_topics_request(topic, 2), 7)
            answers = [client.receive().topics[0] for client in (first, second)]
            assert sorted(answer.error_code for answer in answers) == [0, 36]
            while (found := describe_topic(first, topic)).error_code != 0:
                pass
            assert found.topic_id in {answer.topic_id for answer in answers}
            assert len(found.partitions) == 2
