"""What a struct looks like in one version: which fields are in line, which are tagged, which are missing."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, NamedTuple

from kstream.wire.fields import KINDS, Field

FIXED: Final[dict[str, tuple[str, int]]] = {
    kind.name: (kind.format, kind.size) for kind in KINDS.values() if kind.size
}
"""Types of a fixed size: their `struct` format and size in bytes."""

STRAIGHT_FIELDS_MAX: Final = 20
"""A message with more fields than these, counting those of its parts, is compiled to several functions."""

STRING_SIZE_MAX: Final = 32767
"""In either form of length: Kafka refuses longer strings even where the compact length could say more."""


class Layout(NamedTuple):
    """The fields of a struct in one version."""

    inline: list[Field]
    tagged: list[Field]
    absent: list[Field]


def layout(cls: Any, version: int) -> Layout:
    """Sort the fields of a struct class by how a version carries them; tagged ones by tag."""
    inline: list[Field] = []
    tagged: list[Field] = []
    absent: list[Field] = []
    for field in cls.__fields__:
        if version not in field.versions:
            absent.append(field)
        elif field.tag is None:
            inline.append(field)
        else:
            tagged.append(field)
    tagged.sort(key=lambda field: field.tag if field.tag is not None else 0)
    return Layout(inline, tagged, absent)


def shared_structs(cls: Any, version: int) -> frozenset[Any]:
    """The structs of a large message that deserve a function of their own, because they occur more than once.

    Written out at each place they would double the time to compile messages such as StreamsGroupDescribe.
    Small messages, among them all that are handled by the thousand, stay straight code.
    """
    references: Counter[Any] = Counter()

    def visit(struct: Any) -> int:
        references[struct] += 1
        inline, tagged, _ = layout(struct, version)
        fields = [*inline, *tagged]
        return len(fields) + sum(visit(field.struct) for field in fields if field.struct is not None)

    if visit(cls) <= STRAIGHT_FIELDS_MAX:
        return frozenset()
    return frozenset(struct for struct, count in references.items() if count > 1)


def size_min(cls: Any, version: int, *, flexible: bool) -> int:
    """The fewest bytes a struct takes: what an array's count is checked against."""
    total = 1 if flexible else 0
    for field in layout(cls, version).inline:
        total += field_size_min(field, version, flexible=flexible)
    return total


def field_size_min(field: Field, version: int, *, flexible: bool) -> int:
    """The fewest bytes one inline field takes."""
    if field.kind in FIXED:
        return FIXED[field.kind][1]
    if field.kind == "struct":
        return 1 if version in field.nullable else size_min(field.element, version, flexible=flexible)
    if flexible and field.compact:
        return 1
    return 2 if field.kind == "string" else 4


def element_size_min(field: Field, version: int, *, flexible: bool) -> int:
    """The fewest bytes one element of an array takes."""
    if field.struct is not None:
        return size_min(field.struct, version, flexible=flexible)
    kind = element_kind(field)
    if kind in FIXED:
        return FIXED[kind][1]
    if flexible:
        return 1
    return 2 if kind == "string" else 4


def element_kind(field: Field) -> str:
    """The kind of an array's elements: "struct" or the name of a plain type."""
    return "struct" if field.struct is not None else field.element.name  # type: ignore[union-attr]


# The budget of elements that one message may decode to. Counts are checked against the bytes that remain, but
# an element of two bytes can still become an object of two hundred; this bounds what a frame can cost in
# memory. It leaves room for what real clusters send: a Metadata answer with 200,000 partitions of three
# replicas takes a quarter of it. Not charged are
# arrays of numbers, which take ten times their bytes at most, and arrays of one struct.

ELEMENTS_MIN: Final = 1 << 18
ELEMENTS_PER_BYTE_SHIFT: Final = 4


def elements_max(size_bytes: int) -> int:
    """How many structs and strings the arrays of a message in a buffer of this size may have in all."""
    return ELEMENTS_MIN + (size_bytes >> ELEMENTS_PER_BYTE_SHIFT)
