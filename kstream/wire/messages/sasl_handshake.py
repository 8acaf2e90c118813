"""SaslHandshake (API key 17): choose a SASL mechanism.

- Version 1: tokens follow in SaslAuthenticate requests, not as bare frames (KIP-152).

It never became flexible, because clients up to 2.4 would misread it (KAFKA-9577).
"""

from __future__ import annotations

from kstream.wire.schema import Message, array, int16, string


class SaslHandshakeRequest(Message, api_key=17, versions="0-1"):
    mechanism: str = string("0+")


class SaslHandshakeResponse(Message, api_key=17, versions="0-1"):
    error_code: int = int16("0+")
    mechanisms: list[str] = array(string, "0+")
