"""DescribeClientQuotas: found by conditions."""

from __future__ import annotations

import pytest

from kstream.errors import ErrorCode
from kstream.wire.messages.describe_client_quotas import (
    ComponentData,
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
)
from tests.api.conftest import Asker
from tests.api.test_alter_client_quotas import alter, entry

EXACT, DEFAULT, ANY = range(3)
Condition = tuple[str, int, str | None]


@pytest.fixture
def limited(asker: Asker) -> Asker:
    entries = [
        entry([("user", "alice")], producer_byte_rate=1.0),
        entry([("user", None)], producer_byte_rate=2.0),
        entry([("user", "alice"), ("client-id", "app")], producer_byte_rate=3.0),
        entry([("user", "alice"), ("client-id", None)], producer_byte_rate=4.0),
        entry([("ip", "127.0.0.1")], connection_creation_rate=5.0),
    ]
    assert alter(asker, *entries) == [0] * 5
    return asker


def _ask(asker: Asker, *conditions: Condition, strict: bool = False) -> DescribeClientQuotasResponse:
    components = [
        ComponentData(entity_type=kind, match_type=match_type, match=match)
        for kind, match_type, match in conditions
    ]
    request = DescribeClientQuotasRequest(components=components, strict=strict)
    return asker.ask(request, 1, DescribeClientQuotasResponse)


@pytest.mark.parametrize(
    ("conditions", "found", "found_strictly"),
    [
        ([], [1, 2, 3, 4, 5], []),
        ([("user", EXACT, "alice")], [1, 3, 4], [1]),
        ([("user", DEFAULT, None)], [2], [2]),
        ([("user", ANY, None)], [1, 2, 3, 4], [1, 2]),
        ([("client-id", DEFAULT, None)], [4], []),
        ([("user", EXACT, "alice"), ("client-id", EXACT, "app")], [3], [3]),
        ([("user", ANY, None), ("client-id", ANY, None)], [3, 4], [3, 4]),
        ([("ip", ANY, None)], [5], [5]),
        ([("user", EXACT, "nobody")], [], []),
    ],
)
def test_conditions(
    limited: Asker, conditions: list[Condition], found: list[int], found_strictly: list[int]
) -> None:
    for strict, expected in ((False, found), (True, found_strictly)):
        answer = _ask(limited, *conditions, strict=strict)
        assert (answer.error_code, answer.error_message) == (0, "")
        assert answer.entries is not None
        assert sorted(value.value for each in answer.entries for value in each.values) == expected


@pytest.mark.parametrize(
    ("conditions", "code"),
    [
        ([("group", ANY, None)], ErrorCode.UNSUPPORTED_VERSION),
        ([("", ANY, None)], ErrorCode.INVALID_REQUEST),
        ([("user", 3, None)], ErrorCode.INVALID_REQUEST),
        ([("user", EXACT, None)], ErrorCode.INVALID_REQUEST),
        ([("user", DEFAULT, "alice")], ErrorCode.INVALID_REQUEST),
        ([("user", ANY, None), ("user", ANY, None)], ErrorCode.INVALID_REQUEST),
        ([("user", ANY, None), ("ip", ANY, None)], ErrorCode.INVALID_REQUEST),
    ],
)
def test_conditions_that_make_no_sense(limited: Asker, conditions: list[Condition], code: int) -> None:
    answer = _ask(limited, *conditions)
    assert (answer.error_code, answer.entries) == (code, None)
    assert answer.error_message
