"""SaslHandshake on a listener without SASL."""

from __future__ import annotations

import pytest

from kstream.errors import ErrorCode
from kstream.wire.messages.sasl_handshake import SaslHandshakeRequest, SaslHandshakeResponse
from tests.api.conftest import Asker


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512", ""])
def test_there_is_nothing_to_agree_on(asker: Asker, version: int, mechanism: str) -> None:
    answer = asker.ask(SaslHandshakeRequest(mechanism=mechanism), version, SaslHandshakeResponse)
    assert (answer.error_code, answer.mechanisms) == (ErrorCode.ILLEGAL_SASL_STATE, [])
