"""AlterClientQuotas: kept in the metadata log."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from kstream.errors import ErrorCode
from kstream.wire.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasRequestEntryData,
    AlterClientQuotasResponse,
    EntityData,
    OpData,
)
from tests.api.conftest import Asker

Entity = Sequence[tuple[str, str | None]]
INVALID = ErrorCode.INVALID_REQUEST
ALICE: Entity = [("user", "alice")]


def entry(entity: Entity, **values: float | None) -> AlterClientQuotasRequestEntryData:
    return AlterClientQuotasRequestEntryData(
        entity=[EntityData(entity_type=kind, entity_name=name) for kind, name in entity],
        ops=[OpData(key=key, value=value or 0.0, remove=value is None) for key, value in values.items()],
    )


def alter(
    asker: Asker, *entries: AlterClientQuotasRequestEntryData, version: int = 1, validate_only: bool = False
) -> list[int]:
    request = AlterClientQuotasRequest(entries=list(entries), validate_only=validate_only)
    answer = asker.ask(request, version, AlterClientQuotasResponse)
    assert all(bool(each.error_message) == bool(each.error_code) for each in answer.entries)
    return [each.error_code for each in answer.entries]


@pytest.mark.parametrize("version", [0, 1])
def test_set_changed_and_removed(start: Callable[..., Asker], version: int) -> None:
    asker = start()
    both: Entity = [("user", "alice"), ("client-id", None)]
    first = [entry(ALICE, producer_byte_rate=10.0, request_percentage=1.5), entry(both, consumer_byte_rate=5)]
    assert alter(asker, *first, version=version) == [0, 0]
    assert asker.broker.metadata.image.client_quotas == {
        (("user", "alice"),): {"producer_byte_rate": 10.0, "request_percentage": 1.5},
        (("client-id", None), ("user", "alice")): {"consumer_byte_rate": 5.0},
    }
    asker = start()
    assert alter(asker, entry(ALICE, producer_byte_rate=None, consumer_byte_rate=7.0), version=version) == [0]
    assert alter(asker, entry(both[::-1], consumer_byte_rate=None), version=version) == [0]
    expected = {(("user", "alice"),): {"request_percentage": 1.5, "consumer_byte_rate": 7.0}}
    assert start().broker.metadata.image.client_quotas == expected


def test_validation_changes_nothing(asker: Asker) -> None:
    before = asker.broker.metadata.version
    assert alter(asker, entry(ALICE, producer_byte_rate=10.0), validate_only=True) == [0]
    assert alter(asker, entry(ALICE, producer_byte_rate=None)) == [0]
    assert asker.broker.metadata.image.client_quotas == {}
    assert asker.broker.metadata.version == before


@pytest.mark.parametrize(
    "wrong",
    [
        entry([], producer_byte_rate=1.0),
        entry([("group", "g")], producer_byte_rate=1.0),
        entry([("user", "")], producer_byte_rate=1.0),
        entry([("user", "a"), ("ip", "127.0.0.1")], producer_byte_rate=1.0),
        entry([("ip", "not.an.address")], connection_creation_rate=1.0),
        entry([("ip", "127.0.0.1")], producer_byte_rate=1.0),
        entry(ALICE, connection_creation_rate=1.0),
        entry(ALICE, no_such_key=1.0),
        entry(ALICE, producer_byte_rate=0.5),
        entry(ALICE, producer_byte_rate=-1.0),
        entry(ALICE, producer_byte_rate=1e300),
        entry(ALICE, request_percentage=float("nan")),
        entry(ALICE, producer_byte_rate=1.0, no_such_key=1.0),
    ],
)
def test_what_cannot_be(asker: Asker, wrong: AlterClientQuotasRequestEntryData) -> None:
    right = entry([("user", "bob")], producer_byte_rate=1.0)
    assert alter(asker, right, wrong) == [0, INVALID]
    assert list(asker.broker.metadata.image.client_quotas) == [(("user", "bob"),)]


def test_repetitions(asker: Asker) -> None:
    assert alter(asker, entry(ALICE, producer_byte_rate=1.0), entry(ALICE, consumer_byte_rate=1.0)) == [
        INVALID
    ]
    twice = entry(ALICE, producer_byte_rate=1.0)
    twice.ops *= 2
    assert alter(asker, twice) == [INVALID]
    assert asker.broker.metadata.image.client_quotas == {}
