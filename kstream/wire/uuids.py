"""Uuids: 16 raw bytes in Python and on the wire, 22 characters of URL-safe base64 in text."""

from __future__ import annotations

import base64
import binascii
import os

from kstream.wire.fields import ZERO_UUID

__all__ = ["METADATA_TOPIC_ID", "ONE_UUID", "ZERO_UUID", "format_uuid", "parse_uuid", "random_uuid"]

ONE_UUID = bytes(15) + b"\x01"
METADATA_TOPIC_ID = ONE_UUID
"""The topic id of `__cluster_metadata`."""

_RESERVED = frozenset(bytes(15) + bytes([n]) for n in range(100))


def format_uuid(uuid: bytes) -> str:
    """The text form of 16 bytes: base64 with `-` and `_`, without padding."""
    if len(uuid) != 16:
        raise ValueError(f"a uuid is 16 bytes, not {len(uuid)}")
    return base64.urlsafe_b64encode(uuid)[:22].decode("ascii")


def parse_uuid(text: str) -> bytes:
    """The 16 bytes behind Kafka's text form. ValueError if it is not one."""
    if len(text) > 24:
        raise ValueError(f"{text[:24]}... is too long for a uuid")
    try:
        raw = base64.b64decode(text.rstrip("=") + "==", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{text!r} is not a uuid: {error}") from None
    if len(raw) != 16:
        raise ValueError(f"{text!r} is not a uuid: {len(raw)} bytes where 16 belong")
    return raw


def random_uuid() -> bytes:
    """A random (version 4) uuid that is not reserved and whose text does not begin with `-`.

    A leading dash would be read as an option by command-line tools, so Kafka avoids it too.
    """
    while True:
        raw = bytearray(os.urandom(16))
        raw[6] = raw[6] & 0x0F | 0x40
        raw[8] = raw[8] & 0x3F | 0x80
        uuid = bytes(raw)
        if uuid not in _RESERVED and not format_uuid(uuid).startswith("-"):
            return uuid
