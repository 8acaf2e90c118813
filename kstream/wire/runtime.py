"""What compiled codecs call for the cases that are not worth writing out in each of them."""

from __future__ import annotations

import struct
from codecs import utf_8_decode
from typing import Any

from kstream.wire.plan import STRING_SIZE_MAX
from kstream.wire.primitives import BadEncoding, Buffer, read_uvarint, read_uvarint_rest


def long_array(
    buffer: Buffer, position: int, count: int, format: str, size: int, nullable: bool
) -> tuple[list[Any] | None, int]:
    """Numbers or uuids, when there are too many for a prepared call, or none at all."""
    if count < 0:
        if nullable:
            return None, position
        raise BadEncoding
    end = position + count * size
    if end > len(buffer):
        raise BadEncoding
    if format == "16s":
        return [bytes(buffer[at : at + 16]) for at in range(position, end, 16)], end
    return list(struct.unpack_from(f">{count}{format}", buffer, position)), end


def tag_head(buffer: Buffer, position: int, end: int) -> tuple[int, int, int]:
    """Read a tag and its size: the tag, where its bytes stop, where they begin."""
    tag, position = read_uvarint(buffer, position)
    size, position = read_uvarint(buffer, position)
    if size > end - position:
        raise BadEncoding
    return tag, position + size, position


def skip_tags(buffer: Buffer, position: int, count: int, end: int) -> int:
    """Pass over a tagged section none of whose tags are known."""
    if count > 127:
        count, position = read_uvarint_rest(buffer, position, count)
    for _ in range(count):
        _, position, _ = tag_head(buffer, position, end)
    return position


def join_uuids(uuids: list[bytes]) -> bytes:
    if any(len(uuid) != 16 for uuid in uuids):
        raise BadEncoding
    return b"".join(uuids)


def compact_string(buffer: Buffer, position: int, end: int, nullable: bool) -> tuple[str | None, int]:
    """A string of a flexible version, in messages too large to have this written out for each."""
    length, position = read_uvarint(buffer, position)
    if length == 0 and nullable:
        return None, position
    stop = position + length - 1
    if not position <= stop <= end or length > STRING_SIZE_MAX + 1:
        raise BadEncoding
    return utf_8_decode(buffer[position:stop], None, True)[0], stop
