"""CreateAcls, versions 1-3 (KIP-140).

There is no authorizer: 54 for each entry, as Kafka without one. An entry with an element that is unknown (0)
closes the connection.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.no_authorizer import NO_AUTHORIZER, check_known
from kstream.errors import ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.create_acls import AclCreationResult, CreateAclsRequest, CreateAclsResponse


@handles(ApiKey.CREATE_ACLS)
async def handle(context: RequestContext, request: CreateAclsRequest) -> CreateAclsResponse:
    for each in request.creations:
        check_known(each.resource_type, each.resource_pattern_type, each.operation, each.permission_type)
    return CreateAclsResponse(
        results=[
            AclCreationResult(error_code=ErrorCode.SECURITY_DISABLED, error_message=NO_AUTHORIZER)
            for _ in request.creations
        ]
    )
