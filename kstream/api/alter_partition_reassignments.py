"""AlterPartitionReassignments, versions 0-1 (KIP-455).

- Replicas can be put in another order, and taken away as long as one that is in sync stays. They cannot be
  added, since brokers do not copy from each other: 39.
- Null replicas cancel a reassignment; none is ever under way: 85. 3 for unknown partitions, 7 for a timeout
  that is not positive.
- 1: on request the number of replicas must stay as it is, else 38 (KIP-860).
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.metadata.reassignments import Reassigned, Reassignment, reassign_partitions
from kstream.errors import ApiError, ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartitionResponse,
    ReassignableTopicResponse,
)


@handles(ApiKey.ALTER_PARTITION_REASSIGNMENTS)
async def handle(
    context: RequestContext, request: AlterPartitionReassignmentsRequest
) -> AlterPartitionReassignmentsResponse:
    can_resize = request.allow_replication_factor_change
    wanted = [
        (topic.name, [Reassignment(each.partition_index, each.replicas) for each in topic.partitions])
        for topic in request.topics
    ]
    response = AlterPartitionReassignmentsResponse(
        allow_replication_factor_change=can_resize, error_message=None if wanted else ""
    )
    try:
        if request.timeout_ms <= 0:
            raise ApiError(ErrorCode.REQUEST_TIMED_OUT)
        reassigned = await context.broker.metadata.update(
            lambda image: reassign_partitions(image, wanted, can_resize=can_resize)
        )
    except ApiError as error:
        response.error_code = error.code
        response.error_message = error.message
        reassigned = [
            (name, [Reassigned(each.partition, error) for each in partitions]) for name, partitions in wanted
        ]
    response.responses = [
        ReassignableTopicResponse(name=name, partitions=[_result(each) for each in partitions])
        for name, partitions in reassigned
    ]
    return response


def _result(partition: Reassigned) -> ReassignablePartitionResponse:
    result = ReassignablePartitionResponse(partition_index=partition.partition, error_message=None)
    if partition.error is not None:
        result.error_code = partition.error.code
        result.error_message = partition.error.message
    return result
