"""GetTelemetrySubscriptions: what clients shall report."""

from __future__ import annotations

from kstream.clock import ManualClock
from kstream.errors import ErrorCode
from kstream.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kstream.wire.messages.get_telemetry_subscriptions import (
    GetTelemetrySubscriptionsRequest,
    GetTelemetrySubscriptionsResponse,
)
from kstream.wire.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from kstream.wire.uuids import ZERO_UUID
from tests.api.conftest import Asker

ID = b"0123456789abcdef"
CLIENT_METRICS = 16


def subscribe(asker: Asker, client_id: bytes = ZERO_UUID) -> GetTelemetrySubscriptionsResponse:
    request = GetTelemetrySubscriptionsRequest(client_instance_id=client_id)
    return asker.ask(request, 0, GetTelemetrySubscriptionsResponse)


def configure(asker: Asker, name: str, **values: str) -> None:
    configs = [AlterableConfig(name=key.replace("_", "."), value=value) for key, value in values.items()]
    resource = AlterConfigsResource(resource_type=CLIENT_METRICS, resource_name=name, configs=configs)
    request = IncrementalAlterConfigsRequest(resources=[resource])
    answer = asker.ask(request, 1, IncrementalAlterConfigsResponse)
    assert [each.error_code for each in answer.responses] == [0]


def advance(asker: Asker, *, ms: int) -> None:
    clock = asker.broker.clock
    assert isinstance(clock, ManualClock)
    clock.advance(ms=ms)


def test_clients_hear_of_metrics_once_somebody_subscribes(asker: Asker) -> None:
    def listed() -> set[int]:
        answer = asker.ask(ApiVersionsRequest(), 0, ApiVersionsResponse)
        return {key.api_key for key in answer.api_keys} & {71, 72}

    assert listed() == set()
    configure(asker, "all", metrics="*")
    assert listed() == {71, 72}


def test_a_new_client_gets_an_id(asker: Asker) -> None:
    first, second = subscribe(asker), subscribe(asker)
    assert (first.error_code, first.push_interval_ms, first.requested_metrics) == (0, 300_000, [])
    assert (first.accepted_compression_types, first.telemetry_max_bytes) == ([4, 3, 1, 2], 1024 * 1024)
    assert first.delta_temporality
    assert len({first.client_instance_id, second.client_instance_id, ZERO_UUID}) == 3


def test_subscriptions_that_match(asker: Asker) -> None:
    asker.context.client_id = "app-1"
    asker.context.client_software_name = "librdkafka"
    configure(asker, "a", metrics="org.a.", interval_ms="1000", match="client_id=app-.*")
    configure(asker, "b", metrics="org.b.", match="client_software_name=other")
    answer = subscribe(asker)
    assert (answer.requested_metrics, answer.push_interval_ms) == (["org.a."], 1000)


def test_asking_too_early(asker: Asker) -> None:
    assert subscribe(asker, ID).error_code == 0
    early = subscribe(asker, ID)
    assert (early.error_code, early.client_instance_id) == (ErrorCode.THROTTLING_QUOTA_EXCEEDED, ZERO_UUID)
    advance(asker, ms=300_000)
    in_time = subscribe(asker, ID)
    assert (in_time.error_code, in_time.client_instance_id) == (0, ID)
