"""Random requests that are valid, and random ways to spoil them. All follows from one `random.Random`."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from typing import Any

from kstream.records.batch import CRC_POSITION, crc_of
from kstream.records.compression import Codec
from kstream.wire.apis import APIS
from kstream.wire.codec import EncodeError
from kstream.wire.fields import Field
from kstream.wire.headers import request_frame
from kstream.wire.schema import Message
from tests.requests import values_batch

_INTEGERS = {"int8": 8, "int16": 16, "uint16": 16, "int32": 32, "uint32": 32, "int64": 64}
_SMALL = (-2, -1, 0, 1, 2, 3, 5, 100)
_WORDS = (
    "",
    "a",
    "no such thing",
    "retention.ms",
    "cleanup.policy",
    "compact",
    "3600000",
    "x" * 249,
    "ünï",
    "..",
)


class Requests:
    """Valid requests about a few names and ids, some of which exist."""

    def __init__(self, rng: random.Random, *, names: Sequence[str], topic_ids: Sequence[bytes]) -> None:
        self._rng = rng
        self._names = names
        self._topic_ids = topic_ids

    def frame(self, api_key: int, version: int) -> bytes:
        """A request of that API and version, length prefix and all."""
        message = self._struct(APIS[api_key].request, version)
        assert isinstance(message, Message)
        try:
            return request_frame(message, version, self._rng.randrange(1 << 31), "hostile")
        except EncodeError:  # a random value that this version cannot say
            return request_frame(type(message)(), version, 1, "hostile")

    def _struct(self, cls: type, version: int) -> Any:
        fields: tuple[Field, ...] = cls.__fields__  # type: ignore[attr-defined]
        values = {field.name: self._value(field, version) for field in fields if version in field.versions}
        return cls(**values)

    def _value(self, field: Field, version: int) -> Any:
        rng = self._rng
        if version in field.nullable and rng.random() < 0.15:
            return None
        if field.kind == "array":
            count = rng.choice((0, 1, 1, 2))
            if field.struct is not None:
                return [self._struct(field.struct, version) for _ in range(count)]
            return [self._plain(getattr(field.element, "name", "")) for _ in range(count)]
        if field.struct is not None:
            return self._struct(field.struct, version)
        if field.name == "max_wait_ms":  # or the test would wait for it
            return 0
        return self._plain(field.kind)

    def _plain(self, kind: str) -> Any:
        rng = self._rng
        bits = _INTEGERS.get(kind)
        if bits is not None:
            low, high = (0, 1 << bits) if kind.startswith("u") else (-(1 << bits - 1), 1 << bits - 1)
            return min(max(rng.choice((*_SMALL, *_SMALL, low, high - 1)), low), high - 1)
        match kind:
            case "bool":
                return rng.random() < 0.5
            case "string":
                return rng.choice((*self._names, *self._names, *_WORDS))
            case "uuid":
                return rng.choice((*self._topic_ids, bytes(16), rng.randbytes(16)))
            case "records":
                return random_batch(rng)
            case "float64":
                return rng.choice((0.0, -1.0, 1e300, float("nan")))
            case _:
                return rng.randbytes(rng.randrange(20))


def random_batch(rng: random.Random) -> bytes:
    """A valid batch of a few records."""
    values = [rng.randbytes(rng.randrange(40)) for _ in range(rng.randrange(1, 5))]
    return values_batch(values, codec=rng.choice(list(Codec)))


def spoil(rng: random.Random, data: bytes) -> bytes:
    """Change one to four places: bits, bytes, integers at their bounds, slices cut, doubled or made up."""
    spoiled = bytearray(data)
    for _ in range(rng.randrange(1, 5)):
        place = rng.randrange(len(spoiled) + 1)
        match rng.randrange(7):
            case 0 if place < len(spoiled):
                spoiled[place] ^= 1 << rng.randrange(8)
            case 1 if place < len(spoiled):
                spoiled[place] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 2:
                spoiled[place : place + 4] = struct.pack(
                    ">i", rng.choice((-1, -2, 0, 1, 2**31 - 1, -(2**31)))
                )
            case 3:
                del spoiled[place : place + rng.randrange(1, 16)]
            case 4:
                spoiled[place:place] = spoiled[place : place + rng.randrange(1, 32)]
            case 5:
                spoiled[place:place] = rng.randbytes(rng.randrange(1, 9))
            case 6:
                spoiled[place:place] = b"\xff\xff\xff\xff" + bytes([rng.choice((0x07, 0x0F, 0x7F, 0xFF))])
            case _:
                pass
    return bytes(spoiled)


def spoiled_frame(rng: random.Random, frame: bytes) -> bytes:
    """A spoiled request. Mostly its length is made right again, so that what is behind it is looked at."""
    if rng.random() < 0.15:
        return spoil(rng, frame)
    body = spoil(rng, frame[4:])
    return struct.pack(">i", len(body)) + body


def spoiled_batch(rng: random.Random, batch: bytes) -> bytes:
    """A spoiled batch whose length and CRC are made right again, so that its records are looked at."""
    spoiled = bytearray(spoil(rng, batch))
    if len(spoiled) < CRC_POSITION + 4 or rng.random() < 0.1:
        return bytes(spoiled)
    struct.pack_into(">i", spoiled, 8, len(spoiled) - 12)
    spoiled[16] = 2
    struct.pack_into(">I", spoiled, CRC_POSITION, crc_of(spoiled, 0, len(spoiled)))
    return bytes(spoiled)
