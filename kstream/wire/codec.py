"""Messages to bytes and back: `encode`, `encode_parts`, `decode`, and the compiled functions behind them.

A message class and a version are compiled to one encode and one decode function at their first use, which
takes about a millisecond; `source` prints what was compiled.

Decoding accepts what Kafka's own parser accepts, overlong varints, any negative length for null and unknown
tagged fields among it, and is stricter in three things: text that is not UTF-8, where Kafka puts in
replacement characters; a tagged field whose announced size is not its own, which Kafka passes over; and more
elements than `plan` allows.
"""

from __future__ import annotations

import struct
from codecs import utf_8_decode
from collections.abc import Callable
from itertools import repeat
from typing import Any, TypeVar, cast

from kstream.errors import ProtocolError
from kstream.wire.fields import ZERO_UUID, Payload
from kstream.wire.generate_decode import DecodeWriter
from kstream.wire.generate_encode import EncodeWriter
from kstream.wire.primitives import BadEncoding, Buffer, read_uvarint_rest, uvarint
from kstream.wire.reference import EncodeError, ReferenceDecoder, ReferenceEncoder
from kstream.wire.runtime import compact_string, join_uuids, long_array, skip_tags, tag_head
from kstream.wire.schema import Message

__all__ = [
    "EncodeError",
    "appender",
    "decode",
    "decoder",
    "encode",
    "encode_parts",
    "encoder",
    "join_parts",
    "source",
]

M = TypeVar("M", bound=Message)
Part = bytes | Payload
Appender = Callable[[M, list[Any]], list[int] | None]

_DECODE_FAILURES = (BadEncoding, struct.error, IndexError, UnicodeDecodeError)
_ENCODE_FAILURES = (BadEncoding, struct.error, AttributeError, TypeError, ValueError, OverflowError)
_BYTES_LIKE = frozenset({bytes, bytearray, memoryview})

_decoders: dict[tuple[type[Message], int], Any] = {}
_appenders: dict[tuple[type[Message], int], Any] = {}
_encoders: dict[tuple[type[Message], int], Any] = {}


def decode(cls: type[M], buffer: Buffer, version: int, *, offset: int = 0, trailing: bool = False) -> M:
    """Decode one message of `cls` that begins at `offset` and fills the buffer, unless `trailing` is true.

    Kafka's own parser ignores bytes behind a request's body; pass `trailing=True` where that matters.

    Raises:
        ProtocolError: naming message, version, field path and byte.
    """
    message, position = decoder(cls, version)(buffer, offset)
    if position != len(buffer) and not trailing:
        raise ProtocolError(
            f"{len(buffer) - position} bytes behind the end",
            where=f"{cls.__name__} v{version} at byte {position}",
        )
    return message


def encode(message: Message, version: int) -> bytes:
    """Encode a message whose records, if any, are bytes-like.

    Raises:
        EncodeError: naming the field that this version cannot carry.
    """
    out: list[Any] = []
    appender(type(message), version)(message, out)
    return b"".join(out)


def encode_parts(message: Message, version: int) -> list[Part]:
    """Encode a message whose records may lie in files: those payloads stand between the pieces, untouched."""
    out: list[Any] = []
    places = appender(type(message), version)(message, out)
    return join_parts(out, places)


def join_parts(pieces: list[Any], places: list[int] | None) -> list[Part]:
    """Join runs of pieces; those at `places` are payloads and stay as they are."""
    if places is None:
        return [b"".join(pieces)]
    parts: list[Part] = []
    start = 0
    for place in places:
        if start < place:
            parts.append(b"".join(pieces[start:place]))
        parts.append(pieces[place])
        start = place + 1
    if start < len(pieces):
        parts.append(b"".join(pieces[start:]))
    return parts


def decoder(cls: type[M], version: int) -> Callable[[Buffer, int], tuple[M, int]]:
    """The compiled decode function: `(buffer, offset) -> (message, offset behind it)`."""
    try:
        function = _decoders[cls, version]
    except KeyError:
        _check_version(cls, version)
        function = _decoders[cls, version] = _compile_decoder(cls, version)
    return cast("Callable[[Buffer, int], tuple[M, int]]", function)


def encoder(cls: type[M], version: int) -> Callable[[M], bytes]:
    """The compiled encode function: `message -> bytes`."""
    try:
        function = _encoders[cls, version]
    except KeyError:
        append = appender(cls, version)
        join = b"".join

        def function(message: M) -> bytes:
            out: list[Any] = []
            append(message, out)
            return join(out)

        _encoders[cls, version] = function
    return cast("Callable[[M], bytes]", function)


def appender(cls: type[M], version: int) -> Appender[M]:
    """The compiled function below `encoder`: appends pieces to a list, for callers that put headers in front.

    It returns the indexes of pieces that are payloads rather than bytes-like, or None if there are none.
    """
    try:
        function = _appenders[cls, version]
    except KeyError:
        _check_version(cls, version)
        function = _appenders[cls, version] = _compile_appender(cls, version)
    return cast("Appender[M]", function)


def source(cls: type[Message], version: int) -> str:
    """The generated code of a message and version, for reading."""
    _check_version(cls, version)
    return EncodeWriter(cls, version).source("encode") + "\n\n" + DecodeWriter(cls, version).source("decode")


def _check_version(cls: type[Message], version: int) -> None:
    if version not in cls.VERSIONS:
        raise ProtocolError(f"no such version; there are {cls.VERSIONS}", where=f"{cls.__name__} v{version}")


def _compile(text: str, name: str, cls: type[Message], version: int, namespace: dict[str, Any]) -> Any:
    exec(compile(text, f"<{name} {cls.__name__} v{version}>", "exec"), namespace)
    return namespace[name]


def _compile_decoder(cls: type[Message], version: int) -> Any:
    def explain(buffer: Buffer, position: int, failure: Exception) -> Exception:
        try:
            ReferenceDecoder(cls, version, buffer, position).decode()
        except ProtocolError as error:
            return error
        return ProtocolError(repr(failure), where=f"{cls.__name__} v{version}")

    writer = DecodeWriter(cls, version)
    namespace = writer.namespace | {
        "BadEncoding": BadEncoding,
        "FAILURES": _DECODE_FAILURES,
        "ZERO_UUID": ZERO_UUID,
        "compact_string": compact_string,
        "explain": explain,
        "long_array": long_array,
        "new": object.__new__,
        "repeat": repeat,
        "skip_tags": skip_tags,
        "tag_head": tag_head,
        "utf_8_decode": utf_8_decode,
        "uvarint_rest": read_uvarint_rest,
    }
    return _compile(writer.source("decode"), "decode", cls, version, namespace)


def _compile_appender(cls: type[Message], version: int) -> Any:
    def explain(message: Message, failure: Exception) -> Exception:
        try:
            ReferenceEncoder(message, version).encode()
        except EncodeError as error:
            return error
        return EncodeError(repr(failure), where=f"{cls.__name__} v{version}")

    writer = EncodeWriter(cls, version)
    namespace = writer.namespace | {
        "BYTES_LIKE": _BYTES_LIKE,
        "BadEncoding": BadEncoding,
        "FAILURES": _ENCODE_FAILURES,
        "ZERO_UUID": ZERO_UUID,
        "explain": explain,
        "pack": struct.pack,
        "uuids": join_uuids,
        "uvarint": uvarint,
    }
    return _compile(writer.source("encode"), "encode", cls, version, namespace)
