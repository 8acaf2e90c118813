"""Requests by API, and the connections that they come on."""

from __future__ import annotations

from collections import Counter

from kstream.broker.broker import Broker
from kstream.broker.stats import BrokerStats, RequestStats
from kstream.errors import ErrorCode
from kstream.web.metrics.families import Families
from kstream.wire.apis import ApiKey, api

_CONSUMER_FETCH = "FetchConsumer"


def add_requests(families: Families, stats: BrokerStats) -> None:
    """Rates, errors and latencies. As in Kafka, what consumers fetch has a name of its own besides."""
    by_api: dict[int, list[RequestStats]] = {}
    for (key, version), counted in sorted(stats.requests.items()):
        by_api.setdefault(key, []).append(counted)
        for name in _names(key):
            families.counter(
                "kafka_network_requestmetrics_requests_total",
                "Requests that were answered.",
                counted.count,
                request=name,
                version=str(version),
            )
    for key, versions in by_api.items():
        for name in _names(key):
            _add_errors(families, name, versions)
            families.summary(
                "kafka_network_requestmetrics_totaltimems",
                "Milliseconds from a request's arrival until its answer is out; long polls wait in it.",
                versions,
                request=name,
            )
        families.histogram(
            "kstream_request_duration_seconds",
            "Seconds from a request's arrival until its answer is out; long polls wait in it.",
            versions,
            request=api(key).name,
        )


def add_connections(families: Families, broker: Broker) -> None:
    stats = broker.stats
    for listener in broker.config.bound_listeners:
        families.gauge(
            "kafka_server_socket_server_metrics_connection_count",
            "Open connections.",
            stats.connections[listener.name],
            listener=listener.name,
            networkProcessor="0",
        )
    families.counter(
        "kafka_server_socket_server_metrics_connection_creation_total",
        "Connections that were accepted.",
        stats.connections_accepted,
    )
    families.counter(
        "kstream_connections_refused_total",
        "Connections that were closed at once, above max.connections.per.ip.",
        stats.connections_refused,
    )


def _add_errors(families: Families, name: str, versions: list[RequestStats]) -> None:
    errors: Counter[int] = Counter()
    for counted in versions:
        errors.update(counted.errors)
    fine = sum(counted.count - counted.failed for counted in versions)
    by_name = {"NONE": max(fine, 0), **{_error_name(code): count for code, count in sorted(errors.items())}}
    for error, count in by_name.items():
        families.counter(
            "kafka_network_requestmetrics_errors_total",
            "Answers by error; NONE are those without one. One answer can have many.",
            count,
            request=name,
            error=error,
        )


def _error_name(code: int) -> str:
    try:
        return ErrorCode(code).name
    except ValueError:
        return "OTHER"


def _names(key: int) -> tuple[str, ...]:
    name = api(key).name
    return (name, _CONSUMER_FETCH) if key == ApiKey.FETCH else (name,)
