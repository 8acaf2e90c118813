"""Quotas: rates, how long to wait, and whose quota counts. Times were measured at Apache Kafka 4.4.0."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from kstream.broker.metadata.image import MetadataImage, QuotaEntity
from kstream.broker.quotas import Meter, Quotas, Rate
from kstream.clock import ManualClock
from kstream.config.broker import BrokerConfig

COUNT, WINDOW_MS = 11, 1000
PRODUCE, FETCH, REQUEST = "producer_byte_rate", "consumer_byte_rate", "request_percentage"


def test_ten_seconds_worth_may_come_at_once() -> None:
    meter = Meter(2000, COUNT, WINDOW_MS, None)
    assert meter.record(10_000, 0) == 0
    assert meter.record(10_000, 10) == 0
    assert meter.record(200, 20) > 0
    assert meter.total_max == 20_000


def test_waits_as_kafka_makes_them() -> None:
    """Four requests of about 10,115 bytes under 2,000 bytes a second; Kafka said 0, 111, 5056, 10058 ms."""
    meter = Meter(2000, COUNT, WINDOW_MS, None)
    now_ms, waits = 0, []
    for _ in range(4):
        waits.append(meter.record(10_115, now_ms))
        now_ms += waits[-1]
    assert waits == [0, 115, 5058, 10_057]


@pytest.mark.parametrize("offset_ms", [0, 1, 999])
def test_who_waits_as_told_may_go_on(offset_ms: int) -> None:
    meter = Meter(1000, COUNT, WINDOW_MS, None)
    meter.record(50_000, offset_ms)
    rate, elapsed_ms = meter.rate.measure(offset_ms)
    wait_ms = meter.record(0, offset_ms)
    assert wait_ms == round((rate - 1000) / 1000 * elapsed_ms) == 40_000
    assert meter.record(0, offset_ms + wait_ms) == 0


def test_a_rate_forgets() -> None:
    rate = Rate(COUNT, WINDOW_MS)
    for second in range(30):
        rate.record(500, second * 1000)
    assert rate.measure(29_500)[0] == pytest.approx(500, rel=0.1)
    assert not rate.is_idle(29_500)
    assert rate.is_idle(29_000 + COUNT * WINDOW_MS)


def test_what_is_taken_back_does_not_count() -> None:
    meter = Meter(1000, COUNT, WINDOW_MS, None)
    assert meter.record(50_000, 0) > 0
    meter.take_back(50_000, 5)
    assert meter.record(10_000, 10) == 0


def test_waits_for_time_are_at_most_a_window() -> None:
    assert Meter(0.001, COUNT, WINDOW_MS, WINDOW_MS).record(100, 0) == WINDOW_MS


def _entity(**names: str | None) -> QuotaEntity:
    return tuple(sorted((kind.replace("_", "-"), name) for kind, name in names.items()))


def _quotas(values: Mapping[QuotaEntity, Mapping[str, float]], clock: ManualClock | None = None) -> Quotas:
    quotas = Quotas(BrokerConfig({}), (clock or ManualClock()).now_ms)
    image = MetadataImage()
    image.client_quotas = {entity: dict(each) for entity, each in values.items()}
    quotas.load(image)
    return quotas


def _levels() -> Iterator[QuotaEntity]:
    """What applies to client `app` of user `alice`, the least specific first."""
    yield _entity(client_id=None)
    yield _entity(client_id="app")
    yield _entity(user=None)
    yield _entity(user=None, client_id=None)
    yield _entity(user=None, client_id="app")
    yield _entity(user="alice")
    yield _entity(user="alice", client_id=None)
    yield _entity(user="alice", client_id="app")


def test_the_most_specific_quota_counts() -> None:
    values: dict[QuotaEntity, dict[str, float]] = {}
    for number, entity in enumerate(_levels(), 1):
        values[entity] = {PRODUCE: number}
        found = _quotas(values).of("alice", "app").produce
        assert found is not None
        assert found.bound == number
        assert _quotas(values).of("alice", "app").fetch is None


def test_others_are_not_limited() -> None:
    quotas = _quotas({_entity(user="alice"): {PRODUCE: 1}, _entity(client_id="app"): {FETCH: 2, REQUEST: 3}})
    alice, bob, app = quotas.of("alice", "x"), quotas.of("bob", "x"), quotas.of("bob", "app")
    assert (alice.produce is None, alice.fetch, alice.request) == (False, None, None)
    assert (bob.produce, bob.fetch, bob.request) == (None, None, None)
    assert (app.produce, app.fetch is None, app.request is None) == (None, False, False)


def test_a_users_clients_share_and_defaults_do_not() -> None:
    quotas = _quotas({_entity(user="alice"): {PRODUCE: 1}, _entity(client_id=None): {PRODUCE: 2}})
    assert quotas.of("alice", "x").produce is quotas.of("alice", "y").produce
    assert quotas.of("bob", "x").produce is quotas.of("carol", "x").produce
    assert quotas.of("bob", "x").produce is not quotas.of("bob", "y").produce


def test_nothing_is_measured_without_quotas() -> None:
    assert not _quotas({}).is_active
    assert not _quotas({_entity(user="alice"): {"controller_mutation_rate": 1}}).is_active
    assert _quotas({_entity(user="alice"): {PRODUCE: 1}}).is_active


def test_a_changed_quota_keeps_what_was_measured() -> None:
    entity = _entity(user="alice")
    quotas = _quotas({entity: {PRODUCE: 1000}})
    before = quotas.of("alice", "x").produce
    assert before is not None
    assert before.record(9000, 0) == 0
    image = MetadataImage()
    image.client_quotas = {entity: {PRODUCE: 500}}
    quotas.load(image)
    after = quotas.of("alice", "x").produce
    assert after is not None
    assert (after.bound, after.record(0, 0)) == (500, 8000)


def test_client_ids_without_end_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kstream.broker.quotas._KEPT_MAX", 10)
    clock = ManualClock()
    quotas = _quotas({_entity(client_id=None): {PRODUCE: 1000}}, clock)
    busy = quotas.of("u", "busy").produce
    assert busy is not None
    busy.record(1, clock.now_ms())
    for number in range(100):
        quotas.of("u", str(number))
    assert len(quotas._clients) <= 10
    assert quotas.of("u", "busy").produce is busy
