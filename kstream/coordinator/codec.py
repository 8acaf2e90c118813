"""Coordinator records as bytes.

A key is an int16, which says what the record is, and the body of that schema in version 0. A value is an
int16, the version of its body, and the body. A null value is a tombstone.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

from kstream.coordinator.outcome import CoordinatorRecord
from kstream.errors import ProtocolError
from kstream.records.errors import CorruptBatch
from kstream.wire.codec import appender, decoder
from kstream.wire.schema import Message

_NUMBER = struct.Struct(">h")

Schemas = Mapping[int, type[Message]]
_Decode = Callable[[bytes, int], tuple[Any, int]]


def encode_record(record: CoordinatorRecord) -> tuple[bytes, bytes | None]:
    """Key and value of one record. Raises `EncodeError` for a field that the value's version cannot carry."""
    key, value, version = record
    kind = type(key)
    key_pieces = [_NUMBER.pack(kind.API_KEY)]
    appender(kind, 0)(key, key_pieces)
    if value is None:
        return b"".join(key_pieces), None
    value_pieces = [_NUMBER.pack(version)]
    appender(type(value), version)(value, value_pieces)
    return b"".join(key_pieces), b"".join(value_pieces)


class RecordDecoder:
    """Reads one topic's records. `keys` and `values` are its schemas by the number in front of the key."""

    def __init__(self, keys: Schemas, values: Schemas) -> None:
        self._keys = keys
        self._values = values
        self._key_decoders: dict[bytes, _Decode] = {}
        self._value_decoders: dict[bytes, tuple[_Decode, int]] = {}
        """By both numbers in front, with the version: a shard is loaded from many records of few kinds."""

    def decode(self, key: bytes | None, value: bytes | None) -> CoordinatorRecord | None:
        """One record; None for a kind that nobody here knows, which a newer broker may have left.

        Raises:
            CorruptBatch: it is of a known kind, and does not decode.
        """
        if key is None or len(key) < _NUMBER.size:
            raise CorruptBatch("coordinator record has no key")
        front = key[:2]
        try:
            decode_key = self._key_decoders.get(front)
            if decode_key is None:
                (kind,) = _NUMBER.unpack(front)
                if kind not in self._keys:
                    return None
                decode_key = self._key_decoders[front] = decoder(self._keys[kind], 0)
            decoded_key, _ = decode_key(key, 2)
            if value is None:
                return CoordinatorRecord(decoded_key, None)
            known = self._value_decoders.get(front + value[:2])
            if known is None:
                known = self._value_decoder(front, value)
            decoded_value, _ = known[0](value, 2)
        except ProtocolError as error:
            (kind,) = _NUMBER.unpack(front)
            raise CorruptBatch(f"coordinator record of kind {kind}: {error}") from None
        return CoordinatorRecord(decoded_key, decoded_value, known[1])

    def _value_decoder(self, front: bytes, value: bytes) -> tuple[_Decode, int]:
        (kind,) = _NUMBER.unpack(front)
        if len(value) < _NUMBER.size:
            raise CorruptBatch(f"coordinator record of kind {kind} has a value of {len(value)} bytes")
        (version,) = _NUMBER.unpack(value[:2])
        known = self._value_decoders[front + value[:2]] = (decoder(self._values[kind], version), version)
        return known
