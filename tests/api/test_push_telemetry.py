"""PushTelemetry: what clients report, and what is refused."""

from __future__ import annotations

import gzip

import pytest

from kstream.errors import ErrorCode
from kstream.wire.messages.push_telemetry import PushTelemetryRequest, PushTelemetryResponse
from kstream.wire.uuids import ZERO_UUID
from tests.api.conftest import Asker
from tests.api.test_get_telemetry_subscriptions import ID, advance, configure, subscribe

LATER_MS = 300_000


def _push(
    asker: Asker,
    metrics: bytes = b"abc",
    *,
    client_id: bytes = ID,
    subscription_id: int | None = None,
    codec: int = 0,
    is_terminating: bool = False,
) -> int:
    if subscription_id is None:
        subscription_id = subscribe(asker, client_id).subscription_id
    request = PushTelemetryRequest(
        client_instance_id=client_id,
        subscription_id=subscription_id,
        terminating=is_terminating,
        compression_type=codec,
        metrics=metrics,
    )
    return asker.ask(request, 0, PushTelemetryResponse).error_code


def test_a_report_is_kept(asker: Asker) -> None:
    assert _push(asker, gzip.compress(b"metrics"), codec=1) == 0
    (report,) = asker.broker.telemetry.reports().values()
    assert report.payload == b"metrics"


def test_in_time_and_too_early(asker: Asker) -> None:
    given = subscribe(asker, ID).subscription_id
    assert _push(asker, subscription_id=given) == 0
    assert _push(asker, subscription_id=given) == ErrorCode.THROTTLING_QUOTA_EXCEEDED
    advance(asker, ms=LATER_MS)
    assert _push(asker, subscription_id=given) == 0


def test_a_changed_subscription_is_asked_for_at_once(asker: Asker) -> None:
    given = subscribe(asker, ID).subscription_id
    configure(asker, "a", metrics="x")
    assert _push(asker, subscription_id=given) == ErrorCode.UNKNOWN_SUBSCRIPTION_ID
    changed = subscribe(asker, ID)
    assert (changed.error_code, changed.requested_metrics) == (0, ["x"])
    assert _push(asker, subscription_id=changed.subscription_id) == 0


def test_the_last_push_is_the_last(asker: Asker) -> None:
    given = subscribe(asker, ID).subscription_id
    assert _push(asker, subscription_id=given) == 0
    assert _push(asker, subscription_id=given, is_terminating=True) == 0
    assert _push(asker, subscription_id=given, is_terminating=True) == ErrorCode.INVALID_REQUEST
    advance(asker, ms=LATER_MS)
    assert _push(asker, subscription_id=given) == ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize(
    ("metrics", "codec", "code"),
    [
        (b"abc", 5, ErrorCode.UNSUPPORTED_COMPRESSION_TYPE),
        (b"abc", -1, ErrorCode.UNSUPPORTED_COMPRESSION_TYPE),
        (b"abc", 1, ErrorCode.INVALID_RECORD),
        (b"abc", 4, ErrorCode.INVALID_RECORD),
        (bytes(1024 * 1024), 0, ErrorCode.NONE),
        (bytes(1024 * 1024 + 1), 0, ErrorCode.TELEMETRY_TOO_LARGE),
        (gzip.compress(bytes(1024 * 1024)), 1, ErrorCode.NONE),
        (gzip.compress(bytes(1024 * 1024 + 1)), 1, ErrorCode.INVALID_RECORD),
        (b"", 0, ErrorCode.NONE),
    ],
)
def test_sizes_and_compression(asker: Asker, metrics: bytes, codec: int, code: int) -> None:
    assert _push(asker, metrics, codec=codec) == code
    assert len(asker.broker.telemetry.reports()) == (code == 0 and len(metrics) > 0)


def test_clients_that_did_not_ask(asker: Asker) -> None:
    assert _push(asker, client_id=ZERO_UUID, subscription_id=1) == ErrorCode.INVALID_REQUEST
    assert _push(asker, subscription_id=1) == ErrorCode.UNKNOWN_SUBSCRIPTION_ID
