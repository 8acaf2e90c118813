"""CreateDelegationToken: not for clients that did not authenticate."""

from __future__ import annotations

import pytest

from kstream.errors import ErrorCode
from kstream.wire.messages.create_delegation_token import (
    CreateDelegationTokenRequest,
    CreateDelegationTokenResponse,
)
from tests.api.conftest import Asker

NOT_ALLOWED = ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED


@pytest.mark.parametrize("version", range(1, 4))
def test_for_who_asks(asker: Asker, version: int) -> None:
    answer = asker.ask(CreateDelegationTokenRequest(), version, CreateDelegationTokenResponse)
    assert (answer.error_code, answer.token_id, answer.hmac) == (NOT_ALLOWED, "", b"")
    assert (answer.principal_type, answer.principal_name) == ("User", "ANONYMOUS")
    assert answer.token_requester_principal_name == ("ANONYMOUS" if version >= 3 else "")
    times = (answer.issue_timestamp_ms, answer.expiry_timestamp_ms, answer.max_timestamp_ms)
    assert times == (-1, -1, -1)


def test_for_another(asker: Asker) -> None:
    request = CreateDelegationTokenRequest(owner_principal_type="User", owner_principal_name="b")
    answer = asker.ask(request, 3, CreateDelegationTokenResponse)
    assert (answer.error_code, answer.principal_name) == (NOT_ALLOWED, "b")
    assert answer.token_requester_principal_name == "ANONYMOUS"
