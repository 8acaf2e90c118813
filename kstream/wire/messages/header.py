"""Request and response headers, as the schema files declare them.

Servers read and write them by hand (`kstream.wire.headers`); these are what that is tested against. Version 2
of the request's and version 1 of the response's header have tagged fields (KIP-482).
"""

from __future__ import annotations

from kstream.wire.schema import Message, int16, int32, string


class RequestHeader(Message, versions="1-2", flexible="2+"):
    request_api_key: int = int16("0+")
    request_api_version: int = int16("0+")
    correlation_id: int = int32("0+")
    client_id: str | None = string("1+", nullable="1+", flexible="none")


class ResponseHeader(Message, versions="0-1", flexible="1+"):
    correlation_id: int = int32("0+")
