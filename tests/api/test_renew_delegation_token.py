"""RenewDelegationToken: not for clients that did not authenticate."""

from __future__ import annotations

import pytest

from kstream.errors import ErrorCode
from kstream.wire.messages.renew_delegation_token import (
    RenewDelegationTokenRequest,
    RenewDelegationTokenResponse,
)
from tests.api.conftest import Asker


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("hmac", [b"", b"unknown"])
def test_no_token_is_looked_up(asker: Asker, version: int, hmac: bytes) -> None:
    answer = asker.ask(RenewDelegationTokenRequest(hmac=hmac), version, RenewDelegationTokenResponse)
    assert answer.error_code == ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED
    assert answer.expiry_timestamp_ms == -1
