"""ElectLeaders, versions 0-2 (KIP-460).

- Preferred elections (type 0) and unclean ones (1, since version 1), for some partitions or, with null, for
  all. 84 where none is needed, 80 and 83 where nobody can lead, 3 for unknown partitions. When all are asked
  for, only those that changed or failed are answered.
- An unknown type gets 42, a timeout that is not positive gets 7; both for every partition.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.metadata.elect_leaders import Election, ElectionType, elect_leaders
from kstream.errors import ApiError, ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.elect_leaders import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    PartitionResult,
    ReplicaElectionResult,
)

_FIRST_VERSION_WITH_ERROR = 1


@handles(ApiKey.ELECT_LEADERS)
async def handle(context: RequestContext, request: ElectLeadersRequest) -> ElectLeadersResponse:
    wanted = None
    if request.topic_partitions is not None:
        wanted = [(topic.topic, topic.partitions) for topic in request.topic_partitions]
    error_code = ErrorCode.NONE
    try:
        if request.timeout_ms <= 0:
            raise ApiError(ErrorCode.REQUEST_TIMED_OUT)
        if wanted != []:
            election_type = _type_of(request.election_type)
            elections = await context.broker.metadata.update(
                lambda image: elect_leaders(image, election_type, wanted)
            )
        else:
            elections = []
    except ApiError as error:
        error_code = error.code
        elections = [
            (name, [Election(index, error) for index in partitions]) for name, partitions in wanted or ()
        ]
    return ElectLeadersResponse(
        error_code=error_code if context.api_version >= _FIRST_VERSION_WITH_ERROR else ErrorCode.NONE,
        replica_election_results=[
            ReplicaElectionResult(topic=name, partition_result=[_result(each) for each in partitions])
            for name, partitions in elections
        ],
    )


def _type_of(number: int) -> ElectionType:
    try:
        return ElectionType(number)
    except ValueError:
        raise ApiError(ErrorCode.INVALID_REQUEST, f"Unknown election type {number}") from None


def _result(election: Election) -> PartitionResult:
    result = PartitionResult(partition_id=election.partition, error_message=None)
    if election.error is not None:
        result.error_code = election.error.code
        result.error_message = election.error.message
    return result
