"""Where spans go: as the variables say that every OpenTelemetry SDK understands."""

from __future__ import annotations

import os
from collections.abc import Callable

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

from kstream import __version__
from kstream.config.errors import ConfigError
from kstream.otel.tracing import Tracing

_TIMEOUT_S = 1.0
"""A stop waits no longer for a collector that does not answer, unless OTEL_EXPORTER_OTLP_TIMEOUT says so."""


def set_up() -> tuple[Tracing, Callable[[], None]]:
    """Tracing as `OTEL_TRACES_EXPORTER` (otlp, console), `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_SAMPLER`
    and the others say, and what ends it.

    Raises:
        ConfigError: there is no such exporter.
    """
    name = os.environ.get("OTEL_SERVICE_NAME", "kstream")
    provider = TracerProvider(
        resource=Resource.create({"service.name": name, "service.version": __version__}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(_exporter(os.environ.get("OTEL_TRACES_EXPORTER", "otlp"))))
    return Tracing(provider.get_tracer("kstream", __version__)), provider.shutdown


def _exporter(kind: str) -> SpanExporter:
    if kind == "console":
        return ConsoleSpanExporter()
    if kind != "otlp":
        raise ConfigError(f"OTEL_TRACES_EXPORTER is {kind}: with --otel it is otlp (over HTTP) or console")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    is_given = "OTEL_EXPORTER_OTLP_TIMEOUT" in os.environ
    return OTLPSpanExporter() if is_given else OTLPSpanExporter(timeout=_TIMEOUT_S)
