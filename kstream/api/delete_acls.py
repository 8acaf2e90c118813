"""DeleteAcls, versions 1-3 (KIP-140).

There is no authorizer: 54 for each filter, as Kafka without one. A filter with an element that is unknown (0)
closes the connection.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.no_authorizer import NO_AUTHORIZER, check_known
from kstream.errors import ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.delete_acls import (
    DeleteAclsFilterResult,
    DeleteAclsRequest,
    DeleteAclsResponse,
)


@handles(ApiKey.DELETE_ACLS)
async def handle(context: RequestContext, request: DeleteAclsRequest) -> DeleteAclsResponse:
    for each in request.filters:
        check_known(each.resource_type_filter, each.pattern_type_filter, each.operation, each.permission_type)
    return DeleteAclsResponse(
        filter_results=[
            DeleteAclsFilterResult(error_code=ErrorCode.SECURITY_DISABLED, error_message=NO_AUTHORIZER)
            for _ in request.filters
        ]
    )
