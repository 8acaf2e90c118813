"""Names and latest values out of an OpenTelemetry metrics payload (OTLP, `MetricsData` in protocol buffers).

Only what is needed to show what clients report: no attributes, no units. A payload nests no deeper than this
walks, and fields it does not know are skipped.

    MetricsData.resource_metrics = 1 > scope_metrics = 2 > metrics = 2 > name = 1, gauge = 5, sum = 7
    Gauge, Sum: data_points = 1 > as_double = 4 (fixed64), as_int = 6 (sfixed64)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from kstream.errors import ProtocolError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SHIFT_MAX = 63
_double = struct.Struct("<d").unpack
_int64 = struct.Struct("<q").unpack

Field = tuple[int, int, memoryview]
"""Number, wire type, content: of varints and fixed-width values their own bytes."""


def metric_values(payload: bytes) -> dict[str, float]:
    """The last number of each gauge and sum, by the metric's name; other kinds of metrics have NaN.

    Raises:
        ProtocolError: the bytes are no such payload.
    """
    values: dict[str, float] = {}
    for resource in _children(memoryview(payload), 1):
        for scope in _children(resource, 2):
            for metric in _children(scope, 2):
                name, value = _metric(metric)
                values[name] = value
    return values


def _metric(metric: memoryview) -> tuple[str, float]:
    name, value = "", float("nan")
    for number, wire_type, content in _fields(metric):
        if wire_type != _BYTES:
            continue
        if number == 1:
            name = bytes(content).decode(errors="replace")
        elif number in (5, 7):
            for point in _children(content, 1):
                value = _number(point, value)
    return name, value


def _number(point: memoryview, value: float) -> float:
    for number, wire_type, content in _fields(point):
        if wire_type == _FIXED64 and number == 4:
            (value,) = _double(content)
        elif wire_type == _FIXED64 and number == 6:
            value = float(_int64(content)[0])
    return value


def _children(message: memoryview, wanted: int) -> Iterator[memoryview]:
    for number, wire_type, content in _fields(message):
        if number == wanted and wire_type == _BYTES:
            yield content


def _fields(message: memoryview) -> Iterator[Field]:
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        wire_type = key & 7
        start = position
        if wire_type == _VARINT:
            _, position = _varint(message, position)
        elif wire_type == _FIXED64:
            position += 8
        elif wire_type == _FIXED32:
            position += 4
        elif wire_type == _BYTES:
            size, start = _varint(message, position)
            position = start + size
        else:
            raise ProtocolError(f"wire type {wire_type} in a metrics payload")
        if position > len(message):
            raise ProtocolError("a metrics payload is cut short")
        yield key >> 3, wire_type, message[start:position]


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(message) and shift <= _SHIFT_MAX:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise ProtocolError("a number in a metrics payload does not end")
