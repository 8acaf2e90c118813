"""Bytes that are no requests: lying lengths, headers that end early, unknown APIs and versions."""

from __future__ import annotations

import random
import struct

from compat.oracle.run import Run, scenario
from kstream.wire.apis import APIS, ApiKey
from kstream.wire.headers import request_frame
from kstream.wire.messages.api_versions import ApiVersionsRequest
from kstream.wire.messages.metadata import MetadataRequest

_REQUEST_MAX_BYTES = 104_857_600


def framed(body: bytes) -> bytes:
    """The bytes behind their length."""
    return struct.pack(">i", len(body)) + body


def header(key: int, version: int, *, client_id: bytes | None = b"oracle", tags: bytes = b"") -> bytes:
    """A request header; `tags` is what header version 2 ends with."""
    length = -1 if client_id is None else len(client_id)
    return struct.pack(">hhih", key, version, 7, length) + (client_id or b"") + tags


@scenario
def connection_lengths(run: Run) -> None:
    """Frame lengths that cannot be: zero, negative, above the maximum, and those that nobody fills."""
    for length in (0, -1, -100, -(2**31), _REQUEST_MAX_BYTES + 1, 2**31 - 1):
        run.raw(f"length {length}", struct.pack(">i", length) + bytes(20))
    for length in (1, 2, 3, 4, 7, 8, 9):
        run.raw(f"a frame of {length} zeros", struct.pack(">i", length) + bytes(length))
    run.raw("half a length, then our end", b"\0\0", half_close=True)
    run.raw("nothing, then our end", b"", half_close=True)
    run.raw("half a frame, then our end", struct.pack(">i", 100) + bytes(50), half_close=True)
    run.raw("the largest length, then our end", struct.pack(">i", _REQUEST_MAX_BYTES), half_close=True)


@scenario
def connection_strangers(run: Run) -> None:
    """Other protocols' first words."""
    run.raw("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    run.raw("TLS", bytes.fromhex("16030100c8010000c40303") + bytes(200))
    run.raw("SSH", b"SSH-2.0-OpenSSH_9.6\r\n")
    run.raw("a newline", b"\r\n\r\n\r\n")
    random_bytes = random.Random(1).randbytes(200)
    run.raw("noise", b"\0\0\0\xc4" + random_bytes[:196])


@scenario
def connection_headers(run: Run) -> None:
    """Headers that end early, and client ids of every kind."""
    whole = framed(header(ApiKey.METADATA, 1) + struct.pack(">i", 0))[4:]
    for size in range(len(whole)):
        run.raw(f"a request cut to {size} bytes", framed(whole[:size]))
    empty = struct.pack(">i", 0)
    for note, client_id in {
        "null": None,
        "empty": b"",
        "not UTF-8": b"\xff\xfe",
        "of 1,000 bytes": b"c" * 1000,
        "of 32,767 bytes": b"c" * 32767,
        "with a newline": b"a\nb",
        "with a zero": b"a\0b",
    }.items():
        data = framed(header(ApiKey.METADATA, 1, client_id=client_id) + empty)
        run.raw(f"client id {note}", data, key=ApiKey.METADATA, version=1)
    for length in (-2, -(2**15), 100, 32767):
        data = framed(struct.pack(">hhih", ApiKey.METADATA, 1, 7, length) + b"oracle" + empty)
        run.raw(f"client id of length {length}", data, key=ApiKey.METADATA, version=1)
    for correlation_id in (0, -1, -(2**31), 2**31 - 1):
        data = request_frame(MetadataRequest(topics=[]), 1, correlation_id, "oracle")
        run.raw(f"correlation id {correlation_id}", data, key=ApiKey.METADATA, version=1)


@scenario
def connection_header_tags(run: Run) -> None:
    """Tagged fields in a request's header (KIP-482): unknown ones are passed over, lies are not."""
    body = b"\x01" + b"\0\0\0"  # Metadata v12: no topics, two booleans, no tags
    for note, tags in {
        "none": b"\0",
        "one": b"\x01\x05\x02ab",
        "one, empty": b"\x01\x05\x00",
        "two": b"\x02\x05\x01a\x06\x01b",
        "tags out of order": b"\x02\x06\x01a\x05\x01b",
        "the same tag twice": b"\x02\x05\x01a\x05\x01b",
        "a large tag": b"\x01\xff\xff\xff\xff\x07\x01a",
        "sixty-five": b"\x41" + b"".join(bytes([index, 0]) for index in range(65)),
        "count too large": b"\x7f",
        "count of 2^32-1": b"\xff\xff\xff\xff\x0f",
        "count of six bytes": b"\xff\xff\xff\xff\xff\x01",
        "size beyond the frame": b"\x01\x05\x7f",
        "size of 2^31": b"\x01\x05\xff\xff\xff\xff\x0f",
    }.items():
        data = framed(header(ApiKey.METADATA, 12, tags=tags) + body)
        run.raw(f"tags: {note}", data, key=ApiKey.METADATA, version=12)
    data = framed(header(3, 1, tags=b"\0") + struct.pack(">i", 0))
    run.raw("tags where the version has none", data, key=ApiKey.METADATA, version=1, probe=True)


@scenario
def connection_unknown_apis(run: Run) -> None:
    """API keys that nobody has, and those that are spoken between brokers and controllers only."""
    known = set(APIS)
    for key in [-1, -32768, *range(100), 1000, 32767]:
        if key not in known:
            run.raw(f"key {key} v0", framed(header(key, 0)), probe=True)
            run.raw(
                f"key {key} v0 with a flexible header",
                framed(header(key, 0, tags=b"\0") + bytes(20)),
                probe=True,
            )


@scenario
def connection_unsupported_versions(run: Run) -> None:
    """Versions that an API does not have, on both sides of those it has."""
    for key in (0, 1, 2, 3, 19, 20, 22, 23, 32, 33, 37, 44, 60, 75):
        first, last = APIS[key].versions_min, APIS[key].versions_max
        for version in sorted({-1, -32768, first - 1, last + 1, 32767}):
            data = framed(header(key, version, tags=b"\0") + bytes(16))
            run.raw(f"{APIS[key].name} v{version}", data, probe=True)
    for version in (0, 1, 2):
        run.raw(
            f"Produce v{version}, which is advertised", framed(header(0, version) + bytes(16)), probe=True
        )


@scenario
def connection_api_versions_unknown(run: Run) -> None:
    """ApiVersions of a version that is not known is answered in version 0 with 35 (KIP-511)."""
    for version in (6, 7, 100, 32767, -1, -32768):
        for note, rest in {
            "as version 3 would be": b"\0" + b"\x07oracle" + b"\x021" + b"\0",
            "empty": b"",
            "garbage": random.Random(version).randbytes(50),
        }.items():
            data = framed(header(ApiKey.API_VERSIONS, version) + rest)
            run.raw(f"v{version}, {note}", data, key=ApiKey.API_VERSIONS, version=version, reads_as=0)


@scenario
def connection_half_closed(run: Run) -> None:
    """Our direction ends right after a request: does the answer still come?"""
    data = request_frame(ApiVersionsRequest(), 0, 5, "oracle")
    key = ApiKey.API_VERSIONS
    run.raw("one whole request, then our end", data, key=key, half_close=True)
    run.raw("one and a half requests, then our end", data + data[:9], key=key, half_close=True)
