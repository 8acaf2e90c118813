"""SaslAuthenticate (API key 36): the tokens of a SASL exchange (KIP-152).

- Version 1: how long the session lives (KIP-368).
"""

from __future__ import annotations

from kstream.wire.schema import Message, bytes_, int16, int64, string


class SaslAuthenticateRequest(Message, api_key=36, versions="0-2", flexible="2+"):
    auth_bytes: bytes = bytes_("0+")


class SaslAuthenticateResponse(Message, api_key=36, versions="0-2", flexible="2+"):
    error_code: int = int16("0+")
    error_message: str | None = string("0+", nullable="0+")
    auth_bytes: bytes = bytes_("0+")
    session_lifetime_ms: int = int64("1+", ignorable=True)
