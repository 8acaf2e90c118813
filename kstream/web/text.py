"""Bytes in JSON: text where they are UTF-8, base64 where they are not."""

from __future__ import annotations

import msgspec


class Base64(msgspec.Struct, frozen=True):
    """Bytes that are not text."""

    base64: bytes


Bytes = str | Base64 | None
"""A key, a value or a header as JSON has it; null stays null."""


def to_json(content: bytes | None) -> Bytes:
    if content is None:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return Base64(content)


def from_json(content: Bytes) -> bytes | None:
    if isinstance(content, str):
        return content.encode()
    return None if content is None else content.base64
