"""DescribeCluster, versions 0-2 (KIP-700).

- Brokers that have the client's listener, the controller, and, on request, authorized operations (KIP-430).
- 1: the type of endpoint that is asked for (KIP-919): this is a broker's, so controllers get 114, unknown
types 115. - 2: fenced brokers on request (KIP-1073).
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.metadata.authorized_operations import CLUSTER_OPERATIONS
from kstream.broker.metadata.nodes import nodes_of
from kstream.errors import ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.describe_cluster import (
    DescribeClusterBroker,
    DescribeClusterRequest,
    DescribeClusterResponse,
)

_BROKERS = 1
_CONTROLLERS = 2


@handles(ApiKey.DESCRIBE_CLUSTER)
async def handle(context: RequestContext, request: DescribeClusterRequest) -> DescribeClusterResponse:
    if request.endpoint_type == _CONTROLLERS:
        return DescribeClusterResponse(
            error_code=ErrorCode.MISMATCHED_ENDPOINT_TYPE,
            error_message="The request was sent to an endpoint of type BROKER,"
            " but we wanted an endpoint of type CONTROLLER",
        )
    if request.endpoint_type != _BROKERS:
        return DescribeClusterResponse(
            error_code=ErrorCode.UNSUPPORTED_ENDPOINT_TYPE,
            error_message=f"Unsupported endpoint type {request.endpoint_type}",
        )
    broker = context.broker
    nodes = nodes_of(
        broker.metadata.image,
        broker.node_id,
        broker.advertised(context.listener, context.local_address),
        context.listener,
        include_fenced=request.include_fenced_brokers,
    )
    response = DescribeClusterResponse(
        cluster_id=broker.cluster_id,
        controller_id=broker.node_id,
        brokers=[
            DescribeClusterBroker(
                broker_id=node.node_id,
                host=node.host,
                port=node.port,
                rack=node.rack,
                is_fenced=node.is_fenced,
            )
            for node in nodes
        ],
    )
    if request.include_cluster_authorized_operations:
        response.cluster_authorized_operations = CLUSTER_OPERATIONS
    return response
