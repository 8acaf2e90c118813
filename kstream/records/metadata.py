"""Records of `__cluster_metadata` and its snapshots as bytes (KIP-631).

A record's key is null. Its value is a frame: unsigned varints for the frame's version (1), the record's
type (the `apiKey` of its schema) and the version of its body, then the body as `schemas.metadata`
declares it.
"""

from __future__ import annotations

from typing import NamedTuple

from kstream.errors import ProtocolError
from kstream.records.errors import CorruptBatch
from kstream.records.schemas.metadata import RECORDS
from kstream.wire.codec import decode, encode
from kstream.wire.primitives import BadEncoding, read_uvarint, uvarint
from kstream.wire.schema import Message

FRAME_VERSION = 1


class MetadataRecord(NamedTuple):
    """One record of cluster metadata and the version of its schema that it was, or is to be, written in."""

    message: Message
    version: int


def encode_metadata(message: Message, version: int) -> bytes:
    """A record's value. Raises `EncodeError` for a field that the version cannot carry."""
    return uvarint(FRAME_VERSION) + uvarint(message.API_KEY) + uvarint(version) + encode(message, version)


def decode_metadata(value: bytes | memoryview | None) -> MetadataRecord:
    """The record in a value.

    Raises `CorruptBatch` for another frame version, for types and versions that Apache Kafka 4.4.0 does
    not have, for a body that does not decode, and for bytes behind it.
    """
    if value is None:
        raise CorruptBatch("metadata record has no value")
    try:
        frame_version, position = read_uvarint(value, 0)
        if frame_version != FRAME_VERSION:
            raise CorruptBatch(f"metadata record has frame version {frame_version}")
        api_key, position = read_uvarint(value, position)
        version, position = read_uvarint(value, position)
        record = RECORDS.get(api_key)
        if record is None:
            raise CorruptBatch(f"metadata record has unknown type {api_key}")
        return MetadataRecord(decode(record, value, version, offset=position), version)
    except IndexError:
        raise CorruptBatch("metadata record is cut short") from None
    except (BadEncoding, ProtocolError) as error:
        raise CorruptBatch(f"metadata record: {error}") from None
