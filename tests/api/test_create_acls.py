"""CreateAcls without an authorizer."""

from __future__ import annotations

import pytest

from kstream.errors import ErrorCode, ProtocolError
from kstream.wire.messages.create_acls import AclCreation, CreateAclsRequest, CreateAclsResponse
from tests.api.conftest import Asker


def _acl(**fields: int) -> AclCreation:
    acl = AclCreation(
        resource_type=2, resource_name="t", principal="User:a", host="*", operation=3, permission_type=3
    )
    for name, value in fields.items():
        setattr(acl, name, value)
    return acl


@pytest.mark.parametrize("version", range(1, 4))
def test_none_is_created(asker: Asker, version: int) -> None:
    for creations in ([], [_acl()], [_acl(), _acl(operation=99)]):
        answer = asker.ask(CreateAclsRequest(creations=creations), version, CreateAclsResponse)
        assert [each.error_code for each in answer.results] == [ErrorCode.SECURITY_DISABLED] * len(creations)
        assert all(each.error_message for each in answer.results)


@pytest.mark.parametrize("field", ["resource_type", "resource_pattern_type", "operation", "permission_type"])
def test_unknown_elements_close_the_connection(asker: Asker, field: str) -> None:
    with pytest.raises(ProtocolError):
        asker.ask(CreateAclsRequest(creations=[_acl(), _acl(**{field: 0})]), 3, CreateAclsResponse)
