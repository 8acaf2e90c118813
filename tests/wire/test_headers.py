"""Headers by hand against their declarations, and whole frames."""

from __future__ import annotations

from random import Random

import pytest

from kstream.errors import ProtocolError
from kstream.wire import headers
from kstream.wire.apis import ApiKey
from kstream.wire.codec import decode, encode
from kstream.wire.messages import header
from kstream.wire.messages.api_versions import ApiVersionsResponse
from kstream.wire.messages.metadata import MetadataRequest, MetadataResponse
from tests.wire.test_bounds import mutated
from tests.wire.test_encoding import Region, fetched


@pytest.mark.parametrize("client_id", [None, "", "größe", "x" * 300])
@pytest.mark.parametrize(("api_version", "header_version"), [(8, 1), (9, 2)])
def test_request_header(client_id: str | None, api_version: int, header_version: int) -> None:
    declared = header.RequestHeader(
        request_api_key=3, request_api_version=api_version, correlation_id=-5, client_id=client_id
    )
    raw = headers.encode_request_header(3, api_version, -5, client_id)
    assert raw == encode(declared, header_version)
    assert decode(header.RequestHeader, raw, header_version) == declared
    assert headers.request_header_version(3, api_version) == header_version
    read = headers.read_request_header(raw + b"body")
    assert read == (3, api_version, -5, client_id, len(raw))
    assert headers.read_request_header(memoryview(raw + b"body")) == read


def test_unknown_apis_and_versions_can_be_read() -> None:
    """An ApiVersions request of any version gets an answer, so its header must be readable."""
    assert (
        headers.read_request_header(b"\x00\x12\x00\x63" + b"\0\0\0\1" + b"\xff\xff" + b"\0").api_version == 99
    )
    assert headers.read_request_header(b"\x03\xe7\x00\x00" + b"\0\0\0\1" + b"\xff\xff").body == 10


def test_odd_client_ids_are_taken_as_kafka_takes_them() -> None:
    assert headers.read_request_header(b"\0\3\0\1\0\0\0\1\x80\0").client_id is None
    assert headers.read_request_header(b"\0\3\0\1\0\0\0\1\0\2a\xff").client_id == "a\N{REPLACEMENT CHARACTER}"


def test_tagged_fields_of_a_header_are_skipped() -> None:
    raw = headers.encode_request_header(3, 9, 1, "c")[:-1] + b"\2\5\3abc\7\0"
    assert headers.read_request_header(raw + b"body").body == len(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0\3\0\1\0\0\0\1\0",
        b"\0\3\0\1\0\0\0\1\0\5abc",
        b"\0\3\0\x09\0\0\0\1\xff\xff",
        b"\0\3\0\x09\0\0\0\1\xff\xff\1\1\5abc",
        b"\0\3\0\x09\0\0\0\1\xff\xff\x80\x80\x80\x80\x01",
        b"\0\3\0\x09\0\0\0\1\xff\xff\xff\xff\xff\xff\xff\xff",
    ],
)
def test_bad_headers(raw: bytes) -> None:
    with pytest.raises(ProtocolError, match="RequestHeader"):
        headers.read_request_header(raw)


def test_mutated_headers() -> None:
    random = Random(5)
    raw = headers.encode_request_header(3, 9, 1, "client")
    read = 0
    refused = []
    for _ in range(3000):
        try:
            headers.read_request_header(mutated(raw, random))
            read += 1
        except ProtocolError as error:
            refused.append(error.where)
    assert read + len(refused) == 3000
    assert all(where.startswith("RequestHeader") for where in refused)
    assert read > 100


@pytest.mark.parametrize("version", [0, 1])
def test_response_header(version: int) -> None:
    raw = headers.encode_response_header(77, version)
    assert raw == encode(header.ResponseHeader(correlation_id=77), version)
    assert headers.read_response_header(raw + b"body", version) == (77, len(raw))
    with pytest.raises(ProtocolError, match="ResponseHeader"):
        headers.read_response_header(raw[:-1], version)


def test_versions_of_response_headers() -> None:
    assert headers.response_header_version(ApiKey.METADATA, 8) == 0
    assert headers.response_header_version(ApiKey.METADATA, 9) == 1
    assert headers.response_header_version(ApiKey.API_VERSIONS, 3) == 0
    assert headers.request_header_version(ApiKey.API_VERSIONS, 3) == 2
    assert headers.request_header_version(ApiKey.SASL_HANDSHAKE, 1) == 1


def test_frames_of_requests_and_responses() -> None:
    request = headers.request_frame(MetadataRequest(), 9, 5, "me")
    assert int.from_bytes(request[:4], "big") == len(request) - 4
    read = headers.read_request_header(request[4:])
    assert (read.api_key, read.api_version, read.correlation_id, read.client_id) == (3, 9, 5, "me")
    assert decode(MetadataRequest, request[4:], 9, offset=read.body) == MetadataRequest()

    (response,) = headers.response_frame(MetadataResponse(), ApiKey.METADATA, 9, 5)
    assert isinstance(response, bytes)
    assert int.from_bytes(response[:4], "big") == len(response) - 4
    assert headers.read_response_header(response[4:], 1) == (5, 5)
    assert decode(MetadataResponse, response[4:], 9, offset=5) == MetadataResponse()

    (versions,) = headers.response_frame(ApiVersionsResponse(), ApiKey.API_VERSIONS, 3, 5)
    assert isinstance(versions, bytes)
    assert decode(ApiVersionsResponse, versions, 3, offset=8) == ApiVersionsResponse()


def test_frames_with_records_elsewhere() -> None:
    region = Region(1000)
    parts = headers.response_frame(fetched(region), ApiKey.FETCH, 12, 5)
    assert parts[1] is region
    first = parts[0]
    assert isinstance(first, bytes)
    assert int.from_bytes(first[:4], "big") == sum(len(part) for part in parts) - 4
