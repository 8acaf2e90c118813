"""Variable-length integers and the other small parts that compiled codecs, records and tests share.

An unsigned varint carries seven bits a byte, lowest first; the top bit says that more follow. `varint` and
`varlong` are zigzag: 0, -1, 1, -2 become 0, 1, 2, 3. Reading is bounded: five bytes for 32 bits, ten for 64.
Readers take a buffer and a position and return the value and the position behind it. They raise `IndexError`
at the end of the buffer and `BadEncoding` for anything else; callers turn both into `ProtocolError` with a
place.
"""

from __future__ import annotations

from typing import TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview


class BadEncoding(ValueError):
    """Bytes that cannot be what they should be."""


def read_uvarint(buffer: Buffer, position: int) -> tuple[int, int]:
    """An unsigned varint of at most 32 bits."""
    value = buffer[position]
    if value < 128:
        return value, position + 1
    return read_uvarint_rest(buffer, position + 1, value)


def read_uvarint_rest(buffer: Buffer, position: int, value: int) -> tuple[int, int]:
    """The same, when the first byte (`value`, top bit set) was read already."""
    value &= 127
    shift = 7
    while True:
        byte = buffer[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            if value > 0xFFFFFFFF:
                raise BadEncoding("a varint of more than 32 bits")
            return value, position
        shift += 7
        if shift > 28:
            raise BadEncoding("a varint of more than 5 bytes")


def read_varint(buffer: Buffer, position: int) -> tuple[int, int]:
    """A zigzag varint of at most 32 bits."""
    value = buffer[position]
    position += 1
    if value > 127:
        value, position = read_uvarint_rest(buffer, position, value)
    return (value >> 1) ^ -(value & 1), position


def read_varlong(buffer: Buffer, position: int) -> tuple[int, int]:
    """A zigzag varint of at most 64 bits."""
    value = buffer[position]
    position += 1
    if value > 127:
        value &= 127
        shift = 7
        while True:
            byte = buffer[position]
            position += 1
            value |= (byte & 127) << shift
            if byte < 128:
                break
            shift += 7
            if shift > 63:
                raise BadEncoding("a varlong of more than 10 bytes")
        if value > 0xFFFFFFFFFFFFFFFF:
            raise BadEncoding("a varlong of more than 64 bits")
    return (value >> 1) ^ -(value & 1), position


_ONE_BYTE = [bytes((value,)) for value in range(128)]


def uvarint(value: int) -> bytes:
    """Encode an unsigned varint."""
    if 0 <= value < 128:
        return _ONE_BYTE[value]
    if value < 0:
        raise ValueError(f"{value} is negative")
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


_SMALL_VARINTS = [uvarint(value << 1) for value in range(256)]
"""Lengths and offset deltas of most records."""


def varint(value: int) -> bytes:
    """Encode a zigzag varint of 32 bits."""
    if 0 <= value < 256:
        return _SMALL_VARINTS[value]
    return uvarint(((value << 1) ^ (value >> 31)) & 0xFFFFFFFF)


def varlong(value: int) -> bytes:
    """Encode a zigzag varint of 64 bits."""
    if 0 <= value < 256:
        return _SMALL_VARINTS[value]
    return uvarint(((value << 1) ^ (value >> 63)) & 0xFFFFFFFFFFFFFFFF)


def uvarint_size_bytes(value: int) -> int:
    """How many bytes `uvarint(value)` has."""
    return max(1, (value.bit_length() + 6) // 7)
