"""The protocol of KIP-890: every end raises the epoch, and ids are rotated when epochs are used up."""

from __future__ import annotations

import pytest

from kstream.coordinator.outcome import Outcome
from kstream.errors import ErrorCode
from kstream.transactions.states import ALLOWED, TRANSITIONS, TransactionState, picture
from kstream.transactions.transaction import EPOCH_LAST, transaction_record
from tests.transactions.driver import Driver
from tests.transactions.test_classic import P, Q, refused


def with_epoch(driver: Driver, epoch: int) -> tuple[int, int]:
    """A producer that has had many epochs."""
    driver.init()
    outcome = Outcome()
    aged = driver.get()._replace(producer_epoch=epoch)
    outcome.records.append(transaction_record(aged, aged.previous_producer_id))
    driver.carry_out(outcome)
    return driver.get().producer_id, epoch


@pytest.mark.parametrize("commit", [True, False])
def test_every_end_raises_the_epoch(commit: bool) -> None:
    driver = Driver()
    producer = driver.init()
    for number in range(3):
        driver.add(producer, P)
        following = driver.end(producer, commit=commit)
        assert following == (producer[0], number + 1)
        (markers,) = driver.complete_all()
        assert markers.producer_epoch == number + 1
        assert driver.end(producer, commit=commit) == following  # a retry
        with refused(ErrorCode.INVALID_TXN_STATE):
            driver.end(producer, commit=not commit)
        with refused(ErrorCode.PRODUCER_FENCED):
            driver.add(producer, P)
        producer = following


def test_a_retried_end_is_no_end_of_the_next_transaction() -> None:
    driver = Driver()
    first = driver.init()
    driver.add(first, P)
    second = driver.end(first)
    driver.complete_all()
    driver.add(second, Q)
    with refused(ErrorCode.PRODUCER_FENCED):
        driver.end(first)
    assert driver.get().state is TransactionState.ONGOING


def test_aborting_nothing_gives_a_new_epoch() -> None:
    driver = Driver()
    producer = driver.init()
    with refused(ErrorCode.INVALID_TXN_STATE):
        driver.end(producer)
    following = driver.end(producer, commit=False)
    (markers,) = driver.complete_all()
    assert markers.partitions == frozenset()
    assert following == (producer[0], 1)
    assert driver.end(following, commit=False) == (producer[0], 2)


def test_the_last_epoch_is_followed_by_a_new_id() -> None:
    driver = Driver()
    last = with_epoch(driver, EPOCH_LAST)
    driver.add(last, P)
    following = driver.end(last)
    assert following[0] != last[0]
    assert following[1] == 0
    assert driver.get().next_producer_id == following[0]
    driver.restart()
    (markers,) = driver.complete_all()
    assert (markers.producer_id, markers.producer_epoch) == (last[0], EPOCH_LAST + 1)
    assert driver.end(last) == following  # a retry
    driver.add(following, P)
    with refused(ErrorCode.INVALID_PRODUCER_ID_MAPPING):
        driver.add(last, P)


def test_a_fenced_last_epoch_is_followed_by_a_new_id() -> None:
    driver = Driver()
    last = with_epoch(driver, EPOCH_LAST)
    driver.add(last, P)
    with refused(ErrorCode.CONCURRENT_TRANSACTIONS):
        driver.init()
    (markers,) = driver.complete_all()
    assert markers.producer_epoch == EPOCH_LAST + 1
    following = driver.init()
    assert following[0] != last[0]
    assert following[1] == 0


def test_used_up_epochs_without_a_transaction() -> None:
    driver = Driver()
    last = with_epoch(driver, EPOCH_LAST)
    following = driver.init(producer=last)
    assert following == (driver.next_producer_id, 0)
    assert driver.get().previous_producer_id == last[0]
    with refused(ErrorCode.PRODUCER_FENCED):
        driver.init(producer=(last[0], EPOCH_LAST - 1))


def test_the_picture_shows_the_table() -> None:
    lines = picture().splitlines()
    assert len(lines) == 2 + len(TRANSITIONS)
    assert len(ALLOWED) == len(TRANSITIONS)
    assert "    PrepareCommit --> CompleteCommit : all markers are written" in lines
