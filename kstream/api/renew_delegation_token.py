"""RenewDelegationToken, versions 1-2 (KIP-48).

Tokens are not given to clients that did not authenticate, and no listener authenticates: 64.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.renew_delegation_token import (
    RenewDelegationTokenRequest,
    RenewDelegationTokenResponse,
)

_NO_TIME = -1


@handles(ApiKey.RENEW_DELEGATION_TOKEN)
async def handle(
    context: RequestContext, request: RenewDelegationTokenRequest
) -> RenewDelegationTokenResponse:
    return RenewDelegationTokenResponse(
        error_code=ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, expiry_timestamp_ms=_NO_TIME
    )
