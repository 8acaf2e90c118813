"""The vocabulary of declarations: one callable per type of Kafka's schema language.

    index: int = int32("0+", default=-1)
    name: str | None = string("0-12", nullable="1+", ignorable=True)
    topics: list[Topic] = array(Topic, "0+")
    cursor: Cursor | None = struct(Cursor, "0+", nullable="0+", default=None)

The first argument is the range of versions that carry the field: "3", "3-12" or "3+". The others:

- `nullable`: the versions in which the value may be None.
- `tag`: the field is optional and travels in the tagged section under this number (KIP-482).
- `default`: what the field is when a version lacks it; zero, "", b"", [] or an all-default struct unless
  given.
- `ignorable`: writing a version that lacks the field drops its value. Without it that is an error, so that a
  caller cannot believe it said something that was never sent.
- `flexible="none"`: its length is never compact, not even in flexible versions (the header's client id
  alone).

In Python a uuid is its 16 raw bytes, `bytes_` is `bytes`, and `records` is anything with a length: bytes, a
memoryview (what decoding yields, uncopied), or a region of a file that the server sends without reading it.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Protocol, TypeAlias


class Payload(Protocol):
    """Record bytes that stay where they are, such as a region of a log file, until they are sent."""

    def __len__(self) -> int:
        """The size in bytes."""
        ...


Records: TypeAlias = bytes | bytearray | memoryview | Payload

ZERO_UUID: Final = bytes(16)
_VERSION_MAX: Final = 32767


class Versions(NamedTuple):
    """An inclusive range of versions; empty if `first` is above `last`."""

    first: int
    last: int

    def __contains__(self, version: object) -> bool:
        return isinstance(version, int) and self.first <= version <= self.last

    def __str__(self) -> str:
        if self.last == _VERSION_MAX:
            return f"{self.first}+"
        if self.first > self.last:
            return "none"
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


NO_VERSIONS: Final = Versions(0, -1)


def parse_versions(text: str | None) -> Versions:
    """Read "3", "3-12", "3+" or "none" (which None means too)."""
    if text is None or text == "none":
        return NO_VERSIONS
    first, dash, last = text.partition("-")
    if dash:
        return Versions(int(first), int(last))
    if text.endswith("+"):
        return Versions(int(text[:-1]), _VERSION_MAX)
    return Versions(int(text), int(text))


class _Unset:
    def __repr__(self) -> str:
        return "unset"


UNSET: Final = _Unset()


class Field:
    """One declared field. `kind` is its type in the schema language; arrays and structs have an `element`."""

    __slots__ = (
        "_default",
        "compact",
        "element",
        "ignorable",
        "kind",
        "may_be_encoded",
        "name",
        "nullable",
        "tag",
        "versions",
    )

    def __init__(
        self,
        kind: str,
        versions: str,
        *,
        element: Kind | type | None = None,
        nullable: str | None = None,
        default: object = UNSET,
        tag: int | None = None,
        ignorable: bool = False,
        compact: bool = True,
        may_be_encoded: bool = False,
    ) -> None:
        self.name = ""
        self.kind = kind
        self.versions = parse_versions(versions)
        self.element = element
        self.nullable = parse_versions(nullable)
        self.tag = tag
        self.ignorable = ignorable
        self.compact = compact
        self.may_be_encoded = may_be_encoded
        self._default = default

    @property
    def struct(self) -> type | None:
        """The struct class of a struct field or of an array of structs."""
        return self.element if isinstance(self.element, type) else None

    @property
    def default(self) -> Any:
        """The value of the field where nothing else was said: a new list, or a shared, frozen struct."""
        if self._default is not UNSET:
            return self._default
        if self.kind == "array":
            return []
        if self.kind == "struct":
            assert isinstance(self.element, type)
            return self.element.__default__  # type: ignore[attr-defined]
        return KINDS[self.kind].zero

    @property
    def type_name(self) -> str:
        """The type as the schema language writes it: `int32`, `[]string`, `[]Topic`, `Cursor`."""
        element = (
            self.element.__name__ if isinstance(self.element, type) else getattr(self.element, "name", "")
        )
        if self.kind == "array":
            return f"[]{element}"
        return element or self.kind

    def __repr__(self) -> str:
        return f"<{self.name}: {self.type_name} {self.versions}>"


class Kind:
    """A type without parts. Calling it declares a field; `array(int32, ...)` names it as an element."""

    __slots__ = ("format", "name", "size", "zero")

    def __init__(self, name: str, zero: object, format: str = "", size: int = 0) -> None:
        self.name = name
        self.zero = zero
        self.format = format
        self.size = size

    def __call__(
        self,
        versions: str,
        *,
        nullable: str | None = None,
        default: object = UNSET,
        tag: int | None = None,
        ignorable: bool = False,
        flexible: str | None = None,
    ) -> Any:
        return Field(
            self.name,
            versions,
            nullable=nullable,
            default=default,
            tag=tag,
            ignorable=ignorable,
            compact=flexible != "none",
        )


boolean: Final = Kind("bool", False, "?", 1)
int8: Final = Kind("int8", 0, "b", 1)
int16: Final = Kind("int16", 0, "h", 2)
uint16: Final = Kind("uint16", 0, "H", 2)
int32: Final = Kind("int32", 0, "i", 4)
uint32: Final = Kind("uint32", 0, "I", 4)
int64: Final = Kind("int64", 0, "q", 8)
float64: Final = Kind("float64", 0.0, "d", 8)
uuid: Final = Kind("uuid", ZERO_UUID, "16s", 16)
string: Final = Kind("string", "")
bytes_: Final = Kind("bytes", b"")
records: Final = Kind("records", None)

KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        boolean, int8, int16, uint16, int32, uint32, int64, float64, uuid, string, bytes_, records,
    )
}  # fmt: skip


def array(
    element: Kind | type,
    versions: str,
    *,
    nullable: str | None = None,
    default: object = UNSET,
    tag: int | None = None,
    ignorable: bool = False,
    may_be_encoded: bool = False,
) -> Any:
    """Declare a list of `element`, which is a struct class or one of the types above.

    With `may_be_encoded` the encoder also takes elements that are `bytes` already, encoded for the same
    version by whoever keeps them.
    """
    return Field(
        "array",
        versions,
        element=element,
        nullable=nullable,
        default=default,
        tag=tag,
        ignorable=ignorable,
        may_be_encoded=may_be_encoded,
    )


def struct(
    element: type,
    versions: str,
    *,
    nullable: str | None = None,
    default: object = UNSET,
    tag: int | None = None,
    ignorable: bool = False,
) -> Any:
    """Declare one nested struct. A nullable one is announced by a byte: 1 for a value, and for None -1, or 0
    where it is tagged.
    """
    return Field(
        "struct", versions, element=element, nullable=nullable, default=default, tag=tag, ignorable=ignorable
    )
