"""DescribeCluster answers as Apache Kafka 4.4.0 was seen to."""

from __future__ import annotations

import pytest

from kstream.errors import ErrorCode
from kstream.wire.messages.describe_cluster import DescribeClusterRequest, DescribeClusterResponse
from tests.api.conftest import Asker

NOT_ASKED_FOR = -(1 << 31)


@pytest.mark.parametrize("version", range(3))
def test_the_cluster_in_every_version(asker: Asker, version: int) -> None:
    answer = asker.ask(DescribeClusterRequest(), version, DescribeClusterResponse)
    assert (answer.error_code, answer.error_message) == (0, None)
    assert (answer.cluster_id, answer.controller_id) == (asker.broker.cluster_id, 1)
    assert answer.cluster_authorized_operations == NOT_ASKED_FOR
    (broker,) = answer.brokers
    assert (broker.broker_id, broker.host, broker.port) == (1, "reached.example", 19092)
    assert (broker.rack, broker.is_fenced) == (None, False)


def test_authorized_operations(asker: Asker) -> None:
    request = DescribeClusterRequest(include_cluster_authorized_operations=True)
    assert asker.ask(request, 2, DescribeClusterResponse).cluster_authorized_operations == 8096


def test_fenced_brokers_on_request(asker: Asker) -> None:
    image = asker.broker.metadata.image
    image.brokers[2] = image.brokers[1]._replace(broker_id=2, is_fenced=True)
    plain = asker.ask(DescribeClusterRequest(), 2, DescribeClusterResponse)
    request = DescribeClusterRequest(include_fenced_brokers=True)
    with_fenced = asker.ask(request, 2, DescribeClusterResponse)
    assert [broker.broker_id for broker in plain.brokers] == [1]
    assert [(broker.broker_id, broker.is_fenced) for broker in with_fenced.brokers] == [(1, False), (2, True)]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("endpoint_type", "code", "message"),
    [
        (
            2,
            ErrorCode.MISMATCHED_ENDPOINT_TYPE,
            "The request was sent to an endpoint of type BROKER,"
            " but we wanted an endpoint of type CONTROLLER",
        ),
        (3, ErrorCode.UNSUPPORTED_ENDPOINT_TYPE, "Unsupported endpoint type 3"),
        (0, ErrorCode.UNSUPPORTED_ENDPOINT_TYPE, "Unsupported endpoint type 0"),
    ],
)
def test_other_endpoints(
    asker: Asker, version: int, endpoint_type: int, code: ErrorCode, message: str
) -> None:
    request = DescribeClusterRequest(endpoint_type=endpoint_type)
    answer = asker.ask(request, version, DescribeClusterResponse)
    assert (answer.error_code, answer.error_message, answer.endpoint_type) == (code, message, 1)
    assert (answer.cluster_id, answer.controller_id, answer.brokers) == ("", -1, [])
