"""CreateDelegationToken, versions 1-3 (KIP-48, KIP-373).

Tokens are not given to clients that did not authenticate, and no listener authenticates: 64. The answer says
for whom the token would have been: the owner that is asked for (3), else whoever asks.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.create_delegation_token import (
    CreateDelegationTokenRequest,
    CreateDelegationTokenResponse,
)

_NO_TIME = -1
_FIRST_VERSION_WITH_OWNER = 3


@handles(ApiKey.CREATE_DELEGATION_TOKEN)
async def handle(
    context: RequestContext, request: CreateDelegationTokenRequest
) -> CreateDelegationTokenResponse:
    principal_type, _, principal_name = context.principal.partition(":")
    response = CreateDelegationTokenResponse(
        error_code=ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
        principal_type=principal_type,
        principal_name=principal_name,
        issue_timestamp_ms=_NO_TIME,
        expiry_timestamp_ms=_NO_TIME,
        max_timestamp_ms=_NO_TIME,
    )
    if context.api_version >= _FIRST_VERSION_WITH_OWNER:
        response.token_requester_principal_type = principal_type
        response.token_requester_principal_name = principal_name
        if request.owner_principal_name:
            response.principal_type = request.owner_principal_type or principal_type
            response.principal_name = request.owner_principal_name
    return response
