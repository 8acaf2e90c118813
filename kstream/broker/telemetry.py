"""Metrics of clients (KIP-714): who shall report what, and what they reported last.

Apache Kafka hands what clients push to a plugin, and advertises these APIs only where one is installed. Here
the last report of each client is kept, up to `_REPORTS_BYTES_MAX` of them altogether, and written to the log
of this module at level DEBUG, which can be set while the server runs (`kafka-configs --entity-type
broker-loggers`).

A client must keep to the interval it was given: who asks or pushes earlier gets THROTTLING_QUOTA_EXCEEDED,
unless its subscription has changed.
"""

from __future__ import annotations

import logging
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

from kstream.broker.client_matching import matches, parse_patterns
from kstream.broker.metadata.image import MetadataImage, ResourceType
from kstream.broker.otlp import metric_values
from kstream.errors import ApiError, ErrorCode, ProtocolError
from kstream.records.compression import Codec, decompress
from kstream.records.errors import CorruptBatch
from kstream.wire.uuids import ZERO_UUID, format_uuid, random_uuid

log = logging.getLogger(__name__)

DEFAULT_INTERVAL_MS = 300_000
ACCEPTED_CODECS = (Codec.ZSTD, Codec.LZ4, Codec.GZIP, Codec.SNAPPY)
"""Best first."""

_INSTANCES_MAX = 16_384
_REPORTS_BYTES_MAX = 16 * 1024 * 1024
_METRICS_PER_LINE = 20
_NEVER = -1


class Subscription(NamedTuple):
    """What one client shall report, and how often."""

    id: int
    interval_ms: int
    metrics: tuple[str, ...]
    """Prefixes of names; `*` for all."""


class Report(NamedTuple):
    """The last metrics of one client."""

    client: Mapping[str, str]
    """By the labels of `client_matching`."""
    received_ms: int
    payload: bytes
    """OTLP, decompressed."""


class _Instance:
    __slots__ = ("has_asked", "has_old_subscription", "has_terminated", "last_get_ms", "last_push_ms")

    def __init__(self) -> None:
        self.last_get_ms = _NEVER
        self.last_push_ms = _NEVER
        self.has_old_subscription = False
        """Whether its last push was refused, so that it must ask anew before its time."""
        self.has_asked = False
        """Whether it has its subscription since its last push, so that the next may come at any time."""
        self.has_terminated = False


class Telemetry:
    """All clients that report, bounded in number and size."""

    def __init__(self, *, payload_bytes_max: int) -> None:
        self.payload_bytes_max = payload_bytes_max
        self._instances: OrderedDict[bytes, _Instance] = OrderedDict()
        self._reports: OrderedDict[bytes, Report] = OrderedDict()
        self._reports_bytes = 0

    def reports(self) -> dict[bytes, Report]:
        """The last report of each client, by its instance id, the oldest first."""
        return dict(self._reports)

    def subscribe(
        self, image: MetadataImage, instance_id: bytes, client: Mapping[str, str], now_ms: int
    ) -> tuple[bytes, Subscription]:
        """What a client shall report, and its id: a new one for the zero id.

        Raises:
            ApiError: THROTTLING_QUOTA_EXCEEDED, it asks too often.
        """
        if instance_id == ZERO_UUID:
            instance_id = random_uuid()
        instance = self._instance(instance_id)
        subscription = subscription_of(image, instance_id, client)
        last_ms = max(instance.last_get_ms, instance.last_push_ms)
        is_early = last_ms != _NEVER and now_ms - last_ms < subscription.interval_ms
        if is_early and not instance.has_old_subscription and not instance.has_terminated:
            raise ApiError(ErrorCode.THROTTLING_QUOTA_EXCEEDED)
        instance.last_get_ms = now_ms
        instance.has_asked = True
        instance.has_old_subscription = False
        return instance_id, subscription

    def push(
        self,
        image: MetadataImage,
        instance_id: bytes,
        client: Mapping[str, str],
        *,
        subscription_id: int,
        codec: int,
        payload: bytes | memoryview,
        is_terminating: bool,
        now_ms: int,
    ) -> None:
        """Take a client's metrics.

        Raises:
            ApiError: INVALID_REQUEST without an id or after the last push, THROTTLING_QUOTA_EXCEEDED,
                UNKNOWN_SUBSCRIPTION_ID, UNSUPPORTED_COMPRESSION_TYPE, TELEMETRY_TOO_LARGE, INVALID_RECORD for
                what cannot be decompressed, or is too large then.
        """
        if instance_id == ZERO_UUID:
            raise ApiError(ErrorCode.INVALID_REQUEST)
        instance = self._instance(instance_id)
        subscription = subscription_of(image, instance_id, client)
        self._check_time(instance, subscription, is_terminating, now_ms)
        if subscription_id != subscription.id:
            instance.has_old_subscription = True
            raise ApiError(ErrorCode.UNKNOWN_SUBSCRIPTION_ID)
        if codec not in tuple(Codec):
            instance.has_old_subscription = True
            raise ApiError(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE)
        if len(payload) > self.payload_bytes_max:
            raise ApiError(ErrorCode.TELEMETRY_TOO_LARGE)
        instance.has_terminated = is_terminating
        if len(payload):
            self._keep(instance_id, Report(dict(client), now_ms, self._decompressed(codec, payload)))

    def _check_time(
        self, instance: _Instance, subscription: Subscription, is_terminating: bool, now_ms: int
    ) -> None:
        if instance.has_terminated:
            raise ApiError(ErrorCode.INVALID_REQUEST)
        is_first = instance.last_push_ms == _NEVER
        is_due = is_first or instance.has_asked or now_ms - instance.last_push_ms >= subscription.interval_ms
        if is_due:
            instance.last_push_ms = now_ms
            instance.has_asked = False
        elif not is_terminating:
            raise ApiError(ErrorCode.THROTTLING_QUOTA_EXCEEDED)

    def _decompressed(self, codec: int, payload: bytes | memoryview) -> bytes:
        if codec == Codec.NONE:
            return bytes(payload)
        try:
            return decompress(codec, payload, self.payload_bytes_max)
        except CorruptBatch as error:
            raise ApiError(ErrorCode.INVALID_RECORD) from error

    def _instance(self, instance_id: bytes) -> _Instance:
        instance = self._instances.get(instance_id)
        if instance is None:
            instance = self._instances[instance_id] = _Instance()
            if len(self._instances) > _INSTANCES_MAX:
                self._instances.popitem(last=False)
        else:
            self._instances.move_to_end(instance_id)
        return instance

    def _keep(self, instance_id: bytes, report: Report) -> None:
        before = self._reports.pop(instance_id, None)
        if before is not None:
            self._reports_bytes -= len(before.payload)
        self._reports[instance_id] = report
        self._reports_bytes += len(report.payload)
        while self._reports_bytes > _REPORTS_BYTES_MAX:
            _, oldest = self._reports.popitem(last=False)
            self._reports_bytes -= len(oldest.payload)
        if log.isEnabledFor(logging.DEBUG):
            _show(instance_id, report)


def subscription_of(image: MetadataImage, instance_id: bytes, client: Mapping[str, str]) -> Subscription:
    """All subscriptions that match a client, as one: every metric of any, at the shortest interval.

    The id changes whenever what is asked of this client does.
    """
    named = {**client, "client_instance_id": format_uuid(instance_id)}
    metrics: set[str] = set()
    intervals: list[int] = []
    for (resource_type, name), configs in image.configs.items():
        if resource_type == ResourceType.CLIENT_METRICS and _is_meant(name, configs, named):
            metrics.update(each.strip() for each in configs.get("metrics", "").split(",") if each.strip())
            intervals.append(int(configs.get("interval.ms") or DEFAULT_INTERVAL_MS))
    wanted = ("*",) if "*" in metrics else tuple(sorted(metrics))
    interval_ms = min(intervals, default=DEFAULT_INTERVAL_MS)
    unsigned = zlib.crc32(repr((wanted, interval_ms)).encode(), zlib.crc32(instance_id))
    return Subscription(unsigned - (1 << 32) if unsigned >> 31 else unsigned, interval_ms, wanted)


def _is_meant(name: str, configs: Mapping[str, str], client: Mapping[str, str]) -> bool:
    try:
        return matches(parse_patterns(configs.get("match", "")), client)
    except ApiError as error:
        # Written by an Apache Kafka: Java knows expressions that Python does not.
        log.warning("the client metrics subscription %s matches nobody: %s", name, error.message)
        return False


def _show(instance_id: bytes, report: Report) -> None:
    who = f"{format_uuid(instance_id)} ({report.client.get('client_id', '')})"
    try:
        values = metric_values(report.payload)
    except ProtocolError as error:
        log.debug("client %s pushed %d bytes: %s", who, len(report.payload), error)
        return
    # Few long lines: the log passes only so many in a time.
    texts = [f"{name} {value:g}" for name, value in values.items()]
    for start in range(0, len(texts), _METRICS_PER_LINE):
        log.debug("client %s: %s", who, ", ".join(texts[start : start + _METRICS_PER_LINE]))
