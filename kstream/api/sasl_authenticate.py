"""SaslAuthenticate, versions 0-2 (KIP-152).

No listener authenticates, so a client is past authentication from the start: 34, as on Kafka's plaintext
listeners.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse


@handles(ApiKey.SASL_AUTHENTICATE)
async def handle(context: RequestContext, request: SaslAuthenticateRequest) -> SaslAuthenticateResponse:
    return SaslAuthenticateResponse(
        error_code=ErrorCode.ILLEGAL_SASL_STATE,
        error_message="This listener asks for no authentication, so there is none to go on with.",
    )
