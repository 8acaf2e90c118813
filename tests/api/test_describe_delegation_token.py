"""DescribeDelegationToken: not for clients that did not authenticate."""

from __future__ import annotations

import pytest

from kstream.errors import ErrorCode
from kstream.wire.messages.describe_delegation_token import (
    DescribeDelegationTokenOwner,
    DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse,
)
from tests.api.conftest import Asker


@pytest.mark.parametrize("version", range(1, 4))
def test_none_is_shown(asker: Asker, version: int) -> None:
    nobody: list[DescribeDelegationTokenOwner] = []
    for owners in (None, nobody):
        request = DescribeDelegationTokenRequest(owners=owners)
        answer = asker.ask(request, version, DescribeDelegationTokenResponse)
        assert answer.error_code == ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED
        assert answer.tokens == []
