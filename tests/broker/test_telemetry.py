"""Metrics of clients: kept within bounds, shown on demand."""

from __future__ import annotations

import logging
import struct

import pytest

from kstream.broker.metadata.image import MetadataImage, ResourceType
from kstream.broker.otlp import metric_values
from kstream.broker.telemetry import DEFAULT_INTERVAL_MS, Telemetry, subscription_of
from kstream.errors import ApiError, ErrorCode, ProtocolError
from kstream.records.compression import Codec, compress

CLIENT = {"client_id": "app", "client_software_name": "librdkafka"}
ID = b"0123456789abcdef"


def _image(**subscriptions: dict[str, str]) -> MetadataImage:
    image = MetadataImage()
    for name, configs in subscriptions.items():
        values = {key.replace("_", "."): value for key, value in configs.items()}
        image.configs[ResourceType.CLIENT_METRICS, name] = values
    return image


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def _payload(**values: float) -> bytes:
    metrics = b"".join(
        _field(2, _field(1, name.encode()) + _field(5, _field(1, b"\x21" + struct.pack("<d", value))))
        for name, value in values.items()
    )
    return _field(1, _field(2, metrics))


def _push(
    telemetry: Telemetry, payload: bytes, *, instance_id: bytes = ID, now_ms: int = 0, codec: int = 0
) -> None:
    image = _image()
    telemetry.push(
        image,
        instance_id,
        CLIENT,
        subscription_id=subscription_of(image, instance_id, CLIENT).id,
        codec=codec,
        payload=payload,
        is_terminating=False,
        now_ms=now_ms,
    )


def test_subscriptions_that_match_are_one() -> None:
    image = _image(
        one={"metrics": "b,a", "interval_ms": "5000"},
        two={"metrics": "c", "match": "client_id=app"},
        three={"metrics": "d", "match": "client_id=other", "interval_ms": "100"},
        fault={"metrics": "e", "match": "client_id=("},
    )
    found = subscription_of(image, ID, CLIENT)
    assert (found.metrics, found.interval_ms) == (("a", "b", "c"), 5000)
    assert subscription_of(_image(), ID, CLIENT)[1:] == (DEFAULT_INTERVAL_MS, ())
    assert subscription_of(_image(x={"metrics": "a,*"}), ID, CLIENT).metrics == ("*",)


def test_the_id_follows_what_is_asked_for() -> None:
    ids = [
        subscription_of(_image(**subscriptions), ID, CLIENT).id
        for subscriptions in ({}, {"x": {"metrics": "a"}}, {"x": {"metrics": "a", "interval_ms": "100"}})
    ]
    assert len(set(ids)) == 3
    assert all(-(2**31) <= each < 2**31 for each in ids)
    assert subscription_of(_image(), ID, CLIENT) == subscription_of(_image(), ID, CLIENT)


def test_the_last_report_of_each_client_is_kept() -> None:
    telemetry = Telemetry(payload_bytes_max=1000)
    _push(telemetry, b"old")
    _push(telemetry, bytes(compress(Codec.ZSTD, b"new")), now_ms=DEFAULT_INTERVAL_MS, codec=Codec.ZSTD)
    (report,) = telemetry.reports().values()
    assert (report.payload, report.received_ms) == (b"new", DEFAULT_INTERVAL_MS)
    assert report.client["client_id"] == "app"


def test_reports_and_clients_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kstream.broker.telemetry._REPORTS_BYTES_MAX", 1000)
    monkeypatch.setattr("kstream.broker.telemetry._INSTANCES_MAX", 20)
    telemetry = Telemetry(payload_bytes_max=400)
    for number in range(100):
        _push(telemetry, bytes(300), instance_id=number.to_bytes(16, "big") if number else ID)
    kept = telemetry.reports()
    assert list(kept) == [number.to_bytes(16, "big") for number in (97, 98, 99)]
    assert len(telemetry._instances) == 20


def test_what_is_too_large_after_all() -> None:
    telemetry = Telemetry(payload_bytes_max=1000)
    with pytest.raises(ApiError) as caught:
        _push(telemetry, bytes(compress(Codec.GZIP, bytes(1_000_000_0))), codec=Codec.GZIP)
    assert caught.value.code == ErrorCode.TELEMETRY_TOO_LARGE
    with pytest.raises(ApiError) as caught:
        _push(
            telemetry, bytes(compress(Codec.GZIP, bytes(2000))), codec=Codec.GZIP, now_ms=DEFAULT_INTERVAL_MS
        )
    assert caught.value.code == ErrorCode.INVALID_RECORD
    assert telemetry.reports() == {}


def test_reports_are_shown_at_level_debug(caplog: pytest.LogCaptureFixture) -> None:
    telemetry = Telemetry(payload_bytes_max=1000)
    _push(telemetry, _payload(quiet=1.0))
    assert caplog.messages == []
    with caplog.at_level(logging.DEBUG, logger="kstream.broker.telemetry"):
        _push(telemetry, _payload(requests=2.5, errors=0.0), now_ms=DEFAULT_INTERVAL_MS)
        _push(telemetry, b"\xff\xff", now_ms=2 * DEFAULT_INTERVAL_MS)
    assert [message.partition(": ")[2] for message in caplog.messages[:1]] == ["requests 2.5, errors 0"]
    assert "pushed 2 bytes" in caplog.messages[1]


def test_many_metrics_take_several_lines(caplog: pytest.LogCaptureFixture) -> None:
    telemetry = Telemetry(payload_bytes_max=10_000)
    values = {f"m{number}": float(number) for number in range(50)}
    payload = b"".join(_payload(**{name: value}) for name, value in values.items())
    with caplog.at_level(logging.DEBUG, logger="kstream.broker.telemetry"):
        _push(telemetry, payload)
    assert [message.count(" m") for message in caplog.messages] == [20, 20, 10]


def test_payloads_cut_short_are_said_to_be() -> None:
    whole = _payload(a=1.0, b=2.0)
    assert metric_values(whole) == {"a": 1.0, "b": 2.0}
    for size in range(1, len(whole)):
        with pytest.raises(ProtocolError):
            metric_values(whole[:size])
    with pytest.raises(ProtocolError):
        metric_values(b"\x0b")
    with pytest.raises(ProtocolError):
        metric_values(b"\x80" * 20)
