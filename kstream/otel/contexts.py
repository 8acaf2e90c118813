"""What traces records belong to: the headers `traceparent` and `tracestate` of W3C, which clients'
instrumentation writes.

Only batches that are not compressed are looked into, and only when the bytes of the name are in them: a
search at the speed of memory. What it costs then is a walk through the records, of `_RECORDS_MAX` at most.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from opentelemetry.trace import SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from kstream.records.batch import CODEC_MASK, BatchHeader, iter_headers
from kstream.records.compression import Buffer
from kstream.records.errors import CorruptBatch
from kstream.records.record import RecordHeader, iter_records

LINKS_MAX = 32
"""So many traces of one batch, or of one answer to a fetch, are linked: the first ones."""

_RECORDS_MAX = 1000
_NAMES = frozenset({"traceparent", "tracestate"})
_has_name = re.compile(rb"traceparent").search
_propagator = TraceContextTextMapPropagator()


def contexts_of(buffer: Buffer) -> list[SpanContext]:
    """The sampled contexts in whole batches that stand back to back, each once."""
    if not _has_name(buffer):
        return []
    found: dict[tuple[int, int], SpanContext] = {}
    try:
        for context in islice(_contexts(buffer), _RECORDS_MAX):
            if context is not None and context.is_valid and context.trace_flags.sampled:
                found.setdefault((context.trace_id, context.span_id), context)
                if len(found) == LINKS_MAX:
                    break
    except CorruptBatch:  # told by whoever checks it
        pass
    return list(found.values())


def _contexts(buffer: Buffer) -> Iterator[SpanContext | None]:
    position = 0
    for header in iter_headers(buffer, partial_ok=True):
        yield from _contexts_of_batch(buffer, position, header)
        position += header.size_bytes


def _contexts_of_batch(buffer: Buffer, position: int, header: BatchHeader) -> Iterator[SpanContext | None]:
    if header.attributes & CODEC_MASK or header.is_control:
        return
    for record in iter_records(buffer, position, header=header):
        yield _context(record.headers)


def _context(headers: tuple[RecordHeader, ...]) -> SpanContext | None:
    carrier = {
        name: value.decode("ascii", "replace")
        for name, value in headers
        if name in _NAMES and value is not None
    }
    if "traceparent" not in carrier:
        return None
    return get_current_span(_propagator.extract(carrier)).get_span_context()
