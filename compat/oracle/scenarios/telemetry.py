"""GetTelemetrySubscriptions and PushTelemetry (KIP-714): answered by Kafka without a plugin, too."""

from __future__ import annotations

import gzip
from typing import Any

from compat.oracle.run import Run, scenario
from compat.oracle.scenarios.config_resources import change_configs
from compat.oracle.scenarios.describe_configs import CLIENT_METRICS
from kstream.records.compression import Codec, compress
from kstream.wire.messages.get_telemetry_subscriptions import (
    GetTelemetrySubscriptionsRequest,
    GetTelemetrySubscriptionsResponse,
)
from kstream.wire.messages.push_telemetry import PushTelemetryRequest

_NEW_CLIENT = GetTelemetrySubscriptionsRequest()
_OWN_ID = b"a-client's-own-1"
_BYTES_MAX = 1024 * 1024


def _trim(response: GetTelemetrySubscriptionsResponse) -> None:
    response.requested_metrics.sort()


def _subscription(run: Run, metrics: list[str]) -> GetTelemetrySubscriptionsResponse:
    """A new client's subscription, once it asks for these metrics."""
    answer: GetTelemetrySubscriptionsResponse = run.until(
        _NEW_CLIENT, 0, lambda answer: sorted(answer.requested_metrics) == metrics
    )
    return answer


@scenario
def telemetry_subscriptions(run: Run) -> None:
    """What a client shall report: all that matches it, at the shortest interval."""
    ask = GetTelemetrySubscriptionsRequest(client_instance_id=_OWN_ID)
    run.call("a new client", _NEW_CLIENT, 0, trim=_trim)
    run.call("another new client", _NEW_CLIENT, 0, trim=_trim)
    run.call("one with an id of its own", ask, 0, trim=_trim)
    run.call("the same, too early", ask, 0, trim=_trim)
    first, second, third = (run.name(suffix) for suffix in "abc")
    changes: list[tuple[str, str, dict[str, str | None], list[str]]] = [
        ("one", first, {"metrics": "org.a.,org.b", "interval.ms": "5000"}, ["org.a.", "org.b"]),
        ("two", second, {"metrics": "org.b,org.c", "interval.ms": "400"}, ["org.a.", "org.b", "org.c"]),
        (
            "another client's",
            third,
            {"metrics": "d", "match": "client_id=nobody"},
            ["org.a.", "org.b", "org.c"],
        ),
        ("by client id", third, {"match": "client_id=ora.*"}, ["d", "org.a.", "org.b", "org.c"]),
        ("all", third, {"metrics": "*"}, ["*"]),
        ("two again", third, {"metrics": None, "match": None}, ["org.a.", "org.b", "org.c"]),
        ("one again", second, {"metrics": None, "interval.ms": None}, ["org.a.", "org.b"]),
        ("none", first, {"metrics": None, "interval.ms": None}, []),
    ]
    for note, name, values, metrics in changes:
        run.ask(change_configs(CLIENT_METRICS, name, values), 1)
        _subscription(run, metrics)
        run.call(note, _NEW_CLIENT, 0, trim=_trim)


@scenario
def telemetry_pushes(run: Run) -> None:
    """What a client pushes: in time or not, compressed well or not, too large, its last."""

    def push(note: str, metrics: bytes = b"abc", **fields: Any) -> None:
        """The first push of a new client, which may come at any time."""
        given = run.ask(_NEW_CLIENT, 0)
        values: dict[str, Any] = {
            "client_instance_id": given.client_instance_id,
            "subscription_id": given.subscription_id,
        } | fields
        run.call(note, PushTelemetryRequest(metrics=metrics, **values), 0)

    push("nothing", b"")
    push("three bytes")
    push("without an id", client_instance_id=bytes(16))
    push("of a client that did not ask", client_instance_id=_OWN_ID[::-1])
    push("for another subscription", subscription_id=1)
    for codec in (-1, 5, 99):
        push(f"codec {codec}", compression_type=codec)
    for codec in tuple(Codec)[1:]:
        push(f"codec {codec}, not compressed", compression_type=int(codec))
        push(f"codec {codec}", bytes(compress(codec, b"a" * 100)), compression_type=int(codec))
    push("as large as it may be", bytes(_BYTES_MAX))
    push("too large", bytes(_BYTES_MAX + 1))
    push("compressed, as large as it may be", gzip.compress(bytes(_BYTES_MAX)), compression_type=1)
    push("compressed, too large", gzip.compress(bytes(_BYTES_MAX + 1)), compression_type=1)
    push("a bomb", gzip.compress(bytes(50 * _BYTES_MAX)), compression_type=1)
    given = run.ask(_NEW_CLIENT, 0)
    ids = {"client_instance_id": given.client_instance_id, "subscription_id": given.subscription_id}
    run.call("in time", PushTelemetryRequest(metrics=b"abc", **ids), 0)
    run.call("too early", PushTelemetryRequest(metrics=b"abc", **ids), 0)
    again = GetTelemetrySubscriptionsRequest(client_instance_id=given.client_instance_id)
    run.call("asked too early", again, 0)
    run.call("the last, early", PushTelemetryRequest(metrics=b"abc", terminating=True, **ids), 0)
    run.call("the last again", PushTelemetryRequest(metrics=b"abc", terminating=True, **ids), 0)
    run.call("after the last", PushTelemetryRequest(metrics=b"abc", **ids), 0)
