"""Changes of a share partition on their way into the stored state: those that come at once go together, and
each is settled exactly once, whatever becomes of the write and of whoever asked for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

import pytest
import trio

from kstream.broker.share_states import ShareStates
from kstream.broker.share_storing import ShareStoring
from kstream.errors import ApiError, ErrorCode
from kstream.shares.changes import Change
from kstream.shares.state_batches import StateBatch
from kstream.shares.state_store import ShareKey
from kstream.shares.states import RecordState
from kstream.shares.window import ShareWindow
from kstream.testing.settling import wait_all_idle
from kstream.wire.messages.write_share_group_state import PartitionData

KEY = ShareKey("g", bytes(16), 3)


class States:
    """A coordinator that lets writes wait until it is `open`, and from then on takes them at once."""

    def __init__(self) -> None:
        self.written: list[PartitionData] = []
        self.open = trio.Event()
        self.error: Exception | None = None

    def write_own_at_once(self, key: ShareKey, coordinator_key: str, wanted: PartitionData) -> bool:
        if not self.open.is_set():
            return False
        self._take(key, coordinator_key, wanted)
        return True

    async def write_own(self, key: ShareKey, coordinator_key: str, wanted: PartitionData) -> None:
        self.written.append(wanted)
        await self.open.wait()
        if self.error is not None:
            raise self.error

    def _take(self, key: ShareKey, coordinator_key: str, wanted: PartitionData) -> None:
        assert (key, coordinator_key) == (KEY, KEY.coordinator_key)
        self.written.append(wanted)
        if self.error is not None:
            raise self.error

    def offsets(self) -> list[list[int]]:
        return [[batch.first_offset for batch in each.state_batches] for each in self.written]


class Storing:
    """What is tested, with all that was settled."""

    def __init__(self, *, gathers: bool) -> None:
        self.states = States()
        self.settled: list[tuple[int, bool]] = []
        self.failed: list[tuple[int, ErrorCode]] = []
        self.stored: list[int] = []
        self.storing = ShareStoring(
            KEY,
            ShareWindow(7),
            leader_epoch=2,
            state_epoch=5,
            states=cast(ShareStates, self.states),
            gathers=lambda: gathers,
            settle=lambda change, is_stored: self.settled.append(
                (change.state_batches[0].first_offset, is_stored)
            ),
        )

    async def store(self, offset: int) -> None:
        change = Change()
        change.state_batches.append(StateBatch(offset, offset, RecordState.ACKNOWLEDGED, 1))
        try:
            await self.storing.store(change)
        except ApiError as error:
            self.failed.append((offset, error.code))
        else:
            self.stored.append(offset)


def run(test: Callable[[], Awaitable[None]]) -> None:
    trio.run(test)


def test_changes_that_come_at_once_are_one_record_and_later_ones_another() -> None:
    async def test() -> None:
        at = Storing(gathers=True)
        async with trio.open_nursery() as nursery:
            for offset in (10, 11, 12):
                nursery.start_soon(at.store, offset)
            await wait_all_idle()
            nursery.start_soon(at.store, 13)
            await wait_all_idle()
            assert sorted(map(sorted, at.states.offsets())) == [[10, 11, 12], [13]]
            assert not at.settled
            assert not at.stored
            assert at.storing.is_at_work
            at.states.open.set()
        assert sorted(at.stored) == [10, 11, 12, 13]
        assert sorted(at.settled) == [(offset, True) for offset in (10, 11, 12, 13)]
        assert not at.storing.is_at_work
        first = at.states.written[0]
        assert (first.partition, first.leader_epoch, first.state_epoch, first.start_offset) == (3, 2, 5, 7)

    run(test)


def test_who_is_alone_does_not_wait_for_others() -> None:
    async def test() -> None:
        at = Storing(gathers=False)
        at.states.open.set()
        async with trio.open_nursery() as nursery:
            for offset in (10, 11):
                nursery.start_soon(at.store, offset)
        assert sorted(at.states.offsets()) == [[10], [11]]

    run(test)


@pytest.mark.parametrize("is_at_once", [True, False])
def test_what_could_not_be_stored_fails_for_all_who_waited(is_at_once: bool) -> None:
    async def test() -> None:
        at = Storing(gathers=True)
        if is_at_once:
            at.states.open.set()
        at.states.error = ApiError(ErrorCode.FENCED_STATE_EPOCH)
        async with trio.open_nursery() as nursery:
            for offset in (10, 11):
                nursery.start_soon(at.store, offset)
            await wait_all_idle()
            at.states.open.set()
        assert sorted(at.failed) == [
            (10, ErrorCode.NOT_LEADER_OR_FOLLOWER),
            (11, ErrorCode.NOT_LEADER_OR_FOLLOWER),
        ]
        assert sorted(at.settled) == [(10, False), (11, False)]

    run(test)


def test_an_unforeseen_failure_leaves_nobody_waiting() -> None:
    async def test() -> None:
        at = Storing(gathers=True)
        at.states.open.set()
        at.states.error = RuntimeError("broken")
        unforeseen = []

        async def store(offset: int) -> None:
            try:
                await at.store(offset)
            except RuntimeError as error:
                unforeseen.append(str(error))

        async with trio.open_nursery() as nursery:
            for offset in (10, 11):
                nursery.start_soon(store, offset)
        assert unforeseen == ["broken"]
        assert [code for _, code in at.failed] == [ErrorCode.UNKNOWN_SERVER_ERROR]
        assert sorted(at.settled) == [(10, False), (11, False)]
        assert not at.storing.is_at_work

    run(test)


@pytest.mark.parametrize("is_at_once", [True, False])
@pytest.mark.parametrize("gone", range(3))
def test_a_connection_that_goes_takes_nobodys_change_along(gone: int, is_at_once: bool) -> None:
    """Whether it is the one that stores or one that waits beside it, and whether it still gathers."""

    async def test() -> None:
        at = Storing(gathers=True)
        scopes = [trio.CancelScope() for _ in range(3)]

        async def store(index: int) -> None:
            with scopes[index]:
                await at.store(10 + index)

        async with trio.open_nursery() as nursery:
            for index in range(3):
                nursery.start_soon(store, index)
            if is_at_once:
                at.states.open.set()
                scopes[gone].cancel()
            await wait_all_idle()
            scopes[gone].cancel()
            await wait_all_idle()
            at.states.open.set()
        assert sorted(at.settled) == [(10, True), (11, True), (12, True)]
        assert set(at.stored) >= {10 + index for index in range(3) if index != gone}

    run(test)
