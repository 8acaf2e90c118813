"""Spans around produce and fetch, linked through the records' headers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext

from kstream.api import registry
from kstream.config.load import load
from kstream.otel.contexts import LINKS_MAX, contexts_of
from kstream.otel.tracing import Tracing
from kstream.records.builder import build_batch
from kstream.records.compression import Codec
from kstream.testing.clock import TestingClock
from kstream.testing.thread import ServerThread

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{SPAN}-01".encode()
UNSAMPLED = f"00-{TRACE}-{SPAN}-00".encode()


@contextmanager
def traced() -> Iterator[tuple[str, InMemorySpanExporter]]:
    """A server whose spans are kept."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    data_dir = Path(tempfile.mkdtemp(prefix="kstream-otel-"))
    config, _ = load(settings=["listeners=PLAINTEXT://127.0.0.1:0", f"log.dirs={data_dir}"])
    registrations = Tracing(provider.get_tracer("test")).observed(registry.load())
    server = ServerThread(
        config, data_dir, TestingClock(), [("t", 1)], registrations, lambda broker: None, is_ephemeral=True
    )
    server.start()
    try:
        yield server.addresses[0], exporter
    finally:
        server.stop()
        provider.shutdown()
        shutil.rmtree(data_dir, ignore_errors=True)


def named(exporter: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.name == name]


@pytest.fixture(scope="module")
def spans() -> Iterator[InMemorySpanExporter]:
    """After three records of one trace were produced, one of none, and all of them fetched."""
    with traced() as (bootstrap, exporter):
        producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0, "client.id": "shop"})
        for headers in ({"traceparent": SAMPLED},) * 3 + ({}, {"traceparent": UNSAMPLED}):
            producer.produce("t", "x", headers=dict(headers))
            assert producer.flush(60) == 0
        consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "g", "client.id": "desk"})
        consumer.assign([TopicPartition("t", 0, 0)])
        assert len(consumer.consume(5, 20)) == 5
        consumer.close()
        yield exporter


def test_an_append_goes_on_with_the_producers_trace(spans: InMemorySpanExporter) -> None:
    appends = named(spans, "append t")
    assert len(appends) == 3
    for offset, span in enumerate(appends):
        assert span.parent is not None
        assert (f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, SPAN)
        assert span.attributes is not None
        assert span.attributes["messaging.kafka.offset"] == offset
        assert span.attributes["messaging.client.id"] == "shop"
        assert span.status.is_ok or span.status.is_unset


def test_a_fetch_is_linked_to_what_it_found(spans: InMemorySpanExporter) -> None:
    (fetch, *_) = named(spans, "fetch t")
    assert fetch.parent is None
    assert [f"{link.context.span_id:016x}" for link in fetch.links] == [SPAN]
    assert fetch.attributes is not None
    assert fetch.attributes["messaging.client.id"] == "desk"


def batch(*headers: bytes, codec: Codec = Codec.NONE) -> bytes:
    records = [(1, None, b"x", (("traceparent", value),)) for value in headers]
    return bytes(build_batch(records, codec=codec))


def test_each_trace_is_found_once_and_not_without_end() -> None:
    assert len(contexts_of(batch(SAMPLED, SAMPLED) + batch(SAMPLED))) == 1
    many = [f"00-{TRACE}-{number:016x}-01".encode() for number in range(1, 100)]
    assert len(contexts_of(batch(*many))) == LINKS_MAX


def test_what_is_not_sampled_not_whole_or_compressed_is_not_found() -> None:
    assert contexts_of(batch(UNSAMPLED)) == []
    assert contexts_of(batch(SAMPLED, codec=Codec.GZIP)) == []
    assert contexts_of(batch(SAMPLED)[:-1]) == []
    assert contexts_of(b"") == []


@given(st.binary(max_size=80))
def test_whatever_stands_in_the_header_does_no_harm(content: bytes) -> None:
    found: list[SpanContext] = contexts_of(batch(content, SAMPLED))
    assert f"{found[-1].span_id:016x}" == SPAN


@given(st.binary(max_size=300))
def test_bytes_that_are_no_batches_do_no_harm(content: bytes) -> None:
    contexts_of(content + b"traceparent")
