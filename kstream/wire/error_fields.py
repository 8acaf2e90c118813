"""Where the error codes of a message are: found once for each class, read from each answer."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any

from kstream.wire.fields import Field
from kstream.wire.schema import Struct

ErrorReader = Callable[[Any], list[int]]


@cache
def error_reader(message: type[Struct]) -> ErrorReader | None:
    """A function that lists the error codes in such a message, without the zeros; None if it has no place for
    any.
    """
    has_own = any(field.name == "error_code" for field in message.__fields__)
    nested = [
        (attrgetter(field.name), field.kind == "array", _unless_encoded(reader, field))
        for field in message.__fields__
        if field.struct is not None and (reader := error_reader(field.struct)) is not None
    ]
    if not nested:
        return _own_code if has_own else None

    def read(value: Any) -> list[int]:
        codes = [value.error_code] if has_own and value.error_code else []
        for get, is_array, reader in nested:
            inner = get(value)
            if not inner:
                continue
            for each in inner if is_array else (inner,):
                codes += reader(each)
        return codes

    return read


def _unless_encoded(reader: ErrorReader, field: Field) -> ErrorReader:
    """What a handler has kept encoded, such as topics in answers to Metadata, has no errors."""
    if not field.may_be_encoded:
        return reader
    return lambda value: [] if isinstance(value, bytes) else reader(value)


def _own_code(value: Any) -> list[int]:
    return [value.error_code] if value.error_code else []
