"""Changes of one share partition on their way into its stored state. Those that come at once are stored in
one record: many members that acknowledge at the same time cost little more than one.

Whoever finds nobody collecting collects for a turn of the loop, and then stores for all. Nothing counts, and
nobody is answered, before the record is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from kstream.broker.share_states import ShareStates
from kstream.errors import ApiError, ErrorCode
from kstream.shares.changes import Change
from kstream.shares.release_times import ReleaseTimes
from kstream.shares.state_store import ShareKey
from kstream.shares.window import ShareWindow
from kstream.wire.messages.write_share_group_state import PartitionData, StateBatch

_COORDINATOR_AWAY = frozenset(
    {
        ErrorCode.NOT_COORDINATOR,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    }
)
_FENCED = frozenset({ErrorCode.FENCED_LEADER_EPOCH, ErrorCode.FENCED_STATE_EPOCH})


def state_error(code: int, message: str | None) -> ApiError:
    """What a share partition says of an answer of the share-state coordinator."""
    error = ErrorCode(code)
    if error in _COORDINATOR_AWAY:
        error = ErrorCode.COORDINATOR_NOT_AVAILABLE
    elif error in _FENCED:
        error = ErrorCode.NOT_LEADER_OR_FOLLOWER
    elif error is not ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
        error = ErrorCode.UNKNOWN_SERVER_ERROR
    return ApiError(error, message)


class _Commit:
    """Changes that are stored together, or not."""

    __slots__ = ("changes", "done", "error")

    def __init__(self, change: Change) -> None:
        self.changes = [change]
        self.done: trio.Event | None = None
        """For those who wait beside the one who stores; made when the first of them comes."""
        self.error: ApiError | None = None


class ShareStoring:
    """The way to the coordinator of one share partition. `gathers` says whether it is worth a turn of the
    loop to wait for the changes of others; `settle` is told of each change whether it was stored.
    """

    def __init__(
        self,
        key: ShareKey,
        window: ShareWindow,
        *,
        leader_epoch: int,
        state_epoch: int,
        states: ShareStates,
        gathers: Callable[[], bool],
        settle: Callable[[Change, bool], None],
    ) -> None:
        self._key = key
        self._window = window
        self._leader_epoch = leader_epoch
        self._state_epoch = state_epoch
        self._states = states
        self._gathers = gathers
        self._settle = settle
        self._coordinator_key = key.coordinator_key
        self._collecting: _Commit | None = None
        self._at_work = 0

    def release_times(self) -> ReleaseTimes | None:
        """When records were let go of, as the stored state knows; None if none ever was."""
        return self._states.release_times(self._key)

    @property
    def is_at_work(self) -> bool:
        """Whether something is being stored."""
        return self._at_work > 0

    async def store(self, change: Change) -> None:
        """Return once a change is stored and settled. Raises ApiError if it could not be stored. HOT."""
        commit = self._collecting
        if commit is not None:
            commit.changes.append(change)
            if commit.done is None:
                commit.done = trio.Event()
            await commit.done.wait()
            if commit.error is not None:
                raise ApiError(commit.error.code, commit.error.message)
            return
        commit = _Commit(change)
        self._at_work += 1
        try:
            if self._gathers():
                self._collecting = commit
                try:
                    await trio.lowlevel.checkpoint()
                finally:
                    # Also if the connection is gone: what has changed must be settled, of others, too.
                    self._collecting = None
                    await self._store_all(commit)
            else:
                await self._store_all(commit)
        finally:
            self._at_work -= 1

    async def _store_all(self, commit: _Commit) -> None:
        try:
            await self.write(commit.changes)
        except ApiError as error:
            commit.error = error
            raise
        except Exception as error:
            commit.error = ApiError(ErrorCode.UNKNOWN_SERVER_ERROR, str(error))
            raise
        finally:
            for change in commit.changes:
                self._settle(change, commit.error is None)
            if commit.done is not None:
                commit.done.set()

    async def write(self, changes: Sequence[Change]) -> None:
        """Write down where the window starts, and what has changed. Raises ApiError."""
        window = self._window
        wanted = PartitionData(
            partition=self._key.partition,
            state_epoch=self._state_epoch,
            leader_epoch=self._leader_epoch,
            start_offset=window.start_offset,
            delivery_complete_count=window.delivery_complete_count,
            state_batches=[
                StateBatch(first_offset=first, last_offset=last, delivery_state=state, delivery_count=count)
                for change in changes
                for first, last, state, count in change.state_batches
            ],
        )
        states, key, coordinator_key = self._states, self._key, self._coordinator_key
        try:
            if not states.write_own_at_once(key, coordinator_key, wanted):
                # Shielded: what is on its way must be settled, whatever happens to the connection.
                with trio.CancelScope(shield=True):
                    await states.write_own(key, coordinator_key, wanted)
        except ApiError as error:
            raise state_error(error.code, error.message) from None
