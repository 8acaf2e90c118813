"""What stands in front of a body: request header v1 and v2, response header v0 and v1.

Version 2 and 1 add tagged fields (KIP-482) and go with the flexible versions of an API. Two exceptions: the
client id stays an old-style string in request header v2, so that a server can read it before it knows the
version; and an ApiVersions answer always has response header v0, because its client does not know yet what
the server speaks.
"""

from __future__ import annotations

import struct
from codecs import utf_8_decode
from typing import Any, Final, NamedTuple

from kstream.errors import ProtocolError
from kstream.wire.apis import FLEXIBLE_FROM, flexible_from
from kstream.wire.codec import Part, appender, join_parts
from kstream.wire.primitives import BadEncoding, Buffer, read_uvarint
from kstream.wire.schema import Message

_FIXED = struct.Struct(">hhih")
_read_fixed = _FIXED.unpack_from
_flexible_from = FLEXIBLE_FROM.get
_new = tuple.__new__  # what a NamedTuple's constructor calls
_TAGS_MAX: Final = 64
_API_VERSIONS: Final = 18


class RequestHeader(NamedTuple):
    """A request's header, and where its body begins in the frame."""

    api_key: int
    api_version: int
    correlation_id: int
    client_id: str | None
    body: int


def request_header_version(api_key: int, api_version: int) -> int:
    """1, or 2 where the version of the API is flexible."""
    first = flexible_from(api_key)
    return 2 if first is not None and api_version >= first else 1


def response_header_version(api_key: int, api_version: int) -> int:
    """0, or 1 where the version of the API is flexible, but for ApiVersions."""
    if api_key == _API_VERSIONS:
        return 0
    return request_header_version(api_key, api_version) - 1


def read_request_header(frame: Buffer) -> RequestHeader:
    """Read the header at the front of a frame (without its length prefix).

    A version that the API does not have is not refused here: an ApiVersions request of an unknown version is
    answered, and the caller needs its correlation id. As in Kafka, any negative length of the client id means
    null, and bytes in it that are not UTF-8 are replaced.

    Raises:
        ProtocolError: the header is cut short.
    """
    try:
        api_key, api_version, correlation_id, length = _read_fixed(frame)
        position = 10
        client_id = None
        if length >= 0:
            position += length
            if position > len(frame):
                raise BadEncoding(f"client_id of {length} bytes, {len(frame) - 10} remain")
            client_id = utf_8_decode(frame[10:position], "replace", True)[0]
        first = _flexible_from(api_key)
        if first is not None and api_version >= first:
            if frame[position] == 0:
                position += 1
            else:
                position = _skip_tags(frame, position)
    except (struct.error, IndexError) as error:
        raise ProtocolError(f"the frame ends in the header: {error}", where="RequestHeader") from None
    except BadEncoding as error:
        raise ProtocolError(str(error), where="RequestHeader client_id or tags") from None
    return _new(RequestHeader, (api_key, api_version, correlation_id, client_id, position))


def encode_request_header(
    api_key: int, api_version: int, correlation_id: int, client_id: str | None
) -> bytes:
    """The header that goes in front of a request of this API and version."""
    raw = b"" if client_id is None else client_id.encode()
    fixed = _FIXED.pack(api_key, api_version, correlation_id, -1 if client_id is None else len(raw))
    return fixed + raw + (b"\0" if request_header_version(api_key, api_version) == 2 else b"")


def encode_response_header(correlation_id: int, version: int) -> bytes:
    """The header that goes in front of a response."""
    return correlation_id.to_bytes(4, "big", signed=True) + (b"\0" if version else b"")


def read_response_header(frame: Buffer, version: int) -> tuple[int, int]:
    """The correlation id at the front of a response frame, and where the body begins."""
    try:
        correlation_id: int = struct.unpack_from(">i", frame)[0]
        position = 4 if version == 0 else _skip_tags(frame, 4)
    except (struct.error, IndexError, BadEncoding) as error:
        raise ProtocolError(str(error), where=f"ResponseHeader v{version}") from None
    return correlation_id, position


def response_frame(message: Message, api_key: int, version: int, correlation_id: int) -> list[Part]:
    """A whole response, from its length prefix on: one piece of bytes, or more if records lie in files."""
    out: list[Any] = [b""]
    places = appender(type(message), version)(message, out)
    header = encode_response_header(correlation_id, response_header_version(api_key, version))
    size = len(header) + sum(map(len, out))
    out[0] = size.to_bytes(4, "big") + header
    return join_parts(out, places)


def request_frame(message: Message, version: int, correlation_id: int, client_id: str | None) -> bytes:
    """A whole request, from its length prefix on."""
    out: list[Any] = [b""]
    appender(type(message), version)(message, out)
    header = encode_request_header(message.API_KEY, version, correlation_id, client_id)
    size = len(header) + sum(map(len, out))
    out[0] = size.to_bytes(4, "big") + header
    return b"".join(out)


def _skip_tags(frame: Buffer, position: int) -> int:
    count, position = read_uvarint(frame, position)
    if count > _TAGS_MAX:
        raise BadEncoding(f"{count} tagged fields in a header")
    for _ in range(count):
        _, position = read_uvarint(frame, position)
        size, position = read_uvarint(frame, position)
        position += size
        if position > len(frame):
            raise BadEncoding("a tagged field runs past the end of the frame")
    return position
