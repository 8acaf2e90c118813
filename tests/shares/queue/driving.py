"""A queue over a log in memory, driven by hand: what the broker does with one, without a broker."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from kstream.records.record import Record
from kstream.shares.limits import Acknowledgement, AcknowledgeType, ShareLimits
from kstream.shares.locks import Lock
from kstream.shares.queue.queue import ShareQueue
from kstream.shares.queue.rules import QueueRules
from kstream.shares.release_times import ReleaseTimes
from kstream.shares.settling import acknowledge, expire, release, settle
from kstream.shares.state_batches import StateBatches
from kstream.shares.window import ShareWindow

NOW_MS = 1_700_000_000_000


def record(
    offset: int,
    value: str = "",
    *,
    key: str | None = None,
    timestamp_ms: int = NOW_MS,
    headers: dict[str, str] | None = None,
) -> Record:
    """A record with text in it."""
    return Record(
        offset,
        timestamp_ms,
        None if key is None else key.encode(),
        value.encode(),
        tuple((name, text.encode()) for name, text in (headers or {}).items()),
    )


class Driver:
    """A log of batches of `batch_size` records, the queue of one group, its stored state, and a clock."""

    def __init__(
        self,
        rules: QueueRules | None = None,
        records: Sequence[Record] = (),
        *,
        limits: ShareLimits | None = None,
        batch_size: int = 3,
    ) -> None:
        self.rules = rules or QueueRules()
        self.limits = limits or ShareLimits()
        self.log = list(records)
        self.batch_size = batch_size
        self.now_ms = NOW_MS
        self.stored = StateBatches()
        self.stored_start = 0
        self.released = ReleaseTimes()
        self.queue = self._load()

    def _load(self) -> ShareQueue:
        window, _ = ShareWindow.load(self.stored_start, list(self.stored), self.limits)
        return ShareQueue(
            window, self.rules, look_from=0, group_id="workers", released=self.released, random=Random(1)
        )

    def restart(self) -> None:
        """Only what was stored is left, and when."""
        self.queue = self._load()

    @property
    def window(self) -> ShareWindow:
        return self.queue.window

    def append(self, *records: Record) -> None:
        self.log += records

    def look_ahead(self) -> bool:
        """Know more of the log, as far as the queue wants; whether it learnt anything."""
        looked_to = self.queue.looked_to
        end = self.log[-1].offset + 1 if self.log else 0
        while self.queue.looks_ahead() and self.queue.looked_to < end:
            at = self.queue.looked_to
            batch = [each for each in self.log if each.offset >= at][: self.batch_size]
            base = min(batch[0].offset, at)
            self.queue.admit(base, batch[-1].offset, batch, batch[-1].timestamp_ms)
        return self.queue.looked_to > looked_to

    def fetch(self, member_id: str = "m", count: int = 1) -> list[int]:
        """The offsets that a member gets, one heap after the other as fetches would."""
        self.queue.next_offset(member_id, self.now_ms)
        is_news = True
        while is_news:
            is_news = self.look_ahead()
            is_news = self.expire() or is_news
            is_news = is_news and self.queue.next_offset(member_id, self.now_ms) is None
        lock = Lock(self.now_ms + self.limits.lock_duration_ms)
        acquired = self.queue.take(member_id, count, 1 << 60, self.limits, lock, self.now_ms)
        if lock.records:
            self.window.locks.add(lock)
        return [offset for part in acquired for offset in range(part.first_offset, part.last_offset + 1)]

    def settle(
        self,
        *offsets: int,
        kind: AcknowledgeType = AcknowledgeType.ACCEPT,
        member_id: str = "m",
        is_stored: bool = True,
    ) -> None:
        """A member says of records what became of them."""
        wanted = [Acknowledgement(offset, offset, (int(kind),)) for offset in offsets]
        change = acknowledge(self.window, member_id, wanted, self.limits, self.now_ms)
        self._settle(change, is_stored=is_stored)

    def leave(self, member_id: str = "m") -> None:
        """A member goes."""
        self._settle(release(self.window, member_id, self.limits))
        self.queue.release_owner(member_id)

    def expire(self) -> bool:
        """Locks and records whose time is over; whether there were such records."""
        self._settle(expire(self.window, self.limits, self.now_ms))
        change = self.queue.expire(self.limits, self.now_ms)
        self._settle(change)
        return bool(change.state_batches)

    def _settle(self, change, *, is_stored: bool = True) -> None:  # type: ignore[no-untyped-def]
        if is_stored:
            for batch in change.state_batches:
                self.stored.merge(batch)
            self.released.note(change.state_batches, self.stored_start, self.now_ms)
        settle(self.window, change, is_stored=is_stored, limits=self.limits, now_ms=self.now_ms)
        self.queue.on_change(change, is_stored=is_stored, now_ms=self.now_ms)
        if is_stored:
            self.stored_start = self.window.start_offset
            self.stored.cut_before(self.stored_start)

    def drain(self, member_id: str = "m", count: int = 1) -> list[int]:
        """Fetch and accept until nothing comes."""
        order: list[int] = []
        while got := self.fetch(member_id, count):
            order += got
            self.settle(*got, member_id=member_id)
        return order
