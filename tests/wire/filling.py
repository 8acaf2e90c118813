"""Messages filled with random values, as a function of a seed; and the same as Hypothesis strategies."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

from hypothesis import strategies as st

from kstream.wire.fields import Field
from kstream.wire.plan import element_kind, layout

_RANGES = {
    "int8": (-(1 << 7), (1 << 7) - 1),
    "int16": (-(1 << 15), (1 << 15) - 1),
    "uint16": (0, (1 << 16) - 1),
    "int32": (-(1 << 31), (1 << 31) - 1),
    "uint32": (0, (1 << 32) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
}
_WORDS = ["", "a", "topic-1", "größe", "日本語", "x" * 127, "y" * 128, "z" * 300]


def filled(cls: Any, version: int, random: Random) -> Any:
    """A struct of `cls` with every field of the version set at random, tagged ones half the time."""
    inline, tagged, _ = layout(cls, version)
    values = {field.name: _value(field, version, random) for field in inline}
    for field in tagged:
        if random.random() < 0.5:
            values[field.name] = _value(field, version, random)
    return cls(**values)


def _value(field: Field, version: int, random: Random) -> Any:
    if version in field.nullable and random.random() < 0.25:
        return None
    if field.kind == "struct":
        return filled(field.element, version, random)
    if field.kind != "array":
        return _plain(field.kind, random)
    kind = element_kind(field)
    if kind == "struct":
        return [filled(field.element, version, random) for _ in range(random.choice((0, 1, 1, 2, 3)))]
    return [_plain(kind, random) for _ in range(random.choice((0, 1, 2, 3, 32, 33, 130)))]


def _plain(kind: str, random: Random) -> Any:
    if kind == "bool":
        return random.random() < 0.5
    if kind == "float64":
        return random.uniform(-1e300, 1e300)
    if kind == "uuid":
        return random.randbytes(16)
    if kind == "string":
        return random.choice(_WORDS)
    if kind in ("bytes", "records"):
        return random.randbytes(random.choice((0, 1, 126, 127, 128, 200, 20_000)))
    low, high = _RANGES[kind]
    return random.choice((low, high, 0, -1 if low else 1, random.randint(low, high)))


@cache
def structs(cls: Any, version: int) -> st.SearchStrategy[Any]:
    """Any struct of `cls` that a version can carry."""
    inline, tagged, _ = layout(cls, version)
    return st.builds(cls, **{field.name: _values(field, version) for field in [*inline, *tagged]})


def _values(field: Field, version: int) -> st.SearchStrategy[Any]:
    if field.kind == "struct":
        values = structs(field.element, version)
    elif field.kind == "array":
        kind = element_kind(field)
        element = structs(field.element, version) if kind == "struct" else _plains(kind)
        values = st.lists(element, max_size=3)
    else:
        values = _plains(field.kind)
    return st.none() | values if version in field.nullable else values


@cache
def _plains(kind: str) -> st.SearchStrategy[Any]:
    if kind == "bool":
        return st.booleans()
    if kind == "float64":
        return st.floats(allow_nan=False)
    if kind == "uuid":
        return st.binary(min_size=16, max_size=16)
    if kind == "string":
        return st.text(max_size=20)
    if kind in ("bytes", "records"):
        return st.binary(max_size=40)
    low, high = _RANGES[kind]
    return st.integers(low, high)
