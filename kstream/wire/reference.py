"""The slow, plain codec: reads and writes field by field and always knows where it is.

Two uses. When a compiled function fails, this one goes over the same bytes (or the same message) and turns
the failure into an error that names message, version, field path and byte. And tests hold the compiled
functions to it: it shares the declarations with them but no code that reads or writes.
"""

from __future__ import annotations

import struct
from typing import Any

from kstream.errors import KstreamError, ProtocolError
from kstream.wire.fields import Field
from kstream.wire.plan import (
    FIXED,
    STRING_SIZE_MAX,
    element_kind,
    element_size_min,
    elements_max,
    layout,
)
from kstream.wire.primitives import BadEncoding, Buffer, read_uvarint, uvarint


class EncodeError(KstreamError, ValueError):
    """A message that its version cannot say: our own fault, as Kafka's UnsupportedVersionException is."""

    def __init__(self, message: str, *, where: str) -> None:
        super().__init__(f"{where}: {message}")
        self.where = where


class _Path:
    """Where the codec is: `topics[3].partitions[0].records`."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def __str__(self) -> str:
        return ".".join(self.parts).replace(".[", "[")


class ReferenceDecoder:
    """Decodes one message of `cls` from a buffer, raising ProtocolError with the exact place of a fault."""

    def __init__(self, cls: Any, version: int, buffer: Buffer, position: int = 0) -> None:
        self.cls = cls
        self.version = version
        self.flexible = version in cls.FLEXIBLE
        self.buffer = buffer
        self.position = position
        self.end = len(buffer)
        self.left = elements_max(self.end)
        self.path = _Path()

    def decode(self) -> Any:
        """The message; `position` is behind it afterwards."""
        try:
            return self.struct(self.cls)
        except IndexError:
            raise self.fault("the bytes end here") from None
        except BadEncoding as error:
            raise self.fault(str(error)) from None

    def fault(self, message: str) -> ProtocolError:
        where = f"{self.cls.__name__} v{self.version} {self.path}".rstrip()
        return ProtocolError(message, where=f"{where} at byte {self.position}")

    def take(self, size: int) -> Buffer:
        if size > self.end - self.position:
            raise self.fault(f"needs {size} bytes, {self.end - self.position} remain")
        start = self.position
        self.position += size
        return self.buffer[start : self.position]

    def uvarint(self) -> int:
        value, self.position = read_uvarint(self.buffer, self.position)
        return value

    def fixed(self, kind: str) -> Any:
        format, size = FIXED[kind]
        value = struct.unpack(">" + format, self.take(size))[0]
        return bytes(value) if kind == "uuid" else value

    def length(self, *, wide: bool, compact: bool) -> int:
        """A length or count, -1 for null."""
        if compact:
            return self.uvarint() - 1
        length: int = self.fixed("int32" if wide else "int16")
        return length

    def struct(self, cls: Any) -> Any:
        values = {}
        inline, tagged, _ = layout(cls, self.version)
        for field in inline:
            self.path.parts.append(field.name)
            values[field.name] = self.field(field)
            self.path.parts.pop()
        if self.flexible:
            values |= self.tags(tagged)
        return cls(**values)

    def tags(self, tagged: list[Field]) -> dict[str, Any]:
        known = {field.tag: field for field in tagged}
        values = {}
        for _ in range(self.uvarint()):
            tag, size = self.uvarint(), self.uvarint()
            if size > self.end - self.position:
                raise self.fault(f"tag {tag} has {size} bytes, {self.end - self.position} remain")
            field = known.get(tag)
            if field is None:
                self.position += size
                continue
            stop = self.position + size
            self.path.parts.append(field.name)
            values[field.name] = self.field(field)
            if self.position != stop:
                raise self.fault(
                    f"tag {tag} was announced with {size} bytes and takes {self.position - stop + size}"
                )
            self.path.parts.pop()
        return values

    def field(self, field: Field) -> Any:
        nullable = self.version in field.nullable
        if field.kind in FIXED:
            return self.fixed(field.kind)
        if field.kind == "struct":
            if nullable and self.fixed("int8") < (0 if field.tag is None else 1):
                return None
            return self.struct(field.element)
        if field.kind == "array":
            return self.array(field, nullable=nullable)
        return self.sized(field.kind, nullable=nullable, compact=self.flexible and field.compact)

    def sized(self, kind: str, *, nullable: bool, compact: bool) -> Any:
        length = self.length(wide=kind != "string", compact=compact)
        if length < 0:
            if nullable:
                return None
            raise self.fault("null where the version has no null")
        if kind == "string" and length > STRING_SIZE_MAX:
            raise self.fault(f"a string of {length} bytes; {STRING_SIZE_MAX} is the most")
        raw = self.take(length)
        if kind == "records":
            return memoryview(raw)
        if kind == "bytes":
            return bytes(raw)
        try:
            return str(raw, "utf-8")
        except UnicodeDecodeError as error:
            self.position -= length
            raise self.fault(f"not UTF-8: {error.reason}") from None

    def array(self, field: Field, *, nullable: bool) -> list[Any] | None:
        count = self.length(wide=True, compact=self.flexible)
        if count < 0:
            if nullable:
                return None
            raise self.fault("null where the version has no null")
        size = element_size_min(field, self.version, flexible=self.flexible)
        if count * size > self.end - self.position:
            raise self.fault(
                f"{count} elements of at least {size} bytes, {self.end - self.position} bytes remain"
            )
        kind = element_kind(field)
        if kind not in FIXED and (kind != "struct" or count > 1):
            self.left -= count
        if self.left < 0:
            raise self.fault(f"more than {elements_max(self.end)} elements in one message")
        items = []
        for index in range(count):
            self.path.parts.append(f"[{index}]")
            if kind == "struct":
                items.append(self.struct(field.element))
            elif kind in FIXED:
                items.append(self.fixed(kind))
            else:
                items.append(self.sized(kind, nullable=False, compact=self.flexible))
            self.path.parts.pop()
        return items


class ReferenceEncoder:
    """Encodes one message, raising EncodeError with the path of a value that the version cannot carry."""

    def __init__(self, message: Any, version: int) -> None:
        self.message = message
        self.version = version
        self.flexible = version in type(message).FLEXIBLE
        self.path = _Path()

    def encode(self) -> bytes:
        """The bytes of the whole message, without those of payloads that are not bytes-like."""
        out = bytearray()
        self.struct(out, self.message, type(self.message))
        return bytes(out)

    def fault(self, message: str) -> EncodeError:
        return EncodeError(
            message, where=f"{type(self.message).__name__} v{self.version} {self.path}".rstrip()
        )

    def struct(self, out: bytearray, value: Any, cls: Any) -> None:
        if not isinstance(value, cls):
            raise self.fault(f"{value!r} is not a {cls.__name__}")
        inline, tagged, absent = layout(cls, self.version)
        for field in absent:
            if not field.ignorable and getattr(value, field.name) != field.default:
                self.path.parts.append(field.name)
                raise self.fault(f"this version has no such field; it must be {field.default!r}")
        for field in inline:
            self.path.parts.append(field.name)
            self.field(out, getattr(value, field.name), field)
            self.path.parts.pop()
        if self.flexible:
            self.tags(out, value, tagged)

    def tags(self, out: bytearray, value: Any, tagged: list[Field]) -> None:
        written = []
        for field in tagged:
            inner = getattr(value, field.name)
            if inner == field.default:
                continue
            self.path.parts.append(field.name)
            body = bytearray()
            self.field(body, inner, field)
            assert field.tag is not None
            written.append(uvarint(field.tag) + uvarint(len(body)) + body)
            self.path.parts.pop()
        out += uvarint(len(written)) + b"".join(written)

    def field(self, out: bytearray, value: Any, field: Field) -> None:
        nullable = self.version in field.nullable
        if field.kind in FIXED:
            self.fixed(out, value, field.kind)
        elif field.kind == "struct":
            if nullable:
                absent = b"\xff" if field.tag is None else b"\0"
                out += absent if value is None else b"\x01"
            if value is not None or not nullable:
                self.struct(out, value, field.element)
        elif field.kind == "array":
            self.array(out, value, field, nullable=nullable)
        else:
            self.sized(out, value, field.kind, nullable=nullable, compact=self.flexible and field.compact)

    def fixed(self, out: bytearray, value: Any, kind: str) -> None:
        if kind == "uuid" and (not isinstance(value, (bytes, bytearray)) or len(value) != 16):
            raise self.fault(f"{value!r} is not 16 bytes")
        try:
            out += struct.pack(">" + FIXED[kind][0], value)
        except (struct.error, OverflowError) as error:
            raise self.fault(f"{value!r} is not {kind}: {error}") from None

    def length(self, out: bytearray, length: int, *, wide: bool, compact: bool) -> None:
        if compact:
            out += uvarint(length + 1)
        else:
            self.fixed(out, length, "int32" if wide else "int16")

    def null(self, out: bytearray, *, nullable: bool, wide: bool, compact: bool) -> None:
        if not nullable:
            raise self.fault("None where the version has no null")
        self.length(out, -1, wide=wide, compact=compact)

    def sized(self, out: bytearray, value: Any, kind: str, *, nullable: bool, compact: bool) -> None:
        wide = kind != "string"
        if value is None:
            self.null(out, nullable=nullable, wide=wide, compact=compact)
            return
        if kind == "string":
            if not isinstance(value, str):
                raise self.fault(f"{value!r} is not a str")
            try:
                value = value.encode()
            except UnicodeEncodeError as error:
                raise self.fault(f"cannot be UTF-8: {error.reason}") from None
            if len(value) > STRING_SIZE_MAX:
                raise self.fault(f"a string of {len(value)} bytes; {STRING_SIZE_MAX} is the most")
        elif not isinstance(value, (bytes, bytearray, memoryview)):
            if kind != "records" or not hasattr(value, "__len__"):
                raise self.fault(f"{value!r} is not bytes-like")
            self.length(out, len(value), wide=wide, compact=compact)
            return
        self.length(out, len(value), wide=wide, compact=compact)
        out += value

    def array(self, out: bytearray, value: Any, field: Field, *, nullable: bool) -> None:
        if value is None:
            self.null(out, nullable=nullable, wide=True, compact=self.flexible)
            return
        kind = element_kind(field)
        self.length(out, len(value), wide=True, compact=self.flexible)
        for index, item in enumerate(value):
            self.path.parts.append(f"[{index}]")
            if field.may_be_encoded and type(item) is bytes:
                out += item
            elif kind == "struct":
                self.struct(out, item, field.element)
            elif kind in FIXED:
                self.fixed(out, item, kind)
            else:
                self.sized(out, item, kind, nullable=False, compact=self.flexible)
            self.path.parts.pop()
