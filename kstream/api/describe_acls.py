"""DescribeAcls, versions 1-3 (KIP-140).

There is no authorizer: 54, as Kafka without one. A filter with an element that is unknown (0) closes the
connection.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.no_authorizer import NO_AUTHORIZER, check_known
from kstream.errors import ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.describe_acls import DescribeAclsRequest, DescribeAclsResponse


@handles(ApiKey.DESCRIBE_ACLS)
async def handle(context: RequestContext, request: DescribeAclsRequest) -> DescribeAclsResponse:
    check_known(
        request.resource_type_filter,
        request.pattern_type_filter,
        request.operation,
        request.permission_type,
    )
    return DescribeAclsResponse(error_code=ErrorCode.SECURITY_DISABLED, error_message=NO_AUTHORIZER)
