"""SaslHandshake, versions 0-1 (KIP-43).

No listener authenticates, so a client is past authentication from the start: 34, as on Kafka's plaintext
listeners, with no mechanisms.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.errors import ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.sasl_handshake import SaslHandshakeRequest, SaslHandshakeResponse


@handles(ApiKey.SASL_HANDSHAKE)
async def handle(context: RequestContext, request: SaslHandshakeRequest) -> SaslHandshakeResponse:
    return SaslHandshakeResponse(error_code=ErrorCode.ILLEGAL_SASL_STATE)
