"""The protocol of KIP-98: one epoch for many transactions, partitions added before they are written to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kstream.errors import ApiError, ErrorCode
from kstream.transactions.states import TransactionState
from kstream.transactions.transaction import CLASSIC
from tests.transactions.driver import Driver, Producer

P, Q = ("p", 0), ("q", 3)


@contextmanager
def refused(code: ErrorCode) -> Iterator[None]:
    with pytest.raises(ApiError) as caught:
        yield
    assert caught.value.code is code


def ended(driver: Driver, producer: Producer, *, commit: bool = True) -> None:
    driver.end(producer, commit=commit, client_version=CLASSIC)


@pytest.mark.parametrize("commit", [True, False])
def test_a_transaction(commit: bool) -> None:
    driver = Driver()
    producer = driver.init()
    assert driver.get().state is TransactionState.EMPTY
    driver.add(producer, P, client_version=CLASSIC)
    driver.advance(1000)
    driver.add(producer, Q, client_version=CLASSIC)
    assert driver.get().start_ms == driver.now_ms - 1000
    ended(driver, producer, commit=commit)
    assert driver.get().state.is_prepared
    (markers,) = driver.complete_all()
    assert markers == ("id", *producer, commit, frozenset({P, Q}))
    assert driver.get().state.label == ("CompleteCommit" if commit else "CompleteAbort")
    assert driver.get().partitions == frozenset()
    ended(driver, producer, commit=commit)  # a retry
    with refused(ErrorCode.INVALID_TXN_STATE):
        ended(driver, producer, commit=not commit)
    driver.add(producer, P, client_version=CLASSIC)
    assert driver.get().producer_epoch == producer[1]


def test_what_is_added_already_is_not_written_again() -> None:
    driver = Driver()
    producer = driver.init()
    driver.add(producer, P, Q)
    written = len(driver.log)
    driver.add(producer, Q)
    assert len(driver.log) == written


def test_nothing_moves_while_the_last_transaction_is_completed() -> None:
    driver = Driver()
    producer = driver.init()
    driver.add(producer, P, client_version=CLASSIC)
    ended(driver, producer)
    with refused(ErrorCode.CONCURRENT_TRANSACTIONS):
        driver.add(producer, Q, client_version=CLASSIC)
    with refused(ErrorCode.CONCURRENT_TRANSACTIONS):
        ended(driver, producer)
    with refused(ErrorCode.CONCURRENT_TRANSACTIONS):
        driver.init()
    driver.complete_all()
    assert driver.init() == (producer[0], 1)


def test_strangers_and_zombies() -> None:
    driver = Driver()
    with refused(ErrorCode.INVALID_PRODUCER_ID_MAPPING):
        driver.add((1, 0), P)
    with refused(ErrorCode.INVALID_REQUEST):
        driver.add((1, 0), P, transactional_id="")
    old = driver.init()
    new = driver.init()
    assert new == (old[0], old[1] + 1)
    with refused(ErrorCode.PRODUCER_FENCED):
        driver.add(old, P)
    with refused(ErrorCode.PRODUCER_FENCED):
        ended(driver, old)
    with refused(ErrorCode.INVALID_PRODUCER_ID_MAPPING):
        driver.add((new[0] + 1, new[1]), P)
    with refused(ErrorCode.INVALID_TXN_STATE):
        ended(driver, new)
    with refused(ErrorCode.INVALID_TXN_STATE):
        ended(driver, new, commit=False)


def test_a_new_producer_aborts_what_the_old_one_left_open() -> None:
    driver = Driver()
    old = driver.init()
    driver.add(old, P, client_version=CLASSIC)
    with refused(ErrorCode.CONCURRENT_TRANSACTIONS):
        driver.init()
    (markers,) = driver.complete_all()
    assert not markers.is_commit
    assert markers.producer_epoch == old[1] + 1
    assert driver.init() == (old[0], old[1] + 2)


@pytest.mark.parametrize("timeout_ms", [0, -1, 900_001])
def test_timeouts_that_nobody_may_have(timeout_ms: int) -> None:
    with refused(ErrorCode.INVALID_TRANSACTION_TIMEOUT):
        Driver().init(timeout_ms=timeout_ms)


def test_time_is_up() -> None:
    driver = Driver()
    producer = driver.init(timeout_ms=5000)
    driver.add(producer, P, client_version=CLASSIC)
    driver.advance(4999)
    assert driver.get().state is TransactionState.ONGOING
    driver.advance(1)
    (markers,) = driver.complete_all()
    assert (markers.is_commit, markers.producer_epoch) == (False, producer[1] + 1)
    with refused(ErrorCode.PRODUCER_FENCED):
        ended(driver, producer, commit=False)
    assert driver.init(producer=producer) == (producer[0], producer[1] + 1)  # KIP-360: it may go on


def test_time_goes_on_over_a_restart() -> None:
    driver = Driver()
    producer = driver.init(timeout_ms=5000)
    driver.add(producer, P)
    driver.advance(3000)
    driver.restart()
    driver.advance(1999)
    assert driver.get().state is TransactionState.ONGOING
    driver.advance(1)
    assert driver.get().state is TransactionState.PREPARE_ABORT


@pytest.mark.parametrize("commit", [True, False])
def test_decided_is_decided(commit: bool) -> None:
    driver = Driver()
    producer = driver.init()
    driver.add(producer, P, client_version=CLASSIC)
    ended(driver, producer, commit=commit)
    driver.restart()
    (markers,) = driver.complete_all()
    assert markers == ("id", *producer, commit, frozenset({P}))
    driver.restart()
    assert driver.markers == []


def test_unused_ids_are_forgotten() -> None:
    driver = Driver()
    week_ms = driver.settings.id_expiration_ms
    driver.init("unused")
    busy = driver.init("busy", timeout_ms=900_000)
    driver.advance(week_ms - 1000)
    driver.add(busy, P, transactional_id="busy")
    assert set(driver.shard.store.transactions) == {"unused", "busy"}
    driver.advance(driver.settings.id_expiration_check_interval_ms)
    assert set(driver.shard.store.transactions) == {"busy"}
    assert driver.log[-1][1] is None or driver.log[-2][1] is None
    again = driver.init("unused")
    assert again[0] != busy[0]
    assert again[1] == 0


def test_a_producer_that_goes_on_after_an_error() -> None:
    """KIP-360: it names the id and epoch it had, and is fenced if another one came."""
    driver = Driver()
    first = driver.init()
    second = driver.init(producer=first)
    assert second == (first[0], 1)
    assert driver.init(producer=first) == second  # a retry: its answer was lost
    third = driver.init()
    for producer in (first, second):
        with refused(ErrorCode.PRODUCER_FENCED):
            driver.init(producer=producer)
    with refused(ErrorCode.PRODUCER_FENCED):
        driver.init(producer=(third[0] + 1, third[1]))
    with refused(ErrorCode.INVALID_REQUEST):
        driver.init(producer=(third[0], -1))
