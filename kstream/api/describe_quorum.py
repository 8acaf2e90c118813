"""DescribeQuorum, versions 0-2 (KIP-595).

- The quorum of the metadata log: this node, the one voter, which is always caught up. There are no observers.
- Any other partition, or more than that one, gets 3 for each.
- 1: times of the last fetch (KIP-836). 2: error messages, directory ids, and where the voters can be reached:
  kstream has no listener for controllers alone, so that is the listener by which the client came (KIP-853).
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.metadata.image import METADATA_TOPIC
from kstream.errors import ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumResponse,
    DescribeQuorumResponsePartitionData,
    DescribeQuorumResponseTopicData,
    Listener,
    Node,
    ReplicaState,
)

_FIRST_VERSION_WITH_NODES = 2
_UNKNOWN = "The quorum of this partition is not known here."


@handles(ApiKey.DESCRIBE_QUORUM)
async def handle(context: RequestContext, request: DescribeQuorumRequest) -> DescribeQuorumResponse:
    wanted = [
        (topic.topic_name, partition.partition_index)
        for topic in request.topics
        for partition in topic.partitions
    ]
    if wanted == [(METADATA_TOPIC, 0)] and len(request.topics) == 1:
        return _describe(context)
    return DescribeQuorumResponse(
        error_message="",
        topics=[
            DescribeQuorumResponseTopicData(
                topic_name=topic.topic_name,
                partitions=[
                    DescribeQuorumResponsePartitionData(
                        partition_index=partition.partition_index,
                        error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
                        error_message=_UNKNOWN,
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in request.topics
        ],
    )


def _describe(context: RequestContext) -> DescribeQuorumResponse:
    broker = context.broker
    end_offset = broker.metadata.image.offset + 1
    now_ms = context.now_ms()
    voter = ReplicaState(
        replica_id=broker.node_id,
        log_end_offset=end_offset,
        last_fetch_timestamp=now_ms,
        last_caught_up_timestamp=now_ms,
    )
    partition = DescribeQuorumResponsePartitionData(
        partition_index=0,
        error_message="",
        leader_id=broker.node_id,
        leader_epoch=broker.metadata.leader_epoch,
        high_watermark=end_offset,
        current_voters=[voter],
    )
    response = DescribeQuorumResponse(
        error_message="",
        topics=[DescribeQuorumResponseTopicData(topic_name=METADATA_TOPIC, partitions=[partition])],
    )
    if context.api_version < _FIRST_VERSION_WITH_NODES:
        return response
    host, port = broker.advertised(context.listener, context.local_address)
    listener = Listener(name=context.listener, host=host, port=port)
    response.nodes = [Node(node_id=broker.node_id, listeners=[listener])]
    return response
