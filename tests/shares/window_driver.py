"""A share partition's window under test, beside a model that keeps every record by itself.

The model knows nothing of batches: it believes what was acquired, and says by itself what becomes of
every record that is acknowledged, released or lost to time. After every step both must say the same of
every record.
"""

from __future__ import annotations

from typing import NamedTuple

from kstream.errors import ApiError, ErrorCode
from kstream.shares.acquiring import LogBatch, Wish, acquire
from kstream.shares.changes import Change, DeadLetters
from kstream.shares.limits import Acknowledgement, AcknowledgeType, Acquired, AcquireMode, ShareLimits
from kstream.shares.selection import EVERYTHING, Selection
from kstream.shares.settling import acknowledge, archive_dead, expire, release, settle
from kstream.shares.state_batches import StateBatch, StateBatches
from kstream.shares.states import RecordState
from kstream.shares.window import ShareWindow

DONE = (RecordState.ACKNOWLEDGED, RecordState.ARCHIVED)


class Record(NamedTuple):
    """What the model knows of one record of the window."""

    state: RecordState
    delivery_count: int
    member_id: str = ""
    deadline_ms: float = 0.0


class WindowDriver:
    """A window with its log, its clock and its stored state."""

    def __init__(
        self,
        log: list[LogBatch],
        *,
        limits: ShareLimits | None = None,
        start: int = 0,
        selection: Selection = EVERYTHING,
    ) -> None:
        self.log = log
        self.limits = limits or ShareLimits()
        self.now_ms = 0.0
        self.selection = selection
        self.window = ShareWindow(start, selection=selection)
        self.records: dict[int, Record] = {}
        self.stored = StateBatches()
        self.stored_start = start
        self.deliveries: dict[int, int] = {}
        self.done: set[int] = set()
        """Every record that was ever settled."""
        self.dead: list[DeadLetters] = []

    def fetch(
        self,
        member_id: str,
        records_max: int = 500,
        batch_size: int = 500,
        mode: AcquireMode = AcquireMode.BATCH_OPTIMIZED,
        batches_max: int = 1000,
    ) -> list[Acquired]:
        """Read from the log where the window says, and acquire."""
        if not self.window.can_acquire(self.limits, self.now_ms):
            return []
        offset = self.window.next_fetch_offset(self.now_ms)
        if self.log and offset < self.log[0][0] and self.window.start_offset < self.log[0][0]:
            self.begin_at(self.log[0][0])
            offset = self.window.next_fetch_offset(self.now_ms)
        read = [batch for batch in self.log if batch[1] >= offset][:batches_max]
        if not read:
            return []
        for missing in range(offset, read[0][0]):
            self._archived(missing)
        wish = Wish(member_id, records_max, batch_size, mode)
        acquired = acquire(self.window, wish, offset, read, self.limits, self.now_ms)
        for first, last, count in acquired:
            for number in range(first, last + 1):
                before = self.records.get(number, Record(RecordState.AVAILABLE, 0))
                assert before.state is RecordState.AVAILABLE, f"{number} is {before}, and was acquired"
                assert count == before.delivery_count + 1 <= self.limits.delivery_count_max
                self.records[number] = Record(
                    RecordState.ACQUIRED, count, member_id, self.now_ms + self.limits.lock_duration_ms
                )
                self.deliveries[number] = self.deliveries.get(number, 0) + 1
        for batch in self.window.batches:
            for number in range(batch.first, batch.last + 1):
                # Of records that stay together some may not have been wanted.
                self.records.setdefault(number, Record(RecordState.AVAILABLE, 0))
        self._settle_model()
        self.check()
        return acquired

    def acknowledge(
        self, member_id: str, first: int, last: int, *types: AcknowledgeType, is_stored: bool = True
    ) -> ErrorCode:
        """Acknowledge, and store it or fail to; the window's answer must be the model's."""
        expected = self._expected_error(member_id, first, last, types)
        acknowledgement = Acknowledgement(first, last, tuple(int(kind) for kind in types))
        code, change = ErrorCode.NONE, Change()
        try:
            change = acknowledge(self.window, member_id, [acknowledgement], self.limits, self.now_ms)
        except ApiError as error:
            code = error.code
        assert code is expected
        if code is not ErrorCode.NONE:
            if self._refused_at_once(first, last) is ErrorCode.NONE:
                self._renew(member_id, first, last, types, until_refused=True)
            self.check()
            return code
        self._renew(member_id, first, last, types)
        if is_stored:
            for number in range(max(first, self.window.start_offset), last + 1):
                kind = types[number - first] if len(types) > 1 else types[0]
                if kind is not AcknowledgeType.RENEW:
                    self._changed(number, _target(kind))
        self._settled(change, is_stored=is_stored)
        return ErrorCode.NONE

    def release(self, member_id: str) -> None:
        """A member goes."""
        change = release(self.window, member_id, self.limits)
        for number, record in list(self.records.items()):
            if record.state is RecordState.ACQUIRED and record.member_id == member_id:
                self._changed(number, RecordState.AVAILABLE)
        self._settled(change, is_stored=True)

    def wait(self, delay_ms: float) -> None:
        """Let time pass, and locks expire."""
        self.now_ms += delay_ms
        change = expire(self.window, self.limits, self.now_ms)
        for number, record in list(self.records.items()):
            if record.state is RecordState.ACQUIRED and record.deadline_ms <= self.now_ms:
                self._changed(number, RecordState.AVAILABLE)
        self._settled(change, is_stored=True)

    def begin_at(self, log_start: int) -> None:
        """The log loses its beginning."""
        self.log = [batch for batch in self.log if batch[1] >= log_start]
        self.window.begin_at(log_start)
        self.records = {number: record for number, record in self.records.items() if number >= log_start}
        self._settle_model()
        self.check()

    def restart(self) -> None:
        """The process dies; another one has what is stored."""
        self.window, _ = ShareWindow.load(
            self.stored_start, list(self.stored), self.limits, selection=self.selection
        )
        end = max((batch.last_offset for batch in self.stored), default=self.stored_start - 1)
        self.records = {
            number: Record(RecordState.AVAILABLE, 0) for number in range(self.stored_start, end + 1)
        }
        for batch in self.stored:
            for number in range(batch.first_offset, batch.last_offset + 1):
                self.records[number] = Record(RecordState(batch.delivery_state), batch.delivery_count)
        self._settle_model()
        self.check()

    def check(self) -> None:
        """The window says of every record what the model says, and counts what is done rightly."""
        window = self.window
        runs = [run for batch in window.batches for run in batch.runs]
        found = {
            number: (run.state, run.delivery_count, run.member_id)
            for run in runs
            for number in range(run.first, run.last + 1)
        }
        assert found == {number: record[:3] for number, record in self.records.items()}
        assert [run.first for run in runs] == sorted(run.first for run in runs)
        assert window.delivery_complete_count == sum(record.state in DONE for record in self.records.values())
        if self.records:
            assert window.start_offset == min(self.records)
            assert window.end_offset == max(self.records)
            assert self.records[window.start_offset].state not in DONE
        available = [
            number for number, record in self.records.items() if record.state is RecordState.AVAILABLE
        ]
        if self.selection is EVERYTHING:
            assert window.next_fetch_offset(self.now_ms) == min(available, default=window.next_offset)
        held = [run.lock for run in runs if run.lock is not None]
        assert all(run.lock is not None for run in runs if run.state is RecordState.ACQUIRED)
        locked = [run for run in runs if run.lock is not None and run.lock.locks is window.locks]
        assert window.locks.records == sum(map(len, locked))
        assert len({id(lock) for lock in held}) == len({id(lock) for lock in held if lock.records})

    # The model

    def _expected_error(
        self, member_id: str, first: int, last: int, types: tuple[AcknowledgeType, ...]
    ) -> ErrorCode:
        start = self.window.start_offset
        if last < start:
            return ErrorCode.NONE
        refused = self._refused_at_once(first, last)
        if refused is not ErrorCode.NONE:
            return refused
        for number in range(max(first, start), last + 1):
            record = self.records.get(number)
            if record is None:
                continue
            if record.state is not RecordState.ACQUIRED or record.member_id != member_id:
                return ErrorCode.INVALID_RECORD_STATE
            kind = types[number - first] if len(types) > 1 else types[0]
            if kind is AcknowledgeType.RENEW and not self.limits.can_renew:
                return ErrorCode.INVALID_RECORD_STATE
        return ErrorCode.NONE

    def _refused_at_once(self, first: int, last: int) -> ErrorCode:
        """What is wrong with the offsets, whoever has the records: then nothing is renewed either."""
        if not self.records or max(first, self.window.start_offset) < min(self.records):
            return ErrorCode.INVALID_RECORD_STATE
        # Nobody has ever got a record there.
        return ErrorCode.NONE if last in self.records else ErrorCode.INVALID_REQUEST

    def _renew(
        self,
        member_id: str,
        first: int,
        last: int,
        types: tuple[AcknowledgeType, ...],
        *,
        until_refused: bool = False,
    ) -> None:
        for number in range(max(first, self.window.start_offset), last + 1):
            record = self.records.get(number)
            if record is None:
                continue
            if until_refused and (
                record.state is not RecordState.ACQUIRED
                or record.member_id != member_id
                or not self.limits.can_renew
            ):
                return
            kind = types[number - first] if len(types) > 1 else types[0]
            if kind is AcknowledgeType.RENEW:
                deadline_ms = self.now_ms + self.limits.lock_duration_ms
                self.records[number] = record._replace(deadline_ms=deadline_ms)

    def _changed(self, number: int, target: RecordState) -> None:
        record = self.records.get(number)
        if record is None:
            return
        if target is RecordState.AVAILABLE and record.delivery_count >= self.limits.delivery_count_max:
            target = RecordState.ARCHIVED
        self.records[number] = Record(target, record.delivery_count)
        if target in DONE:
            self.done.add(number)

    def _archived(self, number: int) -> None:
        record = self.records.get(number)
        if record is not None and record.state is RecordState.AVAILABLE:
            self.records[number] = Record(RecordState.ARCHIVED, record.delivery_count)
            self.done.add(number)

    def _settled(self, change: Change, *, is_stored: bool) -> None:
        if is_stored and change.state_batches:
            self._store(change.state_batches)
        settled = settle(self.window, change, is_stored=is_stored, limits=self.limits, now_ms=self.now_ms)
        for dead in settled.dead_letters:
            self.dead.append(dead)
            archived = archive_dead(self.window, dead)
            self._settled(archived, is_stored=True)
        self._settle_model()
        self.check()

    def _store(self, batches: list[StateBatch]) -> None:
        """As the share-state coordinator does, with the start as it was when the change was made."""
        self.stored_start = max(self.stored_start, self.window.start_offset)
        for batch in batches:
            self.stored.merge(batch)
        self.stored.cut_before(self.stored_start)

    def _settle_model(self) -> None:
        """Forget what is done at the start."""
        for number in sorted(self.records):
            if self.records[number].state not in DONE:
                return
            del self.records[number]


def _target(kind: AcknowledgeType) -> RecordState:
    if kind is AcknowledgeType.ACCEPT:
        return RecordState.ACKNOWLEDGED
    return RecordState.AVAILABLE if kind is AcknowledgeType.RELEASE else RecordState.ARCHIVED
