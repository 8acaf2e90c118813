"""Frames that lie, requests that do not exist, bodies that are noise: expected is what Kafka does."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from compat.server_process import ServerProcess
from kstream.errors import ErrorCode
from kstream.testing.client import WireClient
from kstream.wire.apis import ApiKey, flexible_from
from kstream.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kstream.wire.messages.metadata import MetadataRequest
from tests.hostile.bystander import Bystander

REQUEST_SIZE_BYTES_MAX = 100 * 1024 * 1024
_CORRELATION_ID = 77


@pytest.fixture
def client(server: ServerProcess, bystander: Bystander) -> Iterator[WireClient]:
    with WireClient(*server.address) as connected:
        yield connected


def framed(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data


def header(api_key: int, version: int, *, flexible: bool = False) -> bytes:
    """A request header without a client id; `flexible` ends it with an empty tag section."""
    return struct.pack(">hhih", api_key, version, _CORRELATION_ID, -1) + (b"\0" if flexible else b"")


def advertised(client: WireClient) -> list[tuple[int, int, int]]:
    """Key, lowest and highest version of every API that the server says it has."""
    answer: ApiVersionsResponse = client.request(
        ApiVersionsRequest(client_software_name="hostile", client_software_version="1"), 4
    )
    return [(api.api_key, api.min_version, api.max_version) for api in answer.api_keys]


@pytest.mark.parametrize("size_bytes", [-1, -(2**31), REQUEST_SIZE_BYTES_MAX + 1, 2**31 - 1])
def test_length_out_of_bounds_closes(client: WireClient, size_bytes: int) -> None:
    client.send_raw(struct.pack(">i", size_bytes) + b"whatever follows")
    assert client.is_closed()


@pytest.mark.parametrize("frame", [b"", b"abc", header(18, 0)[:9]])
def test_frame_without_room_for_a_header_closes(client: WireClient, frame: bytes) -> None:
    client.send_raw(framed(frame))
    assert client.is_closed()


def test_length_that_promises_more_waits(client: WireClient, bystander: Bystander) -> None:
    """The largest length that is allowed, a little of what it promised, then silence: others are served."""
    client.send_raw(struct.pack(">i", REQUEST_SIZE_BYTES_MAX) + header(ApiKey.PRODUCE, 12))
    for _ in range(20):
        bystander.check()
    assert not client.is_closed(timeout_s=0.05)


def test_length_that_promises_less_closes(client: WireClient) -> None:
    """The request ends in the middle of its body, and what is left is no frame."""
    whole = client.frame(ApiVersionsRequest(client_software_name="name", client_software_version="1"), 3, 1)
    client.send_raw(struct.pack(">i", len(whole) - 4 - 6) + whole[4:])
    assert client.is_closed()


@pytest.mark.parametrize(
    "hello",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", id="http"),
        pytest.param(bytes.fromhex("1603010200010001fc0303") + bytes(100), id="tls"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="ssh"),
        pytest.param(b"PING\r\n", id="redis"),
    ],
)
def test_other_protocols_close(client: WireClient, hello: bytes) -> None:
    client.send_raw(hello)
    assert client.is_closed()


@pytest.mark.parametrize("api_key", [-1, 4, 5, 6, 7, 52, 53, 62, 63, 1000, 32767])
def test_api_that_is_not_for_clients_closes(client: WireClient, api_key: int) -> None:
    client.send_raw(framed(header(api_key, 0) + bytes(20)))
    assert client.is_closed()


def test_unsupported_version_closes(server: ServerProcess, bystander: Bystander) -> None:
    """One below and one above, for every API but ApiVersions."""
    for api_key, version_min, version_max in advertised(bystander.client):
        if api_key == ApiKey.API_VERSIONS:
            continue
        for version in (version_min - 1, version_max + 1):
            with WireClient(*server.address) as client:
                client.send_raw(framed(header(api_key, version, flexible=flexible_from(api_key) is not None)))
                assert client.is_closed(), f"API {api_key} version {version}"


def test_produce_below_three_is_advertised_but_closes(server: ServerProcess, bystander: Bystander) -> None:
    """KAFKA-18659: old librdkafka wants Produce to begin at 0; nobody may use those versions."""
    assert (ApiKey.PRODUCE, 0, 13) in advertised(bystander.client)
    for version in (0, 1, 2):
        with WireClient(*server.address) as client:
            client.send_raw(framed(header(ApiKey.PRODUCE, version) + struct.pack(">hii", 1, 1000, 0)))
            assert client.is_closed()


@pytest.mark.parametrize(("version", "flexible"), [(6, True), (99, True), (32767, True), (-1, False)])
def test_unknown_version_of_api_versions_is_answered(
    client: WireClient, version: int, flexible: bool
) -> None:
    """KIP-511: version 0's form with error 35, which names only the versions of ApiVersions itself."""
    client.send_raw(framed(header(ApiKey.API_VERSIONS, version, flexible=flexible) + b"\x02a\x021\x00"))
    answer = client.receive_frame()
    assert answer == struct.pack(
        ">ihihhh", _CORRELATION_ID, ErrorCode.UNSUPPORTED_VERSION, 1, ApiKey.API_VERSIONS, 0, 5
    )
    assert len(advertised(client)) > 10, "the connection goes on"


@pytest.mark.parametrize("name", ["", "with space", "-dash-first", "dot-last.", "ümlaut", "a" * 5 + "\n"])
def test_invalid_client_software_name_is_told(client: WireClient, name: str) -> None:
    answer = client.request(ApiVersionsRequest(client_software_name=name, client_software_version="1"), 3)
    assert answer.error_code == ErrorCode.INVALID_REQUEST
    assert answer.api_keys == []
    assert len(advertised(client)) > 10, "the connection goes on"


@pytest.mark.parametrize("noise", [b"\xff" * 64, b"\x7f" * 64, b""], ids=["ff", "7f", "empty"])
def test_noise_for_a_body_closes(server: ServerProcess, bystander: Bystander, noise: bytes) -> None:
    """For the newest version of every API."""
    for api_key, _, version in advertised(bystander.client):
        flexible_first = flexible_from(api_key)
        flexible = flexible_first is not None and version >= flexible_first
        with WireClient(*server.address) as client:
            client.send_raw(framed(header(api_key, version, flexible=flexible) + noise))
            assert client.is_closed(), f"API {api_key} version {version}"


def test_lengths_that_lie_inside_the_body_close(client: WireClient, server: ServerProcess) -> None:
    """Arrays and varints that announce more than the frame holds, or than any frame could hold."""
    lies = [
        header(ApiKey.METADATA, 1) + struct.pack(">i", 2**31 - 1),
        header(ApiKey.METADATA, 1) + struct.pack(">ih", 1, 32767) + b"short",
        header(ApiKey.METADATA, 12, flexible=True) + b"\xff" * 10,
        header(ApiKey.METADATA, 12, flexible=True) + b"\xff\xff\xff\xff\x07",
        header(ApiKey.METADATA, 12, flexible=True) + b"\x02" + bytes(16) + b"\xff\xff\xff\xff\x0f",
        struct.pack(">hhih", ApiKey.API_VERSIONS, 0, 1, 500),
    ]
    for lie in lies:
        with WireClient(*server.address) as liar:
            liar.send_raw(framed(lie))
            assert liar.is_closed(), lie.hex()
    assert len(advertised(client)) > 10


@pytest.mark.parametrize("version", [0, 1, 4, 12])
def test_bytes_behind_the_body_are_ignored(client: WireClient, version: int) -> None:
    whole = client.frame(MetadataRequest(topics=[]), version, 1)
    client.send_raw(framed(whole[4:] + b"left over"))
    client.expect(MetadataRequest(), version, 1)
    assert len(client.receive().brokers) == 1
    assert len(advertised(client)) > 10, "the connection goes on"


@pytest.mark.parametrize(
    "client_id",
    [
        pytest.param(struct.pack(">h", -2), id="length-below-null"),
        pytest.param(struct.pack(">h", 2) + b"\xff\xfe", id="not-utf-8"),
    ],
)
def test_odd_client_ids_are_taken(client: WireClient, client_id: bytes) -> None:
    client.send_raw(framed(struct.pack(">hhi", ApiKey.API_VERSIONS, 0, _CORRELATION_ID) + client_id))
    client.expect(ApiVersionsRequest(), 0, _CORRELATION_ID)
    assert client.receive().error_code == 0
