"""SaslAuthenticate on a listener without SASL."""

from __future__ import annotations

import pytest

from kstream.errors import ErrorCode
from kstream.wire.messages.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse
from tests.api.conftest import Asker


@pytest.mark.parametrize("version", range(3))
def test_nobody_is_asked_who_he_is(asker: Asker, version: int) -> None:
    request = SaslAuthenticateRequest(auth_bytes=b"\0user\0password")
    answer = asker.ask(request, version, SaslAuthenticateResponse)
    assert (answer.error_code, answer.auth_bytes) == (ErrorCode.ILLEGAL_SASL_STATE, b"")
    assert answer.error_message
