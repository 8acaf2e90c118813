"""Client quotas, measured and enforced as Apache Kafka 4.4.0 does (KIP-13, KIP-124, KIP-219).

A quota is a rate: bytes produced or fetched, or percent of a thread's time, each second. It is measured over
`quota.window.num` windows of `quota.window.size.seconds`, as if time before the first sample had been silent:
ten seconds' worth can come at once. Whoever is above the rate is told to wait, and is not listened to, for as
long as it takes until the rate over the windows is back at the quota.

Of the entities that a client belongs to, the most specific one that has a value for the key counts. A quota
of a user is shared by all of that user's clients; a default is no shared one, but one for each user or
client.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from kstream.broker.metadata.client_quotas import (
    CLIENT_ID,
    CONSUMER_BYTE_RATE,
    PRODUCER_BYTE_RATE,
    REQUEST_PERCENTAGE,
    USER,
)
from kstream.broker.metadata.delta import MetadataDelta
from kstream.broker.metadata.image import MetadataImage, QuotaEntity
from kstream.broker.metadata.replay import quota_entity
from kstream.config.broker import BrokerConfig

_ENFORCED = frozenset({PRODUCER_BYTE_RATE, CONSUMER_BYTE_RATE, REQUEST_PERCENTAGE})
_KEPT_MAX = 10_000


class Rate:
    """What was recorded each second, over a few windows of time."""

    __slots__ = ("_count", "_samples", "_window_ms")

    def __init__(self, count: int, window_ms: int) -> None:
        self._count = count
        self._window_ms = window_ms
        self._samples: deque[list[float]] = deque(maxlen=count)
        """Start, time of the last record, and total of each window."""

    def record(self, value: float, now_ms: int) -> None:
        samples = self._samples
        if not samples or now_ms - samples[-1][0] >= self._window_ms:
            samples.append([now_ms, now_ms, 0.0])
        sample = samples[-1]
        sample[1] = now_ms
        sample[2] += value

    def measure(self, now_ms: int) -> tuple[float, float]:
        """The rate each second, and the time in milliseconds over which that is."""
        samples = self._samples
        expired_ms = now_ms - self._count * self._window_ms
        while samples and samples[0][1] <= expired_ms:
            samples.popleft()
        elapsed_ms = now_ms - samples[0][0] if samples else 0.0
        missing = self._count - 1 - int(elapsed_ms / self._window_ms)
        if missing > 0:
            elapsed_ms += missing * self._window_ms
        elapsed_ms = max(elapsed_ms, 1.0)
        return sum(sample[2] for sample in samples) * 1000 / elapsed_ms, elapsed_ms

    def is_idle(self, now_ms: int) -> bool:
        return not self.measure(now_ms)[0]


class Meter:
    """One quota of one user, client, or both."""

    __slots__ = ("bound", "rate", "throttle_ms_max", "total_max")

    def __init__(self, bound: float, count: int, window_ms: int, throttle_ms_max: int | None) -> None:
        self.rate = Rate(count, window_ms)
        self.throttle_ms_max = throttle_ms_max
        self.bound = bound
        self.total_max = bound * (count - 1) * window_ms / 1000
        """What may come at once without any wait."""

    def record(self, value: float, now_ms: int) -> int:
        """Count something that happened; returns for how many milliseconds to wait."""
        self.rate.record(value, now_ms)
        rate, elapsed_ms = self.rate.measure(now_ms)
        if rate <= self.bound:
            return 0
        throttle_ms = round((rate - self.bound) / self.bound * elapsed_ms)
        return throttle_ms if self.throttle_ms_max is None else min(throttle_ms, self.throttle_ms_max)

    def take_back(self, value: float, now_ms: int) -> None:
        """What was recorded did not happen after all."""
        self.rate.record(-value, now_ms)


class ClientMeters:
    """The quotas that one client has; None for what is not limited."""

    __slots__ = ("fetch", "produce", "request")

    def __init__(self, produce: Meter | None, fetch: Meter | None, request: Meter | None) -> None:
        self.produce = produce
        self.fetch = fetch
        self.request = request


class Quotas:
    """The quotas of all clients, as the metadata has them."""

    def __init__(self, config: BrokerConfig, now_ms: Callable[[], int]) -> None:
        self.is_active = False
        """Whether anything has to be measured at all: asked for each request."""
        self._count = int(config.get("quota.window.num") or 1)
        self._window_ms = int(config.get("quota.window.size.seconds") or 1) * 1000
        self._now_ms = now_ms
        self._values: dict[QuotaEntity, dict[str, float]] = {}
        self._clients: dict[tuple[str, str], ClientMeters] = {}
        self._meters: dict[tuple[str, QuotaEntity], Meter] = {}

    def load(self, image: MetadataImage) -> None:
        """Take over what the metadata has. What was measured is kept where a quota is the same one."""
        self._values = {
            entity: values for entity, values in image.client_quotas.items() if _ENFORCED & values.keys()
        }
        self._clients.clear()
        self.is_active = bool(self._values)
        if not self.is_active:
            self._meters.clear()

    def on_metadata(self, image: MetadataImage, delta: MetadataDelta) -> None:
        if delta.client_quotas_changed:
            self.load(image)

    def of(self, user: str, client_id: str) -> ClientMeters:
        """The meters of a client, made at its first request."""
        client = self._clients.get((user, client_id))
        if client is None:
            if len(self._clients) >= _KEPT_MAX:
                self._forget_idle()
            client = self._clients[user, client_id] = ClientMeters(
                self._meter(PRODUCER_BYTE_RATE, user, client_id),
                self._meter(CONSUMER_BYTE_RATE, user, client_id),
                self._meter(REQUEST_PERCENTAGE, user, client_id),
            )
        return client

    def _meter(self, key: str, user: str, client_id: str) -> Meter | None:
        for entity in _entities(user, client_id):
            bound = self._values.get(entity, {}).get(key)
            if bound is not None:
                measured = _measured(entity, user, client_id)
                meter = self._meters.get((key, measured))
                if meter is None or meter.bound != bound:
                    throttle_ms_max = self._window_ms if key == REQUEST_PERCENTAGE else None
                    rate = None if meter is None else meter.rate
                    meter = Meter(bound, self._count, self._window_ms, throttle_ms_max)
                    meter.rate = rate or meter.rate
                    self._meters[key, measured] = meter
                return meter
        return None

    def _forget_idle(self) -> None:
        """Client ids are the clients' to choose: what is remembered of them is bounded."""
        now_ms = self._now_ms()
        self._clients.clear()
        self._meters = {key: meter for key, meter in self._meters.items() if not meter.rate.is_idle(now_ms)}


def _entities(user: str, client_id: str) -> Iterator[QuotaEntity]:
    """The entities that a client belongs to, the most specific one first."""
    for user_name in (user, None):
        for client_name in (client_id, None):
            yield quota_entity(((USER, user_name), (CLIENT_ID, client_name)))
        yield quota_entity(((USER, user_name),))
    for client_name in (client_id, None):
        yield quota_entity(((CLIENT_ID, client_name),))


def _measured(entity: QuotaEntity, user: str, client_id: str) -> QuotaEntity:
    """Who shares what an entity allows: a default is one quota for each."""
    names = {USER: user, CLIENT_ID: client_id}
    return tuple((kind, names[kind]) for kind, _ in entity)
