r"""Records as JSON Lines: one object a line, nothing lost.

    {"partition":0,"offset":7,"timestamp_ms":1700000000000,"key":"k","value":"v","headers":[["type","order"]]}

`key`, `value` and header values are a string where the bytes are UTF-8, `{"base64": "..."}` where they are
not, and null where there is none. `headers` is a list of [name, value], since names may repeat and their
order counts; it is left out when empty, as is `timestamp_type` ("append") when the producer gave the
timestamp. On the way in only `value` is needed, and a value that is a number, an array or another object
counts as the JSON text it is.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from kstream.replay.errors import ReplayError
from kstream.replay.event import NO_TIMESTAMP, Event

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_FIELDS = {"topic", "partition", "offset", "timestamp_ms", "timestamp_type", "key", "value", "headers"}


def to_line(event: Event) -> str:
    """The record as one line, without its newline."""
    fields: dict[str, Any] = {}
    if event.partition is not None:
        fields["partition"] = event.partition
    if event.offset is not None:
        fields["offset"] = event.offset
    if event.timestamp_ms != NO_TIMESTAMP:
        fields["timestamp_ms"] = event.timestamp_ms
    if event.is_append_time:
        fields["timestamp_type"] = "append"
    fields["key"] = _to_json(event.key)
    fields["value"] = _to_json(event.value)
    if event.headers:
        fields["headers"] = [[name, _to_json(value)] for name, value in event.headers]
    return _encode(fields)


def from_line(line: str | bytes) -> Event:
    """The record that a line describes. Raises `ReplayError` with what is wrong."""
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise ReplayError(f"not JSON: {error}") from None
    if not isinstance(fields, dict) or "value" not in fields:
        raise ReplayError('a line is an object with at least a value: {"key": "k", "value": "v"}')
    if unknown := fields.keys() - _FIELDS:
        raise ReplayError(
            f"unknown field {', '.join(sorted(unknown))}: there are {', '.join(sorted(_FIELDS))}"
        )
    return Event(
        partition=_integer(fields, "partition", None),
        offset=_integer(fields, "offset", None),
        timestamp_ms=_integer(fields, "timestamp_ms", NO_TIMESTAMP),
        key=_from_json(fields.get("key")),
        value=_from_json(fields["value"]),
        headers=_headers(fields.get("headers")),
        is_append_time=fields.get("timestamp_type") == "append",
    )


def _integer(fields: dict[str, Any], name: str, default: Any) -> Any:
    value = fields.get(name, default)
    if value is not default and (isinstance(value, bool) or not isinstance(value, int)):
        raise ReplayError(f"{name} is a whole number, not {value!r}")
    return value


def _headers(value: Any) -> tuple[tuple[str, bytes | None], ...]:
    pairs = list(value.items()) if isinstance(value, dict) else value or []
    try:
        headers = tuple((name, _from_json(content)) for name, content in pairs)
    except (TypeError, ValueError):
        raise ReplayError('headers are a list of [name, value], such as [["type", "order"]]') from None
    if not all(isinstance(name, str) for name, _ in headers):
        raise ReplayError("a header's name is a string")
    return headers


def _to_json(content: bytes | None) -> Any:
    if content is None:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


def _from_json(value: Any) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError as error:
            raise ReplayError(f"a string with half a surrogate pair: {error}") from None
    if isinstance(value, dict) and value.keys() == {"base64"} and isinstance(value["base64"], str):
        try:
            return base64.b64decode(value["base64"], validate=True)
        except binascii.Error as error:
            raise ReplayError(f"not base64: {error}") from None
    return _encode(value).encode()
