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
from kstream.wire.codec import decoder, encoder
from kstream.wire.schema import Message

_NUMBER = struct.Struct(">h")

Schemas = Mapping[int, type[Message]]


def encode_record(record: CoordinatorRecord) -> tuple[bytes, bytes | None]:
    """Key and value of one record. Raises `EncodeError` for a field that the value's version cannot carry."""
    key, value, version = record
    kind = type(key)
    key_bytes = _NUMBER.pack(kind.API_KEY) + encoder(kind, 0)(key)
    if value is None:
        return key_bytes, None
    return key_bytes, _NUMBER.pack(version) + encoder(type(value), version)(value)


class RecordDecoder:
    """Reads one topic's records. `keys` and `values` are its schemas by the number in front of the key."""

    def __init__(self, keys: Schemas, values: Schemas) -> None:
        self._keys = keys
        self._values = values
        self._key_decoders: dict[int, Callable[..., tuple[Any, int]]] = {}
        self._value_decoders: dict[tuple[int, int], Callable[..., tuple[Any, int]]] = {}

    def decode(self, key: bytes | None, value: bytes | None) -> CoordinatorRecord | None:
        """One record; None for a kind that nobody here knows, which a newer broker may have left.

        Raises:
            CorruptBatch: it is of a known kind, and does not decode.
        """
        if key is None or len(key) < _NUMBER.size:
            raise CorruptBatch("coordinator record has no key")
        kind = int.from_bytes(key[:2], "big", signed=True)
        if kind not in self._keys:
            return None
        try:
            decode_key = self._key_decoders.get(kind)
            if decode_key is None:
                decode_key = self._key_decoders[kind] = decoder(self._keys[kind], 0)
            decoded_key, _ = decode_key(key, 2)
            if value is None:
                return CoordinatorRecord(decoded_key, None)
            if len(value) < _NUMBER.size:
                raise CorruptBatch(f"coordinator record of kind {kind} has a value of {len(value)} bytes")
            version = int.from_bytes(value[:2], "big", signed=True)
            decode_value = self._value_decoders.get((kind, version))
            if decode_value is None:
                decode_value = decoder(self._values[kind], version)
                self._value_decoders[(kind, version)] = decode_value
            decoded_value, _ = decode_value(value, 2)
        except ProtocolError as error:
            raise CorruptBatch(f"coordinator record of kind {kind}: {error}") from None
        return CoordinatorRecord(decoded_key, decoded_value, version)
