"""What Apache Kafka was asked about transactions has no gap: every version of every request, every error."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compat.oracle import golden
from compat.oracle.golden import ANSWER, Exchange
from kstream.api import registry
from kstream.errors import ErrorCode
from kstream.wire.apis import ApiKey, api

APIS = (
    ApiKey.INIT_PRODUCER_ID,
    ApiKey.ADD_PARTITIONS_TO_TXN,
    ApiKey.ADD_OFFSETS_TO_TXN,
    ApiKey.END_TXN,
    ApiKey.TXN_OFFSET_COMMIT,
    ApiKey.WRITE_TXN_MARKERS,
    ApiKey.DESCRIBE_TRANSACTIONS,
    ApiKey.LIST_TRANSACTIONS,
    ApiKey.DESCRIBE_PRODUCERS,
)
ERRORS = (
    ErrorCode.INVALID_PRODUCER_EPOCH,
    ErrorCode.INVALID_TXN_STATE,
    ErrorCode.INVALID_PRODUCER_ID_MAPPING,
    ErrorCode.INVALID_TRANSACTION_TIMEOUT,
    ErrorCode.CONCURRENT_TRANSACTIONS,
    ErrorCode.UNSTABLE_OFFSET_COMMIT,
    ErrorCode.PRODUCER_FENCED,
    ErrorCode.TRANSACTION_ABORTABLE,
)


def exchanges() -> Iterator[Exchange]:
    for path in golden.GOLDEN_FOLDER.glob("*transaction*.txt"):
        yield from golden.read(path)


@pytest.mark.parametrize("key", APIS, ids=lambda key: key.name)
def test_every_version_of_every_request_of_transactions_is_recorded(key: ApiKey) -> None:
    served = registry.load()[key]
    recorded = {each.version for each in exchanges() if each.api == api(key).name and each.outcome == ANSWER}
    assert recorded == set(range(served.version_min, served.version_max + 1))


@pytest.mark.parametrize("code", ERRORS, ids=lambda code: code.name)
def test_every_error_of_transactions_is_recorded(code: ErrorCode) -> None:
    assert any(
        value == str(int(code))
        for each in exchanges()
        for field, value in each.answer.items()
        if field.endswith("error_code")
    )
