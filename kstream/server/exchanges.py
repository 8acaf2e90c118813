"""What a trace says: each request with its answer, decoded."""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from kstream.errors import ErrorCode, ProtocolError
from kstream.server.trace_file import ANSWER, CLOSED, REQUEST, Entry
from kstream.wire.apis import ApiKey, api
from kstream.wire.codec import decode
from kstream.wire.error_fields import error_reader
from kstream.wire.headers import read_request_header, read_response_header, response_header_version
from kstream.wire.schema import Message, Struct
from kstream.wire.uuids import format_uuid


class Exchange(NamedTuple):
    """A request, and what came of it."""

    at_us: int
    connection: int
    client_id: str | None
    key: ApiKey
    version: int
    correlation_id: int
    request: Message | None
    """None for one that is not as the protocol says."""
    frame: bytes
    response: Message | None = None
    """None for one that got none, or not a whole one."""
    took_us: int | None = None
    closed: str | None = None
    """Why the server closed the connection in place of an answer, or within it."""

    @property
    def errors(self) -> list[str]:
        """Names of the errors in the answer."""
        reader = None if self.response is None else error_reader(type(self.response))
        return [] if reader is None else [_error_name(code) for code in reader(self.response)]

    def describe(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "at_ms": self.at_us / 1000,
            "connection": self.connection,
            "client_id": self.client_id,
            "api": self.key.name,
            "version": self.version,
            "correlation_id": self.correlation_id,
            "took_ms": None if self.took_us is None else self.took_us / 1000,
            "errors": self.errors,
            "closed": self.closed,
            "request": None if self.request is None else to_json(self.request),
            "response": None if self.response is None else to_json(self.response),
        }


def exchanges(entries: Iterable[Entry]) -> Iterator[Exchange]:
    """Requests with their answers, in the order in which the answers came; at the end those without."""
    waiting: dict[int, deque[Exchange]] = {}
    for entry in entries:
        queue = waiting.setdefault(entry.connection, deque())
        if entry.kind == REQUEST:
            # An earlier request that got no answer: one without acks.
            found = _begun(entry)
            while found is not None and queue and _gets_none(queue[0]):
                yield queue.popleft()
            if found is not None:
                queue.append(found)
        elif queue and entry.kind == ANSWER:
            exchange = queue.popleft()
            answered = _answered(exchange, entry)
            yield answered
        elif entry.kind == CLOSED:
            reason = entry.data.decode("utf-8", "replace")
            if queue:
                yield queue.popleft()._replace(closed=reason)
            waiting.pop(entry.connection, None)
    for queue in waiting.values():
        yield from queue


def _begun(entry: Entry) -> Exchange | None:
    try:
        header = read_request_header(entry.data)
        key = ApiKey(header.api_key)
    except (ProtocolError, ValueError):
        return None
    try:
        request = decode(api(key).request, memoryview(entry.data), header.api_version, offset=header.body)
    except (ProtocolError, KeyError, ValueError):
        request = None
    return Exchange(
        entry.at_us,
        entry.connection,
        header.client_id,
        key,
        header.api_version,
        header.correlation_id,
        request,
        entry.data,
    )


def _gets_none(exchange: Exchange) -> bool:
    return exchange.key is ApiKey.PRODUCE and getattr(exchange.request, "acks", None) == 0


def _answered(exchange: Exchange, entry: Entry) -> Exchange:
    return exchange._replace(response=read_answer(exchange, entry.data), took_us=entry.at_us - exchange.at_us)


def read_answer(exchange: Exchange, frame: bytes) -> Message | None:
    """The answer that a frame is, None for one that is torn, or not in the request's version."""
    try:
        header = response_header_version(exchange.key, exchange.version)
        _, body = read_response_header(frame, header)
        return decode(api(exchange.key).response, memoryview(frame), exchange.version, offset=body)
    except (ProtocolError, KeyError, ValueError):
        return None


def to_json(value: Any, kind: str = "") -> Any:
    """A message, or a part of one: ids as Kafka prints them, records as their size, other bytes as text where
    they are UTF-8, and base64 where not.
    """
    if isinstance(value, Struct):
        return {
            field.name: to_json(getattr(value, field.name), _kind_of(field))
            for field in type(value).__fields__
        }
    if isinstance(value, list):
        return [to_json(each, kind) for each in value]
    if kind == "records" and value is not None:
        return {"size_bytes": len(value)}
    if isinstance(value, bytes | bytearray | memoryview):
        content = bytes(value)
        if kind == "uuid":
            return format_uuid(content)
        try:
            return content.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(content).decode()}
    return int(value) if isinstance(value, ErrorCode) else value


def _kind_of(field: Any) -> str:
    """A field's type; of an array, its elements'."""
    return str(getattr(field.element, "name", "")) if field.kind == "array" else str(field.kind)


def _error_name(code: int) -> str:
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"error {code}"
