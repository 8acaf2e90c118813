"""DescribeAcls without an authorizer."""

from __future__ import annotations

import pytest

from kstream.errors import ErrorCode, ProtocolError
from kstream.wire.messages.describe_acls import DescribeAclsRequest, DescribeAclsResponse
from tests.api.conftest import Asker

ANY = 1


def _ask(asker: Asker, version: int, **fields: int) -> DescribeAclsResponse:
    request = DescribeAclsRequest(resource_type_filter=ANY, operation=ANY, permission_type=ANY)
    for name, value in fields.items():
        setattr(request, name, value)
    return asker.ask(request, version, DescribeAclsResponse)


@pytest.mark.parametrize("version", range(1, 4))
def test_there_are_none(asker: Asker, version: int) -> None:
    answer = _ask(asker, version)
    assert (answer.error_code, answer.resources) == (ErrorCode.SECURITY_DISABLED, [])
    assert answer.error_message
    assert _ask(asker, version, operation=99).error_code == ErrorCode.SECURITY_DISABLED


@pytest.mark.parametrize(
    "field", ["resource_type_filter", "pattern_type_filter", "operation", "permission_type"]
)
def test_unknown_elements_close_the_connection(asker: Asker, field: str) -> None:
    with pytest.raises(ProtocolError):
        _ask(asker, 3, **{field: 0})
