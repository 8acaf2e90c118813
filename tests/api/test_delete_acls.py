"""DeleteAcls without an authorizer."""

from __future__ import annotations

import pytest

from kstream.errors import ErrorCode, ProtocolError
from kstream.wire.messages.delete_acls import DeleteAclsFilter, DeleteAclsRequest, DeleteAclsResponse
from tests.api.conftest import Asker

ANY = 1


def _filter(**fields: int) -> DeleteAclsFilter:
    wanted = DeleteAclsFilter(resource_type_filter=ANY, operation=ANY, permission_type=ANY)
    for name, value in fields.items():
        setattr(wanted, name, value)
    return wanted


@pytest.mark.parametrize("version", range(1, 4))
def test_none_is_deleted(asker: Asker, version: int) -> None:
    for filters in ([], [_filter()], [_filter(), _filter(permission_type=-1)]):
        answer = asker.ask(DeleteAclsRequest(filters=filters), version, DeleteAclsResponse)
        codes = [each.error_code for each in answer.filter_results]
        assert codes == [ErrorCode.SECURITY_DISABLED] * len(filters)
        assert all(each.matching_acls == [] for each in answer.filter_results)


@pytest.mark.parametrize(
    "field", ["resource_type_filter", "pattern_type_filter", "operation", "permission_type"]
)
def test_unknown_elements_close_the_connection(asker: Asker, field: str) -> None:
    with pytest.raises(ProtocolError):
        asker.ask(DeleteAclsRequest(filters=[_filter(**{field: 0})]), 3, DeleteAclsResponse)
